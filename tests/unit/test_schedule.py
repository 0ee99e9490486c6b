"""When: once per period, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.schedule import (
    SCHEDULED,
    Schedule,
    find_latest_period,
    find_next_period,
    plan_next_poll,
    plan_next_try,
)
from newsletter.vocabulary import Cadence

OSLO = ZoneInfo("Europe/Oslo")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cadence", "now", "key", "due"),
    [
        ("daily", "2026-11-24T06:59", "2026-11-23", "2026-11-23T07:00"),
        ("daily", "2026-11-24T07:00", "2026-11-24", "2026-11-24T07:00"),
        ("weekly", "2026-11-24T12:00", "2026-W48", "2026-11-23T07:00"),
        ("weekly", "2027-01-02T12:00", "2026-W53", "2026-12-28T07:00"),
        ("monthly", "2026-11-24T12:00", "2026-11", "2026-11-01T07:00"),
    ],
)
def test_the_latest_period_of_each_cadence(cadence: Cadence, now: str, key: str, due: str) -> None:
    period = find_latest_period(cadence, Schedule(OSLO, hour=8), utc(now))
    assert (period.key, period.due_at) == (key, utc(due))


def test_cadences_stand_from_often_to_seldom() -> None:
    """Offers of fewer mails, and the figures `slower` and `faster`, rest on their order."""
    numbers = [count_digests(cadence) for cadence in Cadence if cadence.scheduled]
    assert numbers == sorted(set(numbers), reverse=True)
    assert [cadence.scheduled for cadence in Cadence] == [False, *[True] * len(numbers)]


def count_digests(cadence: Cadence) -> int:
    """Count the digests of four years, each of which has a key of its own."""
    keys = []
    now = utc("2026-01-01T00:00")
    while now < utc("2030-01-01T00:00"):
        period = find_next_period(cadence, Schedule(OSLO), now)
        keys.append(period.key)
        now = period.due_at
    assert len(set(keys)) == len(keys)
    return len(keys)


def test_the_31st_is_the_last_of_the_month() -> None:
    schedule = Schedule(OSLO, hour=8, monthday=31)
    assert find_latest_period("monthly", schedule, utc("2027-02-28T12:00")).key == "2027-02"
    assert find_next_period("monthly", schedule, utc("2027-02-28T12:00")).due_at == utc(
        "2027-03-31T06:00"
    )


@pytest.mark.parametrize(("start", "days"), [("2027-03-26T00:00", 5), ("2026-10-23T00:00", 5)])
def test_r07_one_digest_a_day_when_the_clocks_change(start: str, days: int) -> None:
    """02:00 does not exist on 2027-03-28 in Oslo, and comes twice on 2026-10-25."""
    schedule = Schedule(OSLO, hour=2)
    now = utc(start)
    keys = []
    for _ in range(days * 24 * 4):
        now += timedelta(minutes=15)
        keys.append(find_latest_period("daily", schedule, now).key)
    days_seen = sorted(set(keys))
    first, last = (datetime.fromisoformat(day) for day in (days_seen[0], days_seen[-1]))
    assert len(days_seen) == (last - first).days + 1 >= days, "every day has its digest"
    assert keys == sorted(keys), "and none comes back"


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)),
    st.sampled_from(SCHEDULED),
    st.integers(0, 23),
)
def test_latest_and_next_meet(naive: datetime, cadence: Cadence, hour: int) -> None:
    schedule = Schedule(OSLO, hour=hour, weekday=3, monthday=31)
    now = naive.replace(tzinfo=UTC)
    latest = find_latest_period(cadence, schedule, now)
    following = find_next_period(cadence, schedule, now)
    assert latest.due_at <= now < following.due_at
    assert latest.key != following.key
    assert find_latest_period(cadence, schedule, following.due_at) == following


def test_polling_backs_off_to_a_day() -> None:
    now = utc("2026-11-24T12:00")
    waits = [
        plan_next_poll(now, failures=failures, max_age=None, retry_after=None, jitter=0) - now
        for failures in range(12)
    ]
    assert waits[0] == timedelta(minutes=15)
    assert waits[1] == timedelta(minutes=30)
    assert waits[-1] == timedelta(days=1)
    assert plan_next_poll(
        now, failures=0, max_age=7200, retry_after=None, jitter=0
    ) - now == timedelta(hours=2)
    assert plan_next_poll(
        now, failures=1, max_age=None, retry_after=10**9, jitter=0
    ) - now == timedelta(days=1)


def test_retries_wait_longer_each_time_and_never_less_than_they_should() -> None:
    now = utc("2026-11-24T12:00")
    waits = (timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1))
    waited = [plan_next_try(now, attempts=n, waits=waits, jitter=0.5) - now for n in range(1, 6)]
    assert waited == [*waits, timedelta(hours=1), timedelta(hours=1)]
    assert plan_next_try(now, attempts=1, waits=waits, jitter=0) - now == timedelta(seconds=48)
    assert plan_next_try(now, attempts=1, waits=waits, jitter=1) - now == timedelta(seconds=72)
