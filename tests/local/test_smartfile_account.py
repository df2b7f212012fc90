"""The caller and the lists of an account."""

import json
from typing import Any, Dict, List

import pytest

from smartxfer.local import LocalServer
from tests.support.local import smartfile_calls as wire

BOB = {"username": "bob", "name": "Bob", "email": "bob@example.net", "password": "s3cret"}


@pytest.fixture
def api(server: LocalServer) -> wire.Api:
    return wire.Api(server.smartfile)


def names(reply: wire.Reply, field: str = "name") -> List[Any]:
    assert reply.status == 200, reply.body
    listed = reply.json()
    if isinstance(listed, dict):
        assert set(listed) == {"total", "page", "pages", "per_page", "previous", "next", "results"}
        listed = listed["results"]
    return [item[field] for item in listed]


def test_whoami(api: wire.Api) -> None:
    shown = api.get("whoami").json()
    assert shown["address"] == "127.0.0.1"
    assert shown["user"]["username"] == shown["username"] == api.service.username
    assert "password" not in shown["user"]
    assert shown["site"]["url"] == api.url + "/"


def test_rights_and_roles_are_arrays(api: wire.Api) -> None:
    assert "sftp_access" in names(api.get("right"))
    assert all(set(item) == {"name", "description"} for item in api.get("right").json())
    assert "User" in names(api.get("role"))


@pytest.mark.parametrize("endpoint", ["whoami", "right", "user", "pref", "activity", "access/path"])
def test_account_needs_credentials(api: wire.Api, endpoint: str) -> None:
    api.headers = {}
    assert api.get(endpoint).status == 401


def test_the_life_of_a_user(api: wire.Api) -> None:
    made = api.post("user", **BOB, role="User")
    assert made.status == 201
    assert made.json() == {"username": "bob", "name": "Bob", "email": "bob@example.net", "role": "User"}
    assert api.get("user", "bob").json() == made.json()
    assert names(api.get("user"), "username") == [api.service.username, "bob"]
    changed = api.put("user", "bob", full_name="Bob B.", username="eve")
    assert changed.status == 200
    assert changed.json() == {**made.json(), "full_name": "Bob B."}
    bob = wire.Api(api.service)
    bob.headers = wire.basic("bob", "s3cret")
    assert bob.get("whoami").json()["user"]["username"] == "bob"
    gone = api.delete("user", "bob")
    assert (gone.status, gone.body) == (204, b"")
    assert api.get("user", "bob").status == 404
    assert api.delete("user", "bob").status == 404
    assert api.put("user", "bob", email="x").status == 404
    assert bob.get("whoami").status == 401


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"username": ""}, {"username"}),
        ({"email": "", "password": ""}, {"email", "password"}),
        ({"username": "a/b"}, {"username"}),
        ({"username": ".."}, {"username"}),
    ],
)
def test_users_that_are_refused(api: wire.Api, change: Dict[str, str], wrong: Any) -> None:
    reply = api.post("user", **{**BOB, **change})
    assert reply.status == 400
    assert set(reply.json()["field_errors"]) == wrong
    assert api.get("user").json()["total"] == 1


def test_a_name_is_given_once(api: wire.Api) -> None:
    assert api.post("user", **BOB).status == 201
    assert set(api.post("user", **BOB).json()["field_errors"]) == {"username"}
    assert set(api.post("user", **{**BOB, "username": api.service.username}).json()["field_errors"]) == {
        "username"
    }
    assert api.delete("user", api.service.username).status == 403


def test_groups_have_users(api: wire.Api) -> None:
    made = api.post("group", name="staff", users=["ann", "bob"])
    assert (made.status, made.json()) == (201, {"name": "staff", "users": ["ann", "bob"]})
    assert api.post("group", name="empty").json() == {"name": "empty", "users": []}
    assert names(api.get("group")) == ["staff", "empty"]
    assert api.put("group", "staff", users="ann").json()["users"] == ["ann"]
    assert api.delete("group", "staff").status == 204
    assert names(api.get("group")) == ["empty"]


def test_preferences_of_the_user_come_before_those_of_the_site(api: wire.Api) -> None:
    assert api.get("pref").json() == []
    first = api.post("pref/site", name="max-per-page", value="50")
    assert (first.status, first.json()) == (200, {"name": "max-per-page", "value": "50"})
    api.post("pref/site", name="theme", value="dark")
    api.post("pref/user", name="max-per-page", value="10")
    api.post("pref/user", name="max-per-page", value="20")
    assert api.get("pref/user").json() == [{"name": "max-per-page", "value": "20"}]
    assert names(api.get("pref/site")) == ["max-per-page", "theme"]
    assert {item["name"]: item["value"] for item in api.get("pref").json()} == {
        "max-per-page": "20",
        "theme": "dark",
    }
    assert api.post("pref/user", value="x").status == 400


def test_activity_is_listed_latest_first(api: wire.Api) -> None:
    api.mkdir("/a")
    api.post("link", path="/a")
    listed = api.get("activity", limit="1").json()
    assert listed["total"] >= 1
    (latest,) = listed["results"]
    assert (latest["action"], latest["path"], latest["user"]) == ("link", "/a", api.service.username)


def test_search(api: wire.Api) -> None:
    api.mkdir("/Reports")
    api.upload("/Reports", "Summer REPORT 1.txt", b"")
    api.upload("/", "other.txt", b"")
    assert names(api.get("search/path", keywords="report"), "path") == [
        "/Reports",
        "/Reports/Summer REPORT 1.txt",
    ]
    assert names(api.get("search/path", keywords="report SUMMER")) == ["Summer REPORT 1.txt"]
    assert api.get("search/path").status == 400
    api.post("user", **BOB)
    assert names(api.get("search/user", keywords="BO"), "username") == ["bob"]
    assert "password" not in repr(api.get("search/user", keywords="bob").json())
    api.post("group", name="staff")
    assert names(api.get("search/group", keywords="taf")) == ["staff"]
    assert names(api.get("search/group", keywords="none")) == []


def test_access(api: wire.Api) -> None:
    api.mkdir("/a")
    api.post("user", **BOB)
    api.post("group", name="staff")
    every = {"list": True, "read": True, "remove": True, "write": True}
    few = {"list": True, "read": True, "remove": False, "write": False}
    owner = {"user": api.service.username, "acl": every}
    assert api.get("access/path", "/a").json() == {"users": [owner], "groups": []}
    given = api.post("access/user", user="bob", path="/a", read="true", list="on")
    assert (given.status, given.json()) == (201, {"user": "bob", "path": "/a", "acl": few})
    api.post("access/group", group="staff", path="/a", read="true", list="true", write="true", remove="true")
    assert api.get("access/path", "/a").json() == {
        "users": [owner, {"user": "bob", "acl": few}],
        "groups": [{"group": "staff", "acl": every}],
    }
    assert api.get("access/user", "bob").json() == [given.json()]
    assert api.get("access/user", "eve").json() == []
    assert api.get("access/path", "/none").status == 404
    assert set(api.post("access/user", user="bob", path="/none").json()) == {"path"}
    assert set(api.post("access/user", user="eve", path="/a").json()) == {"user"}


def test_watches(api: wire.Api) -> None:
    api.mkdir("/a")
    made = api.post("watch/paths", path="/a", user="bob")
    assert (made.status, made.json()) == (201, {"path": "/a", "user": "bob"})
    api.post("watch/paths", path="/a", user="bob")
    assert names(api.get("watch/paths"), "path") == ["/a"]
    assert api.post("watch/users", user="bob").status == 201
    assert api.post("watch/groups", group="staff").status == 201
    assert names(api.get("watch/groups"), "group") == ["staff"]
    assert api.post("watch/users", path="/a").status == 400
    assert api.post("watch/paths", path="/none").status == 400


def test_lists_come_in_pages(api: wire.Api) -> None:
    for number in range(4):
        assert api.post("user", **{**BOB, "username": f"u{number}"}).status == 201
    page = api.get("user", page="2", limit="2").json()
    assert [item["username"] for item in page["results"]] == ["u1", "u2"]
    assert (page["total"], page["pages"], page["page"], page["per_page"]) == (5, 3, 2, 2)


def test_ssh_keys_of_api_3(api: wire.Api) -> None:
    keys = wire.Api(api.service, "3")
    place, kind = api.service.username + "/laptop", {"Content-Type": "application/json"}

    def send(method: str, fields: Dict[str, str], id: str = place) -> wire.Reply:
        return keys.call(method, "sshkeys", id, body=json.dumps(fields).encode(), headers=kind)

    assert send("PATCH", {"key": "x"}).status == 404
    made = send("PUT", {"key": "ssh-ed25519 AAAA", "note": "mine"})
    whole = {"user": api.service.username, "name": "laptop", "key": "ssh-ed25519 AAAA", "note": "mine"}
    assert (made.status, made.json()) == (200, whole)
    assert send("PATCH", {"note": "old"}).json() == {**whole, "note": "old"}
    assert keys.get("sshkeys", api.service.username).json() == [{**whole, "note": "old"}]
    assert keys.get("sshkeys", place).json()["note"] == "old"
    assert send("PUT", {"key": "x"}, "eve/laptop").status == 404
    assert send("PUT", {"key": "x"}, "eve").status == 404
    assert keys.delete("sshkeys", place).status == 204
    assert keys.get("sshkeys", place).status == 404
    assert keys.delete("sshkeys", place).status == 404


def test_what_was_made_outlives_the_server(tmp_path: Any) -> None:
    with LocalServer(tmp_path / "data", services=["smartfile"]) as server:
        assert wire.Api(server.smartfile).post("user", **BOB).status == 201
    with LocalServer(tmp_path / "data", services=["smartfile"]) as server:
        assert names(wire.Api(server.smartfile).get("user"), "username") == [server.smartfile.username, "bob"]
