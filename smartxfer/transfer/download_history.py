"""Record of the files that earlier runs wrote to a directory; it is stored in the state directory.

One line is appended for each file, so that several processes can download to one directory concurrently.
"""

import contextlib
import hashlib
import json
import logging
import os
import stat
import threading
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Dict, List, Optional, Sequence, Tuple, Union

from smartxfer._system import open_binary
from smartxfer.directories import Entry, PathOrEntry, lstat
from smartxfer.local_errors import is_resource_error, wrap_os_error
from smartxfer.transfer.buffers import BLOCK_SIZE
from smartxfer.transfer.private_files import PrivateDirectory
from smartxfer.transport.json_codec import parse_json

__all__ = ["DownloadHistory", "ExtentChecksum", "Origin", "compute_extent_checksums", "get_download_history"]

log = logging.getLogger("smartxfer.transfer")

ExtentChecksum = Tuple[int, int, int]
"""Start, stop and CRC-32 of some bytes of a file."""

Origin = Tuple[str, str]
"""The service from which a file was downloaded, and its name there."""

_VERSION = 1
#: Number of superseded lines after which the file is rewritten.
_MAX_SUPERSEDED_LINES = 200


class DownloadHistory:
    """Record of the files that earlier runs wrote to one directory.

    If it cannot be read or written, the transfer continues, but later runs do not replace the files.

    :param directory: the directory of the files.
    """

    def __init__(self, directory: Path) -> None:
        #: Absolute, because the working directory may change later.
        self._directory = directory.absolute()
        self._file_name = ""
        self._lock = threading.Lock()
        self._cached_records: Optional[Dict[str, Any]] = None
        #: Origins of files whose local name differs from that on the server.
        self._origins: Dict[str, Origin] = {}

    def is_unmodified(self, path: PathOrEntry, identity: Optional[Dict[str, Any]] = None) -> bool:
        """Return True if a file has exactly the bytes that the last run wrote to it.

        :param identity: of the downloaded object; None for any.
        """
        record = self._load_records().get(path.name)
        if not isinstance(record, dict):
            return False
        if identity is not None and record.get("identity") != _hash_identity(identity):
            return False
        try:
            stat_result = lstat(path)
            if not stat.S_ISREG(stat_result.st_mode) or stat_result.st_size != record.get("size"):
                return False
            recorded = _parse_checksums(record.get("sums"), stat_result.st_size)
            return recorded is not None and compute_extent_checksums(path, recorded) == recorded
        except OSError as error:
            if is_resource_error(error):
                raise wrap_os_error(error, Path(path), "read") from None
            return False

    def record_download(
        self, path: PathOrEntry, size: int, checksums: Sequence[ExtentChecksum], identity: Dict[str, Any]
    ) -> None:
        """Record the checksums of a downloaded file."""
        record = {
            "size": size,
            "sums": [list(checksum) for checksum in checksums],
            "identity": _hash_identity(identity),
        }
        self._append(path, record)

    def get_origin(self, name: str) -> Optional[Origin]:
        """Return the origin of a file whose name on the server is different, else None."""
        self._load_records()
        return self._origins.get(name)

    def record_origin(self, path: PathOrEntry, origin: Optional[Origin]) -> None:
        """Record the origin of a file; None if its name on the server is the same."""
        try:
            if self.get_origin(path.name) == origin:
                return
        except OSError:
            return  # a record that cannot be read must not be changed
        if origin is None:
            del self._origins[path.name]
        else:
            self._origins[path.name] = origin
        self._append(path, {"origin": origin})

    def _append(self, path: PathOrEntry, record: Dict[str, Any]) -> None:
        line = json.dumps({"version": _VERSION, "name": path.name, **record}) + "\n"
        try:
            known = self._load_records()
            if "origin" not in record:
                known[path.name] = record
            with PrivateDirectory.in_state_directory("written", make=True) as directory:
                with directory.open(self._get_file_name(), os.O_WRONLY | os.O_CREAT | os.O_APPEND) as opened:
                    os.write(opened.number, line.encode("ascii"))
        except OSError as error:
            log.warning("cannot record the download of %s: %s", path, error)

    def _load_records(self) -> Dict[str, Any]:
        with self._lock:
            if self._cached_records is None:
                self._cached_records = self._read_records()
            return self._cached_records

    def _read_records(self) -> Dict[str, Any]:
        known: Dict[str, Any] = {}
        try:
            with PrivateDirectory.in_state_directory("written") as directory:
                with directory.open(self._get_file_name(), os.O_RDONLY) as opened, opened.to_binary_file(
                    "rb"
                ) as file:
                    lines = file.read().decode("utf-8", "replace").splitlines()
                for line in lines:
                    with contextlib.suppress(ValueError):  # an incomplete line of a killed process
                        record = parse_json(line)
                        if isinstance(record, dict) and record.pop("version", None) == _VERSION:
                            self._apply_record(str(record.pop("name", "")), record, known)
                if len(lines) > 2 * (len(known) + len(self._origins)) + _MAX_SUPERSEDED_LINES:
                    self._rewrite(directory, known)
        except FileNotFoundError:
            return {}
        except OSError as error:
            if is_resource_error(error):
                raise wrap_os_error(error, "the record of earlier downloads", "read") from None
            log.warning("the record of earlier downloads is not used: %s", error)
            return {}
        return known

    def _apply_record(self, name: str, record: Dict[str, Any], known: Dict[str, Any]) -> None:
        """Apply one line of the file."""
        if "origin" not in record:
            known[name] = record
            return
        origin = record["origin"]
        self._origins.pop(name, None)
        if isinstance(origin, list) and len(origin) == 2:
            self._origins[name] = (str(origin[0]), str(origin[1]))

    def _rewrite(self, directory: PrivateDirectory, known: Dict[str, Any]) -> None:
        """Rewrite the file without superseded lines; a line that another process appends now is lost."""
        records = [*known.items(), *((name, {"origin": origin}) for name, origin in self._origins.items())]
        lines = [json.dumps({"version": _VERSION, "name": name, **record}) for name, record in records]
        try:
            directory.write(self._get_file_name(), "\n".join(lines) + "\n")
        except OSError as error:
            log.debug("cannot shorten %s: %s", directory.path / self._get_file_name(), error)

    def _get_file_name(self) -> str:
        if not self._file_name:
            path = os.path.realpath(str(self._directory))
            self._file_name = f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.jsonl"
        return self._file_name


def get_download_history(cache: Dict[Path, DownloadHistory], directory: Path) -> DownloadHistory:
    """Return the record of a directory, which is read once for all of its files.

    :param cache: records of the same call.
    """
    if directory not in cache:
        cache[directory] = DownloadHistory(directory)
    return cache[directory]


def _parse_checksums(entries: Any, size: int) -> Optional[List[ExtentChecksum]]:
    """Return the noted checksums of a file; None where they are damaged or do not cover it.

    :param size: bytes of the file.
    """
    checksums: List[ExtentChecksum] = []
    at = 0
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, list) or len(entry) != 3 or any(type(value) is not int for value in entry):
            return None
        start, stop, value = entry
        if not at == start <= stop <= size:
            return None
        checksums.append((start, stop, value))
        at = stop
    return checksums if at == size else None


def compute_extent_checksums(
    path: Union[PathOrEntry, BinaryIO], extents: Sequence[Tuple[int, ...]]
) -> List[ExtentChecksum]:
    """CRC-32 of parts of a file.

    :param path: of the file, or the file, open.
    :param extents: (start, stop, ...) of each.
    :raises OSError: it cannot be read.
    """
    if isinstance(path, (Path, Entry)):
        with open_binary(path) as file:
            return compute_extent_checksums(file, extents)
    checksums: List[ExtentChecksum] = []
    for start, stop, *_ in extents:
        path.seek(start)
        value, left = 0, stop - start
        while left:
            data = path.read(min(BLOCK_SIZE, left))
            if not data:
                break
            value, left = zlib.crc32(data, value), left - len(data)
        checksums.append((start, stop, value))
    return checksums


def _hash_identity(identity: Dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()[:32]
