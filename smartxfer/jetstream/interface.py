"""What the three interfaces have in common: names of methods, and ids taken out of structures.

Source: JetStream protocol, sections 4 and 5.
"""

import datetime as dt
import os
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Union

from smartxfer.errors import UsageError
from smartxfer.jetstream.models import about
from smartxfer.jetstream.requests import Request
from smartxfer.jetstream.rpc import Rpc
from smartxfer.system_text import unicode_text

__all__ = ["Interface", "Moment", "id_of", "microseconds", "text_of", "texts_of"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)

Moment = Union[int, dt.datetime, dt.timedelta, None]
Result = Callable[[Any], Any]


class Interface:
    """One of ``api.server``, ``api.send``, ``api.recv``.

    :param rpc: makes the calls.
    """

    _prefix = ""

    def __init__(self, rpc: Callable[[], Rpc]) -> None:
        self._rpc = rpc

    def _ask(self, method: str, **params: Any) -> Any:
        """The result of a method; a parameter of None is left out."""
        return self._rpc().call(self._prefix + method, _given(params))

    def _one(self, method: str, **asked: str) -> Any:
        """The object of an id; an answer with another id is an error.

        :param asked: the id by its name on the wire.
        :raises DecodeError: the answer is about another object.
        """
        found = self._ask(method, **asked)
        about(f"{self._prefix}{method}", found, **asked)
        return found

    def _begin(self, method: str, result: Optional[Result] = None, **params: Any) -> Request:
        """The request that a method with ``Async`` begins.

        :param result: what makes the request's result of what the server says.
        """
        answer, session = self._rpc().placed(self._prefix + method, _given(params))
        return Request.from_wire(answer).but(_rpc=self._rpc, _made=result, _session=session)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._rpc().url}>"


def _given(params: Mapping[str, Any]) -> Dict[str, Any]:
    return {name.rstrip("_"): value for name, value in params.items() if value is not None}


def id_of(value: Any, name: str) -> Any:
    """An id, or the id in a structure.

    :param name: the field of a structure that holds it, ``"manifestId"``.
    :raises UsageError: it is neither.
    """
    if isinstance(value, Mapping):
        if name not in value:
            raise UsageError(f"{type(value).__name__} has no {name}")
        value = value[name]
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise UsageError(f"{name} is an id or a structure that has one, not {value!r}")
    return value if name == "requestId" else str(value)


def text_of(value: Any, name: str) -> str:
    """A text, or a path, that is not empty.

    :raises UsageError: it is something else.
    """
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str) or not value or "\0" in value:
        raise UsageError(f"{name} is text that is not empty, not {value!r}")
    return unicode_text(value)


def texts_of(value: Any, name: str) -> Union[str, Sequence[str]]:
    """A path, or a list of paths."""
    if isinstance(value, (list, tuple)):
        if not value:
            raise UsageError(f"{name} is empty")
        return [text_of(one, name) for one in value]
    return text_of(value, name)


def microseconds(value: Moment, now: Callable[[], float]) -> Optional[int]:
    """A time as the wire has it: of microseconds since 1970, a datetime, or a time span from now.

    :param now: seconds since 1970.
    :raises UsageError: a datetime without a zone, or something else.
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, dt.timedelta):
        value = _EPOCH + dt.timedelta(seconds=now()) + value
    if not isinstance(value, dt.datetime):
        raise UsageError(f"a time is microseconds, a datetime or a timedelta, not {value!r}")
    if value.tzinfo is None:
        raise UsageError(f"{value!r} has no time zone", hint="datetime.now(timezone.utc) has one")
    return (value - _EPOCH) // dt.timedelta(microseconds=1)
