"""The digests that are due, for whom they are planned, and which are left alone."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from newsletter.db.session import db, reading, transaction
from newsletter.models import Campaign, DigestReview, Entry, Feed, MailingList, Subscription
from newsletter.services.digests import due as digests
from newsletter.services.digests import find_due, reviews
from newsletter.services.digests.compose import DueDigest
from newsletter.services.digests.review_mail import DueReview
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence
from tests.fakes import START, Clock, FakeFetch
from tests.people import add_entry, add_feed, add_list, add_reader

MONDAY = START + timedelta(days=5, hours=23)
WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
WEEKLY = Cadence.WEEKLY
INSTANT = Cadence.INSTANT

Values = dict[str, object]


@pytest.fixture(autouse=True)
def list_id(env: Environment) -> int:
    """Add a list with an entry that weekly and instant subscribers are owed, beside another."""
    with transaction() as session:
        for slug in ("other", "blog"):
            mailing_list = add_list(session, slug, from_email=f"ana@{slug}.example.com")
            feed = add_feed(session, mailing_list, f"https://{slug}.example.com/feed/")
            add_entry(session, feed, f"{slug} post")
            for cadence in ("weekly", "instant"):
                add_reader(session, mailing_list, f"{cadence}@{slug}.example.com", cadence=cadence)
        session.add(
            DigestReview(list_id=feed.list_id - 1, cadence="weekly", key="k", created_at=START)
        )
    return mailing_list.id


def change(list_id: int, **values: object) -> None:
    with transaction() as session:
        for name, value in values.items():
            setattr(session.get_one(MailingList, list_id), name, value)


def add_review(list_id: int, **values: object) -> None:
    with transaction() as session:
        session.add(DigestReview(list_id=list_id, created_at=START, **values))


@pytest.mark.parametrize(
    ("now", "review_minutes", "kind"),
    [
        (MONDAY - SECOND, 0, None),
        (MONDAY, 0, DueDigest),
        (MONDAY - HOUR - SECOND, 60, None),
        (MONDAY - HOUR, 60, DueReview),
        (MONDAY + HOUR, 60, DueReview),
    ],
)
def test_a_digest_is_due_at_its_moment_and_a_review_before_it(
    env: Environment,
    list_id: int,
    clock: Clock,
    now: datetime,
    review_minutes: int,
    kind: type | None,
) -> None:
    change(list_id, review_minutes=review_minutes)
    clock.now = now
    due = find_due.find_due(env, list_id, WEEKLY)
    if kind is None:
        assert due is None
        return
    assert isinstance(due, kind)
    assert (due.list_id, due.cadence, due.key) == (list_id, WEEKLY, "2026-W49")
    assert due.following is not None
    assert due.following.due_at == MONDAY + WEEK


@pytest.mark.parametrize(
    ("review", "is_due"),
    [
        ({"entries": [1], "go_at": START}, True),
        ({"entries": [1], "go_at": START + SECOND}, False),
        ({"entries": [1], "go_at": START, "held_at": START}, False),
        ({"entries": None, "go_at": START, "released_at": START}, True),
        ({"entries": None}, False),
    ],
)
def test_a_review_decides_whatever_the_schedule_says(
    env: Environment, list_id: int, review: Values, is_due: bool
) -> None:
    add_review(list_id, cadence="weekly", key="reviewed", due_at=MONDAY, through=1, **review)
    due = find_due.find_due(env, list_id, WEEKLY)
    if not is_due:
        assert due is None
        return
    assert isinstance(due, DueDigest)
    assert due.hasty
    assert due.review is not None
    if review["entries"]:
        assert (due.key, due.following.due_at) == ("reviewed", MONDAY + WEEK)  # type: ignore[union-attr]
    else:
        assert (due.key.partition("@")[0], due.following) == ("1", None)


@pytest.mark.parametrize(
    ("reader", "entry", "options", "kind"),
    [
        ({}, {}, {}, DueDigest),
        ({}, {}, {"review_minutes": 60, "review_instant": True}, DueReview),
        ({}, {}, {"review_minutes": 60}, DueDigest),
        ({"cursor": 1}, {}, {}, None),
        ({"paused_until": START + SECOND}, {}, {}, None),
        ({"status": "unsubscribed"}, {}, {}, None),
        ({"cadence": "daily"}, {}, {}, None),
        ({}, {"matures_at": START + SECOND}, {}, None),
        ({}, {"matures_at": START}, {}, DueDigest),
    ],
)
def test_an_instant_mail_is_due_once_somebody_is_owed_what_has_matured(
    env: Environment,
    list_id: int,
    reader: Values,
    entry: Values,
    options: Values,
    kind: type | None,
) -> None:
    change(list_id, **options)
    with transaction() as session:
        query = select(Subscription).where(
            Subscription.list_id == list_id, Subscription.cadence == "instant"
        )
        row = session.scalars(query).one()
        for name, value in reader.items():
            setattr(row, name, value)
        post = session.scalars(select(Entry).where(Entry.list_id == list_id)).one()
        for name, value in entry.items():
            setattr(post, name, value)
    due = find_due.find_due(env, list_id, INSTANT)
    if kind is None:
        assert due is None
        return
    assert isinstance(due, kind)
    assert due.key == "1@20261124T090000000000"


@pytest.mark.parametrize(
    ("status", "review", "is_listed"),
    [
        ("active", {}, True),
        ("unsubscribed", {}, False),
        ("pending", {}, False),
        ("", {"settled_at": None}, True),
        ("", {"settled_at": START}, False),
    ],
)
def test_cadences_are_those_offered_had_and_reviewed(
    env: Environment, list_id: int, status: str, review: Values, is_listed: bool
) -> None:
    change(list_id, cadences=["weekly"])
    with transaction() as session:
        mailing_list = session.get_one(MailingList, list_id)
        other = session.scalars(select(MailingList).where(MailingList.slug == "other")).one()
        add_reader(session, other, "m@other.example.com", cadence="monthly")
        if status:
            add_reader(
                session, mailing_list, "m@blog.example.com", cadence="monthly", status=status
            )
    if review:
        add_review(list_id, cadence="monthly", key="k", **review)
    with reading() as session:
        cadences = find_due.list_cadences(session, session.get_one(MailingList, list_id))
    assert cadences == [INSTANT, WEEKLY, *([Cadence.MONTHLY] if is_listed else [])]


@pytest.mark.parametrize(
    ("held", "cadence", "whys"),
    [
        (False, None, ["", "", digests.NOBODY, digests.NOBODY]),
        (True, None, ["", digests.NOBODY, digests.HELD, digests.NOBODY]),
        (True, WEEKLY, [""]),
        (False, Cadence.MONTHLY, [digests.NOBODY]),
    ],
)
def test_what_is_held_is_sent_by_its_cadence_alone(
    env: Environment, list_id: int, held: bool, cadence: Cadence | None, whys: list[str]
) -> None:
    if held:
        add_review(list_id, cadence="weekly", key="k", held_at=START)
    planned = digests.plan_now(env, "blog", cadence)
    assert sorted(row.why for row in planned) == sorted(whys)
    for row in planned:
        assert (row.entries, row.recipients) == ((1, 1) if not row.why else (0, 0))


@pytest.mark.parametrize("dry_run", [False, True])
def test_what_is_owed_is_sent_now_or_rehearsed(
    env: Environment, list_id: int, dry_run: bool
) -> None:
    sent = {row.cadence: row for row in digests.send_now(env, "blog", dry_run=dry_run)}
    assert list(sent) == [INSTANT, Cadence.DAILY, WEEKLY, Cadence.MONTHLY]
    for cadence, row in sent.items():
        is_owed = cadence in (INSTANT, WEEKLY)
        assert (row.entries, row.recipients) == ((1, 1) if is_owed else (0, 0))
        assert (row.campaign_id is not None) is (is_owed and not dry_run)
        assert row.why == ("" if is_owed else digests.NOBODY)
    db.session.rollback()
    campaigns = db.session.scalars(select(Campaign.list_id)).all()
    assert campaigns == ([] if dry_run else [list_id] * 2)


def test_who_sends_now_waits_for_no_corrections(env: Environment, list_id: int) -> None:
    with transaction() as session:
        for entry in session.scalars(select(Entry)):
            entry.matures_at = START + HOUR
    assert [row.list for row in digests.compose_due(env)] == []
    sent = {row.cadence: row for row in digests.send_now(env, "blog")}
    assert (sent[INSTANT].entries, sent[INSTANT].recipients) == (1, 1)
    assert sent[INSTANT].campaign_id is not None


def test_feeds_are_read_before_a_digest_is_composed(
    env: Environment, list_id: int, fake_fetch: FakeFetch
) -> None:
    digests.compose_due(env, postponed={(list_id - 1, INSTANT): MONDAY})
    assert [url for url, *_ in fake_fetch.requests] == ["https://blog.example.com/feed/"]


def test_nothing_new_and_nobody_are_told_apart(env: Environment, list_id: int) -> None:
    with transaction() as session:
        for row in session.scalars(select(Subscription).where(Subscription.list_id == list_id)):
            row.cursor = 1
    whys = {row.cadence: row.why for row in digests.plan_now(env, "blog")}
    assert whys == {
        INSTANT: digests.NOTHING_NEW,
        Cadence.DAILY: digests.NOBODY,
        WEEKLY: digests.NOTHING_NEW,
        Cadence.MONTHLY: digests.NOBODY,
    }


@pytest.mark.parametrize(
    ("until", "is_composed"), [(START - SECOND, True), (START, True), (START + SECOND, False)]
)
def test_what_could_not_be_composed_is_left_alone_for_its_time(
    env: Environment, list_id: int, until: datetime, is_composed: bool
) -> None:
    postponed = {(list_id, INSTANT): until}
    composed = digests.compose_due(env, postponed=postponed)
    assert ["blog"] * is_composed == [row.list for row in composed if row.list == "blog"]
    assert [row.list for row in composed if row.list != "blog"] == ["other"]


def test_no_digest_is_begun_once_the_process_is_to_end(env: Environment) -> None:
    assert digests.compose_due(env, stop=lambda: True) == []


def test_a_preview_shows_the_largest_edition_and_counts_languages(
    env: Environment, list_id: int
) -> None:
    with transaction() as session:
        mailing_list = session.get_one(MailingList, list_id)
        feed = session.scalars(select(Feed).where(Feed.list_id == list_id)).one()
        add_entry(session, feed, "Second")
        for name, cursor, language in (("a", 0, "de"), ("b", 1, "de"), ("c", 1, "fr")):
            email = f"{name}@blog.example.com"
            reader = add_reader(session, mailing_list, email, cursor=cursor)
            reader.subscriber.language = language
    preview = digests.preview(env, "blog")
    assert (preview.list, preview.entries, preview.recipients, preview.editions) == (
        "blog",
        2,
        4,
        2,
    )
    assert preview.languages == {"de": 2, "fr": 1}


def test_a_list_without_subscribers_previews_what_is_ready(env: Environment, list_id: int) -> None:
    with transaction() as session:
        for row in session.scalars(select(Subscription).where(Subscription.list_id == list_id)):
            row.status = "unsubscribed"
        feed = session.scalars(select(Feed).where(Feed.list_id == list_id)).one()
        add_entry(session, feed, "Second")
        add_entry(session, feed, "Third").fate = "sent"
    assert digests.preview(env, "blog").entries == 2
    db.session.rollback()


def test_what_the_other_list_says_of_its_digest_counts_there_alone(
    env: Environment, list_id: int
) -> None:
    with reading() as session:
        assert reviews.find_open(session, list_id - 1, WEEKLY) is not None
        assert reviews.find_open(session, list_id, WEEKLY) is None
