"""The requests of the file service, one method each; nothing here knows a workflow.

Source: Perseus protocol, section A.4.
"""

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import attrs

from smartxfer.errors import UsageError
from smartxfer.perseus.errors import PerseusDecodeError
from smartxfer.perseus.models import File
from smartxfer.secret_text import as_secret_url
from smartxfer.service_api import ServiceApi
from smartxfer.transport import Body, RequestSpec, Success
from smartxfer.transport.deletion import delete_once
from smartxfer.transport.json_codec import encode_json
from smartxfer.transport.origin import quote_path
from smartxfer.transport.request_spec import AuthCallable

__all__ = ["RAW_DELETE_SUCCESS", "RAW_READ_SUCCESS", "RAW_WRITE_SUCCESS", "PerseusApi"]

#: Most ids or hashes in one question.
_MAX_IDS_PER_REQUEST = 200
#: New records, and questions that are asked by POST.
_POST_SUCCESS = Success({200, 201, 202})
#: A client accepts each of these for a deleted record, with a body or without.
_DELETE_SUCCESS = Success({200, 202, 204}, Body.JSON_OR_EMPTY)
#: What raw calls accept: JSON everywhere, or no body where nothing is to be said.
RAW_READ_SUCCESS = Success({200})
RAW_WRITE_SUCCESS = Success({200, 201, 202, 204}, Body.JSON_OR_EMPTY)
RAW_DELETE_SUCCESS = _DELETE_SUCCESS


@attrs.frozen
class PerseusApi(ServiceApi):
    """What can be asked of the service.

    :param root: address of the service, without a slash at its end.
    :param make: makes a call, tried in whatever way.
    :param pause: waits for some seconds.
    """

    base_url: str
    auth: Optional[AuthCallable]

    def build_request(self, method: str, path: str, body: Any = None, **options: Any) -> RequestSpec:
        """A signed call of an encoded path below ``/api/v0``."""
        return RequestSpec(
            method,
            f"{self.base_url}/api/v0/{path}",
            headers={"Accept": "application/json", "Content-Type": "application/json"},
            body=None if body is None else encode_json(body, ascii_only=True),
            auth=self.auth,
            **options,
        )

    def create(self, name: str, source_hash: str) -> Tuple[File, str]:
        """Make a record; and where its content goes, "" where the service has it already.

        :raises Conflict: the service knows the content.
        :raises OutcomeUnknown: the answer was lost.
        """
        call = self.build_request(
            "POST", "file", {"name": name, "sourceHash": source_hash}, success=_POST_SUCCESS
        )
        body = self.send_request(call).json(dict)
        url = (
            as_secret_url(body["uploadUrl"])
            if isinstance(body.get("uploadUrl"), str)
            else body.get("uploadUrl")
        )
        body["uploadUrl"] = url
        file = _parse_record(_require_object(body, "file", call.description), call.description)
        if file.source_hash not in (None, source_hash):
            raise PerseusDecodeError(f"{call.description}: the answer is about another content")
        if not isinstance(url or "", str):
            raise PerseusDecodeError(f"{call.description}: the uploadUrl is a {type(url).__name__}, not text")
        return file, url or ""

    def find(self, **filters: Sequence[str]) -> List[File]:
        """The records of these ``ids`` or ``sourceHashes``; without a filter, what the service gives."""
        if not filters:
            return self._find_batch({})
        [(name, values)] = filters.items()
        unique = list(dict.fromkeys(values))
        found: List[File] = []
        for start in range(0, len(unique), _MAX_IDS_PER_REQUEST):
            found += self._find_batch({name: unique[start : start + _MAX_IDS_PER_REQUEST]})
        return found

    def _find_batch(self, body: Dict[str, Any]) -> List[File]:
        call = self.build_request("POST", "file/find", body, idempotent=True, success=_POST_SUCCESS)
        answer = self.send_request(call).json(dict)
        files = answer.get("files")
        if not isinstance(files, list):
            raise PerseusDecodeError(f"{call.description}: the answer to file/find has no list of files")
        found = [_parse_record(file, call.description) for file in files]
        hashes = body.get("sourceHashes")
        for file in found:
            # A record of another content would count as this one's, which then is not sent.
            if hashes is not None and (file.source_hash or hashes[0]).lower() not in hashes:
                raise PerseusDecodeError(
                    f"{call.description}: the answer has a record of another content: {file.id!r}"
                )
        return [file for file in found if file.id in body.get("ids", [file.id])]

    def delete(self, id: str) -> None:
        """Delete a record; one that is gone after a repeat is no error."""
        delete_once(
            self.send_request,
            self.build_request("DELETE", f"file/{quote_segment(id)}", success=_DELETE_SUCCESS),
        )


def _parse_record(data: Any, description: str) -> File:
    file = File.from_wire(data, description)
    if not file.id:
        raise PerseusDecodeError(f"{description}: a record without an id")
    return file


def quote_segment(id: Any) -> str:
    """An id as one segment of a path.

    :raises UsageError: it is empty, or one that a path does away with.
    """
    text = str(getattr(id, "id", id))
    if not text or text in (".", ".."):
        raise UsageError(f"{text!r} is not the id of a file", hint="pass a File, or its id as text")
    return quote_path(text)


def _require_object(body: Mapping[str, Any], name: str, description: str) -> Mapping[str, Any]:
    found = body.get(name)
    if not isinstance(found, Mapping):
        raise PerseusDecodeError(f"{description}: the answer has no {name!r}")
    return found
