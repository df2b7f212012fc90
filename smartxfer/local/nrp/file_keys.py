"""Keys of files: encoding in links, media types, and names of downloads.

Source: NRP protocol, sections 3 and 5.
"""

import os
import unicodedata
from typing import Optional, Tuple
from urllib.parse import quote

from werkzeug.http import quote_header_value

from smartxfer.local.object_store import OCTETS

#: Error message for a key that is too long.
TOO_LONG = "Filename is too long."

#: Media types that a browser may show.
_SHOWN = {
    "audio/mpeg", "audio/ogg", "audio/wav", "audio/webm",
    "image/gif", "image/jpeg", "image/png", "image/tiff", "text/plain",
}  # fmt: skip
#: Media types that are sent as text, so that a browser does not execute scripts.
_AS_TEXT = {
    "application/javascript", "application/json", "application/xhtml+xml", "application/xml",
    "image/svg+xml", "text/css", "text/csv", "text/html",
}  # fmt: skip


def encode_key(key: str) -> str:
    """Percent-encode a key for links, except slashes."""
    return quote(key, safe="/")


def extension(key: str) -> Optional[str]:
    """Return the suffix of a key in lower case, without dot, or None."""
    return os.path.splitext(key)[1][1:].lower() or None


def shown_type(key: str, mime: str) -> str:
    """Return the media type of a download: active content becomes text or bytes."""
    if mime in _SHOWN:
        return mime
    if mime in _AS_TEXT or key.lower() == "readme":
        return "text/plain"
    return OCTETS


def disposition(key: str, kind: str) -> str:
    """Return the value of ``Content-Disposition``, with the last segment of the key.

    :param key: the file's key.
    :param kind: media type of the download.
    """
    if kind != OCTETS:
        return "inline"
    plain, extended = _names(key.rsplit("/", 1)[-1])
    value = "attachment"
    if plain:
        value += "; filename=" + quote_header_value(plain)
    return value + (f"; filename*=UTF-8''{extended}" if extended else "")


def is_too_long(key: str) -> bool:
    """Return True if a key is longer than 255 characters."""
    return len(key) > 255


def is_unfit_for_header(value: str) -> bool:
    """Return True if a header value contains control characters other than tab."""
    return any((character < " " and character != "\t") or character == "\x7f" for character in value)


def without_controls(value: str) -> str:
    """Replace each control character of a header value with an underscore."""
    return "".join("_" if is_unfit_for_header(character) else character for character in value)


def _names(key: str) -> Tuple[str, str]:
    """Return the name in ASCII, and percent-encoded if that differs."""
    if key.isascii():
        return key, ""
    plain = unicodedata.normalize("NFKD", key).encode("ascii", "ignore").decode("ascii")
    return plain, quote(key, safe="")
