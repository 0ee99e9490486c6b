"""Read totals by day: sums of a list by figure, and of several campaigns at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from newsletter.models import DailyFigure
from newsletter.statistics_vocabulary import Figure

Sums = dict[Figure, Counter[str]]


def sum_of_list(session: Session, list_id: int, first: str, last: str) -> Sums:
    """Sum the figures of a list by name over a range of days, without states."""
    query = select(DailyFigure.figure, DailyFigure.name, func.sum(DailyFigure.count)).where(
        *_list_clauses(list_id), DailyFigure.day.between(first, last)
    )
    sums: Sums = {figure: Counter() for figure in Figure}
    for figure, name, count in session.execute(
        query.group_by(DailyFigure.figure, DailyFigure.name)
    ):
        if not figure.is_state:
            sums[figure][name] = int(count)
    return sums


def sum_by_day(
    session: Session, list_id: int, figures: Collection[Figure], first: str
) -> dict[Figure, Counter[str]]:
    """Sum figures of a list by day, from a first day on."""
    query = (
        select(DailyFigure.figure, DailyFigure.day, func.sum(DailyFigure.count))
        .where(*_list_clauses(list_id), DailyFigure.day >= first, DailyFigure.figure.in_(figures))
        .group_by(DailyFigure.figure, DailyFigure.day)
    )
    sums: Sums = {figure: Counter() for figure in figures}
    for figure, day, count in session.execute(query):
        sums[figure][day] = int(count)
    return sums


def read_states(
    session: Session, list_id: int, figure: Figure, last: str
) -> tuple[str, Counter[str]]:
    """Read a state's latest counts up to the day `last`; return the day and the counts."""
    of_figure = (*_list_clauses(list_id), DailyFigure.figure == figure)
    day: str | None = session.scalar(
        select(func.max(DailyFigure.day)).where(*of_figure, DailyFigure.day <= last)
    )
    if day is None:
        return "", Counter()
    rows = session.execute(
        select(DailyFigure.name, DailyFigure.count).where(*of_figure, DailyFigure.day == day)
    )
    return day, Counter({name: int(count) for name, count in rows})


def find_first_day(session: Session, list_id: int) -> str:
    """Return the first day for which a list has totals, or ""."""
    day: str | None = session.scalar(
        select(func.min(DailyFigure.day)).where(*_list_clauses(list_id))
    )
    return day or ""


def sum_of_campaigns(
    session: Session, campaigns: Collection[tuple[int, int]], figures: Collection[Figure]
) -> dict[int, Counter[Figure]]:
    """Sum figures of campaigns, given as (list id, campaign id), one counter for each."""
    sums: dict[int, Counter[Figure]] = {campaign_id: Counter() for _, campaign_id in campaigns}
    query = (
        select(DailyFigure.campaign_id, DailyFigure.figure, func.sum(DailyFigure.count))
        .where(
            DailyFigure.list_id.in_({list_id for list_id, _ in campaigns}),
            DailyFigure.campaign_id.in_(sums),
            DailyFigure.figure.in_(figures),
        )
        .group_by(DailyFigure.campaign_id, DailyFigure.figure)
    )
    for campaign_id, figure, count in session.execute(query):
        sums[campaign_id][figure] = int(count)
    return sums


def read_of_campaign(
    session: Session, list_id: int, campaign_id: int, figure: Figure
) -> list[tuple[str, str, int]]:
    """Read a figure of a campaign as (day, name, count), oldest day first."""
    query = (
        select(DailyFigure.day, DailyFigure.name, DailyFigure.count)
        .where(
            DailyFigure.list_id == list_id,
            DailyFigure.campaign_id == campaign_id,
            DailyFigure.figure == figure,
        )
        .order_by(DailyFigure.day, DailyFigure.name)
    )
    return [(day, name, int(count)) for day, name, count in session.execute(query)]


def _list_clauses(list_id: int) -> tuple[ColumnElement[bool], ...]:
    return DailyFigure.list_id == list_id, DailyFigure.campaign_id == 0
