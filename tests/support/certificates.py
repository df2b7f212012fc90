"""Certificates for tests: the package trustme, imported without the warnings of cryptography about old Pythons."""

from __future__ import annotations

import ssl
import warnings
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import trustme


def server_context(authority: trustme.CA, *names: str) -> Any:
    """Return the TLS settings of a server with a certificate for these names; by default for 127.0.0.1."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("127.0.0.1",))).configure_cert(made)
    return made
