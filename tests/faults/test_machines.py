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
from tests.support.service_harness import AT_ONCE
from tests.support.smartfile_harness import SmartFileHarness

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


class OfRepository:
    """Downloads from a repository through a front end; it sends the entry of the file."""

    def __init__(self, directory: Path) -> None:
        self.harness: Any = Repository(directory, "proxy")
        self.raw = (f"records/{self.harness.id}/files/a.bin/content",)

    def entry(self, front: Front, **changes: Any) -> File:
        """The entry of the file as the repository sends it through the front end."""
        entry = to_wire(self.harness.client(front.url).files.read(self.harness.id, "a.bin"))
        return File.from_wire(json.loads(json.dumps({**entry, **changes})))

    def fetch(self, front: Front, retry: RetryPolicy = AT_ONCE, **changes: Any) -> None:
        client = self.harness.client(front.url, retry=retry)
        client.files.download(self.entry(front, **changes), self.harness.out, part_size=MIB)

    def fetch_without_digest(self, front: Front) -> None:
        self.fetch(front, checksum=None)

    def fetch_again(self, front: Front) -> Any:
        [result] = self.harness.client(front.url).files.download_many([self.entry(front)], self.harness.out)
        return result


class OfSmartFile:
    """Downloads from SmartFile through a front end."""

    raw = ("/path/data/", "a.bin")

    def __init__(self, directory: Path) -> None:
        self.harness: Any = SmartFileHarness(directory, files={"/a.bin": noise(3 * MIB)})

    def fetch(self, front: Front, retry: RetryPolicy = AT_ONCE, **options: Any) -> Any:
        client = self.harness.client(front.url, retry=retry, max_workers=1 if retry is ONCE else 4)
        return client.download("/a.bin", self.harness.out, **{"checksum": "md5", **options})

    def fetch_without_digest(self, front: Front) -> None:
        self.fetch(front, checksum=None)

    fetch_again = fetch


@pytest.fixture(params=[OfRepository, OfSmartFile], ids=["nrp", "smartfile"])
def downloads(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A file of three pieces on a server of each service."""
    monkeypatch.setattr(smartfile_downloading, "RANGE_SIZE", MIB)
    made = request.param(tmp_path)
    with made.harness:
        yield made


of_repository = pytest.mark.parametrize("downloads", [OfRepository], indirect=True, ids=["nrp"])


def _front(downloads: Any, machines: Machines) -> Front:
    return Front(downloads.harness.url, machines.change, machines.before)


def _fetched(downloads: Any) -> bytes:
    return (downloads.harness.out / "a.bin").read_bytes()  # type: ignore[no-any-return]


def test_pieces_from_several_machines(downloads: Any, machines: Machines) -> None:
    with _front(downloads, machines) as front:
        downloads.fetch(front)
    assert _fetched(downloads) == noise(3 * MIB)
    assert 200 not in machines.statuses
    assert {0, MIB, 2 * MIB} <= set(machines.starts)


def test_a_broken_run_continues_on_another_machine(downloads: Any, machines: Machines) -> None:
    machines.cut = 5000
    with _front(downloads, machines) as front:
        with pytest.raises(NetworkError):
            downloads.fetch(front, retry=ONCE)
        machines.statuses.clear()
        result = downloads.fetch_again(front)
    assert (result.resumed >= MIB, result.verified, 200 in machines.statuses) == (True, "md5", False)
    assert _fetched(downloads) == noise(3 * MIB)


def test_without_a_digest_another_etag_is_another_file(downloads: Any, machines: Machines) -> None:
    with _front(downloads, machines) as front, pytest.raises(SourceChanged):
        downloads.fetch_without_digest(front)
    assert "a.bin" not in downloads.harness.left()


@of_repository
def test_a_wrong_digest_is_an_error_whatever_the_etags(downloads: Any, machines: Machines) -> None:
    with _front(downloads, machines) as front:
        with pytest.raises(SourceChanged):
            downloads.fetch(front, checksum=f"md5:{'0' * 32}")
        same = Machines(count=1)
        front._change, front._before = same.change, same.before
        with pytest.raises(ChecksumMismatch):
            downloads.fetch(front, checksum=f"md5:{'0' * 32}")
    assert downloads.harness.left() == []


# -- content codings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", CODINGS)
def test_codings(downloads: Any, coding: str) -> None:
    with _front(downloads, Machines(1, coding)) as front:
        downloads.fetch(front)
        with downloads.harness.client(front.url).get(*downloads.raw) as answer:
            assert answer.read() == noise(3 * MIB)
    assert _fetched(downloads) == noise(3 * MIB)


@pytest.mark.parametrize("coding", CODINGS)
def test_filesender_codings(tmp_path: Path, coding: str) -> None:
    """Plain and encrypted files; an archive; all with the coding."""
    data = plaintext(3, 300_000)
    files = {"plain.bin": plain(11, "plain.bin", data)}
    secret = {"secret.bin": encrypted(12, "secret.bin", 3, data)}
    for served in (files, secret):
        one = Machines(1, coding)
        with Witness(*served.values()) as site, Front(site.url, one.change, one.before) as front:
            link = site.link.replace(site.url, front.url)
            with FileSenderClient(front.url) as client:
                client.download_files(link, tmp_path, password=PASSWORD if served is secret else None)
        [name] = served
        assert (tmp_path / name).read_bytes() == data


@of_repository
@pytest.mark.parametrize("coding", ["gzip", "br", "aws-chunked, gzip", "identity, deflate"])
def test_other_codings_are_refused(downloads: Any, coding: str) -> None:
    with _front(downloads, Machines(1, coding)) as front:
        with pytest.raises((IntegrityError, DecodeError), match="unexpected Content-Encoding"):
            downloads.fetch(front, retry=ONCE)
    assert downloads.harness.left() == []
