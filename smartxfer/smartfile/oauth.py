"""The client for OAuth 1.0a, with the tokens of an application and of a user who has authorized it.

Source: SmartFile protocol, section 2.
"""

from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence, Union
from urllib.parse import parse_qs, urlencode

import requests

from smartxfer.credentials import CredentialSpec
from smartxfer.errors import UsageError
from smartxfer.os_text import FilePath
from smartxfer.secret_text import hide_method_arguments, wrap_secrets
from smartxfer.smartfile.auth import OAuth1Auth, OAuthToken
from smartxfer.smartfile.client import SmartFileClient
from smartxfer.smartfile.defaults import DEFAULT_URL
from smartxfer.transport import RetryPolicy

if TYPE_CHECKING:
    from smartxfer._system import Clock
    from smartxfer.client_options import CertFiles, Timeout, Verify

__all__ = ["OAuthClient", "OAuthToken"]

#: Fields of a netrc entry that is intended for this client.
_NETRC_FIELDS = {"access_token": "login", "access_secret": "password"}


@hide_method_arguments(
    "client_token", "client_secret", "access_token", "access_secret", "proxies", "request", "verifier"
)
class OAuthClient(SmartFileClient):
    """Client for uploads to SmartFile and downloads, for a user who has authorized an application.

    An access token is obtained in three steps: :meth:`get_request_token`; the user visits
    :meth:`get_authorization_url`; :meth:`get_access_token`.  Requires the extra ``oauth``.

    :param client_token: token of the application; by default SMARTFILE_CLIENT_TOKEN.
    :param client_secret: by default SMARTFILE_CLIENT_SECRET.
    :param access_token: token of the user; by default SMARTFILE_ACCESS_TOKEN.
    :param access_secret: by default SMARTFILE_ACCESS_SECRET.
    :param url: URL of the API; by default SMARTFILE_API_URL, else ``https://app.smartfile.com``.
        Every request contains secrets, so http is only accepted for loopback addresses.

    The other parameters are settings of every client: :class:`~smartxfer.client_options.ClientOptions`.

    >>> with OAuthClient() as client:
    ...     request = client.get_request_token()
    ...     print("visit", client.get_authorization_url(request))
    visit http...

    Source: SmartFile protocol, section 2.
    """

    credential_spec = CredentialSpec(
        service="smartfile",
        fields={
            "base_url": "SMARTFILE_API_URL",
            "client_token": "SMARTFILE_CLIENT_TOKEN",
            "client_secret": "SMARTFILE_CLIENT_SECRET",
            "access_token": "SMARTFILE_ACCESS_TOKEN",
            "access_secret": "SMARTFILE_ACCESS_SECRET",
        },
        secrets=frozenset({"client_token", "client_secret", "access_token", "access_secret"}),
        defaults={"base_url": DEFAULT_URL},
        ignored_keys=frozenset({"key", "password"}),
    )

    def __init__(
        self,
        client_token: Optional[str] = None,
        client_secret: Optional[str] = None,
        access_token: Optional[str] = None,
        access_secret: Optional[str] = None,
        *,
        url: Optional[str] = None,
        version: str = "2",
        throttle_wait: bool = True,
        timeout: "Timeout" = (15.0, 60.0),
        retry: RetryPolicy = RetryPolicy(),
        session: Optional[requests.Session] = None,
        verify: "Verify" = True,
        cert: "Optional[CertFiles]" = None,
        cert_origins: Sequence[str] = (),
        proxies: Optional[Mapping[str, str]] = None,
        max_workers: int = 4,
        profile: Optional[str] = None,
        netrcfile: Optional[FilePath] = None,
        clock: "Optional[Clock]" = None,
    ) -> None:
        from smartxfer.client_options import ClientOptions

        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        self._oauth = OAuth1Auth(client_token, client_secret, access_token, access_secret)
        super().__init__(url, options, self._oauth, version=version, throttle_wait=throttle_wait)
        if netrcfile is not None:  # the default netrc file has the key and password of BasicClient
            self.credential_spec = self.credential_spec._replace(netrc=_NETRC_FIELDS)
        self._request_token: Optional[OAuthToken] = None

    def get_request_token(self, callback: Optional[str] = None) -> OAuthToken:
        """Fetch a token for one login, the first step.

        :param callback: URL to which the user is redirected afterwards, with ``oauth_verifier`` in the query.
        :raises Forbidden: the application's token or secret is wrong.
        """
        self._request_token = self._fetch_token("request_token", None, callback_uri=callback)
        return self._request_token

    def get_authorization_url(self, request: Union[OAuthToken, str, None] = None) -> str:
        """Return the URL where the user authorizes the application and gets a verifier, the second step.

        :param request: a request token other than the latest.
        """
        token = self._resolve_request_token(request)
        return f"{self.base_url}/oauth/authorize/?{urlencode({'oauth_token': token.token})}"

    def get_access_token(
        self, request: Union[OAuthToken, str, None] = None, verifier: Optional[str] = None
    ) -> OAuthToken:
        """Fetch the user's token, which this client uses from now on, the third step.

        :param request: a request token other than the latest.
        :param verifier: the verifier that was shown to the user.
        :raises Forbidden: the verifier is wrong, or the user has not authorized the application.
        """
        from smartxfer.transport import redaction

        verifier = redaction.register_secret(verifier) if verifier else verifier
        access = self._fetch_token("access_token", self._resolve_request_token(request), verifier=verifier)
        self._oauth.user_token, self._request_token = access, None
        return access

    def _resolve_request_token(self, request: Any) -> OAuthToken:
        from smartxfer.transport import redaction

        if request is None:
            if self._request_token is None:
                raise UsageError("missing request token", hint="call get_request_token() first")
            return self._request_token
        if isinstance(request, str):
            latest = self._request_token
            if latest is None or latest.token != request:
                raise UsageError("missing secret of the request token", hint="pass request=(token, secret)")
            return latest
        return OAuthToken(*map(redaction.register_secret, request))

    def _fetch_token(self, step: str, token_to_exchange: Optional[OAuthToken], **options: Any) -> OAuthToken:
        from smartxfer.smartfile.errors import SmartFileDecodeError
        from smartxfer.transport import Body, RequestSpec, Success, redaction

        def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
            return self._oauth.sign_with_token(request, self._credentials, token_to_exchange, **options)

        request_spec = RequestSpec(
            "POST",
            f"{self.base_url}/oauth/{step}/",
            auth=sign,
            idempotent=False,
            success=Success({200}, Body.NOT_HTML),
        )
        form = wrap_secrets(parse_qs(self._http.request(request_spec).text.strip(), strict_parsing=False))
        token, secret = form.get("oauth_token", [""])[0], form.get("oauth_token_secret", [""])[0]
        if not token or not secret:
            raise SmartFileDecodeError(f"{request_spec.description}: the response has no token or no secret")
        return OAuthToken(redaction.register_secret(token), redaction.register_secret(secret))
