"""Copies of errors with other values.

Errors are not changed after their creation: another hint, class or cause needs a copy made here.
"""

from typing import Any, Optional, Type, TypeVar

from smartxfer.errors import LocalError, SmartxferError

__all__ = ["evolve_error", "with_cause"]

S = TypeVar("S", bound=SmartxferError)


def evolve_error(error: S, error_class: Optional[Type[S]] = None, /, **changes: Any) -> S:
    """Return a copy of ``error`` with other values, to be raised in its place.

    Traceback, cause and context are those of ``error``.

    >>> from smartxfer.errors import NotFound
    >>> str(evolve_error(NotFound("no file"), hint="list() returns the existing files"))
    'no file (list() returns the existing files)'

    :param error_class: the class of the copy; by default that of ``error``.
    :param changes: attributes that differ.
    """
    values = {**error.__dict__, **changes}
    if isinstance(error, LocalError):
        values.setdefault("errno", error.errno)
    evolved = (error_class or type(error))(*error.args, **values)
    evolved.__cause__, evolved.__context__ = error.__cause__, error.__context__
    evolved.__suppress_context__ = error.__suppress_context__
    return evolved.with_traceback(error.__traceback__)


def with_cause(error: S, cause: Optional[BaseException]) -> S:
    """Set the cause of a new error that another thread will raise, and return the error."""
    error.__cause__ = cause
    return error
