"""Comparison of a local directory with the files of a draft.

Source: NRP / Invenio protocol, section 5.
"""

import contextlib
from typing import Any, Dict, List

import attrs

from smartxfer.nrp.api import RepositoryApi
from smartxfer.nrp.files_api import FilesApi
from smartxfer.nrp.keys import validate_key
from smartxfer.nrp.models import File, FileStatus
from smartxfer.nrp.upload_journal import delete_completed_journal
from smartxfer.transfer.digest import compute_source_digest
from smartxfer.transfer.local_files import LocalFile, collect_directory_files
from smartxfer.transfer.renamed_files import RenamedFiles
from smartxfer.transfer.result import FileResult, SyncReport, TransferReport, log_sync
from smartxfer.transfer.selection import EVERYTHING, Selection

__all__ = ["SyncPlan", "get_repository_label", "plan_sync"]


@attrs.frozen
class SyncPlan:
    """Plan of a synchronisation.

    :param to_upload: files to upload.
    :param replaced: keys of those that exist in the repository with other content.
    :param skipped: keys of files that are already up to date.
    :param extra: keys in the repository that the directory does not have.
    :param renamed: keys of files that a download saved under another name.
    :param skipped_files: the repository's Files of ``skipped``, by key.
    """

    to_upload: List[LocalFile]
    replaced: List[str]
    skipped: List[str]
    extra: List[str]
    renamed: List[str]
    skipped_files: Dict[str, File] = attrs.field(factory=dict)

    def build_dry_run_report(self, delete: bool) -> SyncReport:
        """Return the report of a dry run."""
        results = [FileResult(item.name, item.path, item.size) for item in self.to_upload]
        return self._build_report(delete, TransferReport(results), self.skipped_files)

    def build_final_report(self, delete: bool, directory: Any, uploaded: TransferReport) -> SyncReport:
        """Return the report of the synchronisation, and log its summary."""
        files = {**self.skipped_files, **{result.name: result.item for result in uploaded}}
        report = self._build_report(delete, uploaded, files)
        log_sync(
            directory,
            uploaded=len(report.uploaded),
            replaced=len(report.replaced),
            skipped=len(report.skipped),
            deleted=len(report.deleted),
            renamed=len(report.renamed),
        )
        return report

    def _build_report(self, delete: bool, results: TransferReport, files: Dict[str, File]) -> SyncReport:
        return SyncReport(
            [item.name for item in self.to_upload if item.name not in self.replaced],
            self.replaced,
            self.skipped,
            self.extra if delete else [],
            self.renamed,
            results,
            files,
        )


def get_repository_label(api: RepositoryApi) -> str:
    """Return the identifier of the repository in records about the origin of downloaded files."""
    return f"nrp {api.api_url}"


def plan_sync(
    files_api: FilesApi,
    directory: Any,
    dry_run: bool = False,
    follow_symlinks: bool = False,
    selection: Selection = EVERYTHING,
) -> SyncPlan:
    """Compare a directory with the files of a draft.

    :param dry_run: keep the journals of interrupted runs; otherwise those of completed files are removed.
    :param selection: selects files on both sides.
    """
    items = collect_directory_files(directory, follow_symlinks, selection)
    for item in items:
        validate_key(item.name)
    remote_files = {file.key: file for file in files_api.list()}
    plan = SyncPlan([], [], [], [], [])
    renamed = RenamedFiles(get_repository_label(files_api.api), remote_files.__contains__)
    for item in items:
        original = renamed.get_remote_name(item, item.name)
        if original is not None:
            plan.renamed.append(original)
            continue
        remote_file = remote_files.get(item.name)
        if remote_file is not None and _is_unchanged(item, remote_file):
            plan.skipped.append(item.name)
            plan.skipped_files[item.name] = remote_file
            if not dry_run:
                delete_completed_journal(files_api.files_url, remote_file)
            continue
        plan.to_upload.append(item)
        if remote_file is not None:
            plan.replaced.append(item.name)
    plan.extra[:] = sorted(
        key
        for key in set(remote_files) - {item.name for item in items} - set(plan.renamed)
        if selection.includes(key)
    )
    return plan


def _is_unchanged(local_file: LocalFile, file: File) -> bool:
    if file.status != FileStatus.COMPLETED or file.size != local_file.size or file.md5 is None:
        return False
    with contextlib.closing(local_file.open_unchanged()) as source:
        return compute_source_digest(source, "md5") == file.md5
