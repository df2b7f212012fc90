"""Connection handler: reads requests, calls the service and sends its responses, with planned faults."""

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

from smartxfer.local.fault_injection import apply_response_faults, immediate_response
from smartxfer.local.http_messages import Request, Response, text_response
from smartxfer.local.listener import Listener, RequestRecord
from smartxfer.local.request_body import ClientGone, RequestBody
from smartxfer.local.request_faults import Hang, RequestFaults, Reset
from smartxfer.local.request_head import BadRequest, Framing, parse_framing, read_head
from smartxfer.local.response_writer import ResponseWriter

log = logging.getLogger("smartxfer.local")

_REASONS = {int(status): status.phrase for status in http.HTTPStatus}


class Handler(WSGIRequestHandler):
    """Serves one connection without WSGI.

    Parsing the head here and skipping the WSGI environment saves most of
    the time of a small request.
    """

    # A small response must not wait for the acknowledgement of the previous one.
    disable_nagle_algorithm = True
    rbufsize = 64 << 10

    def handle(self) -> None:
        """Serve requests until either side closes the connection."""
        listener = cast("Listener", self.server.app)
        self._writer = ResponseWriter(self.connection)
        try:
            listener.add_connection(self.connection)
            while self._serve_one(listener):
                pass
        except Reset:
            # Linger 0: the kernel sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except Hang as held:
            self._hang(held, listener)
        except (OSError, ClientGone) as error:
            log.debug("%s: connection ended: %s", listener.name, error)
        finally:
            listener.remove_connection(self.connection)
            self.rfile.close()
            self.connection.close()

    def finish(self) -> None:
        """Close the output stream; responses were written to the socket directly."""
        self.wfile.close()

    def _serve_one(self, listener: Listener) -> bool:
        try:
            head = read_head(cast("BinaryIO", self.rfile))
            if head is None:
                return False
            frame = parse_framing(head, listener.strict)
        except BadRequest:
            self.connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            return False
        method, target, version, headers = head
        path_part, _, query = target.partition("?")
        script = unquote(path_part)
        path = listener.inner_path(script)
        # A service whose calls share one path names them by the start of their body.
        sends_body = frame.length > 0 and "expect" not in headers
        inner = listener.log_path(path, self._peek if sends_body else bytes)
        faults = listener.match_faults(method, inner + "?" + query)
        record: Optional[RequestRecord] = None
        before = self._writer.sent
        body: Optional[RequestBody] = None
        try:
            body = self._body(headers, frame, faults)
            request = Request(method, path, script, target, query, headers, body, self.client_address[0])
            response = self._respond(listener, request, faults)
            try:
                drained = body.drain()
            except ClientGone:
                drained = False
            keep = drained and headers.get("connection", "").lower() != "close"
            keep = keep and version == "HTTP/1.1" and not listener.stopping.is_set()
            if faults is not None:
                faults.before_sending(response.content_length())
            # Before the response is sent: a client that has it must find its request in the log.
            record = listener.log_request(method, inner, response.status, body.received)
            return self._send(listener, request, response, faults, keep)
        finally:
            if faults is not None:
                faults.release_unused()
            if record is None:
                listener.log_request(method, inner, 0, body.received if body is not None else 0)
            else:
                record.sent = self._writer.sent - before

    def _peek(self) -> bytes:
        return cast("io.BufferedReader", self.rfile).peek()

    def _body(self, headers: Dict[str, str], frame: Framing, faults: Optional[RequestFaults]) -> RequestBody:
        if faults is not None and faults.limits_buffers:
            for side in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                self.connection.setsockopt(socket.SOL_SOCKET, side, 64 << 10)
        stream, expects = cast("BinaryIO", self.rfile), headers.get("expect", "").lower() == "100-continue"
        return RequestBody(
            stream, self.connection, frame.length, chunked=frame.chunked, expects_continue=expects,
            faults=faults,
        )

    def _respond(self, listener: Listener, request: Request, faults: Optional[RequestFaults]) -> Response:
        if faults is not None:
            early = immediate_response(request, faults, listener)
            if early is not None:
                return early
        try:
            response = listener.handle(request)
        except (OSError, Reset, Hang):
            raise
        except Exception as error:
            log.exception("%s %r crashed", request.method, request.path)
            listener.crashes.append(error)
            response = text_response(500, "")
        return response if faults is None else apply_response_faults(request, response, faults, listener)

    def _send(
        self,
        listener: Listener,
        request: Request,
        response: Response,
        faults: Optional[RequestFaults],
        keep_alive: bool,
    ) -> bool:
        path_part = faults.find("no-length") if faults is not None else None
        lines = [
            "HTTP/1.1 {} {}".format(response.status, _REASONS.get(response.status, "Unknown")),
            "Date: " + _date(int(listener.now())), "Server: smartxfer-local",
        ]
        lines += [f"{name}: {value}" for name, value in response.headers]
        if path_part is None:
            lines.append(f"Content-Length: {response.content_length()}")
        elif path_part.effect.detail == "chunked":
            lines.append("Transfer-Encoding: chunked")
        else:
            keep_alive = False
        if not keep_alive:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")
        interim = faults.find("interim") if faults is not None else None
        if interim is not None:
            head = f"HTTP/1.1 {interim.effect.status} Interim\r\n\r\n".encode() * interim.effect.amount + head
            interim.fire()
        if faults is not None and request.method != "HEAD":
            return self._writer.send_with_faults(head, response, faults, listener.stopping) and keep_alive
        complete = self._writer.send(head, response, head_only=request.method == "HEAD")
        return complete and keep_alive

    def _hang(self, hang: Hang, listener: Listener) -> None:
        """Wait silently until the client closes, the fault is cleared, or the server stops."""
        if not hasattr(select, "poll"):
            while not (listener.stopping.wait(0.1) or hang.cleared.is_set()):
                pass
            return
        poll = select.poll()
        hang_up = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
        poll.register(self.connection, hang_up)
        while not (listener.stopping.is_set() or hang.cleared.is_set()):
            if poll.poll(100):
                break


_date = functools.lru_cache(maxsize=8)(http_date)
