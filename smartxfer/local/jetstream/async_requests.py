"""Asynchronous requests: commands that run in the background.

Source: JetStream protocol, sections 4 and 9.3.
"""

import logging
from typing import Any, Callable, Dict, Optional

import attrs

from smartxfer.local.jetstream.call import Backend, Call, RpcError, not_found
from smartxfer.local.jetstream.users import User

log = logging.getLogger("smartxfer.local")

#: Largest number of finished requests of a session.
MAX_REQUESTS = 1000


@attrs.define(eq=False)
class AsyncRequest:
    """One request of a session.

    :param id: its number in the session, from 1.
    """

    id: int
    processing: bool = True
    result: Any = None
    error: Optional[RpcError] = None


def new_request(user: User) -> AsyncRequest:
    """Add a request to a session; the caller holds the lock."""
    user.last_request += 1
    request = AsyncRequest(user.last_request)
    user.requests[request.id] = request
    if len(user.requests) > MAX_REQUESTS:
        for id in [earlier.id for earlier in user.requests.values() if not earlier.processing][
            : -MAX_REQUESTS // 2
        ]:
            del user.requests[id]
    return request


def finish(backend: Backend, request: AsyncRequest, result: Any, error: Optional[RpcError] = None) -> None:
    """Set the result of a request that is still processing."""
    with backend.lock:
        if request.processing:
            request.result, request.error, request.processing = result, error, False
            backend.changed.notify_all()


def start(call: Call, function: Callable[[], Any]) -> Dict[str, Any]:
    """Run a function as an asynchronous request.

    :return: the request as the API shows it.
    """
    backend = call.backend
    with backend.lock:
        request = new_request(call.user)

    def job() -> None:
        if backend.stopping.wait(backend.site.request_delay):
            finish(backend, request, None, RpcError("InternalError", "the server ends"))
            return
        try:
            finish(backend, request, function())
        except RpcError as error:
            finish(backend, request, None, error)
        except Exception:
            log.exception("%s crashed", call.method)
            finish(backend, request, None, RpcError("InternalError", f"{call.method} failed"))

    backend.job(job)
    return {"requestId": request.id}


def status(call: Call) -> Dict[str, Any]:
    """``getRequestStatus``: the state of a request."""
    request = _find(call)
    with call.backend.lock:
        error = request.error
        word = "pending" if request.processing else "complete" if error is None else "error"
        return {
            "requestId": request.id, "processing": request.processing, "status": word,
            "errorMessage": "" if error is None else error.message,
        }


def result(call: Call) -> Any:
    """``getRequestResult``: the result of a request; waits for it for a limited time.

    :raises RpcError: StillProcessing, or the error of the request.
    """
    request = _find(call)
    call.backend.wait(lambda: not request.processing, call.seconds("timeoutSeconds"))
    if request.processing:
        raise RpcError("StillProcessing", f"request {request.id} is still at work")
    if request.error is not None:
        raise request.error
    return request.result


def _find(call: Call) -> AsyncRequest:
    request: Optional[AsyncRequest] = call.user.requests.get(call.id("requestId"))
    if request is None:
        raise not_found("request", call.params["requestId"])
    return request
