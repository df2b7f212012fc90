"""Bodies of requests that canned answers took."""

from __future__ import annotations

from typing import Any


def body_of(request: Any) -> bytes:
    """The body of a request; older versions of responses leave it unread."""
    body = request.body
    return body if isinstance(body, bytes) else b"".join(bytes(block) for block in body)
