"""One connection: requests are read, given to the service, and answered, faults included."""

import functools
import http
import io
import logging
import select
import socket
import struct
from typing import BinaryIO, Dict, Optional, cast
from urllib.parse import unquote

from werkzeug.http import http_date
from werkzeug.serving import WSGIRequestHandler

from smartxfer.local.body import Body, ClientGone
from smartxfer.local.fault_plan import Held, Plan, Reset
from smartxfer.local.faulty import bend, early_answer
from smartxfer.local.head import BadRequest, Framing, framing, read_head
from smartxfer.local.http_messages import Request, Response, text_response
from smartxfer.local.listener import Listener, Record
from smartxfer.local.sending import Sender

log = logging.getLogger("smartxfer.local")

_REASONS = {int(status): status.phrase for status in http.HTTPStatus}


class Handler(WSGIRequestHandler):
    """Serves one connection with a short road from the socket to the service.

    The request line and headers are read here and no WSGI environment is made: that is most of
    what a small request costs.
    """

    # A small answer must not wait for the acknowledgement of the one before.
    disable_nagle_algorithm = True
    rbufsize = 64 << 10

    def handle(self) -> None:
        """Serve requests until either side has enough."""
        listener = cast("Listener", self.server.app)
        self._sender = Sender(self.connection)
        try:
            listener.opened(self.connection)
            while self._serve_one(listener):
                pass
        except Reset:
            # Linger 0: the kernel sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except Held as held:
            self._hold(held, listener)
        except (OSError, ClientGone) as error:
            log.debug("%s: connection ended: %s", listener.name, error)
        finally:
            listener.closed(self.connection)
            self.rfile.close()
            self.connection.close()

    def finish(self) -> None:
        """Nothing is left to flush: answers are written to the socket directly."""
        self.wfile.close()

    def _serve_one(self, listener: Listener) -> bool:
        try:
            head = read_head(cast("BinaryIO", self.rfile))
            if head is None:
                return False
            frame = framing(head, listener.strict)
        except BadRequest:
            self.connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            return False
        method, target, version, headers = head
        bare, _, query = target.partition("?")
        script = unquote(bare)
        path = listener.inner_path(script)
        # A service whose calls share one path tells them apart by the start of their body.
        sends_body = frame.length > 0 and "expect" not in headers
        inner = listener.named(path, self._peek if sends_body else bytes)
        plan = listener.claim(method, inner + "?" + query)
        record: Optional[Record] = None
        before = self._sender.sent
        body: Optional[Body] = None
        try:
            body = self._body(headers, frame, plan)
            request = Request(method, path, script, target, query, headers, body, self.client_address[0])
            answer = self._answer(listener, request, plan)
            try:
                drained = body.drain()
            except ClientGone:
                drained = False
            keep = drained and headers.get("connection", "").lower() != "close"
            keep = keep and version == "HTTP/1.1" and not listener.stopping.is_set()
            if plan is not None:
                plan.before_sending(answer.content_length())
            # Before the answer goes, so that who has the answer finds the request in the account.
            record = listener.account(method, inner, answer.status, body.received)
            return self._send(listener, request, answer, plan, keep)
        finally:
            if plan is not None:
                plan.settle()
            if record is None:
                listener.account(method, inner, 0, body.received if body is not None else 0)
            else:
                record.sent = self._sender.sent - before

    def _peek(self) -> bytes:
        return cast("io.BufferedReader", self.rfile).peek()

    def _body(self, headers: Dict[str, str], frame: Framing, plan: Optional[Plan]) -> Body:
        if plan is not None and plan.slows:
            for side in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                self.connection.setsockopt(socket.SOL_SOCKET, side, 64 << 10)
        stream, expects = cast("BinaryIO", self.rfile), headers.get("expect", "").lower() == "100-continue"
        return Body(stream, self.connection, frame.length, chunked=frame.chunked, expects=expects, plan=plan)

    def _answer(self, listener: Listener, request: Request, plan: Optional[Plan]) -> Response:
        if plan is not None:
            early = early_answer(request, plan, listener)
            if early is not None:
                return early
        try:
            answer = listener.answer(request)
        except (OSError, Reset, Held):
            raise
        except Exception as error:
            log.exception("%s %r crashed", request.method, request.path)
            listener.crashes.append(error)
            answer = text_response(500, "")
        return answer if plan is None else bend(request, answer, plan, listener)

    def _send(
        self, listener: Listener, request: Request, answer: Response, plan: Optional[Plan], keep: bool
    ) -> bool:
        bare = plan.find("no-length") if plan is not None else None
        lines = [
            "HTTP/1.1 {} {}".format(answer.status, _REASONS.get(answer.status, "Unknown")),
            "Date: " + _date(int(listener.now())),
            "Server: smartxfer-local",
        ]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        if bare is None:
            lines.append(f"Content-Length: {answer.content_length()}")
        elif bare.effect.detail == "chunked":
            lines.append("Transfer-Encoding: chunked")
        else:
            keep = False
        if not keep:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")
        interim = plan.find("interim") if plan is not None else None
        if interim is not None:
            head = f"HTTP/1.1 {interim.effect.status} Interim\r\n\r\n".encode() * interim.effect.amount + head
            interim.fire()
        if plan is not None and request.method != "HEAD":
            return self._sender.send_bent(head, answer, plan, listener.stopping) and keep
        whole = self._sender.send(head, answer, bodiless=request.method == "HEAD")
        return whole and keep

    def _hold(self, held: Held, listener: Listener) -> None:
        """Stay silent until the client gives up, the fault is cleared, or the server stops."""
        if not hasattr(select, "poll"):
            while not (listener.stopping.wait(0.1) or held.cleared.is_set()):
                pass
            return
        poll = select.poll()
        hang_up = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
        poll.register(self.connection, hang_up)
        while not (listener.stopping.is_set() or held.cleared.is_set()):
            if poll.poll(100):
                break


_date = functools.lru_cache(maxsize=8)(http_date)
