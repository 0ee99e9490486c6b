"""Moments as authors say them, in their own zone, and none by guessing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from newsletter.authoring.dates import parse_moment, parse_wait
from newsletter.errors import InvalidInput

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 15, 30, tzinfo=UTC)  # a Wednesday, 16:30 in Berlin


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("tomorrow 9:00", "2026-11-26 09:00"),
        ("Tomorrow at 9", "2026-11-26 09:00"),
        ("tomorrow", "2026-11-26 08:00"),
        ("today 18:00", "2026-11-25 18:00"),
        ("today 6pm", "2026-11-25 18:00"),
        ("friday 17:30", "2026-11-27 17:30"),
        ("fri 5:30 pm", "2026-11-27 17:30"),
        ("wed 17:00", "2026-11-25 17:00"),
        ("wednesday 9:00", "2026-12-02 09:00"),
        ("2026-12-01 09:00", "2026-12-01 09:00"),
        ("2026-12-01T09:00", "2026-12-01 09:00"),
        ("2026-12-01", "2026-12-01 08:00"),
        ("2026-12-01 9:00", "2026-12-01 09:00"),
        ("2026-12-01T09:00+00:00", "2026-12-01 10:00"),
        ("in 3 hours", "2026-11-25 19:30"),
        ("in 30 min", "2026-11-25 17:00"),
        ("in 2 days", "2026-11-27 16:30"),
        ("9:00 tomorrow", "2026-11-26 09:00"),
        ("tomorrow, 9.30", "2026-11-26 09:30"),
        ("tomorrow 9h", "2026-11-26 09:00"),
        ("tomorrow noon", "2026-11-26 12:00"),
        ("on friday", "2026-11-27 08:00"),
        ("in an hour", "2026-11-25 17:30"),
        ("2026-12-01 09:00 UTC", "2026-12-01 10:00"),
        ("2026-12-01 9:00 America/New_York", "2026-12-01 15:00"),
        ("tomorrow 9am Asia/Tokyo", "2026-11-27 01:00"),
        ("tomorrow Europe/Berlin", "2026-11-26 08:00"),
        ("2026-12-01T09:00Z", "2026-12-01 10:00"),
        ("tomorrow 12am", "2026-11-26 00:00"),
        ("2027-10-31 02:30", "2027-10-31 02:30"),
    ],
)
def test_what_is_said_is_what_is_meant(text: str, local: str) -> None:
    moment = parse_moment(text, zone=BERLIN, now=NOW, hour=8)
    assert f"{moment.astimezone(BERLIN):%Y-%m-%d %H:%M}" == local
    assert moment.tzinfo is UTC


def test_hours_that_pass_are_not_the_clocks() -> None:
    night = datetime(
        2027, 3, 28, 0, 30, tzinfo=UTC
    )  # half past one in Berlin; half an hour later it is three
    assert parse_moment("in 3 hours", zone=BERLIN, now=night, hour=8) == night + timedelta(hours=3)
    assert parse_moment("in 1 hour", zone=BERLIN, now=night, hour=8) == night + timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("soon", "is not a date or time"),
        ("", "is not a date or time"),
        ("25:00", "is not a date or time"),
        ("tomorrow 9:75", "is not a date or time"),
        ("9:00", "is not a date or time"),
        ("tomorrow 13pm", "is not a date or time"),
        ("2026-02-30 09:00", "is not a date or time"),
        ("m 9:00", "is not a date or time"),
        ("5", "is not a date or time"),
        ("today 9:00", "over already"),
        ("2020-01-01 09:00", "over already"),
        ("yesterday 9:00", "is not a date or time"),
        ("20261201", "is not a date or time"),
        ("2026-W50-1", "is not a date or time"),
        ("next friday 9:00", "is not a date or time"),
        ("midnight", "is not a date or time"),
        ("18:00", 'add the day: "today 18:00"'),
        ("1.12.2026 9:00", "write days like"),
        ("12/1/2026", "write days like"),
        ("dec 1 9:00", "write days like"),
        ("2026-12-01 09:00 Europe/Atlantis", "is not a time zone"),
        ("tomorrow 9:00 Etc/../../etc/passwd", "is not a date or time"),
        ("2026-12-01 09:00 CET", "is not a date or time"),
        ("٢٠٢٦-12-01", "is not a date or time"),
        ("x" * 5000, "is not a date or time"),
        ("in 0 minutes", "over already"),
        ("9999-12-31", "within 100 years"),
        ("in 9999 weeks", "within 100 years"),
        ("9999-12-31T23:59-14:00", "within 100 years"),
        ("0001-01-01T00:00+14:00", "within 100 years"),
        ("2027-03-28 02:30", "no such hour"),
        ("0001-01-01", "over already"),
    ],
)
def test_what_is_no_moment_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as refused:
        parse_moment(text, zone=BERLIN, now=NOW, hour=8)
    assert len(str(refused.value)) < 200


def test_lengths_of_time() -> None:
    assert [parse_wait(text) for text in ("0", "3d", "12h", "2 weeks", "45 min")] == [
        timedelta(0),
        timedelta(days=3),
        timedelta(hours=12),
        timedelta(weeks=2),
        timedelta(minutes=45),
    ]
    for text in ("", "3", "-1d", "3 moons", "1d2h"):
        with pytest.raises(InvalidInput):
            parse_wait(text)
