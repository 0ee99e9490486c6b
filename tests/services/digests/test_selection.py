"""The subscribers who get entries of a digest, who wait and who are owed nothing: no database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from newsletter.services.digests.selection import (
    Candidate,
    DigestDecision,
    Fixed,
    Share,
    SubscriberGroup,
    WaitRule,
    decide,
    select_owed,
    select_wanted,
)

MONDAY = datetime(2026, 11, 30, 8, tzinfo=UTC)
AT_ONCE = WaitRule()


def entry(number: int, *topics: int, age: int = 1, again: bool = False) -> Candidate:
    """Return an entry found `age` days before Monday, whose id is 100 more than its number."""
    moment = MONDAY - timedelta(days=age)
    return Candidate(number + 100, number, 1, frozenset(topics), moment, moment, again)


def group(cursor: int, topics: str = "", count: int = 1, **more: str) -> SubscriberGroup:
    return SubscriberGroup(cursor, topics, count, **more)


def test_a_subscriber_gets_what_is_numbered_after_what_they_had() -> None:
    three = [entry(1), entry(2), entry(3)]
    owed = [[one.seq for one in select_owed(group(cursor), three)] for cursor in range(5)]
    assert owed == [[1, 2, 3], [2, 3], [3], [], []]


def test_what_came_back_is_for_those_who_missed_it() -> None:
    three = [entry(1), entry(2, again=True), entry(3, again=True)]
    assert [one.seq for one in select_owed(group(0), three)] == [1]
    assert [one.seq for one in select_owed(group(0, missed="103,"), three)] == [1, 3]
    assert select_owed(group(3, missed="103,"), three) == []


def test_entries_without_a_topic_are_for_everybody() -> None:
    four = [entry(1, 7), entry(2, 8), entry(3), entry(4, 7, 8)]
    assert [one.seq for one in select_wanted("", four)] == [1, 2, 3, 4]
    assert [one.seq for one in select_wanted(",7,", four)] == [1, 3, 4]
    assert [one.seq for one in select_wanted(",9,", four)] == [3]


def test_groups_that_are_owed_the_same_share_an_edition_and_the_longest_comes_first() -> None:
    candidates = [entry(1), entry(2), entry(3)]
    groups = [group(2, count=5), group(0, count=2), group(2, language="de", count=3), group(3)]
    decision = decide(candidates, groups, AT_ONCE)
    assert [(share.entries, share.subscribers) for share in decision.shares] == [
        ((101, 102, 103), 2),
        ((103,), 8),
    ]
    assert [share.languages for share in decision.shares] == [("",), ("", "de")]
    assert decision.settled == (group(3),)
    assert (decision.waiting, decision.few, decision.later) == ((), 0, ())
    assert decision.entries == {101, 102, 103}
    assert decision.subscribers == 10
    assert [decision.count_recipients(number) for number in (101, 103, 9)] == [2, 10, 0]


def test_editions_of_one_length_are_ordered_by_their_entries() -> None:
    candidates = [entry(1, 7), entry(2, 8)]
    decision = decide(candidates, [group(0, ",8,"), group(0, ",7,")], AT_ONCE)
    assert [share.entries for share in decision.shares] == [(101,), (102,)]


def test_nobody_is_no_decision() -> None:
    assert decide([entry(1)], [], AT_ONCE) == DigestDecision()
    assert Share((1,), ()).languages == ("",)


def test_groups_with_too_few_entries_wait_and_the_others_do_not() -> None:
    rule = WaitRule(entries=3, next_due=MONDAY + timedelta(days=7))
    candidates = [entry(1), entry(2), entry(3)]
    decision = decide(candidates, [group(2), group(0), group(1), group(3)], rule)
    assert [share.entries for share in decision.shares] == [(101, 102, 103)]
    assert decision.waiting == (group(2), group(1))
    assert decision.few == 2, "the one that is owed most of those that wait"
    assert decision.settled == (group(3),)


@pytest.mark.parametrize(("age", "waits"), [(6, True), (7, True), (8, False)])
def test_no_entry_waits_longer_than_the_rule_says(age: int, waits: bool) -> None:
    """By the day of the digest after this one it would be `age` + 7 days old."""
    rule = WaitRule(entries=3, days=14, next_due=MONDAY + timedelta(days=7))
    assert rule.waits([entry(1, age=0), entry(2, age=age)]) is waits


def test_days_are_counted_in_the_zone_of_the_list() -> None:
    """Late on Sunday in UTC is Monday in Tokyo, a day less."""
    late = datetime(2026, 11, 22, 22, tzinfo=UTC)
    waiting = Candidate(1, 1, 1, frozenset(), late, late)
    rule = WaitRule(entries=2, days=7, next_due=MONDAY)
    assert not rule.waits([waiting])
    tokyo = WaitRule(entries=2, days=7, next_due=MONDAY, zone=ZoneInfo("Asia/Tokyo"))
    assert tokyo.waits([waiting])


def test_enough_entries_or_no_next_digest_wait_for_nothing() -> None:
    soon = MONDAY + timedelta(days=1)
    assert WaitRule(entries=2, next_due=soon).waits([entry(1)])
    assert not WaitRule(entries=2, next_due=soon).waits([entry(1), entry(2)])
    assert not WaitRule(entries=2).waits([entry(1)])
    assert not WaitRule(next_due=soon).waits([entry(1)]), "one is enough unless the author says so"
    assert WaitRule().days == 14


def test_a_review_keeps_what_it_did_not_show_for_the_next_digest() -> None:
    candidates = [entry(1), entry(2), entry(3)]
    fixed = Fixed(frozenset({102, 103}), left_out=frozenset({103}))
    groups = [group(0), group(1), group(2)]
    decision = decide(candidates, groups, AT_ONCE, fixed)
    assert decision.later == (group(0),), "is owed one that was not reviewed"
    assert [(share.entries, share.groups) for share in decision.shares] == [((102,), (group(1),))]
    assert decision.settled == (group(2),), "is owed only what was left out"
