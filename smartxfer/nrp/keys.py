"""Keys of files: how they travel, and which cannot be addressed once they are there.

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
#: The column of the database that keeps the key, in characters.
_MAX_KEY_LENGTH = 255


def quote_key(key: str) -> str:
    """A key as it stands in a path: percent-encoded, its slashes kept.

    >>> quote_key("dir/b c.txt")
    'dir/b%20c.txt'

    Slashes beside a ``.`` or ``..`` are encoded too, for they would be cleared away otherwise:

    >>> quote_key("../a")
    '..%2Fa'
    """
    return quote_path(key, safe="" if _DOT_SEGMENT_PATTERN.search(key) else "/")


def has_followable_links(key: str) -> bool:
    """Whether the server's own links to the file can be followed as they are."""
    return not _DOT_SEGMENT_PATTERN.search(key)


def is_addressable(key: str) -> bool:
    """Return True if requests can name the file.

    >>> [is_addressable(key) for key in ("a/b", "content", "", "/a", "..", "../a", "a/content")]
    [True, True, False, False, False, True, False]

    Source: NRP / Invenio protocol, section 9.
    """
    return bool(key) and key not in (".", "..") and not _RESERVED_ROUTE_PATTERN.search(key)


def require_str_key(key: Any) -> str:
    """Return a key that a caller gave.

    :raises UsageError: it is not text.
    """
    if not isinstance(key, str):
        raise UsageError(
            f"a key is text, such as 'data.csv', not a {type(key).__name__}", hint="pass the key as text"
        )
    return key


def is_deletable(key: str) -> bool:
    """Return True if DELETE can name the file; other keys lead to another file, or to no route at all.

    Source: NRP / Invenio protocol, section 9.
    """
    return bool(key) and key not in (".", "..") and not key.startswith("/") and "\n" not in key


def validate_key(key: str) -> str:
    """Return the key, if a file can be sent under it and fetched by others.

    :raises UsageError: it could not be addressed afterwards, or would lead out of a directory.

    Source: NRP / Invenio protocol, section 9.
    """
    if not isinstance(key, str):
        raise UsageError(
            f"a key is text, not {type(key).__name__}", hint="pass the key as text, such as 'data.csv'"
        )
    why = ""
    if not is_addressable(key):
        why = "the repository uses that URL for something else, and could not give the file back"
    elif _DOT_SEGMENT_PATTERN.search(key):
        why = "'.' and '..' lead out of the directory of whoever downloads it"
    elif any("\ud800" <= letter <= "\udfff" for letter in key):
        why = "it has letters that cannot be sent"
    elif _CONTROL_CHARACTER_PATTERN.search(key):
        why = "it has a control character, and the repository could not give the file back"
    elif len(key) > _MAX_KEY_LENGTH:
        why = f"it has {len(key)} characters, and a repository stores at most {_MAX_KEY_LENGTH}"
    if why:
        raise UsageError(f"no file can be sent as {key[:80]!r}: {why}", hint="give it another key")
    return key
