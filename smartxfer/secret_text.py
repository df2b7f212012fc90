"""Text that is not shown by its repr: secrets in local variables, which tracebacks and debuggers print.

Both classes are text in every other way: they are sent, compared and joined like it.  What is made of them
(``f"Bearer {token}"``) is plain text again.
"""

import re
from typing import Any, Optional, TypeVar, overload

__all__ = ["Secret", "SecretURL", "as_secret", "as_url", "hidden", "without_query"]

T = TypeVar("T")


class Secret(str):
    """A password, a token, a key.

    >>> Secret("hunter2"), Secret("hunter2") == "hunter2", Secret("hunter2")[:3]
    ('***', True, '***')
    """

    __slots__ = ("__weakref__",)

    def __repr__(self) -> str:
        return "'***'"

    def __getitem__(self, index: Any) -> "Secret":
        return Secret(super().__getitem__(index))

    def strip(self, characters: Optional[str] = None) -> "Secret":
        """Return the text without blanks around it."""
        return type(self)(super().strip(characters))

    def __copy__(self: T) -> T:
        return self

    def __deepcopy__(self: T, memo: Any) -> T:
        return self


class SecretURL(Secret):
    """An address whose query is a capability: a presigned one, a link with a token.

    >>> SecretURL("https://ann:pw@example.org/a?token=t")
    'https://example.org/a?***'
    """

    __slots__ = ()

    def __repr__(self) -> str:
        bare = without_query(str(self))
        return repr(f"{bare}?***" if "?" in self else bare)


@overload
def as_secret(value: None) -> None: ...
@overload
def as_secret(value: str) -> Secret: ...
def as_secret(value: Optional[str]) -> Optional[str]:
    """Return text as a :class:`Secret`; None, and what is not text, as it is."""
    return Secret(value) if isinstance(value, str) and not isinstance(value, Secret) else value


def as_url(url: str) -> SecretURL:
    """Return an address as a :class:`SecretURL`."""
    return url if isinstance(url, SecretURL) else SecretURL(url)


def hidden(value: Any, depth: int = 20) -> Any:
    """Return a value with every text in its dictionaries and lists as a :class:`Secret`.

    For parameters of calls of which nobody knows which are secret.
    """
    if isinstance(value, str):
        return as_secret(value)
    if depth and type(value) is dict:
        return {name: hidden(inner, depth - 1) for name, inner in value.items()}
    if depth and type(value) in (list, tuple):
        return type(value)(hidden(inner, depth - 1) for inner in value)
    return value


def without_query(url: str) -> str:
    """``url`` without query, fragment and user information: fit for a message or a log."""
    head = re.split("[?#]", str(url), maxsplit=1)[0]
    scheme, mark, rest = head.partition("://")
    if not mark:
        return head
    netloc, slash, path = rest.partition("/")
    return scheme + mark + netloc.rpartition("@")[2] + slash + path
