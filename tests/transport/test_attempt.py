from __future__ import annotations

import socket
import threading
from typing import Iterator, Tuple

import pytest

from smartxfer.errors import Cancelled, Stalled
from smartxfer.transport import Attempt
from smartxfer.transport.attempt import current_attempt


@pytest.fixture
def pair() -> Iterator[Tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_it_is_current_while_entered_and_in_its_thread_only() -> None:
    assert current_attempt() is None
    seen = []
    with Attempt().activate() as outer:
        assert current_attempt() is outer
        with Attempt().activate() as inner:
            assert current_attempt() is inner
        assert current_attempt() is outer
        thread = threading.Thread(target=lambda: seen.append(current_attempt()))
        thread.start()
        thread.join(5)
    assert current_attempt() is None
    assert seen == [None]


def test_ending_it_wakes_a_blocked_read(pair: Tuple[socket.socket, socket.socket]) -> None:
    got = []
    reading = threading.Event()
    attempt = Attempt()

    def read() -> None:
        with attempt.activate():
            attempt.attach_socket(pair[0])
            reading.set()
            got.append(pair[0].recv(1))

    thread = threading.Thread(target=read)
    thread.start()
    assert reading.wait(5)
    attempt.abort(Cancelled("enough"))
    thread.join(5)
    assert got == [b""]


def test_the_first_abort_error_is_kept() -> None:
    attempt = Attempt()
    attempt.abort(Stalled("slow"))
    attempt.abort(Cancelled("enough"))
    assert isinstance(attempt.abort_error, Stalled)


def test_a_socket_that_comes_after_the_end_is_shut(pair: Tuple[socket.socket, socket.socket]) -> None:
    attempt = Attempt()
    with attempt.activate():
        attempt.abort(Cancelled("enough"))
        attempt.attach_socket(pair[0])
        pair[1].settimeout(5)
        assert pair[1].recv(1) == b""


def test_a_socket_that_is_no_longer_held_is_let_be(pair: Tuple[socket.socket, socket.socket]) -> None:
    attempt = Attempt()
    with attempt.activate():
        attempt.attach_socket(pair[0])
    attempt.abort(Cancelled("enough"))
    pair[0].sendall(b"x")
    assert pair[1].recv(1) == b"x"
