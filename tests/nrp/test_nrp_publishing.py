"""Publishing, and what follows: edits, versions, reviews."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
import requests
from responses import RequestsMock

from smartxfer.errors import BadRequest, Conflict, NotFound, OutcomeUnknown, ServerError
from smartxfer.nrp import Record, RepositoryClient
from tests.support import canned_records as canned
from tests.support.nrp_server import NRPServer

PUBLISH = f"{canned.DRAFT_URL}/actions/publish"
REVIEW = f"{canned.DRAFT_URL}/review"
LOST = requests.ConnectionError("the connection broke")
MISSING = [{"field": "files.enabled", "messages": ["Missing uploaded files."]}]


@pytest.fixture
def draft() -> Record:
    """A draft as it was read."""
    return Record.from_wire(canned.draft())


def asked(web: RequestsMock) -> List[str]:
    """The requests after discovery: method and the path below the API."""
    found = [call.request for call in web.calls if "well-known" not in str(call.request.url)]
    return [f"{request.method} {str(request.url).partition('?')[0][len(canned.API) :]}" for request in found]


# -- shapes ----------------------------------------------------------------------------------------------


def test_a_draft_is_published_by_one_request(web: RequestsMock, api: RepositoryClient, draft: Record) -> None:
    web.add("POST", PUBLISH, status=202, json=canned.published())
    assert api.records.publish(draft).is_published
    assert len(asked(web)) == 1


def test_by_its_id_the_draft_is_read_first(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("GET", canned.DRAFT_URL, json=canned.draft())
    web.add("POST", PUBLISH, status=202, json=canned.published())
    assert api.records.publish(canned.RECORD).is_published
    assert len(asked(web)) == 2


def test_missing_files_are_reported(web: RequestsMock, api: RepositoryClient, draft: Record) -> None:
    web.add("POST", PUBLISH, **canned.refusal(400, "A validation error occurred.", MISSING))
    with pytest.raises(BadRequest, match="Missing uploaded files") as caught:
        api.records.publish(draft)
    assert caught.value.errors == MISSING


_GET_DRAFT, _GET_RECORD = ("GET", canned.DRAFT_URL), ("GET", canned.RECORD_URL)
_LOST, _DONE = (
    ("POST", PUBLISH, {"body": LOST}),
    ("POST", PUBLISH, {"status": 202, "json": canned.published()}),
)
_DRAFT, _GONE = (*_GET_DRAFT, {"json": canned.draft()}), (*_GET_DRAFT, canned.GONE)
_RECORD = (*_GET_RECORD, {"json": canned.published()})
#: After the first answer was lost: (answers, by the order of those to one address; methods of the requests)
LOST_ANSWERS: Dict[str, Any] = {
    "what was done": ([_LOST, _GONE, _RECORD], "POST GET GET"),
    "what was not done": ([_LOST, _DRAFT, _DONE], "POST GET POST"),
    "done between the look and the repeat": (
        [_LOST, _DRAFT, ("POST", PUBLISH, canned.refusal(404, "Not found.")), _GONE, _RECORD], "POST GET POST GET GET",
    ),
    "a look that needs several tries": (
        [_LOST, (*_GET_DRAFT, {"body": LOST}), _GONE, (*_GET_RECORD, {"status": 502}), _RECORD], "POST GET GET GET GET",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOST_ANSWERS)
def test_lost_answers_are_looked_up(
    web: RequestsMock, api: RepositoryClient, draft: Record, name: str
) -> None:
    answers, methods = LOST_ANSWERS[name]
    for method, url, answer in answers:
        web.add(method, url, **answer)
    assert api.records.publish(draft).is_published
    assert [line.split()[0] for line in asked(web)] == methods.split()


def test_an_edit_counts_as_published_once_its_draft_is_gone(
    web: RequestsMock, api: RepositoryClient, draft: Record
) -> None:
    """The record before it is there all the time."""
    web.add("POST", PUBLISH, body=LOST)
    web.add("GET", canned.DRAFT_URL, json=canned.draft())
    with pytest.raises(OutcomeUnknown, match=r"call publish\(\) again"):
        api.records.publish(draft)


def test_what_is_not_there_is_not_published(web: RequestsMock, api: RepositoryClient, draft: Record) -> None:
    web.add("POST", PUBLISH, **canned.refusal(404, "Not found."))
    with pytest.raises(NotFound):
        api.records.publish(draft)
    web.replace("POST", PUBLISH, status=500)
    with pytest.raises(ServerError):
        api.records.publish(draft)
    assert len(asked(web)) == 2


def test_an_edit_is_begun_again_where_the_answer_is_lost(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("POST", canned.DRAFT_URL, body=LOST)
    web.add("POST", canned.DRAFT_URL, status=201, json=canned.draft(is_published=True))
    assert api.records.edit_metadata(canned.RECORD_URL).is_draft


def new_version(web: RequestsMock, have: List[Any], want: List[Any]) -> None:
    """Answers of a new version whose files were imported before."""
    new = f"{canned.API}/records/new-1"
    web.add("POST", f"{canned.RECORD_URL}/versions", status=201, json=canned.draft(id="new-1"))
    message = "Please remove all files first."
    web.add("POST", f"{new}/draft/actions/files-import", **canned.refusal(400, message))
    web.add("GET", f"{new}/versions/latest", json=canned.published())
    web.add("GET", f"{new}/draft/files", json={"enabled": True, "entries": have})
    web.add("GET", f"{canned.RECORD_URL}/files", json={"enabled": True, "entries": want})


def test_files_that_were_imported_before(web: RequestsMock, api: RepositoryClient) -> None:
    entry = {"key": "a.txt", "checksum": "md5:1"}
    new_version(web, [{**entry, "status": "completed"}], [entry])
    web.add("GET", f"{canned.API}/records/new-1/draft", json=canned.draft(id="new-1"))
    assert api.records.new_version(canned.RECORD, import_files=True).id == "new-1"


def test_other_files_stand_in_the_way(web: RequestsMock, api: RepositoryClient) -> None:
    new_version(web, [{"key": "a.txt", "checksum": "md5:2"}], [{"key": "a.txt", "checksum": "md5:1"}])
    with pytest.raises(Conflict, match="remove all files"):
        api.records.new_version(canned.RECORD, import_files=True)


def test_the_newest_version_is_where_it_is_redirected_to(web: RequestsMock, api: RepositoryClient) -> None:
    newest = f"{canned.API}/records/new-1"
    redirect: Dict[str, Any] = {"status": 301, "headers": {"Location": newest}, "json": {"location": newest}}
    web.add("GET", f"{canned.RECORD_URL}/versions/latest", **redirect)
    web.add("GET", newest, json=canned.published(id="new-1"))
    assert api.records.latest(canned.RECORD).id == "new-1"
    assert web.calls[2].request.headers["Authorization"]


# -- behaviour -------------------------------------------------------------------------------------------


def a_draft(client: RepositoryClient) -> Record:
    """A new draft with a file, that could be published."""
    draft = client.records.create({"metadata": canned.METADATA})
    client.files.upload(draft, "a.txt", {"description": "d"}, b"ACGT")
    return draft


def test_a_whole_life(harness: NRPServer, live: RepositoryClient) -> None:
    record = live.records.publish(a_draft(live))
    assert (record.is_published, record.is_draft, record.id in harness.site.published()) == (True, False, True)
    assert live.records.draft_records.read(record.id).is_published

    edited = live.records.edit_metadata(record)
    assert live.records.edit_metadata(record.id).id == edited.id == record.id
    edited.metadata["title"] = "Better"
    live.records.update(edited)
    assert live.records.publish(edited).metadata["title"] == "Better"

    draft = live.records.new_version(record, import_files=True)
    assert live.records.new_version(record, import_files=True).id == draft.id != record.id
    assert harness.site.files(draft.id) == {"a.txt": 4}
    draft.metadata.setdefault("publication_date", "2026-11-21")
    following = live.records.publish(live.records.update(draft))
    assert live.records.latest(record).id == following.id
    assert [version.id for version in live.records.versions(record)] == [following.id, record.id]


@pytest.mark.parametrize("step", ["versions", "draft"])
def test_what_follows_is_begun_once_where_the_answer_is_lost(
    harness: NRPServer, live: RepositoryClient, step: str
) -> None:
    record = live.records.publish(a_draft(live))
    before = set(harness.site.drafts())
    harness.fault(f"POST /api/records/{record.id}/{step}", "lose-answer")
    begin = live.records.new_version if step == "versions" else live.records.edit_metadata
    draft = begin(record)
    assert set(harness.site.drafts()) - before == {draft.id}


def test_an_import_whose_answer_is_lost(harness: NRPServer, live: RepositoryClient) -> None:
    record = live.records.publish(a_draft(live))
    harness.fault("POST /api/records/*/draft/actions/files-import", "lose-answer")
    draft = live.records.new_version(record, import_files=True)
    assert harness.site.read(draft.id, "a.txt") == b"ACGT"


def test_models_of_a_running_repository() -> None:
    harness = NRPServer(models=("datasets", "papers"))
    try:
        client = harness.client()
        data: Dict[str, Any] = {"metadata": canned.METADATA, "files": {"enabled": False}}
        papers = client.records.with_model("papers")
        record = papers.publish(papers.create(data))
        assert "/api/papers/" in record.links.self_
        assert papers.read(record.id).id == client.records.read(record).id == record.id
        assert (papers.search().total, client.records.with_model("datasets").search().total) == (1, 0)
    finally:
        harness.close()
