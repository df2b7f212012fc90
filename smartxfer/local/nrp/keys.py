"""Keys of files: how they stand in links, what type their names promise, and how downloads name them.

Source: NRP protocol, sections 3 and 5.
"""

import os
import unicodedata
from typing import Optional, Tuple
from urllib.parse import quote

from werkzeug.http import quote_header_value

from smartxfer.local.objects import OCTETS

#: What is said of a key that is too long.
TOO_LONG = "Filename is too long."

#: Types that a browser may show.
_SHOWN = {
    "audio/mpeg", "audio/ogg", "audio/wav", "audio/webm",
    "image/gif", "image/jpeg", "image/png", "image/tiff", "text/plain",
}  # fmt: skip
#: Types that a browser shows as text, so that no script runs.
_AS_TEXT = {
    "application/javascript", "application/json", "application/xhtml+xml", "application/xml",
    "image/svg+xml", "text/css", "text/csv", "text/html",
}  # fmt: skip


def encoded(key: str) -> str:
    """A key as links have it: percent-encoded, slashes kept."""
    return quote(key, safe="/")


def extension(key: str) -> Optional[str]:
    """Suffix of a key, lower case, without its dot; None where it has none."""
    return os.path.splitext(key)[1][1:].lower() or None


def shown_type(key: str, mime: str) -> str:
    """Media type under which a file is sent: what could run in a browser is sent as text or bytes."""
    if mime in _SHOWN:
        return mime
    if mime in _AS_TEXT or key.lower() == "readme":
        return "text/plain"
    return OCTETS


def disposition(key: str, kind: str) -> str:
    """Value of ``Content-Disposition``; it has the last segment of the key.

    :param key: the file's key.
    :param kind: media type under which it is sent.
    """
    if kind != OCTETS:
        return "inline"
    plain, extended = _names(key.rsplit("/", 1)[-1])
    value = "attachment"
    if plain:
        value += "; filename=" + quote_header_value(plain)
    return value + (f"; filename*=UTF-8''{extended}" if extended else "")


def longer_than_allowed(key: str) -> bool:
    """Tell whether a key is too long for the server to keep a file under it: 255 characters are the most."""
    return len(key) > 255


def unfit_for_header(value: str) -> bool:
    """Tell whether a header's value has control characters, a tab aside."""
    return any((letter < " " and letter != "\t") or letter == "\x7f" for letter in value)


def without_controls(value: str) -> str:
    """Return a header's value with an underscore for each control character."""
    return "".join("_" if unfit_for_header(letter) else letter for letter in value)


def _names(key: str) -> Tuple[str, str]:
    """The name in Latin letters, and the whole name percent-encoded where that is not the same."""
    if key.isascii():
        return key, ""
    plain = unicodedata.normalize("NFKD", key).encode("ascii", "ignore").decode("ascii")
    return plain, quote(key, safe="")
