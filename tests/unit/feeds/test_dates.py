"""Dates as feeds write them: read right, or not at all (E04)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.feeds.dates import read_date

NOON = "2024-03-04T12:00:00+00:00"
MORNING = "2024-03-04T09:00:00+00:00"
DAY = "2024-03-04T00:00:00+00:00"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1709553600", NOON),
        ("1709553600000", NOON),
        ("@1709553600.25", NOON),
        ("20240304", DAY),
        ("20240304T120000Z", NOON),
        ("20240304120000", NOON),
        ("2024-03-04T12:00:00Z", NOON),
        ("2024-03-04 12:00:00 UTC", NOON),
        ("2024-03-04t10:00:00-02", NOON),
        ("2024-03-04T13:00:00.123456+01:00", "2024-03-04T12:00:00+00:00"),
        ("2024-03-03T24:00:00Z", DAY),
        ("2024-W10-1", DAY),
        ("2024-064", DAY),
        ("2024-3-4", DAY),
        ("2024/03/04 12:00", NOON),
        ("Mon, 04 Mar 2024 12:00:00 GMT", NOON),
        ("Mon,04 Mar 24 12:00 Z", NOON),
        ("Sun, 03 Mar 2024 24:00:00 GMT", DAY),
        ("Mon, 04 Mar 2024 10:00:00 CET", MORNING),
        ("Mon, 04 Mar 2024 10:00:00 +01:00", MORNING),
        ("Mon, 04 Mar 2024 10:00:00 UTC+1", MORNING),
        ("Mon, 04 Mar 2024 10:00:00 Europe/Berlin", MORNING),
        ("Mon, 04 Mar 2024 04:00:00 EST", MORNING),
        ("Mon, 04 Mar 2024 12:00:00 XYZ", NOON),
        ("Mon Mar  4 12:00:00 2024", NOON),
        ("Mon Mar 04 2024 12:00:00 GMT+0000 (Coordinated Universal Time)", NOON),
        ("March 4, 2024", DAY),
        ("Mar 4, 2024 12:00 PM", NOON),
        ("Monday 4th of March 2024 9:00 am", MORNING),
        ("Mo, 04 Mär 2024 10:00:00 +0100", MORNING),
        ("Montag, 4. März 2024", DAY),
        ("4. März 2024, 12:00", NOON),
        ("lun., 04 mars 2024 10:00:00 +0100", MORNING),
        ("mar. 04 mars 2024", DAY),
        ("4 de marzo de 2024", DAY),
        ("lunedì 4 marzo 2024", DAY),
        ("4 de março de 2024", DAY),
        ("poniedziałek, 4 marca 2024", DAY),
        ("4 марта 2024", DAY),
        ("Δευ, 04 Μαρ 2024 12:00:00 +0000", NOON),
        ("2024년 3월 4일", DAY),
        ("2024年03月04日 12:00", NOON),
        ("04.03.2024", DAY),
        ("4.3.2024 12:00", NOON),
        ("13/03/2024", "2024-03-13T00:00:00+00:00"),
        ("3/13/2024 5:06:07 PM", "2024-03-13T17:06:07+00:00"),
        ("2024-12-31T23:59:60Z", "2025-01-01T00:00:00+00:00"),
        ("4. marts 2024", DAY),
        ("4. maart 2024", DAY),
        ("4 березня 2024", DAY),
        ("4 Mart 2024", DAY),
        ("1er août 2024", "2024-08-01T00:00:00+00:00"),
        ("Mon, 04 Mar 99 10:00:00 GMT", "1999-03-04T10:00:00+00:00"),
    ],
)
def test_e04_dates_as_blogs_write_them(text: str, expected: str) -> None:
    date = read_date(text)
    assert date is not None
    assert date.replace(microsecond=0).isoformat() == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "5 hours ago",
        "03/04/2024",
        "3/4/24",
        "24-03-04",
        "0000-00-00 00:00:00",
        "1970-01-01T00:00:00Z",
        "Mon, 31 Feb 2024 10:00:00 GMT",
        "2024-13-45",
        "Mon, 04 Mar 2024 25:00:00 GMT",
        "Mon, 04 Mar 2024 10:61 GMT",
        "-62135596800",
        "63871234567",
        "9999-12-31T23:59:59Z",
        "4 Jui 2024",
        "4 Blah 2024",
        None,
        7,
    ],
)
def test_e04_what_names_no_day_or_two_is_no_date(text: object) -> None:
    assert read_date(text) is None


@given(st.text(alphabet=st.sampled_from("0123456789 :-+/.TZWtpamMar年月\0é"), max_size=40))
def test_e04_no_text_crashes_it(text: str) -> None:
    read_date(text)
