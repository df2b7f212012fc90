"""Files of certificates that cannot be used are refused before a connection is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest
import requests

from smartxfer.errors import ConfigError
from smartxfer.transport import Body, HTTPTransport, RequestSpec, Success
from tests.support.certificates import server_context, trustme
from tests.support.raw_server import RawServer, answering, status

MakeWire = Callable[..., HTTPTransport]


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Dict[str, str]:
    """Paths of certificates, good and bad, by name."""
    directory = tmp_path_factory.mktemp("pem")
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    for name in ("one", "two"):
        made = authority.issue_cert(f"{name}@example.org")
        made.cert_chain_pems[0].write_to_path(str(directory / f"{name}.pem"))
        made.private_key_pem.write_to_path(str(directory / f"{name}.key"))
    (directory / "empty.pem").write_bytes(b"")
    (directory / "text.pem").write_text("<html>not a certificate</html>")
    names = ["ca.pem", "one.pem", "one.key", "two.pem", "two.key", "empty.pem", "text.pem", "missing.pem"]
    return {name: str(directory / name) for name in names}


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[RawServer]:
    with RawServer(answering(status(200, b"there")), tls=server_context(authority)) as running:
        yield running


def post(url: str) -> RequestSpec:
    """A request whose lost answer may mean that something was made."""
    return RequestSpec("POST", f"{url}/x", body=b"data", success=Success({200}, Body.ANY))


def refused(wire: Callable[[], HTTPTransport], server: RawServer, *words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        wire().request_once(post(server.url))
    for word in words:
        assert word in str(caught.value)
    assert "may exist" not in str(caught.value)
    assert caught.value.hint
    assert server.connections == 0


@pytest.mark.parametrize(
    ("name", "why"),
    [("missing.pem", "does not exist"), ("empty.pem", "no certificate"), ("text.pem", "no certificate")],
)
def test_a_bundle_that_is_given(
    make_wire: MakeWire, server: RawServer, files: Dict[str, str], name: str, why: str
) -> None:
    refused(lambda: make_wire(server.url, verify=files[name]), server, "verify=", files[name], why)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize(("name", "why"), [("missing.pem", "does not exist"), ("empty.pem", "no certificate")])
def test_a_bundle_of_the_environment(
    make_wire: MakeWire, server: RawServer, files: Dict[str, str], monkeypatch: pytest.MonkeyPatch,
    variable: str, name: str, why: str,
) -> None:
    monkeypatch.setenv(variable, files[name])
    refused(lambda: make_wire(server.url), server, variable, files[name], why)
    assert make_wire("http://127.0.0.1:1")  # without TLS the bundle is not needed


@pytest.mark.parametrize(
    ("cert", "why"),
    [
        (("missing.pem",), "does not exist"), (("one.pem", "missing.pem"), "key of the client certificate"),
        (("one.pem", "two.key"), "not a certificate"), (("text.pem",), "not a certificate"),
        (("one.pem",), "not a certificate"),
    ],
)
def test_a_client_certificate(
    make_wire: MakeWire, server: RawServer, files: Dict[str, str], cert: Any, why: str
) -> None:
    paths = tuple(files[name] for name in cert)
    given = paths if len(paths) == 2 else paths[0]
    refused(lambda: make_wire(server.url, verify=files["ca.pem"], cert=given), server, "cert=", why)


@pytest.mark.parametrize("cert", [{"cert": "x"}, 5, ("a", "b", "c"), "", "a\0b", ("a", None)])
def test_a_client_certificate_of_a_wrong_type(make_wire: MakeWire, cert: Any) -> None:
    with pytest.raises(ConfigError, match="cert="):
        make_wire("https://127.0.0.1:1", cert=cert)


@pytest.mark.parametrize("verify", ["", "a\0b", None, 5])
def test_a_bundle_of_a_wrong_type(make_wire: MakeWire, verify: Any) -> None:
    """Detect an empty path, which requests takes for ``verify=False``."""
    with pytest.raises(ConfigError, match="verify="):
        make_wire("https://127.0.0.1:1", verify=verify)


def test_a_bundle_that_is_removed(make_wire: MakeWire, server: RawServer, files: Dict[str, str], tmp_path: Path) -> None:
    """Detect a check of the first request alone."""
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(Path(files["ca.pem"]).read_bytes())
    wire = make_wire(server.url, verify=str(bundle))
    assert wire.request_once(post(server.url)).text == "there"
    bundle.unlink()
    with pytest.raises(ConfigError, match="does not exist"):
        wire.request_once(post(server.url))
    assert len(server.requests) == 1


def test_a_bundle_and_a_key_of_a_callers_session(
    make_wire: MakeWire, server: RawServer, files: Dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with requests.Session() as session:
        session.verify = files["missing.pem"]
        refused(lambda: make_wire(server.url, session=session), server, "session.verify", "does not exist")
        session.verify = files["ca.pem"]
        session.cert = files["missing.pem"]
        refused(lambda: make_wire(server.url, session=session), server, "session.cert", "does not exist")
        session.cert, session.verify = None, True
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", files["empty.pem"])
        refused(lambda: make_wire(server.url, session=session), server, "REQUESTS_CA_BUNDLE")


def test_what_can_be_used(
    make_wire: MakeWire, server: RawServer, files: Dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = (files["one.pem"], files["one.key"])
    assert make_wire(server.url, verify=files["ca.pem"], cert=pair).request_once(post(server.url)).text == "there"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", files["missing.pem"])
    assert make_wire(server.url, verify=Path(files["ca.pem"])).request_once(post(server.url)).text == "there"
