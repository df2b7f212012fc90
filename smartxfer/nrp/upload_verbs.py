"""The verbs that all clients share, as methods: ``upload``, ``upload_many``, ``upload_tree``.

Source: NRP / Invenio protocol, sections 5 and 6.
"""

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from smartxfer.errors import UsageError
from smartxfer.nrp.defaults import AUTO
from smartxfer.secret_text import hides_arguments
from smartxfer.system_text import FilePath

if TYPE_CHECKING:
    from smartxfer.nrp.file_work import FileWork, Pair, Watch
    from smartxfer.nrp.models import File
    from smartxfer.nrp.streams import FilesToSend, RecordSource
    from smartxfer.nrp.targets import FileTarget, RecordTarget, Repository
    from smartxfer.nrp.transfers import How
    from smartxfer.transfer.existing import UploadExists
    from smartxfer.transfer.progress import Progress
    from smartxfer.transfer.protocols import Cancel
    from smartxfer.transfer.result import FileResult, TransferReport
    from smartxfer.transfer.selection import Patterns

__all__ = ["upload", "upload_many", "upload_tree"]


@hides_arguments(links=("target",))
def upload(
    self: "Repository",
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
    from smartxfer.nrp import many
    from smartxfer.nrp.file_metadata import given_metadata
    from smartxfer.nrp.file_work import Watch
    from smartxfer.nrp.targets import record_of
    from smartxfer.nrp.transfers import how
    from smartxfer.transfer.existing import check_upload_exists

    check_upload_exists(exists)
    mode = how(transfer_type, transfer_metadata, parts, part_size, extra)
    record, key = record_of(target)
    thing: Any = source
    if isinstance(thing, tuple) and len(thing) == 2:
        key, thing = thing[0] if key is None else key, thing[1]
    if mode.by_url:
        return _by_url(self, record, key, thing, exists, metadata, transfer_type, transfer_metadata, extra)
    pairs = many.pairs_of([thing if key is None else (key, thing)], given_metadata(metadata))
    if len(pairs) != 1 or (key is None and "/" in pairs[0][0].name):
        raise UsageError("upload() sends one file", hint="upload_tree() sends a directory")
    watch = Watch(progress, cancel, deadline)
    return _send(self._work, record, pairs, mode, exists, watch)[0]


@hides_arguments(links=("target",))
def upload_many(
    self: "Repository",
    sources: "FilesToSend",
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
    from smartxfer.nrp import many
    from smartxfer.nrp.file_metadata import given_metadata
    from smartxfer.nrp.file_work import Watch
    from smartxfer.nrp.targets import record_only
    from smartxfer.transfer.existing import check_upload_exists

    check_upload_exists(exists)
    mode, record = _of_bytes(transfer_type, part_size), record_only(target)
    pairs = many.pairs_of(sources, given_metadata(metadata))
    return _send(
        self._work, record, pairs, mode, exists, Watch(progress, cancel, deadline, max_workers)
    )


@hides_arguments(links=("target",))
def upload_tree(
    self: "Repository",
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
    from smartxfer.nrp.file_metadata import given_metadata
    from smartxfer.nrp.file_work import Watch
    from smartxfer.nrp.keys import checked
    from smartxfer.nrp.syncing import origin_of
    from smartxfer.nrp.targets import record_only
    from smartxfer.transfer.existing import check_upload_exists
    from smartxfer.transfer.renamed import Renamed
    from smartxfer.transfer.result import FileResult, TransferReport
    from smartxfer.transfer.selection import Selection
    from smartxfer.transfer.tree import files_below

    check_upload_exists(exists)
    mode, record = _of_bytes(transfer_type, part_size), record_only(target)
    given = given_metadata(metadata)
    items = files_below(directory, follow_symlinks, Selection(include, exclude))
    for item in items:
        checked(item.name)
    there = _there(self._work, record)
    renamed = Renamed(origin_of(self._work.calls()), there.__contains__)
    left = {item.name for item in items if renamed.original(item, item.name) is not None}
    pairs = [(item, given) for item in items if item.name not in left]
    skipped = [
        FileResult(item.name, item.path, item.size, skipped="renamed") for item in items if item.name in left
    ]
    watch = Watch(progress, cancel, deadline, max_workers)
    if dry_run:
        kept = _kept(pairs, there, exists)
        results = [kept.get(item.name) or FileResult(item.name, item.path, item.size) for item, _ in pairs]
        return TransferReport(results + skipped)
    sent = _send(self._work, record, pairs, mode, exists, watch, lambda: there)
    return TransferReport([*sent, *skipped], sent.seconds)


def _of_bytes(transfer_type: str, part_size: Optional[int]) -> "How":
    """Return how several files are sent.

    :raises UsageError: the repository would fetch them itself.
    """
    from smartxfer.nrp.transfers import how

    mode = how(transfer_type, None, None, part_size)
    if mode.by_url:
        raise UsageError(
            "several files are sent as bytes", hint="upload() has the repository fetch an address"
        )
    return mode


def _send(
    work: "FileWork",
    record: Any,
    pairs: "Sequence[Pair]",
    mode: "How",
    exists: "UploadExists",
    watch: "Watch",
    there: "Optional[Callable[[], Dict[str, File]]]" = None,
) -> "TransferReport":
    """Send files, but those that are to be kept as they are."""
    from smartxfer.transfer.result import TransferReport

    if exists != "skip" or not pairs:
        return work.send(record, pairs, mode, exists == "replace", watch)
    kept = _kept(pairs, there() if there is not None else _there(work, record), exists)
    sent = work.send(record, [pair for pair in pairs if pair[0].name not in kept], mode, False, watch)
    results = {**kept, **{result.name: result for result in sent}}
    return TransferReport([results[item.name] for item, _ in pairs], sent.seconds)


def _there(work: "FileWork", record: Any) -> "Dict[str, File]":
    """The files of a draft by their keys."""
    from smartxfer.nrp.file_calls import FileCalls

    found: List[File] = work.lookup.changing(work.lookup.place(record), FileCalls.list)
    return {file.key: file for file in found}


def _kept(
    pairs: "Sequence[Pair]", there: "Mapping[str, File]", exists: "UploadExists"
) -> "Dict[str, FileResult]":
    """Results, by key, of files that are not sent because the draft has one of their key."""
    from smartxfer.nrp.models import FileStatus
    from smartxfer.transfer.result import FileResult

    kept = {}
    for item, _ in pairs if exists == "skip" else ():
        file = there.get(item.name)
        if file is not None and file.status == FileStatus.COMPLETED:
            kept[item.name] = FileResult(
                item.name, item.path, file.size or 0, skipped="exists", item=file
            )
    return kept


def _by_url(
    client: "Repository",
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
        file = _there(client._work, record).get(key)
        if file is not None:
            return FileResult(key, bytes=file.size or 0, skipped="exists", item=file)
    made = client.files.upload(
        record, key, metadata, source, transfer_type, transfer_metadata,
        replace=exists == "replace", extra=extra,
    )  # fmt: skip
    return FileResult(key, bytes=made.size or 0, item=made)
