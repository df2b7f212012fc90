"""How requests to one site are signed: by whom, by which clock, under which host name.

Source: FileSender protocol, sections 2.1, 3, 6.2 and 10.
"""

import email.utils
import logging
import re
import threading
from typing import Any, Dict, Optional

import requests

from smartxfer._system import Clock
from smartxfer.errors import HTTPError
from smartxfer.filesender.auth import Auth, GuestAuth, UserAuth, sign_guest_request, sign_user_request
from smartxfer.filesender.error_codes import ERROR_TABLE
from smartxfer.transport import BufferedResponse, Origin, RetryPolicy, redaction
from smartxfer.transport.retry_checks import RetryContext, RetryDecision

__all__ = ["CHUNK_TIMESTAMP_LEAD", "RequestSigner"]

log = logging.getLogger("smartxfer.filesender")

#: Seconds by which a signed chunk is dated ahead: the server looks at the clock after the whole body came.
CHUNK_TIMESTAMP_LEAD = 600
_MIN_CLOCK_SKEW = 2.0
_SECURITY_TOKEN_PATTERN = re.compile(r"[!-~]{1,256}\Z")
_DOWNLOAD_FAILED_HINT = (
    "the link has expired, or the file is missing on the site: ask the sender for a new one"
)
_SESSION_EXPIRED_CODES = frozenset({"rest_security_token_did_not_match", "rest_xsrf_token_did_not_match"})


class RequestSigner:
    """Signs each attempt afresh, and learns from the server's answers.

    :param signing_host: the server's own name; by default the URL's host without port, and with it as a
        second guess.
    """

    def __init__(
        self, auth: Auth, origin: Origin, clock: Clock, policy: RetryPolicy, signing_host: Optional[str]
    ) -> None:
        self.auth = auth
        #: False once the site turned out to want its chunks signed.
        self.unsigned_chunks = True
        #: True once the site refused the tokens of the guest's session.
        self.session_expired = False
        self._clock = clock
        self._policy = policy
        self._lock = threading.Lock()
        self._clock_skew = 0.0
        bare = f"[{origin.host}]" if ":" in origin.host else origin.host
        self._host = signing_host or bare
        second = f"{bare}:{origin.port}"
        self._fallback_host = second if signing_host is None and second != bare else None

    def sign(self, request: requests.PreparedRequest, lead: int = 0) -> requests.PreparedRequest:
        """Add the credentials to one attempt.

        :param lead: seconds by which to date it ahead.
        """
        if isinstance(self.auth, GuestAuth):
            request.register_hook("response", self._update_security_token)
            return sign_guest_request(request, self.auth)
        if isinstance(self.auth, UserAuth):
            now = self._clock.time() + self._clock_skew + self.auth.delay + lead
            return sign_user_request(request, self.auth, host=self._host, timestamp=int(now))
        return request

    def sign_chunk(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add what a chunk needs: nothing for a user on a site that takes the file's key."""
        if self.unsigned_chunks and isinstance(self.auth, UserAuth):
            return request
        return self.sign(request, lead=CHUNK_TIMESTAMP_LEAD)

    def _update_security_token(self, response: requests.Response, **_: Any) -> None:
        """Take the newer security token of the guest's session from an accepted call (section 15)."""
        token = response.headers.get("X-Filesender-Security-Token", "").strip()
        if (
            response.status_code < 400
            and _SECURITY_TOKEN_PATTERN.match(token)
            and isinstance(self.auth, GuestAuth)
        ):
            self.auth.security_token = redaction.register_secret(token)

    def sync_clock(self, date_header: Optional[str]) -> None:
        """Learn how far the server's clock is from ours, by its ``Date`` header."""
        try:
            theirs = email.utils.parsedate_to_datetime(date_header or "").timestamp()
        except (TypeError, ValueError, IndexError):
            return
        skew = theirs - self._clock.time()
        self._clock_skew = skew if abs(skew) > _MIN_CLOCK_SKEW else 0.0
        if self._clock_skew:
            log.info("the server's clock is %.0f s from ours; signatures follow the server's", skew)

    def build_error(self, response: BufferedResponse, method: str, url: str) -> HTTPError:
        """The exception for an answer, after learning from it what another attempt should do better."""
        code = ERROR_TABLE.parse_response(response).get("code", "")
        known: Dict[str, Any] = {}
        if code:
            # A gateway may speak JSON too, and does not know what became of the request behind it.
            known["may_have_been_processed"] = response.status in (502, 504)
            self._adapt_to_error(code, response)
        elif response.status == 500 and url.endswith("/download.php"):
            known["hint"] = _DOWNLOAD_FAILED_HINT
        return ERROR_TABLE.build_error(response, method, url, policy=self._policy, clock=self._clock, **known)

    def _adapt_to_error(self, code: str, response: BufferedResponse) -> None:
        if isinstance(self.auth, GuestAuth) and code in _SESSION_EXPIRED_CODES:
            self.session_expired = True
        elif code == "auth_remote_too_late":
            self.sync_clock(response.headers.get("Date"))

    def retry_with_other_signature(self, context: RetryContext) -> RetryDecision:
        """Have a request made at once whose next try is signed in another way."""
        refusal = context.http_error
        if refusal is None:
            return RetryDecision.NO_DECISION
        if refusal.code == "auth_remote_signature_check_failed":
            with self._lock:
                if self._fallback_host is None:
                    return RetryDecision.FAIL
                log.info("signing for %s failed; trying %s", self._host, self._fallback_host)
                self._host, self._fallback_host = self._fallback_host, None
            return RetryDecision.RETRY_IMMEDIATELY
        if refusal.code == "rest_security_token_did_not_match" and "/chunk/" in refusal.url:
            self.unsigned_chunks = False
            return RetryDecision.RETRY_IMMEDIATELY if isinstance(self.auth, UserAuth) else RetryDecision.FAIL
        return RetryDecision.NO_DECISION
