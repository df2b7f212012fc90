"""Errors are values: what one carries is fixed when it is made.

Another hint, another class or a cause makes another error, here and nowhere else.
"""

from typing import Any, Optional, Type, TypeVar

from smartxfer.errors import LocalError, SmartxferError

__all__ = ["evolve_error", "with_cause"]

S = TypeVar("S", bound=SmartxferError)


def evolve_error(error: S, error_class: Optional[Type[S]] = None, /, **changes: Any) -> S:
    """Return an error like ``error`` with other values, to be raised in its place.

    Traceback, cause and context are those of ``error``.

    >>> from smartxfer.errors import NotFound
    >>> str(evolve_error(NotFound("no file"), hint="list() tells which there are"))
    'no file (list() tells which there are)'

    :param error_class: the class of the new one; by default it stays.
    :param changes: attributes that differ.
    """
    values = {**error.__dict__, **changes}
    if isinstance(error, LocalError):
        values.setdefault("errno", error.errno)
    made = (error_class or type(error))(*error.args, **values)
    made.__cause__, made.__context__ = error.__cause__, error.__context__
    made.__suppress_context__ = error.__suppress_context__
    return made.with_traceback(error.__traceback__)


def with_cause(error: S, cause: Optional[BaseException]) -> S:
    """Return a new error with its cause, for one that another thread raises."""
    error.__cause__ = cause
    return error
