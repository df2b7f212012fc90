"""Other servers in place of a JetStream server, unknown host names, and ports without HTTP: F43."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import trustme

from smartxfer.errors import (
    CommunicationError,
    ConnectTimeout,
    NetworkError,
    NotAnHTTPServer,
    NotFound,
    ReadTimeout,
    TLSError,
)
from smartxfer.jetstream import JetStream, server_probe
from tests.support.fake_clock import FakeClock
from tests.support.jetstream_harness import lying, task
from tests.support.raw_server import Peer, RawServer, answering, status
from tests.support.stopwatch import Stopwatch

#: Words that every error about a port without a usable JetStream server contains.
EXPLAINED = r"8886.*smartxfer serve.*smartxfer jetstream-bridge"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first contact that is given up sooner."""
    monkeypatch.setattr(server_probe, "_PROBE_READ_TIMEOUT", 0.3)


def _garbage(peer: Peer) -> None:
    peer.send(b"\x00\x00\x00\x2aJET\x01\xff\xfe binary, and no end of line\r\n\r\n")
    peer.hang()


def _banner(peer: Peer) -> None:
    peer.send(b"220 files.example.org ready\r\n")
    peer.hang()


def _closes(peer: Peer) -> None:
    peer.head()


def _closes_at_once(peer: Peer) -> None:
    peer.close()


def _resets(peer: Peer) -> None:
    peer.head()
    peer.reset()


LISTENERS: Dict[str, Any] = {
    "garbage": (_garbage, NotAnHTTPServer),
    "banner": (_banner, NotAnHTTPServer),
    "closes": (_closes, NetworkError),
    "closes at once": (_closes_at_once, NetworkError),
    "resets": (_resets, NetworkError),
    "silent": (lambda peer: peer.hang(), ReadTimeout),
    "another web server": (answering(status(404, b"<html>nothing here</html>")), NotFound),
    "a page": (answering(status(200, b"<html>welcome</html>", "Content-Type: text/html")), CommunicationError),
}


@pytest.mark.parametrize("name", LISTENERS)
def test_a_port_without_a_jetstream_server(name: str) -> None:
    """Detect an error that leaves the user alone, a stack of others, or tries without end at a silent port."""
    handler, kind = LISTENERS[name]
    with RawServer(handler) as server:
        api = JetStream().api("127.0.0.1", server.port, clock=FakeClock(chance=0.0))
        watch = Stopwatch()
        with pytest.raises(kind, match=EXPLAINED) as caught:
            api.connect()
        watch.seconds()
        api.close()
    assert watch.seconds() < 3
    if name in ("garbage", "banner", "silent"):
        assert server.connections == 1, "asked once"
    error = caught.value
    assert (error.__cause__, error.__context__) == (None, None), "one error, not a story"
    assert "\n" not in str(error)
    assert "JetStream's own control port" in str(error)


def test_with_tls(tmp_path: Path) -> None:
    """JetStream's own port has a certificate: spoken to in the clear, and by https."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    with RawServer(lambda peer: peer.hang(), tls) as server:
        for address, kind in ((f"127.0.0.1:{server.port}", CommunicationError), (server.url, TLSError)):
            api = JetStream().api(address, clock=FakeClock(chance=0.0))
            with pytest.raises(kind, match=EXPLAINED) as caught:
                api.connect()
            assert (caught.value.__cause__, caught.value.__context__) == (None, None)
            api.close()
        assert "verify=" in str(caught.value)


def test_the_default_limit_is_ten_seconds() -> None:
    """Default limit that the other tests shorten; a shorter time-out of the client takes precedence."""
    source = Path(server_probe.__file__).read_text("utf-8")
    assert "\n_PROBE_READ_TIMEOUT = 10.0\n" in source
    with RawServer(lambda peer: peer.hang()) as server:
        api = JetStream().api("127.0.0.1", server.port, timeout=(1, 0.1), clock=FakeClock())
        watch = Stopwatch()
        with pytest.raises(ReadTimeout, match=EXPLAINED):
            api.connect()
        assert watch.seconds() < 0.3
        assert server.connections == 1
        api.close()


def test_a_server_that_thinks_is_waited_for_after_the_first_contact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Detect the short patience of the first contact where it does not belong."""
    def slowly(request: Any, peer: Peer) -> None:
        call = json.loads(request.body or b'{"method": ""}')
        if call["method"] == "echo":
            peer.server.ended.wait(0.5)
        result = "x" if call["method"] == "echo" else {"authRequired": False}
        answer = {"jsonrpc": "2.0", "id": call.get("id"), "result": result}
        peer.answer(200, json.dumps(answer).encode(), "Content-Type: application/json")

    with RawServer(answering(slowly)) as server, JetStream().api(server.url) as api:
        assert api.server.echo("x") == "x"


_PROGRAM = """
from smartxfer.jetstream import JetStream
import smartxfer.jetstream.server_probe
smartxfer.jetstream.server_probe._PROBE_READ_TIMEOUT = 0.3
api = JetStream().api("127.0.0.1", {port})
api.connect()
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["garbage", "silent"])
def test_what_a_script_shows(name: str) -> None:
    """One traceback, that of the script's own line, and in its last line the explanation."""
    with RawServer(LISTENERS[name][0]) as server:
        command = [sys.executable, "-c", _PROGRAM.format(port=server.port)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    assert "during handling" not in done.stderr.lower()
    assert "direct cause" not in done.stderr
    assert "jetstream-bridge" in done.stderr.splitlines()[-1]


# -- F43: names that lead nowhere -----------------------------------------------------------------------------


def _name_that_does_not_resolve(host: str) -> Callable[[], None]:
    return lambda: JetStream().api(host, user="ann", password="a-password", clock=FakeClock()).connect()


@pytest.mark.parametrize("address", ["files.invalid", "files.invalid:8886", "https://files.invalid/base"])
def test_f43_a_name_that_does_not_resolve(address: str) -> None:
    """Detect a time-out, or a message that has no host in it."""
    with pytest.raises(NetworkError, match="files.invalid") as caught:
        _name_that_does_not_resolve(address)()
    assert not isinstance(caught.value, ConnectTimeout)
    assert not caught.value.may_have_been_processed
    assert EXPLAINED not in str(caught.value), "no server was reached that could be something else"
    assert "getaddrinfo" not in str(caught.value)


def test_f43_in_a_destination() -> None:
    """The server resolves the name of the far server; the client does not look it up."""
    answers: Dict[str, Any] = {
        "send.createDestination": {"destinationId": "1"},
        "send.createManifest": {"manifestId": "2", "processing": True},
        "send.waitForManifest": {"manifestId": "2", "status": "complete", "processing": False},
        "send.createTransfer": task("7", "pending", True),
        "send.waitForTransfer": task("7", "complete", False),
    }
    with lying(answers) as server, JetStream().api(server.url) as api:
        assert api.send_files(["/a.bin"], "far.invalid:8886").status == "complete"


@pytest.fixture
def no_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with two addresses, of which the first is dead."""
    real = socket.getaddrinfo

    def both(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "localhost":
            return real(host, port, *args, **kwargs)
        four = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)), four]

    monkeypatch.setattr(socket, "getaddrinfo", both)


def test_f43_ipv6_is_dead(no_ipv6: None) -> None:
    with lying({}) as server, JetStream().api("localhost", server.port) as api:
        assert api.server.getServerInfo().server_name == "lying"


def test_f43_an_ipv6_address() -> None:
    """No server listens: the message has the address in brackets."""
    with socket.socket(socket.AF_INET6) as sock:
        try:
            sock.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no ::1")
        port = sock.getsockname()[1]
        with pytest.raises(NetworkError, match=rf"http://\[::1\]:{port}/jsonrpc"):
            JetStream().api("::1", port, clock=FakeClock()).connect()
