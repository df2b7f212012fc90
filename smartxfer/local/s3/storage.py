"""The storage's own origin: signed addresses are made and checked, bytes taken in and given out.

Source: Perseus protocol, sections A.5 and A.6; NRP protocol, sections 5, 6 and 8.
"""

import secrets
from typing import Callable, Dict, Mapping, Optional, Tuple
from urllib.parse import quote, unquote

from smartxfer.local.body import ClientGone
from smartxfer.local.faults import FaultBook
from smartxfer.local.handler import Handler
from smartxfer.local.http_messages import Request, Response
from smartxfer.local.listener import Listener
from smartxfer.local.s3.get_object import get_object
from smartxfer.local.s3.problems import Problem, document, planned, request_id
from smartxfer.local.s3.put_object import checked_body
from smartxfer.local.s3.shelf import Shelf
from smartxfer.local.s3.signing import Keys, check, encode_path, presign

#: Path above every bucket.
ROOT = "/storage"


class Storage:
    """Presigned storage on loopback, path style: ``/storage/BUCKET/KEY``.

    It is bound when it is made and serves once started.

    :param name: how faults name it: like the service that it belongs to.
    :param shelf: where its objects lie.
    :param faults: planned faults of the server that it is part of.
    :param host: address to bind.
    :param port: port to bind, 0 for any.
    :param now: the clock, seconds since 1970.
    :param keys: who signs. None: keys are made.
    :raises UsageError: it cannot be bound.
    """

    def __init__(
        self,
        name: str,
        shelf: Shelf,
        *,
        faults: FaultBook,
        now: Callable[[], float],
        host: str = "127.0.0.1",
        port: int = 0,
        keys: Optional[Keys] = None,
    ) -> None:
        self.now = now
        self.keys = keys or Keys("AKIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30))
        self._shelf = shelf
        self.listener = Listener(name, self, faults, Handler, host=host, port=port)
        #: Address above every bucket, without a slash at its end.
        self.url = self.listener.url + ROOT

    def start(self) -> None:
        """Begin to answer."""
        self.listener.start()

    def stop(self, *, running: bool = True) -> None:
        """Stop answering, end connections and threads.

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
        """An address that is good for one method, one object and some seconds.

        :param method: ``GET`` or ``PUT``; HEAD is another method and refused with the first.
        :param seconds: up to 604800.
        :param query: further arguments: ``partNumber`` and ``uploadId``, or ``response-content-type``,
            ``response-content-disposition`` and the like, which set headers of the answer.
        :param headers: further headers that the request has to have, exactly so.
        """
        url = f"{self.url}/{quote(bucket, safe='')}/{encode_path(key)}"
        return presign(self.keys, method, url, seconds, self.now(), query=query, headers=headers)

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        try:
            return self._answer(request)
        except Problem as problem:
            return document(problem)

    def error(self, status: int, message: str) -> Response:
        """An error in the manner of S3, for planned faults.

        :param message: a code such as ``ExpiredToken``, with ``: `` and a message if wanted; or a
            message alone.
        """
        return document(planned(status, message))

    def _answer(self, request: Request) -> Response:
        query = check(self.keys, request.method, request.target, request.headers, self.now())
        bucket, key = _place(request.target)
        if request.method == "PUT":
            return self._put(request, bucket, key, query)
        if request.method not in ("GET", "HEAD"):
            raise Problem("MethodNotAllowed", 405, headers=(("Allow", "GET, HEAD, PUT"),))
        found = self._shelf.find(bucket, key)
        if found is None:
            raise Problem("NoSuchKey", 404, fields={"Key": key})
        return get_object(found, request.headers, query)

    def _put(self, request: Request, bucket: str, key: str, query: Dict[str, str]) -> Response:
        body = checked_body(request, query)
        condition = request.headers.get("if-none-match")
        if condition is not None and "partNumber" not in query:
            if condition.strip() != "*":
                raise Problem("NotImplemented", 501, fields={"Header": "If-None-Match"})
            if self._shelf.find(bucket, key) is not None:
                raise Problem("PreconditionFailed", 412, fields={"Condition": "If-None-Match"})
        try:
            etag = self._shelf.receive(bucket, key, query, body)
        except ClientGone:
            raise Problem("IncompleteBody", 400) from None
        return Response(200, [("x-amz-request-id", request_id()), ("ETag", f'"{etag}"')])


def _place(target: str) -> Tuple[str, str]:
    """Bucket and key of a target."""
    path = target.partition("?")[0]
    bucket, _, key = path[len(ROOT) + 1 :].partition("/")
    if not path.startswith(ROOT + "/") or not bucket:
        raise Problem("NoSuchBucket", 404)
    if not key:
        # Assumption: nobody is handed an address of a bucket as a whole.
        raise Problem("AccessDenied")
    return unquote(bucket), unquote(key)
