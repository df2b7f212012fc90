"""The local repository: searches (NRP protocol, section 4)."""

from typing import Any, List

import pytest

from smartxfer.local import LocalServer
from tests.support.local.nrp_calls import COMPLETE, Api, fields, ids, repository

running = repository()


@pytest.fixture(scope="module")
def library(running: LocalServer) -> List[str]:
    """Create five published records of a new user, oldest first."""
    titles = [{**COMPLETE, "title": "library " + word} for word in ("alpha one", "alpha two", "beta one", "Beta: two", "gamma")]
    return [running.nrp.create({"a": b"x"}, published=True, user="bob", metadata=title) for title in titles]


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
        ("library alpha", [0, 1]),
        ("library AND alpha AND NOT one", [1]),
        ("library -alpha", [2, 3, 4]),
        ("(alpha OR gamma) AND library", [0, 1, 4]),
        ("library AND (alpha AND (one OR two))", [0, 1]),
        ('"library alpha one"', [0]),
        ("metadata.title:gamma", [4]),
        ('metadata.title:"beta: two"', [3]),
        ("metadata.title:library*one", [0, 2]),
        ("metadata.creators.person_or_org.family_name:doe AND metadata.title:gamma", [4]),
        ("library AND _exists_:metadata.description", []),
        ("library AND created:[* TO 2999-01-01}", [0, 1, 2, 3, 4]),
        ("library AND created:[2999-01-01 TO *]", []),
        ("library nothing-like-it", []),
    ],
)
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
