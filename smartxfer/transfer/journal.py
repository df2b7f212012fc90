"""Journals: the state of transfers for a later run, versioned, locked, and written atomically."""

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
#: Maximum age of a journal in seconds: no server keeps an unfinished upload longer.
_MAX_AGE = 21 * 24 * 3600


class DirectoryStorage:
    """Journals as files of mode 0600 in one directory, which only this user may write to.

    A journal or directory that other users can change is neither read nor written.

    :param directory: by default ``journals`` in the state directory.
    """

    def __init__(self, directory: Optional[Path] = None, clock: Clock = SYSTEM_CLOCK) -> None:
        self._directory = directory
        self._clock = clock

    def __repr__(self) -> str:
        return short_repr("DirectoryStorage", self._directory) if self._directory else "DirectoryStorage()"

    def load(self, key: str) -> Optional[str]:
        """Return the text of ``key``, or None."""
        try:
            with self._open() as directory:
                return directory.read(_get_file_name(key))
        except FileNotFoundError:
            return None

    def save(self, key: str, text: str) -> None:
        """Store the text of ``key``."""
        with self._open(make=True) as directory:
            directory.write(_get_file_name(key), text)

    def remove(self, key: str) -> None:
        """Remove the text of ``key`` and all expired journals."""
        oldest = self._clock.time() - _MAX_AGE
        try:
            with self._open() as directory:
                for name in (_get_file_name(key), f"{_get_file_name(key)}.tmp"):  # .tmp of a killed process
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
    """Remove old files: journals, temporary files of killed processes, unused locks."""
    for name in directory.older_than(oldest):
        if name.endswith(suffixes):
            directory.remove(name)


def _hash_key(key: Mapping[str, Any]) -> str:
    return hash_to_name(json.dumps(key, sort_keys=True, default=str))


class Journal:
    """Persistent state of one transfer call, shared by its runs.

    If it cannot be read or written, the transfer continues, but cannot be resumed.

    :param key: identifies the call: service, origin, account, recipients, options, ...
    :param description: of the call, for messages.
    :raises AlreadyInProgress: another process uses the journal.
    :raises LocalError: the system lacks a resource, or the disk fails; the stored journal is kept.
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
        #: False if the journal must not be written.
        self._persistent = not self._lock.untrusted
        #: The recorded state; changed by :meth:`update`, :meth:`append` and :meth:`remove_entry`.
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
            log.warning("without this lock nothing is resumed, and this transfer cannot be resumed later")
            return {}
        try:
            text = self._storage.load(self._name)
            document = parse_json(text) if text is not None else None
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and is_resource_error(error):
                raise wrap_os_error(error, "the journal of an earlier run", "read") from None
            log.warning("cannot read a journal, nothing is resumed: %s", error)
            return {}
        if document is None:
            return {}
        if not isinstance(document, dict) or document.get("version") != _VERSION:
            log.warning("ignoring a journal of an unknown version, nothing is resumed")
            return {}
        state = document.get("state")
        return state if isinstance(state, dict) else {}

    def update(self, **changes: Any) -> None:
        """Record values and save them immediately."""
        with self._state_lock:
            self.state.update(changes)
        self.save()

    def update_lazily(self, **changes: Any) -> None:
        """Record values and save them later; if they are lost, only work must be repeated."""
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
        """Remove ``state[mapping][key]``."""
        with self._state_lock:
            if isinstance(self.state.get(mapping), dict):
                self.state[mapping].pop(key, None)
        self.save()

    def save(self) -> None:
        """Write the state to the storage."""
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
                log.log(level, "cannot write a journal, this transfer cannot be resumed later: %s", error)

    def clear(self) -> None:
        """Remove the journal, because the transfer is complete."""
        with self._state_lock:
            self._changed = False
            self.state = {}
            if not self._persistent:
                return
            try:
                self._storage.remove(self._name)
            except OSError as error:
                log.warning("cannot remove a journal: %s", error)

    def close(self) -> None:
        """Save unsaved changes and release the lock; later changes are not saved."""
        try:
            if self._changed:
                self.save()
        finally:  # also after a second Ctrl-C during the save
            with (
                self._state_lock
            ):  # a thread that outlasts the call must not overwrite another process's state
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
    """Remove the journal of an interrupted run whose work is complete, if it exists.

    It is kept if another process uses it.

    :param key: as for :class:`Journal`.
    :param description: as for :class:`Journal`.
    :param is_finished: called with the recorded state; returns False if the journal belongs to other work.
    """
    try:
        if DirectoryStorage().load(_hash_key(key)) is None:
            return
        with Journal(key, description) as journal:
            if is_finished(journal.state):
                journal.clear()
    except OSError as error:
        log.debug("cannot remove the journal of a complete transfer: %s", error)
