"""Files on their way to Perseus and to the storage behind it: F01 to F07, F12, F13, F17, F18."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from smartxfer.errors import (
    DecodeError,
    NetworkError,
    OutcomeUnknown,
    Stalled,
    StorageError,
    StuckPending,
    UploadFailed,
)
from smartxfer.local import LocalServer
from smartxfer.perseus import PerseusClient
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import noise, waits
from tests.support.perseus_harness import CREATE, DATA, DELETE, FIND, MIB, PUT, Polling, Stage, again
from tests.support.raw_server import refused_port
from tests.support.stopwatch import Stopwatch
from tests.support.timeouts import patient

KEY = "sk-of-this-module"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("server")) as stage:
        yield stage


@pytest.fixture
def stage(server: Stage, tmp_path: Path) -> Iterator[Stage]:
    with again(server, tmp_path) as stage:
        yield stage


# -- F01: no connection -------------------------------------------------------------------------------------


def test_f01_refused_then_up(tmp_path: Path, log: Any) -> None:
    """Broken by an error at the first refusal, though nothing of the request was sent."""
    with refused_port() as port:
        pass
    servers: List[LocalServer] = []

    def start() -> None:
        servers.append(
            LocalServer(
                tmp_path / "data", services=["perseus"], perseus={"port": port, "api_key": KEY}
            ).start()
        )

    clock = Polling(wait2=start)
    clock.chance = 1.0
    try:
        with PerseusClient(f"http://127.0.0.1:{port}", api_key=KEY, clock=clock) as client:
            file = client.file.upload_file(("a.bin", DATA))
        assert servers[0].perseus.content(file.id) == DATA
    finally:
        for server in servers:
            server.stop()
    assert clock.waits == [0.5, 1.0]
    assert len(waits(log.records)) == 2


def test_f01_refused_for_good() -> None:
    clock = Polling()
    with refused_port() as port:
        with PerseusClient(f"http://127.0.0.1:{port}", api_key=KEY, clock=clock) as client:
            with pytest.raises(NetworkError, match=f"http://127.0.0.1:{port}"):
                client.file.upload_file(("a.bin", DATA))
    assert len(clock.waits) == 5


def test_f01_the_storage_is_not_there(stage: Stage) -> None:
    """Broken by a record that stays pending: nobody could send this content any more."""
    with refused_port() as port:
        stage.answer(CREATE, _made(f"http://127.0.0.1:{port}/x?X-Amz-Signature=s"))
        with pytest.raises(NetworkError, match=f"PUT http://127.0.0.1:{port}/x"):
            stage.client().file.upload_file(("a.bin", DATA))
    assert stage.count(DELETE) == 1, "what was made for it is deleted"


def _made(url: str) -> bytes:
    return b'{"file": {"id": "f1", "name": "a.bin", "status": "pending"}, "uploadUrl": "%s"}' % url.encode()


# -- F02, F03: resets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("match", [FIND, CREATE, PUT], ids=["find", "create", "put"])
@pytest.mark.parametrize("times", [1, 2])
def test_f02_reset_before_anything(stage: Stage, match: str, times: int) -> None:
    """A POST whose answer is lost is repeated after a look, not blindly."""
    fault = stage.fault(match, "reset-before", times=times)
    file = stage.client().file.upload_file(stage.file(DATA), wait=True)
    assert (fault.fired, file.status, file.reused) == (times, "uploaded", False)
    assert stage.held() == {"a.bin": DATA}
    assert len(stage.site.records()) == 1
    if match == CREATE:
        assert stage.count(FIND) >= 1 + times, "looked before every repeat"


def test_f02_always_reset(stage: Stage) -> None:
    """Broken by tries without end, by an error that shows the signature, or by a record that stays."""
    fault = stage.fault(PUT, "reset-before", times=None)
    with pytest.raises(NetworkError, match=f"PUT {stage.site.storage_url}/perseus-files/file/") as caught:
        stage.client().file.upload_file(stage.file(DATA))
    assert "X-Amz" not in str(caught.value)
    assert fault.fired == 6
    assert stage.site.records() == []


def test_f02_always_reset_before_the_record(stage: Stage) -> None:
    fault = stage.fault(CREATE, "reset-before", times=None)
    with pytest.raises(OutcomeUnknown, match="may exist"):
        stage.client().file.upload_file(stage.file(DATA))
    assert 1 <= fault.fired <= 6
    assert (stage.count(PUT), stage.site.records()) == (0, [])


@pytest.mark.parametrize("effect", ["reset-after 1", "reset-after 256K", f"reset-after {len(DATA)}"])
def test_f03_reset_in_mid_upload(stage: Stage, effect: str) -> None:
    """Broken by a second try that begins where the first one ended."""
    fault = stage.fault(PUT, effect, times=2)
    seen: List[Any] = []
    file = stage.client().file.upload_file(stage.file(DATA), progress=seen.append)
    assert stage.held() == {"a.bin": DATA}
    assert file.result is not None
    assert (fault.fired, file.result.retries, stage.count(PUT, 200)) == (2, 2, 1)
    assert (stage.count(CREATE), len(stage.site.records())) == (1, 1)
    steps = [event.done for event in seen]
    assert max(steps) == steps[-1] == len(DATA), "no more than all of it, ever"


# -- F04 to F07: answers that are not whole -----------------------------------------------------------------


@pytest.mark.parametrize("match", [FIND, CREATE], ids=["find", "create"])
@pytest.mark.parametrize("effect", ["reset-after-sent 1", "reset-after-sent 8"])
def test_f04_reset_in_mid_answer(stage: Stage, match: str, effect: str) -> None:
    fault = stage.fault(match, effect)
    stage.client().file.upload_file(("a.bin", DATA))
    assert (fault.fired, stage.held()) == (1, {"a.bin": DATA})
    assert len(stage.site.records()) == 1


@pytest.mark.parametrize("match", [FIND, CREATE], ids=["find", "create"])
def test_f05_half_an_answer(stage: Stage, match: str) -> None:
    """Broken by half an answer that is read as a whole one."""
    fault = stage.fault(match, "truncate 8")
    stage.client().file.upload_file(("a.bin", DATA))
    assert (fault.fired, stage.held()) == (1, {"a.bin": DATA})
    assert len(stage.site.records()) == 1


@pytest.mark.parametrize("match", [FIND, CREATE], ids=["find", "create"])
@pytest.mark.parametrize("effect", ["no-length chunked truncate 8", "no-length close truncate 8"])
def test_f06_half_an_answer_without_a_length(stage: Stage, match: str, effect: str) -> None:
    """Where nothing but the JSON tells that it ended early it is an error of ours; the next call puts it right."""
    fault = stage.fault(match, effect)
    client = stage.client()
    if "close" in effect:
        with pytest.raises(DecodeError):
            client.file.upload_file(("a.bin", DATA))
    file = client.file.upload_file(("a.bin", DATA), repair=True, grace=0.0)
    assert (fault.fired, stage.held(), file.reused) == (1, {"a.bin": DATA}, False)
    assert len(stage.site.records()) == 1


@pytest.mark.parametrize("match", [FIND, CREATE], ids=["find", "create"])
def test_f07_a_byte_too_many(stage: Stage, match: str) -> None:
    """Broken by an answer that is taken although there is more of it than JSON."""
    fault = stage.fault(match, "extra-byte")
    with pytest.raises(DecodeError):
        stage.client().file.upload_file(("a.bin", DATA))
    assert (fault.fired, stage.count(PUT)) == (1, 0)


# -- F12: an answer that is lost ----------------------------------------------------------------------------


@pytest.mark.parametrize("match", [FIND, CREATE, PUT], ids=["find", "create", "put"])
@pytest.mark.parametrize("effect", ["lose-answer", "no-answer", "status 502", "status 504"])
@pytest.mark.parametrize("size", [0, 1000])
def test_f12_a_lost_answer(stage: Stage, match: str, effect: str, size: int) -> None:
    """Broken by a second record, or by one that is left without its content."""
    fault = stage.fault(match, effect)
    client = stage.client(timeout=patient(0.3) if effect == "no-answer" else 10.0)
    file = client.file.upload_file(("a.bin", DATA[:size]), wait=True)
    assert (fault.fired, file.status, file.reused) == (1, "uploaded", False)
    assert [record["id"] for record in stage.site.records()] == [file.id]
    assert stage.site.content(file.id) == DATA[:size]


@pytest.mark.parametrize("effect", ["reset-before", "status 503 retry-after=0"])
def test_f12_the_look_fails_too(stage: Stage, effect: str) -> None:
    """Broken by a failed look that counts as an answer."""
    lost = stage.fault(CREATE, "lose-answer")
    fault = stage.fault(FIND, effect, times=2, after=1)
    file = stage.client().file.upload_file(("a.bin", DATA))
    assert (lost.fired, fault.fired) == (1, 2)
    assert [record["id"] for record in stage.site.records()] == [file.id]
    assert stage.site.content(file.id) == DATA


@pytest.mark.parametrize("effect", ["lose-answer", "status 502", "reset-before"])
def test_f12_create_file_says_that_it_may_exist(stage: Stage, effect: str) -> None:
    stage.fault(CREATE, effect)
    with pytest.raises(OutcomeUnknown, match="may exist"):
        stage.client().file.create_file("a.bin", hashlib.sha256(DATA).hexdigest())
    assert stage.count(CREATE) == 1
    assert len(stage.site.records()) == (effect == "lose-answer")


@pytest.mark.parametrize("effect", ["lose-answer", "reset-before", "status 504"])
def test_f12_a_file_is_deleted_once(stage: Stage, effect: str) -> None:
    """Broken by the 404 of a repeat."""
    id = stage.site.write("a.bin", DATA)
    stage.fault(DELETE, effect)
    stage.client().file.delete_file(id)
    assert stage.site.records() == []


def test_f12_somebody_elses_pending_record_is_not_deleted(stage: Stage) -> None:
    """Broken by an upload that takes away the record into which another one is sending."""
    id = stage.site.write("theirs.bin", DATA, status="pending")
    clock = Polling()
    with pytest.raises(StuckPending) as caught:
        stage.client(clock=clock).file.upload_file(("a.bin", DATA), grace=5.0)
    assert (caught.value.file.id, stage.count(DELETE), stage.count(CREATE)) == (id, 0, 0)
    assert sum(clock.waits) == pytest.approx(5.0)
    file = stage.client(clock=clock).file.upload_file(("a.bin", DATA), repair=True)
    assert stage.site.records()[0]["id"] == file.id != id
    assert stage.held() == {"a.bin": DATA}


# -- F13: other bytes arrive --------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, len(DATA) - 1])
def test_f13_a_bit_flips_on_the_way(stage: Stage, at: int) -> None:
    """Broken by a success that was none, or by a failed record that nobody can replace."""
    fault = stage.fault(PUT, f"flip-in {at}")
    client = stage.client()
    with pytest.raises(UploadFailed, match=r"a\.bin") as caught:
        client.file.upload_file(stage.file(DATA), wait=True)
    assert (fault.fired, caught.value.file.status, stage.statuses()) == (1, "failed", ["failed"])
    file = client.file.upload_file(stage.file(DATA), wait=True)
    assert (file.status, file.reused, stage.held()) == ("uploaded", False, {"a.bin": DATA})
    assert len(stage.site.records()) == 1


def test_f13_the_storage_sees_it(stage: Stage) -> None:
    """A digest that the storage refuses is sent again; once it always refuses, the error says its word."""
    fault = stage.fault(PUT, "status 400 body=json:BadDigest", times=2)
    file = stage.client().file.upload_file(("a.bin", DATA))
    assert (fault.fired, stage.site.content(file.id)) == (2, DATA)


# -- F17: what others do meanwhile --------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["reset-after 1M", "status 503 retry-after=0"])
def test_f17_the_record_is_deleted_in_mid_upload(stage: Stage, effect: str) -> None:
    """Broken by tries without end, or by a success without a record."""
    client = stage.client()
    gone: List[str] = []

    def progress(event: Any) -> None:
        if event.state == "retrying" and not gone:
            gone.extend(record["id"] for record in stage.site.records())
            client.file.delete_file(gone[0])

    stage.fault(PUT, effect)
    with pytest.raises(StorageError, match="NoSuchKey") as caught:
        client.file.upload_file(stage.file(DATA), progress=progress)
    assert (len(gone), caught.value.code, stage.site.records()) == (1, "NoSuchKey", [])
    assert stage.count(PUT) == 2
    client.file.upload_file(stage.file(DATA))
    assert stage.held() == {"a.bin": DATA}


def test_f17_somebody_else_was_faster(stage: Stage) -> None:
    """Between our question and our record somebody sends the same content: 409, and theirs is taken."""
    ids: List[str] = []

    def progress(event: Any) -> None:
        if not ids:
            ids.append(stage.site.write("theirs.bin", DATA))

    stage.answer(FIND, b'{"files": []}')
    file = stage.client().file.upload_file(("a.bin", DATA), progress=progress)
    assert (file.id, file.reused, stage.count(CREATE, 409), stage.count(PUT)) == (ids[0], True, 1, 0)


# -- F18: slowness ------------------------------------------------------------------------------------------


def test_f18_a_stalled_upload_is_ended(stage: Stage) -> None:
    """Broken by a body that hides its attempt: then only the time-out of the socket would end it."""
    data = noise(8 * MIB)
    fault = stage.fault(PUT, "stall-after 64K")
    policy = RetryPolicy(backoff=0, stall_window=0.4)
    watch = Stopwatch()
    file = stage.client(retry=policy, timeout=30.0).file.upload_file(("a.bin", data))
    assert file.result is not None
    assert (fault.fired, file.result.retries, stage.site.content(file.id)) == (1, 1, data)
    assert watch.seconds() < 6


def test_f18_stalled_for_good(stage: Stage) -> None:
    stage.fault(PUT, "stall-after 64K", times=2)
    policy = RetryPolicy(backoff=0, attempts=2, stall_window=0.3)
    with pytest.raises(Stalled, match="less than 1024 bytes/s"):
        stage.client(retry=policy, timeout=30.0).file.upload_file(("a.bin", noise(8 * MIB)))
    assert stage.site.records() == []


def test_f18_an_answer_in_drops(stage: Stage) -> None:
    """Each byte comes in time, the answer never: broken by a guard that watches what is sent alone."""
    stage.fault(FIND, "drip 1/0.2")
    policy = RetryPolicy(backoff=0, stall_window=0.3)
    watch = Stopwatch()
    file = stage.client(retry=policy, timeout=30.0).file.upload_file(("a.bin", b"1"))
    assert watch.seconds() < 6
    assert stage.site.content(file.id) == b"1"
