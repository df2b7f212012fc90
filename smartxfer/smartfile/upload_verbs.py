"""Methods that all clients share: ``upload``, ``upload_many``, ``upload_tree``.

Source: SmartFile protocol, section 5.
"""

from typing import TYPE_CHECKING, Optional

from smartxfer.errors import UsageError
from smartxfer.os_text import FilePath

if TYPE_CHECKING:
    from smartxfer.smartfile.client_protocol import ClientProtocol
    from smartxfer.transfer.existing_files import UploadExists
    from smartxfer.transfer.local_files import FileLike, FilesLike
    from smartxfer.transfer.progress import Progress
    from smartxfer.transfer.protocols import Cancel
    from smartxfer.transfer.result import FileResult, TransferReport
    from smartxfer.transfer.selection import Patterns

__all__ = ["upload", "upload_many", "upload_tree"]


def upload(
    self: "ClientProtocol",
    source: "FileLike",
    target: str = "/",
    *,
    exists: "UploadExists" = None,
    checksum: Optional[str] = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
) -> "FileResult":
    """Upload a file.

    :param source: a path, bytes, an open binary file or a stream; ``(name, source)`` sets its name.
    :param target: a directory on the server (with a slash at its end, or an existing one), or the full path
        of the file.
    :param exists: what to do about an existing file: None and ``"replace"`` replace it, ``"skip"`` keeps it.
    :param checksum: ``"md5"``, ``"sha256"``, ...: the server computes it afterwards, and it is compared;
        without it, sizes are compared.
    :param progress: None, True for a bar, a label, or a callable that receives a ProgressEvent.
    :param cancel: any object with ``is_set()``.
    :param deadline: seconds after which to stop.
    :return: the result; ``.item`` is its Info, ``.name`` its path on the server.
    :raises SourceChanged: the file changed while it was sent.
    :raises NotFound: the directory does not exist on the server.
    :raises UnexpectedResponse: the protocol does not document such a response for a stored file.

    Source: SmartFile protocol, section 5.
    """
    from smartxfer.smartfile import upload
    from smartxfer.smartfile.paths import parse_target
    from smartxfer.transfer.local_files import collect_files
    from smartxfer.transfer.result import raise_for_errors

    _validate_options(checksum, exists)
    path = parse_target(target, source, "upload")
    items = collect_files([source])
    if len(items) != 1 or "/" in items[0].name:
        raise UsageError("upload() needs one file, got a directory", hint="use upload_tree()")
    [item] = items
    with self._new_runner(progress, cancel, deadline) as runner:
        api = self._api.with_runner(runner)
        remote_path = runner.run_one(lambda: upload.resolve_target(api, path, item.name))
        pairs = [(item, remote_path)]
        skipped = runner.run_one(lambda: upload.skip_existing(api, pairs, exists))
        if skipped:
            return skipped[remote_path]
        return raise_for_errors(upload.upload_files(self._api, runner, pairs, 1, checksum), runner)[0]


def upload_many(
    self: "ClientProtocol",
    sources: "FilesLike",
    target: str = "/",
    *,
    exists: "UploadExists" = None,
    checksum: Optional[str] = None,
    max_workers: Optional[int] = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
) -> "TransferReport":
    """Upload several files into a directory concurrently.

    :param sources: one source or several, as for :meth:`upload`; a directory means the files in it, with
        the directory's name before theirs.  For an empty list, no request is sent.
    :param target: directory on the server, created if missing.
    :param max_workers: maximum number of concurrent files; None: the client's setting.
    :return: one result per file, in order.
    :raises BatchError: some of several files failed; see ``.results``.

    Otherwise like :meth:`upload`.
    """
    from smartxfer.smartfile import trees, upload
    from smartxfer.smartfile.paths import join, normalize, parse_target, split
    from smartxfer.transfer.local_files import collect_files
    from smartxfer.transfer.result import TransferReport, raise_for_errors

    _validate_options(checksum, exists)
    directory = normalize(parse_target(target, sources, "upload_many"))
    items = collect_files(sources, allow_empty=True)
    pairs = [(item, join(directory, item.name)) for item in items]
    with self._new_runner(progress, cancel, deadline, max_workers) as runner:
        if not pairs:
            return TransferReport()
        api = self._api.with_runner(runner)
        skipped = runner.run_one(lambda: upload.skip_existing(api, pairs, exists))
        missing = [(item, path) for item, path in pairs if path not in skipped]
        folders = [split(path)[0] for _, path in missing]
        runner.run_one(lambda: trees.make_directories(api, folders))
        workers = max_workers or self._max_workers
        uploaded = iter(upload.upload_files(self._api, runner, missing, workers, checksum))
        return raise_for_errors([skipped.get(path) or next(uploaded) for _, path in pairs], runner)


def upload_tree(
    self: "ClientProtocol",
    directory: FilePath,
    target: str = "/",
    *,
    exists: "UploadExists" = None,
    checksum: Optional[str] = None,
    include: "Patterns" = None,
    exclude: "Patterns" = None,
    follow_symlinks: bool = False,
    dry_run: bool = False,
    max_workers: Optional[int] = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
) -> "TransferReport":
    """Upload the contents of a directory, several files concurrently; an interrupted run is resumed.

    :param directory: local directory; its contents, with empty directories, are uploaded to ``target``.
    :param target: directory on the server, created if missing.
    :param include: glob patterns of the files to upload, such as ``"*.csv"``; None for all.
    :param exclude: glob patterns of files and directories that are skipped.
    :param follow_symlinks: upload the targets of symbolic links; by default they are skipped.
    :param dry_run: upload nothing; return the results of the files that would be uploaded.
    :return: one result per file; ``resumed`` is set for files that an interrupted run had uploaded.
    :raises BatchError: some of several files failed; see ``.results``.

    Otherwise like :meth:`upload_many`.
    """
    from smartxfer.smartfile import trees
    from smartxfer.smartfile.paths import normalize
    from smartxfer.transfer.result import raise_for_errors
    from smartxfer.transfer.selection import Selection

    _validate_options(checksum, exists)
    tree = trees.TreeUpload(directory, normalize(target), follow_symlinks, Selection(include, exclude))
    with self._new_runner(progress, cancel, deadline, max_workers) as runner:
        if dry_run:
            return raise_for_errors(tree.plan(self._api, runner, exists), runner)
        workers = max_workers or self._max_workers
        results = tree.run(self._api, runner, self._account_id, workers, checksum, exists)
        return raise_for_errors(results, runner)


def _validate_options(checksum: Optional[str], exists: "UploadExists") -> None:
    from smartxfer.transfer.digest import new_hash
    from smartxfer.transfer.existing_files import validate_upload_exists

    if checksum is not None:
        new_hash(checksum)
    validate_upload_exists(exists)
