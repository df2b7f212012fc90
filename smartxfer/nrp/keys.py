"""Keys of files: how they travel, and which cannot be addressed once they are there.

Source: NRP / Invenio protocol, sections 5 (Start) and 9.
"""

import re
from typing import Any

from smartxfer.errors import UsageError
from smartxfer.transport.origin import quoted

__all__ = ["addressable", "checked", "deletable", "encoded", "followable", "key_text"]

_DOTS = re.compile(r"(^|/)\.{1,2}(/|$)")
#: The URL of such a key belongs to another route of the repository.
_OTHER_ROUTE = re.compile(r"^/|./(?:content|commit)\Z|./container(?:/|\Z)")
#: A tab is harmless.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
#: The column of the database that keeps the key, in characters.
_LONGEST = 255


def encoded(key: str) -> str:
    """A key as it stands in a path: percent-encoded, its slashes kept.

    >>> encoded("dir/b c.txt")
    'dir/b%20c.txt'

    Slashes beside a ``.`` or ``..`` are encoded too, for they would be cleared away otherwise:

    >>> encoded("../a")
    '..%2Fa'
    """
    return quoted(key, safe="" if _DOTS.search(key) else "/")


def followable(key: str) -> bool:
    """Whether the server's own links to the file can be followed as they are."""
    return not _DOTS.search(key)


def addressable(key: str) -> bool:
    """Return True if requests can name the file.

    >>> [addressable(key) for key in ("a/b", "content", "", "/a", "..", "../a", "a/content")]
    [True, True, False, False, False, True, False]

    Source: NRP / Invenio protocol, section 9.
    """
    return bool(key) and key not in (".", "..") and not _OTHER_ROUTE.search(key)


def key_text(key: Any) -> str:
    """Return a key that a caller gave.

    :raises UsageError: it is not text.
    """
    if not isinstance(key, str):
        raise UsageError(f"a key is text, such as 'data.csv', not a {type(key).__name__}")
    return key


def deletable(key: str) -> bool:
    """Return True if DELETE can name the file; other keys lead to another file, or to no route at all.

    Source: NRP / Invenio protocol, section 9.
    """
    return bool(key) and key not in (".", "..") and not key.startswith("/") and "\n" not in key


def checked(key: str) -> str:
    """Return the key, if a file can be sent under it and fetched by others.

    :raises UsageError: it could not be addressed afterwards, or would lead out of a directory.

    Source: NRP / Invenio protocol, section 9.
    """
    if not isinstance(key, str):
        raise UsageError(f"a key is text, not {type(key).__name__}")
    why = ""
    if not addressable(key):
        why = "the repository uses that URL for something else, and could not give the file back"
    elif _DOTS.search(key):
        why = "'.' and '..' lead out of the directory of whoever downloads it"
    elif any("\ud800" <= letter <= "\udfff" for letter in key):
        why = "it has letters that cannot be sent"
    elif _CONTROL.search(key):
        why = "it has a control character, and the repository could not give the file back"
    elif len(key) > _LONGEST:
        why = f"it has {len(key)} characters, and a repository stores at most {_LONGEST}"
    if why:
        raise UsageError(f"no file can be sent as {key[:80]!r}: {why}", hint="give it another key")
    return key
