"""The local repository: discovery, users, limits, media types, faults, a restart (NRP protocol, 1 to 3)."""

import hashlib
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from smartxfer.errors import UsageError
from smartxfer.local import LocalServer
from tests.support.local import bare_client
from tests.support.local.nrp_calls import Api, repository
from tests.support.local.nrp_file_calls import Draft

NOT_FOUND = (
    "The requested URL was not found on the server. "
    "If you entered the URL manually please check your spelling and try again."
)

running = repository(rate_limit=100_000, rate_limit_guest=100_000)


# -- discovery ---------------------------------------------------------------------------------------------


def test_discovery(guest: Api) -> None:
    info = guest.call("GET", "/.well-known/repository/").json()
    assert (info["links"]["api"], info["default_model"]) == (guest.url + "/api", "records")
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
    assert api.call("GET", "user/records?size=1").headers["X-User-ID"] == "1"
    assert guest.call("GET", "user/records?access_token=wrong").status == 403
    assert guest.call("GET", f"user/records?access_token={api.token}").status == 200
    for other in (Api(api.service, "unknown-token"), guest):
        assert other.refused("GET", "user/records?size=1") == (403, "Permission denied.")
        assert other.refused("POST", "records", {"metadata": {}}) == (403, "Permission denied.")
        public = other.call("GET", "records")
        assert public.status == 200
        assert "X-User-ID" not in public.headers


def test_a_token_without_the_scope_makes_a_guest(api: Api) -> None:
    assert api.call("GET", "user/records?size=1").status == 200
    api.service.configure(without_scope=["ann"])
    assert api.call("GET", "user/records?size=1").status == 403


def test_a_draft_is_its_owners(api: Api, guest: Api) -> None:
    links = api.draft()["links"]
    for who in (Api(api.service, api.service.token_of("bob")), guest):
        for call in ("GET self", "PUT self", "DELETE self", "POST publish", "GET files"):
            method, link = call.split()
            body = {} if method == "PUT" else None
            assert who.refused(method, links[link], body) == (403, "Permission denied.")
    root = Api(api.service, api.service.superuser_token)
    assert root.ok("GET", links["self"])["links"]["self"] == links["self"]


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
    assert (reply.status, reply.body) == (429, b'{"message":"1 per 1 minute","status":429}\n')
    [after] = reply.headers.get_all("Retry-After") or []
    assert int(after) in (58, 59, 60)
    assert [api.call("GET", "records").status for _ in range(3)] == [200, 200, 429], "each has a window"
    api.service.configure(rate_limit_guest=1, rate_window=30)
    assert guest.call("GET", "records").status == 200
    assert guest.refused("GET", "records") == (429, "1 per 30 second")


def test_retry_after_on_429_only(api: Api, guest: Api) -> None:
    api.service.configure(rate_limit_guest=1, retry_after_always=False)
    assert "Retry-After" not in guest.call("GET", "records").headers
    assert "Retry-After" in guest.call("GET", "records").headers


# -- media types, methods, the shape of errors -------------------------------------------------------------


def test_media_types(api: Api) -> None:
    links, rdm = api.draft()["links"], "application/vnd.inveniordm.v1+json"
    for link in ("self", "files"):
        assert api.call("GET", links[link], None, {"Accept": rdm}).headers["Content-Type"] == rdm
    assert api.call("GET", links["self"], None, {"Accept": "text/x, */*;q=0.1"}).status == 200
    assert api.refused("GET", links["files"], Accept="application/x-foo") == (
        406, "Invalid 'Accept' header. Expected one of: application/json, " + rdm,
    )  # fmt: skip
    assert api.refused("POST", links["files"], b"[]", Content_Type="text/plain")[0] == 415
    assert b'\n  "id": ' in api.call("GET", links["self"] + "?prettyprint=1").body


def test_head_is_allowed_where_get_is(api: Api) -> None:
    record = api.published()
    for path in ("records", record["links"]["self"], record["links"]["files"], "requests/", "/"):
        got, head = api.call("GET", path), api.call("HEAD", path)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Type"] == got.headers["Content-Type"]


# -- faults ------------------------------------------------------------------------------------------------


def test_planned_errors_look_like_its_own(running: LocalServer, api: Api) -> None:
    running.fault("nrp", "GET /api/records", "status 500 body=json:broken")
    api.service.configure(rate_limit=5)
    reply = api.call("GET", "records")
    assert reply.json() == {"message": "broken", "status": 500}
    assert reply.headers["X-RateLimit-Remaining"] == "5", "not counted"
    assert "Retry-After" in reply.headers
    running.fault("nrp", "GET /api/records", "status 503 body=json:later retry-after=7")
    assert api.call("GET", "records").headers.get_all("Retry-After") == ["7"]
    assert running.unfired() == []


# -- the service itself ------------------------------------------------------------------------------------


def test_inspection(service: Any) -> None:
    draft = service.create({"a": b"one"})
    record = service.create({"a": b"two"}, published=True, metadata={"title": "Mine"}, user="bob")
    assert (draft in service.drafts(), record in service.drafts()) == (True, False)
    assert (draft in service.published(), record in service.published()) == (False, True)
    service.write(draft, "b", b"three", {"description": "d"})
    assert service.files(draft) == {"a": 3, "b": 5}
    assert [entry["metadata"] for entry in service.entries(draft)] == [{}, {"description": "d"}]
    assert service.read(record, "a") == b"two"
    with pytest.raises(UsageError, match="no such user"):
        service.create(user="unknown")


def test_the_storage_is_another_origin(service: Any) -> None:
    site = service
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
        files = Draft(server.nrp, draft["id"])
        files.sent("b", b"bytes", metadata={"n": 1})
        files.started("pending")
        files.put("pending", b"abc")
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
        files = Draft(server.nrp, draft["id"])
        assert (files.get("b").body, files.entry("b")["metadata"]) == (b"bytes", {"n": 1})
        assert files.commit("pending").json()["checksum"] == "md5:" + hashlib.md5(b"abc").hexdigest()
        assert api.ok("GET", "requests/" + request["id"])["status"] == "created"


def _review(api: Api) -> Any:
    community = api.ok("GET", "communities/demo")["id"]
    return {"receiver": {"community": community}, "type": "community-submission"}


def _local(record: Any) -> Any:
    """A record without its links, which name the port."""
    return json.loads(json.dumps({name: value for name, value in record.items() if name != "links"}))
