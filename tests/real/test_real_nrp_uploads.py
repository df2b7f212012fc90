"""Uploads to a running InvenioRDM: after an interrupted run, rejected ones, and content whose response was lost."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from smartxfer import RetryPolicy
from smartxfer.errors import Conflict, Forbidden, NetworkError, TooLarge, UsageError
from smartxfer.nrp import RepositoryClient
from tests.support.real_repository import OCTETS, RealRepository

STEP = 5 << 20
DATA = bytes(range(256)) * 400
PARTS = hashlib.sha256(b"parts").digest() * ((2 * STEP + 1000) // 32)


def source(tmp_path: Path, data: bytes) -> Path:
    """A local file."""
    path = tmp_path / "a.bin"
    path.write_bytes(data)
    return path


def md5(data: bytes) -> str:
    """The checksum as the repository writes it."""
    return f"md5:{hashlib.md5(data).hexdigest()}"


# -- what had arrived -------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["504", "lose"])
def test_content_that_arrived_is_not_sent_again(real: RealRepository, clients: Any, effect: str) -> None:
    """A gateway that gives up waiting for every PUT: the commit shows that the content is there."""
    draft = real.create()
    gateway = clients.gateway(put_content=f"{effect} " * 6)
    file = clients.through(gateway).files.upload(draft, "a.bin", {"d": 1}, DATA)
    assert (file.size, file.metadata, file.result.verified) == (len(DATA), {"d": 1}, "md5")
    assert (gateway.count("PUT", "/content"), gateway.count("POST", "/commit")) == (1, 1)
    assert real.read(draft, "a.bin") == DATA


def test_content_that_did_not_arrive_is_sent_again(real: RealRepository, clients: Any) -> None:
    draft = real.create()
    gateway = clients.gateway(put_content="unsent unsent")
    clients.through(gateway).files.upload(draft, "a.bin", None, DATA)
    assert gateway.count("PUT", "/content") == 3
    assert real.read(draft, "a.bin") == DATA


def test_older_content_that_waits_for_its_commit_is_not_taken_for_ours(real: RealRepository, clients: Any) -> None:
    draft = real.create()
    files = f"records/{draft}/draft/files"
    real.call("POST", files, 201, json=[{"key": "a.bin"}])
    real.call("PUT", f"{files}/a.bin/content", data=b"older", headers=OCTETS)
    gateway = clients.gateway(put_content="unsent")
    clients.through(gateway).files.upload(draft, "a.bin", None, DATA)
    assert real.read(draft, "a.bin") == DATA


# -- what a broken run of our own leaves -------------------------------------------------------------------


@pytest.mark.parametrize("way", ["L", "M"])
def test_a_wrong_file_of_an_interrupted_run_is_sent_again(
    real: RealRepository, clients: Any, tmp_path: Path, way: str
) -> None:
    """A bit changes on its way up, and the program ends before it sees what was stored."""
    path = source(tmp_path, DATA if way == "L" else PARTS)
    draft = real.create()
    options = {"part_size": STEP} if way == "M" else {}
    spoil = {"put_content" if way == "L" else "put_content_1": "flip", "post_commit": "lose"}
    gateway = clients.gateway(**spoil)
    with pytest.raises(NetworkError):
        clients.through(gateway, retry=RetryPolicy(attempts=1)).files.upload(draft, "a.bin", None, path, way, **options)
    [entry] = real.entries(draft)
    assert (entry["status"], entry["checksum"] == md5(path.read_bytes())) == ("completed", False)
    file = clients.through(gateway).files.upload(draft, "a.bin", None, path, way, **options)
    assert file.checksum == md5(path.read_bytes())
    real.publish(draft)


def test_a_file_of_another_program_is_a_conflict(real: RealRepository, client: RepositoryClient) -> None:
    draft = real.create({"a.bin": b"theirs"})
    with pytest.raises(Conflict, match="another file"):
        client.files.upload(draft, "a.bin", None, DATA)
    assert real.read(draft, "a.bin") == b"theirs"


@pytest.mark.parametrize("size", [None, 6 << 20])
def test_a_new_part_size_counts_for_what_is_still_to_be_sent(
    real: RealRepository, clients: Any, tmp_path: Path, size: Any
) -> None:
    """Without one, the run continues with the parts of the first one."""
    path = source(tmp_path, PARTS)
    draft = real.create()
    gateway = clients.gateway(put_content_2="503")
    broken = clients.through(gateway, retry=RetryPolicy(attempts=1), max_workers=1)
    with pytest.raises(Exception, match="503"):
        broken.files.upload(draft, "a.bin", None, path, "M", part_size=STEP)
    options = {"part_size": size} if size else {}
    file = clients.through(gateway).files.upload(draft, "a.bin", None, path, "M", **options)
    assert file.result.resumed == (0 if size else STEP)
    assert file.checksum == md5(PARTS)


# -- what is refused ---------------------------------------------------------------------------------------


def test_a_refused_file_leaves_nothing_that_blocks_the_publication(real: RealRepository, clients: Any) -> None:
    draft = real.create({"good.txt": b"1"})
    with pytest.raises(TooLarge, match="part_size"):
        clients.through(clients.gateway(put_content="413")).files.upload(draft, "a.bin", None, DATA)
    assert list(real.files(draft)) == [entry["key"] for entry in real.entries(draft)] == ["good.txt"]
    real.publish(draft)


def test_files_of_a_published_record_need_a_new_version(real: RealRepository, client: RepositoryClient) -> None:
    record = real.create({"a.bin": DATA}, published=True)
    edited = client.records.edit_metadata(record)
    assert client.files.upload(edited, "a.bin", None, DATA).result.resumed == len(DATA), "it is there"
    for named in (edited, record):  # refused before the start, or by the repository
        with pytest.raises(Forbidden, match="new_version"):
            client.files.upload(named, "b.bin", None, b"2")
        assert [entry["key"] for entry in real.entries(record)] == ["a.bin"]
    with pytest.raises(Forbidden, match="new_version"):
        client.files.delete(edited, "a.bin")
    real.publish(record)


@pytest.mark.parametrize(
    "key", ["a\nb", "a\x01b", "a\x7f", "k" * 256, "/a", "a/content", "a/commit", "a/container", "a/container/b"]
)
def test_keys_that_the_repository_cannot_give_back_are_not_started(
    real: RealRepository, client: RepositoryClient, key: str
) -> None:
    draft = real.create()
    with pytest.raises(UsageError, match="no file can be sent"):
        client.files.upload(draft, key, None, b"1")
    assert real.entries(draft) == []


@pytest.mark.parametrize(
    "key", ["content", "commit", "container/a", "a/content/b", "k" * 255, "é" * 255, "a//b", "a b?#%&.txt"]
)
def test_keys_that_the_repository_gives_back_are_sent(
    real: RealRepository, client: RepositoryClient, tmp_path: Path, key: str
) -> None:
    draft = real.create()
    client.files.upload(draft, key, None, DATA)
    assert client.files.download(draft, key, tmp_path / "copy").read_bytes() == DATA
    client.files.delete(draft, key)
    assert real.entries(draft) == []


def test_an_empty_file_is_sent_in_one_piece(real: RealRepository, client: RepositoryClient) -> None:
    draft = real.create()
    assert client.files.upload(draft, "empty", None, b"", "multipart", part_size=STEP).size == 0
    assert real.files(draft) == {"empty": 0}


# -- metadata ----------------------------------------------------------------------------------------------


def test_metadata_is_merged_by_a_second_upload(real: RealRepository, client: RepositoryClient) -> None:
    draft = real.create()
    client.files.upload(draft, "a.bin", {"old": 1}, DATA)
    for given in (None, {}, {"new": 2}):
        client.files.upload(draft, "a.bin", given, DATA)
    assert real.entries(draft)[0]["metadata"] == {"old": 1, "new": 2}


def test_an_archive_keeps_what_the_repository_knows_of_it(real: RealRepository, client: RepositoryClient) -> None:
    draft = real.create()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("in/a.txt", "hello")
    file = client.files.upload(draft, "a.zip", None, packed.getvalue())
    client.files.upload(draft, "a.zip", {"d": 1}, packed.getvalue())
    file.metadata["description"] = "mine"
    assert client.files.update(file).metadata == {"description": "mine", "zip_toc_position": 43}
    assert real.call("GET", f"records/{draft}/draft/files/a.zip/container").json()["total"] == 1


@pytest.mark.parametrize("metadata", [[1], "text", {"x": float("nan")}])
def test_metadata_that_would_be_lost_is_not_sent(real: RealRepository, client: RepositoryClient, metadata: Any) -> None:
    draft = real.create()
    with pytest.raises(UsageError):
        client.files.upload(draft, "a.bin", metadata, b"1")
    assert real.entries(draft) == []
