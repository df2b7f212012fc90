"""The local repository: local files from initialization to download (NRP protocol, section 5)."""

import hashlib
import json
import socket
from typing import Any, Iterator
from urllib.parse import urlsplit

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client
from tests.support.local.nrp_file_calls import Draft, path_of

HELLO = "5eb63bbbe01eeed093cb22bb8f5acdc3"
BROKEN = (
    "The server encountered an internal error and was unable to complete your request. "
    "Either the server is overloaded or there is an error in the application."
)


@pytest.fixture(scope="module")
def repository() -> Iterator[Any]:
    with LocalServer(services=["nrp"], nrp={"rate_limit": 100_000}) as server:
        yield server.nrp
        assert server.nrp.listener.crashes == []


@pytest.fixture
def draft(repository: Any) -> Draft:
    return Draft(repository)


@pytest.fixture
def configured(repository: Any) -> Iterator[Any]:
    """Change the configuration for one test."""
    yield repository.configure
    repository.configure(max_files=100, quota=0, max_file_size=0, reput_deletes=True)


def refusal(reply: Any) -> Any:
    return reply.status, reply.json()["message"]


def invalid(field: str, message: str) -> Any:
    errors = [{"field": field, "messages": [message]}]
    return {"status": 400, "message": "A validation error occurred.", "errors": errors}


def test_the_list_of_a_new_draft(draft: Draft) -> None:
    reply = draft.call("GET")
    assert reply.status == 200
    assert list(reply.json()) == ["enabled", "links", "entries", "default_preview", "order"]
    assert reply.json()["entries"] == []
    links = reply.json()["links"]
    assert path_of(draft.service, links["self"]) == f"/api/records/{draft.id}/draft/files"
    assert path_of(draft.service, links["archive"]) == f"/api/records/{draft.id}/draft/files-archive"


def test_the_start_lists_every_file(draft: Draft) -> None:
    draft.started("a.txt")
    wanted = {"key": "dir/b c.txt", "size": 5, "metadata": {"description": "d"}, "transfer": {"type": "L"}}
    reply = draft.start(wanted, {"key": "čé.txt"})
    assert reply.status == 201
    first, second, third = reply.json()["entries"]
    assert list(first) == [
        "created", "updated", "metadata", "access", "links", "key", "transfer", "status",
    ]  # fmt: skip
    assert (first["metadata"], first["access"], first["transfer"]) == (None, {"hidden": False}, {"type": "L"})
    assert list(second)[5:] == ["key", "size", "transfer", "status"]
    assert second["metadata"] == {"description": "d"}
    base = f"/api/records/{draft.id}/draft/files"
    assert [path_of(draft.service, link) for link in second["links"].values()] == [
        base + "/dir/b%20c.txt", base + "/dir/b%20c.txt/content", base + "/dir/b%20c.txt/commit",
    ]  # fmt: skip
    assert third["links"]["self"].endswith("/%C4%8D%C3%A9.txt")


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"key": "one.txt"}, "0._schema", "Invalid input type."),
        ([], "_schema", "No files to upload."),
        (["a"], "0._schema", "Invalid input type."),
        ([{"key": "a", "mimetype": "x/y"}], "0.mimetype", "Unknown field."),
        ([{"key": 5}], "0.key", "Not a valid string."),
        ([{"key": "\ud800"}], "0.key", "Not a valid string."),
        ([{"key": "a", "size": 1 << 70}], "0.size", "Not a valid integer."),
        ([{"key": "a", "metadata": None}], "0.metadata", "Field may not be null."),
        ([{"key": "a", "access": {"hidden": "x"}}], "0.access.hidden", "Not a valid boolean."),
        (
            [{"key": "a", "transfer": {"type": "url-fetch"}}],
            "0.transfer.type",
            "Unsupported value: url-fetch",
        ),
        ([{"key": "a", "transfer": {"type": "L", "x": 1}}], "0.transfer.x", "Unknown field."),
        ([{"key": "a"}, {"key": "b", "transfer": []}], "1.transfer._schema", "Invalid input type."),
    ],
)
def test_start_calls_that_are_not_valid(draft: Draft, body: Any, field: str, message: str) -> None:
    reply = draft.json("POST", "", body)
    assert (reply.status, reply.json()) == (400, invalid(field, message))
    assert draft.keys() == []


def test_every_field_has_its_error(draft: Draft) -> None:
    reply = draft.start({"nokey": 1})
    assert reply.json()["errors"] == [
        {"field": "0.key", "messages": ["Missing data for required field."]},
        {"field": "0.nokey", "messages": ["Unknown field."]},
    ]
    reply = draft.call("POST", "", b"{", {"Content-Type": "application/json"})
    assert refusal(reply) == (400, "Unable to decode JSON data in request body.")


def test_a_key_is_there_once(draft: Draft) -> None:
    draft.started("a.txt")
    assert refusal(draft.start({"key": "b"}, {"key": "a.txt"})) == (
        400,
        "File with key a.txt already exists.",
    )
    assert refusal(draft.start({"key": "d"}, {"key": "d"})) == (400, "File with key d already exists.")
    assert draft.keys() == ["a.txt"]


def test_too_many_files(draft: Draft, configured: Any) -> None:
    configured(max_files=3)
    draft.started("a")
    reply = draft.start({"key": "b"}, {"key": "c"}, {"key": "d"})
    text = "Uploading selected files will result in exceeding the max amount per record."
    assert refusal(reply) == (400, text)
    assert draft.start({"key": "b"}, {"key": "c"}).status == 201


def test_a_file_from_start_to_download(draft: Draft) -> None:
    before = draft.started("a.txt")
    reply = draft.put("a.txt", b"something else first")
    assert (reply.status, reply.json()) == (200, before)
    reply = draft.put("a.txt", b"hello world", Content_MD5="deadbeef")
    assert (reply.status, reply.json()) == (200, before)
    reply = draft.commit("a.txt")
    entry = reply.json()
    assert reply.status == 200
    assert list(entry) == [
        "created", "updated", "mimetype", "version_id", "file_id", "bucket_id", "metadata", "access", "links",
        "key", "transfer", "status", "checksum", "size", "storage_class",
    ]  # fmt: skip
    assert (entry["status"], entry["size"], entry["checksum"]) == ("completed", 11, f"md5:{HELLO}")
    assert (entry["mimetype"], entry["storage_class"], entry["metadata"]) == ("text/plain", "L", None)
    assert draft.entry("a.txt") == {**entry, "metadata": {}}
    again = draft.commit("a.txt").json()
    assert {**again, "updated": ""} == {**entry, "updated": "", "metadata": {}}
    reply = draft.get("a.txt")
    assert (reply.status, reply.body) == (200, b"hello world")
    assert {name: reply.headers[name] for name in (
        "Content-Length", "Content-MD5", "Content-Type", "ETag", "Content-Disposition", "Cache-Control",
    )} == {
        "Content-Length": "11", "Content-MD5": HELLO, "Content-Type": "text/plain; charset=utf-8",
        "ETag": f'"md5:{HELLO}"', "Content-Disposition": "inline", "Cache-Control": "no-cache",
    }  # fmt: skip
    assert draft.service.read(draft.id, "a.txt") == b"hello world"
    with open(draft.service.stored_path(draft.id, "a.txt"), "rb") as stream:
        assert stream.read() == b"hello world"


def test_a_guess_of_the_start_is_replaced_by_the_truth(draft: Draft) -> None:
    started = draft.started("a", size=100, checksum="md5:" + "0" * 32)
    assert list(started)[5:] == ["key", "checksum", "size", "transfer", "status"]
    draft.put("a", b"abc")
    entry = draft.commit("a").json()
    assert list(entry)[9:] == ["key", "checksum", "size", "transfer", "status", "storage_class"]
    assert (entry["size"], entry["checksum"]) == (3, "md5:900150983cd24fb0d6963f7d28e17f72")


def test_content_in_http_chunks_and_nothing_at_all(draft: Draft) -> None:
    draft.started("a")
    assert draft.put("a", iter([b"abc", b"def"])).status == 200
    assert draft.commit("a").json()["size"] == 6
    assert draft.sent("b", b"")["size"] == 0
    assert draft.get("b").body == b""
    assert draft.call("PUT", "/a/content", b"x", {"Content-Type": "text/plain"}).status == 415


def test_too_early(draft: Draft) -> None:
    draft.started("a")
    for method, tail in (("GET", "/content"), ("POST", "/commit")):
        assert refusal(draft.call(method, "/a" + tail)) == (500, BROKEN)
    assert draft.call("HEAD", "/a/content").status == 500
    draft.put("a", b"x")
    assert refusal(draft.get("a")) == (500, BROKEN)


def test_no_such_file(draft: Draft) -> None:
    text = f"Record '{draft.id}' has no file 'no pe'."
    for method, tail in (
        ("GET", ""), ("GET", "/content"), ("PUT", "/content"), ("PUT", "/content/1"), ("POST", "/commit"),
        ("PUT", ""), ("DELETE", ""),
    ):  # fmt: skip
        body = b"{}" if method == "PUT" and not tail else None
        assert refusal(draft.call(method, "/no%20pe" + tail, body)) == (404, text)


def test_content_for_a_completed_file_ends_it(draft: Draft) -> None:
    entry = draft.sent("a", b"hello world")
    reply = draft.put("a", b"hello world")
    assert reply.status == 200
    assert {**reply.json(), "updated": ""} == {
        **entry, "updated": "", "metadata": {}, "errors": "File upload transfer failed.",
    }  # fmt: skip
    assert list(reply.json())[-1] == "errors"
    assert draft.keys() == []
    assert draft.get("a").status == 404


def test_content_for_a_completed_file_as_one_would_expect(draft: Draft, configured: Any) -> None:
    configured(reput_deletes=False)
    draft.sent("a", b"hello world")
    assert draft.put("a", b"x").status == 400
    assert draft.get("a").body == b"hello world"


def test_a_short_body(draft: Draft) -> None:
    draft.started("a")
    address = urlsplit(draft.service.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        head = (
            f"PUT {draft.root}/files/a/content HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {draft.token}\r\n"
            "Content-Length: 100\r\n\r\nshort"
        )
        connection.sendall(head.encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as stream:
            answer = stream.read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["message"] == "File is smaller than expected."
    assert draft.entry("a")["status"] == "pending"
    assert draft.commit("a").status == 500


def test_a_broken_body_leaves_what_was_there(draft: Draft) -> None:
    draft.started("a")
    draft.put("a", b"hello world")
    address = urlsplit(draft.service.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        head = (
            f"PUT {draft.root}/files/a/content HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {draft.token}\r\n"
            "Content-Length: 100\r\n\r\nshort"
        )
        connection.sendall(head.encode())
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
    assert draft.commit("a").json()["checksum"] == f"md5:{HELLO}"


def test_limits(draft: Draft, configured: Any) -> None:
    draft.sent("a", b"12345")
    configured(quota=8)
    draft.started("b", size=1000)
    for data in (b"1234", iter([b"12", b"34"])):
        assert refusal(draft.put("b", data)) == (400, "Bucket quota exceeded.")
    assert draft.entry("b")["status"] == "pending"
    assert draft.put("b", b"123").status == 200
    assert draft.put("b", b"321").status == 200
    configured(quota=0, max_file_size=2)
    assert refusal(draft.put("b", b"123")) == (400, "Maximum file size exceeded.")
    assert draft.commit("b").json()["size"] == 3


def test_metadata(draft: Draft) -> None:
    draft.sent("a", b"x")
    reply = draft.json("PUT", "/a", {"metadata": {"description": "new", "n": 1}})
    assert (reply.status, reply.json()["metadata"]) == (200, {"description": "new", "n": 1})
    assert draft.json("PUT", "/a", {"metadata": {"n": 2}}).json()["metadata"] == {"n": 2}
    reply = draft.json("PUT", "/a", {"access": {"hidden": True}})
    assert (reply.json()["access"], reply.json()["metadata"]) == ({"hidden": True}, {"n": 2})
    assert draft.json("PUT", "/a", {"metadata": None}).json() == invalid("metadata", "Field may not be null.")
    assert draft.json("PUT", "/a", {"key": "b", "metadata": {}}).json() == invalid("key", "Unknown field.")
    assert draft.entry("a")["metadata"] == {"n": 2}


def test_deleted_files_leave_no_bytes(draft: Draft) -> None:
    draft.sent("a", b"x")
    path = draft.service.stored_path(draft.id, "a")
    reply = draft.call("DELETE", "/a")
    assert (reply.status, reply.body) == (204, b"")
    with pytest.raises(FileNotFoundError):
        open(path, "rb").close()
    assert draft.call("DELETE", "/a").status == 404


def test_who_may_what(repository: Any, draft: Draft) -> None:
    draft.sent("a", b"x")
    guest = Draft(repository, draft.id, "")
    # The file is looked up before the check of permissions.
    assert guest.call("GET", "/nope").status == 404
    for method, tail in (("GET", "/a"), ("GET", "/a/content"), ("GET", ""), ("DELETE", "/a"), ("POST", "")):
        assert refusal(guest.call(method, tail)) == (403, "Permission denied.")
    assert draft.keys() == ["a"]


def test_a_published_record_is_read_only(repository: Any) -> None:
    id = repository.create({"a.txt": b"hello world"}, published=True)
    guest = Draft(repository, id, "", published=True)
    reply = guest.call("GET")
    assert [list(entry["links"]) for entry in reply.json()["entries"]] == [["self", "content"]]
    assert guest.get("a.txt").body == b"hello world"
    owner = Draft(repository, id, published=True)
    text = "The method is not allowed for the requested URL."
    for method, tail in (("POST", ""), ("DELETE", ""), ("DELETE", "/a.txt"), ("PUT", "/a.txt/content")):
        assert refusal(owner.call(method, tail)) == (405, text)


def test_publishing_waits_for_files(repository: Any, draft: Draft) -> None:
    def publish() -> Any:
        headers = {"Authorization": "Bearer " + draft.token}
        target = draft.root + "/actions/publish"
        return bare_client.request(repository.url, "POST", target, None, headers)

    text = "Missing uploaded files. To disable files for this record please mark it as metadata-only."
    assert publish().json() == invalid("files.enabled", text)
    draft.started("a.txt")
    text = "One or more files have not completed their transfer, please wait."
    assert publish().json() == invalid("files", text)
    draft.put("a.txt", b"hello world")
    draft.commit("a.txt")
    reply = publish()
    assert reply.status == 202
    files = reply.json()["files"]
    assert (files["enabled"], files["count"], files["total_bytes"]) == (True, 1, 11)
    file_id = files["entries"]["a.txt"].pop("id")
    assert len(file_id) == 36
    assert files["entries"] == {"a.txt": {
        "checksum": f"md5:{HELLO}", "ext": "txt", "size": 11, "mimetype": "text/plain", "storage_class": "L",
        "key": "a.txt", "metadata": {}, "access": {"hidden": False},
    }}  # fmt: skip


def test_everything_outlives_a_restart(tmp_path: Any) -> None:
    with LocalServer(tmp_path / "data", services=["nrp"]) as server:
        service: Any = server.nrp  # type: ignore[attr-defined, unused-ignore]
        draft = Draft(service)
        draft.sent("a", b"hello world", metadata={"n": 1})
        draft.started("b")
        draft.put("b", b"abc")
        token = draft.token
    with LocalServer(tmp_path / "data", services=["nrp"]) as server:
        service = server.nrp  # type: ignore[attr-defined, unused-ignore]
        again = Draft(service, draft.id, token)
        assert again.get("a").body == b"hello world"
        assert again.entry("a")["metadata"] == {"n": 1}
        assert again.commit("b").json()["checksum"] == "md5:" + hashlib.md5(b"abc").hexdigest()
