"""Paths and files of the local SmartFile."""

import re
import urllib.parse
from typing import Any, Dict

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client
from tests.support.local import smartfile_calls as wire

DATA = bytes(place % 251 for place in range(100_000))

api = wire.client()


def test_info_object(server: LocalServer, api: wire.Api) -> None:
    server.smartfile.write("/docs/a b.txt", b"twelve bytes")
    info = api.get("path/info", "/docs/a b.txt").json()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", info.pop("time"))
    assert isinstance(info.pop("id"), int)
    assert info == {
        "name": "a b.txt", "path": "/docs/a b.txt", "url": api.url + "/api/2/path/info/docs/a%20b.txt/",
        "isdir": False, "isfile": True, "size": 12, "mime": "text/plain", "extension": ".txt", "owner": None,
        "tags": [], "attributes": {}, "items": 1,
        "acl": {"list": True, "read": True, "remove": True, "write": True},
    }  # fmt: skip
    docs = api.get("path/info", "/docs").json()
    values = [docs[name] for name in ("mime", "isdir", "extension", "items")]
    assert values == ["application/x-directory", True, "", 1]
    root = api.get("path/info").json()
    assert (root["name"], root["path"], root["url"]) == ("", "/", api.url + "/api/2/path/info/")


@pytest.mark.parametrize(
    "name",
    ["a#b", "a?b=c", "50%", "%41", "a b", "a+b", "©&ü", "日本", "x;y", "~", "-.", "a'\"b", "new\nline", "e\u0301"],
)
def test_names_travel_by_segment(server: LocalServer, api: wire.Api, name: str) -> None:
    server.smartfile.write(f"/d/{name}", b"here")
    assert api.data(f"/d/{name}") == b"here"
    info = api.get("path/info", f"/d/{name}").json()
    assert (info["name"], info["path"]) == (name, f"/d/{name}")
    target = info["url"][len(api.url) :]
    assert bare_client.request(api.url, "GET", target, None, api.headers).json()["id"] == info["id"]


@pytest.mark.parametrize("target", ["/path/info/d/a", "/path/info/d/a/", "//path/info//d//a/"])
def test_slashes_mean_nothing(server: LocalServer, api: wire.Api, target: str) -> None:
    server.smartfile.write("/d/a")
    reply = bare_client.request(api.url, "GET", "/api/2" + target, None, api.headers)
    assert reply.json()["path"] == "/d/a"


@pytest.mark.parametrize("path", ["../d", "d/../d", "d/.", "d/%2e%2E", "d%2Fa", "d/%00", "d/%ff"])
def test_segments_that_are_no_names(server: LocalServer, api: wire.Api, path: str) -> None:
    server.smartfile.write("/d/a")
    reply = bare_client.request(api.url, "GET", "/api/2/path/info/" + path, None, api.headers)
    assert reply.status == 400


@pytest.mark.parametrize("path", ["/none", "/d/a/below", "/d/A"])
def test_missing_paths(server: LocalServer, api: wire.Api, path: str) -> None:
    server.smartfile.write("/d/a")
    for endpoint in ("path/info", "path/data"):
        reply = api.get(endpoint, path)
        assert (reply.status, "detail" in reply.json()) == (404, True)
    assert api.get("path/data", "/d").status == 400


def test_children_come_in_pages(server: LocalServer, api: wire.Api) -> None:
    for number in range(25):
        server.smartfile.write(f"/d/{number:02}.txt", b"x" * number)
    first = api.get("path/info", "/d", children="true").json()
    assert [first[name] for name in ("total", "page", "pages", "per_page")] == [25, 1, 1, 100]
    found = []
    for page in (1, 2, 3):
        listed = api.get("path/info", "/d", children="on", limit=10, page=page).json()
        assert [listed[name] for name in ("total", "page", "pages", "per_page")] == [25, page, 3, 10]
        found += listed["children"]
    assert [child["size"] for child in found] == list(range(25))
    assert found == first["children"]
    assert api.get("path/info", "/d", children="true", limit=10, page=4).status == 404
    assert api.get("path/info", "/d", children="true", limit=0).status == 400
    assert "children" not in api.get("path/info", "/d").json()
    server.smartfile.configure(page_size=20, page_limit=22)
    assert api.get("path/info", "/d", children="true").json()["per_page"] == 20
    assert api.get("path/info", "/d", children="true", limit=500).json()["per_page"] == 22


def test_fields_thin_it_out(server: LocalServer, api: wire.Api) -> None:
    server.smartfile.write("/d/a", b"xyz")
    listed = api.get("path/info", "/d", children="true", fields=["name", "size"]).json()
    assert listed["children"] == [{"name": "a", "size": 3}]
    assert listed["name"] == "d"
    assert "mime" not in listed


def test_version_2_1_has_no_pages(server: LocalServer) -> None:
    for number in range(120):
        server.smartfile.write(f"/d/{number:03}")
    listed = wire.Api(server.smartfile, "2.1").get("path/info", "/d", children="true", limit=10).json()
    assert len(listed["children"]) == 120
    assert "pages" not in listed
    assert wire.Api(server.smartfile, "2.1").get("task").status == 404
    assert wire.Api(server.smartfile, "9").get("path/info").status == 404


def test_attributes_stay(server: LocalServer, api: wire.Api) -> None:
    server.smartfile.write("/d/a")
    reply = api.post("path/info", "/d/a", attributes=["colour=red", "rule=a=b"])
    assert reply.json()["attributes"] == {"colour": "red", "rule": "a=b"}
    api.post("path/info", "/d/a", attributes="colour=blue")
    assert api.get("path/info", "/d/a").json()["attributes"] == {"colour": "blue", "rule": "a=b"}
    assert api.post("path/info", "/d/a", attributes="nonsense").status == 400
    assert api.post("path/info", "/d/a").status == 400


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1), ("bytes=10-", 10, 100_000), ("bytes=99999-", 99_999, 100_000),
        ("bytes=-7", 99_993, 100_000), ("bytes=-200000", 0, 100_000), ("bytes=5-200000", 5, 100_000),
    ],
)  # fmt: skip
def test_ranges(api: wire.Api, asked: str, start: int, stop: int) -> None:
    reply = ranged(api, asked)
    assert (reply.status, reply.headers["Content-Range"]) == (206, f"bytes {start}-{stop - 1}/100000")
    assert (reply.headers["Content-Length"], reply.body) == (str(stop - start), DATA[start:stop])


@pytest.mark.parametrize("asked", ["bytes=100000-", "bytes=7-3"])
def test_ranges_behind_the_end(api: wire.Api, asked: str) -> None:
    reply = ranged(api, asked)
    assert (reply.status, reply.headers["Content-Range"]) == (416, "bytes */100000")


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=1-2", "bytes=-", "bytes=x-"])
def test_ranges_that_are_ignored(api: wire.Api, asked: str) -> None:
    reply = ranged(api, asked)
    assert (reply.status, reply.body) == (200, DATA)


def ranged(api: wire.Api, asked: str) -> wire.Reply:
    api.service.write("/a.bin", DATA)
    return api.call("GET", "path/data", "/a.bin", headers={"Range": asked})


def test_if_range(server: LocalServer, api: wire.Api) -> None:
    server.smartfile.write("/a.bin", DATA)
    whole = api.get("path/data", "/a.bin")

    def again(validator: str) -> int:
        headers = {"Range": "bytes=5-", "If-Range": validator}
        return api.call("GET", "path/data", "/a.bin", headers=headers).status

    tag, modified = whole.headers["ETag"], whole.headers["Last-Modified"]
    assert [again(one) for one in (tag or "", modified or "", '"another"')] == [206, 206, 200]
    server.smartfile.write("/a.bin", DATA[::-1])
    assert again(tag or "") == 200


def test_ranges_may_be_switched_off(api: wire.Api) -> None:
    api.service.configure(ranges=False)
    reply = ranged(api, "bytes=5-")
    assert (reply.status, reply.body, reply.headers["Accept-Ranges"]) == (200, DATA, None)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.json", "application/json"), ("a.txt", "text/plain"), ("a", "application/octet-stream")],
)
def test_data_has_the_media_type_of_its_name(server: LocalServer, api: wire.Api, name: str, kind: str) -> None:
    server.smartfile.write("/" + name, b"{}")
    server.smartfile.configure(json_charset=True)
    reply = api.get("path/data", name, download="true")
    assert reply.headers["Content-Type"] == kind
    assert reply.headers["Content-Disposition"] == "attachment; filename*=UTF-8''" + name
    head = api.call("HEAD", "path/data", name)
    assert (head.status, head.headers["Content-Length"], head.body) == (200, "2", b"")


@pytest.mark.parametrize(
    ("options", "shown"), [({}, "2001-09-08T20:46:40"), ({"time_zone": 0}, "2001-09-09T01:46:40"),
                           ({"time_zone": 5.5}, "2001-09-09T07:16:40")]
)  # fmt: skip
def test_times_name_no_zone(options: Dict[str, Any], shown: str) -> None:
    with LocalServer(services=["smartfile"], smartfile=options) as server:
        assert server.smartfile.backend.stamp(1_000_000_000) == shown


def test_a_zone_by_name() -> None:
    pytest.importorskip("zoneinfo")
    options = {"time_zone": "America/Indiana/Indianapolis"}
    with LocalServer(services=["smartfile"], smartfile=options) as server:
        # Summer time since 2006.
        assert server.smartfile.backend.stamp(1_750_000_000) == "2025-06-15T11:06:40"


def test_names_from_a_hostile_server(server: LocalServer, api: wire.Api) -> None:
    server.smartfile.plant("/d", "../../x", b"out")
    listed = api.get("path/info", "/d", children="true").json()
    assert [child["name"] for child in listed["children"]] == ["../../x"]
    assert urllib.parse.urlsplit(listed["url"]).path == "/api/2/path/info/d/"
