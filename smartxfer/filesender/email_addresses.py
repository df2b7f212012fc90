"""Validation of e-mail addresses with the rules of PHP's FILTER_VALIDATE_EMAIL, which sites use.

Source: FileSender protocol, section 15.
"""

import ipaddress
import re
from typing import Any

from smartxfer.errors import UsageError

__all__ = ["is_email_address", "validate_email_address"]

_MAX_LENGTH, _MAX_LOCAL_LENGTH, _MAX_LABEL_LENGTH = 254, 64, 63
_ATOM_PATTERN = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_QUOTED_PATTERN = r'"(?:[\x01-\x08\x0b\x0c\x0e-\x1f!#-\[\]-\x7f]|\\[\x00-\x7f])*"'
_LOCAL_PART = re.compile(
    rf"(?:{_ATOM_PATTERN}|{_QUOTED_PATTERN})(?:\.(?:{_ATOM_PATTERN}|{_QUOTED_PATTERN}))*\Z"
)
_DOMAIN_LABEL = re.compile(r"[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*\Z")


def is_email_address(text: Any) -> bool:
    """Return True if a text is an e-mail address that sites accept.

    >>> [is_email_address(text) for text in ("ann@example.org", "ann.@example.org", "\u00e4nn@example.org")]
    [True, False, False]
    """
    if not isinstance(text, str) or not text.isascii() or len(text) > _MAX_LENGTH:
        return False
    local, at, domain = text.rpartition("@")
    if not at or len(local) > _MAX_LOCAL_LENGTH or not _LOCAL_PART.match(local):
        return False
    return _is_address_literal(domain) if domain.startswith("[") else _is_domain(domain)


def _is_domain(domain: str) -> bool:
    labels = domain.split(".")
    valid = all(len(label) <= _MAX_LABEL_LENGTH and _DOMAIN_LABEL.match(label) for label in labels)
    # The last label begins with a letter: otherwise the domain is an IPv4 address.
    return valid and len(labels) > 1 and labels[-1][0].isalpha()


def _is_address_literal(domain: str) -> bool:
    """Return True if a domain is an IP address in brackets: ``[192.0.2.1]`` or ``[IPv6:2001:db8::1]``."""
    inner = domain[1:-1] if domain.endswith("]") else ""
    try:
        if inner.lower().startswith("ipv6:"):
            return "%" not in inner and bool(ipaddress.IPv6Address(inner[5:]))
        return bool(ipaddress.IPv4Address(inner))
    except ValueError:
        return False


def validate_email_address(address: Any, role: str) -> None:
    """Check an e-mail address, because one invalid address makes a site discard all recipients.

    :param role: role of the address, for the error message.
    :raises UsageError: the site would not accept it.
    """
    if not is_email_address(address):
        hint = "pass an address such as 'ann@example.org'"
        if isinstance(address, str) and not address.isascii():
            hint = "sites accept ASCII only: write the domain in its xn-- form"
        raise UsageError(f"{role} {address!r} is not an e-mail address that sites accept", hint=hint)
