"""Totals by day: every note counts once, on its list's own day, and stays when people are
deleted.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, select

from newsletter.db.session import db, transaction
from newsletter.models import DailyFigure, FigureNote, Subscriber
from newsletter.services import figures
from newsletter.services.figures import Counted
from newsletter.services.runtime import Environment
from newsletter.statistics_vocabulary import Figure
from tests.figures import fold_all
from tests.people import add_list, add_reader

LATE = datetime(2026, 11, 24, 23, 20, tzinfo=UTC)
"""Still Tuesday in London, and Wednesday in Bucharest."""


def totals(list_id: int) -> dict[tuple[str, str, str], int]:
    rows = db.session.execute(
        select(DailyFigure).where(DailyFigure.list_id == list_id, DailyFigure.campaign_id == 0)
    ).scalars()
    return {(row.day, row.figure.value, row.name): row.count for row in rows}


@pytest.fixture
def lists(env: Environment) -> tuple[int, int]:
    with transaction() as session:
        east = add_list(session, timezone="Europe/Bucharest")
        west = add_list(session, "other", timezone="Europe/London")
        return east.id, west.id


def count(*rows: Counted) -> None:
    with transaction() as session:
        figures.note(session, rows)


def test_a_day_is_that_of_the_list(lists: tuple[int, int]) -> None:
    for list_id in lists:
        count(*[Counted(list_id, Figure.JOINED, LATE, "confirmed")] * 2)
    assert fold_all() == 2
    assert totals(lists[0]) == {("2026-11-25", "joined", "confirmed"): 2}
    assert totals(lists[1]) == {("2026-11-24", "joined", "confirmed"): 2}


def test_a_note_counts_once_and_in_small_steps(lists: tuple[int, int]) -> None:
    for number in range(7):
        count(Counted(lists[number % 2], Figure.LEFT, LATE, "link", number + 1))
    assert [figures.fold(limit=3) for _ in range(4)] == [3, 3, 1, 0]
    assert sum(totals(lists[0]).values()) == 1 + 3 + 5 + 7
    assert sum(totals(lists[1]).values()) == 2 + 4 + 6
    count(Counted(lists[0], Figure.LEFT, LATE, "link"))
    assert fold_all() == 1
    assert sum(totals(lists[0]).values()) == 17


def test_what_is_rolled_back_is_not_counted(lists: tuple[int, int]) -> None:
    with pytest.raises(RuntimeError), transaction() as session:
        figures.note(session, [Counted(lists[0], Figure.JOINED, LATE, "confirmed")])
        raise RuntimeError
    assert fold_all() == 0
    assert totals(lists[0]) == {}


def test_totals_stay_when_subscribers_go(env: Environment, lists: tuple[int, int]) -> None:
    with transaction() as session:
        other = add_list(session, "third")
        add_reader(session, other, "a@example.com")
        figures.note(session, [Counted(other.id, Figure.JOINED, LATE, "added")])
        list_id = other.id
    with transaction() as session:  # before the worker came by
        session.execute(delete(Subscriber))
    fold_all()
    assert totals(list_id) == {("2026-11-24", "joined", "added"): 1}


def test_a_flood_of_pages_is_put_together(lists: tuple[int, int]) -> None:
    number_of = figures.NAMES_A_DAY + 20
    pages = [f"evil.example/{number:04}" for number in range(number_of)]
    count(*(Counted(lists[0], Figure.ASKED_PAGE, LATE, page) for page in pages))
    count(Counted(lists[1], Figure.ASKED_PAGE, LATE, "blog.example"))
    fold_all()
    count(Counted(lists[0], Figure.ASKED_PAGE, LATE, pages[0]))
    count(Counted(lists[0], Figure.ASKED_PAGE, LATE, "evil.example/more"))
    fold_all()
    result = totals(lists[0])
    assert len(result) == figures.NAMES_A_DAY + 1
    assert result["2026-11-25", "asked_page", figures.OTHERS] == 21
    assert result["2026-11-25", "asked_page", pages[0]] == 2
    assert totals(lists[1]) == {("2026-11-24", "asked_page", "blog.example"): 1}


def test_a_state_takes_the_place_of_an_earlier_one(lists: tuple[int, int]) -> None:
    for readers in (4, 7, 5):
        count(Counted(lists[0], Figure.FEED_READERS, LATE, "Feedly", readers))
    count(Counted(lists[1], Figure.FEED_READERS, LATE, "Feedly", 9))
    fold_all()
    assert totals(lists[0]) == {("2026-11-25", "feed_readers", "Feedly"): 5}


def test_a_note_tells_no_moment_and_no_long_text(lists: tuple[int, int]) -> None:
    count(Counted(lists[0], Figure.FETCHED, LATE.replace(minute=29, second=59), "x" * 500))
    row = db.session.scalars(select(FigureNote)).one()
    assert (row.at.minute, row.at.second, row.at.microsecond) == (15, 0, 0)
    assert len(row.name) <= figures.NAME_AT_MOST
