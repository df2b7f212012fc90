"""Request bodies: URL-encoded forms, and multipart forms whose files are streamed.

Source: SmartFile protocol, sections 1 and 5.
"""

import contextlib
import os
import secrets
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union
from urllib.parse import urlencode

from urllib3.fields import RequestField

from smartxfer.errors import UsageError
from smartxfer.secret_text import as_secret
from smartxfer.transfer.body import PartBody
from smartxfer.transfer.file_parts import Part
from smartxfer.transfer.source import is_text_file, open_source
from smartxfer.transport import Attempt

__all__ = [
    "FORM_CONTENT_TYPE",
    "MultipartBody",
    "MultipartFile",
    "encode_body",
    "encode_form",
    "flatten_params",
]

FORM_CONTENT_TYPE = "application/x-www-form-urlencoded"

ParamPairs = List[Tuple[str, str]]
Segment = Union[bytes, PartBody]
EncodedBody = Tuple[str, Any]
"""Content type, and body."""


def flatten_params(params: Mapping[str, Any]) -> ParamPairs:
    """Return parameters as pairs: a list repeats its name, None is omitted, bool is ``true`` or ``false``."""
    pairs: ParamPairs = []
    for name, value in params.items():
        values = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
        pairs.extend((name, _param_text(item)) for item in values if item is not None)
    return pairs


def _param_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        if isinstance(value, (bytes, bytearray)):
            return value.decode("utf-8")
        text = str(getattr(value, "_api_id", value))
        text.encode("utf-8")
    except UnicodeError:
        raise UsageError(f"not valid Unicode: {value!r}", hint="pass a file as (name, bytes)") from None
    return text


def encode_form(params: Mapping[str, Any]) -> bytes:
    """Return a URL-encoded form.

    :raises UsageError: a string is not valid Unicode.
    """
    try:
        return as_secret(urlencode(flatten_params(params)).encode("ascii"))
    except UnicodeEncodeError as error:
        raise UsageError(f"not valid Unicode: {error.object[:80]!r}", hint="pass another name") from None


class MultipartFile(NamedTuple):
    """A file in a multipart form: names of field and file, content, and its own headers."""

    field: str
    filename: str
    content: Segment
    content_type: Optional[str] = None
    headers: Optional[Dict[str, str]] = None


class MultipartBody:
    """A multipart form with a known length, which can be read in blocks and rewound; files are streamed.

    :param fields: (name, value) of the fields.
    :param files: the files, which follow the fields.
    """

    def __init__(self, fields: ParamPairs, files: Sequence[MultipartFile]) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._segments: List[Segment] = []
        delimiter = b"--%s\r\n" % boundary.encode("ascii")
        for name, value in fields:
            self._segments += [delimiter, _encode_part_header(name), value.encode("utf-8"), b"\r\n"]
        for file in files:
            head = _encode_part_header(file.field, file.filename, file.content_type, file.headers)
            self._segments += [delimiter, head, file.content, b"\r\n"]
        self._segments.append(b"--%s--\r\n" % boundary.encode("ascii"))
        self._segment_index = 0
        self._position = 0

    def __len__(self) -> int:
        return sum(len(segment) for segment in self._segments)

    def __iter__(self) -> Iterator[Union[bytes, memoryview]]:
        """Iterate over the blocks; requests only streams iterable bodies."""
        return iter(lambda: self.read(1 << 20), b"")

    def tell(self) -> int:
        """Return the number of bytes read so far."""
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Rewind to the start; other positions are not supported."""
        if (offset, whence) != (0, 0):
            raise UsageError("a multipart form can only be rewound to its start", hint="call seek(0)")
        self._segment_index = self._position = 0
        for segment in self._segments:
            if isinstance(segment, PartBody):
                segment.seek(0)
        return 0

    def set_attempt(self, attempt: Attempt) -> None:
        """Count the bytes of files that are sent from now on for this attempt."""
        for segment in self._segments:
            if isinstance(segment, PartBody):
                segment.set_attempt(attempt)

    def read(self, size: int = -1) -> Union[bytes, memoryview]:
        """Return the next block; without a ``size``, all remaining bytes."""
        if size < 0:
            return b"".join(bytes(block) for block in self)
        while self._segment_index < len(self._segments):
            segment = self._segments[self._segment_index]
            block = segment.read(size) if isinstance(segment, PartBody) else segment
            if not block or block is segment:
                self._segment_index += 1
            if block:
                self._position += len(block)
                return block
        return b""


def _encode_part_header(
    name: str,
    filename: str = "",
    content_type: Optional[str] = None,
    headers: Optional[Dict[str, str]] = None,
) -> bytes:
    field = RequestField(name, b"", filename or None, headers)
    field.make_multipart(content_type=content_type)
    try:
        return field.render_headers().encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(f"not valid Unicode: {filename!r}", hint="pass the file as (name, file)") from None


@contextlib.contextmanager
def encode_body(params: Mapping[str, Any], *, allow_text: bool = False) -> Iterator[EncodedBody]:
    """Yield content type and body for ``params``; the files are open until the block ends.

    A file object or path among the values makes the form multipart.  As in requests, a file can also be a
    tuple: a name, a file or bytes, and optionally a content type and headers.  Text is sent as UTF-8.

    :param allow_text: a pair of strings is the name and content of a file, not a list of two values.
    """
    files = {name: value for name, value in params.items() if _is_file(value, allow_text)}
    fields = {name: value for name, value in params.items() if name not in files}
    if not files:
        yield FORM_CONTENT_TYPE, encode_form(fields)
        return
    with contextlib.ExitStack() as stack:
        parts, sources = [], []
        for field, value in files.items():
            name, file, *options = value if isinstance(value, tuple) else (None, value)
            name = name or _get_file_name(file) or field
            file = file.read() if is_text_file(file) else file
            source = open_source(file.encode("utf-8") if isinstance(file, str) else file, name)
            stack.callback(source.close)
            sources.append(source)
            content: Segment = (
                PartBody(source, Part(0, 0, source.size), _ignore_progress) if source.size else b""
            )
            parts.append(MultipartFile(field, source.name, content, *options))
        form = MultipartBody(flatten_params(fields), parts)
        yield form.content_type, form
        for source in sources:
            source.check_unchanged()


def _is_file(value: Any, allow_text: bool) -> bool:
    if isinstance(value, tuple):
        if not 2 <= len(value) <= 4 or not isinstance(value[0], str):
            return False
        return _is_content(value[1]) or (allow_text and isinstance(value[1], str))
    return _is_content(value) and not isinstance(value, (bytes, bytearray, memoryview))


def _is_content(value: Any) -> bool:
    return hasattr(value, "read") or isinstance(value, (bytes, bytearray, memoryview, os.PathLike))


def _get_file_name(source: Any) -> str:
    name = os.fspath(source) if isinstance(source, os.PathLike) else getattr(source, "name", None)
    return os.path.basename(name) if isinstance(name, str) and name[:1] != "<" else ""


def _ignore_progress(count: int) -> None:
    """Do nothing: raw requests do not report progress."""
