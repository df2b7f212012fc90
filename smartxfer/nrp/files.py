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
    """Lists, uploads, downloads and deletes files of records.

    A record can be passed as a Record, its URL (of the API, or of its page) or its id; a file as a File or
    its URL.  A URL can be any object whose ``str()`` is one.

    :param file_transfers: uploads and downloads.
    """

    def __init__(self, file_transfers: FileTransfers) -> None:
        self._file_transfers = file_transfers
        self._lookup = file_transfers.lookup

    # -- reading ----------------------------------------------------------------------------------------

    def list(self, record_or_url: Any) -> List[File]:
        """Return all files of a record, including pending ones.

        :raises NotFound: the record does not exist, or is not visible to the caller.
        """
        return self._lookup.read_from_record(self._lookup.parse_reference(record_or_url), FilesApi.list)

    def read(self, record_or_url: Any, key: Optional[str] = None) -> File:
        """Return the File: ``read(file_url)``, ``read(file)`` or ``read(record, key)``.

        :raises NotFound: the file does not exist.
        """
        ref, file_key = self._lookup.resolve_file(record_or_url, key)
        return self._lookup.read_from_record(ref, lambda files_api: files_api.read(file_key))

    # -- changing ---------------------------------------------------------------------------------------

    def update(self, file: File) -> File:
        """Replace the metadata of a file in the repository with ``file.metadata``, changed in place.

        ``access`` is replaced, too, if it was changed.  Metadata that the repository adds to an archive is
        retained.

        :return: the updated file.
        :raises UsageError: the metadata is not a mapping.

        Source: NRP / Invenio protocol, sections 5 (Metadata) and 9.
        """
        ref, key = self._lookup.resolve_file(file, None)
        return self._lookup.modify_draft(
            ref, lambda files_api: file_metadata.replace_metadata(files_api, file, key)
        )

    def delete(self, record_or_file: Any, key: Optional[str] = None) -> None:
        """Delete a file of a draft: ``delete(record, key)``, ``delete(file)`` or ``delete(file_url)``.

        :raises NotFound: the file does not exist.
        :raises UsageError: the key cannot be used in a URL.
        """
        ref, file_key = self._lookup.resolve_file(record_or_file, key)
        delete_file(self._lookup, ref, file_key)

    def delete_all(self, record_or_url: Any) -> None:
        """Delete all files of a draft."""
        self._lookup.modify_draft(self._lookup.parse_reference(record_or_url), FilesApi.delete_all)

    # -- uploads ----------------------------------------------------------------------------------------

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
        """Upload a file to a draft; its size and MD5 are verified.

        :param key: name of the file in the record; it may contain slashes.
        :param metadata: metadata of the file.  For an existing file, a dict is merged, None and {} change
            nothing.
        :param source: a path, bytes, an open binary file or stream, a source of ``streams``; a URL for
            ``url-fetch`` and ``remote``.
        :param transfer_type: ``local-file`` (``L``), ``multipart`` (``M``), ``url-fetch`` (``F``), ``remote``
            (``R``), or ``auto``: one of the first two, by size.
        :param transfer_metadata: further members of ``transfer`` in the request; for ``remote`` also ``size``
            and ``checksum``.
        :param progress: None, True for a bar, a label, or a callable that receives a ProgressEvent.
        :param replace: delete an existing file with that key first.  By default, one with the same bytes is
            kept; for ``url-fetch`` and ``remote``, any existing file is a Conflict.
        :param parts: number of parts of a multipart upload.
        :param part_size: size of a part in bytes (5 MiB to 5 GiB); takes precedence over ``parts``.
        :param extra: further members of ``transfer`` in the request.
        :param cancel: any object with ``is_set()``.
        :param deadline: seconds after which to stop.
        :return: the stored file; ``.result`` is the result.  A file that the repository fetches is
            ``pending``: see :meth:`wait_fetch`.
        :raises Conflict: another file with that key exists.
        :raises ChecksumMismatch: the repository received other bytes; the file was deleted there.
        :raises UploadNotStored: the repository reported success, but stored nothing.
        :raises SourceChanged: the file changed while it was sent.
        :raises Forbidden: for example, the record is published and its files are locked.

        An interrupted multipart upload is resumed with the missing parts.  A file that the repository rejects
        is deleted there, because a pending file blocks publishing.
        """
        mode = parse_transfer_mode(transfer_type, transfer_metadata, parts, part_size, extra)
        validate_key(key)
        own_metadata = validate_metadata(metadata)
        if mode.has_source_url:
            file_init = build_url_file_init(key, mode, own_metadata, source)
            ref = self._lookup.parse_reference(record_or_url)
            return self._lookup.modify_draft(
                ref, lambda files_api: initiate_uploads(files_api, [file_init], replace)[key]
            )
        items = collect_files([(key, unwrap_source(source))])
        if len(items) != 1 or items[0].name != key:
            raise UsageError(
                "upload() needs one file, got a directory", hint="use upload_many() or sync_dir()"
            )
        options = RunOptions(progress, cancel, deadline)
        pairs = [(items[0], own_metadata)]
        return _get_uploaded_files(self._file_transfers.upload(record_or_url, pairs, mode, replace, options))[
            0
        ]

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
        """Upload several files to a draft concurrently; one request initiates all uploads.

        :param files: paths, ``(key, source)``, or ``(key, source, metadata)``; a directory means the files in
            it, with the directory's name before theirs.  For an empty list, no request is sent.
        :param metadata: metadata of files without their own.
        :param follow_symlinks: upload the targets of symbolic links in directories; by default skip them.
        :return: the stored files, in order.
        :raises UsageError: two files have the same key.
        :raises BatchError: some files failed; see ``.results``.  A re-run keeps the files that are stored.

        Otherwise like :meth:`upload`.
        """
        mode = parse_transfer_mode(transfer_type, None, None, part_size)
        if mode.has_source_url:
            raise UsageError(
                f"upload_many() does not support transfer_type={transfer_type!r}",
                hint=f"call upload(..., transfer_type={transfer_type!r}) for each file",
            )
        pairs = batch.parse_files(files, validate_metadata(metadata), follow_symlinks)
        options = RunOptions(progress, cancel, deadline)
        return _get_uploaded_files(self._file_transfers.upload(record_or_url, pairs, mode, replace, options))

    def wait_fetch(
        self,
        record_or_file: Any,
        key: Optional[str] = None,
        *,
        timeout: float = 600.0,
        progress: WaitProgress[File] = None,
    ) -> File:
        """Poll a file that the repository fetches, with growing intervals, until it is completed.

        :param timeout: seconds.
        :param progress: None, True for a status line, a label for it, or a callable that receives each state.
        :return: the completed file.
        :raises TaskFailed: the repository could not fetch the file; ``.task`` is the file.
        :raises WaitTimeout: the file is not completed yet; the repository continues.  ``.last`` is its state.
        """
        ref, file_key = self._lookup.resolve_file(record_or_file, key)
        with WaitReporter(progress, lambda file: (file.key, str(file.status))) as report:
            return wait_for_file(
                self._file_transfers.get_api(),
                lambda: self._lookup.read_from_record(ref, lambda files_api: files_api.read(file_key)),
                timeout,
                report,
            )

    # -- downloads --------------------------------------------------------------------------------------

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
        """Download a file: ``download(file_or_url, sink)`` or ``download(record, key, sink)``; resumable.

        :param sink: a path, a directory, an open binary file, ``FileSink`` or ``MemorySink``.
        :param parts: number of concurrent ranges, if the server supports ranges.
        :param part_size: size of a range in bytes, at least 1 MiB; takes precedence over ``parts``.
        :param exists: for an existing file with other content: ``"replace"``, ``"skip"``, ``"rename"`` or
            ``"newer"``; None: TargetExists in a directory unless an earlier run wrote it, else replaced.
        :return: the path that was written, or the sink.
        :raises Conflict: the file is not complete in the repository.
        :raises ChecksumMismatch: the received bytes have another checksum, twice; no file is written.

        Otherwise like :meth:`upload`.
        """
        key, sink = parse_download_args(args, key, sink)
        options = RunOptions(progress, cancel, deadline)
        result = self._file_transfers.download(file_or_url, key, sink, parts, part_size, exists, options)
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
        """Download all files of a record, or the given files, several concurrently.

        :param record_or_files: a record, or Files of one.
        :param directory: local directory, created if missing; files get safe names based on their keys.
        :return: one result per file, in order.
        :raises BatchError: some files failed; see ``.results``.

        Otherwise like :meth:`download`.
        """

        def find_files(api: RepositoryApi) -> Sequence[File]:
            if isinstance(record_or_files, (list, tuple)):
                return record_or_files
            ref = self._lookup.parse_reference(record_or_files)
            return self._lookup.read_from_record(ref, FilesApi.list, api)

        return self._file_transfers.download_many(
            find_files, directory, exists, RunOptions(progress, cancel, deadline)
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
        """Update the files of a draft with those of a directory; files with the same MD5 are not uploaded.

        :param directory: local directory; keys are the paths of its files, relative to it.
        :param dry_run: change nothing; report what would be done.
        :param delete: delete files of the draft that are not in the directory.
        :param follow_symlinks: upload the targets of symbolic links; by default they are skipped.
        :return: keys that were uploaded, replaced, skipped and deleted.

        Otherwise like :meth:`upload_many`.
        """
        return self._file_transfers.sync(
            record_or_url, directory, parse_transfer_mode(transfer_type), validate_metadata(metadata),
            RunOptions(progress, cancel, deadline),
            dry_run=dry_run, delete=delete, follow_symlinks=follow_symlinks,
        )  # fmt: skip


def _get_uploaded_files(report: TransferReport) -> List[File]:
    """Return the stored files with the results of their uploads."""
    return [batch.attach_result(result.item, result) for result in report if result.item is not None]
