"""Requests of ``client.files``: methods, addresses, headers and bodies, with canned responses."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple
from urllib.parse import urlsplit

import pytest
from responses import RequestsMock

from smartxfer import RepositoryClient, RetryPolicy
from smartxfer.errors import BadRequest
from smartxfer.nrp import File, MemorySink

BASE = "https://repository.example.org"
STORAGE = "https://storage.example.net"
TOKEN = "t0k3n" * 8
FILES = f"{BASE}/api/records/abc-123/draft/files"
MIB = 1 << 20
#: Headers of a request that describe its content, and its credentials.
COMPARED_HEADERS = ("Accept", "Content-Type", "Content-Length", "Authorization")


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


@pytest.fixture
def mock() -> Iterator[RequestsMock]:
    """Answers; the first one says what the repository is."""
    with RequestsMock(assert_all_requests_are_fired=False) as active:
        info = {
            "invenio_version": "14.0.5",
            "transfers": ["L", "F", "R", "M"],
            "links": {"api": f"{BASE}/api"},
        }
        active.add("GET", f"{BASE}/.well-known/repository/", json=info)
        yield active


@pytest.fixture
def client() -> Iterator[RepositoryClient]:
    with RepositoryClient(BASE, token=TOKEN, retry=RetryPolicy(attempts=1, backoff=0)) as made:
        yield made


def entry(key: str = "data.csv", **members: Any) -> Dict[str, Any]:
    """A pending entry."""
    here = f"{FILES}/{key}"
    links = {"self": here, "content": f"{here}/content", "commit": f"{here}/commit"}
    return {
        "key": key,
        "status": "pending",
        "transfer": {"type": "L"},
        "metadata": None,
        "links": links,
        **members,
    }


def done(data: bytes, key: str = "data.csv", **members: Any) -> Dict[str, Any]:
    """Return a completed entry."""
    defaults = {"status": "completed", "size": len(data), "checksum": f"md5:{md5(data)}", "metadata": {}}
    return entry(key, **{**defaults, **members})


def sent(mock: RequestsMock) -> List[Any]:
    """The requests, without the first one: what the repository is."""
    requests = [call.request for call in mock.calls]
    assert requests[0].url == f"{BASE}/.well-known/repository/"
    assert "Authorization" not in requests[0].headers
    return requests[1:]


def line(request: Any) -> Tuple[str, str]:
    """Method, and address without the part that all have."""
    return request.method, request.url.replace(f"{BASE}/api/records/abc-123", "")


def headers(request: Any) -> Dict[str, str]:
    return {name: request.headers[name] for name in COMPARED_HEADERS if name in request.headers}


AUTH = {"Accept": "application/json", "Authorization": f"Bearer {TOKEN}"}


class Streamed:
    """Takes a body as a server does, to its end."""

    def __init__(self, status: int, answer: Any, **headers: str) -> None:
        self.bodies: List[bytes] = []
        self._answer = (status, headers, json.dumps(answer) if answer is not None else "")

    def __call__(self, request: Any) -> Any:
        body = request.body
        self.bodies.append(body if isinstance(body, bytes) else b"".join(map(bytes, body or ())))
        return self._answer


def test_a_local_file_takes_three_requests(mock: RequestsMock, client: RepositoryClient) -> None:
    data = b"place,count\n"
    content = Streamed(200, entry(), **{"Content-Type": "application/json"})
    mock.add("POST", FILES, status=201, json={"entries": [entry("another"), entry(metadata={"n": 1})]})
    mock.add_callback("PUT", f"{FILES}/data.csv/content", callback=content)
    mock.add("POST", f"{FILES}/data.csv/commit", json=done(data, metadata={"n": 1}))
    file = client.files.upload("abc-123", "data.csv", {"n": 1}, data)
    assert (file.checksum, file.result.verified) == (f"md5:{md5(data)}", "md5")  # type: ignore[union-attr]

    start, put, commit = sent(mock)
    assert [line(request) for request in (start, put, commit)] == [
        ("POST", "/draft/files"),
        ("PUT", "/draft/files/data.csv/content"),
        ("POST", "/draft/files/data.csv/commit"),
    ]
    assert headers(start) == {
        **AUTH,
        "Content-Type": "application/json",
        "Content-Length": str(len(start.body)),
    }
    assert json.loads(start.body) == [
        {"key": "data.csv", "size": 12, "metadata": {"n": 1}, "transfer": {"type": "L"}}
    ]
    assert headers(put) == {**AUTH, "Content-Type": "application/octet-stream", "Content-Length": "12"}
    assert "Transfer-Encoding" not in put.headers
    assert content.bodies == [data]
    assert headers(commit) == {**AUTH, "Content-Length": "0"}
    assert not commit.body


def parts_of(count: int, base: str) -> List[Dict[str, Any]]:
    return [{"part": number, "url": f"{base}/{number}"} for number in range(1, count + 1)]


def test_parts_at_the_repository(mock: RequestsMock, client: RepositoryClient, tmp_path: Path) -> None:
    data = bytes(range(256)) * (44 << 10)  # 11 MiB
    path = tmp_path / "big.bin"
    path.write_bytes(data)
    here = f"{FILES}/big.bin"
    transfer = {"type": "M", "parts": 3, "part_size": 5 * MIB}
    links = {"self": here, "commit": f"{here}/commit", "parts": parts_of(3, f"{here}/content")}
    pending = entry("big.bin", size=len(data), checksum=None, transfer=transfer, links=links)
    part = Streamed(200, pending, **{"Content-Type": "application/json"})
    mock.add("POST", FILES, status=201, json={"entries": [pending]})
    for number in (1, 2, 3):
        mock.add_callback("PUT", f"{here}/content/{number}", callback=part)
    mock.add("POST", f"{here}/commit", json=done(data, "big.bin"))
    client.files.upload("abc-123", "big.bin", None, path, "multipart", part_size=5 * MIB)

    start, *puts, commit = sent(mock)
    assert json.loads(start.body) == [{"key": "big.bin", "size": len(data), "transfer": transfer}]
    lengths = {line(put)[1]: put.headers["Content-Length"] for put in puts}
    assert lengths == {
        "/draft/files/big.bin/content/1": str(5 * MIB),
        "/draft/files/big.bin/content/2": str(5 * MIB),
        "/draft/files/big.bin/content/3": str(MIB),
    }
    assert all("Transfer-Encoding" not in put.headers for put in puts)
    assert all(put.headers["Authorization"] == f"Bearer {TOKEN}" for put in puts)
    assert sorted(part.bodies) == sorted([data[: 5 * MIB], data[5 * MIB : 10 * MIB], data[10 * MIB :]])
    assert line(commit) == ("POST", "/draft/files/big.bin/commit")


def test_parts_at_presigned_addresses(mock: RequestsMock, client: RepositoryClient) -> None:
    data = bytes(6 * MIB)
    pieces = [data[: 5 * MIB], data[5 * MIB :]]
    here = f"{FILES}/big.bin"
    transfer = {"type": "M", "parts": 2, "part_size": 5 * MIB}
    urls = [f"{STORAGE}/bucket/0f?partNumber={number}&X-Amz-Signature=abc" for number in (1, 2)]
    parts = [{"part": number, "url": url} for number, url in enumerate(urls, 1)]
    links = {"self": here, "commit": f"{here}/commit", "parts": parts}
    pending = entry("big.bin", size=len(data), transfer=transfer, links=links)
    mock.add("POST", FILES, status=201, json={"entries": [pending]})
    takers = [Streamed(200, None, ETag=f'"{md5(piece)}"') for piece in pieces]
    for url, taker in zip(urls, takers):
        mock.add_callback("PUT", url, callback=taker)
    whole = md5(b"".join(hashlib.md5(piece).digest() for piece in pieces))
    mock.add("POST", f"{here}/commit", json=done(data, "big.bin", checksum=f"multipart:{whole}-2-{5 * MIB}"))
    with RepositoryClient(BASE, token=TOKEN, retry=RetryPolicy(attempts=1), max_workers=1) as client:
        file = client.files.upload("abc-123", "big.bin", None, data, "M", part_size=5 * MIB)
    assert file.result is not None
    assert file.result.verified == "multipart"

    puts = sent(mock)[1:3]
    assert [put.url for put in puts] == urls
    for put, piece in zip(puts, pieces):
        assert "Authorization" not in put.headers
        assert TOKEN not in f"{put.url} {put.headers}"
        assert "Cookie" not in put.headers
        assert "Transfer-Encoding" not in put.headers
        assert put.headers["Content-Length"] == str(len(piece))
        assert put.headers["Content-MD5"] == base64.b64encode(hashlib.md5(piece).digest()).decode()
    assert [taker.bodies for taker in takers] == [[piece] for piece in pieces]


@pytest.mark.parametrize(
    ("transfer_type", "transfer_metadata", "sent_members"),
    [
        ("url-fetch", None, {"transfer": {"type": "F", "url": "https://example.com/data.csv"}}),
        ("F", {"type": "url-fetch"}, {"transfer": {"type": "F", "url": "https://example.com/data.csv"}}),
        (
            "remote",
            {"size": 3, "checksum": "md5:x"},
            {
                "size": 3,
                "checksum": "md5:x",
                "transfer": {"type": "R", "url": "https://example.com/data.csv"},
            },
        ),
        ("R", None, {"transfer": {"type": "R", "url": "https://example.com/data.csv"}}),
    ],
)
def test_addresses_take_one_request(
    mock: RequestsMock,
    client: RepositoryClient,
    transfer_type: str,
    transfer_metadata: Any,
    sent_members: Dict[str, Any],
) -> None:
    mock.add(
        "POST", FILES, status=201, json={"entries": [entry(transfer={"type": sent_members["transfer"]["type"]})]}
    )
    file = client.files.upload(
        "abc-123", "data.csv", {"n": 1}, "https://example.com/data.csv", transfer_type, transfer_metadata
    )
    assert (file.status, file.transfer.type) == ("pending", sent_members["transfer"]["type"])
    [start] = sent(mock)
    assert json.loads(start.body) == [{"key": "data.csv", "metadata": {"n": 1}, **sent_members}]


def test_transfer_metadata_goes_into_the_start(mock: RequestsMock, client: RepositoryClient) -> None:
    mock.add("POST", FILES, status=400, json={"status": 400, "message": "Unknown field."})
    mock.add("GET", FILES, json={"entries": []})
    with pytest.raises(BadRequest):
        client.files.upload("abc-123", "data.csv", {}, b"1", extra={"colour": "red"})
    assert json.loads(sent(mock)[0].body) == [
        {"key": "data.csv", "size": 1, "transfer": {"type": "L", "colour": "red"}}
    ]


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("b c.txt", "b%20c.txt"),
        ("dir/b c.txt", "dir/b%20c.txt"),
        ("a?b#c%d&e=f;g.txt", "a%3Fb%23c%25d%26e%3Df%3Bg.txt"),
        ("100%25.txt", "100%2525.txt"),
        ("blåbær.txt", "bl%C3%A5b%C3%A6r.txt"),
        ("a//b", "a//b"),
        ("../../etc/passwd", "..%2F..%2Fetc%2Fpasswd"),
        ("a/./b", "a%2F.%2Fb"),
        ("+:@!$,'()*", "%2B%3A%40%21%24%2C%27%28%29%2A"),
    ],
)
def test_odd_keys_are_encoded(mock: RequestsMock, client: RepositoryClient, key: str, path: str) -> None:
    answer = done(b"12345", key, links={"self": f"{FILES}/{path}", "content": f"{FILES}/{path}/content"})
    mock.add("GET", f"{FILES}/{path}", json=answer)
    mock.add("PUT", f"{FILES}/{path}", json=answer)
    mock.add("DELETE", f"{FILES}/{path}", status=204)
    mock.add("GET", f"{FILES}/{path}/content", body=b"12345")
    file = client.files.read(File.from_wire(answer))
    assert client.files.update(file).key == key
    sink = MemorySink()
    client.files.download(file, sink)
    assert sink.data == b"12345"
    client.files.delete(file)
    client.files.delete("abc-123", key)
    raw = [urlsplit(request.url).path.partition("/files/")[2] for request in sent(mock)]
    assert raw == [path, path, f"{path}/content", path, path]


def test_metadata_is_sent_as_a_whole(mock: RequestsMock, client: RepositoryClient) -> None:
    mock.add("GET", f"{FILES}/data.csv", json=done(b"1", metadata={"old": 1}, access={"hidden": False}))
    mock.add("PUT", f"{FILES}/data.csv", json=done(b"1"))
    file = client.files.read(f"{FILES}/data.csv")
    file.metadata["new"] = 2
    client.files.update(file)
    file.access["hidden"] = True
    client.files.update(file)
    _, first, second = sent(mock)
    assert headers(first) == {
        **AUTH,
        "Content-Type": "application/json",
        "Content-Length": str(len(first.body)),
    }
    assert json.loads(first.body) == {"metadata": {"old": 1, "new": 2}}
    assert json.loads(second.body) == {"metadata": {"old": 1, "new": 2}, "access": {"hidden": True}}


def test_a_download_asks_for_the_bytes_as_they_are(mock: RequestsMock, client: RepositoryClient) -> None:
    mock.add("GET", f"{FILES}/data.csv/content", body=b"12345")
    sink = MemorySink()
    client.files.download(File.from_wire(done(b"12345")), sink)
    [request] = sent(mock)
    assert request.headers["Accept"] == "*/*"
    assert request.headers["Accept-Encoding"] == "identity"
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert "Range" not in request.headers
