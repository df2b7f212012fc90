"""Authentication of requests: by an API key and password, or by OAuth 1.0a.

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
    """Authentication of the requests of a client."""

    @property
    def explicit_credentials(self) -> Mapping[str, Optional[str]]:
        """The credentials that were passed as arguments, by name; None for missing ones."""

    def sign(self, request: requests.PreparedRequest, credentials: "Credentials") -> requests.PreparedRequest:
        """Add the credentials to one attempt.

        :param credentials: the credentials to use, from any source.
        """

    def get_account_id(self, credentials: "Credentials") -> str:
        """Return an identifier of the account, for journals; it is not a secret."""


@hide_method_arguments("key", "password")
class KeyAuth:
    """Authentication by an API key and password."""

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
        # The encoded pair is a secret, too: a server may repeat it in a response.
        self._encoded_credentials = redaction.register_secret(
            str(signed.headers["Authorization"]).partition(" ")[2]
        )
        return signed

    def get_account_id(self, credentials: "Credentials") -> str:
        """Return the key."""
        return credentials.require("key")["key"]


class OAuthToken(NamedTuple):
    """A token with its secret; ``token, secret = ...`` unpacks it."""

    token: str
    secret: str

    def __repr__(self) -> str:
        return "OAuthToken(***)"


@hide_method_arguments("client_token", "client_secret", "access_token", "access_secret")
class OAuth1Auth:
    """Authentication by the tokens of an application and of a user who has authorized it."""

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
        #: The user's token, None until it is used or a login has fetched it.
        self.user_token: Optional[OAuthToken] = None

    def sign(self, request: requests.PreparedRequest, credentials: "Credentials") -> requests.PreparedRequest:
        """Add the Authorization header of OAuth, with the user's token."""
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

        :param token: the token used with the application's; None for the first step of a login.
        :param options: options of the login: ``callback_uri``, ``verifier``.
        :raises UsageError: the secrets would be sent unencrypted, or requests-oauthlib is missing.
        """
        from smartxfer.transport import Origin
        from smartxfer.transport.origin import is_loopback

        try:
            from requests_oauthlib import OAuth1
        except ImportError:
            raise UsageError(
                "OAuth requires the package requests-oauthlib", hint='pip install "smartxfer[oauth]"'
            ) from None
        origin = Origin.parse(request.url or "")
        if origin.scheme != "https" and not is_loopback(origin.host):
            raise UsageError(
                f"OAuth secrets would be sent to {origin.host} unencrypted", hint="use an https URL"
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
        # The signature does not include the body, which may be a file, so requests-oauthlib does not get it.
        body, request.body = request.body, None
        content_type = request.headers.pop("Content-Type", None)
        signed: requests.PreparedRequest = auth(request)
        signed.body = body
        if content_type is not None:
            signed.headers["Content-Type"] = content_type
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
    """Return True for ``ping``, the only request without authentication."""
    return (request.url or "").endswith("/ping/")


def _strip_or_none(value: Optional[str]) -> Optional[str]:
    return value.strip() if value else None
