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

from smartxfer.absent import explains_absent
from smartxfer.errors import UsageError
from smartxfer.options import check_seconds
from smartxfer.perseus.calls import Calls, segment
from smartxfer.perseus.models import File, FileStatus
from smartxfer.perseus.syncing import missing_of
from smartxfer.perseus.uploading import Sending, best, hashed, send_files
from smartxfer.perseus.waiting import wait_for
from smartxfer.reprs import Namespace
from smartxfer.system_text import FilePath
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.progress import Progress, WaitProgress, WaitReporter
from smartxfer.transfer.protocols import Cancel
from smartxfer.transfer.result import FileResult, SyncReport, log_sync, settle
from smartxfer.transfer.selection import EVERYTHING, Selection
from smartxfer.transfer.tree import FileLike, FilesLike, Item, collect, listed

__all__ = ["FileService", "Id", "Watch", "files_of", "one_file"]

Id = Union[str, File]
"""A record, or its id."""
Watch = Tuple[Progress, Optional[Cancel], Optional[float], Optional[int]]
"""How a call of the user's is watched, and how many files it sends at a time."""
#: Seconds before the second look at a record.
_POLLING = 0.5


def _without_await(kind: type, name: str) -> str:
    bare = name[: -len("_async")] if name.endswith("_async") else ""
    return f"{bare}() without await does it" if hasattr(kind, bare) else ""


@explains_absent(_without_await)
class FileService(Namespace):
    """Uploads files, and looks after their records.

    :param calls: makes the calls.
    :param operation: begins a call of the user's: (progress, cancel, deadline, workers).
    :param workers: files at a time.
    """

    def __init__(
        self,
        calls: Callable[[], Calls],
        operation: Callable[[Progress, Optional[Cancel], Optional[float], Optional[int]], Operation],
        workers: int,
    ) -> None:
        self._calls = calls
        self._operation = operation
        self._workers = workers

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
        file, url = self._calls().create(_name(name), _hash(source_hash))
        return {"file": file, "upload_url": str(url)}

    def find_files(
        self,
        ids: Union[Id, Sequence[Id], None] = None,
        source_hashes: Union[str, Sequence[str], None] = None,
    ) -> List[File]:
        """The records of these ids or hashes; with neither, all that the service gives.

        An empty list finds nothing, and nothing is sent for it.

        :param ids: ids, or Files.
        :param source_hashes: SHA-256 of contents, in hex.  With both, a record has to match both.
        """
        wanted = None if ids is None else [_id(id) for id in _several(ids)]
        hashes = None if source_hashes is None else [_hash(value) for value in _several(source_hashes)]
        if [] in (wanted, hashes):
            return []
        calls = self._calls()
        if wanted is None:
            return calls.find() if hashes is None else calls.find(sourceHashes=hashes)
        found = calls.find(ids=wanted)
        if hashes is not None:
            both = {file.id for file in calls.find(sourceHashes=hashes)}
            found = [file for file in found if file.id in both]
        return found

    def find_file(self, id: Id) -> Optional[File]:
        """The record of an id, or None."""
        wanted = _id(id)
        return next((file for file in self._calls().find(ids=[wanted]) if file.id == wanted), None)

    def delete_file(self, file_id: Id) -> None:
        """Delete a record and its content.

        :raises NotFound: there is none of that id.
        """
        self._calls().delete(_id(file_id))

    def wait_for_file_upload(
        self,
        file_id: Id,
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
        [file] = self._wait([_id(file_id)], polling_interval, timeout, progress)
        return file

    def wait_for_file_uploads(
        self,
        file_ids: Union[Id, Sequence[Id]],
        polling_interval: float = _POLLING,
        timeout: float = 3600,
        *,
        progress: WaitProgress[File] = None,
    ) -> List[File]:
        """Wait until the service has taken in several files; all are asked for in one question.

        Otherwise like :meth:`wait_for_file_upload`; a callable takes each record after each look.
        """
        ids = [_id(id) for id in _several(file_ids)]
        waited = self._wait(list(dict.fromkeys(ids)), polling_interval, timeout, progress)
        found = {file.id: file for file in waited}
        return [found[id] for id in ids]

    def _wait(
        self, ids: Sequence[str], interval: float, timeout: float, progress: WaitProgress[File]
    ) -> List[File]:
        seconds = _seconds("polling_interval", interval)
        with WaitReporter(progress, lambda file: (file.name, str(file.status))) as seen:
            if not ids:
                return []
            return wait_for(self._calls(), ids, seconds, timeout, lambda files: seen(*files))

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
        :raises StuckPending: a record of this content stays pending; ``.file`` is it.
        :raises StorageError: the storage refused the content; the record was deleted again.
        :raises UnexpectedAnswer: the service or the storage gave another answer than the protocol
            documents as success, such as a proxy's page; a record made for it was deleted again.
        :raises SourceChanged: the file changed between its checksum and its sending.

        Source: Perseus protocol, section A.5.
        """
        watch = (progress, cancel, deadline, None)
        return self._run([one_file(file_path)], wait, timeout, repair, grace, watch)[0]

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
        items = files_of(files, follow_symlinks)
        return self._run(items, wait, timeout, repair, grace, (progress, cancel, deadline, None))

    def _run(
        self, items: Sequence[Item], wait: bool, timeout: float, repair: bool, grace: float, watch: Watch
    ) -> List[File]:
        """Send files, and wait for them where that is wanted."""
        check_seconds(timeout, "timeout")
        check_seconds(grace, "grace")
        with self._operation(*watch) as operation:
            if not items:
                return []
            sent = self._upload(items, repair, grace, operation, watch[3])
            return self._awaited(sent, timeout, operation) if wait else sent

    def _upload(
        self,
        items: Sequence[Item],
        repair: bool,
        grace: float,
        operation: Operation,
        workers: Optional[int] = None,
    ) -> List[File]:
        check_seconds(grace, "grace")
        named = [attrs.evolve(item, name=_name(item.name.rpartition("/")[2])) for item in items]
        claims: Dict[str, Sending] = {}
        calls = self._calls()
        sendings = [Sending(calls, operation, item, claims, repair=repair, grace=grace) for item in named]
        results = send_files(sendings, operation, workers or self._workers)
        settle(results, operation)
        return [_with_result(sending, result) for sending, result in zip(sendings, results)]

    def _awaited(self, files: Sequence[File], timeout: float, operation: Operation) -> List[File]:
        calls, ids = self._calls().watched(operation), [file.id for file in files]
        waited = operation.call(lambda: wait_for(calls, list(dict.fromkeys(ids)), _POLLING, timeout))
        found = {file.id: file for file in waited}
        return [found[file.id].but(reused=file.reused, result=file.result) for file in files]

    # -- what is there ----------------------------------------------------------------------------------

    def exists(self, file_path: FileLike) -> bool:
        """Whether the service has the content of a file, whatever name it goes by there."""
        item = one_file(file_path)
        found = best(self._calls().find(sourceHashes=[hashed(item)]))
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
        return self._sync(directory, dry_run, repair, grace, watch, follow_symlinks)

    def _sync(
        self,
        directory: FilePath,
        dry_run: bool,
        repair: bool,
        grace: float,
        watch: Watch,
        follow_symlinks: bool,
        selection: Selection = EVERYTHING,
    ) -> SyncReport:
        check_seconds(grace, "grace")
        with self._operation(*watch) as operation:
            calls = self._calls().watched(operation)
            plan = operation.call(lambda: missing_of(calls, directory, dry_run, follow_symlinks, selection))
            if dry_run:
                return plan.result()
            items = plan.items
            sent = self._upload(items, repair, grace, operation, watch[3]) if items else []
            log_sync(directory, uploaded=len(sent), skipped=len(plan.there))
            return plan.result(sent)


def _with_result(sending: Sending, result: FileResult) -> File:
    leader = sending.leader
    assert leader.file is not None
    return leader.file.but(reused=leader.reused or leader is not sending, result=result)


def _id(id: Id) -> str:
    text = str(getattr(id, "id", id))
    segment(text)
    return text


def _several(things: Any) -> Sequence[Any]:
    """What a caller gave as a list, also of one thing.

    :raises UsageError: it is neither.
    """
    if isinstance(things, (str, File)):
        return [things]
    if isinstance(things, (bytes, bytearray, Mapping)) or not isinstance(things, Iterable):
        raise UsageError(f"a list is expected, not {things!r:.80}", hint="put it into brackets")
    return list(things)


def _named(thing: Any) -> Any:
    """What is to be sent; a name that was given is one that can travel."""
    if isinstance(thing, tuple) and len(thing) == 2:
        _name(thing[0])
    return thing


def files_of(things: Any, follow_symlinks: bool = False) -> List[Item]:
    """The files that are meant: of one thing or several; of two with one name, both."""
    return [item for thing in listed(things) for item in collect([_named(thing)], follow_symlinks, True)]


def one_file(thing: Any) -> Item:
    """The one file that is meant."""
    items = collect([_named(thing)])
    if len(items) != 1 or "/" in items[0].name:
        raise UsageError("one file is expected", hint="upload_many() or sync_dir() sends several")
    return items[0]


def _name(name: Any) -> str:
    if not isinstance(name, str) or name in ("", ".", "..") or "/" in name or "\0" in name:
        raise UsageError(f"{name!r} is no name of a file")
    return name


def _hash(value: str) -> str:
    text = str(value).strip().lower()
    if len(text) != 64 or any(letter not in "0123456789abcdef" for letter in text):
        raise UsageError(f"{value!r:.80} is no SHA-256 in hex")
    return text


def _seconds(name: str, value: float) -> float:
    seconds = check_seconds(value, name)
    if seconds == 0:
        raise UsageError(f"{name} is a number of seconds above 0, not {value!r}")
    return seconds
