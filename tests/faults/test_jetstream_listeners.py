"""Other servers in place of a JetStream server, unknown host names, and ports without HTTP: F43."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest
import trustme

from smartxfer import errors
from smartxfer.jetstream import JetStream, server_probe
from tests.support.fake_clock import FakeClock
from tests.support.jetstream_harness import SEND_FILES, lying, lying_api
from tests.support.raw_server import Peer, RawServer, answering, status
from tests.support.stopwatch import Stopwatch

#: Words that every error about a port without a usable JetStream server contains.
EXPLAINED = r"8886.*smartxfer serve.*smartxfer jetstream-bridge"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first contact that is given up sooner."""
    monkeypatch.setattr(server_probe, "_PROBE_READ_TIMEOUT", 0.3)


def _saying(words: bytes) -> Any:
    """A server that says this and then nothing."""
    return lambda peer: (peer.send(words), peer.hang())


LISTENERS: Dict[str, Any] = {
    "garbage": (_saying(b"\x00\x00\x00\x2aJET\x01\xff\xfe binary, and no end of line\r\n\r\n"), errors.NotAnHTTPServer),
    "banner": (_saying(b"220 files.example.org ready\r\n"), errors.NotAnHTTPServer),
    "closes": (lambda peer: peer.head(), errors.NetworkError),
    "closes at once": (lambda peer: peer.close(), errors.NetworkError),
    "resets": (lambda peer: (peer.head(), peer.reset()), errors.NetworkError),
    "silent": (lambda peer: peer.hang(), errors.ReadTimeout),
    "another web server": (answering(status(404, b"<html>nothing here</html>")), errors.NotFound),
    "a page": (answering(status(200, b"<html>welcome</html>", "Content-Type: text/html")), errors.CommunicationError),
}


def _fails_to_connect(kind: Any, address: str, *port: int, match: str = EXPLAINED, **options: Any) -> Any:
    """Return the error of the first contact: one error, not a story."""
    api = JetStream().api(address, *port, clock=FakeClock(chance=0.0), **options)
    with pytest.raises(kind, match=match) as caught:
        api.connect()
    api.close()
    if match == EXPLAINED:
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    return caught.value


@pytest.mark.parametrize("name", LISTENERS)
def test_a_port_without_a_jetstream_server(name: str) -> None:
    """Detect an error that leaves the user alone, a stack of others, or tries without end at a silent port."""
    handler, kind = LISTENERS[name]
    with RawServer(handler) as server:
        watch = Stopwatch()
        error = _fails_to_connect(kind, "127.0.0.1", server.port)
        assert watch.seconds() < 3
    if name in ("garbage", "banner", "silent"):
        assert server.connections == 1, "asked once"
    assert "\n" not in str(error)
    assert "JetStream's own control port" in str(error)


def test_with_tls() -> None:
    """JetStream's own port has a certificate: spoken to in the clear, and by https."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    with RawServer(lambda peer: peer.hang(), tls) as server:
        _fails_to_connect(errors.CommunicationError, f"127.0.0.1:{server.port}")
        assert "verify=" in str(_fails_to_connect(errors.TLSError, server.url))


def test_the_default_limit_is_ten_seconds() -> None:
    """Default limit that the other tests shorten; a shorter time-out of the client takes precedence."""
    source = Path(server_probe.__file__).read_text("utf-8")
    assert "\n_PROBE_READ_TIMEOUT = 10.0\n" in source
    with RawServer(lambda peer: peer.hang()) as server:
        watch = Stopwatch()
        _fails_to_connect(errors.ReadTimeout, "127.0.0.1", server.port, timeout=(1, 0.1))
        assert watch.seconds() < 0.3
        assert server.connections == 1


def test_a_server_that_thinks_is_waited_for_after_the_first_contact() -> None:
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
    assert (done.returncode, done.stderr.count("Traceback")) == (1, 1)
    assert "during handling" not in done.stderr.lower()
    assert "direct cause" not in done.stderr
    assert "jetstream-bridge" in done.stderr.splitlines()[-1]


# -- F43: names that lead nowhere -----------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["files.invalid", "files.invalid:8886", "https://files.invalid/base"])
def test_f43_a_name_that_does_not_resolve(address: str) -> None:
    """Detect a time-out, or a message that has no host in it."""
    error = _fails_to_connect(errors.NetworkError, address, match="files.invalid", user="ann", password="a-password")
    assert not isinstance(error, errors.ConnectTimeout)
    assert not error.may_have_been_processed
    assert EXPLAINED not in str(error), "no server was reached that could be something else"
    assert "getaddrinfo" not in str(error)


def test_f43_in_a_destination() -> None:
    """The server resolves the name of the far server; the client does not look it up."""
    with lying_api(SEND_FILES) as api:
        assert api.send_files(["/a.bin"], "far.invalid:8886").status == "complete"


def test_f43_ipv6_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with two addresses, of which the first is dead."""
    real = socket.getaddrinfo

    def both(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "localhost":
            return real(host, port, *args, **kwargs)
        four = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)), four]

    monkeypatch.setattr(socket, "getaddrinfo", both)
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
        _fails_to_connect(errors.NetworkError, "::1", port, match=rf"http://\[::1\]:{port}/jsonrpc")
