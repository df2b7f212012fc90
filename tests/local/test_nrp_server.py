"""The local repository: discovery, users, limits, media types, faults, a restart (NRP protocol, sections 1 to 3)."""

import json
import re
import time
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from smartxfer.errors import UsageError
from smartxfer.local import LocalServer
from tests.support.local import bare_client
from tests.support.local.nrp_calls import Api

NOT_FOUND = (
    "The requested URL was not found on the server. "
    "If you entered the URL manually please check your spelling and try again."
)


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(services=["nrp"], nrp={"rate_limit": 100_000, "rate_limit_guest": 100_000}) as server:
        yield server
        assert server.nrp.listener.crashes == []


@pytest.fixture
def api(server: LocalServer) -> Iterator[Api]:
    yield Api(server.nrp)
    server.nrp.configure(
        rate_limit=100_000, rate_limit_guest=100_000, rate_window=60, well_known=True, models=("records",),
        retry_after_always=True,
    )  # fmt: skip
    server.clear_faults()


@pytest.fixture
def guest(api: Api) -> Api:
    return Api(api.service, "")


# -- discovery ---------------------------------------------------------------------------------------------


def test_it_tells_of_itself(guest: Api) -> None:
    reply = guest.call("GET", "/.well-known/repository")
    assert (reply.status, reply.headers["Location"]) == (308, guest.url + "/.well-known/repository/")
    info = guest.call("GET", "/.well-known/repository/").json()
    assert info["invenio_version"] == "14.0.5"
    assert info["links"]["api"] == guest.url + "/api"
    assert info["default_model"] == "records"
    assert info["transfers"] == ["L", "F", "R", "M"]
    assert "records" not in info["links"], "current servers leave it out"


def test_the_models(api: Api, guest: Api) -> None:
    api.service.configure(models=("papers", "datasets"))
    info = guest.call("GET", "/.well-known/repository/").json()
    assert "default_model" not in info, "only where there is one model"
    models = guest.call("GET", guest.path(info["links"]["models"])).json()
    assert [model["type"] for model in models] == ["datasets", "papers", "vocabulary"]
    links = models[0]["links"]
    assert links["records"] == links["deposit"] == api.url + "/api/datasets"
    assert links["drafts"] == api.url + "/api/user/datasets"
    schema = guest.call("GET", guest.path(models[0]["content_types"][0]["schema"])).json()
    assert schema["properties"]["metadata"]["required"] == ["title"]
    draft = Api(api.service, records="datasets").draft({"title": "Open", "anything": 1})
    assert draft["metadata"] == {"title": "Open", "anything": 1}
    assert "errors" not in draft
    assert draft["links"]["files"].startswith(api.url + "/api/datasets/")
    assert api.refused("GET", f"papers/{draft['id']}/draft")[0] == 404
    assert guest.ok("GET", models[-1]["links"]["records"])["hits"]["total"] == 2


def test_a_plain_inveniordm(api: Api, guest: Api) -> None:
    api.service.configure(well_known=False)
    for path in ("/.well-known/repository", "/.well-known/repository/", "/.well-known/repository/models"):
        assert guest.refused("GET", path) == (404, NOT_FOUND)
    page = guest.call("GET", "/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert re.search(b'<meta name="generator" content="InvenioRDM v?14.0.5">', page.body)


# -- users -------------------------------------------------------------------------------------------------


def test_a_wrong_token_is_a_guest(api: Api, guest: Api) -> None:
    wrong = Api(api.service, "unknown-token")
    assert api.call("GET", "user/records?size=1").headers["X-User-ID"] == "1"
    for other in (wrong, guest):
        assert other.refused("GET", "user/records?size=1") == (403, "Permission denied.")
        assert other.refused("POST", "records", {"metadata": {}}) == (403, "Permission denied.")
        public = other.call("GET", "records")
        assert public.status == 200
        assert "X-User-ID" not in public.headers


def test_a_token_in_the_query(api: Api, guest: Api) -> None:
    assert guest.call("GET", f"user/records?access_token={api.token}").status == 200
    assert guest.call("GET", "user/records?access_token=wrong").status == 403


def test_a_draft_is_its_owners(api: Api, guest: Api) -> None:
    draft = api.draft()
    place = draft["links"]["self"]
    other, root = Api(api.service, api.service.token_of("bob")), Api(api.service, api.service.superuser_token)
    for who in (other, guest):
        assert who.refused("GET", place) == (403, "Permission denied.")
        assert who.refused("PUT", place, {}) == (403, "Permission denied.")
        assert who.refused("DELETE", place) == (403, "Permission denied.")
        assert who.refused("POST", draft["links"]["publish"]) == (403, "Permission denied.")
        assert who.refused("GET", draft["links"]["files"]) == (403, "Permission denied.")
    assert root.ok("GET", place)["id"] == draft["id"]


def test_options_that_cannot_be() -> None:
    for options, words in (
        ({"users": {"ann": "two words"}}, "token of ann"),
        ({"models": ("Data sets",)}, "models"),
        ({"models": ("user",)}, "models"),
        ({"models": ()}, "models"),
        ({"rate_window": 0}, "rate_window"),
        ({"storage": "tape"}, "storage must be one of"),
    ):
        with pytest.raises(UsageError, match=words):
            LocalServer(services=["nrp"], nrp=options)


def test_tokens_can_be_chosen() -> None:
    with LocalServer(services=["nrp"], nrp={"users": {"eve": "t0ken"}, "superuser": "eve"}) as server:
        assert server.nrp.token == server.nrp.superuser_token == "t0ken"
        assert server.nrp.env == {"NRP_REPOSITORY_URL": server.nrp.url, "NRP_TOKEN": "t0ken"}
        with pytest.raises(UsageError, match="no such user"):
            server.nrp.token_of("ann")


# -- limits ------------------------------------------------------------------------------------------------


def test_every_answer_says_what_is_left(api: Api, guest: Api) -> None:
    api.service.configure(rate_limit=1000, rate_limit_guest=500)
    before = time.time()
    for left in (999, 998):
        headers = api.call("GET", "records").headers
        assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("1000", str(left))
    assert before + 59 <= int(headers["X-RateLimit-Reset"]) <= time.time() + 61
    assert 1 <= int(headers["Retry-After"]) <= 60
    headers = guest.call("GET", "records/none-at-all").headers
    assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("500", "499")
    assert "Retry-After" in headers, "on errors too"
    assert "X-RateLimit-Limit" not in guest.call("GET", "nonexist").headers, "nothing was routed"


def test_too_many_requests(api: Api, guest: Api) -> None:
    api.service.configure(rate_limit=2, rate_limit_guest=1)
    assert guest.call("GET", "records").status == 200
    reply = guest.call("GET", "records")
    assert reply.status == 429
    assert reply.body == b'{"message":"1 per 1 minute","status":429}\n'
    assert reply.headers.get_all("Retry-After") == ["60"] or int(reply.headers["Retry-After"]) >= 58
    assert [api.call("GET", "records").status for _ in range(3)] == [200, 200, 429], "each has a window"


def test_a_window_ends(api: Api, guest: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.service.configure(rate_limit_guest=1, rate_window=30)
    assert guest.call("GET", "records").status == 200
    reply = guest.call("GET", "records")
    assert (reply.status, reply.json()["message"]) == (429, "1 per 30 second")
    # The header may be up to a second short.
    later = time.time() + int(reply.headers["Retry-After"]) + 1
    monkeypatch.setattr(api.service.backend, "now", lambda: later)
    assert guest.call("GET", "records").status == 200


def test_retry_after_on_429_only(api: Api, guest: Api) -> None:
    api.service.configure(rate_limit_guest=1, retry_after_always=False)
    assert "Retry-After" not in guest.call("GET", "records").headers
    assert "Retry-After" in guest.call("GET", "records").headers


# -- media types, methods, the shape of errors -------------------------------------------------------------


def test_media_types(api: Api) -> None:
    draft = api.draft()
    place = draft["links"]["self"]
    rdm = "application/vnd.inveniordm.v1+json"
    assert api.call("GET", place, None, {"Accept": rdm}).headers["Content-Type"] == rdm
    assert api.call("GET", draft["links"]["files"], None, {"Accept": rdm}).headers["Content-Type"] == rdm
    assert api.call("GET", place, None, {"Accept": "text/x, */*;q=0.1"}).status == 200
    status, message = api.refused("GET", "records", Accept="application/x-foo")
    assert status == 406
    assert message.startswith(
        "Invalid 'Accept' header. Expected one of: application/json, application/ld+json"
    )
    assert api.refused("GET", draft["links"]["files"], Accept="application/x-foo") == (
        406, "Invalid 'Accept' header. Expected one of: application/json, " + rdm,
    )  # fmt: skip
    status, message = api.refused("POST", "records", b"x", Content_Type="text/plain")
    assert (status, message.partition(".")[0]) == (415, "Invalid 'Content-Type' header")
    assert api.refused("POST", draft["links"]["files"], b"[]", Content_Type="text/plain")[0] == 415
    assert api.refused("POST", "records", b"{", Content_Type="application/json") == (
        400, "Unable to decode JSON data in request body.",
    )  # fmt: skip
    reply = api.call("GET", place + "?prettyprint=1")
    assert b'\n  "id": ' in reply.body


def test_errors_of_the_framework(api: Api) -> None:
    draft = api.draft()
    reply = api.call("PATCH", draft["links"]["self"], {})
    assert (reply.status, reply.body) == (
        405, b'{"message":"The method is not allowed for the requested URL.","status":405}\n',
    )  # fmt: skip
    for path in ("nonexist", "records/", "records/x/", draft["links"]["self"] + "/"):
        reply = api.call("GET", path)
        assert (reply.status, list(reply.json())) == (404, ["message", "status"]), path
    assert list(api.call("GET", "records/zzzzz-zzzzz").json()) == ["status", "message"]
    for place, plain in (("records//x/draft", "records/x/draft"), ("records/x//draft?a=1", "records/x/draft?a=1")):
        reply = api.call("GET", place)
        assert (reply.status, reply.headers["Location"]) == (308, f"{api.url}/api/{plain}")
        assert (reply.headers["Content-Type"], reply.headers["Retry-After"]) == ("text/html; charset=utf-8", None)


def test_head_is_allowed_where_get_is(api: Api) -> None:
    record = api.published()
    for path in ("records", record["links"]["self"], record["links"]["files"], "requests/", "/"):
        got, head = api.call("GET", path), api.call("HEAD", path)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Type"] == got.headers["Content-Type"]


# -- faults ------------------------------------------------------------------------------------------------


def test_planned_errors_look_like_its_own(server: LocalServer, api: Api) -> None:
    server.fault("nrp", "GET /api/records", "status 500 body=json:broken")
    reply = api.call("GET", "records")
    assert reply.json() == {"message": "broken", "status": 500}
    assert "Retry-After" in reply.headers, "as on every answer"
    server.fault("nrp", "GET /api/records", "status 503 body=json:later retry-after=7")
    assert api.call("GET", "records").headers.get_all("Retry-After") == ["7"]
    assert server.unfired() == []


@pytest.mark.parametrize("what", ["init", "commit", "publish"])
def test_work_is_done_though_its_answer_is_lost(server: LocalServer, api: Api, what: str) -> None:
    draft = api.draft()
    files = draft["links"]["files"]
    steps: Dict[str, Any] = {
        "init": ("POST", files, [{"key": "b"}]),
        "content": ("PUT", files + "/b/content", b"data"),
        "commit": ("POST", files + "/b/commit", None),
        "publish": ("POST", draft["links"]["publish"], None),
    }
    patterns = {"init": "/files", "commit": "/commit", "publish": "/publish"}
    server.fault("nrp", f"POST /api/records/*{patterns[what]}", "lose-answer")
    for name, step in steps.items():
        if name != what:
            api.ok(*step)
            continue
        with pytest.raises(ConnectionError):
            api.call(*step)
        if what == "publish":
            assert api.refused("POST", draft["links"]["publish"]) == (404, "Not found.")
    assert server.unfired() == []
    assert api.ok("GET", draft["links"]["record"])["files"]["entries"]["b"]["size"] == 4


# -- the service itself ------------------------------------------------------------------------------------


def test_what_it_holds_can_be_looked_at(server: LocalServer) -> None:
    site = server.nrp
    draft = site.create({"a": b"one"})
    record = site.create({"a": b"two"}, published=True, metadata={"title": "Mine"}, user="bob")
    assert draft in site.drafts()
    assert record not in site.drafts()
    assert record in site.published()
    assert draft not in site.published()
    site.write(draft, "b", b"three", {"description": "d"})
    assert site.files(draft) == {"a": 3, "b": 5}
    assert [entry["metadata"] for entry in site.entries(draft)] == [{}, {"description": "d"}]
    assert site.read(record, "a") == b"two"
    assert Path(site.stored_path(record, "a")).read_bytes() == b"two"
    site.plant(draft, "../../etc/passwd", b"x")
    assert site.read(draft, "../../etc/passwd") == b"x"
    with pytest.raises(UsageError, match="has no file"):
        site.read(draft, "c")
    with pytest.raises(UsageError, match="no such record"):
        site.files("nothing")
    with pytest.raises(UsageError, match="no such user"):
        site.create(user="unknown")


def test_the_storage_is_another_origin(server: LocalServer) -> None:
    site = server.nrp
    assert site.storage_url.endswith("/storage")
    assert site.storage_url.rpartition("/")[0] != site.url
    before = site.count("GET /storage/*")
    assert bare_client.request(site.storage_url, "GET", "/repository/x").status == 403
    assert site.count("GET /storage/*", 403) == before + 1
    assert site.requests[-1] == ("GET", "/storage/repository/x", 403)


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "data", services=["nrp"]) as server:
        api = Api(server.nrp)
        record, draft = api.published(), api.draft({"title": "To be continued"})
        server.nrp.write(draft["id"], "b", b"bytes")
        api.ok("PUT", draft["links"]["review"], _review(api))
        request = api.ok("GET", draft["links"]["review"])
        token = api.token
    with LocalServer(tmp_path / "data", services=["nrp"]) as server:
        api = Api(server.nrp)
        assert api.token == token
        found = api.ok("GET", "records/" + record["id"])
        entry = found["files"]["entries"]["a.txt"]
        assert set(entry.pop("links")) == {"self", "content"}, "only what is read alone has them"
        assert _local(found) == _local({**record, "stats": found["stats"]})
        again = api.ok("GET", f"records/{draft['id']}/draft")
        assert again["metadata"] == {"title": "To be continued"}
        assert again["parent"]["review"] == {"id": request["id"]}
        assert server.nrp.read(draft["id"], "b") == b"bytes"
        assert api.ok("GET", "requests/" + request["id"])["status"] == "created"


def _review(api: Api) -> Any:
    community = api.ok("GET", "communities/demo")["id"]
    return {"receiver": {"community": community}, "type": "community-submission"}


def _local(record: Any) -> Any:
    """A record without its links, which name the port."""
    return json.loads(json.dumps({name: value for name, value in record.items() if name != "links"}))


def test_a_token_without_the_scope_makes_a_guest(api: Api) -> None:
    assert api.call("GET", "/api/user/records?size=1").status == 200
    api.service.configure(without_scope=["ann"])
    try:
        assert api.call("GET", "/api/user/records?size=1").status == 403
    finally:
        api.service.configure(without_scope=())
