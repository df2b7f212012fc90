"""The verbs that all clients share, as methods: ``list``, ``info``, ``exists``, ``remove``, ``sync``.

Source: SmartFile protocol, sections 5 and 7.
"""

from typing import TYPE_CHECKING, Any, List, Optional

from smartxfer.errors import UsageError
from smartxfer.os_text import FilePath
from smartxfer.smartfile.defaults import TASK_TIMEOUT

if TYPE_CHECKING:
    from smartxfer.smartfile.client_protocol import ClientProtocol
    from smartxfer.smartfile.models import Info, Remote, Remotes, Task
    from smartxfer.transfer.progress import Progress, WaitProgress, WaitReporter
    from smartxfer.transfer.protocols import Cancel
    from smartxfer.transfer.result import SyncReport, TransferReport
    from smartxfer.transfer.selection import Patterns

__all__ = ["exists", "info", "list_directory", "make_task_reporter", "remove", "run_task", "sync"]


def sync(
    self: "ClientProtocol",
    source: FilePath,
    target: str,
    *,
    delete: bool = False,
    max_delete: float = 0.5,
    include: "Patterns" = None,
    exclude: "Patterns" = None,
    follow_symlinks: bool = False,
    dry_run: bool = False,
    max_workers: Optional[int] = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
) -> "SyncReport":
    """Make a directory on the server like a local one; what is the same by its SHA-256 is left alone.

    Of files that differ only the difference is sent, where librsync is installed and that pays.
    ``SyncClient`` also synchronises the other way.

    :param source: local directory.
    :param target: directory on the server, made if missing.
    :param delete: remove files on the server that the directory does not have.
    :param max_delete: largest share of the files on the server that ``delete`` may remove; else UsageError.
    :param include: glob patterns of the files that are meant, on both sides; None for all.
    :param exclude: glob patterns of files and directories that are left out, on both sides.
    :param follow_symlinks: send what symbolic links lead to; by default they are skipped.
    :param dry_run: change nothing; the report tells what would be done.
    :param max_workers: parts at a time; None: as many as the client is set to.
    :raises BatchError: some of several files failed; ``.results`` tells which.  Nothing was removed.

    Otherwise like :meth:`upload`.  Source: SmartFile protocol, sections 5 and 7.
    """
    from smartxfer import delta
    from smartxfer.smartfile import trees
    from smartxfer.smartfile.delta_sync import DeltaSync
    from smartxfer.smartfile.directory_sync import list_remote_files, log_summary, sync_tree
    from smartxfer.smartfile.paths import join, normalize
    from smartxfer.transfer.deletion import validate_deletion
    from smartxfer.transfer.result import raise_for_errors
    from smartxfer.transfer.selection import Selection

    selection = Selection(include, exclude)
    tree = trees.TreeUpload(source, normalize(target), follow_symlinks, selection)
    prefix = join(tree.path, "x")[:-1]
    with self._new_runner(progress, cancel, deadline, max_workers) as runner:
        calls = self._api.with_runner(runner)
        there = runner.run_one(lambda: list_remote_files(calls, tree.path))
        tree.skip_renamed(calls, there.__contains__)
        here = {path for _, path in tree.pairs} | tree.renamed
        extra = [path for path in there if path not in here and selection.includes(path[len(prefix) :])]
        extra = extra if delete else []
        validate_deletion(extra, len(there), len(here), max_delete)
        resync = DeltaSync(self._api, runner, max_workers or self._max_workers, delta.available())
        done = raise_for_errors(sync_tree(calls, runner, tree, there, resync, dry_run), runner)
        if extra and not dry_run:
            runner.run_one(lambda: calls.wait_for_task(calls.start_task("remove", path=extra)))
        if not dry_run:
            log_summary(source, done)
        return _build_report(done, there, extra, sorted(tree.renamed), len(prefix))


def _build_report(
    results: "TransferReport", remote_files: Any, removed: List[str], renamed: List[str], prefix_length: int
) -> "SyncReport":
    """Return the report of a synchronisation.

    :param prefix_length: characters of the paths before the names relative to the directory.
    """
    from smartxfer.transfer.result import SyncReport, TransferReport

    sent = [result for result in results if result.skipped is None]
    return SyncReport(
        [result.name[prefix_length:] for result in sent if result.name not in remote_files],
        [result.name[prefix_length:] for result in sent if result.name in remote_files],
        [result.name[prefix_length:] for result in results if result.skipped == "identical"],
        [path[prefix_length:] for path in removed],
        [path[prefix_length:] for path in renamed],
        TransferReport([*sent, *(one for one in results if one.skipped == "name")], results.seconds),
        {path[prefix_length:]: info for path, info in remote_files.items() if path not in removed},
    )


def list_directory(self: "ClientProtocol", target: "Remote" = "/") -> "List[Info]":
    """Return what is in a directory, all pages of it, in the server's order.

    :param target: path on the server.
    :raises NotFound: there is no such directory.

    Source: SmartFile protocol, section 5.
    """
    from smartxfer.smartfile.paths import normalize

    return list(self._api.iter_directory(normalize(target)))


def info(self: "ClientProtocol", source: "Remote") -> "Info":
    """Return what the server knows of a file or directory.

    :param source: path on the server.
    :raises NotFound: there is none.

    Source: SmartFile protocol, sections 3 and 5.
    """
    from smartxfer.smartfile.paths import normalize

    return self._api.stat(normalize(source))


def exists(self: "ClientProtocol", source: "Remote") -> bool:
    """Return True if there is a file or directory.

    :param source: path on the server.
    """
    from smartxfer.smartfile.paths import normalize

    return self._api.find(normalize(source)) is not None


def remove(
    self: "ClientProtocol",
    target: "Remotes",
    *,
    timeout: float = TASK_TIMEOUT,
    progress: "WaitProgress[Task]" = None,
) -> None:
    """Remove a file, or a directory with all that is in it, or several; wait until it is done (section 5).

    :param target: path on the server, or several.
    :param timeout: seconds to wait for the server.
    :param progress: None, True for a line, a label for it, or a callable that takes each Task.
    :raises NotFound: there is no such path.
    :raises TaskFailed: some could not be removed.
    """
    from smartxfer.smartfile.paths import normalize_all

    paths = normalize_all(target)
    if "/" in paths:
        raise UsageError("the root directory is not removed", hint="remove what is in it")
    run_task(self, "remove", timeout, progress, path=paths)


def run_task(
    client: "ClientProtocol", operation: str, timeout: float, progress: "WaitProgress[Task]", **fields: Any
) -> "Task":
    """Start an operation, and wait until it is done."""
    from smartxfer.validation import validate_seconds

    validate_seconds(timeout, "timeout")
    with make_task_reporter(progress) as seen:
        return client._api.wait_for_task(client._api.start_task(operation, **fields), timeout, seen)


def make_task_reporter(progress: "WaitProgress[Task]") -> "WaitReporter":
    """Return what shows each state of a task."""
    from smartxfer.transfer.progress import WaitReporter

    return WaitReporter(progress, lambda state: (f"task {state.uuid[:8]}", state.status.lower()))
