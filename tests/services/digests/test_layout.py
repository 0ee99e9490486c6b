"""The places of a digest's entries, and how they are shortened: no database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from newsletter.digest_vocabulary import DigestOrder, DigestSections, DigestShow
from newsletter.services.digests.entry_view import CUTS, EXCERPT, SHORT, TITLE, WHOLE
from newsletter.services.digests.layout import DigestStyle, _list_steps, arrange
from newsletter.services.digests.selection import Candidate

MONDAY = datetime(2026, 11, 30, 8, tzinfo=UTC)


def style(
    order: DigestOrder = DigestOrder.NEWEST,
    sections: DigestSections = DigestSections.NONE,
    *headings: tuple[int, str],
) -> DigestStyle:
    return DigestStyle(ZoneInfo("UTC"), DigestShow.AUTO, order, sections, headings)


def entry(number: int, *topics: int, feed: int = 1, day: int | None = None) -> Candidate:
    """Return an entry of its `day`, or of the day of its number; its id is 100 more."""
    moment = MONDAY + timedelta(days=number if day is None else day)
    return Candidate(number + 100, number, feed, frozenset(topics), moment, moment)


FOUR = [entry(number) for number in (1, 2, 3, 4)]


def test_the_newest_come_first_by_their_own_date() -> None:
    placed = arrange([*FOUR, entry(5, day=0)], style())
    assert placed.sections == (("", (104, 103, 102, 101, 105)),)
    assert placed.shown == (104, 103, 102, 101, 105)
    assert (placed.also, placed.more) == ((), 0)


def test_of_one_moment_the_one_found_last_comes_first() -> None:
    assert arrange([entry(1, day=1), entry(2, day=1)], style()).shown == (102, 101)
    oldest = style(DigestOrder.OLDEST)
    assert arrange([entry(1, day=1), entry(2, day=1)], oldest).shown == (101, 102)


def test_the_newest_are_shown_whatever_comes_first() -> None:
    placed = arrange(FOUR, style(DigestOrder.OLDEST), ceiling=2, linked=1)
    assert placed.shown == (103, 104)
    assert (placed.also, placed.more) == ((102,), 1)


@pytest.mark.parametrize(
    ("ceiling", "linked", "also", "more"),
    [(3, 1, (101,), 0), (3, 0, (), 1), (4, 0, (), 0), (2, 2, (102, 101), 0), (1, 1, (103,), 2)],
)
def test_the_rest_is_named_or_counted(
    ceiling: int, linked: int, also: tuple[int, ...], more: int
) -> None:
    placed = arrange(FOUR, style(), ceiling=ceiling, linked=linked)
    assert (len(placed.shown), placed.also, placed.more) == (ceiling, also, more)


def test_a_mail_shows_25_and_names_50_unless_it_is_said_otherwise() -> None:
    placed = arrange([entry(number) for number in range(80)], style())
    assert (len(placed.shown), len(placed.also), placed.more) == (25, 50, 5)


def test_entries_stand_under_their_feeds_in_the_order_of_the_headings() -> None:
    by_feed = style(DigestOrder.NEWEST, DigestSections.FEED, (2, "Two"), (1, "One"))
    entries = [entry(1, feed=1), entry(2, feed=2), entry(3, feed=1), entry(4, feed=9)]
    assert arrange(entries, by_feed).sections == (
        ("", (104,)),
        ("Two", (102,)),
        ("One", (103, 101)),
    )


def test_an_entry_stands_under_the_first_of_its_topics() -> None:
    by_topic = style(DigestOrder.NEWEST, DigestSections.TOPIC, (8, "Tea"), (7, "Cats"))
    entries = [entry(1, 7, 8), entry(2, 7), entry(3, 9), entry(4)]
    assert arrange(entries, by_topic).sections == (
        ("", (104, 103)),
        ("Tea", (101,)),
        ("Cats", (102,)),
    )


def test_a_single_heading_is_left_out() -> None:
    by_feed = style(DigestOrder.NEWEST, DigestSections.FEED, (1, "One"), (2, "Two"))
    assert arrange(FOUR, by_feed).sections == (("", (104, 103, 102, 101)),)
    assert arrange([], by_feed).sections == ()


def test_several_are_shortened_from_the_last_one_on() -> None:
    assert _list_steps(2, DigestShow.EXCERPT) == [
        (EXCERPT, EXCERPT),
        (EXCERPT, SHORT),
        (SHORT, SHORT),
        (SHORT, TITLE),
        (TITLE, TITLE),
    ]
    assert _list_steps(2, DigestShow.AUTO) == _list_steps(2, DigestShow.EXCERPT)
    assert _list_steps(2, DigestShow.FULL)[:3] == [
        (WHOLE, WHOLE),
        (WHOLE, EXCERPT),
        (EXCERPT, EXCERPT),
    ]
    assert len(_list_steps(2, DigestShow.FULL)) == 7


def test_a_single_post_is_cut_before_it_becomes_an_excerpt() -> None:
    [first, *cuts, excerpt, short, title] = _list_steps(1, DigestShow.AUTO)
    assert first == (WHOLE,)
    assert [form.limit for (form,) in cuts] == list(CUTS)
    assert all(form.whole for (form,) in cuts)
    assert (excerpt, short, title) == ((EXCERPT,), (SHORT,), (TITLE,))
    assert _list_steps(1, DigestShow.FULL) == _list_steps(1, DigestShow.AUTO)
    assert _list_steps(1, DigestShow.EXCERPT) == [(EXCERPT,), (SHORT,), (TITLE,)]
