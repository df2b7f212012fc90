"""Servers that send us elsewhere: F31, F33."""

from __future__ import annotations

import ssl
from functools import partial
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
import trustme

from smartxfer import GuestAuth
from smartxfer.errors import NetworkError, RedirectRefused, SmartxferError, UsageError
from tests.support.filesender_harness import CHUNK, COMPLETE, CREATE, DOWNLOAD, FileSenderHarness
from tests.support.nrp_harness import DATA
from tests.support.proxies import TLSFront
from tests.support.raw_server import RawServer, refused_port
from tests.support.smartfile_harness import UPLOAD, SmartFileHarness

HARNESSES: Dict[str, Any] = {"filesender": FileSenderHarness, "smartfile": SmartFileHarness}
each_service = pytest.mark.parametrize("service", HARNESSES)
each_code = pytest.mark.parametrize("code", [301, 302, 303, 307, 308])


@pytest.fixture
def service() -> str:
    """The service, unless a test tries several."""
    return "filesender"


@pytest.fixture
def harness(service: str, tmp_path: Path) -> Iterator[Any]:
    with HARNESSES[service](tmp_path) as started:
        yield started


def _with_cookie(harness: Any) -> Any:
    """A client whose session has a cookie without a domain: for anyone."""
    client = harness.client()
    if isinstance(harness, FileSenderHarness):
        client.prepare()
    client.session.cookies.set("sessionid", "crumb")
    return client


def _stolen(thief: RawServer, harness: Any, *secrets: str) -> List[str]:
    """Return the secrets that reached the other origin."""
    headers = ("authorization", "cookie", "csrfptoken", "x-filesender-security-token")
    ours = ("api_key", "key", "password")
    secrets += ("crumb", "signature", "remote_user", *filter(None, (getattr(harness.site, name, "") for name in ours)))
    found = []
    for request in thief.requests:
        found += [name for name in headers if name in request.headers]
        seen = request.target + repr(request.headers) + request.body.decode("latin-1")
        found += [word for word in secrets if word in seen]
    return found


@each_code
def test_f31_a_signed_get_is_redirected_without_its_signature(harness: Any, thief: RawServer, code: int) -> None:
    transfer = harness.published(DATA)
    harness.fault("GET /rest.php/transfer/*", f"redirect {thief.url}/other {code}")
    client = _with_cookie(harness)
    with pytest.raises(SmartxferError):
        client.transfers.get(transfer.id)
    assert [request.target for request in thief.requests] == ["/other"]
    assert _stolen(thief, harness) == []


@each_code
@pytest.mark.parametrize("service", ["smartfile"])
def test_f31_a_get_is_redirected_without_its_credentials(harness: Any, thief: RawServer, code: int) -> None:
    """Detect credentials that follow a redirect."""
    harness.site.write("/a.bin", DATA)
    harness.fault("GET /api/2/path/data/*", f"redirect {thief.url}/bytes {code}", times=2)
    api = _with_cookie(harness)
    api.download("/a.bin", harness.out)
    assert (harness.out / "a.bin").read_bytes() == DATA
    with api.get("/path/data", "/a.bin") as answer:
        assert answer.read() == DATA
    assert len(thief.requests) == 2
    assert _stolen(thief, harness) == []


@pytest.mark.parametrize("code", [302, 307])
def test_f31_a_download_from_elsewhere(harness: Any, thief: RawServer, code: int) -> None:
    """Sites may keep their files on another host; it sees what the site's own address shows it, no more."""
    transfer = harness.published(DATA)
    harness.fault(DOWNLOAD, f"redirect {thief.url}/bytes {code}")
    _with_cookie(harness).download_files(transfer.token, harness.out)
    assert (harness.out / "a.bin").read_bytes() == DATA
    assert len(thief.requests) == 1
    assert _stolen(thief, harness, transfer.token) == []


def _send(client: Any) -> Any:
    return client.upload_workflow([("a.bin", DATA[:1000])], link=True)


WRITES: Dict[str, Any] = {
    "filesender-create": (CREATE, _send),
    "filesender-chunk": (CHUNK, _send),
    "filesender-complete": (COMPLETE, _send),
    "smartfile-upload": (UPLOAD, lambda api: api.upload(("a", DATA))),
    "smartfile-raw": (UPLOAD, lambda api: api.post("/path/data/", file=("a", DATA))),
    "smartfile-oper": ("POST *", lambda api: api.mkdir("/d")),
    "smartfile-delete": ("DELETE *", lambda api: api.delete("/link", "x")),
}


@each_code
@pytest.mark.parametrize(("service", "write"), [(write.partition("-")[0], write) for write in WRITES])
def test_f31_what_writes_is_never_redirected(harness: Any, thief: RawServer, service: str, write: str, code: int) -> None:
    """Fails if a POST turns into a GET, or carries its file to another host."""
    match, call = WRITES[write]
    fault = harness.fault(match, f"redirect {thief.url}{{target}} {code}")
    with pytest.raises(RedirectRefused, match="base URL") as caught:
        call(harness.client())
    assert (fault.fired, thief.requests) == (1, [])
    assert "signature" not in str(caught.value)
    if service == "smartfile":
        assert harness.stored() == {}
    elif match == COMPLETE:
        assert harness.status == "uploading"


@pytest.mark.parametrize("match", [CREATE, CHUNK])
def test_f31_a_guests_tokens_stay_too(harness: Any, thief: RawServer, match: str) -> None:
    guest = harness.client().create_guest({"recipient": "bob@example.net", "from": "ann@example.org"})
    client = harness.client(auth=GuestAuth(guest.token))
    harness.fault(match, f"redirect {thief.url}{{target}} 307")
    with pytest.raises(RedirectRefused):
        client.upload_workflow([harness.file(DATA[:1000])], link=True)
    assert thief.requests == []


@each_service
def test_f31_the_same_host_may_be_left_no_more_than_five_times(harness: Any, service: str) -> None:
    match = {"filesender": "GET /rest.php/info", "smartfile": "GET /api/2/ping/"}[service]
    client = harness.client()
    call = client.get_server_info if service == "filesender" else partial(client.get, "/ping")
    fault = harness.fault(match, "redirect {target}", times=6)
    with pytest.raises(RedirectRefused, match="more than 5 redirects"):
        call()
    assert fault.fired == 6
    harness.fault(match, "redirect {target}", times=5)
    assert call()["name" if service == "filesender" else "ping"] in ("FileSender", "pong")


@pytest.mark.parametrize("match", ["GET /rest.php/info", DOWNLOAD])
def test_f31_never_from_https_to_http(harness: Any, thief: RawServer, tmp_path: Path, match: str) -> None:
    transfer = harness.published(DATA)
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with TLSFront(harness.site.listener.port, context) as front:
        client = harness.client(front.url, verify=str(bundle))
        client.prepare()
        harness.fault(match, f"redirect {thief.url}/plain")
        with pytest.raises(RedirectRefused, match="from https to http"):
            client.get_server_info()
            client.download_files(transfer.token, harness.out)
        client.close()
    assert thief.requests == []


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
