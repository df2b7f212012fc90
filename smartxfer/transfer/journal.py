"""What a later run needs to know of this one: versioned, locked, written whole or not at all."""

import json
import logging
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional

from smartxfer._system import SYSTEM_CLOCK, Clock
from smartxfer.local_errors import is_resource_error, wrap_os_error
from smartxfer.reprs import short_repr
from smartxfer.transfer.file_locks import FileLock, hash_to_name
from smartxfer.transfer.private_files import PrivateDirectory, state_directory, write_atomic
from smartxfer.transfer.protocols import Storage
from smartxfer.transport.json_codec import parse_json

__all__ = [
    "DirectoryStorage",
    "FileLock",
    "Journal",
    "clear_finished_journal",
    "state_directory",
    "write_atomic",
]

log = logging.getLogger("smartxfer.transfer")

_VERSION = 1
_SAVE_INTERVAL = 0.5
#: Entries older than this many seconds are forgotten: no server keeps an unfinished upload that long.
_MAX_AGE = 21 * 24 * 3600


class DirectoryStorage:
    """Journals as files of mode 0600 in one directory, which only this user may write to.

    A journal, or a directory, that is not of this user alone is neither read nor written.

    :param directory: by default ``journals`` in the state directory.
    """

    def __init__(self, directory: Optional[Path] = None, clock: Clock = SYSTEM_CLOCK) -> None:
        self._directory = directory
        self._clock = clock

    def __repr__(self) -> str:
        return short_repr("DirectoryStorage", self._directory) if self._directory else "DirectoryStorage()"

    def load(self, key: str) -> Optional[str]:
        """The text under ``key``, or None."""
        try:
            with self._open() as directory:
                return directory.read(_get_file_name(key))
        except FileNotFoundError:
            return None

    def save(self, key: str, text: str) -> None:
        """Keep ``text`` under ``key``."""
        with self._open(make=True) as directory:
            directory.write(_get_file_name(key), text)

    def remove(self, key: str) -> None:
        """Forget ``key``, and whatever has expired."""
        oldest = self._clock.time() - _MAX_AGE
        try:
            with self._open() as directory:
                for name in (_get_file_name(key), f"{_get_file_name(key)}.tmp"):  # what a killed process left
                    directory.remove(name)
                _expire(directory, oldest, ".json", ".tmp")
            if self._directory is None:
                with PrivateDirectory.in_state_directory("locks") as directory:
                    _expire(directory, oldest, ".lock")
        except FileNotFoundError:
            return

    def _open(self, make: bool = False) -> PrivateDirectory:
        if self._directory is None:
            return PrivateDirectory.in_state_directory("journals", make=make)
        return PrivateDirectory(self._directory, make=make)


def _get_file_name(key: str) -> str:
    return f"{key}.json"


def _expire(directory: PrivateDirectory, oldest: float, *suffixes: str) -> None:
    """Remove old files: journals, what a killed process left of writing one, unused locks."""
    for name in directory.older_than(oldest):
        if name.endswith(suffixes):
            directory.remove(name)


def _hash_key(key: Mapping[str, Any]) -> str:
    return hash_to_name(json.dumps(key, sort_keys=True, default=str))


class Journal:
    """The memory of one request to move files, shared by its runs.

    A journal that cannot be read or written costs the resume, not the transfer.

    :param key: what makes the request this one: service, origin, account, recipients, options, ...
    :param description: the request in words, for messages.
    :raises AlreadyInProgress: another process has it.
    :raises LocalError: the system is short of something, or the disk fails; what is remembered stays.
    """

    def __init__(
        self,
        key: Mapping[str, Any],
        description: str,
        *,
        storage: Optional[Storage] = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._name = _hash_key(key)
        self._storage = storage if storage is not None else DirectoryStorage(clock=clock)
        self._clock = clock
        self._state_lock = threading.Lock()
        self._saved_at = float("-inf")
        self._changed = False
        self._warned = False
        self._lock = FileLock(self._name, description)
        #: False once a journal is known not to be of use to a later run.
        self._persistent = not self._lock.untrusted
        #: What is remembered; changed by :meth:`note`, :meth:`append` and :meth:`drop`.
        self.state: Dict[str, Any] = {}
        try:
            self.state = self._load()
        except BaseException:
            self._lock.release()
            raise

    def __repr__(self) -> str:
        return short_repr("Journal", self._name)

    def _load(self) -> Dict[str, Any]:
        if not self._persistent:
            log.warning("without that lock nothing is resumed, and this transfer cannot be resumed")
            return {}
        try:
            text = self._storage.load(self._name)
            found = parse_json(text) if text is not None else None
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and is_resource_error(error):
                raise wrap_os_error(error, "the journal of an earlier run", "read") from None
            log.warning("a journal cannot be read, nothing is resumed: %s", error)
            return {}
        if found is None:
            return {}
        if not isinstance(found, dict) or found.get("version") != _VERSION:
            log.warning("a journal of an unknown version is ignored, nothing is resumed")
            return {}
        state = found.get("state")
        return state if isinstance(state, dict) else {}

    def update(self, **changes: Any) -> None:
        """Remember these values, on disk at once."""
        with self._state_lock:
            self.state.update(changes)
        self.save()

    def update_lazily(self, **changes: Any) -> None:
        """Remember these values; losing them costs a repeat, so that they may be on disk a little later."""
        with self._state_lock:
            self.state.update(changes)
        self._save_lazily()

    def append(self, mapping: str, key: str, value: Any) -> None:
        """Add ``value`` to the list ``state[mapping][key]``, like :meth:`update_lazily`."""
        with self._state_lock:
            if not isinstance(self.state.setdefault(mapping, {}), dict):
                self.state[mapping] = {}  # a damaged journal
            if not isinstance(self.state[mapping].setdefault(key, []), list):
                self.state[mapping][key] = []
            self.state[mapping][key].append(value)
        self._save_lazily()

    def _save_lazily(self) -> None:
        with self._state_lock:
            self._changed = True
            due = self._clock.monotonic() - self._saved_at >= _SAVE_INTERVAL
        if due:
            self.save()

    def remove_entry(self, mapping: str, key: str) -> None:
        """Forget ``state[mapping][key]``."""
        with self._state_lock:
            if isinstance(self.state.get(mapping), dict):
                self.state[mapping].pop(key, None)
        self.save()

    def save(self) -> None:
        """Write it down now."""
        with self._state_lock:
            self._saved_at = self._clock.monotonic()
            self._changed = False
            if not self._persistent:
                return
            text = json.dumps({"version": _VERSION, "state": self.state})
            try:
                self._storage.save(self._name, text)
            except OSError as error:
                level = logging.DEBUG if self._warned else logging.WARNING
                self._warned = True
                log.log(level, "a journal cannot be written, this transfer cannot be resumed: %s", error)

    def clear(self) -> None:
        """The request is done: nothing is left to remember."""
        with self._state_lock:
            self._changed = False
            self.state = {}
            if not self._persistent:
                return
            try:
                self._storage.remove(self._name)
            except OSError as error:
                log.warning("a journal cannot be removed: %s", error)

    def close(self) -> None:
        """Write down what is not yet, and let another process at it; later notes are lost."""
        try:
            if self._changed:
                self.save()
        finally:  # a second Ctrl-C in the save leaves the lock free, too
            with self._state_lock:  # a thread that outlasts the call would write over another process's notes
                self._persistent = False
            self._lock.release()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


def clear_finished_journal(
    key: Mapping[str, Any],
    description: str,
    is_finished: Callable[[Mapping[str, Any]], bool] = lambda state: True,
) -> None:
    """Remove the journal of a run that had finished its work when it was ended, if there is one.

    It stays where another process has it.

    :param key: as of :class:`Journal`, and so is ``description``.
    :param is_finished: called with what the journal remembers; False: it is about other work.
    """
    try:
        if DirectoryStorage().load(_hash_key(key)) is None:
            return
        with Journal(key, description) as journal:
            if is_finished(journal.state):
                journal.clear()
    except OSError as error:
        log.debug("a journal of finished work stays: %s", error)
