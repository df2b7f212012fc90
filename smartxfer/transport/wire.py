"""Sending requests: one try, or tries by the policy."""

import contextlib
import io
import logging
import os
import sys
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Type, TypeVar

import attrs
import requests

from smartxfer.error_families import GENERIC, ErrorFamily
from smartxfer.errors import (
    DecodeError,
    HTTPError,
    NetworkError,
    RedirectRefused,
    SmartxferError,
    Stalled,
    UnexpectedAnswer,
    UsageError,
)
from smartxfer.seams import SYSTEM_CLOCK, Clock
from smartxfer.transport import attempt as attempts
from smartxfer.transport.answer import MAX_ANSWER, Answer, is_json, is_plain, unpacked
from smartxfer.transport.archive import new_check
from smartxfer.transport.attempt import Attempt
from smartxfer.transport.call import Call
from smartxfer.transport.certificates import CertFiles, Verify
from smartxfer.transport.checks import Check
from smartxfer.transport.failures import WIRE_FAILURES, translate
from smartxfer.transport.limits import Limits
from smartxfer.transport.origin import Origin, next_url, without_query
from smartxfer.transport.request_log import RequestLines, log
from smartxfer.transport.retry import RetryPolicy
from smartxfer.transport.session import Route, make_session, show_redirect, watch_given
from smartxfer.transport.status import http_error
from smartxfer.transport.streamed import StreamedAnswer
from smartxfer.transport.success import Body, Success, by_method
from smartxfer.transport.tries import Tries

__all__ = ["Call", "StreamedAnswer", "Wire"]

T = TypeVar("T")
#: What a step on the wire fails with: of ours, of the libraries, and Ctrl-C.
_FAILURES: Tuple[Type[BaseException], ...] = (SmartxferError, KeyboardInterrupt, *WIRE_FAILURES)
ErrorOf = Callable[[Answer, str, str], HTTPError]


class Wire:
    """A client's way to its server: one session, one policy, one origin that may see its credentials.

    :param origin: the only origin for which ``Call.sign`` is called.
    :param error_of: makes the exception of an answer of 400 and more: (answer, method, url).
    :param errors: the service's, which every error becomes one of.
    :param checks: decisions about another try that the service alone can make.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        error_of: ErrorOf,
        errors: ErrorFamily = GENERIC,
        checks: Sequence[Check] = (),
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
        limits: Optional[Limits] = None,
    ) -> None:
        self.origin = origin
        self.policy = policy
        self.timeout = timeout
        self.clock = clock
        self.limits = limits or Limits(policy, clock)
        self.session = session if session is not None else make_session(policy, pool_size)
        self._owns_session = session is None
        self._user_agent = user_agent
        self._error_of, self.errors, self._checks = error_of, errors, checks
        self._route = Route(
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

    def fetch(self, call: Call) -> Answer:
        """The answer to ``call``, tried by the policy.

        :raises CommunicationError: no good answer, and no further try allowed.
        """
        attempts = self._tries(call).attempts(self.attempt)
        while True:
            with next(attempts):
                return self.once(call)

    def once(self, call: Call) -> Answer:
        """The answer to one try of ``call``."""
        with self.attempt(self._tries(call)):
            with contextlib.closing(self._open(call)) as response:
                return self._checked(self._read(response, call), response, call)

    def exchange(self, call: Call) -> Any:
        """The decoded JSON of the answer to ``call``, or an open file-like object for anything else.

        Where the call does not say what counts as success, a page for people does not.
        """
        success = call.success or by_method(call.method, Body.NO_PAGE)
        attempts = self._tries(call).attempts(self.attempt)
        while True:
            with next(attempts):
                return self._exchanged(call, success)

    def _exchanged(self, call: Call, success: Success) -> Any:
        response = self._open(call)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        empty = response.status_code == 204 or response.headers.get("Content-Length") == "0"
        file = success.body in (Body.ANY, Body.NO_PAGE) and not (empty or (call.decode and is_json(kind)))
        if file and success.takes(response.status_code) and not success.wrong_type(kind):
            _lift()
            check = None if call.archive is None else new_check(call.archive, call.what)
            return StreamedAnswer(self.guarded, call.what, response, check)
        with contextlib.closing(response):
            answer = self._checked(self._read(response, call), response, attrs.evolve(call, success=success))
            return answer.json() if answer.content else None

    @contextlib.contextmanager
    def stream(self, call: Call) -> Iterator[Tuple[requests.Response, Attempt]]:
        """One try of ``call`` whose body is left unread: for files; and the attempt that it is.

        Of ``Call.success`` its statuses count, and 206 where a range is asked for.  A page for people is
        refused where it says :attr:`~smartxfer.transport.success.Body.NO_PAGE`.

        :raises HTTPError: the answer is 400 or more (its body is read, bounded).
        :raises UnexpectedAnswer: another answer that does not count as success.
        """
        success = call.success or by_method(call.method, Body.ANY)
        if "Range" in call.headers:
            success = attrs.evolve(success, statuses=success.statuses | {206})
        with self.attempt(self._tries(call)) as now, contextlib.closing(self._open(call)) as response:
            if response.status_code >= 400:
                self._checked(self._read(response, call), response, call)
            head = Answer(call.what, response.status_code, response.headers, b"")
            if not success.takes(head.status) or success.wrong_type(head.media_type):
                why = "" if success.takes(head.status) else success.fault(head)
                raise self._unexpected(head, why or f"a page ({head.media_type}), not a file", response, call)
            _lift()
            yield response, now

    def _tries(self, call: Call) -> Tries:
        return Tries(
            self.policy,
            self.clock,
            call.what,
            idempotent=call.repeatable,
            limits=self.limits,
            errors=self.errors,
            checks=self._checks,
        )

    # -- one try ----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def attempt(self, tries: Tries) -> Iterator[Attempt]:
        """Begin an attempt, unless the calling thread is within one.

        :param tries: those that it is one of.
        """
        now = attempts.current()
        if now is not None:
            yield now
            return
        with Attempt(self.timeout[1], tries.time_limits()).entered() as fresh:
            yield fresh

    def _open(self, call: Call) -> requests.Response:
        self._mind_the_fork()
        outside = sys.exc_info()[1]
        url, params = call.url, list(call.params)
        for hops in range(100):
            self.limits.wait(url)
            lines = None
            if log.isEnabledFor(logging.DEBUG):
                lines = RequestLines(call.method, url, call.body, self.clock, self.policy.attempts)
            error: Optional[BaseException] = None
            try:
                response = self._send(call, url, params)
            except _FAILURES as failure:
                error = self._ours(failure, call.what, outside)
            if error is not None:
                if lines is not None and isinstance(error, SmartxferError):
                    lines.failed(error)
                raise self._blamed(error, call, url, hops)
            with contextlib.ExitStack() as closing:
                closing.callback(response.close)
                if lines is not None:
                    lines.answered(response)
                if response.status_code < 200:
                    _drop(response)
                onward = self.guarded(call.what, next_url, response, call.method, hops, call.follow_307)
                self.limits.answered(url, response.status_code)
                if onward is None:
                    closing.pop_all()
                    return response
            url, params = onward, []
        raise AssertionError("redirects are bounded")  # pragma: no cover

    def _send(self, call: Call, url: str, params: List[Tuple[str, str]]) -> requests.Response:
        target = Origin.of(url)
        ours = self.origin.trusts(target)
        headers = {"User-Agent": self._user_agent, "Accept-Encoding": "identity", **call.headers}
        if call.body is not None and hasattr(call.body, "seek"):
            call.body.seek(0)
        now = attempts.current()
        if now is not None and hasattr(call.body, "follow"):
            call.body.follow(now)
        request = requests.Request(
            call.method,
            url,
            params=params,
            headers=headers,
            data=call.body,
            auth=call.sign if ours and call.sign else _no_auth,
        )
        # Cookies and headers of a caller's session are for the service alone.
        prepared = (self.session if ours else requests.Session()).prepare_request(request)
        if self._owns_session:
            settings: Dict[str, Any] = self._route.settings(target)
        else:
            settings = self._route.over(self.session, prepared.url or url)
        settings["stream"] = True
        timeout = attempts.limited((self.timeout[0], min(call.patience or self.timeout[1], self.timeout[1])))
        if not self._owns_session:
            watch_given(self.session, prepared, settings)
        response = self.session.send(prepared, timeout=timeout, allow_redirects=False, **settings)
        return response if self._owns_session else show_redirect(response)

    def _read(self, response: requests.Response, call: Call) -> Answer:
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        packed = not is_plain(encoding)  # by us: older versions of urllib3 unpack without bound

        # A long answer is expected as it was asked for: plain.
        most = min(call.most, MAX_ANSWER) if packed else call.most

        def bounded(total: int) -> None:
            if total > most:
                raise DecodeError(f"{call.what}: the answer is over {most} bytes")

        def content() -> bytes:
            read = io.BytesIO()  # which gives its bytes without a copy
            for part in iter(lambda: response.raw.read1(65536, False), b""):
                bounded(read.tell() + len(part))
                read.write(part)
            now = attempts.current()
            if now is not None and now.verdict is not None and "Content-Length" not in response.headers:
                raise now.verdict  # a socket that was shut looks like the end of the body
            body = unpacked(call.what, read.getvalue(), encoding, most) if packed else read.getvalue()
            bounded(len(body))
            return body

        try:
            body = self.guarded(call.what, content)
        except (NetworkError, DecodeError):
            if response.status_code < 400:
                raise
            body = b""  # an error may break off, or be of any size: its status says enough
        cookies = [(cookie.name, cookie.value or "") for cookie in response.cookies]
        return Answer(call.what, response.status_code, response.headers, body, cookies, errors=self.errors)

    def guarded(self, what: str, step: Callable[..., T], *args: Any) -> T:
        """Do one step on the wire, with its failures made ours.

        :param what: the request in words.
        """
        outside = sys.exc_info()[1]
        try:
            return step(*args)
        except _FAILURES as failure:
            error = self._ours(failure, what, outside)
        raise error  # out here, where no other error is its context

    def _ours(self, failure: BaseException, what: str, outside: Optional[BaseException]) -> BaseException:
        """Return the error that a failure on the wire means; it is raised once that one is dealt with.

        :param outside: the error that was being dealt with before the step that failed.
        """
        error = failure
        if isinstance(failure, WIRE_FAILURES):
            now = attempts.current()
            error = translate(failure, what, outside)
            if now is not None and now.verdict is not None:
                error = _ended(now.verdict, what, error)
        return self.errors.of(error.with_traceback(None))  # the libraries' frames have headers in the clear

    def _blamed(self, error: BaseException, call: Call, url: str, hops: int) -> BaseException:
        """Return the error of a request: the server's fault, where only it can have named the address."""
        if not isinstance(error, UsageError) or (not hops and self.origin.trusts(Origin.of(url))):
            return error
        kind = self.errors.kind(RedirectRefused if hops else DecodeError)
        return kind(f"{call.what}: the server names an invalid address: {error.summary}")

    def _checked(self, answer: Answer, response: requests.Response, call: Call) -> Answer:
        if answer.status >= 400:
            where = without_query(response.url or call.url)
            raise self.limits.note_refusal(self.errors.of(self._error_of(answer, call.method, where)))
        fault = (call.success or by_method(call.method)).fault(answer)
        if fault:
            raise self._unexpected(answer, fault, response, call)
        return answer

    def _unexpected(self, answer: Answer, why: str, response: requests.Response, call: Call) -> HTTPError:
        return http_error(
            answer,
            call.method,
            without_query(response.url or call.url),
            policy=self.policy,
            clock=self.clock,
            kind=self.errors.kind(UnexpectedAnswer),
            message=why.replace(f"{call.what}: ", "", 1),
        )

    def _mind_the_fork(self) -> None:
        if self._pid != os.getpid():
            self._pid = os.getpid()
            if self._owns_session:
                for adapter in self.session.adapters.values():
                    adapter.close()


def _ended(verdict: SmartxferError, what: str, error: SmartxferError) -> SmartxferError:
    """Return why another thread ended an attempt.

    :param error: how the attempt failed then.
    """
    if isinstance(verdict, Stalled):  # that thread knows no more than the socket
        return Stalled(f"{what}: {verdict.summary}", hint=verdict.hint, acted_on=error.acted_on)
    return verdict


def _lift() -> None:
    """End the budget of the current attempt: a file arrives."""
    now = attempts.current()
    if now is not None and now.time_limits is not None:
        now.time_limits.lift()


def _drop(response: requests.Response) -> None:
    """Close the connection of an interim answer: the final one is still to come over it.

    Only the connections of a caller's own session take an interim answer for the final one.
    """
    connection = getattr(response.raw, "connection", None)
    if connection is not None:
        connection.close()


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Stands where requests would otherwise look into netrc."""
    return request
