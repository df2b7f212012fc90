"""REST API of a site, with one method for each request.

Source: FileSender protocol, sections 4 to 8 and 10.
"""

import hashlib
import threading
import uuid
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Type, TypeVar

import attrs

from smartxfer.error_hints import PROTOCOL_HINT
from smartxfer.errors import AuthError, NotFound
from smartxfer.filesender.auth import UserAuth
from smartxfer.filesender.errors import FileSenderDecodeError, FileSenderUnexpectedResponse
from smartxfer.filesender.html_pages import parse_download_page
from smartxfer.filesender.models import DownloadFile, File, Guest, ServerInfo, Transfer
from smartxfer.filesender.request_signer import RequestSigner
from smartxfer.models import Model, to_wire
from smartxfer.service_api import ServiceApi
from smartxfer.transfer.file_parts import Part
from smartxfer.transfer.upload import Body
from smartxfer.transport import Body as Kind
from smartxfer.transport import BufferedResponse, RequestSpec, Success
from smartxfer.transport.deletion import delete_once
from smartxfer.transport.json_codec import encode_json

__all__ = ["FileSenderApi", "parse_object", "parse_written_bytes"]

_JSON_HEADERS = {"Content-Type": "application/json"}
_OCTET_STREAM = "application/octet-stream"
_ANY_BODY = Success({200}, Kind.ANY)
#: The documented statuses: 201 for a POST that created an object, else 200; the body is always JSON.
_OK, _CREATED = Success({200}), Success({201})
_SUCCESS_BY_METHOD = {"POST": _CREATED}

S = TypeVar("S", bound=Model)
Params = Sequence[Tuple[str, str]]

#: Maximum bytes of the response to a chunk.
_MAX_CHUNK_RESPONSE = 1 << 20


@attrs.frozen
class FileSenderApi(ServiceApi):
    """Client for the requests of a site's REST API and of its download pages.

    :param signer: signs the requests.
    :param base_url: of the site, without a trailing slash.
    """

    signer: RequestSigner
    base_url: str
    _round_trip_tokens: Dict[int, str] = attrs.field(factory=dict, repr=False)
    _lock: Any = attrs.field(factory=threading.Lock, repr=False)

    # -- sending ----------------------------------------------------------------------------------------

    def build_request(
        self, method: str, path: str, params: Params = (), body: Any = None, **options: Any
    ) -> RequestSpec:
        """Return a signed request with a JSON body, for a path below ``rest.php``.

        :param options: further fields of the RequestSpec; ``success`` defaults to the documented status.
        """
        options.setdefault("success", _SUCCESS_BY_METHOD.get(method, _OK))
        return RequestSpec(
            method,
            f"{self.base_url}/rest.php/{path}",
            params=params,
            headers=_JSON_HEADERS if body is not None else {},
            body=None if body is None else encode_json(to_wire(body)),
            auth=self.signer.sign,
            **options,
        )

    def send_command(
        self, method: str, path: str, body: Any = None, *, idempotent: Optional[bool] = None
    ) -> None:
        """Send a signed request whose documented response is ``true``."""
        _require_body(self.send_signed(method, path, body, idempotent=idempotent), True)

    def send_signed(
        self, method: str, path: str, body: Any = None, *, idempotent: Optional[bool] = None
    ) -> BufferedResponse:
        """Send a signed request and return the response.

        :param idempotent: False for requests that have an idempotent method but send a mail each time.
        """
        return self.send_request(self.build_request(method, path, body=body, idempotent=idempotent))

    def delete(self, path: str) -> None:
        """Delete an object; succeed if an earlier attempt, whose response was lost, has deleted it."""
        delete_once(self._send_delete, self.build_request("DELETE", path))

    def _send_delete(self, request: RequestSpec) -> BufferedResponse:
        # Sites return `null`; their documentation says `true`.
        return _require_body(self.send_request(request), None, True)

    # -- the site ---------------------------------------------------------------------------------------

    def get_server_info(self) -> ServerInfo:
        """Return the site's name, URLs and chunk size; also synchronise the signer with its clock."""
        response = self.send_request(RequestSpec("GET", f"{self.base_url}/rest.php/info"))
        self.signer.sync_clock(response.headers.get("Date"))
        return response.parse_model(ServerInfo)

    def get_config_script(self) -> str:
        """Return the site's public configuration script; empty if the site has none."""
        try:
            return self.send_request(
                RequestSpec("GET", f"{self.base_url}/filesender-config.js.php", success=_ANY_BODY)
            ).text
        except NotFound:
            return ""

    def get_guest_page(self, vid: str) -> BufferedResponse:
        """Return the page on which a guest's session starts."""
        params = [("s", "upload"), ("vid", vid)]
        return self.send_request(RequestSpec("GET", f"{self.base_url}/", params=params, success=_ANY_BODY))

    def get_user_id(self) -> Optional[int]:
        """Return the numeric id of the authenticated user (section 4); None if the response has no id."""
        user_id = self.send_signed("GET", "user/@me").json(dict).get("id")
        return user_id if type(user_id) is int else None

    # -- transfers --------------------------------------------------------------------------------------

    def create_transfer(self, body: Mapping[str, Any]) -> Transfer:
        """Create a transfer; the request is not repeated after a lost response."""
        transfer = self.send_request(self.build_request("POST", "transfer", body=body)).parse_model(Transfer)
        self.store_round_trip_token(transfer)
        return transfer

    def store_round_trip_token(self, transfer: Transfer) -> None:
        """Store the round-trip token, which the server sends only once."""
        if transfer.roundtriptoken:
            with self._lock:
                self._round_trip_tokens[transfer.id] = transfer.roundtriptoken

    def get_transfer(self, transfer_id: int) -> Transfer:
        """Return a transfer of the user."""
        return parse_object(self.send_signed("GET", f"transfer/{transfer_id}"), Transfer, transfer_id)

    def get_unfinished_transfer(self, transfer: Transfer) -> Transfer:
        """Return a transfer for which the server still accepts chunks (section 6.6).

        :raises ClientError: the transfer is already available, or does not exist.
        """
        url, params = f"{self.base_url}/rest.php/transfer/{transfer.id}", [("puid", transfer.files[0].key)]
        request = RequestSpec("GET", url, params=params, headers=_JSON_HEADERS, success=_OK)
        return parse_object(self.send_request(request), Transfer, transfer.id)

    def update_transfer(self, transfer_id: int, body: Mapping[str, Any]) -> Transfer:
        """Change a transfer; ``{"complete": True}`` makes it available.

        Every other change sends mails or adds days, so it is not repeated after a lost response.
        """
        idempotent = None if set(body) == {"complete"} else False
        response = self.send_signed("PUT", f"transfer/{transfer_id}", body, idempotent=idempotent)
        return parse_object(response, Transfer, transfer_id)

    def delete_transfer(self, transfer_id: int) -> None:
        """Delete a transfer with all its data; succeed if it does not exist."""
        try:
            self._send_delete(self.build_request("DELETE", f"transfer/{transfer_id}"))
        except NotFound:
            return

    def create_guest(self, body: Mapping[str, Any]) -> Guest:
        """Create a voucher, which the site mails to the guest."""
        return self.send_signed("POST", "guest", body).parse_model(Guest)

    # -- files ------------------------------------------------------------------------------------------

    def update_file(self, file: File, body: Mapping[str, Any]) -> None:
        """Change a file; ``{"complete": True}`` makes the server compare its size.

        :raises HTTPError: code ``file_integrity_check_failed``: the stored size is not the declared size.
        """
        _require_body(
            self.send_request(self.build_request("PUT", f"file/{file.id}", self._key_params(file), body)),
            True,
        )

    def build_chunk_request(
        self, file: File, size: int, part: Part, body: Body, encrypted_size: Optional[int] = None
    ) -> RequestSpec:
        """Return the request that sends a chunk; :func:`parse_written_bytes` parses its response.

        A header has the SHA-256 of the body, which sites with chunked storage verify (section 15).

        :param size: bytes of the file before encryption.
        :param part: position and size of the chunk in the file.
        :param encrypted_size: bytes of the encrypted chunk; None without encryption.
        """
        offset = part.start
        headers = {
            "Content-Type": _OCTET_STREAM,
            "X-Filesender-File-Size": str(size),
            "X-Filesender-Chunk-Offset": str(offset),
            "X-Filesender-Chunk-Size": str(part.size),
        }
        digest = hashlib.sha256()
        for block in [body] if isinstance(body, bytes) else body:
            digest.update(block)
        headers["X-Filesender-Digest-SHA256"] = digest.hexdigest()
        if encrypted_size is not None:
            headers["X-Filesender-Encrypted"] = "1"
            headers["X-Filesender-Chunk-Size-Encrypted"] = str(encrypted_size)
        return RequestSpec(
            "PUT",
            f"{self.base_url}/rest.php/file/{file.id}/chunk/{offset}",
            params=self._key_params(file),
            headers=headers,
            body=body,
            auth=self.signer.sign_chunk,
            success=_OK,
            max_response_bytes=_MAX_CHUNK_RESPONSE,  # small: several responses are in memory at a time
        )

    def _key_params(self, file: File) -> List[Tuple[str, str]]:
        params = [("key", file.key)]
        token = self._round_trip_tokens.get(file.transfer_id or 0)
        if token:
            params.append(("roundtriptoken", token))
        return params

    # -- downloads --------------------------------------------------------------------------------------

    def list_download_files(self, token: str) -> List[DownloadFile]:
        """Return the files of a transfer by its download token (section 8.1).

        The HTML page is requested first, because only the page contains the chunk size of the upload, which
        is needed to request ranges correctly.

        :raises NotFound: the token is invalid, expired or closed.
        :raises AuthError: the page requires a login, and the client has no user's credentials.
        """
        params = [("s", "download"), ("token", token)]
        page = self.send_request(
            RequestSpec("GET", f"{self.base_url}/", params=params, success=_ANY_BODY)
        ).secret_text
        try:
            files = parse_download_page(page, self.base_url)
        except AuthError:
            if not isinstance(self.signer.auth, UserAuth):
                raise
            files = self._list_files_by_api(token)
        if any(file.chunk_size is None for file in files):
            chunk_size = self.get_server_info().upload_chunk_size
            files = [file.with_chunk_size(chunk_size) for file in files]
        return files

    def _list_files_by_api(self, token: str) -> List[DownloadFile]:
        """Return the files without chunk sizes; the request needs the credentials of any user of the site."""
        response = self.send_request(
            self.build_request("GET", "transfer/fileidsextended", [("token", token)])
        )
        entries = response.json(list)
        if not all(isinstance(entry, Mapping) for entry in entries):
            raise FileSenderDecodeError(f"{response.description}: the list of files has an invalid entry")
        return [DownloadFile.from_attributes(entry) for entry in entries]

    def build_download_request(
        self, token: str, file_ids: Sequence[int], archive_format: Optional[str] = None
    ) -> RequestSpec:
        """Return the request for a file's bytes, or for several files in an archive.

        :param archive_format: ``"zip"`` or ``"tar"``; None for a single file.
        """
        params = [("token", token), ("files_ids", ",".join(map(str, file_ids)))]
        if archive_format is not None:
            params.append(("archive_format", archive_format))
        # The server redirects a download without a transaction id to a URL with one.
        params.append(("transaction_id", str(uuid.uuid4())))
        return RequestSpec("GET", f"{self.base_url}/download.php", params=params)


def parse_object(response: BufferedResponse, model: Type[S], object_id: int) -> S:
    """Parse a response and check that it describes the object with this id.

    :raises DecodeError: the response is invalid, or describes another object.
    """
    parsed = response.parse_model(model)
    if parsed.id != object_id:  # type: ignore[attr-defined]
        raise FileSenderDecodeError(
            f"{response.description}: the response describes another {model.__name__.lower()}"
        )
    return parsed


def parse_written_bytes(response: BufferedResponse) -> int:
    """Return the number of bytes of a chunk that the server has written."""
    written = response.json(dict).get("written")
    try:
        return 0 if isinstance(written, bool) else int(written or 0)
    except (TypeError, ValueError, OverflowError):
        raise FileSenderDecodeError(
            f"{response.description}: invalid number of written bytes: {written!r:.40}"
        ) from None


def _require_body(response: BufferedResponse, *allowed: Any) -> BufferedResponse:
    """Return the response if its body is one of the documented values.

    :raises UnexpectedResponse: it has another body, so the change is assumed not to have happened.
    """
    body = response.json()
    if not any(body is value for value in allowed):
        raise FileSenderUnexpectedResponse(
            f"{response.description}: {response.status}: undocumented body: {response.excerpt!r}",
            status=response.status,
            hint=PROTOCOL_HINT,
        )
    return response
