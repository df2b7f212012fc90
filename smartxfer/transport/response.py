"""A whole answer in memory, of bounded size, and its JSON."""

import functools
import zlib
from typing import Any, List, Mapping, Optional, Protocol, Sequence, Tuple, Type, TypeVar, Union

import attrs

from smartxfer.error_families import GENERIC_ERRORS, ErrorFamily
from smartxfer.errors import DecodeError
from smartxfer.secret_text import HiddenDict, HiddenList, Secret
from smartxfer.transport.json_codec import parse_json
from smartxfer.transport.redaction import redact

__all__ = [
    "MAX_RESPONSE_BYTES",
    "BufferedResponse",
    "decompress_bounded",
    "is_identity_encoding",
    "is_json_media_type",
]


class WireModel(Protocol):
    """A class whose objects are made of decoded JSON."""

    @classmethod
    def from_wire(cls, data: Any, request: str = ...) -> Any:
        """Return the object that a value of JSON describes."""


S = TypeVar("S", bound=WireModel)

#: Largest answer that is held in memory, in bytes.  Files are streamed and know no such limit.
MAX_RESPONSE_BYTES = 8 * 1024 * 1024


@attrs.frozen
class BufferedResponse:
    """Status, headers and body of one answer; ``what`` names the request without its query.

    ``cookies`` are those that this answer sets: (name, value), in order.  ``errors`` are the service's.
    """

    description: str
    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    content: bytes = attrs.field(repr=False)
    cookies: Sequence[Tuple[str, str]] = attrs.field(default=(), repr=False)
    errors: ErrorFamily = attrs.field(default=GENERIC_ERRORS, repr=False, eq=False)
    #: The decoded body, from the check of the answer until :meth:`json` hands it on.
    _decoded_json: List[Any] = attrs.field(factory=list, init=False, repr=False, eq=False)

    @property
    def text(self) -> str:
        """The body as text; bytes that are not UTF-8 are replaced."""
        return self.content.decode("utf-8", "replace")

    @property
    def secret_text(self) -> Secret:
        """The body as text that no traceback shows: a page has links with tokens."""
        return Secret(self.text)

    def json(self, expect: Optional[Union[Type[Any], Tuple[Type[Any], ...]]] = None) -> Any:
        """The decoded body.

        :param expect: type (or types) that the value must have.
        :raises DecodeError: not JSON, nested too deeply, or of another type.
        """
        value = self._decoded_json.pop() if self._decoded_json else self._parse_json()
        if expect is not None and not isinstance(value, expect):
            value = type(value).__name__
            raise self._decode_error(f"{value} where another type was promised")
        if expect is not None:  # for a reader of ours, not for the caller
            value = HiddenDict(value) if isinstance(value, dict) else value
            value = HiddenList(value) if isinstance(value, list) else value
        return value

    def parse_model(self, model_class: Type[S]) -> S:
        """The structure that the body is.

        :raises DecodeError: it is not an object, or a field of it is missing or of another type.
        """
        found: S = model_class.from_wire(self.json(dict), self.description)
        return found

    def parse_models(self, model_class: Type[S]) -> List[S]:
        """The structures of which the body is a list.

        :raises DecodeError: it is not a list, or one of them is not as promised.
        """
        # No frame of ours holds one of them when it is refused: they may have tokens.
        return list(map(functools.partial(model_class.from_wire, request=self.description), self.json(list)))

    def decode_json(self) -> None:
        """Check that the body is JSON, and keep the value for :meth:`json`.

        :raises DecodeError: it is not.
        """
        self._decoded_json[:] = [self._parse_json()]

    @property
    def media_type(self) -> str:
        """The media type in lower case, without its parameters; "" where the answer has none."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def excerpt(self) -> str:
        """The start of the body, fit for a message."""
        return redact(self.content[:20_000].decode("utf-8", "replace"))[:200]

    def _parse_json(self) -> Any:
        try:
            return parse_json(self.content.decode("utf-8"))
        except ValueError as error:
            why = str(error) if type(error) is ValueError else type(error).__name__
        raise self._decode_error(why)  # raised out here, for the decoder's own error holds the whole answer

    def _decode_error(self, reason: str) -> DecodeError:
        kind = self.headers.get("Content-Type", "no content type")
        return self.errors.class_for(DecodeError)(
            f"{self.description}: the answer cannot be decoded ({reason}, {kind}): {self.excerpt!r}",
            hint="check that the base URL is the service's own, not a login page or a proxy",
        )


#: Content codings that leave the bytes as they are.  Storage keeps ``aws-chunked`` from an upload, though
#: the object is stored without the framing.
_IDENTITY_CODINGS = frozenset({"", "identity", "none", "aws-chunked"})


def is_json_media_type(media_type: str) -> bool:
    """Return whether a media type, without its parameters, is JSON's."""
    return media_type.lower().endswith(("/json", "+json"))


def is_identity_encoding(encoding: str) -> bool:
    """Return whether a ``Content-Encoding`` leaves the bytes of a body as they are.

    >>> [is_identity_encoding(encoding) for encoding in ("aws-chunked", "None, identity", "gzip")]
    [True, True, False]
    """
    return all(coding.strip().lower() in _IDENTITY_CODINGS for coding in encoding.split(","))


def decompress_bounded(
    description: str, data: bytes, encoding: str, max_bytes: int = MAX_RESPONSE_BYTES
) -> bytes:
    """Return the decompressed body of a response, at most one byte more than ``max_bytes``.

    :param description: the request in words.
    :raises DecodeError: packed in a way that was never asked for, or damaged.
    """
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise DecodeError(f"{description}: unexpected Content-Encoding {encoding!r}")
    engine = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, by its first bytes
    try:
        plain = engine.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise DecodeError(f"{description}: the answer cannot be unpacked ({error})") from None
    if not engine.eof and len(plain) <= max_bytes:
        raise DecodeError(f"{description}: the packed answer ends early")
    return plain
