"""Keys of files: encoding in URLs, and detection of keys whose URLs cannot be used.

Source: NRP / Invenio protocol, sections 5 (Start) and 9.
"""

import re
from typing import Any

from smartxfer.errors import UsageError
from smartxfer.transport.origin import quote_path

__all__ = [
    "has_followable_links",
    "is_addressable",
    "is_deletable",
    "quote_key",
    "require_str_key",
    "validate_key",
]

_DOT_SEGMENT_PATTERN = re.compile(r"(^|/)\.{1,2}(/|$)")
#: The URL of such a key belongs to another route of the repository.
_RESERVED_ROUTE_PATTERN = re.compile(r"^/|./(?:content|commit)\Z|./container(?:/|\Z)")
#: A tab is harmless.
_CONTROL_CHARACTER_PATTERN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
#: Size of the database column for keys, in characters.
_MAX_KEY_LENGTH = 255


def quote_key(key: str) -> str:
    """Return a key for a URL path: percent-encoded, except for the slashes.

    >>> quote_key("dir/b c.txt")
    'dir/b%20c.txt'

    Slashes next to a ``.`` or ``..`` are encoded, too, because HTTP libraries would resolve these segments:

    >>> quote_key("../a")
    '..%2Fa'
    """
    return quote_path(key, safe="" if _DOT_SEGMENT_PATTERN.search(key) else "/")


def has_followable_links(key: str) -> bool:
    """Return True if the server's links to the file can be used unchanged."""
    return not _DOT_SEGMENT_PATTERN.search(key)


def is_addressable(key: str) -> bool:
    """Return True if the key can be used in URLs.

    >>> [is_addressable(key) for key in ("a/b", "content", "", "/a", "..", "../a", "a/content")]
    [True, True, False, False, False, True, False]

    Source: NRP / Invenio protocol, section 9.
    """
    return bool(key) and key not in (".", "..") and not _RESERVED_ROUTE_PATTERN.search(key)


def require_str_key(key: Any) -> str:
    """Return the key of a caller.

    :raises UsageError: the key is not a string.
    """
    if not isinstance(key, str):
        raise UsageError(f"key must be a string, not a {type(key).__name__}", hint="pass key='data.csv'")
    return key


def is_deletable(key: str) -> bool:
    """Return True if DELETE works for the key; URLs of other keys lead to another file, or to no route.

    Source: NRP / Invenio protocol, section 9.
    """
    return bool(key) and key not in (".", "..") and not key.startswith("/") and "\n" not in key


def validate_key(key: str) -> str:
    """Return the key if a file can be uploaded under it, and downloaded by other clients.

    :raises UsageError: the URL of the file could not be used, or the key leads out of a directory.

    Source: NRP / Invenio protocol, section 9.
    """
    require_str_key(key)
    reason = ""
    if not is_addressable(key):
        reason = "the repository uses its URL for another route, so the file could not be downloaded"
    elif _DOT_SEGMENT_PATTERN.search(key):
        reason = "'.' and '..' would lead out of the target directory of a download"
    elif any("\ud800" <= character <= "\udfff" for character in key):
        reason = "it contains characters that are not valid Unicode"
    elif _CONTROL_CHARACTER_PATTERN.search(key):
        reason = "it contains a control character, so the file could not be downloaded"
    elif len(key) > _MAX_KEY_LENGTH:
        reason = f"it has {len(key)} characters, and a repository stores at most {_MAX_KEY_LENGTH}"
    if reason:
        raise UsageError(f"invalid key {key[:80]!r}: {reason}", hint="pass another key")
    return key
