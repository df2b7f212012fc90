"""Sources and sinks with the names of nrp-cmd.

Source: NRP / Invenio protocol, section 7, Python surface.
"""

import base64
import hashlib
import io
import math
import mimetypes
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterable, List, Mapping, Optional, Sequence, TextIO, Tuple, Union

from smartxfer.errors import UsageError
from smartxfer.transfer.sink import MemorySink, SinkLike
from smartxfer.transfer.source import SourceLike, as_source_path, as_target_path

__all__ = [
    "FileSink",
    "FileSource",
    "FilesToUpload",
    "MemorySink",
    "MemorySource",
    "StandardInput",
    "parse_download_args",
    "unwrap_source",
]


_BLOCK_SIZE = 1 << 20


class _PathWrapper:
    """Base class of wrappers of a path."""

    _to_path: Callable[[Any], Optional[Path]] = staticmethod(as_source_path)

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        converted = self._to_path(path)
        if converted is None:
            raise TypeError(f"path must be a path, not {type(path).__name__}")
        self.path = converted

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"


class _ReadableSource:
    """Size and checksum of a source."""

    def _open(self) -> BinaryIO:
        raise LookupError(f"{type(self).__name__} does not implement _open()")

    def size(self) -> int:
        """Return the number of bytes."""
        with self._open() as stream:
            return stream.seek(0, io.SEEK_END)

    def checksum(self, algo: str = "md5", offset: int = 0, count: Optional[int] = None) -> str:
        """Return the digest of all or some bytes, base64-encoded as in HTTP headers.

        :param algo: name of an algorithm of ``hashlib``.
        :param offset: offset of the first byte.
        :param count: number of bytes; None for all following ones.
        :raises UsageError: the algorithm is unknown.
        """
        try:
            digest = hashlib.new(algo)
        except ValueError:
            raise UsageError(
                f"unknown algorithm: {algo!r}", hint="pass one of supported_checksums()"
            ) from None
        left = math.inf if count is None else count
        with self._open() as stream:
            stream.seek(offset)
            while left > 0:
                block = stream.read(int(min(left, _BLOCK_SIZE)))
                if not block:
                    break
                digest.update(block)
                left -= len(block)
        return base64.b64encode(digest.digest()).decode("ascii")

    def supported_checksums(self) -> List[str]:
        """Return the names of the algorithms."""
        return sorted(hashlib.algorithms_available)


class FileSource(_PathWrapper, _ReadableSource):
    """Source that reads a local file, which is opened when its upload starts.

    :param path: path of the file; ``~/`` is expanded.
    """

    def _open(self) -> BinaryIO:
        return open(self.path, "rb")

    def content_type(self) -> str:
        """Return the media type for the extension of the file name."""
        return mimetypes.guess_type(self.path.name)[0] or "application/octet-stream"


class FileSink(_PathWrapper):
    """Sink that writes a local file, which gets its name after it is complete and verified.

    :param path: path of the file or of a directory; ``~/`` is expanded, missing directories are created.
    """

    _to_path = staticmethod(as_target_path)


class MemorySource(_ReadableSource):
    """Source that reads bytes in memory.

    :param data: bytes, bytearray or memoryview; not copied.
    :param content_type: returned by :meth:`content_type`; not sent, because a repository uses the key.
    """

    def __init__(
        self, data: Union[bytes, bytearray, memoryview], content_type: str = "application/octet-stream"
    ) -> None:
        self.data = memoryview(data).cast("B")
        self._content_type = content_type

    def _open(self) -> BinaryIO:
        return io.BytesIO(self.data)

    def content_type(self) -> str:
        """Return the media type passed to the constructor."""
        return self._content_type

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.data)} bytes)"


class StandardInput:
    """Source that reads standard input to its end."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


RecordSource = Union[SourceLike, MemorySource, StandardInput, TextIO]
"""Source of a file of a record; the only accepted text file is ``sys.stdin``."""
FileToUpload = Union[
    RecordSource, Tuple[str, RecordSource], Tuple[str, RecordSource, Optional[Mapping[str, Any]]]
]
RecordSink = Union[SinkLike, FileSink]
"""Target of a download: a path, a directory, an open binary file, or a sink."""
FilesToUpload = Union[RecordSource, Iterable[FileToUpload]]
"""Sources, ``(key, source)`` and ``(key, source, metadata)``; a directory means the files in it."""


def unwrap_source(source: Any) -> Any:
    """Return the engine's source for a MemorySource or standard input; other sources unchanged."""
    if isinstance(source, MemorySource):
        return source.data
    if isinstance(source, StandardInput) or source is sys.stdin:
        return sys.stdin.buffer
    return source


def parse_download_args(args: Sequence[Any], key: Optional[str], sink: Any) -> Tuple[Optional[str], Any]:
    """Return (key, sink) of the arguments of ``download``."""
    remaining = list(args)
    if remaining and sink is None:
        sink = remaining.pop()
    if remaining and key is None:
        key = remaining.pop()
    if remaining or sink is None or not (key is None or isinstance(key, str)):
        raise UsageError(
            "download() needs a file and a sink, or a record, a key and a sink",
            hint="call files.download(file, 'data.csv') or files.download(record, 'key', 'data.csv')",
        )
    return key, sink
