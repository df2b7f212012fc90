"""The verbs that all clients share, as methods: ``download``, ``download_many``, ``download_tree``.

Source: NRP / Invenio protocol, section 5, Download.
"""

from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Union

from smartxfer.errors import UnsafeName, UsageError
from smartxfer.os_text import FilePath
from smartxfer.secret_text import hide_arguments

if TYPE_CHECKING:
    from smartxfer.nrp.models import File
    from smartxfer.nrp.streams import FileSink
    from smartxfer.nrp.targets import FileTarget, RecordTarget, RepositoryClientProtocol
    from smartxfer.transfer.existing_files import Exists
    from smartxfer.transfer.progress import Progress
    from smartxfer.transfer.protocols import Cancel
    from smartxfer.transfer.result import FileResult, TransferReport
    from smartxfer.transfer.selection import Patterns
    from smartxfer.transfer.sink import SinkLike

__all__ = ["download", "download_many", "download_tree"]


@hide_arguments(links=("source",))
def download(
    self: "RepositoryClientProtocol",
    source: "FileTarget",
    target: "Union[SinkLike, FileSink]" = ".",
    *,
    exists: "Exists" = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
    parts: Optional[int] = None,
    part_size: Optional[int] = None,
) -> "FileResult":
    """Fetch a file; a broken run is continued.

    :param source: ``"RECORD/KEY"``, a File, or its address.
    :param target: a directory, a file name, an open binary file, or a sink.
    :param exists: what to do about an existing file with other content: ``"replace"``, ``"skip"``,
        ``"rename"`` or ``"newer"``.  None replaces the file of a path that you give; in a directory it is an
        error, unless an earlier run wrote its content.
    :param progress: None, True for a bar, a label, or a callable that takes a ProgressEvent.
    :param cancel: anything with ``is_set()``.
    :param deadline: seconds after which to stop.
    :param parts: pieces to fetch at a time where ranges are known ...
    :param part_size: ... or bytes of each, at least 1 MiB, which goes before ``parts``.
    :return: what became of the file; ``.item`` is the File.
    :raises NotFound: there is no such file.
    :raises Conflict: the file is not complete in the repository.
    :raises TargetExists: the directory has a file of that name with other content.

    Source: NRP / Invenio protocol, section 5, Download.
    """
    from smartxfer.nrp.file_transfers import RunOptions
    from smartxfer.nrp.targets import parse_file_target

    record, key = parse_file_target(source)
    watch = RunOptions(progress, cancel, deadline)
    return self._file_transfers.download(record, key, target, parts, part_size, exists, watch)


def download_many(
    self: "RepositoryClientProtocol",
    sources: "Union[FileTarget, Sequence[FileTarget]]",
    target: FilePath = ".",
    *,
    exists: "Exists" = None,
    max_workers: Optional[int] = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
) -> "TransferReport":
    """Fetch several files into a directory, several at a time.

    :param sources: one file or several, as for :meth:`download`.  For an empty list nothing is asked.
    :param target: local directory, made if missing; keys come below it as safe names.
    :param max_workers: files at a time; None: as many as the client is set to.
    :return: one result per file, in order.
    :raises BatchError: some of several files failed; ``.results`` tells which.

    Otherwise like :meth:`download`.
    """
    from smartxfer.nrp.api import RepositoryApi
    from smartxfer.nrp.file_transfers import RunOptions
    from smartxfer.nrp.models import File
    from smartxfer.nrp.targets import parse_file_target
    from smartxfer.transfer.existing_files import validate_exists
    from smartxfer.transfer.result import TransferReport

    several = list(sources) if isinstance(sources, (list, tuple)) else [sources]
    wanted = [parse_file_target(source) for source in several]
    lookup = self._file_transfers.lookup

    def files(calls: RepositoryApi) -> List[File]:
        return [lookup.read_file(calls, record, key)[0] for record, key in wanted]

    validate_exists(exists)
    watch = RunOptions(progress, cancel, deadline, max_workers)
    return self._file_transfers.download_many(files, target, exists, watch) if wanted else TransferReport()


@hide_arguments(links=("source",))
def download_tree(
    self: "RepositoryClientProtocol",
    source: "RecordTarget",
    target: FilePath = ".",
    *,
    exists: "Exists" = None,
    include: "Patterns" = None,
    exclude: "Patterns" = None,
    dry_run: bool = False,
    max_workers: Optional[int] = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
) -> "TransferReport":
    """Fetch the files of a record, several at a time.

    :param source: the Record, its id or its address.
    :param include: glob patterns of the keys that are meant, such as ``"*.csv"``; None for all.
    :param exclude: glob patterns of keys that are left out.
    :param dry_run: fetch nothing; the results tell what would be fetched.  Existing files are not looked at.

    Otherwise like :meth:`download_many`.
    """
    from smartxfer.nrp.api import RepositoryApi
    from smartxfer.nrp.file_transfers import RunOptions
    from smartxfer.nrp.files_api import FilesApi
    from smartxfer.nrp.models import File
    from smartxfer.nrp.targets import parse_record_target
    from smartxfer.transfer.existing_files import validate_exists
    from smartxfer.transfer.result import TransferReport
    from smartxfer.transfer.selection import Selection

    validate_exists(exists)
    record, selection = parse_record_target(source), Selection(include, exclude)
    lookup = self._file_transfers.lookup

    def files(calls: RepositoryApi) -> List[File]:
        found: List[File] = lookup.read_from_record(lookup.parse_reference(record), FilesApi.list, calls)
        return [file for file in found if selection.includes(file.key)]

    if dry_run:
        return TransferReport(_plan_downloads(files(self._file_transfers.get_api()), target))
    return self._file_transfers.download_many(
        files, target, exists, RunOptions(progress, cancel, deadline, max_workers)
    )


def _plan_downloads(files: "Sequence[File]", target: Any) -> "List[FileResult]":
    """Return what a download of files would do."""
    from smartxfer.transfer.result import FileResult
    from smartxfer.transfer.safe_paths import unique_paths_or_errors
    from smartxfer.transfer.source import as_target_path

    directory = as_target_path(target)
    if directory is None:
        raise UsageError(f"{target!r} is not a path", hint="pass the path of a file or directory")
    names = unique_paths_or_errors([file.key for file in files], directory=directory)
    return [
        FileResult(file.key, error=name)
        if isinstance(name, UnsafeName)
        else FileResult(file.key, directory / name, file.size or 0, item=file)
        for file, name in zip(files, names)
    ]
