"""Entries that could be taken for another, or for none: no database."""

from __future__ import annotations

from dataclasses import replace

from newsletter.services.polling.matching import decide, remove_older
from tests.feeds_server import item
from tests.services.polling.test_matching import MOMENT, dated, entries, known, titles


def test_a_known_entry_is_one_entry_of_the_feed() -> None:
    """Its link is one's now, its title and date another's: the link is the stronger evidence."""
    before = known(item("Post", guid="1", date=dated(2)), item("Old", date=dated(3)))
    feed = entries(
        item("Copy", guid="2", link="https://blog.example.com/post/", date=dated(1)),
        item("Post", guid="3", link="https://blog.example.com/post-again/", date=dated(2)),
        item("Old", date=dated(3)),
    )
    decision = decide(before, feed, MOMENT)
    assert titles(decision) == ["Post"]
    assert sorted(entry_id for entry_id, _ in decision.present) == [1, 2]


def test_nothing_slides_into_a_window_in_which_nothing_is_known() -> None:
    before = known(*(item(f"Post {n}", date=dated(n)) for n in (5, 6, 7)))
    feed = entries(*(item(f"New {n}", date=dated(n)) for n in (1, 2, 900)))
    decision = decide(before, feed, replace(MOMENT, window=3))
    assert [new.fate for new in decision.new] == ["held"] * 3


def test_pages_without_a_known_entry_are_kept_whole() -> None:
    before = known(item("Known", date=dated(1)))
    feed = entries(*(item(f"New {n}", date=dated(n)) for n in range(2, 6)))
    assert remove_older(before, feed, 1, MOMENT.site_key) == feed
    mixed = entries(*(item(name, date=dated(n)) for n, name in enumerate(("A", "B", "Known", "C"))))
    assert [entry.title for entry in remove_older(before, mixed, 1, MOMENT.site_key)] == [
        "A",
        "B",
        "Known",
    ]
    assert remove_older(before, mixed, 4, MOMENT.site_key) == mixed
