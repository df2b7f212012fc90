"""The methods that all clients have, except downloads, which the service does not support.

Files are not addressed by name: the service identifies a content by its SHA-256, and has no directories.

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
    """The attributes of the client that the methods use."""

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
    """Upload a file; if the service has the content, use its record and send nothing.

    :param source: a path, ``(name, source)``, bytes, or an open binary file.
    :param target: name of the file on the service; None: the name of the source.
    :param progress: None, True for a bar, a label, or a callable that receives a ProgressEvent.
    :param cancel: any object with ``is_set()``.
    :param deadline: seconds after which to stop.
    :param wait: wait for the status ``uploaded``; otherwise the record is usually ``pending``.
    :param timeout: maximum time of that wait, in seconds.
    :param repair: if a record of this content stays pending, delete it and upload.
    :param grace: seconds to wait for another client to finish the upload of such a record.
    :return: the result; ``.item`` is the record, whose ``.reused`` is True if nothing was sent.
    :raises UploadPendingElsewhere: a record of this content stays pending; ``.file`` is that record.
    :raises StorageError: the storage rejected the content; the record was deleted.

    Source: Perseus protocol, section A.5.
    """
    from smartxfer.perseus.files import parse_file

    named: Any = source
    if target is not None:
        named = (target, named[1] if isinstance(named, tuple) and len(named) == 2 else named)
    items, options = [parse_file(named)], (progress, cancel, deadline, None)
    return _build_results(items, self.file._upload_and_wait(items, wait, timeout, repair, grace, options))[0]


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
    """Upload several files concurrently; the same content is sent once.

    :param sources: one source or several, as for :meth:`upload`; a directory means the files in it.  For
        an empty list, no request is sent.
    :param target: must be None, because the service has no directories.
    :param max_workers: maximum number of concurrent files; None: the client's setting.
    :return: one result per file, in order.
    :raises BatchError: some of several files failed; see ``.results``.

    Otherwise like :meth:`upload`.
    """
    from smartxfer.perseus.files import parse_files
    from smartxfer.transfer.result import TransferReport

    _reject_target(target)
    items, start = parse_files(sources), self._clock.monotonic()
    options = (progress, cancel, deadline, max_workers)
    uploaded = self.file._upload_and_wait(items, wait, timeout, repair, grace, options)
    return TransferReport(_build_results(items, uploaded), self._clock.monotonic() - start)


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
    """Upload the files in a directory and its subdirectories, each under its base name.

    :param directory: local directory.
    :param include: glob patterns of the files to upload, such as ``"*.csv"``; None for all.
    :param exclude: glob patterns of files and directories that are skipped.
    :param follow_symlinks: upload the targets of symbolic links; by default they are skipped.
    :param dry_run: upload nothing; return the results of the files that would be uploaded.
    :return: one result per file; its name is the path relative to the directory.

    Otherwise like :meth:`upload_many`.
    """
    from smartxfer.transfer.local_files import collect_directory_files
    from smartxfer.transfer.result import FileResult, TransferReport
    from smartxfer.transfer.selection import Selection

    _reject_target(target)
    items = collect_directory_files(directory, follow_symlinks, Selection(include, exclude))
    if dry_run:
        return TransferReport([FileResult(item.name, item.path, item.size) for item in items])
    start, options = self._clock.monotonic(), (progress, cancel, deadline, max_workers)
    uploaded = self.file._upload_and_wait(items, wait, timeout, repair, grace, options)
    return TransferReport(_build_results(items, uploaded), self._clock.monotonic() - start)


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
    """Upload the files in a directory whose content the service does not have; nothing is deleted.

    :param source: local directory.
    :param target: must be None, because the service has no directories.
    :param dry_run: upload nothing; report what would be uploaded.
    :return: the uploaded and the skipped paths, relative to the directory, and the records.

    Otherwise like :meth:`upload_tree`.  Source: Perseus protocol, section A.4, Find.
    """
    from smartxfer.transfer.selection import Selection

    _reject_target(target)
    options, selection = (progress, cancel, deadline, max_workers), Selection(include, exclude)
    return self.file._sync_directory(source, dry_run, repair, grace, options, follow_symlinks, selection)


def list_files(self: ClientProtocol, target: None = None) -> "List[File]":
    """Return all records.

    :param target: must be None, because the service has no directories.

    Source: Perseus protocol, section A.4, Find.
    """
    _reject_target(target)
    return self.file.find_files()


def info(self: ClientProtocol, source: "FileOrId") -> "File":
    """Return the record of a file.

    :param source: its id, or a record.
    :raises NotFound: the record does not exist.

    Source: Perseus protocol, section A.4, Find.
    """
    from smartxfer.perseus.errors import PerseusNotFound

    file = self.file.find_file(source)
    if file is None:
        raise PerseusNotFound(f"file {str(getattr(source, 'id', source))!r} does not exist", status=404)
    return file


def exists(self: ClientProtocol, source: "FileOrId") -> bool:
    """Return True if the record exists.

    ``file.exists(path)`` searches for the content of a local file.

    :param source: its id, or a record.
    """
    return self.file.find_file(source) is not None


def remove(self: ClientProtocol, target: "FileOrId") -> None:
    """Delete a record and its content.

    :param target: its id, or a record.
    :raises NotFound: the record does not exist.

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
            f"target is {target!r:.80}, but the service has no directories",
            hint="omit target, or pass (name, source) to name a file",
        )
