"""Uploads, downloads and synchronisations of files of records.

Source: NRP / Invenio protocol, sections 5 and 6.
"""

import functools
from typing import Any, Callable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import attrs

from smartxfer.errors import UsageError
from smartxfer.nrp import batch, download
from smartxfer.nrp.api import RepositoryApi
from smartxfer.nrp.file_init import FileInit
from smartxfer.nrp.files_api import FilesApi
from smartxfer.nrp.keys import is_deletable
from smartxfer.nrp.lookup import Lookup
from smartxfer.nrp.models import File
from smartxfer.nrp.record_models import RepositoryInfo
from smartxfer.nrp.references import RecordRef
from smartxfer.nrp.sync import plan_sync
from smartxfer.nrp.transfer_modes import TransferMode
from smartxfer.nrp.upload import upload_files
from smartxfer.transfer.deletion import validate_deletion
from smartxfer.transfer.download import DownloadJob
from smartxfer.transfer.existing_files import Exists, validate_exists
from smartxfer.transfer.local_files import LocalFile
from smartxfer.transfer.progress import Progress
from smartxfer.transfer.protocols import Cancel
from smartxfer.transfer.result import FileResult, SyncReport, TransferReport, raise_for_errors
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transfer.safe_paths import safe_path
from smartxfer.transfer.selection import EVERYTHING, Selection
from smartxfer.transfer.sink import get_target_directory, open_sink, validate_sink

__all__ = ["FileTransfers", "RunOptions", "delete_file"]

FileWithMetadata = Tuple[LocalFile, Optional[Mapping[str, Any]]]
"""A file that is sent, and its metadata."""


class RunOptions(NamedTuple):
    """Options of a call: how it is watched, and how many files it moves at a time."""

    progress: Progress = None
    cancel: Optional[Cancel] = None
    deadline: Optional[float] = None
    max_workers: Optional[int] = None


class FileTransfers:
    """Moves files of records.

    :param get_api: makes the calls.
    :param start_runner: begins a call of the user's, as a :class:`RunOptions` says.
    :param max_workers: files, or parts of one file, at a time.
    :param get_repository_info: what the repository says of itself.
    """

    def __init__(
        self,
        get_api: Callable[[], RepositoryApi],
        start_runner: Callable[[Progress, Optional[Cancel], Optional[float], Optional[int]], TransferRunner],
        max_workers: int,
        get_repository_info: Callable[[], RepositoryInfo],
    ) -> None:
        self.get_api = get_api
        self.lookup = Lookup(get_api, get_repository_info)
        self._start_runner = start_runner
        self._max_workers = max_workers
        self._get_repository_info = get_repository_info

    def upload(
        self,
        record: Any,
        pairs: Sequence[FileWithMetadata],
        mode: TransferMode,
        replace: bool,
        options: RunOptions,
    ) -> TransferReport:
        """Send files to a draft; the ``item`` of each result is the file as the repository holds it."""
        plans = []
        for item, metadata in pairs:
            letters = (
                self._get_repository_info().transfers if batch.needs_transfer_types(mode, item.size) else ()
            )
            plans.append((item, FileInit(item.name, mode.resolve(item.size, letters), item.size, metadata)))
            plans[-1][1].build_payload()  # what cannot be is said before anything is sent
        at_once = options.max_workers or self._max_workers

        def send(files: FilesApi) -> Tuple[TransferRunner, List[Tuple[FileResult, Optional[File]]]]:
            batch.raise_if_locked(record, files, plans)
            with self._start_runner(*options) as runner:
                return runner, upload_files(files, runner, plans, replace=replace, max_workers=at_once)

        if not pairs:
            return TransferReport()
        runner, sent = self.lookup.modify_draft(self.lookup.parse_reference(record), send)
        return raise_for_errors(
            [result if file is None else attrs.evolve(result, item=file) for result, file in sent], runner
        )

    def download(
        self,
        file_or_record: Any,
        key: Optional[str],
        sink: Any,
        parts: Optional[int],
        part_size: Optional[int],
        exists: Exists,
        options: RunOptions,
    ) -> FileResult:
        """Fetch one file.

        :param file_or_record: the file, or with ``key`` its record.
        """
        validate_sink(sink)
        validate_exists(exists)
        step = download.compute_range_size(None, parts, part_size)
        with self._start_runner(*options) as runner:
            calls = self.get_api().with_runner(runner)
            file, files = runner.run_one(functools.partial(self.lookup.read_file, calls, file_or_record, key))
            target = open_sink(sink, safe_path(file.key, get_target_directory(sink)).name)
            step = download.compute_range_size(file.size, parts, part_size)
            runner.reporter.queue(file.key, file.size)
            spec = download.build_download_spec(files, file, target, runner, step)
            spec = download.apply_exists_policy(spec, exists, files.api, file)
            job = DownloadJob(spec, runner, parts or self._max_workers)
            runner.run_jobs([job], 1)
            return raise_for_errors([attrs.evolve(job.result, item=file)], runner)[0]

    def download_many(
        self,
        find_files: Callable[[RepositoryApi], Sequence[File]],
        directory: Any,
        exists: Exists,
        options: RunOptions,
    ) -> TransferReport:
        """Fetch several files into a directory.

        :param find_files: finds them, by the calls of the operation.
        """
        validate_exists(exists)
        with self._start_runner(*options) as runner:
            calls = self.get_api().with_runner(runner)
            wanted = runner.run_one(functools.partial(find_files, calls))
            got = batch.download_files(
                calls, runner, wanted, directory, options.max_workers or self._max_workers, exists
            )
            return raise_for_errors([attrs.evolve(one, item=file) for one, file in zip(got, wanted)], runner)

    def sync(
        self,
        record: Any,
        directory: Any,
        mode: TransferMode,
        metadata: Optional[Mapping[str, Any]],
        options: RunOptions,
        *,
        dry_run: bool,
        delete: bool,
        max_delete: float = 1.0,
        follow_symlinks: bool = False,
        selection: Selection = EVERYTHING,
    ) -> SyncReport:
        """Make the files of a draft those of a directory."""
        place = self.lookup.parse_reference(record)
        plan = self.lookup.modify_draft(
            place, lambda files: plan_sync(files, directory, dry_run, follow_symlinks, selection)
        )
        if delete and plan.extra:
            here = len(plan.to_upload) + len(plan.skipped)
            there = len(plan.replaced) + len(plan.skipped) + len(plan.extra) + len(plan.renamed)
            validate_deletion(plan.extra, there, here, max_delete)
        if dry_run:
            return plan.build_dry_run_report(delete)
        sent = self.upload(record, [(item, metadata) for item in plan.to_upload], mode, True, options)
        for key in plan.extra if delete else ():
            delete_file(self.lookup, place, key)
        return plan.build_final_report(delete, directory, sent)


def delete_file(lookup: Lookup, ref: RecordRef, key: str) -> None:
    """Delete a file of a draft.

    :raises UsageError: no request can name it.
    """
    if not is_deletable(key):
        raise UsageError(f"no request can name {key!r}", hint="files.delete_all(draft) removes all")
    lookup.modify_draft(ref, lambda files: files.delete(key))
