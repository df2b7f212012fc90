"""Truncated archives in complete responses: the download fails.

The server is a few lines; its archives are made by Python's own modules.  Source: FileSender protocol, sections 8.2
and 15.
"""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from smartxfer import FileSenderClient, RetryPolicy
from smartxfer.errors import IntegrityError, NetworkError, SmartxferError, Truncated
from smartxfer.transfer import MemorySink
from tests.support.minimal_encrypted_filesender import Witness, plain
from tests.support.raw_server import Peer, Request

FILES = {"a.txt": b"ACGT" * 25, "d/b.bin": bytes(range(256)) * 400, "0": b"z"}
KINDS = {"zip": "application/x-zip", "tar": "application/x-tar"}
QUICK = RetryPolicy(backoff=0)


def packed(form: str, files: Dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") if form == "zip" else tarfile.open(fileobj=made, mode="w") as pack:
        for name, data in files.items():
            if form == "zip":
                pack.writestr(zipfile.ZipInfo(name), data)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                pack.addfile(info, io.BytesIO(data))
    return made.getvalue()


Reply = Callable[[Peer], None]


def reply(body: bytes, end: str = "length", form: str = "zip") -> Reply:
    """An answer with an archive, whose end is known by its length, by the last chunk or by the end of the connection."""

    def answer(peer: Peer) -> None:
        kind = f"Content-Type: {KINDS[form]}"
        if end == "length":
            peer.answer(200, body, kind)
        elif end == "chunks":
            chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
            peer.answer(200, chunked, kind, "Transfer-Encoding: chunked", length=None)
        else:
            peer.answer(200, body, kind, "Connection: close", length=None)
            peer.close()

    return answer


ENDS = ["length", "chunks", "closing"]


class Packing(Witness):
    """Answers requests for archives with bodies that a test gives, one after the other; the last one stays."""

    def __init__(self, files: Dict[str, bytes]) -> None:
        super().__init__(*(plain(number, name, data) for number, (name, data) in enumerate(files.items(), 11)))
        self.replies: List[Reply] = []
        self.archives = 0

    def _answer(self, request: Request, peer: Peer) -> None:
        if "archive_format" in request.target:
            self.archives += 1
            (self.replies.pop(0) if len(self.replies) > 1 else self.replies[0])(peer)
        else:
            super()._answer(request, peer)


@pytest.fixture
def site() -> Iterator[Packing]:
    with Packing(FILES) as running:
        yield running


def fetch(site: Packing, target: Any, form: str, **options: Any) -> Any:
    with FileSenderClient(site.url, retry=QUICK) as client:
        return client.download_archive(site.link, target, archive_format=form, **options)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("form", KINDS)
def test_a_whole_archive_counts(site: Packing, tmp_path: Path, form: str, end: str) -> None:
    body = packed(form, FILES)
    site.replies = [reply(body, end, form)]
    result = fetch(site, tmp_path / "all", form)
    assert (tmp_path / "all").read_bytes() == body
    assert (result.ok, result.bytes, site.archives) == (True, len(body), 1)


@pytest.mark.parametrize("percent", [0, 60, 99])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("form", KINDS)
def test_an_archive_that_ends_early_does_not_count(
    site: Packing, tmp_path: Path, form: str, end: str, percent: int
) -> None:
    """The archive is fetched once more; then the call fails."""
    whole = packed(form, FILES)
    if form == "tar":
        whole = whole[: len(whole.rstrip(b"\0")) // 512 * 512 + 512 + 1024]
    body = whole[: len(whole) * percent // 100]
    site.replies = [reply(body, end, form)]
    (tmp_path / "all").write_bytes(b"older")
    with pytest.raises(Truncated, match="is incomplete") as caught:
        fetch(site, tmp_path / "all", form)
    assert "one by one" in caught.value.hint
    assert site.archives == 2
    assert [path.name for path in tmp_path.iterdir()] == ["all"]
    assert (tmp_path / "all").read_bytes() == b"older"


@pytest.mark.parametrize("form", KINDS)
def test_an_archive_that_ends_early_once_is_fetched_again(site: Packing, tmp_path: Path, form: str) -> None:
    body = packed(form, FILES)
    for end in ENDS:
        site.replies = [reply(body[: len(body) * 6 // 10], end, form), reply(body, end, form)]
        result = fetch(site, tmp_path / end, form)
        assert (tmp_path / end).read_bytes() == body
        assert result.bytes == len(body)


@pytest.mark.parametrize("form", KINDS)
def test_an_archive_without_one_of_the_files_does_not_count(site: Packing, tmp_path: Path, form: str) -> None:
    fewer = {name: data for name, data in FILES.items() if name != "0"}
    body = packed(form, fewer)
    site.replies = [reply(body, form=form)]
    with pytest.raises(IntegrityError, match="contains 2 files, not 3"):
        fetch(site, tmp_path / "all", form)
    assert list(tmp_path.iterdir()) == []
    fetch(site, tmp_path / "some", form, files=list(fewer))
    assert (tmp_path / "some").read_bytes() == body


def test_other_sinks(site: Packing, tmp_path: Path) -> None:
    """Memory and an open file forget what came first; a pipe cannot, and the error comes at once."""
    body = packed("zip", FILES)
    replies = [reply(body[:-22]), reply(body)]
    sink = MemorySink()
    site.replies = list(replies)
    fetch(site, sink, "zip")
    assert sink.data == body
    with open(str(tmp_path / "opened"), "w+b") as opened:
        site.replies = list(replies)
        fetch(site, opened, "zip")
        opened.seek(0)
        assert opened.read() == body
    reader, writer = os.pipe()
    small = packed("zip", {"0": b"z"})
    with os.fdopen(reader, "rb"), os.fdopen(writer, "wb") as right:
        site.replies = [reply(small[:-22])]
        site.archives = 0
        with pytest.raises(Truncated):
            fetch(site, right, "zip", files=["0"])
        assert site.archives == 1


def _zip_of_real_sites(peer: Peer) -> None:
    peer.answer(500, b"PK\x03\x04" + bytes(96), "Content-Type: application/x-zip", length=424)
    peer.close()


def _tar_of_real_sites(peer: Peer) -> None:
    body = packed("tar", FILES)
    peer.answer(200, body[:1024], "Content-Type: application/x-tar", length=3584)
    peer.close()


@pytest.mark.parametrize(("form", "failure"), [("zip", _zip_of_real_sites), ("tar", _tar_of_real_sites)])
def test_an_archive_with_an_empty_file(tmp_path: Path, form: str, failure: Any) -> None:
    """Both releases fail, each time: the error says so, and the files come one by one."""
    files = {**FILES, "empty.bin": b""}
    with Packing(files) as site:
        site.replies = [failure]
        with pytest.raises(IntegrityError, match=r"'empty\.bin' is empty") as caught:
            fetch(site, tmp_path / "all", form)
        assert "download_files(token, directory)" in caught.value.hint
        assert site.archives == 1
        assert not (tmp_path / "all").exists()
        with FileSenderClient(site.url, retry=QUICK) as client:
            results = client.download_files(site.link, tmp_path)
        assert {result.name: result.path.read_bytes() for result in results} == files
        # Where a site can pack it, the archive counts.
        body = packed(form, files)
        site.replies = [reply(body)]
        fetch(site, tmp_path / "all", form)
        assert (tmp_path / "all").read_bytes() == body


def test_a_failure_without_an_empty_file_stays_what_it_is(site: Packing, tmp_path: Path) -> None:
    site.replies = [_tar_of_real_sites]
    with pytest.raises(NetworkError):
        fetch(site, tmp_path / "all", "tar")
    assert site.archives == QUICK.attempts
    site.replies = [_zip_of_real_sites]
    with pytest.raises(SmartxferError) as caught:
        fetch(site, tmp_path / "all", "zip")
    assert not isinstance(caught.value, IntegrityError)
