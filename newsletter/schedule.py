"""Compute due times: digest periods, polls of feeds, retries of messages, letters of series.

Pure: `now` and randomness are arguments, nothing sleeps and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from newsletter.vocabulary import Cadence

CADENCES = tuple(Cadence)
"""Every cadence, from the fastest to the slowest."""
SCHEDULED = tuple(cadence for cadence in Cadence if cadence.scheduled)
"""The cadences whose digests go out at a list's hour."""
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

POLL_EVERY = timedelta(minutes=15)
"""The wait between two polls of a feed that answers."""
POLL_AT_MOST = timedelta(days=1)
"""The longest wait between two polls of a feed, however often it failed."""


def get_zone(name: str) -> ZoneInfo:
    """Return the time zone with a name, UTC if this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Schedule:
    """The local time at which a list's digests go out.

    `hour` 0–23 local, `weekday` 0–6 from Monday, `monthday` 1–31 (a month's last day at most).
    """

    zone: ZoneInfo
    hour: int = 8
    weekday: int = 0
    monthday: int = 1


@dataclass(frozen=True, slots=True)
class Period:
    """The period of one digest, named by `key`, which goes out at `due_at` (UTC)."""

    cadence: Cadence
    key: str
    due_at: datetime


def find_latest_period(cadence: Cadence, schedule: Schedule, now: datetime) -> Period:
    """Return the last period of `cadence` that is due at `now` or before."""
    day = now.astimezone(schedule.zone).date()
    while (period := _find_period(cadence, schedule, day)) is None or period.due_at > now:
        day -= timedelta(days=1)
    return period


def find_next_period(cadence: Cadence, schedule: Schedule, now: datetime) -> Period:
    """Return the first period of `cadence` that is due after `now`."""
    day = now.astimezone(schedule.zone).date() - timedelta(days=1)
    while (period := _find_period(cadence, schedule, day)) is None or period.due_at <= now:
        day += timedelta(days=1)
    return period


def _find_period(cadence: Cadence, schedule: Schedule, day: date) -> Period | None:
    """Return the period that goes out on `day`, or None."""
    match cadence:
        case Cadence.DAILY:
            key = day.isoformat()
        case Cadence.WEEKLY:
            year, week, weekday = day.isocalendar()
            key = f"{year}-W{week:02}" if weekday - 1 == schedule.weekday else ""
        case Cadence.MONTHLY:
            is_day = day.day == min(schedule.monthday, _find_last_day(day))
            key = f"{day.year}-{day.month:02}" if is_day else ""
        case Cadence.INSTANT:
            key = ""
        case _:
            assert_never(cadence)
    return Period(cadence, key, _compute_moment(day, schedule)) if key else None


def _compute_moment(day: date, schedule: Schedule) -> datetime:
    """Return the list's hour on `day` in UTC, once a day also when the clocks change.

    An hour that does not exist (spring) means the same distance after midnight, an hour later on
    the clock; one that comes twice (autumn) means the first (PEP 495, fold=0).
    """
    return datetime.combine(day, time(schedule.hour), schedule.zone).astimezone(UTC)


def _find_last_day(day: date) -> int:
    following = day.replace(day=28) + timedelta(days=4)
    return (following - timedelta(days=following.day)).day


def plan_next_poll(
    now: datetime, *, failures: int, max_age: int | None, retry_after: int | None, jitter: float
) -> datetime:
    """Return the time of a feed's next poll.

    Every 15 minutes, or as seldom as its `max_age` (seconds) asks; doubled for each of its
    `failures` in a row; never before `retry_after` (seconds); a day at most. `jitter` in 0–1
    spreads it by up to a tenth.
    """
    wait = max(POLL_EVERY, timedelta(seconds=min(max_age or 0, 86_400)))
    wait = min(wait * (1 << min(failures, 10)), POLL_AT_MOST)
    if retry_after:
        wait = max(wait, min(timedelta(seconds=retry_after), POLL_AT_MOST))
    return now + wait * (1 + jitter / 10)


def plan_next_try(
    now: datetime, *, attempts: int, waits: Sequence[timedelta], jitter: float
) -> datetime:
    """Return the time of a refused message's next try, after `attempts` tries.

    The wait is `waits[attempts - 1]`, or the last of them (RFC 5321 section 4.5.4.1), ±20 % by
    `jitter` in 0–1.
    """
    wait = waits[min(attempts, len(waits)) - 1]
    return now + wait * (0.8 + 0.4 * jitter)


@dataclass(frozen=True, slots=True)
class SeriesStep:
    """The place of a letter in a series.

    It is due `after` the series began for a subscriber, and owed to those whose moment for it is
    not before `since`, when it was added. A `removed` letter is owed to nobody.
    """

    id: int
    after: timedelta
    since: datetime
    removed: bool = False


def find_next_of_series(
    steps: Sequence[SeriesStep], *, begun: datetime, received: Mapping[int, datetime]
) -> tuple[int, datetime] | None:
    """Return a subscriber's next letter of a series with its due time, or None.

    `received` maps the ids of the letters they have had to the moments. Letters that stand before
    one of those are left out, so that a changed series restarts for nobody. After a letter that was
    late, the next one keeps its distance.
    """
    ordered = sorted(steps, key=lambda step: (step.after, step.id))
    had = [number for number, step in enumerate(ordered) if step.id in received]
    last = ordered[had[-1]] if had else None
    for step in ordered[had[-1] + 1 if had else 0 :]:
        due = begun + step.after
        if step.removed or due < step.since:
            continue
        return step.id, max(due, received[last.id] + (step.after - last.after)) if last else due
    return None
