"""What the three interfaces have in common: names of methods, and ids taken out of structures.

Source: JetStream protocol, sections 4 and 5.
"""

import datetime as dt
import functools
import os
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Type, TypeVar, Union

from smartxfer.errors import UsageError
from smartxfer.jetstream.models import made, several
from smartxfer.jetstream.requests import Request
from smartxfer.jetstream.rpc import Rpc
from smartxfer.reprs import Namespace
from smartxfer.secret_text import as_secret
from smartxfer.structures import Structure
from smartxfer.system_text import unicode_text

__all__ = ["Interface", "Moment", "id_of", "microseconds", "text_of", "texts_of"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)

Moment = Union[int, dt.datetime, dt.timedelta, None]
Result = Callable[[str, Any], Any]
S = TypeVar("S", bound=Structure)


class Interface(Namespace):
    """One of ``api.server``, ``api.send``, ``api.recv``.

    :param rpc: makes the calls.
    """

    _prefix = ""

    def __init__(self, rpc: Callable[[], Rpc]) -> None:
        self._rpc = rpc

    def _ask(self, method: str, **params: Any) -> Any:
        """The result of a method; a parameter of None is left out."""
        return self._rpc().call(self._prefix + method, _given(params))

    def _made(self, kind: Type[S], method: str, about: Sequence[str] = (), /, **params: Any) -> S:
        """The structure that a method yields.

        :param about: the parameters that the structure has to repeat, where it has such a field.
        :raises DecodeError: it is something else, or about another object.
        """
        found = self._ask(method, **params)
        return made(kind, self._prefix + method, found, **{name: params[name] for name in about})

    def _several(self, kind: Type[S], method: str, /, **params: Any) -> List[S]:
        """The structures that a method yields.

        :raises DecodeError: it is something else.
        """
        return several(kind, self._prefix + method, self._ask(method, **params))

    def _begin(self, method: str, result: Optional[Result] = None, /, **params: Any) -> Request:
        """The request that a method with ``Async`` begins.

        :param result: makes the request's result of (the method, what the server says).
        """
        name = self._prefix + method
        answer, session = self._rpc().placed(name, _given(params))
        request = Request.from_wire(answer, name)
        then = None if result is None else functools.partial(result, name)
        return request.but(_rpc=self._rpc, _made=then, _session=session)


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
    if name == "token":
        return as_secret(str(value))
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
