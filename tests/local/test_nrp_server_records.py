"""The local repository: drafts, publishing and versions, without what the captures show (NRP protocol, 4)."""

import io
import time
import zipfile
from typing import Any, Dict

import pytest

from smartxfer.local import LocalServer
from tests.support.local.nrp_calls import COMPLETE, Api, fields, ids, repository
from tests.support.local.nrp_file_calls import Draft

ALL = "records?size=1000"

running = repository()


@pytest.mark.parametrize(
    ("person", "field", "message"),
    [
        ({}, "person_or_org.type", "Missing data for required field."),
        (
            {"type": "robot"}, "person_or_org.type",
            "Invalid value. Choose one of ['organizational', 'personal'].",
        ),
        ({"type": "personal"}, "person_or_org.family_name", "Family name must be filled."),
        ({"type": "organizational"}, "person_or_org.name", "Name cannot be blank."),
        (None, "person_or_org", "Missing data for required field."),
    ],
)
def test_creators(api: Api, person: Any, field: str, message: str) -> None:
    draft = api.draft({**COMPLETE, "creators": [{"person_or_org": person}]})
    assert fields(draft["errors"]) == {f"metadata.creators.0.{field}": [message]}


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {name: [name] for name in COMPLETE}}, {"metadata": dict.fromkeys(COMPLETE)},
        {"metadata": {"resource_type": {"id": 5}, "creators": [3, {"person_or_org": 4}]}},
        {"files": 7, "access": "open", "pids": [], "custom_fields": "x", "parent": 1},
        {"access": {"record": "secret", "embargo": {"active": True}}, "files": {"enabled": "yes"}},
    ],
)  # fmt: skip
def test_invalid_documents_are_reported_once(api: Api, body: Any) -> None:
    draft = api.ok("POST", "records", body)
    assert draft["errors"]
    assert "errors" not in api.ok("GET", draft["links"]["self"])


def test_a_quoted_revision_where_it_is_accepted(api: Api) -> None:
    draft = api.draft()
    api.service.configure(quoted_if_match_refused=False)
    changed = api.ok("PUT", draft["links"]["self"], draft, If_Match='"5"')
    assert changed["revision_id"] == 7
    assert (changed["updated"] > draft["updated"], changed["created"]) == (True, draft["created"])
    assert api.call("DELETE", draft["links"]["self"], None, {"If-Match": "7"}).status == 204


def test_only_the_deletion_of_a_file_raises_the_revision(service: Any, api: Api) -> None:
    draft = Draft(service)
    seen = []
    for step in (
        lambda: None, lambda: draft.started("a"), lambda: draft.put("a", b"x"), lambda: draft.commit("a"),
        lambda: draft.json("PUT", "/a", {"metadata": {"n": 1}}), lambda: draft.call("DELETE", "/a"),
    ):  # fmt: skip
        step()
        seen.append(api.ok("GET", f"records/{draft.id}/draft")["revision_id"])
    assert seen == [5, 5, 5, 5, 5, 7]


def test_a_record_without_files(api: Api) -> None:
    draft = api.draft()
    api.ok("POST", draft["links"]["files"], [{"key": "b"}])
    without = {"metadata": COMPLETE, "files": {"enabled": False}}
    refused = api.ok("PUT", draft["links"]["self"], without)
    delete_first = "You must first delete all files to set the record to be metadata-only."
    assert fields(refused["errors"]) == {"files.enabled": [delete_first]}
    assert refused["files"]["enabled"] is True
    assert api.call("DELETE", draft["links"]["files"]).status == 204
    assert "errors" not in api.ok("PUT", draft["links"]["self"], without)
    assert api.ok("POST", draft["links"]["publish"])["access"]["status"] == "metadata-only"


@pytest.mark.parametrize("access", [{"record": "restricted", "files": "restricted"}, {"files": "restricted"}])
def test_restricted_records_in_searches(api: Api, guest: Api, access: Dict[str, str]) -> None:
    record = api.published(access=access)
    assert record["access"]["status"] == "restricted"
    assert (record["id"] in ids(guest.ok("GET", ALL))) == ("record" not in access)
    assert record["id"] in ids(api.ok("GET", ALL))


def test_edits_and_versions(api: Api, guest: Api) -> None:
    """The whole life of a record: tests/nrp/test_nrp_publishing.py::test_a_whole_life."""
    first, renamed = api.published(), {"metadata": {**COMPLETE, "title": "Renamed"}}
    edited = api.ok("POST", first["links"]["draft"])
    assert edited["revision_id"] > 7, "it continues from the previous draft"
    api.ok("PUT", edited["links"]["self"], renamed)
    assert api.ok("GET", first["links"]["self"])["metadata"]["title"] == "Loopback one"
    api.call("DELETE", edited["links"]["self"])
    assert api.ok("POST", first["links"]["draft"])["metadata"]["title"] == "Loopback one"
    api.ok("PUT", edited["links"]["self"], renamed)
    published = api.ok("POST", edited["links"]["publish"])
    assert (published["metadata"]["title"], published["created"]) == ("Renamed", first["created"])
    assert published["revision_id"] > first["revision_id"]
    draft = api.ok("POST", first["links"]["versions"])
    assert (draft["parent"]["id"], draft["versions"]["index"]) == (first["parent"]["id"], 2)
    date = draft["metadata"]["publication_date"]
    assert COMPLETE["publication_date"] < date <= time.strftime("%Y-%m-%d", time.gmtime()), "each has its own"
    api.ok("POST", draft["links"]["self"] + "/actions/files-import")
    second = api.ok("POST", draft["links"]["publish"])
    assert api.service.read(second["id"], "a.txt") == b"hello world"
    assert guest.ok("GET", first["links"]["self"])["versions"]["is_latest"] is False
    found, every = ids(guest.ok("GET", ALL)), ids(guest.ok("GET", ALL + "&allversions=true"))
    assert (second["id"] in found, first["id"] in found, first["id"] in every) == (True, False, True)


def test_deleting_a_published_record(api: Api, guest: Api) -> None:
    record, root = api.published(), Api(api.service, api.service.superuser_token)
    reason = {"removal_reason": {"id": "test-record"}}
    assert root.call("DELETE", record["links"]["self"], reason, {"If-Match": "1"}).status == 412
    assert root.call("DELETE", record["links"]["self"], reason).status == 204
    for link in ("self", "files", "draft", "versions"):
        assert guest.refused("GET", record["links"][link]) == (410, "The record has been deleted.")
    assert record["id"] not in ids(guest.ok("GET", ALL))
    assert record["id"] not in api.service.published()


@pytest.mark.parametrize("storage", ["local", "s3"])
def test_members_of_a_zip_in_parts(storage: str) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("in/a.txt", b"hello")
    data = made.getvalue()
    with LocalServer(services=["nrp"], nrp={"storage": storage}) as server:
        draft = Draft(server.nrp)
        server.nrp.write(draft.id, "whole.zip", data)
        listed = draft.call("GET", "/whole.zip/container").json()
        assert [(one["key"], one["size"]) for one in listed["entries"]] == [("in/a.txt", 5)]
        assert draft.call("GET", "/whole.zip/container/in/a.txt").body == b"hello"
        assert draft.call("HEAD", "/whole.zip/container/in/a.txt").headers["Content-Length"] == "5"


@pytest.mark.parametrize(
    "kind", ["application/ld+json", "application/x-dc+xml", "application/linkset+json", "text/x-bibliography"]
)
def test_exports_of_any_record(api: Api, kind: str) -> None:
    person: Dict[str, Any] = {"person_or_org": {"type": "organizational", "name": "Work & Co"}}
    for metadata in (COMPLETE, {}, {**COMPLETE, "creators": [person], "publication_date": "2024/2025"}):
        draft = api.draft(metadata)
        reply = api.call("GET", draft["links"]["self"], None, {"Accept": kind})
        label = "text/plain" if kind == "text/x-bibliography" else kind
        assert (reply.status, reply.headers["Content-Type"]) == (200, label)
        assert reply.body
    assert b"Work &amp; Co" in reply.body or "xml" not in kind
