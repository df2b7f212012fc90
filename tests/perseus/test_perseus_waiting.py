"""Waiting for records: the polling intervals and the statuses that end a wait."""

from __future__ import annotations

from typing import Any, Callable, Dict

import pytest

from smartxfer.errors import UploadFailed, WaitTimeout
from smartxfer.perseus import FileStatus, PerseusClient
from tests.support.fake_clock import FakeClock
from tests.support.perseus_server import PerseusServer


class Moving(FakeClock):
    """Does something after each wait, by the wait's number."""

    def __init__(self, steps: Dict[int, Callable[[], Any]]) -> None:
        super().__init__()
        self._steps = steps

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._steps.pop(len(self.waits), lambda: None)()


def settle(harness: PerseusServer, id: str, status: str = "uploaded") -> Callable[[], None]:
    """Makes a record final."""
    return lambda: harness.site.backend.records.set_status(id, status)


@pytest.fixture
def pending(harness: PerseusServer) -> str:
    """The id of a record whose content has not come."""
    return harness.site.write("a.txt", b"a", status="pending")


def test_what_is_uploaded_is_not_waited_for(harness: PerseusServer, live: PerseusClient, clock: FakeClock) -> None:
    id = harness.site.write("a.txt", b"a")
    assert live.file.wait_for_file_upload(id).status == FileStatus.UPLOADED
    assert (clock.waits, harness.calls) == ([], ["find"])


def test_the_waits_grow_to_ten_seconds(harness: PerseusServer, pending: str) -> None:
    clock = Moving({11: settle(harness, pending)})
    file = harness.client(clock=clock).file.wait_for_file_upload(pending)
    assert (file.id, file.status) == (pending, FileStatus.UPLOADED)
    grown = [min(0.5 * 1.5**number, 10.0) for number in range(11)]
    assert clock.waits == pytest.approx(grown)
    assert harness.calls == ["find"] * 12


@pytest.mark.parametrize(("chance", "factor"), [(0.0, 0.75), (1.0, 1.25)])
def test_the_waits_are_of_uneven_length(harness: PerseusServer, pending: str, chance: float, factor: float) -> None:
    clock = FakeClock(chance=chance)
    with pytest.raises(WaitTimeout):
        harness.client(clock=clock).file.wait_for_file_upload(pending, 2.0, 3.0)
    assert clock.waits[0] == pytest.approx(2.0 * factor)
    assert sum(clock.waits) == pytest.approx(3.0)


class TestMany:
    def test_one_question_for_those_that_are_open(self, harness: PerseusServer) -> None:
        ids = [harness.site.write(f"{n}", b"%d" % n, status="pending") for n in range(3)]
        clock = Moving({n + 1: settle(harness, id) for n, id in enumerate(reversed(ids))})
        files = harness.client(clock=clock).file.wait_for_file_uploads([*ids, ids[0]])
        assert [file.id for file in files] == [*ids, ids[0]]
        assert {file.status for file in files} == {FileStatus.UPLOADED}
        assert harness.calls == ["find"] * 4

    def test_one_fails(self, harness: PerseusServer, live: PerseusClient, pending: str) -> None:
        bad = harness.site.write("bad.txt", b"bad", status="failed")
        with pytest.raises(UploadFailed, match="bad") as raised:
            live.file.wait_for_file_uploads([pending, bad])
        assert raised.value.file.id == bad

    def test_some_are_late(self, harness: PerseusServer, live: PerseusClient, pending: str) -> None:
        good = harness.site.write("good.txt", b"good")
        with pytest.raises(WaitTimeout) as raised:
            live.file.wait_for_file_uploads([good, pending], timeout=1)
        assert {file.id: file.status for file in raised.value.last} == {
            good: FileStatus.UPLOADED,
            pending: FileStatus.PENDING,
        }


def test_ids_from_a_generator(harness: PerseusServer, live: PerseusClient) -> None:
    """Fails if a generator is read twice: the second time it yields nothing."""
    ids = [harness.site.write(name, name.encode()) for name in ("a", "b")]
    assert [file.id for file in live.file.wait_for_file_uploads(id for id in ids)] == ids  # type: ignore[arg-type]
