"""What the three interfaces have in common: names of methods, and ids taken out of structures.

Source: JetStream protocol, sections 4 and 5.
"""

import datetime as dt
import functools
import os
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Type, TypeVar, Union

from smartxfer.errors import UsageError
from smartxfer.jetstream.async_requests import Request
from smartxfer.jetstream.models import parse_model, parse_models
from smartxfer.jetstream.rpc import JsonRpcClient
from smartxfer.models import Model
from smartxfer.os_text import decode_os_text
from smartxfer.reprs import Namespace
from smartxfer.secret_text import as_secret

__all__ = ["Interface", "TimeLike", "extract_id", "require_text", "require_texts", "to_microseconds"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)

TimeLike = Union[int, dt.datetime, dt.timedelta, None]
ResultConverter = Callable[[str, Any], Any]
S = TypeVar("S", bound=Model)


class Interface(Namespace):
    """One of ``api.server``, ``api.send``, ``api.recv``.

    :param rpc: makes the calls.
    """

    _prefix = ""

    def __init__(self, rpc: Callable[[], JsonRpcClient]) -> None:
        self._rpc = rpc

    def _call(self, method: str, **params: Any) -> Any:
        """The result of a method; a parameter of None is left out."""
        return self._rpc().call(self._prefix + method, _drop_none(params))

    def _call_for_model(
        self, model_type: Type[S], method: str, echoed_params: Sequence[str] = (), /, **params: Any
    ) -> S:
        """The structure that a method yields.

        :param echoed_params: the parameters that the structure has to repeat, where it has such a field.
        :raises DecodeError: it is something else, or about another object.
        """
        found = self._call(method, **params)
        return parse_model(
            model_type, self._prefix + method, found, **{name: params[name] for name in echoed_params}
        )

    def _call_for_models(self, model_type: Type[S], method: str, /, **params: Any) -> List[S]:
        """The structures that a method yields.

        :raises DecodeError: it is something else.
        """
        return parse_models(model_type, self._prefix + method, self._call(method, **params))

    def _start_request(
        self, method: str, convert_result: Optional[ResultConverter] = None, /, **params: Any
    ) -> Request:
        """The request that a method with ``Async`` begins.

        :param convert_result: makes the request's result of (the method, what the server says).
        """
        name = self._prefix + method
        answer, session = self._rpc().call_in_session(name, _drop_none(params))
        request = Request.from_wire(answer, name)
        then = None if convert_result is None else functools.partial(convert_result, name)
        return request.evolve(_rpc=self._rpc, _convert=then, _session=session)


def _drop_none(params: Mapping[str, Any]) -> Dict[str, Any]:
    return {name.rstrip("_"): value for name, value in params.items() if value is not None}


def extract_id(value: Any, name: str) -> Any:
    """An id, or the id in a structure.

    :param name: the field of a structure that holds it, ``"manifestId"``.
    :raises UsageError: it is neither.
    """
    if isinstance(value, Mapping):
        if name not in value:
            raise UsageError(
                f"{type(value).__name__} has no {name}",
                hint=f"pass {name} as text, or an object that has it",
            )
        value = value[name]
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise UsageError(
            f"{name} is an id or a structure that has one, not {value!r}",
            hint=f"pass the id as text, or the object that has {name}",
        )
    if name == "token":
        return as_secret(str(value))
    return value if name == "requestId" else str(value)


def require_text(value: Any, name: str) -> str:
    """A text, or a path, that is not empty.

    :raises UsageError: it is something else.
    """
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str) or not value or "\0" in value:
        raise UsageError(f"{name} is text that is not empty, not {value!r}", hint=f"pass {name} as text")
    return decode_os_text(value)


def require_texts(value: Any, name: str) -> Union[str, Sequence[str]]:
    """A path, or a list of paths."""
    if isinstance(value, (list, tuple)):
        if not value:
            raise UsageError(f"{name} is empty", hint=f"pass at least one of {name}")
        return [require_text(one, name) for one in value]
    return require_text(value, name)


def to_microseconds(value: TimeLike, now: Callable[[], float]) -> Optional[int]:
    """A time as the wire has it: of microseconds since 1970, a datetime, or a time span from now.

    :param now: seconds since 1970.
    :raises UsageError: a datetime without a zone, or something else.
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, dt.timedelta):
        value = _EPOCH + dt.timedelta(seconds=now()) + value
    if not isinstance(value, dt.datetime):
        raise UsageError(
            f"a time is microseconds, a datetime or a timedelta, not {value!r}",
            hint="pass datetime.now(timezone.utc) + timedelta(days=7), or timedelta(days=7)",
        )
    if value.tzinfo is None:
        raise UsageError(f"{value!r} has no time zone", hint="datetime.now(timezone.utc) has one")
    return (value - _EPOCH) // dt.timedelta(microseconds=1)
