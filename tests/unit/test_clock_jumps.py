"""A clock that is set back or forward stops no work."""

from __future__ import annotations

import threading

import pytest

from newsletter.clock_jumps import watch_clock


@pytest.mark.parametrize(("jump", "noticed"), [(-7200.0, True), (259_200.0, True), (3.0, False)])
def test_a_jump_is_noticed_once_and_steering_is_not(jump: float, *, noticed: bool) -> None:
    stopping = threading.Event()
    looks = [0.0, 1.0, 2.0, 3.0 + jump, 4.0 + jump, 5.0 + jump]
    steady = iter(float(second) for second in range(len(looks) + 1))
    wall = iter(looks)
    planned = []

    def read_wall() -> float:
        moment = next(wall, None)
        if moment is None:
            stopping.set()
            return looks[-1] + 1.0
        return moment

    thread = watch_clock(
        lambda: planned.append(1),
        stopping,
        wall=read_wall,
        steady=lambda: next(steady),
        look_seconds=0.001,
    )
    thread.join(10)
    assert len(planned) == int(noticed)
