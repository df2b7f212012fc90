"""Content on its way to a presigned address.

Source: Perseus protocol, sections A.5 to A.7.
"""

from typing import Union

from smartxfer.perseus.errors import ERRORS, PerseusRedirectRefused
from smartxfer.transfer.upload import Body
from smartxfer.transport import Answer, Call, Origin, Wire, without_query
from smartxfer.transport.stored import STORED

__all__ = ["put"]

#: Exactly this: the address may have been signed with it.
_TYPE = {"Content-Type": "application/octet-stream"}


def put(wire: Wire, url: str, body: Union[Body, bytes]) -> Answer:
    """Send the content once; no credentials but those in the address.

    A 307 to a regional host is followed: section A.6.

    :return: the storage's answer: 200 without a body.
    :raises StorageError: the storage did not take it.
    :raises UnexpectedAnswer: another answer than that of a storage which took it.
    """
    target = Origin.answered(url, ERRORS)
    if wire.origin.scheme == "https" and target.scheme != "https":
        raise PerseusRedirectRefused(f"the content is to go to {without_query(url)}: from https to http")
    return wire.once(Call("PUT", url, headers=_TYPE, body=body, follow_307=True, success=STORED))
