"""Proxies, TLS, and connections that are aborted while they are set up."""

from __future__ import annotations

import gc
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from smartxfer.errors import Cancelled, ClientError, ConnectTimeout, NetworkError, ProxyError, TLSError
from smartxfer.transport import Attempt, Body, HTTPTransport, RequestSpec, RetryPolicy, Success
from tests.support.certificates import server_context, trustme
from tests.support.raw_server import PATIENCE, Peer, RawServer, Request, answering, refused_port, status
from tests.support.stopwatch import Stopwatch

MakeWire = Callable[..., HTTPTransport]
#: The body does not matter here.
ANY = Success({200}, Body.ANY)
ONCE = RetryPolicy(attempts=1)
#: Before Python 3.11 http.client leaves the answer to a failed CONNECT open; collected within the test.
OLD_TUNNELS = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


there = status(200, b"there")


# -- TLS -----------------------------------------------------------------------------------------------


def test_a_private_authority(make_wire: MakeWire, authority: trustme.CA, bundle: str) -> None:
    with RawServer(answering(there), tls=server_context(authority)) as server:
        with pytest.raises(TLSError, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed") as caught:
            make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x"))
        assert "verify=" in caught.value.hint
        assert "REQUESTS_CA_BUNDLE" in caught.value.hint
        assert server.requests == []
        assert make_wire(server.url, verify=bundle).request(RequestSpec("GET", f"{server.url}/x", success=ANY)).text == "there"


def test_the_environments_bundle(
    make_wire: MakeWire, authority: trustme.CA, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    with RawServer(answering(there), tls=server_context(authority)) as server:
        assert make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x", success=ANY)).text == "there"


def test_a_certificate_for_another_host(make_wire: MakeWire, authority: trustme.CA, bundle: str) -> None:
    with RawServer(answering(there), tls=server_context(authority, "other.example")) as server:
        with pytest.raises(TLSError, match=r"127\.0\.0\.1"):
            make_wire(server.url, verify=bundle).request(RequestSpec("GET", f"{server.url}/x"))
        assert server.connections == 1  # no retry


def test_a_client_certificate(
    make_wire: MakeWire, authority: trustme.CA, bundle: str, tmp_path: Path
) -> None:
    asking = server_context(authority)
    asking.verify_mode = ssl.CERT_REQUIRED
    asking.maximum_version = ssl.TLSVersion.TLSv1_2  # so that the refusal comes within the handshake
    authority.configure_trust(asking)
    pem = tmp_path / "me.pem"
    authority.issue_cert("me@example.org").private_key_and_cert_chain_pem.write_to_path(str(pem))
    with RawServer(answering(there), tls=asking) as server:
        call = RequestSpec("GET", f"{server.url}/x", success=ANY)
        with pytest.raises(TLSError):
            make_wire(server.url, verify=bundle).request(call)
        assert make_wire(server.url, verify=bundle, cert=str(pem)).request(call).text == "there"


# -- proxies -------------------------------------------------------------------------------------------


def test_a_proxy_gets_the_request(make_wire: MakeWire) -> None:
    with RawServer(answering(there)) as proxy:
        wire = make_wire("http://127.0.0.1:9", proxies={"http": proxy.url})
        assert wire.request(RequestSpec("GET", "http://127.0.0.1:9/x", success=ANY)).text == "there"
        assert proxy.requests[0].target == "http://127.0.0.1:9/x"


def test_no_proxy(make_wire: MakeWire, monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(answering(there)) as server, RawServer(answering(there)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x", success=ANY))
        assert (len(server.requests), len(proxy.requests)) == (0, 1)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x", success=ANY))
        assert (len(server.requests), len(proxy.requests)) == (1, 1)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there(make_wire: MakeWire, scheme: str) -> None:
    url = f"{scheme}://127.0.0.1:9"
    with refused_port() as port:
        wire = make_wire(url, proxies={scheme: f"http://me:SECRET@127.0.0.1:{port}"})
        with pytest.raises(ProxyError, match="refused") as caught:
            wire.request(RequestSpec("GET", f"{url}/x"))
    assert "NO_PROXY" in caught.value.hint
    assert "SECRET" not in str(caught.value)


@OLD_TUNNELS
def test_a_proxy_that_wants_a_password(make_wire: MakeWire) -> None:
    def ask(request: Request, peer: Peer) -> None:
        peer.answer(407, b"who are you?", "Connection: close")
        peer.close()

    with RawServer(answering(ask)) as proxy:
        wire = make_wire("https://127.0.0.1:9", proxies={"https": proxy.url})
        with pytest.raises(ProxyError, match="407") as caught:
            wire.request(RequestSpec("GET", "https://127.0.0.1:9/x"))
        assert "proxies=" in caught.value.hint
        wire = make_wire("http://127.0.0.1:9", proxies={"http": proxy.url})
        with pytest.raises(ClientError, match="proxies="):
            wire.request(RequestSpec("GET", "http://127.0.0.1:9/x"))
        assert [request.method for request in proxy.requests] == ["CONNECT", "GET"]
    del caught
    gc.collect()


@OLD_TUNNELS
def test_a_proxy_that_drops_the_tunnel(make_wire: MakeWire) -> None:
    with RawServer(answering(lambda request, peer: peer.reset())) as proxy:
        wire = make_wire("https://127.0.0.1:9", proxies={"https": proxy.url}, policy=ONCE)
        with pytest.raises(NetworkError):
            wire.request(RequestSpec("GET", "https://127.0.0.1:9/x"))
    gc.collect()


def test_tls_through_a_tunnel(make_wire: MakeWire, authority: trustme.CA, bundle: str) -> None:
    def tunnel(peer: Peer) -> None:
        found = peer.head()
        assert found is not None
        assert found[0].split()[:2] == ["CONNECT", f"127.0.0.1:{server.port}"]
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as onward:
            back = threading.Thread(target=pump, args=(onward, peer.sock))
            back.start()
            pump(peer.sock, onward)
            back.join(PATIENCE)

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    with RawServer(answering(there), tls=server_context(authority)) as server, RawServer(
        tunnel
    ) as proxy:
        wire = make_wire(server.url, verify=bundle, proxies={"https": proxy.url})
        assert wire.request(RequestSpec("GET", f"{server.url}/x", success=ANY)).text == "there"
        wire.close()


# -- time-outs and ends --------------------------------------------------------------------------------


@pytest.fixture
def deaf() -> Iterator[str]:
    """The URL of a listener whose queue is full: connections to it are never made."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        queued: List[socket.socket] = []
        try:
            for _ in range(8):
                sock = socket.socket()
                queued.append(sock)
                sock.settimeout(0.2)
                sock.connect(address)
            raise AssertionError("the queue never filled")
        except socket.timeout:
            yield f"http://127.0.0.1:{address[1]}"
        finally:
            for sock in queued:
                sock.close()


def test_connect_time_out(make_wire: MakeWire, deaf: str) -> None:
    wire = make_wire(deaf, timeout=(0.2, 30.0), policy=ONCE)
    with pytest.raises(ConnectTimeout, match=r"0\.2 s") as caught:
        wire.request(RequestSpec("POST", f"{deaf}/x"))
    assert caught.value.may_have_been_processed is False


def check_abort(wire: HTTPTransport, call: RequestSpec, ready: Callable[[], bool], **attempt_options: Any) -> None:
    """Abort a request once ``ready()``, 0.2 s after its start at the earliest: it raises the error within a second."""
    attempt, caught = Attempt(**attempt_options), []  # type: Tuple[Attempt, List[BaseException]]

    def work() -> None:
        try:
            with attempt.activate():
                wire.request_once(call)
        except Exception as error:  # noqa: BLE001 - compared below
            caught.append(error)

    thread, began = threading.Thread(target=work), time.monotonic()
    thread.start()
    while not (ready() and time.monotonic() > began + 0.2) and time.monotonic() < began + PATIENCE:
        time.sleep(0.01)
    error, watch = Cancelled("enough"), Stopwatch()
    attempt.abort(error)
    thread.join(PATIENCE)
    assert watch.seconds() < 1
    assert caught == [error]


def test_a_connection_in_the_making_ends_within_a_second(make_wire: MakeWire, deaf: str) -> None:
    check_abort(make_wire(deaf, timeout=(30.0, 30.0)), RequestSpec("GET", f"{deaf}/x"), lambda: True)


def test_a_handshake_in_the_making_ends_within_a_second(make_wire: MakeWire) -> None:
    with RawServer(lambda peer: peer.hang()) as server:  # takes the connection, says nothing
        url = server.url.replace("http:", "https:")
        wire = make_wire(url, timeout=(30.0, 30.0))
        check_abort(wire, RequestSpec("GET", f"{url}/x"), lambda: server.connections > 0)


@pytest.mark.parametrize("secure", [False, True])
def test_a_blocked_read_ends_within_a_second(
    make_wire: MakeWire, authority: trustme.CA, bundle: str, secure: bool
) -> None:
    def silent(peer: Peer) -> None:
        peer.request()
        peer.hang()

    with RawServer(silent, tls=server_context(authority) if secure else None) as server:
        wire = make_wire(server.url, verify=bundle, timeout=(30.0, 30.0))
        check_abort(wire, RequestSpec("GET", f"{server.url}/x"), lambda: bool(server.requests))
        assert server.hung_up.wait(PATIENCE)


def test_a_blocked_send_ends_within_a_second(make_wire: MakeWire) -> None:
    taken = threading.Event()

    def deaf_in_the_middle(peer: Peer) -> None:
        peer.head()
        taken.set()
        server.ended.wait(PATIENCE)

    with RawServer(deaf_in_the_middle) as server:
        wire = make_wire(server.url, timeout=(30.0, 30.0))
        call = RequestSpec("PUT", f"{server.url}/x", body=bytes(64 * 1024 * 1024))
        check_abort(wire, call, taken.is_set, send_timeout=30.0)


def test_sending_has_a_time_out_of_its_own(make_wire: MakeWire) -> None:
    def deaf_in_the_middle(peer: Peer) -> None:
        peer.head()
        server.ended.wait(PATIENCE)

    with RawServer(deaf_in_the_middle) as server:
        wire = make_wire(server.url, timeout=(0.3, 0.3))  # neither figure may end a slow send
        with Attempt(send_timeout=1.0).activate():
            began = time.monotonic()
            with pytest.raises(NetworkError):
                wire.request_once(RequestSpec("PUT", f"{server.url}/x", body=bytes(64 * 1024 * 1024)))
            assert time.monotonic() - began > 0.9


def test_an_address_family_that_is_missing_is_passed_over(make_wire: MakeWire, monkeypatch: Any) -> None:
    found = socket.getaddrinfo
    real = socket.socket

    def both(host: Any, port: Any, *args: Any) -> Any:
        dead = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0))
        return [dead, *found(host, port, socket.AF_INET, socket.SOCK_STREAM)]

    def without_six(family: int = socket.AF_INET, *args: Any, **kwargs: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(family, *args, **kwargs)

    with RawServer(answering(there)) as server:
        wire = make_wire(server.url)
        with monkeypatch.context() as patch:
            patch.setattr("smartxfer.transport.connection.socket.getaddrinfo", both)
            patch.setattr("smartxfer.transport.connection.socket.socket", without_six)
            answer = wire.request(RequestSpec("GET", f"{server.url}/x", success=ANY))
        assert answer.text == "there"
