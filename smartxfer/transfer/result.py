"""What became of each file."""

from pathlib import Path
from typing import List, Optional, Sequence

import attrs

from smartxfer.error_families import GENERIC, ErrorFamily
from smartxfer.errors import BatchError
from smartxfer.reprs import attrs_repr

__all__ = ["FileResult", "settle"]


@attrs.frozen(repr=False)
class FileResult:
    """What became of one file.

    :param name: its name in the transfer.
    :param path: the local file, or None for memory and streams.
    :param bytes: its size.
    :param digest: ``"algorithm:hex"`` of what was checked, or None where the service gives none.
    :param verified: what was checked: ``"md5"``, ``"size"``, ...; None when it failed, or when the server
        gave neither checksum nor size.
    :param resumed: bytes that an earlier run had moved.
    :param retries: tries that failed on the way.
    :param seconds: how long it took.
    :param error: why it failed, or None.
    :param skipped: why an existing file was kept: ``"identical"``, ``"exists"`` (``exists="skip"``) or
        ``"older"`` (``exists="newer"``, and the server's file is not newer).  Why a file of a directory was
        not sent: ``"renamed"`` (it is on the server under the name that it had before its download) or
        ``"name"`` (no request can name it).  Else None.
    """

    name: str
    path: Optional[Path] = None
    bytes: int = 0
    digest: Optional[str] = None
    verified: Optional[str] = None
    resumed: int = 0
    retries: int = 0
    seconds: float = 0.0
    error: Optional[BaseException] = None
    skipped: Optional[str] = None

    @property
    def ok(self) -> bool:
        """Whether the file is complete and verified."""
        return self.error is None

    def __repr__(self) -> str:
        return attrs_repr(self)


def settle(results: Sequence[FileResult], errors: ErrorFamily = GENERIC) -> List[FileResult]:
    """Return the results if all are good; of a single file raise its error.

    :param errors: the service's.
    :raises BatchError: some of several files failed; it carries every result.
    """
    failed = [result for result in results if result.error is not None]
    if not failed:
        return list(results)
    first = failed[0].error
    assert first is not None
    if len(results) == 1:
        raise first
    raise errors.kind(BatchError)(
        f"{len(failed)} of {len(results)} files failed, first {failed[0].name!r}: {first}",
        hint="see .results; a re-run goes on with what is missing",
        results=list(results),
    ) from first
