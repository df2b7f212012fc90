"""Weak references to methods."""

import weakref
from typing import Callable

__all__ = ["weak_method"]


def weak_method(method: Callable[[], None]) -> Callable[[], None]:
    """Return a function that calls a method while its object exists."""
    reference = weakref.WeakMethod(method)

    def call() -> None:
        target = reference()
        if target is not None:
            target()

    return call
