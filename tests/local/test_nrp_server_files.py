"""The local repository: files, as far as no capture shows them (NRP protocol, section 5)."""

import io
import os
import socket
import zipfile
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.local.nrp_calls import Api, repository
from tests.support.local.nrp_file_calls import Draft, path_of

HELLO = "5eb63bbbe01eeed093cb22bb8f5acdc3"

running = repository()


def refusal(reply: Any) -> Any:
    return reply.status, reply.json()["message"]


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (["a"], "0._schema", "Invalid input type."),
        ([{"key": "\ud800"}], "0.key", "Not a valid string."),
        ([{"key": "a", "size": 1 << 70}], "0.size", "Not a valid integer."),
        ([{"key": "a", "access": {"hidden": "x"}}], "0.access.hidden", "Not a valid boolean."),
        ([{"key": "a", "transfer": {"type": "L", "x": 1}}], "0.transfer.x", "Unknown field."),
        ([{"key": "a", "size": 5, "transfer": {"type": "M", "parts": 3, "part_size": 10, "bogus": 1}}],
         "0.transfer.bogus", "Unknown field."),
        ([{"key": "a", "size": 5, "transfer": {"type": "M", "parts": 0, "part_size": 10}}],
         "0.transfer.parts", "Must be greater than or equal to 1."),
        ([{"key": "a"}, {"key": "b", "transfer": []}], "1.transfer._schema", "Invalid input type."),
    ],
)  # fmt: skip
def test_invalid_starts(draft: Draft, body: Any, field: str, message: str) -> None:
    reply = draft.json("POST", "", body)
    errors = [{"field": field, "messages": [message]}]
    assert (reply.status, reply.json()["errors"]) == (400, errors)
    assert draft.keys() == []


def test_a_start_that_is_undone_leaves_nothing(draft: Draft) -> None:
    transfer = {"type": "M", "parts": 1, "part_size": 100}
    assert draft.start({"key": "m", "size": 100, "transfer": transfer}, {"key": "m"}).status == 400
    draft.sent("a", b"xy")
    with open(draft.service.stored_path(draft.id, "a"), "rb") as stream:
        assert stream.read() == b"xy"


def test_content_in_http_chunks_and_nothing_at_all(draft: Draft) -> None:
    draft.started("a")
    assert draft.put("a", iter([b"abc", b"def"])).status == 200
    assert draft.commit("a").json()["size"] == 6
    assert draft.sent("b", b"")["size"] == 0
    assert draft.get("b").body == b""


def test_new_content_for_a_completed_file_where_it_is_refused(draft: Draft) -> None:
    draft.service.configure(reput_deletes=False)
    draft.sent("a", b"hello world")
    assert draft.put("a", b"x").status == 400
    assert draft.get("a").body == b"hello world"


def test_a_broken_body_leaves_the_old_content(draft: Draft) -> None:
    draft.started("a")
    draft.put("a", b"hello world")
    address = urlsplit(draft.service.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        head = f"PUT {draft.root}/files/a/content HTTP/1.1\r\nHost: x\r\n"
        more = f"Authorization: Bearer {draft.token}\r\nContent-Length: 100\r\n\r\nshort"
        connection.sendall((head + more).encode())
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
    assert draft.commit("a").json()["checksum"] == f"md5:{HELLO}"


def test_limits(draft: Draft) -> None:
    draft.service.configure(max_files=2)
    draft.sent("a", b"12345")
    text = "Uploading selected files will result in exceeding the max amount per record."
    assert refusal(draft.start({"key": "b"}, {"key": "c"})) == (400, text)
    draft.service.configure(quota=8)
    draft.started("b", size=1000)
    for data in (b"1234", iter([b"12", b"34"])):
        assert refusal(draft.put("b", data)) == (400, "Bucket quota exceeded.")
    assert draft.entry("b")["status"] == "pending"
    assert [draft.put("b", data).status for data in (b"123", b"321")] == [200, 200]
    draft.service.configure(quota=0, max_file_size=2)
    assert refusal(draft.put("b", b"123")) == (400, "Maximum file size exceeded.")
    assert draft.commit("b").json()["size"] == 3


def test_files_that_are_not_enabled(api: Api) -> None:
    made = api.draft({"title": "No files"}, files={"enabled": False})
    shown = api.ok("GET", made["links"]["files"])
    assert (list(shown), shown["enabled"]) == (["enabled", "links"], False)
    assert api.refused("POST", made["links"]["files"], [{"key": "a"}]) == (403, "Files are not enabled.")


def test_deleted_files_leave_no_bytes(draft: Draft) -> None:
    draft.sent("a", b"x")
    assert refusal(Draft(draft.service, draft.id, "").call("DELETE", "/a")) == (403, "Permission denied.")
    path = draft.service.stored_path(draft.id, "a")
    assert os.path.exists(path)
    assert draft.call("DELETE", "/a").status == 204
    assert not os.path.exists(path)


def test_a_new_version_shares_bytes_with_the_old_one(service: Any, api: Api) -> None:
    id = service.create({"a.txt": b"hello world"}, published=True)
    path = service.stored_path(id, "a.txt")
    draft = Draft(service, api.ok("POST", f"records/{id}/versions")["id"])
    api.ok("POST", f"records/{draft.id}/draft/actions/files-import")
    assert service.stored_path(draft.id, "a.txt") == path
    # The buckets are independent.
    assert draft.call("DELETE", "/a.txt").status == 204
    draft.sent("a.txt", b"new")
    assert service.read(draft.id, "a.txt") == b"new"
    assert Draft(service, id, published=True).get("a.txt").body == b"hello world"
    fresh = service.stored_path(draft.id, "a.txt")
    assert api.call("DELETE", f"records/{draft.id}/draft").status == 204
    assert (os.path.exists(path), os.path.exists(fresh)) == (True, False)


# -- downloads ---------------------------------------------------------------------------------------------


def test_a_proxy_serves_ranges(draft: Draft) -> None:
    draft.service.configure(storage="proxy")
    draft.sent("a.bin", b"hello world")
    tag = f'"md5:{HELLO}"'
    assert draft.get("a.bin").headers["Accept-Ranges"] == "bytes"
    for header, stretch, wanted in (
        ("bytes=2-4", "2-4", b"llo"), ("bytes=6-", "6-10", b"world"), ("bytes=-3", "8-10", b"rld"),
        ("bytes=4-99", "4-10", b"o world"),
    ):  # fmt: skip
        reply = draft.get("a.bin", Range=header, If_Range=tag)
        assert (reply.status, reply.body, reply.headers["ETag"]) == (206, wanted, tag)
        assert reply.headers["Content-Range"] == f"bytes {stretch}/11"
    for header in ("bytes=11-", "bytes=-0"):
        reply = draft.get("a.bin", Range=header)
        assert (reply.status, reply.headers["Content-Range"]) == (416, "bytes */11")
    for headers in (
        {"Range": "bytes=2-4", "If_Range": '"md5:0"'}, {"Range": "bytes=4-2"}, {"Range": "bytes=0-1,3-4"},
        {"If_None_Match": '"md5:0"'},
    ):  # fmt: skip
        reply = draft.get("a.bin", **headers)
        assert (reply.status, reply.body) == (200, b"hello world")
    assert draft.call("HEAD", "/a.bin/content", None, {"Range": "bytes=2-4"}).status == 200


def test_the_archive_is_without_pending_files(draft: Draft, api: Api) -> None:
    draft.sent("a.txt", b"hello world")
    draft.sent("dir/č", b"y" * 70000)
    draft.started("pending")
    reply = api.call("GET", draft.root + "/files-archive")
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        assert archive.testzip() is None
        assert {name: len(archive.read(name)) for name in archive.namelist()} == {"a.txt": 11, "dir/č": 70000}


@pytest.mark.parametrize(
    "key", ["a b?c#d%e&f.bin", "dir//two", "../../etc/passwd", "čé ☃", "a:b", 'quo"te', "%2F", "a/"]
)
def test_odd_keys(draft: Draft, key: str) -> None:
    links = {name: path_of(draft.service, link) for name, link in draft.started(key)["links"].items()}
    tails = {name: link.partition("/files")[2] for name, link in links.items()}
    assert draft.call("PUT", tails["content"], b"hello world").status == 200
    assert draft.call("POST", tails["commit"]).json()["size"] == 11
    assert draft.call("GET", tails["self"]).json()["key"] == key
    reply = draft.call("GET", tails["content"])
    assert (reply.status, reply.body) == (200, b"hello world")
    assert draft.call("DELETE", tails["self"]).status == 204
    assert draft.keys() == []


@pytest.mark.parametrize("key", ["a\nb", "a\rb", "a\x01b", "a\x7f"])
def test_keys_with_control_characters_where_they_are_allowed(draft: Draft, key: str) -> None:
    draft.service.plant(draft.id, key, b"1")
    assert draft.get(key).status in (404, 500)
    draft.service.configure(any_key=True)
    reply = draft.get(key)
    assert (reply.status, reply.body) == (200, b"1")
    assert "_" in reply.headers["Content-Disposition"]
