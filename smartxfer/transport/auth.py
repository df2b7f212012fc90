"""Bearer tokens: the one header that some services are signed with."""

import re
from typing import Callable

import requests

from smartxfer.errors import CredentialError
from smartxfer.secret_text import as_secret
from smartxfer.transport import redaction

__all__ = ["build_bearer_auth"]

_TOKEN = re.compile(r"[\x21-\x7e]+")


def build_bearer_auth(token: str) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """What adds a token to one attempt.

    :raises CredentialError: it has letters that no header can carry; they are not shown.
    """
    token = as_secret(token)
    if not _TOKEN.fullmatch(token):
        raise CredentialError(
            "the token has letters that no header can carry", hint="look for blanks and line ends in it"
        )
    token = redaction.register_secret(token)

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign
