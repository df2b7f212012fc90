"""Deleting, where the answer may be lost."""

from typing import Callable

import attrs
import requests

from smartxfer.errors import NotFound
from smartxfer.transport.request_spec import RequestSpec
from smartxfer.transport.response import BufferedResponse

__all__ = ["delete_once"]


def delete_once(send: Callable[[RequestSpec], BufferedResponse], request: RequestSpec) -> None:
    """Make a DELETE: what its first try has removed, the second one does not find, and that is no error.

    :param send: makes the call, in as many tries as it takes.
    :raises NotFound: there was nothing to delete.
    """
    tries = 0

    def counting(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        nonlocal tries
        tries += 1
        return request.auth(prepared) if request.auth is not None else prepared

    try:
        send(attrs.evolve(request, auth=counting))
    except NotFound:
        if tries < 2:
            raise
