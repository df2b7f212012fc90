"""Answers that are not what the protocol promises: F35."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smartxfer.errors import CommunicationError, DecodeError, NotFound, SmartxferError, Truncated
from tests.support.filesender_harness import CHUNK, COMPLETE, CREATE, DOWNLOAD, INFO, PAGE, noise, until

DATA = noise(100_000)
MIB = 1 << 20


def _answer(harness: Any, content: bytes, name: str = "answer") -> str:
    """The fault that answers with these bytes as JSON."""
    path = Path(harness.directory) / name
    path.write_bytes(content)
    return f"status 200 'body=file:{path}'"


#: What a workflow asks for one after the other.
each_step = pytest.mark.parametrize(
    "match", [INFO, CREATE, CHUNK, COMPLETE], ids=["info", "create", "chunk", "complete"]
)


@pytest.mark.parametrize("match", [INFO, CREATE, PAGE], ids=["info", "create", "page"])
def test_f35_a_huge_answer(harness: Any, match: str) -> None:
    token = harness.published(DATA).token
    client = harness.client()
    client.prepare()
    harness.server.filesender.listener.clear_log()
    harness.fault(match, _answer(harness, bytes(100 * MIB)))
    with pytest.raises(DecodeError, match="larger than 8388608 bytes"):
        if match == PAGE:
            client.download_files(token, harness.out)
        elif match == CREATE:
            client.upload_workflow([("a.bin", DATA)], link=True)
        else:
            client.get_server_info()
    client.close()
    record = until(lambda: [one for one in harness.site.request_log if one.sent], "the end of the answer")[0]
    assert record.sent < 32 * MIB, "the rest was not read"


def test_f35_a_deep_answer(harness: Any) -> None:
    harness.fault(INFO, _answer(harness, b"[" * 100_000 + b"]" * 100_000))
    with pytest.raises(DecodeError, match="cannot be decoded"):
        harness.client().get_server_info()


@pytest.mark.parametrize("content", [b"[]", b'"text"', b"null", b"3", b"", b"{", b"\xff\xfe", b'{"a": NaN'])
@each_step
def test_f35_an_answer_of_another_kind(harness: Any, match: str, content: bytes) -> None:
    harness.fault(match, _answer(harness, content))
    with pytest.raises(DecodeError):
        harness.client(concurrent_chunks=1).upload_workflow([harness.file(DATA[:10])], link=True)
    if match == CREATE:
        assert harness.site.count(CREATE) == 1


WRONG = [None, "text", "x" * 1000, -1, 1.5, True, [], [1], {}, {"a": 1}]


@pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize(
    ("match", "field"),
    [
        *((INFO, field) for field in ("upload_chunk_size", "url")),
        *((CREATE, field) for field in ("id", "files", "recipients", "roundtriptoken", "expires", "options")),
        (CHUNK, "written"),
        *((COMPLETE, field) for field in ("files", "id")),
    ],
)
def test_f35_a_field_of_another_kind(harness: Any, match: str, field: str, value: Any) -> None:
    """Either it does not matter, or the error is ours; never a TypeError from somewhere inside."""
    good = {
        INFO: {"url": harness.url, "name": "x", "upload_chunk_size": 5000},
        CREATE: {"id": 1, "files": [], "recipients": [], "roundtriptoken": "a" * 32, "options": {}},
        CHUNK: {"offset": 0, "written": 10},
        COMPLETE: {"id": 1, "files": [], "recipients": []},
    }[match]
    harness.fault(match, _answer(harness, json.dumps({**good, field: value}).encode()), times=None)
    try:
        harness.client(concurrent_chunks=1).upload_workflow([harness.file(DATA[:10])], link=True)
    except SmartxferError as error:
        assert str(error)
    else:
        assert harness.stored()["a.bin"] == DATA[:10]


@pytest.mark.parametrize("written", [0, 9, 11])
def test_f35_a_chunk_of_which_less_was_written(harness: Any, written: int) -> None:
    """Only the client can detect the missing bytes."""
    answer = _answer(harness, json.dumps({"offset": 0, "written": written}).encode())
    path = harness.file(DATA[:10])
    harness.fault("PUT /rest.php/file/*/chunk/0", answer, times=6)
    with pytest.raises(Truncated) as caught:
        harness.client().upload_workflow([path], link=True)
    assert (caught.value.got, caught.value.expected) == (written, 10)
    assert harness.site.count(COMPLETE) == 0
    harness.fault("PUT /rest.php/file/*/chunk/0", answer, times=5)
    transfer = harness.client().upload_workflow([path], link=True)
    assert transfer.results[0].retries == 5
    assert harness.stored()["a.bin"] == DATA[:10]


@each_step
def test_f35_a_page_in_place_of_json(harness: Any, match: str) -> None:
    fault = harness.fault(match, "status 200 body=html")
    with pytest.raises(DecodeError, match="<html><body><h1>200</h1>") as caught:
        harness.client(concurrent_chunks=1).upload_workflow([harness.file(DATA[:10])], link=True)
    assert "login page" in caught.value.hint
    assert fault.fired == 1


def test_f35_only_the_start_of_it_is_shown(harness: Any) -> None:
    harness.fault(INFO, _answer(harness, b"start" + b"-" * 1000 + b"end"))
    with pytest.raises(DecodeError, match="start") as caught:
        harness.client().get_server_info()
    assert "-" * 195 in str(caught.value)
    assert "-" * 196 not in str(caught.value)


#: In place of the file: the answer, and the error; a page may be as large as the file.
PAGE_SIZE = len(b"<html><body><h1>200</h1></body></html>")
INSTEAD = {
    "a page": ("status 200 body=html", len(DATA), CommunicationError, None),
    "a page as large as the file": ("status 200 body=html", PAGE_SIZE, DecodeError, "an HTML page instead of the file"),
    "a redirect to an error page": ("redirect /?s=exception", len(DATA), CommunicationError, None),
}


@pytest.mark.parametrize("case", INSTEAD)
def test_f35_a_page_in_place_of_the_file(harness: Any, case: str) -> None:
    """Length alone would not tell it from the file."""
    effect, size, kind, words = INSTEAD[case]
    token = harness.published(DATA[:size]).token
    harness.fault(DOWNLOAD, effect)
    with pytest.raises(kind, match=words):
        harness.client().download_files(token, harness.out)
    assert list(harness.out.iterdir()) == []


def test_f35_an_error_page_for_a_bad_token(harness: Any) -> None:
    with pytest.raises(NotFound, match="invalid download link"):
        harness.client().download_files("00000000-0000-0000-0000-" + "0" * 12, harness.out)
    assert not harness.out.exists()
