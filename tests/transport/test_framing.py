"""Answers with a broken head: a typed error about the server, and never one about the caller's arguments."""

from __future__ import annotations

import socket
from typing import Any, Callable, Iterator

import pytest
import requests

from smartxfer.errors import CommunicationError, DecodeError, NetworkError, SmartxferError, UsageError
from smartxfer.perseus.storage import put_presigned
from smartxfer.transport import Body, HTTPTransport, RequestSpec, RetryPolicy, Success
from tests.support.raw_server import Peer, RawServer, Request, answering

MakeWire = Callable[..., HTTPTransport]
ONCE = RetryPolicy(attempts=1)
ANY = Success({200}, Body.ANY)


def saying(head: str, body: bytes = b"[12345]") -> Any:
    def reply(request: Request, peer: Peer) -> None:
        peer.send(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode("latin-1") + body)

    return answering(reply)


class _Own(requests.adapters.HTTPAdapter):
    """An adapter whose connections are urllib3's own."""

    get_connection_with_tls_context = None  # type: ignore[assignment]

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        return requests.adapters.HTTPAdapter().send(request, *args, **kwargs)


@pytest.fixture(params=["ours", "the caller's", "an adapter's"])
def make(request: pytest.FixtureRequest, make_wire: MakeWire) -> Iterator[MakeWire]:
    with requests.Session() as session:
        if request.param == "an adapter's":
            session.mount("http://", _Own())
        own = {} if request.param == "ours" else {"session": session}
        yield lambda url: make_wire(url, policy=ONCE, **own)


DIFFERING = [
    "Content-Length: 7\r\nContent-Length: 8\r\n", "Content-Length: 7, 8\r\n",
    "Content-Length: 7\r\nContent-Length: 7, 9\r\n",
]


@pytest.mark.parametrize("head", DIFFERING)
def test_differing_lengths_are_the_servers_fault(make: MakeWire, head: str) -> None:
    with RawServer(saying(head)) as server, pytest.raises(DecodeError, match="Content-Length") as caught:
        make(server.url).request(RequestSpec("GET", f"{server.url}/x"))
    assert not isinstance(caught.value, UsageError)
    assert "/x" in caught.value.summary


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: -7\r\n", "Content-Length: +7\r\n", "Content-Length: 0x7\r\n", "Content-Length: 7.0\r\n",
        "Content-Length: \r\n", "Content-Length: 7,\r\n", "Content-Length: seven\r\n", "Content-Length: 1_0\r\n",
        f"Content-Length: {1 << 63}\r\n", f"Content-Length: {'9' * 5000}\r\n", "Content-Length: \u00b2\r\n",
        "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: xchunked\r\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("how", ["request", "request_json_or_stream"])
def test_an_invalid_length(make_wire: MakeWire, head: str, how: str) -> None:
    """Fails if the body is read to the end of the connection, or by another rule than a proxy uses."""
    with RawServer(saying(head)) as server:
        wire = make_wire(server.url, policy=ONCE)
        with pytest.raises(DecodeError, match="Content-Length|Transfer-Encoding") as caught:
            getattr(wire, how)(RequestSpec("GET", f"{server.url}/x"))
    assert caught.value.hint


@pytest.mark.parametrize(
    "head",
    ["Content-Length: 7\r\nContent-Length: 7\r\n", "Content-Length: 7, 7\r\n", "Content-Length:7 \r\n"],
)
def test_a_length_that_is_repeated(make: MakeWire, head: str) -> None:
    with RawServer(saying(head)) as server:
        wire = make(server.url)
        for _ in range(2):
            assert wire.request(RequestSpec("GET", f"{server.url}/x")).json() == [12345]


def test_a_file_has_the_length_that_is_repeated(make_wire: MakeWire) -> None:
    with RawServer(saying("Content-Length: 7, 7\r\n")) as server:
        with make_wire(server.url).request_json_or_stream(RequestSpec("GET", f"{server.url}/x", success=ANY)) as file:
            assert (file.length, file.read()) == (7, b"[12345]")
        assert server.connections == 1


@pytest.mark.parametrize("size", ["-7", "+7", "0x7", "7_0", "", " 7", "seven", "7\r", "f" * 16])
def test_an_invalid_chunk_size(make_wire: MakeWire, size: str) -> None:
    body = f"{size}\r\n".encode() + b"[12345]\r\n0\r\n\r\n"
    with RawServer(saying("Transfer-Encoding: chunked\r\n", body)) as server:
        with pytest.raises(CommunicationError):
            make_wire(server.url, policy=ONCE).request(RequestSpec("GET", f"{server.url}/x"))


@pytest.mark.parametrize("size", ["7", "07", "0" * 15 + "7", "0" * 40 + "7", "7 ", "7;a=b", '7 ; a="b"'])
def test_a_chunk_size_with_an_extension(make_wire: MakeWire, size: str) -> None:
    body = f"{size}\r\n".encode() + b"[12345]\r\n0;x\r\n\r\n"
    with RawServer(saying("Transfer-Encoding: chunked\r\n", body)) as server:
        assert make_wire(server.url, policy=ONCE).request(RequestSpec("GET", f"{server.url}/x")).json() == [12345]


LOCATIONS = [
    "http://[", "http://[::1", "http://", "http:///x", "//", "http://a..b/x", "http://\u00fc\u00fc/", "http://exa mple/",
    "http://127.0.0.1:99999/", "http://127.0.0.1:port/", "http://%zz/", "http://user@/", "ftp://h/x", "javascript:x",
    "http://" + "a" * 64 + "/", "http://xn--/", "http://*/", "\x00", "http://127.0.0.1\\@h/", "http://\u0080/",
    "http://.../", "http://-a./",
]  # fmt: skip


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every host name unknown."""
    look_up = socket.getaddrinfo

    def only_numbers(host: Any, *args: Any, **kwargs: Any) -> Any:
        if str(host).isascii() and str(host).replace(".", "").isdigit():
            return look_up(host, *args, **kwargs)
        raise socket.gaierror(socket.EAI_NONAME, "unknown name")

    monkeypatch.setattr(socket, "getaddrinfo", only_numbers)


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("where", LOCATIONS)
def test_a_redirect_to_no_address(make: MakeWire, where: str) -> None:
    def onward(request: Request, peer: Peer) -> None:
        peer.answer(302, b"[]", f"Location: {where}")

    with RawServer(answering(onward)) as server:
        for call in (RequestSpec("GET", f"{server.url}/x"), RequestSpec("POST", f"{server.url}/x")):
            with pytest.raises(SmartxferError) as caught:
                make(server.url).request(call)
            assert not isinstance(caught.value, UsageError)
            assert isinstance(caught.value, CommunicationError)


@pytest.mark.parametrize(
    "head",
    [
        "Content-Type: text/plain; charset=\x00\r\n", "Content-Type: application/json; charset=nonesuch\r\n",
        "Content-Type: \r\n", "Content-Type: application/json; charset*=x'y'%ff\r\n", "Set-Cookie: \x00=;;;=\r\n",
        'Set-Cookie: a=b; expires=never; max-age=x; domain=[; port="x"; version=y\r\n', ": empty\r\n", "no colon\r\n",
        "X: y\r\n z\r\n", "\u00fc: \u00fc\r\n", "Content-Encoding: nonesuch\r\n", "Retry-After: x\r\n", "Retry-After: 1e99\r\n",
        "Date: x\r\n", "Connection: \x00\r\n", "Keep-Alive: timeout=x\r\n", "X" * 300 + ": y\r\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 302, 401, 407, 429, 500, 503])
def test_odd_headers(make_wire: MakeWire, head: str, status: int) -> None:
    def reply(request: Request, peer: Peer) -> None:
        head_ = f"HTTP/1.1 {status} OK\r\nContent-Length: 2\r\n{head}\r\n".encode("latin-1")
        peer.send(head_ + b"[]")

    with RawServer(answering(reply)) as server:
        wire = make_wire(server.url, policy=ONCE)
        for call in (RequestSpec("GET", f"{server.url}/x"), RequestSpec("POST", f"{server.url}/x")):
            try:
                assert wire.request(call).json() == []
            except CommunicationError as error:
                assert not isinstance(error, UsageError)


def test_an_address_of_the_callers_is_still_an_argument(make: MakeWire) -> None:
    with RawServer(saying("")) as server, pytest.raises(UsageError):
        make(server.url).request(RequestSpec("GET", f"{server.url}/x", headers={"X": "a\nb"}))


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("where", LOCATIONS)
def test_a_storage_without_address(make_wire: MakeWire, where: str) -> None:
    """Fails if a storage address that an answer leaves empty is used."""
    with RawServer(saying("")) as server, pytest.raises(CommunicationError) as caught:
        put_presigned(make_wire(server.url, policy=ONCE), where, b"x")
    assert not isinstance(caught.value, UsageError)


@pytest.mark.parametrize("head", ["Content-Le", "", "A: b\r\n"])
def test_a_head_that_breaks_off_is_no_answer(make_wire: MakeWire, head: str) -> None:
    def reply(request: Request, peer: Peer) -> None:
        peer.send(f"HTTP/1.1 200 OK\r\n{head}".encode())
        peer.close()

    call = {"success": Success({200}, Body.EMPTY)}
    with RawServer(answering(reply)) as server, pytest.raises(NetworkError, match="within the headers"):
        make_wire(server.url, policy=ONCE).request(RequestSpec("PUT", f"{server.url}/x", **call))
