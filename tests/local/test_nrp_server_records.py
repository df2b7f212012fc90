"""The local repository: drafts, publishing, versions and searches (NRP protocol, sections 3 and 4)."""

import re
import time
from typing import Any, Dict, Iterator

import pytest

from smartxfer.local import LocalServer
from tests.support.local.nrp_calls import COMPLETE, Api, fields, ids

MISSING = ["Missing data for required field."]
NO_FILES = "Missing uploaded files. To disable files for this record please mark it as metadata-only."
NOT_REGISTERED = "The persistent identifier is not registered."


@pytest.fixture(scope="module")
def service() -> Iterator[Any]:
    with LocalServer(services=["nrp"], nrp={"rate_limit": 0, "rate_limit_guest": 0}) as server:
        yield server.nrp
        assert server.nrp.listener.crashes == []


@pytest.fixture
def api(service: Any) -> Iterator[Api]:
    yield Api(service)
    service.configure(quoted_if_match_refused=True, schema="auto")


@pytest.fixture
def guest(service: Any) -> Api:
    return Api(service, "")


@pytest.fixture
def root(service: Any) -> Api:
    return Api(service, service.superuser_token)


# -- drafts ------------------------------------------------------------------------------------------------


def test_a_new_draft(api: Api) -> None:
    reply = api.call("POST", "records", {"metadata": COMPLETE, "files": {"enabled": True}})
    draft = reply.json()
    assert (reply.status, reply.headers["ETag"]) == (201, '"5"')
    assert re.fullmatch(r"[0-9a-z]{5}-[0-9a-z]{5}", draft["id"])
    assert draft["links"]["self"] == f"{api.url}/api/records/{draft['id']}/draft"
    assert draft["links"]["self_html"] == f"{api.url}/uploads/{draft['id']}"
    shown = {name: draft[name] for name in ("is_published", "is_draft", "status", "revision_id", "versions")}
    assert shown == {
        "is_published": False, "is_draft": True, "status": "draft", "revision_id": 5,
        "versions": {"index": 1, "is_latest": False, "is_latest_draft": True},
    }  # fmt: skip
    assert draft["metadata"]["creators"][0]["person_or_org"]["name"] == "Doe, Jo"
    assert draft["metadata"]["resource_type"] == {"id": "dataset", "title": {"en": "Dataset"}}
    assert draft["files"] == {"enabled": True, "order": [], "count": 0, "total_bytes": 0, "entries": {}}
    assert "T" in draft["created"]
    assert "T" not in draft["expires_at"]
    assert "errors" not in draft


def test_invalid_fields_are_dropped_and_reported(api: Api) -> None:
    draft = api.draft({**COMPLETE, "title": "x", "publication_date": "soon", "colour": "red", "version": 3})
    assert fields(draft["errors"]) == {
        "metadata.title": ["Shorter than minimum length 3."],
        "metadata.publication_date": [
            "Please provide a valid date or interval, e.g. YYYY-MM-DD or YYYY/YYYY."
        ],
        "metadata.colour": ["Unknown field."],
        "metadata.version": ["Not a valid string."],
    }
    assert set(draft["metadata"]) == {"resource_type", "publisher", "creators"}
    again = api.ok("GET", draft["links"]["self"])
    assert "errors" not in again
    assert set(again["metadata"]) == set(draft["metadata"])


@pytest.mark.parametrize(
    ("person", "field", "message"),
    [
        ({}, "person_or_org.type", MISSING[0]),
        (
            {"type": "robot"},
            "person_or_org.type",
            "Invalid value. Choose one of ['organizational', 'personal'].",
        ),
        ({"type": "personal"}, "person_or_org.family_name", "Family name must be filled."),
        ({"type": "organizational"}, "person_or_org.name", "Name cannot be blank."),
        (None, "person_or_org", MISSING[0]),
    ],
)
def test_creators(api: Api, person: Any, field: str, message: str) -> None:
    draft = api.draft({**COMPLETE, "creators": [{"person_or_org": person}]})
    assert fields(draft["errors"]) == {f"metadata.creators.0.{field}": [message]}


@pytest.mark.parametrize("body", [[], "text", 1])
def test_what_is_no_object(api: Api, body: Any) -> None:
    reply = api.call("POST", "records", body)
    assert (reply.status, reply.json()["message"][:24]) == (500, "The server encountered a")


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": []},
        {"metadata": {name: [name] for name in COMPLETE}},
        {"metadata": dict.fromkeys(COMPLETE)},
        {"metadata": {"resource_type": {"id": 5}, "creators": [3, {"person_or_org": 4}]}},
        {"files": 7, "access": "open", "pids": [], "custom_fields": "x", "parent": 1},
        {"access": {"record": "secret", "embargo": {"active": True}}, "files": {"enabled": "yes"}},
    ],
)
def test_invalid_documents_are_reported(api: Api, body: Any) -> None:
    draft = api.ok("POST", "records", body)
    assert draft["errors"]
    assert "errors" not in api.ok("GET", draft["links"]["self"])


def test_a_draft_is_replaced_as_a_whole(api: Api) -> None:
    draft = api.draft()
    reply = api.call(
        "PUT", draft["links"]["self"], {"metadata": {"title": "Another"}, "custom_fields": {"a": 1}}
    )
    changed = reply.json()
    assert (reply.status, reply.headers["ETag"], changed["revision_id"]) == (200, '"6"', 6)
    assert changed["metadata"] == {"title": "Another"}
    assert set(fields(changed["errors"])) == {
        "files.enabled", *(f"metadata.{name}" for name in COMPLETE if name not in ("title", "publisher"))
    }
    assert changed["updated"] > draft["updated"]
    assert changed["created"] == draft["created"]
    back = api.ok("PUT", draft["links"]["self"], draft)
    assert fields(back["errors"]) == {"files.enabled": [NO_FILES]}, "nothing was dropped"
    assert back["metadata"] == draft["metadata"]


def test_guarded_changes(api: Api) -> None:
    draft = api.draft()
    place = draft["links"]["self"]
    mismatch = (412, "Revision id provided(1) doesn't match record's one(5)")
    assert api.refused("PUT", place, draft, If_Match="1") == mismatch
    assert api.refused("DELETE", place, If_Match="1") == mismatch
    assert api.ok("PUT", place, draft, If_Match="5")["revision_id"] == 7
    quoted = api.call("PUT", place, draft, {"If-Match": '"7"'})
    assert quoted.status == 400
    assert fields(quoted.json()["errors"]) == {"if_match": ["Not a valid integer."]}
    api.service.configure(quoted_if_match_refused=False)
    assert api.ok("PUT", place, draft, If_Match='"7"')["revision_id"] == 9
    assert api.call("DELETE", place, None, {"If-Match": "9"}).status == 204


def test_a_deleted_file_raises_the_revision(api: Api) -> None:
    draft = api.draft()
    seen = [draft["revision_id"]]
    files = draft["links"]["files"]
    for step in (("POST", files, [{"key": "b"}]), ("POST", files + "/b/commit"), ("DELETE", files + "/b")):
        if step[1].endswith("commit"):
            api.ok("PUT", files + "/b/content", b"data")
        api.ok(*step)
        seen.append(api.ok("GET", draft["links"]["self"])["revision_id"])
    assert seen == [5, 5, 5, 7]


def test_a_draft_that_is_given_up_is_gone(api: Api) -> None:
    draft = api.draft()
    reply = api.call("DELETE", draft["links"]["self"])
    assert (reply.status, reply.body) == (204, b"")
    gone = (404, "The persistent identifier does not exist.")
    for method, link in (
        ("GET", "self"),
        ("DELETE", "self"),
        ("POST", "publish"),
        ("GET", "record"),
        ("GET", "files"),
    ):
        assert api.refused(method, draft["links"][link]) == gone


# -- publishing --------------------------------------------------------------------------------------------


def test_publishing(api: Api, guest: Api) -> None:
    draft = api.draft()
    api.service.write(draft["id"], "a.txt", b"hello world")
    reply = api.call("POST", draft["links"]["publish"], {})
    record = reply.json()
    assert (reply.status, reply.headers["ETag"]) == (202, '"5"')
    shown = {name: record[name] for name in ("id", "is_published", "is_draft", "status", "versions")}
    assert shown == {
        "id": draft["id"], "is_published": True, "is_draft": False, "status": "published",
        "versions": {"index": 1, "is_latest": True, "is_latest_draft": True},
    }  # fmt: skip
    assert not any(link.endswith("/draft/files") for link in record["links"].values())
    assert {"draft", "latest", "latest_html", "parent"} < set(record["links"])
    assert record["created"] > draft["created"], "a new draft"
    assert record["access"]["status"] == "open"
    assert api.refused("GET", draft["links"]["self"]) == (404, "The persistent identifier does not exist.")
    assert api.refused("POST", draft["links"]["publish"]) == (404, "Not found.")
    public = guest.call("GET", record["links"]["self"])
    assert public.headers["Link"].startswith(f'<{record["links"]["self"]}> ; rel="linkset"')
    assert public.json()["metadata"] == record["metadata"]
    assert guest.call("GET", record["links"]["files"] + "/a.txt/content").body == b"hello world"
    assert guest.call("GET", record["links"]["archive"]).headers["Content-Type"] == "application/zip"


def test_what_hinders_publishing(api: Api) -> None:
    draft = api.draft({"title": "Half done"})
    files = draft["links"]["files"]
    reply = api.call("POST", draft["links"]["publish"])
    assert (reply.status, reply.json()["message"]) == (400, "A validation error occurred.")
    assert fields(reply.json()["errors"]) == {
        "metadata.creators": MISSING, "metadata.publication_date": MISSING, "metadata.resource_type": MISSING,
        "files.enabled": [NO_FILES],
    }  # fmt: skip
    api.ok("PUT", draft["links"]["self"], {"metadata": COMPLETE})
    api.ok("POST", files, [{"key": "b"}])
    pending = "One or more files have not completed their transfer, please wait."
    errors = api.call("POST", draft["links"]["publish"]).json()["errors"]
    assert fields(errors) == {"files": [pending]}
    without = {"metadata": COMPLETE, "files": {"enabled": False}}
    refused = api.ok("PUT", draft["links"]["self"], without)
    delete_first = "You must first delete all files to set the record to be metadata-only."
    assert (fields(refused["errors"]), refused["files"]["enabled"]) == ({"files.enabled": [delete_first]}, True)
    api.ok("DELETE", files)
    assert "errors" not in api.ok("PUT", draft["links"]["self"], without)
    assert api.ok("POST", draft["links"]["publish"])["access"]["status"] == "metadata-only"


def test_published_files_are_read_only(api: Api) -> None:
    record = api.published()
    for method, tail in (("POST", ""), ("DELETE", ""), ("PUT", "/a.txt/content"), ("DELETE", "/a.txt")):
        assert api.refused(method, record["links"]["files"] + tail)[0] == 405


def test_what_is_not_published_is_not_found(api: Api) -> None:
    draft = api.draft()
    assert api.refused("GET", draft["links"]["record"]) == (404, NOT_REGISTERED)
    assert api.refused("GET", draft["links"]["record"] + "/files") == (404, "Not found.")
    assert api.refused("POST", draft["links"]["versions"]) == (404, NOT_REGISTERED)
    assert api.refused("GET", draft["links"]["versions"] + "/latest") == (404, NOT_REGISTERED)


@pytest.mark.parametrize("access", [{"record": "restricted", "files": "restricted"}, {"files": "restricted"}])
def test_restricted_records(api: Api, guest: Api, access: Dict[str, str]) -> None:
    record = api.published(access=access)
    assert record["access"]["status"] == "restricted"
    if "record" in access:
        assert guest.refused("GET", record["links"]["self"]) == (403, "Permission denied.")
        assert record["id"] not in ids(guest.ok("GET", "records?size=1000"))
    else:
        assert guest.call("GET", record["links"]["self"]).status == 200
    assert guest.refused("GET", record["links"]["files"]) == (403, "Permission denied.")
    assert guest.refused("GET", record["links"]["files"] + "/a.txt/content") == (403, "Permission denied.")
    assert api.call("GET", record["links"]["files"] + "/a.txt/content").body == b"hello world"


# -- edits, versions, deletion -----------------------------------------------------------------------------


def test_editing_what_is_published(api: Api) -> None:
    record = api.published()
    draft = api.ok("POST", record["links"]["draft"])
    assert draft["is_published"]
    assert draft["is_draft"]
    assert draft["files"]["entries"]["a.txt"]["size"] == 11
    assert draft["revision_id"] > 7, "it continues from the previous draft"
    assert api.ok("POST", record["links"]["draft"])["revision_id"] == draft["revision_id"], "the same again"
    files = draft["links"]["files"]
    locked = (403, "Bucket is locked for modifications.")
    assert api.refused("DELETE", files + "/a.txt") == locked
    assert api.call("POST", files, [{"key": "z"}]).status == 201, "as odd as the real one"
    assert api.refused("PUT", files + "/z/content", b"x") == locked
    api.ok("PUT", draft["links"]["self"], {**draft, "metadata": {**COMPLETE, "title": "Renamed"}})
    assert api.ok("GET", record["links"]["self"])["metadata"]["title"] == "Loopback one"
    api.ok("PUT", draft["links"]["self"], {"metadata": {**COMPLETE, "title": "Renamed"}})
    api.call("DELETE", draft["links"]["self"])
    again = api.ok("POST", record["links"]["draft"])
    assert again["metadata"]["title"] == "Loopback one"
    api.ok("PUT", again["links"]["self"], {"metadata": {**COMPLETE, "title": "Renamed"}})
    published = api.ok("POST", again["links"]["publish"])
    assert published["metadata"]["title"] == "Renamed"
    assert published["revision_id"] > record["revision_id"]
    assert published["created"] == record["created"]
    assert api.service.read(record["id"], "a.txt") == b"hello world"


def test_a_new_version(api: Api, guest: Api) -> None:
    first = api.published()
    draft = api.ok("POST", first["links"]["versions"])
    assert draft["id"] != first["id"]
    assert draft["parent"]["id"] == first["parent"]["id"]
    assert draft["versions"] == {"is_latest": False, "is_latest_draft": True, "index": 2}
    assert draft["files"]["count"] == 0
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert draft["metadata"]["publication_date"] <= today, "each version has its own"
    assert draft["metadata"]["publication_date"] > COMPLETE["publication_date"]
    assert "version" not in draft["metadata"]
    assert api.ok("POST", first["links"]["versions"])["id"] == draft["id"], "the same draft again"
    place = draft["links"]["self"] + "/actions/files-import"
    listed = api.call("POST", place)
    assert (listed.status, [entry["key"] for entry in listed.json()["entries"]]) == (201, ["a.txt"])
    errors = api.call("POST", place).json()["errors"]
    assert fields(errors) == {"files.enabled": ["Please remove all files first."]}
    api.ok("PUT", draft["links"]["self"], {"metadata": COMPLETE})
    second = api.ok("POST", draft["links"]["publish"])
    assert api.service.read(second["id"], "a.txt") == b"hello world"
    versions = guest.ok("GET", first["links"]["versions"])
    assert ids(versions) == [second["id"], first["id"]]
    assert guest.ok("GET", first["links"]["self"])["versions"]["is_latest"] is False
    latest = guest.call("GET", first["links"]["latest"])
    assert (latest.status, latest.headers["Location"]) == (301, second["links"]["self"])
    assert latest.json()["location"] == second["links"]["self"]
    parent = guest.call("GET", first["links"]["parent"])
    assert (parent.status, parent.headers["Location"]) == (302, "/api/records/" + second["id"])
    found = guest.ok("GET", "records?size=1000")
    assert second["id"] in ids(found)
    assert first["id"] not in ids(found)
    assert first["id"] in ids(guest.ok("GET", "records?size=1000&allversions=true"))


def test_a_first_version_has_nothing_to_take_over(api: Api) -> None:
    draft = api.draft()
    assert api.refused("POST", draft["links"]["self"] + "/actions/files-import") == (404, "Not found.")


def test_deleting_what_is_published(api: Api, guest: Api, root: Api) -> None:
    record = api.published()
    reason = {"removal_reason": {"id": "test-record"}}
    assert api.refused("DELETE", record["links"]["self"], reason) == (403, "Permission denied.")
    assert root.call("DELETE", record["links"]["self"], reason, {"If-Match": "1"}).status == 412
    assert root.call("DELETE", record["links"]["self"], reason).status == 204
    gone = (410, "The record has been deleted.")
    for link in ("self", "files", "draft", "versions"):
        assert guest.refused("GET", record["links"][link]) == gone
    assert guest.refused("GET", record["links"]["files"] + "/a.txt/content") == gone
    assert record["id"] not in ids(guest.ok("GET", "records?size=1000"))
    assert record["id"] not in api.service.published()
