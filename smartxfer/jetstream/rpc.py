"""Calls by name: JSON-RPC 2.0 over one address, each in as many tries as are safe.

A call that would do its thing twice carries an id that the server remembers: after a lost answer it is made
once more with the same id, and the server repeats what it answered then.

Source: JetStream protocol, sections 9.1, 9.2 and 9.5.
"""

import itertools
import json
import re
import secrets
from typing import Any, Iterator, Mapping, Optional, Tuple

import attrs

from smartxfer.errors import AuthError, NotFound, OutcomeUnknown, UsageError
from smartxfer.jetstream.auth import SessionCookieAuth, SessionState
from smartxfer.jetstream.errors import JetStreamDecodeError, JetStreamOutcomeUnknown, build_rpc_error
from smartxfer.models import to_wire
from smartxfer.service_api import ServiceApi
from smartxfer.transport import Body, RequestSpec, Success
from smartxfer.transport.json_codec import encode_json

__all__ = ["JsonRpcClient"]

#: What may be done twice: questions, waits, logins, and what finds what an earlier call has made.
_IDEMPOTENT_METHODS = re.compile(r"(?:send\.|recv\.)?(?:get|wait|echo|ls|du|auth|createDestination\Z)")
_DELETE_METHODS = re.compile(r"(?:send\.|recv\.)?delete")
#: Calls that may be a session's first.
_SESSION_START_METHODS = frozenset({"getServerInfo", "auth", "authAsync", "authToken", "echo"})
#: Calls about what only one session knows.
_SESSION_BOUND_METHODS = frozenset({"getRequestStatus", "getRequestResult"})
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}
#: The one answer to a call that the server understood (section 9.1).
_CALL_SUCCESS = Success({200}, Body.JSON)
#: Seconds before the one repeat of a call whose answer was lost.
_RECOVERY_DELAY = 0.2


def _generate_call_ids() -> Iterator[str]:
    """Ids that no other client of the session uses."""
    mine = secrets.token_hex(6)
    return (f"{mine}-{number}" for number in itertools.count(1))


@attrs.frozen
class JsonRpcClient(ServiceApi):
    """Makes calls.

    :param url: address that calls are posted to.
    :param login: the session's login.
    :param renewing: whether the calls are those of a new login, for which none is renewed.
    """

    url: str
    session_state: SessionState
    call_ids: Iterator[str] = attrs.field(factory=_generate_call_ids)
    for_login: bool = False

    def call(
        self, method: str, params: Optional[Mapping[str, Any]] = None, session_number: Optional[int] = None
    ) -> Any:
        """The result of a call; where the session is gone, of its repeat after one new login.

        :param session_number: the number of the only session that the call is for.
        :raises HTTPError: the server turned it down; ``code`` is its word for why.
        :raises OutcomeUnknown: the answer was lost twice: what the call does may be done; or it asks for a
            request of a session that is gone.
        """
        return self.call_in_session(method, params, session_number)[0]

    def call_in_session(
        self, method: str, params: Optional[Mapping[str, Any]] = None, session_number: Optional[int] = None
    ) -> Tuple[Any, int]:
        """The result of a call, and the number of the session that it was done in."""
        seen = self.session_state.generation
        if not (self.session_state.established or self.for_login or method in _SESSION_START_METHODS):
            self._log_in_again(seen)
            seen = self.session_state.generation
        signer = self.session_state.create_auth()
        if session_number not in (None, signer.session_number):
            raise _build_session_lost_error(method)
        try:
            return self._call_and_recover(method, params or {}, signer), signer.session_number
        except AuthError as error:
            # The server says that by this error, and that the call had no effect.
            if error.code != "NotAuthenticated" or self.for_login:
                raise
            refused = error
        if method in _SESSION_BOUND_METHODS:
            raise _build_session_lost_error(method)
        if not self._log_in_again(seen):
            raise refused
        # The try that was refused did nothing; one before it, whose answer was lost, may have.
        begun, signer = signer.attempts > 1, self.session_state.create_auth()
        return self._call_and_recover(method, params or {}, signer, begun), signer.session_number

    def _log_in_again(self, generation: int) -> bool:
        return self.session_state.log_in_again(attrs.evolve(self, for_login=True), generation)

    def _call_and_recover(
        self, method: str, params: Mapping[str, Any], auth: SessionCookieAuth, may_have_run: bool = False
    ) -> Any:
        """The result of a call, made again where its answer was lost.

        :param may_have_run: whether it may have been done already.
        """
        deletes = _DELETE_METHODS.match(method) is not None
        call = self._build_request(
            method, params, auth, idempotent=deletes or _IDEMPOTENT_METHODS.match(method) is not None
        )
        try:
            return self._send_and_parse(call, method, auth)
        except OutcomeUnknown as error:
            lost = error
        except NotFound:
            if deletes and (may_have_run or auth.attempts > 1):
                return None  # what an earlier try has removed
            raise
        self.sleep(_RECOVERY_DELAY * (0.5 + self.clock.random()))
        try:
            return self._send_and_parse(call, method, auth)
        except AuthError as error:
            if error.code != "NotAuthenticated":
                raise
        raise lost  # the session that remembered the call is gone

    def _build_request(
        self, method: str, params: Mapping[str, Any], auth: SessionCookieAuth, idempotent: bool
    ) -> RequestSpec:
        try:
            plain = to_wire(params)
        except RecursionError:
            raise UsageError(
                f"{method}: not JSON serializable: a value contains itself",
                hint="pass dictionaries and lists without circular references",
            ) from None
        call = {"jsonrpc": "2.0", "id": next(self.call_ids), "method": method, "params": plain}
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
        answer = self.send_request(request)
        if answer.media_type != "application/json":
            kind = answer.media_type or "of no type"
            raise JetStreamDecodeError(
                f"{method} at {self.url}: the answer is {kind}, not application/json",
                hint="check that the base URL is the service's own, not a login page or a proxy",
            )
        self.session_state.update_from_response(answer, auth)
        reply = answer.json(dict)
        ours = reply.get("jsonrpc") == "2.0" and reply.get("id") == json.loads(request.body)["id"]
        refused = reply.get("error") is not None and build_rpc_error(reply["error"], method, self.url)
        if ours and "result" in reply and not refused:
            return reply["result"]
        del reply, answer  # a traceback with local variables would show what the server repeats
        raise refused or JetStreamDecodeError(f"{method} at {self.url}: not the answer to this call")


def _build_session_lost_error(method: str) -> OutcomeUnknown:
    return JetStreamOutcomeUnknown(
        f"{method}: the session that knew the request is gone",
        hint="what the request does may be done: look on the server before repeating it",
    )
