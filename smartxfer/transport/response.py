"""Buffered HTTP responses of bounded size, and their JSON."""

import functools
import zlib
from typing import Any, List, Mapping, Optional, Protocol, Sequence, Tuple, Type, TypeVar, Union

import attrs

from smartxfer.error_families import GENERIC_ERRORS, ErrorFamily
from smartxfer.error_hints import BASE_URL_HINT, PROXY_ENCODING_HINT
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
    """A class whose instances are created from decoded JSON."""

    @classmethod
    def from_wire(cls, data: Any, request: str = ...) -> Any:
        """Return an instance for decoded JSON."""


S = TypeVar("S", bound=WireModel)

#: Size limit of a buffered response in bytes.  Files are streamed, without a limit.
MAX_RESPONSE_BYTES = 8 * 1024 * 1024


@attrs.frozen
class BufferedResponse:
    """Status, headers and body of a response.

    :param description: the request, without its query.
    :param cookies: (name, value) of the cookies that the response sets, in order.
    :param error_family: the errors of the service.
    """

    description: str
    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    content: bytes = attrs.field(repr=False)
    cookies: Sequence[Tuple[str, str]] = attrs.field(default=(), repr=False)
    error_family: ErrorFamily = attrs.field(default=GENERIC_ERRORS, repr=False, eq=False)
    #: The decoded body, from :meth:`decode_json` until :meth:`json` returns it.
    _decoded_json: List[Any] = attrs.field(factory=list, init=False, repr=False, eq=False)

    @property
    def text(self) -> str:
        """The body as text; bytes that are not UTF-8 are replaced."""
        return self.content.decode("utf-8", "replace")

    @property
    def secret_text(self) -> Secret:
        """The body as text that tracebacks do not show, because a page may contain links with tokens."""
        return Secret(self.text)

    def json(self, expect: Optional[Union[Type[Any], Tuple[Type[Any], ...]]] = None) -> Any:
        """Return the decoded body.

        :param expect: type (or types) that the value must have.
        :raises DecodeError: the body is not JSON, is nested too deeply, or has another type.
        """
        value = self._decoded_json.pop() if self._decoded_json else self._parse_json()
        if expect is not None and not isinstance(value, expect):
            value = type(value).__name__
            raise self._decode_error(f"unexpected type {value}")
        if expect is not None:  # for use within this package: tracebacks must not show the values
            value = HiddenDict(value) if isinstance(value, dict) else value
            value = HiddenList(value) if isinstance(value, list) else value
        return value

    def parse_model(self, model_class: Type[S]) -> S:
        """Return the body as a model.

        :raises DecodeError: the body is not an object, or a field is missing or of another type.
        """
        model: S = model_class.from_wire(self.json(dict), self.description)
        return model

    def parse_models(self, model_class: Type[S]) -> List[S]:
        """Return the body, which is a list, as models.

        :raises DecodeError: the body is not a list, or an item is invalid.
        """
        # No local variable holds an item when it is invalid, because items may contain tokens.
        return list(map(functools.partial(model_class.from_wire, request=self.description), self.json(list)))

    def decode_json(self) -> None:
        """Decode the body, and store the value for :meth:`json`.

        :raises DecodeError: the body is not JSON.
        """
        self._decoded_json[:] = [self._parse_json()]

    @property
    def media_type(self) -> str:
        """The media type in lower case, without its parameters; "" if the header is missing."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def excerpt(self) -> str:
        """The start of the body, redacted for a message."""
        return redact(self.content[:20_000].decode("utf-8", "replace"))[:200]

    def _parse_json(self) -> Any:
        try:
            return parse_json(self.content.decode("utf-8"))
        except ValueError as error:
            reason = str(error) if type(error) is ValueError else type(error).__name__
        # Outside the except block, because the decoder's exception contains the whole response.
        raise self._decode_error(reason)

    def _decode_error(self, reason: str) -> DecodeError:
        kind = self.headers.get("Content-Type", "no content type")
        return self.error_family.class_for(DecodeError)(
            f"{self.description}: the response cannot be decoded ({reason}, {kind}): {self.excerpt!r}",
            hint=BASE_URL_HINT,
        )


#: Content codings that do not change the bytes.  Storage returns ``aws-chunked`` from an upload, although the
#: object is stored without that framing.
_IDENTITY_CODINGS = frozenset({"", "identity", "none", "aws-chunked"})


def is_json_media_type(media_type: str) -> bool:
    """Return True for a media type of JSON, without parameters."""
    return media_type.lower().endswith(("/json", "+json"))


def is_identity_encoding(encoding: str) -> bool:
    """Return True for a ``Content-Encoding`` that does not change the bytes of the body.

    >>> [is_identity_encoding(encoding) for encoding in ("aws-chunked", "None, identity", "gzip")]
    [True, True, False]
    """
    return all(coding.strip().lower() in _IDENTITY_CODINGS for coding in encoding.split(","))


def decompress_bounded(
    description: str, data: bytes, encoding: str, max_bytes: int = MAX_RESPONSE_BYTES
) -> bytes:
    """Return the decompressed body of a response, at most one byte more than ``max_bytes``.

    :param description: of the request, for messages.
    :raises DecodeError: the encoding is not supported, or the body is damaged.
    """
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise DecodeError(
            f"{description}: unexpected Content-Encoding {encoding!r}", hint=PROXY_ENCODING_HINT
        )
    decompressor = zlib.decompressobj(zlib.MAX_WBITS | 32)  # detects gzip and zlib by the first bytes
    try:
        plain = decompressor.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise DecodeError(
            f"{description}: the response cannot be decompressed ({error})", hint=PROXY_ENCODING_HINT
        ) from None
    if not decompressor.eof and len(plain) <= max_bytes:
        raise DecodeError(f"{description}: the compressed response ends early", hint=PROXY_ENCODING_HINT)
    return plain
