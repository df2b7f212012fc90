"""Links and temporary direct URLs: created and deleted by API calls, visited without an account."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict
from urllib.parse import quote, urlsplit

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client
from tests.support.local import smartfile_calls as wire

DATA = bytes(place % 253 for place in range(100_000))
NAME = "a b#ü.txt"
FILE = "/docs/" + NAME


@pytest.fixture
def api(server: LocalServer) -> wire.Api:
    """Return a client of a site with a small tree."""
    for path, data in ((FILE, DATA), ("/docs/deep/b.txt", b"deep"), ("/private/secret.txt", b"secret")):
        server.smartfile.write(path, data)
    return wire.Api(server.smartfile)


def make(api: wire.Api, path: str = "/docs", **fields: Any) -> Any:
    reply = api.post("link", path=path, **fields)
    assert reply.status == 201, reply.body
    return reply.json()


def visit(link: Any, path: str = "", method: str = "GET", headers: Any = None) -> wire.Reply:
    target = urlsplit(link["href"])
    assert target.path == "/link/" + link["uid"] + "/"
    return bare_client.request(f"http://{target.netloc}", method, target.path + quote(path), None, headers)


def statuses(link: Any, *paths: str) -> Any:
    return [visit(link, path).status for path in paths]


# Calls


def test_a_link_has_the_fields_of_the_page(api: wire.Api) -> None:
    link = make(api, name="for Bob", recursive="true", usage_limit="7", expires="60", cache="30")
    assert link.pop("uid")
    assert link.pop("href").startswith(api.url + "/link/")
    created, expiration = link.pop("created"), link.pop("expiration")
    assert (len(created), created < expiration) == (len("2013-02-23T22:49:30"), True)
    assert link == {
        "name": "for Bob", "path": "/docs",
        "acl": {"list": True, "read": True, "remove": False, "write": False}, "owner": api.service.username,
        "recursive": True, "usage_count": 0, "usage_limit": 7, "cache": 30,
    }  # fmt: skip
    bare = make(api, FILE)
    values = [bare[name] for name in ("name", "expiration", "usage_limit", "recursive", "cache")]
    assert values == [NAME, None, None, False, False]


def test_links_are_made_by_json_too(api: wire.Api) -> None:
    body = b'{"path": "/docs", "read": true, "list": false, "recursive": true, "usage_limit": 3}'
    reply = api.call("POST", "link", body=body, headers={"Content-Type": "application/json"})
    link = reply.json()
    assert (reply.status, link["recursive"], link["usage_limit"]) == (201, True, 3)
    assert link["acl"] == {"list": False, "read": True, "remove": False, "write": False}


def test_links_are_listed_shown_and_deleted(api: wire.Api) -> None:
    links = [make(api, name=f"link {number}") for number in range(5)]
    listed = api.get("link", page="2", limit="2").json()
    assert listed["results"] == links[2:4]
    assert [listed[name] for name in ("total", "page", "pages", "per_page")] == [5, 2, 3, 2]
    gone = links.pop(1)
    assert api.get("link", gone["uid"]).json() == gone
    reply = api.delete("link", gone["uid"])
    assert (reply.status, reply.body) == (204, b"")
    again = (api.get("link", gone["uid"]), api.delete("link", gone["uid"]), visit(gone, NAME))
    assert [reply.status for reply in again] == [404] * 3
    assert api.get("link").json()["results"] == links


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"path": "/none"}, "path"), ({"path": "/docs/../private"}, "path"),
        ({"path": "/docs", "expires": "soon"}, "expires"), ({"path": "/docs", "expires": "-1"}, "expires"),
        ({"path": "/docs", "expires": "9" * 30}, "expires"),
        ({"path": "/docs", "usage_limit": "1.5"}, "usage_limit"), ({"name": "x"}, "field_errors"),
    ],
)  # fmt: skip
def test_fields_that_are_refused(api: wire.Api, fields: Dict[str, str], name: str) -> None:
    reply = api.post("link", **fields)
    assert (reply.status, set(reply.json())) == (400, {name})


def test_a_link_belongs_to_its_creator(api: wire.Api) -> None:
    link = make(api)
    made = api.post("user", username="bob", email="bob@example.net", password="s3cret")
    assert made.status == 201, made.body
    api.headers = wire.basic("bob", "s3cret")
    assert api.get("link").json()["total"] == 0
    assert api.get("link", link["uid"]).status == api.delete("link", link["uid"]).status == 404


# Visits


def test_the_bytes_of_a_file_come_without_credentials(api: wire.Api) -> None:
    link = make(api, FILE)
    for path in ("", NAME):
        reply = visit(link, path)
        assert (reply.status, reply.body) == (200, DATA)
    part = visit(link, NAME, headers={"Range": "bytes=99990-"})
    assert (part.status, part.body) == (206, DATA[99990:])
    assert statuses(link, "other.txt", NAME + "/x", "deep/b.txt") == [404] * 3
    assert [visit(link, *call).status for call in ((NAME, "PUT"), ("", "POST"))] == [405, 405]
    assert api.post("path/oper/rename", src=FILE, dst="/docs/b").status == 200
    assert visit(link, NAME).status == 404


def test_a_link_to_a_directory_opens_its_files(api: wire.Api) -> None:
    link = make(api)
    assert visit(link, NAME).body == DATA
    for path in ("deep/b.txt", "deep", "none.txt", "../private/secret.txt", "secret.txt"):
        reply = visit(link, path)
        assert reply.status in (400, 404)
        assert b"secret" not in reply.body.replace(b"secret.txt", b"")
    page = visit(link).body.decode()
    assert (quote(NAME) in page, "deep" in page) == (True, False)


def test_a_recursive_link_opens_what_is_below(api: wire.Api) -> None:
    link = make(api, recursive="on")
    assert visit(link, "deep/b.txt").body == b"deep"
    assert 'href="deep/"' in visit(link).body.decode()
    assert "b.txt" in visit(link, "deep/").body.decode()


def test_names_are_escaped_on_the_page(api: wire.Api) -> None:
    api.upload("/docs", "<i>&.txt", b"")
    page = visit(make(api, name="<b>")).body.decode()
    assert ("&lt;i&gt;&amp;.txt" in page, "<i>" in page, "<b>" in page) == (True, False, False)


def test_a_link_allows_what_its_acl_says(api: wire.Api) -> None:
    assert statuses(make(api, list="true"), "", NAME) == [200, 403]
    assert statuses(make(api, read="true"), "", NAME) == [403, 200]


def test_a_password_guards_a_link(api: wire.Api) -> None:
    link = make(api, FILE, password="öpen")
    assert "öpen" not in repr(api.get("link", link["uid"]).json())
    bare = visit(link, NAME)
    assert (bare.status, bare.headers["WWW-Authenticate"].partition(" ")[0]) == (401, "Basic")
    for wrong in (wire.basic("", "open"), wire.basic("öpen", ""), {"Authorization": "Basic ü"}):
        assert visit(link, NAME, headers=wrong).status == 401
    assert visit(link, NAME, headers=wire.basic("visitor", "öpen")).body == DATA
    assert api.get("link", link["uid"]).json()["usage_count"] == 1


def test_a_link_expires(api: wire.Api) -> None:
    link = make(api, FILE, expires="60")
    assert visit(link, NAME).status == 200
    api.service.configure(clock_offset=61.0)
    assert visit(link, NAME).status == 410


def test_a_usage_limit_counts_downloads_of_concurrent_visitors(api: wire.Api) -> None:
    link = make(api, FILE, usage_limit="2")
    head = visit(link, NAME, "HEAD")
    assert (head.status, head.headers["Content-Length"], head.body) == (200, str(len(DATA)), b"")
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(lambda _: visit(link, NAME).status, range(4))) == [200, 200, 410, 410]
    assert api.get("link", link["uid"]).json()["usage_count"] == 2


# Direct URLs


def exchange(api: wire.Api, **fields: str) -> wire.Reply:
    return api.post("path/exchange", **{"path": FILE, **fields})


def fetch(url: str) -> wire.Reply:
    target = urlsplit(url)
    return bare_client.request(f"http://{target.netloc}", "GET", target.path)


def test_a_direct_url_opens_one_file_for_a_while(api: wire.Api) -> None:
    url = exchange(api, mode="r", expires="60").json()["url"]
    assert (url.startswith(api.url), url.endswith("/docs/" + quote(NAME))) == (True, True)
    assert fetch(url).body == DATA
    assert fetch(url.rpartition("/docs/")[0] + "/private/secret.txt").status == 404
    assert fetch(url.replace("/direct/", "/direct/x")).status == 404
    api.service.configure(clock_offset=61.0)
    assert fetch(url).status == 404


@pytest.mark.parametrize("fields", [{"path": "/none"}, {"path": "/docs"}, {"mode": "w"}, {"expires": "x"}])
def test_a_direct_url_that_is_refused(api: wire.Api, fields: Dict[str, str]) -> None:
    assert exchange(api, **fields).status == 400
