"""Asynchronous requests: commands that are queued in the server.

Source: JetStream protocol, sections 4 and 9.4.
"""

from typing import Any, Callable, Dict, Optional

import attrs

from smartxfer.errors import Conflict, UsageError
from smartxfer.jetstream.errors import STILL_PROCESSING
from smartxfer.jetstream.models import JetStreamModel, RequestStatus, parse_model, validate_processing
from smartxfer.jetstream.polling import PollLoop, StallTimer
from smartxfer.jetstream.rpc import JsonRpcClient
from smartxfer.models import wire_field

__all__ = ["Request", "get_request_status", "wait_for_request_result"]


@attrs.frozen(slots=False, eq=False, repr=False)
class Request(JetStreamModel):
    """A command that the server was given; it is carried out whether or not anybody asks again."""

    request_id: int = wire_field("requestId")
    _rpc: Optional[Callable[[], JsonRpcClient]] = attrs.field(default=None, init=False)
    _convert: Optional[Callable[[Any], Any]] = attrs.field(default=None, init=False)
    _session: Optional[int] = attrs.field(default=None, init=False)

    def status(self) -> RequestStatus:
        """How it is, at once.

        :raises OutcomeUnknown: the session that knew it is gone.
        """
        return get_request_status(self._require_rpc(), self.request_id, self._session)

    def result(self, timeout: Optional[float] = None) -> Any:
        """What the command yields; waits for it.

        :param timeout: seconds; None: 10 minutes; ``float("inf")``: without end.
        :raises WaitTimeout: it is not done by then; it goes on.
        :raises OutcomeUnknown: the session that knew it is gone.
        """
        rpc = self._require_rpc()
        patience = StallTimer(rpc.clock)
        return self.convert_result(
            wait_for_request_result(rpc, self.request_id, timeout, self._session, patience)
        )

    @property
    def session(self) -> Optional[int]:
        """The number of the session that knows it."""
        return self._session

    def convert_result(self, result: Any) -> Any:
        """The structures that a result consists of."""
        return result if self._convert is None else self._convert(result)

    def _require_rpc(self) -> JsonRpcClient:
        if self._rpc is None:
            raise UsageError(
                "this request belongs to no connection", hint="api.server.getRequestResult(request)"
            )
        return self._rpc()

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "_rpc": None, "_convert": None}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)


def get_request_status(
    rpc: JsonRpcClient, request_id: int, session_number: Optional[int] = None
) -> RequestStatus:
    """How a request is.

    :param session_number: the number of the session that knows it; None: the present one.
    """
    found = rpc.call("getRequestStatus", {"requestId": request_id}, session_number)
    status = parse_model(RequestStatus, "getRequestStatus", found, requestId=request_id)
    validate_processing("getRequestStatus", status)
    return status


def wait_for_request_result(
    rpc: JsonRpcClient,
    request_id: int,
    timeout: Optional[float],
    session_number: Optional[int] = None,
    stall_timer: Optional[StallTimer] = None,
) -> Any:
    """What a request yields, waited for by bounded long polls.

    :param session_number: the number of the session that knows it; None: the present one.
    :param stall_timer: ends a wait without a timeout; None: such a wait has no end of its own.
    :raises WaitTimeout: it is not done after ``timeout`` seconds; ``last`` is its status.
    """
    polls = PollLoop(rpc, timeout, stall_timer)
    while True:
        try:
            params = {"requestId": request_id, "timeoutSeconds": polls.start_poll()}
            return rpc.call("getRequestResult", params, session_number)
        except Conflict as error:
            if error.code != STILL_PROCESSING:
                raise
        if not polls.wait_for_next():
            break
    last = get_request_status(rpc, request_id, session_number)
    raise polls.build_timeout_error(f"request {request_id}", "not done", "it goes on: ask again", last)
