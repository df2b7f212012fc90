"""The local repository: searches, the window of requests, secret links, remote files (NRP protocol, 4 and 9)."""

import math
from typing import Any, Dict, List, Tuple

import pytest

from smartxfer.errors import UsageError
from smartxfer.local import LocalServer
from tests.support.local.nrp_calls import COMPLETE, Api, fields, ids, repository
from tests.support.local.nrp_file_calls import Draft

running = repository(remote_hosts=["files.example"])


@pytest.fixture(scope="module")
def library(running: LocalServer) -> List[str]:
    """Create five published records of a new user, oldest first."""
    titles = ("alpha one", "alpha two", "beta one", "Beta: two", "gamma")
    metadata = [{**COMPLETE, "title": "library " + title} for title in titles]
    return [running.nrp.create({"a": b"x"}, published=True, user="bob", metadata=one) for one in metadata]


def test_pages(service: Any, library: List[str]) -> None:
    bob = Api(service, service.token_of("bob"))
    first = bob.ok("GET", "user/records?size=2&sort=oldest&is_published=true")
    assert first["hits"]["total"] == 5
    assert (first["page"], first["sortBy"]) == (1, "updated-asc")
    assert ids(first) == library[:2]
    assert set(first["links"]) == {"self", "next"}
    assert first["links"]["next"] == bob.url + "/api/user/records?page=2&size=2&sort=updated-asc"
    second = bob.ok("GET", first["links"]["next"])
    assert set(second["links"]) == {"prev", "self", "next"}
    third = bob.ok("GET", second["links"]["next"])
    assert ids(third) == library[4:]
    assert set(third["links"]) == {"prev", "self"}


def test_links_keep_the_query(guest: Api, library: List[str]) -> None:
    found = guest.ok("GET", "records?q=library&size=2&sort=oldest")
    assert ids(found) == library[:2]
    assert ids(guest.ok("GET", found["links"]["next"])) == library[2:4]
    assert list(found["aggregations"]) == ["publication_date", "access_status", "file_type", "resource_type"]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("library alpha", [0, 1]), ("library AND alpha AND NOT one", [1]), ("library -alpha", [2, 3, 4]),
        ("(alpha OR gamma) AND library", [0, 1, 4]), ("library AND (alpha AND (one OR two))", [0, 1]),
        ('"library alpha one"', [0]), ("metadata.title:gamma", [4]), ('metadata.title:"beta: two"', [3]),
        ("metadata.title:library*one", [0, 2]), ("library AND _exists_:metadata.description", []),
        ("metadata.creators.person_or_org.family_name:doe AND metadata.title:gamma", [4]),
        ("library AND created:[* TO 2999-01-01}", [0, 1, 2, 3, 4]), ("library nothing-like-it", []),
        ("library AND created:[2999-01-01 TO *]", []),
    ],
)  # fmt: skip
def test_queries(guest: Api, library: List[str], query: str, numbers: List[int]) -> None:
    found = guest.ok("GET", "records?sort=oldest&q=" + query.replace(" ", "+").replace('"', "%22"))
    assert ids(found) == [library[number] for number in numbers]


def test_ranges_of_time(api: Api, guest: Api, library: List[str]) -> None:
    stamps = [guest.ok("GET", "records/" + id)["created"].replace("+00:00", "Z") for id in library]
    query = f"records?sort=oldest&q=(library)+AND+created:[{stamps[1]}+TO+{stamps[3]}%7D"
    assert ids(guest.ok("GET", query)) == library[1:3]
    query = query.replace("[", "%7B").replace("%7D", "%5D")
    assert ids(guest.ok("GET", query)) == library[2:4]
    assert ids(guest.ok("GET", "records?q=id:" + library[4])) == [library[4]]


@pytest.mark.parametrize(
    "query", ["(alpha", "alpha)", '"alpha', "created:[a TO", "NOT", "a AND NOT", "(" * 60 + "a"]
)
def test_queries_that_are_not_understood(guest: Api, query: str) -> None:
    reply = guest.call("GET", "records?q=" + query.replace(" ", "+").replace('"', "%22"))
    assert reply.status == 400


def test_invalid_sizes_and_pages_beyond_the_window(api: Api, guest: Api) -> None:
    errors = fields(guest.call("GET", "records?size=many").json()["errors"])
    assert errors == {"size": ["Not a valid integer."]}
    beyond = (400, "Invalid querystring parameters.")
    assert guest.refused("GET", "records?page=101&size=100") == beyond
    assert guest.call("GET", "records?page=100&size=100").status == 200
    api.service.configure(search_window=4)
    assert guest.call("GET", "records?page=2&size=2").status == 200
    assert guest.refused("GET", "records?page=3&size=2") == beyond


def test_pages_have_a_maximal_size(api: Api, guest: Api) -> None:
    record = api.published()
    api.service.configure(page_size=100, page_size_guest=25)
    for caller, most in ((api, 100), (guest, 25)):
        for path in ("records", "records/" + record["id"] + "/versions"):
            assert caller.ok("GET", f"{path}?size={most}")["hits"]["hits"]
            reply = caller.call("GET", f"{path}?size={most + 1}")
            assert (reply.status, fields(reply.json()["errors"])) == (
                400, {"size": [f"Page size cannot be greater than {most}."]},
            )  # fmt: skip
    assert api.refused("GET", "user/records?size=101")[0] == 400


def test_of_ones_own_the_draft_is_shown(api: Api) -> None:
    record = api.published()
    api.ok("POST", record["links"]["draft"])
    draft = api.draft()
    hits = {hit["id"]: hit for hit in api.ok("GET", "user/records?size=1000")["hits"]["hits"]}
    shown = [hits[one["id"]] for one in (record, draft)]
    assert [(hit["is_draft"], hit["is_published"]) for hit in shown] == [(True, True), (True, False)]
    unpublished = ids(api.ok("GET", "user/records?size=1000&is_published=false"))
    assert (draft["id"] in unpublished, record["id"] in unpublished) == (True, False)


# -- the window --------------------------------------------------------------------------------------------


def test_the_window_moves(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.service.configure(rate_limit=2, rate_window=10)
    start = math.floor(api.service.now()) + 0.25

    def at(second: float) -> Tuple[int, int, int]:
        monkeypatch.setattr(api.service.backend, "now", lambda: start + second)
        reply = api.call("GET", "records?size=1")
        return reply.status, int(reply.headers["Retry-After"]), int(reply.headers["X-RateLimit-Remaining"])

    assert at(0) == (200, 10, 1)
    assert at(4) == (200, 6, 0)
    assert at(9) == (429, 1, 0)
    # Less than a second is left: the header says 0.
    assert at(9.9) == (429, 0, 0)
    # The request of second 0 has left the window; rejected ones were not counted.
    assert at(10.1) == (200, 4, 0)
    assert at(10.2) == (429, 4, 0)
    assert at(14.1) == (200, 6, 0)
    assert at(30) == (200, 10, 1)


# -- secret links ------------------------------------------------------------------------------------------

RESTRICTED = {"record": "restricted", "files": "restricted"}


def test_a_link_ends(service: Any, guest: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    record = service.create({"a": b"1"}, published=True, access=RESTRICTED)
    token = service.share(record, until="2030-01-01")
    path = f"records/{record}/files/a/content"
    assert guest.refused("GET", path)[0] == 403
    assert guest.call("GET", f"{path}?token={token}").body == b"1"
    monkeypatch.setattr(service.backend, "now", lambda: 1893542400.0)  # 2030-01-02
    assert guest.refused("GET", f"{path}?token={token}")[0] == 403


def test_a_link_is_for_all_versions_of_one_record(service: Any, api: Api, guest: Api) -> None:
    record = service.create({"a": b"1"}, published=True, access=RESTRICTED)
    other = service.create({"a": b"2"}, published=True, access=RESTRICTED)
    token = service.share(record)
    assert guest.refused("GET", f"records/{other}?token={token}")[0] == 403
    draft = api.ok("POST", f"records/{record}/versions")
    api.ok("POST", draft["links"]["self"] + "/actions/files-import")
    api.ok("POST", draft["links"]["publish"])
    assert guest.call("GET", f"records/{draft['id']}/files/a/content?token={token}").body == b"1"
    # The parent id redirects to the newest version, without the token.
    moved = guest.call("GET", f"records/{draft['parent']['id']}?token={token}")
    assert (moved.status, moved.headers["Location"]) == (302, "/api/records/" + draft["id"])


def test_what_cannot_be_shared(service: Any) -> None:
    with pytest.raises(UsageError, match="permission must be one of view, preview, edit"):
        service.share(service.create(), "own")
    with pytest.raises(UsageError, match="no such record"):
        service.share("none")


def test_links_outlive_a_restart(tmp_path: Any) -> None:
    with LocalServer(tmp_path / "data", services=["nrp"]) as server:
        record = server.nrp.create({"a": b"1"}, published=True, access=RESTRICTED)
        token = server.nrp.share(record)
    with LocalServer(tmp_path / "data", services=["nrp"]) as server:
        path = f"records/{record}/files/a/content?token={token}"
        assert Api(server.nrp, "").call("GET", path).body == b"1"


# -- remote files ------------------------------------------------------------------------------------------


def _remote(service: Any, url: str, *files: Dict[str, Any]) -> Tuple[Draft, List[Any]]:
    draft = Draft(service, token=service.superuser_token)
    for values in files:
        draft.started(transfer={"type": "R", "url": url}, **values)
    entries = [draft.entry(values["key"]) for values in files]
    return draft, entries


def test_remote_files_of_one_url_are_one(service: Any) -> None:
    url, md5 = "https://files.example/a", "md5:" + "1" * 32
    draft, entries = _remote(service, url, {"key": "a"}, {"key": "b", "size": 5, "checksum": md5})
    assert [(entry["size"], entry["checksum"]) for entry in entries] == [(0, None), (0, None)]
    assert entries[0]["file_id"] == entries[1]["file_id"]
    _, [again] = _remote(service, url, {"key": "c", "size": 9})
    assert (again["size"], again["file_id"]) == (0, entries[0]["file_id"]), "in every record"
    _, known = _remote(service, url + "?b", {"key": "a", "size": 5, "checksum": md5}, {"key": "b"})
    assert [(entry["size"], entry["checksum"]) for entry in known] == [(5, md5), (5, md5)]
    assert draft.call("DELETE", "/a").status == 204
    assert draft.entry("b")["file_id"] == entries[0]["file_id"]


def test_who_is_sent_on_to_a_remote_file(service: Any, api: Api) -> None:
    url = "https://files.example/b"
    record = service.create({})
    root = Draft(service, record, service.superuser_token)
    root.started("a", transfer={"type": "R", "url": url})
    owner = Draft(service, record)
    for method in ("GET", "HEAD"):
        assert owner.call(method, "/a/content").status == 403
        reply = root.call(method, "/a/content")
        assert (reply.status, reply.headers["Location"]) == (302, url)
    service.configure(remote_for_all=True)
    assert owner.call("GET", "/a/content").headers["Location"] == url
