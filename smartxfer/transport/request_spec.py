"""One request, described so that it can be built afresh for every try."""

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
    """One request, described so that it can be built afresh for every attempt.

    :param params: query arguments, in order.
    :param body: bytes, or a rewindable body with ``read``, ``seek`` and a length.
    :param sign: adds credentials to the prepared request; only called for the origin they belong to.
    :param idempotent: whether it may be repeated when its answer was lost; by default the method decides.
    :param follow_307: a 307 or 308 is followed with method and body, as presigned storage means it.
    :param patience: most seconds to wait for the answer, where the client has more.
    :param decode: False hands a JSON answer on undecoded, because it is somebody's file.
    :param archive: ``"zip"`` or ``"tar"``, which the answer holds; its end is checked when it is read.
    :param success: the answers that count as success.  Without it the method decides: statuses by
        :func:`~smartxfer.transport.success.default_success`, and a JSON body.
    :param most: bytes of an answer that is held in memory.
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
        """The request in words, fit for a log."""
        return f"{self.method} {strip_query(self.url)}"

    @property
    def retry_after_lost_response(self) -> bool:
        """Whether a lost answer may be followed by a repeat."""
        return self.method in _IDEMPOTENT_METHODS if self.idempotent is None else self.idempotent
