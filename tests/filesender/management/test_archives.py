"""Archives that the site packs: unpacked with Python's own modules, they have the same files."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from smartxfer import FileSenderClient, RetryPolicy
from smartxfer.errors import (
    CommunicationError,
    DecodeError,
    IntegrityError,
    NetworkError,
    NotFound,
    PasswordRequired,
    UsageError,
)
from smartxfer.filesender import Transfer
from smartxfer.transfer import MemorySink
from tests.support.management_site import ManagementSite

FETCH = "GET /download.php"
FILES = {"notes.txt": b"ACGT" * 25, "run1/a.bin": os.urandom(200_000), "run1/Žluť.txt": b"y", "z.txt": b"z"}


@pytest.fixture
def harness(new: ManagementSite) -> ManagementSite:
    return new


@pytest.fixture
def transfer(harness: ManagementSite) -> Transfer:
    """Several files behind a link."""
    return harness.client().upload_workflow(list(FILES.items()), link=True)


@pytest.fixture
def anyone(harness: ManagementSite) -> Iterator[FileSenderClient]:
    """Yield a client without credentials that makes one attempt."""
    with FileSenderClient(harness.url, retry=RetryPolicy(attempts=1)) as client:
        yield client


def unpacked(archive: Any) -> Dict[str, bytes]:
    """Return the files in a zip or tar, read with the modules of Python."""
    source = io.BytesIO(archive) if isinstance(archive, bytes) else archive
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as pack:
            assert pack.testzip() is None
            return {name: pack.read(name) for name in pack.namelist() if not name.endswith("/")}
    if isinstance(source, io.BytesIO):
        source.seek(0)
        opened = tarfile.open(fileobj=source)
    else:
        opened = tarfile.open(source)
    with opened as pack_of_tape:
        members = [member for member in pack_of_tape.getmembers() if member.isfile()]
        return {member.name: pack_of_tape.extractfile(member).read() for member in members}


def left_in(room: Path) -> List[str]:
    return sorted(path.name for path in room.iterdir()) if room.exists() else []


@pytest.mark.parametrize(
    ("name", "archive_format", "is_zip"),
    [
        ("all.zip", None, True),
        ("all.tar", None, False),
        ("all.bin", None, True),
        ("all.bin", "tar", False),
        ("all.tar", "zip", True),
    ],
)
def test_the_whole_transfer(
    transfer: Transfer, anyone: Any, tmp_path: Path, name: str, archive_format: Any, is_zip: bool
) -> None:
    target = tmp_path / name
    result = anyone.download_archive(transfer.download_url, target, archive_format=archive_format)
    assert zipfile.is_zipfile(target) is is_zip
    assert unpacked(target) == FILES
    assert (result.path, result.bytes, result.ok) == (target, target.stat().st_size, True)
    # It is not unpacked here, and nothing else lies about.
    assert left_in(tmp_path) == [name]


@pytest.mark.parametrize("archive_format", ["zip", "tar"])
@pytest.mark.parametrize("wanted", [["notes.txt", "run1/a.bin"], ["z.txt"], "run1/Žluť.txt"])
def test_chosen_files(
    transfer: Transfer, anyone: Any, tmp_path: Path, wanted: Any, archive_format: Any
) -> None:
    target = tmp_path / "some"
    anyone.download_archive(transfer.token, target, files=wanted, archive_format=archive_format)
    names = [wanted] if isinstance(wanted, str) else wanted
    assert unpacked(target) == {name: FILES[name] for name in names}


def test_by_id_and_both_releases(harness: ManagementSite, transfer: Transfer, anyone: Any, tmp_path: Path) -> None:
    harness.site.configure(version="2.67")
    listed = {file.name: file.id for file in anyone.list_files(transfer.token)}
    anyone.download_archive(transfer.token, tmp_path / "a.zip", files=[listed["z.txt"]])
    assert unpacked(tmp_path / "a.zip") == {"z.txt": b"z"}


def test_into_memory_an_open_file_and_a_pipe(transfer: Transfer, anyone: Any, tmp_path: Path) -> None:
    sink = MemorySink()
    anyone.download_archive(transfer.token, sink)
    assert unpacked(bytes(sink.data)) == FILES
    with open(str(tmp_path / "open"), "wb") as opened:
        anyone.download_archive(transfer.token, opened, archive_format="tar")
    assert unpacked(tmp_path / "open") == FILES
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as left, os.fdopen(writer, "wb") as right:
        anyone.download_archive(transfer.token, right, files=["notes.txt"])
        right.close()
        assert unpacked(left.read()) == {"notes.txt": FILES["notes.txt"]}


def test_progress_is_reported(transfer: Transfer, anyone: Any, tmp_path: Path) -> None:
    events: List[Any] = []
    anyone.download_archive(transfer.token, tmp_path / "a.zip", progress=events.append)
    assert [events[0].state, events[-1].state] == ["queued", "done"]
    assert events[-1].done == (tmp_path / "a.zip").stat().st_size


def test_wrong_usage(harness: ManagementSite, transfer: Transfer, anyone: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="invalid archive_format"):
        anyone.download_archive(transfer.token, tmp_path / "a", archive_format="rar")
    with pytest.raises(NotFound, match="no file 'b'"):
        anyone.download_archive(transfer.token, tmp_path / "a", files=["b"])
    assert harness.site.count(FETCH) == 0
    assert left_in(tmp_path) == []


def test_what_the_site_cannot_read_it_cannot_pack(harness: ManagementSite, anyone: Any, tmp_path: Path) -> None:
    harness.site.configure(encryption_iterations=10)
    encrypted = harness.client().upload_workflow(
        [("a.txt", b"1"), ("b.txt", b"2")],
        link=True,
        password="Correct-horse-7",
    )
    with pytest.raises(PasswordRequired, match="password="):
        anyone.download_archive(encrypted.token, tmp_path / "a.zip")
    assert harness.site.count(FETCH) == 0
    assert left_in(tmp_path) == []


# -- invalid archives ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effect", "error"),
    [
        ("truncate 100000", NetworkError),
        ("truncate 0", NetworkError),
        ("reset-after-sent 100000", NetworkError),
        ("status 500 body=empty", CommunicationError),
        ("status 500 body=html", CommunicationError),
        ("status 404", NotFound),
    ],
)
def test_a_broken_archive_is_rejected(
    harness: ManagementSite, transfer: Transfer, anyone: Any, tmp_path: Path, effect: str, error: Any
) -> None:
    harness.fault(FETCH, effect, times=None)
    with pytest.raises(error):
        anyone.download_archive(transfer.token, tmp_path / "all.zip")
    assert not (tmp_path / "all.zip").exists()


@pytest.mark.parametrize("archive_format", ["zip", "tar"])
def test_an_archive_with_an_empty_file_is_rejected(
    harness: ManagementSite, anyone: Any, tmp_path: Path, archive_format: str
) -> None:
    """A real site breaks it off; the files are there one by one."""
    files = [("a.txt", b"ACGT"), ("empty", b"")]
    made = harness.client().upload_workflow(files, link=True)
    with pytest.raises(IntegrityError, match="'empty' is empty"):
        anyone.download_archive(made.token, tmp_path / "all", archive_format=archive_format)
    assert not (tmp_path / "all").exists()
    anyone.download_files(made.token, tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == dict(files)


def test_a_page_in_place_of_the_archive(
    harness: ManagementSite, transfer: Transfer, anyone: Any, tmp_path: Path
) -> None:
    harness.fault(FETCH, f"redirect {harness.url}/?s=exception&exception=token_expired", times=None)
    with pytest.raises(DecodeError, match="an HTML page instead of the file"):
        anyone.download_archive(transfer.token, tmp_path / "all.zip")
    assert left_in(tmp_path) == []


def test_a_broken_archive_is_fetched_from_the_start(harness: ManagementSite, transfer: Transfer, tmp_path: Path) -> None:
    """The site packs each response again: parts of two responses do not make a valid archive."""
    harness.fault(FETCH, "truncate 100000")
    result = harness.client().download_archive(transfer.token, tmp_path / "all.zip")
    assert unpacked(tmp_path / "all.zip") == FILES
    assert (result.retries, result.resumed) == (1, 0)
    assert harness.site.count(FETCH) == 2


def test_existing_file_is_unchanged_until_verified(
    harness: ManagementSite, transfer: Transfer, anyone: Any, tmp_path: Path
) -> None:
    (tmp_path / "all.zip").write_bytes(b"older")
    harness.fault(FETCH, "truncate 100000")
    with pytest.raises((CommunicationError, IntegrityError)):
        anyone.download_archive(transfer.token, tmp_path / "all.zip")
    assert (tmp_path / "all.zip").read_bytes() == b"older"


def test_unknown_size_is_not_reported_as_verified(
    harness: ManagementSite, transfer: Transfer, anyone: Any, tmp_path: Path
) -> None:
    harness.fault(FETCH, "no-length close")
    assert anyone.download_archive(transfer.token, tmp_path / "a.zip").verified is None
    assert anyone.download_archive(transfer.token, tmp_path / "b.zip").verified == "size"
