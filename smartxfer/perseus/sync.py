"""A directory and what the service has of it.

Source: Perseus protocol, section A.4, Find.
"""

from typing import Any, Dict, List, Optional, Sequence

import attrs

from smartxfer.perseus.api import PerseusApi
from smartxfer.perseus.models import File, FileStatus
from smartxfer.perseus.upload import clear_sent_journal, compute_sha256, select_most_complete
from smartxfer.transfer.local_files import LocalFile, collect_directory_files
from smartxfer.transfer.result import FileResult, SyncReport, TransferReport
from smartxfer.transfer.selection import EVERYTHING, Selection

__all__ = ["SyncPlan", "plan_sync"]


@attrs.frozen
class SyncPlan:
    """What is to be sent, and what is there already."""

    items: List[LocalFile]
    names: List[str]
    existing: Dict[str, File]

    def build_report(self, uploaded: Optional[Sequence[File]] = None) -> SyncReport:
        """Return the plan as a report.

        :param uploaded: the records of what was sent; None of a dry run.
        """
        results = [FileResult(name, item.path, item.size) for item, name in zip(self.items, self.names)]
        if uploaded is not None:
            results = [attrs.evolve(file.result, item=file) for file in uploaded if file.result is not None]
        return SyncReport(
            self.names,
            skipped=sorted(self.existing),
            results=TransferReport(results),
            files={**self.existing, **dict(zip(self.names, uploaded or []))},
        )


def plan_sync(
    api: PerseusApi,
    directory: Any,
    dry_run: bool = False,
    follow_symlinks: bool = False,
    selection: Selection = EVERYTHING,
) -> SyncPlan:
    """Compare a directory with the service: by content, for it knows no directories.

    :param dry_run: whether journals of broken runs stay that had sent what is there.
    :param selection: which files of the directory are meant.
    """
    items = collect_directory_files(directory, follow_symlinks, selection)
    plan = SyncPlan([], [], {})
    known: Dict[str, Any] = {}
    for item in items:
        digest = compute_sha256(item)
        if digest not in known:
            known[digest] = select_most_complete(api.find(sourceHashes=[digest]))
        name, record = item.name, known[digest]
        if record is not None and record.status == FileStatus.UPLOADED:
            plan.existing[name] = record
            if not dry_run:
                clear_sent_journal(api, digest, name)
        else:
            plan.items.append(item)
            plan.names.append(name)
    return plan
