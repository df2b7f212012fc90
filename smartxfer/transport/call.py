"""One request, described so that it can be built afresh for every try."""

from typing import Any, Callable, Mapping, Optional, Sequence, Tuple

import attrs
import requests

from smartxfer.reprs import fields_repr
from smartxfer.secret_text import as_url, hidden
from smartxfer.transport.answer import MAX_ANSWER
from smartxfer.transport.origin import without_query
from smartxfer.transport.success import Success

__all__ = ["Call", "Sign"]

Sign = Callable[[requests.PreparedRequest], requests.PreparedRequest]

_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})


@attrs.frozen(repr=False)
class Call:
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
        :func:`~smartxfer.transport.success.by_method`, and a JSON body.
    :param most: bytes of an answer that is held in memory.
    """

    method: str
    url: str = attrs.field(converter=as_url)
    params: Sequence[Tuple[str, str]] = attrs.field(default=(), converter=hidden)
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=hidden)
    body: Any = attrs.field(default=None, repr=False)
    sign: Optional[Sign] = None
    idempotent: Optional[bool] = None
    follow_307: bool = False
    patience: Optional[float] = None
    decode: bool = True
    archive: Optional[str] = None
    success: Optional[Success] = None
    most: int = MAX_ANSWER

    def __repr__(self) -> str:
        return fields_repr(self)

    @property
    def what(self) -> str:
        """The request in words, fit for a log."""
        return f"{self.method} {without_query(self.url)}"

    @property
    def repeatable(self) -> bool:
        """Whether a lost answer may be followed by a repeat."""
        return self.method in _IDEMPOTENT if self.idempotent is None else self.idempotent
