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
from smartxfer.transfer.plan import Part
from smartxfer.transfer.source import is_text, open_source
from smartxfer.transport import Attempt

__all__ = ["FORM", "FormBody", "FormFile", "body_of", "encoded_form", "pairs_of"]

FORM = "application/x-www-form-urlencoded"

Pairs = List[Tuple[str, str]]
Segment = Union[bytes, PartBody]
Encoded = Tuple[str, Any]
"""Content type and body."""


def pairs_of(params: Mapping[str, Any]) -> Pairs:
    """Wire arguments in order: a list repeats its key, None is left out, truth is ``true`` or ``false``."""
    pairs: Pairs = []
    for name, value in params.items():
        values = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
        pairs.extend((name, _text(one)) for one in values if one is not None)
    return pairs


def _text(value: Any) -> str:
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


def encoded_form(params: Mapping[str, Any]) -> bytes:
    """A form of plain fields.

    :raises UsageError: a text is not valid Unicode.
    """
    try:
        return as_secret(urlencode(pairs_of(params)).encode("ascii"))
    except UnicodeEncodeError as error:
        raise UsageError(f"not valid Unicode: {error.object[:80]!r}", hint="give it another name") from None


class FormFile(NamedTuple):
    """A file in a form: field and file name, bytes or part of a source, headers of its own."""

    field: str
    name: str
    content: Segment
    kind: Optional[str] = None
    headers: Optional[Dict[str, str]] = None


class FormBody:
    """A multipart form: a length, ``read`` in blocks, and ``seek(0)``; files in it are never held in memory.

    :param fields: (name, value) of the plain fields.
    :param files: the files, after the fields.
    """

    def __init__(self, fields: Pairs, files: Sequence[FormFile]) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._segments: List[Segment] = []
        opening = b"--%s\r\n" % boundary.encode("ascii")
        for name, value in fields:
            self._segments += [opening, _head(name), value.encode("utf-8"), b"\r\n"]
        for file in files:
            head = _head(file.field, file.name, file.kind, file.headers)
            self._segments += [opening, head, file.content, b"\r\n"]
        self._segments.append(b"--%s--\r\n" % boundary.encode("ascii"))
        self._next = 0
        self._read = 0

    def __len__(self) -> int:
        return sum(len(segment) for segment in self._segments)

    def __iter__(self) -> Iterator[Union[bytes, memoryview]]:
        """The blocks; requests streams only what can be iterated."""
        return iter(lambda: self.read(1 << 20), b"")

    def tell(self) -> int:
        """Bytes read so far."""
        return self._read

    def seek(self, offset: int, whence: int = 0) -> int:
        """Rewind; only to the start."""
        if (offset, whence) != (0, 0):
            raise UsageError("a form can only be rewound to its start")
        self._next = self._read = 0
        for segment in self._segments:
            if isinstance(segment, PartBody):
                segment.seek(0)
        return 0

    def follow(self, attempt: Attempt) -> None:
        """Count the bytes of files that are sent from now on for a try."""
        for segment in self._segments:
            if isinstance(segment, PartBody):
                segment.follow(attempt)

    def read(self, size: int = -1) -> Union[bytes, memoryview]:
        """The next block; all that is left without a ``size``."""
        if size < 0:
            return b"".join(bytes(block) for block in self)
        while self._next < len(self._segments):
            segment = self._segments[self._next]
            block = segment.read(size) if isinstance(segment, PartBody) else segment
            if not block or block is segment:
                self._next += 1
            if block:
                self._read += len(block)
                return block
        return b""


def _head(
    name: str, filename: str = "", kind: Optional[str] = None, headers: Optional[Dict[str, str]] = None
) -> bytes:
    field = RequestField(name, b"", filename or None, headers)
    field.make_multipart(content_type=kind)
    try:
        return field.render_headers().encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(f"not valid Unicode: {filename!r}", hint="give the file a name of its own") from None


@contextlib.contextmanager
def body_of(params: Mapping[str, Any], *, texts: bool = False) -> Iterator[Encoded]:
    """The content type and body that carry ``params``; open while the block runs.

    A value that can be read is a file, and makes the form multipart.  So is a tuple, as requests takes it: a
    name, such a value or bytes, and if need be a content type and headers.  A text in it is sent as UTF-8.

    :param texts: a name and a text are a file, too; elsewhere a pair of texts is a list of two.
    """
    files = {name: value for name, value in params.items() if _is_file(value, texts)}
    fields = {name: value for name, value in params.items() if name not in files}
    if not files:
        yield FORM, encoded_form(fields)
        return
    with contextlib.ExitStack() as stack:
        parts, sources = [], []
        for field, value in files.items():
            name, thing, *rest = value if isinstance(value, tuple) else (None, value)
            name = name or _name_of(thing) or field
            thing = thing.read() if is_text(thing) else thing
            source = open_source(thing.encode("utf-8") if isinstance(thing, str) else thing, name)
            stack.callback(source.close)
            sources.append(source)
            whole: Segment = PartBody(source, Part(0, 0, source.size), _nobody) if source.size else b""
            parts.append(FormFile(field, source.name, whole, *rest))
        form = FormBody(pairs_of(fields), parts)
        yield form.content_type, form
        for source in sources:
            source.check_unchanged()


def _is_file(value: Any, texts: bool) -> bool:
    if isinstance(value, tuple):
        if not 2 <= len(value) <= 4 or not isinstance(value[0], str):
            return False
        return _is_content(value[1]) or (texts and isinstance(value[1], str))
    return _is_content(value) and not isinstance(value, (bytes, bytearray, memoryview))


def _is_content(value: Any) -> bool:
    return hasattr(value, "read") or isinstance(value, (bytes, bytearray, memoryview, os.PathLike))


def _name_of(thing: Any) -> str:
    name = os.fspath(thing) if isinstance(thing, os.PathLike) else getattr(thing, "name", None)
    return os.path.basename(name) if isinstance(name, str) and name[:1] != "<" else ""


def _nobody(count: int) -> None:
    """Raw calls have no progress to tell."""
