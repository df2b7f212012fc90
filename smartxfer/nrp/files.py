"""``client.files``: the files of a record.

Source: NRP / Invenio protocol, sections 5 and 6.
"""

from pathlib import Path
from typing import Any, BinaryIO, List, Mapping, Optional, Sequence, TypeVar, overload

from smartxfer.errors import UsageError
from smartxfer.nrp import batch, file_metadata
from smartxfer.nrp.api import RepositoryApi
from smartxfer.nrp.file_init import build_url_file_init, initiate_uploads
from smartxfer.nrp.file_metadata import validate_metadata
from smartxfer.nrp.file_transfers import FileTransfers, RunOptions, delete_file
from smartxfer.nrp.files_api import FilesApi
from smartxfer.nrp.keys import validate_key
from smartxfer.nrp.models import File
from smartxfer.nrp.polling import wait_for_file
from smartxfer.nrp.streams import (
    FileSink,
    FilesToUpload,
    MemorySink,
    RecordSink,
    RecordSource,
    parse_download_args,
    unwrap_source,
)
from smartxfer.nrp.transfer_modes import parse_transfer_mode
from smartxfer.os_text import FilePath
from smartxfer.reprs import Namespace
from smartxfer.secret_text import hide_method_arguments
from smartxfer.transfer.existing_files import Exists
from smartxfer.transfer.local_files import collect_files
from smartxfer.transfer.progress import Progress, WaitProgress, WaitReporter
from smartxfer.transfer.protocols import Cancel, Sink
from smartxfer.transfer.result import SyncReport, TransferReport

__all__ = ["FilesClient"]

K = TypeVar("K", FileSink, MemorySink, BinaryIO, Sink)


@hide_method_arguments(links=("record_or_url", "file_or_url", "record_or_file", "record"))
class FilesClient(Namespace):
    """Lists, sends, fetches and deletes the files of records.

    Wherever a record is wanted, its Record, its address (of the API, or of the page that shows it) or its id
    is accepted; wherever a file, its File or its address.  An address may be anything whose ``str()`` is one.

    :param file_transfers: moves the files.
    """

    def __init__(self, file_transfers: FileTransfers) -> None:
        self._file_transfers = file_transfers
        self._lookup = file_transfers.lookup

    # -- looking ----------------------------------------------------------------------------------------

    def list(self, record_or_url: Any) -> List[File]:
        """Every file of a record, pending ones too.

        :raises NotFound: there is no such record, or it is not for this caller to see.
        """
        return self._lookup.read_from_record(self._lookup.parse_reference(record_or_url), FilesApi.list)

    def read(self, record_or_url: Any, key: Optional[str] = None) -> File:
        """What the repository knows of a file: ``read(file_url)``, ``read(file)`` or ``read(record, key)``.

        :raises NotFound: there is no such file.
        """
        place, found = self._lookup.resolve_file(record_or_url, key)
        return self._lookup.read_from_record(place, lambda files: files.read(found))

    # -- changing ---------------------------------------------------------------------------------------

    def update(self, file: File) -> File:
        """Send the ``metadata`` of a file, changed in place, to the repository; it replaces what is there.

        ``access`` is sent along where it was changed.  What the repository itself keeps in there about an
        archive stays.

        :return: the file as it is now.
        :raises UsageError: the metadata is not a mapping.

        Source: NRP / Invenio protocol, sections 5 (Metadata) and 9.
        """
        place, key = self._lookup.resolve_file(file, None)
        return self._lookup.modify_draft(
            place, lambda files: file_metadata.replace_metadata(files, file, key)
        )

    def delete(self, record_or_file: Any, key: Optional[str] = None) -> None:
        """Delete a file of a draft: ``delete(record, key)``, ``delete(file)`` or ``delete(file_url)``.

        :raises NotFound: there is no such file.
        :raises UsageError: no request can name it.
        """
        place, found = self._lookup.resolve_file(record_or_file, key)
        delete_file(self._lookup, place, found)

    def delete_all(self, record_or_url: Any) -> None:
        """Delete every file of a draft."""
        self._lookup.modify_draft(self._lookup.parse_reference(record_or_url), FilesApi.delete_all)

    # -- sending ----------------------------------------------------------------------------------------

    def upload(
        self,
        record_or_url: Any,
        key: str,
        metadata: Optional[Mapping[str, Any]],
        source: RecordSource,
        transfer_type: str = "local-file",
        transfer_metadata: Optional[Mapping[str, Any]] = None,
        progress: Progress = None,
        *,
        replace: bool = False,
        parts: Optional[int] = None,
        part_size: Optional[int] = None,
        extra: Optional[Mapping[str, Any]] = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> File:
        """Send a file to a draft; the commit is checked for its size and MD5.

        :param key: the file's name in the record; slashes may be in it.
        :param metadata: of the file.  Of one that is there None and {} change nothing; a dict is merged.
        :param source: a path, bytes, an open binary file or stream, a source of ``streams``; an address for
            ``url-fetch`` and ``remote``.
        :param transfer_type: ``local-file`` (``L``), ``multipart`` (``M``), ``url-fetch`` (``F``), ``remote``
            (``R``), or ``auto``: one of the first two, by size.
        :param transfer_metadata: further members of the start's ``transfer``; for ``remote`` also ``size``
            and ``checksum``.
        :param progress: None, True for a bar, a label, or a callable that takes a ProgressEvent.
        :param replace: delete a file of that key first.  Without, one with the same bytes is left as it is;
            of ``url-fetch`` and ``remote`` any file of that key is a Conflict.
        :param parts: how many, for a multipart upload ...
        :param part_size: ... or bytes of each (5 MiB to 5 GiB), which goes before ``parts``.
        :param extra: members of the start's ``transfer`` that this version does not know.
        :param cancel: anything with ``is_set()``.
        :param deadline: seconds after which to stop.
        :return: the file as the repository holds it; ``.result`` tells how it went.  One that the repository
            fetches is ``pending``: see :meth:`wait_fetch`.
        :raises Conflict: the key is taken by another file.
        :raises ChecksumMismatch: the repository got other bytes; they were deleted there.
        :raises UploadNotStored: the repository answered well, but took nothing.
        :raises SourceChanged: the file changed while it was sent.
        :raises Forbidden: among others, the record is published and its files are locked.

        A broken multipart upload continues with the parts that are missing.  What the repository refuses is
        deleted there, for a pending file would block publishing.
        """
        mode = parse_transfer_mode(transfer_type, transfer_metadata, parts, part_size, extra)
        validate_key(key)
        given = validate_metadata(metadata)
        if mode.has_source_url:
            plan = build_url_file_init(key, mode, given, source)
            place = self._lookup.parse_reference(record_or_url)
            return self._lookup.modify_draft(
                place, lambda files: initiate_uploads(files, [plan], replace)[key]
            )
        items = collect_files([(key, unwrap_source(source))])
        if len(items) != 1 or items[0].name != key:
            raise UsageError("upload() sends one file", hint="upload_many() or sync_dir() sends a directory")
        watch = RunOptions(progress, cancel, deadline)
        report = self._file_transfers.upload(record_or_url, [(items[0], given)], mode, replace, watch)
        return _get_uploaded_files(report)[0]

    def upload_many(
        self,
        record_or_url: Any,
        files: FilesToUpload,
        *,
        metadata: Optional[Mapping[str, Any]] = None,
        transfer_type: str = "auto",
        replace: bool = False,
        follow_symlinks: bool = False,
        part_size: Optional[int] = None,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> List[File]:
        """Send several files to a draft, several at a time; all are started by one request.

        :param files: paths, ``(key, source)``, or ``(key, source, metadata)``; a directory stands for the
            files in it, with its own name before theirs.  For an empty list nothing is sent.
        :param metadata: of the files that have none of their own.
        :param follow_symlinks: send what symbolic links in directories lead to; by default they are skipped.
        :return: the files as the repository holds them, in order.
        :raises UsageError: two files of one key.
        :raises BatchError: some failed; ``.results`` tells which.  A re-run leaves alone what is there.

        Otherwise like :meth:`upload`.
        """
        mode = parse_transfer_mode(transfer_type, None, None, part_size)
        if mode.has_source_url:
            raise UsageError("upload_many() sends bytes", hint="upload() has the repository fetch an address")
        pairs = batch.parse_files(files, validate_metadata(metadata), follow_symlinks)
        watch = RunOptions(progress, cancel, deadline)
        return _get_uploaded_files(self._file_transfers.upload(record_or_url, pairs, mode, replace, watch))

    def wait_fetch(
        self,
        record_or_file: Any,
        key: Optional[str] = None,
        *,
        timeout: float = 600.0,
        progress: WaitProgress[File] = None,
    ) -> File:
        """Ask after a file that the repository fetches, less and less often, until it is there.

        :param timeout: seconds.
        :param progress: None, True for a line, a label for it, or a callable that takes each state.
        :return: the completed file.
        :raises TaskFailed: the repository could not fetch it; ``.task`` is the file.
        :raises WaitTimeout: it is not there yet, and may still come; ``.last`` is its state.
        """
        place, found = self._lookup.resolve_file(record_or_file, key)
        with WaitReporter(progress, lambda file: (file.key, str(file.status))) as seen:
            return wait_for_file(
                self._file_transfers.get_api(),
                lambda: self._lookup.read_from_record(place, lambda files: files.read(found)),
                timeout,
                seen,
            )

    # -- fetching ---------------------------------------------------------------------------------------

    @overload
    def download(
        self,
        file_or_url: Any,
        sink: K,
        *,
        key: Optional[str] = None,
        parts: Optional[int] = None,
        part_size: Optional[int] = None,
        exists: Exists = None,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> K: ...

    @overload
    def download(
        self,
        file_or_url: Any,
        sink: FilePath,
        *,
        key: Optional[str] = None,
        parts: Optional[int] = None,
        part_size: Optional[int] = None,
        exists: Exists = None,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> Path: ...

    @overload
    def download(
        self,
        file_or_url: Any,
        key: str,
        sink: K,
        *,
        parts: Optional[int] = None,
        part_size: Optional[int] = None,
        exists: Exists = None,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> K: ...

    @overload
    def download(
        self,
        file_or_url: Any,
        key: str,
        sink: FilePath,
        *,
        parts: Optional[int] = None,
        part_size: Optional[int] = None,
        exists: Exists = None,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> Path: ...

    def download(
        self,
        file_or_url: Any,
        *args: Any,
        key: Optional[str] = None,
        sink: Optional[RecordSink] = None,
        parts: Optional[int] = None,
        part_size: Optional[int] = None,
        exists: Exists = None,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> Any:
        """Fetch a file: ``download(file_or_url, sink)`` or ``download(record, key, sink)``; resumable.

        :param sink: a path, a directory, an open binary file, ``FileSink`` or ``MemorySink``.
        :param parts: pieces to fetch at a time where ranges are known ...
        :param part_size: ... or bytes of each, at least 1 MiB, which goes before ``parts``.
        :param exists: for an existing file of other content: ``"replace"``, ``"skip"``, ``"rename"`` or
            ``"newer"``; None: TargetExists in a directory unless an earlier run wrote it, else replaced.
        :return: what was written to: the path, or the sink itself.
        :raises Conflict: the file is not complete in the repository.
        :raises ChecksumMismatch: what came is not what the repository promised, twice; nothing is kept.

        Otherwise like :meth:`upload`.
        """
        key, sink = parse_download_args(args, key, sink)
        watch = RunOptions(progress, cancel, deadline)
        result = self._file_transfers.download(file_or_url, key, sink, parts, part_size, exists, watch)
        return result.path if not isinstance(sink, FileSink) and result.path is not None else sink

    def download_many(
        self,
        record_or_files: Any,
        directory: FilePath,
        *,
        exists: Exists = None,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> TransferReport:
        """Fetch the files of a record, or those given, several at a time.

        :param record_or_files: a record, or Files of one.
        :param directory: local, made if missing; keys come to stand below it as safe names.
        :return: one result per file, in order.
        :raises BatchError: some failed; ``.results`` tells which.

        Otherwise like :meth:`download`.
        """
        wanted = record_or_files

        def files(calls: RepositoryApi) -> Sequence[File]:
            if isinstance(wanted, (list, tuple)):
                return wanted
            return self._lookup.read_from_record(self._lookup.parse_reference(wanted), FilesApi.list, calls)

        return self._file_transfers.download_many(
            files, directory, exists, RunOptions(progress, cancel, deadline)
        )

    def sync_dir(
        self,
        record_or_url: Any,
        directory: FilePath,
        *,
        dry_run: bool = False,
        delete: bool = False,
        follow_symlinks: bool = False,
        metadata: Optional[Mapping[str, Any]] = None,
        transfer_type: str = "auto",
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> SyncReport:
        """Make the files of a draft those of a directory; what is right already by its MD5 is left alone.

        :param directory: local; keys are the paths of its files, relative to it.
        :param dry_run: say what would be done, and do nothing.
        :param delete: delete files of the draft that the directory does not have.
        :param follow_symlinks: send what symbolic links lead to; by default they are skipped.
        :return: keys that were uploaded, replaced, skipped and deleted.

        Otherwise like :meth:`upload_many`.
        """
        return self._file_transfers.sync(
            record_or_url, directory, parse_transfer_mode(transfer_type), validate_metadata(metadata),
            RunOptions(progress, cancel, deadline),
            dry_run=dry_run, delete=delete, follow_symlinks=follow_symlinks,
        )  # fmt: skip


def _get_uploaded_files(report: TransferReport) -> List[File]:
    """The files as the repository holds them, with what became of their uploads."""
    return [batch.attach_result(result.item, result) for result in report if result.item is not None]
