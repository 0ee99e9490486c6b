"""Measure sending beside its targets: both databases, both sinks, 1, 4 and 16 connections.

A target is a ratio to smtp-source on the same sink in the same run.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from bench import sinks

COUNT = 10_000
Run = dict[str, float]

RATES = {
    ("smtp-sink", "PostgreSQL"): {1: 1.6, 4: 1.35, 16: 1.35},
    ("smtp-sink", "SQLite"): {1: 2.0, 4: 1.6, 16: 1.5},
    ("fast sink", "PostgreSQL"): {},
    ("fast sink", "SQLite"): {1: 2.0, 4: 1.5, 16: 1.3},
}
"""Messages a second, at least so many times those of smtp-source."""
CPU = {("smtp-sink", 16): 0.8, ("fast sink", 16): 0.7}
"""CPU a message of the sending process on SQLite, at most so many times that of smtp-source."""
SINKS: dict[str, Callable[[], AbstractContextManager[int]]] = {
    "smtp-sink": sinks.smtp_sink,
    "fast sink": sinks.fast_sink,
}


def measure_commit() -> float:
    """Return how many milliseconds this disk takes to keep a small write."""
    with tempfile.NamedTemporaryFile() as file:
        times = []
        for _ in range(50):
            began = time.perf_counter()
            file.write(b"x" * 8192)
            file.flush()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def print_targets(
    source: Callable[[int, int, int], Run],
    engine: Callable[[str | None, int, int, int], Run],
    postgresql: str,
    rounds: int,
) -> None:
    """Print what was measured beside what it should be; `source` and `engine` send so many."""
    print(f"\nA commit takes {measure_commit():.2f} ms on this disk; load {os.getloadavg()[0]:.1f}")
    print("\n| sink | database | connections | msg/s | ratio (target) | CPU ratio (target) |")
    print("|---|---|---:|---:|---:|---:|")
    for sink, open_sink in SINKS.items():
        for connections in (1, 4, 16):
            with open_sink() as port:
                runs = list(_rounds(source, engine, postgresql, rounds, port, connections))
            for place, database in ((1, "SQLite"), (2, "PostgreSQL")):
                base = [row[0] for row in runs]
                ours = [row[place] for row in runs]
                rate = _rate(ours) / _rate(base)
                cpu = _cpu(ours) / _cpu(base)
                print(
                    f"| {sink} | {database} | {connections} | {_rate(ours):,.0f} |"
                    f" {rate:.2f}{_beside(RATES[sink, database].get(connections), '≥')} |"
                    f" {cpu:.2f}"
                    f"{_beside(CPU.get((sink, connections)) if place == 1 else None, '≤')} |"
                )


def _rounds(
    source: Callable[[int, int, int], Run],
    engine: Callable[[str | None, int, int, int], Run],
    postgresql: str,
    rounds: int,
    port: int,
    connections: int,
) -> Iterator[tuple[Run, Run, Run]]:
    for _ in range(rounds):
        yield (
            source(port, connections, COUNT),
            engine(None, port, connections, COUNT),
            engine(postgresql, port, connections, COUNT),
        )


def _rate(runs: list[Run]) -> float:
    return statistics.median(run["messages"] / run["seconds"] for run in runs)


def _cpu(runs: list[Run]) -> float:
    return statistics.median(run["cpu_us"] for run in runs)


def _beside(target: float | None, sign: str) -> str:
    return f" ({sign} {target})" if target else ""
