"""Asynchronous requests: commands that are queued in the server.

Source: JetStream protocol, sections 4 and 9.4.
"""

from typing import Any, Callable, Dict, Optional

import attrs

from smartxfer.errors import Conflict, UsageError
from smartxfer.jetstream.errors import STILL_PROCESSING
from smartxfer.jetstream.models import JetStreamStructure, RequestStatus, check_said, made
from smartxfer.jetstream.rpc import Rpc
from smartxfer.jetstream.waiting import Patience, Polls
from smartxfer.structures import wire

__all__ = ["Request", "result_of", "status_of"]


@attrs.frozen(slots=False, eq=False, repr=False)
class Request(JetStreamStructure):
    """A command that the server was given; it is carried out whether or not anybody asks again."""

    request_id: int = wire("requestId")
    _rpc: Optional[Callable[[], Rpc]] = attrs.field(default=None, init=False)
    _made: Optional[Callable[[Any], Any]] = attrs.field(default=None, init=False)
    _session: Optional[int] = attrs.field(default=None, init=False)

    def status(self) -> RequestStatus:
        """How it is, at once.

        :raises OutcomeUnknown: the session that knew it is gone.
        """
        return status_of(self._link(), self.request_id, self._session)

    def result(self, timeout: Optional[float] = None) -> Any:
        """What the command yields; waits for it.

        :param timeout: seconds; None: 10 minutes; ``float("inf")``: without end.
        :raises WaitTimeout: it is not done by then; it goes on.
        :raises OutcomeUnknown: the session that knew it is gone.
        """
        rpc = self._link()
        patience = Patience(rpc.clock)
        return self.made(result_of(rpc, self.request_id, timeout, self._session, patience))

    @property
    def session(self) -> Optional[int]:
        """The number of the session that knows it."""
        return self._session

    def made(self, result: Any) -> Any:
        """The structures that a result consists of."""
        return result if self._made is None else self._made(result)

    def _link(self) -> Rpc:
        if self._rpc is None:
            raise UsageError(
                "this request belongs to no connection", hint="api.server.getRequestResult(request)"
            )
        return self._rpc()

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "_rpc": None, "_made": None}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)


def status_of(rpc: Rpc, request_id: int, session: Optional[int] = None) -> RequestStatus:
    """How a request is.

    :param session: the number of the session that knows it; None: the present one.
    """
    found = rpc.call("getRequestStatus", {"requestId": request_id}, session)
    status = made(RequestStatus, "getRequestStatus", found, requestId=request_id)
    check_said("getRequestStatus", status)
    return status


def result_of(
    rpc: Rpc,
    request_id: int,
    timeout: Optional[float],
    session: Optional[int] = None,
    patience: Optional[Patience] = None,
) -> Any:
    """What a request yields, waited for by bounded long polls.

    :param session: the number of the session that knows it; None: the present one.
    :param patience: ends a wait without a timeout; None: such a wait has no end of its own.
    :raises WaitTimeout: it is not done after ``timeout`` seconds; ``last`` is its status.
    """
    polls = Polls(rpc, timeout, patience)
    while True:
        try:
            params = {"requestId": request_id, "timeoutSeconds": polls.begin()}
            return rpc.call("getRequestResult", params, session)
        except Conflict as error:
            if error.code != STILL_PROCESSING:
                raise
        if not polls.again():
            break
    last = status_of(rpc, request_id, session)
    raise polls.over(f"request {request_id}", "not done", "it goes on: ask again", last)
