"""Search: pages, the result window, and results beyond it."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, Optional, Tuple

import pytest
from responses import RequestsMock

from smartxfer.errors import BadRequest, DecodeError, LimitExceeded, UsageError
from smartxfer.nrp import RecordStatus, RepositoryClient
from tests.support import canned_records as canned
from tests.support.nrp_server import NRPServer

SEARCH = f"{canned.API}/records"
WINDOW_REFUSED = canned.refusal(400, "Invalid querystring parameters.")
FIRST = datetime(2026, 11, 1, tzinfo=timezone.utc)


class Repository:
    """A repository of so many records that shows the first ``window`` hits of a search only."""

    def __init__(
        self, times: List[datetime], window: int, silent: bool = False, by_change: bool = False
    ) -> None:
        self.hits = [
            canned.published(id=f"r{number}", created=moment.isoformat())
            for number, moment in enumerate(times)
        ]
        self.window, self.silent, self.by_change = window, silent, by_change
        self.queries: List[Dict[str, Any]] = []

    def answer(self, request: Any) -> Tuple[int, Dict[str, str], str]:
        params = request.params
        self.queries.append(params)
        page, size = int(params.get("page", 1)), int(params.get("size", 10))
        found = [hit for hit in self.hits if self._wanted(hit, params.get("q", ""))]
        found.sort(
            key=self._changed if self.by_change else self._created, reverse=params.get("sort") != "oldest"
        )
        if page * size > self.window and page > 1:
            return 400, {"Content-Type": "application/json"}, json.dumps(WINDOW_REFUSED["json"])
        shown = found[(page - 1) * size : page * size]
        more = page * size < len(found) and not (self.silent and (page + 1) * size > self.window)
        # Links leave filters out, as those of a real repository do.
        kept = {name: params[name] for name in ("q", "size", "sort") if name in params}
        query = "&".join(f"{name}={value}" for name, value in {**kept, "page": page + 1}.items())
        following = f"{SEARCH}?{query.replace(' ', '+')}" if more else None
        body = canned.page(shown, len(found), following)
        return 200, {"Content-Type": "application/json"}, json.dumps(body)

    @staticmethod
    def _created(hit: Dict[str, Any]) -> str:
        return str(hit["created"])

    @staticmethod
    def _changed(hit: Dict[str, Any]) -> int:
        """As if those in the middle were changed first and last."""
        return int(hit["id"][1:]) * 37 % 101

    @staticmethod
    def _wanted(hit: Dict[str, Any], query: str) -> bool:
        span = re.search(r"created:\[(\S+) TO (\S+)\}", query)
        if span is None:
            return True
        low, high = span.groups()
        created = hit["created"].replace("+00:00", "Z")
        return (low == "*" or low <= created) and (high == "*" or created < high)


def served(web: RequestsMock, times: List[datetime], window: int, **more: Any) -> Repository:
    """Have a repository answer searches."""
    repository = Repository(times, window, **more)
    web.add_callback("GET", re.compile(re.escape(SEARCH) + r"(\?.*)?$"), repository.answer)
    return repository


def moments(count: int, apart: float = 60.0) -> List[datetime]:
    """Times with a fraction of a second, so that all are written alike."""
    return [FIRST + timedelta(seconds=number * apart, microseconds=1) for number in range(count)]


def test_all_pages_are_gone_through_as_they_are_needed(web: RequestsMock, api: RepositoryClient) -> None:
    repository = served(web, moments(5), 10_000)
    found = api.records.search("title:x", size=2, sort="newest", subjects=["a", "b"])
    assert len(repository.queries) == 1
    assert (found.total, len(found), [record.id for record in found]) == (5, 2, ["r4", "r3"])
    records = found.walk()
    assert [next(records).id for _ in range(2)] == ["r4", "r3"]
    assert len(repository.queries) == 1
    assert [record.id for record in records] == ["r2", "r1", "r0"]
    assert len(repository.queries) == 3
    first = repository.queries[0]
    assert (first["q"], first["size"], first["sort"], first["page"]) == ("title:x", "2", "newest", "1")
    assert first["subjects"] == ["a", "b"]
    assert "allversions" not in first
    assert all(query["subjects"] == ["a", "b"] for query in repository.queries)
    assert list(records) == []


def test_which_address_is_asked(web: RequestsMock, api: RepositoryClient) -> None:
    empty = canned.page([], 0)
    models = [
        canned.model(),
        canned.model("old", "old", records=f"{canned.API}/search?type=old", drafts=None),
    ]
    web.add("GET", f"{canned.BASE}/.well-known/repository/models", json=models)
    for path in ("records", "user/records", "user/datasets", "search", "user/search"):
        web.add("GET", f"{canned.API}/{path}", json=empty)
    records = api.records
    for view in (
        records.published_records,
        records.draft_records,
        records.draft_records.with_model("datasets"),
        records.with_model("old"),
        records.with_model("old").draft_records,
    ):
        assert list(view.search(all_versions=True)) == []
    asked: List[Any] = [call.request for call in web.calls if "well-known" not in str(call.request.url)]
    assert [request.url.partition("?")[0][len(canned.API) :] for request in asked] == [
        "/records", "/user/records", "/user/datasets", "/search", "/user/search",
    ]  # fmt: skip
    drafts = [request.params.get("is_published") for request in asked]
    assert drafts == [None, "false", "false", None, "false"]
    assert [request.params["allversions"] for request in asked] == ["true"] * 5
    assert asked[3].params["type"] == "old"


@pytest.mark.parametrize("wrong", [{"page": 0}, {"size": 0}, {"page": -1}, {"size": "10"}, {"page": True}])
def test_pages_and_sizes_begin_at_one(
    bare_web: RequestsMock, api: RepositoryClient, wrong: Dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        api.records.search(**wrong)


def test_a_page_beyond_the_window_is_an_error(web: RequestsMock, api: RepositoryClient) -> None:
    served(web, moments(12), 10)
    with pytest.raises(BadRequest, match="scan"):
        api.records.search(page=3, size=5)
    found = api.records.search(size=5).walk()
    assert [next(found).id for _ in range(10)][::9] == ["r11", "r2"]
    with pytest.raises(BadRequest, match="scan"):
        next(found)


def test_an_unknown_sort_is_not_a_window_error(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("GET", SEARCH, **WINDOW_REFUSED)
    with pytest.raises(BadRequest) as caught:
        api.records.search(sort="bogus")
    assert "scan" not in str(caught.value)


def test_pages_that_end_early_are_logged(
    web: RequestsMock, api: RepositoryClient, caplog: pytest.LogCaptureFixture
) -> None:
    served(web, moments(12), 10, silent=True)
    with caplog.at_level("WARNING", "smartxfer.nrp"):
        assert len(list(api.records.search(size=5).walk())) == 10
    assert "10 of 12" in caplog.text


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize(
    ("count", "window", "size"), [(0, 10, 5), (10, 10, 5), (11, 10, 5), (97, 10, 5), (7, 1, 1)]
)
def test_a_scan_gives_everything_once_oldest_first(
    web: RequestsMock, api: RepositoryClient, count: int, window: int, size: int, silent: bool
) -> None:
    served(web, moments(count), window, silent=silent)
    found = api.records.scan("q:x", size=size)
    assert found.total == count
    assert [record.id for record in found] == [f"r{number}" for number in range(count)]


@pytest.mark.parametrize("apart", [0.001, 60.0, 1e7])
def test_a_scan_gives_everything_however_the_repository_sorts(
    web: RequestsMock, api: RepositoryClient, apart: float
) -> None:
    served(web, moments(60, apart), 10, by_change=True)
    found = [record.id for record in api.records.scan(size=5)]
    assert sorted(found) == sorted(f"r{number}" for number in range(60))


def test_a_scan_narrows_the_given_query_down(web: RequestsMock, api: RepositoryClient) -> None:
    repository = served(web, moments(20), 10)
    assert len(list(api.records.scan("a OR b", size=5, type="x"))) == 20
    narrowed = [query["q"] for query in repository.queries if "created" in query["q"]]
    assert narrowed
    assert all(query.startswith("(a OR b) AND created:[") and query.endswith("}") for query in narrowed)
    assert all(query["type"] == "x" for query in repository.queries)


def test_a_scan_of_too_many_at_one_moment(web: RequestsMock, api: RepositoryClient) -> None:
    served(web, moments(30, apart=0.0), 10)
    with pytest.raises(LimitExceeded, match="30 records were created at 2026-11-01"):
        list(api.records.scan(size=5))


@pytest.mark.parametrize("wrong", ["page", "sort"])
def test_a_scan_has_its_own_order(bare_web: RequestsMock, api: RepositoryClient, wrong: str) -> None:
    facets: Dict[str, Any] = {wrong: 1}
    with pytest.raises(UsageError, match=wrong):
        api.records.scan(**facets)
    with pytest.raises(UsageError, match=wrong):
        api.records.scan(facets=facets)


def test_pages_and_their_neighbours(web: RequestsMock, api: RepositoryClient) -> None:
    repository = served(web, moments(5), 10_000)
    first = api.records.search(size=2, sort="oldest", facets={"type": "x"})
    assert (first.has_next(), first.has_prev(), first.links.prev) == (True, False, None)
    assert (first[0].id, [record.id for record in first[:2]], first["hits"]["total"]) == ("r0", ["r0", "r1"], 5)
    assert (first.hits[1].id, first.hits.total, len(first.hits)) == ("r1", 5, 2)
    last = first.next_page().next_page()
    assert [record.id for record in last] == ["r4"]
    assert [query["type"] for query in repository.queries] == ["x", "x", "x"]
    after = last.next_page()
    assert (len(after), after.total, list(after.walk())) == (0, 0, [])
    assert json.loads(json.dumps(last.to_dict()))["hits"]["total"] == 5


def test_a_link_keeps_what_it_says_and_gets_what_it_leaves_out(harness: NRPServer, live: RepositoryClient) -> None:
    title = "Draft by draft"
    for number in range(3):
        harness.site.create(metadata={"title": f"{title} {number}"})
        harness.site.create(metadata={"title": f"{title} published {number}"}, published=True)
    drafts = list(live.records.draft_records.search(f'"{title}"', size=2).walk())
    assert [record.is_published for record in drafts] == [False] * 3


def test_statuses_and_models_of_a_call_go_before_those_of_the_view(
    web: RequestsMock, api: RepositoryClient
) -> None:
    web.add("GET", f"{canned.BASE}/.well-known/repository/models", json=[canned.model()])
    web.add("GET", re.compile(re.escape(f"{canned.API}/")), json=canned.page([], 0))
    drafts = api.records.draft_records
    for found in (
        drafts.search(status="published"),
        drafts.search(status=RecordStatus.ALL),
        api.records.search(status="draft"),
        drafts.search(),
    ):
        assert list(found) == []
    asked = [str(call.request.url).partition("?")[0][len(canned.API) :] for call in web.calls]
    assert [path for path in asked if path.endswith("records")] == ["/records", "/records", "/user/records", "/user/records"]
    with pytest.raises(UsageError, match="'all', 'published', 'draft'"):
        api.records.search(status="drafts")
    with pytest.raises(UsageError, match="nonesuch"):
        api.records.search(model="nonesuch")


def test_a_scan_ends_with_its_block(web: RequestsMock, api: RepositoryClient) -> None:
    served(web, moments(3), 10_000)
    with api.records.scan() as found:
        assert next(found).id == "r0"
    assert list(found) == []


@pytest.mark.parametrize("body", [{}, {"hits": []}, {"hits": {"total": 1}}])
def test_an_answer_without_hits(web: RequestsMock, api: RepositoryClient, body: Dict[str, Any]) -> None:
    web.add("GET", SEARCH, json=body)
    with pytest.raises(DecodeError, match="no list of hits"):
        api.records.search()


def test_a_link_that_leads_back_ends_the_search(web: RequestsMock, api: RepositoryClient) -> None:
    again: Optional[str] = f"{SEARCH}?page=2"
    web.add("GET", re.compile(re.escape(SEARCH)), json=canned.page([canned.published()], 9, again))
    assert len(list(api.records.search().walk())) == 2


def test_a_running_repository_is_scanned_beyond_its_window() -> None:
    harness = NRPServer(search_window=6)
    try:
        client = harness.client()
        # One by one over the line: never so many within one tick of the repository's clock.
        made = [client.records.create({"metadata": canned.METADATA}).id for _ in range(15)]
        found = client.records.draft_records.scan(size=2)
        assert sorted(record.id for record in found) == sorted(made)
        assert found.total == 15
        assert harness.site.count("GET /api/user/records*") > 8
    finally:
        harness.close()
