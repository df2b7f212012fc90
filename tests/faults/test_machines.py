"""Good files that look odd on the wire: content codings that change nothing, ETags that differ between machines."""

from __future__ import annotations

import itertools
import json
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import pytest

from smartxfer import FileSenderClient, RetryPolicy
from smartxfer.errors import ChecksumMismatch, DecodeError, IntegrityError, NetworkError, SourceChanged
from smartxfer.models import to_wire
from smartxfer.nrp import File
from smartxfer.smartfile import download as smartfile_downloading
from tests.support.filesender_harness import noise
from tests.support.minimal_encrypted_filesender import PASSWORD, Witness, encrypted, plain, plaintext
from tests.support.nrp_harness import MIB
from tests.support.nrp_harness import Served as Repository
from tests.support.raw_server import Request
from tests.support.rewriting_proxy import Front
from tests.support.smartfile_harness import SmartFileHarness as SmartFile

CODINGS = ["aws-chunked", "none", "identity", "", "AWS-Chunked", "aws-chunked, identity"]
ONCE = RetryPolicy(attempts=1)


class Machines:
    """Each answer with bytes comes from the next of some machines, whose ETags differ.

    :param coding: a ``Content-Encoding`` that each of them adds.
    """

    def __init__(self, count: int = 3, coding: Optional[str] = None) -> None:
        self.coding = coding
        self.cut: Optional[int] = None
        self.statuses: List[int] = []
        self.starts: List[int] = []
        self._tags = itertools.cycle([f'"machine-{number}"' for number in range(count)])
        self._now: Dict[int, str] = {}
        self._lock = threading.Lock()

    def before(self, request: Request, number: int) -> None:
        """As RFC 9110 wants it: a machine that does not know the ETag ignores the range."""
        with self._lock:
            tag = self._now[id(request)] = next(self._tags)
        if request.headers.get("if-range", tag) != tag:
            del request.headers["range"]
        request.headers.pop("if-range", None)

    def change(self, request: Request, status: int, headers: Dict[str, str]) -> Optional[int]:
        with self._lock:
            tag = self._now.pop(id(request))
        if request.method != "GET" or status not in (200, 206) or "json" in headers.get("Content-Type", ""):
            return None
        headers["ETag"] = tag
        headers.pop("Last-Modified", None)
        if self.coding is not None:
            headers["Content-Encoding"] = self.coding
        with self._lock:
            self.statuses.append(status)
            first = request.headers.get("range", "bytes=0-")[len("bytes=") :].partition("-")[0]
            self.starts.append(int(first))
            keep, self.cut = (self.cut, None) if int(first) >= MIB else (None, self.cut)
        return keep


@pytest.fixture
def machines() -> Machines:
    return Machines()


# -- NRP ----------------------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    with Repository(tmp_path, "proxy") as running:
        yield running


def _front(target: str, machines: Machines) -> Front:
    return Front(target, machines.change, machines.before)


def _nrp(repository: Repository, front: Front, **changes: Any) -> Any:
    """Return the entry of a file as the repository sends it through the front end."""
    entry = to_wire(repository.client(front.url).files.read(repository.id, "a.bin"))
    return File.from_wire(json.loads(json.dumps({**entry, **changes})))


def test_nrp_pieces_from_several_machines(repository: Repository, machines: Machines) -> None:
    with _front(repository.url, machines) as front:
        file = _nrp(repository, front)
        api = repository.client(front.url)
        api.files.download(file, repository.out, part_size=MIB)
        assert (repository.out / "a.bin").read_bytes() == noise(3 * MIB)
    assert 200 not in machines.statuses
    assert {0, MIB, 2 * MIB} <= set(machines.starts)


def test_nrp_a_broken_run_continues_on_another_machine(repository: Repository, machines: Machines) -> None:
    machines.cut = 5000
    with _front(repository.url, machines) as front:
        file = _nrp(repository, front)
        with pytest.raises(NetworkError):
            repository.client(front.url, retry=ONCE).files.download(file, repository.out, part_size=MIB)
        machines.statuses.clear()
        [result] = repository.client(front.url).files.download_many([file], repository.out)
    assert result.resumed >= MIB
    assert result.verified == "md5"
    assert 200 not in machines.statuses
    assert (repository.out / "a.bin").read_bytes() == noise(3 * MIB)


def test_nrp_without_a_digest_another_etag_is_another_file(repository: Repository, machines: Machines) -> None:
    with _front(repository.url, machines) as front:
        file = _nrp(repository, front, checksum=None)
        with pytest.raises(SourceChanged):
            repository.client(front.url).files.download(file, repository.out, part_size=MIB)
    assert "a.bin" not in repository.left()


def test_nrp_a_wrong_digest_is_an_error_whatever_the_etags(repository: Repository, machines: Machines) -> None:
    with _front(repository.url, machines) as front:
        file = _nrp(repository, front, checksum=f"md5:{'0' * 32}")
        with pytest.raises(SourceChanged):
            repository.client(front.url).files.download(file, repository.out, part_size=MIB)
        same = Machines(count=1)
        front._change, front._before = same.change, same.before
        with pytest.raises(ChecksumMismatch):
            repository.client(front.url).files.download(file, repository.out, part_size=MIB)
    assert repository.left() == []


# -- SmartFile ----------------------------------------------------------------------------------------------


@pytest.fixture
def smartfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmartFile]:
    monkeypatch.setattr(smartfile_downloading, "RANGE_SIZE", MIB)
    with SmartFile(tmp_path) as running:
        running.out.mkdir()
        running.site.write("/a.bin", noise(3 * MIB))
        yield running


def test_smartfile_pieces_from_several_machines(smartfile: SmartFile, machines: Machines) -> None:
    with _front(smartfile.url, machines) as front:
        result = smartfile.client(front.url).download("/a.bin", smartfile.out, checksum="md5")
    assert (result.verified, result.bytes) == ("md5", 3 * MIB)
    assert (smartfile.out / "a.bin").read_bytes() == noise(3 * MIB)
    assert sorted(machines.starts) == [0, MIB, 2 * MIB]


def test_smartfile_a_broken_run_continues_on_another_machine(smartfile: SmartFile, machines: Machines) -> None:
    machines.cut = 5000
    with _front(smartfile.url, machines) as front:
        with pytest.raises(NetworkError):
            smartfile.client(front.url, retry=ONCE, max_workers=1).download(
                "/a.bin", smartfile.out, checksum="md5"
            )
        result = smartfile.client(front.url).download("/a.bin", smartfile.out, checksum="md5")
    assert result.resumed >= MIB
    assert (smartfile.out / "a.bin").read_bytes() == noise(3 * MIB)


def test_smartfile_without_a_digest_another_etag_is_another_file(smartfile: SmartFile, machines: Machines) -> None:
    with _front(smartfile.url, machines) as front, pytest.raises(SourceChanged):
        smartfile.client(front.url).download("/a.bin", smartfile.out)
    assert "a.bin" not in smartfile.left()


# -- content codings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", CODINGS)
def test_nrp_codings(repository: Repository, coding: str) -> None:
    with _front(repository.url, Machines(1, coding)) as front:
        file = _nrp(repository, front)
        repository.client(front.url).files.download(file, repository.out, part_size=MIB)
        with repository.client(front.url).get(f"records/{repository.id}/files/a.bin/content") as answer:
            assert answer.read() == noise(3 * MIB)
    assert (repository.out / "a.bin").read_bytes() == noise(3 * MIB)


@pytest.mark.parametrize("coding", CODINGS)
def test_smartfile_codings(smartfile: SmartFile, coding: str) -> None:
    with _front(smartfile.url, Machines(1, coding)) as front:
        smartfile.client(front.url).download("/a.bin", smartfile.out)
        with smartfile.client(front.url).get("/path/data/", "a.bin") as answer:
            assert answer.read() == noise(3 * MIB)
    assert (smartfile.out / "a.bin").read_bytes() == noise(3 * MIB)


@pytest.mark.parametrize("coding", CODINGS)
def test_filesender_codings(tmp_path: Path, coding: str) -> None:
    """Plain and encrypted files; an archive; all with the coding."""
    data = plaintext(3, 300_000)
    files = {"plain.bin": plain(11, "plain.bin", data)}
    secret = {"secret.bin": encrypted(12, "secret.bin", 3, data)}
    for served in (files, secret):
        with Witness(*served.values()) as site, _front(site.url, Machines(1, coding)) as front:
            link = site.link.replace(site.url, front.url)
            with FileSenderClient(front.url) as client:
                client.download_files(link, tmp_path, password=PASSWORD if served is secret else None)
        [name] = served
        assert (tmp_path / name).read_bytes() == data


@pytest.mark.parametrize("coding", ["gzip", "br", "aws-chunked, gzip", "identity, deflate"])
def test_other_codings_are_refused(repository: Repository, coding: str) -> None:
    with _front(repository.url, Machines(1, coding)) as front:
        file = _nrp(repository, front)
        with pytest.raises((IntegrityError, DecodeError), match="unexpected Content-Encoding"):
            repository.client(front.url, retry=ONCE).files.download(file, repository.out)
    assert repository.left() == []
