"""The verbs that all clients share, as methods: ``list``, ``info``, ``exists``, ``remove``, ``sync``.

Source: NRP / Invenio protocol, section 5.
"""

from typing import TYPE_CHECKING, Any, List, Mapping, Optional

from smartxfer.errors import NotFound
from smartxfer.nrp.defaults import AUTO
from smartxfer.secret_text import hides_arguments
from smartxfer.system_text import FilePath

if TYPE_CHECKING:
    from smartxfer.nrp.models import File
    from smartxfer.nrp.targets import FileTarget, RecordTarget, Repository
    from smartxfer.transfer.progress import Progress
    from smartxfer.transfer.protocols import Cancel
    from smartxfer.transfer.result import SyncReport
    from smartxfer.transfer.selection import Patterns

__all__ = ["exists", "info", "list_files", "remove", "sync"]


@hides_arguments(links=("target",))
def list_files(self: "Repository", target: "RecordTarget") -> "List[File]":
    """Every file of a record, pending ones too.

    :param target: the Record, its id or its address.
    :raises NotFound: there is no such record, or it is not for this caller to see.

    Source: NRP / Invenio protocol, section 5.
    """
    from smartxfer.nrp.targets import record_only

    return self.files.list(record_only(target))


@hides_arguments(links=("source",))
def info(self: "Repository", source: "FileTarget") -> "File":
    """Return what the repository knows of a file.

    :param source: ``"RECORD/KEY"``, a File, or its address.
    :raises NotFound: there is no such file.

    Source: NRP / Invenio protocol, section 5.
    """
    from smartxfer.nrp.targets import file_of

    return self.files.read(*file_of(source))


@hides_arguments(links=("source",))
def exists(self: "Repository", source: "FileTarget") -> bool:
    """Return True if a record has a file, complete or not; False also where there is no such record.

    :param source: ``"RECORD/KEY"``, a File, or its address.
    """
    try:
        info(self, source)
    except NotFound:
        return False
    return True


@hides_arguments(links=("target",))
def remove(self: "Repository", target: "FileTarget") -> None:
    """Delete a file of a draft.

    :param target: ``"RECORD/KEY"``, a File, or its address.  ``files.delete_all(draft)`` deletes all files.
    :raises NotFound: there is no such file.
    :raises UsageError: no file is named.

    Source: NRP / Invenio protocol, section 5.
    """
    from smartxfer.nrp.targets import file_of

    self.files.delete(*file_of(target))


@hides_arguments(links=("target",))
def sync(
    self: "Repository",
    source: FilePath,
    target: "RecordTarget",
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
    metadata: Optional[Mapping[str, Any]] = None,
    transfer_type: str = AUTO,
) -> "SyncReport":
    """Make the files of a draft those of a directory; what is the same by its MD5 is left alone.

    :param source: local directory; keys are the paths of its files, relative to it.
    :param target: the draft: its Record, id or address.
    :param delete: delete files of the draft that the directory does not have.
    :param max_delete: largest share of the draft's files that ``delete`` may delete; else UsageError.
    :param include: glob patterns of the files that are meant, on both sides; None for all.
    :param exclude: glob patterns of files and directories that are left out, on both sides.
    :param follow_symlinks: send what symbolic links lead to; by default they are skipped.
    :param dry_run: change nothing; the report tells what would be done.
    :param max_workers: files at a time; None: as many as the client is set to.
    :param metadata: of the files that are sent.
    :raises BatchError: some of several files failed; ``.results`` tells which.  Nothing was deleted.

    Otherwise like :meth:`upload`.  Source: NRP / Invenio protocol, section 5.
    """
    from smartxfer.nrp.file_metadata import given_metadata
    from smartxfer.nrp.file_work import Watch
    from smartxfer.nrp.targets import record_only
    from smartxfer.nrp.transfers import how
    from smartxfer.transfer.selection import Selection

    return self._work.sync(
        record_only(target), source, how(transfer_type), given_metadata(metadata),
        Watch(progress, cancel, deadline, max_workers),
        dry_run=dry_run, delete=delete, max_delete=max_delete, follow_symlinks=follow_symlinks,
        selection=Selection(include, exclude),
    )  # fmt: skip
