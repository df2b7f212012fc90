"""Bodies of requests: form fields, and files in a multipart form that is read as it is sent.

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
"""Content type and body."""


def flatten_params(params: Mapping[str, Any]) -> ParamPairs:
    """Wire arguments in order: a list repeats its key, None is left out, truth is ``true`` or ``false``."""
    pairs: ParamPairs = []
    for name, value in params.items():
        values = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
        pairs.extend((name, _param_text(one)) for one in values if one is not None)
    return pairs


def _param_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        if isinstance(value, (bytes, bytearray)):
            return value.decode("utf-8")
        text = str(getattr(value, "key", value))
        text.encode("utf-8")
    except UnicodeError:
        raise UsageError(f"not valid Unicode: {value!r}", hint="give a file as (name, bytes)") from None
    return text


def encode_form(params: Mapping[str, Any]) -> bytes:
    """A form of plain fields.

    :raises UsageError: a text is not valid Unicode.
    """
    try:
        return as_secret(urlencode(flatten_params(params)).encode("ascii"))
    except UnicodeEncodeError as error:
        raise UsageError(f"not valid Unicode: {error.object[:80]!r}", hint="give it another name") from None


class MultipartFile(NamedTuple):
    """A file in a form: field and file name, bytes or part of a source, headers of its own."""

    field: str
    filename: str
    content: Segment
    content_type: Optional[str] = None
    headers: Optional[Dict[str, str]] = None


class MultipartBody:
    """A multipart form: a length, ``read`` in blocks, and ``seek(0)``; files in it are never held in memory.

    :param fields: (name, value) of the plain fields.
    :param files: the files, after the fields.
    """

    def __init__(self, fields: ParamPairs, files: Sequence[MultipartFile]) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._segments: List[Segment] = []
        opening = b"--%s\r\n" % boundary.encode("ascii")
        for name, value in fields:
            self._segments += [opening, _encode_part_header(name), value.encode("utf-8"), b"\r\n"]
        for file in files:
            head = _encode_part_header(file.field, file.filename, file.content_type, file.headers)
            self._segments += [opening, head, file.content, b"\r\n"]
        self._segments.append(b"--%s--\r\n" % boundary.encode("ascii"))
        self._segment_index = 0
        self._position = 0

    def __len__(self) -> int:
        return sum(len(segment) for segment in self._segments)

    def __iter__(self) -> Iterator[Union[bytes, memoryview]]:
        """The blocks; requests streams only what can be iterated."""
        return iter(lambda: self.read(1 << 20), b"")

    def tell(self) -> int:
        """Bytes read so far."""
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Rewind; only to the start."""
        if (offset, whence) != (0, 0):
            raise UsageError("a form can only be rewound to its start")
        self._segment_index = self._position = 0
        for segment in self._segments:
            if isinstance(segment, PartBody):
                segment.seek(0)
        return 0

    def set_attempt(self, attempt: Attempt) -> None:
        """Count the bytes of files that are sent from now on for a try."""
        for segment in self._segments:
            if isinstance(segment, PartBody):
                segment.set_attempt(attempt)

    def read(self, size: int = -1) -> Union[bytes, memoryview]:
        """The next block; all that is left without a ``size``."""
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
        raise UsageError(f"not valid Unicode: {filename!r}", hint="give the file a name of its own") from None


@contextlib.contextmanager
def encode_body(params: Mapping[str, Any], *, allow_text: bool = False) -> Iterator[EncodedBody]:
    """The content type and body that carry ``params``; open while the block runs.

    A value that can be read is a file, and makes the form multipart.  So is a tuple, as requests takes it: a
    name, such a value or bytes, and if need be a content type and headers.  A text in it is sent as UTF-8.

    :param allow_text: a name and a text are a file, too; elsewhere a pair of texts is a list of two.
    """
    files = {name: value for name, value in params.items() if _is_file(value, allow_text)}
    fields = {name: value for name, value in params.items() if name not in files}
    if not files:
        yield FORM_CONTENT_TYPE, encode_form(fields)
        return
    with contextlib.ExitStack() as stack:
        parts, sources = [], []
        for field, value in files.items():
            name, thing, *rest = value if isinstance(value, tuple) else (None, value)
            name = name or _get_file_name(thing) or field
            thing = thing.read() if is_text_file(thing) else thing
            source = open_source(thing.encode("utf-8") if isinstance(thing, str) else thing, name)
            stack.callback(source.close)
            sources.append(source)
            whole: Segment = (
                PartBody(source, Part(0, 0, source.size), _ignore_progress) if source.size else b""
            )
            parts.append(MultipartFile(field, source.name, whole, *rest))
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
    """Raw calls have no progress to tell."""
