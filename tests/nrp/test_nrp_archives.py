"""Archives of a record's files, which the server packs while it sends them, without a length.

Source: NRP / Invenio protocol, section 5, the call "download all".
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from smartxfer.errors import Truncated
from smartxfer.nrp import get_client
from tests.support import canned_records as canned
from tests.support.raw_server import Peer, RawServer, Request, answering

FILES = {"a.txt": b"ACGT" * 25, "d/b.bin": bytes(range(256)) * 400, "empty": b""}
PLACES = ["records/9xrg8-d2364/files-archive", "records/9xrg8-d2364/draft/files-archive"]


def packed() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as pack:
        for name, data in FILES.items():
            pack.writestr(zipfile.ZipInfo(name), data)
    return made.getvalue()


def site(body: bytes, chunked: bool) -> RawServer:
    def reply(request: Request, peer: Peer) -> None:
        if request.path.startswith("/.well-known/"):
            about = json.dumps(canned.about()).replace(canned.BASE, server.url)
            peer.answer(200, about.encode(), "Content-Type: application/json")
        elif chunked:
            chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
            peer.answer(200, chunks, "Content-Type: application/zip", "Transfer-Encoding: chunked", length=None)
        else:
            peer.answer(200, body, "Content-Type: application/zip")

    server = RawServer(answering(reply))
    return server


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("place", PLACES)
def test_a_whole_archive_is_read(place: str, chunked: bool) -> None:
    with site(packed(), chunked) as server, get_client(server.url, token="t" * 30) as client:
        with client.get(place) as answer:
            assert answer.read() == packed()
            assert answer.read() == b""


@pytest.mark.parametrize("percent", [1, 60, 99])
@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("place", PLACES)
def test_an_archive_that_ends_early_is_an_error(place: str, chunked: bool, percent: int) -> None:
    body = packed()[: len(packed()) * percent // 100]
    with site(body, chunked) as server, get_client(server.url, token="t" * 30) as client:
        with client.get(place) as answer, pytest.raises(Truncated, match="does not end with a zip end record"):
            answer.read()


@pytest.mark.parametrize("read", [lambda it: it.read(0), lambda it: it.readinto(bytearray(10))])
def test_a_reader_may_stop_early(read: Any) -> None:
    """The end is checked where it is read, not before."""
    with site(packed()[:100], True) as server, get_client(server.url, token="t" * 30) as client:
        with client.get(PLACES[0]) as answer:
            read(answer)


def test_other_answers_are_not_judged() -> None:
    """A file of the record is what its owner sent, an archive or not."""
    with site(b"no zip", True) as server, get_client(server.url, token="t" * 30) as client:
        with client.get("records/9xrg8-d2364/files/a.zip/content") as answer:
            assert answer.read() == b"no zip"
