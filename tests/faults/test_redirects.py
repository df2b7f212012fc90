"""Servers that send us elsewhere: F31, F33."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, List

import pytest
import trustme

from smartxfer import GuestAuth
from smartxfer.errors import NetworkError, RedirectRefused, SmartxferError, UsageError
from tests.support.filesender_harness import CHUNK, COMPLETE, CREATE, DOWNLOAD, noise
from tests.support.proxies import TLSFront
from tests.support.raw_server import Peer, RawServer, Request, answering, ranged, refused_port

DATA = noise(100_000)
SECRET_WORDS = ("authorization", "cookie", "csrfptoken", "x-filesender-security-token")


@pytest.fixture
def thief() -> Iterator[RawServer]:
    """Another origin, which answers everything and remembers it."""

    def reply(request: Request, peer: Peer) -> None:
        ranged(DATA)(request, peer)

    with RawServer(answering(reply)) as server:
        yield server


def _stolen(thief: RawServer, *secrets: str) -> List[str]:
    """Return the secrets that reached the other origin."""
    found = []
    for request in thief.requests:
        found += [name for name in SECRET_WORDS if name in request.headers]
        seen = request.target + repr(request.headers) + request.body.decode("latin-1")
        found += [word for word in ("signature", "remote_user", *secrets) if word in seen]
    return found


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_f31_a_signed_get_is_redirected_without_its_signature(harness: Any, thief: RawServer, code: int) -> None:
    transfer = harness.published(DATA)
    harness.fault("GET /rest.php/transfer/*", f"redirect {thief.url}/other {code}")
    client = harness.client()
    client.prepare()
    client.session.cookies.set("PHPSESSID", "crumb")  # without a domain: for anyone
    with pytest.raises(SmartxferError):
        client.transfers.get(transfer.id)
    assert [request.target for request in thief.requests] == ["/other"]
    assert _stolen(thief, harness.auth.api_key, "crumb") == []


@pytest.mark.parametrize("code", [302, 307])
def test_f31_a_download_from_elsewhere(harness: Any, thief: RawServer, code: int) -> None:
    """Sites may keep their files on another host; it sees what the site's own address shows it, no more."""
    transfer = harness.published(DATA)
    harness.fault(DOWNLOAD, f"redirect {thief.url}/bytes {code}")
    client = harness.client()
    client.prepare()
    client.session.cookies.set("PHPSESSID", "crumb")
    client.download_files(transfer.token, harness.out)
    assert (harness.out / "a.bin").read_bytes() == DATA
    assert len(thief.requests) == 1
    assert _stolen(thief, harness.auth.api_key, transfer.token, "crumb") == []


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("match", [CREATE, CHUNK, COMPLETE], ids=["POST", "PUT chunk", "PUT"])
def test_f31_what_writes_is_never_redirected(harness: Any, thief: RawServer, match: str, code: int) -> None:
    fault = harness.fault(match, f"redirect {thief.url}{{target}} {code}")
    client = harness.client()
    with pytest.raises(RedirectRefused, match="base URL") as caught:
        client.upload_workflow([harness.file(DATA[:1000])], link=True)
    assert (fault.fired, thief.requests) == (1, [])
    assert "signature" not in str(caught.value)
    if match == COMPLETE:
        assert harness.status == "uploading"


@pytest.mark.parametrize("match", [CREATE, CHUNK])
def test_f31_a_guests_tokens_stay_too(harness: Any, thief: RawServer, match: str) -> None:
    guest = harness.client().create_guest({"recipient": "bob@example.net", "from": "ann@example.org"})
    client = harness.client(auth=GuestAuth(guest.token))
    harness.fault(match, f"redirect {thief.url}{{target}} 307")
    with pytest.raises(RedirectRefused):
        client.upload_workflow([harness.file(DATA[:1000])], link=True)
    assert thief.requests == []


def test_f31_the_same_host_may_be_left_no_more_than_five_times(harness: Any) -> None:
    fault = harness.fault("GET /rest.php/info", "redirect {target}", times=None)
    with pytest.raises(RedirectRefused, match="more than 5 redirects"):
        harness.client().get_server_info()
    assert fault.fired == 6


def test_f31_five_hops_are_followed(harness: Any) -> None:
    harness.fault("GET /rest.php/info", "redirect {target}", times=5)
    assert harness.client().get_server_info()["name"] == "FileSender"


@pytest.mark.parametrize("match", ["GET /rest.php/info", DOWNLOAD])
def test_f31_never_from_https_to_http(harness: Any, thief: RawServer, tmp_path: Path, match: str) -> None:
    transfer = harness.published(DATA)
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with TLSFront(harness.site.listener.port, _tls(authority)) as front:
        client = harness.client(front.url, verify=str(bundle))
        client.prepare()
        harness.fault(match, f"redirect {thief.url}/plain")
        with pytest.raises(RedirectRefused, match="from https to http"):
            client.get_server_info()
            client.download_files(transfer.token, harness.out)
        client.close()
    assert thief.requests == []


def _tls(authority: trustme.CA) -> Any:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://127.0.0.1/x", "javascript:alert(1)", "http://[bad/"])
def test_f33_an_address_that_is_not_http(harness: Any, where: str) -> None:
    transfer = harness.published(DATA)
    harness.fault(DOWNLOAD, f"redirect {where}")
    with pytest.raises(RedirectRefused):
        harness.client().download_files(transfer.token, harness.out)
    assert not (harness.out / "a.bin").exists()


def test_f33_a_port_without_a_server(harness: Any) -> None:
    transfer = harness.published(DATA)
    with refused_port() as port:
        fault = harness.fault(DOWNLOAD, f"redirect http://127.0.0.1:{port}/x", times=None)
        with pytest.raises(NetworkError):
            harness.client().download_files(transfer.token, harness.out)
    assert fault.fired == 6
    assert not (harness.out / "a.bin").exists()


def test_f33_a_link_to_another_origin_is_refused(harness: Any, thief: RawServer) -> None:
    """Its token belongs to that site: it is sent neither there nor to the client's own."""
    transfer = harness.published(DATA)
    link = f"{thief.url}/?s=download&token={transfer.token}"
    with pytest.raises(UsageError, match="the link belongs to"):
        harness.client().download_files(link, harness.out)
    assert thief.requests == []
    assert [seen for seen in harness.site.requests if seen.path == "/"] == []
    assert not (harness.out / "a.bin").exists()


def test_f33_no_user_names_in_addresses(harness: Any) -> None:
    with pytest.raises(UsageError, match="must not contain a user name or password"):
        harness.client("http://ann:secret@127.0.0.1:1/")
