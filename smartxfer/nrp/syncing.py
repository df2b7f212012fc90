"""A directory and the files of a draft: what differs.

Source: NRP / Invenio protocol, section 5.
"""

import contextlib
from typing import Any, Dict, List

import attrs

from smartxfer.nrp.calls import Calls
from smartxfer.nrp.file_calls import FileCalls
from smartxfer.nrp.keys import checked
from smartxfer.nrp.memory import forget_completed
from smartxfer.nrp.models import File, FileStatus
from smartxfer.transfer.digest import digest_of_source
from smartxfer.transfer.renamed import Renamed
from smartxfer.transfer.result import FileResult, SyncReport, TransferReport, log_sync
from smartxfer.transfer.selection import EVERYTHING, Selection
from smartxfer.transfer.tree import Item, files_below

__all__ = ["SyncPlan", "origin_of", "sync"]


@attrs.frozen
class SyncPlan:
    """What is to be done.

    :param items: what is to be sent.
    :param replaced: keys of those that stand in the repository in another state.
    :param skipped: keys that are right already.
    :param extra: keys that the directory does not have.
    :param renamed: keys whose file has another name in the directory.
    :param known: what the repository has of those that are right already.
    """

    items: List[Item]
    replaced: List[str]
    skipped: List[str]
    extra: List[str]
    renamed: List[str]
    known: Dict[str, File] = attrs.field(factory=dict)

    def result(self, delete: bool) -> SyncReport:
        """Return the plan as a report."""
        results = [FileResult(item.name, item.path, item.size) for item in self.items]
        return self._report(delete, TransferReport(results), self.known)

    def done(self, delete: bool, directory: Any, sent: TransferReport) -> SyncReport:
        """Return the report of what was done, and log its summary."""
        files = {**self.known, **{result.name: result.item for result in sent}}
        report = self._report(delete, sent, files)
        log_sync(
            directory,
            uploaded=len(report.uploaded),
            replaced=len(report.replaced),
            skipped=len(report.skipped),
            deleted=len(report.deleted),
            renamed=len(report.renamed),
        )
        return report

    def _report(self, delete: bool, results: TransferReport, files: Dict[str, File]) -> SyncReport:
        return SyncReport(
            [item.name for item in self.items if item.name not in self.replaced],
            self.replaced,
            self.skipped,
            self.extra if delete else [],
            self.renamed,
            results,
            files,
        )


def origin_of(calls: Calls) -> str:
    """The repository, as downloads note where a file came from."""
    return f"nrp {calls.api}"


def sync(
    files: FileCalls,
    directory: Any,
    dry_run: bool = False,
    follow_symlinks: bool = False,
    selection: Selection = EVERYTHING,
) -> SyncPlan:
    """Compare a directory with the files of a draft.

    :param dry_run: whether journals of broken runs stay that had completed what is there.
    :param selection: which files are meant, on both sides.
    """
    items = files_below(directory, follow_symlinks, selection)
    for item in items:
        checked(item.name)
    there = {file.key: file for file in files.list()}
    plan = SyncPlan([], [], [], [], [])
    renamed = Renamed(origin_of(files.calls), there.__contains__)
    for item in items:
        original = renamed.original(item, item.name)
        if original is not None:
            plan.renamed.append(original)
            continue
        known = there.get(item.name)
        if known is not None and _same(item, known):
            plan.skipped.append(item.name)
            plan.known[item.name] = known
            if not dry_run:
                forget_completed(files.base, known)
            continue
        plan.items.append(item)
        if known is not None:
            plan.replaced.append(item.name)
    plan.extra[:] = sorted(
        key for key in set(there) - {item.name for item in items} - set(plan.renamed) if selection.takes(key)
    )
    return plan


def _same(item: Item, file: File) -> bool:
    if file.status != FileStatus.COMPLETED or file.size != item.size or file.md5 is None:
        return False
    with contextlib.closing(item.open_unchanged()) as source:
        return digest_of_source(source, "md5") == file.md5
