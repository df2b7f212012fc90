"""The client for OAuth 1.0a: tokens of an application and of a user who lets it in.

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

#: What an entry of a netrc file holds that was made for this client.
_NETRC_FIELDS = {"access_token": "login", "access_secret": "password"}


@hide_method_arguments(
    "client_token", "client_secret", "access_token", "access_secret", "proxies", "request", "verifier"
)
class OAuthClient(SmartFileClient):
    """Sends files to SmartFile and fetches them, for a user who has let an application in.

    Without an access token, three steps get one: :meth:`get_request_token`, a look by the user at
    :meth:`get_authorization_url`, :meth:`get_access_token`.  Needs the extra ``oauth``.

    :param client_token: of the application; by default SMARTFILE_CLIENT_TOKEN.
    :param client_secret: by default SMARTFILE_CLIENT_SECRET.
    :param access_token: of the user; by default SMARTFILE_ACCESS_TOKEN.
    :param access_secret: by default SMARTFILE_ACCESS_SECRET.
    :param url: address of the API; by default SMARTFILE_API_URL, else ``https://app.smartfile.com``.
        Secrets travel in every request: http is refused but on loopback.

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
        """The first step: a token for one login.

        :param callback: where the user is sent afterwards, with ``oauth_verifier`` in the query.
        :raises Forbidden: the application's token or secret is wrong.
        """
        self._request_token = self._fetch_token("request_token", None, callback_uri=callback)
        return self._request_token

    def get_authorization_url(self, request: Union[OAuthToken, str, None] = None) -> str:
        """The second step: where the user lets the application in, and gets a verifier.

        :param request: a request token other than the latest.
        """
        token = self._resolve_request_token(request)
        return f"{self.base_url}/oauth/authorize/?{urlencode({'oauth_token': token.token})}"

    def get_access_token(
        self, request: Union[OAuthToken, str, None] = None, verifier: Optional[str] = None
    ) -> OAuthToken:
        """The third step: the user's own token, which this client uses from now on.

        :param request: a request token other than the latest.
        :param verifier: what the user was shown.
        :raises Forbidden: the verifier is wrong, or the user has not let the application in.
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
                raise UsageError("there is no request token", hint="call get_request_token() first")
            return self._request_token
        if isinstance(request, str):
            known = self._request_token
            if known is None or known.token != request:
                raise UsageError("the secret of that request token is not known", hint="pass (token, secret)")
            return known
        return OAuthToken(*map(redaction.register_secret, request))

    def _fetch_token(self, step: str, token_to_exchange: Optional[OAuthToken], **options: Any) -> OAuthToken:
        from smartxfer.smartfile.errors import SmartFileDecodeError
        from smartxfer.transport import Body, RequestSpec, Success, redaction

        def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
            return self._oauth.sign_with_token(request, self._credentials, token_to_exchange, **options)

        form = Success({200}, Body.NOT_HTML)
        call = RequestSpec(
            "POST", f"{self.base_url}/oauth/{step}/", auth=sign, idempotent=False, success=form
        )
        found = wrap_secrets(parse_qs(self._http.request(call).text.strip(), strict_parsing=False))
        token, secret = found.get("oauth_token", [""])[0], found.get("oauth_token_secret", [""])[0]
        if not token or not secret:
            raise SmartFileDecodeError(f"{call.description}: the answer has no token")
        return OAuthToken(redaction.register_secret(token), redaction.register_secret(secret))
