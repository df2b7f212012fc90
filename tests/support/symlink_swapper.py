"""A process that downloads while a directory below the target is swapped for a symbolic link.

Usage: ``symlink_swapper.py WAY URL ROOM planned|random WORD ...``; it prints how many swaps there were, per outcome.  Planned
swaps come right before the system calls of a download, one after the other: an audit hook sees each of them.
"""

import collections
import json
import os
import random
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, List

from smartxfer import FileSenderClient
from smartxfer.errors import SmartxferError
from smartxfer.nrp import get_client
from smartxfer.smartfile import BasicClient, SyncClient
from smartxfer.transport import RetryPolicy

INNER = "swapdir"
#: Parts of the names that a download uses.
WORDS = (INNER, "one.bin", "two.bin", ".smartxfer-")
EVENTS = {"open", "os.mkdir", "os.rename", "os.link", "os.remove", "os.chmod", "os.listdir", "os.scandir"}
AT_ONCE = RetryPolicy(backoff=0)


def downloads(way: str, url: str, words: List[str]) -> Callable[[Path, Any], Any]:
    """Return a function that downloads files into a directory."""
    if way == "filesender":
        client = FileSenderClient(url, retry=AT_ONCE)
        return lambda out, exists: client.download_files(words[0], out, exists=exists)
    if way == "nrp":
        repository = get_client(url, token=words[0], retry=AT_ONCE)
        return lambda out, exists: repository.files.download_many(words[1], out, exists=exists)
    basic = BasicClient(words[0], words[1], url=url, retry=AT_ONCE)
    if way == "smartfile":
        return lambda out, exists: basic.download_tree("/d", out, exists=exists)
    return lambda out, exists: SyncClient(basic).download_tree(out, "/d", exists=exists)


class Setup:
    """A target with a directory in it, and another directory that nothing may be written to."""

    def __init__(self, room: Path, old: bytes) -> None:
        self.out, self.elsewhere, self.moved = room / "out", room / "elsewhere", room / "out" / "moved"
        self.inner = self.out / INNER
        for made in (self.out, self.elsewhere):
            shutil.rmtree(str(made), ignore_errors=True)
            made.mkdir(parents=True)
        if old:
            self.inner.mkdir()
            for name in ("one.bin", "two.bin"):
                (self.inner / name).write_bytes(old)
        (self.elsewhere / "two.bin").write_bytes(b"theirs")

    def swap(self) -> bool:
        """Put a link in the place of the directory; False if the directory does not exist yet."""
        if self.inner.is_symlink() or not self.inner.is_dir():
            return False
        self.inner.rename(self.moved)
        while True:
            try:
                self.inner.symlink_to(self.elsewhere)
                return True
            except FileExistsError:  # the download created the directory again
                shutil.rmtree(str(self.inner), ignore_errors=True)

    def back(self) -> None:
        """Put the directory back."""
        self.inner.unlink()
        while True:
            try:
                self.moved.rename(self.inner)
                return
            except OSError:  # the download created it again
                shutil.rmtree(str(self.inner), ignore_errors=True)

    def check(self, when: Any) -> None:
        found = sorted(str(path.relative_to(self.elsewhere)) for path in self.elsewhere.rglob("*"))
        assert found == ["two.bin"], f"{when}: written outside: {found}"
        assert (self.elsewhere / "two.bin").read_bytes() == b"theirs", when


def tried(download: Callable[[Path, Any], Any], harness: Setup, exists: Any) -> str:
    """The outcome; anything but a typed error is the end of the program."""
    try:
        download(harness.out, exists)
    except SmartxferError as error:
        # The generic class of a service's own one.
        return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "smartxfer.errors")
    return "done"


def planned(download: Callable[[Path, Any], Any], room: Path, old: bytes, every: int) -> Any:
    """A swap before each call, in a download of its own, until a download has no call of that number."""
    state: Any = {"at": None, "count": 0, "harness": None, "event": None}

    def hook(event: str, args: Any) -> None:
        if state["at"] is None or event not in EVENTS or threading.current_thread() is state.get("busy"):
            return
        if not any(word in str(argument) for argument in args for word in WORDS):
            return
        state["count"] += 1
        if state["count"] > state["at"] and state["event"] is None:
            state["busy"] = threading.current_thread()
            if state["harness"].swap():
                state["event"] = event, *map(str, args)
            state["busy"] = None

    sys.addaudithook(hook)
    outcomes: Any = collections.Counter()
    for content in (b"", old):
        at = 0
        while True:
            harness = Setup(room, content)
            state.update(at=at, count=0, harness=harness, event=None, busy=None)
            outcome = tried(download, harness, "replace")
            state["at"] = None
            harness.check(state["event"])
            if state["event"] is None:
                break
            outcomes[outcome] += 1
            at += every
    return outcomes


def raced(download: Callable[[Path, Any], Any], room: Path, old: bytes, swaps: int) -> Any:
    """Swaps at random moments, there and back, while downloads run."""
    chance, done = random.Random(len(old)), threading.Event()
    outcomes: Any = collections.Counter()
    harness = Setup(room, old)

    def race() -> None:
        try:
            for _ in range(swaps):
                time.sleep(chance.random() / 200)
                if harness.swap():
                    outcomes["swap"] += 1
                    time.sleep(chance.random() / 200)
                    harness.back()
            outcomes["ended"] = 1
        finally:
            done.set()

    thread = threading.Thread(target=race)
    thread.start()
    while not done.is_set():
        tried(download, harness, "replace")
        harness.check("by chance")
    thread.join()
    assert outcomes["ended"], "the swapping thread failed"
    harness.check("in the end")
    return outcomes


def main() -> None:
    way, url, room, how, number, old, *words = sys.argv[1:]
    act = planned if how == "planned" else raced
    found = act(downloads(way, url, words), Path(room), Path(old).read_bytes(), int(number))
    print(json.dumps(found), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
