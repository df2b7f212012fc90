"""The presigned storage: signatures, times, headers, ranges and errors as in S3."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, Dict, Iterator, Optional
from urllib.parse import unquote, urlsplit

import pytest

from smartxfer.local.faults import FaultRegistry
from smartxfer.local.http_messages import FileSlice
from smartxfer.local.object_store import ObjectStore, copy_body, write_all
from smartxfer.local.request_body import RequestBody
from smartxfer.local.s3 import Keys, S3Error, Storage, StoredObject, presign
from tests.support.local import bare_client as wire

DATA = bytes(range(256)) * 40


class MemoryBackend:
    """A bucket ``b`` with objects in a directory, and one upload ``U``."""

    def __init__(self, root: Path) -> None:
        self.objects = ObjectStore(str(root))
        self.stored: Dict[str, StoredObject] = {}
        self.parts: Dict[int, bytes] = {}

    def find(self, bucket: str, key: str) -> Optional[StoredObject]:
        if bucket != "b":
            raise S3Error("NoSuchBucket", 404)
        return self.stored.get(key)

    def receive(self, bucket: str, key: str, query: Dict[str, str], body: RequestBody) -> str:
        if query.get("uploadId", "U") != "U":
            raise S3Error("NoSuchUpload", 404)
        number = 1000 + len(os.listdir(self.objects.path(0)[:-1]))
        running, descriptor = hashlib.md5(), self.objects.open(number)

        def write(view: memoryview, at: int) -> None:
            running.update(view)
            write_all(descriptor, view, at)

        try:
            size = copy_body(body, write)
        finally:
            os.close(descriptor)
        path = self.objects.path(number)
        if "partNumber" in query:
            self.parts[int(query["partNumber"])] = Path(path).read_bytes()
        else:
            self.put(key, FileSlice(path, 0, size))
        return running.hexdigest()

    def put(self, key: str, *spans: FileSlice) -> None:
        data = b"".join(Path(span.path).read_bytes()[span.start :][: span.count] for span in spans)
        tag = hashlib.md5(data).hexdigest()
        self.stored[key] = StoredObject(spans, len(data), tag, "text/x-odd", modified=1_700_000_000.0)


class Bench:
    """A running storage, its clock and a bare client."""

    def __init__(self, root: Path) -> None:
        self.clock = 1_790_000_000.0
        self.book = FaultRegistry()
        self.backend = MemoryBackend(root)
        self.storage = Storage("nrp", self.backend, faults=self.book, now=lambda: self.clock)

    def call(self, method: str, url: str, body: Any = None, **headers: str) -> wire.Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return wire.request(
            self.storage.listener.url, method, url[len(self.storage.listener.url) :], body, named
        )

    def url(self, method: str = "GET", key: str = "k", **more: Any) -> str:
        return self.storage.presign(method, "b", key, 60, **more)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("storage"))
    made.storage.start()
    yield made
    made.storage.stop()
    assert made.storage.listener.crashes == []


@pytest.fixture
def bench(running: Bench) -> Bench:
    """Create a storage with an object ``k`` in two files."""
    root = Path(running.backend.objects.path(0)).parent
    (root / "1").write_bytes(DATA[:1000] + b"not this")
    (root / "2").write_bytes(b"nor this" + DATA[1000:])
    running.clock = 1_790_000_000.0
    running.backend.stored.clear()
    running.backend.parts.clear()
    running.backend.put("k", FileSlice(str(root / "1"), 0, 1000), FileSlice(str(root / "2"), 8, len(DATA) - 1000))
    return running


def code(reply: wire.Reply) -> str:
    """Check an error document and return its code."""
    assert reply.headers["Content-Type"] == "application/xml"
    root = ET.fromstring(reply.body)
    assert root.tag == "Error"
    assert root.findtext("RequestId") == reply.headers["x-amz-request-id"]
    assert root.findtext("HostId")
    assert root.findtext("Message")
    return root.findtext("Code") or ""


def field(reply: wire.Reply, name: str) -> str:
    return ET.fromstring(reply.body).findtext(name) or ""


def test_the_published_example_is_signed_alike() -> None:
    """The example of Amazon's documentation, "Authenticating Requests: Using Query Parameters"."""
    keys = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    moment = 1369353600.0  # 2013-05-24T00:00:00Z
    url = presign(keys, "GET", "https://examplebucket.s3.amazonaws.com/test.txt", 86400, moment)
    assert url == (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


@pytest.mark.parametrize(
    "key", ["a b", "dir/x+y", "č/é", "a&b=c", "100%", "50%25", "~", "a//b", "(1)*'!", "q?x#y"]
)
def test_a_key_of_any_spelling(bench: Bench, key: str) -> None:
    put = bench.call("PUT", bench.url("PUT", key), DATA, Content_Type="application/octet-stream")
    assert (put.status, put.body, put.headers["ETag"]) == (200, b"", f'"{hashlib.md5(DATA).hexdigest()}"')
    assert bench.backend.stored[key].size == len(DATA)
    assert bench.call("GET", bench.url("GET", key)).body == DATA


def test_equivalent_spellings_of_a_url(bench: Bench) -> None:
    path, _, query = bench.url("GET", "k").partition("?")
    shuffled = "&".join(reversed(query.split("&")))
    escaped, plain = path.replace("/b/k", "/%62/%6b"), query.replace("%2F", "/")
    for one, more in ((path, plain), (escaped, query), (path, shuffled)):
        assert bench.call("GET", f"{one}?{more}").status == 200


def refused(reply: wire.Reply) -> Any:
    return reply.status, code(reply)


def test_altered_addresses(bench: Bench) -> None:
    url = bench.url("GET", "k")
    head, _, signature = url.rpartition("=")
    other = "0" if signature[0] != "0" else "1"
    for altered in (
        head + "=" + other + signature[1:], url.replace("/b/k", "/b/other"),
        url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"), url + "&response-content-type=text/html",
    ):  # fmt: skip
        reply = bench.call("GET", altered)
        assert refused(reply) == (403, "SignatureDoesNotMatch"), altered
    text = field(reply, "StringToSign")
    assert hashlib.sha256(field(reply, "CanonicalRequest").encode()).hexdigest() == text.split("\n")[-1]


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE"])
def test_an_address_is_good_for_one_method(bench: Bench, method: str) -> None:
    reply = bench.call(method, bench.url("GET"), b"x" if method == "PUT" else None)
    assert reply.status == 403
    assert reply.headers["Content-Type"] == "application/xml"
    assert method == "HEAD" or code(reply) == "SignatureDoesNotMatch"
    assert bench.backend.stored["k"].size == len(DATA)


def test_head_and_delete_with_addresses_of_their_own(bench: Bench) -> None:
    reply = bench.call("HEAD", bench.url("HEAD"))
    assert (reply.status, reply.body, reply.headers["Content-Length"]) == (200, b"", str(len(DATA)))
    reply = bench.call("DELETE", bench.url("DELETE"))
    assert (*refused(reply), reply.headers["Allow"]) == (405, "MethodNotAllowed", "GET, HEAD, PUT")


def test_time_runs_out(bench: Bench) -> None:
    url = bench.url("GET")
    bench.clock += 60
    assert bench.call("GET", url).status == 200
    bench.clock += 1
    reply = bench.call("GET", url)
    assert refused(reply) == (403, "AccessDenied")
    assert field(reply, "Message") == "Request has expired"
    assert field(reply, "X-Amz-Expires") == "60"
    moments = [bench.clock - 1, bench.clock]
    expected = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)) for moment in moments]
    assert [field(reply, "Expires"), field(reply, "ServerTime")] == expected
    bench.clock -= 3600
    early = bench.call("GET", url)
    assert (early.status, field(early, "Message")) == (403, "Request is not valid yet")


def test_a_second_way_to_sign(bench: Bench) -> None:
    reply = bench.call("GET", bench.url("GET"), Authorization="Bearer very-secret")
    assert refused(reply) == (400, "InvalidArgument")
    assert field(reply, "ArgumentName") == "Authorization"
    assert b"very-secret" not in reply.body
    assert bench.call("GET", bench.storage.url + "/b/k", Authorization="Bearer x").status == 400


def test_unsigned_and_badly_signed(bench: Bench) -> None:
    url = bench.url("GET")
    bare = bench.call("GET", url.partition("?")[0])
    assert refused(bare) == (403, "AccessDenied")
    old = bench.call("GET", url.partition("?")[0] + "?AWSAccessKeyId=A&Expires=1&Signature=x")
    assert refused(old) == (400, "InvalidRequest")
    key = bench.call("GET", url.replace(bench.storage.keys.key, "AKIAOTHER"))
    assert refused(key) == (403, "InvalidAccessKeyId")
    for old_word, new_word in (
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=AWS5"), ("X-Amz-Date=2", "X-Amz-Date=x"),
        ("X-Amz-Expires=60", "X-Amz-Expires=soon"), ("X-Amz-Expires=60", "X-Amz-Expires=-1"),
        ("X-Amz-Expires=60", "X-Amz-Expires=604801"), ("us-east-1", "eu-west-3"),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders="),
    ):  # fmt: skip
        assert old_word in url
        reply = bench.call("GET", url.replace(old_word, new_word))
        assert refused(reply) == (400, "AuthorizationQueryParametersError"), new_word
    token = bench.call("GET", bench.url("GET", query={"X-Amz-Security-Token": "t"}))
    assert refused(token) == (400, "InvalidToken")


def test_a_signed_content_type(bench: Bench) -> None:
    url = bench.url("PUT", "typed", headers={"Content-Type": "application/octet-stream"})
    assert "X-Amz-SignedHeaders=content-type%3Bhost" in url
    for sent in ({"Content_Type": "text/plain"}, {}):
        reply = bench.call("PUT", url, b"x", **sent)
        assert refused(reply) == (403, "SignatureDoesNotMatch")
    assert bench.call("PUT", url, b"x", Content_Type="application/octet-stream").status == 200


def test_unsigned_amazon_headers(bench: Bench) -> None:
    reply = bench.call("PUT", bench.url("PUT"), b"x", x_amz_checksum_crc32="AAAAAA==")
    assert refused(reply) == (403, "AccessDenied")
    assert field(reply, "HeadersNotSigned") == "x-amz-checksum-crc32"


def test_how_a_body_has_to_be_announced(bench: Bench) -> None:
    url = bench.url("PUT", "new")
    chunked = bench.call("PUT", url, iter([b"some", b"thing"]))
    assert refused(chunked) == (501, "NotImplemented")
    assert field(chunked, "Header") == "Transfer-Encoding"
    assert "new" not in bench.backend.stored
    assert bench.call("PUT", url, b"").status == 200
    assert bench.backend.stored["new"].size == 0
    assert bench.call("GET", bench.url("GET", "new")).body == b""


@pytest.mark.parametrize(
    ("length", "status", "word"),
    [("", b"411", b"MissingContentLength"), ("Content-Length: 9\r\n", b"400", b"IncompleteBody")],
)
def test_no_length_or_a_wrong_one(bench: Bench, length: str, status: bytes, word: bytes) -> None:
    url = urlsplit(bench.url("PUT", "new"))
    head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\n{length}\r\n"
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=10) as peer:
        peer.sendall(head.encode() + (b"short" if length else b""))
        peer.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: peer.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 " + status + b" ")
    assert b"<Code>" + word + b"</Code>" in answer
    assert "new" not in bench.backend.stored


def test_content_md5(bench: Bench) -> None:
    url = bench.url("PUT", "summed")
    for data in (DATA, b""):
        right = base64.b64encode(hashlib.md5(data).digest()).decode()
        assert bench.call("PUT", url, data, Content_MD5=right).status == 200
    wrong = bench.call("PUT", url, DATA, Content_MD5=base64.b64encode(bytes(16)).decode())
    assert refused(wrong) == (400, "BadDigest")
    assert bench.backend.stored["summed"].size == 0
    hexed = bench.call("PUT", url, DATA, Content_MD5=hashlib.md5(DATA).hexdigest())
    assert refused(hexed) == (400, "InvalidDigest")


def test_only_where_nothing_is(bench: Bench) -> None:
    reply = bench.call("PUT", bench.url("PUT"), b"x", If_None_Match="*")
    assert refused(reply) == (412, "PreconditionFailed")
    assert bench.call("PUT", bench.url("PUT", "fresh"), b"x", If_None_Match="*").status == 200


def test_parts(bench: Bench) -> None:
    def part(number: str, upload: str = "U") -> wire.Reply:
        url = bench.url("PUT", "big", query={"partNumber": number, "uploadId": upload})
        return bench.call("PUT", url, b"part " + number.encode())

    assert part("2").headers["ETag"] == '"{}"'.format(hashlib.md5(b"part 2").hexdigest())
    assert part("1").status == 200
    assert bench.backend.parts == {1: b"part 1", 2: b"part 2"}
    for number in ("0", "10001", "x"):
        reply = part(number)
        assert (*refused(reply), field(reply, "ArgumentName")) == (400, "InvalidArgument", "partNumber")
    reply = part("1", "gone")
    assert refused(reply) == (404, "NoSuchUpload")
    # The number is part of what is signed.
    url = bench.url("PUT", "big", query={"partNumber": "3", "uploadId": "U"})
    assert bench.call("PUT", url.replace("partNumber=3", "partNumber=4"), b"x").status == 403


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 0), ("bytes=990-1010", 990, 1010), ("bytes=1000-", 1000, len(DATA) - 1),
        ("bytes=-5", len(DATA) - 5, len(DATA) - 1), ("bytes=10-99999999", 10, len(DATA) - 1),
        ("bytes=-99999999", 0, len(DATA) - 1),
    ],
)  # fmt: skip
def test_ranges(bench: Bench, header: str, start: int, end: int) -> None:
    reply = bench.call("GET", bench.url("GET"), Range=header)
    assert (reply.status, reply.body) == (206, DATA[start : end + 1])
    assert reply.headers["Content-Range"] == f"bytes {start}-{end}/{len(DATA)}"


@pytest.mark.parametrize("header", ["bytes=5-4", "bytes=0-1,3-4", "lines=1-2", "bytes=-", "bytes=a-b"])
def test_ranges_that_are_not_read(bench: Bench, header: str) -> None:
    reply = bench.call("GET", bench.url("GET"), Range=header)
    assert (reply.status, reply.body, reply.headers["Content-Range"]) == (200, DATA, None)


@pytest.mark.parametrize("header", [f"bytes={len(DATA)}-", "bytes=-0"])
def test_ranges_behind_the_end(bench: Bench, header: str) -> None:
    reply = bench.call("GET", bench.url("GET"), Range=header)
    assert refused(reply) == (416, "InvalidRange")
    assert field(reply, "ActualObjectSize") == str(len(DATA))
    assert reply.headers["Content-Range"] == f"bytes */{len(DATA)}"


def test_conditions(bench: Bench) -> None:
    whole = bench.call("GET", bench.url("GET"))
    tag, modified = whole.headers["ETag"], whole.headers["Last-Modified"]
    assert tag == f'"{hashlib.md5(DATA).hexdigest()}"'
    assert modified == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert (whole.headers["Accept-Ranges"], whole.headers["Content-Type"]) == ("bytes", "text/x-odd")

    def status(**headers: str) -> int:
        return bench.call("GET", bench.url("GET"), **headers).status

    assert [status(Range="bytes=1-2", If_Range=good) for good in (tag, modified)] == [206, 206]
    assert [status(Range="bytes=1-2", If_Range=bad) for bad in ('"other"', "")] == [200, 200]
    assert [status(If_None_Match=tag), status(If_None_Match='"a", "b"')] == [304, 200]
    assert [status(If_Match=tag), status(If_Match='"other"')] == [200, 412]


def test_what_the_address_sets(bench: Bench) -> None:
    query = {"response-content-type": "text/plain", "response-content-disposition": "inline"}
    reply = bench.call("GET", bench.url("GET", query=query))
    assert reply.headers.get_all("Content-Type") == ["text/plain"]
    assert reply.headers["Content-Disposition"] == "inline"


def test_what_is_not_there(bench: Bench) -> None:
    reply = bench.call("GET", bench.url("GET", "nö"))
    assert (reply.status, code(reply), unquote(field(reply, "Key"))) == (404, "NoSuchKey", "nö")
    reply = bench.call("GET", bench.storage.presign("GET", "other", "k", 60))
    assert refused(reply) == (404, "NoSuchBucket")


def test_planned_faults(bench: Bench) -> None:
    """Other words and broken uploads: tests/faults/test_perseus_statuses.py and test_perseus_uploads.py."""
    effects = {"503 body=json:SlowDown": "SlowDown", "500 'body=json:Something is odd'": "InternalError"}
    for effect, expected in effects.items():
        fault = bench.book.plan("nrp", "GET /storage/b/*", "status " + effect)
        reply = bench.call("GET", bench.url("GET"))
        assert (fault.fired, code(reply)) == (1, expected)
    assert bench.storage.listener.count("GET /storage/b/k", status=503) == 1
