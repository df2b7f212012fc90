"""Existing files under names that a server chose: kept, replaced, passed over, or an error."""

import contextlib
import os
import stat
from pathlib import Path
from typing import Any, Callable, Collection, Dict, Iterator, Literal, Optional, Sequence, Tuple

import attrs

from smartxfer.directories import AnyEntry, Entry, arguments_of, lstat
from smartxfer.errors import SmartxferError, TargetExists, UsageError
from smartxfer.local_errors import is_resource_error, local_error
from smartxfer.seams import open_binary
from smartxfer.transfer.buffers import BLOCK
from smartxfer.transfer.digest import digest_of
from smartxfer.transfer.names import folded, numbered
from smartxfer.transfer.written import Origin, Sum, Written

__all__ = ["Exists", "Guard", "Kept", "UploadExists", "check_exists", "check_upload_exists"]

Exists = Optional[Literal["replace", "skip", "rename", "newer"]]
"""What to do about an existing file: None keeps identical content, and other content is an error."""

UploadExists = Optional[Literal["replace", "skip"]]
"""What to do about a file of that name at the service: None is the service's own way."""

_WORDS = ("replace", "skip", "rename", "newer")
#: The highest number that a name gets.
_MOST = 9999


def check_exists(exists: Any, *, newer: bool = True) -> None:
    """Check the value of ``exists=``.

    :param newer: whether the service tells when a file changed.
    :raises UsageError: it is none of the words, or ``"newer"`` where that cannot be told.
    """
    if exists is not None and exists not in _WORDS:
        raise UsageError(f"exists is {', '.join(map(repr, _WORDS))} or None, not {exists!r}")
    if exists == "newer" and not newer:
        raise UsageError(
            'exists="newer" needs a time of change, which this service does not publish',
            hint='use exists="replace", "skip" or "rename"',
        )


def check_upload_exists(exists: Any) -> None:
    """Check the value of ``exists=`` of an upload.

    :raises UsageError: it is none of the words.
    """
    if exists not in (None, "replace", "skip"):
        raise UsageError(f"exists of an upload is 'replace', 'skip' or None, not {exists!r:.80}")


@attrs.frozen
class Kept:
    """An existing file that was kept.

    :param skipped: ``"identical"``, ``"exists"`` or ``"older"`` (the server's file is not newer).
    :param digest: ``"algorithm:hex"`` that was compared.
    """

    path: Path
    skipped: str
    size: int
    digest: Optional[str] = None


class Guard:
    """Decides about existing files under one name; asked before anything is fetched, and again at the end.

    :param exists: what the caller wants.
    :param written: what earlier runs wrote into the directory.
    :param digest: (algorithm, hex) that the server published.
    :param doubt: asks the server for such a digest.
    :param changed: when the server's file changed: the earliest and the latest moment that it can have been.
    :param immutable: whether an object of one identity has the same bytes for ever.
    :param taken: names that other files of the same call get.
    :param origin: where the file comes from, if it has another name there.
    """

    def __init__(
        self,
        exists: Exists,
        written: Written,
        *,
        digest: Optional[Tuple[str, str]] = None,
        doubt: Optional[Callable[[], Tuple[str, str]]] = None,
        changed: Optional[Tuple[float, float]] = None,
        immutable: bool = False,
        taken: Collection[str] = (),
        origin: Optional[Origin] = None,
    ) -> None:
        self.exists = exists
        self._written = written
        self._digest = digest
        self._doubt = doubt
        self._changed = changed
        self._immutable = immutable
        self._taken = taken
        self._origin = origin
        self._size: Optional[int] = None
        self._identity: Dict[str, Any] = {}
        #: States of files that are known to have other bytes, and may be replaced.
        self._other: Dict[AnyEntry, Any] = {}
        self._replaceable: Dict[AnyEntry, Any] = {}

    def before(self, path: AnyEntry, size: Optional[int], identity: Dict[str, Any]) -> Optional[Kept]:
        """Return the file that is kept; None where the object has to be fetched.

        :raises TargetExists: another file has the name, and nothing allows its replacement.
        """
        self._size, self._identity = size, identity
        for candidate in self._candidates(path):
            state = _state(candidate)
            if state is None:
                return None
            if self.exists == "skip":
                return Kept(Path(candidate), "exists", _size(candidate))
            same = self._same(candidate)
            if same:
                self._written.note_origin(candidate, self._origin)
                return Kept(Path(candidate), "identical", _size(candidate), self._compared())
            if same is None and self.exists != "newer":
                return None  # the bytes tell, once they are here
            self._other[candidate] = state
            if self.exists == "rename":
                continue
            if self.exists == "newer" and not self._is_newer(candidate):
                return Kept(Path(candidate), "older", _size(candidate))
            self._refuse_unless_allowed(candidate, state)
            return None
        raise self._refusal(path)

    def finish(
        self, part: Entry, path: Entry, put: Callable[[Entry, bool], None]
    ) -> Tuple[Entry, Optional[Kept]]:
        """Give the fetched file its name; the name, and what was kept in its place.

        :param put: gives the partial file a name; with True only if the name is free, else FileExistsError.
        :raises TargetExists: another file has the name, and nothing allows its replacement.
        """
        for candidate in self._candidates(path):
            state = _state(candidate)
            if state is None:
                with contextlib.suppress(FileExistsError):
                    put(candidate, True)
                    return candidate, None
                state = _state(candidate)
            if self.exists == "skip":
                return candidate, Kept(Path(candidate), "exists", _size(candidate))
            if self._other.get(candidate) != state and _same_bytes(part, candidate):
                self._written.note_origin(candidate, self._origin)
                return candidate, Kept(Path(candidate), "identical", _size(candidate))
            if self.exists == "rename":
                continue
            self._refuse_unless_allowed(candidate, state)
            put(candidate, False)
            return candidate, None
        raise self._refusal(path)

    def wrote(self, path: AnyEntry, size: int, sums: Sequence[Sum]) -> None:
        """Remember what was written under a name, so that a later run may replace it."""
        self._written.note(path, size, sums, self._identity)
        self._written.note_origin(path, self._origin)

    # -- inside -----------------------------------------------------------------------------------------

    def _candidates(self, path: AnyEntry) -> Iterator[Any]:
        """The name; for ``"rename"`` those with a number too."""
        yield path
        if self.exists == "rename":
            for number in range(2, _MOST):
                candidate = path.with_name(numbered(path.name, number))
                if folded(str(candidate)) not in self._taken:
                    yield candidate

    def _same(self, path: AnyEntry) -> Optional[bool]:
        """Whether a file has the object's bytes; None where only the bytes themselves can tell."""
        try:
            found = _stat(path)
            if not stat.S_ISREG(found.st_mode) or self._size not in (None, found.st_size):
                return False
            if self._digest is None and self._immutable and self._written.holds(path, self._identity):
                return True
            if self._digest is None and self._doubt is not None:
                asked = self._doubt()
                if asked[1] != "unknown":
                    self._digest = asked
            if self._digest is None:
                return None
            return digest_of(path, self._digest[0]) == self._digest[1].lower()
        except SmartxferError:
            raise  # the server could not be asked: that says nothing about the file
        except OSError as error:
            if is_resource_error(error):
                raise local_error(error, Path(path), "read") from None
            return False

    def _compared(self) -> Optional[str]:
        return None if self._digest is None else f"{self._digest[0]}:{self._digest[1].lower()}"

    def _refuse_unless_allowed(self, path: AnyEntry, state: Any) -> None:
        """Check that a file with other bytes may be replaced.

        :raises TargetExists: it may not.
        """
        if self.exists == "replace" or (state is not None and self._replaceable.get(path) == state):
            return
        if not (self._is_newer(path) if self.exists == "newer" else self._written.holds(path)):
            raise self._refusal(path)
        self._replaceable[path] = state

    def _is_newer(self, path: AnyEntry) -> bool:
        """Whether the server's file is newer.

        :raises TargetExists: that cannot be told.
        """
        local = lstat(path).st_mtime
        if self._changed is None or self._changed[0] <= local < self._changed[1]:
            raise self._refusal(path, ", and the server does not tell which file is newer")
        return self._changed[0] > local

    def _refusal(self, path: AnyEntry, why: str = "") -> TargetExists:
        return TargetExists(f"{path} exists and has other content{why}", path=Path(path))


def _state(path: AnyEntry) -> Any:
    """What shows that the file of a name was changed; None where there is no file."""
    try:
        found = lstat(path)
    except FileNotFoundError:
        return None
    return found.st_mode, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _size(path: AnyEntry) -> int:
    with contextlib.suppress(OSError):
        return _stat(path).st_size
    return 0


def _same_bytes(one: Entry, other: Entry) -> bool:
    """Compare the bytes of two files; what is not a regular file has no bytes."""
    try:
        found = _stat(other)
        if not stat.S_ISREG(found.st_mode) or found.st_size != _stat(one).st_size:
            return False
        with open_binary(one) as left, open_binary(other) as right:
            while True:
                data = left.read(BLOCK)
                if data != right.read(BLOCK):
                    return False
                if not data:
                    return True
    except OSError as error:
        if is_resource_error(error):
            raise local_error(error, Path(other), "read") from None
        return False


def _stat(place: AnyEntry) -> os.stat_result:
    """Return the state of a file, or of where a symbolic link leads."""
    name, where = arguments_of(place)
    return os.stat(name, **where)
