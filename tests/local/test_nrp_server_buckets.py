"""The local repository: buckets when records are published, edited and versioned."""

import json
import os
from typing import Any, Iterator

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client
from tests.support.local.bare_client import Reply
from tests.support.local.nrp_file_calls import Draft


@pytest.fixture(scope="module")
def repository() -> Iterator[Any]:
    with LocalServer(services=["nrp"], nrp={"rate_limit": 100_000}) as server:
        yield server.nrp
        assert server.nrp.listener.crashes == []


def act(repository: Any, method: str, target: str) -> Reply:
    headers = {"Authorization": "Bearer " + repository.token}
    return bare_client.request(repository.url, method, "/api/records/" + target, None, headers)


def test_files_that_are_not_enabled(repository: Any) -> None:
    body = json.dumps({"metadata": {"title": "No files"}, "files": {"enabled": False}}).encode()
    headers = {"Authorization": "Bearer " + repository.token, "Content-Type": "application/json"}
    made = bare_client.request(repository.url, "POST", "/api/records", body, headers)
    draft = Draft(repository, made.json()["id"])
    reply = draft.call("GET")
    assert (reply.status, list(reply.json()), reply.json()["enabled"]) == (200, ["enabled", "links"], False)
    reply = draft.start({"key": "a"})
    assert (reply.status, reply.json()["message"]) == (403, "Files are not enabled.")


def test_a_draft_of_a_published_record_shows_its_files_locked(repository: Any) -> None:
    id = repository.create({"a.txt": b"hello world"}, published=True)
    assert act(repository, "POST", f"{id}/draft").status == 201
    draft, record = Draft(repository, id), Draft(repository, id, published=True)
    shown, own = draft.entry("a.txt"), record.entry("a.txt")
    assert shown["file_id"] == own["file_id"]
    assert (shown["bucket_id"] != own["bucket_id"], shown["version_id"] != own["version_id"]) == (True, True)
    text = "Bucket is locked for modifications."
    for method, tail in (("DELETE", "/a.txt"), ("PUT", "/a.txt/content"), ("DELETE", "")):
        reply = draft.call(method, tail, b"x" if method == "PUT" else None)
        assert (reply.status, reply.json()["message"]) == (403, text)
    # The initialization is accepted, the content is not.
    draft.started("z")
    assert draft.put("z", b"x").status == 403
    assert record.keys() == ["a.txt"]
    assert act(repository, "DELETE", f"{id}/draft").status == 204
    assert record.get("a.txt").body == b"hello world"


def test_a_new_version_shares_bytes_with_the_old_one(repository: Any) -> None:
    id = repository.create({"a.txt": b"hello world"}, published=True)
    path = repository.stored_path(id, "a.txt")
    reply = act(repository, "POST", f"{id}/versions")
    assert reply.status == 201
    draft = Draft(repository, reply.json()["id"])
    assert draft.keys() == []
    reply = act(repository, "POST", f"{draft.id}/draft/actions/files-import")
    assert reply.status == 201
    assert [entry["key"] for entry in reply.json()["entries"]] == ["a.txt"]
    assert repository.stored_path(draft.id, "a.txt") == path
    assert act(repository, "POST", f"{draft.id}/draft/actions/files-import").status == 400
    # The buckets are independent.
    assert draft.call("DELETE", "/a.txt").status == 204
    draft.sent("a.txt", b"new")
    assert repository.read(draft.id, "a.txt") == b"new"
    assert Draft(repository, id, published=True).get("a.txt").body == b"hello world"
    fresh = repository.stored_path(draft.id, "a.txt")
    assert act(repository, "DELETE", f"{draft.id}/draft").status == 204
    assert (os.path.exists(path), os.path.exists(fresh)) == (True, False)


def test_a_deletion_changes_the_revision(repository: Any) -> None:
    draft = Draft(repository)

    def revision() -> int:
        found: int = act(repository, "GET", f"{draft.id}/draft").json()["revision_id"]
        return found

    seen = [revision()]
    for step in (
        lambda: draft.started("a"), lambda: draft.put("a", b"x"), lambda: draft.commit("a"),
        lambda: draft.json("PUT", "/a", {"metadata": {"n": 1}}), lambda: draft.call("DELETE", "/a"),
    ):  # fmt: skip
        step()
        seen.append(revision())
    assert seen == [5, 5, 5, 5, 5, 7], "a deletion does"
