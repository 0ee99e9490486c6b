"""Measure what `serve` costs while nothing is due: five feeds that were just read, no mail."""

from __future__ import annotations

import time
from pathlib import Path

from bench import signup

SETTLE_SECONDS = 60
"""Seconds after the start in which everything is looked at once."""


def measure_idle(seconds: float, url: str = "") -> tuple[float, float]:
    """Return the share of a core that an idle `serve` takes, in percent, and its resident MB."""
    with signup.serving("serve", url) as (_, pid):
        time.sleep(SETTLE_SECONDS)
        before = signup.cpu(pid)
        time.sleep(seconds)
        share = (signup.cpu(pid) - before) / seconds * 100
        return share, _read_resident(pid)


def _read_resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6
