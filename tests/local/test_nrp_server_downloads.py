"""The local repository: downloads, odd keys, and the archive (NRP protocol, section 5)."""

import io
import zipfile
from typing import Any, Iterator

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client
from tests.support.local.nrp_file_calls import Draft, path_of

HELLO = "5eb63bbbe01eeed093cb22bb8f5acdc3"


@pytest.fixture(scope="module")
def repository() -> Iterator[Any]:
    with LocalServer(services=["nrp"], nrp={"rate_limit": 100_000}) as server:
        yield server.nrp
        assert server.nrp.listener.crashes == []


@pytest.fixture
def draft(repository: Any) -> Draft:
    return Draft(repository)


@pytest.fixture
def proxied(repository: Any) -> Iterator[None]:
    """Configure a proxy in front of the storage for one test."""
    repository.configure(storage="proxy")
    yield
    repository.configure(storage="local")


def test_downloads_of_local_storage_know_no_ranges(draft: Draft) -> None:
    draft.sent("a.bin", b"hello world")
    for header in ("bytes=2-4", "bytes=100-"):
        reply = draft.get("a.bin", Range=header)
        assert (reply.status, reply.body) == (200, b"hello world")
        assert reply.headers["Accept-Ranges"] is None
    reply = draft.get("a.bin", If_None_Match=f'"md5:{HELLO}"')
    assert (reply.status, reply.body, reply.headers["ETag"]) == (304, b"", f'"md5:{HELLO}"')
    assert draft.get("a.bin", If_None_Match='"md5:0"').status == 200
    head = draft.call("HEAD", "/a.bin/content")
    assert (head.status, head.headers["Content-Length"]) == (200, "11")
    assert head.headers["Content-Disposition"] == "attachment; filename=a.bin"


def test_a_proxy_knows_ranges(draft: Draft, proxied: None) -> None:
    draft.sent("a.bin", b"hello world")
    tag = f'"md5:{HELLO}"'
    assert draft.get("a.bin").headers["Accept-Ranges"] == "bytes"
    for header, stretch, wanted in (
        ("bytes=2-4", "2-4", b"llo"), ("bytes=6-", "6-10", b"world"), ("bytes=-3", "8-10", b"rld"),
        ("bytes=4-99", "4-10", b"o world"),
    ):  # fmt: skip
        reply = draft.get("a.bin", Range=header, If_Range=tag)
        assert (reply.status, reply.body) == (206, wanted)
        assert reply.headers["Content-Range"] == f"bytes {stretch}/11"
        assert reply.headers["ETag"] == tag
    for header in ("bytes=11-", "bytes=-0"):
        reply = draft.get("a.bin", Range=header)
        assert (reply.status, reply.headers["Content-Range"]) == (416, "bytes */11")
    for headers in (
        {"Range": "bytes=2-4", "If_Range": '"md5:0"'}, {"Range": "bytes=4-2"}, {"Range": "bytes=0-1,3-4"},
    ):  # fmt: skip
        reply = draft.get("a.bin", **headers)
        assert (reply.status, reply.body) == (200, b"hello world")
    assert draft.call("HEAD", "/a.bin/content", None, {"Range": "bytes=2-4"}).status == 200


@pytest.mark.parametrize(
    "key",
    [
        "a b?c#d%e&f.bin", "dir//two", "../../etc/passwd", "a/../b", "x" * 255, "čé ☃", "a/commit", "a:b",
        'quo"te', "a\tb", "%2F", "a/", "b/content/3",
    ],
)  # fmt: skip
def test_odd_keys(draft: Draft, key: str) -> None:
    entry = draft.started(key)
    links = {name: path_of(draft.service, link) for name, link in entry["links"].items()}
    tails = {name: link.partition("/files")[2] for name, link in links.items()}
    assert draft.call("PUT", tails["content"], b"hello world").status == 200
    assert draft.call("POST", tails["commit"]).json()["size"] == 11
    assert draft.call("GET", tails["self"]).json()["key"] == key
    reply = draft.call("GET", tails["content"])
    assert (reply.status, reply.body) == (200, b"hello world")
    assert draft.call("DELETE", tails["self"]).status == 204
    assert draft.keys() == []


def test_slashes_of_a_key_may_be_encoded(draft: Draft) -> None:
    draft.sent("dir/b c.txt", b"123456789")
    assert draft.call("GET", "/dir%2Fb%20c.txt/content").body == b"123456789"


def test_keys_that_lead_nowhere(draft: Draft) -> None:
    for key in ("", "/lead"):
        draft.started(key)
        for method, tail in (("GET", ""), ("GET", "/content"), ("PUT", "/content")):
            lost = not key and not tail
            reply = draft.call(method, "/" + key + tail)
            assert reply.status == (404 if lost else 308), "the other slash is taken for none"
            assert lost or reply.headers["Location"].endswith("/draft/files" + (key + tail))
            assert reply.headers["Retry-After"] is None
    draft.started("a/content")
    assert draft.put("a/content", b"x").status == 200
    assert draft.commit("a/content").status == 200
    assert draft.call("GET", "/a/content").status == 404
    assert draft.get("a/content").body == b"x"
    assert draft.call("DELETE").status == 204
    assert draft.keys() == []


def test_the_archive(repository: Any, draft: Draft) -> None:
    draft.sent("a.txt", b"hello world")
    draft.sent("dir/č", b"y" * 70000)
    draft.started("pending")
    headers = {"Authorization": "Bearer " + draft.token}
    reply = bare_client.request(repository.url, "GET", draft.root + "/files-archive", None, headers)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/zip")
    assert reply.headers["Content-Disposition"] == f"attachment; filename={draft.id}.zip"
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        assert archive.testzip() is None
        assert {one.filename: one.compress_type for one in archive.infolist()} == {"a.txt": 0, "dir/č": 0}
        assert archive.read("dir/č") == b"y" * 70000
    guest = bare_client.request(repository.url, "GET", draft.root + "/files-archive")
    assert (guest.status, guest.json()["message"]) == (403, "Permission denied.")
