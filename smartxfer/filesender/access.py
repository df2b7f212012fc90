"""How requests to one site are signed: by whom, by which clock, under which host name.

Source: FileSender protocol, sections 2.1, 3, 6.2 and 10.
"""

import email.utils
import logging
import re
import threading
from typing import Any, Dict, Optional

import requests

from smartxfer.errors import HTTPError
from smartxfer.filesender.auth import Auth, GuestAuth, UserAuth, sign_guest, sign_user
from smartxfer.filesender.replies import ERRORS_OF_SITE
from smartxfer.seams import Clock
from smartxfer.transport import Answer, Origin, RetryPolicy, redact
from smartxfer.transport.checks import Decision, RetryContext

__all__ = ["CHUNK_LEAD", "Access"]

log = logging.getLogger("smartxfer.filesender")

#: Seconds by which a signed chunk is dated ahead: the server looks at the clock after the whole body came.
CHUNK_LEAD = 600
_MIND_SKEW = 2.0
_PRINTABLE = re.compile(r"[!-~]{1,256}\Z")
_UNREADABLE = "the link has expired, or the file is missing on the site: ask the sender for a new one"
_SESSION_OVER = frozenset({"rest_security_token_did_not_match", "rest_xsrf_token_did_not_match"})


class Access:
    """Signs each attempt afresh, and learns from the server's answers.

    :param signing_host: the server's own name; by default the URL's host without port, and with it as a
        second guess.
    """

    def __init__(
        self, auth: Auth, origin: Origin, clock: Clock, policy: RetryPolicy, signing_host: Optional[str]
    ) -> None:
        self.auth = auth
        #: False once the site turned out to want its chunks signed.
        self.chunks_by_key = True
        #: True once the site refused the tokens of the guest's session.
        self.session_over = False
        self._clock = clock
        self._policy = policy
        self._lock = threading.Lock()
        self._skew = 0.0
        bare = f"[{origin.host}]" if ":" in origin.host else origin.host
        self._host = signing_host or bare
        second = f"{bare}:{origin.port}"
        self._second_guess = second if signing_host is None and second != bare else None

    def sign(self, request: requests.PreparedRequest, lead: int = 0) -> requests.PreparedRequest:
        """Add the credentials to one attempt.

        :param lead: seconds by which to date it ahead.
        """
        if isinstance(self.auth, GuestAuth):
            request.register_hook("response", self._renew)
            return sign_guest(request, self.auth)
        if isinstance(self.auth, UserAuth):
            now = self._clock.wall() + self._skew + self.auth.delay + lead
            return sign_user(request, self.auth, host=self._host, timestamp=int(now))
        return request

    def sign_chunk(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add what a chunk needs: nothing for a user on a site that takes the file's key."""
        if self.chunks_by_key and isinstance(self.auth, UserAuth):
            return request
        return self.sign(request, lead=CHUNK_LEAD)

    def _renew(self, response: requests.Response, **_: Any) -> None:
        """Take the newer security token of the guest's session from an accepted call (section 15)."""
        token = response.headers.get("X-Filesender-Security-Token", "").strip()
        if response.status_code < 400 and _PRINTABLE.match(token) and isinstance(self.auth, GuestAuth):
            self.auth.security_token = redact.remember_secret(token)

    def set_clock(self, date: Optional[str]) -> None:
        """Learn how far the server's clock is from ours, by its ``Date`` header."""
        try:
            theirs = email.utils.parsedate_to_datetime(date or "").timestamp()
        except (TypeError, ValueError, IndexError):
            return
        skew = theirs - self._clock.wall()
        self._skew = skew if abs(skew) > _MIND_SKEW else 0.0
        if self._skew:
            log.info("the server's clock is %.0f s from ours; signatures follow the server's", skew)

    def error_of(self, answer: Answer, method: str, url: str) -> HTTPError:
        """The exception for an answer, after learning from it what another attempt should do better."""
        code = ERRORS_OF_SITE.read(answer).get("code", "")
        known: Dict[str, Any] = {}
        if code:
            # A gateway may speak JSON too, and does not know what became of the request behind it.
            known["acted_on"] = answer.status in (502, 504)
            self._learn(code, answer)
        elif answer.status == 500 and url.endswith("/download.php"):
            known["hint"] = _UNREADABLE
        return ERRORS_OF_SITE.error(answer, method, url, policy=self._policy, clock=self._clock, **known)

    def _learn(self, code: str, answer: Answer) -> None:
        if isinstance(self.auth, GuestAuth) and code in _SESSION_OVER:
            self.session_over = True
        elif code == "auth_remote_too_late":
            self.set_clock(answer.headers.get("Date"))

    def signs_otherwise(self, context: RetryContext) -> Decision:
        """Have a request made at once whose next try is signed in another way."""
        refusal = context.refusal
        if refusal is None:
            return Decision.PASS
        if refusal.code == "auth_remote_signature_check_failed":
            with self._lock:
                if self._second_guess is None:
                    return Decision.FAIL
                log.info("signing for %s failed; trying %s", self._host, self._second_guess)
                self._host, self._second_guess = self._second_guess, None
            return Decision.RETRY_AT_ONCE
        if refusal.code == "rest_security_token_did_not_match" and "/chunk/" in refusal.url:
            self.chunks_by_key = False
            return Decision.RETRY_AT_ONCE if isinstance(self.auth, UserAuth) else Decision.FAIL
        return Decision.PASS
