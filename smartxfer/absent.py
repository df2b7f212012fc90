"""What the original client has and this one does not: the error says where it is."""

from typing import Any, Mapping

__all__ = ["absent"]


def absent(kind: str, name: str, elsewhere: Mapping[str, str]) -> Any:
    """Raise the AttributeError for a name that a class does not have.

    :param kind: name of the class.
    :param elsewhere: what to do, by the names that the original's class has.
    """
    advice = f" ({elsewhere[name]})" if name in elsewhere else ""
    raise AttributeError(f"{kind!r} object has no attribute {name!r}{advice}")
