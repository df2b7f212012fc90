"""The caller and the lists of an account: users, groups, preferences, rights, watches, keys and sessions."""

import json
from http.cookies import SimpleCookie
from typing import Any, Dict, List, Optional

import pytest

from smartxfer.local import LocalServer
from tests.support.local import smartfile_calls as wire

api = wire.client()
BOB = {"username": "bob", "name": "Bob", "email": "bob@example.net", "password": "s3cret"}


def names(reply: wire.Reply, field: str = "name") -> List[Any]:
    assert reply.status == 200, reply.body
    listed = reply.json()
    if isinstance(listed, dict):
        assert set(listed) == {"total", "page", "pages", "per_page", "previous", "next", "results"}
        listed = listed["results"]
    return [item[field] for item in listed]


def test_whoami_rights_and_roles(api: wire.Api) -> None:
    shown = api.get("whoami").json()
    assert (shown["address"], shown["site"]["url"]) == ("127.0.0.1", api.url + "/")
    assert shown["user"]["username"] == shown["username"] == api.service.username
    assert "password" not in shown["user"]
    assert "sftp_access" in names(api.get("right"))
    assert all(set(item) == {"name", "description"} for item in api.get("right").json())
    assert "User" in names(api.get("role"))


def test_the_life_of_a_user(api: wire.Api) -> None:
    made = api.post("user", **BOB, role="User")
    assert made.status == 201
    assert made.json() == {"username": "bob", "name": "Bob", "email": "bob@example.net", "role": "User"}
    assert api.get("user", "bob").json() == made.json()
    assert names(api.get("user"), "username") == [api.service.username, "bob"]
    changed = api.put("user", "bob", full_name="Bob B.", username="eve")
    assert (changed.status, changed.json()) == (200, {**made.json(), "full_name": "Bob B."})
    bob = wire.Api(api.service)
    bob.headers = wire.basic("bob", "s3cret")
    assert bob.get("whoami").json()["user"]["username"] == "bob"
    gone = api.delete("user", "bob")
    assert (gone.status, gone.body) == (204, b"")
    assert [api.call(method, "user", "bob").status for method in ("GET", "DELETE", "PUT")] == [404, 404, 404]
    assert bob.get("whoami").status == 401


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"username": ""}, {"username"}),
        ({"username": "eve", "email": "", "password": ""}, {"email", "password"}),
        ({"username": "a/b"}, {"username"}), ({"username": ".."}, {"username"}),
        ({"username": "ann"}, {"username"}), ({}, {"username"}),
    ],
)  # fmt: skip
def test_users_that_are_refused(api: wire.Api, change: Dict[str, str], wrong: Any) -> None:
    assert api.post("user", **BOB).status == 201
    reply = api.post("user", **{**BOB, **change})
    assert (reply.status, set(reply.json()["field_errors"])) == (400, wrong)
    assert api.get("user").json()["total"] == 2
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
    for value in ("10", "20"):
        api.post("pref/user", name="max-per-page", value=value)
    assert api.get("pref/user").json() == [{"name": "max-per-page", "value": "20"}]
    assert names(api.get("pref/site")) == ["max-per-page", "theme"]
    both = {item["name"]: item["value"] for item in api.get("pref").json()}
    assert both == {"max-per-page": "20", "theme": "dark"}
    assert api.post("pref/user", value="x").status == 400


def test_activity_is_listed_latest_first(api: wire.Api) -> None:
    api.mkdir("/a")
    api.post("link", path="/a")
    [latest] = api.get("activity", limit="1").json()["results"]
    assert [latest[name] for name in ("action", "path", "user")] == ["link", "/a", api.service.username]


def test_search(api: wire.Api) -> None:
    api.mkdir("/Reports")
    api.upload("/Reports", "Summer REPORT 1.txt", b"")
    api.upload("/", "other.txt", b"")
    api.post("user", **BOB)
    api.post("group", name="staff")
    for kind, words, field, found in (
        ("path", "report", "path", ["/Reports", "/Reports/Summer REPORT 1.txt"]),
        ("path", "report SUMMER", "name", ["Summer REPORT 1.txt"]), ("user", "BO", "username", ["bob"]),
        ("group", "taf", "name", ["staff"]), ("group", "none", "name", []),
    ):  # fmt: skip
        assert names(api.get("search/" + kind, keywords=words), field) == found
    assert api.get("search/path").status == 400
    assert "password" not in repr(api.get("search/user", keywords="bob").json())


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
    api.post("access/group", group="staff", path="/a", **dict.fromkeys(every, "true"))
    assert api.get("access/path", "/a").json() == {
        "users": [owner, {"user": "bob", "acl": few}], "groups": [{"group": "staff", "acl": every}],
    }  # fmt: skip
    assert api.get("access/user", "bob").json() == [given.json()]
    assert api.get("access/user", "eve").json() == []
    assert api.get("access/path", "/none").status == 404
    assert set(api.post("access/user", user="bob", path="/none").json()) == {"path"}
    assert set(api.post("access/user", user="eve", path="/a").json()) == {"user"}


def test_watches(api: wire.Api) -> None:
    api.mkdir("/a")
    for kind, fields, status in (
        ("paths", {"path": "/a", "user": "bob"}, 201), ("paths", {"path": "/a", "user": "bob"}, 201),
        ("users", {"user": "bob"}, 201), ("groups", {"group": "staff"}, 201), ("users", {"path": "/a"}, 400),
        ("paths", {"path": "/none"}, 400),
    ):  # fmt: skip
        reply = api.post("watch/" + kind, **fields)
        assert (reply.status, reply.json() == fields) == (status, status == 201)
    assert names(api.get("watch/paths"), "path") == ["/a"]
    assert names(api.get("watch/groups"), "group") == ["staff"]


def test_ssh_keys_of_api_3(api: wire.Api) -> None:
    keys = wire.Api(api.service, "3")
    place, kind = api.service.username + "/laptop", {"Content-Type": "application/json"}

    def send(method: str, fields: Dict[str, str], id: str = place) -> wire.Reply:
        return keys.call(method, "sshkeys", id, body=json.dumps(fields).encode(), headers=kind)

    assert send("PATCH", {"key": "x"}).status == 404
    made = send("PUT", {"key": "ssh-ed25519 AAAA", "note": "mine"})
    whole = {"user": api.service.username, "name": "laptop", "key": "ssh-ed25519 AAAA", "note": "mine"}
    assert (made.status, made.json()) == (200, whole)
    changed = {**whole, "note": "old"}
    assert send("PATCH", {"note": "old"}).json() == keys.get("sshkeys", place).json() == changed
    assert keys.get("sshkeys", api.service.username).json() == [changed]
    assert [send("PUT", {"key": "x"}, id).status for id in ("eve/laptop", "eve")] == [404, 404]
    assert [keys.delete("sshkeys", place).status for _ in range(2)] == [204, 404]
    assert keys.get("sshkeys", place).status == 404


def test_users_outlive_the_server(tmp_path: Any) -> None:
    with LocalServer(tmp_path / "data", services=["smartfile"]) as server:
        assert wire.Api(server.smartfile).post("user", **BOB).status == 201
    with LocalServer(tmp_path / "data", services=["smartfile"]) as server:
        assert names(wire.Api(server.smartfile).get("user"), "username") == [server.smartfile.username, "bob"]


# Cookie sessions


class Browser:
    """A client with cookies as its only credentials."""

    def __init__(self, api: wire.Api) -> None:
        self.api = api
        reply = api.call("POST", "session")
        assert (reply.status, reply.json()) == (201, {"user": {"username": api.service.username}})
        self.cookies: Dict[str, str] = {}
        for line in reply.headers.get_all("Set-Cookie") or []:
            self.cookies.update((name, crumb.value) for name, crumb in SimpleCookie(line).items())
        assert set(self.cookies) == {"sessionid", "csrftoken"}

    def call(self, method: str, endpoint: str, form: Any = None, **given: Optional[str]) -> wire.Reply:
        """One call with valid cookies, token and referer, except for the given values."""
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        right = {"Cookie": jar, "X-CSRFToken": self.cookies.get("csrftoken"), "Referer": self.api.url + "/ui/"}
        right.update({name.replace("_", "-"): value for name, value in given.items()})
        bare = wire.Api(self.api.service)
        bare.headers = {}
        headers = {name: value for name, value in right.items() if value is not None}
        return bare.call(method, endpoint, headers=headers, form=form)

    def mkdir(self, **given: Optional[str]) -> wire.Reply:
        return self.call("POST", "path/oper/mkdir", {"path": "/a"}, **given)


@pytest.fixture
def browser(api: wire.Api) -> Browser:
    return Browser(api)


def test_a_session_replaces_the_credentials(browser: Browser) -> None:
    assert browser.call("GET", "whoami").json()["user"]["username"] == browser.api.service.username
    assert 3000 < browser.call("GET", "session").json()["expires"] <= 3600
    assert browser.mkdir().status == 200
    assert browser.api.get("path/info", "/a").status == 200
    assert browser.api.call("PUT", "session").status == 405


@pytest.mark.parametrize("bad", [{}, wire.basic("x" * 30, "y" * 30)])
def test_a_session_begins_with_good_credentials_only(api: wire.Api, bad: Dict[str, str]) -> None:
    api.headers = bad
    reply = api.call("POST", "session")
    assert (reply.status, reply.headers["Set-Cookie"]) == (401, None)


def test_a_changing_call_needs_token_cookie_and_referer(browser: Browser) -> None:
    other = Browser(browser.api).cookies["csrftoken"]
    wrong: List[Dict[str, Optional[str]]] = [
        *({"X_CSRFToken": token} for token in (None, "", "wrong", "ü", other)),
        *({"Referer": place} for place in (None, "", "http://elsewhere.example/", "http://[", "/ui/")),
        {"Cookie": "sessionid=" + browser.cookies["sessionid"]},
    ]
    for given in wrong:
        reply = browser.mkdir(**given)
        assert (reply.status, "CSRF token" in reply.json()["detail"]) == (403, "Referer" not in given), given
    assert browser.api.get("path/info", "/a").status == 404


@pytest.mark.parametrize("cookie", [None, "sessionid=", "sessionid=wrong; csrftoken=wrong"])
def test_requests_without_a_valid_session(browser: Browser, cookie: Optional[str]) -> None:
    for endpoint in ("whoami", "session"):
        assert browser.call("GET", endpoint, Cookie=cookie).status == 401


def test_a_deleted_session_is_over(browser: Browser) -> None:
    assert browser.call("DELETE", "session", X_CSRFToken=None).status == 403
    reply = browser.call("DELETE", "session")
    assert (reply.status, reply.body) == (204, b"")
    assert browser.call("GET", "whoami").status == browser.call("DELETE", "session").status == 401


def test_a_session_ends_by_itself(browser: Browser) -> None:
    browser.api.service.configure(clock_offset=3601.0)
    assert [browser.call("GET", endpoint).status for endpoint in ("whoami", "session")] == [401, 401]
