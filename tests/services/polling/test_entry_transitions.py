"""Each change of what becomes of an entry, beside an entry of another list that stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.db.session import db
from newsletter.models import Entry, Event, Feed
from newsletter.services.polling import entry_state
from newsletter.services.polling.matching import AHEAD
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Actor, EntryReason, EntryStatus, EventKind
from tests.fakes import START
from tests.people import add_entry, add_feed, add_list

READY = EntryStatus.READY
SENT = EntryStatus.SENT
SKIPPED = EntryStatus.SKIPPED
NEW = EntryStatus.NEW
HELD = EntryStatus.HELD


@pytest.fixture
def session(env: Environment) -> Session:
    return db.session()


@pytest.fixture
def feed(session: Session) -> Iterator[Feed]:
    """Yield a feed with two numbered entries and a grace period, beside another list's entry."""
    feed = add_feed(session, add_list(session, grace_minutes=20))
    add_entry(session, feed, "First")
    add_entry(session, feed, "Second")
    other = add_feed(session, add_list(session, "other"), "https://other.example.com/feed/")
    foreign = add_entry(session, other, "Foreign")
    yield feed
    session.refresh(foreign)
    assert (foreign.fate, foreign.seq, foreign.withdrawn_at) == (READY, 1, None)


def events(session: Session, entry: Entry) -> list[tuple[EventKind, EntryReason, Actor]]:
    session.flush()
    rows = session.scalars(select(Event).where(Event.entry_id == entry.id).order_by(Event.id))
    return [(row.kind, row.reason, row.actor) for row in rows]


def test_what_is_ready_gets_the_next_number_of_its_list(
    env: Environment, session: Session, feed: Feed
) -> None:
    entry = add_entry(session, feed, "Third", fate="new")
    entry.first_seq = 9
    entry_state.make_ready(env, session, entry)
    assert (entry.fate, entry.seq, entry.first_seq, entry.matures_at) == (READY, 3, None, None)
    assert events(session, entry) == [(EventKind.ENTRY_READY, EntryReason.NONE, Actor.SYSTEM)]
    assert not entry.by_hand


def test_the_grace_period_begins_only_where_it_is_asked_for(
    env: Environment, session: Session, feed: Feed
) -> None:
    entry = add_entry(session, feed, "Third", fate="new")
    entry_state.make_ready(env, session, entry, with_grace=True)
    assert entry.matures_at == START + timedelta(minutes=20)
    hasty = add_entry(
        session,
        add_feed(session, add_list(session, "hasty", grace_minutes=0), "https://h.example/"),
        "Hasty",
        fate="new",
    )
    entry_state.make_ready(env, session, hasty, with_grace=True)
    assert hasty.matures_at is None


def test_an_author_releases_whatever_the_feed_says(
    env: Environment, session: Session, feed: Feed
) -> None:
    entry = add_entry(session, feed, "Third", fate="held")
    entry.withdrawn_at = START
    entry.shown_in_id = entry.id - 1
    entry_state.release(env, session, entry, "because")
    assert (entry.fate, entry.seq, entry.why, entry.by_hand) == (READY, 3, "because", True)
    assert (entry.withdrawn_at, entry.shown_in_id, entry.matures_at) == (None, None, None)
    assert events(session, entry)[-1][2] is Actor.AUTHOR


@pytest.mark.parametrize("act", [entry_state.hold, entry_state.skip])
def test_what_is_held_or_skipped_has_no_number(
    env: Environment, session: Session, feed: Feed, act: object
) -> None:
    entry = add_entry(session, feed, "Third")
    act(env, session, entry, "why", reason=EntryReason.LEFT_OUT)  # type: ignore[operator]
    assert (entry.seq, entry.why) == (None, "why")
    assert entry.fate == (HELD if act is entry_state.hold else SKIPPED)


@pytest.mark.parametrize(
    ("fate", "after", "count"),
    [
        ("ready", SKIPPED, 1),
        ("new", SKIPPED, 1),
        ("sent", SENT, 1),
        ("held", HELD, 0),
        ("skipped", SKIPPED, 0),
    ],
)
def test_what_is_withdrawn_is_owed_to_nobody(
    env: Environment, session: Session, feed: Feed, fate: str, after: EntryStatus, count: int
) -> None:
    entry = add_entry(session, feed, "Third", fate=fate)
    entry_state.withdraw(env, session, entry)
    assert (entry.fate, entry.withdrawn_at) == (after, START)
    kinds = events(session, entry)
    assert kinds == [(EventKind.ENTRY_SKIPPED, EntryReason.WITHDRAWN, Actor.SYSTEM)] * count
    entry_state.withdraw(env, session, entry)
    assert len(events(session, entry)) == count, "once is enough"


def returned(env: Environment, session: Session, entry: Entry, **values: object) -> EntryStatus:
    entry.withdrawn_at = START
    for name, value in values.items():
        setattr(entry, name, value)
    entry_state.return_to_feed(env, session, entry)
    assert entry.withdrawn_at is None
    return entry.fate


def test_what_comes_back_is_ready_with_a_new_number_and_grace(
    env: Environment, session: Session, feed: Feed
) -> None:
    entry = add_entry(session, feed, "Third", fate="skipped")
    assert returned(env, session, entry) == READY
    assert (entry.seq, entry.matures_at) == (3, START + timedelta(minutes=20))
    assert events(session, entry) == [(EventKind.ENTRY_READY, EntryReason.RETURNED, Actor.SYSTEM)]


def test_what_was_sent_and_comes_back_keeps_its_first_number(
    env: Environment, session: Session, feed: Feed
) -> None:
    entry = add_entry(session, feed, "Third", fate="sent")
    assert returned(env, session, entry, seq=2) == SENT
    assert (entry.seq, entry.first_seq, entry.matures_at) == (3, 2, None)
    assert returned(env, session, entry) == SENT
    assert (entry.seq, entry.first_seq) == (4, 2), "the first one, however often"
    assert len(events(session, entry)) == 2


def test_what_the_author_decided_or_another_shows_stays_so(
    env: Environment, session: Session, feed: Feed
) -> None:
    entry = add_entry(session, feed, "Third", fate="skipped")
    assert returned(env, session, entry, by_hand=True) == SKIPPED
    entry.by_hand = False
    assert returned(env, session, entry, shown_in_id=entry.id - 1) == SKIPPED
    assert events(session, entry) == []


@pytest.mark.parametrize(("later", "fate"), [(0, READY), (1, NEW)])
def test_what_comes_back_dated_ahead_waits_for_its_time(
    env: Environment, session: Session, feed: Feed, later: int, fate: EntryStatus
) -> None:
    entry = add_entry(session, feed, "Third", fate="skipped")
    date = START + AHEAD + timedelta(seconds=later)
    assert returned(env, session, entry, published_at=date) == fate


def test_what_another_shows_is_not_mailed_by_itself_unless_it_was(
    env: Environment, session: Session, feed: Feed
) -> None:
    post = add_entry(session, feed, "Post")
    video = add_entry(session, feed, "Video")
    mailed = add_entry(session, feed, "M", fate="sent")
    for entry in (video, mailed):
        entry_state.show_in(env, session, entry, post, "shown")
    assert (video.fate, video.shown_in_id, video.seq) == (SKIPPED, post.id, None)
    assert (mailed.fate, mailed.shown_in_id) == (SENT, post.id)
    for entry in (video, mailed):
        entry_state.stop_showing(env, session, entry)
    assert (video.fate, video.shown_in_id) == (READY, None)
    assert video.matures_at == START + timedelta(minutes=20)
    assert (mailed.fate, mailed.shown_in_id) == (SENT, None)


def test_what_was_withdrawn_meanwhile_does_not_go_out_by_itself(
    env: Environment, session: Session, feed: Feed
) -> None:
    video = add_entry(session, feed, "Video", fate="skipped")
    video.shown_in_id = video.id - 1
    video.withdrawn_at = START
    entry_state.stop_showing(env, session, video)
    assert (video.fate, video.shown_in_id) == (SKIPPED, None)


def test_an_heir_takes_the_whole_place_of_an_entry(
    env: Environment, session: Session, feed: Feed
) -> None:
    entry = add_entry(session, feed, "Page", fate="sent")
    entry.seq = 3
    entry.first_seq = 2
    entry.matures_at = START
    entry.why = "words"
    entry.by_hand = True
    heir = add_entry(session, feed, "Heir", fate="skipped")
    heir.shown_in_id = entry.id
    entry_state.take_over(env, session, entry, heir)
    assert (heir.fate, heir.seq, heir.first_seq, heir.matures_at) == (SENT, 3, 2, START)
    assert (heir.why, heir.by_hand, heir.shown_in_id) == ("words", True, None)
    assert events(session, heir) == [(EventKind.ENTRY_SENT, EntryReason.FEED_REMOVED, Actor.SYSTEM)]
    twin = add_entry(session, feed, "Twin", fate="sent")
    entry_state.take_over(env, session, entry, twin)
    assert events(session, twin) == [], "nothing became of it"
    assert twin.why == "words"


def test_the_number_of_an_entry_sent_by_itself_is_remembered_once(
    env: Environment, session: Session, feed: Feed
) -> None:
    entry = add_entry(session, feed, "Third")
    entry_state.remember_number(session, entry.id)
    session.refresh(entry)
    assert (entry.seq, entry.first_seq) == (3, 3)
    entry.seq = 4
    session.flush()
    entry_state.remember_number(session, entry.id)
    session.refresh(entry)
    assert entry.first_seq == 3
    numbers = session.scalars(select(Entry.first_seq).where(Entry.id != entry.id)).all()
    assert set(numbers) == {None}
