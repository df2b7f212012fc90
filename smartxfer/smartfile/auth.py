"""Who asks, and how requests are signed: an API key and password, or OAuth 1.0a.

Source: SmartFile protocol, section 2.
"""

from typing import TYPE_CHECKING, Any, Mapping, NamedTuple, Optional, Protocol

import requests
from requests.auth import HTTPBasicAuth

from smartxfer.errors import UsageError
from smartxfer.secret_text import hide_method_arguments

if TYPE_CHECKING:
    from smartxfer.credentials import Credentials

__all__ = ["Auth", "KeyAuth", "OAuth1Auth", "OAuthToken"]


class Auth(Protocol):
    """Signs the requests of a client."""

    @property
    def explicit_credentials(self) -> Mapping[str, Optional[str]]:
        """The credentials that came as arguments, by name; None for those that did not."""

    def sign(self, request: requests.PreparedRequest, credentials: "Credentials") -> requests.PreparedRequest:
        """Add the credentials to one attempt.

        :param credentials: the credentials that count, wherever they come from.
        """

    def get_account_id(self, credentials: "Credentials") -> str:
        """Return who it is, for the journals; no secret."""


@hide_method_arguments("key", "password")
class KeyAuth:
    """Signs with an API key and password."""

    def __init__(self, key: Optional[str], password: Optional[str]) -> None:
        self.explicit_credentials = {"key": _strip_or_none(key), "password": _strip_or_none(password)}

    def sign(self, request: requests.PreparedRequest, credentials: "Credentials") -> requests.PreparedRequest:
        """Add the Authorization header of HTTP Basic."""
        from smartxfer.transport import redaction

        if credentials.get("key") is None and _needs_no_account(request):
            return request
        pair = credentials.require("key", "password")
        auth = HTTPBasicAuth(pair["key"].encode("utf-8"), pair["password"].encode("utf-8"))
        signed: requests.PreparedRequest = auth(request)
        # As it travels the pair looks different, and a server may repeat it.
        self._encoded_credentials = redaction.register_secret(
            str(signed.headers["Authorization"]).partition(" ")[2]
        )
        return signed

    def get_account_id(self, credentials: "Credentials") -> str:
        """Return the key."""
        return credentials.require("key")["key"]


class OAuthToken(NamedTuple):
    """A token with its secret; ``token, secret = ...`` takes it apart."""

    token: str
    secret: str

    def __repr__(self) -> str:
        return "OAuthToken(***)"


@hide_method_arguments("client_token", "client_secret", "access_token", "access_secret")
class OAuth1Auth:
    """Signs with the tokens of an application and of a user who has let it in."""

    def __init__(
        self,
        client_token: Optional[str],
        client_secret: Optional[str],
        access_token: Optional[str],
        access_secret: Optional[str],
    ) -> None:
        self.explicit_credentials = {
            "client_token": _strip_or_none(client_token),
            "client_secret": _strip_or_none(client_secret),
            "access_token": _strip_or_none(access_token),
            "access_secret": _strip_or_none(access_secret),
        }
        #: The user's token, once it is used or a login has brought it.
        self.user_token: Optional[OAuthToken] = None

    def sign(self, request: requests.PreparedRequest, credentials: "Credentials") -> requests.PreparedRequest:
        """Add the Authorization header of OAuth, in the user's name."""
        if self.user_token is None:
            if credentials.get("access_token") is None and _needs_no_account(request):
                return request
            pair = credentials.require("access_token", "access_secret")
            self.user_token = OAuthToken(pair["access_token"], pair["access_secret"])
        return self.sign_with_token(request, credentials, self.user_token)

    def sign_with_token(
        self,
        request: requests.PreparedRequest,
        credentials: "Credentials",
        token: Optional[OAuthToken],
        **options: Any,
    ) -> requests.PreparedRequest:
        """Add the Authorization header of OAuth.

        :param token: the token that goes with the application's; None for the first step of a login.
        :param options: of the login: ``callback_uri``, ``verifier``.
        :raises UsageError: the secrets would travel unencrypted, or requests-oauthlib is missing.
        """
        from smartxfer.transport import Origin
        from smartxfer.transport.origin import is_loopback

        try:
            from requests_oauthlib import OAuth1
        except ImportError:
            raise UsageError(
                "OAuth needs the package requests-oauthlib", hint='pip install "smartxfer[oauth]"'
            ) from None
        origin = Origin.parse(request.url or "")
        if origin.scheme != "https" and not is_loopback(origin.host):
            raise UsageError(
                f"the secrets would go to {origin.host} in the clear", hint="use an https address"
            )
        pair = credentials.require("client_token", "client_secret")
        auth = OAuth1(
            pair["client_token"],
            pair["client_secret"],
            resource_owner_key=token.token if token else None,
            resource_owner_secret=token.secret if token else None,
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

    def get_account_id(self, credentials: "Credentials") -> str:
        """Return the user's token."""
        return (
            credentials.require("access_token")["access_token"]
            if self.user_token is None
            else self.user_token.token
        )


def _needs_no_account(request: requests.PreparedRequest) -> bool:
    """Return True for ``ping``, the one call that needs no account."""
    return (request.url or "").endswith("/ping/")


def _strip_or_none(value: Optional[str]) -> Optional[str]:
    return value.strip() if value else None
