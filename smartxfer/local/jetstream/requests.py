"""Asynchronous requests: commands that are worked on while their caller goes on.

Source: JetStream protocol, sections 4 and 9.3.
"""

import logging
from typing import Any, Callable, Dict, Optional

import attrs

from smartxfer.local.jetstream.call import Backend, Call, RpcError, not_found
from smartxfer.local.jetstream.people import Person

log = logging.getLogger("smartxfer.local")

#: Finished requests that a session keeps.
KEPT = 1000


@attrs.define(eq=False)
class Request:
    """One request of a session.

    :param id: its number in the session, from 1.
    """

    id: int
    processing: bool = True
    result: Any = None
    error: Optional[RpcError] = None


def opened(person: Person) -> Request:
    """A new request of a session; the caller holds the lock."""
    person.last_request += 1
    request = Request(person.last_request)
    person.requests[request.id] = request
    if len(person.requests) > KEPT:
        for id in [one.id for one in person.requests.values() if not one.processing][: -KEPT // 2]:
            del person.requests[id]
    return request


def settle(backend: Backend, request: Request, result: Any, error: Optional[RpcError] = None) -> None:
    """End a request; one that has ended stays as it is."""
    with backend.lock:
        if request.processing:
            request.result, request.error, request.processing = result, error, False
            backend.changed.notify_all()


def ask(call: Call, work: Callable[[], Any]) -> Dict[str, Any]:
    """Let something be worked on.

    :return: the request, as callers see it.
    """
    backend = call.backend
    with backend.lock:
        request = opened(call.person)

    def job() -> None:
        if backend.stopping.wait(backend.site.request_delay):
            settle(backend, request, None, RpcError("InternalError", "the server ends"))
            return
        try:
            settle(backend, request, work())
        except RpcError as error:
            settle(backend, request, None, error)
        except Exception:
            log.exception("%s crashed", call.method)
            settle(backend, request, None, RpcError("InternalError", f"{call.method} failed"))

    backend.job(job)
    return {"requestId": request.id}


def status(call: Call) -> Dict[str, Any]:
    """``getRequestStatus``: how far a request is."""
    request = _find(call)
    with call.backend.lock:
        error = request.error
        word = "pending" if request.processing else "complete" if error is None else "error"
        return {
            "requestId": request.id,
            "processing": request.processing,
            "status": word,
            "errorMessage": "" if error is None else error.message,
        }


def result(call: Call) -> Any:
    """``getRequestResult``: what a request yields; waits for it, but not for ever.

    :raises RpcError: StillProcessing; whatever the request failed with.
    """
    request = _find(call)
    call.backend.wait(lambda: not request.processing, call.seconds("timeoutSeconds"))
    if request.processing:
        raise RpcError("StillProcessing", f"request {request.id} is still at work")
    if request.error is not None:
        raise request.error
    return request.result


def _find(call: Call) -> Request:
    request: Optional[Request] = call.person.requests.get(call.id("requestId"))
    if request is None:
        raise not_found("request", call.params["requestId"])
    return request
