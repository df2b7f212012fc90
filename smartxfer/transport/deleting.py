"""Deleting, where the answer may be lost."""

from typing import Callable

import attrs
import requests

from smartxfer.errors import NotFound
from smartxfer.transport.answer import Answer
from smartxfer.transport.call import Call

__all__ = ["delete"]


def delete(make: Callable[[Call], Answer], call: Call) -> None:
    """Make a DELETE: what its first try has removed, the second one does not find, and that is no error.

    :param make: makes the call, in as many tries as it takes.
    :raises NotFound: there was nothing to delete.
    """
    tries = 0

    def counting(request: requests.PreparedRequest) -> requests.PreparedRequest:
        nonlocal tries
        tries += 1
        return call.sign(request) if call.sign is not None else request

    try:
        make(attrs.evolve(call, sign=counting))
    except NotFound:
        if tries < 2:
            raise
