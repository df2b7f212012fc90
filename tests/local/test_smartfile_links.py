"""Links and temporary direct URLs: created and deleted by API calls, visited without an account."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, Optional
from urllib.parse import quote, urlsplit

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client
from tests.support.local import smartfile_calls as wire

DATA = bytes(place % 253 for place in range(100_000))
NAME = "a b#ü.txt"


@pytest.fixture
def api(server: LocalServer) -> wire.Api:
    """Return a client of a site with a small tree."""
    api = wire.Api(server.smartfile)
    for path in ("/docs", "/docs/deep", "/private"):
        api.mkdir(path)
    api.upload("/docs", NAME, DATA)
    api.upload("/docs/deep", "b.txt", b"deep")
    api.upload("/private", "secret.txt", b"secret")
    return api


def make(api: wire.Api, path: str = "/docs", **fields: Any) -> Any:
    reply = api.post("link", path=path, **fields)
    assert reply.status == 201, reply.body
    return reply.json()


def visit(
    link: Any, path: str = "", method: str = "GET", headers: Optional[Dict[str, str]] = None
) -> wire.Reply:
    target = urlsplit(link["href"])
    assert target.path == "/link/" + link["uid"] + "/"
    return bare_client.request(
        f"http://{target.netloc}", method, target.path + quote(path), None, headers or {}
    )


def test_a_link_has_the_fields_of_the_page(api: wire.Api) -> None:
    link = make(api, name="for Bob", recursive="true", usage_limit="7", expires="60", cache="30")
    assert link.pop("uid")
    assert link.pop("href").startswith(api.url + "/link/")
    created, expiration = link.pop("created"), link.pop("expiration")
    assert len(created) == len("2013-02-23T22:49:30")
    assert created < expiration
    assert link == {
        "name": "for Bob",
        "path": "/docs",
        "acl": {"list": True, "read": True, "remove": False, "write": False},
        "owner": api.service.username,
        "recursive": True,
        "usage_count": 0,
        "usage_limit": 7,
        "cache": 30,
    }


def test_a_link_without_words_is_open_for_ever(api: wire.Api) -> None:
    link = make(api, "/docs/" + NAME)
    assert (link["name"], link["expiration"], link["usage_limit"]) == (NAME, None, None)
    assert (link["recursive"], link["cache"]) == (False, False)


def test_links_are_made_by_json_too(api: wire.Api) -> None:
    body = b'{"path": "/docs", "read": true, "list": false, "recursive": true, "usage_limit": 3}'
    reply = api.call("POST", "link", body=body, headers={"Content-Type": "application/json"})
    assert reply.status == 201
    link = reply.json()
    assert link["acl"] == {"list": False, "read": True, "remove": False, "write": False}
    assert (link["recursive"], link["usage_limit"]) == (True, 3)


def test_links_are_listed_shown_and_deleted(api: wire.Api) -> None:
    links = [make(api, name=f"link {number}") for number in range(5)]
    listed = api.get("link", page="2", limit="2").json()
    assert listed["results"] == links[2:4]
    assert [listed[name] for name in ("total", "page", "pages", "per_page")] == [5, 2, 3, 2]
    assert api.get("link", links[1]["uid"]).json() == links[1]
    gone = api.delete("link", links[1]["uid"])
    assert (gone.status, gone.body) == (204, b"")
    assert api.get("link", links[1]["uid"]).status == 404
    assert api.delete("link", links[1]["uid"]).status == 404
    assert visit(links[1], NAME).status == 404
    assert [link["uid"] for link in api.get("link").json()["results"]] == [
        link["uid"] for link in links if link is not links[1]
    ]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"path": "/none"}, "path"),
        ({"path": "/docs/../private"}, "path"),
        ({"path": "/docs", "expires": "soon"}, "expires"),
        ({"path": "/docs", "expires": "-1"}, "expires"),
        ({"path": "/docs", "expires": "9" * 30}, "expires"),
        ({"path": "/docs", "usage_limit": "1.5"}, "usage_limit"),
    ],
)
def test_fields_that_are_refused(api: wire.Api, fields: Dict[str, str], name: str) -> None:
    reply = api.post("link", **fields)
    assert reply.status == 400
    assert set(reply.json()) == {name}


def test_a_link_needs_a_path_and_an_account(api: wire.Api) -> None:
    assert set(api.post("link", name="x").json()["field_errors"]) == {"path"}
    api.headers = {}
    assert api.post("link", path="/docs").status == 401
    assert api.get("link").status == 401


def test_a_link_belongs_to_who_made_it(api: wire.Api) -> None:
    link = make(api)
    made = api.post("user", username="bob", email="bob@example.net", password="s3cret")
    assert made.status == 201, made.body
    api.headers = wire.basic("bob", "s3cret")
    assert api.get("link").json()["total"] == 0
    assert api.get("link", link["uid"]).status == 404
    assert api.delete("link", link["uid"]).status == 404


def test_the_bytes_of_a_file_come_without_credentials(api: wire.Api) -> None:
    link = make(api, "/docs/" + NAME)
    for path in ("", NAME):
        reply = visit(link, path)
        assert (reply.status, reply.body) == (200, DATA)
    part = visit(link, NAME, headers={"Range": "bytes=99990-"})
    assert (part.status, part.body) == (206, DATA[99990:])
    for path in ("other.txt", NAME + "/x", "deep/b.txt"):
        assert visit(link, path).status == 404


def test_a_head_counts_as_no_use(api: wire.Api) -> None:
    link = make(api, "/docs/" + NAME, usage_limit="1")
    head = visit(link, NAME, "HEAD")
    assert (head.status, head.headers["Content-Length"], head.body) == (200, str(len(DATA)), b"")
    assert visit(link, NAME).status == 200
    assert visit(link, NAME).status == 410


def test_a_link_to_a_directory_opens_its_files(api: wire.Api) -> None:
    link = make(api)
    assert visit(link, NAME).body == DATA
    for path in ("deep/b.txt", "deep", "none.txt", "../private/secret.txt", "secret.txt"):
        reply = visit(link, path)
        assert reply.status in (400, 404)
        assert b"secret" not in reply.body.replace(b"secret.txt", b"")
    page = visit(link).body.decode()
    assert quote(NAME) in page
    assert "deep" not in page


def test_a_recursive_link_opens_what_is_below(api: wire.Api) -> None:
    link = make(api, recursive="on")
    assert visit(link, "deep/b.txt").body == b"deep"
    assert 'href="deep/"' in visit(link).body.decode()
    assert "b.txt" in visit(link, "deep/").body.decode()


def test_a_link_allows_what_its_acl_says(api: wire.Api) -> None:
    listing = make(api, list="true")
    assert (visit(listing).status, visit(listing, NAME).status) == (200, 403)
    reading = make(api, read="true")
    assert (visit(reading).status, visit(reading, NAME).status) == (403, 200)


def test_a_password_guards_a_link(api: wire.Api) -> None:
    link = make(api, "/docs/" + NAME, password="öpen")
    assert "öpen" not in repr(api.get("link", link["uid"]).json())
    bare = visit(link, NAME)
    assert bare.status == 401
    assert bare.headers["WWW-Authenticate"].startswith("Basic ")
    for wrong in (wire.basic("", "open"), wire.basic("öpen", ""), {"Authorization": "Basic ü"}):
        assert visit(link, NAME, headers=wrong).status == 401
    assert visit(link, NAME, headers=wire.basic("visitor", "öpen")).body == DATA
    assert api.get("link", link["uid"]).json()["usage_count"] == 1


def test_a_link_expires(api: wire.Api) -> None:
    link = make(api, "/docs/" + NAME, expires="60")
    assert visit(link, NAME).status == 200
    api.service.configure(clock_offset=61.0)
    assert visit(link, NAME).status == 410


def test_a_usage_limit_holds_when_many_come_at_once(api: wire.Api) -> None:
    link = make(api, "/docs/" + NAME, usage_limit="2")
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(reply.status for reply in pool.map(lambda _: visit(link, NAME), range(4)))
    assert statuses == [200, 200, 410, 410]
    assert api.get("link", link["uid"]).json()["usage_count"] == 2


def test_a_link_to_a_file_that_went(api: wire.Api) -> None:
    link = make(api, "/docs/" + NAME)
    assert api.post("path/oper/rename", src="/docs/" + NAME, dst="/docs/b").status == 200
    assert visit(link, NAME).status == 404


def test_names_are_escaped_on_the_page(api: wire.Api) -> None:
    api.upload("/docs", "<i>&.txt", b"")
    page = visit(make(api, name="<b>")).body.decode()
    assert "&lt;i&gt;&amp;.txt" in page
    assert "<i>" not in page
    assert "<b>" not in page


def test_a_link_cannot_be_written_to(api: wire.Api) -> None:
    assert visit(make(api), NAME, "PUT").status == 405
    assert visit(make(api), "", "POST").status == 405


def exchange(api: wire.Api, **fields: str) -> wire.Reply:
    return api.post("path/exchange", **{"path": "/docs/" + NAME, **fields})


def fetch(url: str) -> wire.Reply:
    target = urlsplit(url)
    return bare_client.request(f"http://{target.netloc}", "GET", target.path)


def test_a_direct_url_opens_one_file_for_a_while(api: wire.Api) -> None:
    url = exchange(api, mode="r", expires="60").json()["url"]
    assert url.startswith(api.url)
    assert url.endswith("/docs/" + quote(NAME))
    assert fetch(url).body == DATA
    assert fetch(url.rpartition("/docs/")[0] + "/private/secret.txt").status == 404
    assert fetch(url.replace("/direct/", "/direct/x")).status == 404
    api.service.configure(clock_offset=61.0)
    assert fetch(url).status == 404


@pytest.mark.parametrize("fields", [{"path": "/none"}, {"path": "/docs"}, {"mode": "w"}, {"expires": "x"}])
def test_a_direct_url_that_is_refused(api: wire.Api, fields: Dict[str, str]) -> None:
    assert exchange(api, **fields).status == 400
