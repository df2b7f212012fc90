"""Files on their way down: by ranges only where the server has shown that it knows them.

Source: NRP / Invenio protocol, section 5, Download.
"""

import contextlib
import datetime as dt
from typing import Iterator, Optional, Tuple

import attrs
import requests

from smartxfer.errors import UsageError
from smartxfer.nrp.calls import Calls
from smartxfer.nrp.errors import RepositoryConflict
from smartxfer.nrp.file_calls import FileCalls
from smartxfer.nrp.keys import followable
from smartxfer.nrp.limits import connection
from smartxfer.nrp.models import File, FileStatus
from smartxfer.nrp.statuses import FILE
from smartxfer.nrp.syncing import origin_of
from smartxfer.transfer.download import Download
from smartxfer.transfer.existing import Exists
from smartxfer.transfer.into import guard, renamed_from
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.protocols import Sink
from smartxfer.transfer.ranges import Incoming, open_range
from smartxfer.transfer.same import SameState
from smartxfer.transport import Origin
from smartxfer.transport.checks import Decision, RetryContext

__all__ = ["changed", "check_complete", "describe", "guarded", "step_of"]

#: Bytes per piece of a file that is fetched by ranges.
PIECE = 16 << 20
#: Less is not worth a request of its own.
SMALLEST_PIECE = 1 << 20
MOST_PIECES = 10_000
#: How often an address that has expired is replaced in the course of one download without a pause.
_RENEWALS = 16


def check_complete(file: File) -> None:
    """Raise where the repository would give other bytes than the file's, or none.

    :raises Conflict: the upload of it has not ended, or failed.
    :raises UsageError: no request can name it.

    Source: NRP / Invenio protocol, section 9.
    """
    other = file.key.lstrip("/")
    if other and other != file.key:
        # The server redirects to the same key without the slash, which is another file.
        raise UsageError(
            f"{file.key!r} cannot be downloaded: its URL leads to the file {other!r}",
            hint="upload it again under a key that does not begin with a slash",
        )
    if file.status != FileStatus.COMPLETED:
        raise RepositoryConflict(
            f"{file.key} is {file.status}, not completed",
            hint="files.wait_fetch() waits for one that the repository fetches; others have to be uploaded",
            status=409,
        )


def changed(file: File) -> Optional[Tuple[float, float]]:
    """When a file changed in the repository; None where it does not say."""
    try:
        moment = dt.datetime.fromisoformat((file.updated or "").replace("Z", "+00:00"))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.timezone.utc)
    return moment.timestamp(), moment.timestamp()


def guarded(download: Download, exists: Exists, calls: Calls, file: File) -> Download:
    """Return the download of a single file, with what decides about an existing one."""
    origin = renamed_from(download.sink, (origin_of(calls), file.key))
    return guard(download, exists, changed=changed(file), origin=origin)


def step_of(size: Optional[int], parts: Optional[int] = None, part_size: Optional[int] = None) -> int:
    """Bytes per piece.

    :param part_size: as the caller wants it, at least 1 MiB; goes before ``parts``.
    """
    for name, value in (("parts", parts), ("part_size", part_size)):
        if value is not None and (type(value) is not int or value < 1):
            raise UsageError(f"{name} is a number of at least 1, not {value!r}")
    if part_size is None:
        part_size = PIECE if parts is None else -(-(size or 0) // parts)
    return max(SMALLEST_PIECE, part_size, -(-(size or 0) // MOST_PIECES))


def describe(files: FileCalls, file: File, sink: Sink, operation: Operation, step: int) -> Download:
    """The download of a file, as the engine wants it.

    Nothing is asked of the server before the download begins.

    :param step: bytes per piece, where the server knows ranges.
    """
    check_complete(file)
    link = file.links.content if followable(file.key) else None
    content = _Content(files, file, link or files.url(file.key, "content"))
    return Download(
        name=file.key,
        sink=sink,
        identity={
            "service": "nrp",
            "file": content.call.url,
            "size": file.size,
            "checksum": file.checksum,
            "version": file.version_id or file.updated,
        },
        open_range=content.open,
        size=file.known_size,
        step=step,
        ranges=lambda: operation.retry(
            content.call.what,
            content.serves_ranges,
            checks=[content.has_new_address],
            within=connection,
        ),
        digest=("md5", file.md5) if file.md5 else None,
        mismatch=content.state.mismatch,
        check=content.has_new_address,
        within=connection,
    )


class _Content:
    """The bytes of a file on the server; all answers have to be about one state of it.

    Where the repository gave the MD5 of the file, that decides, not the ETags.
    """

    def __init__(self, files: FileCalls, file: File, url: str) -> None:
        self._calls = files.calls
        self._file = file
        self.call = files.calls.describe("GET", url, headers={"Accept": "*/*"}, success=FILE)
        hint = "read it again, then download"
        self.state = SameState(file.key, digest_known=bool(file.md5), hint=hint)
        self._renewals = 0

    @contextlib.contextmanager
    def open(self, start: int, stop: Optional[int]) -> Iterator[Incoming]:
        """One try at bytes [start, stop); what the address redirects to is asked for anew each time."""
        size, call = self._file.known_size, self.call
        strong = self._validator()
        if strong and (start, stop) not in ((0, size), (0, None)):
            call = attrs.evolve(call, headers={**call.headers, "If-Range": strong})
        with open_range(self._calls.wire, call, start, stop, size, self._seen) as incoming:
            yield incoming

    def _validator(self) -> Optional[str]:
        """Return the ETag for If-Range; None where it may differ between the storage's machines.

        Such a machine would send the whole file in place of the range.
        """
        tag, known = self.state.first, self._file.md5
        if not isinstance(tag, str) or not tag.startswith('"'):
            return None
        return tag if not known or tag == f'"md5:{known}"' else None

    def has_new_address(self, context: RetryContext) -> Decision:
        """Have the repository asked for another address, where the storage's one may have expired."""
        refusal = context.refusal
        if refusal is None or refusal.status not in (400, 401, 403) or self._renewals >= _RENEWALS:
            return Decision.PASS
        if self._calls.wire.origin.trusts(Origin.of(refusal.url)):
            return Decision.PASS
        self._renewals += 1
        return Decision.RETRY_AT_ONCE

    def serves_ranges(self) -> bool:
        """Whether a request for the first byte gives the first byte, and not the file."""
        with self.open(0, 1) as incoming:
            return not incoming.whole

    def _seen(self, response: requests.Response) -> None:
        """Compare one answer with those before, and with what the repository said of the file."""
        self._calls.note_limit(self.call.url, response.headers)
        etag = response.headers.get("ETag")
        known = self._file.md5
        if known and (etag or "").startswith('"md5:') and etag != f'"md5:{known}"':
            raise self.state.changed()
        self.state.see(etag or response.headers.get("Last-Modified"))
