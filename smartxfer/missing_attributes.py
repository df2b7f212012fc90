"""Advice for attributes of the original clients that this package does not have."""

from typing import Any, Callable, Type, TypeVar

__all__ = ["explain_missing_attributes"]

T = TypeVar("T")


def explain_missing_attributes(get_advice: Callable[[type, str], str]) -> Callable[[Type[T]], Type[T]]:
    """Return a class decorator that adds advice to the AttributeError of a missing name.

    :param get_advice: called with the class and the name; returns the advice, or an empty text.
    """

    def decorate(kind: Type[T]) -> Type[T]:
        def missing(self: Any, name: str) -> Any:
            advice = get_advice(type(self), name)
            text = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(f"{text} ({advice})" if advice else text)

        # With setattr(), because type checkers would accept every name if the class had the method.
        setattr(kind, "__getattr__", missing)  # noqa: B010
        return kind

    return decorate
