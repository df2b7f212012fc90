"""What is sent: files that change or vanish, odd keys, streams, callbacks that raise, many of which some fail.

F22, F28, F36, F38 to F41, F49.
"""

from __future__ import annotations

import io
import os
import threading
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from smartxfer.errors import BatchError, Cancelled, SmartxferError, SourceChanged, UsageError
from smartxfer.nrp import MemorySource
from smartxfer.nrp.errors import ERRORS
from tests.support.amounts import amount
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import COMMIT, CONTENT, INIT, MIB, PART, NRPHarness, pieces, piped

DATA = noise(4 * MIB)
STEP = 5 * MIB


SHARED = partial(NRPHarness, max_files=2000)


def held(harness: NRPHarness, record: str) -> Dict[str, bytes]:
    return {key: harness.site.read(record, key) for key in harness.site.files(record)}


# -- F38 ----------------------------------------------------------------------------------------------------


def _append(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"more")


def _truncate(path: Path) -> None:
    os.truncate(str(path), MIB)


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    found = path.stat()
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    os.replace(other, path)


def _rewrite(path: Path) -> None:
    with open(path, "r+b") as file:
        file.write(b"other")


def _remove(path: Path) -> None:
    path.unlink()


CHANGES = [_append, _truncate, _replace, _rewrite, _remove]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["L", "M"])
def test_f38_a_file_changes_while_it_is_sent(harness: NRPHarness, kind: str, change: Callable[[Path], None]) -> None:
    """Detect a commit of a file that never was."""
    record = harness.site.create()
    path = harness.file(noise(STEP + 1000))
    changed: List[int] = []

    def progress(event: Any) -> None:
        if event.done and not changed:
            changed.append(event.done)
            change(path)

    options = {"part_size": STEP} if kind == "M" else {}
    with pytest.raises(SourceChanged, match=r"a\.bin"):
        harness.client(max_workers=1).files.upload(record, "a.bin", None, path, kind, progress=progress, **options)
    assert changed
    assert harness.count(COMMIT) == 0
    assert held(harness, record) == {}


def test_f38_a_file_changes_between_two_tries(harness: NRPHarness) -> None:
    """Fails if a second try sends what the first one did not begin with."""
    record = harness.site.create()
    path = harness.file(DATA)
    harness.fault(CONTENT, "reset-after 1M")

    def progress(event: Any) -> None:
        if event.state == "retrying":
            _rewrite(path)

    with pytest.raises(SourceChanged):
        harness.client().files.upload(record, "a.bin", None, path, progress=progress)
    assert harness.count(COMMIT, 200) == 0


def test_f38_a_file_changes_before_its_turn(harness: NRPHarness) -> None:
    record = harness.site.create()
    paths = [harness.file(DATA, "a.bin"), harness.file(DATA, "b.bin")]

    def progress(event: Any) -> None:
        if event.name == "a.bin" and event.state == "done":
            _rewrite(paths[1])

    with pytest.raises(BatchError) as caught:
        harness.client(max_workers=1).files.upload_many(record, paths, progress=progress)
    assert [type(error) for error in caught.value.errors] == [ERRORS.class_for(SourceChanged)]
    assert held(harness, record) == {"a.bin": DATA}


# -- F39, F49 -----------------------------------------------------------------------------------------------


def _many(harness: NRPHarness, count: int) -> List[Path]:
    return [harness.file(b"%d" % number, f"many/{number:04}.txt") for number in range(count)]


def _lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``path`` unreadable, for root as well."""
    real = os.open

    def open_(name: Any, *args: Any, **kwargs: Any) -> int:
        if str(name) == str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return real(name, *args, **kwargs)

    monkeypatch.setattr("smartxfer.transfer.source.os.open", open_)


@pytest.mark.parametrize("how", ["vanishes", "is locked"])
def test_f39_one_of_a_hundred(harness: NRPHarness, how: str) -> None:
    """Detect one file that takes the others along, or a re-run that sends all of them again."""
    locking = pytest.MonkeyPatch()
    record = harness.site.create()
    paths = _many(harness, 100)
    victim = paths[50]
    found, content = victim.stat(), victim.read_bytes()

    def progress(event: Any) -> None:
        if event.name == "0000.txt" and event.state == "done":
            if how == "vanishes":
                victim.unlink()
            else:
                _lock(victim, locking)

    try:
        with pytest.raises(BatchError, match=r"1 of 100 files failed, first '0050\.txt'") as caught:
            harness.client(max_workers=2).files.upload_many(record, paths, progress=progress)
    finally:
        locking.undo()
    assert [result.name for result in caught.value.results if not result.ok] == ["0050.txt"]
    assert isinstance(caught.value.errors[0], FileNotFoundError if how == "vanishes" else PermissionError)
    assert (harness.count(CONTENT), harness.count(INIT)) == (99, 1)
    if how == "vanishes":
        victim.write_bytes(content)
        os.utime(victim, ns=(found.st_atime_ns, found.st_mtime_ns))
    harness.forget()
    harness.client().files.upload_many(record, paths)
    assert harness.count(CONTENT) == 1, "only what was missing"
    assert held(harness, record) == {path.name: path.read_bytes() for path in paths}


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


@pytest.mark.parametrize("size", [0, 1, MIB, 9 * MIB], ids=["empty", "byte", "small", "spooled"])
@pytest.mark.parametrize("kind", [piped, pieces])
def test_f40_a_stream_of_unknown_length(harness: NRPHarness, kind: Any, size: int) -> None:
    """Fails if a stream has nothing left for the second try."""
    record = harness.site.create()
    data = noise(size)
    harness.fault(CONTENT, "status 503 retry-after=0")
    if size:
        harness.fault(CONTENT, "reset-after 1", after=1)
    stream = kind(data)
    file = harness.client().files.upload(record, "a.bin", None, stream)
    assert held(harness, record) == {"a.bin": data}
    assert (file.result.bytes, file.result.verified) == (size, "md5")
    if kind is piped:
        stream.close()


@pytest.mark.parametrize("kind", [piped, pieces, MemorySource])
def test_f40_a_stream_in_parts(harness: NRPHarness, kind: Any) -> None:
    record = harness.site.create()
    data = noise(STEP + 1)
    harness.fault(PART, "reset-after 1", times=2)
    stream = kind(data)
    harness.client().files.upload(record, "a.bin", None, stream, "multipart", part_size=STEP)
    assert held(harness, record) == {"a.bin": data}
    if kind is piped:
        stream.close()


@pytest.mark.parametrize("make", [lambda path: io.StringIO("text"), lambda path: open(path, encoding="utf-8")])
def test_f40_text_is_refused(harness: NRPHarness, make: Any) -> None:
    with make(harness.file(b"text")) as source:
        with pytest.raises(UsageError, match="text"):
            harness.client().files.upload("abcde-12345", "a.bin", None, source)
    assert harness.count("* *") == 0


class _Mine(Exception):
    """Raised by the caller's own callback."""


def _ours() -> List[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("smartxfer")]


@pytest.mark.parametrize("kind", ["L", "M"])
def test_f41_the_callback_raises(harness: NRPHarness, kind: str) -> None:
    """Detect a transfer that goes on, or threads that stay."""
    record = harness.site.create()
    client = harness.client()
    calls: List[Any] = []

    def progress(event: Any) -> None:
        if event.done:
            calls.append(event)
            raise _Mine("enough")

    path = harness.file(noise(STEP + 1000))
    # On a line on which the first blocks are not all of it.
    harness.fault(CONTENT if kind == "L" else PART, "rate 8M")
    options = {"part_size": STEP} if kind == "M" else {}
    with pytest.raises(Cancelled, match="progress callback") as caught:
        client.files.upload(record, "a.bin", None, path, kind, progress=progress, **options)
    assert isinstance(caught.value.__cause__, _Mine)
    assert len(calls) == 1, "called once, not again for every thread"
    assert _ours() == [], "no thread of ours is left"
    assert (held(harness, record), harness.count(COMMIT)) == ({}, 0)
    harness.server.clear_faults()
    client.files.upload(record, "a.bin", None, path, kind, **options)
    assert held(harness, record) == {"a.bin": path.read_bytes()}


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
    assert _ours() == []
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
    """Detect a file that nobody can name afterwards; nothing is sent."""
    record = harness.site.create()
    api = harness.client()
    with pytest.raises(UsageError):
        api.files.upload(record, key, None, b"data")
    with pytest.raises((UsageError, SmartxferError)):
        api.files.upload_many(record, [("fine", b"1"), (key, b"data")])
    assert (harness.count(INIT), harness.site.entries(record)) == (0, [])


@pytest.mark.parametrize("key", TAKEN, ids=ascii)
def test_f28_a_key_stands_as_it_was_given(harness: NRPHarness, key: str) -> None:
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
