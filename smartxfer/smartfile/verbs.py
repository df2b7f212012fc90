"""Methods that all clients share: ``list``, ``info``, ``exists``, ``remove``, ``sync``.

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
    """Update a directory on the server with a local one; files with the same SHA-256 are not transferred.

    Of files that differ, only the changed parts are sent if librsync is installed and this saves bytes.
    ``SyncClient`` also synchronises in the other direction.

    :param source: local directory.
    :param target: directory on the server, created if missing.
    :param delete: remove files on the server that do not exist in the local directory.
    :param max_delete: largest share of the files on the server that ``delete`` may remove; else UsageError.
    :param include: glob patterns of the files to consider on both sides; None for all.
    :param exclude: glob patterns of files and directories that are ignored on both sides.
    :param follow_symlinks: upload the targets of symbolic links; by default they are skipped.
    :param dry_run: change nothing; report what would be done.
    :param max_workers: maximum number of concurrent parts; None: the client's setting.
    :raises BatchError: some of several files failed, and nothing was removed; see ``.results``.

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
        api = self._api.with_runner(runner)
        remote_files = runner.run_one(lambda: list_remote_files(api, tree.path))
        tree.skip_renamed(api, remote_files.__contains__)
        local_paths = {path for _, path in tree.pairs} | tree.renamed
        extra = [
            path
            for path in remote_files
            if path not in local_paths and selection.includes(path[len(prefix) :])
        ]
        extra = extra if delete else []
        validate_deletion(extra, len(remote_files), len(local_paths), max_delete)
        delta_sync = DeltaSync(self._api, runner, max_workers or self._max_workers, delta.available())
        results = raise_for_errors(sync_tree(api, runner, tree, remote_files, delta_sync, dry_run), runner)
        if extra and not dry_run:
            runner.run_one(lambda: api.wait_for_task(api.start_task("remove", path=extra)))
        if not dry_run:
            log_summary(source, results)
        return _build_report(results, remote_files, extra, sorted(tree.renamed), len(prefix))


def _build_report(
    results: "TransferReport", remote_files: Any, removed: List[str], renamed: List[str], prefix_length: int
) -> "SyncReport":
    """Return the report of a synchronisation.

    :param prefix_length: number of characters to remove from paths to make them relative to the directory.
    """
    from smartxfer.transfer.result import SyncReport, TransferReport

    sent = [result for result in results if result.skipped is None]
    return SyncReport(
        [result.name[prefix_length:] for result in sent if result.name not in remote_files],
        [result.name[prefix_length:] for result in sent if result.name in remote_files],
        [result.name[prefix_length:] for result in results if result.skipped == "identical"],
        [path[prefix_length:] for path in removed],
        [path[prefix_length:] for path in renamed],
        TransferReport(
            [*sent, *(invalid for invalid in results if invalid.skipped == "name")], results.seconds
        ),
        {path[prefix_length:]: info for path, info in remote_files.items() if path not in removed},
    )


def list_directory(self: "ClientProtocol", target: "Remote" = "/") -> "List[Info]":
    """Return the entries of a directory, in the server's order.

    :param target: path on the server.
    :raises NotFound: the directory does not exist.

    Source: SmartFile protocol, section 5.
    """
    from smartxfer.smartfile.paths import normalize

    return list(self._api.iter_directory(normalize(target)))


def info(self: "ClientProtocol", source: "Remote") -> "Info":
    """Return the Info of a file or directory.

    :param source: path on the server.
    :raises NotFound: the path does not exist.

    Source: SmartFile protocol, sections 3 and 5.
    """
    from smartxfer.smartfile.paths import normalize

    return self._api.stat(normalize(source))


def exists(self: "ClientProtocol", source: "Remote") -> bool:
    """Return True if a file or directory exists.

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
    """Remove files or directories with their contents, and wait for the task (section 5).

    :param target: path on the server, or several.
    :param timeout: seconds to wait for the server.
    :param progress: None, True for a status line, a label for it, or a callable that receives each Task.
    :raises NotFound: a path does not exist.
    :raises TaskFailed: some paths could not be removed.
    """
    from smartxfer.smartfile.paths import normalize_all

    paths = normalize_all(target)
    if "/" in paths:
        raise UsageError("the root directory cannot be removed", hint="pass the paths of its entries")
    run_task(self, "remove", timeout, progress, path=paths)


def run_task(
    client: "ClientProtocol", operation: str, timeout: float, progress: "WaitProgress[Task]", **fields: Any
) -> "Task":
    """Start a task on the server, and wait until it is done."""
    from smartxfer.validation import validate_seconds

    validate_seconds(timeout, "timeout")
    with make_task_reporter(progress) as report:
        return client._api.wait_for_task(client._api.start_task(operation, **fields), timeout, report)


def make_task_reporter(progress: "WaitProgress[Task]") -> "WaitReporter":
    """Return a reporter that shows each state of a task."""
    from smartxfer.transfer.progress import WaitReporter

    return WaitReporter(progress, lambda state: (f"task {state.uuid[:8]}", state.status.lower()))
