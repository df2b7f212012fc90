"""Sources of uploads: changed or deleted files, odd keys, streams, raising callbacks, partly failing batches.

F22, F28, F36, F38 to F41, F49.
"""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Dict, List

import pytest

from smartxfer.errors import BatchError, Cancelled, SmartxferError, UsageError
from smartxfer.nrp import MemorySource
from tests.support.amounts import amount
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import COMMIT, CONTENT, INIT, MIB, PART, NRPHarness
from tests.support.uploads import client_threads

DATA = noise(4 * MIB)
STEP = 5 * MIB


SHARED = partial(NRPHarness, max_files=2000)


def held(harness: NRPHarness, record: str) -> Dict[str, bytes]:
    return {key: harness.site.read(record, key) for key in harness.site.files(record)}


# -- F38 ----------------------------------------------------------------------------------------------------


# -- F39, F49 -----------------------------------------------------------------------------------------------


def _many(harness: NRPHarness, count: int) -> List[Path]:
    return [harness.file(b"%d" % number, f"many/{number:04}.txt") for number in range(count)]


@pytest.mark.slow
def test_f49_one_in_twenty_of_many_fails(harness: NRPHarness) -> None:
    """Detect results that do not say which, or a re-run that touches more than the failures."""
    record = harness.site.create()
    count = amount(100, 1000)
    paths = _many(harness, count)
    faults = [harness.fault(f"PUT *{number:04}.txt/content", "status 400 body=json:no") for number in range(0, count, 20)]
    with pytest.raises(BatchError, match=f"{count // 20} of {count} files failed") as caught:
        harness.client().files.upload_many(record, paths)
    failed = [result.name for result in caught.value.results if not result.ok]
    assert failed == [f"{number:04}.txt" for number in range(0, count, 20)]
    assert all(fault.fired == 1 for fault in faults)
    assert len(harness.site.files(record)) == count - count // 20
    harness.forget()
    files = harness.client().files.upload_many(record, paths)
    assert harness.count(CONTENT) == harness.count(COMMIT) == count // 20, "only what was missing"
    assert [file.key for file in files] == [path.name for path in paths]
    assert held(harness, record) == {path.name: path.read_bytes() for path in paths}


# -- F40, F41 -----------------------------------------------------------------------------------------------


def test_f40_a_source_in_memory_by_parts(harness: NRPHarness) -> None:
    record = harness.site.create()
    data = noise(STEP + 1)
    harness.fault(PART, "reset-after 1", times=2)
    harness.client().files.upload(record, "a.bin", None, MemorySource(data), "multipart", part_size=STEP)
    assert held(harness, record) == {"a.bin": data}


def test_f22_an_upload_is_cancelled(harness: NRPHarness) -> None:
    """Detect a wait for the line, or a client that is of no use any more."""
    record = harness.site.create()
    cancel = threading.Event()
    client = harness.client(timeout=60.0)
    stalled = harness.fault(CONTENT, "stall-after 64K")

    def give_up() -> None:
        stalled.wait(20)
        cancel.set()

    thread = threading.Thread(target=give_up)
    thread.start()
    with pytest.raises(Cancelled):
        client.files.upload(record, "a.bin", None, DATA, cancel=cancel)
    thread.join(20)
    assert client_threads() == []
    harness.server.clear_faults()
    client.files.upload(record, "a.bin", None, DATA)
    assert held(harness, record) == {"a.bin": DATA}


# -- F28, F36 -----------------------------------------------------------------------------------------------

REFUSED = [
    *("", "/", "/etc/x", "..", ".", "../x", "a/../../b", "a/./b", "a/.."),
    *("a/content", "a/commit", "a/container", "a/container/b"),
    *("a\0b", "a\nb", "a\r\nX-Evil: 1", "\x1b[2J", "a\x7f"),
    *("\ud800", "k" * 256),
]
TAKEN = [
    "a b.txt",
    "dir/b c.txt",
    "a//b",
    "a?b",
    "a#b",
    "a%2Fb",
    "a%",
    "a&b=c",
    "a;b",
    "a\\..\\b",
    "C:\\x",
    "~",
    "CON",
    "dot.",
    "k" * 255,
    "\u00e9" * 255,
    "\u202etxt.exe",
    "caf\u00e9",
    "cafe\u0301",
    "\u65e5\u672c",
    "\U0001f600",
    "commit",
    "content",
    "container",
    "content/a",
    'a"; filename="b',
    "+",
    "...",
]


@pytest.mark.parametrize("key", REFUSED, ids=ascii)
def test_f28_a_key_that_could_not_be_had_back(harness: NRPHarness, key: str) -> None:
    """Fails if a file is stored under a key that cannot be addressed; nothing is sent."""
    record = harness.site.create()
    api = harness.client()
    with pytest.raises(UsageError):
        api.files.upload(record, key, None, b"data")
    with pytest.raises((UsageError, SmartxferError)):
        api.files.upload_many(record, [("fine", b"1"), (key, b"data")])
    assert (harness.count(INIT), harness.site.entries(record)) == (0, [])


@pytest.mark.parametrize("key", TAKEN, ids=ascii)
def test_f28_a_key_is_stored_unchanged(harness: NRPHarness, key: str) -> None:
    """F36: broken by a key that is put into an address, or a header, as it is."""
    record = harness.site.create(files={"b": b"theirs"})
    api = harness.client()
    draft = f"{harness.url}/api/records/{record}/draft"
    file = api.files.upload(draft, key, {"about": key}, b"data")
    assert (file.key, file.metadata) == (key, {"about": key})
    assert held(harness, record) == {"b": b"theirs", key: b"data"}
    assert api.files.read(draft, key).size == 4
    assert all("x-evil" not in head for head in harness.heads("* *"))
    assert harness.count("* /api/*", 404) == 0
    api.files.delete(draft, key)
    assert held(harness, record) == {"b": b"theirs"}


def test_f28_two_keys_that_are_one(harness: NRPHarness) -> None:
    """Fails if one of two files takes the other's place."""
    record = harness.site.create()
    with pytest.raises(UsageError, match="a"):
        harness.client().files.upload_many(record, [("a", b"1"), ("b", b"2"), ("a", b"3")])
    assert harness.count(INIT) == 0
    twins = [("caf\u00e9", b"composed"), ("cafe\u0301", b"decomposed")]
    harness.client().files.upload_many(record, twins)
    assert held(harness, record) == dict(twins)


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "\x00", "\u202e", "<script>", '"', "\\"])
def test_f36_metadata_is_data(harness: NRPHarness, value: str) -> None:
    record = harness.site.create()
    file = harness.client().files.upload(record, "a.bin", {"description": value}, b"data")
    assert file.metadata == {"description": value}
    assert all("x-evil" not in head for head in harness.heads("* *"))


@pytest.mark.parametrize("token", ["marked\r\nX-Evil: 1", "marked\nX", "mark\x00ed", "mark\u00e9d\u20ac"])
def test_f36_a_token_in_a_header(harness: NRPHarness, token: str) -> None:
    """Fails if a token ends its header; it is refused, and not shown."""
    record = harness.site.create()
    with pytest.raises(SmartxferError) as caught:
        harness.client(token=token).files.upload(record, "a.bin", None, b"data")
    assert "marked" not in str(caught.value)
    assert all("x-evil" not in head for head in harness.heads("* *"))
    assert harness.site.entries(record) == []
