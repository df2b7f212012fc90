"""Methods that all clients share: ``upload``, ``upload_many``, ``upload_tree``.

Source: NRP / Invenio protocol, sections 5 and 6.
"""

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from smartxfer.errors import UsageError
from smartxfer.nrp.defaults import AUTO
from smartxfer.os_text import FilePath
from smartxfer.secret_text import hide_arguments

if TYPE_CHECKING:
    from smartxfer.nrp.file_transfers import FileTransfers, FileWithMetadata, RunOptions
    from smartxfer.nrp.models import File
    from smartxfer.nrp.streams import FilesToUpload, RecordSource
    from smartxfer.nrp.targets import FileTarget, RecordTarget, RepositoryClientProtocol
    from smartxfer.nrp.transfer_modes import TransferMode
    from smartxfer.transfer.existing_files import UploadExists
    from smartxfer.transfer.progress import Progress
    from smartxfer.transfer.protocols import Cancel
    from smartxfer.transfer.result import FileResult, TransferReport
    from smartxfer.transfer.selection import Patterns

__all__ = ["upload", "upload_many", "upload_tree"]


@hide_arguments(links=("target",))
def upload(
    self: "RepositoryClientProtocol",
    source: "Union[RecordSource, Tuple[str, RecordSource]]",
    target: "FileTarget",
    *,
    exists: "UploadExists" = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
    metadata: Optional[Mapping[str, Any]] = None,
    transfer_type: str = AUTO,
    transfer_metadata: Optional[Mapping[str, Any]] = None,
    parts: Optional[int] = None,
    part_size: Optional[int] = None,
    extra: Optional[Mapping[str, Any]] = None,
) -> "FileResult":
    """Upload a file to a draft; its size and MD5 are verified.

    :param source: a path, bytes, an open binary file or stream; ``(key, source)`` sets the key; for
        ``url-fetch`` and ``remote`` a URL.
    :param target: the draft: its Record, id or URL; or ``"RECORD/KEY"``, or a File.
    :param exists: what to do about an existing file with that key: None keeps one with the same bytes, and
        raises Conflict for another; ``"replace"`` deletes it first; ``"skip"`` keeps it.
    :param progress: None, True for a bar, a label, or a callable that receives a ProgressEvent.
    :param cancel: any object with ``is_set()``.
    :param deadline: seconds after which to stop.
    :param metadata: metadata of the file.  For an existing file, a dict is merged, None and {} change
        nothing.
    :param transfer_type: ``auto``, ``local-file``, ``multipart``, ``url-fetch`` or ``remote``.
    :param transfer_metadata: further members of ``transfer`` in the request.
    :param parts: number of parts of a multipart upload.
    :param part_size: size of a part in bytes; takes precedence over ``parts``.
    :param extra: further members of ``transfer`` in the request.
    :return: the result; ``.item`` is the File.  A file that the repository fetches is ``pending``: see
        ``files.wait_fetch``.
    :raises Conflict: another file with that key exists.
    :raises ChecksumMismatch: the repository received other bytes; the file was deleted there.

    Source: NRP / Invenio protocol, sections 5 and 6.
    """
    from smartxfer.nrp import batch
    from smartxfer.nrp.file_metadata import validate_metadata
    from smartxfer.nrp.file_transfers import RunOptions
    from smartxfer.nrp.targets import parse_target
    from smartxfer.nrp.transfer_modes import parse_transfer_mode
    from smartxfer.transfer.existing_files import validate_upload_exists

    validate_upload_exists(exists)
    mode = parse_transfer_mode(transfer_type, transfer_metadata, parts, part_size, extra)
    record, key = parse_target(target)
    content: Any = source
    if isinstance(content, tuple) and len(content) == 2:
        key, content = content[0] if key is None else key, content[1]
    if mode.has_source_url:
        return _upload_from_url(
            self, record, key, content, exists, metadata, transfer_type, transfer_metadata, extra
        )
    pairs = batch.parse_files([content if key is None else (key, content)], validate_metadata(metadata))
    if len(pairs) != 1 or (key is None and "/" in pairs[0][0].name):
        raise UsageError("upload() needs one file, got a directory", hint="use upload_tree()")
    options = RunOptions(progress, cancel, deadline)
    return _upload_files(self._file_transfers, record, pairs, mode, exists, options)[0]


@hide_arguments(links=("target",))
def upload_many(
    self: "RepositoryClientProtocol",
    sources: "FilesToUpload",
    target: "RecordTarget",
    *,
    exists: "UploadExists" = None,
    max_workers: Optional[int] = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
    metadata: Optional[Mapping[str, Any]] = None,
    transfer_type: str = AUTO,
    part_size: Optional[int] = None,
) -> "TransferReport":
    """Upload several files to a draft concurrently; one request initiates all uploads.

    :param sources: one source or several, as for :meth:`upload`, or ``(key, source, metadata)``; a directory
        means the files in it, with the directory's name before theirs.  For an empty list, no request is
        sent.
    :param target: the draft: its Record, id or URL.
    :param max_workers: maximum number of concurrent files; None: the client's setting.
    :param metadata: metadata of files without their own.
    :return: one result per file, in order.
    :raises UsageError: two files have the same key.
    :raises BatchError: some of several files failed; see ``.results``.

    Otherwise like :meth:`upload`.
    """
    from smartxfer.nrp import batch
    from smartxfer.nrp.file_metadata import validate_metadata
    from smartxfer.nrp.file_transfers import RunOptions
    from smartxfer.nrp.targets import parse_record_target
    from smartxfer.transfer.existing_files import validate_upload_exists

    validate_upload_exists(exists)
    mode, record = _parse_byte_transfer_mode(transfer_type, part_size), parse_record_target(target)
    pairs = batch.parse_files(sources, validate_metadata(metadata))
    return _upload_files(
        self._file_transfers, record, pairs, mode, exists, RunOptions(progress, cancel, deadline, max_workers)
    )


@hide_arguments(links=("target",))
def upload_tree(
    self: "RepositoryClientProtocol",
    directory: FilePath,
    target: "RecordTarget",
    *,
    exists: "UploadExists" = None,
    include: "Patterns" = None,
    exclude: "Patterns" = None,
    follow_symlinks: bool = False,
    dry_run: bool = False,
    max_workers: Optional[int] = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
    metadata: Optional[Mapping[str, Any]] = None,
    transfer_type: str = AUTO,
    part_size: Optional[int] = None,
) -> "TransferReport":
    """Upload the files in a directory and its subdirectories to a draft, several concurrently.

    :param directory: local directory; keys are the paths of its files, relative to it.
    :param include: glob patterns of the files to upload, such as ``"*.csv"``; None for all.
    :param exclude: glob patterns of files and directories that are skipped.
    :param follow_symlinks: upload the targets of symbolic links; by default they are skipped.
    :param dry_run: upload nothing; return the results of the files that would be uploaded.

    Otherwise like :meth:`upload_many`.
    """
    from smartxfer.nrp.file_metadata import validate_metadata
    from smartxfer.nrp.file_transfers import RunOptions
    from smartxfer.nrp.keys import validate_key
    from smartxfer.nrp.sync import get_repository_label
    from smartxfer.nrp.targets import parse_record_target
    from smartxfer.transfer.existing_files import validate_upload_exists
    from smartxfer.transfer.local_files import collect_directory_files
    from smartxfer.transfer.renamed_files import RenamedFiles
    from smartxfer.transfer.result import FileResult, TransferReport
    from smartxfer.transfer.selection import Selection

    validate_upload_exists(exists)
    mode, record = _parse_byte_transfer_mode(transfer_type, part_size), parse_record_target(target)
    valid_metadata = validate_metadata(metadata)
    items = collect_directory_files(directory, follow_symlinks, Selection(include, exclude))
    for item in items:
        validate_key(item.name)
    remote_files = _list_draft_files(self._file_transfers, record)
    renamed = RenamedFiles(get_repository_label(self._file_transfers.get_api()), remote_files.__contains__)
    renamed_names = {item.name for item in items if renamed.get_remote_name(item, item.name) is not None}
    pairs = [(item, valid_metadata) for item in items if item.name not in renamed_names]
    renamed_results = [
        FileResult(item.name, item.path, item.size, skipped="renamed")
        for item in items
        if item.name in renamed_names
    ]
    options = RunOptions(progress, cancel, deadline, max_workers)
    if dry_run:
        existing = _get_skipped_results(pairs, remote_files, exists)
        planned = [
            existing.get(item.name) or FileResult(item.name, item.path, item.size) for item, _ in pairs
        ]
        return TransferReport(planned + renamed_results)
    report = _upload_files(self._file_transfers, record, pairs, mode, exists, options, lambda: remote_files)
    return TransferReport([*report, *renamed_results], report.seconds)


def _parse_byte_transfer_mode(transfer_type: str, part_size: Optional[int]) -> "TransferMode":
    """Return the transfer mode of several files.

    :raises UsageError: the transfer type needs a URL.
    """
    from smartxfer.nrp.transfer_modes import parse_transfer_mode

    mode = parse_transfer_mode(transfer_type, None, None, part_size)
    if mode.has_source_url:
        raise UsageError(
            f"transfer_type={transfer_type!r} is not supported for several files",
            hint=f"call upload((key, url), draft, transfer_type={transfer_type!r}) for each file",
        )
    return mode


def _upload_files(
    file_transfers: "FileTransfers",
    record: Any,
    pairs: "Sequence[FileWithMetadata]",
    mode: "TransferMode",
    exists: "UploadExists",
    options: "RunOptions",
    list_existing: "Optional[Callable[[], Dict[str, File]]]" = None,
) -> "TransferReport":
    """Upload files, except those that ``exists="skip"`` skips."""
    from smartxfer.transfer.result import TransferReport

    if exists != "skip" or not pairs:
        return file_transfers.upload(record, pairs, mode, exists == "replace", options)
    skipped = _get_skipped_results(
        pairs,
        list_existing() if list_existing is not None else _list_draft_files(file_transfers, record),
        exists,
    )
    report = file_transfers.upload(
        record, [pair for pair in pairs if pair[0].name not in skipped], mode, False, options
    )
    results = {**skipped, **{result.name: result for result in report}}
    return TransferReport([results[item.name] for item, _ in pairs], report.seconds)


def _list_draft_files(file_transfers: "FileTransfers", record: Any) -> "Dict[str, File]":
    """Return the files of a draft by key."""
    from smartxfer.nrp.files_api import FilesApi

    files: List[File] = file_transfers.lookup.modify_draft(
        file_transfers.lookup.parse_reference(record), FilesApi.list
    )
    return {file.key: file for file in files}


def _get_skipped_results(
    pairs: "Sequence[FileWithMetadata]", existing: "Mapping[str, File]", exists: "UploadExists"
) -> "Dict[str, FileResult]":
    """Return results, by key, of the files that ``exists="skip"`` skips because their key exists."""
    from smartxfer.nrp.models import FileStatus
    from smartxfer.transfer.result import FileResult

    results = {}
    for item, _ in pairs if exists == "skip" else ():
        file = existing.get(item.name)
        if file is not None and file.status == FileStatus.COMPLETED:
            results[item.name] = FileResult(item.name, item.path, file.size or 0, skipped="exists", item=file)
    return results


def _upload_from_url(
    client: "RepositoryClientProtocol",
    record: Any,
    key: Optional[str],
    source: Any,
    exists: "UploadExists",
    metadata: Optional[Mapping[str, Any]],
    transfer_type: str,
    transfer_metadata: Optional[Mapping[str, Any]],
    extra: Optional[Mapping[str, Any]],
) -> "FileResult":
    """Add a file that the repository fetches from a URL, or refers to."""
    from smartxfer.transfer.result import FileResult

    if key is None:
        raise UsageError("missing key of the file", hint='pass target="RECORD/KEY", or source=(key, url)')
    if exists == "skip":
        file = _list_draft_files(client._file_transfers, record).get(key)
        if file is not None:
            return FileResult(key, bytes=file.size or 0, skipped="exists", item=file)
    file = client.files.upload(
        record, key, metadata, source, transfer_type, transfer_metadata,
        replace=exists == "replace", extra=extra,
    )  # fmt: skip
    return FileResult(key, bytes=file.size or 0, item=file)
