"""Count metrics in memory until they are stored (services/operations/metrics.py).

services/operations/metrics.py records them. Labels are of closed sets: no address, list or subject
is ever one.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter

BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the histograms of durations, in seconds."""
_BUCKET_NAMES = (*map(str, BUCKETS), "inf")

DOMAIN_CLASSES = {
    "gmail.com": "google",
    "googlemail.com": "google",
    "outlook.com": "microsoft",
    "hotmail.com": "microsoft",
    "live.com": "microsoft",
    "msn.com": "microsoft",
    "yahoo.com": "yahoo",
    "aol.com": "yahoo",
    "icloud.com": "apple",
    "me.com": "apple",
    "mac.com": "apple",
}
"""The large mailbox providers by domain; every other domain is `other`."""


def classify_domain(domain: str) -> str:
    """Return the class of a recipient's domain, which hides small domains."""
    return DOMAIN_CLASSES.get(domain.lower(), "other")


class Tally:
    """Thread-safe counters of this process since they were last taken."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, name: str, *labels: str, by: int = 1) -> None:
        """Add `by` to the counter `name` with its labels."""
        with self._lock:
            self._counts["/".join((name, *labels))] += by

    def observe(self, name: str, seconds: float) -> None:
        """Add a duration to a histogram."""
        bucket = _BUCKET_NAMES[bisect_left(BUCKETS, seconds)]
        with self._lock:
            self._counts[f"{name}/{bucket}"] += 1
            self._counts[f"{name}/ms"] += round(seconds * 1000)

    def take(self) -> dict[str, int]:
        """Return the counters and reset them."""
        with self._lock:
            counts = dict(self._counts)
            self._counts.clear()
        return counts

    def put_back(self, counts: dict[str, int]) -> None:
        """Add back counters that could not be stored."""
        with self._lock:
            self._counts.update(counts)


class Throttled:
    """A timer that is due at most once in a number of seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = -seconds

    def is_due(self) -> bool:
        """Tell whether the interval is over, and restart it if so."""
        now = time.monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True
