"""Update of a directory on the server: only files that differ from the local ones are sent.

Source: SmartFile protocol, sections 5, 7 and 9.
"""

import collections
import functools
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from smartxfer import delta
from smartxfer.error_hints import PROTOCOL_HINT
from smartxfer.errors import NotFound, SmartxferError
from smartxfer.smartfile import trees
from smartxfer.smartfile.api import SmartFileApi
from smartxfer.smartfile.content_comparison import find_identical_files
from smartxfer.smartfile.delta_sync import CHECKSUM_ALGORITHM, DeltaSync
from smartxfer.smartfile.errors import SmartFileNotFound
from smartxfer.smartfile.models import Info
from smartxfer.smartfile.paths import join, normalize
from smartxfer.transfer.local_files import LocalFile
from smartxfer.transfer.result import FileResult, log_sync
from smartxfer.transfer.runner import TransferRunner

__all__ = [
    "list_remote_files", "log_summary", "planned_result", "result_or_error", "sync_tree",
    "unchanged_result",
]  # fmt: skip


def sync_tree(
    api: SmartFileApi,
    runner: TransferRunner,
    tree: trees.TreeUpload,
    remote_files: Dict[str, Info],
    delta_sync: DeltaSync,
    dry_run: bool,
) -> List[FileResult]:
    """Update a directory on the server with the files of a local one; nothing is removed.

    :param api: the API, bound to the runner.
    :param remote_files: the files below the directory on the server, by path.
    :return: one result per file; files that failed or were skipped are included.
    """
    tree.skip_renamed(api, remote_files.__contains__)
    pairs = [(item, path, remote_files.get(path)) for item, path in tree.pairs]
    identical = runner.run_one(
        lambda: find_identical_files(api, [(_require_path(item), info) for item, _, info in pairs])
    )
    if not dry_run:
        runner.run_one(lambda: trees.make_directories(api, [tree.path, *tree.directories]))
    results = []
    for item, path, info in pairs:
        if path in identical:
            results.append(unchanged_result(path, _require_path(item), item.size, identical[path]))
        elif dry_run:
            results.append(planned_result(path, _require_path(item), item.size, info))
        else:
            results.append(result_or_error(functools.partial(delta_sync.upload, item, path, info), path))
    for item, path, reason in tree.skipped:
        results.append(FileResult(path, item.path, item.size, skipped=reason, method="none"))
    return results


def list_remote_files(api: SmartFileApi, path: str, allow_missing: bool = True) -> Dict[str, Info]:
    """Return the files below a directory on the server, by path.

    :param allow_missing: return nothing for a missing directory instead of raising NotFound.
    """
    try:
        by_path = {normalize(info.path): info for _, _, files in trees.walk(api, path) for info in files}
    except NotFound:
        if not allow_missing:
            raise
        return {}
    outside = [name for name in by_path if not name.startswith(join(path, "x")[:-1])]
    if outside:
        raise SmartFileNotFound(
            f"the server lists {outside[0]}, which is not below {path}", hint=PROTOCOL_HINT
        )
    return by_path


def unchanged_result(name: str, path: Path, size: int, digest: str) -> FileResult:
    """Return the result of a file that is the same on both sides."""
    return FileResult(
        name,
        path,
        size,
        digest=f"{CHECKSUM_ALGORITHM}:{digest}",
        verified=CHECKSUM_ALGORITHM,
        skipped="identical",
        method="none",
    )


def planned_result(name: str, path: Path, size: int, remote_info: Optional[Info]) -> FileResult:
    """Return the result of a file that a dry run would transfer.

    :param remote_info: the file that would be updated; None if it does not exist.
    """
    method = "delta" if remote_info is not None and delta.available() else "plain"
    return FileResult(name, path, size, method=method)


def result_or_error(action: Any, name: str) -> FileResult:
    """Return the result of an action, or a result with its error."""
    try:
        result: FileResult = action()
    except (SmartxferError, OSError) as error:
        return FileResult(name, error=error, method="plain")
    return result


def log_summary(directory: Any, results: Sequence[FileResult]) -> None:
    """Log the numbers of files by transfer method."""
    methods = collections.Counter(result.method for result in results if result.error is None)
    counts = {"by_delta": methods["delta"], "whole": methods["plain"], "unchanged": methods["none"]}
    log_sync(directory, **counts, failed=len(results) - sum(methods.values()))


def _require_path(item: LocalFile) -> Path:
    assert item.path is not None  # files of a directory have a path
    return item.path
