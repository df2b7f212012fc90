"""Temporary URLs that open one file without credentials.

Source: SmartFile protocol, section 5 (``path/exchange/``).  Assumptions, for which no source was found: one
hour where ``expires`` is not given; 400 for another ``mode`` than ``r``; 404 once the time is over.
"""

import secrets
from typing import Optional
from urllib.parse import quote

from smartxfer.local.http_messages import Response
from smartxfer.local.smartfile.answers import detail, field_error
from smartxfer.local.smartfile.call import Call
from smartxfer.local.smartfile.paths import file_answer

__all__ = ["direct", "exchange", "whole_number"]

#: Seconds that a direct URL lives when none are named.
_LIFE = 3600
#: Largest number that is taken: the seconds of ten years.
_MOST = 10 * 366 * 86400


def exchange(call: Call) -> Response:
    """Give a temporary URL that opens one file without credentials."""
    path, mode = call.required("path"), call.fields.get("mode") or "r"
    if mode != "r":
        raise field_error("mode", "Only r, for reading, is possible.")
    node = call.backend.tree.node(path)
    if node is None:
        raise field_error("path", f"No such file or directory: {path}")
    if node.isdir:
        raise field_error("path", f"Not a file: {path}")
    lifetime = whole_number(call, "expires")
    now, token = call.backend.now(), secrets.token_urlsafe(18)
    with call.backend.lock:
        known = call.backend.memory.setdefault("direct", {})
        for old in [name for name, (_, end) in known.items() if end <= now]:
            del known[old]
        known[token] = (node.path, now + (_LIFE if lifetime is None else lifetime))
    return call.json({"url": f"{call.backend.url}/direct/{token}{quote(node.path)}"})


def direct(call: Call) -> Response:
    """Send the file of a temporary URL."""
    token, path = (call.words[0] if call.words else ""), "/" + "/".join(call.words[1:])
    with call.backend.lock:
        granted, end = call.backend.memory.get("direct", {}).get(token, ("", 0.0))
    if granted != path or end <= call.backend.now():
        raise detail(404, "No such address, or its time is over.")
    return file_answer(call, call.backend.tree.find_file(path))


def whole_number(call: Call, name: str) -> Optional[int]:
    """A whole number of 0 or more among the arguments of a call.

    :param name: name of the argument.
    :return: the number; None where it is not given.
    :raises ApiError: 400, it is something else, or beyond all reason.
    """
    text = call.fields.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:12]) <= _MOST and len(text) < 12):
        raise field_error(name, "Enter a whole number.")
    return int(text)
