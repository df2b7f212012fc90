"""Requests to a repository: JSON in and out, links followed at their own origin only, pace kept.

Source: NRP / Invenio protocol, sections 2 and 3.
"""

import json as json_
from typing import Any, Callable, Mapping, Optional
from urllib.parse import unquote

import attrs

from smartxfer.errors import Forbidden, UsageError
from smartxfer.nrp.errors import ERRORS, RepositoryRedirectRefused
from smartxfer.nrp.limits import window_left
from smartxfer.nrp.share import ShareTokens
from smartxfer.nrp.statuses import of_method
from smartxfer.service_api import ServiceApi
from smartxfer.transport import Answer, Call, Origin
from smartxfer.transport.answer import MAX_ANSWER
from smartxfer.transport.call import Sign
from smartxfer.transport.origin import quoted, without_query

__all__ = ["Calls"]

JSON = "application/json"
#: An answer says again what was sent, with letters beyond ASCII escaped.
_ECHOES = 6
#: Bytes of the list of a record with ten thousand files.
_LARGEST_LIST = 24 << 20


@attrs.frozen
class Calls(ServiceApi):
    """What can be asked of a repository.

    :param find_api: finds the address of the API, without a slash at its end.
    :param shared: tokens of share links.
    """

    find_api: Callable[[], str]
    sign: Optional[Sign]
    shared: ShareTokens = attrs.field(factory=ShareTokens)

    @property
    def api(self) -> str:
        """Address of the API, without a slash at its end."""
        return self.find_api()

    def url(self, *words: str) -> str:
        """An address below the API, of words that are not encoded yet."""
        return "/".join([self.api, *(quoted(word) for word in words)])

    def own(self, link: str) -> str:
        """A link of an answer, if it leads to where the credentials belong.

        :raises RedirectRefused: it leads elsewhere.
        """
        if not self.wire.origin.trusts(Origin.answered(link, ERRORS)):
            raise RepositoryRedirectRefused(
                f"the repository names {without_query(link)}, which is not on {self.wire.origin}",
                hint="give the address that the repository itself uses as url=",
            )
        return link

    def describe(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        body: Any = None,
        params: Optional[Mapping[str, Any]] = None,
        headers: Optional[Mapping[str, str]] = None,
        **options: Any,
    ) -> Call:
        """A signed call; the token of a share link is added.

        :param json: what the body says.
        :param body: the bytes of the body, where it is no JSON.
        :param options: further fields of the Call.
        :raises UsageError: JSON cannot say it.
        """
        described = {"Accept": JSON, **(headers or {})}
        if json is not None:
            body = _encoded(json)
            described.setdefault("Content-Type", JSON)
        most = MAX_ANSWER + _ECHOES * len(body) if isinstance(body, bytes) else MAX_ANSWER
        options = {"sign": self.sign, "most": max(most, _LARGEST_LIST), **options}
        pairs = _pairs(self.shared.added(url, params))
        return Call(method, self.own(url), pairs, described, body, **options)

    def send(self, method: str, url: str, **how: Any) -> Answer:
        """Make a call; ``how`` as in :meth:`describe`.

        :raises OutcomeUnknown: a POST whose answer was lost.
        :raises UnexpectedAnswer: an answer that the protocol does not name as success.
        """
        how.setdefault("success", of_method(method))
        call = self.describe(method, url, **how)
        answer = self.make(call)
        self.note_limit(call.url, answer.headers)
        return answer

    def note_limit(self, url: str, headers: Mapping[str, str]) -> None:
        """Pause further requests where an answer says that no request is left in the rate window."""
        left = window_left(headers, self.clock.wall())
        if left is not None:
            self.wire.limits.pause(url, left)

    def get(self, url: str, params: Optional[Mapping[str, Any]] = None, **how: Any) -> Answer:
        """GET an address; the token of a share link also goes where the repository redirects to.

        Source: NRP / Invenio protocol, section 9.
        """
        try:
            return self.send("GET", url, params=params, **how)
        except Forbidden as error:
            token, moved = self.shared.token_of(url), error.url
            if token is None or moved in ("", without_query(url)):
                raise
            if not self.wire.origin.trusts(Origin.of(moved)):
                raise
        self.shared.keep(token, [unquote(moved.rpartition("/")[2])])
        return self.send("GET", moved, params=params, **how)


def _encoded(value: Any) -> bytes:
    """Return a value as JSON.

    :raises UsageError: JSON cannot say it; NaN would be a server error, and is not in the standard.
    """
    try:
        return json_.dumps(value, allow_nan=False).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        why = str(error)
    raise UsageError(
        f"JSON cannot hold what is to be sent: {why}",
        hint="use texts, finite numbers, booleans, None, lists and dicts with texts as keys",
    )


def _pairs(params: Mapping[str, Any]) -> Any:
    """Query arguments in order: lists are repeated, booleans in the server's words, None is left out."""
    return [
        (name, str(one).lower() if isinstance(one, bool) else str(one))
        for name, value in params.items()
        for one in (value if isinstance(value, (list, tuple)) else [value])
        if one is not None
    ]
