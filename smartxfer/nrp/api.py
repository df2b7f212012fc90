"""Requests to a repository: JSON bodies, links restricted to its origin, rate limits.

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
#: A response repeats the document that was sent, with non-ASCII characters escaped.
_JSON_ESCAPE_FACTOR = 6
#: Maximum size of the file list of a record with ten thousand files.
_MAX_FILE_LIST_BYTES = 24 << 20


@attrs.frozen
class RepositoryApi(ServiceApi):
    """The requests of a repository's API.

    :param resolve_api_url: returns the URL of the API, without a slash at its end.
    :param auth: adds the token to a request.
    :param share_tokens: tokens of share links.
    """

    resolve_api_url: Callable[[], str]
    auth: Optional[AuthCallable]
    share_tokens: ShareTokens = attrs.field(factory=ShareTokens)

    @property
    def api_url(self) -> str:
        """URL of the API, without a slash at its end."""
        return self.resolve_api_url()

    def build_url(self, *segments: str) -> str:
        """Return a URL below the API; the segments are percent-encoded."""
        return "/".join([self.api_url, *(quote_path(segment) for segment in segments)])

    def require_same_origin(self, link: str) -> str:
        """Return a link of a response if the credentials may be sent to its origin.

        :raises RedirectRefused: the link has another origin.
        """
        if not self.http.origin.allows_credentials_for(Origin.parse_from_response(link, ERRORS)):
            raise RepositoryRedirectRefused(
                f"the repository returned the link {strip_query(link)}, which is not on {self.http.origin}",
                hint="pass url= with the origin that the repository uses in its links",
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
        """Return an authenticated request, with the token of a share link if the URL needs one.

        :param json: value of a JSON body.
        :param body: the body, if it is not JSON.
        :param options: further fields of the RequestSpec.
        :raises UsageError: the value is not JSON serializable.
        """
        all_headers = {"Accept": JSON, **(headers or {})}
        if json is not None:
            body = _encode_json(json)
            all_headers.setdefault("Content-Type", JSON)
        max_bytes = (
            MAX_RESPONSE_BYTES + _JSON_ESCAPE_FACTOR * len(body)
            if isinstance(body, bytes)
            else MAX_RESPONSE_BYTES
        )
        options = {"auth": self.auth, "max_response_bytes": max(max_bytes, _MAX_FILE_LIST_BYTES), **options}
        pairs = _encode_query(self.share_tokens.add_to_params(url, params))
        return RequestSpec(method, self.require_same_origin(url), pairs, all_headers, body, **options)

    def send(self, method: str, url: str, **options: Any) -> BufferedResponse:
        """Send a request; ``options`` as in :meth:`build_request`.

        :raises OutcomeUnknown: the response to a POST was lost.
        :raises UnexpectedResponse: the protocol does not document the response as success.
        """
        options.setdefault("success", get_default_success(method))
        request = self.build_request(method, url, **options)
        response = self.send_request(request)
        self.apply_rate_limit(request.url, response.headers)
        return response

    def apply_rate_limit(self, url: str, headers: Mapping[str, str]) -> None:
        """Delay further requests if the headers of a response say that the rate limit is exhausted."""
        seconds = get_rate_limit_wait(headers, self.clock.time())
        if seconds is not None:
            self.http.rate_limits.block(url, seconds)

    def get(self, url: str, params: Optional[Mapping[str, Any]] = None, **options: Any) -> BufferedResponse:
        """Send a GET request; the token of a share link is sent to the redirect's target, too.

        Source: NRP / Invenio protocol, section 9.
        """
        try:
            return self.send("GET", url, params=params, **options)
        except Forbidden as error:
            token, target = self.share_tokens.get_token(url), error.url
            if token is None or target in ("", strip_query(url)):
                raise
            if not self.http.origin.allows_credentials_for(Origin.parse(target)):
                raise
        self.share_tokens.add(token, [unquote(target.rpartition("/")[2])])
        return self.send("GET", target, params=params, **options)


def _encode_json(value: Any) -> bytes:
    """Return a value as JSON.

    :raises UsageError: the value is not JSON serializable.  NaN is not in the standard, and rejected because
        it causes a server error.
    """
    try:
        return json_.dumps(value, allow_nan=False).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        reason = str(error)
    raise UsageError(
        f"the document is not JSON serializable: {reason}",
        hint="use strings, finite numbers, booleans, None, lists, and dicts with strings as keys",
    )


def _encode_query(params: Mapping[str, Any]) -> Any:
    """Return query parameters as pairs: lists are repeated, booleans in lower case, None is omitted."""
    return [
        (name, str(item).lower() if isinstance(item, bool) else str(item))
        for name, value in params.items()
        for item in (value if isinstance(value, (list, tuple)) else [value])
        if item is not None
    ]
