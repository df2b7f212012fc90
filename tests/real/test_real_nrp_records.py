"""Records, versions, links and downloads on a running InvenioRDM."""

from __future__ import annotations

import time
import warnings
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import pytest
import requests

from smartxfer import RetryPolicy
from smartxfer.errors import (
    AuthError,
    BadRequest,
    BatchError,
    Conflict,
    Forbidden,
    InvalidDraft,
    NotFound,
    UsageError,
)
from smartxfer.nrp import DraftWarning, MemorySink, RepositoryClient, get_client
from tests.support.real_repository import METADATA, RealRepository

RESTRICTED = {"record": "public", "files": "restricted"}
CLOSED = {"record": "restricted", "files": "restricted"}


# -- drafts ------------------------------------------------------------------------------------------------


def test_an_update_before_the_first_upload_drops_nothing(client: RepositoryClient) -> None:
    draft = client.records.create({"metadata": METADATA})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        updated = client.records.update(draft, strict=True)
    assert [problem["field"] for problem in updated.errors] == ["files.enabled"]
    assert updated.metadata["title"] == METADATA["title"]


def test_what_was_never_there_is_not_dropped(client: RepositoryClient) -> None:
    draft = client.records.create({"metadata": {"title": "Only a title"}}, strict=True)
    assert "metadata.creators" in [problem["field"] for problem in draft.errors]


@pytest.mark.parametrize(
    "document",
    [
        {"metadata": {**METADATA, "title": "ab"}},
        {"metadata": {**METADATA, "foo": 1}},
        {"metadata": METADATA, "custom_fields": {"x": 1}},
    ],
)
def test_dropped_fields_are_a_warning(client: RepositoryClient, document: Any) -> None:
    with pytest.warns(DraftWarning):
        client.records.create(document)
    with pytest.raises(InvalidDraft):
        client.records.create(document, strict=True)


@pytest.mark.parametrize("metadata", [[1], "text", {"title": float("nan")}])
def test_metadata_that_would_be_lost_is_not_sent(client: RepositoryClient, metadata: Any) -> None:
    with pytest.raises(UsageError):
        client.records.create({"metadata": metadata})


def test_an_answer_over_8_mib_is_read(client: RepositoryClient) -> None:
    """Detect an error after the draft was made."""
    description = "x" * (9 << 20)
    draft = client.records.create({"metadata": {**METADATA, "description": description}})
    try:
        assert draft.metadata["description"] == description
    finally:
        client.records.delete(draft)


# -- versions and concepts ---------------------------------------------------------------------------------


def test_a_second_new_version_is_the_first(real: RealRepository, client: RepositoryClient) -> None:
    record = real.create({"a.txt": b"1"}, published=True)
    first = client.records.new_version(record, import_files=True)
    again = client.records.new_version(record, import_files=True)
    assert (again.id, real.files(again.id)) == (first.id, {"a.txt": 1})
    assert client.records.latest(first).id == record
    client.files.delete(first, "a.txt")
    client.files.upload(first, "b.txt", None, b"22")
    with pytest.raises(Conflict, match="delete_all"):
        client.records.new_version(record, import_files=True)


def test_the_latest_version_of_what_is_not_published(real: RealRepository, client: RepositoryClient) -> None:
    with pytest.raises(NotFound, match="no version is published yet"):
        client.records.latest(real.create())


def test_a_concept_is_its_newest_version(real: RealRepository, client: RepositoryClient, tmp_path: Path) -> None:
    record = real.create({"a.txt": b"old"}, published=True)
    concept = real.concept(record)
    files = client.files
    assert client.records.read(concept).id == record
    assert [file.key for file in files.list(concept)] == ["a.txt"]
    assert files.read(concept, "a.txt").size == 3
    assert files.download(concept, "a.txt", tmp_path / "a.txt").read_bytes() == b"old"
    assert files.download_many(concept, tmp_path / "all")[0].bytes == 3
    page = f"{real.url}/records/{concept}"
    assert files.read(f"{page}/files/a.txt?download=1").size == 3
    assert [version.id for version in client.records.versions(concept)] in ([record], [])  # searches lag
    edited = client.records.edit_metadata(concept)
    assert (edited.id, client.records.draft_records.read(record).id) == (record, record)
    client.records.delete(concept)
    assert client.records.new_version(concept).id != record
    with pytest.raises(NotFound):
        files.list("aaaaa-00000")


# -- who may see what --------------------------------------------------------------------------------------


def test_restricted_files_are_forbidden_not_missing(real: RealRepository, guest: RepositoryClient) -> None:
    record = real.create({"s.txt": b"secret"}, published=True, access=RESTRICTED)
    for step in (
        lambda: guest.files.list(record),
        lambda: guest.files.read(record, "s.txt"),
        lambda: guest.files.download(record, "s.txt", MemorySink()),
        lambda: guest.files.download_many(record, "nowhere"),
    ):
        with pytest.raises(Forbidden, match="token="):
            step()
    with pytest.raises(NotFound, match="has no file"):
        guest.files.read(record, "other.txt")
    closed = real.create({"s.txt": b"1"}, published=True, access=CLOSED)
    for records in (guest.records, guest.records.draft_records):
        with pytest.raises(Forbidden):
            records.read(closed)
    with pytest.raises(Forbidden):
        guest.files.list(real.create())


def test_hints_say_what_is_the_matter(real: RealRepository, client: RepositoryClient, remote: str) -> None:
    draft = client.records.create({"metadata": METADATA})
    with pytest.raises(BadRequest, match=r"files\['enabled'\] = False"):
        client.records.publish(draft)
    with pytest.raises(Conflict, match="read the draft again"):
        client.records.update(draft, if_revision=1)
    with pytest.raises(NotFound, match="draft_records"):
        client.records.read(draft.id)
    with pytest.raises(Forbidden, match="local-file"):
        client.files.upload(draft, "f", None, remote, "url-fetch")
    disabled = client.records.create({"metadata": METADATA, "files": {"enabled": False}})
    with pytest.raises(Forbidden, match=r"files\['enabled'\] = True"):
        client.files.upload(disabled, "f", None, b"1")
    with get_client(real.url, token="expired") as stranger, pytest.raises(AuthError):
        stranger.whoami()


@pytest.mark.parametrize("page", ["records/{id}", "record/{id}", "api/records/{id}", "records/{id}/files/s.txt"])
def test_a_pasted_share_link_opens_the_record(
    real: RealRepository, guest: RepositoryClient, tmp_path: Path, page: str
) -> None:
    record = real.create({"s.txt": b"secret"}, published=True, access=CLOSED)
    with pytest.raises(Forbidden):
        guest.records.read(record)
    address = f"{real.url}/{page.format(id=record)}?token={real.share(record)}"
    assert guest.records.read(address).id == record
    [file] = guest.files.list(address)
    assert guest.files.download(file, MemorySink()).data == b"secret"
    assert guest.files.download(record, "s.txt", tmp_path / "s.txt").read_bytes() == b"secret"
    assert guest.files.read(real.concept(record), "s.txt").size == 6


def test_a_share_link_is_good_for_all_versions(real: RealRepository, guest: RepositoryClient) -> None:
    """The redirect of the concept drops the token."""
    record = real.create({"s.txt": b"secret"}, published=True, access=CLOSED)
    guest.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # the server keeps the token there, too
    address = f"{real.url}/records/{real.concept(record)}?token={real.share(record)}"
    assert guest.records.read(address).id == record
    assert guest.files.download(address, "s.txt", MemorySink()).data == b"secret"
    assert guest.records.latest(address).id == record


@pytest.mark.parametrize("page", ["uploads/{id}?token={token}", "records/{id}?preview=1&token={token}"])
def test_a_pasted_link_to_a_draft(real: RealRepository, guest: RepositoryClient, page: str) -> None:
    draft = real.create({"p.txt": b"prev"})
    address = f"{real.url}/" + page.format(id=draft, token=real.share(draft, "edit"))
    assert guest.records.read(address).is_draft
    assert guest.files.read(address, "p.txt").size == 4
    guest.files.upload(address, "q.txt", {"d": 1}, b"new")
    assert real.files(draft) == {"p.txt": 4, "q.txt": 3}
    guest.files.delete(address, "q.txt")


def test_a_share_link_of_another_site_is_refused(guest: RepositoryClient) -> None:
    with pytest.raises(UsageError, match="is not on") as caught:
        guest.records.read("https://elsewhere.example/records/abcde-12345?token=secret")
    assert "secret" not in str(caught.value)


# -- downloads ---------------------------------------------------------------------------------------------


def test_a_pending_file_does_not_stop_the_others(real: RealRepository, client: RepositoryClient, tmp_path: Path) -> None:
    draft = real.create({"a.txt": b"1", "c.txt": b"333"})
    real.call("POST", f"records/{draft}/draft/files", 201, json=[{"key": "b.txt"}])
    with pytest.raises(BatchError) as caught:
        client.files.download_many(draft, tmp_path)
    assert {result.name: result.ok for result in caught.value.results} == {"a.txt": True, "b.txt": False, "c.txt": True}
    assert (tmp_path / "c.txt").read_bytes() == b"333"


@pytest.mark.parametrize("stated", [False, True])
def test_a_remote_file_of_unknown_size_is_fetched(
    real: RealRepository, superuser: RepositoryClient, remote: str, tmp_path: Path, stated: bool
) -> None:
    """Detect an empty file with success; entries of one address share what the first one said."""
    wanted = requests.get(remote, timeout=30).content
    address = f"{remote}?{time.time_ns()}"
    draft = superuser.records.create({"metadata": METADATA})
    superuser.files.upload(draft, "r1", None, address, "remote")
    if stated:
        superuser.files.upload(draft, "r2", None, address, "remote", {"size": len(wanted)})
    for result in superuser.files.download_many(draft, tmp_path):
        assert Path(str(result.path)).read_bytes() == wanted
        assert result.bytes == len(wanted)
    [file, *_] = superuser.files.list(draft)
    assert (file.size, file.known_size) == (0, None)
    assert superuser.files.download(file, MemorySink()).data == wanted


def test_a_fetched_file(superuser: RepositoryClient, remote: str) -> None:
    draft = superuser.records.create({"metadata": METADATA})
    file = superuser.files.upload(draft, "f", {"d": 1}, remote, "url-fetch")
    assert superuser.files.wait_fetch(file).size == len(requests.get(remote, timeout=30).content)
    with pytest.raises(BadRequest, match="local-file"):
        superuser.files.upload(draft, "g", None, "https://data.example/x", "url-fetch")


# -- rate limits -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_busy_guest_is_slowed_down_not_refused(real: RealRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """More calls than the moving window of a guest allows: none is refused in the end."""
    limit = int(requests.get(f"{real.api}/records?size=1", timeout=30).headers["X-RateLimit-Limit"])
    if limit > 1000:
        pytest.skip("the limits are lifted")
    with get_client(real.url, retry=RetryPolicy()) as guest:
        for _ in range(limit + 30):
            guest.get("records", size=1)
