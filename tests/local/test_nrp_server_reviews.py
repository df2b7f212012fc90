"""The local repository: reviews by communities, and publishing through requests (NRP protocol, section 4)."""

from typing import Any, Dict, List

import pytest

from tests.support.local.nrp_calls import Api, fields, repository

DENIED = (403, "Permission denied.")

running = repository(review="none", auto_approve=False, communities=("demo", "other"))


@pytest.fixture
def bob(service: Any) -> Api:
    """Return the client of a user who is not a curator."""
    return Api(service, service.token_of("bob"))


@pytest.fixture
def ann(service: Any) -> Api:
    """Return the client of the first user, a curator."""
    return Api(service)


def drafted(api: Api) -> Any:
    draft = api.draft()
    api.service.write(draft["id"], "a.txt", b"hello world")
    return draft


def asked(api: Api, draft: Any, slug: str = "demo") -> Any:
    """Create the review of a draft, not submitted yet."""
    community = api.ok("GET", "communities/" + slug)["id"]
    body = {"receiver": {"community": community}, "type": "community-submission"}
    return api.ok("PUT", draft["links"]["review"], body)


def submitted(api: Api, draft: Any, **body: Any) -> Any:
    asked(api, draft)
    place = api.ok("GET", draft["links"]["self"])["links"]["submit-review"]
    reply = api.call("POST", place, body or None)
    assert reply.status == 202, reply.body
    return reply.json()


def actions(request: Any) -> List[str]:
    return sorted(request["links"]["actions"])


def test_communities(bob: Api) -> None:
    listed = bob.ok("GET", "communities")["hits"]["hits"]
    assert [one["slug"] for one in listed] == ["demo", "other"]
    assert bob.ok("GET", "communities/demo") == bob.ok("GET", "communities/" + listed[0]["id"]) == listed[0]
    assert bob.refused("GET", "communities/nowhere")[0] == 404


def test_a_review_is_asked_for_and_accepted(ann: Api, bob: Api) -> None:
    draft = drafted(bob)
    assert bob.refused("GET", draft["links"]["review"])[0] == 404
    request = asked(bob, draft)
    assert (request["status"], actions(request)) == ("created", ["submit"])
    assert request["type"] == "community-submission"
    draft = bob.ok("GET", draft["links"]["self"])
    assert draft["parent"]["review"] == {"id": request["id"]}
    request = submitted(bob, draft, payload={"content": "please", "format": "html"})
    assert (request["status"], request["is_open"], actions(request)) == ("submitted", True, ["cancel"])
    assert request["payload"] == {"content": "please", "format": "html"}
    status, message = bob.refused("POST", draft["links"]["publish"])
    assert status == 400
    assert message.startswith("You cannot publish a draft with an open review request.")
    assert bob.refused("POST", request["links"]["self"] + "/actions/accept")[0] == 403
    seen = ann.ok("GET", request["links"]["self"])
    assert actions(seen) == ["accept", "decline"]
    accepted = ann.ok("POST", seen["links"]["actions"]["accept"])
    assert (accepted["status"], accepted["is_closed"], actions(accepted)) == ("accepted", True, [])
    assert accepted["links"]["topic"]["self"] == draft["links"]["record"]
    record = bob.ok("GET", draft["links"]["record"])
    assert record["parent"]["communities"]["default"] == request["receiver"]["community"]
    assert ann.refused("POST", seen["links"]["actions"]["accept"])[0] == 400


@pytest.mark.parametrize(
    ("who", "action", "status"), [("ann", "decline", "declined"), ("bob", "cancel", "cancelled")]
)
def test_a_review_that_comes_to_nothing(ann: Api, bob: Api, who: str, action: str, status: str) -> None:
    draft = drafted(bob)
    request = submitted(bob, draft)
    place = request["links"]["self"] + "/actions/" + action
    assert {"ann": ann, "bob": bob}[who].ok("POST", place)["status"] == status
    again = bob.ok("GET", draft["links"]["self"])
    assert "review" not in again["parent"]
    assert bob.ok("POST", draft["links"]["publish"])["is_published"]


def test_a_draft_must_be_complete(bob: Api) -> None:
    draft = bob.draft({"title": "Half done"})
    asked(bob, draft)
    reply = bob.call("POST", draft["links"]["self"] + "/actions/submit-review")
    assert reply.status == 400
    assert "metadata.creators" in fields(reply.json()["errors"])
    assert bob.ok("GET", draft["links"]["review"])["status"] == "created"


def test_another_community_before_it_is_asked(bob: Api) -> None:
    draft = drafted(bob)
    first, second = asked(bob, draft), asked(bob, draft, "other")
    assert bob.ok("GET", draft["links"]["review"])["id"] == second["id"] != first["id"]
    assert bob.refused("GET", first["links"]["self"])[0] == 404
    assert bob.call("DELETE", draft["links"]["review"]).status == 204
    assert bob.refused("GET", draft["links"]["review"])[0] == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "type"),
        ({"type": "community-submission"}, "receiver"),
        ({"type": "community-submission", "receiver": {"community": "nowhere"}}, "receiver"),
        ({"type": "community-submission", "receiver": {"community": [1]}}, "receiver"),
    ],
)
def test_reviews_that_cannot_be(bob: Api, body: Dict[str, Any], field: str) -> None:
    reply = bob.call("PUT", bob.draft()["links"]["review"], body)
    assert (reply.status, list(fields(reply.json()["errors"]))) == (400, [field])


def test_a_repository_that_wants_a_community(service: Any, bob: Api) -> None:
    service.configure(review="community", auto_approve=True)
    draft = drafted(bob)
    unnamed = (400, "Cannot publish without selecting a community.")
    assert bob.refused("POST", draft["links"]["publish"]) == unnamed
    assert submitted(bob, draft)["status"] == "accepted"
    record = bob.ok("GET", draft["links"]["record"])
    edited = bob.ok("POST", record["links"]["draft"])
    assert bob.ok("POST", edited["links"]["publish"])["is_published"], "once agreed to, it is"


def test_a_draft_that_is_given_up_takes_its_request_along(ann: Api, bob: Api) -> None:
    draft = drafted(bob)
    request = submitted(bob, draft)
    bob.call("DELETE", draft["links"]["self"])
    assert ann.ok("GET", request["links"]["self"])["status"] == "cancelled"
    assert ann.refused("POST", request["links"]["self"] + "/actions/accept")[0] == 400


# -- the list of requests ----------------------------------------------------------------------------------


def test_the_list_of_requests(ann: Api, bob: Api, guest: Api) -> None:
    assert bob.call("GET", "requests?size=5").headers["Location"] == bob.url + "/api/requests/?size=5"
    draft = drafted(bob)
    request = asked(bob, draft)
    for who in (ann, bob):
        assert request["id"] in [one["id"] for one in who.ok("GET", "requests/?size=1000")["hits"]["hits"]]
    assert [one["id"] for one in bob.ok("GET", draft["links"]["requests"])["hits"]["hits"]] == [request["id"]]
    for path in ("requests/", request["links"]["self"], draft["links"]["requests"]):
        assert guest.refused("GET", path) == DENIED


# -- workflows ---------------------------------------------------------------------------------------------


def applicable(api: Api, record: Any) -> Dict[str, str]:
    """Create each type of request."""
    found = api.ok("GET", record["links"]["applicable_requests"])
    return {hit["type_id"]: hit["links"]["actions"]["create"] for hit in found["hits"]["hits"]}


def requested(api: Api, record: Any, kind: str) -> Any:
    created = api.ok("POST", applicable(api, record)[kind], {})
    assert (created["status"], actions(created)) == ("created", ["submit"])
    return api.ok("POST", created["links"]["actions"]["submit"], {})


def test_a_workflow_that_approves_by_itself(service: Any, bob: Api) -> None:
    service.configure(review="workflow", auto_approve=True)
    draft = drafted(bob)
    assert "publish" not in draft["links"]
    assert bob.refused("POST", draft["links"]["self"] + "/actions/publish") == DENIED
    assert list(applicable(bob, draft)) == ["publish_draft"]
    request = requested(bob, draft, "publish_draft")
    assert request["status"] == "accepted"
    record = bob.ok("GET", request["links"]["topic"]["self"])
    assert record["is_published"]
    assert record["parent"]["workflow"] == "default"
    kinds = ["edit_published_record", "new_version", "delete_published_record"]
    assert list(applicable(bob, record)) == kinds
    for path in (record["links"]["draft"], record["links"]["versions"]):
        assert bob.refused("POST", path) == DENIED
    edit = requested(bob, record, "edit_published_record")
    assert bob.ok("GET", edit["links"]["topic"]["self"])["is_draft"]
    version = requested(bob, record, "new_version")
    following = bob.ok("GET", version["links"]["topic"]["self"])
    assert following["versions"]["index"] == 2
    assert following["id"] != record["id"]
    requested(bob, record, "delete_published_record")
    assert bob.refused("GET", record["links"]["self"])[0] == 410


def test_a_workflow_that_waits(service: Any, ann: Api, bob: Api) -> None:
    service.configure(review="workflow")
    assert bob.draft(parent={"workflow": "fast"})["parent"]["workflow"] == "fast"
    draft = drafted(bob)
    request = requested(bob, draft, "publish_draft")
    assert request["status"] == "submitted"
    assert bob.refused("GET", draft["links"]["record"])[0] == 404
    assert bob.refused("POST", applicable(bob, draft)["publish_draft"], {})[0] == 400, "one at a time"
    ann.ok("POST", ann.ok("GET", request["links"]["self"])["links"]["actions"]["accept"])
    assert bob.ok("GET", draft["links"]["record"])["is_published"]


def test_requests_that_are_not_applicable(service: Any, ann: Api, bob: Api) -> None:
    draft = drafted(bob)
    place = draft["links"]["self"] + "/requests/"
    assert bob.refused("GET", place + "applicable")[0] == 404, "without workflows"
    service.configure(review="workflow")
    assert bob.refused("POST", place + "new_version")[0] == 404
    assert bob.refused("GET", place + "publish_draft")[0] == 405
    assert ann.refused("GET", place + "applicable") == DENIED
    request = bob.ok("POST", place + "publish_draft", {})
    assert bob.refused("POST", request["links"]["self"] + "/actions/explode")[0] == 404
    assert bob.refused("GET", request["links"]["self"] + "/actions/submit")[0] == 405
