"""The verbs that all clients share, as methods: ``upload``, ``upload_many``, ``upload_tree``.

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
    """Send a file to a draft; the commit is checked for its size and MD5.

    :param source: a path, bytes, an open binary file or stream; ``(key, thing)`` gives it a key; for
        ``url-fetch`` and ``remote`` an address.
    :param target: the draft: its Record, id or address; or ``"RECORD/KEY"``, or a File.
    :param exists: what to do about a file of that key: None keeps one with the same bytes, and another is a
        Conflict; ``"replace"`` deletes it first; ``"skip"`` keeps it.
    :param progress: None, True for a bar, a label, or a callable that takes a ProgressEvent.
    :param cancel: anything with ``is_set()``.
    :param deadline: seconds after which to stop.
    :param metadata: of the file.  Of one that is there None and {} change nothing; a dict is merged.
    :param transfer_type: ``auto``, ``local-file``, ``multipart``, ``url-fetch`` or ``remote``.
    :param transfer_metadata: further members of the start's ``transfer``.
    :param parts: how many, for a multipart upload ...
    :param part_size: ... or bytes of each, which goes before ``parts``.
    :param extra: members of the start's ``transfer`` that this version does not know.
    :return: what became of the file; ``.item`` is the File.  One that the repository fetches is ``pending``:
        see ``files.wait_fetch``.
    :raises Conflict: the key is taken by another file.
    :raises ChecksumMismatch: the repository got other bytes; they were deleted there.

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
    thing: Any = source
    if isinstance(thing, tuple) and len(thing) == 2:
        key, thing = thing[0] if key is None else key, thing[1]
    if mode.has_source_url:
        return _upload_from_url(
            self, record, key, thing, exists, metadata, transfer_type, transfer_metadata, extra
        )
    pairs = batch.parse_files([thing if key is None else (key, thing)], validate_metadata(metadata))
    if len(pairs) != 1 or (key is None and "/" in pairs[0][0].name):
        raise UsageError(f"upload() sends one file; {thing!r:.80} is a directory", hint="call upload_tree()")
    watch = RunOptions(progress, cancel, deadline)
    return _upload_files(self._file_transfers, record, pairs, mode, exists, watch)[0]


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
    """Send several files to a draft, several at a time; all are started by one request.

    :param sources: one source or several, as for :meth:`upload`, or ``(key, source, metadata)``; a directory
        means the files in it, with its own name before theirs.  For an empty list nothing is sent.
    :param target: the draft: its Record, id or address.
    :param max_workers: files at a time; None: as many as the client is set to.
    :param metadata: of the files that have none of their own.
    :return: one result per file, in order.
    :raises UsageError: two files of one key.
    :raises BatchError: some of several files failed; ``.results`` tells which.

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
    """Send what is in a directory to a draft, several files at a time.

    :param directory: local; keys are the paths of its files, relative to it.
    :param include: glob patterns of the files that are meant, such as ``"*.csv"``; None for all.
    :param exclude: glob patterns of files and directories that are left out.
    :param follow_symlinks: send what symbolic links lead to; by default they are skipped.
    :param dry_run: send nothing; the results tell what would be sent.

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
    given = validate_metadata(metadata)
    items = collect_directory_files(directory, follow_symlinks, Selection(include, exclude))
    for item in items:
        validate_key(item.name)
    there = _list_draft_files(self._file_transfers, record)
    renamed = RenamedFiles(get_repository_label(self._file_transfers.get_api()), there.__contains__)
    left = {item.name for item in items if renamed.get_remote_name(item, item.name) is not None}
    pairs = [(item, given) for item in items if item.name not in left]
    skipped = [
        FileResult(item.name, item.path, item.size, skipped="renamed") for item in items if item.name in left
    ]
    watch = RunOptions(progress, cancel, deadline, max_workers)
    if dry_run:
        kept = _get_skipped_results(pairs, there, exists)
        results = [kept.get(item.name) or FileResult(item.name, item.path, item.size) for item, _ in pairs]
        return TransferReport(results + skipped)
    sent = _upload_files(self._file_transfers, record, pairs, mode, exists, watch, lambda: there)
    return TransferReport([*sent, *skipped], sent.seconds)


def _parse_byte_transfer_mode(transfer_type: str, part_size: Optional[int]) -> "TransferMode":
    """Return how several files are sent.

    :raises UsageError: the repository would fetch them itself.
    """
    from smartxfer.nrp.transfer_modes import parse_transfer_mode

    mode = parse_transfer_mode(transfer_type, None, None, part_size)
    if mode.has_source_url:
        raise UsageError(
            "several files are sent as bytes", hint="upload() has the repository fetch an address"
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
    """Send files, but those that are to be kept as they are."""
    from smartxfer.transfer.result import TransferReport

    if exists != "skip" or not pairs:
        return file_transfers.upload(record, pairs, mode, exists == "replace", options)
    kept = _get_skipped_results(
        pairs,
        list_existing() if list_existing is not None else _list_draft_files(file_transfers, record),
        exists,
    )
    sent = file_transfers.upload(
        record, [pair for pair in pairs if pair[0].name not in kept], mode, False, options
    )
    results = {**kept, **{result.name: result for result in sent}}
    return TransferReport([results[item.name] for item, _ in pairs], sent.seconds)


def _list_draft_files(file_transfers: "FileTransfers", record: Any) -> "Dict[str, File]":
    """The files of a draft by their keys."""
    from smartxfer.nrp.files_api import FilesApi

    found: List[File] = file_transfers.lookup.modify_draft(
        file_transfers.lookup.parse_reference(record), FilesApi.list
    )
    return {file.key: file for file in found}


def _get_skipped_results(
    pairs: "Sequence[FileWithMetadata]", existing: "Mapping[str, File]", exists: "UploadExists"
) -> "Dict[str, FileResult]":
    """Results, by key, of files that are not sent because the draft has one of their key."""
    from smartxfer.nrp.models import FileStatus
    from smartxfer.transfer.result import FileResult

    kept = {}
    for item, _ in pairs if exists == "skip" else ():
        file = existing.get(item.name)
        if file is not None and file.status == FileStatus.COMPLETED:
            kept[item.name] = FileResult(item.name, item.path, file.size or 0, skipped="exists", item=file)
    return kept


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
    """Have the repository fetch an address, or refer to it."""
    from smartxfer.transfer.result import FileResult

    if key is None:
        raise UsageError("which key does it get?", hint=f"target={'RECORD/KEY'!r}, or source=(key, address)")
    if exists == "skip":
        file = _list_draft_files(client._file_transfers, record).get(key)
        if file is not None:
            return FileResult(key, bytes=file.size or 0, skipped="exists", item=file)
    made = client.files.upload(
        record, key, metadata, source, transfer_type, transfer_metadata,
        replace=exists == "replace", extra=extra,
    )  # fmt: skip
    return FileResult(key, bytes=made.size or 0, item=made)
