"""The moment of a digest, by its schedule, its review and what has been composed already."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.db.session import db
from newsletter.models import DigestPeriod, DigestReview, MailingList
from newsletter.schedule import Period
from newsletter.services.digests import reviews, timing
from newsletter.services.digests.reviews import Review
from newsletter.services.digests.selection import Candidate, Fixed
from newsletter.services.digests.timing import Departure, NextDigest
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence
from tests.fakes import START
from tests.people import add_list

MONDAY = START + timedelta(days=5, hours=23)
"""At 8:00, the moment of the first weekly digest after START."""
WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)

Changes = dict[str, object]


@pytest.fixture
def session(env: Environment) -> Session:
    return db.session()


def add_review(session: Session, mailing_list: MailingList, **values: object) -> DigestReview:
    defaults: Changes = {"cadence": Cadence.WEEKLY, "key": "2026-W49", "created_at": START}
    row = DigestReview(list_id=mailing_list.id, **(defaults | values))
    session.add(row)
    session.flush()
    return row


def make_review(**values: object) -> Review:
    row = DigestReview(id=7, list_id=1, cadence=Cadence.WEEKLY, key="k", **values)
    row.left_out = []
    row.mails = []
    row.version = row.through = row.recipients = 0
    row.waits = bool(row.waits)
    return reviews.describe_row(row)


# ── the next digest of a cadence


@pytest.mark.parametrize(
    ("since", "review_minutes", "now", "due_at", "overdue", "closed"),
    [
        (START, 0, MONDAY - SECOND, MONDAY, False, False),
        (START, 0, MONDAY, MONDAY, True, True),
        (START, 0, MONDAY + 2 * WEEK, MONDAY + 2 * WEEK, True, True),
        (START, 60, MONDAY - HOUR - SECOND, MONDAY, False, False),
        (START, 60, MONDAY - HOUR, MONDAY, False, True),
        (START, 60, MONDAY, MONDAY, True, True),
        (MONDAY, 0, MONDAY, MONDAY + WEEK, False, False),
        (MONDAY, 60, MONDAY - HOUR, MONDAY + WEEK, False, False),
        (MONDAY - SECOND, 0, MONDAY, MONDAY, True, True),
    ],
)
def test_the_next_digest_is_the_first_that_has_not_gone(
    session: Session,
    since: datetime,
    review_minutes: int,
    now: datetime,
    due_at: datetime,
    overdue: bool,
    closed: bool,
) -> None:
    mailing_list = add_list(session, schedule_since=since, review_minutes=review_minutes)
    digest = timing.find_next_digest(session, mailing_list, Cadence.WEEKLY, now)
    assert digest is not None
    assert (digest.period.due_at, digest.following.due_at) == (due_at, due_at + WEEK)
    assert (digest.overdue, digest.closed) == (overdue, closed)
    assert timing.find_next_digest(session, mailing_list, Cadence.INSTANT, now) is None


@pytest.mark.parametrize(
    ("slug", "cadence", "key", "is_passed"),
    [
        ("blog", Cadence.WEEKLY, "2026-W49", True),
        ("other", Cadence.WEEKLY, "2026-W49", False),
        ("blog", Cadence.DAILY, "2026-W49", False),
        ("blog", Cadence.WEEKLY, "2026-W48", False),
    ],
)
def test_a_period_has_one_digest(
    session: Session, slug: str, cadence: Cadence, key: str, is_passed: bool
) -> None:
    lists = {row.slug: row for row in (add_list(session, "other"), add_list(session))}
    session.add(
        DigestPeriod(list_id=lists[slug].id, cadence=cadence, key=key, why="", composed_at=START)
    )
    session.flush()
    digest = timing.find_next_digest(session, lists["blog"], Cadence.WEEKLY, MONDAY)
    assert digest is not None
    assert digest.period.due_at == MONDAY + (WEEK if is_passed else timedelta())
    assert (digest.overdue, digest.closed) == (not is_passed, not is_passed)


@pytest.mark.parametrize(
    ("cadence", "minutes", "instant", "hours"),
    [
        (Cadence.INSTANT, 120, False, 0),
        (Cadence.INSTANT, 120, True, 2),
        (Cadence.DAILY, 120, False, 2),
        (Cadence.DAILY, 3000, False, 24),
        (Cadence.WEEKLY, 3000, False, 50),
        (Cadence.MONTHLY, 0, True, 0),
    ],
)
def test_a_review_comes_before_the_moment_of_its_digest(
    session: Session, cadence: Cadence, minutes: int, instant: bool, hours: int
) -> None:
    mailing_list = add_list(session, review_minutes=minutes, review_instant=instant)
    assert timing.find_review_time(mailing_list, cadence) == timedelta(hours=hours)


# ── what its authors say


@pytest.mark.parametrize(
    ("review", "departure", "is_due"),
    [
        ({"entries": [1], "due_at": START, "go_at": START}, (START, True, False), True),
        ({"entries": [1], "due_at": START, "go_at": START + SECOND}, (1, False, False), False),
        ({"entries": [1], "due_at": START, "go_at": None}, (START, True, False), False),
        ({"entries": [1], "due_at": None, "go_at": None}, (None, False, False), False),
        ({"entries": None, "go_at": START}, (START, True, False), False),
        ({"entries": None, "go_at": START, "released_at": START}, (START, True, False), True),
        ({"entries": [1], "go_at": START, "held_at": START}, (START, False, True), False),
        (
            {"entries": [1], "go_at": START, "held_at": START, "released_at": START},
            (START, False, True),
            False,
        ),
        ({"entries": [1], "go_at": START, "waits": True}, (START, False, True), False),
        (
            {"entries": [1], "go_at": START, "waits": True, "released_at": START},
            (START, True, False),
            True,
        ),
    ],
)
def test_a_review_says_when_its_digest_goes(
    review: Changes, departure: tuple[object, bool, bool], is_due: bool
) -> None:
    described = make_review(**review)
    at, overdue, stopped = departure
    at = START + SECOND if at == 1 else at
    period = Period(Cadence.WEEKLY, "k", START - HOUR)
    scheduled = NextDigest(period, period, overdue=True, closed=True)
    for digest in (None, scheduled):
        assert timing.find_departure(digest, described, START) == Departure(at, overdue, stopped)  # type: ignore[arg-type]
    assert described.is_due(START) is is_due


@pytest.mark.parametrize("overdue", [False, True])
def test_without_a_review_the_schedule_says_when_a_digest_goes(overdue: bool) -> None:
    period = Period(Cadence.WEEKLY, "k", START)
    digest = NextDigest(period, period, overdue=overdue, closed=True)
    assert timing.find_departure(digest, None, START) == Departure(START, overdue, stopped=False)
    assert timing.find_departure(None, None, START) == Departure(None, overdue=False, stopped=False)


def test_what_was_reviewed_goes_though_some_of_it_is_gone(session: Session) -> None:
    mailing_list = add_list(session, digest_min_entries=3, digest_max_wait=9)
    period = Period(Cadence.WEEKLY, "k", MONDAY)
    candidates = [Candidate(n, n, 1, frozenset(), START, START) for n in (1, 2, 3, 9)]
    expected = {None: 3, Fixed(frozenset({1, 2, 3})): 3, Fixed(frozenset({1, 2, 5})): 2}
    expected[Fixed(frozenset({1, 2, 5}), frozenset({2}))] = 1
    for fixed, count in expected.items():
        rule = timing.make_rule(mailing_list, period, fixed, candidates)
        assert (rule.entries, rule.days, rule.next_due) == (count, 9, MONDAY)
    assert timing.make_rule(mailing_list, None, None, candidates).next_due is None


# ── the row of a review


@pytest.mark.parametrize(
    ("read", "changes", "is_claimed"),
    [
        (True, {}, True),
        (True, {"version": 1}, False),
        (True, {"settled_at": START}, False),
        (False, {}, False),
        (False, {"settled_at": START}, True),
        (False, {"cadence": Cadence.DAILY}, True),
    ],
)
def test_a_digest_is_composed_from_what_its_authors_said_last(
    env: Environment, session: Session, read: bool, changes: Changes, is_claimed: bool
) -> None:
    other = add_review(session, add_list(session, "other"))
    row = add_review(session, add_list(session))
    review = reviews.find_open(session, row.list_id, Cadence.WEEKLY) if read else None
    assert review is None or review.id == row.id
    for name, value in changes.items():
        setattr(row, name, value)
    session.flush()
    version = row.version
    claimed = reviews.claim(env, session, row.list_id, Cadence.WEEKLY, review)
    assert claimed is is_claimed
    was_settled = read and is_claimed
    assert row.version == version + was_settled
    assert row.settled_at == (START if was_settled else changes.get("settled_at"))
    assert (other.version, other.settled_at) == (0, None)


def test_the_review_of_another_list_claims_nothing(env: Environment, session: Session) -> None:
    other = add_review(session, add_list(session, "other"))
    row = add_review(session, add_list(session))
    review = reviews.find_open(session, other.list_id, Cadence.WEEKLY)
    assert not reviews.claim(env, session, row.list_id, Cadence.WEEKLY, review)
    assert (row.settled_at, other.settled_at) == (None, None)


def test_settled_reviews_are_kept_for_their_time(session: Session) -> None:
    mailing_list = add_list(session)
    before = START - reviews.KEPT_FOR
    rows = [
        add_review(session, mailing_list, settled_at=moment)
        for moment in (None, before - SECOND, before, START)
    ]
    remaining = [row.id for row in rows if row is not rows[1]]
    for _ in range(2):
        reviews.delete_old_reviews(session, START)
        assert session.scalars(select(DigestReview.id).order_by(DigestReview.id)).all() == remaining
