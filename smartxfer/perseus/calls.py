"""The requests of the file service, one method each; nothing here knows a workflow.

Source: Perseus protocol, section A.4.
"""

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import attrs

from smartxfer.errors import UsageError
from smartxfer.perseus.errors import PerseusDecodeError
from smartxfer.perseus.models import File
from smartxfer.secret_text import as_url
from smartxfer.service_api import ServiceApi
from smartxfer.transport import Body, Call, Success
from smartxfer.transport.call import Sign
from smartxfer.transport.deleting import delete
from smartxfer.transport.json import json_body
from smartxfer.transport.origin import quoted

__all__ = ["RAW_DELETED", "RAW_READ", "RAW_WRITTEN", "Calls"]

#: Most ids or hashes in one question.
_MOST = 200
#: New records, and questions that are asked by POST.
_MADE = Success({200, 201, 202})
#: A client accepts each of these for a deleted record, with a body or without.
_DELETED = Success({200, 202, 204}, Body.JSON_OR_EMPTY)
#: What raw calls accept: JSON everywhere, or no body where nothing is to be said.
RAW_READ = Success({200})
RAW_WRITTEN = Success({200, 201, 202, 204}, Body.JSON_OR_EMPTY)
RAW_DELETED = _DELETED


@attrs.frozen
class Calls(ServiceApi):
    """What can be asked of the service.

    :param root: address of the service, without a slash at its end.
    :param make: makes a call, tried in whatever way.
    :param pause: waits for some seconds.
    """

    root: str
    sign: Optional[Sign]

    def describe(self, method: str, path: str, body: Any = None, **options: Any) -> Call:
        """A signed call of an encoded path below ``/api/v0``."""
        return Call(
            method,
            f"{self.root}/api/v0/{path}",
            headers={"Accept": "application/json", "Content-Type": "application/json"},
            body=None if body is None else json_body(body, ascii_only=True),
            sign=self.sign,
            **options,
        )

    def create(self, name: str, source_hash: str) -> Tuple[File, str]:
        """Make a record; and where its content goes, "" where the service has it already.

        :raises Conflict: the service knows the content.
        :raises OutcomeUnknown: the answer was lost.
        """
        call = self.describe("POST", "file", {"name": name, "sourceHash": source_hash}, success=_MADE)
        body = self.make(call).json(dict)
        url = as_url(body["uploadUrl"]) if isinstance(body.get("uploadUrl"), str) else body.get("uploadUrl")
        body["uploadUrl"] = url
        file = _record(_part(body, "file", call.what), call.what)
        if file.source_hash not in (None, source_hash):
            raise PerseusDecodeError(f"{call.what}: the answer is about another content")
        if not isinstance(url or "", str):
            raise PerseusDecodeError(f"{call.what}: the uploadUrl is a {type(url).__name__}, not text")
        return file, url or ""

    def find(self, **filters: Sequence[str]) -> List[File]:
        """The records of these ``ids`` or ``sourceHashes``; without a filter, what the service gives."""
        if not filters:
            return self._found({})
        [(name, values)] = filters.items()
        unique = list(dict.fromkeys(values))
        found: List[File] = []
        for start in range(0, len(unique), _MOST):
            found += self._found({name: unique[start : start + _MOST]})
        return found

    def _found(self, body: Dict[str, Any]) -> List[File]:
        call = self.describe("POST", "file/find", body, idempotent=True, success=_MADE)
        answer = self.make(call).json(dict)
        files = answer.get("files")
        if not isinstance(files, list):
            raise PerseusDecodeError(f"{call.what}: the answer to file/find has no list of files")
        found = [_record(file, call.what) for file in files]
        hashes = body.get("sourceHashes")
        for file in found:
            # A record of another content would count as this one's, which then is not sent.
            if hashes is not None and (file.source_hash or hashes[0]).lower() not in hashes:
                raise PerseusDecodeError(
                    f"{call.what}: the answer has a record of another content: {file.id!r}"
                )
        return [file for file in found if file.id in body.get("ids", [file.id])]

    def delete(self, id: str) -> None:
        """Delete a record; one that is gone after a repeat is no error."""
        delete(self.make, self.describe("DELETE", f"file/{segment(id)}", success=_DELETED))


def _record(found: Any, call: str) -> File:
    file = File.from_wire(found, call)
    if not file.id:
        raise PerseusDecodeError(f"{call}: a record without an id")
    return file


def segment(id: Any) -> str:
    """An id as one segment of a path.

    :raises UsageError: it is empty, or one that a path does away with.
    """
    text = str(getattr(id, "id", id))
    if not text or text in (".", ".."):
        raise UsageError(f"{text!r} is no id of a file")
    return quoted(text)


def _part(body: Mapping[str, Any], name: str, call: str) -> Mapping[str, Any]:
    found = body.get(name)
    if not isinstance(found, Mapping):
        raise PerseusDecodeError(f"{call}: the answer has no {name!r}")
    return found
