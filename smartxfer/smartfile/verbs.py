"""The verbs that all clients share, as methods: ``list``, ``info``, ``exists``, ``remove``, ``sync``.

Source: SmartFile protocol, sections 5 and 7.
"""

from typing import TYPE_CHECKING, Any, List, Optional

from smartxfer.errors import UsageError
from smartxfer.smartfile.defaults import TASK_TIMEOUT
from smartxfer.system_text import FilePath

if TYPE_CHECKING:
    from smartxfer.smartfile.account import Account
    from smartxfer.smartfile.models import Info, Remote, Remotes, Task
    from smartxfer.transfer.progress import Progress, WaitProgress, WaitReporter
    from smartxfer.transfer.protocols import Cancel
    from smartxfer.transfer.result import SyncReport, TransferReport
    from smartxfer.transfer.selection import Patterns

__all__ = ["done", "exists", "info", "list_directory", "remove", "sync", "task_reporter"]


def sync(
    self: "Account",
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
    from smartxfer.smartfile.directory_sync import files_on_server, log_summary, send_tree
    from smartxfer.smartfile.paths import join, normal
    from smartxfer.smartfile.resync import Resync
    from smartxfer.transfer.deletion import check_deletion
    from smartxfer.transfer.result import settle
    from smartxfer.transfer.selection import Selection

    selection = Selection(include, exclude)
    tree = trees.TreeUp(source, normal(target), follow_symlinks, selection)
    prefix = join(tree.path, "x")[:-1]
    with self._operation(progress, cancel, deadline, max_workers) as operation:
        calls = self._calls.watched(operation)
        there = operation.call(lambda: files_on_server(calls, tree.path))
        tree.leave_renamed(calls, there.__contains__)
        here = {path for _, path in tree.pairs} | tree.renamed
        extra = [path for path in there if path not in here and selection.takes(path[len(prefix) :])]
        extra = extra if delete else []
        check_deletion(extra, len(there), len(here), max_delete)
        resync = Resync(self._calls, operation, max_workers or self._max_workers, delta.available())
        done = settle(send_tree(calls, operation, tree, there, resync, dry_run), operation)
        if extra and not dry_run:
            operation.call(lambda: calls.wait(calls.start("remove", path=extra)))
        if not dry_run:
            log_summary(source, done)
        return _report(done, there, extra, sorted(tree.renamed), len(prefix))


def _report(
    done: "TransferReport", there: Any, extra: List[str], renamed: List[str], cut: int
) -> "SyncReport":
    """Return the report of a synchronisation.

    :param cut: characters of the paths before the names relative to the directory.
    """
    from smartxfer.transfer.result import SyncReport, TransferReport

    sent = [result for result in done if result.skipped is None]
    return SyncReport(
        [result.name[cut:] for result in sent if result.name not in there],
        [result.name[cut:] for result in sent if result.name in there],
        [result.name[cut:] for result in done if result.skipped == "identical"],
        [path[cut:] for path in extra],
        [path[cut:] for path in renamed],
        TransferReport([*sent, *(one for one in done if one.skipped == "name")], done.seconds),
        {path[cut:]: info for path, info in there.items() if path not in extra},
    )


def list_directory(self: "Account", target: "Remote" = "/") -> "List[Info]":
    """Return what is in a directory, all pages of it, in the server's order.

    :param target: path on the server.
    :raises NotFound: there is no such directory.

    Source: SmartFile protocol, section 5.
    """
    from smartxfer.smartfile.paths import normal

    return list(self._calls.children(normal(target)))


def info(self: "Account", source: "Remote") -> "Info":
    """Return what the server knows of a file or directory.

    :param source: path on the server.
    :raises NotFound: there is none.

    Source: SmartFile protocol, sections 3 and 5.
    """
    from smartxfer.smartfile.paths import normal

    return self._calls.stat(normal(source))


def exists(self: "Account", source: "Remote") -> bool:
    """Return True if there is a file or directory.

    :param source: path on the server.
    """
    from smartxfer.smartfile.paths import normal

    return self._calls.find(normal(source)) is not None


def remove(
    self: "Account",
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
    from smartxfer.smartfile.paths import all_paths

    paths = all_paths(target)
    if "/" in paths:
        raise UsageError("the root directory is not removed", hint="remove what is in it")
    done(self, "remove", timeout, progress, path=paths)


def done(
    client: "Account", operation: str, timeout: float, progress: "WaitProgress[Task]", **fields: Any
) -> "Task":
    """Start an operation, and wait until it is done."""
    from smartxfer.options import check_seconds

    check_seconds(timeout, "timeout")
    with task_reporter(progress) as seen:
        return client._calls.wait(client._calls.start(operation, **fields), timeout, seen)


def task_reporter(progress: "WaitProgress[Task]") -> "WaitReporter":
    """Return what shows each state of a task."""
    from smartxfer.transfer.progress import WaitReporter

    return WaitReporter(progress, lambda state: (f"task {state.uuid[:8]}", state.status.lower()))
