"""Count what happens in this process until a worker stores it (services/operations/metrics.py).

services/operations/metrics.py records them. Labels are of closed sets: no address, list or subject
is ever one.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter

BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds, in seconds, of the classes of durations."""
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
"""The large mailbox providers by their domains; every other domain is `other`."""


def classify_domain(domain: str) -> str:
    """Return the class of a recipient's domain, so that no small domain can be told apart."""
    return DOMAIN_CLASSES.get(domain.lower(), "other")


class Tally:
    """Numbers of this process since they were last taken. Any thread may count."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, name: str, *labels: str, by: int = 1) -> None:
        """Count `by` more of `name` with its labels."""
        with self._lock:
            self._counts["/".join((name, *labels))] += by

    def observe(self, name: str, seconds: float) -> None:
        """Count a duration in its class, and add it to the sum in milliseconds."""
        bucket = _BUCKET_NAMES[bisect_left(BUCKETS, seconds)]
        with self._lock:
            self._counts[f"{name}/{bucket}"] += 1
            self._counts[f"{name}/ms"] += round(seconds * 1000)

    def take(self) -> dict[str, int]:
        """Return the numbers and begin anew."""
        with self._lock:
            counts = dict(self._counts)
            self._counts.clear()
        return counts

    def put_back(self, counts: dict[str, int]) -> None:
        """Add numbers again that could not be written down."""
        with self._lock:
            self._counts.update(counts)


class Throttled:
    """Says at most once in so many seconds that something is due."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = -seconds

    def is_due(self) -> bool:
        """Tell whether it is time again, and begin to wait anew if it is."""
        now = time.monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True
