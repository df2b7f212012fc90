"""Descriptions of requests, from which each attempt is built."""

from typing import Any, Callable, Mapping, Optional, Sequence, Tuple

import attrs
import requests

from smartxfer.reprs import fields_repr
from smartxfer.secret_text import as_secret_url, wrap_secrets
from smartxfer.transport.origin import strip_query
from smartxfer.transport.response import MAX_RESPONSE_BYTES
from smartxfer.transport.success import Success

__all__ = ["AuthCallable", "RequestSpec"]

AuthCallable = Callable[[requests.PreparedRequest], requests.PreparedRequest]

_IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})


@attrs.frozen(repr=False)
class RequestSpec:
    """Description of one request, from which a new request is built for each attempt.

    :param params: query arguments, in order.
    :param body: bytes, or a rewindable body with ``read``, ``seek`` and a length.
    :param auth: adds credentials to the prepared request; only called for the origin to which they belong.
    :param idempotent: whether the request may be repeated if its response was lost; the default depends on
        the method.
    :param follow_307: follow a 307 or 308 with method and body, as presigned storage requires it.
    :param read_timeout: maximum seconds to wait for the response, if the client's timeout is longer.
    :param decode_json: False returns a JSON response undecoded, because it is a user's file.
    :param archive: ``"zip"`` or ``"tar"`` if the response is an archive, whose end is checked.
    :param success: the responses that count as success; by default
        :func:`~smartxfer.transport.success.default_success`.
    :param max_response_bytes: maximum bytes of a response in memory.
    """

    method: str
    url: str = attrs.field(converter=as_secret_url)
    params: Sequence[Tuple[str, str]] = attrs.field(default=(), converter=wrap_secrets)
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=wrap_secrets)
    body: Any = attrs.field(default=None, repr=False)
    auth: Optional[AuthCallable] = None
    idempotent: Optional[bool] = None
    follow_307: bool = False
    read_timeout: Optional[float] = None
    decode_json: bool = True
    archive: Optional[str] = None
    success: Optional[Success] = None
    max_response_bytes: int = MAX_RESPONSE_BYTES

    def __repr__(self) -> str:
        return fields_repr(self)

    @property
    def description(self) -> str:
        """Method and URL without its query, for logs and messages."""
        return f"{self.method} {strip_query(self.url)}"

    @property
    def retry_after_lost_response(self) -> bool:
        """True if the request may be repeated when its response was lost."""
        return self.method in _IDEMPOTENT_METHODS if self.idempotent is None else self.idempotent
