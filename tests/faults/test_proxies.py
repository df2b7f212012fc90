"""Proxies and certificates: F42."""

from __future__ import annotations

import datetime as dt
import gc
import ssl
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest
import trustme

from smartxfer.errors import HTTPError, NetworkError, OutcomeUnknown, ProxyError, TLSError
from tests.support.filesender_harness import noise
from tests.support.proxies import Proxy, TLSFront
from tests.support.raw_server import refused_port

DATA = noise(100_000)
PASSWORD = "proxypassword"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return the authority that signs the certificates."""
    return trustme.CA()


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    """Path of its certificate."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def front(harness: Any, authority: trustme.CA) -> Iterator[Callable[..., TLSFront]]:
    """``front(certificate)``: the site behind TLS."""
    fronts = []

    def make(certificate: Any = None, clients: Any = None) -> TLSFront:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (certificate or authority.issue_cert("127.0.0.1")).configure_cert(context)
        if clients is not None:
            clients.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        fronts.append(TLSFront(harness.site.listener.port, context).__enter__())
        return fronts[-1]

    yield make
    harness.close()  # connections that stand open would hold the front up
    for made in fronts:
        made.__exit__(None, None, None)


def _both_ways(harness: Any, client: Any) -> None:
    transfer = client.upload_workflow([harness.file(DATA)], link=True)
    client.download_files(transfer.token, harness.out)
    assert (harness.out / "a.bin").read_bytes() == DATA
    client.close()


def test_f42_through_a_proxy(harness: Any) -> None:
    with Proxy() as proxy:
        _both_ways(harness, harness.client(proxies={"http": proxy.url}))
    assert len(proxy.asked) > 5
    assert all(line.split(" ")[1].startswith(harness.url) for line, _ in proxy.asked)


def test_f42_through_a_tunnel(harness: Any, front: Any, bundle: str) -> None:
    site = front()
    with Proxy() as proxy:
        client = harness.client(site.url, proxies={"https": proxy.url}, verify=bundle)
        _both_ways(harness, client)
    assert {line.rpartition(" ")[0] for line, _ in proxy.asked} == {f"CONNECT 127.0.0.1:{site.port}"}


def test_f42_a_proxy_with_a_password(harness: Any, log: Any) -> None:
    with Proxy() as proxy:
        address = proxy.url.replace("://", f"://ann:{PASSWORD}@")
        _both_ways(harness, harness.client(proxies={"http": address}))
    assert {given for _, given in proxy.asked} == {"Basic YW5uOnByb3h5cGFzc3dvcmQ="}
    assert PASSWORD not in log.text


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_f42_no_server_at_the_proxys_address(harness: Any, log: Any, scheme: str) -> None:
    with refused_port() as port:
        proxy = f"http://ann:{PASSWORD}@127.0.0.1:{port}"
        client = harness.client(f"{scheme}://127.0.0.1:9", proxies={scheme: proxy})
        with pytest.raises(ProxyError) as caught:
            client.get_server_info()
    assert "proxies=" in caught.value.hint
    assert PASSWORD not in log.text + str(caught.value)


# The answer that refuses a tunnel is left to the collector by older versions of http.client.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("answer", "tries"), [("407 Proxy Authentication Required", 1), ("503 No", 1), ("", 6)]
)
def test_f42_the_proxy_refuses_the_tunnel(harness: Any, log: Any, answer: str, tries: int) -> None:
    with Proxy(answer) as proxy:
        address = proxy.url.replace("://", f"://ann:{PASSWORD}@")
        client = harness.client("https://127.0.0.1:9", proxies={"https": address})
        with pytest.raises(ProxyError) as caught:
            client.get_server_info()
    assert "proxies=" in caught.value.hint
    assert len(proxy.asked) == tries, "worth another try only where the connection broke off"
    assert PASSWORD not in log.text + str(caught.value)
    del caught
    gc.collect()


def test_f42_the_proxy_wants_a_password(harness: Any) -> None:
    with Proxy("407 Proxy Authentication Required") as proxy:
        with pytest.raises(HTTPError, match="407") as caught:
            harness.client(proxies={"http": proxy.url}).get_server_info()
    assert caught.value.status == 407
    assert "proxies=" in caught.value.hint


def test_f42_the_environments_proxy_and_its_exceptions(harness: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with refused_port() as port:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        with pytest.raises(ProxyError):
            harness.client().get_server_info()
        with Proxy() as proxy:  # an argument goes before the environment
            assert harness.client(proxies={"http": proxy.url}).get_server_info()
            assert harness.client(proxies={}).get_server_info()
        assert len(proxy.asked) == 1
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "example.org,127.0.0.1")
        _both_ways(harness, harness.client())


@pytest.mark.parametrize("given", ["verify=", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_f42_an_authority_of_ones_own(
    harness: Any, front: Any, bundle: str, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    if given != "verify=":
        monkeypatch.setenv(given, bundle)
    _both_ways(harness, harness.client(front().url, **({"verify": bundle} if given == "verify=" else {})))


#: The host and the options of a certificate, whether its authority is known, and the error.
CERTIFICATES: Dict[str, Any] = {
    "unknown authority": ("127.0.0.1", {}, False, "certificate verify failed"),
    "expired": ("127.0.0.1", {"not_after": dt.datetime(2001, 1, 1, tzinfo=dt.timezone.utc)}, True, "expired"),
    "another host": ("filesender.example.org", {}, True, "127.0.0.1"),
}


@pytest.mark.parametrize("case", CERTIFICATES)
def test_f42_an_invalid_certificate(harness: Any, front: Any, authority: trustme.CA, bundle: str, case: str) -> None:
    host, options, known, words = CERTIFICATES[case]
    site = front(authority.issue_cert(host, **options))
    with pytest.raises(TLSError, match=words) as caught:
        harness.client(site.url, **({"verify": bundle} if known else {})).get_server_info()
    if not known:
        assert "verify=" in caught.value.hint
        assert "REQUESTS_CA_BUNDLE" in caught.value.hint


def test_f42_a_site_that_wants_certificates(
    harness: Any, front: Any, authority: trustme.CA, bundle: str, tmp_path: Path
) -> None:
    site = front(clients=authority)
    ours = tmp_path / "ours.pem"
    authority.issue_cert("ann@example.org").private_key_and_cert_chain_pem.write_to_path(str(ours))
    _both_ways(harness, harness.client(site.url, verify=bundle, cert=str(ours)))
    with pytest.raises(NetworkError) as caught:
        harness.client(site.url, verify=bundle).get_server_info()
    # A server may end the connection before its alert is read.
    if isinstance(caught.value, TLSError):
        assert "cert=" in caught.value.hint


def test_f42_tls_meets_plain_http(harness: Any, front: Any) -> None:
    for url, kind in ((front().url.replace("https", "http"), NetworkError), (harness.url.replace("http", "https"), TLSError)):
        with pytest.raises(kind):
            harness.client(url).get_server_info()


@pytest.mark.parametrize("effect", ["reset-before", "lose-answer"])
def test_f42_what_breaks_behind_a_proxy_is_not_the_proxys_fault(harness: Any, effect: str) -> None:
    """A creation that may have passed the proxy is not repeated; a chunk is."""
    with Proxy() as proxy:
        client = harness.client(proxies={"http": proxy.url})
        fault = harness.fault("PUT /rest.php/file/*/chunk/*", effect, times=2)
        client.upload_workflow([harness.file(DATA)], link=True)
        assert fault.fired == 2
        assert harness.stored()["a.bin"] == DATA
        harness.fault("POST /rest.php/transfer", effect)
        with pytest.raises(OutcomeUnknown, match="may exist"):
            client.upload_workflow([harness.file(DATA)], link=True)
        client.close()
    assert len([line for line, _ in proxy.asked if line.startswith("POST ")]) == 2
