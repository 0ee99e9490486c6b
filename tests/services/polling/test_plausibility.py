"""Moves, gaps and windows that slide, at the bounds of what is believed: no database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from newsletter.feeds.types import ParsedEntry
from newsletter.services.polling.plausibility import (
    count_renamed,
    describe_storm,
    find_slid_in,
    is_another_site,
    is_gap,
    shares_nothing_known,
)
from newsletter.services.polling.types import KnownEntry, PollMoment

BEFORE = datetime(2026, 11, 24, 8, tzinfo=UTC)
DAY = timedelta(days=1)


def parsed(name: str, days: float | None = None, *, host: str = "a.example") -> ParsedEntry:
    """Return an entry that was published so many days before the last reading."""
    published = None if days is None else BEFORE - days * DAY
    link = f"{host}/{name}" if host else ""
    return ParsedEntry(name, link, name, name, "", "", published, "", "", "", "", (), "")


def known(
    number: int,
    name: str,
    days: float | None = None,
    *,
    host: str = "a.example",
    withdrawn: bool = False,
) -> KnownEntry:
    entry = parsed(name, days, host=host)
    return KnownEntry(
        number, entry.identity, entry.link_key, name, entry.published, withdrawn=withdrawn
    )


def moment(hours: float = 1, window: int = 0) -> PollMoment:
    return PollMoment(BEFORE + timedelta(hours=hours), BEFORE, window=window)


def storm(new: list[ParsedEntry], count: int | None = None, hours: float = 1) -> bool:
    """Tell whether so many new entries of `count` are held beside one old known entry."""
    old = [known(1, "old", 30)]
    return bool(describe_storm(new, count or len(new) + 1, old, [], moment(hours)))


def test_ten_new_entries_a_day_are_believed() -> None:
    ten = [parsed(f"n{number}") for number in range(10)]
    assert not storm(ten)
    assert storm([*ten, parsed("n10")])
    twenty = [parsed(f"n{number}") for number in range(20)]
    assert storm(twenty, hours=47.9), "one whole day since the last reading"
    assert not storm(twenty, hours=48)
    assert storm([*twenty, parsed("n20")], hours=48)


def test_many_new_entries_are_a_storm_only_if_they_are_most_of_the_feed() -> None:
    eleven = [parsed(f"n{number}") for number in range(11)]
    assert not storm(eleven, count=22), "half of them is not most"
    assert storm(eleven, count=21)


def test_a_first_reading_is_no_storm() -> None:
    first = PollMoment(BEFORE, None)
    new = [parsed(f"n{number}") for number in range(50)]
    assert describe_storm(new, 50, [], [], first) == ""


def test_three_that_are_more_than_a_day_older_than_the_newest_known_are_believed() -> None:
    def held(count: int, days: float) -> bool:
        old = [known(1, "newest", 2), known(2, "older", 60), known(3, "to come", -3)]
        new = [parsed(f"n{number}", days) for number in range(count)]
        return bool(describe_storm(new, 50, old, [], moment()))

    assert not held(3, 9)
    assert held(4, 9)
    assert not held(4, 3), "exactly a day older"
    assert held(4, 3.01)
    assert not held(4, 0), "what is dated ahead says nothing of age"


def test_what_was_published_when_the_feed_was_last_read_tells_what_is_older() -> None:
    old = [known(1, "newest", 0), known(2, "older", 60)]
    new = [parsed(f"n{number}", 2) for number in range(4)]
    assert describe_storm(new, 50, old, [], moment())


@pytest.mark.parametrize(("renamed", "held"), [(2, False), (3, True)])
def test_three_titles_of_vanished_entries_are_a_storm(renamed: int, held: bool) -> None:
    old = [known(number, f"n{number}") for number in range(4)]
    new = [parsed(f"n{number}") for number in range(renamed)]
    assert bool(describe_storm(new, 50, old, old[:3], moment())) is held


def test_without_dates_of_known_entries_nothing_is_older() -> None:
    new = [parsed(f"n{number}", 900) for number in range(6)]
    assert describe_storm(new, 50, [known(1, "old")], [], moment()) == ""


def test_a_title_counts_as_renamed_if_one_known_entry_alone_had_it_and_has_vanished() -> None:
    gone = known(1, "Gone")
    twin = known(2, "Twin")
    also = known(3, "Twin")
    fourth = known(4, "There")
    everything = [gone, twin, also, fourth]
    new = [parsed(name) for name in ("Gone", "Gone", "Twin", "There", "")]
    assert count_renamed(new, everything, [gone, twin]) == 2
    assert count_renamed(new, everything, []) == 0
    assert count_renamed([parsed("")], [known(1, "")], [known(1, "")]) == 0


def test_another_site_has_no_known_entry_left_and_no_host_of_before() -> None:
    old = [known(1, "one"), known(2, "two")]
    elsewhere = [parsed("x", host="b.example")]
    assert is_another_site(elsewhere, old, old)
    assert not is_another_site(elsewhere, old, old[:1]), "one is left"
    assert not is_another_site([*elsewhere, parsed("y")], old, old), "a host of before"
    assert not is_another_site([parsed("x", host="")], old, old), "links are missing"
    nowhere = [known(1, "one", host="")]
    assert not is_another_site(elsewhere, nowhere, nowhere)
    assert describe_storm(elsewhere, 1, old, old, moment()).startswith("all 1 entries")


@pytest.mark.parametrize(
    ("window", "new", "expected"),
    [
        (3, 3, True),
        (2, 3, False),  # shows more than before, and may still not be full
        (3, 2, False),
        (4, 5, True),  # as many as a full feed has
        (4, 4, True),
        (0, 10, False),  # nothing is known of how many it shows
    ],
)
def test_a_gap_is_a_full_window_of_new_entries(window: int, new: int, expected: bool) -> None:
    entries = [parsed(f"n{number}", number) for number in range(new)]
    assert is_gap([None] * new, entries, moment(window=window)) is expected


def test_a_known_entry_among_the_new_ones_closes_a_gap() -> None:
    entries = [parsed(f"n{number}", number) for number in range(4)]
    assert not is_gap([None, None, None, known(1, "n3", 3)], entries, moment(window=4))
    assert not shares_nothing_known([known(1, "n0")], entries[:1]), "nothing is new"
    assert shares_nothing_known([None], entries[:1])


def test_a_pinned_entry_stands_first_and_is_older_than_all_new_ones() -> None:
    def pinned(place: int, days: float | None, *dates: float | None) -> bool:
        """Put a known entry of this age at a place among new ones of these ages."""
        ages = [*dates[:place], days, *dates[place:]]
        entries = [parsed(f"n{number}", age) for number, age in enumerate(ages)]
        matched = [known(1, "pin") if at == place else None for at in range(len(ages))]
        return shares_nothing_known(matched, entries)

    assert pinned(0, 90, 1, 2, 3)
    assert not pinned(1, 90, 1, 2, 3), "it stands among the new ones"
    assert not pinned(0, None, 1, 2, 3)
    assert not pinned(0, 3, 1, 2, 3), "one is as old"
    assert not pinned(0, 2.5, 1, 2, 3), "one is older"
    assert not pinned(0, 90, 1, 3, 2), "one of four dates is older than the one before"
    assert not pinned(0, 90, 1, 1, 2), "the same date is not older"
    assert not pinned(0, 90, 1, 2, 3, 2.5), "two of five"
    assert not pinned(0, 90, 1), "none of two"
    assert not pinned(0, 90, 1, None, 3), "one has no date"
    assert not pinned(0, 90, 3, 2, 1), "a feed with its oldest first pins nothing"


def test_what_slid_in_is_older_than_all_and_no_more_than_have_gone() -> None:
    old = [known(1, "a", 5), known(2, "b", 10)]
    gone = [known(3, "c", 7), known(4, "d", 8, withdrawn=True)]
    end = [parsed("x", 11)]
    assert find_slid_in(end, old, gone) == end
    assert find_slid_in([parsed("x", 10)], old, gone) == [], "as old as the oldest"
    assert find_slid_in([parsed("x")], old, gone) == []
    assert find_slid_in(end, [known(1, "a")], gone) == [], "nothing known has a date"
    assert find_slid_in([*end, parsed("y", 12)], old, gone) == [], "room for one only"
    assert find_slid_in([*end, parsed("y", 9)], old, gone[:1] * 2) == [], "one is not older"
    assert find_slid_in(end, old, gone[1:]) == [], "withdrawn long ago makes no room"
