"""Encrypted files in ranges of real servers: a second test server besides the local one, and captured bodies.

Source: FileSender protocol, section 15; ``data/filesender-encrypted-multichunk.json``.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Set

import pytest

from smartxfer import FileSenderClient, RetryPolicy
from smartxfer.errors import RangeMismatch
from tests.support.amounts import EVERY
from tests.support.filesender_harness import content
from tests.support.minimal_encrypted_filesender import (
    CHUNK,
    PASSWORD,
    Witness,
    capture,
    captured,
    encrypted,
    plain,
    plaintext,
)

SIZES = [1, 16, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 1]
VERSIONS = [0, 1, 3]
TAGS = {"3.8": "tr", "2.67": "div"}
PATIENCE = 30.0
_PROGRAM = """
import os, sys
from smartxfer import FileSenderClient
with FileSenderClient(sys.argv[1]) as client:
    client.download_files(sys.argv[1], sys.argv[2], password=os.environ["SMARTXFER_PASSWORD"])
"""
_COMMAND = "import sys; from smartxfer.cli import main; sys.exit(main())"
#: The same download by a program and by the command.
WAYS: Dict[str, List[str]] = {"program": ["-c", _PROGRAM], "command": ["-c", _COMMAND, "fetch"]}


def _turns() -> List[Any]:
    """Return each key version with each way; in an ordinary run the ways take turns."""
    return [
        (version, way)
        for number, version in enumerate(VERSIONS)
        for turn, way in enumerate(WAYS)
        if EVERY or (number + turn) % 2 == 0
    ]


def fetch(site: Witness, out: Path, **options: Any) -> List[Any]:
    with FileSenderClient(site.url, retry=RetryPolicy(backoff=0)) as client:
        return client.download_files(site.link, out, password=PASSWORD, **options)


def started(site: Witness, out: Path, way: str) -> Any:
    """A download in a process of its own."""
    return subprocess.Popen(
        [sys.executable, *WAYS[way], site.link, str(out)],
        env={**os.environ, "SMARTXFER_PASSWORD": PASSWORD},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: Any) -> None:
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors


@pytest.fixture(scope="module")
def files() -> Dict[int, Dict[str, Any]]:
    """Files of every size, by key version."""
    return {
        version: {
            f"{size}.bin": encrypted(number, f"{size}.bin", version, plaintext(version, size))
            for number, size in enumerate(SIZES, 1)
        }
        for version in VERSIONS
    }


# -- files of every size ------------------------------------------------------------------------------------


@pytest.mark.parametrize("release", TAGS)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_size_opens(files: Any, out: Path, version: int, release: str) -> None:
    with Witness(*files[version].values(), tag=TAGS[release]) as site:
        results = fetch(site, out)
    assert content(out) == {f"{size}.bin": plaintext(version, size) for size in SIZES}
    assert [result.bytes for result in results] == SIZES
    # One request for each chunk, for its exact bytes. The chunk that verified the password is not fetched twice.
    expected = []
    for number, size in enumerate(SIZES, 1):
        for first in range(0, size, CHUNK):
            length = min(CHUNK, size - first)
            expected.append((number, first, first + length + (32 if version == 3 else 32 - length % 16) - 1))
    assert sorted(site.asked) == expected


@pytest.mark.parametrize(("version", "way"), _turns())
def test_every_size_opens_in_a_process_of_its_own(files: Any, out: Path, version: int, way: str) -> None:
    with Witness(*files[version].values()) as site:
        finished(started(site, out, way))
    assert content(out) == {f"{size}.bin": plaintext(version, size) for size in SIZES}


@pytest.mark.parametrize("total", ["plus one", "the encrypted size"])
def test_another_total_is_another_file(files: Any, out: Path, total: str) -> None:
    """The total of a range is the plain size of the file that the page lists."""
    served = files[3][f"{2 * CHUNK}.bin"]
    other = int(served.page["size"]) + 1 if total == "plus one" else served.page["encrypted-size"]
    number = served.page["id"]

    class Other(Witness):
        def _content(self, file: Any, request: Any, peer: Any) -> None:
            first, last = map(int, request.headers["range"][len("bytes=") :].split("-"))
            body = file.ranges(first, last)
            peer.answer(206, body, f"Content-Range: bytes {first}-{last}/{other}")

    with Other(served) as site, pytest.raises(RangeMismatch, match=f"/{served.page['size']}"):
        fetch(site, out, files=[number])
    assert not out.exists()


# -- falsy values on the page -------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["client", *WAYS])
def test_a_transfer_with_falsy_values(out: Path, way: str) -> None:
    """An empty file, a file named 0 and key version 0: each is printed as the empty text."""
    things = {"0": b"abc", "empty.bin": b"", "d/a.bin": plaintext(0, CHUNK + 5), "e/0": plaintext(0, 7)}
    served = [encrypted(number, name, 0, data) for number, (name, data) in enumerate(things.items(), 11)]
    with Witness(*served) as site:
        if way == "client":
            with FileSenderClient(site.url) as client:
                listed = {file.name: (file.size, file.key_version) for file in client.list_files(site.link)}
            assert listed == {name: (len(data), 0) for name, data in things.items()}
            fetch(site, out)
        else:
            finished(started(site, out, way))
    assert content(out) == things


def test_files_that_are_not_encrypted_beside_them(out: Path) -> None:
    things = {"0": b"abc", "empty.bin": b"", "b.bin": plaintext(0, CHUNK + 5)}
    with Witness(*(plain(number, name, data) for number, (name, data) in enumerate(things.items(), 11))) as site:
        with FileSenderClient(site.url) as client:
            client.download_files(site.link, out)
            assert content(out) == things
            result = client.download_file(site.link, 11, out / "one", file_size=3)
    assert (out / "one" / "0").read_bytes() == b"abc"
    assert result.name == "0"


# -- what real servers sent ---------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", capture(), ids=lambda it: f"{it['release']}-{it['key_version']}-{it['size']}")
def test_a_captured_file_opens(out: Path, entry: Dict[str, Any]) -> None:
    with Witness(captured(entry), tag=TAGS[entry["release"]]) as site:
        [result] = fetch(site, out)
    assert content(out) == {
        f"f{entry['size']}.bin": plaintext(entry["key_version"], entry["size"], entry["release"])
    }
    assert result.bytes == entry["size"]
    assert sorted(f"bytes={first}-{last}" for _, first, last in site.asked) == sorted(
        recorded["range"] for recorded in entry["ranges"]
    )


def test_the_capture_holds_what_is_replayed() -> None:
    """Six files with their bodies, and all those of key version 3."""
    kept = [entry for entry in capture() if any("body_base64" in recorded for recorded in entry["ranges"])]
    assert len(kept) == 6
    assert {(entry["release"], entry["size"]) for entry in capture() if entry["key_version"] == 3} == {
        (release, size)
        for release in TAGS
        for size in (1, CHUNK, CHUNK + 500, 2 * CHUNK, 2 * CHUNK + 1)
    }


# -- kill -9 ------------------------------------------------------------------------------------------------


class Gate:
    """Holds back the last chunk of a file, and the one before it until the others can be noted.

    :param part: the partial file; without it only the last chunk is held back.
    """

    def __init__(self, number: int, size: int, part: Optional[Path] = None) -> None:
        self.number, self.last = number, (size - 1) // CHUNK * CHUNK
        self.open = False
        self.reached = threading.Event()
        self._part = part

    def __call__(self, number: int, first: int, peer: Any) -> None:
        if self.open or number != self.number:
            return
        if first == self.last:
            self.reached.set()
            peer.hang()
        elif first == self.last - CHUNK and self._part is not None:
            part = self._part
            until(lambda: part.exists() and part.stat().st_blocks * 512 >= first)
            time.sleep(1.1)  # progress is noted once a second, when bytes are written


def until(condition: Callable[[], Any], process: Any = None) -> None:
    """Wait for a condition; the process must still be at work then."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.01)


def noted(out: Path, name: str) -> Set[int]:
    """First bytes of the chunks that the side file of a partial file names."""
    try:
        runs = json.loads((out / f"{name}.part.json").read_text("utf-8"))["runs"]
    except FileNotFoundError:
        return set()
    return {at for start, stop, _ in runs for at in range(start, stop, CHUNK)}


@contextlib.contextmanager
def killed(site: Witness, out: Path, way: str, gate: Gate) -> Iterator[Any]:
    """A download that has reached the gate; it is killed at the end of the block, and run again."""
    process = started(site, out, way)
    try:
        assert gate.reached.wait(PATIENCE), process.communicate()
        yield process
    finally:
        process.kill()
        process.communicate()
    assert not (out / f"{SIZES[gate.number - 1]}.bin").exists()
    gate.open = True
    site.asked.clear()
    finished(started(site, out, way))


@pytest.mark.slow
@pytest.mark.parametrize(("version", "way"), _turns())
def test_a_killed_download_continues(files: Any, out: Path, version: int, way: str) -> None:
    """Chunks that were noted are not fetched again; one more request proves the password."""
    size = SIZES[-1]
    name = f"{size}.bin"
    gate = Gate(len(SIZES), size, out / f"{name}.part")
    with Witness(files[version][name], before=gate) as site:
        with killed(site, out, way, gate) as process:
            until(lambda: len(noted(out, name)) == size // CHUNK, process)
            there = noted(out, name)
        asked = [first for _, first, _ in site.asked]
    assert content(out) == {name: plaintext(version, size)}
    assert there == {0, CHUNK, 2 * CHUNK}
    assert sorted(asked) == [0, 3 * CHUNK]


@pytest.mark.slow
@pytest.mark.parametrize(("version", "way"), _turns())
def test_a_transfer_that_is_killed_within_a_file_opens(files: Any, out: Path, version: int, way: str) -> None:
    """Whatever was begun, the next run ends with the right bytes under every name."""
    number = version + 5
    gate = Gate(number, SIZES[number - 1])
    with Witness(*files[version].values(), before=gate) as site:
        with killed(site, out, way, gate):
            pass
    assert content(out) == {f"{size}.bin": plaintext(version, size) for size in SIZES}
