"""FairLock are taken in the order in which threads asked for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from newsletter.db.fair_lock import FairLock
from tests.waiting import PATIENCE


def thread(work: Callable[[], None]) -> threading.Thread:
    result = threading.Thread(target=work)
    result.start()
    return result


def waits(turns: FairLock, number: int) -> None:
    """Until so many threads wait."""
    until = time.monotonic() + PATIENCE
    while len(turns._waiting) < number:
        assert time.monotonic() < until
        time.sleep(0.001)


def test_first_come_first_served() -> None:
    turns = FairLock()
    order = list[int]()

    def work(number: int) -> None:
        with turns.hold(10):
            order.append(number)

    threads = []
    with turns.hold(10):
        for number in range(5):
            threads.append(thread(lambda number=number: work(number)))
            waits(turns, number + 1)
    with turns.hold(10):
        assert order == list(range(5)), "whoever lets go does not come before those who wait"
    for started in threads:
        started.join()


def test_who_has_waited_too_long_gives_up_and_blocks_nobody() -> None:
    turns = FairLock()
    gave_up = threading.Event()
    done = threading.Event()

    def impatient() -> None:
        with pytest.raises(TimeoutError), turns.hold(0.05):
            raise AssertionError
        gave_up.set()

    def patient() -> None:
        with turns.hold(10):
            done.set()

    with turns.hold(10):
        threads = [thread(impatient)]
        waits(turns, 1)
        threads.append(thread(patient))
        assert gave_up.wait(10)
        assert not done.is_set()
    assert done.wait(10)
    for started in threads:
        started.join()


def test_a_turn_within_a_turn_is_a_mistake_and_no_deadlock() -> None:
    turns = FairLock()
    with turns.hold(10), pytest.raises(RuntimeError), turns.hold(10):
        raise AssertionError
    with turns.hold(0.1):
        pass


def test_an_error_lets_go() -> None:
    turns = FairLock()
    with pytest.raises(ValueError, match="x"), turns.hold(10):
        raise ValueError("x")
    with turns.hold(0.1):
        pass
