"""DELETE requests whose response may be lost."""

from typing import Callable

import attrs
import requests

from smartxfer.errors import NotFound
from smartxfer.transport.request_spec import RequestSpec
from smartxfer.transport.response import BufferedResponse

__all__ = ["delete_once"]


def delete_once(send: Callable[[RequestSpec], BufferedResponse], request: RequestSpec) -> None:
    """Send a DELETE request; ignore a 404 after the first attempt, which may have deleted the object.

    :param send: sends a request, with retries.
    :raises NotFound: the first attempt did not find the object.
    """
    attempts = 0

    def count_and_sign(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        nonlocal attempts
        attempts += 1
        return request.auth(prepared) if request.auth is not None else prepared

    try:
        send(attrs.evolve(request, auth=count_and_sign))
    except NotFound:
        if attempts < 2:
            raise
