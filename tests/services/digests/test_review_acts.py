"""The effect of each act of an author on a digest that has not gone, and on no other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.db.session import db, reading, transaction
from newsletter.errors import LinkInvalid, NotFound, Refused
from newsletter.link_purposes import LinkPurpose
from newsletter.models import Delivery, DigestPeriod, DigestReview, Entry, MailingList
from newsletter.services.digests import review_acts
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence
from tests.fakes import START, Clock
from tests.people import add_entry, add_feed, add_list

MONDAY = START + timedelta(days=5, hours=23)
WEEKLY = Cadence.WEEKLY
KEY = "2026-W49"
HOUR = timedelta(hours=1)


@pytest.fixture
def row_id(env: Environment) -> Iterator[int]:
    """Yield the review of three entries, beside another list's and that of another cadence."""
    with transaction() as session:
        reviews = []
        for slug, cadence in (("other", WEEKLY), ("blog", WEEKLY), ("blog", Cadence.MONTHLY)):
            mailing_list = session.scalars(
                select(MailingList).where(MailingList.slug == slug)
            ).one_or_none() or add_list(session, slug, from_email=f"ana@{slug}.example.com")
            feed = add_feed(session, mailing_list, f"https://{slug}.example.com/{cadence}")
            ids = [add_entry(session, feed, f"{slug} {cadence} {n}").id for n in range(3)]
            row = DigestReview(
                list_id=mailing_list.id,
                cadence=cadence,
                key=KEY,
                due_at=MONDAY,
                go_at=MONDAY,
                entries=ids,
                through=9,
                created_at=START,
            )
            reviews.append(row)
            session.add(row)
            session.flush()
        other, _, monthly = reviews
        others = [other.id, monthly.id]
        mine = reviews[1].id
    yield mine
    for review_id in others:
        row = read(review_id)
        assert (row.version, row.held_at, row.released_at, row.settled_at) == (0, None, None, None)
        assert (row.left_out, row.go_at) == ([], MONDAY)


def read(row_id: int) -> DigestReview:
    db.session.rollback()
    return db.session.get_one(DigestReview, row_id, populate_existing=True)


def change(row_id: int, **values: object) -> None:
    with transaction() as session:
        row = session.get_one(DigestReview, row_id)
        for name, value in values.items():
            setattr(row, name, value)


def list_ids(row_id: int) -> list[int]:
    return list(read(row_id).entries or ())


def make_token(env: Environment, row_id: int, address: str = "ana@blog.example.com") -> str:
    handle = read(row_id).handle
    mark = review_acts.mark_author(env, address)
    return env.tokens.sign(LinkPurpose.REVIEW, f"{handle}.{mark}", env.now)


def test_a_page_shows_which_entries_are_gone(env: Environment, row_id: int) -> None:
    ids = list_ids(row_id)
    change(row_id, left_out=[ids[2]], entries=ids[::-1])
    with transaction() as session:
        first, second, _ = (session.get_one(Entry, entry_id) for entry_id in ids)
        first.own_title = "My title"
        second.withdrawn_at = START
    page = review_acts.open_page(env, make_token(env, row_id))
    assert [(entry.id, entry.title, entry.gone) for entry in page.entries] == [
        (ids[0], "My title", False),
        (ids[1], "blog weekly 1", True),
        (ids[2], "blog weekly 2", True),
    ]
    assert (page.slug, page.review.id) == ("blog", row_id)


@pytest.mark.parametrize("by_link", [False, True])
def test_a_digest_is_held_once(env: Environment, row_id: int, clock: Clock, by_link: bool) -> None:
    for _ in range(2):
        if by_link:
            review_acts.hold_by_link(env, make_token(env, row_id))
        else:
            assert review_acts.hold(env, "blog", WEEKLY).held
        clock.forward(HOUR)
    row = read(row_id)
    assert (row.held_at, row.version, row.settled_at) == (START, 1, None)


@pytest.mark.parametrize(
    ("cadence", "key", "due_at"),
    [
        (Cadence.DAILY, "2026-11-25", START - HOUR + timedelta(days=1)),
        (Cadence.INSTANT, "", None),
    ],
)
def test_a_digest_without_a_review_is_held_and_then_goes_on(
    env: Environment, row_id: int, cadence: Cadence, key: str, due_at: object
) -> None:
    held = review_acts.hold(env, "blog", cadence)
    assert (held.key, held.due_at, held.entries, held.version) == (key, due_at, None, 1)
    assert not held.waits
    with reading() as session:
        mailing_list = session.get_one(MailingList, held.list_id)
        assert review_acts.find_key(env, session, mailing_list, cadence) == key
    released = review_acts.release(env, "blog", cadence)
    assert (released.id, released.held, released.settled) == (held.id, False, True)
    assert released.version == 2
    assert read(row_id).held_at is None


@pytest.mark.parametrize(
    ("values", "is_released"),
    [
        ({}, False),
        ({"held_at": START}, True),
        ({"waits": True}, True),
        ({"waits": True, "released_at": START}, False),
        ({"held_at": START, "settled_at": START}, False),
    ],
)
def test_only_what_is_held_is_released(
    env: Environment, row_id: int, clock: Clock, values: dict[str, object], is_released: bool
) -> None:
    change(row_id, **values)
    clock.forward(HOUR)
    if not is_released:
        with pytest.raises(Refused):
            review_acts.release(env, "blog", WEEKLY)
        assert read(row_id).version == 0
        return
    review_acts.release(env, "blog", WEEKLY)
    row = read(row_id)
    assert (row.held_at, row.released_at, row.settled_at) == (None, START + HOUR, None)
    assert (row.version, row.go_at) == (1, MONDAY)


@pytest.mark.parametrize(
    ("key", "is_sent"), [(None, True), (KEY, True), ("2026-W48", False), ("", False)]
)
def test_the_digest_that_was_seen_is_sent_in_a_minute(
    env: Environment, row_id: int, key: str | None, is_sent: bool
) -> None:
    change(row_id, held_at=START)
    if not is_sent:
        with pytest.raises(Refused):
            review_acts.send_soon(env, "blog", WEEKLY, key=key)
        assert read(row_id).version == 0
        return
    review_acts.send_soon(env, "blog", WEEKLY, key=key)
    row = read(row_id)
    assert (row.held_at, row.released_at, row.version) == (None, START, 1)
    assert row.go_at == START + timedelta(minutes=1)


def test_the_name_of_a_digest_is_that_of_its_review_or_of_its_period(
    env: Environment, row_id: int
) -> None:
    change(row_id, key="reviewed")
    for entries, expected in (([], "reviewed"), (None, KEY)):
        change(row_id, entries=entries)
        with reading() as session:
            mailing_list = session.get_one(MailingList, read(row_id).list_id)
            assert review_acts.find_key(env, session, mailing_list, WEEKLY) == expected


@pytest.mark.parametrize(
    ("fate", "after"),
    [
        ("ready", "skipped"),
        ("new", "skipped"),
        ("sent", "sent"),
        ("held", "held"),
        ("skipped", "skipped"),
    ],
)
@pytest.mark.parametrize("by_link", [False, True])
def test_an_entry_is_left_out_once(
    env: Environment, row_id: int, fate: str, after: str, by_link: bool
) -> None:
    ids = list_ids(row_id)
    with transaction() as session:
        session.get_one(Entry, ids[1]).fate = fate
    for _ in range(2):
        if by_link:
            review_acts.leave_out_by_link(env, make_token(env, row_id), ids[1])
        else:
            review_acts.leave_out(env, "blog", WEEKLY, ids[1])
    assert (read(row_id).left_out, read(row_id).version) == ([ids[1]], 1)
    fates = [db.session.get_one(Entry, entry_id).fate for entry_id in ids]
    assert fates == ["ready", after, "ready"]
    is_changed = after != fate
    assert db.session.get_one(Entry, ids[1]).by_hand is is_changed
    assert bool(db.session.get_one(Entry, ids[1]).why) is is_changed


def test_only_entries_of_a_reviewed_digest_are_left_out(env: Environment, row_id: int) -> None:
    with reading() as session:
        foreign = session.scalars(select(Entry.id).where(Entry.title == "other weekly 0")).one()
    with pytest.raises(NotFound):
        review_acts.leave_out(env, "blog", WEEKLY, foreign)
    with pytest.raises(Refused):
        review_acts.leave_out(env, "blog", Cadence.DAILY, list_ids(row_id)[0])
    change(row_id, entries=None)
    with pytest.raises(Refused):
        review_acts.leave_out(env, "blog", WEEKLY, foreign)
    with pytest.raises(NotFound):
        review_acts.leave_out_by_link(env, make_token(env, row_id), foreign)
    with reading() as session:
        assert session.get_one(Entry, foreign).fate == "ready"


@pytest.mark.parametrize("key", [None, KEY])
def test_a_digest_is_skipped_with_its_review(
    env: Environment, row_id: int, key: str | None
) -> None:
    with transaction() as session:
        mails = [
            Delivery(mail="review", status="queued", created_at=START, due_at=START)
            for _ in range(2)
        ]
        session.add_all(mails)
        session.flush()
        cancelled, others = (mail.id for mail in mails)
    change(row_id, mails=[cancelled])
    assert review_acts.skip(env, "blog", WEEKLY, key=key) == KEY
    row = read(row_id)
    assert (row.settled_at, row.version) == (START, 1)
    assert db.session.get_one(Delivery, cancelled).status == "cancelled"
    assert db.session.get_one(Delivery, others).status == "queued"
    [period] = db.session.scalars(select(DigestPeriod))
    assert (period.list_id, period.cadence, period.key) == (row.list_id, WEEKLY, KEY)
    assert review_acts.skip(env, "blog", WEEKLY) == "2026-W50"
    with pytest.raises(Refused):
        review_acts.skip(env, "blog", WEEKLY, key=KEY)


def test_instant_mails_are_not_skipped(env: Environment, row_id: int) -> None:
    with pytest.raises(Refused):
        review_acts.skip(env, "blog", Cadence.INSTANT)
    assert db.session.scalars(select(DigestPeriod)).all() == []


def test_a_link_acts_for_an_author_of_its_list_while_the_digest_is_there(
    env: Environment, row_id: int
) -> None:
    stranger = make_token(env, row_id, "ana@other.example.com")
    with pytest.raises(LinkInvalid):
        review_acts.hold_by_link(env, stranger)
    mine = make_token(env, row_id)
    change(row_id, settled_at=START)
    with pytest.raises(Refused):
        review_acts.hold_by_link(env, mine)
    with pytest.raises(Refused):
        review_acts.leave_out_by_link(env, mine, list_ids(row_id)[0])
    assert (read(row_id).held_at, read(row_id).left_out) == (None, [])
    assert review_acts.open_page(env, mine).review.settled
    change(row_id, handle="renamed")
    with pytest.raises(NotFound):
        review_acts.open_page(env, mine)
