"""From an HTTP request to a call, and from its result to an answer.

Source: JetStream protocol, sections 9.1 to 9.3.
"""

import hashlib
import json
import re
from typing import Any, Callable, Dict, List, Optional, Tuple

from smartxfer.local.body import BodyTooLong
from smartxfer.local.http_messages import Request, Response, json_response, text_response
from smartxfer.local.jsonrpc.errors import RpcError
from smartxfer.local.jsonrpc.sessions import Session, Sessions

PATH = "/jsonrpc"
COOKIE = "JSSESSION"
#: Largest call in bytes.
LIMIT = 16 << 20
#: Calls that open a new session where theirs is gone; every other one is refused, and so has no effect.
OPENING = frozenset({"getServerInfo", "auth", "authToken", "echo"})
_METHOD = re.compile(rb'"method"\s*:\s*"([A-Za-z.]+)"')

Call = Callable[[Session, str, Dict[str, Any]], Any]


def method_of(start: bytes) -> Optional[str]:
    """The method that a call names, as far as the first bytes of its body tell."""
    found = _METHOD.search(start)
    return found[1].decode("ascii") if found else None


class Front:
    """Answers calls at ``/jsonrpc``.

    :param call: does one call for a session: (session, method, params); its result can be said in JSON.
    :param sessions: the open sessions.
    :param idle: seconds without a call after which a session ends; 0: never.
    """

    def __init__(self, call: Call, sessions: Sessions, idle: Callable[[], float] = lambda: 0.0) -> None:
        self._call = call
        self._sessions = sessions
        self._idle = idle

    def answer(self, request: Request) -> Response:
        """Answer one HTTP request."""
        if request.path != PATH:
            return _refused(404, "there is nothing but /jsonrpc")
        if request.method == "DELETE":
            self._sessions.end(request.cookies.get(COOKIE, ""))
            return Response(204, [("Set-Cookie", _set_cookie("", gone=True))])
        if request.method != "POST":
            return _refused(405, "POST calls here", ("Allow", "POST, DELETE"))
        if request.media_type != "application/json":
            return _refused(415, "calls are application/json")
        try:
            text = request.body.read(LIMIT)
        except BodyTooLong:
            return _refused(413, "the call is too large")
        return self._called(request, text)

    def _called(self, request: Request, text: bytes) -> Response:
        id: Any = None
        opened: List[Tuple[str, str]] = []
        try:
            parsed = _json(text)
            id = parsed["id"]
            method, params = _method_and_params(parsed)
            session, fresh = self._session(request, method)
            if fresh:
                opened.append(("Set-Cookie", _set_cookie(session.id)))
            same = hashlib.sha256(text).digest()  # a repeat is the same, byte by byte
            reply = session.once(id, same, lambda: self._reply(session, id, method, params))
        except RpcError as error:
            reply = {"jsonrpc": "2.0", "id": id, "error": error.shown()}
        response = json_response(reply, kind="application/json; charset=utf-8")
        response.headers += opened
        return response

    def _session(self, request: Request, method: str) -> Tuple[Session, bool]:
        """The session of a call, and whether it was opened by it."""
        cookie = request.cookies.get(COOKIE, "")
        session = self._sessions.find(cookie, self._idle()) if cookie else None
        if session is not None:
            return session, False
        if cookie and method not in OPENING:
            raise RpcError("NotAuthenticated", "the session is gone: log in again")
        self._sessions.sweep(self._idle())
        return self._sessions.new(request.peer), True

    def _reply(self, session: Session, id: Any, method: str, params: Dict[str, Any]) -> Dict[str, Any]:
        try:
            return {"jsonrpc": "2.0", "id": id, "result": self._call(session, method, params)}
        except RpcError as error:
            return {"jsonrpc": "2.0", "id": id, "error": error.shown()}


def _refused(status: int, why: str, *headers: Tuple[str, str]) -> Response:
    response = text_response(status, why + "\n", "text/plain; charset=utf-8")
    response.headers += headers
    return response


def _json(text: bytes) -> Dict[str, Any]:
    """A call that has an id.

    :raises RpcError: it is none.
    """
    try:
        call = json.loads(text)
    except (ValueError, RecursionError):
        raise RpcError("ParseError", "the call is not JSON") from None
    if not isinstance(call, dict) or call.get("jsonrpc") != "2.0":
        raise RpcError("InvalidRequest", "one JSON-RPC 2.0 call is expected")
    id = call.get("id")
    if isinstance(id, bool) or not isinstance(id, (str, int)):
        raise RpcError("InvalidRequest", "a call needs an id, text or a whole number")
    return call


def _method_and_params(call: Dict[str, Any]) -> Tuple[str, Dict[str, Any]]:
    method, params = call.get("method"), call.get("params", {})
    if not isinstance(method, str):
        raise RpcError("InvalidRequest", "a call names its method")
    if not isinstance(params, dict):
        raise RpcError("InvalidParams", "params go by name")
    return method, params


def _set_cookie(value: str, *, gone: bool = False) -> str:
    return f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict" + ("; Max-Age=0" if gone else "")
