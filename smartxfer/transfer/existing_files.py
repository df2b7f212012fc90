"""Existing files under names that a server chose: kept, replaced, passed over, or an error."""

import contextlib
import os
import stat
from pathlib import Path
from typing import Any, Callable, Collection, Dict, Iterator, Literal, Optional, Sequence, Tuple

import attrs

from smartxfer._system import open_binary
from smartxfer.directories import Entry, PathOrEntry, get_os_arguments, lstat
from smartxfer.errors import SmartxferError, TargetExists, UsageError
from smartxfer.local_errors import is_resource_error, wrap_os_error
from smartxfer.transfer.buffers import BLOCK_SIZE
from smartxfer.transfer.digest import compute_file_digest
from smartxfer.transfer.download_history import DownloadHistory, ExtentChecksum, Origin
from smartxfer.transfer.safe_paths import add_number, fold_name

__all__ = [
    "ExistingFilePolicy",
    "Exists",
    "RetainedFile",
    "UploadExists",
    "validate_exists",
    "validate_upload_exists",
]

Exists = Optional[Literal["replace", "skip", "rename", "newer"]]
"""What to do about an existing file: None keeps identical content, and other content is an error."""

UploadExists = Optional[Literal["replace", "skip"]]
"""What to do about a file of that name at the service: None is the service's own way."""

_EXISTS_VALUES = ("replace", "skip", "rename", "newer")
#: The highest number that a name gets.
_MAX_NUMBER = 9999


def validate_exists(exists: Any, *, supports_newer: bool = True) -> None:
    """Check the value of ``exists=``.

    :param supports_newer: whether the service tells when a file changed.
    :raises UsageError: it is none of the words, or ``"newer"`` where that cannot be told.
    """
    if exists is not None and exists not in _EXISTS_VALUES:
        raise UsageError(
            f"exists is {', '.join(map(repr, _EXISTS_VALUES))} or None, not {exists!r}",
            hint="pass exists='skip', for example",
        )
    if exists == "newer" and not supports_newer:
        raise UsageError(
            'exists="newer" needs a time of change, which this service does not publish',
            hint='use exists="replace", "skip" or "rename"',
        )


def validate_upload_exists(exists: Any) -> None:
    """Check the value of ``exists=`` of an upload.

    :raises UsageError: it is none of the words.
    """
    if exists not in (None, "replace", "skip"):
        raise UsageError(
            f"exists of an upload is 'replace', 'skip' or None, not {exists!r:.80}",
            hint="pass exists='replace' or 'skip', or leave it out",
        )


@attrs.frozen
class RetainedFile:
    """An existing file that was kept.

    :param skipped: ``"identical"``, ``"exists"`` or ``"older"`` (the server's file is not newer).
    :param digest: ``"algorithm:hex"`` that was compared.
    """

    path: Path
    skipped: str
    size: int
    digest: Optional[str] = None


class ExistingFilePolicy:
    """Decides about existing files under one name; asked before anything is fetched, and again at the end.

    :param exists: what the caller wants.
    :param history: what earlier runs wrote into the directory.
    :param digest: (algorithm, hex) that the server published.
    :param fetch_digest: asks the server for such a digest.
    :param mtime_range: when the server's file changed: the earliest and the latest moment that it can have
        been.
    :param immutable: whether an object of one identity has the same bytes for ever.
    :param reserved_names: names that other files of the same call get.
    :param origin: where the file comes from, if it has another name there.
    """

    def __init__(
        self,
        exists: Exists,
        history: DownloadHistory,
        *,
        digest: Optional[Tuple[str, str]] = None,
        fetch_digest: Optional[Callable[[], Tuple[str, str]]] = None,
        mtime_range: Optional[Tuple[float, float]] = None,
        immutable: bool = False,
        reserved_names: Collection[str] = (),
        origin: Optional[Origin] = None,
    ) -> None:
        self.exists = exists
        self._history = history
        self._digest = digest
        self._fetch_digest = fetch_digest
        self._mtime_range = mtime_range
        self._immutable = immutable
        self._reserved_names = reserved_names
        self._origin = origin
        self._size: Optional[int] = None
        self._identity: Dict[str, Any] = {}
        #: States of files that are known to have other bytes, and may be replaced.
        self._different_files: Dict[PathOrEntry, Any] = {}
        self._replaceable_files: Dict[PathOrEntry, Any] = {}

    def find_retained_file(
        self, path: PathOrEntry, size: Optional[int], identity: Dict[str, Any]
    ) -> Optional[RetainedFile]:
        """Return the file that is kept; None where the object has to be fetched.

        :raises TargetExists: another file has the name, and nothing allows its replacement.
        """
        self._size, self._identity = size, identity
        for candidate in self._iter_candidates(path):
            state = _get_file_state(candidate)
            if state is None:
                return None
            if self.exists == "skip":
                return RetainedFile(Path(candidate), "exists", _get_size(candidate))
            same = self._has_same_content(candidate)
            if same:
                self._history.record_origin(candidate, self._origin)
                return RetainedFile(Path(candidate), "identical", _get_size(candidate), self._format_digest())
            if same is None and self.exists != "newer":
                return None  # the bytes tell, once they are here
            self._different_files[candidate] = state
            if self.exists == "rename":
                continue
            if self.exists == "newer" and not self._is_newer(candidate):
                return RetainedFile(Path(candidate), "older", _get_size(candidate))
            self._require_replaceable(candidate, state)
            return None
        raise self._target_exists_error(path)

    def rename_or_retain(
        self, part: Entry, path: Entry, rename: Callable[[Entry, bool], None]
    ) -> Tuple[Entry, Optional[RetainedFile]]:
        """Give the fetched file its name; the name, and what was kept in its place.

        :param rename: gives the partial file a name; with True only if the name is free, else
            FileExistsError.
        :raises TargetExists: another file has the name, and nothing allows its replacement.
        """
        for candidate in self._iter_candidates(path):
            state = _get_file_state(candidate)
            if state is None:
                with contextlib.suppress(FileExistsError):
                    rename(candidate, True)
                    return candidate, None
                state = _get_file_state(candidate)
            if self.exists == "skip":
                return candidate, RetainedFile(Path(candidate), "exists", _get_size(candidate))
            if self._different_files.get(candidate) != state and _have_same_content(part, candidate):
                self._history.record_origin(candidate, self._origin)
                return candidate, RetainedFile(Path(candidate), "identical", _get_size(candidate))
            if self.exists == "rename":
                continue
            self._require_replaceable(candidate, state)
            rename(candidate, False)
            return candidate, None
        raise self._target_exists_error(path)

    def record_download(self, path: PathOrEntry, size: int, checksums: Sequence[ExtentChecksum]) -> None:
        """Remember what was written under a name, so that a later run may replace it."""
        self._history.record_download(path, size, checksums, self._identity)
        self._history.record_origin(path, self._origin)

    # -- inside -----------------------------------------------------------------------------------------

    def _iter_candidates(self, path: PathOrEntry) -> Iterator[Any]:
        """The name; for ``"rename"`` those with a number too."""
        yield path
        if self.exists == "rename":
            for number in range(2, _MAX_NUMBER):
                candidate = path.with_name(add_number(path.name, number))
                if fold_name(str(candidate)) not in self._reserved_names:
                    yield candidate

    def _has_same_content(self, path: PathOrEntry) -> Optional[bool]:
        """Whether a file has the object's bytes; None where only the bytes themselves can tell."""
        try:
            found = _stat(path)
            if not stat.S_ISREG(found.st_mode) or self._size not in (None, found.st_size):
                return False
            if self._digest is None and self._immutable and self._history.is_unmodified(path, self._identity):
                return True
            if self._digest is None and self._fetch_digest is not None:
                asked = self._fetch_digest()
                if asked[1] != "unknown":
                    self._digest = asked
            if self._digest is None:
                return None
            return compute_file_digest(path, self._digest[0]) == self._digest[1].lower()
        except SmartxferError:
            raise  # the server could not be asked: that says nothing about the file
        except OSError as error:
            if is_resource_error(error):
                raise wrap_os_error(error, Path(path), "read") from None
            return False

    def _format_digest(self) -> Optional[str]:
        return None if self._digest is None else f"{self._digest[0]}:{self._digest[1].lower()}"

    def _require_replaceable(self, path: PathOrEntry, state: Any) -> None:
        """Check that a file with other bytes may be replaced.

        :raises TargetExists: it may not.
        """
        if self.exists == "replace" or (state is not None and self._replaceable_files.get(path) == state):
            return
        if not (self._is_newer(path) if self.exists == "newer" else self._history.is_unmodified(path)):
            raise self._target_exists_error(path)
        self._replaceable_files[path] = state

    def _is_newer(self, path: PathOrEntry) -> bool:
        """Whether the server's file is newer.

        :raises TargetExists: that cannot be told.
        """
        local = lstat(path).st_mtime
        if self._mtime_range is None or self._mtime_range[0] <= local < self._mtime_range[1]:
            raise self._target_exists_error(path, ", and the server does not tell which file is newer")
        return self._mtime_range[0] > local

    def _target_exists_error(self, path: PathOrEntry, why: str = "") -> TargetExists:
        return TargetExists(f"{path} exists and has other content{why}", path=Path(path))


def _get_file_state(path: PathOrEntry) -> Any:
    """What shows that the file of a name was changed; None where there is no file."""
    try:
        found = lstat(path)
    except FileNotFoundError:
        return None
    return found.st_mode, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _get_size(path: PathOrEntry) -> int:
    with contextlib.suppress(OSError):
        return _stat(path).st_size
    return 0


def _have_same_content(one: Entry, other: Entry) -> bool:
    """Compare the bytes of two files; what is not a regular file has no bytes."""
    try:
        found = _stat(other)
        if not stat.S_ISREG(found.st_mode) or found.st_size != _stat(one).st_size:
            return False
        with open_binary(one) as left, open_binary(other) as right:
            while True:
                data = left.read(BLOCK_SIZE)
                if data != right.read(BLOCK_SIZE):
                    return False
                if not data:
                    return True
    except OSError as error:
        if is_resource_error(error):
            raise wrap_os_error(error, Path(other), "read") from None
        return False


def _stat(place: PathOrEntry) -> os.stat_result:
    """Return the state of a file, or of where a symbolic link leads."""
    name, where = get_os_arguments(place)
    return os.stat(name, **where)
