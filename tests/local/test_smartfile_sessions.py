"""Cookie sessions: start, end, and protection of changing calls."""

from http.cookies import SimpleCookie
from typing import Dict, Optional

import pytest

from smartxfer.local import LocalServer
from tests.support.local import smartfile_calls as wire

OTHER = "http://elsewhere.example/"


class Browser:
    """A client with cookies as its only credentials."""

    def __init__(self, api: wire.Api) -> None:
        self.api = api
        reply = api.call("POST", "session")
        assert reply.status == 201, reply.body
        assert reply.json() == {"user": {"username": api.service.username}}
        self.cookies: Dict[str, str] = {}
        for line in reply.headers.get_all("Set-Cookie") or []:
            self.cookies.update((name, crumb.value) for name, crumb in SimpleCookie(line).items())
        assert set(self.cookies) == {"sessionid", "csrftoken"}

    def call(
        self,
        method: str,
        endpoint: str,
        *,
        token: Optional[str] = None,
        referer: Optional[str] = None,
        cookies: Optional[Dict[str, str]] = None,
        form: Optional[Dict[str, str]] = None,
    ) -> wire.Reply:
        jar = self.cookies if cookies is None else cookies
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
        if token is not None:
            headers["X-CSRFToken"] = token
        if referer is not None:
            headers["Referer"] = referer
        bare = wire.Api(self.api.service)
        bare.headers = {}
        return bare.call(method, endpoint, headers=headers, form=form)

    def mkdir(self, **given: Optional[str]) -> int:
        """Return the status of a changing call, valid except for the given values."""
        right = {"token": self.cookies["csrftoken"], "referer": self.api.url + "/ui/"}
        return self.call("POST", "path/oper/mkdir", form={"path": "/a"}, **{**right, **given}).status


@pytest.fixture
def api(server: LocalServer) -> wire.Api:
    return wire.Api(server.smartfile)


@pytest.fixture
def browser(api: wire.Api) -> Browser:
    return Browser(api)


def test_a_session_replaces_the_credentials(browser: Browser) -> None:
    assert browser.call("GET", "whoami").json()["user"]["username"] == browser.api.service.username
    assert browser.mkdir() == 200
    assert browser.api.get("path/info", "/a").status == 200


@pytest.mark.parametrize("bad", [{}, wire.basic("x" * 30, "y" * 30)])
def test_a_session_begins_with_good_credentials_only(api: wire.Api, bad: Dict[str, str]) -> None:
    api.headers = bad
    reply = api.call("POST", "session")
    assert reply.status == 401
    assert reply.headers["Set-Cookie"] is None


def test_a_session_tells_when_it_ends(browser: Browser) -> None:
    reply = browser.call("GET", "session")
    assert reply.status == 200
    assert 3000 < reply.json()["expires"] <= 3600


@pytest.mark.parametrize("given", [
    {"token": None}, {"token": ""}, {"token": "wrong"}, {"token": "ü"},
    {"referer": None}, {"referer": ""}, {"referer": OTHER}, {"referer": "http://["}, {"referer": "/ui/"},
])  # fmt: skip
def test_a_changing_call_needs_token_and_referer(browser: Browser, given: Dict[str, Optional[str]]) -> None:
    assert browser.mkdir(**given) == 403
    assert browser.api.get("path/info", "/a").status == 404


def test_the_refusal_says_why(browser: Browser) -> None:
    reply = browser.call("POST", "path/oper/mkdir", form={"path": "/a"})
    assert "CSRF" in reply.json()["detail"]


def test_the_cookie_of_the_token_must_be_there_too(browser: Browser) -> None:
    token = browser.cookies.pop("csrftoken")
    given = {"token": token, "referer": browser.api.url + "/"}
    reply = browser.call("POST", "path/oper/mkdir", form={"path": "/a"}, **given)
    assert reply.status == 403


def test_tokens_of_two_sessions_are_not_taken_for_each_other(api: wire.Api) -> None:
    one, other = Browser(api), Browser(api)
    assert one.mkdir(token=other.cookies["csrftoken"]) == 403
    assert one.mkdir() == 200


@pytest.mark.parametrize("cookies", [{}, {"sessionid": ""}, {"sessionid": "wrong", "csrftoken": "wrong"}])
def test_requests_without_a_valid_session(browser: Browser, cookies: Dict[str, str]) -> None:
    for endpoint in ("whoami", "session"):
        assert browser.call("GET", endpoint, cookies=cookies).status == 401


def test_a_deleted_session_is_over(browser: Browser) -> None:
    assert browser.call("DELETE", "session").status == 403
    right = {"token": browser.cookies["csrftoken"], "referer": browser.api.url + "/"}
    reply = browser.call("DELETE", "session", **right)
    assert (reply.status, reply.body) == (204, b"")
    assert browser.call("GET", "whoami").status == 401
    assert browser.call("DELETE", "session", **right).status == 401


def test_a_session_ends_by_itself(browser: Browser) -> None:
    browser.api.service.configure(clock_offset=3601.0)
    assert browser.call("GET", "whoami").status == 401
    assert browser.call("GET", "session").status == 401


def test_a_session_has_no_other_methods(browser: Browser) -> None:
    assert browser.api.call("PUT", "session").status == 405
