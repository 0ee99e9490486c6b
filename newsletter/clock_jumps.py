"""Detect changes of the system clock and sleep of the machine, and reschedule all jobs.

A scheduler that waits for 09:00 does nothing for two hours when the clock goes back from 09:00 to
07:00, though a minute has passed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger("newsletter.worker")

LOOK_SECONDS = 5.0
"""Seconds between two comparisons of the clocks."""
JUMP_SECONDS = 10.0
"""Difference of the clocks in seconds that counts as a jump; NTP corrects by less."""


def watch_clock(
    plan_anew: Callable[[], object],
    stopping: threading.Event,
    *,
    wall: Callable[[], float] = time.time,
    steady: Callable[[], float] = time.monotonic,
    look_seconds: float = LOOK_SECONDS,
) -> threading.Thread:
    """Call `plan_anew` after each jump of the clock `wall` against `steady`, until `stopping`."""

    def watch() -> None:
        difference = wall() - steady()
        while not stopping.wait(look_seconds):
            jump = wall() - steady() - difference
            if abs(jump) >= JUMP_SECONDS:
                difference += jump
                log.warning("the clock jumped by %+.0f s: all work is looked at anew", jump)
                plan_anew()

    thread = threading.Thread(target=watch, name="clock", daemon=True)
    thread.start()
    return thread
