"""Progress events are correct and not concurrent; a cancel ends a call soon and damages nothing."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from smartxfer import RetryPolicy
from smartxfer.errors import Cancelled
from smartxfer.transfer import ProgressEvent
from tests.support.stopwatch import Stopwatch

QUICK = RetryPolicy(backoff=0)
Make = Callable[[str, int], Path]


class Watch:
    """A callback that records its events, and calls that overlap."""

    def __init__(self) -> None:
        self.events: List[ProgressEvent] = []
        self.overlapped = False
        self._busy = threading.Lock()
        self._met = threading.Event()

    def __call__(self, event: ProgressEvent) -> None:
        if not self._busy.acquire(blocking=False):
            self.overlapped = True
            self._met.set()
            return
        self.events.append(event)
        self._met.wait(0.01)  # long enough for another to come in between, were it let in
        self._busy.release()

    def of(self, name: str) -> List[ProgressEvent]:
        return [event for event in self.events if event.name == name]


def transfer(service: Any, client: Any, way: str, path: Path, out: Path, **options: Any) -> Callable[[], Any]:
    """Return a call that sends the file, or that fetches it once it is there."""
    if way == "up":
        return lambda: service.upload(client, [path], **options)
    handle = service.upload(client, [path])
    return lambda: service.download(client, handle, out, **options)


def test_every_file_is_reported_from_queued_to_done(service: Any, make: Make, out: Path) -> None:
    paths = [make(f"{number}.bin", number * service.chunk) for number in range(8)]
    sizes: Dict[str, int] = {service.shown(path.name): path.stat().st_size for path in paths}
    up, down = Watch(), Watch()
    with service.client() as client:
        handle = service.upload_folder(client, paths[0].parent, progress=up)
        service.download(client, handle, out, progress=down)
    for watch in (up, down):
        assert not watch.overlapped
        assert {event.name for event in watch.events} == set(sizes)
        for name, size in sizes.items():
            events = watch.of(name)
            assert (events[0].state, events[0].done) == ("queued", 0)
            assert (events[-1].state, events[-1].done, events[-1].total) == ("done", size, size)
            assert [event.done for event in events] == sorted(event.done for event in events)


@pytest.mark.parametrize("way", ["up", "down"])
def test_it_steps_back_only_where_something_is_tried_again(
    service: Any, make: Make, out: Path, way: str
) -> None:
    path = make("reads.fastq", 6 * service.chunk)
    watch = Watch()
    match = service.part_request if way == "up" else service.bytes_request
    effect = "reset-after 100K" if way == "up" else "reset-after-sent 100K"
    with service.client(retry=QUICK) as client:
        move = transfer(service, client, way, path, out, progress=watch)
        after = getattr(service, "proofs", 0) if way == "down" else 0
        service.server.fault(service.name, match, effect, times=2, after=after)
        move()
    size = path.stat().st_size
    assert all(0 <= event.done <= size for event in watch.events)
    assert "retrying" in [event.state for event in watch.events]
    # Each step back comes just before or after an event that reports a retry.
    steps = [
        number
        for number in range(1, len(watch.events))
        if watch.events[number].done < watch.events[number - 1].done
    ]
    retries = sum(event.state == "retrying" for event in watch.events)
    assert len(steps) <= retries
    assert (watch.events[-1].state, watch.events[-1].done) == ("done", size)


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_cancel_ends_a_dead_line_within_two_seconds(service: Any, make: Make, out: Path, way: str) -> None:
    path = make("reads.fastq", 4 * service.chunk)
    before = set(threading.enumerate())
    cancel = threading.Event()
    watches: List[Stopwatch] = []
    match = service.part_request if way == "up" else service.bytes_request
    with service.client() as client:
        move = transfer(service, client, way, path, out, cancel=cancel)
        fault = service.server.fault(service.name, match, "stall", times=1)

        def stop() -> None:
            assert fault.wait(30)
            watches.append(Stopwatch())
            cancel.set()

        stopper = threading.Thread(target=stop)
        stopper.start()
        with pytest.raises(Cancelled):
            move()
        stopper.join()
        assert watches[0].seconds() < 2
        # No thread of ours is left; those of the server are called otherwise.
        ours = [thread for thread in set(threading.enumerate()) - before if "smartxfer" in thread.name]
        assert ours == []

        # The same client still works.
        cancel.clear()
        move()
        if way == "up":
            service.download(client, service.upload(client, [path]), out)
    assert (out / "reads.fastq").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_cancel_that_is_set_already_sends_nothing(service: Any, make: Make, out: Path, way: str) -> None:
    path = make("reads.fastq", 4 * service.chunk)
    cancel = threading.Event()
    with service.client() as client:
        move = transfer(service, client, way, path, out, cancel=cancel)
        cancel.set()
        service.site.listener.clear_log()
        with pytest.raises(Cancelled):
            move()
    assert service.site.count(service.part_request) == 0
    assert not (out / "reads.fastq").exists()


def test_a_callback_that_raises_ends_a_download_and_is_chained(service: Any, out: Path) -> None:
    class Enough(Exception):
        pass

    calls = []

    def refuse(event: ProgressEvent) -> None:
        calls.append(event)
        if event.done:
            raise Enough("stop here")

    data = os.urandom(8 * service.chunk)
    handle = service.plant({"reads.fastq": data})
    with service.client() as client:
        with pytest.raises(Cancelled) as caught:
            service.download(client, handle, out, progress=refuse)
        assert isinstance(caught.value.__cause__, Enough)
        assert sum(1 for event in calls if event.done) == 1
        assert not (out / "reads.fastq").exists()
        service.download(client, handle, out)
    assert (out / "reads.fastq").read_bytes() == data
