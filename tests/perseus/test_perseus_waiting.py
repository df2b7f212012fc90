"""Waiting for records: the polling intervals and the statuses that end a wait."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

import pytest

from smartxfer import RetryPolicy
from smartxfer.errors import AuthError, NotFound, UploadFailed, WaitTimeout
from smartxfer.perseus import File, FileStatus, PerseusClient
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


def test_too_long(harness: PerseusServer, live: PerseusClient, clock: FakeClock, pending: str) -> None:
    with pytest.raises(WaitTimeout, match=r"'a\.txt' is not uploaded after 7 s") as raised:
        live.file.wait_for_file_upload(pending, timeout=7)
    assert (raised.value.last.id, raised.value.last.status) == (pending, FileStatus.PENDING)
    assert not isinstance(raised.value, OSError)
    assert sum(clock.waits) == pytest.approx(7.0)


def test_one_look_is_taken_however_short_the_time(
    harness: PerseusServer, live: PerseusClient, clock: FakeClock, pending: str
) -> None:
    with pytest.raises(WaitTimeout):
        live.file.wait_for_file_upload(pending, timeout=0)
    assert (clock.waits, harness.calls) == ([], ["find"])
    harness.site.backend.records.set_status(pending, "uploaded")
    assert live.file.wait_for_file_upload(pending, timeout=0).id == pending


def test_failed(harness: PerseusServer, pending: str) -> None:
    clock = Moving({2: settle(harness, pending, "failed")})
    with pytest.raises(UploadFailed, match=r"a\.txt") as raised:
        harness.client(clock=clock).file.wait_for_file_upload(pending)
    assert (raised.value.file.id, raised.value.file.status) == (pending, FileStatus.FAILED)
    assert len(clock.waits) == 2


def test_gone(harness: PerseusServer, pending: str) -> None:
    clock = Moving({1: lambda: harness.site.backend.delete(pending)})
    with pytest.raises(NotFound, match=pending):
        harness.client(clock=clock).file.wait_for_file_upload(pending)


def test_answers_that_fail_are_waited_out(harness: PerseusServer, pending: str) -> None:
    clock = Moving({3: settle(harness, pending)})
    client = harness.client(clock=clock, retry=RetryPolicy(attempts=1, backoff=0))
    harness.fault("POST /api/v0/file/find", "status 503", times=1)
    harness.fault("POST /api/v0/file/find", "reset-before", times=1, after=1)
    assert client.file.wait_for_file_upload(pending).status == FileStatus.UPLOADED
    assert len(clock.waits) == 3


def test_answers_that_fail_to_the_end(harness: PerseusServer, clock: FakeClock, pending: str) -> None:
    client = harness.client(clock=clock, retry=RetryPolicy(attempts=1, backoff=0))
    harness.fault("POST /api/v0/file/find", "status 503", times=None)
    with pytest.raises(WaitTimeout) as raised:
        client.file.wait_for_file_upload(pending, timeout=2)
    assert "503" in str(raised.value.__cause__)


def test_a_refusal_is_not_waited_out(harness: PerseusServer, clock: FakeClock, pending: str) -> None:
    with pytest.raises(AuthError):
        harness.client(clock=clock, api_key="sk-wrong").file.wait_for_file_upload(pending)
    assert clock.waits == []


def test_a_word_that_is_not_known_is_not_final(harness: PerseusServer, pending: str) -> None:
    clock = Moving({1: settle(harness, pending, "scanning"), 3: settle(harness, pending)})
    seen: List[File] = []
    client = harness.client(clock=clock)
    file = client.file.wait_for_file_upload(pending, progress=seen.append)
    assert file.status == FileStatus.UPLOADED
    assert [one.status for one in seen] == ["pending", "scanning", "scanning", "uploaded"]
    assert not seen[1].status.final


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
