"""The server of the storage: presigned URLs, uploads and downloads.

Source: Perseus protocol, sections A.5 and A.6; NRP protocol, sections 5, 6 and 8.
"""

import secrets
from typing import Callable, Dict, Mapping, Optional, Tuple
from urllib.parse import quote, unquote

from smartxfer.local.faults import FaultRegistry
from smartxfer.local.handler import Handler
from smartxfer.local.http_messages import Request, Response
from smartxfer.local.listener import Listener
from smartxfer.local.request_body import ClientGone
from smartxfer.local.s3.backend import ObjectBackend
from smartxfer.local.s3.errors import S3Error, error_document, planned_error, request_id
from smartxfer.local.s3.get_object import get_object
from smartxfer.local.s3.put_object import checked_body
from smartxfer.local.s3.signing import Keys, encode_path, presign, verify

#: Path above every bucket.
ROOT = "/storage"


class Storage:
    """Presigned storage on loopback, path style: ``/storage/BUCKET/KEY``.

    The socket is bound in the constructor.

    :param name: name in faults: that of the service that it belongs to.
    :param backend: its objects.
    :param faults: planned faults of the server that it is part of.
    :param host: address to bind.
    :param port: port to bind, 0 for any.
    :param now: the clock, seconds since 1970.
    :param keys: key pair that signs. None: generated.
    :raises UsageError: the address cannot be bound.
    """

    def __init__(
        self,
        name: str,
        backend: ObjectBackend,
        *,
        faults: FaultRegistry,
        now: Callable[[], float],
        host: str = "127.0.0.1",
        port: int = 0,
        keys: Optional[Keys] = None,
    ) -> None:
        self.now = now
        self.keys = keys or Keys("AKIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30))
        self._backend = backend
        self.listener = Listener(name, self, faults, Handler, host=host, port=port)
        #: Address above every bucket, without a slash at its end.
        self.url = self.listener.url + ROOT

    def start(self) -> None:
        """Start to serve."""
        self.listener.start()

    def stop(self, *, running: bool = True) -> None:
        """Stop: end connections and threads.

        :param running: whether :meth:`start` was called.
        """
        self.listener.stop(running=running)

    def presign(
        self,
        method: str,
        bucket: str,
        key: str,
        seconds: int,
        *,
        query: Optional[Mapping[str, str]] = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> str:
        """Return a URL that is valid for one method, one object and some seconds.

        :param method: ``GET`` or ``PUT``; HEAD is another method and is rejected with a URL for GET.
        :param seconds: up to 604800.
        :param query: further arguments: ``partNumber`` and ``uploadId``, or ``response-content-type``,
            ``response-content-disposition`` and the like, which set headers of the response.
        :param headers: further headers that the request has to have, exactly so.
        """
        url = f"{self.url}/{quote(bucket, safe='')}/{encode_path(key)}"
        return presign(self.keys, method, url, seconds, self.now(), query=query, headers=headers)

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        try:
            return self._dispatch(request)
        except S3Error as problem:
            return error_document(problem)

    def error_response(self, status: int, message: str) -> Response:
        """Return an error response of S3, for planned faults.

        :param message: a code such as ``ExpiredToken``, with ``: `` and a message if wanted; or a
            message alone.
        """
        return error_document(planned_error(status, message))

    def _dispatch(self, request: Request) -> Response:
        query = verify(self.keys, request.method, request.target, request.headers, self.now())
        bucket, key = _bucket_and_key(request.target)
        if request.method == "PUT":
            return self._put(request, bucket, key, query)
        if request.method not in ("GET", "HEAD"):
            raise S3Error("MethodNotAllowed", 405, headers=(("Allow", "GET, HEAD, PUT"),))
        object_entry = self._backend.find(bucket, key)
        if object_entry is None:
            raise S3Error("NoSuchKey", 404, fields={"Key": key})
        return get_object(object_entry, request.headers, query)

    def _put(self, request: Request, bucket: str, key: str, query: Dict[str, str]) -> Response:
        body = checked_body(request, query)
        condition = request.headers.get("if-none-match")
        if condition is not None and "partNumber" not in query:
            if condition.strip() != "*":
                raise S3Error("NotImplemented", 501, fields={"Header": "If-None-Match"})
            if self._backend.find(bucket, key) is not None:
                raise S3Error("PreconditionFailed", 412, fields={"Condition": "If-None-Match"})
        try:
            etag = self._backend.receive(bucket, key, query, body)
        except ClientGone:
            raise S3Error("IncompleteBody", 400) from None
        return Response(200, [("x-amz-request-id", request_id()), ("ETag", f'"{etag}"')])


def _bucket_and_key(target: str) -> Tuple[str, str]:
    """Return bucket and key of a target."""
    path = target.partition("?")[0]
    bucket, _, key = path[len(ROOT) + 1 :].partition("/")
    if not path.startswith(ROOT + "/") or not bucket:
        raise S3Error("NoSuchBucket", 404)
    if not key:
        # Assumption: URLs for a whole bucket do not exist.
        raise S3Error("AccessDenied")
    return unquote(bucket), unquote(key)
