"""Keys of files: how they travel, and which cannot be addressed once they are there.

Source: NRP / Invenio protocol, section 5, Start.
"""

import re
from urllib.parse import quote

from smartxfer.errors import UsageError

__all__ = ["addressable", "checked", "encoded", "followable"]

_DOTS = re.compile(r"(^|/)\.{1,2}(/|$)")
#: More than a browser's or a server's address line is sure to take.
_LONGEST = 1024


def encoded(key: str) -> str:
    """A key as it stands in a path: percent-encoded, its slashes kept.

    >>> encoded("dir/b c.txt")
    'dir/b%20c.txt'

    Slashes beside a ``.`` or ``..`` are encoded too, for they would be cleared away otherwise:

    >>> encoded("../a")
    '..%2Fa'
    """
    return quote(key, safe="" if _DOTS.search(key) else "/")


def followable(key: str) -> bool:
    """Whether the server's own links to the file can be followed as they are."""
    return not _DOTS.search(key)


def addressable(key: str) -> bool:
    """Whether a request can name the file.

    >>> [addressable(key) for key in ("a/b", "", "/a", "..", "../a", "a/content")]
    [True, False, False, False, True, False]
    """
    last = key.rpartition("/")[2]
    return bool(key) and not key.startswith("/") and key not in (".", "..") and last != "content"


def checked(key: str) -> str:
    """The key, if a file can be sent under it and fetched by others.

    :raises UsageError: it could not be addressed afterwards, or would lead out of a directory.
    """
    if not isinstance(key, str):
        raise UsageError(f"a key is text, not {type(key).__name__}")
    why = ""
    if not addressable(key):
        why = "the repository could not give it back"
    elif _DOTS.search(key):
        why = "'.' and '..' lead out of the directory of whoever downloads it"
    elif "\0" in key or any("\ud800" <= letter <= "\udfff" for letter in key):
        why = "it has letters that cannot be sent"
    elif len(key.encode("utf-8")) > _LONGEST:
        why = f"it is longer than {_LONGEST} bytes"
    if why:
        raise UsageError(f"no file can be sent as {key[:80]!r}: {why}", hint="give it another key")
    return key
