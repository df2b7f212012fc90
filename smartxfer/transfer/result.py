"""Results of single files, of several files, and of synchronisations."""

import logging
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Protocol, Sequence, Union, overload

import attrs

from smartxfer._system import Clock
from smartxfer.error_families import GENERIC_ERRORS, ErrorFamily
from smartxfer.errors import BatchError
from smartxfer.reprs import fields_repr, short_repr

__all__ = ["FileResult", "SyncReport", "TransferReport", "log_sync", "raise_for_errors"]

log = logging.getLogger("smartxfer.transfer")


@attrs.frozen(repr=False)
class FileResult:
    """The result of one file.

    :param name: name in the transfer.
    :param path: the local file, or None for memory and streams.
    :param bytes: size of the file.
    :param digest: ``"algorithm:hex"`` that was verified, or None if the service publishes no digest.
    :param verified: what was verified: ``"md5"``, ``"size"``, ...; None if the file failed, or if the server
        published neither checksum nor size.
    :param resumed: bytes that an earlier run had moved.
    :param retries: number of failed attempts that were followed by another one.
    :param seconds: duration of the transfer.
    :param error: the exception if the file failed, or None.
    :param skipped: reason why an existing file was kept: ``"identical"``, ``"exists"`` (``exists="skip"``) or
        ``"older"`` (``exists="newer"``, and the server's file is not newer).  Reason why a file of a
        directory was not sent: ``"renamed"`` (it is on the server under the name that it had before its
        download) or ``"name"`` (no request can contain its name).  Else None.
    :param method: how a synchronisation moved it: ``"delta"``, ``"plain"`` (the whole file) or ``"none"`` (no
        change).  Else None.
    :param bytes_sent: bytes of file, signature or delta that a synchronisation sent.
    :param bytes_received: bytes that a synchronisation received.
    :param item: the object of the service: the Transfer of FileSender, the Info of SmartFile, the File of a
        repository or of Perseus; None if it is unknown.  Equality of results ignores it.
    :param url: a download link, if the service created one.  The repr does not contain it, because it grants
        access to the file.
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
    method: Optional[str] = None
    bytes_sent: int = 0
    bytes_received: int = 0
    item: Any = attrs.field(default=None, repr=False, eq=False)
    url: Optional[str] = attrs.field(default=None, repr=False, eq=False)

    @property
    def ok(self) -> bool:
        """True if the file is complete and verified."""
        return self.error is None

    @property
    def bytes_saved(self) -> int:
        """Bytes that a synchronisation did not move, compared with the whole file; never less than 0."""
        return 0 if self.method is None else max(0, self.bytes - self.bytes_sent - self.bytes_received)

    def __repr__(self) -> str:
        return fields_repr(self)


class TransferReport(Sequence[FileResult]):
    """The results of several files, in their order; it equals a list of the same results.

    ``report[0]`` and ``for result in report`` give results, ``report[:2]`` a list of them.

    :param results: one per file.
    :param seconds: how long the whole call took.

    >>> report = TransferReport([FileResult("a.txt", bytes=4), FileResult("b.txt", bytes=6)], seconds=0.5)
    >>> report.ok, report.bytes, [result.name for result in report]
    (True, 10, ['a.txt', 'b.txt'])
    """

    __slots__ = ("_results", "_seconds")

    def __init__(self, results: Iterable[FileResult] = (), seconds: float = 0.0) -> None:
        self._results = list(results)
        self._seconds = seconds

    @property
    def ok(self) -> bool:
        """True if every file is complete and verified."""
        return all(result.ok for result in self._results)

    @property
    def failed(self) -> List[FileResult]:
        """The results of the files that failed."""
        return [result for result in self._results if not result.ok]

    @property
    def bytes(self) -> int:
        """Sum of the sizes of the files that are complete, in bytes."""
        return sum(result.bytes for result in self._results if result.ok)

    @property
    def seconds(self) -> float:
        """Seconds that the whole call took."""
        return self._seconds

    @overload
    def __getitem__(self, index: int) -> FileResult: ...

    @overload
    def __getitem__(self, index: slice) -> List[FileResult]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[FileResult, List[FileResult]]:
        return self._results[index]

    def __len__(self) -> int:
        return len(self._results)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TransferReport):
            return self._results == other._results
        return self._results == other if isinstance(other, list) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        counts = {"files": len(self), "bytes": self.bytes, "failed": len(self.failed)}
        return short_repr("TransferReport", **{name: count for name, count in counts.items() if count})


@attrs.frozen(repr=False)
class SyncReport:
    """Names of files by outcome of a synchronisation, or of a dry run; relative to the directory.

    :param uploaded: new files that were sent.
    :param replaced: files that were sent because their content differed.
    :param skipped: files that were not sent because the service has the same content.
    :param deleted: files that were deleted because the directory does not contain them.
    :param renamed: files that were not deleted because the directory contains them under another name: the
        local system does not allow their name at the service.
    :param results: results of the files that were sent, or would be sent by a dry run.
    :param files: objects of the service by name, as far as they are known.
    """

    uploaded: List[str] = attrs.field(factory=list)
    replaced: List[str] = attrs.field(factory=list)
    skipped: List[str] = attrs.field(factory=list)
    deleted: List[str] = attrs.field(factory=list)
    renamed: List[str] = attrs.field(factory=list)
    results: TransferReport = attrs.field(factory=TransferReport, eq=False, repr=False)
    files: Dict[str, Any] = attrs.field(factory=dict, eq=False, repr=False)

    def __repr__(self) -> str:
        return fields_repr(self)


class _Runner(Protocol):
    """Attributes of a TransferRunner that results need."""

    clock: Clock
    error_family: ErrorFamily
    started_at: float


def raise_for_errors(results: Iterable[FileResult], runner: Optional[_Runner] = None) -> TransferReport:
    """Return the results if all files succeeded; raise the error of a single file.

    :param runner: provides the errors of the service and the start time.
    :raises BatchError: some of several files failed; it contains all results.
    """
    seconds = 0.0 if runner is None else runner.clock.monotonic() - runner.started_at
    report = TransferReport(results, seconds)
    failed = report.failed
    if not failed:
        return report
    first = failed[0].error
    assert first is not None
    if len(report) == 1:
        raise first
    errors = GENERIC_ERRORS if runner is None else runner.error_family
    raise errors.class_for(BatchError)(
        f"{len(failed)} of {len(report)} files failed, first {failed[0].name!r}: {first}",
        hint="see .results; run the call again to continue with the missing files",
        results=report,
    ) from first


def log_sync(description: object, **counts: int) -> None:
    """Log the summary of a synchronisation.

    :param description: the directory or file.
    :param counts: number of files by outcome; zeros are left out.
    """
    summary = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    log.info("sync of %s is done: %s", description, summary or "no files")
