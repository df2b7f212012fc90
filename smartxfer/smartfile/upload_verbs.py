"""The verbs that all clients share, as methods: ``upload``, ``upload_many``, ``upload_tree``.

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
    """Send a file.

    :param source: a path, bytes, an open binary file or a stream; ``(name, thing)`` gives it a name.
    :param target: where it goes: a directory (with a slash at its end, or one that exists), or a path in
        full.
    :param exists: what to do about a file of that path: None and ``"replace"`` replace it, ``"skip"`` keeps
        it.
    :param checksum: ``"md5"``, ``"sha256"``, ...: has the server reckon it afterwards, and compares; without,
        sizes are compared.
    :param progress: None, True for a bar, a label, or a callable that takes a ProgressEvent.
    :param cancel: anything with ``is_set()``.
    :param deadline: seconds after which to stop.
    :return: what became of the file; ``.item`` is its Info, ``.name`` its path on the server.
    :raises SourceChanged: the file changed while it was sent.
    :raises NotFound: there is no such directory on the server.
    :raises UnexpectedResponse: the answer is not one that the protocol documents for a stored file.

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
        raise UsageError(f"upload() sends one file; {source!r:.80} is a directory", hint="call upload_tree()")
    [item] = items
    with self._new_runner(progress, cancel, deadline) as runner:
        calls = self._api.with_runner(runner)
        full = runner.run_one(lambda: upload.resolve_target(calls, path, item.name))
        kept = runner.run_one(lambda: upload.skip_existing(calls, [(item, full)], exists))
        if kept:
            return kept[full]
        return raise_for_errors(upload.upload_files(self._api, runner, [(item, full)], 1, checksum), runner)[
            0
        ]


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
    """Send several files into a directory, several at a time.

    :param sources: one source or several, as for :meth:`upload`; a directory means the files in it, with
        its own name before theirs.  For an empty list nothing is sent.
    :param target: directory on the server, made if missing.
    :param max_workers: files at a time; None: as many as the client is set to.
    :return: one result per file, in order.
    :raises BatchError: some of several files failed; ``.results`` tells which.

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
        calls = self._api.with_runner(runner)
        kept = runner.run_one(lambda: upload.skip_existing(calls, pairs, exists))
        missing = [(item, path) for item, path in pairs if path not in kept]
        folders = [split(path)[0] for _, path in missing]
        runner.run_one(lambda: trees.make_directories(calls, folders))
        at_once = max_workers or self._max_workers
        sent = iter(upload.upload_files(self._api, runner, missing, at_once, checksum))
        return raise_for_errors([kept.get(path) or next(sent) for _, path in pairs], runner)


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
    """Send what is in a directory, several files at a time; a broken run is continued.

    :param directory: local; its files and directories, empty ones too, come below ``target``.
    :param target: directory on the server, made if missing.
    :param include: glob patterns of the files that are meant, such as ``"*.csv"``; None for all.
    :param exclude: glob patterns of files and directories that are left out.
    :param follow_symlinks: send what symbolic links lead to; by default they are skipped.
    :param dry_run: send nothing; the results tell what would be sent.
    :return: one result per file; those that an earlier, broken run had sent have ``resumed`` set.
    :raises BatchError: some of several files failed; ``.results`` tells which.

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
        at_once = max_workers or self._max_workers
        sent = tree.run(self._api, runner, self._account_id, at_once, checksum, exists)
        return raise_for_errors(sent, runner)


def _validate_options(checksum: Optional[str], exists: "UploadExists") -> None:
    from smartxfer.transfer.digest import new_hash
    from smartxfer.transfer.existing_files import validate_upload_exists

    if checksum is not None:
        new_hash(checksum)
    validate_upload_exists(exists)
