"""Files up and down, against the local server."""

from __future__ import annotations

import datetime as dt
import io
import os
from pathlib import Path
from typing import Any

import pytest
import requests

from smartxfer.errors import ChecksumMismatch, NotFound, UsageError
from smartxfer.smartfile import BasicClient

UPLOAD = "POST /api/2/path/data/*"


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
def test_up_and_down(harness: Any, live: BasicClient, tmp_path: Path, size: int) -> None:
    path = tmp_path / "a b#1?%.bin"
    path.write_bytes(os.urandom(size))
    sent = live.upload(path)
    assert (sent.name, sent.bytes, sent.verified) == ("/a b#1?%.bin", size, "size")
    assert harness.site.read("/a b#1?%.bin") == path.read_bytes()
    fetched = live.download("/a b#1?%.bin", tmp_path / "out.bin")
    assert (fetched.bytes, fetched.verified) == (size, "size")
    assert (tmp_path / "out.bin").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "name", ["ä ö.txt", "日本語", "a&b=c", "a;b", "100%", "%41", "+", "a'b", "~", "-", "con", "a:b", "tab\tx"]
)
def test_names(harness: Any, live: BasicClient, name: str, tmp_path: Path) -> None:
    live.mkdir("/d # ?")
    assert live.upload((name, b"data"), "/d # ?/").name == f"/d # ?/{name}"
    assert harness.site.files() == {f"/d # ?/{name}": 4}
    assert [info.name for info in live.listdir("/d # ?")] == [name]
    sink = io.BytesIO()
    live.download(live.listdir("/d # ?")[0], sink)
    assert sink.getvalue() == b"data"


def test_where_a_file_goes(harness: Any, live: BasicClient, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x")
    live.mkdir("/docs")
    live.upload(tmp_path / "a.txt", "/docs")
    live.upload(tmp_path / "a.txt", "/docs/b.txt")
    live.upload(tmp_path / "a.txt", "/")
    live.upload(io.BytesIO(b"y"), "/c.txt")
    assert sorted(harness.site.files()) == ["/a.txt", "/c.txt", "/docs/a.txt", "/docs/b.txt"]
    with pytest.raises(NotFound):
        live.upload(tmp_path / "a.txt", "/missing/")
    with pytest.raises(UsageError, match="upload_tree"):
        live.upload(tmp_path)


def test_an_upload_overwrites(harness: Any, live: BasicClient) -> None:
    live.upload(("a", b"old bytes"))
    live.upload(("a", b"new"))
    assert harness.site.read("/a") == b"new"


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


def test_a_download_continues(harness: Any, live: BasicClient, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    harness.site.write("/big", data)
    harness.fault("GET /api/2/path/data/big*", "reset-after-sent 1M")
    result = live.download("/big", tmp_path)
    assert (tmp_path / "big").read_bytes() == data
    assert result.retries == 1
    assert harness.site.count("GET /api/2/path/data/big*", status=206) == 1


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


def test_listing_by_pages(harness: Any, live: BasicClient) -> None:
    harness.site.configure(page_size=3)
    for number in range(8):
        harness.site.write(f"/f{number}", b"")
    assert [info.name for info in live.listdir()] == [f"f{number}" for number in range(8)]


def test_links(live: BasicClient) -> None:
    live.upload(("a.txt", b"x"))
    link = live.create_link("/a.txt", name="for you")
    assert link.uid in [found.uid for found in live.links()]
    live.delete_link(link)
    assert live.links() == []


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
