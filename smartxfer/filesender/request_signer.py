"""Signing of the requests to one site, adapted to its clock, its host name and its error responses.

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

#: Seconds added to the timestamp of a signed chunk: the server checks it after it has received the body.
CHUNK_TIMESTAMP_LEAD = 600
_MIN_CLOCK_SKEW = 2.0
_SECURITY_TOKEN_PATTERN = re.compile(r"[!-~]{1,256}\Z")
_DOWNLOAD_FAILED_HINT = (
    "the link has expired, or the file is missing on the site: ask the sender for a new one"
)
_SESSION_EXPIRED_CODES = frozenset({"rest_security_token_did_not_match", "rest_xsrf_token_did_not_match"})


class RequestSigner:
    """Sign each attempt of a request, and adapt the signature to the server's error responses.

    :param signing_host: host name that the server uses to verify signatures; by default the URL's host
        without the port is tried first, then with the port.
    """

    def __init__(
        self, auth: Auth, origin: Origin, clock: Clock, policy: RetryPolicy, signing_host: Optional[str]
    ) -> None:
        self.auth = auth
        #: Becomes False when the site rejects an unsigned chunk.
        self.unsigned_chunks = True
        #: Becomes True when the site rejects the tokens of the guest's session.
        self.session_expired = False
        self._clock = clock
        self._policy = policy
        self._lock = threading.Lock()
        self._clock_skew = 0.0
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        self._host = signing_host or host
        self._fallback_host = f"{host}:{origin.port}" if signing_host is None else None

    def sign(self, request: requests.PreparedRequest, lead: int = 0) -> requests.PreparedRequest:
        """Add the credentials to one attempt.

        :param lead: seconds added to the timestamp.
        """
        if isinstance(self.auth, GuestAuth):
            request.register_hook("response", self._update_security_token)
            return sign_guest_request(request, self.auth)
        if isinstance(self.auth, UserAuth):
            now = self._clock.time() + self._clock_skew + self.auth.delay + lead
            return sign_user_request(request, self.auth, host=self._host, timestamp=int(now))
        return request

    def sign_chunk(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a chunk, unless the site accepts a user's chunks with the file's key alone."""
        if self.unsigned_chunks and isinstance(self.auth, UserAuth):
            return request
        return self.sign(request, lead=CHUNK_TIMESTAMP_LEAD)

    def _update_security_token(self, response: requests.Response, **_: Any) -> None:
        """Store the new security token of the guest's session from a successful response (section 15)."""
        token = response.headers.get("X-Filesender-Security-Token", "").strip()
        if (
            response.status_code < 400
            and _SECURITY_TOKEN_PATTERN.match(token)
            and isinstance(self.auth, GuestAuth)
        ):
            self.auth.security_token = redaction.register_secret(token)

    def sync_clock(self, date_header: Optional[str]) -> None:
        """Compute the offset of the server's clock from the ``Date`` header of a response."""
        try:
            server_time = email.utils.parsedate_to_datetime(date_header or "").timestamp()
        except (TypeError, ValueError, IndexError):
            return
        skew = server_time - self._clock.time()
        self._clock_skew = skew if abs(skew) > _MIN_CLOCK_SKEW else 0.0
        if self._clock_skew:
            log.info("the server's clock differs by %.0f s from the local clock; signing with its time", skew)

    def build_error(self, response: BufferedResponse, method: str, url: str) -> HTTPError:
        """Return the exception for an error response, and adapt the signing of the next attempt to it."""
        code = ERROR_TABLE.parse_response(response).get("code", "")
        fields: Dict[str, Any] = {}
        if code:
            # A gateway may return JSON, too, without knowing whether the site has processed the request.
            fields["may_have_been_processed"] = response.status in (502, 504)
            self._adapt_to_error(code, response)
        elif response.status == 500 and url.endswith("/download.php"):
            fields["hint"] = _DOWNLOAD_FAILED_HINT
        return ERROR_TABLE.build_error(
            response, method, url, policy=self._policy, clock=self._clock, **fields
        )

    def _adapt_to_error(self, code: str, response: BufferedResponse) -> None:
        if isinstance(self.auth, GuestAuth) and code in _SESSION_EXPIRED_CODES:
            self.session_expired = True
        elif code == "auth_remote_too_late":
            self.sync_clock(response.headers.get("Date"))

    def retry_with_other_signature(self, context: RetryContext) -> RetryDecision:
        """Retry a request immediately if the next attempt can be signed in another way."""
        error = context.http_error
        if error is None:
            return RetryDecision.NO_DECISION
        if error.code == "auth_remote_signature_check_failed":
            with self._lock:
                if self._fallback_host is None:
                    return RetryDecision.FAIL
                log.info("the signature for host %s was rejected; trying %s", self._host, self._fallback_host)
                self._host, self._fallback_host = self._fallback_host, None
            return RetryDecision.RETRY_IMMEDIATELY
        if error.code == "rest_security_token_did_not_match" and "/chunk/" in error.url:
            self.unsigned_chunks = False
            return RetryDecision.RETRY_IMMEDIATELY if isinstance(self.auth, UserAuth) else RetryDecision.FAIL
        return RetryDecision.NO_DECISION
