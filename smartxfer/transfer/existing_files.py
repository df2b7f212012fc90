"""Policy for existing files with names that a server chose: keep, replace, skip, rename, or raise."""

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
"""What to do about an existing file: None keeps it if its content is identical, and raises otherwise."""

UploadExists = Optional[Literal["replace", "skip"]]
"""What to do about an existing file at the service: None is the default of the service."""

_EXISTS_VALUES = ("replace", "skip", "rename", "newer")
#: Highest number that is added to a name.
_MAX_NUMBER = 9999


def validate_exists(exists: Any, *, supports_newer: bool = True) -> None:
    """Check the value of ``exists=``.

    :param supports_newer: whether the service publishes when a file changed.
    :raises UsageError: the value is invalid, or is ``"newer"`` and the service does not support it.
    """
    if exists is not None and exists not in _EXISTS_VALUES:
        raise UsageError(
            f"exists must be {', '.join(map(repr, _EXISTS_VALUES))} or None, not {exists!r}",
            hint="pass exists='skip', for example",
        )
    if exists == "newer" and not supports_newer:
        raise UsageError(
            'exists="newer" needs a modification time, which this service does not publish',
            hint='pass exists="replace", "skip" or "rename"',
        )


def validate_upload_exists(exists: Any) -> None:
    """Check the value of ``exists=`` of an upload.

    :raises UsageError: the value is invalid.
    """
    if exists not in (None, "replace", "skip"):
        raise UsageError(
            f"exists of an upload must be 'replace', 'skip' or None, not {exists!r:.80}",
            hint="pass exists='replace' or 'skip', or leave it out",
        )


@attrs.frozen
class RetainedFile:
    """An existing file that was kept.

    :param skipped: reason: ``"identical"``, ``"exists"`` or ``"older"`` (the server's file is not newer).
    :param digest: ``"algorithm:hex"`` that was compared.
    """

    path: Path
    skipped: str
    size: int
    digest: Optional[str] = None


class ExistingFilePolicy:
    """Decides about an existing file, before the download and again when it is complete.

    :param exists: value of the caller's ``exists=``.
    :param history: what earlier runs wrote to the directory.
    :param digest: (algorithm, hex) that the server published.
    :param fetch_digest: requests such a digest from the server.
    :param mtime_range: earliest and latest possible modification time of the server's file.
    :param immutable: whether an object with one identity always has the same bytes.
    :param reserved_names: names of other files of the same call.
    :param origin: the origin of the file, if its name there is different.
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
        #: States of files that are known to have other content, and of those that may be replaced.
        self._different_files: Dict[PathOrEntry, Any] = {}
        self._replaceable_files: Dict[PathOrEntry, Any] = {}

    def find_retained_file(
        self, path: PathOrEntry, size: Optional[int], identity: Dict[str, Any]
    ) -> Optional[RetainedFile]:
        """Return the existing file to keep; None if the object must be downloaded.

        :raises TargetExists: an existing file has other content and must not be replaced.
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
                return None  # the content is compared after the download
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
        """Rename the downloaded file; return its path, and the existing file if that was kept instead.

        :param rename: renames the part file; with True it raises FileExistsError if the name is not free.
        :raises TargetExists: an existing file has other content and must not be replaced.
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
        """Record a downloaded file, so that a later run may replace it."""
        self._history.record_download(path, size, checksums, self._identity)
        self._history.record_origin(path, self._origin)

    # -- internals --------------------------------------------------------------------------------------

    def _iter_candidates(self, path: PathOrEntry) -> Iterator[Any]:
        """Yield the path; for ``"rename"`` also the paths with a number."""
        yield path
        if self.exists == "rename":
            for number in range(2, _MAX_NUMBER):
                candidate = path.with_name(add_number(path.name, number))
                if fold_name(str(candidate)) not in self._reserved_names:
                    yield candidate

    def _has_same_content(self, path: PathOrEntry) -> Optional[bool]:
        """Return True if a file has the content of the object; None if only a download can show it."""
        try:
            stat_result = _stat(path)
            if not stat.S_ISREG(stat_result.st_mode) or self._size not in (None, stat_result.st_size):
                return False
            if self._digest is None and self._immutable and self._history.is_unmodified(path, self._identity):
                return True
            if self._digest is None and self._fetch_digest is not None:
                fetched = self._fetch_digest()
                if fetched[1] != "unknown":
                    self._digest = fetched
            if self._digest is None:
                return None
            return compute_file_digest(path, self._digest[0]) == self._digest[1].lower()
        except SmartxferError:
            raise  # the query for the digest failed
        except OSError as error:
            if is_resource_error(error):
                raise wrap_os_error(error, Path(path), "read") from None
            return False

    def _format_digest(self) -> Optional[str]:
        return None if self._digest is None else f"{self._digest[0]}:{self._digest[1].lower()}"

    def _require_replaceable(self, path: PathOrEntry, state: Any) -> None:
        """Check that a file with other content may be replaced.

        :raises TargetExists: it must not be replaced.
        """
        if self.exists == "replace" or (state is not None and self._replaceable_files.get(path) == state):
            return
        if not (self._is_newer(path) if self.exists == "newer" else self._history.is_unmodified(path)):
            raise self._target_exists_error(path)
        self._replaceable_files[path] = state

    def _is_newer(self, path: PathOrEntry) -> bool:
        """Return True if the server's file is newer.

        :raises TargetExists: the modification time on the server is unknown or too imprecise.
        """
        local = lstat(path).st_mtime
        if self._mtime_range is None or self._mtime_range[0] <= local < self._mtime_range[1]:
            raise self._target_exists_error(path, ", and it is unknown whether the server's file is newer")
        return self._mtime_range[0] > local

    def _target_exists_error(self, path: PathOrEntry, details: str = "") -> TargetExists:
        return TargetExists(f"{path} exists and has other content{details}", path=Path(path))


def _get_file_state(path: PathOrEntry) -> Any:
    """Return metadata that changes when the file is changed; None if the file does not exist."""
    try:
        stat_result = lstat(path)
    except FileNotFoundError:
        return None
    return (
        stat_result.st_mode,
        stat_result.st_dev,
        stat_result.st_ino,
        stat_result.st_size,
        stat_result.st_mtime_ns,
    )


def _get_size(path: PathOrEntry) -> int:
    with contextlib.suppress(OSError):
        return _stat(path).st_size
    return 0


def _have_same_content(first: Entry, second: Entry) -> bool:
    """Return True if two regular files have the same content."""
    try:
        stat_result = _stat(second)
        if not stat.S_ISREG(stat_result.st_mode) or stat_result.st_size != _stat(first).st_size:
            return False
        with open_binary(first) as left, open_binary(second) as right:
            while True:
                data = left.read(BLOCK_SIZE)
                if data != right.read(BLOCK_SIZE):
                    return False
                if not data:
                    return True
    except OSError as error:
        if is_resource_error(error):
            raise wrap_os_error(error, Path(second), "read") from None
        return False


def _stat(path: PathOrEntry) -> os.stat_result:
    """Return the stat result of a file, following symbolic links."""
    name, dir_fd_args = get_os_arguments(path)
    return os.stat(name, **dir_fd_args)
