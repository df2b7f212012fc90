"""A client certificate is presented to the service's own origin, and to other origins only if they are named."""

from __future__ import annotations

import contextlib
import os
import ssl
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest
import requests

from smartxfer import PerseusClient, RetryPolicy
from smartxfer.errors import UsageError
from smartxfer.transport import Body, HTTPTransport, Origin, RequestSpec, Success
from smartxfer.transport.session import ConnectionSettings
from tests.support.certificates import server_context, trustme
from tests.support.raw_server import Peer, RawServer, Request, answering

MakeWire = Callable[..., HTTPTransport]
ANY = Success({200}, Body.ANY)


class TlsServer:
    """A server that takes a client certificate where one is presented, and counts them.

    :param answer: answers a request.
    """

    def __init__(self, authority: trustme.CA, answer: Callable[[Request, Peer], None]) -> None:
        context = server_context(authority)
        context.verify_mode = ssl.CERT_OPTIONAL
        authority.configure_trust(context)
        #: Whether a certificate came, for each request.
        self.presented: List[bool] = []

        def reply(request: Request, peer: Peer) -> None:
            sock: Any = peer.sock
            self.presented.append(bool(sock.getpeercert()))
            answer(request, peer)

        self.server = RawServer(answering(reply), tls=context)


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Dict[str, str]:
    """Paths of the authority's and of a client's certificate."""
    directory = tmp_path_factory.mktemp("pem")
    paths = {"ca": str(directory / "ca.pem"), "me": str(directory / "me.pem")}
    authority.cert_pem.write_to_path(paths["ca"])
    authority.issue_cert("me@example.org").private_key_and_cert_chain_pem.write_to_path(paths["me"])
    return paths


def there(request: Request, peer: Peer) -> None:
    """Answer with a word, and to an upload with nothing."""
    peer.answer(200, b"" if request.method == "PUT" else b"there")


@pytest.fixture
def storage(authority: trustme.CA) -> Iterator[TlsServer]:
    made = TlsServer(authority, there)
    with made.server:
        yield made


@pytest.fixture
def service(authority: trustme.CA, storage: TlsServer) -> Iterator[TlsServer]:
    """A service that redirects to the storage, and signs an address there."""

    def answer(request: Request, peer: Peer) -> None:
        if request.path == "/redirect":
            peer.answer(302, b"", f"Location: {storage.server.url}/object")
        elif request.path.endswith("/find"):
            peer.answer(200, b'{"files": []}', "Content-Type: application/json")
        elif request.method == "POST":
            file = b'{"id": "1", "name": "a", "status": "pending"}'
            made = b'{"file": %s, "uploadUrl": "%s/object?X-Amz-Signature=c"}'
            url = storage.server.url.encode()
            peer.answer(200, made % (file, url), "Content-Type: application/json")
        else:
            peer.answer(200, b"here")

    made = TlsServer(authority, answer)
    with made.server:
        yield made


@pytest.mark.parametrize("whose", ["ours", "theirs"])
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("path", ["/redirect", "/object"])
def test_another_origin(
    make_wire: MakeWire, service: TlsServer, storage: TlsServer, files: Dict[str, str], path: str,
    named: bool, whose: str,
) -> None:
    """Fails if a redirect, or an address of another origin, shows it who asks; also with a caller's session."""
    options: Dict[str, Any] = {"cert_origins": [storage.server.url]} if named else {}
    with contextlib.ExitStack() as closing:
        if whose == "theirs":
            session = closing.enter_context(requests.Session())
            session.verify, session.cert = files["ca"], files["me"]
            options["session"] = session
        else:
            options.update(verify=files["ca"], cert=files["me"])
        wire = make_wire(service.server.url, **options)
        assert wire.request(RequestSpec("GET", f"{service.server.url}/x", success=ANY)).text == "here"
        base = service.server.url if path == "/redirect" else storage.server.url
        assert wire.request(RequestSpec("GET", base + path, success=ANY)).text == "there"
    assert all(service.presented)
    assert storage.presented == [named]


def test_presigned_storage(
    service: TlsServer, storage: TlsServer, files: Dict[str, str], tmp_path: Path
) -> None:
    """Fails if the storage of an upload sees the certificate."""
    options: Dict[str, Any] = {"verify": files["ca"], "cert": files["me"], "retry": RetryPolicy(attempts=1)}
    with PerseusClient(service.server.url, api_key="sk-1", **options) as client:
        client.file.upload_file(("a.txt", b"content"))
    assert service.presented
    assert all(service.presented)
    assert storage.presented == [False]


def test_its_own_https_counts_as_the_services_origin(files: Dict[str, str]) -> None:
    """Only on the standard ports, as for other credentials."""
    route = ConnectionSettings(True, files["me"], {}, Origin.parse("http://h.example"))
    assert route.for_origin(Origin.parse("https://h.example"))["cert"] == files["me"]
    for other in ("https://h.example:8443", "https://x.h.example", "https://example"):
        assert route.for_origin(Origin.parse(other))["cert"] is None


@pytest.mark.skipif(os.name != "posix", reason="a matter of POSIX systems")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o604])
def test_a_key_that_others_may_access(files: Dict[str, str], tmp_path: Path, mode: int, caplog: Any) -> None:
    """One warning per file, as of other secrets."""
    pem = tmp_path / "me.pem"
    pem.write_bytes(Path(files["me"]).read_bytes())
    pem.chmod(mode)
    for _ in range(2):
        ConnectionSettings(True, str(pem), {}, Origin.parse("https://h.example")).for_origin(Origin.parse("https://h.example"))
    said = [record.getMessage() for record in caplog.records]
    assert [f"chmod 600 {pem}" in text for text in said] == ([] if mode == 0o600 else [True])


@pytest.mark.parametrize("given", ["https://s3.example.org", ["s3.example.org"], ["ftp://s3.example.org"]])
def test_origins_that_are_not_addresses(given: Any) -> None:
    with PerseusClient("https://h.example", api_key="k", cert_origins=given) as client:
        with pytest.raises(UsageError):
            client.session  # noqa: B018 - it is made here
