"""Uploads, downloads and synchronisations of files of records.

Source: NRP / Invenio protocol, sections 5 and 6.
"""

import functools
from typing import Any, Callable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import attrs

from smartxfer.errors import UsageError
from smartxfer.nrp import downloading, many
from smartxfer.nrp.calls import Calls
from smartxfer.nrp.file_calls import FileCalls
from smartxfer.nrp.keys import deletable
from smartxfer.nrp.lookup import Lookup
from smartxfer.nrp.models import File
from smartxfer.nrp.places import Place
from smartxfer.nrp.record_models import RepositoryInfo
from smartxfer.nrp.starting import Plan
from smartxfer.nrp.syncing import sync
from smartxfer.nrp.transfers import How
from smartxfer.nrp.uploading import send_files
from smartxfer.transfer.deletion import check_deletion
from smartxfer.transfer.download import DownloadJob
from smartxfer.transfer.existing import Exists, check_exists
from smartxfer.transfer.names import safe_path
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.progress import Progress
from smartxfer.transfer.protocols import Cancel
from smartxfer.transfer.result import FileResult, SyncReport, TransferReport, settle
from smartxfer.transfer.selection import EVERYTHING, Selection
from smartxfer.transfer.sink import check_sink, directory_of, open_sink
from smartxfer.transfer.tree import Item

__all__ = ["FileWork", "Watch", "remove_file"]

Pair = Tuple[Item, Optional[Mapping[str, Any]]]
"""A file that is sent, and its metadata."""


class Watch(NamedTuple):
    """Options of a call: how it is watched, and how many files it moves at a time."""

    progress: Progress = None
    cancel: Optional[Cancel] = None
    deadline: Optional[float] = None
    workers: Optional[int] = None


class FileWork:
    """Moves files of records.

    :param calls: makes the calls.
    :param operation: begins a call of the user's, as a :class:`Watch` says.
    :param workers: files, or parts of one file, at a time.
    :param repository: what the repository says of itself.
    """

    def __init__(
        self,
        calls: Callable[[], Calls],
        operation: Callable[[Progress, Optional[Cancel], Optional[float], Optional[int]], Operation],
        workers: int,
        repository: Callable[[], RepositoryInfo],
    ) -> None:
        self.calls = calls
        self.lookup = Lookup(calls, repository)
        self._operation = operation
        self._workers = workers
        self._repository = repository

    def send(
        self, record: Any, pairs: Sequence[Pair], mode: How, replace: bool, watch: Watch
    ) -> TransferReport:
        """Send files to a draft; the ``item`` of each result is the file as the repository holds it."""
        plans = []
        for item, metadata in pairs:
            letters = self._repository().transfers if many.undecided(mode, item.size) else ()
            plans.append((item, Plan(item.name, mode.settled(item.size, letters), item.size, metadata)))
            plans[-1][1].payload()  # what cannot be is said before anything is sent
        at_once = watch.workers or self._workers

        def send(files: FileCalls) -> Tuple[Operation, List[Tuple[FileResult, Optional[File]]]]:
            many.not_locked(record, files, plans)
            with self._operation(*watch) as operation:
                return operation, send_files(files, operation, plans, replace=replace, at_once=at_once)

        if not pairs:
            return TransferReport()
        operation, sent = self.lookup.changing(self.lookup.place(record), send)
        return settle(
            [result if file is None else attrs.evolve(result, item=file) for result, file in sent], operation
        )

    def fetch(
        self,
        thing: Any,
        key: Optional[str],
        sink: Any,
        parts: Optional[int],
        part_size: Optional[int],
        exists: Exists,
        watch: Watch,
    ) -> FileResult:
        """Fetch one file.

        :param thing: the file, or with ``key`` its record.
        """
        check_sink(sink)
        check_exists(exists)
        step = downloading.step_of(None, parts, part_size)
        with self._operation(*watch) as operation:
            calls = self.calls().watched(operation)
            file, files = operation.call(functools.partial(self.lookup.described, calls, thing, key))
            target = open_sink(sink, safe_path(file.key, directory_of(sink)).name)
            step = downloading.step_of(file.size, parts, part_size)
            operation.reporter.queue(file.key, file.size)
            download = downloading.describe(files, file, target, operation, step)
            download = downloading.guarded(download, exists, files.calls, file)
            job = DownloadJob(download, operation, parts or self._workers)
            operation.run([job], 1)
            return settle([attrs.evolve(job.result, item=file)], operation)[0]

    def fetch_many(
        self, files: Callable[[Calls], Sequence[File]], directory: Any, exists: Exists, watch: Watch
    ) -> TransferReport:
        """Fetch several files into a directory.

        :param files: finds them, by the calls of the operation.
        """
        check_exists(exists)
        with self._operation(*watch) as operation:
            calls = self.calls().watched(operation)
            wanted = operation.call(functools.partial(files, calls))
            got = many.fetch(calls, operation, wanted, directory, watch.workers or self._workers, exists)
            return settle([attrs.evolve(one, item=file) for one, file in zip(got, wanted)], operation)

    def sync(
        self,
        record: Any,
        directory: Any,
        mode: How,
        metadata: Optional[Mapping[str, Any]],
        watch: Watch,
        *,
        dry_run: bool,
        delete: bool,
        max_delete: float = 1.0,
        follow_symlinks: bool = False,
        selection: Selection = EVERYTHING,
    ) -> SyncReport:
        """Make the files of a draft those of a directory."""
        place = self.lookup.place(record)
        plan = self.lookup.changing(
            place, lambda files: sync(files, directory, dry_run, follow_symlinks, selection)
        )
        if delete and plan.extra:
            here = len(plan.items) + len(plan.skipped)
            there = len(plan.replaced) + len(plan.skipped) + len(plan.extra) + len(plan.renamed)
            check_deletion(plan.extra, there, here, max_delete)
        if dry_run:
            return plan.result(delete)
        sent = self.send(record, [(item, metadata) for item in plan.items], mode, True, watch)
        for key in plan.extra if delete else ():
            remove_file(self.lookup, place, key)
        return plan.done(delete, directory, sent)


def remove_file(lookup: Lookup, place: Place, key: str) -> None:
    """Delete a file of a draft.

    :raises UsageError: no request can name it.
    """
    if not deletable(key):
        raise UsageError(f"no request can name {key!r}", hint="files.delete_all(draft) removes all")
    lookup.changing(place, lambda files: files.delete(key))
