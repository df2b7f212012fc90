"""References that do not keep an object alive."""

import weakref
from typing import Callable

__all__ = ["weak_method"]


def weak_method(method: Callable[[], None]) -> Callable[[], None]:
    """Return a function that calls a method as long as its object exists."""
    reference = weakref.WeakMethod(method)

    def call() -> None:
        found = reference()
        if found is not None:
            found()

    return call
