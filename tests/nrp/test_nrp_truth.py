"""Answers of a repository, read exactly: metadata, unknown sizes, dropped fields, hints, limits, statuses."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any, Dict, List

import pytest
import requests
from responses import RequestsMock

from smartxfer.errors import (
    BadRequest,
    BatchError,
    Conflict,
    Forbidden,
    InvalidDraft,
    NotFound,
    RateLimited,
    TooLarge,
    UnexpectedResponse,
    UsageError,
)
from smartxfer.nrp import DraftWarning, MemorySink, RepositoryClient, get_client
from smartxfer.nrp.errors import ERRORS
from smartxfer.nrp.models import File
from smartxfer.nrp.transfer_modes import parse_transfer_mode
from tests.support import canned_records as canned
from tests.support.fake_clock import FakeClock
from tests.support.nrp_server import NRPServer

FILES = f"{canned.DRAFT_URL}/files"
DATA = b"0123456789" * 30

# -- metadata ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [None, {}, {"new": 2}, {"old": 1}, {"old": 3}])
def test_a_second_upload_merges_metadata(harness: NRPServer, live: RepositoryClient, given: Any) -> None:
    """Fails if None and {} delete values that were set in between."""
    draft = harness.site.create()
    live.files.upload(draft, "a.txt", {"old": 1}, DATA)
    assert live.files.upload(draft, "a.txt", given, DATA).metadata == {"old": 1, **(given or {})}
    assert live.files.read(draft, "a.txt").metadata == {"old": 1, **(given or {})}


def test_an_update_keeps_what_the_repository_knows_of_an_archive(harness: NRPServer, live: RepositoryClient) -> None:
    draft = harness.site.create()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("in/a.txt", "hello")
    file = live.files.upload(draft, "a.zip", None, packed.getvalue())
    live.files.upload(draft, "a.zip", {"d": 1}, packed.getvalue())
    file.metadata["description"] = "mine"
    assert live.files.update(file).metadata == {"description": "mine", "zip_toc_position": 43}
    seen = live.files.read(draft, "a.zip")
    del seen.metadata["zip_toc_position"]
    assert live.files.update(seen).metadata == {"description": "mine"}, "it was taken out"


@pytest.mark.parametrize("metadata", [[1], "text", 1, {"x": float("nan")}, {"x": float("inf")}, {"x": b"1"}, {"x": {1}}])
def test_what_json_or_the_repository_would_lose_is_not_sent(
    harness: NRPServer, live: RepositoryClient, tmp_path: Path, metadata: Any
) -> None:
    draft = harness.site.create()
    (tmp_path / "a.txt").write_bytes(DATA)
    with pytest.raises(UsageError):
        live.files.upload(draft, "a.txt", metadata, DATA)
    with pytest.raises(UsageError):
        live.files.upload_many(draft, [("a.txt", DATA, metadata)])
    with pytest.raises(UsageError):
        live.files.sync_dir(draft, tmp_path, metadata=metadata, dry_run=not isinstance(metadata, dict))
    assert harness.site.entries(draft) == []
    before = len(harness.site.requests)
    with pytest.raises(UsageError):
        live.records.create({"metadata": metadata})
    assert len(harness.site.requests) == before


# -- sizes -------------------------------------------------------------------------------------------------

#: As a running InvenioRDM 14 answered the start of a remote file without a size.
REMOTE: Dict[str, Any] = {
    "created": "2026-11-29T10:52:39.149093+00:00", "updated": "2026-11-29T10:52:39.152401+00:00",
    "mimetype": "application/octet-stream", "version_id": "8bb45216-060d-43a0-81c5-cb6a90d1c745",
    "file_id": "60e5b031-c81d-4f69-870c-caee37dd2d56", "bucket_id": "c5cc7107-ace9-45d0-996b-9575bb1944a2",
    "metadata": None, "access": {"hidden": False}, "key": "r1", "transfer": {"type": "R"}, "status": "completed",
    "checksum": None, "size": 0, "storage_class": "L",
    "links": {"self": f"{FILES}/r1", "content": f"{FILES}/r1/content", "commit": f"{FILES}/r1/commit"},
}  # fmt: skip


@pytest.mark.parametrize("many", [False, True])
def test_a_remote_file_of_unknown_size_is_fetched(
    web: RequestsMock, api: RepositoryClient, tmp_path: Path, many: bool
) -> None:
    """Detect an empty file with success."""
    web.add("GET", f"{FILES}/r1/content", status=302, headers={"Location": "https://data.example/blob"})
    web.add("GET", "https://data.example/blob", body=DATA)
    file = File.from_wire(REMOTE)
    assert (file.size, file.known_size) == (0, None)
    if many:
        [result] = api.files.download_many([file], tmp_path)
        assert (result.bytes, Path(str(result.path)).read_bytes()) == (len(DATA), DATA)
    else:
        assert api.files.download(file, MemorySink()).data == DATA


def test_an_empty_file_with_a_checksum_is_empty() -> None:
    file = File.from_wire({**REMOTE, "checksum": "md5:d41d8cd98f00b204e9800998ecf8427e"})
    assert file.known_size == 0


def test_an_empty_file_has_no_parts() -> None:
    assert parse_transfer_mode("multipart", part_size=5 << 20).resolve(0, ()).build_payload(0) == {"type": "L"}


def test_a_pending_file_does_not_stop_the_others(harness: NRPServer, live: RepositoryClient, tmp_path: Path) -> None:
    draft = harness.site.create({"a.txt": b"1", "c.txt": b"333"})
    requests.post(
        f"{harness.site.url}/api/records/{draft}/draft/files",
        json=[{"key": "b.txt"}],
        headers={"Authorization": f"Bearer {harness.site.token}"},
        timeout=10,
    ).raise_for_status()
    with pytest.raises(BatchError) as caught:
        live.files.download_many(draft, tmp_path)
    found = {result.name: type(result.error) for result in caught.value.results}
    assert found == {"a.txt": type(None), "b.txt": ERRORS.class_for(Conflict), "c.txt": type(None)}
    assert (tmp_path / "c.txt").read_bytes() == b"333"


# -- dropped fields ----------------------------------------------------------------------------------------

#: As a running InvenioRDM 14 answered the PUT of a draft without files; everything was kept.
NO_FILES_YET = [
    {
        "field": "files.enabled",
        "messages": ["Missing uploaded files. To disable files for this record please mark it as metadata-only."],
    }
]


def test_an_update_before_the_first_upload_drops_nothing(web: RequestsMock, api: RepositoryClient) -> None:
    """Detect a warning, or InvalidDraft, of fields that were kept."""
    web.add("PUT", canned.DRAFT_URL, json=canned.draft(NO_FILES_YET))
    document = {"id": canned.RECORD, "metadata": canned.METADATA, "files": {"enabled": True}}
    assert api.records.update(document, strict=True).errors == NO_FILES_YET


@pytest.mark.parametrize(
    ("error", "document", "dropped"),
    [
        ("metadata.creators", {"metadata": {"title": "Title"}}, False),
        ("metadata.title", {"metadata": {"title": "X"}}, True),
        ("metadata.creators.0.name", {"metadata": {"creators": [{}]}}, True),
        ("access.files", {"metadata": {}, "access": {"record": "restricted"}}, True),
        ("access.files", {"metadata": {}, "access": {"record": "public"}}, False),
        ("custom_fields.x", {"metadata": {}, "custom_fields": {"x": 1}}, True),
        ("nonsense", {"metadata": {}, "nonsense": 1}, True),
        ("nonsense", {"metadata": {}}, False),
    ],
)
def test_what_is_dropped(
    web: RequestsMock, api: RepositoryClient, error: str, document: Any, dropped: bool
) -> None:
    problem = {"field": error, "messages": ["Missing data for required field."]}
    web.add("POST", f"{canned.API}/records", status=201, json=canned.draft([problem], metadata={}))
    if dropped:
        with pytest.raises(InvalidDraft, match=error):
            api.records.create(document, strict=True)
        with pytest.warns(DraftWarning, match=error):
            api.records.create(document)
    else:
        assert api.records.create(document, strict=True).errors == [problem]


# -- hints -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "message", "hint"),
    [
        (403, "Permission denied.", "whoami"),
        (403, "Bucket is locked for modifications.", "new_version"),
        (403, "Files are not enabled.", r"files\['enabled'\] = True"),
        (400, "Bucket quota exceeded.", "more space"),
        (400, "Filename is too long.", "shorter key"),
        (404, "The persistent identifier is not registered.", "draft_records"),
        (404, "Record 'a' has no file 'b'.", r"files\.list"),
        (412, "Revision id provided(1) doesn't match record's one(13)", "read the draft again"),
        (413, "", "part_size="),
    ],
)
def test_a_hint_depends_on_what_the_repository_says(
    web: RequestsMock, api: RepositoryClient, status: int, message: str, hint: str
) -> None:
    """Detect one hint for every 403."""
    web.add("GET", f"{canned.API}/x", **canned.refusal(status, message))
    with pytest.raises((Forbidden, BadRequest, NotFound, Conflict, TooLarge), match=hint):
        api.get("x")


@pytest.mark.parametrize("key", ["/x", "a\nb", ".."])
def test_a_key_that_no_request_can_name_is_not_deleted(harness: NRPServer, live: RepositoryClient, key: str) -> None:
    """Detect a redirect to another file, or a 404 that does not say how to get rid of it."""
    draft = harness.site.create({"x": b"1"})
    with pytest.raises(UsageError, match="delete_all"):
        live.files.delete(draft, key)
    assert harness.site.files(draft) == {"x": 1}


def test_files_for_what_is_published_need_a_draft(harness: NRPServer, live: RepositoryClient) -> None:
    record = harness.site.create({"x": b"1"}, published=True)
    for step in (lambda: live.files.upload(record, "a", None, b"1"), lambda: live.files.delete_all(record)):
        with pytest.raises(NotFound, match="new_version"):
            step()


def test_the_hint_for_a_guest_names_the_token(web: RequestsMock, clock: FakeClock) -> None:
    web.add("GET", f"{canned.API}/x", **canned.refusal(403, "Permission denied."))
    with get_client(canned.BASE, clock=clock) as guest, pytest.raises(Forbidden, match="token="):
        guest.get("x")


# -- limits ------------------------------------------------------------------------------------------------


def test_a_refusal_with_retry_after_0_is_not_followed_by_a_request_at_once(
    web: RequestsMock, api: RepositoryClient, clock: FakeClock
) -> None:
    """Detect six requests in a row, which a moving window refuses all."""
    refused = {"json": {"message": "500 per 1 minute", "status": 429}, "headers": {"Retry-After": "0"}}
    web.add("GET", f"{canned.API}/records", status=429, **refused)
    with pytest.raises(RateLimited):
        list(api.records.search())
    assert len(web.calls) == 7
    assert clock.waits == [0.75, 1.5, 3.0, 6.0, 12.0]


def test_an_answer_over_8_mib_is_read(web: RequestsMock, api: RepositoryClient) -> None:
    """Detect an error after the draft was made."""
    text = "x" * (9 << 20)
    web.add("POST", f"{canned.API}/records", status=201, json=canned.draft(metadata={"description": text}))
    assert api.records.create({"metadata": {"description": text}}).metadata["description"] == text


@pytest.mark.parametrize("given", [100, 30])
def test_the_page_size_of_guests_is_learnt(web: RequestsMock, api: RepositoryClient, given: int) -> None:
    """Detect a 400: a site lets guests have 25 a page, and says so."""
    sizes: List[int] = []

    def answer(request: Any) -> Any:
        size, page = int(request.params["size"]), int(request.params.get("page", 1))
        sizes.append(size)
        if size > 25:
            words = "Page size cannot be greater than 25. Please use authenticated requests to increase the limit to 100."
            body: Any = {"status": 400, "message": "A validation error occurred."}
            return 400, {}, json.dumps({**body, "errors": [{"field": "size", "messages": [words]}]})
        hits = [canned.published(id=f"r{number}") for number in range(60)][(page - 1) * size : page * size]
        following = f"{canned.API}/records?page={page + 1}&size={size}" if page * size < 60 else None
        return 200, {}, json.dumps(canned.page(hits, 60, following))

    web.add_callback("GET", f"{canned.API}/records", callback=answer, content_type="application/json")
    assert len(list(api.records.scan(size=given))) == 60
    assert sizes == [given, 25, 25, 25]


def test_another_refusal_of_a_scan_is_an_error(web: RequestsMock, api: RepositoryClient) -> None:
    errors = [{"field": "_schema", "messages": ["Invalid sort option 'oldest'."]}]
    web.add("GET", f"{canned.API}/records", **canned.refusal(400, "A validation error occurred.", errors))
    with pytest.raises(BadRequest, match="sort option"):
        list(api.records.scan())
    assert len(web.calls) == 2


# -- success -----------------------------------------------------------------------------------------------

_PUT, _POST, _DELETE = "PUT", "POST", "DELETE"
_DONE = {"key": "a.txt", "status": "completed", "size": 1, "links": {"self": f"{FILES}/a.txt"}}
_UNDOCUMENTED = {
    "create": (_POST, f"{canned.API}/records", 200, canned.draft(), lambda api: api.records.create({"metadata": {}})),
    "update": (_PUT, canned.DRAFT_URL, 202, canned.draft(), lambda api: api.records.update(canned.draft())),
    "publish": (
        *(_POST, f"{canned.DRAFT_URL}/actions/publish", 200, canned.published()),
        lambda api: api.records.publish(api.records.draft_records.read(canned.RECORD)),
    ),
    "edit": (_POST, canned.DRAFT_URL, 200, canned.draft(), lambda api: api.records.edit_metadata(canned.RECORD)),
    "discard": (_DELETE, canned.DRAFT_URL, 200, None, lambda api: api.records.delete(canned.RECORD)),
    "retract": (_DELETE, canned.RECORD_URL, 202, {}, lambda api: api.records.retract_published(canned.RECORD, "x")),
    "start": (_POST, FILES, 200, {"entries": [_DONE]}, lambda api: api.files.upload(canned.RECORD, "a.txt", None, b"1")),
    "metadata": (_PUT, f"{FILES}/a.txt", 204, None, lambda api: api.files.update(api.files.read(FILES + "/a.txt"))),
    "delete": (_DELETE, f"{FILES}/a.txt", 200, {}, lambda api: api.files.delete(canned.RECORD, "a.txt")),
    "delete all": (_DELETE, FILES, 202, {}, lambda api: api.files.delete_all(canned.RECORD)),
    "read": ("GET", canned.RECORD_URL, 203, canned.published(), lambda api: api.records.read(canned.RECORD)),
}


@pytest.mark.parametrize("call", _UNDOCUMENTED)
def test_success_is_what_the_page_documents(web: RequestsMock, api: RepositoryClient, call: str) -> None:
    """Fails if a proxy's answer is taken for the repository's."""
    web.assert_all_requests_are_fired = False
    method, url, status, body, step = _UNDOCUMENTED[call]
    if call != "read":
        web.add("GET", canned.DRAFT_URL, json=canned.draft())
        web.add("GET", f"{FILES}/a.txt", json=_DONE)
    how: Dict[str, Any] = {"body": "<html>"} if body is None else {"json": body}
    web.add(method, url, status=status, **({} if status == 204 else how))
    with pytest.raises(UnexpectedResponse):
        step(api)
    assert [one.request.method for one in web.calls].count(method) == (2 if method == "GET" else 1), "it is not repeated"


@pytest.mark.parametrize("status", [201, 202, 204])
def test_content_is_stored_by_a_200_only(web: RequestsMock, api: RepositoryClient, status: int) -> None:
    web.assert_all_requests_are_fired = False
    entry = {"key": "a.txt", "status": "pending", "transfer": {"type": "L"}, "created": "2026"}
    web.add("POST", FILES, status=201, json={"entries": [entry]})
    web.add("PUT", f"{FILES}/a.txt/content", status=status, **({} if status == 204 else {"json": entry}))
    with pytest.raises(UnexpectedResponse):
        api.files.upload(canned.RECORD, "a.txt", None, b"1")
    assert not any("commit" in str(one.request.url) for one in web.calls)


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_raw_change_without_an_answer_is_a_success(
    web: RequestsMock, api: RepositoryClient, method: str
) -> None:
    """Members of a community: 204, as a running InvenioRDM 14 answers."""
    url = f"{canned.API}/communities/c1/members"
    web.add(method, url, status=204, content_type="text/html; charset=utf-8")
    raw = {"PUT": api.put, "POST": api.post}[method]
    assert raw("communities/c1/members", members=[{"type": "user", "id": "2"}], visible=True) is None
    web.replace(method, url, status=203, json={})
    with pytest.raises(UnexpectedResponse):
        raw("communities/c1/members", members=[])


@pytest.mark.parametrize(
    "refusal",
    [
        {"message": "A validation error occurred.", "errors": [{"field": "0.transfer.x", "messages": ["Unknown field."]}]},
        {"message": "Bucket quota exceeded."},
        {"message": "Maximum file size exceeded."},
    ],
)
def test_a_refused_start_deletes_nothing(
    web: RequestsMock, api: RepositoryClient, refusal: Dict[str, Any]
) -> None:
    """Detect replace=True: the file that is there was deleted before the same refusal came again."""
    web.assert_all_requests_are_fired = False
    web.add("POST", FILES, status=400, json={"status": 400, **refusal})
    web.add("GET", FILES, json={"entries": [_DONE]})
    web.add("DELETE", f"{FILES}/a.txt", status=204)
    with pytest.raises(BadRequest, match=refusal["message"]):
        api.files.upload(canned.RECORD, "a.txt", None, b"2", replace=True)
    sent = [one.request.method for one in web.calls if str(one.request.url).startswith(FILES)]
    assert sent == ["POST"]
