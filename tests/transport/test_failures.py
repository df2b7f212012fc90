"""Exceptions of the libraries below, and the errors that they become."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
from typing import Any, Callable

import pytest
import requests
import urllib3.exceptions as urllib3_errors

from smartxfer import errors
from smartxfer.transport import HTTPTransport, RequestSpec
from smartxfer.transport.error_mapping import NETWORK_EXCEPTIONS, translate_exception
from tests.support.raw_server import Peer, RawServer

MakeWire = Callable[..., HTTPTransport]
URL = "http://h/x?signature=SECRET"
POOL: Any = "HTTPConnectionPool(host='h', port=80)"


def wrapped(kind: Any, reason: BaseException) -> BaseException:
    """As requests hands on what urllib3 gave up on."""
    return kind(urllib3_errors.MaxRetryError(POOL, URL, reason))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), errors.NetworkError),
        (http.client.RemoteDisconnected("Remote end closed connection without response"), errors.NetworkError),
        (http.client.BadStatusLine("x"), errors.NotAnHTTPServer),
        (http.client.UnknownProtocol("JET/2"), errors.NotAnHTTPServer),
        (urllib3_errors.ProtocolError("Connection aborted.", http.client.BadStatusLine("\x16\x03")), errors.NotAnHTTPServer),
        (
            urllib3_errors.ProtocolError("Connection aborted.", http.client.RemoteDisconnected("closed")),
            errors.NetworkError,
        ),
        (
            urllib3_errors.ProtocolError("Connection aborted.", ConnectionResetError(104, "reset")),
            errors.NetworkError,
        ),
        (wrapped(requests.ConnectionError, urllib3_errors.NewConnectionError(POOL, "refused")), errors.NetworkError),
        (
            wrapped(
                requests.ConnectionError,
                urllib3_errors.NameResolutionError(
                    "h", POOL, socket.gaierror(-2, "Name or service not known")
                ),
            ),
            errors.NetworkError,
        ),
        (
            wrapped(requests.ConnectTimeout, urllib3_errors.ConnectTimeoutError(POOL, "no connection")),
            errors.ConnectTimeout,
        ),
        (requests.ReadTimeout(urllib3_errors.ReadTimeoutError(POOL, URL, "Read timed out.")), errors.ReadTimeout),
        (socket.timeout("timed out"), errors.ReadTimeout),
        (urllib3_errors.ProtocolError("Connection aborted.", socket.timeout("timed out")), errors.ReadTimeout),
        (requests.exceptions.SSLError(ssl.SSLCertVerificationError("self-signed")), errors.TLSError),
        (wrapped(requests.exceptions.SSLError, urllib3_errors.SSLError("bad")), errors.TLSError),
        (
            wrapped(requests.exceptions.ProxyError, urllib3_errors.ProxyError("407", OSError("407"))),
            errors.ProxyError,
        ),
        (http.client.IncompleteRead(b"abc", 7), errors.Truncated),
        (requests.exceptions.ContentDecodingError("zlib"), errors.DecodeError),
        (requests.exceptions.InvalidURL("no host"), errors.UsageError),
        (requests.exceptions.InvalidHeader("CR"), errors.UsageError),
    ],
)
def test_the_table(error: BaseException, kind: type) -> None:
    assert isinstance(error, NETWORK_EXCEPTIONS)
    ours = translate_exception(error, "GET http://h/x")
    assert type(ours) is kind
    assert str(ours).startswith("GET http://h/x: ")
    assert len(str(ours)) > len("GET http://h/x: ")
    assert "SECRET" not in str(ours)


def test_what_speaks_no_http_is_not_asked_again_and_shows_nothing_of_what_it_said() -> None:
    error = translate_exception(http.client.BadStatusLine("SECRET greeting"), "POST http://h/x")
    assert (error.retryable, isinstance(error, errors.DecodeError)) == (False, True)
    assert not isinstance(error, errors.NetworkError)
    assert "greeting" not in str(error)


def test_a_server_that_greets_before_it_is_asked(make_wire: MakeWire) -> None:
    def greet(peer: Peer) -> None:
        peer.head()
        peer.send(b"\x16\x03\x01 hello\r\n\r\n")

    with RawServer(greet) as server:
        with pytest.raises(errors.NotAnHTTPServer, match="did not send a valid HTTP response"):
            make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x"))
    assert server.connections == 1


def test_counts_of_a_truncated_body() -> None:
    inner = urllib3_errors.IncompleteRead(400, 600)
    error = translate_exception(
        requests.exceptions.ChunkedEncodingError(urllib3_errors.ProtocolError("x", inner)), "GET x"
    )
    assert isinstance(error, errors.Truncated)
    assert (error.got, error.expected) == (400, 1000)


def test_a_reset_within_a_body_is_no_truncation() -> None:
    reset = urllib3_errors.ProtocolError("Connection broken", ConnectionResetError(104, "reset by peer"))
    error = translate_exception(requests.exceptions.ChunkedEncodingError(reset), "GET x")
    assert type(error) is errors.NetworkError
    assert "reset by peer" in str(error)


def test_our_own_exceptions_come_through_as_they_are() -> None:
    mine: errors.SmartxferError = errors.Cancelled("enough")
    assert translate_exception(urllib3_errors.ProtocolError("Connection aborted.", mine), "GET x") is mine


def test_only_what_never_left_says_so() -> None:
    unsent = wrapped(requests.ConnectionError, urllib3_errors.NewConnectionError(POOL, "refused"))
    assert translate_exception(unsent, "POST x").may_have_been_processed is False
    assert translate_exception(ConnectionResetError(104, "reset"), "POST x").may_have_been_processed is True


def test_a_chain_that_bites_its_tail_ends() -> None:
    one, other = OSError("one"), OSError("other")
    one.__cause__, other.__cause__ = other, one
    assert type(translate_exception(one, "GET x")) is errors.NetworkError


def test_a_name_that_does_not_resolve(make_wire: MakeWire) -> None:
    url = "http://nowhere.invalid/x?token=SECRET"
    with pytest.raises(errors.NetworkError, match=r"GET http://nowhere\.invalid/x: Failed to .*not known") as caught:
        make_wire(url).request_once(RequestSpec("GET", url))
    assert type(caught.value) is errors.NetworkError
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_host_name_that_cannot_be_encoded(make_wire: MakeWire, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> Any:
        raise UnicodeError("label too long")

    wire = make_wire("http://127.0.0.1")
    monkeypatch.setattr("smartxfer.transport.connection.socket.getaddrinfo", refuse)
    with pytest.raises(errors.NetworkError, match="label too long"):
        wire.request_once(RequestSpec("GET", "http://127.0.0.1/x"))


def test_what_the_caller_was_handling_is_no_part_of_a_failure() -> None:
    mine = errors.UsageError("the caller's own trouble")
    try:
        try:
            raise mine
        except errors.UsageError:
            raise ConnectionResetError(104, "reset")  # noqa: B904 - just what a request in a handler does
    except ConnectionResetError as error:
        failure = error
    assert translate_exception(failure, "GET x") is mine
    assert type(translate_exception(failure, "GET x", mine)) is errors.NetworkError


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs limits of the system")
def test_too_many_open_files_says_what_to_do() -> None:
    import resource

    from smartxfer.transport import HTTPTransport, Origin, RequestSpec, RetryPolicy

    url = "http://127.0.0.1:9"
    wire = HTTPTransport(Origin.parse(url), build_error=None, user_agent="t", policy=RetryPolicy(), timeout=(5, 5))  # type: ignore[arg-type]
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        with pytest.raises(errors.NetworkError) as caught:
            wire.request_once(RequestSpec("GET", url))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert "ulimit -n" in caught.value.hint
    assert caught.value.retryable  # others may close theirs
