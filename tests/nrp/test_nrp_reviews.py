"""Publishing that other people must approve: a review by a community, or a request of a workflow."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
from responses import RequestsMock

from smartxfer.errors import Forbidden, ReviewRequired
from smartxfer.nrp import Record, RepositoryClient
from tests.support import canned_records as canned
from tests.support.nrp_server import NRPServer

PUBLISH = f"{canned.DRAFT_URL}/actions/publish"
REVIEW = f"{canned.DRAFT_URL}/review"
OPEN_REVIEW = (
    "You cannot publish a draft with an open review request. Please cancel the review request first."
)


@pytest.fixture
def draft() -> Record:
    """A draft as it was read."""
    return Record.from_wire(canned.draft())


def asked(web: RequestsMock) -> List[str]:
    """The requests after discovery: method and the path below the API."""
    found = [call.request for call in web.calls if "well-known" not in str(call.request.url)]
    return [f"{request.method} {str(request.url).partition('?')[0][len(canned.API) :]}" for request in found]


@pytest.mark.parametrize(
    ("status", "message"), [(400, OPEN_REVIEW), (403, "A community review is required.")]
)
@pytest.mark.parametrize("state", ["created", "submitted"])
def test_a_review_is_wanted(
    web: RequestsMock, api: RepositoryClient, draft: Record, status: int, message: str, state: str
) -> None:
    web.add("POST", PUBLISH, **canned.refusal(status, message))
    web.add("GET", REVIEW, json={"id": "q1", "status": state})
    with pytest.raises(ReviewRequired, match="review") as caught:
        api.records.publish(draft)
    assert (caught.value.request, caught.value.status) == ({"id": "q1", "status": state}, status)
    assert ("submit=True" in caught.value.hint) == (state == "created")


def test_a_missing_review(web: RequestsMock, api: RepositoryClient, draft: Record) -> None:
    web.add("POST", PUBLISH, **canned.refusal(400, OPEN_REVIEW))
    web.add("GET", REVIEW, **canned.GONE)
    with pytest.raises(ReviewRequired) as caught:
        api.records.publish(draft)
    assert caught.value.request is None
    assert "community=" in caught.value.hint


def test_a_rejection_for_other_reasons_is_not_about_reviews(
    web: RequestsMock, api: RepositoryClient, draft: Record
) -> None:
    web.add("POST", PUBLISH, **canned.refusal(403, "Permission denied."))
    with pytest.raises(Forbidden):
        api.records.publish(draft)
    assert len(asked(web)) == 1


def test_a_review_is_submitted_when_that_is_said(web: RequestsMock, api: RepositoryClient) -> None:
    submit = f"{canned.DRAFT_URL}/actions/submit-review"
    links = {**canned.draft()["links"], "submit-review": submit}
    web.add("POST", submit, status=202, json={"id": "q1", "status": "submitted"})
    with pytest.raises(ReviewRequired, match="submitted") as caught:
        api.records.publish(Record.from_wire(canned.draft(links=links)), submit=True)
    assert caught.value.request["id"] == "q1"


def requests_of(kind: str = "publish_draft") -> Dict[str, Any]:
    """The kinds of requests that a draft can have."""
    create = f"{canned.API}/requests/create/{kind}"
    return {"hits": {"hits": [{"type_id": kind, "links": {"actions": {"create": create}}}], "total": 1}}


@pytest.fixture
def by_request(web: RequestsMock) -> Record:
    """A draft of a repository whose drafts are published by requests."""
    link = f"{canned.DRAFT_URL}/requests/applicable"
    web.add("GET", link, json=requests_of())
    return Record.from_wire(canned.draft(links={**canned.draft()["links"], "applicable_requests": link}))


def test_a_request_is_wanted(web: RequestsMock, api: RepositoryClient, by_request: Record) -> None:
    with pytest.raises(ReviewRequired, match="publish_draft") as caught:
        api.records.publish(by_request)
    assert caught.value.request["type_id"] == "publish_draft"
    assert len(asked(web)) == 1


@pytest.mark.parametrize("state", ["accepted", "submitted"])
def test_a_request_is_submitted_when_that_is_said(
    web: RequestsMock, api: RepositoryClient, by_request: Record, state: str
) -> None:
    submit = f"{canned.API}/requests/q1/actions/submit"
    made = {"id": "q1", "status": "created", "links": {"actions": {"submit": submit}}}
    web.add("POST", f"{canned.API}/requests/create/publish_draft", status=201, json=made)
    web.add(
        "POST", submit, json={"id": "q1", "status": state, "links": {"topic": {"self": canned.RECORD_URL}}}
    )
    if state == "accepted":
        web.add("GET", canned.RECORD_URL, json=canned.published())
        assert api.records.publish(by_request, submit=True).is_published
        return
    with pytest.raises(ReviewRequired, match="submitted"):
        api.records.publish(by_request, submit=True)


def test_other_kinds_of_requests_do_not_stand_in_the_way(
    bare_web: RequestsMock, api: RepositoryClient
) -> None:
    bare_web.add("GET", f"{canned.BASE}/.well-known/repository/", json=canned.about())
    link = f"{canned.DRAFT_URL}/requests/applicable"
    bare_web.add("GET", link, json=requests_of("assign_doi"))
    bare_web.add("POST", PUBLISH, status=202, json=canned.published())
    links = {**canned.draft()["links"], "applicable_requests": link}
    assert api.records.publish(Record.from_wire(canned.draft(links=links))).is_published


def test_an_edit_that_takes_a_request(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("POST", canned.DRAFT_URL, **canned.refusal(403, "Permission denied."))
    link = f"{canned.RECORD_URL}/requests/applicable"
    links = {**canned.published()["links"], "applicable_requests": link}
    web.add("GET", canned.RECORD_URL, json=canned.published(links=links))
    web.add("GET", link, json=requests_of("edit_published_record"))
    with pytest.raises(ReviewRequired) as caught:
        api.records.edit_metadata(canned.RECORD)
    assert caught.value.request["type_id"] == "edit_published_record"
    web.replace("GET", canned.RECORD_URL, json=canned.published())
    with pytest.raises(Forbidden) as refused:
        api.records.edit_metadata(canned.RECORD)
    assert not isinstance(refused.value, ReviewRequired)


# -- behaviour -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("approve", [True, False])
def test_a_workflow_of_a_running_repository(approve: bool) -> None:
    harness = NRPServer(review="workflow", auto_approve=approve)
    try:
        client = harness.client()
        draft = client.records.create({"metadata": canned.METADATA, "files": {"enabled": False}})
        with pytest.raises(ReviewRequired):
            client.records.publish(draft)
        assert harness.site.published() == []
        if approve:
            assert client.records.publish(draft, submit=True).is_published
            return
        with pytest.raises(ReviewRequired) as caught:
            client.records.publish(draft, submit=True)
        assert caught.value.request["status"] == "submitted"
    finally:
        harness.close()
