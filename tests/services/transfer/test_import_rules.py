"""The rules by which a row of a file changes a subscription, at their bounds: no database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from newsletter.import_formats.types import SubscriberRow
from newsletter.import_formats.vocabulary import StatusWord
from newsletter.services.transfer.import_known import KnownSubscription
from newsletter.services.transfer.import_report import (
    PROBLEMS_SHOWN,
    ImportResult,
    RowOutcome,
    RowResult,
    RowStanding,
)
from newsletter.services.transfer.import_rules import (
    choose_list,
    choose_status,
    decide,
    find_problem,
    has_left_after_all,
    make_note,
)
from newsletter.vocabulary import SubscriptionStatus

ACTIVE = SubscriptionStatus.ACTIVE
PENDING = SubscriptionStatus.PENDING
UNSUBSCRIBED = SubscriptionStatus.UNSUBSCRIBED
ROW = SubscriberRow(2, "ann@example.org")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("word", "because", "status"),
    [
        (StatusWord.YES, "", ACTIVE),
        (StatusWord.SILENT, "", PENDING),
        (StatusWord.SILENT, "all agreed at the fair", ACTIVE),
        (StatusWord.UNKNOWN, "all agreed at the fair", PENDING),
        (StatusWord.PENDING, "all agreed at the fair", PENDING),
        (StatusWord.NO, "all agreed at the fair", UNSUBSCRIBED),
        (StatusWord.BOUNCED, "", UNSUBSCRIBED),
        (StatusWord.BLOCKED, "", UNSUBSCRIBED),
        (StatusWord.COMPLAINED, "", UNSUBSCRIBED),
    ],
)
def test_the_status_that_a_row_alone_gives(
    word: StatusWord, because: str, status: SubscriptionStatus
) -> None:
    assert choose_status(replace(ROW, word=word), because) is status


@pytest.mark.parametrize("target", [ACTIVE, PENDING, UNSUBSCRIBED])
def test_whoever_has_left_here_stays_away(target: SubscriptionStatus) -> None:
    assert decide(KnownSubscription(UNSUBSCRIBED), target) is UNSUBSCRIBED
    assert decide(KnownSubscription(PENDING, left=True), target) is PENDING
    assert decide(KnownSubscription(None), target) is target


def test_a_row_raises_a_status_and_ends_one_only_if_they_left_after_all() -> None:
    assert decide(KnownSubscription(PENDING), ACTIVE) is ACTIVE
    assert decide(KnownSubscription(ACTIVE), PENDING) is ACTIVE
    assert decide(KnownSubscription(PENDING), PENDING) is PENDING
    for status in (ACTIVE, PENDING):
        assert decide(KnownSubscription(status), UNSUBSCRIBED) is UNSUBSCRIBED
        confirmed = decide(KnownSubscription(status), UNSUBSCRIBED, left_after_all=False)
        assert confirmed is status


def test_they_have_left_unless_they_confirmed_here_later() -> None:
    second = timedelta(seconds=1)
    assert has_left_after_all(NOON, NOON - second)
    assert has_left_after_all(NOON, NOON)
    assert not has_left_after_all(NOON, NOON + second)
    assert has_left_after_all(NOON, None)
    assert has_left_after_all(None, NOON)


def test_the_note_holds_what_the_row_and_the_author_say() -> None:
    assert make_note(replace(ROW, note="by phone"), "the fair") == "by phone; the fair"
    assert make_note(replace(ROW, note="by phone"), "") == "by phone"
    assert make_note(ROW, "the fair") == "the fair"
    assert make_note(replace(ROW, note="by phone", source="form"), "the fair") == "by phone"


@pytest.mark.parametrize(
    ("slug", "lists", "row_list", "ours", "chosen", "problem"),
    [
        ("", ["blog"], "", False, "blog", ""),
        ("", ["blog", "other"], "", False, "", "it names no list"),
        ("", [], "", False, "", "it names no list"),
        ("other", ["blog", "other"], "", False, "other", ""),
        ("", ["blog", "other"], "other", False, "other", ""),
        ("", ["blog"], "gone", False, "gone", "there is no list 'gone'"),
        ("blog", ["blog", "other"], "blog", False, "blog", ""),
        ("blog", ["blog", "other"], "other", False, "blog", "it is of the list 'other'"),
        ("blog", ["blog"], "theirs", False, "blog", ""),
        ("blog", ["blog"], "theirs", True, "blog", "it is of the list 'theirs'"),
    ],
)
def test_which_list_a_row_is_for(
    slug: str, lists: list[str], row_list: str, ours: bool, chosen: str, problem: str
) -> None:
    name, why = choose_list(slug, lists, replace(ROW, list=row_list, ours=ours))
    assert name == chosen
    assert why.startswith(problem)
    assert bool(why) == bool(problem)


@pytest.mark.parametrize(
    ("row", "topics", "problem"),
    [
        (ROW, [], ""),
        (replace(ROW, extra=2), [], "it has 2 more cells than the header; they were not read"),
        (replace(ROW, extra=1, word=StatusWord.UNKNOWN), [], "not read; kept as pending"),
        (replace(ROW, status="odd", word=StatusWord.UNKNOWN), [], "the status 'odd' is unknown"),
        (replace(ROW, cadence="weekly"), [], ""),
        (replace(ROW, cadence="hourly"), [], "the cadence 'hourly' is unknown"),
        (ROW, ["tea", "cats"], "blog has no topic cats, tea"),
    ],
)
def test_what_was_not_understood_in_a_row(
    row: SubscriberRow, topics: list[str], problem: str
) -> None:
    why = find_problem(row, "blog", topics)
    assert problem in why
    assert bool(why) == bool(problem)


def test_rows_are_counted_by_result_and_by_standing() -> None:
    result = ImportResult()
    result.count(2, RowOutcome(RowResult.NEW, RowStanding.ACTIVE))
    result.count(3, RowOutcome(RowResult.UPDATED, RowStanding.PENDING))
    result.count(4, RowOutcome(RowResult.DUPLICATE, RowStanding.SUPPRESSED))
    result.count(5, RowOutcome(RowResult.REJECTED, problem="no address"))
    assert (result.rows, result.new, result.updated, result.duplicate, result.rejected) == (
        4,
        1,
        1,
        1,
        1,
    )
    assert (result.active, result.inactive, result.pending, result.suppressed) == (1, 2, 1, 1)
    assert result.problems == ["line 5: no address"]
    result.tables = ["members", "former"]
    result.count(2, RowOutcome(RowResult.REJECTED, problem="no address"))
    assert result.problems[-1] == "former, line 2: no address"


def test_the_first_problems_are_kept() -> None:
    result = ImportResult()
    for line in range(PROBLEMS_SHOWN + 2):
        result.count(line, RowOutcome(RowResult.REJECTED, problem="no address"))
    assert len(result.problems) == PROBLEMS_SHOWN == 20
    assert result.problems[0] == "line 0: no address"
