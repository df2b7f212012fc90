"""Credentials of users (API key) and guests (voucher), and the signing of requests with them.

Source: FileSender protocol, sections 3 (signed requests) and 10 (guests).
"""

import hashlib
import hmac
from typing import Any, ClassVar, FrozenSet, Iterable, Optional
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import requests

from smartxfer.secret_text import as_secret, hide_method_arguments

__all__ = ["Auth", "GuestAuth", "UserAuth", "sign_guest_request", "sign_user_request"]


class Auth:
    """No credentials: sufficient to read public data and to download with a token."""

    #: Names of the attributes that ``repr()`` masks.
    _secret_fields: ClassVar[FrozenSet[str]] = frozenset()
    # Instances are mutable: the tokens of a guest change.
    __hash__ = None  # type: ignore[assignment]

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, as_secret(value) if name in self._secret_fields else value)

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if type(other) is type(self) else NotImplemented

    def __repr__(self) -> str:
        attributes = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({attributes})"


@hide_method_arguments("api_key")
class UserAuth(Auth):
    """A user with an API key, with all permissions of that user.

    :param username: the site's user id, often an e-mail address.
    :param api_key: shown on the page ``?s=user`` of the site.
    :param delay: seconds added to the timestamps of signatures, for slow connections.

    >>> UserAuth("me@example.org", "0123abcd")
    UserAuth(username='me@example.org', api_key='***', delay=0)
    """

    _secret_fields = frozenset({"api_key"})

    def __init__(self, username: str, api_key: str, delay: int = 0) -> None:
        self.username = username
        self.api_key = api_key
        self.delay = delay


@hide_method_arguments("guest_token", "security_token", "csrf_token")
class GuestAuth(Auth):
    """A guest with a voucher.

    :param guest_token: the value of ``vid=`` in the voucher's link.
    :param security_token: of the guest's session; by default the client requests it.
    :param csrf_token: of the guest's session; by default the client requests it.
    """

    _secret_fields = frozenset({"guest_token", "security_token", "csrf_token"})

    def __init__(
        self, guest_token: str, security_token: Optional[str] = None, csrf_token: Optional[str] = None
    ) -> None:
        self.guest_token = guest_token
        self.security_token = security_token
        self.csrf_token = csrf_token

    def prepare(self, client: Any = None) -> None:
        """Do nothing: the client starts the guest's session with its first request.

        :param client: ignored; filesender-client has this parameter.
        """


def sign_user_request(
    request: requests.PreparedRequest, auth: UserAuth, *, host: str, timestamp: int
) -> requests.PreparedRequest:
    """Add ``remote_user``, ``timestamp`` and ``signature`` to a prepared request.

    :param host: the host name that the server uses to verify signatures, usually without a port.
    :param timestamp: seconds since the epoch; it may be in the future, but at most 15 s in the past.

    Source: FileSender protocol, section 3.
    """
    parts = urlsplit(request.url or "")
    arguments = dict(parse_qsl(parts.query, keep_blank_values=True))
    arguments.update(remote_user=auth.username, timestamp=str(timestamp))
    ordered = sorted(arguments.items(), key=lambda pair: pair[0].encode("utf-8"))
    query_text = "&".join(f"{name}={value}" for name, value in ordered)
    signed_text = f"{(request.method or '').lower()}&{host}{unquote(parts.path)}?{query_text}"
    signature = hmac.new(auth.api_key.encode("utf-8"), signed_text.encode("utf-8"), hashlib.sha1)
    for index, block in enumerate(_signed_body_blocks(request.body)):
        if index == 0:
            signature.update(b"&")
        signature.update(block)
    query = urlencode([*ordered, ("signature", signature.hexdigest())])
    request.url = parts._replace(query=query).geturl()
    return request


def sign_guest_request(request: requests.PreparedRequest, auth: GuestAuth) -> requests.PreparedRequest:
    """Add the voucher, and for writing requests the two tokens of the session.

    Source: FileSender protocol, section 10.
    """
    from smartxfer.filesender.errors import FileSenderCredentialError

    parts = urlsplit(request.url or "")
    arguments = parse_qsl(parts.query, keep_blank_values=True)
    request.url = parts._replace(query=urlencode([*arguments, ("vid", auth.guest_token)])).geturl()
    if request.method not in ("GET", "HEAD"):
        if auth.security_token is None:
            raise FileSenderCredentialError(
                "the guest's session has no security token", hint="call client.prepare() first"
            )
        request.headers["X-Filesender-Security-Token"] = auth.security_token
        if auth.csrf_token is not None:
            request.headers["csrfptoken"] = auth.csrf_token
    return request


def _signed_body_blocks(body: Any) -> Iterable[Any]:
    """Return the bytes of a body that are signed, in blocks.

    A body of the single byte ``0`` is not signed, because PHP treats the string ``"0"`` as empty.

    Source: FileSender protocol, section 15.
    """
    if not body:
        return []
    encoded = body.encode("utf-8") if isinstance(body, str) else body
    blocks = [encoded] if isinstance(encoded, bytes) else encoded
    if len(encoded) == 1:
        blocks = [bytes(block) for block in blocks]
        return [] if blocks == [b"0"] else blocks
    return blocks
