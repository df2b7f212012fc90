"""``client.file``: the file service.

Source: Perseus protocol, section A.
"""

from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
)

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
"""How a call of the user's is watched, and how many files it sends at a time."""
#: Seconds before the second look at a record.
_POLL_INTERVAL = 0.5


def _async_name_hint(kind: type, name: str) -> str:
    bare = name[: -len("_async")] if name.endswith("_async") else ""
    return f"{bare}() without await does it" if hasattr(kind, bare) else ""


@explain_missing_attributes(_async_name_hint)
class FileService(Namespace):
    """Uploads files, and looks after their records.

    :param get_api: makes the calls.
    :param new_runner: begins a call of the user's: (progress, cancel, deadline, workers).
    :param max_workers: files at a time.
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
        """Make the record of a file, and get the address that its content goes to.

        :param name: base name.
        :param source_hash: SHA-256 of the content, 64 hex digits.
        :return: ``{"file": File, "upload_url": str}``; the address is ``""`` where nothing is to be sent.
        :raises Conflict: the service knows the content; :meth:`find_files` finds it.
        :raises OutcomeUnknown: the answer was lost: the record may exist.

        Source: Perseus protocol, section A.4.
        """
        file, url = self._get_api().create(_validate_name(name), _validate_sha256(source_hash))
        return {"file": file, "upload_url": str(url)}

    def find_files(
        self,
        ids: Union[FileOrId, Sequence[FileOrId], None] = None,
        source_hashes: Union[str, Sequence[str], None] = None,
    ) -> List[File]:
        """The records of these ids or hashes; with neither, all that the service gives.

        An empty list finds nothing, and nothing is sent for it.

        :param ids: ids, or Files.
        :param source_hashes: SHA-256 of contents, in hex.  With both, a record has to match both.
        """
        wanted = None if ids is None else [_validate_id(id) for id in _as_list(ids)]
        hashes = (
            None if source_hashes is None else [_validate_sha256(value) for value in _as_list(source_hashes)]
        )
        if [] in (wanted, hashes):
            return []
        calls = self._get_api()
        if wanted is None:
            return calls.find() if hashes is None else calls.find(sourceHashes=hashes)
        found = calls.find(ids=wanted)
        if hashes is not None:
            both = {file.id for file in calls.find(sourceHashes=hashes)}
            found = [file for file in found if file.id in both]
        return found

    def find_file(self, id: FileOrId) -> Optional[File]:
        """The record of an id, or None."""
        wanted = _validate_id(id)
        return next((file for file in self._get_api().find(ids=[wanted]) if file.id == wanted), None)

    def delete_file(self, file_id: FileOrId) -> None:
        """Delete a record and its content.

        :raises NotFound: there is none of that id.
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
        """Wait until the service has taken a file in.

        :param polling_interval: seconds before the second look; later waits grow to 10 s.
        :param timeout: seconds; one look is taken however short it is.
        :param progress: None, True for a line, a label for it, or a callable that takes the record after
            each look.
        :raises UploadFailed: it could not; ``.file`` is the record.
        :raises WaitTimeout: it has not yet; ``.last`` is the record.
        :raises NotFound: the record is gone.

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
        """Wait until the service has taken in several files; all are asked for in one question.

        Otherwise like :meth:`wait_for_file_upload`; a callable takes each record after each look.
        """
        ids = [_validate_id(id) for id in _as_list(file_ids)]
        waited = self._wait_for_ids(list(dict.fromkeys(ids)), polling_interval, timeout, progress)
        found = {file.id: file for file in waited}
        return [found[id] for id in ids]

    def _wait_for_ids(
        self, ids: Sequence[str], interval: float, timeout: float, progress: WaitProgress[File]
    ) -> List[File]:
        seconds = _validate_interval("polling_interval", interval)
        with WaitReporter(progress, lambda file: (file.name, str(file.status))) as seen:
            if not ids:
                return []
            return wait_for_files(self._get_api(), ids, seconds, timeout, lambda files: seen(*files))

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
        """Send a file; where its content is known, its record is returned and nothing is sent.

        :param file_path: a path, ``(name, thing)``, bytes, or an open binary file.
        :param wait: return once the service has taken it in; without, the record is mostly ``pending`` yet.
        :param timeout: seconds for that.
        :param repair: delete a record of this content that stays pending, and send.
        :param grace: seconds in which somebody else may end the upload of such a record.
        :param progress: None, True for a bar, a label, or a callable that takes a ProgressEvent.
        :param cancel: anything with ``is_set()``.
        :param deadline: seconds after which to stop.
        :return: the record; ``.reused`` says that nothing was sent, ``.result`` how it went.  Its
            ``verified`` is ``"md5"`` where the storage's ETag is the content's MD5, else ``"size"``;
            ``"sha256"`` for a record that is reused.
        :raises UploadPendingElsewhere: a record of this content stays pending; ``.file`` is it.
        :raises StorageError: the storage refused the content; the record was deleted again.
        :raises UnexpectedResponse: the service or the storage gave another answer than the protocol
            documents as success, such as a proxy's page; a record made for it was deleted again.
        :raises SourceChanged: the file changed between its checksum and its sending.

        Source: Perseus protocol, section A.5.
        """
        watch = (progress, cancel, deadline, None)
        return self._upload_and_wait([parse_file(file_path)], wait, timeout, repair, grace, watch)[0]

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
        """Send several files at a time; those of the same content once.

        :param files: one or several, as for :meth:`upload_file`; a directory stands for the files in it.  For
            an empty list nothing is sent.
        :param follow_symlinks: send what symbolic links in directories lead to; by default they are skipped.
        :return: their records, in order.
        :raises BatchError: some failed; ``.results`` tells which.

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
        """Send files, and wait for them where that is wanted."""
        validate_seconds(timeout, "timeout")
        validate_seconds(grace, "grace")
        with self._new_runner(*run_options) as runner:
            if not items:
                return []
            sent = self._upload_items(items, repair, grace, runner, run_options[3])
            return self._wait_for_uploaded(sent, timeout, runner) if wait else sent

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
        claims: Dict[str, FileUpload] = {}
        calls = self._get_api()
        sendings = [FileUpload(calls, runner, item, claims, repair=repair, grace=grace) for item in named]
        results = upload_files(sendings, runner, max_workers or self._max_workers)
        raise_for_errors(results, runner)
        return [_attach_result(sending, result) for sending, result in zip(sendings, results)]

    def _wait_for_uploaded(self, files: Sequence[File], timeout: float, runner: TransferRunner) -> List[File]:
        calls, ids = self._get_api().with_runner(runner), [file.id for file in files]
        waited = runner.run_one(
            lambda: wait_for_files(calls, list(dict.fromkeys(ids)), _POLL_INTERVAL, timeout)
        )
        found = {file.id: file for file in waited}
        return [found[file.id].evolve(reused=file.reused, result=file.result) for file in files]

    # -- what is there ----------------------------------------------------------------------------------

    def exists(self, file_path: FileLike) -> bool:
        """Whether the service has the content of a file, whatever name it goes by there."""
        item = parse_file(file_path)
        found = select_most_complete(self._get_api().find(sourceHashes=[compute_sha256(item)]))
        return found is not None and found.status == FileStatus.UPLOADED

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

        :param dry_run: say what would be sent, and send nothing.
        :param follow_symlinks: send what symbolic links lead to; by default they are skipped.
        :return: paths relative to the directory that were uploaded and skipped, and the records.

        Otherwise like :meth:`upload_many`.
        """
        watch = (progress, cancel, deadline, None)
        return self._sync_directory(directory, dry_run, repair, grace, watch, follow_symlinks)

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
            calls = self._get_api().with_runner(runner)
            plan = runner.run_one(lambda: plan_sync(calls, directory, dry_run, follow_symlinks, selection))
            if dry_run:
                return plan.build_report()
            items = plan.items
            sent = self._upload_items(items, repair, grace, runner, run_options[3]) if items else []
            log_sync(directory, uploaded=len(sent), skipped=len(plan.existing))
            return plan.build_report(sent)


def _attach_result(upload: FileUpload, result: FileResult) -> File:
    leader = upload.primary
    assert leader.record is not None
    return leader.record.evolve(reused=leader.reused or leader is not upload, result=result)


def _validate_id(id: FileOrId) -> str:
    text = str(getattr(id, "id", id))
    quote_segment(text)
    return text


def _as_list(values: Any) -> Sequence[Any]:
    """What a caller gave as a list, also of one thing.

    :raises UsageError: it is neither.
    """
    if isinstance(values, (str, File)):
        return [values]
    if isinstance(values, (bytes, bytearray, Mapping)) or not isinstance(values, Iterable):
        raise UsageError(f"a list is expected, not {values!r:.80}", hint="put it into brackets")
    return list(values)


def _validate_given_name(source: Any) -> Any:
    """What is to be sent; a name that was given is one that can travel."""
    if isinstance(source, tuple) and len(source) == 2:
        _validate_name(source[0])
    return source


def parse_files(sources: Any, follow_symlinks: bool = False) -> List[LocalFile]:
    """The files that are meant: of one thing or several; of two with one name, both."""
    return [
        item
        for thing in as_iterable(sources)
        for item in collect_files([_validate_given_name(thing)], follow_symlinks, True)
    ]


def parse_file(source: Any) -> LocalFile:
    """The one file that is meant."""
    items = collect_files([_validate_given_name(source)])
    if len(items) != 1 or "/" in items[0].name:
        raise UsageError("one file is expected", hint="upload_many() or sync_dir() sends several")
    return items[0]


def _validate_name(name: Any) -> str:
    if not isinstance(name, str) or name in ("", ".", "..") or "/" in name or "\0" in name:
        raise UsageError(
            f"{name!r} is not a file name", hint="pass a name without a directory: ('report.txt', source)"
        )
    return name


def _validate_sha256(value: str) -> str:
    text = str(value).strip().lower()
    if len(text) != 64 or any(letter not in "0123456789abcdef" for letter in text):
        raise UsageError(
            f"{value!r:.80} is not a SHA-256 in hex", hint="pass hashlib.sha256(data).hexdigest()"
        )
    return text


def _validate_interval(name: str, value: float) -> float:
    seconds = validate_seconds(value, name)
    if seconds == 0:
        raise UsageError(
            f"{name} is a number of seconds above 0, not {value!r}", hint=f"pass a number, such as {name}=5"
        )
    return seconds
