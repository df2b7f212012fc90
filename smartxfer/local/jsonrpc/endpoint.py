"""JSON-RPC endpoint: parses calls from HTTP requests and returns their results.

Source: JetStream protocol, sections 9.1 to 9.3.
"""

import hashlib
import json
import re
from typing import Any, Callable, Dict, List, Optional, Tuple

from smartxfer.local.http_messages import Request, Response, json_response, text_response
from smartxfer.local.jsonrpc.errors import RpcError
from smartxfer.local.jsonrpc.sessions import Session, Sessions
from smartxfer.local.request_body import BodyTooLong

PATH = "/jsonrpc"
COOKIE = "JSSESSION"
#: Largest call in bytes.
MAX_CALL_SIZE = 16 << 20
#: Calls that may start a new session if theirs has expired; every other call is rejected then.
SESSION_METHODS = frozenset({"getServerInfo", "auth", "authToken", "echo"})
_METHOD = re.compile(rb'"method"\s*:\s*"([A-Za-z.]+)"')

Call = Callable[[Session, str, Dict[str, Any]], Any]


def find_method(start: bytes) -> Optional[str]:
    """Return the method of a call from the first bytes of its body, or None."""
    match = _METHOD.search(start)
    return match[1].decode("ascii") if match else None


class JsonRpcEndpoint:
    """Handles calls at ``/jsonrpc``.

    :param call: executes a call: (session, method, params); its result must be JSON serializable.
    :param sessions: the open sessions.
    :param idle_timeout: seconds without a call after which a session ends; 0: never.
    """

    def __init__(
        self, call: Call, sessions: Sessions, idle_timeout: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._call = call
        self._sessions = sessions
        self._idle_timeout = idle_timeout

    def handle(self, request: Request) -> Response:
        """Answer one HTTP request."""
        if request.path != PATH:
            return _http_error(404, "not found; the endpoint is /jsonrpc")
        if request.method == "DELETE":
            self._sessions.end(request.cookies.get(COOKIE, ""))
            return Response(204, [("Set-Cookie", _set_cookie("", delete=True))])
        if request.method != "POST":
            return _http_error(405, "use POST", ("Allow", "POST, DELETE"))
        if request.media_type != "application/json":
            return _http_error(415, "Content-Type must be application/json")
        try:
            text = request.body.read(MAX_CALL_SIZE)
        except BodyTooLong:
            return _http_error(413, "request body too large")
        return self._handle_call(request, text)

    def _handle_call(self, request: Request, text: bytes) -> Response:
        id: Any = None
        opened: List[Tuple[str, str]] = []
        try:
            parsed = _parse_call(text)
            id = parsed["id"]
            method, params = _method_and_params(parsed)
            session, is_new = self._find_or_create_session(request, method)
            if is_new:
                opened.append(("Set-Cookie", _set_cookie(session.id)))
            same = hashlib.sha256(text).digest()  # a repeated call has the same bytes
            reply = session.call_once(id, same, lambda: self._reply(session, id, method, params))
        except RpcError as error:
            reply = {"jsonrpc": "2.0", "id": id, "error": error.to_json()}
        response = json_response(reply, kind="application/json; charset=utf-8")
        response.headers += opened
        return response

    def _find_or_create_session(self, request: Request, method: str) -> Tuple[Session, bool]:
        """Return the session of a call, and True if it is new."""
        cookie = request.cookies.get(COOKIE, "")
        session = self._sessions.find(cookie, self._idle_timeout()) if cookie else None
        if session is not None:
            return session, False
        if cookie and method not in SESSION_METHODS:
            raise RpcError("NotAuthenticated", "the session has expired: log in again")
        self._sessions.end_idle(self._idle_timeout())
        return self._sessions.new(request.peer), True

    def _reply(self, session: Session, id: Any, method: str, params: Dict[str, Any]) -> Dict[str, Any]:
        try:
            return {"jsonrpc": "2.0", "id": id, "result": self._call(session, method, params)}
        except RpcError as error:
            return {"jsonrpc": "2.0", "id": id, "error": error.to_json()}


def _http_error(status: int, reason: str, *headers: Tuple[str, str]) -> Response:
    response = text_response(status, reason + "\n", "text/plain; charset=utf-8")
    response.headers += headers
    return response


def _parse_call(text: bytes) -> Dict[str, Any]:
    """Parse a call.

    :raises RpcError: it is not JSON, or not a call with an id.
    """
    try:
        call = json.loads(text)
    except (ValueError, RecursionError):
        raise RpcError("ParseError", "the call is not JSON") from None
    if not isinstance(call, dict) or call.get("jsonrpc") != "2.0":
        raise RpcError("InvalidRequest", "expected one JSON-RPC 2.0 call")
    id = call.get("id")
    if isinstance(id, bool) or not isinstance(id, (str, int)):
        raise RpcError("InvalidRequest", "id must be a string or an integer")
    return call


def _method_and_params(call: Dict[str, Any]) -> Tuple[str, Dict[str, Any]]:
    method, params = call.get("method"), call.get("params", {})
    if not isinstance(method, str):
        raise RpcError("InvalidRequest", "method must be a string")
    if not isinstance(params, dict):
        raise RpcError("InvalidParams", "params must be an object")
    return method, params


def _set_cookie(value: str, *, delete: bool = False) -> str:
    return f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict" + ("; Max-Age=0" if delete else "")
