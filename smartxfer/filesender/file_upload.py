"""One file on its way up: which of its bytes are missing, how a chunk is sent, how it is completed.

Source: FileSender protocol, sections 6.2, 6.3 and 6.6.
"""

from typing import Optional, Tuple

from smartxfer.error_values import evolve
from smartxfer.errors import HTTPError, TooLarge
from smartxfer.filesender.calls import Calls, written_of
from smartxfer.filesender.earlier import acknowledged_ranges
from smartxfer.filesender.errors import FileSenderDecodeError, FileSenderIntegrityError, FileSenderTruncated
from smartxfer.filesender.models import File
from smartxfer.filesender.sealing import Sealing
from smartxfer.transfer.journal import Journal
from smartxfer.transfer.plan import Missing, Part
from smartxfer.transfer.tree import Item
from smartxfer.transfer.upload import Body, Upload

__all__ = ["FileUpload", "acknowledged_ranges"]

#: Chunks of less than so many bytes, of which there are more than so many, are no site's setting.
_SMALL_CHUNK, _MOST_SMALL_CHUNKS = 1024, 10_000


class FileUpload:
    """Describes the upload of one file to the engine.

    :param item: what is sent.
    :param file: what the server calls it.
    :param chunk_size: bytes of each chunk that is still to be sent.
    :param complete: False leaves out the completion.
    :param sealing: what encrypts the file, where that is wanted.
    """

    def __init__(
        self,
        calls: Calls,
        item: Item,
        file: File,
        *,
        chunk_size: int,
        journal: Optional[Journal] = None,
        complete: bool = True,
        sealing: Optional[Sealing] = None,
    ) -> None:
        self._calls = calls
        self._item = item
        self._file = file
        self._chunk_size = chunk_size
        self._journal = journal
        self._complete = complete
        self._sealing = sealing
        self._have = acknowledged_ranges(journal.state, item) if journal is not None else []

    @property
    def spec(self) -> Upload:
        """The upload as the engine runs it."""
        return Upload(
            name=self._item.name,
            open_source=self._item.open_unchanged,
            plan=self._plan,
            send_part=self._send_part,
            finish=self._finish,
            note=self._note,
            seal=None if self._sealing is None else self._sealing.of_file(self._item.name),
        )

    def _plan(self, size: int) -> Missing:
        """Return the chunks of the bytes that no earlier run has sent, whatever their chunks were."""
        count = len(range(0, size, self._chunk_size))
        if self._chunk_size < _SMALL_CHUNK and count > _MOST_SMALL_CHUNKS:
            raise FileSenderDecodeError(
                f"{self._item.name}: {count} chunks of {self._chunk_size} bytes are no site's setting",
                hint="ask the site's administrator for another upload_chunk_size",
            )
        return Missing(size, self._have, self._chunk_size)

    def _send_part(self, part: Part, body: Body) -> None:
        name, sealed = self._item.name, None
        if self._sealing is not None:
            sealed = self._sealing.sealed_length(name, part)
        expected = part.size if sealed is None else sealed
        try:
            call = self._calls.chunk(self._file, self._item.size, part, body, sealed)
            written = written_of(self._calls.wire.once(call))
        except HTTPError as error:
            if not isinstance(error, TooLarge) and error.code != "storage_chunk_too_large":
                raise
            raise evolve(error, hint=_too_large(part.size, sealed)) from None
        if written != expected:
            raise FileSenderTruncated(
                f"{name}: the server wrote {written} of {expected} bytes at {part.start}",
                got=written,
                expected=expected,
            )

    def _note(self, part: Part) -> None:
        if self._journal is not None:
            self._journal.append("acknowledged", self._item.name, [part.start, part.stop])

    def _finish(self) -> Tuple[str, Optional[str]]:
        try:
            if self._complete:
                self._calls.update_file(self._file, {"complete": True})
        except HTTPError as error:
            if error.code != "file_integrity_check_failed":
                raise
            lost = error
        else:
            return "size", None
        if self._journal is not None:
            self._journal.drop("acknowledged", self._item.name)
        raise FileSenderIntegrityError(
            f"{self._item.name}: the server holds another size than {self._item.size} bytes ({lost.summary})",
            hint="run again: its chunks are sent anew",
        )


def _too_large(size: int, sealed: Optional[int]) -> str:
    """Return the hint for a chunk that the site, or a proxy before it, refuses for its size.

    :param sealed: bytes of the chunk once it is encrypted.
    """
    if sealed is not None:
        return (
            f"ask the site's administrator to admit bodies of {sealed} bytes: "
            "the chunks of an encrypted file have the size that the site sets"
        )
    return f"pass chunk_size={max(1, size // 2)} or less to FileSenderClient and run again: it continues"
