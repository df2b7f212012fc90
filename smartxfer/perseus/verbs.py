"""The verbs that all clients share, as methods: all but downloads, which the service does not have.

Names are no keys to files here: the service knows contents, by their SHA-256, and no directories.

Source: Perseus protocol, sections A.3 to A.5.
"""

from typing import TYPE_CHECKING, Any, List, Optional, Protocol, Sequence

from smartxfer.errors import UsageError
from smartxfer.os_text import FilePath

if TYPE_CHECKING:
    from smartxfer._system import Clock
    from smartxfer.perseus.files import FileOrId, FileService
    from smartxfer.perseus.models import File
    from smartxfer.transfer.local_files import FileLike, FilesLike, LocalFile
    from smartxfer.transfer.progress import Progress
    from smartxfer.transfer.protocols import Cancel
    from smartxfer.transfer.result import FileResult, SyncReport, TransferReport
    from smartxfer.transfer.selection import Patterns

__all__ = ["exists", "info", "list_files", "remove", "sync", "upload", "upload_many", "upload_tree"]


class ClientProtocol(Protocol):
    """The client, as far as the verbs need it."""

    _clock: "Clock"

    @property
    def file(self) -> "FileService":
        """The file service."""


def upload(
    self: ClientProtocol,
    source: "FileLike",
    target: Optional[str] = None,
    *,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
    wait: bool = False,
    timeout: float = 3600,
    repair: bool = False,
    grace: float = 5.0,
) -> "FileResult":
    """Send a file; where its content is known, its record is used and nothing is sent.

    :param source: a path, ``(name, thing)``, bytes, or an open binary file.
    :param target: the name that it gets; None: its own.
    :param progress: None, True for a bar, a label, or a callable that takes a ProgressEvent.
    :param cancel: anything with ``is_set()``.
    :param deadline: seconds after which to stop.
    :param wait: return once the service has taken it in; without, the record is mostly ``pending`` yet.
    :param timeout: seconds for that.
    :param repair: delete a record of this content that stays pending, and send.
    :param grace: seconds in which somebody else may end the upload of such a record.
    :return: what became of the file; ``.item`` is its record, whose ``.reused`` says that nothing was sent.
    :raises UploadPendingElsewhere: a record of this content stays pending; ``.file`` is it.
    :raises StorageError: the storage refused the content; the record was deleted again.

    Source: Perseus protocol, section A.5.
    """
    from smartxfer.perseus.files import parse_file

    thing: Any = source
    if target is not None:
        thing = (target, thing[1] if isinstance(thing, tuple) and len(thing) == 2 else thing)
    items, watch = [parse_file(thing)], (progress, cancel, deadline, None)
    return _build_results(items, self.file._upload_and_wait(items, wait, timeout, repair, grace, watch))[0]


def upload_many(
    self: ClientProtocol,
    sources: "FilesLike",
    target: None = None,
    *,
    max_workers: Optional[int] = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
    wait: bool = False,
    timeout: float = 3600,
    repair: bool = False,
    grace: float = 5.0,
) -> "TransferReport":
    """Send several files at a time; those of the same content once.

    :param sources: one source or several, as for :meth:`upload`; a directory means the files in it.  For
        an empty list nothing is sent.
    :param target: None: the service knows no directories.
    :param max_workers: files at a time; None: as many as the client is set to.
    :return: one result per file, in order.
    :raises BatchError: some of several files failed; ``.results`` tells which.

    Otherwise like :meth:`upload`.
    """
    from smartxfer.perseus.files import parse_files
    from smartxfer.transfer.result import TransferReport

    _reject_target(target)
    items, began = parse_files(sources), self._clock.monotonic()
    watch = (progress, cancel, deadline, max_workers)
    sent = self.file._upload_and_wait(items, wait, timeout, repair, grace, watch)
    return TransferReport(_build_results(items, sent), self._clock.monotonic() - began)


def upload_tree(
    self: ClientProtocol,
    directory: FilePath,
    target: None = None,
    *,
    include: "Patterns" = None,
    exclude: "Patterns" = None,
    follow_symlinks: bool = False,
    dry_run: bool = False,
    max_workers: Optional[int] = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
    wait: bool = False,
    timeout: float = 3600,
    repair: bool = False,
    grace: float = 5.0,
) -> "TransferReport":
    """Send what is in a directory, several files at a time, each under its base name.

    :param directory: local.
    :param include: glob patterns of the files that are meant, such as ``"*.csv"``; None for all.
    :param exclude: glob patterns of files and directories that are left out.
    :param follow_symlinks: send what symbolic links lead to; by default they are skipped.
    :param dry_run: send nothing; the results tell what would be sent.
    :return: one result per file, named by its path in the directory.

    Otherwise like :meth:`upload_many`.
    """
    from smartxfer.transfer.local_files import collect_directory_files
    from smartxfer.transfer.result import FileResult, TransferReport
    from smartxfer.transfer.selection import Selection

    _reject_target(target)
    items = collect_directory_files(directory, follow_symlinks, Selection(include, exclude))
    if dry_run:
        return TransferReport([FileResult(item.name, item.path, item.size) for item in items])
    began, watch = self._clock.monotonic(), (progress, cancel, deadline, max_workers)
    sent = self.file._upload_and_wait(items, wait, timeout, repair, grace, watch)
    return TransferReport(_build_results(items, sent), self._clock.monotonic() - began)


def sync(
    self: ClientProtocol,
    source: FilePath,
    target: None = None,
    *,
    include: "Patterns" = None,
    exclude: "Patterns" = None,
    follow_symlinks: bool = False,
    dry_run: bool = False,
    max_workers: Optional[int] = None,
    progress: "Progress" = None,
    cancel: "Optional[Cancel]" = None,
    deadline: Optional[float] = None,
    repair: bool = False,
    grace: float = 5.0,
) -> "SyncReport":
    """Upload the files in a directory whose content the service does not have; nothing is deleted there.

    :param source: local directory.
    :param target: None: the service knows no directories.
    :param dry_run: send nothing; the report tells what would be sent.
    :return: paths relative to the directory that were uploaded and skipped, and the records.

    Otherwise like :meth:`upload_tree`.  Source: Perseus protocol, section A.4, Find.
    """
    from smartxfer.transfer.selection import Selection

    _reject_target(target)
    watch, selection = (progress, cancel, deadline, max_workers), Selection(include, exclude)
    return self.file._sync_directory(source, dry_run, repair, grace, watch, follow_symlinks, selection)


def list_files(self: ClientProtocol, target: None = None) -> "List[File]":
    """Every record that the service gives.

    :param target: None: the service knows no directories.

    Source: Perseus protocol, section A.4, Find.
    """
    _reject_target(target)
    return self.file.find_files()


def info(self: ClientProtocol, source: "FileOrId") -> "File":
    """The record of a file.

    :param source: its id, or a record.
    :raises NotFound: there is none.

    Source: Perseus protocol, section A.4, Find.
    """
    from smartxfer.perseus.errors import PerseusNotFound

    found = self.file.find_file(source)
    if found is None:
        raise PerseusNotFound(f"there is no file {str(getattr(source, 'id', source))!r}", status=404)
    return found


def exists(self: ClientProtocol, source: "FileOrId") -> bool:
    """Return True if there is a record.

    ``file.exists(path)`` looks for the content of a local file.

    :param source: its id, or a record.
    """
    return self.file.find_file(source) is not None


def remove(self: ClientProtocol, target: "FileOrId") -> None:
    """Delete a record and its content.

    :param target: its id, or a record.
    :raises NotFound: there is none.

    Source: Perseus protocol, section A.4.
    """
    self.file.delete_file(target)


def _build_results(items: "Sequence[LocalFile]", files: "Sequence[File]") -> "List[FileResult]":
    """Return the result of each file, with its record."""
    import attrs

    return [
        attrs.evolve(file.result, name=item.name, item=file)
        for item, file in zip(items, files)
        if file.result is not None
    ]


def _reject_target(target: Any) -> None:
    if target is not None:
        raise UsageError(
            f"the service knows no directories, and target is {target!r:.80}",
            hint="leave it out; (name, thing) gives a file a name",
        )
