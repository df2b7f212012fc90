"""Success is what the page documents: bad answers to each call, at a raw server written from sections 3, 5 and 7."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List
from urllib.parse import parse_qs

import pytest

from smartxfer import delta
from smartxfer.errors import (
    CommunicationError,
    Forbidden,
    SizeMismatch,
    SmartxferError,
    TooLarge,
    UnexpectedResponse,
)
from smartxfer.smartfile import BasicClient, OAuthClient, SyncClient
from smartxfer.smartfile.errors import ERRORS
from smartxfer.transport import RetryPolicy
from tests.support.bad_responses import BAD, PlannedAnswers, gateway, planned_answers
from tests.support.raw_server import Peer, RawServer, Request, answering

DATA = b"fourteen bytes"
MD5 = hashlib.md5(DATA).hexdigest()
JSON = "Content-Type: application/json"
AT_ONCE = RetryPolicy(backoff=0)
INFO = {"path": "/a", "name": "a", "size": len(DATA), "isfile": True, "isdir": False, "time": "2013-02-23T22:49:30"}
TASK = {"uuid": "u1", "url": "/api/2/task/u1/"}


def content(request: Request) -> bytes:
    """Return the bytes of the one file in a form."""
    return request.body.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]


class Site:
    """The API, as far as the calls here need it; one file, ``/a``."""

    def __init__(self) -> None:
        self.calls: List[str] = []
        self.held: bytes = DATA
        self.algorithm = "md5"
        #: Answers to uploads that are given after the file was stored.
        self.after_storing: List[Callable[[Request, Peer], None]] = []
        self.signature = b""

    def __call__(self, request: Request, peer: Peer) -> None:
        self.calls.append(f"{request.method} {request.path}")
        path = request.path[len("/api/2/") :]
        if request.method == "DELETE":
            peer.answer(204, b"", length=None)
        elif path.startswith("path/info/"):
            size = len(self.held)
            entry = {**INFO, "size": size}
            self._say(peer, {**entry, "children": [entry], "pages": 1} if "children" in request.target else entry)
        elif path.startswith("path/data/") and request.method == "GET":
            peer.answer(200, self.held, "Content-Type: text/html")  # a page is a file like others
        elif path.startswith("path/data/"):
            self.held = content(request)
            if self.after_storing:
                self.after_storing.pop(0)(request, peer)
            else:
                self._say(peer, [{**INFO, "size": len(self.held)}])
        elif path.startswith("task/"):
            checksums = {"/a": hashlib.new(self.algorithm, self.held).hexdigest()}
            self._say(peer, {"uuid": "u1", "result": {"status": "SUCCESS", "result": {"checksums": checksums}}})
        elif path.startswith("path/sync/signature/"):
            peer.answer(200, self.signature, "Content-Type: application/octet-stream")
        elif path.startswith("path/oper/"):
            given = parse_qs(request.body.decode())
            self.algorithm = given.get("algorithm", ["MD5"])[0].lower()
            self._say(peer, TASK)
        elif request.path.startswith("/oauth/"):
            peer.answer(200, b"oauth_token=t&oauth_token_secret=s", "Content-Type: application/x-www-form-urlencoded")
        else:
            self._say(peer, {"uid": "x", "results": [], "pages": 1})

    def _say(self, peer: Peer, value: Any) -> None:
        peer.answer(200, json.dumps(value).encode(), JSON)


def _basic(url: str, **options: Any) -> BasicClient:
    return BasicClient("key", "password", url=url, **options)


def _oauth(url: str, **options: Any) -> OAuthClient:
    return OAuthClient("ct", "cs", url=url, **options)


@pytest.fixture
def harness() -> Iterator[PlannedAnswers]:
    with planned_answers(Site(), _basic) as made:
        yield made


#: Call: (the request that is answered badly, the call, responses that the page documents nevertheless)
CALLS: Dict[str, Any] = {
    "stat": ("GET /api/2/path/info/", lambda api: api.stat("/a"), set()),
    "exists": ("GET /api/2/path/info/", lambda api: api.exists("/a"), set()),
    "listdir": ("GET /api/2/path/info/", lambda api: api.listdir("/"), set()),
    "mkdir": ("POST /api/2/path/oper/mkdir/", lambda api: api.mkdir("/d"), set()),
    "rename": ("POST /api/2/path/oper/rename/", lambda api: api.rename("/a", "/b"), set()),
    "copy": ("POST /api/2/path/oper/copy/", lambda api: api.copy("/a", "/d"), set()),
    "move": ("POST /api/2/path/oper/move/", lambda api: api.move("/a", "/d/"), set()),
    "remove": ("POST /api/2/path/oper/remove/", lambda api: api.remove("/a"), set()),
    "remove: task": ("GET /api/2/task/", lambda api: api.remove("/a"), set()),
    "wait": ("GET /api/2/task/", lambda api: api.wait("u1"), set()),
    "checksum": ("POST /api/2/path/oper/checksum/", lambda api: api.checksum("/a"), set()),
    "links": ("GET /api/2/link/", lambda api: api.links(), set()),
    "create_link": ("POST /api/2/link/", lambda api: api.create_link("/a"), set()),
    "delete_link": ("DELETE /api/2/link/", lambda api: api.delete_link("x"), {"204"}),
    "upload": ("POST /api/2/path/data/", lambda api: api.upload(("a", DATA)), set()),
    "get": ("GET /api/2/path/info/", lambda api: api.get("/path/info", "/a"), {"200 and nothing"}),
    "get another": (
        "GET /api/2/path/export/",
        lambda api: api.get("/path/export"),
        {"200 and nothing", "200 and an error"},  # the page does not know the endpoint: XML may be meant
    ),
    "get a file": (
        "GET /api/2/path/data/",
        lambda api: api.get("/path/data", "/a"),
        {"200 and nothing", "200 and an error", "200 and a page"},  # any of them may be the file
    ),
    "post": ("POST /api/2/user/", lambda api: api.post("/user", name="bob"), {"200 and nothing"}),
    "post a file": (
        "POST /api/2/path/data/",
        lambda api: api.post("/path/data/", file=("a", DATA)),
        {"200 and nothing"},
    ),
    "put": ("PUT /api/2/user/bob/", lambda api: api.put("/user", "bob", name="b"), {"200 and nothing"}),
    "delete": ("DELETE /api/2/user/bob/", lambda api: api.delete("/user", "bob"), {"204", "200 and nothing"}),
}


def failure(bad: str, call: Callable[[], Any]) -> Any:
    with pytest.raises(SmartxferError) as caught:
        call()
    error: Any = caught.value
    if bad == "102 and 403":
        assert type(error) is ERRORS.class_for(Forbidden)
        assert error.detail == "not for you"
    return error


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", CALLS)
def test_a_bad_answer_is_an_error(harness: PlannedAnswers, name: str, bad: str) -> None:
    match, call, good = CALLS[name]
    harness.plan(match, bad)
    if bad in good:
        found = call(harness.client())
        assert found is None or isinstance(found, bytes) or hasattr(found, "read")
        return
    error = failure(bad, lambda: call(harness.client()))
    assert isinstance(error, CommunicationError)
    if bad != "102 and 403":
        assert type(error) is ERRORS.class_for(UnexpectedResponse)


@pytest.mark.parametrize("bad", BAD)
def test_a_download(harness: PlannedAnswers, tmp_path: Path, bad: str) -> None:
    harness.plan("GET /api/2/path/data/", bad)
    error = failure(bad, lambda: harness.client().download("/a", tmp_path / "a"))
    if bad.startswith("200"):
        assert isinstance(error, SizeMismatch)
    elif not bad.startswith("102"):
        assert type(error) is ERRORS.class_for(UnexpectedResponse)
    assert not (tmp_path / "a").exists()
    harness.plan("", "")
    assert harness.client().download("/a", tmp_path / "a").ok


@pytest.mark.parametrize("bad", BAD)
def test_a_token(harness: PlannedAnswers, bad: str) -> None:
    pytest.importorskip("requests_oauthlib")
    harness.plan("POST /oauth/", bad)
    error = failure(bad, lambda: harness.client(_oauth).get_request_token()) if bad != "102 and 403" else None
    if error is None:
        with pytest.raises(Forbidden):
            harness.client(_oauth).get_request_token()
    else:
        assert isinstance(error, CommunicationError)


@pytest.mark.skipif(not delta.available(), reason="deltas need librsync")
@pytest.mark.parametrize("bad", [bad for bad in BAD if not bad.startswith("102")])
@pytest.mark.parametrize("step", ["GET /api/2/path/sync/signature/", "POST /api/2/path/sync/patch/"])
def test_a_sync_step(harness: PlannedAnswers, tmp_path: Path, step: str, bad: str) -> None:
    """A step that was answered badly is not believed: the whole file is moved, and its checksum compared."""
    old, local, signature = (tmp_path / name for name in ("old", "a", "signature"))
    old.write_bytes(bytes(200_000))
    local.write_bytes(bytes(199_000) + b"x" * 1000)
    delta.signature(old, signature, block_length=delta.block_length_for(200_000))
    harness.site.held, harness.site.signature = old.read_bytes(), signature.read_bytes()
    harness.plan(step, bad)
    result = SyncClient(harness.client()).upload(local, "/a")
    assert (result.method, result.verified, harness.site.held) == ("plain", "sha256", local.read_bytes())
    steps = [call.split()[1].split("/")[5] for call in harness.site.calls if "/path/sync/" in call]
    assert steps == ([] if "signature" in step else ["signature"])


@pytest.mark.parametrize("bad", BAD)
def test_nothing_is_noted_as_done(harness: PlannedAnswers, tmp_path: Path, bad: str) -> None:
    """A directory: the file whose upload was answered badly is sent by the next run."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a").write_bytes(DATA)
    harness.plan("POST /api/2/path/data/", bad)
    failure(bad, lambda: harness.client().upload_tree(tree, "/"))
    harness.plan("", "")
    before = harness.site.calls.count("POST /api/2/path/data/")
    [result] = harness.client().upload_tree(tree, "/")
    assert (result.ok, result.resumed) == (True, 0)
    assert harness.site.calls.count("POST /api/2/path/data/") == before + 1


# -- an error that comes with status 200 --------------------------------------------------------------------


HIDDEN = b'{"detail": "over quota", "status": 413}'


def test_an_error_with_status_200(harness: PlannedAnswers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if an upload is taken for done: the file there is an older one of that size."""
    monkeypatch.setitem(BAD, "hidden", lambda request, peer: peer.answer(200, HIDDEN, JSON))
    harness.site.held = bytes(len(DATA))
    harness.plan("POST /api/2/path/data/", "hidden")
    with pytest.raises(UnexpectedResponse, match="over quota"):
        harness.client().upload(("a", DATA), "/a")
    harness.plan("PUT /api/3/path/data/", "hidden")
    with pytest.raises(TooLarge, match="over quota") as caught:
        harness.client(version="3").put("/path/data", "/a", file=DATA)
    assert "upload smaller files" in caught.value.hint
    assert (caught.value.status_code, caught.value.detail) == (413, "over quota")


# -- answers that are lost -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [500, 502, 503, 504, "reset"])
def test_a_lost_answer_is_followed_by_a_look(harness: PlannedAnswers, lost: Any) -> None:
    """Detect a second upload of what has arrived."""
    reply = (lambda request, peer: peer.reset()) if lost == "reset" else gateway(lost)
    harness.site.held = b"older"
    harness.site.after_storing = [reply] * 6
    result = harness.client().upload(("a", DATA), "/a")
    assert (result.ok, result.retries) == (True, 1)
    assert harness.site.calls.count("POST /api/2/path/data/") == 1


@pytest.mark.parametrize("end", ["FAILURE", "PENDING"])
def test_a_look_without_a_checksum_sends_again(
    harness: PlannedAnswers, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """Fails if an upload fails because the site cannot tell the checksum of an older file of that size."""
    monkeypatch.setattr("smartxfer.smartfile.upload._LATE_ARRIVAL_TIMEOUT", 0.5)
    site = harness.site
    site.held = bytes(len(DATA))

    def forget(request: Request, peer: Peer) -> None:
        site.held = bytes(len(DATA))
        gateway(504)(request, peer)

    def without_checksums(request: Request, peer: Peer) -> None:
        if "/task/" in request.path:
            body = {"uuid": "u1", "result": {"status": end, "result": {"errors": {"/a": "not supported"}}}}
            peer.answer(200, json.dumps(body).encode(), JSON)
        else:
            site(request, peer)

    site.after_storing = [forget]
    with RawServer(answering(without_checksums)) as server, _basic(server.url, retry=AT_ONCE) as api:
        assert api.upload(("a", DATA), "/a", deadline=20).ok
    assert site.held == DATA
    assert site.calls.count("POST /api/2/path/data/") == 2


def test_what_arrives_later_is_waited_for_as_long_as_it_took(harness: PlannedAnswers) -> None:
    """The gateway gave up on an upload that took long, and the site comes to its end with it a little later."""
    site = harness.site
    site.held = b"older"

    def slow(request: Request, peer: Peer) -> None:
        site.held = b"older"
        time.sleep(0.7)
        gateway(504)(request, peer)

    looks: List[int] = []

    def good(request: Request, peer: Peer) -> None:
        if "path/info" in request.path:
            looks.append(1)
            if len(looks) == 3:  # the first is before the upload
                site.held = DATA
        site(request, peer)

    site.after_storing = [slow] * 6
    with RawServer(answering(good)) as server, _basic(server.url, retry=AT_ONCE) as api:
        assert api.upload(("a", DATA), "/a").ok
    assert site.calls.count("POST /api/2/path/data/") == 1


def test_too_large(harness: PlannedAnswers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BAD, "too large", lambda request, peer: peer.answer(413, b"<html>nginx</html>"))
    harness.plan("POST /api/2/path/data/", "too large")
    with pytest.raises(TooLarge) as caught:
        harness.client().upload(("a", DATA), "/a")
    assert "upload smaller files" in caught.value.hint
