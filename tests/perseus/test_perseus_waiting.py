"""Waiting for records: how often is asked, what ends it, and what does not."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

import pytest

from smartxfer import RetryPolicy
from smartxfer.errors import AuthError, NotFound, UploadFailed, WaitTimeout
from smartxfer.perseus import File, FileStatus, PerseusClient
from tests.support.fake_clock import FakeClock
from tests.support.perseus_server import Stand


class Moving(FakeClock):
    """Does something after each wait, by the wait's number."""

    def __init__(self, steps: Dict[int, Callable[[], Any]]) -> None:
        super().__init__()
        self._steps = steps

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._steps.pop(len(self.waits), lambda: None)()


def settle(stand: Stand, id: str, status: str = "uploaded") -> Callable[[], None]:
    """Makes a record final."""
    return lambda: stand.site.backend.records.settle(id, status)


@pytest.fixture
def pending(stand: Stand) -> str:
    """The id of a record whose content has not come."""
    return stand.site.write("a.txt", b"a", status="pending")


def test_what_is_uploaded_is_not_waited_for(stand: Stand, live: PerseusClient, clock: FakeClock) -> None:
    id = stand.site.write("a.txt", b"a")
    assert live.file.wait_for_file_upload(id).status == FileStatus.UPLOADED
    assert (clock.waits, stand.calls) == ([], ["find"])


def test_the_waits_grow_to_ten_seconds(stand: Stand, pending: str) -> None:
    clock = Moving({11: settle(stand, pending)})
    file = stand.client(clock=clock).file.wait_for_file_upload(pending)
    assert (file.id, file.status) == (pending, FileStatus.UPLOADED)
    grown = [min(0.5 * 1.5**number, 10.0) for number in range(11)]
    assert clock.waits == pytest.approx(grown)
    assert stand.calls == ["find"] * 12


@pytest.mark.parametrize(("chance", "factor"), [(0.0, 0.75), (1.0, 1.25)])
def test_the_waits_are_of_uneven_length(stand: Stand, pending: str, chance: float, factor: float) -> None:
    clock = FakeClock(chance=chance)
    with pytest.raises(WaitTimeout):
        stand.client(clock=clock).file.wait_for_file_upload(pending, 2.0, 3.0)
    assert clock.waits[0] == pytest.approx(2.0 * factor)
    assert sum(clock.waits) == pytest.approx(3.0)


def test_too_long(stand: Stand, live: PerseusClient, clock: FakeClock, pending: str) -> None:
    with pytest.raises(WaitTimeout, match=r"'a\.txt' is not uploaded after 7 s") as raised:
        live.file.wait_for_file_upload(pending, timeout=7)
    assert (raised.value.last.id, raised.value.last.status) == (pending, FileStatus.PENDING)
    assert not isinstance(raised.value, OSError)
    assert sum(clock.waits) == pytest.approx(7.0)


def test_one_look_is_taken_however_short_the_time(
    stand: Stand, live: PerseusClient, clock: FakeClock, pending: str
) -> None:
    with pytest.raises(WaitTimeout):
        live.file.wait_for_file_upload(pending, timeout=0)
    assert (clock.waits, stand.calls) == ([], ["find"])
    stand.site.backend.records.settle(pending, "uploaded")
    assert live.file.wait_for_file_upload(pending, timeout=0).id == pending


def test_failed(stand: Stand, pending: str) -> None:
    clock = Moving({2: settle(stand, pending, "failed")})
    with pytest.raises(UploadFailed, match=r"a\.txt") as raised:
        stand.client(clock=clock).file.wait_for_file_upload(pending)
    assert (raised.value.file.id, raised.value.file.status) == (pending, FileStatus.FAILED)
    assert len(clock.waits) == 2


def test_gone(stand: Stand, pending: str) -> None:
    clock = Moving({1: lambda: stand.site.backend.delete(pending)})
    with pytest.raises(NotFound, match=pending):
        stand.client(clock=clock).file.wait_for_file_upload(pending)


def test_answers_that_fail_are_waited_out(stand: Stand, pending: str) -> None:
    clock = Moving({3: settle(stand, pending)})
    client = stand.client(clock=clock, retry=RetryPolicy(attempts=1, backoff=0))
    stand.fault("POST /api/v0/file/find", "status 503", times=1)
    stand.fault("POST /api/v0/file/find", "reset-before", times=1, after=1)
    assert client.file.wait_for_file_upload(pending).status == FileStatus.UPLOADED
    assert len(clock.waits) == 3


def test_answers_that_fail_to_the_end(stand: Stand, clock: FakeClock, pending: str) -> None:
    client = stand.client(clock=clock, retry=RetryPolicy(attempts=1, backoff=0))
    stand.fault("POST /api/v0/file/find", "status 503", times=None)
    with pytest.raises(WaitTimeout) as raised:
        client.file.wait_for_file_upload(pending, timeout=2)
    assert "503" in str(raised.value.__cause__)


def test_a_refusal_is_not_waited_out(stand: Stand, clock: FakeClock, pending: str) -> None:
    with pytest.raises(AuthError):
        stand.client(clock=clock, api_key="sk-wrong").file.wait_for_file_upload(pending)
    assert clock.waits == []


def test_a_word_that_is_not_known_is_not_final(stand: Stand, pending: str) -> None:
    clock = Moving({1: settle(stand, pending, "scanning"), 3: settle(stand, pending)})
    seen: List[File] = []
    client = stand.client(clock=clock)
    file = client.file.wait_for_file_upload(pending, progress=seen.append)
    assert file.status == FileStatus.UPLOADED
    assert [one.status for one in seen] == ["pending", "scanning", "scanning", "uploaded"]
    assert not seen[1].status.final


class TestMany:
    def test_one_question_for_those_that_are_open(self, stand: Stand) -> None:
        ids = [stand.site.write(f"{n}", b"%d" % n, status="pending") for n in range(3)]
        clock = Moving({n + 1: settle(stand, id) for n, id in enumerate(reversed(ids))})
        files = stand.client(clock=clock).file.wait_for_file_uploads([*ids, ids[0]])
        assert [file.id for file in files] == [*ids, ids[0]]
        assert {file.status for file in files} == {FileStatus.UPLOADED}
        assert stand.calls == ["find"] * 4

    def test_one_fails(self, stand: Stand, live: PerseusClient, pending: str) -> None:
        bad = stand.site.write("bad.txt", b"bad", status="failed")
        with pytest.raises(UploadFailed, match="bad") as raised:
            live.file.wait_for_file_uploads([pending, bad])
        assert raised.value.file.id == bad

    def test_some_are_late(self, stand: Stand, live: PerseusClient, pending: str) -> None:
        good = stand.site.write("good.txt", b"good")
        with pytest.raises(WaitTimeout) as raised:
            live.file.wait_for_file_uploads([good, pending], timeout=1)
        assert {file.id: file.status for file in raised.value.last} == {
            good: FileStatus.UPLOADED,
            pending: FileStatus.PENDING,
        }


def test_ids_from_a_generator(stand: Stand, live: PerseusClient) -> None:
    """Broken by a generator that is read twice: the second time it yields nothing."""
    ids = [stand.site.write(name, name.encode()) for name in ("a", "b")]
    assert [file.id for file in live.file.wait_for_file_uploads(id for id in ids)] == ids  # type: ignore[arg-type]
