"""Methods that all clients share: ``download``, ``download_many``, ``download_tree``.

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
    """Download a file; an interrupted download is resumed.

    :param source: ``"RECORD/KEY"``, a File, or its URL.
    :param target: a directory, a file name, an open binary file, or a sink.
    :param exists: what to do about an existing file with other content: ``"replace"``, ``"skip"``,
        ``"rename"`` or ``"newer"``.  With None, a file whose path is given is replaced; in a directory it is
        an error, unless an earlier run wrote its content.
    :param progress: None, True for a bar, a label, or a callable that receives a ProgressEvent.
    :param cancel: any object with ``is_set()``.
    :param deadline: seconds after which to stop.
    :param parts: number of concurrent ranges, if the server supports ranges.
    :param part_size: size of a range in bytes, at least 1 MiB; takes precedence over ``parts``.
    :return: the result; ``.item`` is the File.
    :raises NotFound: the file does not exist.
    :raises Conflict: the file is not complete in the repository.
    :raises TargetExists: the directory has a file of that name with other content.

    Source: NRP / Invenio protocol, section 5, Download.
    """
    from smartxfer.nrp.file_transfers import RunOptions
    from smartxfer.nrp.targets import parse_file_target

    record, key = parse_file_target(source)
    options = RunOptions(progress, cancel, deadline)
    return self._file_transfers.download(record, key, target, parts, part_size, exists, options)


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
    """Download several files into a directory concurrently.

    :param sources: one file or several, as for :meth:`download`.  For an empty list, no request is sent.
    :param target: local directory, created if missing; files are saved under safe names based on their keys.
    :param max_workers: maximum number of concurrent files; None: the client's setting.
    :return: one result per file, in order.
    :raises BatchError: some of several files failed; see ``.results``.

    Otherwise like :meth:`download`.
    """
    from smartxfer.nrp.api import RepositoryApi
    from smartxfer.nrp.file_transfers import RunOptions
    from smartxfer.nrp.models import File
    from smartxfer.nrp.targets import parse_file_target
    from smartxfer.transfer.existing_files import validate_exists
    from smartxfer.transfer.result import TransferReport

    source_list = list(sources) if isinstance(sources, (list, tuple)) else [sources]
    targets = [parse_file_target(source) for source in source_list]
    lookup = self._file_transfers.lookup

    def find_files(api: RepositoryApi) -> List[File]:
        return [lookup.read_file(api, record, key)[0] for record, key in targets]

    validate_exists(exists)
    if not targets:
        return TransferReport()
    options = RunOptions(progress, cancel, deadline, max_workers)
    return self._file_transfers.download_many(find_files, target, exists, options)


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
    """Download the files of a record, several concurrently.

    :param source: the Record, its id or its URL.
    :param include: glob patterns of the keys to download, such as ``"*.csv"``; None for all.
    :param exclude: glob patterns of keys that are skipped.
    :param dry_run: download nothing; return the results of the files that would be downloaded.  Existing
        files are not considered.

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

    def find_files(api: RepositoryApi) -> List[File]:
        files: List[File] = lookup.read_from_record(lookup.parse_reference(record), FilesApi.list, api)
        return [file for file in files if selection.includes(file.key)]

    if dry_run:
        return TransferReport(_plan_downloads(find_files(self._file_transfers.get_api()), target))
    return self._file_transfers.download_many(
        find_files, target, exists, RunOptions(progress, cancel, deadline, max_workers)
    )


def _plan_downloads(files: "Sequence[File]", target: Any) -> "List[FileResult]":
    """Return the results that a download of files would have."""
    from smartxfer.transfer.result import FileResult
    from smartxfer.transfer.safe_paths import unique_paths_or_errors
    from smartxfer.transfer.source import as_target_path

    directory = as_target_path(target)
    if directory is None:
        raise UsageError(f"target must be a path, not {target!r}", hint="pass the path of a local directory")
    names = unique_paths_or_errors([file.key for file in files], directory=directory)
    return [
        FileResult(file.key, error=name)
        if isinstance(name, UnsafeName)
        else FileResult(file.key, directory / name, file.size or 0, item=file)
        for file, name in zip(files, names)
    ]
