"""Upload of a content to a presigned URL.

Source: Perseus protocol, sections A.5 to A.7.
"""

from typing import Union

from smartxfer.error_hints import HTTPS_HINT
from smartxfer.perseus.errors import ERRORS, PerseusRedirectRefused
from smartxfer.transfer.upload import Body
from smartxfer.transport import BufferedResponse, HTTPTransport, Origin, RequestSpec, strip_query
from smartxfer.transport.s3_response import STORED_EXPECTATION

__all__ = ["put_presigned"]

#: Exactly these headers, because the signature of the URL may include them.
_HEADERS = {"Content-Type": "application/octet-stream"}


def put_presigned(http: HTTPTransport, url: str, body: Union[Body, bytes]) -> BufferedResponse:
    """Send the content once, without credentials other than those in the URL.

    A 307 redirect to a regional host is followed: section A.6.

    :return: the response of the storage: 200 without a body.
    :raises StorageError: the storage rejected the content.
    :raises UnexpectedResponse: the response is not that of a storage that accepted the content.
    """
    target = Origin.parse_from_response(url, ERRORS)
    if http.origin.scheme == "https" and target.scheme != "https":
        raise PerseusRedirectRefused(
            f"the upload URL {strip_query(url)} leads from https to http", hint=HTTPS_HINT
        )
    return http.request_once(
        RequestSpec("PUT", url, headers=_HEADERS, body=body, follow_307=True, success=STORED_EXPECTATION)
    )
