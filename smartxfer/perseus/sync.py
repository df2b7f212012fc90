"""Comparison of a local directory with the service.

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
    """The files to upload, their names, and the records of the files that the service has, by name."""

    items: List[LocalFile]
    names: List[str]
    existing: Dict[str, File]

    def build_report(self, uploaded: Optional[Sequence[File]] = None) -> SyncReport:
        """Return the plan as a report.

        :param uploaded: the records of the uploaded files; None for a dry run.
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
    """Compare a directory with the service by content, because the service has no directories.

    :param dry_run: keep the journals of interrupted runs; otherwise those of uploaded contents are removed.
    :param selection: selects files of the directory.
    """
    items = collect_directory_files(directory, follow_symlinks, selection)
    plan = SyncPlan([], [], {})
    records: Dict[str, Any] = {}
    for item in items:
        digest = compute_sha256(item)
        if digest not in records:
            records[digest] = select_most_complete(api.find(sourceHashes=[digest]))
        name, record = item.name, records[digest]
        if record is not None and record.status == FileStatus.UPLOADED:
            plan.existing[name] = record
            if not dry_run:
                clear_sent_journal(api, digest, name)
        else:
            plan.items.append(item)
            plan.names.append(name)
    return plan
