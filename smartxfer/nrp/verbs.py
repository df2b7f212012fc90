"""Methods that all clients share: ``list``, ``info``, ``exists``, ``remove``, ``sync``.

Source: NRP / Invenio protocol, section 5.
"""

from typing import TYPE_CHECKING, Any, List, Mapping, Optional

from smartxfer.errors import NotFound
from smartxfer.nrp.defaults import AUTO
from smartxfer.os_text import FilePath
from smartxfer.secret_text import hide_arguments

if TYPE_CHECKING:
    from smartxfer.nrp.models import File
    from smartxfer.nrp.targets import FileTarget, RecordTarget, RepositoryClientProtocol
    from smartxfer.transfer.progress import Progress
    from smartxfer.transfer.protocols import Cancel
    from smartxfer.transfer.result import SyncReport
    from smartxfer.transfer.selection import Patterns

__all__ = ["exists", "info", "list_files", "remove", "sync"]


@hide_arguments(links=("target",))
def list_files(self: "RepositoryClientProtocol", target: "RecordTarget") -> "List[File]":
    """Return all files of a record, including pending ones.

    :param target: the Record, its id or its URL.
    :raises NotFound: the record does not exist, or is not visible to the caller.

    Source: NRP / Invenio protocol, section 5.
    """
    from smartxfer.nrp.targets import parse_record_target

    return self.files.list(parse_record_target(target))


@hide_arguments(links=("source",))
def info(self: "RepositoryClientProtocol", source: "FileTarget") -> "File":
    """Return the File.

    :param source: ``"RECORD/KEY"``, a File, or its URL.
    :raises NotFound: the file does not exist.

    Source: NRP / Invenio protocol, section 5.
    """
    from smartxfer.nrp.targets import parse_file_target

    return self.files.read(*parse_file_target(source))


@hide_arguments(links=("source",))
def exists(self: "RepositoryClientProtocol", source: "FileTarget") -> bool:
    """Return True if a file exists, complete or not; False also if the record does not exist.

    :param source: ``"RECORD/KEY"``, a File, or its URL.
    """
    try:
        info(self, source)
    except NotFound:
        return False
    return True


@hide_arguments(links=("target",))
def remove(self: "RepositoryClientProtocol", target: "FileTarget") -> None:
    """Delete a file of a draft.

    :param target: ``"RECORD/KEY"``, a File, or its URL.  ``files.delete_all(draft)`` deletes all files.
    :raises NotFound: the file does not exist.
    :raises UsageError: the target is not a file.

    Source: NRP / Invenio protocol, section 5.
    """
    from smartxfer.nrp.targets import parse_file_target

    self.files.delete(*parse_file_target(target))


@hide_arguments(links=("target",))
def sync(
    self: "RepositoryClientProtocol",
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
    """Update the files of a draft with those of a directory; files with the same MD5 are not uploaded.

    :param source: local directory; keys are the paths of its files, relative to it.
    :param target: the draft: its Record, id or URL.
    :param delete: delete files of the draft that are not in the directory.
    :param max_delete: largest share of the draft's files that ``delete`` may delete; else UsageError.
    :param include: glob patterns of the files to consider on both sides; None for all.
    :param exclude: glob patterns of files and directories that are ignored on both sides.
    :param follow_symlinks: upload the targets of symbolic links; by default they are skipped.
    :param dry_run: change nothing; report what would be done.
    :param max_workers: maximum number of concurrent files; None: the client's setting.
    :param metadata: metadata of the uploaded files.
    :raises BatchError: some of several files failed, and nothing was deleted; see ``.results``.

    Otherwise like :meth:`upload`.  Source: NRP / Invenio protocol, section 5.
    """
    from smartxfer.nrp.file_metadata import validate_metadata
    from smartxfer.nrp.file_transfers import RunOptions
    from smartxfer.nrp.targets import parse_record_target
    from smartxfer.nrp.transfer_modes import parse_transfer_mode
    from smartxfer.transfer.selection import Selection

    return self._file_transfers.sync(
        parse_record_target(target), source, parse_transfer_mode(transfer_type), validate_metadata(metadata),
        RunOptions(progress, cancel, deadline, max_workers),
        dry_run=dry_run, delete=delete, max_delete=max_delete, follow_symlinks=follow_symlinks,
        selection=Selection(include, exclude),
    )  # fmt: skip
