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
from smartxfer.jetstream.errors import JetStreamDecodeError, JetStreamOutcomeUnknown, rpc_error
from smartxfer.jetstream.login import Login, Signer
from smartxfer.service_api import ServiceApi
from smartxfer.structures import to_wire
from smartxfer.transport import Body, Call, Success
from smartxfer.transport.json import json_body

__all__ = ["Rpc"]

#: What may be done twice: questions, waits, logins, and what finds what an earlier call has made.
_SAFE = re.compile(r"(?:send\.|recv\.)?(?:get|wait|echo|ls|du|auth|createDestination\Z)")
_DELETES = re.compile(r"(?:send\.|recv\.)?delete")
#: Calls that may be a session's first.
_OPENING = frozenset({"getServerInfo", "auth", "authAsync", "authToken", "echo"})
#: Calls about what only one session knows.
_OF_SESSION = frozenset({"getRequestStatus", "getRequestResult"})
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}
#: The one answer to a call that the server understood (section 9.1).
_ANSWERED = Success({200}, Body.JSON)
#: Seconds before the one repeat of a call whose answer was lost.
_PAUSE = 0.2


def _ids() -> Iterator[str]:
    """Ids that no other client of the session uses."""
    mine = secrets.token_hex(6)
    return (f"{mine}-{number}" for number in itertools.count(1))


@attrs.frozen
class Rpc(ServiceApi):
    """Makes calls.

    :param url: address that calls are posted to.
    :param login: the session's login.
    :param renewing: whether the calls are those of a new login, for which none is renewed.
    """

    url: str
    login: Login
    ids: Iterator[str] = attrs.field(factory=_ids)
    renewing: bool = False

    def call(
        self, method: str, params: Optional[Mapping[str, Any]] = None, within: Optional[int] = None
    ) -> Any:
        """The result of a call; where the session is gone, of its repeat after one new login.

        :param within: the number of the only session that the call is for.
        :raises HTTPError: the server turned it down; ``code`` is its word for why.
        :raises OutcomeUnknown: the answer was lost twice: what the call does may be done; or it asks for a
            request of a session that is gone.
        """
        return self.placed(method, params, within)[0]

    def placed(
        self, method: str, params: Optional[Mapping[str, Any]] = None, within: Optional[int] = None
    ) -> Tuple[Any, int]:
        """The result of a call, and the number of the session that it was done in."""
        seen = self.login.generation
        if not (self.login.opened or self.renewing or method in _OPENING):
            self._renew(seen)
            seen = self.login.generation
        signer = self.login.signer()
        if within not in (None, signer.session):
            raise _gone(method)
        try:
            return self._settled(method, params or {}, signer), signer.session
        except AuthError as error:
            # The server says that by this error, and that the call had no effect.
            if error.code != "NotAuthenticated" or self.renewing:
                raise
            refused = error
        if method in _OF_SESSION:
            raise _gone(method)
        if not self._renew(seen):
            raise refused
        # The try that was refused did nothing; one before it, whose answer was lost, may have.
        begun, signer = signer.tries > 1, self.login.signer()
        return self._settled(method, params or {}, signer, begun), signer.session

    def _renew(self, seen: int) -> bool:
        return self.login.renew(attrs.evolve(self, renewing=True), seen)

    def _settled(self, method: str, params: Mapping[str, Any], signer: Signer, begun: bool = False) -> Any:
        """The result of a call, made again where its answer was lost.

        :param begun: whether it may have been done already.
        """
        deletes = _DELETES.match(method) is not None
        call = self._describe(method, params, signer, safe=deletes or _SAFE.match(method) is not None)
        try:
            return self._result(call, method, signer)
        except OutcomeUnknown as error:
            lost = error
        except NotFound:
            if deletes and (begun or signer.tries > 1):
                return None  # what an earlier try has removed
            raise
        self.pause(_PAUSE * (0.5 + self.clock.random()))
        try:
            return self._result(call, method, signer)
        except AuthError as error:
            if error.code != "NotAuthenticated":
                raise
        raise lost  # the session that remembered the call is gone

    def _describe(self, method: str, params: Mapping[str, Any], signer: Signer, safe: bool) -> Call:
        try:
            plain = to_wire(params)
        except RecursionError:
            raise UsageError(f"{method}: not JSON serializable: a value contains itself") from None
        call = {"jsonrpc": "2.0", "id": next(self.ids), "method": method, "params": plain}
        body = json_body(call, ascii_only=True)
        return Call(
            "POST", self.url, headers=_HEADERS, body=body, sign=signer, idempotent=safe, success=_ANSWERED
        )

    def _result(self, call: Call, method: str, signer: Signer) -> Any:
        answer = self.make(call)
        if answer.media_type != "application/json":
            kind = answer.media_type or "of no type"
            raise JetStreamDecodeError(
                f"{method} at {self.url}: the answer is {kind}, not application/json",
                hint="check that the base URL is the service's own, not a login page or a proxy",
            )
        self.login.heed(answer, signer)
        reply = answer.json(dict)
        ours = reply.get("jsonrpc") == "2.0" and reply.get("id") == json.loads(call.body)["id"]
        refused = reply.get("error") is not None and rpc_error(reply["error"], method, self.url)
        if ours and "result" in reply and not refused:
            return reply["result"]
        del reply, answer  # a traceback with local variables would show what the server repeats
        raise refused or JetStreamDecodeError(f"{method} at {self.url}: not the answer to this call")


def _gone(method: str) -> OutcomeUnknown:
    return JetStreamOutcomeUnknown(
        f"{method}: the session that knew the request is gone",
        hint="what the request does may be done: look on the server before repeating it",
    )
