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
from smartxfer.errors import CommunicationError, DecodeError, NetworkError, NotFound, UsageError
from smartxfer.filesender import Transfer
from smartxfer.transfer import MemorySink
from tests.support.filesender_harness import DOWNLOAD as FETCH
from tests.support.management_site import ManagementSite

FILES = {"notes.txt": b"ACGT" * 25, "run1/a.bin": os.urandom(200_000), "run1/Žluť.txt": b"y", "z.txt": b"z"}


@pytest.fixture
def transfer(new: ManagementSite) -> Transfer:
    """Several files behind a link."""
    made: Transfer = new.client().upload_workflow(list(FILES.items()), link=True)
    return made


@pytest.fixture
def anyone(new: ManagementSite) -> Iterator[FileSenderClient]:
    """Yield a client without credentials that makes one attempt."""
    with FileSenderClient(new.url, retry=RetryPolicy(attempts=1)) as client:
        yield client


def unpacked(archive: Any) -> Dict[str, bytes]:
    """Return the files in a zip or tar, read with the modules of Python."""
    source = io.BytesIO(archive if isinstance(archive, bytes) else archive.read_bytes())
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as pack:
            assert pack.testzip() is None
            return {name: pack.read(name) for name in pack.namelist() if not name.endswith("/")}
    source.seek(0)
    with tarfile.open(fileobj=source) as tape:
        return {member.name: tape.extractfile(member).read() for member in tape.getmembers() if member.isfile()}


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
    transfer: Transfer, anyone: Any, out: Path, name: str, archive_format: Any, is_zip: bool
) -> None:
    events: List[Any] = []
    target = out / name
    result = anyone.download_archive(
        transfer.download_url, target, archive_format=archive_format, progress=events.append
    )
    assert zipfile.is_zipfile(target) is is_zip
    assert unpacked(target) == FILES
    size = target.stat().st_size
    assert (result.path, result.bytes, result.ok, result.verified) == (target, size, True, "size")
    assert (events[0].state, events[-1].state, events[-1].done) == ("queued", "done", size)
    # It is not unpacked here, and nothing else lies about.
    assert os.listdir(out) == [name]


@pytest.mark.parametrize("archive_format", ["zip", "tar"])
@pytest.mark.parametrize("wanted", [["notes.txt", "run1/a.bin"], ["z.txt"], "run1/Žluť.txt"])
def test_chosen_files(transfer: Transfer, anyone: Any, out: Path, wanted: Any, archive_format: Any) -> None:
    anyone.download_archive(transfer.token, out, files=wanted, archive_format=archive_format)
    names = [wanted] if isinstance(wanted, str) else wanted
    assert unpacked(out) == {name: FILES[name] for name in names}


def test_by_id_and_both_releases(harness: ManagementSite, transfer: Transfer, anyone: Any, out: Path) -> None:
    listed = {file.name: file.id for file in anyone.list_files(transfer.token)}
    anyone.download_archive(transfer.token, out, files=[listed["z.txt"]], archive_format="zip")
    assert unpacked(out) == {"z.txt": b"z"}


def test_into_memory_an_open_file_and_a_pipe(transfer: Transfer, anyone: Any, out: Path) -> None:
    sink = MemorySink()
    anyone.download_archive(transfer.token, sink)
    assert unpacked(bytes(sink.data)) == FILES
    with out.open("wb") as opened:
        anyone.download_archive(transfer.token, opened, archive_format="tar")
    assert unpacked(out) == FILES
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as left, os.fdopen(writer, "wb") as right:
        anyone.download_archive(transfer.token, right, files=["notes.txt"])
        right.close()
        assert unpacked(left.read()) == {"notes.txt": FILES["notes.txt"]}


def test_wrong_usage(new: ManagementSite, transfer: Transfer, anyone: Any, out: Path) -> None:
    with pytest.raises(UsageError, match="invalid archive_format"):
        anyone.download_archive(transfer.token, out, archive_format="rar")
    with pytest.raises(NotFound, match="no file 'b'"):
        anyone.download_archive(transfer.token, out, files=["b"])
    assert new.site.count(FETCH) == 0
    assert not out.exists()


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
@pytest.mark.parametrize("older", [False, True])
def test_a_broken_archive_is_rejected(
    new: ManagementSite, transfer: Transfer, anyone: Any, out: Path, effect: str, error: Any, older: bool
) -> None:
    """An older file under the name stays."""
    if older:
        out.write_bytes(b"older")
    new.fault(FETCH, effect, times=None)
    with pytest.raises(error):
        anyone.download_archive(transfer.token, out)
    assert out.read_bytes() == b"older" if older else not out.exists()


def test_a_page_in_place_of_the_archive(new: ManagementSite, transfer: Transfer, anyone: Any, out: Path) -> None:
    new.fault(FETCH, f"redirect {new.url}/?s=exception&exception=token_expired", times=None)
    with pytest.raises(DecodeError, match="an HTML page instead of the file"):
        anyone.download_archive(transfer.token, out / "all.zip")
    assert not out.exists() or os.listdir(out) == []


def test_a_broken_archive_is_fetched_from_the_start(new: ManagementSite, transfer: Transfer, out: Path) -> None:
    """The site packs each response again: parts of two responses do not make a valid archive."""
    new.fault(FETCH, "truncate 100000")
    result = new.client().download_archive(transfer.token, out)
    assert unpacked(out) == FILES
    assert (result.retries, result.resumed) == (1, 0)
    assert new.site.count(FETCH) == 2


def test_unknown_size_is_not_reported_as_verified(
    new: ManagementSite, transfer: Transfer, anyone: Any, out: Path
) -> None:
    new.fault(FETCH, "no-length close")
    assert anyone.download_archive(transfer.token, out).verified is None
