"""The way PHP writes things: JSON with escaped slashes, log references, and how it dies.

Source: FileSender protocol, sections 2 and 2.1.
"""

import json
import time
from typing import Any

from smartxfer.local.http_messages import Response, text_response

__all__ = ["encode", "fatal", "json_response", "uniqid"]


def encode(value: Any) -> bytes:
    r"""JSON as PHP writes it: no spaces, ``/`` as ``\/``, everything beyond ASCII as ``\uXXXX``.

    :param value: anything that JSON can say; the order of keys is kept.
    :return: ASCII bytes.
    """
    # A slash stands only inside strings, so that replacing it in the text is safe.
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def json_response(value: Any, status: int = 200, location: str = "") -> Response:
    """An answer whose body is ``value`` as JSON.

    :param value: what to say.
    :param status: HTTP status.
    :param location: value of the ``Location`` header, none when empty.
    """
    headers = [("Content-Type", "application/json")]
    if location:
        headers.append(("Location", location))
    return Response(status, headers, (encode(value),))


def fatal() -> Response:
    """What a PHP fatal error shows: ``500``, ``text/html``, empty body.

    Source: FileSender protocol, section 2.1.
    """
    return text_response(500, "")


def uniqid() -> str:
    """A log reference of 13 hex digits: seconds and microseconds, as PHP's ``uniqid`` makes it."""
    now = time.time_ns() // 1000
    return f"{now // 1_000_000:08x}{now % 1_000_000:05x}"
