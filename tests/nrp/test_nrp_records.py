"""``client.records``: create, read, update and delete."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from responses import RequestsMock

from smartxfer.errors import Conflict, Forbidden, InvalidDraft, NotFound, OutcomeUnknown, UsageError
from smartxfer.nrp import Record, RepositoryClient
from smartxfer.nrp.record_models import DraftWarning, build_document
from tests.support import canned_records as canned
from tests.support.nrp_server import NRPServer

RECORDS = f"{canned.API}/records"
PROBLEM = {"field": "metadata.title", "messages": ["Shorter than minimum length 3."]}
LOST = requests.ConnectionError("the connection broke")
NAMES = [
    canned.RECORD,
    canned.RECORD_URL,
    canned.DRAFT_URL,
    f"{canned.BASE}/records/{canned.RECORD}",
    f"{canned.BASE}/uploads/{canned.RECORD}",
]


class Address:
    """Something whose ``str()`` is an address."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


# -- shapes ----------------------------------------------------------------------------------------------


def test_a_draft_is_made(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("POST", RECORDS, status=201, json=canned.draft())
    data = {"metadata": dict(canned.METADATA)}
    record = api.records.create(data)
    assert canned.sent(web.calls[1]) == {**data, "files": {"enabled": True}}
    assert web.calls[1].request.headers["Authorization"] == "Bearer " + "t" * 30
    found = record.id, record.revision_id, record.is_draft, record["status"]
    assert found == (canned.RECORD, 5, True, "draft")
    assert (record.links.self_, record.links.extra, record.extra["internal_notes"]) == (
        canned.DRAFT_URL,
        {},
        [],
    )
    assert data == {"metadata": canned.METADATA}


def test_files_are_left_out_where_that_was_said(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("POST", RECORDS, status=201, json=canned.draft())
    api.records.create({"metadata": {}, "files": {"enabled": False}})
    assert canned.sent(web.calls[1])["files"] == {"enabled": False}


def test_invalid_fields_are_a_warning(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("POST", RECORDS, status=201, json=canned.draft([PROBLEM]))
    with pytest.warns(DraftWarning, match="Shorter than minimum") as caught:
        record = api.records.create({"metadata": {"title": "X"}})
    assert record.errors == [PROBLEM]
    assert caught[0].filename == __file__


def test_invalid_fields_are_an_error_when_strict(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("POST", RECORDS, status=201, json=canned.draft([PROBLEM]))
    web.add("PUT", canned.DRAFT_URL, json=canned.draft([PROBLEM]))
    with pytest.raises(InvalidDraft) as caught:
        api.records.create({"metadata": {"title": "X"}}, strict=True)
    assert (caught.value.errors, caught.value.record.id) == ([PROBLEM], canned.RECORD)
    with pytest.raises(InvalidDraft):
        api.records.update(caught.value.record, strict=True)


def test_a_lost_creation_is_not_repeated(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("POST", RECORDS, body=LOST)
    with pytest.raises(OutcomeUnknown) as caught:
        api.records.create({"metadata": {}})
    assert "draft_records.search" in caught.value.hint
    assert len(web.calls) == 2


def test_a_draft_in_a_model_with_a_workflow(web: RequestsMock, api: RepositoryClient) -> None:
    models = [canned.model(records=f"{canned.API}/datasets?type=1"), canned.model("papers", "papers")]
    web.add("GET", f"{canned.BASE}/.well-known/repository/models", json=models)
    web.add("POST", f"{canned.API}/datasets", status=201, json=canned.draft(model="datasets"))
    web.add("GET", f"{canned.API}/datasets/{canned.RECORD}/draft", json=canned.draft(model="datasets"))
    view = api.records.with_model("data sets")
    view.create({"metadata": {}}, workflow="open")
    assert canned.sent(web.calls[2])["parent"] == {"workflow": "open"}
    record = api.records.with_model("datasets").draft_records.read(canned.RECORD)
    assert "/datasets/" in record.links.self_
    with pytest.raises(UsageError, match="datasets, papers"):
        api.records.create({}, model="none")


def test_a_draft_for_a_community(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("GET", f"{canned.API}/communities/bio", json={"id": "c-uuid", "slug": "bio"})
    web.add("POST", RECORDS, status=201, json=canned.draft())
    web.add("PUT", f"{canned.DRAFT_URL}/review", json={"status": "created"})
    web.add("GET", canned.DRAFT_URL, json=canned.draft(revision_id=9))
    assert api.records.create({"metadata": {}}, community="bio").revision_id == 9
    assert canned.sent(web.calls[3]) == {"receiver": {"community": "c-uuid"}, "type": "community-submission"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrap", [str, Address])
def test_names_of_a_record(web: RequestsMock, api: RepositoryClient, name: str, wrap: Any) -> None:
    thing = wrap(name) if name.startswith("https") else name
    web.add("PUT", canned.DRAFT_URL, json=canned.draft())
    web.add("GET", canned.DRAFT_URL, json=canned.draft())
    assert api.records.draft_records.read(thing).id == canned.RECORD
    api.records.update({**canned.draft(), "links": {"self": str(thing)} if "://" in name else {}})
    assert web.calls[2].request.url == canned.DRAFT_URL


@pytest.mark.parametrize(
    "thing",
    ["https://other.example/api/records/a", "http://repo.example/api/records/a", "a/b", "..", "", None],
)
def test_names_of_no_record_here(web: RequestsMock, api: RepositoryClient, thing: Any) -> None:
    assert api.repository.name
    for call in (api.records.read, api.records.delete, api.records.publish, api.records.new_version):
        with pytest.raises(UsageError):
            call(thing)
    assert len(web.calls) == 1


def test_reading_a_draft_gives_the_published_one_where_there_is_none(
    web: RequestsMock, api: RepositoryClient
) -> None:
    web.add("GET", canned.DRAFT_URL, **canned.GONE)
    web.add("GET", canned.RECORD_URL, json=canned.published())
    assert api.records.draft_records.read(canned.RECORD).is_published
    with pytest.raises(NotFound):
        api.records.read(canned.DRAFT_URL)
    web.replace("GET", canned.DRAFT_URL, **canned.refusal(403, "Permission denied."))
    assert api.records.draft_records.read(canned.RECORD).is_published
    web.replace("GET", canned.RECORD_URL, **canned.refusal(403, "Permission denied."))
    with pytest.raises(Forbidden, match="/draft"):
        api.records.draft_records.read(canned.RECORD)


def test_published_records_never_asks_for_the_draft(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("GET", canned.RECORD_URL, json=canned.published())
    assert api.records.published_records.read(canned.DRAFT_URL).is_published
    for refused in (api.records.published_records.update, api.records.published_records.delete):
        with pytest.raises(UsageError):
            refused(canned.published())
    assert len(web.calls) == 2


def test_a_record_that_was_deleted(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("GET", canned.RECORD_URL, **canned.refusal(410, "The record has been deleted."))
    with pytest.raises(NotFound) as caught:
        api.records.read(canned.RECORD)
    assert caught.value.status == 410


def test_what_is_sent_back() -> None:
    record = Record.from_wire(canned.draft([PROBLEM]))
    record.metadata["title"] = "Better"
    record.metadata["creators"][0]["affiliations"] = [{"name": "U"}]
    record.access["files"] = "restricted"
    document = build_document(record)
    assert sorted(document) == [
        "access", "custom_fields", "files", "internal_notes", "media_files", "metadata", "pids",
    ]  # fmt: skip
    assert document["metadata"]["title"] == "Better"
    assert document["metadata"]["creators"][0]["affiliations"] == [{"name": "U"}]
    assert document["access"] == {"record": "public", "files": "restricted"}
    assert document["files"] == {"enabled": True, "order": []}
    # What the repository said stays as it was said.
    assert record["metadata"] == canned.METADATA
    json.dumps(document)


def test_a_record_of_a_model_without_metadata() -> None:
    document = build_document(
        Record.from_wire({"id": "1", "title": "T", "links": {"self": "https://a/api/x/1"}})
    )
    assert document == {"title": "T"}


@pytest.mark.parametrize("nothing", ["text", 7, None])
def test_invalid_documents(nothing: Any) -> None:
    with pytest.raises(UsageError):
        build_document(nothing)


def test_a_guarded_update_sends_the_bare_number(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("PUT", canned.DRAFT_URL, json=canned.draft(revision_id=7))
    record = Record.from_wire(canned.draft())
    assert api.records.update(record, if_revision=record.revision_id).revision_id == 7
    assert web.calls[1].request.headers["If-Match"] == "5"
    for wrong in ('"5"', "5", True, 5.0):
        with pytest.raises(UsageError):
            api.records.update(record, if_revision=wrong)  # type: ignore[arg-type]
    assert len(web.calls) == 2


def test_a_guarded_update_of_another_revision(web: RequestsMock, api: RepositoryClient) -> None:
    message = "Revision id provided(1) doesn't match record's one(13)"
    web.add("PUT", canned.DRAFT_URL, **canned.refusal(412, message))
    with pytest.raises(Conflict, match="provided"):
        api.records.update(canned.draft(), if_revision=1)


@pytest.mark.parametrize("found", [8, 5], ids=["after it was done", "before it was done"])
def test_a_guarded_update_whose_answer_was_lost(web: RequestsMock, api: RepositoryClient, found: int) -> None:
    """Repeated blindly, it would meet its own revision, and be a conflict."""
    web.add("PUT", canned.DRAFT_URL, body=LOST)
    web.add("GET", canned.DRAFT_URL, json=canned.draft(revision_id=found))
    if found == 5:
        web.add("PUT", canned.DRAFT_URL, json=canned.draft(revision_id=8))
    assert api.records.update(canned.draft(), if_revision=5).revision_id == 8
    expected = ["GET", "PUT", "GET", *(["PUT"] if found == 5 else [])]
    assert [call.request.method for call in web.calls] == expected


def test_a_guarded_update_lost_among_others(web: RequestsMock, api: RepositoryClient) -> None:
    other = {**canned.METADATA, "title": "Of another user"}
    web.add("PUT", canned.DRAFT_URL, body=LOST)
    web.add("GET", canned.DRAFT_URL, json=canned.draft(revision_id=8, metadata=other))
    with pytest.raises(OutcomeUnknown, match="read the draft"):
        api.records.update(canned.draft(), if_revision=5)


def test_an_update_of_what_has_no_draft(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("PUT", canned.DRAFT_URL, **canned.GONE)
    with pytest.raises(NotFound, match="edit_metadata"):
        api.records.update(Record.from_wire(canned.published()))


def test_discarding(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("DELETE", canned.DRAFT_URL, status=204)
    api.records.delete(Record.from_wire(canned.draft()), if_revision=5)
    assert web.calls[1].request.headers["If-Match"] == "5"
    with pytest.raises(UsageError, match="retract_published"):
        api.records.delete(Record.from_wire(canned.published()))


def test_discarding_twice_is_an_error_but_for_a_lost_answer(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("DELETE", canned.DRAFT_URL, body=LOST)
    web.add("DELETE", canned.DRAFT_URL, **canned.GONE)
    web.add("GET", canned.RECORD_URL, **canned.GONE)  # it might be a concept
    api.records.delete(canned.RECORD)
    with pytest.raises(NotFound):
        api.records.delete(canned.RECORD)


def test_retracting(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("DELETE", canned.RECORD_URL, body=LOST)
    web.add("DELETE", canned.RECORD_URL, **canned.refusal(410, "The record has been deleted."))
    api.records.retract_published(canned.RECORD, "test-record", note="a try")
    assert canned.sent(web.calls[2]) == {"removal_reason": {"id": "test-record"}, "note": "a try"}


# -- behaviour -------------------------------------------------------------------------------------------


def a_draft(client: RepositoryClient, **values: Any) -> Record:
    """A new draft that could be published."""
    return client.records.create({"metadata": {**canned.METADATA, **values}, "files": {"enabled": False}})


def test_a_draft_is_changed_and_discarded(harness: NRPServer, live: RepositoryClient) -> None:
    record = a_draft(live)
    record.metadata["title"] = "Better"
    changed = live.records.update(record, if_revision=record.revision_id)
    assert changed.metadata["title"] == "Better"
    assert changed.metadata["creators"][0]["person_or_org"]["family_name"] == "Doe"
    with pytest.raises(Conflict):
        live.records.update(record, if_revision=record.revision_id)
    with pytest.raises(Conflict):
        live.records.delete(record, if_revision=record.revision_id)
    live.records.delete(changed, if_revision=changed.revision_id)
    assert record.id not in harness.site.drafts()
    with pytest.raises(NotFound):
        live.records.draft_records.read(record.id)
