"""Uploads and downloads of several files: parsing of arguments, checks, and targets.

Source: NRP / Invenio protocol, section 5.
"""

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from smartxfer.errors import Conflict, SmartxferError, UsageError
from smartxfer.nrp import download
from smartxfer.nrp.api import RepositoryApi
from smartxfer.nrp.defaults import AUTO
from smartxfer.nrp.errors import RepositoryForbiddenError
from smartxfer.nrp.file_init import FileInit
from smartxfer.nrp.file_metadata import validate_metadata
from smartxfer.nrp.files_api import FilesApi
from smartxfer.nrp.hints import NEW_VERSION_HINT
from smartxfer.nrp.keys import validate_key
from smartxfer.nrp.models import File, FileStatus
from smartxfer.nrp.record_models import Record
from smartxfer.nrp.references import parse_reference
from smartxfer.nrp.streams import unwrap_source
from smartxfer.nrp.sync import get_repository_label
from smartxfer.nrp.transfer_modes import MULTIPART_THRESHOLD, TransferMode
from smartxfer.transfer.directory_download import RemoteFile, download_to_directory
from smartxfer.transfer.download import DownloadSpec
from smartxfer.transfer.existing_files import Exists
from smartxfer.transfer.local_files import LocalFile, as_iterable, collect_files
from smartxfer.transfer.protocols import Sink
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transfer.source import as_target_path

__all__ = ["attach_result", "download_files", "needs_transfer_types", "parse_files", "raise_if_locked"]


Metadata = Optional[Mapping[str, Any]]


def parse_files(
    files: Any, metadata: Metadata, follow_symlinks: bool = False
) -> List[Tuple[LocalFile, Metadata]]:
    """Return the local files with their metadata; all keys are validated.

    :param metadata: of the files that have none of their own.
    """
    sources: List[Any] = []
    metadata_by_key: Dict[str, Metadata] = {}
    for file in as_iterable(files):
        if isinstance(file, tuple) and len(file) == 3 and isinstance(file[0], str):
            metadata_by_key[file[0]] = validate_metadata(file[2])
            file = file[:2]
        if isinstance(file, tuple) and len(file) == 2:
            sources.append((validate_key(file[0]), unwrap_source(file[1])))
        else:
            sources.append(unwrap_source(file))
    items = collect_files(sources, follow_symlinks, allow_empty=True)
    for item in items:
        validate_key(item.name)
    return [(item, metadata_by_key.get(item.name, metadata)) for item in items]


def raise_if_locked(
    record: Any, files_api: FilesApi, file_inits: Sequence[Tuple[LocalFile, FileInit]]
) -> None:
    """Reject new files for the edited draft of a published record, before an upload is initiated.

    If the caller passed only the id or URL of the record, the repository rejects the content later.

    :raises Forbidden: the files of the record are locked, and some keys are new.

    Source: NRP / Invenio protocol, sections 4 and 9.
    """
    if not (isinstance(record, Record) and record.is_draft and record.is_published):
        return
    completed = {file.key for file in files_api.list() if file.status == FileStatus.COMPLETED}
    new_keys = [file_init.key for _, file_init in file_inits if file_init.key not in completed]
    if new_keys:
        raise RepositoryForbiddenError(
            f"cannot add {new_keys[0]!r}: {record.id} is published, and its files are locked",
            hint=NEW_VERSION_HINT,
            status=403,
        )


def needs_transfer_types(mode: TransferMode, size: int) -> bool:
    """Return True if the upload of a file depends on the transfer types that the repository supports."""
    return mode.code == AUTO and bool(mode.parts or mode.part_size or size >= MULTIPART_THRESHOLD)


def attach_result(file: File, result: FileResult) -> File:
    """Return the file with the result of its upload."""
    return file.evolve(result=result)


def download_files(
    api: RepositoryApi,
    runner: TransferRunner,
    files: Sequence[File],
    directory: Any,
    max_workers: int,
    exists: Exists,
) -> List[FileResult]:
    """Download files into a directory, and return their results, failed ones included."""
    local = as_target_path(directory)
    if local is None:
        raise UsageError(f"not a path: {directory!r}", hint="pass the path of a local directory")
    for file in files:
        if not isinstance(file, File):
            raise UsageError(f"not a File: {file!r:.80}", hint="pass Files from files.list(record)")
    errors = {at: error for at, error in enumerate(map(_get_completeness_error, files)) if error is not None}
    valid = [file for at, file in enumerate(files) if at not in errors]
    results = iter(_download_complete_files(api, runner, valid, local, max_workers, exists) if valid else [])
    return [
        FileResult(name=file.key, error=errors[at]) if at in errors else next(results)
        for at, file in enumerate(files)
    ]


def _get_completeness_error(file: File) -> Optional[SmartxferError]:
    """Return the error of a file that is not complete in the repository, or has no usable URL; else None."""
    try:
        download.require_complete(file)
    except (Conflict, UsageError) as error:
        return error
    return None


def _download_complete_files(
    api: RepositoryApi,
    runner: TransferRunner,
    files: Sequence[File],
    local: Path,
    max_workers: int,
    exists: Exists,
) -> List[FileResult]:
    def make_remote_file(file: File) -> RemoteFile:
        ref = parse_reference(api, file)
        range_size = download.compute_range_size(file.size)

        def make_spec(sink: Sink) -> DownloadSpec:
            files_api = FilesApi(api, ref.get_files_urls()[0])
            return download.build_download_spec(files_api, file, sink, runner, range_size)

        return RemoteFile(
            key=f"{ref.get_file_urls()[0]} {file.size} {file.checksum} {file.version_id}",
            name=file.key,
            size=file.known_size,
            make_spec=make_spec,
            mtime_range=download.get_modified_times(file),
            origin=(get_repository_label(api), file.key),
        )

    identity = {"service": "nrp", "files": parse_reference(api, files[0]).get_files_urls()[0]}
    remote_files = [make_remote_file(file) for file in files]
    return download_to_directory(
        local, remote_files, identity, runner, max_workers, max_workers, exists=exists
    )
