"""Success is what the page documents: bad answers to each call, at a raw server written from sections A.4 and A.5."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from typing import Any, Callable, Dict, Iterator, List

import pytest

from smartxfer.errors import (
    CommunicationError,
    Forbidden,
    HTTPError,
    StorageError,
    TooLarge,
    UnexpectedResponse,
    UploadFailed,
)
from smartxfer.perseus import PerseusClient
from smartxfer.perseus.errors import ERRORS
from smartxfer.transport import RetryPolicy
from tests.support.bad_responses import BAD, Planned, PlannedAnswers, gateway, planned_answers
from tests.support.raw_server import Peer, RawServer, Request, answering

DATA = b"fourteen bytes"
MD5 = hashlib.md5(DATA).hexdigest()
HASH = hashlib.sha256(DATA).hexdigest()
JSON = "Content-Type: application/json"


class Service:
    """The file service and its storage, from the page."""

    def __init__(self) -> None:
        self.records: Dict[str, Dict[str, Any]] = {}
        self.stored: Dict[str, bytes] = {}
        self.calls: List[str] = []
        self.url = ""
        self.etag = f'ETag: "{MD5}"'
        #: Answers to PUTs that are given after the content was stored.
        self.after_storing: List[Callable[[Request, Peer], None]] = []
        self.taken_in = True
        self._made = 0

    def __call__(self, request: Request, peer: Peer) -> None:
        self.calls.append(f"{request.method} {request.path}")
        if request.path.startswith("/bucket/"):
            self._store(request, peer)
        elif request.method == "DELETE":
            self.records.pop(request.path.rpartition("/")[2], None)
            peer.answer(204, b"", length=None)
        elif request.path == "/api/v0/file/find":
            wanted = json.loads(request.body)
            found = [
                record
                for record in self.records.values()
                if record["id"] in wanted.get("ids", [record["id"]])
                and record["sourceHash"] in wanted.get("sourceHashes", [record["sourceHash"]])
            ]
            self._say(peer, {"files": found})
        elif request.method == "POST":
            self._made += 1
            record = {"id": f"f{self._made}", "status": "pending", **json.loads(request.body)}
            self.records[record["id"]] = record
            self._say(peer, {"file": record, "uploadUrl": f"{self.url}/bucket/{record['id']}?X-Amz-Signature=5"})
        else:
            self._say(peer, {"a": 1})

    def _say(self, peer: Peer, value: Any) -> None:
        peer.answer(200, json.dumps(value).encode(), JSON)

    def _store(self, request: Request, peer: Peer) -> None:
        id = request.path.rpartition("/")[2]
        self.stored[id] = request.body
        if id in self.records and self.taken_in:
            self.records[id]["status"] = "uploaded"
        if self.after_storing:
            self.after_storing.pop(0)(request, peer)
        else:
            peer.answer(200, b"", self.etag)


@pytest.fixture
def harness() -> Iterator[PlannedAnswers]:
    service = Service()
    with planned_answers(
        service, lambda url, **options: PerseusClient(url, api_key="sk-1", **options)
    ) as made:
        service.url = made.url
        yield made


#: Call: (the request that is answered badly, the call, responses that the page documents nevertheless)
CALLS: Dict[str, Any] = {
    "create_file": ("POST /api/v0/file", lambda api: api.file.create_file("a", HASH), set()),
    "find_files": ("POST /api/v0/file/find", lambda api: api.file.find_files(["f1"]), set()),
    "find_file": ("POST /api/v0/file/find", lambda api: api.file.find_file("f1"), set()),
    "exists": ("POST /api/v0/file/find", lambda api: api.file.exists(("a", DATA)), set()),
    "wait": ("POST /api/v0/file/find", lambda api: api.file.wait_for_file_upload("f1"), set()),
    "delete_file": ("DELETE ", lambda api: api.file.delete_file("f1"), {"204", "200 and nothing"}),
    "upload: find": ("POST /api/v0/file/find", lambda api: api.file.upload_file(("a", DATA)), set()),
    "upload: create": ("POST /api/v0/file", lambda api: api.file.upload_file(("a", DATA)), set()),
    "upload: put": ("PUT /bucket/", lambda api: api.file.upload_file(("a", DATA)), {"200 and nothing"}),
    "get": ("GET ", lambda api: api.get("job/1/download-output"), set()),
    "post": ("POST ", lambda api: api.post("job/submit", fileId="f1"), {"204", "200 and nothing"}),
    "put": ("PUT ", lambda api: api.put("job/1", a=1), {"204", "200 and nothing"}),
    "delete": ("DELETE ", lambda api: api.delete("file", "f1"), {"204", "200 and nothing"}),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", CALLS)
def test_a_bad_answer_is_an_error(harness: PlannedAnswers, name: str, bad: str) -> None:
    match, call, good = CALLS[name]
    harness.plan(match, bad)
    if bad in good:
        call(harness.client())
        return
    with pytest.raises(CommunicationError) as caught:
        call(harness.client())
    error: Any = caught.value
    if bad == "102 and 403":
        assert type(error) is ERRORS.class_for(StorageError if match.startswith("PUT") else Forbidden)
        assert error.status == 403
    else:
        assert type(error) is ERRORS.class_for(UnexpectedResponse)
    assert "X-Amz-Signature" not in str(error)


@pytest.mark.parametrize("bad", [bad for bad in BAD if bad != "200 and nothing"])
def test_nothing_is_noted_as_done(harness: PlannedAnswers, bad: str) -> None:
    """The record is deleted, and the next run sends the content."""
    harness.plan("PUT /bucket/", bad)
    with pytest.raises(HTTPError):
        harness.client().file.upload_file(("a", DATA))
    assert harness.site.records == {}
    assert harness.site.stored == {}
    harness.plan("", "")
    file = harness.client().file.upload_file(("a", DATA))
    assert (file.reused, file.result.verified) == (False, "md5")
    assert list(harness.site.stored.values()) == [DATA]


# -- what the storage says of the content --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("etag", "verified", "warned"),
    [
        (f'ETag: "{MD5}"', "md5", False),
        (f"etag: {MD5.upper()}", "md5", False),
        ('ETag: "0cc175b9c0f1b6a831c399e269772661"', "size", True),
        ('ETag: "0cc175b9c0f1b6a831c399e269772661-1"', "size", False),
        ("X-Nothing: here", "size", False),
        (f'x-amz-server-side-encryption: aws:kms\r\nETag: "{MD5[::-1]}"', "size", False),
    ],
)
def test_the_etag(
    harness: PlannedAnswers, caplog: pytest.LogCaptureFixture, etag: str, verified: str, warned: bool
) -> None:
    harness.site.etag = etag
    with caplog.at_level(logging.WARNING, "smartxfer.perseus"):
        file = harness.client().file.upload_file(("a", DATA), wait=True)
    assert file.result.verified == verified
    assert file.result.digest == f"sha256:{HASH}"
    assert ("is not the content's MD5" in caplog.text) is warned


def test_the_service_s_own_check_decides(harness: PlannedAnswers) -> None:
    """Storage returns another ETag; the upload fails only if the service rejects the content."""
    harness.site.etag = f'ETag: "{MD5[::-1]}"'
    harness.site.taken_in = False

    def reject(request: Request, peer: Peer) -> None:
        harness.site.records["f1"]["status"] = "failed"
        peer.answer(200, b"", harness.site.etag)

    harness.site.after_storing = [reject]
    with pytest.raises(UploadFailed):
        harness.client().file.upload_file(("a", DATA), wait=True)


# -- answers that are lost -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [500, 502, 504, "reset"])
def test_a_lost_answer_is_followed_by_a_look(harness: PlannedAnswers, lost: Any) -> None:
    """Detect a second PUT of what has arrived."""
    reply = (lambda request, peer: peer.reset()) if lost == "reset" else gateway(lost)
    harness.site.after_storing = [reply] * 6
    file = harness.client().file.upload_file(("a", DATA))
    assert (file.status, file.reused, file.result.retries, file.result.verified) == ("uploaded", False, 1, "size")
    assert harness.site.calls.count("PUT /bucket/f1") == 1


def test_what_is_taken_in_later_is_waited_for_as_long_as_it_took(harness: PlannedAnswers) -> None:
    """The status changes some time after the PUT: a try that took long is worth a short wait."""
    service = harness.site
    service.taken_in = False
    looks: List[float] = []

    def slow(request: Request, peer: Peer) -> None:
        time.sleep(0.7)
        gateway(504)(request, peer)

    def good(request: Request, peer: Peer, known: Any = service.__class__.__call__) -> None:
        if request.path.endswith("/find") and b"ids" in request.body:
            looks.append(time.monotonic())
            if len(looks) == 2:
                service.records["f1"]["status"] = "uploaded"
        known(service, request, peer)

    service.after_storing = [slow] * 6
    planned = Planned(good)
    with RawServer(answering(planned)) as server:
        service.url = server.url
        with PerseusClient(server.url, api_key="sk-1", retry=RetryPolicy(backoff=0)) as api:
            file = api.file.upload_file(("a", DATA))
    assert (file.status, len(looks)) == ("uploaded", 2)
    assert service.calls.count("PUT /bucket/f1") == 1


def test_a_record_that_the_service_gave_up_is_replaced(harness: PlannedAnswers) -> None:
    """Its content arrived damaged, so sending to the same address again would be useless."""

    def damaged(request: Request, peer: Peer) -> None:
        harness.site.records["f1"]["status"] = "failed"
        peer.reset()

    harness.site.after_storing = [damaged]
    file = harness.client().file.upload_file(("a", DATA), wait=True)
    assert (file.id, file.status) == ("f2", "uploaded")
    assert set(harness.site.records) == {"f2"}


def test_content_that_arrived_after_the_last_try_is_not_deleted(harness: PlannedAnswers) -> None:
    harness.site.after_storing = [gateway(504)]
    with pytest.raises(StorageError):
        harness.client(retry=RetryPolicy(attempts=1)).file.upload_file(("a", DATA))
    assert set(harness.site.records) == {"f1"}
    assert harness.client().file.upload_file(("a", DATA)).reused


# -- too large -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "status", "body", "kind"),
    [
        ("POST /api/v0/file", 413, b'{"message": "over 10 MB"}', TooLarge),
        ("PUT /bucket/", 413, b"<html>nginx</html>", StorageError),
        ("PUT /bucket/", 400, b"<Error><Code>EntityTooLarge</Code></Error>", StorageError),
    ],
)
def test_too_large(
    harness: PlannedAnswers, monkeypatch: pytest.MonkeyPatch, match: str, status: int, body: bytes, kind: type
) -> None:
    reply = lambda request, peer: peer.answer(status, body)  # noqa: E731
    monkeypatch.setitem(BAD, "too large", reply)
    harness.plan(match, "too large")
    if match.startswith("POST"):
        call: Callable[[], Any] = lambda: harness.client().file.create_file("a", HASH)  # noqa: E731
    else:
        call = lambda: harness.client().file.upload_file(("a", DATA))  # noqa: E731
    with pytest.raises(kind) as caught:
        call()
    assert "upload smaller files" in caught.value.hint
