"""Repositories that send us elsewhere, and what may go there: F01, F31 to F33, with netrc and proxies."""

from __future__ import annotations

import contextlib
import json
from functools import partial
from pathlib import Path
from typing import Any, Dict, List

import pytest

from smartxfer.errors import Forbidden, NetworkError, RedirectRefused, SmartxferError, UsageError
from smartxfer.models import to_wire
from smartxfer.nrp import File, get_client
from tests.support.nrp_harness import DATA, DISCOVERY, DOWNLOAD, ENTRY, LIST, STORAGE_GET, NRPHarness, Served
from tests.support.proxies import Proxy
from tests.support.raw_server import RawServer, refused_port

FRESH = partial(Served, storage="local")
CODES = [301, 302, 303, 307, 308]


def _stolen(harness: NRPHarness, seen: Any) -> List[str]:
    """Return the secrets in the headers of requests: those to another server, or some of our own's."""
    if isinstance(seen, RawServer):
        seen = [{**request.headers, ":target": request.target} for request in seen.requests]
    found = [name for head in seen for name in ("authorization", "cookie", "proxy-authorization") if name in head]
    return found + [word for word in (harness.site.token, "crumb") if word in repr(seen)]


def _netrc(path: Path, port: str, password: str) -> Path:
    path.write_text(f"machine 127.0.0.1{port} login x password {password}\n", "utf-8")
    path.chmod(0o600)
    return path


# -- presigned addresses ------------------------------------------------------------------------------------


def test_f32_the_storage_never_sees_the_token(s3: Served, log: Any) -> None:
    """Detect a header, a cookie or a query argument that goes along; and the signatures are in no log."""
    s3.fault(STORAGE_GET, "status 503")
    s3.fault(STORAGE_GET, "truncate 1M")
    api = s3.client()
    api.session.cookies.set("session", "crumb")  # without a domain: for anyone
    api.files.download(s3.id, "a.bin", s3.out)
    asked = s3.heads(STORAGE_GET)
    assert (s3.arrived(), len(asked), _stolen(s3, asked)) == (DATA, 3, [])
    assert _stolen(s3, s3.heads(DOWNLOAD)) != [], "the look-out itself"
    logged = "\n".join(f"{record.getMessage()} {record.args!r}" for record in log.records)
    assert "X-Amz-Signature" not in logged.replace("X-Amz-Signature=***", "")
    assert "/storage/" in logged


def test_f32_a_raw_answer_likewise(s3: Served) -> None:
    with s3.client().get(f"records/{s3.id}/files/a.bin/content") as answer:
        assert answer.read() == DATA
    assert _stolen(s3, s3.heads(STORAGE_GET)) == []


def test_f32_the_signature_is_in_no_error(s3: Served) -> None:
    s3.fault(STORAGE_GET, "status 404")
    with pytest.raises(SmartxferError) as caught:
        s3.get()
    assert "/storage/" in str(caught.value)
    assert "X-Amz" not in f"{caught.value!s} {caught.value!r} {vars(caught.value)!r}"


def test_f32_an_expired_link_is_requested_again(s3: Served) -> None:
    """Fails if a 403 is taken for the repository's word."""
    s3.fault(STORAGE_GET, "status 403 'body=json:Request has expired'")
    s3.get()
    assert (s3.arrived(), s3.count(DOWNLOAD, 302), s3.count(STORAGE_GET)) == (DATA, 2, 2)


def test_f32_a_storage_that_refuses_for_good(s3: Served) -> None:
    """Links that have expired as they are made; broken by one that is asked for without end."""
    s3.site.configure(presigned_seconds=0)
    with pytest.raises(Forbidden, match="Request has expired"):
        s3.get()
    assert 1 <= s3.count(STORAGE_GET, 403) <= 6
    assert (s3.count(STORAGE_GET), s3.left()) == (s3.count(DOWNLOAD, 302), [])


def test_f32_netrc_of_the_storage_is_not_used(s3: Served, home: Path) -> None:
    """Fails if the library looks into netrc by itself: the storage refuses two kinds of authentication."""
    _netrc(home / ".netrc", "", "crumb")
    s3.get()
    assert (s3.arrived(), _stolen(s3, s3.heads(STORAGE_GET))) == (DATA, [])
    assert "crumb" not in repr(s3.heads("* *")), "a token that was given goes first"


# -- netrc --------------------------------------------------------------------------------------------------


def test_f31_a_token_of_netrc_stays_at_its_port(harness: Served, thief: RawServer, home: Path) -> None:
    """Its password is the token, of that host and port; broken by one that goes to another port of the host."""
    netrc = _netrc(home / "mine.netrc", f":{harness.site.listener.port}", harness.site.token)
    draft = harness.record(DATA)
    with get_client(harness.url, netrcfile=str(netrc)) as api:
        api.files.download(draft, "a.bin", harness.out)
        assert harness.arrived() == DATA
        (harness.out / "a.bin").unlink()  # an identical file would not be fetched again
        harness.fault(DOWNLOAD, f"redirect {thief.url}/bytes")
        api.files.download(draft, "a.bin", harness.out)
    assert (len(thief.requests), _stolen(harness, thief)) == (1, [])


def test_f31_netrc_of_another_port_is_not_ours(harness: Served, home: Path) -> None:
    _netrc(home / ".netrc", ":1", harness.site.token)
    with get_client(harness.url) as api, pytest.raises(SmartxferError):
        api.files.download(harness.record(DATA), "a.bin", harness.out)
    assert _stolen(harness, harness.heads("* *")) == []


# -- redirects ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", CODES)
def test_f31_bytes_from_elsewhere_without_the_token(harness: Served, thief: RawServer, code: int) -> None:
    """A remote file, or any other origin: it sees the address it was given, no more."""
    harness.fault(DOWNLOAD, f"redirect {thief.url}/bytes {code}")
    api = harness.client()
    api.session.cookies.set("session", "crumb")
    api.files.download(harness.id, "a.bin", harness.out)
    assert harness.arrived() == DATA
    assert ([request.target for request in thief.requests], _stolen(harness, thief)) == (["/bytes"], [])


@pytest.mark.parametrize("match", [DISCOVERY, LIST, ENTRY], ids=["discovery", "list", "entry"])
def test_f31_answers_from_elsewhere_without_the_token(harness: Served, thief: RawServer, match: str) -> None:
    harness.fault(match, f"redirect {thief.url}/other")
    # A response from there does not count. Without a description of the repository, requests are sent without it.
    with contextlib.suppress(SmartxferError) if match == DISCOVERY else pytest.raises(SmartxferError):
        if match == LIST:
            harness.client().files.list(harness.id)
        else:
            harness.client().files.read(f"{harness.url}/api/records/{harness.id}/files/a.bin")
    assert ([request.target for request in thief.requests], _stolen(harness, thief)) == (["/other"], [])


WRITES: Dict[str, Any] = {
    "PUT *": lambda api, file: api.files.update(file),
    "DELETE *": lambda api, file: api.files.delete(file),
    "POST *": lambda api, file: api.post("records", metadata={}),
}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("match", WRITES, ids=["update", "delete", "post"])
def test_f31_what_writes_is_never_redirected(harness: Served, thief: RawServer, match: str, code: int) -> None:
    """Fails if a write turns into a GET, or carries what it says to another host."""
    draft = harness.record(DATA)
    file = harness.client().files.read(draft, "a.bin")
    fault = harness.fault(match, f"redirect {thief.url}{{target}} {code}")
    with pytest.raises(RedirectRefused, match="base URL"):
        WRITES[match](harness.client(), file)
    assert (fault.fired, thief.requests, harness.site.read(draft, "a.bin")) == (1, [], DATA)


# -- links --------------------------------------------------------------------------------------------------


def test_f33_a_port_without_a_server(harness: Served) -> None:
    """F01: each connection is refused, and the error says so."""
    with refused_port() as port:
        fault = harness.fault(DOWNLOAD, f"redirect http://127.0.0.1:{port}/x", times=None)
        with pytest.raises(NetworkError):
            harness.get()
    assert (fault.fired, harness.left()) == (6, [])


LINKS = ["file:///etc/passwd", "http://127.0.0.1:1/", "javascript:alert(1)", "//127.0.0.1:1/x", "http://[bad/", "", "x"]


def _with_link(harness: Served, name: str, link: str) -> File:
    entry = json.loads(json.dumps(to_wire(harness.client().files.read(harness.id, "a.bin"))))
    return File.from_wire({**entry, "links": {**entry["links"], name: link}})


@pytest.mark.parametrize("link", LINKS)
def test_f33_a_content_link_that_leads_elsewhere(harness: Served, link: str) -> None:
    """Fails if a link is followed, token and all, because an answer named it."""
    file = _with_link(harness, "content", link)
    harness.forget()
    if link == "":  # none at all: the address is known without it
        harness.client().files.download(file, harness.out)
        return
    with pytest.raises(SmartxferError):
        harness.client().files.download(file, harness.out)
    assert (harness.left(), harness.count(DOWNLOAD)) == ([], 0)


def test_f33_links_to_another_origin(harness: Served, thief: RawServer) -> None:
    """Of a file, of the API itself, and of what the caller gives."""
    for name in ("content", "self"):
        file = _with_link(harness, name, f"{thief.url}/api/records/x/files/a.bin")
        with pytest.raises((RedirectRefused, UsageError)):
            harness.client().files.download(file, harness.out)
    info = {"invenio_version": "14", "name": "n", "transfers": ["L"], "links": {"api": f"{thief.url}/api"}}
    harness.answer("GET /.well-known/repository/", json.dumps(info).encode())
    with pytest.raises((RedirectRefused, UsageError)):
        harness.client().files.list(harness.id)
    with pytest.raises(UsageError, match="is not on"):
        harness.client().files.download(f"{thief.url}/api/records/{harness.id}/files/a.bin", harness.out)
    assert (thief.requests, harness.left()) == ([], [])


def test_f33_no_user_names_in_addresses(harness: Served) -> None:
    with pytest.raises(UsageError, match="must not contain a user name or password"):
        harness.client("http://ann:secret@127.0.0.1:1/")


# -- proxies ------------------------------------------------------------------------------------------------


def test_f31_through_a_proxy(s3: Served) -> None:
    """Both origins, each with what is its own; the proxy's password goes to the proxy only."""
    with Proxy() as proxy:
        s3.client(proxies={"http": f"http://user:crumb@127.0.0.1:{proxy.port}"}).files.download(s3.id, "a.bin", s3.out)
        assert s3.arrived() == DATA
        assert len([line for line, _ in proxy.asked if "/storage/" in line]) == 1
        assert all(password for _, password in proxy.asked)
    assert _stolen(s3, s3.heads(STORAGE_GET)) == ["proxy-authorization"], "which this proxy hands on as it came"


def test_f31_a_proxy_of_the_environment_and_its_exceptions(s3: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        for exceptions, least in (("127.0.0.1", 0), ("example.org", 3)):
            monkeypatch.setenv("NO_PROXY", exceptions)
            s3.get()
            assert len(proxy.asked) >= least
            assert least or proxy.asked == []
