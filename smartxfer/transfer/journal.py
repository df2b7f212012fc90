"""What a later run needs to know of this one: versioned, locked, written whole or not at all."""

import contextlib
import hashlib
import json
import logging
import os
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Mapping, Optional

from smartxfer.errors import InProgress, LocalError
from smartxfer.seams import SYSTEM_CLOCK, SYSTEM_FILES, Clock, Files
from smartxfer.system_text import expanded, user_directory
from smartxfer.transfer import locking
from smartxfer.transfer.protocols import Storage
from smartxfer.transport.json import parse_json

__all__ = ["DirectoryStorage", "Journal", "Lock", "state_directory", "write_whole"]

log = logging.getLogger("smartxfer.transfer")

_VERSION = 1
_SAVE_EVERY = 0.5
#: Entries older than this many seconds are forgotten: no server keeps an unfinished upload that long.
_EXPIRES = 21 * 24 * 3600


def state_directory() -> Path:
    """SMARTXFER_STATE_DIR, or the platform's directory for such things.

    :raises LocalError: the home directory is unknown.
    """
    given = os.environ.get("SMARTXFER_STATE_DIR")
    found = expanded(given) if given else user_directory("state")
    if found is None:
        raise LocalError("no home directory for the state of transfers", hint="set SMARTXFER_STATE_DIR")
    return found


def write_whole(path: Path, text: str, files: Files = SYSTEM_FILES) -> None:
    """Write a small file in one step, readable by its owner only.

    Only one caller at a time per ``path``: what a killed one has left of its writing is written over.
    """
    temporary = path.with_name(path.name + ".tmp")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    fd = os.open(str(temporary), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
        files.replace(temporary, path)
    except BaseException:
        temporary.unlink()
        raise


class Lock:
    """One process at a time, by a lock file in the state directory.

    It guards what lies in the state directory.  A partial file has a lock of its own.
    """

    def __init__(self, name: str, what: str) -> None:
        self._release: Optional[Callable[[], None]] = None
        try:
            directory = state_directory() / "locks"
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            acquire = _flocked if locking.AVAILABLE else _filelocked
            self._release = acquire(directory / f"{name}.lock", what)
        except InProgress:
            raise
        except OSError as error:
            log.warning("no lock for %s: %s", what, error)

    @property
    def held(self) -> bool:
        """True while the lock is held; False also where locks do not work."""
        return self._release is not None

    @classmethod
    def of_target(cls, path: Path) -> "Lock":
        """The lock of a file that is to be written."""
        return cls(_hashed(os.path.join(os.path.realpath(str(path.parent)), path.name)), str(path))

    def release(self) -> None:
        """Let others at it."""
        release, self._release = self._release, None
        if release is not None:
            release()


def _flocked(path: Path, what: str) -> Callable[[], None]:
    """Lock a file; what releases it again."""
    while True:
        fd = os.open(str(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not locking.lock_file(fd):
                raise InProgress(f"{what} is being transferred by another process")
            os.utime(fd)  # so that it is not removed as one that nobody took
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(fd), os.stat(str(path))):
                    break
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # it was removed as expired meanwhile

    def release() -> None:
        locking.unlock_file(fd)
        os.close(fd)

    return release


def _filelocked(path: Path, what: str) -> Callable[[], None]:
    """Lock a file where there is no flock; what releases it again."""
    import filelock

    held = filelock.FileLock(str(path), thread_local=False)
    try:
        held.acquire(timeout=0)
    except filelock.Timeout:
        raise InProgress(f"{what} is being transferred by another process") from None
    return held.release


class DirectoryStorage:
    """Journals as files of mode 0600 in one directory."""

    def __init__(self, directory: Optional[Path] = None, clock: Clock = SYSTEM_CLOCK) -> None:
        self._directory = directory
        self._clock = clock

    def load(self, key: str) -> Optional[str]:
        """The text under ``key``, or None."""
        try:
            return self._path(key).read_text("utf-8")
        except FileNotFoundError:
            return None

    def save(self, key: str, text: str) -> None:
        """Keep ``text`` under ``key``."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, text)

    def remove(self, key: str) -> None:
        """Forget ``key``, and whatever has expired."""
        oldest = self._clock.wall() - _EXPIRES
        for path in [self._path(key), *self._expired(oldest)]:
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                path.unlink()

    def _expired(self, oldest: float) -> Iterator[Path]:
        """Old journals, what a killed process left of writing one, and locks that nobody took since."""
        for pattern in ("*.json", "*.tmp", "../locks/*.lock"):
            for path in self._path("").parent.glob(pattern):
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_mtime < oldest:
                        yield path

    def _path(self, key: str) -> Path:
        directory = self._directory or state_directory() / "journals"
        return directory / f"{key}.json"


class Journal:
    """The memory of one request to move files, shared by its runs.

    A journal that cannot be read or written costs the resume, not the transfer.

    :param key: what makes the request this one: service, origin, account, recipients, options, ...
    :param what: the request in words, for messages.
    """

    def __init__(
        self,
        key: Mapping[str, Any],
        what: str,
        *,
        storage: Optional[Storage] = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._name = _hashed(json.dumps(key, sort_keys=True, default=str))
        self._storage = storage if storage is not None else DirectoryStorage(clock=clock)
        self._clock = clock
        self._mutex = threading.Lock()
        self._saved_at = float("-inf")
        self._changed = False
        self._lock = Lock(self._name, what)
        #: What is remembered; changed by :meth:`note`, :meth:`append` and :meth:`drop`.
        self.state: Dict[str, Any] = self._load()

    def _load(self) -> Dict[str, Any]:
        try:
            text = self._storage.load(self._name)
            found = parse_json(text) if text is not None else None
        except (OSError, ValueError) as error:
            log.warning("a journal cannot be read, nothing is resumed: %s", error)
            return {}
        if found is None:
            return {}
        if not isinstance(found, dict) or found.get("version") != _VERSION:
            log.warning("a journal of an unknown version is ignored, nothing is resumed")
            return {}
        state = found.get("state")
        return state if isinstance(state, dict) else {}

    def note(self, **changes: Any) -> None:
        """Remember these values, on disk at once."""
        with self._mutex:
            self.state.update(changes)
        self.save()

    def note_soon(self, **changes: Any) -> None:
        """Remember these values; losing them costs a repeat, so that they may be on disk a little later."""
        with self._mutex:
            self.state.update(changes)
        self._save_soon()

    def append(self, mapping: str, key: str, value: Any) -> None:
        """Add ``value`` to the list ``state[mapping][key]``, like :meth:`note_soon`."""
        with self._mutex:
            self.state.setdefault(mapping, {}).setdefault(key, []).append(value)
        self._save_soon()

    def _save_soon(self) -> None:
        with self._mutex:
            self._changed = True
            due = self._clock.monotonic() - self._saved_at >= _SAVE_EVERY
        if due:
            self.save()

    def drop(self, mapping: str, key: str) -> None:
        """Forget ``state[mapping][key]``."""
        with self._mutex:
            self.state.get(mapping, {}).pop(key, None)
        self.save()

    def save(self) -> None:
        """Write it down now."""
        with self._mutex:
            self._saved_at = self._clock.monotonic()
            self._changed = False
            text = json.dumps({"version": _VERSION, "state": self.state})
            try:
                self._storage.save(self._name, text)
            except OSError as error:
                log.warning("a journal cannot be written, this transfer cannot be resumed: %s", error)

    def forget(self) -> None:
        """The request is done: nothing is left to remember."""
        with self._mutex:
            self._changed = False
            self.state = {}
            try:
                self._storage.remove(self._name)
            except OSError as error:
                log.warning("a journal cannot be removed: %s", error)

    def close(self) -> None:
        """Write down what is not yet, and let another process at it."""
        if self._changed:
            self.save()
        self._lock.release()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
