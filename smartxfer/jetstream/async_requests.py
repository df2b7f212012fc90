"""Asynchronous requests: commands that are queued on the server.

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
    """A command that was queued on the server, which executes it even if its result is never requested."""

    request_id: int = wire_field("requestId")
    _rpc: Optional[Callable[[], JsonRpcClient]] = attrs.field(default=None, init=False)
    _convert: Optional[Callable[[Any], Any]] = attrs.field(default=None, init=False)
    _session: Optional[int] = attrs.field(default=None, init=False)

    def status(self) -> RequestStatus:
        """Return its status without waiting.

        :raises OutcomeUnknown: the session that started the request has ended.
        """
        return get_request_status(self._require_rpc(), self.request_id, self._session)

    def result(self, timeout: Optional[float] = None) -> Any:
        """Wait for the command and return its result.

        :param timeout: seconds; None for 10 minutes; ``float("inf")`` for no limit.
        :raises WaitTimeout: it is not done by then; the server continues to execute it.
        :raises OutcomeUnknown: the session that started the request has ended.
        """
        rpc = self._require_rpc()
        stall_timer = StallTimer(rpc.clock)
        return self.convert_result(
            wait_for_request_result(rpc, self.request_id, timeout, self._session, stall_timer)
        )

    @property
    def session(self) -> Optional[int]:
        """Number of the session that started the request."""
        return self._session

    def convert_result(self, result: Any) -> Any:
        """Convert the JSON result to models."""
        return result if self._convert is None else self._convert(result)

    def _require_rpc(self) -> JsonRpcClient:
        if self._rpc is None:
            raise UsageError(
                "this request is not attached to a connection",
                hint="call api.server.getRequestResult(request)",
            )
        return self._rpc()

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "_rpc": None, "_convert": None}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)


def get_request_status(
    rpc: JsonRpcClient, request_id: int, session_number: Optional[int] = None
) -> RequestStatus:
    """Return the status of a request.

    :param session_number: number of the session that started the request; None for the current session.
    """
    result = rpc.call("getRequestStatus", {"requestId": request_id}, session_number)
    status = parse_model(RequestStatus, "getRequestStatus", result, requestId=request_id)
    validate_processing("getRequestStatus", status)
    return status


def wait_for_request_result(
    rpc: JsonRpcClient,
    request_id: int,
    timeout: Optional[float],
    session_number: Optional[int] = None,
    stall_timer: Optional[StallTimer] = None,
) -> Any:
    """Wait for a request with long polls of bounded duration, and return its result.

    :param session_number: number of the session that started the request; None for the current session.
    :param stall_timer: limits a wait without a timeout; None for no limit.
    :raises WaitTimeout: it is not done after ``timeout`` seconds; ``last`` is its status.
    """
    poll_loop = PollLoop(rpc, timeout, stall_timer)
    while True:
        try:
            params = {"requestId": request_id, "timeoutSeconds": poll_loop.start_poll()}
            return rpc.call("getRequestResult", params, session_number)
        except Conflict as error:
            if error.code != STILL_PROCESSING:
                raise
        if not poll_loop.wait_for_next():
            break
    last = get_request_status(rpc, request_id, session_number)
    hint = "the server continues to execute it: call result() again"
    raise poll_loop.build_timeout_error(f"request {request_id}", "not done", hint, last)
