"""Names of records: concepts, share links, browser pages; and the errors for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import requests
from responses import RequestsMock

from smartxfer.errors import Conflict, Forbidden, NotFound, UsageError
from smartxfer.nrp import MemorySink, RepositoryClient
from smartxfer.nrp.share_tokens import ShareTokens
from tests.support import canned_records as canned
from tests.support.nrp_server import NRPServer

CONCEPT = "ncrhs-mj285"
CONCEPT_URL = f"{canned.API}/records/{CONCEPT}"
DENIED = canned.refusal(403, "Permission denied.")
NOT_FOUND = canned.refusal(404, "Not found.")
UNREGISTERED = canned.refusal(404, "The persistent identifier is not registered.")
NO_FILE = canned.refusal(404, f"Record '{canned.RECORD}' has no file 'a.txt'.")
ENTRY: Dict[str, Any] = {"key": "a.txt", "status": "completed", "size": 1, "checksum": "md5:x", "transfer": {"type": "L"}}
LIST = {"enabled": True, "entries": [ENTRY]}
TOKEN = "eyJhbGciOiJIUzUxMiJ9.eyJpZCI6IjkyYiJ9.wkMd1NQ4"


@pytest.fixture
def concept(web: RequestsMock) -> RequestsMock:
    """As the real one answers: the concept redirects, and its files are not found."""
    web.assert_all_requests_are_fired = False
    web.add("GET", CONCEPT_URL, status=302, headers={"Location": f"/api/records/{canned.RECORD}"}, body="<html>")
    web.add("GET", canned.RECORD_URL, json=canned.published())
    for ending in ("files", "draft/files", "files/a.txt", "draft/files/a.txt", "versions", "draft"):
        for method in ("GET", "POST", "PUT", "DELETE"):
            web.add(method, f"{CONCEPT_URL}/{ending}", **NOT_FOUND)
    return web


CALLS: Dict[str, Callable[[RepositoryClient], Any]] = {
    "list": lambda api: api.files.list(CONCEPT),
    "read": lambda api: api.files.read(CONCEPT, "a.txt"),
    "page": lambda api: api.files.read(f"{canned.BASE}/records/{CONCEPT}/files/a.txt?download=1"),
    "delete": lambda api: api.files.delete(CONCEPT, "a.txt"),
    "versions": lambda api: api.records.versions(CONCEPT),
    "edit": lambda api: api.records.edit_metadata(CONCEPT),
    "new version": lambda api: api.records.new_version(CONCEPT),
    "discard": lambda api: api.records.delete(CONCEPT),
    "update": lambda api: api.records.update({"id": CONCEPT, "metadata": canned.METADATA}),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_concept_is_its_newest_version(concept: RequestsMock, api: RepositoryClient, call: str) -> None:
    """Detect NotFound for everything but records.read()."""
    concept.add("GET", f"{canned.RECORD_URL}/files", json=LIST)
    concept.add("GET", f"{canned.RECORD_URL}/files/a.txt", json=ENTRY)
    concept.add("DELETE", f"{canned.DRAFT_URL}/files/a.txt", status=204)
    concept.add("GET", f"{canned.RECORD_URL}/versions", json=canned.page([canned.published()], 1))
    concept.add("POST", canned.DRAFT_URL, status=201, json=canned.draft())
    concept.add("PUT", canned.DRAFT_URL, json=canned.draft())
    concept.add("DELETE", canned.DRAFT_URL, status=204)
    concept.add("POST", f"{canned.RECORD_URL}/versions", status=201, json=canned.draft(id="newer-00000"))
    CALLS[call](api)
    assert f"/records/{canned.RECORD}" in str(concept.calls[-1].request.url)


def test_an_unknown_concept_is_not_found(web: RequestsMock, api: RepositoryClient) -> None:
    for ending in ("", "/files", "/draft/files"):
        web.add("GET", f"{canned.RECORD_URL}{ending}", **canned.GONE)
    with pytest.raises(NotFound, match="/files"):
        api.files.list(canned.RECORD)


def test_a_missing_file_of_a_record_is_not_looked_for_elsewhere(
    web: RequestsMock, api: RepositoryClient
) -> None:
    web.add("GET", f"{canned.RECORD_URL}/files/a.txt", **NO_FILE)
    web.add("GET", f"{canned.DRAFT_URL}/files/a.txt", **DENIED)
    with pytest.raises(NotFound, match="has no file"):
        api.files.read(canned.RECORD, "a.txt")


# -- versions ----------------------------------------------------------------------------------------------


def test_a_second_new_version_with_files(harness: NRPServer, live: RepositoryClient) -> None:
    """Detect the 404 of versions/latest, which a draft has until it is published."""
    record = harness.site.create({"a.txt": b"1"}, published=True)
    first = live.records.new_version(record, import_files=True)
    again = live.records.new_version(record, import_files=True)
    assert (again.id, harness.site.files(again.id)) == (first.id, {"a.txt": 1})
    live.files.upload(first, "b.txt", None, b"22")
    with pytest.raises(Conflict, match="delete_all"):
        live.records.new_version(record, import_files=True)


def test_the_latest_of_a_draft(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("GET", f"{canned.RECORD_URL}/versions/latest", **UNREGISTERED)
    web.add("GET", canned.DRAFT_URL, json=canned.draft())
    web.add("GET", CONCEPT_URL, json=canned.published(id="older-00000"))
    assert api.records.latest(canned.RECORD).id == "older-00000"
    web.replace("GET", CONCEPT_URL, **canned.GONE)
    with pytest.raises(NotFound, match="no version is published yet"):
        api.records.latest(canned.RECORD)


# -- refusals ----------------------------------------------------------------------------------------------


def test_restricted_files_are_forbidden(web: RequestsMock, api: RepositoryClient) -> None:
    """Detect a look at a draft that is not there."""
    for ending in ("files", "files/a.txt"):
        web.add("GET", f"{canned.RECORD_URL}/{ending}", **DENIED)
        web.add("GET", f"{canned.DRAFT_URL}/{ending}", **NOT_FOUND)
    for step in (lambda: api.files.list(canned.RECORD), lambda: api.files.read(canned.RECORD, "a.txt")):
        with pytest.raises(Forbidden):
            step()
    with pytest.raises(Forbidden):
        api.files.download_many(canned.RECORD, "nowhere")


def test_a_draft_of_others_is_forbidden(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("GET", f"{canned.RECORD_URL}/files", **NOT_FOUND)
    web.add("GET", f"{canned.DRAFT_URL}/files", **DENIED)
    with pytest.raises(Forbidden):
        api.files.list(canned.RECORD)


def test_a_restricted_record_without_a_draft_is_forbidden(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("GET", canned.DRAFT_URL, **canned.GONE)
    web.add("GET", canned.RECORD_URL, **DENIED)
    with pytest.raises(Forbidden):
        api.records.draft_records.read(canned.RECORD)


# -- share links and pages ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "path"),
    [
        ("records/{id}", "records/{id}"),
        ("record/{id}", "records/{id}"),
        ("api/records/{id}", "records/{id}"),
        ("uploads/{id}", "records/{id}/draft"),
        ("deposit/{id}", "records/{id}/draft"),
        ("records/{id}?preview=1", "records/{id}/draft"),
    ],
)
def test_a_pasted_page(web: RequestsMock, api: RepositoryClient, page: str, path: str) -> None:
    web.add("GET", f"{canned.API}/{path.format(id=canned.RECORD)}", json=canned.published())
    assert api.records.read(f"{canned.BASE}/{page.format(id=canned.RECORD)}#files").id == canned.RECORD


def test_the_preview_of_what_has_no_draft(web: RequestsMock, api: RepositoryClient) -> None:
    web.add("GET", canned.DRAFT_URL, **canned.GONE)
    web.add("GET", canned.RECORD_URL, json=canned.published())
    assert api.records.read(f"{canned.BASE}/records/{canned.RECORD}?preview=1").is_published


@pytest.mark.parametrize("page", ["records/{id}/preview/b.txt", "record/{id}/files/b.txt?download=1"])
def test_a_pasted_page_of_a_file(web: RequestsMock, api: RepositoryClient, page: str) -> None:
    web.add("GET", f"{canned.RECORD_URL}/files/b.txt", json={**ENTRY, "key": "b.txt"})
    assert api.files.read(f"{canned.BASE}/{page.format(id=canned.RECORD)}").key == "b.txt"


def test_the_token_of_a_share_link_goes_with_every_request_to_its_record(
    web: RequestsMock, api: RepositoryClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = f"{canned.RECORD_URL}/files/a.txt/content"
    links = {"self": f"{canned.RECORD_URL}/files/a.txt", "content": content}
    entry = {**ENTRY, "checksum": "md5:0cc175b9c0f1b6a831c399e269772661", "links": links}
    web.add("GET", f"{canned.RECORD_URL}/files", json={"enabled": True, "entries": [entry]})
    web.add("GET", f"{canned.RECORD_URL}/files/a.txt", json=entry)
    web.add("GET", content, body=b"a")
    web.add("GET", f"{canned.API}/records/other-00000", json=canned.published(id="other-00000"))
    caplog.set_level("DEBUG")
    [file] = api.files.list(f"{canned.BASE}/records/{canned.RECORD}?token={TOKEN}")
    assert api.files.download(file, MemorySink()).data == b"a"
    api.files.download(canned.RECORD, "a.txt", tmp_path / "a.txt")
    api.records.read("other-00000")
    found = [(str(call.request.url).partition("?")[0], TOKEN in str(call.request.url)) for call in web.calls[1:]]
    assert {url for url, shared in found if not shared} == {f"{canned.API}/records/other-00000"}
    assert len(found) == 5
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("page", [f"records/{CONCEPT}", f"api/records/{CONCEPT}"])
def test_the_redirect_of_a_shared_concept(web: RequestsMock, api: RepositoryClient, page: str) -> None:
    """The redirect drops the token, and the version is for those who have it."""

    def answer(request: Any) -> Any:
        found = (200, canned.published()) if request.params.get("token") == TOKEN else (403, DENIED["json"])
        return found[0], {}, json.dumps(found[1])

    web.add("GET", CONCEPT_URL, status=302, headers={"Location": canned.RECORD_URL})
    web.add_callback("GET", canned.RECORD_URL, callback=answer, content_type="application/json")
    assert api.records.read(f"{canned.BASE}/{page}?token={TOKEN}").id == canned.RECORD


def test_an_edit_link(harness: NRPServer) -> None:
    draft = harness.site.create({"p.txt": b"prev"})
    with pytest.raises(Forbidden):
        harness.client(token=None).files.list(draft)
    url = f"{harness.site.url}/api/records/{draft}/access/links"
    headers = {"Authorization": f"Bearer {harness.site.token}"}
    token = requests.post(url, json={"permission": "edit"}, headers=headers, timeout=10).json()["token"]
    guest = harness.client(token=None)
    page = f"{harness.site.url}/uploads/{draft}?token={token}"
    guest.files.upload(page, "q.txt", {"d": 1}, b"new")
    assert harness.site.files(draft) == {"p.txt": 4, "q.txt": 3}


def test_a_link_of_another_site_is_refused_and_not_repeated(web: RequestsMock, api: RepositoryClient) -> None:
    with pytest.raises(UsageError, match="is not on") as caught:
        api.files.list(f"https://elsewhere.example/records/{canned.RECORD}?token={TOKEN}")
    with pytest.raises(UsageError) as other:
        api.files.read(f"{canned.BASE}/records/{canned.RECORD}/files/a.txt?token={TOKEN}", "b.txt")
    assert TOKEN not in f"{caught.value} {other.value}"


def test_tokens_belong_to_their_record() -> None:
    tokens = ShareTokens()
    assert tokens.add_to_params("https://r/api/records/a", {"q": 1}) == {"q": 1}
    tokens.add("t", ["a", None, ""])
    assert tokens.add_to_params("https://r/api/records/a/files/x", None) == {"token": "t"}
    assert tokens.add_to_params("https://r/api/records/b/files/a", None) == {}
