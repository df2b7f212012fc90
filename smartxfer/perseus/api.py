"""The requests of the file service, one method each, without workflows.

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

#: Maximum number of ids or hashes in one request.
_MAX_IDS_PER_REQUEST = 200
#: Success of new records, and of searches, which are POST requests.
_POST_SUCCESS = Success({200, 201, 202})
#: Success of a deletion, with or without a body.
_DELETE_SUCCESS = Success({200, 202, 204}, Body.JSON_OR_EMPTY)
#: Success of raw requests: a JSON body; writes and deletions may have none.
RAW_READ_SUCCESS = Success({200})
RAW_WRITE_SUCCESS = Success({200, 201, 202, 204}, Body.JSON_OR_EMPTY)
RAW_DELETE_SUCCESS = _DELETE_SUCCESS


@attrs.frozen
class PerseusApi(ServiceApi):
    """The requests of the Perseus API.

    :param base_url: URL of the service, without a slash at its end.
    :param auth: adds the API key to a request.
    """

    base_url: str
    auth: Optional[AuthCallable]

    def build_request(self, method: str, path: str, body: Any = None, **options: Any) -> RequestSpec:
        """Return an authenticated request.

        :param path: below ``/api/v0``, percent-encoded.
        """
        return RequestSpec(
            method,
            f"{self.base_url}/api/v0/{path}",
            headers={"Accept": "application/json", "Content-Type": "application/json"},
            body=None if body is None else encode_json(body, ascii_only=True),
            auth=self.auth,
            **options,
        )

    def create(self, name: str, source_hash: str) -> Tuple[File, str]:
        """Create a record; return it and the upload URL, "" if the service already has the content.

        :raises Conflict: the service already has a record of the content.
        :raises OutcomeUnknown: the response was lost.
        """
        request = self.build_request(
            "POST", "file", {"name": name, "sourceHash": source_hash}, success=_POST_SUCCESS
        )
        body = self.send_request(request).json(dict)
        url = (
            as_secret_url(body["uploadUrl"])
            if isinstance(body.get("uploadUrl"), str)
            else body.get("uploadUrl")
        )
        body["uploadUrl"] = url
        file = _parse_record(_require_object(body, "file", request.description), request.description)
        if file.source_hash not in (None, source_hash):
            raise PerseusDecodeError(f"{request.description}: the sourceHash in the response differs")
        if not isinstance(url or "", str):
            raise PerseusDecodeError(
                f"{request.description}: uploadUrl is a {type(url).__name__}, not a string"
            )
        return file, url or ""

    def find(self, **filters: Sequence[str]) -> List[File]:
        """Return the records with these ``ids`` or ``sourceHashes``; without a filter, all of them."""
        if not filters:
            return self._find_batch({})
        [(name, values)] = filters.items()
        unique = list(dict.fromkeys(values))
        files: List[File] = []
        for start in range(0, len(unique), _MAX_IDS_PER_REQUEST):
            files += self._find_batch({name: unique[start : start + _MAX_IDS_PER_REQUEST]})
        return files

    def _find_batch(self, body: Dict[str, Any]) -> List[File]:
        request = self.build_request("POST", "file/find", body, idempotent=True, success=_POST_SUCCESS)
        records = self.send_request(request).json(dict).get("files")
        if not isinstance(records, list):
            raise PerseusDecodeError(f"{request.description}: 'files' in the response is not a list")
        files = [_parse_record(record, request.description) for record in records]
        hashes = body.get("sourceHashes")
        for file in files:
            # With a record of another content, the caller would conclude that this content is stored.
            if hashes is not None and (file.source_hash or hashes[0]).lower() not in hashes:
                raise PerseusDecodeError(
                    f"{request.description}: record {file.id!r} in the response has another sourceHash"
                )
        return [file for file in files if file.id in body.get("ids", [file.id])]

    def delete(self, id: str) -> None:
        """Delete a record; a 404 after a retry counts as success."""
        delete_once(
            self.send_request,
            self.build_request("DELETE", f"file/{quote_segment(id)}", success=_DELETE_SUCCESS),
        )


def _parse_record(data: Any, description: str) -> File:
    file = File.from_wire(data, description)
    if not file.id:
        raise PerseusDecodeError(f"{description}: a record in the response has no id")
    return file


def quote_segment(id: Any) -> str:
    """Return an id, percent-encoded as one segment of a path.

    :raises UsageError: the id is empty, ``.`` or ``..``.
    """
    text = str(getattr(id, "id", id))
    if not text or text in (".", ".."):
        raise UsageError(f"invalid file id: {text!r}", hint="pass File.id, or the File itself")
    return quote_path(text)


def _require_object(body: Mapping[str, Any], name: str, description: str) -> Mapping[str, Any]:
    value = body.get(name)
    if not isinstance(value, Mapping):
        raise PerseusDecodeError(f"{description}: {name!r} in the response is missing or not an object")
    return value
