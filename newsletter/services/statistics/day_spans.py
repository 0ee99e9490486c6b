"""Divide a range of days into columns of a plot: days, weeks or months. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

COLUMNS_AT_MOST = 62
"""The most columns of a plot: two months of days, a year of weeks, else months."""


@dataclass(frozen=True, slots=True)
class DaySpan:
    """Days from `first` to `last`, both included."""

    first: date
    last: date


def divide_days(first: date, last: date) -> tuple[DaySpan, ...]:
    """Divide the days from `first` to `last`: by day, else by week from Monday, else by month."""
    days = (last - first).days + 1
    if days <= COLUMNS_AT_MOST:
        step = _end_of_day
    elif days <= COLUMNS_AT_MOST * 7:
        step = _end_of_week
    else:
        step = _end_of_month
    spans = []
    begin = first
    while begin <= last:
        end = min(step(begin), last)
        spans.append(DaySpan(begin, end))
        begin = end + timedelta(days=1)
    return tuple(spans)


def _end_of_day(day: date) -> date:
    return day


def _end_of_week(day: date) -> date:
    return day + timedelta(days=6 - day.weekday())


def _end_of_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
