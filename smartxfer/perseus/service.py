"""``client.file``: the file service.

Source: Perseus protocol, section A.
"""

import os
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Union

import attrs

from smartxfer.errors import UsageError
from smartxfer.options import check_seconds
from smartxfer.perseus.calls import Calls, segment
from smartxfer.perseus.models import File, FileStatus
from smartxfer.perseus.syncing import missing_of
from smartxfer.perseus.uploading import Sending, best, hashed, send_files
from smartxfer.perseus.waiting import wait_for
from smartxfer.reprs import Namespace
from smartxfer.system_text import FilePath
from smartxfer.transfer.milestones import log_sync
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.progress import Progress, WaitProgress, WaitReporter
from smartxfer.transfer.protocols import Cancel
from smartxfer.transfer.result import FileResult, SyncReport, settle
from smartxfer.transfer.tree import FileLike, Item, collect

__all__ = ["FileService"]

Id = Union[str, File]
#: Seconds before the second look at a record.
_POLLING = 0.5


class FileService(Namespace):
    """Uploads files, and looks after their records.

    :param calls: makes the calls.
    :param operation: begins a call of the user's: (progress, cancel, deadline).
    :param workers: files at a time.
    """

    def __init__(
        self,
        calls: Callable[[], Calls],
        operation: Callable[[Progress, Optional[Cancel], Optional[float]], Operation],
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
        self, ids: Optional[Sequence[Id]] = None, source_hashes: Optional[Sequence[str]] = None
    ) -> List[File]:
        """The records of these ids or hashes; with neither, all that the service gives.

        An empty list finds nothing, and nothing is sent for it.

        :param ids: ids, or Files.
        :param source_hashes: SHA-256 of contents, in hex.  With both, a record has to match both.
        """
        for given in (ids, source_hashes):
            if given is not None and not _several(given):
                return []
        calls = self._calls()
        if ids is None:
            hashes = None if source_hashes is None else [_hash(value) for value in source_hashes]
            return calls.find() if hashes is None else calls.find(sourceHashes=hashes)
        wanted = [_id(id) for id in ids]
        found = calls.find(ids=wanted)
        if source_hashes is not None:
            both = {file.id for file in calls.find(sourceHashes=[_hash(value) for value in source_hashes])}
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
        file_ids: Sequence[Id],
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
        check_seconds(timeout, "timeout")
        items = [_one(file_path)]
        with self._operation(progress, cancel, deadline) as operation:
            sent = self._upload(items, repair, grace, operation)
            return (self._awaited(sent, timeout, operation) if wait else sent)[0]

    def upload_many(
        self,
        files: Iterable[FileLike],
        *,
        wait: bool = False,
        timeout: float = 3600,
        repair: bool = False,
        grace: float = 5.0,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> List[File]:
        """Send several files at a time; those of the same content once.

        :param files: as for :meth:`upload_file`.
        :return: their records, in order.
        :raises BatchError: some failed; ``.results`` tells which.

        Otherwise like :meth:`upload_file`.
        """
        check_seconds(timeout, "timeout")
        items = [item for thing in _several(files) for item in collect([_named(thing)])]
        if not items:
            return []
        with self._operation(progress, cancel, deadline) as operation:
            sent = self._upload(items, repair, grace, operation)
            return self._awaited(sent, timeout, operation) if wait else sent

    def _upload(
        self, items: Sequence[Item], repair: bool, grace: float, operation: Operation
    ) -> List[File]:
        check_seconds(grace, "grace")
        named = [attrs.evolve(item, name=_name(item.name.rpartition("/")[2])) for item in items]
        claims: Dict[str, Sending] = {}
        calls = self._calls()
        sendings = [Sending(calls, operation, item, claims, repair=repair, grace=grace) for item in named]
        results = send_files(sendings, operation, self._workers)
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
        item = _one(file_path)
        found = best(self._calls().find(sourceHashes=[hashed(item)]))
        return found is not None and found.status == FileStatus.UPLOADED

    def sync_dir(
        self,
        directory: FilePath,
        *,
        dry_run: bool = False,
        repair: bool = False,
        grace: float = 5.0,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> SyncReport:
        """Upload the files in a directory whose content the service does not have.

        :param dry_run: say what would be sent, and send nothing.
        :return: paths relative to the directory that were uploaded and skipped, and the records.

        Otherwise like :meth:`upload_many`.
        """
        check_seconds(grace, "grace")
        with self._operation(progress, cancel, deadline) as operation:
            calls = self._calls().watched(operation)
            plan = operation.call(lambda: missing_of(calls, directory, dry_run))
            if dry_run:
                return plan.result()
            sent = self._upload(plan.items, repair, grace, operation) if plan.items else []
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
    """The things, if they are several: text, bytes, a path or a file would be taken to pieces."""
    single = isinstance(things, (str, bytes, bytearray, memoryview, os.PathLike)) or hasattr(things, "read")
    if single or isinstance(things, Mapping) or not isinstance(things, Iterable):
        raise UsageError(f"a list is expected, not {things!r:.80}", hint="put it into brackets")
    return list(things)


def _named(thing: Any) -> Any:
    """What is to be sent; a name that was given is one that can travel."""
    if isinstance(thing, tuple) and len(thing) == 2:
        _name(thing[0])
    return thing


def _one(thing: Any) -> Item:
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
