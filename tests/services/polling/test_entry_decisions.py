"""The decisions of authors about entries, their listing, and the time that entries wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.errors import NotFound, Refused
from newsletter.models import Entry, Feed, MailingList
from newsletter.services.polling import entries
from newsletter.services.polling.entries import EntryView
from newsletter.services.polling.matching import AHEAD
from newsletter.services.runtime import Environment
from newsletter.vocabulary import EntryStatus
from tests.fakes import START
from tests.people import add_entry, add_feed, add_list

SECOND = timedelta(seconds=1)
FATES = ("new", "held", "ready", "skipped", "sent")

Act = Callable[[Environment, int], EntryView]


@pytest.fixture(autouse=True)
def foreign(env: Environment) -> Iterator[int]:
    """Add a list with one entry, after another list's entry that stays as it is."""
    with transaction() as session:
        for slug in ("other", "blog"):
            mailing_list = add_list(session, slug, grace_minutes=20)
            feed = add_feed(session, mailing_list, f"https://{slug}.example.com/feed/")
            entry = add_entry(session, feed, f"{slug} post")
            entry.matures_at = START + timedelta(minutes=5)
            if slug == "other":
                other_id = entry.id
    yield other_id
    db.session.rollback()
    entry = db.session.get_one(Entry, other_id, populate_existing=True)
    assert (entry.fate, entry.seq, entry.by_hand) == (EntryStatus.READY, 1, False)
    assert (entry.send_asked_at, entry.matures_at) == (None, START + timedelta(minutes=5))


def add(title: str, *, slug: str = "blog", **values: object) -> int:
    with transaction() as session:
        query = select(Feed).join(MailingList).where(MailingList.slug == slug)
        feed = session.scalars(query.order_by(Feed.id)).first()
        assert feed is not None
        entry = add_entry(session, feed, title, fate=str(values.pop("fate", "ready")))
        for name, value in values.items():
            setattr(entry, name, value)
        return entry.id


def read(entry_id: int) -> Entry:
    db.session.rollback()
    return db.session.get_one(Entry, entry_id, populate_existing=True)


@pytest.mark.parametrize(
    ("act", "allowed", "after"),
    [
        (entries.skip, {"new", "held", "ready", "skipped"}, "skipped"),
        (entries.hold, {"new", "ready"}, "held"),
        (entries.release, {"new", "held", "skipped"}, "ready"),
        (entries.resend, {"sent"}, "ready"),
    ],
)
@pytest.mark.parametrize("fate", FATES)
def test_an_author_decides_about_what_can_still_be_decided(
    env: Environment, act: Act, allowed: set[str], after: str, fate: str
) -> None:
    entry_id = add("Post", fate=fate)
    if fate not in allowed:
        with pytest.raises(Refused):
            act(env, entry_id)
        assert (read(entry_id).fate, read(entry_id).by_hand) == (fate, False)
        return
    view = act(env, entry_id)
    assert (view.fate, view.list, view.id, view.at_once) == (after, "blog", entry_id, False)
    row = read(entry_id)
    assert (row.fate, row.by_hand, bool(row.why)) == (after, True, True)


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("at_once", [False, True])
def test_an_entry_is_sent_now_or_with_the_next_digest(
    env: Environment, fate: str, at_once: bool
) -> None:
    entry_id = add("Post", fate=fate)
    before = read(entry_id).seq
    if fate == "ready" and not at_once:
        with pytest.raises(Refused):
            entries.send(env, entry_id, at_once=False)
        return
    view = entries.send(env, entry_id, at_once=at_once)
    assert (view.fate, view.at_once) == ("ready", at_once)
    row = read(entry_id)
    assert row.send_asked_at == (START if at_once else None)
    assert row.seq == (before if fate == "ready" else 2)
    again = "to be sent again, by hand" if fate == "sent" else "released by hand"
    assert row.why == ("" if fate == "ready" else again)


def test_an_entry_that_is_not_there_is_said(env: Environment, foreign: int) -> None:
    for act in (entries.skip, entries.hold, entries.release, entries.resend):
        with pytest.raises(NotFound):
            act(env, foreign + 99)


@pytest.mark.parametrize(
    ("values", "is_due"),
    [
        ({"published_at": START + AHEAD}, True),
        ({"published_at": START + AHEAD + SECOND}, False),
        ({"withdrawn_at": START}, False),
        ({"fate": "held"}, False),
        ({"fate": "skipped"}, False),
    ],
)
def test_an_entry_that_waited_is_ready_when_its_time_has_come(
    env: Environment, values: dict[str, object], is_due: bool
) -> None:
    entry_id = add("Post", **({"fate": "new", "published_at": START} | values))
    before = read(entry_id).fate
    assert entries.promote_due(env) == is_due
    assert read(entry_id).fate == ("ready" if is_due else before)
    assert entries.promote_due(env) == 0


def test_entries_that_waited_are_numbered_by_their_dates(env: Environment) -> None:
    ids = [
        add(f"Post {hours}", fate="new", published_at=START - timedelta(hours=hours))
        for hours in (1, 3, 2)
    ]
    assert entries.promote_due(env) == 3
    assert [read(entry_id).seq for entry_id in ids] == [4, 2, 3]
    assert read(ids[0]).matures_at is None, "it has waited already"


@pytest.mark.parametrize(("minutes", "waits"), [(30, 15), (20, 5), (10, -5)])
def test_another_grace_period_counts_from_when_entries_began_to_wait(
    env: Environment, minutes: int, waits: int
) -> None:
    matured = add("Matured", matures_at=START)
    free = add("Free", matures_at=None)
    waiting = add("Waiting", matures_at=START + timedelta(minutes=5))
    with transaction() as session:
        blog = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
        entries.change_grace_period(env, session, blog, minutes)
    assert (read(matured).matures_at, read(free).matures_at) == (START, None)
    assert read(waiting).matures_at == START + timedelta(minutes=waits)


def list_titles(**values: object) -> list[str]:
    return [view.title for view in entries.list_entries(**values)]  # type: ignore[arg-type]


def test_entries_are_listed_by_list_feed_fate_and_link(env: Environment) -> None:
    with transaction() as session:
        blog = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
        second = add_feed(session, blog, "https://blog.example.com/second/")
        add_entry(session, second, "Second", fate="held")
        second_id = second.id
    held = add("Held", fate="held", own_title="Mine")
    add("Theirs", slug="other", fate="sent")
    assert list_titles() == ["Theirs", "Mine", "Second", "blog post", "other post"]
    assert list_titles(slug="blog") == ["Mine", "Second", "blog post"]
    assert list_titles(fate=EntryStatus.HELD) == ["Mine", "Second"]
    assert list_titles(feed_id=second_id) == ["Second"]
    assert list_titles(links=["https://blog.example.com/held/"]) == ["Mine"]
    assert list_titles(before=held) == ["Second", "blog post", "other post"]
    assert list_titles(limit=2) == ["Theirs", "Mine"]
    counts = [
        entries.count_entries(),
        entries.count_entries(slug="blog"),
        entries.count_entries(fate=EntryStatus.READY),
        entries.count_entries(slug="blog", fate=EntryStatus.HELD),
        entries.count_entries(slug="other", fate=EntryStatus.HELD),
    ]
    assert counts == [5, 3, 2, 2, 0]
