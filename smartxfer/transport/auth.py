"""Authentication by a bearer token."""

import re
from typing import Callable

import requests

from smartxfer.errors import CredentialError
from smartxfer.secret_text import as_secret
from smartxfer.transport import redaction

__all__ = ["build_bearer_auth"]

_TOKEN = re.compile(r"[\x21-\x7e]+")


def build_bearer_auth(token: str) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Return a function that adds a token to a request.

    :raises CredentialError: the token contains characters that are not allowed in a header.
    """
    token = as_secret(token)
    if not _TOKEN.fullmatch(token):
        raise CredentialError(
            "the token contains characters that are not allowed in an HTTP header",
            hint="check the token for spaces and newlines",
        )
    token = redaction.register_secret(token)

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign
