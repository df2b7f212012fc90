"""The REST calls of a site, one method each; nothing here knows a workflow.

Source: FileSender protocol, sections 4 to 8 and 10.
"""

import hashlib
import threading
import uuid
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Type, TypeVar

import attrs

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
#: The documented statuses: 201 where a POST has created something, else 200; the body is always JSON.
_OK, _CREATED = Success({200}), Success({201})
_SUCCESS_BY_METHOD = {"POST": _CREATED}

S = TypeVar("S", bound=Model)
Params = Sequence[Tuple[str, str]]

#: Bytes of the answer to a chunk.
_MAX_CHUNK_RESPONSE = 1 << 20


@attrs.frozen
class FileSenderApi(ServiceApi):
    """What can be asked of a site.

    :param access: signs the calls.
    :param base: the site's base URL, without a trailing slash.
    """

    signer: RequestSigner
    base_url: str
    _round_trip_tokens: Dict[int, str] = attrs.field(factory=dict, repr=False)
    _lock: Any = attrs.field(factory=threading.Lock, repr=False)

    # -- sending ----------------------------------------------------------------------------------------

    def build_request(
        self, method: str, path: str, params: Params = (), body: Any = None, **options: Any
    ) -> RequestSpec:
        """A signed call with a JSON body, for a path below ``rest.php``.

        :param options: further fields of the Call; without ``success``, the documented status is one.
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
        """Make a signed call that is answered with ``true``."""
        _require_body(self.send_signed(method, path, body, idempotent=idempotent), True)

    def send_signed(
        self, method: str, path: str, body: Any = None, *, idempotent: Optional[bool] = None
    ) -> BufferedResponse:
        """The answer to a signed call.

        :param idempotent: False where doing it twice would send a mail twice, though the method allows it.
        """
        return self.send_request(self.build_request(method, path, body=body, idempotent=idempotent))

    def delete(self, path: str) -> None:
        """Remove an object; what a lost try has removed is no error."""
        delete_once(self._send_delete, self.build_request("DELETE", path))

    def _send_delete(self, request: RequestSpec) -> BufferedResponse:
        # `null`; the site's own documentation says `true`.
        return _require_body(self.send_request(request), None, True)

    # -- the site ---------------------------------------------------------------------------------------

    def get_server_info(self) -> ServerInfo:
        """What the site says of itself; its clock is learnt on the way."""
        answer = self.send_request(RequestSpec("GET", f"{self.base_url}/rest.php/info"))
        self.signer.sync_clock(answer.headers.get("Date"))
        return answer.parse_model(ServerInfo)

    def get_config_script(self) -> str:
        """The site's public configuration; empty where it has none."""
        try:
            return self.send_request(
                RequestSpec("GET", f"{self.base_url}/filesender-config.js.php", success=_ANY_BODY)
            ).text
        except NotFound:
            return ""

    def get_guest_page(self, vid: str) -> BufferedResponse:
        """The page on which a guest's session begins."""
        params = [("s", "upload"), ("vid", vid)]
        return self.send_request(RequestSpec("GET", f"{self.base_url}/", params=params, success=_ANY_BODY))

    def get_user_id(self) -> Optional[int]:
        """The number of the user who signs (section 4); None where the answer lacks it."""
        found = self.send_signed("GET", "user/@me").json(dict).get("id")
        return found if type(found) is int else None

    # -- transfers --------------------------------------------------------------------------------------

    def create_transfer(self, body: Mapping[str, Any]) -> Transfer:
        """Create a transfer; never repeated when its answer was lost."""
        transfer = self.send_request(self.build_request("POST", "transfer", body=body)).parse_model(Transfer)
        self.store_round_trip_token(transfer)
        return transfer

    def store_round_trip_token(self, transfer: Transfer) -> None:
        """Keep the round-trip token, which the server shows only once."""
        if transfer.roundtriptoken:
            with self._lock:
                self._round_trip_tokens[transfer.id] = transfer.roundtriptoken

    def get_transfer(self, transfer_id: int) -> Transfer:
        """One of the user's own transfers."""
        return parse_object(self.send_signed("GET", f"transfer/{transfer_id}"), Transfer, transfer_id)

    def get_unfinished_transfer(self, transfer: Transfer) -> Transfer:
        """The same transfer, while the server still takes chunks for it (section 6.6).

        :raises ClientError: it is available by now, or gone.
        """
        url, params = f"{self.base_url}/rest.php/transfer/{transfer.id}", [("puid", transfer.files[0].key)]
        call = RequestSpec("GET", url, params=params, headers=_JSON_HEADERS, success=_OK)
        return parse_object(self.send_request(call), Transfer, transfer.id)

    def update_transfer(self, transfer_id: int, body: Mapping[str, Any]) -> Transfer:
        """Change a transfer; ``{"complete": True}`` makes it available.

        Every other change sends mails or adds days: it is not made twice.
        """
        again = None if set(body) == {"complete"} else False
        answer = self.send_signed("PUT", f"transfer/{transfer_id}", body, idempotent=again)
        return parse_object(answer, Transfer, transfer_id)

    def delete_transfer(self, transfer_id: int) -> None:
        """Remove a transfer with all its data; one that is gone already is no error."""
        try:
            self._send_delete(self.build_request("DELETE", f"transfer/{transfer_id}"))
        except NotFound:
            return

    def create_guest(self, body: Mapping[str, Any]) -> Guest:
        """Send a voucher."""
        return self.send_signed("POST", "guest", body).parse_model(Guest)

    # -- files ------------------------------------------------------------------------------------------

    def update_file(self, file: File, body: Mapping[str, Any]) -> None:
        """Change a file; ``{"complete": True}`` has the server compare its size.

        :raises IntegrityError: the server holds another size than the one declared.
        """
        _require_body(
            self.send_request(self.build_request("PUT", f"file/{file.id}", self._key_params(file), body)),
            True,
        )

    def build_chunk_request(
        self, file: File, size: int, part: Part, body: Body, encrypted_size: Optional[int] = None
    ) -> RequestSpec:
        """The call for sending one chunk; :func:`parse_written_bytes` reads its answer.

        The SHA-256 of the bytes as they are sent goes with them: sites with chunked storage check it
        (section 15).

        :param size: bytes of the file, before any encryption.
        :param part: where the chunk lies in it.
        :param encrypted_size: bytes of the chunk once it is encrypted.
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
            max_response_bytes=_MAX_CHUNK_RESPONSE,  # several are read at a time
        )

    def _key_params(self, file: File) -> List[Tuple[str, str]]:
        keys = [("key", file.key)]
        token = self._round_trip_tokens.get(file.transfer_id or 0)
        if token:
            keys.append(("roundtriptoken", token))
        return keys

    # -- downloads --------------------------------------------------------------------------------------

    def list_download_files(self, token: str) -> List[DownloadFile]:
        """The files of a transfer, by its download token (section 8.1).

        The page is read first, for it alone tells the chunk size that safe ranges depend on.

        :raises NotFound: the token is wrong, expired or closed.
        :raises AuthError: the page wants a login, and there is no user to ask as.
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
        """The same for any user of the site, without chunk sizes."""
        answer = self.send_request(self.build_request("GET", "transfer/fileidsextended", [("token", token)]))
        listed = answer.json(list)
        if not all(isinstance(facts, Mapping) for facts in listed):
            raise FileSenderDecodeError(f"{answer.description}: the list of files holds something else")
        return [DownloadFile.from_attributes(facts) for facts in listed]

    def build_download_request(
        self, token: str, file_ids: Sequence[int], archive_format: Optional[str] = None
    ) -> RequestSpec:
        """The call for a file's bytes, or for several files in an archive.

        :param archive_format: ``"zip"`` or ``"tar"``.
        """
        params = [("token", token), ("files_ids", ",".join(map(str, file_ids)))]
        if archive_format is not None:
            params.append(("archive_format", archive_format))
        # Without an id of its own a download is redirected to one that has it.
        params.append(("transaction_id", str(uuid.uuid4())))
        return RequestSpec("GET", f"{self.base_url}/download.php", params=params)


def parse_object(response: BufferedResponse, model: Type[S], object_id: int) -> S:
    """The object of an id.

    :raises DecodeError: the answer is something else, or about another object.
    """
    made = response.parse_model(model)
    if made.id != object_id:  # type: ignore[attr-defined]
        raise FileSenderDecodeError(
            f"{response.description}: the answer is about another {model.__name__.lower()}"
        )
    return made


def parse_written_bytes(response: BufferedResponse) -> int:
    """Return how many bytes of a chunk the server wrote."""
    written = response.json(dict).get("written")
    try:
        return 0 if isinstance(written, bool) else int(written or 0)
    except (TypeError, ValueError, OverflowError):
        raise FileSenderDecodeError(
            f"{response.description}: {written!r:.40} is no number of bytes written"
        ) from None


def _require_body(response: BufferedResponse, *allowed: Any) -> BufferedResponse:
    """Return an answer whose body is one of the values that the page documents.

    :raises UnexpectedResponse: another body: what the call was to change counts as not done.
    """
    found = response.json()
    if not any(found is value for value in allowed):
        raise FileSenderUnexpectedResponse(
            f"{response.description}: {response.status}: undocumented body: {response.excerpt!r}",
            status=response.status,
        )
    return response
