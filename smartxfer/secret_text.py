"""Text with a hidden repr, for secrets in local variables, which tracebacks and debuggers print.

Otherwise the classes behave like text.  Text that is built from them (``f"Bearer {token}"``) is plain text.
"""

import functools
import inspect
import re
from types import FunctionType
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, TypeVar, cast

__all__ = [
    "HiddenDict", "HiddenList", "Secret", "SecretBytes", "SecretURL", "as_secret", "as_secret_url",
    "hide_arguments", "hide_method_arguments", "strip_query", "wrap_secrets",
]  # fmt: skip

C = TypeVar("C", bound=type)
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
        """Return the text without leading and trailing characters."""
        return type(self)(super().strip(characters))

    def __copy__(self: T) -> T:
        return self

    def __deepcopy__(self: T, memo: Any) -> T:
        return self


class SecretBytes(bytes):
    """A secret in bytes."""

    def __repr__(self) -> str:
        return "b'***'"


class HiddenDict(Dict[Any, Any]):
    """A JSON object of a response, which may contain tokens, or repeat secrets of the request."""

    def __repr__(self) -> str:
        return "{...}"


class HiddenList(List[Any]):
    """A JSON list of a response, which may contain tokens."""

    def __repr__(self) -> str:
        return "[...]"


class SecretURL(Secret):
    """A URL whose query grants access: a presigned URL, or a link with a token.

    >>> SecretURL("https://ann:pw@example.org/a?token=t")
    'https://example.org/a?***'
    """

    __slots__ = ()

    def __repr__(self) -> str:
        bare = strip_query(str(self))
        return repr(f"{bare}?***" if "?" in self else bare)


def as_secret(value: T) -> T:
    """Return text as a :class:`Secret`, and bytes as :class:`SecretBytes`; other values unchanged."""
    secret: Any = value
    if type(value) is bytes:
        secret = SecretBytes(secret)
    elif type(value) is str:
        secret = Secret(secret)
    return cast("T", secret)


def as_secret_url(url: str) -> SecretURL:
    """Return a URL as a :class:`SecretURL`."""
    return url if isinstance(url, SecretURL) else SecretURL(url)


def wrap_secrets(value: Any, depth: int = 20) -> Any:
    """Return a value with every text in its dictionaries and lists as a :class:`Secret`.

    It is used for parameters whose secret members are unknown.
    """
    if depth and type(value) is dict:
        return {name: wrap_secrets(inner, depth - 1) for name, inner in value.items()}
    if depth and type(value) in (list, tuple):
        return type(value)(wrap_secrets(inner, depth - 1) for inner in value)
    return as_secret(value)


def hide_method_arguments(*names: str, links: Sequence[str] = ()) -> Callable[[C], C]:
    """Return a class decorator that wraps arguments of all methods as secrets before the methods run.

    Frames of the methods therefore never show these arguments.

    :param names: names of arguments that are secrets.
    :param links: names of arguments that may be a URL with a token in its query.
    """
    wrappers = _argument_wrappers(names, links)

    def decorate(kind: C) -> C:
        for name, member in list(vars(kind).items()):
            function = getattr(member, "__func__", member)
            if isinstance(function, FunctionType) and _accepts_arguments(_unwrap(function), wrappers):
                wrapped: Any = _wrap_function(function, wrappers)
                if isinstance(member, (classmethod, staticmethod)):
                    wrapped = type(member)(wrapped)
                setattr(kind, name, wrapped)
        return kind

    return decorate


def hide_arguments(*names: str, links: Sequence[str] = ()) -> Callable[[T], T]:
    """Return a decorator for one function, like :func:`hide_method_arguments` for a class."""

    def decorate(function: T) -> T:
        return cast("T", _wrap_function(cast("FunctionType", function), _argument_wrappers(names, links)))

    return decorate


def _argument_wrappers(names: Sequence[str], links: Sequence[str]) -> Dict[str, Callable[[Any], Any]]:
    """Return the functions that wrap the arguments, by argument name."""
    wrappers: Dict[str, Callable[[Any], Any]] = dict.fromkeys(links, _wrap_link)
    wrappers.update(dict.fromkeys(names, wrap_secrets))
    return wrappers


def _unwrap(function: FunctionType) -> FunctionType:
    """Return the original function of one that was wrapped before."""
    inner = getattr(function, "__wrapped__", None) if hasattr(function, "_hides") else None
    return function if inner is None else cast("FunctionType", inner)


def _accepts_arguments(function: FunctionType, wrappers: Mapping[str, Any]) -> bool:
    code = function.__code__
    named = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return not wrappers.keys().isdisjoint(named) or bool(code.co_flags & inspect.CO_VARKEYWORDS)


def _wrap_function(
    function: FunctionType, wrappers: Mapping[str, Callable[[Any], Any]]
) -> Callable[..., Any]:
    """Return a function that wraps the arguments; the wrappers of a wrapped function are merged."""
    wrappers = {**getattr(function, "_hides", {}), **wrappers}
    function = _unwrap(function)
    positional = [wrappers.get(name, _unchanged) for name in function.__code__.co_varnames]

    @functools.wraps(function)
    def call(*args: Any, **keywords: Any) -> Any:
        args = (*(wrap(value) for wrap, value in zip(positional, args)), *args[len(positional) :])
        keywords = {name: wrappers.get(name, _unchanged)(value) for name, value in keywords.items()}
        return function(*args, **keywords)

    call._hides = wrappers  # type: ignore[attr-defined]
    return call


def _unchanged(value: Any) -> Any:
    return value


def _wrap_link(value: Any) -> Any:
    return as_secret_url(value) if isinstance(value, str) and "?" in value else value


def strip_query(url: str) -> str:
    """Return ``url`` without query, fragment and user information, for messages and logs."""
    head = re.split("[?#]", str(url), maxsplit=1)[0]
    scheme, mark, rest = head.partition("://")
    if not mark:
        return head
    netloc, slash, path = rest.partition("/")
    return scheme + mark + netloc.rpartition("@")[2] + slash + path
