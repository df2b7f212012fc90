"""Files up and down, against the local server."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

import pytest
import requests

from smartxfer.errors import ChecksumMismatch, NotFound, UsageError
from smartxfer.smartfile import BasicClient

UPLOAD = "POST /api/2/path/data/*"


def test_where_a_file_goes(harness: Any, live: BasicClient, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x")
    live.mkdir("/docs")
    live.upload(tmp_path / "a.txt", "/docs")
    live.upload(tmp_path / "a.txt", "/docs/b.txt")
    live.upload(tmp_path / "a.txt", "/")
    live.upload(io.BytesIO(b"older bytes"), "/c.txt")
    live.upload(io.BytesIO(b"y"), "/c.txt")
    assert harness.site.files() == {"/a.txt": 1, "/c.txt": 1, "/docs/a.txt": 1, "/docs/b.txt": 1}
    with pytest.raises(NotFound):
        live.upload(tmp_path / "a.txt", "/missing/")
    with pytest.raises(UsageError, match="upload_tree"):
        live.upload(tmp_path)


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
def test_checksums_on_request(harness: Any, live: BasicClient, tmp_path: Path, algorithm: str) -> None:
    sent = live.upload(("a", b"data"), checksum=algorithm)
    fetched = live.download("/a", tmp_path, checksum=algorithm)
    assert sent.verified == fetched.verified == algorithm
    assert sent.digest == fetched.digest == f"{algorithm}:{live.checksum('/a', algorithm)}"


def test_other_bytes_on_the_server_are_found(harness: Any, live: BasicClient) -> None:
    harness.fault(UPLOAD, "flip-in 500")
    with pytest.raises(ChecksumMismatch):
        live.upload(("a", b"x" * 1000), checksum="md5")


def test_an_unknown_algorithm(live: BasicClient) -> None:
    with pytest.raises(UsageError, match="crc99"):
        live.upload(("a", b"x"), checksum="crc99")


def test_a_path_that_is_not_a_file(live: BasicClient, tmp_path: Path) -> None:
    live.mkdir("/d")
    with pytest.raises(UsageError, match="download_tree"):
        live.download("/d", tmp_path)
    with pytest.raises(NotFound):
        live.download("/x", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_directories_and_operations(harness: Any, live: BasicClient) -> None:
    live.mkdir("/a")
    assert live.mkdir("/a/b").isdir
    live.upload(("f", b"1"), "/a/")
    live.rename("/a/f", "/a/g")
    live.copy("/a/g", "/a/b")
    live.move("/a/g", "/a/b/h")
    live.move_into("/a/b/h", "/")
    assert sorted(harness.site.files()) == ["/a/b/g", "/h"]
    assert [(path, [i.name for i in dirs], [i.name for i in files]) for path, dirs, files in live.walk()] == [
        ("/", ["a"], ["h"]),
        ("/a", ["b"], []),
        ("/a/b", [], ["g"]),
    ]
    live.remove("/a")
    assert not live.exists("/a/b/g")
    with pytest.raises(NotFound):
        live.remove("/a")


@pytest.mark.parametrize("wrong", [{"usage_limt": 1}, {"recursiv": False}, {"Read": True}, {"zzz": 1}], ids=str)
def test_a_misspelt_field_of_a_link_makes_no_wider_link(live: BasicClient, wrong: Any) -> None:
    live.upload(("a.txt", b"x"))
    with pytest.raises(TypeError, match="unexpected keyword"):
        live.create_link("/a.txt", **wrong)
    assert live.links() == []


def test_a_field_of_a_link_that_is_not_known_here(live: BasicClient, harness: Any) -> None:
    live.upload(("a.txt", b"x"))
    link = live.create_link("/a.txt", usage_limit=3, extra={"brand_new": "1"})
    assert link.usage_limit == 3


@pytest.mark.parametrize(
    "expires",
    [3600, dt.timedelta(hours=1), dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)],
    ids=["seconds", "timedelta", "datetime"],
)
def test_a_link_with_password_and_end(harness: Any, live: BasicClient, expires: Any) -> None:
    live.upload(("a.txt", b"x"))
    link = live.create_link("/a.txt", password="open sesame", expires=expires)
    assert link.expiration is not None
    assert requests.get(link.href + "a.txt", timeout=10).status_code == 401
    assert requests.get(link.href + "a.txt", auth=("", "open sesame"), timeout=10).content == b"x"
    with pytest.raises(UsageError, match="expires must be in the future"):
        live.create_link("/a.txt", expires=-1)
