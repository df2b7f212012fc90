"""An interrupted run is resumed by the next one, with another client, as if in another process."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Callable

import pytest

from smartxfer import RetryPolicy
from smartxfer.errors import BatchError, NetworkError
from tests.support.contract.services import lose_after, mend

ONCE = RetryPolicy(attempts=1)
PARTS, HAVE = 8, 5
Make = Callable[[str, int], Path]


@pytest.fixture(autouse=True)
def _can(service: Any, request: pytest.FixtureRequest) -> None:
    """Leave out what the service declares that it cannot do."""
    ways = [way for way in ("directory upload", "upload", "download") if way.replace(" ", "_") in request.node.name]
    reason = service.cannot.get(f"{ways[0]} resumes after a restart")
    if reason:
        pytest.skip(reason)


@pytest.fixture
def broken(service: Any, make: Make) -> Path:
    """The source of an upload that broke after at least 5 of 8 parts; the server's account is empty."""
    path = make("reads.fastq", PARTS * service.chunk)
    service.server.fault(service.name, service.part_request, "reset-before", after=5, times=1)
    with service.client(retry=ONCE) as client, pytest.raises(NetworkError):
        service.upload(client, [path])
    assert service.stored() == {}
    return path


def test_an_upload_sends_only_what_is_missing(service: Any, broken: Path) -> None:
    acknowledged = service.acknowledged()
    assert acknowledged >= 5
    service.site.listener.clear_log()
    with service.client() as client:
        [result] = service.results(service.upload(client, [broken]))
    assert service.stored() == {"reads.fastq": broken.read_bytes()}
    assert service.site.count(service.part_request) == PARTS - acknowledged
    assert service.site.count(service.create_request) == 0
    assert (result.resumed, result.bytes) == (acknowledged * service.chunk, PARTS * service.chunk)


def test_an_upload_of_a_changed_file_starts_from_the_beginning(service: Any, broken: Path) -> None:
    broken.write_bytes(os.urandom(PARTS * service.chunk))
    service.site.listener.clear_log()
    with service.client() as client:
        [result] = service.results(service.upload(client, [broken]))
    assert service.stored() == {"reads.fastq": broken.read_bytes()}
    assert (result.resumed, service.acknowledged()) == (0, PARTS)


def test_an_upload_with_resume_false_starts_from_the_beginning(service: Any, broken: Path) -> None:
    service.site.listener.clear_log()
    with service.client() as client:
        [result] = service.results(service.upload(client, [broken], resume=False))
    assert service.stored() == {"reads.fastq": broken.read_bytes()}
    assert (result.resumed, service.acknowledged()) == (0, PARTS)


def test_an_upload_that_is_done_is_not_gone_on_with(service: Any, make: Make) -> None:
    path = make("reads.fastq", 2 * service.chunk)
    for _ in range(2):
        with service.client() as client:
            service.upload(client, [path])
    assert service.acknowledged() == 4
    assert service.site.count(service.create_request) == 2


def test_a_directory_upload_sends_only_the_files_that_are_missing(service: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "deep").mkdir(parents=True)
    files = {f"deep/{number}.bin": os.urandom(service.chunk) for number in range(5)}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    service.server.fault(service.name, service.part_request, "reset-before", after=2, times=1)
    with service.client(retry=ONCE) as client, pytest.raises(BatchError, match=r"1 of 5 files failed"):
        service.upload(client, [folder])
    assert service.acknowledged() == 4
    service.site.listener.clear_log()
    with service.client() as client:
        results = service.results(service.upload(client, [folder]))
    assert service.site.count(service.part_request) == 1, "only what was missing"
    assert sorted(result.resumed for result in results) == [0] + [service.chunk] * 4
    assert service.stored() == {f"run/{name}": data for name, data in files.items()}


@pytest.fixture
def begun(service: Any, out: Path) -> Any:
    """A download that broke after 5 of 8 parts: what it was of, and the bytes that it should have."""
    data = os.urandom(PARTS * service.chunk)
    handle = service.plant({"reads.fastq": data})
    lose_after(service, HAVE * service.chunk)
    with service.client(retry=ONCE) as client, pytest.raises(NetworkError):
        service.download(client, handle, out)
    mend(service)
    return handle, data


def test_a_download_fetches_only_what_is_missing(service: Any, out: Path, begun: Any, left_behind: Any) -> None:
    handle, data = begun
    have = HAVE * service.chunk
    assert "reads.fastq" not in left_behind()
    assert left_behind() != []
    service.site.listener.clear_log()
    with service.client() as client:
        [result] = service.download(client, handle, out)
    assert (out / "reads.fastq").read_bytes() == data
    assert left_behind() == ["reads.fastq"]
    assert result.resumed == have
    fetched = [one for one in service.site.request_log if one.received == 0 and one.request.status in (200, 206)]
    # What else was asked is a page or a few words of JSON.
    beyond = getattr(service, "beyond", 1)
    assert sum(one.sent for one in fetched if one.sent > service.chunk) <= len(data) - have + beyond


def test_a_download_into_a_copied_directory_is_continued(service: Any, out: Path, begun: Any) -> None:
    """The copy of a partial file has another inode, perhaps on another device, and the same bytes."""
    handle, data = begun
    copy = Path(shutil.copytree(str(out), str(out.with_name("copy"))))
    with service.client() as client:
        [result] = service.download(client, handle, copy)
    assert 0 < result.resumed <= HAVE * service.chunk
    assert result.path == copy / "reads.fastq"
    assert result.path.read_bytes() == data
    assert [path.name for path in copy.iterdir()] == ["reads.fastq"]


def test_a_download_does_not_build_upon_a_damaged_rest(service: Any, out: Path, begun: Any) -> None:
    handle, data = begun
    [part] = out.glob("*.part")
    with part.open("r+b") as file:
        file.seek(1000)
        file.write(b"\0\1\2\3")
    with service.client() as client:
        service.download(client, handle, out)
    assert (out / "reads.fastq").read_bytes() == data


def test_a_download_skips_the_files_that_are_complete(service: Any, out: Path) -> None:
    files = {f"{number}.bin": os.urandom(service.chunk) for number in range(3)}
    handle = service.plant(files)
    service.server.fault(service.name, service.bytes_request, "truncate 100", after=2, times=1)
    with service.client(retry=ONCE) as client, pytest.raises(BatchError, match=r"1 of 3 files failed"):
        service.download(client, handle, out)
    service.site.listener.clear_log()
    with service.client() as client:
        results = service.download(client, handle, out)
    assert service.site.count(service.bytes_request) == 1 + service.probes
    assert [result.ok for result in results] == [True] * 3
    assert {name: (out / name).read_bytes() for name in files} == files
