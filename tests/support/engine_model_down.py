"""Downloads by the engine: a final name, a partial file, and a server in memory that breaks in every way."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zlib
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Sequence, Set, Tuple

from smartxfer.errors import AlreadyInProgress
from smartxfer.transfer.download import DownloadJob, DownloadSpec
from smartxfer.transfer.file_sink import FileSink
from smartxfer.transfer.object_version import ObjectVersionCheck
from smartxfer.transfer.ranges import open_range
from smartxfer.transfer.result import raise_for_errors
from smartxfer.transport import RequestSpec
from tests.support.engine_faults_down import NAME, Disk, FakeWire, Response, Shape, Sink
from tests.support.engine_model import DiskState, Killed, Model, Step


class DownloadModel(Model):
    """A client that fetches one file, and the server that has it in one state after the other.

    :param before: what has the final name before.
    """

    def __init__(self, directory: Path, data: bytes, shape: Shape, step: Optional[int], block: int, before: Any) -> None:
        self.out = directory / "out"
        self.out.mkdir()
        self.path = self.out / NAME
        self._aside = directory / "aside"
        self._aside.mkdir()
        self.before: Optional[bytes] = before
        if before is not None:
            self.path.write_bytes(before)
        self.data, self.version = data, 1
        self.shape, self.step, self.block = shape, step, block
        #: Whether a client can detect that the object changed, or was damaged on the way.
        self.lasting = shape.digest == "md5"
        #: What was written to the partial file, by offset.
        self._shadow: Dict[int, int] = {}
        #: What the next run has to find, for which identity; None where that is not certain.
        self._expected: Optional[Tuple[Dict[str, Any], Set[int], bool]] = None
        #: Whether a killed run may have left a temporary file.
        self._leftovers = False
        #: What happened to the partial file since it was last opened.
        self._touched = ""
        super().__init__(directory)

    def _begin_run(self, script: Sequence[Step], deadline: Optional[float]) -> None:
        super()._begin_run(script, deadline)
        self.files = Disk(self)
        self.have: Set[int] = set()
        self._began = False
        self._identity: Dict[str, Any] = {}
        self._promised: Optional[str] = None
        self._alive = [self.data]
        self._farthest = self._new = 0
        self._ranged = self.step is not None and self.shape.size == "known"
        self._resumed = 0
        self._committed: Optional[bytes] = None
        self._disk: Any = None
        self.result: Any = None

    # -- what happens between runs ----------------------------------------------------------------------

    def change_object(self, where: int) -> None:
        """Put another object in its place, where a client can find that out."""
        if not (self.shape.etag or self.shape.digest):
            return
        if where % 4 == 0:
            self.data += bytes([where])
        elif where % 4 == 1 and self.data:
            self.data = self.data[:-1]
        else:
            self.data = bytes(255 - byte for byte in self.data)
        self.version += 1
        self._alive.append(self.data)

    def damage(self, where: int) -> None:
        """Flip a bit of the partial file, or cut it short.

        One that was copied, too, would not be recognised by anything, and stay.
        """
        part = self.out / f"{NAME}.part"
        if not self.part_size() or self._touched == "copied":
            return
        self._touched = "damaged"
        raw = bytearray(part.read_bytes())
        at = where % len(raw)
        self._expected = None
        with part.open("r+b") as file:
            if where % 2:
                file.truncate(at)
            else:
                file.seek(at)
                file.write(bytes([raw[at] ^ 1 << where % 8]))

    def copy(self) -> None:
        """Restore the directory from a copy: the files are others, with the same bytes.

        A partial file is recognised by its inode alone until some of its bytes are noted.
        """
        proven = not self.part_size()
        if not proven:
            start, stop, checksum = self._side_file().get("proof", (0, 0, -1))
            proven = zlib.crc32((self.out / f"{NAME}.part").read_bytes()[start:stop]) == checksum
        if self._touched == "damaged" or not proven:
            return
        self._touched = "copied"
        for path in list(self.out.iterdir()):
            copied = path.with_name("copied")
            copied.write_bytes(path.read_bytes())
            copied.chmod(path.stat().st_mode & 0o777)
            copied.replace(path)

    def part_size(self) -> int:
        """Return the size of the partial file; 0 if it does not exist."""
        with contextlib.suppress(FileNotFoundError):
            return (self.out / f"{NAME}.part").stat().st_size
        return 0

    @contextlib.contextmanager
    def held_by_another(self) -> Iterator[bool]:
        """Hold the lock of the partial file; False if the file does not exist."""
        if not (self.out / f"{NAME}.part").exists():
            yield False
            return
        with self.lock(self.out / f"{NAME}.part"):
            yield True

    # -- the client -------------------------------------------------------------------------------------

    def sink(self) -> Sink:
        made = Sink(self.path, files=self.files, clock=self.clock)
        made.model = self
        return made

    def transfer(self) -> None:
        shape, wire = self.shape, FakeWire(self)
        size = len(self.data) if shape.size == "known" else None
        same = ObjectVersionCheck(NAME, digest_known=shape.digest == "md5")
        self._identity = {"object": 1, "etag": self.version if shape.etag else None, "size": size}
        if shape.etag:
            same.check_version(str(self.version))
        digest = self.md5() if shape.digest == "md5" else None
        self._promised = digest
        with self.operation() as doing:
            download = DownloadSpec(
                name=NAME,
                sink=self.sink(),
                identity=self._identity,
                open_range=lambda start, stop: open_range(
                    wire, RequestSpec("GET", "http://host/file"), start, stop, size,
                    lambda response: same.check_version(response.headers.get("ETag")),
                ),
                size=size,
                range_size=self.step,
                supports_ranges=self._serves_ranges if shape.asks else None,
                digest=None if digest is None else ("md5", digest),
                fetch_digest=self._doubt if shape.digest == "doubt" else None,
                build_mismatch_error=same.build_mismatch_error,
            )  # fmt: skip
            job = DownloadJob(download, doing, 2)
            doing.run_jobs([job], 1)
            self.result = raise_for_errors([job.result])[0]

    def md5(self) -> str:
        return hashlib.md5(self.data).hexdigest()

    def _serves_ranges(self) -> bool:
        self._ranged = self._ranged and self.shape.ranges
        return self.shape.ranges

    def _doubt(self) -> Tuple[str, str]:
        self._promised = self.md5()
        return "md5", self._promised

    # -- the server -------------------------------------------------------------------------------------

    def answer(self, call: RequestSpec) -> Response:
        """Answer one request."""
        asked = call.headers.get("Range")
        first, _, last = (asked or "bytes=0-")[len("bytes=") :].partition("-")
        start, stop = int(first), int(last) + 1 if last else len(self.data)
        self._check_name()
        self._check_side_file()
        self.require(start < stop or asked is None, "an empty range is asked for: %s", asked)
        self.require(not self.have & set(range(start, stop)), "bytes %s to %s are there, and asked for again", start, stop)
        self._new = 0
        step = self.request(stop if self._ranged else "all")
        self._disturb(step)
        kind = step.kind
        whole = asked is None or not self.shape.ranges or kind == "ignores the range"
        if whole:
            if asked is not None:
                self._ranged, self._farthest = False, 0
                self.succeed()  # the object comes again from its start
            start, stop = 0, len(self.data)
        body = self.data[start:stop]
        if kind == "flip" and body and self.lasting:
            at = step.where % len(body)
            body = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        if kind == "too much":
            body += b"x"
        checked = self.shape.size or self.lasting
        if kind in ("too much", "ends early") and not checked:
            body, step = self.data[start:stop], Step("fine", 0)
        headers = {"ETag": str(self.version)} if self.shape.etag else {}
        if whole and self.shape.size:
            headers["Content-Length"] = str(stop - start + (kind == "wrong length" and self.shape.size == "known"))
        if not whole:
            wrong, total = step.where % 3 if kind == "wrong range" else 3, len(self.data) + (kind == "wrong total")
            headers["Content-Range"] = f"bytes {start + (wrong < 2)}-{stop - 1 + (wrong in (0, 2))}/{total}"
        return Response(self, step, 200 if whole else 206, headers, body)

    def _disturb(self, step: Step) -> None:
        kind, files = step.kind, self.files
        if kind == "changes" and (self.shape.etag or self.lasting):
            self.change_object(step.where)
        elif kind == "kill":
            self.kill()
        elif kind == "kill at a file":
            files.operations_left = step.where % 12
        elif kind == "full":
            files.room = step.where % (len(self.data) + 1)
        elif kind == "grows" and self.shape.size == "known":
            with (self.out / f"{NAME}.part").open("ab") as file:
                file.truncate(self._identity["size"] + 1 + step.where % 3)
        elif kind == "short writes":
            files.most = 1 + step.where % 3
        elif kind == "rival":
            names = sorted(os.listdir(self.out))
            self.require_refused(lambda: FileSink(self.path, clock=self.clock).begin(len(self.data), self._identity))
            self.require(sorted(os.listdir(self.out)) == names, "a refused run left a file")

    def received(self) -> None:
        """The whole body was read."""
        self.succeed()
        self._farthest = 0

    def progressed(self) -> bool:
        """Return whether the latest try brought bytes that none had brought before."""
        if self._ranged:
            return self._new > 0
        before, self._farthest = self._farthest, max(self._farthest, len(self.have))
        return self._farthest > before

    # -- the partial file -------------------------------------------------------------------------------

    def began(self, have: Sequence[Tuple[int, int]], raw: bytes, identity: Dict[str, Any]) -> None:
        """Check what the engine takes over of an earlier run."""
        self._began, self._touched = True, ""
        self.have = {at for start, stop in have for at in range(start, stop)}
        self.at_start = set(self.have)
        self._resumed = len(self.have)
        good = all(at < len(raw) and self._shadow.get(at) == raw[at] for at in self.have)
        self.require(good, "damaged bytes are taken over")
        if self._expected is None:
            return
        noted, expected, exact = self._expected
        if noted != identity:
            self.require(not self.have, "bytes of another object are taken over")
        else:
            self.require(expected <= self.have, "bytes are lost: %s", expected - self.have)
            self.require(not exact or self.have == expected, "bytes that were never written are taken over")

    def wrote(self, data: bytes, offset: int) -> None:
        """Some bytes are in the partial file."""
        offsets = set(range(offset, offset + len(data)))
        self.require(not offsets & self.have, "bytes were written twice")
        self._new += len(data)
        self.have |= offsets
        self._shadow.update(zip(range(offset, offset + len(data)), data))
        self.stored_at.append((self.clock.monotonic(), offsets))

    def restarted(self) -> None:
        """Nothing is in the partial file."""
        self.have, self.at_start, self.stored_at, self._resumed = set(), set(), [], 0
        if self.shape.digest == "doubt":
            self._promised = None  # it was asked for because of what is gone now

    def kill(self) -> None:
        """End the process, with the disk as it is now.

        :raises Killed: always.
        """
        self._disk = DiskState(self.out, self._aside)
        self.end_process(Killed())

    # -- checks -----------------------------------------------------------------------------------------

    def true_progress(self) -> Sequence[int]:
        return (len(self.have),)

    def _side_file(self) -> Dict[str, Any]:
        state: Dict[str, Any] = json.loads((self.out / f"{NAME}.part.json").read_text(encoding="utf-8"))
        return state

    def _check_side_file(self) -> None:
        wanted = self.noted_in_time(1.0)
        if wanted and self.files.room is None:
            late = wanted - {at for start, stop, _ in self._side_file()["runs"] for at in range(start, stop)}
            self.require(not late, "%s were written long ago, and are not in the side file", late)

    def name(self) -> Optional[bytes]:
        """Return what has the final name."""
        return self.path.read_bytes() if self.path.exists() else None

    def _check_name(self) -> None:
        self.require(self.name() == self.before, "the final name has something else before the end")

    def check_commit(self, data: bytes) -> None:
        """Check what is about to get the final name."""
        self._check_name()
        if self._promised is not None:
            self.require(hashlib.md5(data).hexdigest() == self._promised, "it has another digest")
        self.require(data in self._alive, "bytes that the server never had get the final name")
        self.require(not self.cancel.is_set(), "a cancelled transfer is completed")
        self._committed = data

    def check_run(self) -> None:
        if self.killed:
            self._disk.restore()
        now = self.name()
        assert now in (self.before, self._committed), "something else has the final name"
        names = set(os.listdir(str(self.out)))
        if self.error is None:
            assert now is not None
            assert now == self._committed, "done, and it has not its final name"
            assert names == {NAME}, f"left behind: {names}"
            assert self.events[-1].state == "done"
            assert self.result.bytes == len(now)
            assert self.result.resumed == self._resumed
            if self._promised is not None:
                assert self.result.verified == "md5"
            self._expected = None
        elif self.killed:
            self._expected = (self._identity, self.noted_in_time(1.0), False) if now == self.before and self._began else None
        else:
            assert now == self.before, "it failed, and has its final name"
            assert names <= {NAME, f"{NAME}.part", f"{NAME}.part.json"} or self._leftovers, names
            if self._began:
                exact = self.files.room is None
                self._expected = (self._identity, set(self.have), True) if exact else None
                assert self.events == [] or self.events[-1].state == "failed", "the end of a file was not reported"
        self._leftovers = self.killed or (self._leftovers and self.error is not None)
        self.before = now
        if not isinstance(self.error, AlreadyInProgress):
            with self.held_by_another():
                pass  # the lock is free
