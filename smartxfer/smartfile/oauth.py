"""The client for OAuth 1.0a: tokens of an application and of a user who lets it in.

Source: SmartFile protocol, section 2.
"""

from typing import Any, Mapping, NamedTuple, Optional, Sequence, Union
from urllib.parse import parse_qs, urlencode

import attrs
import requests

from smartxfer.client_options import CertFiles, ClientOptions, FilePath, Timeout, Verify
from smartxfer.credentials import ServiceNames
from smartxfer.errors import UsageError
from smartxfer.seams import Clock
from smartxfer.secret_text import hidden, hides
from smartxfer.smartfile.client import SmartFileClient
from smartxfer.smartfile.errors import SmartFileDecodeError
from smartxfer.smartfile.raw import DEFAULT_URL
from smartxfer.transport import Body, Call, RetryPolicy, Success, redact
from smartxfer.transport.origin import is_loopback

__all__ = ["OAuthClient", "OAuthToken"]

#: A token comes as a form.
_TOKEN = Success({200}, Body.NO_PAGE)
#: What an entry of a netrc file holds that was made for this client.
_NETRC = {"access_token": "login", "access_secret": "password"}


class OAuthToken(NamedTuple):
    """A token with its secret; ``token, secret = ...`` takes it apart."""

    token: str
    secret: str

    def __repr__(self) -> str:
        return "OAuthToken(***)"


@hides(
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

    names = ServiceNames(
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
        also_known=frozenset({"key", "password"}),
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
        timeout: Timeout = (15.0, 60.0),
        retry: RetryPolicy = RetryPolicy(),
        session: Optional[requests.Session] = None,
        verify: Verify = True,
        cert: Optional[CertFiles] = None,
        cert_origins: Sequence[str] = (),
        proxies: Optional[Mapping[str, str]] = None,
        max_workers: int = 4,
        profile: Optional[str] = None,
        netrcfile: Optional[FilePath] = None,
        clock: Optional[Clock] = None,
    ) -> None:
        options = ClientOptions(
            timeout, retry, session, verify, cert, cert_origins,
            proxies, max_workers, profile, netrcfile, clock,
        )  # fmt: skip
        super().__init__(url, options, version=version, throttle_wait=throttle_wait)
        if netrcfile is not None:  # the default netrc file has the key and password of BasicClient
            self.names = attrs.evolve(self.names, netrc=_NETRC)
        self._given = {
            "client_token": _stripped(client_token),
            "client_secret": _stripped(client_secret),
            "access_token": _stripped(access_token),
            "access_secret": _stripped(access_secret),
        }
        self._request: Optional[OAuthToken] = None
        self._access: Optional[OAuthToken] = None

    def get_request_token(self, callback: Optional[str] = None) -> OAuthToken:
        """The first step: a token for one login.

        :param callback: where the user is sent afterwards, with ``oauth_verifier`` in the query.
        :raises Forbidden: the application's token or secret is wrong.
        """
        self._request = self._token("request_token", None, callback_uri=callback)
        return self._request

    def get_authorization_url(self, request: Union[OAuthToken, str, None] = None) -> str:
        """The second step: where the user lets the application in, and gets a verifier.

        :param request: a request token other than the latest.
        """
        token = self._requested(request)
        return f"{self.base_url}/oauth/authorize/?{urlencode({'oauth_token': token.token})}"

    def get_access_token(
        self, request: Union[OAuthToken, str, None] = None, verifier: Optional[str] = None
    ) -> OAuthToken:
        """The third step: the user's own token, which this client uses from now on.

        :param request: a request token other than the latest.
        :param verifier: what the user was shown.
        :raises Forbidden: the verifier is wrong, or the user has not let the application in.
        """
        verifier = redact.remember_secret(verifier) if verifier else verifier
        self._access = self._token("access_token", self._requested(request), verifier=verifier)
        self._request = None
        return self._access

    def _requested(self, request: Any) -> OAuthToken:
        if request is None:
            if self._request is None:
                raise UsageError("there is no request token", hint="call get_request_token() first")
            return self._request
        if isinstance(request, str):
            known = self._request
            if known is None or known.token != request:
                raise UsageError("the secret of that request token is not known", hint="pass (token, secret)")
            return known
        return OAuthToken(*map(redact.remember_secret, request))

    def _token(self, step: str, owner: Optional[OAuthToken], **options: Any) -> OAuthToken:
        def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
            return self._signed(request, owner, **options)

        call = Call("POST", f"{self.base_url}/oauth/{step}/", sign=sign, idempotent=False, success=_TOKEN)
        found = hidden(parse_qs(self._wire.fetch(call).text.strip(), strict_parsing=False))
        token, secret = found.get("oauth_token", [""])[0], found.get("oauth_token_secret", [""])[0]
        if not token or not secret:
            raise SmartFileDecodeError(f"{call.what}: the answer has no token")
        return OAuthToken(redact.remember_secret(token), redact.remember_secret(secret))

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._access is None:
            found = self._credentials
            if found.get("access_token") is None and (request.url or "").endswith("/ping/"):
                return request  # the one call that needs nobody
            pair = found.require("access_token", "access_secret")
            self._access = OAuthToken(pair["access_token"], pair["access_secret"])
        return self._signed(request, self._access)

    def _signed(
        self, request: requests.PreparedRequest, owner: Optional[OAuthToken], **options: Any
    ) -> requests.PreparedRequest:
        try:
            from requests_oauthlib import OAuth1
        except ImportError:
            raise UsageError(
                "OAuth needs the package requests-oauthlib", hint='pip install "smartxfer[oauth]"'
            ) from None
        self._refuse_plain_http()
        pair = self._credentials.require("client_token", "client_secret")
        auth = OAuth1(
            pair["client_token"],
            pair["client_secret"],
            resource_owner_key=owner.token if owner else None,
            resource_owner_secret=owner.secret if owner else None,
            signature_method="PLAINTEXT",
            **options,
        )
        # The body is none of the signature's business: it may be a file.
        body, request.body = request.body, None
        kind = request.headers.pop("Content-Type", None)
        signed: requests.PreparedRequest = auth(request)
        signed.body = body
        if kind is not None:
            signed.headers["Content-Type"] = kind
        else:
            signed.headers.pop("Content-Type", None)
        return signed

    def _refuse_plain_http(self) -> None:
        origin = self._wire.origin
        if origin.scheme != "https" and not is_loopback(origin.host):
            raise UsageError(
                f"the secrets would go to {origin.host} in the clear", hint="use an https address"
            )

    @property
    def _account(self) -> str:
        if self._access is not None:
            return self._access.token
        return self._credentials.require("access_token")["access_token"]

    def _given_credentials(self) -> Mapping[str, Optional[str]]:
        return {"base_url": self._given_url, **self._given}


def _stripped(value: Optional[str]) -> Optional[str]:
    return value.strip() if value else None
