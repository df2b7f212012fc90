"""Sending requests: one try, or tries by the policy."""

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
    Stalled,
    UnexpectedResponse,
    UsageError,
)
from smartxfer.transport import attempt as attempts
from smartxfer.transport.archive_check import create_archive_check
from smartxfer.transport.attempt import Attempt
from smartxfer.transport.certificates import CertFiles, Verify
from smartxfer.transport.error_mapping import NETWORK_EXCEPTIONS, translate_exception
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
    create_session,
    prepare_caller_session,
    restore_location,
)
from smartxfer.transport.streamed_response import StreamedResponse
from smartxfer.transport.success import Body, Success, default_success

__all__ = ["HTTPTransport", "RequestSpec", "StreamedResponse"]

T = TypeVar("T")
#: What a step on the wire fails with: of ours, of the libraries, and Ctrl-C.
_TRANSLATED_EXCEPTIONS: Tuple[Type[BaseException], ...] = (
    SmartxferError,
    KeyboardInterrupt,
    *NETWORK_EXCEPTIONS,
)
ErrorBuilder = Callable[[BufferedResponse, str, str], HTTPError]


class HTTPTransport:
    """A client's way to its server: one session, one policy, one origin that may see its credentials.

    :param origin: the only origin for which ``RequestSpec.auth`` is called.
    :param build_error: makes the exception of an answer of 400 and more: (answer, method, url).
    :param errors: the service's, which every error becomes one of.
    :param retry_rules: decisions about another try that the service alone can make.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        build_error: ErrorBuilder,
        errors: ErrorFamily = GENERIC_ERRORS,
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
        self._build_error, self.errors, self._retry_rules = build_error, errors, retry_rules
        self._connection_settings = ConnectionSettings(
            verify, cert, dict(proxies) if proxies is not None else None, origin, cert_origins
        )
        self._pid = os.getpid()

    def __repr__(self) -> str:
        return f"<Wire to {self.origin}>"

    def close(self) -> None:
        """Close the session, unless it was given to us."""
        if self._owns_session:
            self.session.close()

    # -- tries ------------------------------------------------------------------------------------------

    def request(self, spec: RequestSpec) -> BufferedResponse:
        """The answer to ``spec``, tried by the policy.

        :raises CommunicationError: no good answer, and no further try allowed.
        """
        attempts = self._new_retry_state(spec).attempts(self.attempt)
        while True:
            with next(attempts):
                return self.request_once(spec)

    def request_once(self, spec: RequestSpec) -> BufferedResponse:
        """The answer to one try of ``spec``."""
        with self.attempt(self._new_retry_state(spec)):
            with contextlib.closing(self._send_following_redirects(spec)) as response:
                return self._raise_for_status(self._read_response(response, spec), response, spec)

    def request_json_or_stream(self, spec: RequestSpec) -> Any:
        """The decoded JSON of the answer to ``spec``, or an open file-like object for anything else.

        Where the call does not say what counts as success, a page for people does not.
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
            _lift_time_budget()
            check = None if spec.archive is None else create_archive_check(spec.archive, spec.description)
            return StreamedResponse(self.translate_errors, spec.description, response, check)
        with contextlib.closing(response):
            answer = self._raise_for_status(
                self._read_response(response, spec), response, attrs.evolve(spec, success=success)
            )
            return answer.json() if answer.content else None

    @contextlib.contextmanager
    def stream(self, spec: RequestSpec) -> Iterator[Tuple[requests.Response, Attempt]]:
        """One try of ``spec`` whose body is left unread: for files; and the attempt that it is.

        Of ``RequestSpec.success`` its statuses count, and 206 where a range is asked for.  A page for people
        is refused where it says :attr:`~smartxfer.transport.success.Body.NOT_HTML`.

        :raises HTTPError: the answer is 400 or more (its body is read, bounded).
        :raises UnexpectedResponse: another answer that does not count as success.
        """
        success = spec.success or default_success(spec.method, Body.ANY)
        if "Range" in spec.headers:
            success = attrs.evolve(success, statuses=success.statuses | {206})
        with self.attempt(self._new_retry_state(spec)) as now, contextlib.closing(
            self._send_following_redirects(spec)
        ) as response:
            if response.status_code >= 400:
                self._raise_for_status(self._read_response(response, spec), response, spec)
            head = BufferedResponse(spec.description, response.status_code, response.headers, b"")
            if not success.accepts_status(head.status) or success.rejects_media_type(head.media_type):
                why = "" if success.accepts_status(head.status) else success.explain_failure(head)
                raise self._build_unexpected_response_error(
                    head, why or f"a page ({head.media_type}), not a file", response, spec
                )
            _lift_time_budget()
            yield response, now

    def _new_retry_state(self, spec: RequestSpec) -> RetryState:
        return RetryState(
            self.policy,
            self.clock,
            spec.description,
            idempotent=spec.retry_after_lost_response,
            rate_limits=self.rate_limits,
            errors=self.errors,
            rules=self._retry_rules,
        )

    # -- one try ----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def attempt(self, retry_state: RetryState) -> Iterator[Attempt]:
        """Begin an attempt, unless the calling thread is within one.

        :param retry_state: those that it is one of.
        """
        now = attempts.current_attempt()
        if now is not None:
            yield now
            return
        with Attempt(self.timeout[1], retry_state.time_limits()).activate() as fresh:
            yield fresh

    def _send_following_redirects(self, spec: RequestSpec) -> requests.Response:
        self._reset_after_fork()
        outside = sys.exc_info()[1]
        url, params = spec.url, list(spec.params)
        for hops in range(100):
            self.rate_limits.wait(url)
            lines = None
            if log.isEnabledFor(logging.DEBUG):
                lines = RequestLogger(spec.method, url, spec.body, self.clock, self.policy.attempts)
            error: Optional[BaseException] = None
            try:
                response = self._send(spec, url, params)
            except _TRANSLATED_EXCEPTIONS as failure:
                error = self._translate_exception(failure, spec.description, outside)
            if error is not None:
                if lines is not None and isinstance(error, SmartxferError):
                    lines.log_failure(error)
                raise self._as_server_error(error, spec, url, hops)
            with contextlib.ExitStack() as closing:
                closing.callback(response.close)
                if lines is not None:
                    lines.log_response(response)
                if response.status_code < 200:
                    _close_interim_connection(response)
                onward = self.translate_errors(
                    spec.description, redirect_target, response, spec.method, hops, spec.follow_307
                )
                self.rate_limits.record_response(url, response.status_code)
                if onward is None:
                    closing.pop_all()
                    return response
            url, params = onward, []
        raise AssertionError("redirects are bounded")  # pragma: no cover

    def _send(self, spec: RequestSpec, url: str, params: List[Tuple[str, str]]) -> requests.Response:
        target = Origin.parse(url)
        ours = self.origin.allows_credentials_for(target)
        headers = {"User-Agent": self._user_agent, "Accept-Encoding": "identity", **spec.headers}
        if spec.body is not None and hasattr(spec.body, "seek"):
            spec.body.seek(0)
        now = attempts.current_attempt()
        if now is not None and hasattr(spec.body, "set_attempt"):
            spec.body.set_attempt(now)
        request = requests.Request(
            spec.method,
            url,
            params=params,
            headers=headers,
            data=spec.body,
            auth=spec.auth if ours and spec.auth else _skip_auth,
        )
        # Cookies and headers of a caller's session are for the service alone.
        prepared = (self.session if ours else requests.Session()).prepare_request(request)
        if self._owns_session:
            settings: Dict[str, Any] = self._connection_settings.for_origin(target)
        else:
            settings = self._connection_settings.merged_with_session(self.session, prepared.url or url)
        settings["stream"] = True
        timeout = attempts.limit_timeout(
            (self.timeout[0], min(spec.read_timeout or self.timeout[1], self.timeout[1]))
        )
        if not self._owns_session:
            prepare_caller_session(self.session, prepared, settings)
        response = self.session.send(prepared, timeout=timeout, allow_redirects=False, **settings)
        return response if self._owns_session else restore_location(response)

    def _read_response(self, response: requests.Response, spec: RequestSpec) -> BufferedResponse:
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        packed = not is_identity_encoding(encoding)  # by us: older versions of urllib3 unpack without bound

        # A long answer is expected as it was asked for: plain.
        most = min(spec.max_response_bytes, MAX_RESPONSE_BYTES) if packed else spec.max_response_bytes

        def bounded(total: int) -> None:
            if total > most:
                raise DecodeError(f"{spec.description}: the answer is over {most} bytes")

        def content() -> bytes:
            read = io.BytesIO()  # which gives its bytes without a copy
            for part in iter(lambda: response.raw.read1(65536, False), b""):
                bounded(read.tell() + len(part))
                read.write(part)
            now = attempts.current_attempt()
            if now is not None and now.abort_error is not None and "Content-Length" not in response.headers:
                raise now.abort_error  # a socket that was shut looks like the end of the body
            body = (
                decompress_bounded(spec.description, read.getvalue(), encoding, most)
                if packed
                else read.getvalue()
            )
            bounded(len(body))
            return body

        try:
            body = self.translate_errors(spec.description, content)
        except (NetworkError, DecodeError):
            if response.status_code < 400:
                raise
            body = b""  # an error may break off, or be of any size: its status says enough
        cookies = [(cookie.name, cookie.value or "") for cookie in response.cookies]
        return BufferedResponse(
            spec.description, response.status_code, response.headers, body, cookies, errors=self.errors
        )

    def translate_errors(self, description: str, function: Callable[..., T], *args: Any) -> T:
        """Do one step on the wire, with its failures made ours.

        :param description: the request in words.
        """
        outside = sys.exc_info()[1]
        try:
            return function(*args)
        except _TRANSLATED_EXCEPTIONS as failure:
            error = self._translate_exception(failure, description, outside)
        raise error  # out here, where no other error is its context

    def _translate_exception(
        self, exception: BaseException, description: str, ignore_context: Optional[BaseException]
    ) -> BaseException:
        """Return the error that a failure on the wire means; it is raised once that one is dealt with.

        :param ignore_context: the error that was being dealt with before the step that failed.
        """
        error = exception
        if isinstance(exception, NETWORK_EXCEPTIONS):
            now = attempts.current_attempt()
            error = translate_exception(exception, description, ignore_context)
            if now is not None and now.abort_error is not None:
                error = _resolve_abort_error(now.abort_error, description, error)
        return self.errors.convert(
            error.with_traceback(None)
        )  # the libraries' frames have headers in the clear

    def _as_server_error(
        self, error: BaseException, spec: RequestSpec, url: str, redirect_count: int
    ) -> BaseException:
        """Return the error of a request: the server's fault, where only it can have named the address."""
        if not isinstance(error, UsageError) or (
            not redirect_count and self.origin.allows_credentials_for(Origin.parse(url))
        ):
            return error
        kind = self.errors.class_for(RedirectRefused if redirect_count else DecodeError)
        return kind(f"{spec.description}: the server names an invalid address: {error.summary}")

    def _raise_for_status(
        self, buffered: BufferedResponse, response: requests.Response, spec: RequestSpec
    ) -> BufferedResponse:
        if buffered.status >= 400:
            where = strip_query(response.url or spec.url)
            raise self.rate_limits.record_error(
                self.errors.convert(self._build_error(buffered, spec.method, where))
            )
        fault = (spec.success or default_success(spec.method)).explain_failure(buffered)
        if fault:
            raise self._build_unexpected_response_error(buffered, fault, response, spec)
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
            kind=self.errors.class_for(UnexpectedResponse),
            message=reason.replace(f"{spec.description}: ", "", 1),
        )

    def _reset_after_fork(self) -> None:
        if self._pid != os.getpid():
            self._pid = os.getpid()
            if self._owns_session:
                for adapter in self.session.adapters.values():
                    adapter.close()


def _resolve_abort_error(
    abort_error: SmartxferError, description: str, error: SmartxferError
) -> SmartxferError:
    """Return why another thread ended an attempt.

    :param error: how the attempt failed then.
    """
    if isinstance(abort_error, Stalled):  # that thread knows no more than the socket
        return Stalled(
            f"{description}: {abort_error.summary}",
            hint=abort_error.hint,
            may_have_been_processed=error.may_have_been_processed,
        )
    return abort_error


def _lift_time_budget() -> None:
    """End the budget of the current attempt: a file arrives."""
    now = attempts.current_attempt()
    if now is not None and now.time_limits is not None:
        now.time_limits.lift_budget()


def _close_interim_connection(response: requests.Response) -> None:
    """Close the connection of an interim answer: the final one is still to come over it.

    Only the connections of a caller's own session take an interim answer for the final one.
    """
    connection = getattr(response.raw, "connection", None)
    if connection is not None:
        connection.close()


def _skip_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Stands where requests would otherwise look into netrc."""
    return request
