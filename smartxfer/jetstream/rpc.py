"""JSON-RPC 2.0 client, which repeats calls where that is safe.

Each call has an id that the server remembers.  If the response to a call that is not idempotent is lost, it
is sent once more with the same id, and the server repeats its first response instead of executing the call
again.

Source: JetStream protocol, sections 9.1, 9.2 and 9.5.
"""

import itertools
import json
import re
import secrets
from typing import Any, Iterator, Mapping, Optional, Tuple

import attrs

from smartxfer.error_hints import BASE_URL_HINT
from smartxfer.errors import AuthError, NotFound, OutcomeUnknown, UsageError
from smartxfer.jetstream.auth import SessionCookieAuth, SessionState
from smartxfer.jetstream.errors import JetStreamDecodeError, JetStreamOutcomeUnknown, build_rpc_error
from smartxfer.models import to_wire
from smartxfer.service_api import ServiceApi
from smartxfer.transport import Body, RequestSpec, Success
from smartxfer.transport.json_codec import encode_json

__all__ = ["JsonRpcClient"]

#: Idempotent methods: queries, waits, logins, and methods that return the object of an earlier call.
_IDEMPOTENT_METHODS = re.compile(r"(?:send\.|recv\.)?(?:get|wait|echo|ls|du|auth|createDestination\Z)")
_DELETE_METHODS = re.compile(r"(?:send\.|recv\.)?delete")
#: Methods that can be called without a login.
_SESSION_START_METHODS = frozenset({"getServerInfo", "auth", "authAsync", "authToken", "echo"})
#: Methods whose parameters are valid in one session only.
_SESSION_BOUND_METHODS = frozenset({"getRequestStatus", "getRequestResult"})
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}
#: Results and JSON-RPC errors both have this status and type (section 9.1).
_CALL_SUCCESS = Success({200}, Body.JSON)
#: Seconds before a call whose response was lost is repeated.
_RECOVERY_DELAY = 0.2


def _generate_call_ids() -> Iterator[str]:
    """Return an iterator of ids that other clients of the session do not use."""
    prefix = secrets.token_hex(6)
    return (f"{prefix}-{number}" for number in itertools.count(1))


@attrs.frozen
class JsonRpcClient(ServiceApi):
    """JSON-RPC client with a session.

    :param url: address to which calls are posted.
    :param session_state: cookie and login of the session.
    :param for_login: True for the calls of a repeated login, which must not repeat the login themselves.
    """

    url: str
    session_state: SessionState
    call_ids: Iterator[str] = attrs.field(factory=_generate_call_ids)
    for_login: bool = False

    def call(
        self, method: str, params: Optional[Mapping[str, Any]] = None, session_number: Optional[int] = None
    ) -> Any:
        """Send a call and return its result; if the session was lost, log in and send it again.

        :param session_number: number of the session in which the call is valid; None for any.
        :raises HTTPError: the server returned an error; ``code`` is its name.
        :raises OutcomeUnknown: the response was lost twice, and the call may have been executed; or the
            session with number ``session_number`` has ended.
        """
        return self.call_in_session(method, params, session_number)[0]

    def call_in_session(
        self, method: str, params: Optional[Mapping[str, Any]] = None, session_number: Optional[int] = None
    ) -> Tuple[Any, int]:
        """Send a call, and return its result and the number of the session in which it was executed."""
        generation = self.session_state.generation
        if not (self.session_state.established or self.for_login or method in _SESSION_START_METHODS):
            self._log_in_again(generation)
            generation = self.session_state.generation
        auth = self.session_state.create_auth()
        if session_number not in (None, auth.session_number):
            raise _build_session_lost_error(method)
        try:
            return self._call_and_recover(method, params or {}, auth), auth.session_number
        except AuthError as error:
            # The session was lost; the server has not executed the call.
            if error.code != "NotAuthenticated" or self.for_login:
                raise
            session_error = error
        if method in _SESSION_BOUND_METHODS:
            raise _build_session_lost_error(method)
        if not self._log_in_again(generation):
            raise session_error
        # The last attempt was rejected; an earlier one, whose response was lost, may have been executed.
        may_have_run, auth = auth.attempts > 1, self.session_state.create_auth()
        return self._call_and_recover(method, params or {}, auth, may_have_run), auth.session_number

    def _log_in_again(self, generation: int) -> bool:
        return self.session_state.log_in_again(attrs.evolve(self, for_login=True), generation)

    def _call_and_recover(
        self, method: str, params: Mapping[str, Any], auth: SessionCookieAuth, may_have_run: bool = False
    ) -> Any:
        """Send a call and return its result; send it again if the response was lost.

        :param may_have_run: True if the call may have been executed in an earlier session.
        """
        is_delete = _DELETE_METHODS.match(method) is not None
        request = self._build_request(
            method, params, auth, idempotent=is_delete or _IDEMPOTENT_METHODS.match(method) is not None
        )
        try:
            return self._send_and_parse(request, method, auth)
        except OutcomeUnknown as error:
            lost_response = error
        except NotFound:
            if is_delete and (may_have_run or auth.attempts > 1):
                return None  # an earlier attempt has deleted the object
            raise
        self.sleep(_RECOVERY_DELAY * (0.5 + self.clock.random()))
        try:
            return self._send_and_parse(request, method, auth)
        except AuthError as error:
            if error.code != "NotAuthenticated":
                raise
        raise lost_response  # the session was lost, and with it the server's memory of the call

    def _build_request(
        self, method: str, params: Mapping[str, Any], auth: SessionCookieAuth, idempotent: bool
    ) -> RequestSpec:
        try:
            wire_params = to_wire(params)
        except RecursionError:
            raise UsageError(
                f"the parameters of {method} are not JSON serializable: a value contains itself",
                hint="pass plain lists, dicts, numbers and text",
            ) from None
        call = {"jsonrpc": "2.0", "id": next(self.call_ids), "method": method, "params": wire_params}
        body = encode_json(call, ascii_only=True)
        return RequestSpec(
            "POST",
            self.url,
            headers=_HEADERS,
            body=body,
            auth=auth,
            idempotent=idempotent,
            success=_CALL_SUCCESS,
        )

    def _send_and_parse(self, request: RequestSpec, method: str, auth: SessionCookieAuth) -> Any:
        response = self.send_request(request)
        if response.media_type != "application/json":
            raise JetStreamDecodeError(
                f"{method} at {self.url}: the response has the type {response.media_type or 'none'!r}, "
                "not application/json",
                hint=BASE_URL_HINT,
            )
        self.session_state.update_from_response(response, auth)
        reply = response.json(dict)
        is_reply = reply.get("jsonrpc") == "2.0" and reply.get("id") == json.loads(request.body)["id"]
        error = reply.get("error") is not None and build_rpc_error(reply["error"], method, self.url)
        if is_reply and "result" in reply and not error:
            return reply["result"]
        del reply, response  # a traceback with local variables would show secrets in the response
        raise error or JetStreamDecodeError(f"{method} at {self.url}: not a response to this call")


def _build_session_lost_error(method: str) -> OutcomeUnknown:
    return JetStreamOutcomeUnknown(
        f"{method}: the session that started the request has ended",
        hint="the command may have been executed: check the server before repeating it",
    )
