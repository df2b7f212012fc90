"""Errors of a repository."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from smartxfer.errors import RateLimited
from smartxfer.nrp import errors as nrp

from .example import shows, shows_faults
from .scene import Scene

TITLE = {"metadata": {"title": "Reads of run 1"}, "files": {"enabled": True}}


@shows(nrp.RepositoryAuthError)
def wrong_token(scene: Scene) -> None:
    """The token is wrong."""
    scene.nrp(token="0" * 60).whoami()


@shows(nrp.RepositoryForbiddenError)
def restricted_files(scene: Scene) -> None:
    """Files of another user's restricted record are listed."""
    site = scene.serve("nrp")
    record = site.create({"data.csv": b"1,2"}, published=True, access={"files": "restricted"})
    other = site.token_of("bob")
    scene.nrp(site, token=other).list(record)


@shows(nrp.RepositoryNotFoundError)
def unknown_key(scene: Scene) -> None:
    """A file is read that the record does not have."""
    site = scene.serve("nrp")
    record = site.create({"data.csv": b"1,2"}, published=True)
    scene.nrp(site).info(f"{record}/data.txt")


@shows(nrp.RepositoryConflict)
def stale_revision(scene: Scene) -> None:
    """A draft was changed by another client."""
    client = scene.nrp()
    draft = client.records.create(TITLE)
    client.records.update(draft)
    client.records.update(draft, if_revision=draft.revision_id)


@shows(nrp.RepositoryLimitExceeded)
def too_many_hits(scene: Scene) -> None:
    """More hits have one creation time than a search can show."""
    site = scene.serve("nrp", search_window=2)
    for _ in range(5):
        site.create({}, published=True)
    scene.answer("GET /api/records", _hits())
    list(scene.nrp(site).records.scan(size=2))


def _hits() -> bytes:
    hit = {"id": "abcde-12345", "created": "2026-01-01T00:00:00+00:00", "links": {}, "metadata": {}}
    return json.dumps({"hits": {"hits": [hit, hit], "total": 50_000}, "links": {}}).encode()


@shows(nrp.RepositoryReviewRequired)
def review_required(scene: Scene) -> None:
    """A record is published that a community has to review."""
    client = scene.nrp(scene.serve("nrp", review="community", auto_approve=False))
    draft = client.records.create(TITLE, community="demo")
    client.records.publish(draft)


@shows(nrp.RepositoryInvalidDraft)
def invalid_draft(scene: Scene) -> None:
    """A draft with an invalid field is created with strict=True."""
    client = scene.nrp()
    client.records.create({"metadata": {"title": "X", "publication_date": "soon"}}, strict=True)


@shows(nrp.RepositoryUploadNotStored)
def content_refused(scene: Scene) -> None:
    """The repository answers 200 to the content, with errors."""
    site = scene.serve("nrp")
    record = site.create({})
    body = {"key": "data.csv", "status": "pending", "errors": "File upload transfer failed", "links": {}}
    scene.answer("PUT /api/records/*/content", json.dumps(body).encode())
    scene.nrp(site).upload(scene.file("data.csv"), record)


@shows(nrp.RepositorySourceChanged)
def file_changes(scene: Scene) -> None:
    """A file grows while it is sent."""
    name = scene.file("report.bin", bytes(1 << 20))
    site = scene.serve("nrp")
    record = site.create({})

    def grow(event: object) -> None:
        with open(name, "ab") as file:
            file.write(b"more")

    scene.nrp(site).upload(name, record, progress=grow)


@shows(nrp.RepositoryTaskFailed)
def fetch_failed(scene: Scene) -> None:
    """The repository cannot fetch a file from an address."""
    site = scene.serve("nrp", fetch_hosts=["127.0.0.1:9"])
    client = scene.nrp(site, token=site.superuser_token)
    draft = client.records.create(TITLE)
    client.upload(("data.csv", "http://127.0.0.1:9/data.csv"), draft, transfer_type="url-fetch")
    client.files.wait_fetch(draft, "data.csv", timeout=5)


@shows(nrp.RepositoryWaitTimeout)
def fetch_slow(scene: Scene) -> None:
    """The repository takes longer to fetch a file than the caller waits."""
    site = scene.serve("nrp", fetch_hosts=["127.0.0.1:9"], fetch_delay=30)
    client = scene.nrp(site, token=site.superuser_token)
    draft = client.records.create(TITLE)
    client.upload(("data.csv", "http://127.0.0.1:9/data.csv"), draft, transfer_type="url-fetch")
    client.files.wait_fetch(draft, "data.csv", timeout=0.1)


@shows(nrp.RepositoryBatchError)
def one_of_two(scene: Scene) -> None:
    """One of two files is damaged on the way."""
    site = scene.serve("nrp")
    record = site.create({"a.csv": b"1,2", "b.csv": b"3,4"}, published=True)
    scene.fault("GET /api/records/*/b.csv/content", "flip 1")
    scene.nrp(site).download_tree(record, "copies")


def _list(scene: Scene) -> Any:
    site = scene.serve("nrp")
    return partial(scene.nrp(site).list, site.create({}))


def _download(scene: Scene) -> Any:
    site = scene.serve("nrp")
    record = site.create({"data.csv": b"1,2"}, published=True)
    return partial(scene.nrp(site).download, f"{record}/data.csv")


shows_faults(
    __name__, "GET /api/records/*", _list,
    (nrp.RepositoryClientError, "A status of 4xx without a class of its own", "status 418 body=empty"),
    (nrp.RepositoryServerError, "The repository fails at every attempt", "status 500 body=json:Internal"),
    (nrp.RepositoryDecodeError, "The list of files has another type than the protocol says", b"[]"),
    (nrp.RepositoryNetworkError, "The connection is reset at every attempt", "reset-before"),
    (nrp.ERRORS.class_for(RateLimited), "Too many requests", "status 429 body=empty retry-after=1"),
)
shows_faults(
    __name__, "POST /api/records", lambda scene: partial(scene.nrp().records.create, TITLE),
    (nrp.RepositoryRedirectRefused, "A creation is redirected", "redirect http://other.example.org{target} 307"),
    (nrp.RepositoryOutcomeUnknown, "The answer to a creation is lost", "lose-answer"),
)
shows_faults(
    __name__, "GET /api/records/*/content", _download,
    (nrp.RepositoryChecksumMismatch, "The bytes are damaged on the way", "flip 1"),
    (nrp.RepositorySizeMismatch, "A download has more bytes than the repository announced", "extra-byte"),
)
