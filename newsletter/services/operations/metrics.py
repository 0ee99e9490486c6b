"""Export metrics for Prometheus: gauges from the database, counters of all processes.

Each process writes its tally down once a minute (`write_tally`), so that pages and workers in
different processes are seen together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.errors import DatabaseError
from newsletter.files import list_side_files
from newsletter.models import Counter, Feed
from newsletter.outbox.depth import QueueDepth
from newsletter.services import counters, installation, sender_state, workers
from newsletter.services.runtime import Environment
from newsletter.services.sightings import write_sightings
from newsletter.services.tally import BUCKETS
from newsletter.vocabulary import QueueState

PREFIX = "metrics/"
COUNTERS = {
    "polls": ("Feeds that were polled.", ("outcome",)),
    "messages": ("Messages by what became of them.", ("outcome", "domain")),
    "signups": ("Sign-up forms that were sent in.", ("outcome",)),
    "bounces": ("Reports of returned mail and complaints.", ("kind",)),
    "logins": ("Log-ins of authors.", ("outcome",)),
    "campaigns": ("Campaigns that were composed or started.", ("kind",)),
}
"""The counters, each with its help text and label names."""
DURATION = "smtp_seconds"
MESSAGES = "Messages that wait, by state."
OLDEST = "Seconds since the oldest message in this state was queued."


def write_tally(env: Environment) -> None:
    """Add this process's counters to the stored ones; keep them for the next try if that fails."""
    write_sightings(env.sightings)
    counts = env.tally.take()
    if not counts:
        return
    try:
        with transaction(announced=False) as session:
            for name, by in sorted(counts.items()):
                counters.add_count(session, f"{PREFIX}{name}", by, now=0, seconds=1)
    except DatabaseError:
        env.tally.put_back(counts)
        raise


def write_exposition(env: Environment) -> bytes:
    """Return every metric in the text format of Prometheus."""
    from prometheus_client import CollectorRegistry, generate_latest

    class Collector:
        def collect(self) -> Iterator[Any]:
            return _collect_all(env)

    registry = CollectorRegistry()
    registry.register(Collector())
    return generate_latest(registry)


def _collect_all(env: Environment) -> Iterator[Any]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    with reading() as session:
        totals = _read_totals(session)
        gauges = list(_read_gauges(env, session))
        depths = outbox.read_depths(session, env.now)
    for name, (text_, labels) in COUNTERS.items():
        family = CounterMetricFamily(f"newsletter_{name}", text_, labels=labels)
        for key, count in totals.items():
            kind, *values = key.split("/")
            if kind == name and len(values) == len(labels):
                family.add_metric(values, count)
        yield family
    yield _make_histogram(totals)
    for name, text_, value in gauges:
        yield GaugeMetricFamily(f"newsletter_{name}", text_, value=value)
    yield from _describe_queue(depths, env.now)


def _describe_queue(depths: Mapping[QueueState, QueueDepth], now: datetime) -> Iterator[Any]:
    """Yield the metrics of the queue: waiting messages by state, and the age of the oldest."""
    from prometheus_client.core import GaugeMetricFamily

    messages = GaugeMetricFamily("newsletter_queue_messages", MESSAGES, labels=("state",))
    seconds = GaugeMetricFamily("newsletter_queue_oldest_seconds", OLDEST, labels=("state",))
    for state, depth in depths.items():
        age = (now - depth.since).total_seconds() if depth.since else 0.0
        messages.add_metric((state.value,), depth.messages)
        seconds.add_metric((state.value,), max(age, 0.0))
    yield messages
    yield seconds


def _make_histogram(totals: dict[str, int]) -> Any:
    from prometheus_client.core import HistogramMetricFamily

    buckets = []
    running = 0
    for bound in (*map(str, BUCKETS), "inf"):
        running += totals.get(f"{DURATION}/{bound}", 0)
        buckets.append(("+Inf" if bound == "inf" else bound, running))
    return HistogramMetricFamily(
        f"newsletter_{DURATION}",
        "Seconds from handing a message to a connection to the server's answer.",
        buckets=buckets,
        sum_value=totals.get(f"{DURATION}/ms", 0) / 1000,
    )


def _read_totals(session: Session) -> dict[str, int]:
    rows = session.execute(
        select(Counter.name, func.sum(Counter.count))
        .where(Counter.name.startswith(PREFIX), Counter.starts_at == 0)
        .group_by(Counter.name)
    )
    return {name.removeprefix(PREFIX): int(count) for name, count in rows}


def _read_gauges(env: Environment, session: Session) -> Iterator[tuple[str, str, float]]:
    now = env.now
    oldest = outbox.find_next_due(session)
    age = max((now - oldest).total_seconds(), 0.0) if oldest else 0.0
    ticked = workers.find_last_tick()
    failing = session.scalar(select(func.count()).where(Feed.error != "")) or 0
    yield "queue_oldest_due_seconds", "For how long the oldest message has been due.", age
    yield "mail_held", "1 while mail is held after a restore.", installation.is_held(session)
    states = sender_state.read_states(session, now)
    yield "sending_rests", "1 while sending rests.", any(state.stops for state in states)
    yield "feeds_failing", "Feeds that could not be read when they were last asked.", failing
    silent = (now - ticked).total_seconds() if ticked else float("inf")
    yield "worker_age_seconds", "Seconds since a worker last ticked.", silent
    yield "database_bytes", "Size of the database.", _measure_database(env, session)


def _measure_database(env: Environment, session: Session) -> int:
    url = make_url(env.settings.database_url)
    if url.get_backend_name() != "sqlite":
        return int(session.scalar(text("SELECT pg_database_size(current_database())")) or 0)
    file = Path(str(url.database))
    return sum(part.stat().st_size for part in (file, *list_side_files(file)) if part.exists())
