"""Content on its way to a presigned address.

Source: Perseus protocol, sections A.5 to A.7.
"""

from typing import Union

from smartxfer.perseus.errors import ERRORS, PerseusRedirectRefused
from smartxfer.transfer.upload import Body
from smartxfer.transport import BufferedResponse, HTTPTransport, Origin, RequestSpec, strip_query
from smartxfer.transport.s3_response import STORED_EXPECTATION

__all__ = ["put_presigned"]

#: Exactly this: the address may have been signed with it.
_HEADERS = {"Content-Type": "application/octet-stream"}


def put_presigned(http: HTTPTransport, url: str, body: Union[Body, bytes]) -> BufferedResponse:
    """Send the content once; no credentials but those in the address.

    A 307 to a regional host is followed: section A.6.

    :return: the storage's answer: 200 without a body.
    :raises StorageError: the storage did not take it.
    :raises UnexpectedResponse: another answer than that of a storage which took it.
    """
    target = Origin.parse_from_response(url, ERRORS)
    if http.origin.scheme == "https" and target.scheme != "https":
        raise PerseusRedirectRefused(f"the content is to go to {strip_query(url)}: from https to http")
    return http.request_once(
        RequestSpec("PUT", url, headers=_HEADERS, body=body, follow_307=True, success=STORED_EXPECTATION)
    )
