"""Sources and sinks by the names that nrp-cmd has for them.

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
    """A path that goes by the name of what it is for."""

    _to_path: Callable[[Any], Optional[Path]] = staticmethod(as_source_path)

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        found = self._to_path(path)
        if found is None:
            raise TypeError(f"a path is expected, not {type(path).__name__}")
        self.path = found

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"


class _ReadableSource:
    """What can be said of a source before it is sent."""

    def _open(self) -> BinaryIO:
        """Open what is read."""
        raise LookupError(f"{type(self).__name__} has nothing to read")

    def size(self) -> int:
        """Return the number of bytes."""
        with self._open() as stream:
            return stream.seek(0, io.SEEK_END)

    def checksum(self, algo: str = "md5", offset: int = 0, count: Optional[int] = None) -> str:
        """Return the digest of the bytes, or of some of them, in base64 as HTTP headers have it.

        :param algo: a name that ``hashlib`` knows.
        :param offset: where to begin.
        :param count: bytes; None for all that follow.
        :raises UsageError: there is no such algorithm.
        """
        try:
            digest = hashlib.new(algo)
        except ValueError:
            raise UsageError(f"{algo!r} is an invalid algorithm", hint="one of hashlib's") from None
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
    """Reads a file of the file system, which is opened when its turn comes.

    :param path: of the file; ``~/`` is expanded.
    """

    def _open(self) -> BinaryIO:
        return open(self.path, "rb")

    def content_type(self) -> str:
        """Return the media type that the file's name stands for."""
        return mimetypes.guess_type(self.path.name)[0] or "application/octet-stream"


class FileSink(_PathWrapper):
    """Writes a file of the file system, under its name only once it is complete and verified.

    :param path: of the file, or of a directory; ``~/`` is expanded, missing directories are made.
    """

    _to_path = staticmethod(as_target_path)


class MemorySource(_ReadableSource):
    """Reads bytes in memory.

    :param data: bytes, bytearray or memoryview; not copied.
    :param content_type: what :meth:`content_type` returns; it is not sent, for a repository goes by the key.
    """

    def __init__(
        self, data: Union[bytes, bytearray, memoryview], content_type: str = "application/octet-stream"
    ) -> None:
        self.data = memoryview(data).cast("B")
        self._content_type = content_type

    def _open(self) -> BinaryIO:
        return io.BytesIO(self.data)

    def content_type(self) -> str:
        """Return the media type that was given."""
        return self._content_type

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.data)} bytes)"


class StandardInput:
    """Reads standard input to its end."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


RecordSource = Union[SourceLike, MemorySource, StandardInput, TextIO]
"""What a file of a record is read from; of text files ``sys.stdin`` only."""
FileToUpload = Union[
    RecordSource, Tuple[str, RecordSource], Tuple[str, RecordSource, Optional[Mapping[str, Any]]]
]
RecordSink = Union[SinkLike, FileSink]
"""Where a file of a record is written: a path, a directory, an open binary file, or a sink."""
FilesToUpload = Union[RecordSource, Iterable[FileToUpload]]
"""Sources, ``(key, source)`` and ``(key, source, metadata)``; a directory stands for the files in it."""


def unwrap_source(source: Any) -> Any:
    """What the engine reads instead of one of these; anything else as it is."""
    if isinstance(source, MemorySource):
        return source.data
    if isinstance(source, StandardInput) or source is sys.stdin:
        return sys.stdin.buffer
    return source


def parse_download_args(args: Sequence[Any], key: Optional[str], sink: Any) -> Tuple[Optional[str], Any]:
    """Return (key, sink) of ``download``'s arguments."""
    given = list(args)
    if given and sink is None:
        sink = given.pop()
    if given and key is None:
        key = given.pop()
    if given or sink is None or not (key is None or isinstance(key, str)):
        raise UsageError(
            "download() takes a file and a sink, or a record, a key and a sink",
            hint="files.download(file, 'data.csv')",
        )
    return key, sink
