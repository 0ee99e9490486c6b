"""The words in which a list's next digests and entries are explained, beside another list's."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.models import (
    DigestPeriod,
    DigestReview,
    Entry,
    Feed,
    MailingList,
    Subscription,
)
from newsletter.services.digests import explain_list, upcoming
from newsletter.services.digests.entry_outlook import Course, EntryOutlook
from newsletter.services.digests.outlook import Outlook
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence
from tests.fakes import START
from tests.people import add_entry, add_feed, add_list, add_reader

MONDAY = START + timedelta(days=5, hours=23)
SOON = START + timedelta(minutes=30)

Values = dict[str, object]


@pytest.fixture(autouse=True)
def list_id(env: Environment) -> int:
    """Add a list with an entry for two weekly subscribers, beside another list that owes more."""
    with transaction() as session:
        for slug in ("other", "blog"):
            mailing_list = add_list(session, slug, from_email=f"ana@{slug}.example.com")
            feed = add_feed(session, mailing_list, f"https://{slug}.example.com/feed/")
            add_entry(session, feed, f"{slug} post")
            for name in ("ann", "ben"):
                add_reader(session, mailing_list, f"{name}@{slug}.example.com")
            if slug == "other":
                add_entry(session, feed, "other second").matures_at = MONDAY
                add_reader(session, mailing_list, "cat@other.example.com", cadence="instant")
        return mailing_list.id


def change(model: type, condition: object, **values: object) -> None:
    with transaction() as session:
        for row in session.scalars(select(model).where(condition)):  # type: ignore[arg-type]
            for name, value in values.items():
                setattr(row, name, value)


def add_instant(list_id: int, *, cursor: int = 0) -> None:
    with transaction() as session:
        mailing_list = session.get_one(MailingList, list_id)
        add_reader(session, mailing_list, "ian@blog.example.com", cadence="instant", cursor=cursor)


def add_review(list_id: int, **values: object) -> None:
    defaults: Values = {"cadence": "weekly", "key": "2026-W49", "due_at": MONDAY, "go_at": MONDAY}
    with transaction() as session:
        session.add(DigestReview(list_id=list_id, created_at=START, **(defaults | values)))


def find_id(title: str) -> int:
    db.session.rollback()
    return db.session.scalars(select(Entry.id).where(Entry.title == title)).one()


def explain_cadence(env: Environment, cadence: str = "weekly") -> Outlook:
    outlooks = explain_list.explain(env, "blog").outlooks
    return next(outlook for outlook in outlooks if outlook.cadence == cadence)


def explain_post(env: Environment) -> EntryOutlook:
    entries = explain_list.explain(env, "blog").entries
    return next(entry for entry in entries if entry.title == "blog post")


def test_the_next_digest_is_told_in_numbers(env: Environment, list_id: int) -> None:
    add_instant(list_id, cursor=1)
    outlook = explain_cadence(env)
    assert (outlook.next_at, outlook.overdue, outlook.at_least) == (MONDAY, False, False)
    assert (outlook.subscribers, outlook.owed) == (2, 1)
    assert outlook.verdict == "1 new for 2 of 2 subscribers"
    assert (outlook.last, outlook.state, outlook.needs_release) == ("none yet", None, False)
    instant = explain_cadence(env, "instant")
    assert (instant.next_at, instant.verdict) == (
        None,
        "nothing goes out: nothing new for 1 subscriber",
    )
    assert explain_cadence(env, "daily").verdict == "nothing goes out: nobody has this cadence"


def test_the_last_digest_is_the_latest_of_its_list_and_cadence(
    env: Environment, list_id: int
) -> None:
    other = db.session.scalars(select(MailingList.id).where(MailingList.slug == "other")).one()
    with transaction() as session:
        for owner, cadence, why in (
            (list_id, "weekly", "first"),
            (list_id, "weekly", "second"),
            (list_id, "daily", "third"),
            (other, "weekly", "fourth"),
        ):
            session.add(
                DigestPeriod(list_id=owner, cadence=cadence, key=why, why=why, composed_at=START)
            )
    assert explain_cadence(env).last == "Tue 24 Nov, 09:00: second"
    assert explain_cadence(env, "daily").last == "Tue 24 Nov, 09:00: third"


@pytest.mark.parametrize(
    ("review", "verdict", "state", "course"),
    [
        ({}, "reviewed: 1 new for 2 of 2 subscribers", "reviewed", Course.GOES),
        (
            {"held_at": START, "waits": True},
            "held until it is released: 1 new for 2 of 2 subscribers",
            "held",
            Course.WAITS,
        ),
        (
            {"waits": True},
            "reviewed, waits until it is released: 1 new for 2 of 2 subscribers",
            "waits",
            Course.WAITS,
        ),
        (
            {"waits": True, "released_at": START},
            "reviewed: 1 new for 2 of 2 subscribers",
            "reviewed",
            Course.GOES,
        ),
        (
            {"entries": []},
            "reviewed: nothing goes out: nothing new for 2 subscribers",
            "reviewed",
            Course.WAITS,
        ),
    ],
)
def test_a_review_is_told_with_the_digest(
    env: Environment, list_id: int, review: Values, verdict: str, state: str, course: Course
) -> None:
    add_review(list_id, **({"entries": [find_id("blog post")], "through": 1} | review))
    outlook = explain_cadence(env)
    assert (outlook.verdict, outlook.state) == (verdict, state)
    assert outlook.needs_release is (state != "reviewed")
    if review != {"entries": []}:
        assert explain_post(env).course is course


@pytest.mark.parametrize(
    ("cadences", "verdict", "course"),
    [
        (("weekly",), "left out of the weekly digest", Course.NEVER),
        (("weekly", "instant"), "left out of the instant and weekly digest", Course.NEVER),
    ],
)
def test_what_a_review_leaves_out_goes_to_nobody(
    env: Environment, list_id: int, cadences: tuple[str, ...], verdict: str, course: Course
) -> None:
    post = find_id("blog post")
    for cadence in cadences:
        add_review(list_id, cadence=cadence, entries=[post], left_out=[post], through=1)
    assert (explain_post(env).verdict, explain_post(env).course) == (verdict, course)
    assert explain_cadence(env).owed == 0


@pytest.mark.parametrize("is_left_out", [True, False])
@pytest.mark.parametrize("status", ["ready", "skipped"])
def test_an_entry_of_a_review_that_does_not_go_is_shown_as_such(
    env: Environment, list_id: int, status: str, *, is_left_out: bool
) -> None:
    """Beside it stands one that goes."""
    with transaction() as session:
        feed = session.scalars(select(Feed).where(Feed.list_id == list_id)).one()
        add_entry(session, feed, "blog second")
    post = find_id("blog post")
    change(Entry, Entry.id == post, fate=status)
    left_out = [post] if is_left_out else []
    add_review(list_id, entries=[post, find_id("blog second")], left_out=left_out, through=9)
    reviewed = upcoming.read_upcoming(env, "blog", Cadence.WEEKLY).entries
    assert {entry.title: entry.gone for entry in reviewed} == {
        "blog post": is_left_out or status == "skipped",
        "blog second": False,
    }


def test_what_came_after_a_review_waits_for_the_digest_after_it(
    env: Environment, list_id: int
) -> None:
    """It does not wait for corrections, which instant mails alone do."""
    with transaction() as session:
        feed = session.scalars(select(Feed).where(Feed.list_id == list_id)).one()
        add_entry(session, feed, "blog before").seq = 0
    add_review(list_id, entries=[find_id("blog before")], through=0)
    verdict = "reviewed: nothing goes out: nothing new for 2 subscribers"
    assert explain_cadence(env).verdict == verdict
    outlook = explain_post(env)
    assert outlook.verdict == "waits for the weekly digest after the one that is reviewed"
    assert outlook.course is Course.WAITS


@pytest.mark.parametrize(
    ("slug", "through", "verdict"),
    [
        ("blog", 1, "nobody is owed it: all subscribers joined later, or chose other topics"),
        ("blog", 0, "waits for the weekly digest after the one that is reviewed"),
        ("other", 0, "nobody is owed it: all subscribers joined later, or chose other topics"),
    ],
)
def test_what_a_review_has_looked_at_waits_for_no_other(
    env: Environment, list_id: int, slug: str, through: int, verdict: str
) -> None:
    change(Subscription, Subscription.list_id == list_id, cursor=1)
    owner = db.session.scalars(select(MailingList.id).where(MailingList.slug == slug)).one()
    add_review(owner, entries=[], through=through)
    assert explain_post(env).verdict == verdict


@pytest.mark.parametrize(("least", "waits"), [(1, False), (2, True)])
def test_a_digest_with_too_few_entries_waits(
    env: Environment, list_id: int, least: int, waits: bool
) -> None:
    change(MailingList, MailingList.id == list_id, digest_min_entries=least)
    outlook = explain_cadence(env)
    assert outlook.owed == 1
    if waits:
        assert outlook.verdict == "waits: 1 of 2 entries"
        post = explain_post(env)
        assert (post.course, post.verdict) == (
            Course.WAITS,
            "waits for more: a digest has at least 2 entries",
        )
    else:
        assert outlook.verdict == "1 new for 2 of 2 subscribers"


@pytest.mark.parametrize(
    ("matures_at", "verdict", "post"),
    [
        (
            SOON,
            "waits for corrections until 09:30 UTC: 1 new for 1 of 1 subscriber",
            "goes to 2 weekly subscribers; "
            "waits for corrections until 09:30 UTC: 1 instant subscriber",
        ),
        (
            START,
            "1 new for 1 of 1 subscriber",
            "goes to 1 instant and 2 weekly subscribers",
        ),
    ],
)
def test_corrections_are_awaited_for_instant_mails_alone(
    env: Environment, list_id: int, matures_at: object, verdict: str, post: str
) -> None:
    add_instant(list_id)
    change(Entry, Entry.title == "blog post", matures_at=matures_at)
    assert explain_cadence(env, "instant").verdict == verdict
    assert explain_cadence(env).verdict == "1 new for 2 of 2 subscribers"
    outlook = explain_post(env)
    assert (outlook.verdict, outlook.course) == (post, Course.GOES)


def test_corrections_of_a_later_entry_are_not_awaited_for_an_earlier_one(
    env: Environment, list_id: int
) -> None:
    """Of what another shows, or was withdrawn, they are awaited by nobody."""
    add_instant(list_id)
    change(Entry, Entry.title == "blog post", matures_at=SOON)
    with transaction() as session:
        feed = session.scalars(select(Feed).where(Feed.list_id == list_id)).one()
        for title, values in (
            ("Later", {"matures_at": SOON + timedelta(hours=1)}),
            ("Gone", {"matures_at": MONDAY, "withdrawn_at": START}),
        ):
            entry = add_entry(session, feed, title)
            for name, value in values.items():
                setattr(entry, name, value)
    assert "until 09:30 UTC" in explain_post(env).verdict
    assert "until 10:30 UTC" in explain_cadence(env, "instant").verdict


@pytest.mark.parametrize(
    ("status", "cursor", "verdict"),
    [
        ("active", 1, "nobody is owed it: all subscribers joined later, or chose other topics"),
        ("unsubscribed", 0, "nobody is owed it: the list has no active subscriber"),
    ],
)
def test_what_nobody_is_owed_says_why(
    env: Environment, list_id: int, status: str, cursor: int, verdict: str
) -> None:
    condition = Subscription.list_id == list_id
    change(Subscription, condition, status=status, cursor=cursor)
    outlook = explain_post(env)
    assert (outlook.course, outlook.verdict) == (Course.NEVER, verdict)


def test_a_page_counts_a_share_of_the_subscribers(
    env: Environment, list_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain_list, "COUNTED_AT_MOST", 4)
    mailing_list = db.session.get_one(MailingList, list_id)
    for lists, verdict in (
        (1, "1 new for 2 of 2 subscribers"),
        (4, "1 new for at least 1 of 2 subscribers"),
    ):
        [outlook] = explain_list.explain_cadences(
            env, db.session(), mailing_list, [Cadence.WEEKLY], lists=lists
        )
        assert (outlook.verdict, outlook.at_least) == (verdict, lists == 4)
