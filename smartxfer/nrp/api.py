"""Requests to a repository: JSON in and out, links followed at their own origin only, pace kept.

Source: NRP / Invenio protocol, sections 2 and 3.
"""

import json as json_
from typing import Any, Callable, Mapping, Optional
from urllib.parse import unquote

import attrs

from smartxfer.errors import Forbidden, UsageError
from smartxfer.nrp.errors import ERRORS, RepositoryRedirectRefused
from smartxfer.nrp.limits import get_rate_limit_wait
from smartxfer.nrp.share_tokens import ShareTokens
from smartxfer.nrp.statuses import get_default_success
from smartxfer.service_api import ServiceApi
from smartxfer.transport import BufferedResponse, Origin, RequestSpec
from smartxfer.transport.origin import quote_path, strip_query
from smartxfer.transport.request_spec import AuthCallable
from smartxfer.transport.response import MAX_RESPONSE_BYTES

__all__ = ["RepositoryApi"]

JSON = "application/json"
#: An answer says again what was sent, with letters beyond ASCII escaped.
_JSON_ESCAPE_FACTOR = 6
#: Bytes of the list of a record with ten thousand files.
_MAX_FILE_LIST_BYTES = 24 << 20


@attrs.frozen
class RepositoryApi(ServiceApi):
    """What can be asked of a repository.

    :param resolve_api_url: finds the address of the API, without a slash at its end.
    :param shared: tokens of share links.
    """

    resolve_api_url: Callable[[], str]
    auth: Optional[AuthCallable]
    share_tokens: ShareTokens = attrs.field(factory=ShareTokens)

    @property
    def api_url(self) -> str:
        """Address of the API, without a slash at its end."""
        return self.resolve_api_url()

    def build_url(self, *segments: str) -> str:
        """An address below the API, of words that are not encoded yet."""
        return "/".join([self.api_url, *(quote_path(word) for word in segments)])

    def require_same_origin(self, link: str) -> str:
        """A link of an answer, if it leads to where the credentials belong.

        :raises RedirectRefused: it leads elsewhere.
        """
        if not self.http.origin.allows_credentials_for(Origin.parse_from_response(link, ERRORS)):
            raise RepositoryRedirectRefused(
                f"the repository names {strip_query(link)}, which is not on {self.http.origin}",
                hint="give the address that the repository itself uses as url=",
            )
        return link

    def build_request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        body: Any = None,
        params: Optional[Mapping[str, Any]] = None,
        headers: Optional[Mapping[str, str]] = None,
        **options: Any,
    ) -> RequestSpec:
        """A signed call; the token of a share link is added.

        :param json: what the body says.
        :param body: the bytes of the body, where it is no JSON.
        :param options: further fields of the Call.
        :raises UsageError: JSON cannot say it.
        """
        described = {"Accept": JSON, **(headers or {})}
        if json is not None:
            body = _encode_json(json)
            described.setdefault("Content-Type", JSON)
        most = (
            MAX_RESPONSE_BYTES + _JSON_ESCAPE_FACTOR * len(body)
            if isinstance(body, bytes)
            else MAX_RESPONSE_BYTES
        )
        options = {"auth": self.auth, "max_response_bytes": max(most, _MAX_FILE_LIST_BYTES), **options}
        pairs = _encode_query(self.share_tokens.add_to_params(url, params))
        return RequestSpec(method, self.require_same_origin(url), pairs, described, body, **options)

    def send(self, method: str, url: str, **options: Any) -> BufferedResponse:
        """Make a call; ``options`` as in :meth:`describe`.

        :raises OutcomeUnknown: a POST whose answer was lost.
        :raises UnexpectedResponse: an answer that the protocol does not name as success.
        """
        options.setdefault("success", get_default_success(method))
        call = self.build_request(method, url, **options)
        answer = self.send_request(call)
        self.apply_rate_limit(call.url, answer.headers)
        return answer

    def apply_rate_limit(self, url: str, headers: Mapping[str, str]) -> None:
        """Pause further requests where an answer says that no request is left in the rate window."""
        left = get_rate_limit_wait(headers, self.clock.time())
        if left is not None:
            self.http.rate_limits.block(url, left)

    def get(self, url: str, params: Optional[Mapping[str, Any]] = None, **options: Any) -> BufferedResponse:
        """GET an address; the token of a share link also goes where the repository redirects to.

        Source: NRP / Invenio protocol, section 9.
        """
        try:
            return self.send("GET", url, params=params, **options)
        except Forbidden as error:
            token, moved = self.share_tokens.get_token(url), error.url
            if token is None or moved in ("", strip_query(url)):
                raise
            if not self.http.origin.allows_credentials_for(Origin.parse(moved)):
                raise
        self.share_tokens.add(token, [unquote(moved.rpartition("/")[2])])
        return self.send("GET", moved, params=params, **options)


def _encode_json(value: Any) -> bytes:
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


def _encode_query(params: Mapping[str, Any]) -> Any:
    """Query arguments in order: lists are repeated, booleans in the server's words, None is left out."""
    return [
        (name, str(one).lower() if isinstance(one, bool) else str(one))
        for name, value in params.items()
        for one in (value if isinstance(value, (list, tuple)) else [value])
        if one is not None
    ]
