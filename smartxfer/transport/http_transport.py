"""The HTTP transport of a client: sends requests, once or with retries."""

import contextlib
import io
import logging
import os
import sys
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Type, TypeVar

import attrs
import requests

from smartxfer._system import SYSTEM_CLOCK, Clock
from smartxfer.error_families import GENERIC_ERRORS, ErrorFamily
from smartxfer.errors import (
    DecodeError,
    HTTPError,
    NetworkError,
    RedirectRefused,
    SmartxferError,
    UnexpectedResponse,
    UsageError,
)
from smartxfer.transport.archive_check import create_archive_check
from smartxfer.transport.attempt import Attempt, current_attempt, lift_time_budget, limit_timeout
from smartxfer.transport.certificates import CertFiles, Verify
from smartxfer.transport.error_mapping import NETWORK_EXCEPTIONS, resolve_abort_error, translate_exception
from smartxfer.transport.http_errors import build_http_error
from smartxfer.transport.origin import Origin, redirect_target, strip_query
from smartxfer.transport.rate_limits import RateLimits
from smartxfer.transport.request_log import RequestLogger, log
from smartxfer.transport.request_spec import RequestSpec
from smartxfer.transport.response import (
    MAX_RESPONSE_BYTES,
    BufferedResponse,
    decompress_bounded,
    is_identity_encoding,
    is_json_media_type,
)
from smartxfer.transport.retry_checks import RetryRule
from smartxfer.transport.retry_policy import RetryPolicy
from smartxfer.transport.retry_state import RetryState
from smartxfer.transport.session import (
    ConnectionSettings,
    close_interim_connection,
    create_session,
    prepare_caller_session,
    restore_location,
)
from smartxfer.transport.streamed_response import StreamedResponse
from smartxfer.transport.success import Body, Success, default_success

__all__ = ["HTTPTransport", "RequestSpec", "StreamedResponse"]

T = TypeVar("T")
#: Exceptions of a network operation: from this package, from the libraries, and Ctrl-C.
_TRANSLATED_EXCEPTIONS: Tuple[Type[BaseException], ...] = (
    SmartxferError,
    KeyboardInterrupt,
    *NETWORK_EXCEPTIONS,
)
ErrorBuilder = Callable[[BufferedResponse, str, str], HTTPError]


class HTTPTransport:
    """Sender of the requests of a client: one session, one retry policy, and one origin for credentials.

    :param origin: the only origin for which ``RequestSpec.auth`` is called.
    :param build_error: returns the exception for a response with status 400 or more: (response, method, url).
    :param error_family: the errors of the service; every error is converted to one of them.
    :param retry_rules: retry rules that are specific to the service.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        build_error: ErrorBuilder,
        error_family: ErrorFamily = GENERIC_ERRORS,
        retry_rules: Sequence[RetryRule] = (),
        user_agent: str,
        policy: RetryPolicy,
        timeout: Tuple[float, float],
        session: Optional[requests.Session] = None,
        verify: Verify = True,
        cert: Optional[CertFiles] = None,
        cert_origins: Sequence[str] = (),
        proxies: Optional[Mapping[str, str]] = None,
        pool_size: int = 16,
        clock: Clock = SYSTEM_CLOCK,
        rate_limits: Optional[RateLimits] = None,
    ) -> None:
        self.origin = origin
        self.policy = policy
        self.timeout = timeout
        self.clock = clock
        self.rate_limits = rate_limits or RateLimits(policy, clock)
        self.session = session if session is not None else create_session(policy, pool_size)
        self._owns_session = session is None
        self._user_agent = user_agent
        self._build_error, self.error_family, self._retry_rules = build_error, error_family, retry_rules
        self._connection_settings = ConnectionSettings(
            verify, cert, dict(proxies) if proxies is not None else None, origin, cert_origins
        )
        self._pid = os.getpid()

    def __repr__(self) -> str:
        return f"<HTTPTransport to {self.origin}>"

    def close(self) -> None:
        """Close the session, unless the caller passed it."""
        if self._owns_session:
            self.session.close()

    # -- requests ---------------------------------------------------------------------------------------

    def request(self, spec: RequestSpec) -> BufferedResponse:
        """Send a request, with retries, and return the response.

        :raises CommunicationError: the request failed, and no further attempt is allowed.
        """
        attempts = self._new_retry_state(spec).attempts(self.attempt)
        while True:
            with next(attempts):
                return self.request_once(spec)

    def request_once(self, spec: RequestSpec) -> BufferedResponse:
        """Send a request once and return the response."""
        with self.attempt(self._new_retry_state(spec)):
            with contextlib.closing(self._send_following_redirects(spec)) as response:
                return self._raise_for_status(self._read_response(response, spec), response, spec)

    def request_json_or_stream(self, spec: RequestSpec) -> Any:
        """Send a request; return its decoded JSON, or an open file-like object for any other response.

        HTML pages are rejected, unless ``RequestSpec.success`` accepts them.
        """
        success = spec.success or default_success(spec.method, Body.NOT_HTML)
        attempts = self._new_retry_state(spec).attempts(self.attempt)
        while True:
            with next(attempts):
                return self._request_json_or_stream_once(spec, success)

    def _request_json_or_stream_once(self, spec: RequestSpec, success: Success) -> Any:
        response = self._send_following_redirects(spec)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        empty = response.status_code == 204 or response.headers.get("Content-Length") == "0"
        file = success.body in (Body.ANY, Body.NOT_HTML) and not (
            empty or (spec.decode_json and is_json_media_type(kind))
        )
        if file and success.accepts_status(response.status_code) and not success.rejects_media_type(kind):
            lift_time_budget()
            check = None if spec.archive is None else create_archive_check(spec.archive, spec.description)
            return StreamedResponse(self.translate_errors, spec.description, response, check)
        with contextlib.closing(response):
            buffered = self._raise_for_status(
                self._read_response(response, spec), response, attrs.evolve(spec, success=success)
            )
            return buffered.json() if buffered.content else None

    @contextlib.contextmanager
    def stream(self, spec: RequestSpec) -> Iterator[Tuple[requests.Response, Attempt]]:
        """Send a request once; yield the response with its body unread, and the attempt.

        The statuses of ``RequestSpec.success`` are accepted, and 206 if a range is requested.  An HTML page
        is rejected if ``success.body`` is :attr:`~smartxfer.transport.success.Body.NOT_HTML`.

        :raises HTTPError: the status is 400 or more; a bounded part of the body is read.
        :raises UnexpectedResponse: another response that is not a success.
        """
        success = spec.success or default_success(spec.method, Body.ANY)
        if "Range" in spec.headers:
            success = attrs.evolve(success, statuses=success.statuses | {206})
        with self.attempt(self._new_retry_state(spec)) as attempt, contextlib.closing(
            self._send_following_redirects(spec)
        ) as response:
            if response.status_code >= 400:
                self._raise_for_status(self._read_response(response, spec), response, spec)
            head = BufferedResponse(spec.description, response.status_code, response.headers, b"")
            if not success.accepts_status(head.status) or success.rejects_media_type(head.media_type):
                reason = "" if success.accepts_status(head.status) else success.explain_failure(head)
                raise self._build_unexpected_response_error(
                    head, reason or f"a page ({head.media_type}), not a file", response, spec
                )
            lift_time_budget()
            yield response, attempt

    def _new_retry_state(self, spec: RequestSpec) -> RetryState:
        return RetryState(
            self.policy,
            self.clock,
            spec.description,
            idempotent=spec.retry_after_lost_response,
            rate_limits=self.rate_limits,
            error_family=self.error_family,
            rules=self._retry_rules,
        )

    # -- one attempt ------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def attempt(self, retry_state: RetryState) -> Iterator[Attempt]:
        """Begin an attempt, or continue the attempt that the calling thread is already within.

        :param retry_state: of the request, which provides the time limits.
        """
        attempt = current_attempt()
        if attempt is not None:
            yield attempt
            return
        with Attempt(self.timeout[1], retry_state.time_limits()).activate() as new_attempt:
            yield new_attempt

    def _send_following_redirects(self, spec: RequestSpec) -> requests.Response:
        self._reset_after_fork()
        outer_error = sys.exc_info()[1]
        url, params = spec.url, list(spec.params)
        for redirect_count in range(100):
            self.rate_limits.wait(url)
            logger = None
            if log.isEnabledFor(logging.DEBUG):
                logger = RequestLogger(spec.method, url, spec.body, self.clock, self.policy.attempts)
            error: Optional[BaseException] = None
            try:
                prepared, settings = self._prepare(spec, url, params)
                response = self.session.send(prepared, allow_redirects=False, **settings)
            except _TRANSLATED_EXCEPTIONS as failure:
                error = self._translate_exception(failure, spec.description, outer_error)
            if error is not None:
                if logger is not None and isinstance(error, SmartxferError):
                    logger.log_failure(error)
                raise self._as_server_error(error, spec, url, redirect_count)
            with contextlib.ExitStack() as closing:
                closing.callback(response.close)
                if not self._owns_session:
                    restore_location(response)
                if logger is not None:
                    logger.log_response(response)
                if response.status_code < 200:
                    close_interim_connection(response)
                target = self.translate_errors(
                    spec.description, redirect_target, response, spec.method, redirect_count, spec.follow_307
                )
                self.rate_limits.record_response(url, response.status_code)
                if target is None:
                    closing.pop_all()
                    return response
            url, params = target, []
        raise AssertionError("redirects are bounded")  # pragma: no cover

    def _prepare(
        self, spec: RequestSpec, url: str, params: List[Tuple[str, str]]
    ) -> Tuple[requests.PreparedRequest, Dict[str, Any]]:
        """Return a prepared request and the settings of ``Session.send`` for it."""
        target = Origin.parse(url)
        ours = self.origin.allows_credentials_for(target)
        headers = {"User-Agent": self._user_agent, "Accept-Encoding": "identity", **spec.headers}
        if spec.body is not None and hasattr(spec.body, "seek"):
            spec.body.seek(0)
        attempt = current_attempt()
        if attempt is not None and hasattr(spec.body, "set_attempt"):
            spec.body.set_attempt(attempt)
        request = requests.Request(
            spec.method,
            url,
            params=params,
            headers=headers,
            data=spec.body,
            auth=spec.auth if ours and spec.auth else _skip_auth,
        )
        # Cookies and headers of the caller's session must not be sent to other origins.
        prepared = (self.session if ours else requests.Session()).prepare_request(request)
        if self._owns_session:
            settings: Dict[str, Any] = self._connection_settings.for_origin(target)
        else:
            settings = self._connection_settings.merged_with_session(self.session, prepared.url or url)
        settings["stream"] = True
        settings["timeout"] = limit_timeout(
            (self.timeout[0], min(spec.read_timeout or self.timeout[1], self.timeout[1]))
        )
        if not self._owns_session:
            prepare_caller_session(self.session, prepared, settings)
        return prepared, settings

    def _read_response(self, response: requests.Response, spec: RequestSpec) -> BufferedResponse:
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        compressed = not is_identity_encoding(encoding)
        # The larger limit of a request applies to uncompressed responses only, which were requested.
        limit = min(spec.max_response_bytes, MAX_RESPONSE_BYTES) if compressed else spec.max_response_bytes

        def check_size(total: int) -> None:
            if total > limit:
                raise DecodeError(f"{spec.description}: the response is larger than {limit} bytes")

        def read_body() -> bytes:
            received = io.BytesIO()  # getvalue() does not copy
            for part in iter(lambda: response.raw.read1(65536, False), b""):
                check_size(received.tell() + len(part))
                received.write(part)
            attempt = current_attempt()
            if attempt is not None and attempt.abort_error and "Content-Length" not in response.headers:
                raise attempt.abort_error  # a socket that was shut down looks like the end of the body
            body = received.getvalue()
            if compressed:  # not by urllib3: older versions decompress without a limit
                body = decompress_bounded(spec.description, body, encoding, limit)
            check_size(len(body))
            return body

        try:
            body = self.translate_errors(spec.description, read_body)
        except (NetworkError, DecodeError):
            if response.status_code < 400:
                raise
            body = b""  # the body of an error may be truncated or too large: the status is sufficient
        cookies = [(cookie.name, cookie.value or "") for cookie in response.cookies]
        return BufferedResponse(
            spec.description, response.status_code, response.headers, body, cookies, self.error_family
        )

    def translate_errors(self, description: str, function: Callable[..., T], *args: Any) -> T:
        """Call a function that uses the network, and translate its exceptions to errors of this package.

        :param description: of the request, for messages.
        """
        outer_error = sys.exc_info()[1]
        try:
            return function(*args)
        except _TRANSLATED_EXCEPTIONS as failure:
            error = self._translate_exception(failure, description, outer_error)
        raise error  # outside the except block, so that it gets no context

    def _translate_exception(
        self, exception: BaseException, description: str, ignore_context: Optional[BaseException]
    ) -> BaseException:
        """Return the error of this package for an exception of a network operation.

        :param ignore_context: the exception that was being handled before the operation.
        """
        error = exception
        if isinstance(exception, NETWORK_EXCEPTIONS):
            attempt = current_attempt()
            error = translate_exception(exception, description, ignore_context)
            if attempt is not None and attempt.abort_error is not None:
                error = resolve_abort_error(attempt.abort_error, description, error)
        # The traceback is removed because the frames of the libraries contain headers with credentials.
        return self.error_family.convert(error.with_traceback(None))

    def _as_server_error(
        self, error: BaseException, spec: RequestSpec, url: str, redirect_count: int
    ) -> BaseException:
        """Convert a UsageError about a URL that only the server can have sent to an error of the server."""
        if not isinstance(error, UsageError) or (
            not redirect_count and self.origin.allows_credentials_for(Origin.parse(url))
        ):
            return error
        error_class = self.error_family.class_for(RedirectRefused if redirect_count else DecodeError)
        return error_class(f"{spec.description}: the server sent an invalid URL: {error.summary}")

    def _raise_for_status(
        self, buffered: BufferedResponse, response: requests.Response, spec: RequestSpec
    ) -> BufferedResponse:
        if buffered.status >= 400:
            error = self._build_error(buffered, spec.method, strip_query(response.url or spec.url))
            raise self.rate_limits.record_error(self.error_family.convert(error))
        reason = (spec.success or default_success(spec.method)).explain_failure(buffered)
        if reason:
            raise self._build_unexpected_response_error(buffered, reason, response, spec)
        return buffered

    def _build_unexpected_response_error(
        self, buffered: BufferedResponse, reason: str, response: requests.Response, spec: RequestSpec
    ) -> HTTPError:
        return build_http_error(
            buffered,
            spec.method,
            strip_query(response.url or spec.url),
            policy=self.policy,
            clock=self.clock,
            kind=self.error_family.class_for(UnexpectedResponse),
            message=reason.replace(f"{spec.description}: ", "", 1),
        )

    def _reset_after_fork(self) -> None:
        if self._pid != os.getpid():
            self._pid = os.getpid()
            if self._owns_session:
                for adapter in self.session.adapters.values():
                    adapter.close()


def _skip_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave the request unchanged; passing this as ``auth`` keeps requests from reading netrc."""
    return request
