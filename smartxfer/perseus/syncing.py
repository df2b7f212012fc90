"""A directory and what the service has of it.

Source: Perseus protocol, section A.4, Find.
"""

from typing import Any, Dict, List, Optional, Sequence

import attrs

from smartxfer.perseus.calls import Calls
from smartxfer.perseus.models import File, FileStatus
from smartxfer.perseus.uploading import best, forget_sent, hashed
from smartxfer.transfer.result import FileResult, SyncReport, TransferReport
from smartxfer.transfer.selection import EVERYTHING, Selection
from smartxfer.transfer.tree import Item, files_below

__all__ = ["SyncPlan", "missing_of"]


@attrs.frozen
class SyncPlan:
    """What is to be sent, and what is there already."""

    items: List[Item]
    names: List[str]
    there: Dict[str, File]

    def result(self, sent: Optional[Sequence[File]] = None) -> SyncReport:
        """Return the plan as a report.

        :param sent: the records of what was sent; None of a dry run.
        """
        results = [FileResult(name, item.path, item.size) for item, name in zip(self.items, self.names)]
        if sent is not None:
            results = [attrs.evolve(file.result, item=file) for file in sent if file.result is not None]
        return SyncReport(
            self.names,
            skipped=sorted(self.there),
            results=TransferReport(results),
            files={**self.there, **dict(zip(self.names, sent or []))},
        )


def missing_of(
    calls: Calls,
    directory: Any,
    dry_run: bool = False,
    follow_symlinks: bool = False,
    selection: Selection = EVERYTHING,
) -> SyncPlan:
    """Compare a directory with the service: by content, for it knows no directories.

    :param dry_run: whether journals of broken runs stay that had sent what is there.
    :param selection: which files of the directory are meant.
    """
    items = files_below(directory, follow_symlinks, selection)
    plan = SyncPlan([], [], {})
    known: Dict[str, Any] = {}
    for item in items:
        digest = hashed(item)
        if digest not in known:
            known[digest] = best(calls.find(sourceHashes=[digest]))
        name, record = item.name, known[digest]
        if record is not None and record.status == FileStatus.UPLOADED:
            plan.there[name] = record
            if not dry_run:
                forget_sent(calls, digest, name)
        else:
            plan.items.append(item)
            plan.names.append(name)
    return plan
