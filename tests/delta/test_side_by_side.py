"""Parts in threads: ordered results, a limit of concurrent parts, and an end at the first failure."""

from __future__ import annotations

import threading
from typing import Any, Callable, List

import pytest

from smartxfer.delta.worker_threads import run_in_threads, with_abort_check
from smartxfer.errors import Cancelled

WAIT = 30


def test_results_come_in_order_whichever_is_first() -> None:
    last = threading.Event()

    def part(number: int) -> Callable[[Any], int]:
        def work(check: Any) -> int:
            if number == 2:
                last.set()
            assert last.wait(WAIT)  # 0 and 1 end after 2
            return number

        return work

    taken: List[int] = []
    run_in_threads(map(part, range(10)), 3, taken.append)
    assert taken == list(range(10))


def test_a_slow_part_does_not_let_results_pile_up() -> None:
    made: List[int] = []
    full, free = threading.Event(), threading.Event()

    def part(number: int) -> Callable[[Any], int]:
        made.append(number)
        if len(made) == 4:
            full.set()

        def work(check: Any) -> int:
            if number == 0:
                assert full.wait(WAIT)
                assert others.wait(WAIT)
                assert made == [0, 1, 2, 3]  # of two threads
                free.set()
            elif number == 3:
                others.set()
            return number

        return work

    others = threading.Event()
    taken: List[int] = []
    run_in_threads(map(part, range(20)), 2, taken.append)
    assert free.is_set()
    assert taken == list(range(20))


def test_none_at_all() -> None:
    run_in_threads([], 2, lambda result: pytest.fail("there is nothing to take"))


@pytest.mark.parametrize("where", ["part", "take"])
def test_the_first_failure_ends_the_others_at_their_next_read(where: str) -> None:
    ended: List[BaseException] = []
    begun = threading.Event()

    def endless(check: Callable[[], None]) -> int:
        begun.set()
        read = with_abort_check(check, len)
        try:
            while read(memoryview(b"1")):
                pass
        except BaseException as error:
            ended.append(error)
            raise
        return 0

    def other(check: Callable[[], None]) -> int:
        assert begun.wait(WAIT)
        if where == "part":
            raise ZeroDivisionError("mine")
        return 0

    def take(result: int) -> None:
        raise ZeroDivisionError("mine")

    parts = [endless, other] if where == "part" else [other, endless]
    with pytest.raises(ZeroDivisionError, match="mine"):
        run_in_threads(parts, 2, take)
    assert [type(error) for error in ended] == [Cancelled]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("smartxfer")]
