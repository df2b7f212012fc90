"""A local directory and one on the server: what differs is sent, the rest is left alone.

Source: SmartFile protocol, sections 5, 7 and 9.
"""

import collections
import functools
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from smartxfer import delta
from smartxfer.errors import NotFound, SmartxferError
from smartxfer.smartfile import trees
from smartxfer.smartfile.calls import Calls
from smartxfer.smartfile.errors import SmartFileNotFound
from smartxfer.smartfile.models import Info
from smartxfer.smartfile.paths import join, normal
from smartxfer.smartfile.resync import ALGORITHM, Resync
from smartxfer.smartfile.same_content import same_content
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.result import FileResult, log_sync
from smartxfer.transfer.tree import Item

__all__ = ["files_on_server", "log_summary", "planned", "send_tree", "tried", "unchanged"]


def send_tree(
    calls: Calls,
    operation: Operation,
    tree: trees.TreeUp,
    there: Dict[str, Info],
    resync: Resync,
    dry_run: bool,
) -> List[FileResult]:
    """Bring a directory on the server up to date with a local one; nothing there is removed.

    :param calls: those of the operation.
    :param there: the files below the directory on the server, by path.
    :return: one result per file, failed ones included, and of those that are not sent the reason.
    """
    tree.leave_renamed(calls, there.__contains__)
    pairs = [(item, path, there.get(path)) for item, path in tree.pairs]
    same = operation.call(lambda: same_content(calls, [(_path(item), info) for item, _, info in pairs]))
    if not dry_run:
        operation.call(lambda: trees.make_directories(calls, [tree.path, *tree.folders]))
    results = []
    for item, path, info in pairs:
        if path in same:
            results.append(unchanged(path, _path(item), item.size, same[path]))
        elif dry_run:
            results.append(planned(path, _path(item), item.size, info))
        else:
            results.append(tried(functools.partial(resync.up, item, path, info), path))
    for item, path, reason in tree.skipped:
        results.append(FileResult(path, item.path, item.size, skipped=reason, method="none"))
    return results


def files_on_server(calls: Calls, path: str, missing: bool = True) -> Dict[str, Info]:
    """The files below a directory of the server, by path; none where there is no directory.

    :param missing: False takes a directory that is missing for an error.
    """
    try:
        found = {normal(info.path): info for _, _, files in trees.walk(calls, path) for info in files}
    except NotFound:
        if not missing:
            raise
        return {}
    outside = [name for name in found if not name.startswith(join(path, "x")[:-1])]
    if outside:
        raise SmartFileNotFound(f"{outside[0]} does not lie below {path}")
    return found


def unchanged(name: str, path: Path, size: int, digest: str) -> FileResult:
    """Return the result of a file that is the same on both sides."""
    found = f"{ALGORITHM}:{digest}"
    return FileResult(
        name, path, size, digest=found, verified=ALGORITHM, skipped="identical", method="none"
    )


def planned(name: str, path: Path, size: int, there: Optional[Info]) -> FileResult:
    """Return the result of a file in a dry run: it would be moved.

    :param there: the file that would be brought up to date; None where there is none.
    """
    method = "delta" if there is not None and delta.available() else "plain"
    return FileResult(name, path, size, method=method)


def tried(step: Any, name: str) -> FileResult:
    """The result of a step; of a failed one, what failed."""
    try:
        result: FileResult = step()
    except (SmartxferError, OSError) as error:
        return FileResult(name, error=error, method="plain")
    return result


def log_summary(what: Any, results: Sequence[FileResult]) -> None:
    """Log how many files were moved, and how."""
    methods = collections.Counter(one.method for one in results if one.error is None)
    counts = {"by_delta": methods["delta"], "whole": methods["plain"], "unchanged": methods["none"]}
    log_sync(what, **counts, failed=len(results) - sum(methods.values()))


def _path(item: Item) -> Path:
    assert item.path is not None  # directories hold nothing else
    return item.path
