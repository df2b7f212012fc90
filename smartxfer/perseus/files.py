"""``client.file``: the file service.

Source: Perseus protocol, section A.
"""

from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

import attrs

from smartxfer.errors import UsageError
from smartxfer.missing_attributes import explain_missing_attributes
from smartxfer.os_text import FilePath
from smartxfer.perseus.api import PerseusApi, quote_segment
from smartxfer.perseus.models import File, FileStatus
from smartxfer.perseus.polling import wait_for_files
from smartxfer.perseus.sync import plan_sync
from smartxfer.perseus.upload import FileUpload, compute_sha256, select_most_complete, upload_files
from smartxfer.reprs import Namespace
from smartxfer.transfer.local_files import FileLike, FilesLike, LocalFile, as_iterable, collect_files
from smartxfer.transfer.progress import Progress, WaitProgress, WaitReporter
from smartxfer.transfer.protocols import Cancel
from smartxfer.transfer.result import FileResult, SyncReport, log_sync, raise_for_errors
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transfer.selection import EVERYTHING, Selection
from smartxfer.validation import validate_seconds

__all__ = ["FileOrId", "FileService", "RunOptions", "parse_file", "parse_files"]

FileOrId = Union[str, File]
"""A record, or its id."""
RunOptions = Tuple[Progress, Optional[Cancel], Optional[float], Optional[int]]
"""Progress, cancel, deadline (seconds) and max_workers of a public call."""
#: Seconds between the first two requests for the status of a record.
_POLL_INTERVAL = 0.5


def _async_name_hint(kind: type, name: str) -> str:
    bare = name[: -len("_async")] if name.endswith("_async") else ""
    return f"call {bare}() without await" if hasattr(kind, bare) else ""


@explain_missing_attributes(_async_name_hint)
class FileService(Namespace):
    """Uploads of files, and management of their records.

    :param get_api: returns the API.
    :param new_runner: creates the runner of a public call: (progress, cancel, deadline, workers).
    :param max_workers: maximum number of files that are sent concurrently.
    """

    def __init__(
        self,
        get_api: Callable[[], PerseusApi],
        new_runner: Callable[[Progress, Optional[Cancel], Optional[float], Optional[int]], TransferRunner],
        max_workers: int,
    ) -> None:
        self._get_api = get_api
        self._new_runner = new_runner
        self._max_workers = max_workers

    # -- records ----------------------------------------------------------------------------------------

    def create_file(self, name: str, source_hash: str) -> Dict[str, Any]:
        """Create the record of a file, and return it with the upload URL of its content.

        :param name: base name.
        :param source_hash: SHA-256 of the content, 64 hex digits.
        :return: ``{"file": File, "upload_url": str}``; the URL is ``""`` if the service has the content.
        :raises Conflict: a record of the content exists; :meth:`find_files` finds it.
        :raises OutcomeUnknown: the response was lost; the record may exist.

        Source: Perseus protocol, section A.4.
        """
        file, url = self._get_api().create(_validate_name(name), _validate_sha256(source_hash))
        return {"file": file, "upload_url": str(url)}

    def find_files(
        self,
        ids: Union[FileOrId, Sequence[FileOrId], None] = None,
        source_hashes: Union[str, Sequence[str], None] = None,
    ) -> List[File]:
        """Return the records with these ids or hashes; without arguments, all records.

        For an empty list, the result is empty and no request is sent.

        :param ids: ids, or Files.
        :param source_hashes: SHA-256 of contents, in hex.  With both parameters, a record must match both.
        """
        file_ids = None if ids is None else [_validate_id(id) for id in _as_list("ids", ids)]
        hashes = (
            None
            if source_hashes is None
            else [_validate_sha256(value) for value in _as_list("source_hashes", source_hashes)]
        )
        if [] in (file_ids, hashes):
            return []
        api = self._get_api()
        if file_ids is None:
            return api.find() if hashes is None else api.find(sourceHashes=hashes)
        files = api.find(ids=file_ids)
        if hashes is not None:
            ids_by_hash = {file.id for file in api.find(sourceHashes=hashes)}
            files = [file for file in files if file.id in ids_by_hash]
        return files

    def find_file(self, id: FileOrId) -> Optional[File]:
        """Return the record with an id, or None."""
        file_id = _validate_id(id)
        return next((file for file in self._get_api().find(ids=[file_id]) if file.id == file_id), None)

    def delete_file(self, file_id: FileOrId) -> None:
        """Delete a record and its content.

        :raises NotFound: the record does not exist.
        """
        self._get_api().delete(_validate_id(file_id))

    def wait_for_file_upload(
        self,
        file_id: FileOrId,
        polling_interval: float = 0.5,
        timeout: float = 3600,
        *,
        progress: WaitProgress[File] = None,
    ) -> File:
        """Wait until the status of a file is ``uploaded``.

        :param polling_interval: seconds between the first two requests; later intervals grow to 10 s.
        :param timeout: seconds; at least one request is sent, even with 0.
        :param progress: None, True for a status line, a label for it, or a callable that receives the record
            after each request.
        :raises UploadFailed: the status is ``failed``; ``.file`` is the record.
        :raises WaitTimeout: the status is not final after ``timeout`` seconds; ``.last`` is the record.
        :raises NotFound: the record does not exist any more.

        Source: Perseus protocol, section A.9.
        """
        [file] = self._wait_for_ids([_validate_id(file_id)], polling_interval, timeout, progress)
        return file

    def wait_for_file_uploads(
        self,
        file_ids: Union[FileOrId, Sequence[FileOrId]],
        polling_interval: float = _POLL_INTERVAL,
        timeout: float = 3600,
        *,
        progress: WaitProgress[File] = None,
    ) -> List[File]:
        """Wait until the status of several files is ``uploaded``; one request polls all of them.

        Otherwise like :meth:`wait_for_file_upload`; ``progress`` is called for each record.
        """
        ids = [_validate_id(id) for id in _as_list("file_ids", file_ids)]
        uploaded = self._wait_for_ids(list(dict.fromkeys(ids)), polling_interval, timeout, progress)
        files_by_id = {file.id: file for file in uploaded}
        return [files_by_id[id] for id in ids]

    def _wait_for_ids(
        self, ids: Sequence[str], interval: float, timeout: float, progress: WaitProgress[File]
    ) -> List[File]:
        seconds = _validate_interval("polling_interval", interval)
        with WaitReporter(progress, lambda file: (file.name, str(file.status))) as report:
            if not ids:
                return []
            return wait_for_files(self._get_api(), ids, seconds, timeout, lambda files: report(*files))

    # -- uploads ----------------------------------------------------------------------------------------

    def upload_file(
        self,
        file_path: FileLike,
        *,
        wait: bool = False,
        timeout: float = 3600,
        repair: bool = False,
        grace: float = 5.0,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> File:
        """Upload a file; if the service has the content, return its record and send nothing.

        :param file_path: a path, ``(name, source)``, bytes, or an open binary file.
        :param wait: wait for the status ``uploaded``; otherwise the returned record is usually ``pending``.
        :param timeout: maximum time of that wait, in seconds.
        :param repair: if a record of this content stays pending, delete it and upload.
        :param grace: seconds to wait for another client to finish the upload of such a record.
        :param progress: None, True for a bar, a label, or a callable that receives a ProgressEvent.
        :param cancel: any object with ``is_set()``.
        :param deadline: seconds after which to stop.
        :return: the record.  ``.reused`` is True if nothing was sent; ``.result`` is the result, whose
            ``verified`` is ``"md5"`` if the storage's ETag is the content's MD5, else ``"size"``, and
            ``"sha256"`` for a reused record.
        :raises UploadPendingElsewhere: a record of this content stays pending; ``.file`` is that record.
        :raises StorageError: the storage rejected the content; the record was deleted.
        :raises UnexpectedResponse: the service or the storage sent a response that the protocol does not
            document, such as a proxy's page; a record created by this call was deleted.
        :raises SourceChanged: the file changed after its checksum was computed.

        Source: Perseus protocol, section A.5.
        """
        options = (progress, cancel, deadline, None)
        return self._upload_and_wait([parse_file(file_path)], wait, timeout, repair, grace, options)[0]

    def upload_many(
        self,
        files: FilesLike,
        *,
        follow_symlinks: bool = False,
        wait: bool = False,
        timeout: float = 3600,
        repair: bool = False,
        grace: float = 5.0,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> List[File]:
        """Upload several files concurrently; the same content is sent once.

        :param files: one or several, as for :meth:`upload_file`; a directory means the files in it.  For an
            empty list, no request is sent.
        :param follow_symlinks: upload the targets of symbolic links in directories; the default skips links.
        :return: the records, in order.
        :raises BatchError: some files failed; see ``.results``.

        Otherwise like :meth:`upload_file`.
        """
        items = parse_files(files, follow_symlinks)
        return self._upload_and_wait(items, wait, timeout, repair, grace, (progress, cancel, deadline, None))

    def _upload_and_wait(
        self,
        items: Sequence[LocalFile],
        wait: bool,
        timeout: float,
        repair: bool,
        grace: float,
        run_options: RunOptions,
    ) -> List[File]:
        """Upload files and, with ``wait``, wait for the status ``uploaded``."""
        validate_seconds(timeout, "timeout")
        validate_seconds(grace, "grace")
        with self._new_runner(*run_options) as runner:
            if not items:
                return []
            uploaded = self._upload_items(items, repair, grace, runner, run_options[3])
            return self._wait_for_uploaded(uploaded, timeout, runner) if wait else uploaded

    def _upload_items(
        self,
        items: Sequence[LocalFile],
        repair: bool,
        grace: float,
        runner: TransferRunner,
        max_workers: Optional[int] = None,
    ) -> List[File]:
        validate_seconds(grace, "grace")
        named = [attrs.evolve(item, name=_validate_name(item.name.rpartition("/")[2])) for item in items]
        by_hash: Dict[str, FileUpload] = {}
        api = self._get_api()
        uploads = [FileUpload(api, runner, item, by_hash, repair=repair, grace=grace) for item in named]
        results = upload_files(uploads, runner, max_workers or self._max_workers)
        raise_for_errors(results, runner)
        return [_attach_result(upload, result) for upload, result in zip(uploads, results)]

    def _wait_for_uploaded(self, files: Sequence[File], timeout: float, runner: TransferRunner) -> List[File]:
        api, ids = self._get_api().with_runner(runner), [file.id for file in files]
        uploaded = runner.run_one(
            lambda: wait_for_files(api, list(dict.fromkeys(ids)), _POLL_INTERVAL, timeout)
        )
        by_id = {file.id: file for file in uploaded}
        return [by_id[file.id].evolve(reused=file.reused, result=file.result) for file in files]

    # -- comparison with the service --------------------------------------------------------------------

    def exists(self, file_path: FileLike) -> bool:
        """Return True if the service has the content of a file, under any name."""
        item = parse_file(file_path)
        record = select_most_complete(self._get_api().find(sourceHashes=[compute_sha256(item)]))
        return record is not None and record.status == FileStatus.UPLOADED

    def sync_dir(
        self,
        directory: FilePath,
        *,
        dry_run: bool = False,
        follow_symlinks: bool = False,
        repair: bool = False,
        grace: float = 5.0,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> SyncReport:
        """Upload the files in a directory whose content the service does not have.

        :param dry_run: upload nothing; report what would be uploaded.
        :param follow_symlinks: upload the targets of symbolic links; by default they are skipped.
        :return: the uploaded and the skipped paths, relative to the directory, and the records.

        Otherwise like :meth:`upload_many`.
        """
        options = (progress, cancel, deadline, None)
        return self._sync_directory(directory, dry_run, repair, grace, options, follow_symlinks)

    def _sync_directory(
        self,
        directory: FilePath,
        dry_run: bool,
        repair: bool,
        grace: float,
        run_options: RunOptions,
        follow_symlinks: bool,
        selection: Selection = EVERYTHING,
    ) -> SyncReport:
        validate_seconds(grace, "grace")
        with self._new_runner(*run_options) as runner:
            api = self._get_api().with_runner(runner)
            plan = runner.run_one(lambda: plan_sync(api, directory, dry_run, follow_symlinks, selection))
            if dry_run:
                return plan.build_report()
            items = plan.items
            uploaded = self._upload_items(items, repair, grace, runner, run_options[3]) if items else []
            log_sync(directory, uploaded=len(uploaded), skipped=len(plan.existing))
            return plan.build_report(uploaded)


def _attach_result(upload: FileUpload, result: FileResult) -> File:
    primary = upload.primary
    assert primary.record is not None
    return primary.record.evolve(reused=primary.reused or primary is not upload, result=result)


def _validate_id(id: FileOrId) -> str:
    text = str(getattr(id, "id", id))
    quote_segment(text)
    return text


def _as_list(parameter: str, values: Any) -> Sequence[Any]:
    """Return a list of the values; a single string or File becomes a list of one.

    :raises UsageError: the argument is of another type.
    """
    if isinstance(values, (str, File)):
        return [values]
    if isinstance(values, (bytes, bytearray, Mapping)) or not isinstance(values, Iterable):
        raise UsageError(
            f"{parameter} must be a string, a File, or a list of them, not {values!r:.80}",
            hint=f"pass {parameter}=[...]",
        )
    return list(values)


def _validate_given_name(source: Any) -> Any:
    """Return the source; in ``(name, source)``, the name is validated."""
    if isinstance(source, tuple) and len(source) == 2:
        _validate_name(source[0])
    return source


def parse_files(sources: Any, follow_symlinks: bool = False) -> List[LocalFile]:
    """Return the files of one source or several; several files may have the same name."""
    return [
        item
        for source in as_iterable(sources)
        for item in collect_files([_validate_given_name(source)], follow_symlinks, True)
    ]


def parse_file(source: Any) -> LocalFile:
    """Return the file of a source.

    :raises UsageError: the source is a directory.
    """
    items = collect_files([_validate_given_name(source)])
    if len(items) != 1 or "/" in items[0].name:
        raise UsageError("expected a file, got a directory", hint="use upload_many() or sync_dir()")
    return items[0]


def _validate_name(name: Any) -> str:
    if not isinstance(name, str) or name in ("", ".", "..") or "/" in name or "\0" in name:
        raise UsageError(f"invalid file name: {name!r}", hint="pass a base name without slashes")
    return name


def _validate_sha256(value: str) -> str:
    text = str(value).strip().lower()
    if len(text) != 64 or any(digit not in "0123456789abcdef" for digit in text):
        raise UsageError(f"invalid SHA-256: {value!r:.80}", hint="pass 64 hex digits")
    return text


def _validate_interval(name: str, value: float) -> float:
    seconds = validate_seconds(value, name)
    if seconds == 0:
        raise UsageError(f"{name} must be above 0 seconds, not {value!r}", hint=f"pass {name}=5")
    return seconds
