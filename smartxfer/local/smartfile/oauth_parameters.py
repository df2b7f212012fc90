"""The OAuth parameters of a request, wherever they travelled: header, query or form body.

Source: SmartFile protocol, section 2 (OAuth 1.0a, PLAINTEXT).
"""

import re
from typing import Dict, List, Sequence, Tuple
from urllib.parse import parse_qsl, unquote

from smartxfer.local.http_messages import Request

__all__ = ["Pairs", "Unverified", "form_pairs", "oauth_parameters"]

Pairs = Sequence[Tuple[str, str]]

#: Bytes of a form on ``oauth/``.
_FORM_LIMIT = 1 << 20
_HEADER_PAIR = re.compile(r'\s*([^\s=",]+)\s*=\s*"([^"]*)"\s*(?:,|$)')


class Unverified(Exception):
    """A request whose OAuth parameters do not hold; says why in a few words."""


def form_pairs(request: Request) -> List[Tuple[str, str]]:
    """Fields of a form body; empty where the body is something else.

    :raises BodyTooLong: it is too long for a form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return []
    return parse_qsl(request.body.read(_FORM_LIMIT).decode("utf-8", "replace"), keep_blank_values=True)


def oauth_parameters(request: Request, form: Pairs) -> Dict[str, str]:
    """Every ``oauth_`` parameter by name.

    :param form: fields of the form body.
    :raises Unverified: the header is malformed, or a parameter comes twice.
    """
    pairs: List[Tuple[str, str]] = []
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "oauth":
        pairs += _header_pairs(text)
    pairs += parse_qsl(request.query, keep_blank_values=True)
    pairs += form
    found: Dict[str, str] = {}
    for name, value in pairs:
        if not name.startswith("oauth_"):
            continue
        if name in found:
            raise Unverified(f"{name} comes twice")
        found[name] = value
    return found


def _header_pairs(text: str) -> List[Tuple[str, str]]:
    """Names and values of an ``Authorization: OAuth`` header, decoded once."""
    pairs, place = [], 0
    while place < len(text):
        match = _HEADER_PAIR.match(text, place)
        if match is None:
            raise Unverified("the header is malformed")
        pairs.append((unquote(match.group(1)), unquote(match.group(2))))
        place = match.end()
    return pairs
