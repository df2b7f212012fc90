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
"""A file to upload, and its metadata."""


class RunOptions(NamedTuple):
    """Options of a public call; ``deadline`` in seconds."""

    progress: Progress = None
    cancel: Optional[Cancel] = None
    deadline: Optional[float] = None
    max_workers: Optional[int] = None


class FileTransfers:
    """Uploads, downloads and synchronisations of files.

    :param get_api: returns the API.
    :param start_runner: creates the runner of a public call, from the fields of :class:`RunOptions`.
    :param max_workers: maximum number of concurrent files, or of parts of one file.
    :param get_repository_info: returns the properties of the repository.
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
        """Upload files to a draft; the ``item`` of each result is the stored File."""
        file_inits = []
        for item, metadata in pairs:
            types = (
                self._get_repository_info().transfers if batch.needs_transfer_types(mode, item.size) else ()
            )
            file_init = FileInit(item.name, mode.resolve(item.size, types), item.size, metadata)
            file_init.build_payload()  # raises an error for invalid parameters before a request is sent
            file_inits.append((item, file_init))
        workers = options.max_workers or self._max_workers

        def upload(files_api: FilesApi) -> Tuple[TransferRunner, List[Tuple[FileResult, Optional[File]]]]:
            batch.raise_if_locked(record, files_api, file_inits)
            with self._start_runner(*options) as runner:
                return runner, upload_files(
                    files_api, runner, file_inits, replace=replace, max_workers=workers
                )

        if not pairs:
            return TransferReport()
        runner, uploaded = self.lookup.modify_draft(self.lookup.parse_reference(record), upload)
        return raise_for_errors(
            [result if file is None else attrs.evolve(result, item=file) for result, file in uploaded], runner
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
        """Download one file.

        :param file_or_record: the file, or its record if ``key`` is given.
        """
        validate_sink(sink)
        validate_exists(exists)
        download.compute_range_size(
            None, parts, part_size
        )  # validates the parameters before a request is sent
        with self._start_runner(*options) as runner:
            api = self.get_api().with_runner(runner)
            file, files_api = runner.run_one(
                functools.partial(self.lookup.read_file, api, file_or_record, key)
            )
            target = open_sink(sink, safe_path(file.key, get_target_directory(sink)).name)
            range_size = download.compute_range_size(file.size, parts, part_size)
            runner.reporter.queue(file.key, file.size)
            spec = download.build_download_spec(files_api, file, target, runner, range_size)
            spec = download.apply_exists_policy(spec, exists, files_api.api, file)
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
        """Download several files into a directory.

        :param find_files: returns the files, using the given API.
        """
        validate_exists(exists)
        with self._start_runner(*options) as runner:
            api = self.get_api().with_runner(runner)
            files = runner.run_one(functools.partial(find_files, api))
            results = batch.download_files(
                api, runner, files, directory, options.max_workers or self._max_workers, exists
            )
            return raise_for_errors(
                [attrs.evolve(result, item=file) for result, file in zip(results, files)], runner
            )

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
        """Update the files of a draft with those of a directory."""
        ref = self.lookup.parse_reference(record)
        plan = self.lookup.modify_draft(
            ref, lambda files_api: plan_sync(files_api, directory, dry_run, follow_symlinks, selection)
        )
        if delete and plan.extra:
            local_count = len(plan.to_upload) + len(plan.skipped)
            remote_count = len(plan.replaced) + len(plan.skipped) + len(plan.extra) + len(plan.renamed)
            validate_deletion(plan.extra, remote_count, local_count, max_delete)
        if dry_run:
            return plan.build_dry_run_report(delete)
        report = self.upload(record, [(item, metadata) for item in plan.to_upload], mode, True, options)
        for key in plan.extra if delete else ():
            delete_file(self.lookup, ref, key)
        return plan.build_final_report(delete, directory, report)


def delete_file(lookup: Lookup, ref: RecordRef, key: str) -> None:
    """Delete a file of a draft.

    :raises UsageError: the key cannot be used in a URL.
    """
    if not is_deletable(key):
        raise UsageError(
            f"cannot delete {key!r}: the key cannot be used in a URL",
            hint="call files.delete_all(draft) to delete all files",
        )
    lookup.modify_draft(ref, lambda files_api: files_api.delete(key))
