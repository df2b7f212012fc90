"""The REST calls of a site, one method each; nothing here knows a workflow.

Source: FileSender protocol, sections 4 to 8 and 10.
"""

import hashlib
import threading
import uuid
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Type, TypeVar

import attrs

from smartxfer.errors import AuthError, NotFound
from smartxfer.filesender.access import Access
from smartxfer.filesender.auth import UserAuth
from smartxfer.filesender.errors import FileSenderDecodeError, FileSenderUnexpectedAnswer
from smartxfer.filesender.models import DownloadFile, File, Guest, ServerInfo, Transfer
from smartxfer.filesender.page import parse_download_page
from smartxfer.service_api import ServiceApi
from smartxfer.structures import Structure, to_wire
from smartxfer.transfer.plan import Part
from smartxfer.transfer.upload import Body
from smartxfer.transport import Answer, Call, Success
from smartxfer.transport import Body as Kind
from smartxfer.transport.deleting import delete
from smartxfer.transport.json import json_body

__all__ = ["Calls", "about", "written_of"]

_JSON = {"Content-Type": "application/json"}
_BYTES = "application/octet-stream"
_PAGE = Success({200}, Kind.ANY)
#: The documented statuses: 201 where a POST has created something, else 200; the body is always JSON.
_DONE, _CREATED = Success({200}), Success({201})
_BY_METHOD = {"POST": _CREATED}

S = TypeVar("S", bound=Structure)
Params = Sequence[Tuple[str, str]]

#: Bytes of the answer to a chunk.
_LARGEST_RECEIPT = 1 << 20


@attrs.frozen
class Calls(ServiceApi):
    """What can be asked of a site.

    :param access: signs the calls.
    :param base: the site's base URL, without a trailing slash.
    """

    access: Access
    base: str
    _round_trips: Dict[int, str] = attrs.field(factory=dict, repr=False)
    _lock: Any = attrs.field(factory=threading.Lock, repr=False)

    # -- sending ----------------------------------------------------------------------------------------

    def describe(
        self, method: str, path: str, params: Params = (), body: Any = None, **options: Any
    ) -> Call:
        """A signed call with a JSON body, for a path below ``rest.php``.

        :param options: further fields of the Call; without ``success``, the documented status is one.
        """
        options.setdefault("success", _BY_METHOD.get(method, _DONE))
        return Call(
            method,
            f"{self.base}/rest.php/{path}",
            params=params,
            headers=_JSON if body is not None else {},
            body=None if body is None else json_body(to_wire(body)),
            sign=self.access.sign,
            **options,
        )

    def command(self, method: str, path: str, body: Any = None, *, idempotent: Optional[bool] = None) -> None:
        """Make a signed call that is answered with ``true``."""
        _expected(self.ask(method, path, body, idempotent=idempotent), True)

    def ask(self, method: str, path: str, body: Any = None, *, idempotent: Optional[bool] = None) -> Answer:
        """The answer to a signed call.

        :param idempotent: False where doing it twice would send a mail twice, though the method allows it.
        """
        return self.make(self.describe(method, path, body=body, idempotent=idempotent))

    def delete(self, path: str) -> None:
        """Remove an object; what a lost try has removed is no error."""
        delete(self._deleted, self.describe("DELETE", path))

    def _deleted(self, call: Call) -> Answer:
        # `null`; the site's own documentation says `true`.
        return _expected(self.make(call), None, True)

    # -- the site ---------------------------------------------------------------------------------------

    def info(self) -> ServerInfo:
        """What the site says of itself; its clock is learnt on the way."""
        answer = self.make(Call("GET", f"{self.base}/rest.php/info"))
        self.access.set_clock(answer.headers.get("Date"))
        return answer.made(ServerInfo)

    def config_script(self) -> str:
        """The site's public configuration; empty where it has none."""
        try:
            return self.make(Call("GET", f"{self.base}/filesender-config.js.php", success=_PAGE)).text
        except NotFound:
            return ""

    def guest_page(self, vid: str) -> Answer:
        """The page on which a guest's session begins."""
        params = [("s", "upload"), ("vid", vid)]
        return self.make(Call("GET", f"{self.base}/", params=params, success=_PAGE))

    def user_id(self) -> Optional[int]:
        """The number of the user who signs (section 4); None where the answer lacks it."""
        found = self.ask("GET", "user/@me").json(dict).get("id")
        return found if type(found) is int else None

    # -- transfers --------------------------------------------------------------------------------------

    def create_transfer(self, body: Mapping[str, Any]) -> Transfer:
        """Create a transfer; never repeated when its answer was lost."""
        transfer = self.make(self.describe("POST", "transfer", body=body)).made(Transfer)
        self.remember(transfer)
        return transfer

    def remember(self, transfer: Transfer) -> None:
        """Keep the round-trip token, which the server shows only once."""
        if transfer.roundtriptoken:
            with self._lock:
                self._round_trips[transfer.id] = transfer.roundtriptoken

    def get_transfer(self, transfer_id: int) -> Transfer:
        """One of the user's own transfers."""
        return about(self.ask("GET", f"transfer/{transfer_id}"), Transfer, transfer_id)

    def unfinished_transfer(self, transfer: Transfer) -> Transfer:
        """The same transfer, while the server still takes chunks for it (section 6.6).

        :raises ClientError: it is available by now, or gone.
        """
        url, params = f"{self.base}/rest.php/transfer/{transfer.id}", [("puid", transfer.files[0].key)]
        call = Call("GET", url, params=params, headers=_JSON, success=_DONE)
        return about(self.make(call), Transfer, transfer.id)

    def update_transfer(self, transfer_id: int, body: Mapping[str, Any]) -> Transfer:
        """Change a transfer; ``{"complete": True}`` makes it available.

        Every other change sends mails or adds days: it is not made twice.
        """
        again = None if set(body) == {"complete"} else False
        answer = self.ask("PUT", f"transfer/{transfer_id}", body, idempotent=again)
        return about(answer, Transfer, transfer_id)

    def delete_transfer(self, transfer_id: int) -> None:
        """Remove a transfer with all its data; one that is gone already is no error."""
        try:
            self._deleted(self.describe("DELETE", f"transfer/{transfer_id}"))
        except NotFound:
            return

    def create_guest(self, body: Mapping[str, Any]) -> Guest:
        """Send a voucher."""
        return self.ask("POST", "guest", body).made(Guest)

    # -- files ------------------------------------------------------------------------------------------

    def update_file(self, file: File, body: Mapping[str, Any]) -> None:
        """Change a file; ``{"complete": True}`` has the server compare its size.

        :raises IntegrityError: the server holds another size than the one declared.
        """
        _expected(self.make(self.describe("PUT", f"file/{file.id}", self._keys(file), body)), True)

    def chunk(self, file: File, size: int, part: Part, body: Body, sealed: Optional[int] = None) -> Call:
        """The call for sending one chunk; :func:`written_of` reads its answer.

        The SHA-256 of the bytes as they are sent goes with them: sites with chunked storage check it
        (section 15).

        :param size: bytes of the file, before any encryption.
        :param part: where the chunk lies in it.
        :param sealed: bytes of the chunk once it is encrypted.
        """
        offset = part.start
        headers = {
            "Content-Type": _BYTES,
            "X-Filesender-File-Size": str(size),
            "X-Filesender-Chunk-Offset": str(offset),
            "X-Filesender-Chunk-Size": str(part.size),
        }
        digest = hashlib.sha256()
        for block in [body] if isinstance(body, bytes) else body:
            digest.update(block)
        headers["X-Filesender-Digest-SHA256"] = digest.hexdigest()
        if sealed is not None:
            headers["X-Filesender-Encrypted"] = "1"
            headers["X-Filesender-Chunk-Size-Encrypted"] = str(sealed)
        return Call(
            "PUT",
            f"{self.base}/rest.php/file/{file.id}/chunk/{offset}",
            params=self._keys(file),
            headers=headers,
            body=body,
            sign=self.access.sign_chunk,
            success=_DONE,
            most=_LARGEST_RECEIPT,  # several are read at a time
        )

    def _keys(self, file: File) -> List[Tuple[str, str]]:
        keys = [("key", file.key)]
        token = self._round_trips.get(file.transfer_id or 0)
        if token:
            keys.append(("roundtriptoken", token))
        return keys

    # -- downloads --------------------------------------------------------------------------------------

    def listing(self, token: str) -> List[DownloadFile]:
        """The files of a transfer, by its download token (section 8.1).

        The page is read first, for it alone tells the chunk size that safe ranges depend on.

        :raises NotFound: the token is wrong, expired or closed.
        :raises AuthError: the page wants a login, and there is no user to ask as.
        """
        params = [("s", "download"), ("token", token)]
        page = self.make(Call("GET", f"{self.base}/", params=params, success=_PAGE)).page
        try:
            files = parse_download_page(page)
        except AuthError:
            if not isinstance(self.access.auth, UserAuth):
                raise
            files = self._extended_listing(token)
        if any(file.chunk_size is None for file in files):
            chunk_size = self.info().upload_chunk_size
            files = [file.with_chunk_size(chunk_size) for file in files]
        return files

    def _extended_listing(self, token: str) -> List[DownloadFile]:
        """The same for any user of the site, without chunk sizes."""
        answer = self.make(self.describe("GET", "transfer/fileidsextended", [("token", token)]))
        listed = answer.json(list)
        if not all(isinstance(facts, Mapping) for facts in listed):
            raise FileSenderDecodeError(f"{answer.what}: the list of files holds something else")
        return [DownloadFile.from_listing(facts) for facts in listed]

    def content(self, token: str, file_ids: Sequence[int], archive: Optional[str] = None) -> Call:
        """The call for a file's bytes, or for several files in an archive.

        :param archive: ``"zip"`` or ``"tar"``.
        """
        params = [("token", token), ("files_ids", ",".join(map(str, file_ids)))]
        if archive is not None:
            params.append(("archive_format", archive))
        # Without an id of its own a download is redirected to one that has it.
        params.append(("transaction_id", str(uuid.uuid4())))
        return Call("GET", f"{self.base}/download.php", params=params)


def about(answer: Answer, kind: Type[S], id: int) -> S:
    """The object of an id.

    :raises DecodeError: the answer is something else, or about another object.
    """
    made = answer.made(kind)
    if made.id != id:  # type: ignore[attr-defined]
        raise FileSenderDecodeError(f"{answer.what}: the answer is about another {kind.__name__.lower()}")
    return made


def written_of(answer: Answer) -> int:
    """Return how many bytes of a chunk the server wrote."""
    written = answer.json(dict).get("written")
    try:
        return 0 if isinstance(written, bool) else int(written or 0)
    except (TypeError, ValueError, OverflowError):
        raise FileSenderDecodeError(f"{answer.what}: {written!r:.40} is no number of bytes written") from None


def _expected(answer: Answer, *values: Any) -> Answer:
    """Return an answer whose body is one of the values that the page documents.

    :raises UnexpectedAnswer: another body: what the call was to change counts as not done.
    """
    found = answer.json()
    if not any(found is value for value in values):
        raise FileSenderUnexpectedAnswer(
            f"{answer.what}: {answer.status}: the body is not the documented one: {answer.excerpt!r}",
            status=answer.status,
        )
    return answer
