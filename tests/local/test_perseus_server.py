"""The local Perseus over plain HTTP: calls, presigned URLs, and uploads.

Planned faults, expired URLs and signed types: tests/faults/test_perseus_uploads.py and test_perseus_statuses.py.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import os
import socket
from typing import Any, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from smartxfer.errors import UsageError
from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire
from tests.support.local.perseus_calls import Api, code, put, sha256


@pytest.fixture(scope="module")
def running() -> Iterator[LocalServer]:
    with LocalServer(services=["perseus"]) as server:
        yield server
        assert server.perseus.listener.crashes == []
        assert server.perseus.storage.listener.crashes == []


@pytest.fixture
def api(running: LocalServer) -> Iterator[Api]:
    """Return a client; reset configuration and faults of the server afterwards."""
    before = running.perseus.backend.site
    yield Api(running)
    running.perseus.backend.site = before
    running.clear_faults()


@pytest.fixture
def data() -> bytes:
    """Return content that the server does not know."""
    return os.urandom(1000)


class TestKey:
    @pytest.mark.parametrize("key", ["", "sk-perseus-wrong", "\u00e9"])
    @pytest.mark.parametrize(
        ("method", "path"),
        [("POST", "/api/v0/file"), ("POST", "/api/v0/file/find"), ("DELETE", "/api/v0/file/x"), ("GET", "/")],
    )
    def test_a_wrong_one(self, api: Api, method: str, path: str, key: str) -> None:
        reply = api.call(method, path, {}, key=key)
        assert reply.status == 401
        assert list(reply.json()) == ["message"]

    def test_another_scheme(self, api: Api) -> None:
        headers = {"Authorization": f"Basic {api.perseus.api_key}"}
        assert wire.request(api.perseus.url, "POST", "/api/v0/file/find", b"{}", headers).status == 401

    def test_one_that_is_given(self) -> None:
        with LocalServer(services=["perseus"], perseus={"api_key": "sk-given"}) as server:
            url = server.perseus.url
            assert server.perseus.env == {"PERSEUS_API_HOST": url, "PERSEUS_API_KEY": "sk-given"}
            assert Api(server).find() == []
            with pytest.raises(UsageError):
                server.perseus.configure(no_such_option=1)


class TestCreate:
    def test_a_record(self, api: Api, data: bytes) -> None:
        file, url = api.create(data, "R\u00e9sum\u00e9 1.txt")
        assert set(file) == {"id", "name", "status", "createdAt", "sourceHash"}
        values = [file[name] for name in ("name", "status", "sourceHash")]
        assert values == ["R\u00e9sum\u00e9 1.txt", "pending", sha256(data)]
        assert file["createdAt"].endswith("Z")
        made = dt.datetime.strptime(file["createdAt"][:-1] + "+0000", "%Y-%m-%dT%H:%M:%S.%f%z")
        assert abs((dt.datetime.now(dt.timezone.utc) - made).total_seconds()) < 60
        assert url.startswith(api.perseus.storage_url + "/")
        assert urlsplit(url).netloc != urlsplit(api.perseus.url).netloc
        assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["3600"]

    @pytest.mark.parametrize(
        "body",
        [
            {}, {"name": "a"}, {"sourceHash": "0" * 64}, {"name": "", "sourceHash": "0" * 64},
            {"name": 7, "sourceHash": "0" * 64}, {"name": "a", "sourceHash": "0" * 63},
            {"name": "a", "sourceHash": "A" * 64}, {"name": "a", "sourceHash": "g" * 64},
            {"name": "a", "sourceHash": None}, [],
        ],
    )  # fmt: skip
    def test_an_invalid_body(self, api: Api, body: Any) -> None:
        before = api.find()
        reply = api.call("POST", "/api/v0/file", body)
        assert (reply.status, reply.json()["error"]) == (400, "Bad Request")
        assert isinstance(reply.json()["message"], list)
        assert api.find() == before

    @pytest.mark.parametrize("status", ["pending", "uploaded", "failed"])
    def test_known_content(self, api: Api, data: bytes, status: str) -> None:
        known = api.perseus.write("there.bin", data, status=status)
        body = {"name": "again.bin", "sourceHash": sha256(data)}
        reply = api.call("POST", "/api/v0/file", body)
        assert reply.status == 409
        assert isinstance(reply.json()["message"], str)
        assert known not in reply.body.decode()
        assert [file["id"] for file in api.find(sourceHashes=[sha256(data)])] == [known]

        api.perseus.configure(known="no-url")
        shown = api.call("POST", "/api/v0/file", body).json()
        assert (shown["file"]["id"], shown["uploadUrl"]) == (known, None)

    def test_a_pending_record_that_may_be_made_again(self, api: Api, data: bytes) -> None:
        api.perseus.configure(recreate_pending=True)
        first, _ = api.create(data)
        second, url = api.create(data)
        assert first["id"] != second["id"]
        assert put(url, data).status == 200
        assert (api.status(first), api.status(second)) == ("pending", "uploaded")
        body = {"name": "a", "sourceHash": sha256(data)}
        assert api.call("POST", "/api/v0/file", body).status == 409

    def test_another_status_and_no_echo(self, api: Api, data: bytes) -> None:
        api.perseus.configure(create_status=201, echo_hash=False)
        reply = api.call("POST", "/api/v0/file", {"name": "a", "sourceHash": sha256(data)})
        assert reply.status == 201
        assert set(reply.json()["file"]) == {"id", "name", "status", "createdAt"}

    @pytest.mark.parametrize(
        ("method", "path", "body", "status"),
        [
            ("GET", "/api/v0/file", {}, 404), ("PUT", "/api/v0/file", {}, 404),
            ("GET", "/api/v0/file/find", {}, 404), ("POST", "/api/v0/job/submit", {}, 404),
            ("POST", "/file", {}, 404), ("DELETE", "/api/v0/file/", None, 404),
            ("DELETE", "/api/v0/file/..", None, 404), ("DELETE", "/api/v0/file/%2e%2e%2ffile", None, 404),
            ("POST", "/api/v0/file", b'{"name": ', 400), ("POST", "/api/v0/file/find", {"ids": "one"}, 400),
            ("POST", "/api/v0/file/find", {"ids": [1]}, 400),
            ("POST", "/api/v0/file/find", {"sourceHashes": {"a": 1}}, 400),
        ],
    )  # fmt: skip
    def test_calls_that_do_not_exist_or_are_invalid(
        self, api: Api, method: str, path: str, body: Any, status: int
    ) -> None:
        assert api.call(method, path, body).status == status


class TestFind:
    def test_filters(self, api: Api) -> None:
        contents = [os.urandom(20) for _ in range(3)]
        files = [api.create(content, f"{number}.bin")[0] for number, content in enumerate(contents)]
        ids, hashes = [file["id"] for file in files], [sha256(content) for content in contents]
        for filters, found in (
            ({"ids": ids[:2]}, files[:2]), ({"ids": [ids[2], "unknown"]}, [files[2]]),
            ({"ids": ["unknown"]}, []), ({"sourceHashes": hashes[1:]}, files[1:]),
            ({"ids": ids[:2], "sourceHashes": hashes[1:]}, [files[1]]),
            ({"ids": ids[:1], "sourceHashes": hashes[1:]}, []), ({"ids": []}, []), ({"sourceHashes": []}, []),
            ({"ids": [], "sourceHashes": hashes}, []),
        ):  # fmt: skip
            assert api.find(**filters) == found
        for everything in (api.find(), api.find(ids=None)):
            assert [file for file in everything if file["id"] in ids] == files


class TestDelete:
    def test_a_record_and_its_content(self, api: Api, data: bytes) -> None:
        file, url = api.create(data)
        assert put(url, data).status == 200
        key = urlsplit(url).path.split("/perseus-files/")[1]
        content = api.perseus.storage.presign("GET", "perseus-files", key, 60)
        assert put(content, None, "GET").body == data

        reply = api.call("DELETE", f"/api/v0/file/{file['id']}")
        assert (reply.status, reply.body) == (204, b"")
        assert api.call("DELETE", f"/api/v0/file/{file['id']}").status == 404
        assert api.find(ids=[file["id"]]) == []
        assert put(content, None, "GET").status == 404
        assert code(put(url, data)) == "NoSuchKey"
        with pytest.raises(UsageError):
            api.perseus.content(file["id"])
        # It can be created again.
        again, _ = api.create(data)
        assert again["id"] != file["id"]


class TestPut:
    @pytest.mark.parametrize("size", [0, 1, 300_001])
    def test_a_url_is_good_for_several_uploads(self, api: Api, size: int) -> None:
        data = os.urandom(size) if size else b""
        file, url = api.create(data, "sp ace+%25&\u00e9~.bin")
        assert [put(url, data).status for _ in range(2)] == [200, 200]
        assert (api.status(file), api.perseus.content(file["id"])) == ("uploaded", data)
        api.call("DELETE", f"/api/v0/file/{file['id']}")

    def test_refused_content_leaves_the_record_pending(self, api: Api, data: bytes) -> None:
        """The checks of the storage itself are proven in test_s3_storage."""
        file, url = api.create(data)
        last = "0" if url[-1] != "0" else "1"
        wrong_md5 = base64.b64encode(hashlib.md5(b"x").digest()).decode()
        for reply, expected in (
            (put(url[:-1] + last, data), "SignatureDoesNotMatch"),
            (put(url, data, "POST"), "SignatureDoesNotMatch"),
            (put(url.replace("a.bin", "b.bin"), data), "SignatureDoesNotMatch"),
            (put(url, data, Host="storage.example.org"), "SignatureDoesNotMatch"),
            (put(url, data, Authorization="Bearer x"), "InvalidArgument"),
            (put(url, data, x_amz_acl="public-read"), "AccessDenied"),
            (put(url, data, Content_MD5=wrong_md5), "BadDigest"),
            (put(url, iter([data]), Transfer_Encoding="chunked"), "NotImplemented"),
        ):  # fmt: skip
            assert code(reply) == expected
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname or "", parts.port or 0), 10) as sock:
            head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 1000"
            sock.sendall(head.encode("ascii") + b"\r\n\r\n" + data[:500])
            sock.shutdown(socket.SHUT_WR)
            assert b"IncompleteBody" in b"".join(iter(lambda: sock.recv(65536), b""))
        api.perseus.configure(max_size=999)
        assert code(put(url, data)) == "EntityTooLarge"
        api.perseus.configure(max_size=1000)
        assert api.status(file) == "pending"
        # An equivalent encoding is accepted.
        assert put(url.replace("%2F", "/"), data).status == 200
        assert api.perseus.content(file["id"]) == data


class TestStatus:
    def test_other_content_than_announced(self, api: Api, data: bytes) -> None:
        file, url = api.create(data)
        assert put(url, data[::-1]).status == 200
        assert api.status(file) == "failed"

        api.perseus.configure(compare_hash=False)
        other, url = api.create(data + b"1")
        assert put(url, b"something else").status == 200
        assert api.status(other) == "uploaded"

    def test_it_takes_its_time(self, api: Api, data: bytes) -> None:
        api.perseus.configure(upload_delay=30.0)
        file, url = api.create(data)
        assert put(url, data).status == 200
        # A final status does not change.
        for offset, status in ((0.0, "pending"), (29.0, "pending"), (31.0, "uploaded"), (0.0, "uploaded")):
            api.perseus.configure(clock_offset=offset)
            assert api.status(file) == status


def test_the_account_has_both_origins(api: Api, data: bytes) -> None:
    file, url = api.create(data)
    before = len(api.perseus.requests)
    put(url, data)
    api.status(file)
    sent, asked = api.perseus.request_log[before:]
    assert (sent.request.method, sent.request.status, sent.received) == ("PUT", 200, 1000)
    assert asked.request == ("POST", "/api/v0/file/find", 200)


def test_data_survives_a_restart(tmp_path: Any) -> None:
    with LocalServer(str(tmp_path), services=["perseus"]) as server:
        key = server.perseus.api_key
        id = server.perseus.write("kept.bin", b"kept")
    with LocalServer(str(tmp_path), services=["perseus"]) as server:
        assert server.perseus.api_key == key
        assert server.perseus.content(id) == b"kept"
        assert [record["id"] for record in server.perseus.records()] == [id]
