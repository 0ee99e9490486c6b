"""Count events by day: write notes in the transaction that counts, add them to totals later.

A note is written in the transaction of what it counts, so that neither a crash nor a deletion
loses it; `fold` adds notes to the totals and deletes them in one transaction, so that none counts
twice. A note is only inserted: two sign-ups never wait for the same total.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy import Table, delete, func, insert, select, text
from sqlalchemy.orm import Session

from newsletter.db.prepared import Prepared
from newsletter.db.session import transaction
from newsletter.html.text import shorten_text
from newsletter.models import DailyFigure, FigureNote, MailingList
from newsletter.schedule import get_zone
from newsletter.statistics_vocabulary import Figure

QUARTER = 900
"""Seconds of a quarter of an hour, the smallest difference between time zones."""
NAME_AT_MOST = 120
NOTES_AT_ONCE = 2000
"""Notes that are added to the totals in one transaction."""
NAMES_A_DAY = 100
"""Different names from visitors (`BY_VISITORS`) that are counted separately on one day."""
OTHERS = "…"
"""The name that stands for all names beyond `NAMES_A_DAY`; a state leaves these out."""
BY_VISITORS = (Figure.ASKED_PAGE, Figure.CONFIRMED_PAGE, Figure.FEED_READERS)
"""Figures whose names come from visitors: pages of forms, fetchers of feeds."""

_notes = cast(Table, FigureNote.__table__)
_NOTED = Prepared(insert(_notes))
_ADDED = """
INSERT INTO daily_figures (list_id, campaign_id, day, figure, name, count)
VALUES (:list_id, :campaign_id, :day, :figure, :name, :count)
ON CONFLICT (list_id, campaign_id, day, figure, name) DO UPDATE SET count = {count}
"""
_ADD = text(_ADDED.format(count="daily_figures.count + :count"))
_REPLACE = text(_ADDED.format(count=":count"))


@dataclass(frozen=True, slots=True)
class Counted:
    """An increment of a figure of a list, or of one of its campaigns (`campaign_id`)."""

    list_id: int
    figure: Figure
    at: datetime
    name: str = ""
    count: int = 1
    campaign_id: int = 0


def note(session: Session, counted: Iterable[Counted]) -> None:
    """Write notes of figures, in the caller's transaction and in one statement."""
    sums: Counter[tuple[int, int, datetime, Figure, str]] = Counter()
    for row in counted:
        name = shorten_text(row.name, NAME_AT_MOST)
        sums[row.list_id, row.campaign_id, cut(row.at), row.figure, name] += row.count
    rows = [
        {
            "list_id": list_id,
            "campaign_id": campaign_id,
            "at": at,
            "figure": figure,
            "name": name,
            "count": count,
        }
        for (list_id, campaign_id, at, figure, name), count in sums.items()
    ]
    if rows:
        _NOTED.run_many(session, rows)


def cut(moment: datetime) -> datetime:
    """Round a moment down to its quarter of an hour."""
    seconds = moment.minute * 60 + moment.second
    return moment.replace(minute=seconds // QUARTER * (QUARTER // 60), second=0, microsecond=0)


def name_minutes(moment: datetime) -> str:
    """Return the ten-minute interval of a moment in UTC, like ``2026-11-29 08:1``."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"[:15]


def drop_removed(session: Session, rows: Sequence[Counted]) -> list[Counted]:
    """Return the notes without those of lists that have been removed since."""
    ids = {row.list_id for row in rows}
    present = set(session.scalars(select(MailingList.id).where(MailingList.id.in_(ids))))
    return [row for row in rows if row.list_id in present]


def fold(limit: int = NOTES_AT_ONCE) -> int:
    """Add up to `limit` notes to the totals, and return their number."""
    with transaction() as session:
        rows = session.execute(
            select(_notes).order_by(_notes.c.id).limit(limit).with_for_update(skip_locked=True)
        ).all()
        if rows:
            _add(session, rows)
            session.execute(delete(FigureNote).where(FigureNote.id.in_([row.id for row in rows])))
    return len(rows)


def replace_states(
    session: Session, list_id: int, now: datetime, sums: Mapping[Figure, Mapping[str, int]]
) -> None:
    """Store today's counts of a list's subscribers, replacing an earlier count of today."""
    day = now.astimezone(_read_zones(session, {list_id})[list_id]).date().isoformat()
    of_day = (DailyFigure.list_id == list_id, DailyFigure.campaign_id == 0, DailyFigure.day == day)
    session.execute(delete(DailyFigure).where(*of_day, DailyFigure.figure.in_(sums)))
    rows = [
        _to_row((list_id, 0, day, figure.value, name), count)
        for figure, counts in sums.items()
        for name, count in sorted(counts.items())
    ]
    if rows:
        session.connection().execute(_REPLACE, rows)


def _add(session: Session, rows: Sequence[Any]) -> None:
    zones = _read_zones(session, {row.list_id for row in rows})
    counts: Counter[tuple[int, int, str, str, str]] = Counter()
    for row in rows:
        day = row.at.astimezone(zones[row.list_id]).date().isoformat()
        key = (row.list_id, row.campaign_id, day, row.figure.value, row.name)
        if row.figure.is_state:
            counts[key] = row.count
        else:
            counts[key] += row.count
    counts = _limit_names(session, counts)
    states = {key: count for key, count in counts.items() if Figure(key[3]).is_state}
    sums = {key: count for key, count in counts.items() if key not in states}
    # In order, so that two workers lock the totals alike.
    for statement, values in ((_ADD, sums), (_REPLACE, states)):
        if values:
            session.connection().execute(
                statement, [_to_row(key, values[key]) for key in sorted(values)]
            )


def _to_row(key: tuple[int, int, str, str, str], count: int) -> dict[str, object]:
    list_id, campaign_id, day, figure, name = key
    return {
        "list_id": list_id,
        "campaign_id": campaign_id,
        "day": day,
        "figure": figure,
        "name": name,
        "count": count,
    }


def _read_zones(session: Session, list_ids: set[int]) -> dict[int, ZoneInfo]:
    rows = session.execute(
        select(MailingList.id, MailingList.timezone).where(MailingList.id.in_(list_ids))
    )
    return {list_id: get_zone(name) for list_id, name in rows}


def _limit_names(
    session: Session, counts: Counter[tuple[int, int, str, str, str]]
) -> Counter[tuple[int, int, str, str, str]]:
    """Replace names from visitors by `OTHERS` where a day has more than `NAMES_A_DAY`."""
    known: dict[tuple[int, str, str], set[str]] = {}
    grouped: Counter[tuple[int, int, str, str, str]] = Counter()
    for (list_id, campaign_id, day, figure, name), count in counts.items():
        if figure in BY_VISITORS:
            place = (list_id, day, figure)
            if place not in known:
                known[place] = _read_names(session, list_id, day, Figure(figure))
            if len(known[place]) < NAMES_A_DAY:
                known[place].add(name)
            if name not in known[place]:
                if Figure(figure).is_state:
                    continue
                name = OTHERS
        grouped[list_id, campaign_id, day, figure, name] += count
    return grouped


def _read_names(session: Session, list_id: int, day: str, figure: Figure) -> set[str]:
    return set(
        session.scalars(
            select(DailyFigure.name).where(
                DailyFigure.list_id == list_id,
                DailyFigure.campaign_id == 0,
                DailyFigure.day == day,
                DailyFigure.figure == figure,
            )
        )
    )


def is_anything_counted(session: Session) -> bool:
    """Tell whether any note or total exists."""
    return any(
        session.scalar(select(func.count()).select_from(select(table).limit(1).subquery()))
        for table in (FigureNote.id, DailyFigure.list_id)
    )
