"""Base class of the namespaces ``server``, ``send`` and ``recv``, and validation of their parameters.

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
    """Base class of ``api.server``, ``api.send`` and ``api.recv``.

    :param rpc: returns the client that sends the calls.
    """

    _prefix = ""

    def __init__(self, rpc: Callable[[], JsonRpcClient]) -> None:
        self._rpc = rpc

    def _call(self, method: str, **params: Any) -> Any:
        """Call a method and return its result; parameters with the value None are not sent."""
        return self._rpc().call(self._prefix + method, _drop_none(params))

    def _call_for_model(
        self, model_type: Type[S], method: str, echoed_params: Sequence[str] = (), /, **params: Any
    ) -> S:
        """Call a method and parse its result.

        :param echoed_params: parameters whose values the result must repeat, if it has fields of these names.
        :raises DecodeError: the result is invalid, or describes another object.
        """
        result = self._call(method, **params)
        return parse_model(
            model_type, self._prefix + method, result, **{name: params[name] for name in echoed_params}
        )

    def _call_for_models(self, model_type: Type[S], method: str, /, **params: Any) -> List[S]:
        """Call a method and parse its result, a list.

        :raises DecodeError: the result is invalid.
        """
        return parse_models(model_type, self._prefix + method, self._call(method, **params))

    def _start_request(
        self, method: str, convert_result: Optional[ResultConverter] = None, /, **params: Any
    ) -> Request:
        """Call a method whose name ends in ``Async``, and return the request that it starts.

        :param convert_result: converts the result of the request, given (method, JSON value).
        """
        name = self._prefix + method
        result, session = self._rpc().call_in_session(name, _drop_none(params))
        request = Request.from_wire(result, name)
        convert = None if convert_result is None else functools.partial(convert_result, name)
        return request.evolve(_rpc=self._rpc, _convert=convert, _session=session)


def _drop_none(params: Mapping[str, Any]) -> Dict[str, Any]:
    return {name.rstrip("_"): value for name, value in params.items() if value is not None}


def extract_id(value: Any, name: str) -> Any:
    """Return the id of a model or mapping, or the value itself if it is an id.

    :param name: name of the field, such as ``"manifestId"``.
    :raises UsageError: it is neither.
    """
    if isinstance(value, Mapping):
        if name not in value:
            raise UsageError(
                f"a {type(value).__name__} has no {name}", hint=f"pass an object with {name}, or the id"
            )
        value = value[name]
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise UsageError(f"invalid {name}: {value!r}", hint=f"pass the id, or an object with {name}")
    if name == "token":
        return as_secret(str(value))
    return value if name == "requestId" else str(value)


def require_text(value: Any, name: str) -> str:
    """Return non-empty text, also of a path object.

    :raises UsageError: it is something else, or is empty.
    """
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str) or not value or "\0" in value:
        raise UsageError(f"invalid {name}: {value!r}", hint="pass non-empty text without NUL characters")
    return decode_os_text(value)


def require_texts(value: Any, name: str) -> Union[str, Sequence[str]]:
    """Return a path, or a list of paths, as text.

    :raises UsageError: it is something else, or is empty.
    """
    if isinstance(value, (list, tuple)):
        if not value:
            raise UsageError(f"{name} is an empty list", hint=f"pass at least one {name}")
        return [require_text(item, name) for item in value]
    return require_text(value, name)


def to_microseconds(value: TimeLike, now: Callable[[], float]) -> Optional[int]:
    """Convert microseconds since 1970, a datetime, or a timedelta from now to microseconds since 1970.

    :param now: returns the seconds since 1970.
    :raises UsageError: it is a datetime without a time zone, or something else.
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, dt.timedelta):
        value = _EPOCH + dt.timedelta(seconds=now()) + value
    if not isinstance(value, dt.datetime):
        raise UsageError(
            f"invalid time: {value!r}", hint="pass microseconds since 1970, a datetime or a timedelta"
        )
    if value.tzinfo is None:
        raise UsageError(
            f"the time has no time zone: {value!r}", hint="use datetime.now(timezone.utc) + timedelta(...)"
        )
    return (value - _EPOCH) // dt.timedelta(microseconds=1)
