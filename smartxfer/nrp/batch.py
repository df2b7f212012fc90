"""Several files at once: which are meant, and where they go.

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
    """What is to be sent, with its metadata; every key is one that can be addressed."""
    things: List[Any] = []
    own: Dict[str, Metadata] = {}
    for file in as_iterable(files):
        if isinstance(file, tuple) and len(file) == 3 and isinstance(file[0], str):
            own[file[0]] = validate_metadata(file[2])
            file = file[:2]
        if isinstance(file, tuple) and len(file) == 2:
            things.append((validate_key(file[0]), unwrap_source(file[1])))
        else:
            things.append(unwrap_source(file))
    items = collect_files(things, follow_symlinks, allow_empty=True)
    for item in items:
        validate_key(item.name)
    return [(item, own.get(item.name, metadata)) for item in items]


def raise_if_locked(
    record: Any, files_api: FilesApi, file_inits: Sequence[Tuple[LocalFile, FileInit]]
) -> None:
    """Refuse new files for an edit of a published record, before they are started.

    Where only the id or the address of the record was given, the repository refuses their content.

    :raises Forbidden: its files are locked, and there are keys that it does not have.

    Source: NRP / Invenio protocol, sections 4 and 9.
    """
    if not (isinstance(record, Record) and record.is_draft and record.is_published):
        return
    there = {file.key for file in files_api.list() if file.status == FileStatus.COMPLETED}
    missing = [plan.key for _, plan in file_inits if plan.key not in there]
    if missing:
        raise RepositoryForbiddenError(
            f"{missing[0]!r} was not started: {record.id} is published, and its files are locked",
            hint=NEW_VERSION_HINT,
            status=403,
        )


def needs_transfer_types(mode: TransferMode, size: int) -> bool:
    """Whether the repository's transfer types have a say in how a file is sent."""
    return mode.code == AUTO and bool(mode.parts or mode.part_size or size >= MULTIPART_THRESHOLD)


def attach_result(file: File, result: FileResult) -> File:
    """The file, with what became of its upload."""
    return file.evolve(result=result)


def download_files(
    api: RepositoryApi,
    runner: TransferRunner,
    files: Sequence[File],
    directory: Any,
    max_workers: int,
    exists: Exists,
) -> List[FileResult]:
    """Fetch files into a directory; the results, failed ones included."""
    local = as_target_path(directory)
    if local is None:
        raise UsageError(f"{directory!r} is not a path", hint="pass the path of a directory")
    for file in files:
        if not isinstance(file, File):
            raise UsageError(f"{file!r:.80} is not a File", hint="files.list() gives them")
    refused = {at: error for at, error in enumerate(map(_get_completeness_error, files)) if error is not None}
    whole = [file for at, file in enumerate(files) if at not in refused]
    fetched = iter(_download_complete_files(api, runner, whole, local, max_workers, exists) if whole else [])
    return [
        FileResult(name=file.key, error=refused[at]) if at in refused else next(fetched)
        for at, file in enumerate(files)
    ]


def _get_completeness_error(file: File) -> Optional[SmartxferError]:
    """Return why a file cannot be fetched, if it is not complete in the repository or cannot be named."""
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
    base = parse_reference(api, files[0]).get_files_urls()[0]

    def wanted(file: File) -> RemoteFile:
        place = parse_reference(api, file)
        step = download.compute_range_size(file.size)

        def describe(sink: Sink) -> DownloadSpec:
            return download.build_download_spec(
                FilesApi(api, place.get_files_urls()[0]), file, sink, runner, step
            )

        key = f"{place.get_file_urls()[0]} {file.size} {file.checksum} {file.version_id}"
        changed = download.get_modified_times(file)
        return RemoteFile(
            key=key,
            name=file.key,
            size=file.known_size,
            make_spec=describe,
            mtime_range=changed,
            origin=(get_repository_label(api), file.key),
        )

    identity = {"service": "nrp", "files": base}
    each = [wanted(file) for file in files]
    return download_to_directory(local, each, identity, runner, max_workers, max_workers, exists=exists)
