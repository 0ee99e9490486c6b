"""When things happen: which digest period is due, when a feed is polled next, when a refused
message is tried again.

Pure: `now` and randomness are arguments, nothing sleeps and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from newsletter.vocabulary import Cadence

CADENCES = tuple(Cadence)
"""Every cadence, from the fastest to the slowest."""
SCHEDULED = tuple(cadence for cadence in Cadence if cadence.scheduled)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

POLL_EVERY = timedelta(minutes=15)
POLL_AT_MOST = timedelta(days=1)


def zone_of(name: str) -> ZoneInfo:
    """A time zone; UTC where the machine does not know it any more (`doctor` says so)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Schedule:
    """A list's hour.

    `hour` 0–23 local, `weekday` 0–6 from Monday, `monthday` 1–31 (a month's last day at most).
    """

    zone: ZoneInfo
    hour: int = 8
    weekday: int = 0
    monthday: int = 1


@dataclass(frozen=True, slots=True)
class Period:
    """What one digest stands for: `key` names it, `due_at` is the moment it goes out (UTC)."""

    cadence: Cadence
    key: str
    due_at: datetime


def latest_period(cadence: Cadence, schedule: Schedule, now: datetime) -> Period:
    """The last period of `cadence` whose moment is not after `now`."""
    day = now.astimezone(schedule.zone).date()
    while (found := _period(cadence, schedule, day)) is None or found.due_at > now:
        day -= timedelta(days=1)
    return found


def next_period(cadence: Cadence, schedule: Schedule, now: datetime) -> Period:
    """The first period of `cadence` whose moment is after `now`."""
    day = now.astimezone(schedule.zone).date() - timedelta(days=1)
    while (found := _period(cadence, schedule, day)) is None or found.due_at <= now:
        day += timedelta(days=1)
    return found


def _period(cadence: Cadence, schedule: Schedule, day: date) -> Period | None:
    """The period whose moment lies on `day`, if one does."""
    if cadence == "daily":
        key = day.isoformat()
    elif cadence == "weekly" and day.weekday() == schedule.weekday:
        year, week, _ = day.isocalendar()
        key = f"{year}-W{week:02}"
    elif cadence == "monthly" and day.day == min(schedule.monthday, _last_day(day)):
        key = f"{day.year}-{day.month:02}"
    else:
        return None
    return Period(cadence, key, _moment(day, schedule))


def _moment(day: date, schedule: Schedule) -> datetime:
    """`hour` on `day` as UTC: one moment a day, whatever the clocks do.

    An hour that does not exist (spring) means the same distance after midnight, an hour later on
    the clock; one that comes twice (autumn) means the first (PEP 495, fold=0).
    """
    return datetime.combine(day, time(schedule.hour), schedule.zone).astimezone(UTC)


def _last_day(day: date) -> int:
    following = day.replace(day=28) + timedelta(days=4)
    return (following - timedelta(days=following.day)).day


def next_poll(
    now: datetime, *, failures: int, max_age: int | None, retry_after: int | None, jitter: float
) -> datetime:
    """When to ask a feed again.

    Every 15 minutes, or as seldom as its `max_age` (seconds) asks; doubled for each of its
    `failures` in a row; never before `retry_after` (seconds); a day at most. `jitter` in 0–1
    spreads it by up to a tenth.
    """
    wait = max(POLL_EVERY, timedelta(seconds=min(max_age or 0, 86_400)))
    wait = min(wait * (1 << min(failures, 10)), POLL_AT_MOST)
    if retry_after:
        wait = max(wait, min(timedelta(seconds=retry_after), POLL_AT_MOST))
    return now + wait * (1 + jitter / 10)


def next_try(
    now: datetime, *, attempts: int, waits: Sequence[timedelta], jitter: float
) -> datetime:
    """When a message that was refused for now is tried again after `attempts` tries:
    `waits[attempts - 1]`, or the last of them (RFC 5321 §4.5.4.1), ±20 % by `jitter` in 0–1.
    """
    wait = waits[min(attempts, len(waits)) - 1]
    return now + wait * (0.8 + 0.4 * jitter)


@dataclass(frozen=True, slots=True)
class SeriesStep:
    """A letter of a series, as far as its moment goes: it is due `after` the series began for a
    reader, and owed to whoever's moment for it comes once it is there (`since`). A `removed` one is
    owed to nobody.
    """

    id: int
    after: timedelta
    since: datetime
    removed: bool = False


def next_of_series(
    steps: Sequence[SeriesStep], *, begun: datetime, taken: Mapping[int, datetime]
) -> tuple[int, datetime] | None:
    """Which letter of a series a reader gets next, and when; None where there is none for him.

    `taken` says which letters he has had, and when. Nothing that stands before one of them comes
    any more, so that a changed series restarts nobody; and where something was late, what follows
    keeps its distance.
    """
    ordered = sorted(steps, key=lambda step: (step.after, step.id))
    had = [number for number, step in enumerate(ordered) if step.id in taken]
    last = ordered[had[-1]] if had else None
    for step in ordered[had[-1] + 1 if had else 0 :]:
        due = begun + step.after
        if step.removed or due < step.since:
            continue
        return step.id, max(due, taken[last.id] + (step.after - last.after)) if last else due
    return None
