"""The life of an entry: one module changes what becomes of it, and each change is an event."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.models import Entry, Event, Feed, MailingList
from newsletter.services.polling import entries, entry_state, feeds, poll, store
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Actor, EntryStatus, EventKind
from tests.fakes import FakeFetch
from tests.feeds_server import item, rss
from tests.people import add_list

PACKAGE = Path(__file__).parents[3] / "newsletter"
HOME = PACKAGE / "services" / "polling" / "entry_state.py"
URL = "https://blog.example.com/feed"
OTHER = "https://other.example.com/feed"

Told = tuple[EventKind, Actor, str]


# ── the guard


def fate_changes(file: Path) -> list[int]:
    """Return the lines of a module that set `.fate`, or the column in an `Entry(...)` or
    `.values(...)`.
    """
    lines = []
    for node in ast.walk(ast.parse(file.read_text())):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
            targets = [node.target]
        flat = [part for target in targets for part in ast.walk(target)]
        if any(isinstance(part, ast.Attribute) and part.attr == "fate" for part in flat):
            lines.append(node.lineno)
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            name = node.func.id if isinstance(node.func, ast.Name) else name
            literals = {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
            by_name = any(keyword.arg == "fate" for keyword in node.keywords)
            in_dict = any(
                isinstance(part, ast.Constant) and part.value == "fate"
                for arg in node.args
                if isinstance(arg, ast.Dict)
                for part in arg.keys
            ) or any(
                isinstance(key, ast.Attribute) and key.attr == "fate"
                for arg in node.args
                if isinstance(arg, ast.Dict)
                for key in arg.keys
            )
            if (name in ("Entry", "values") and (by_name or in_dict)) or (
                name == "setattr" and "fate" in literals
            ):
                lines.append(node.lineno)
    return lines


@pytest.mark.any_database
def test_only_one_module_changes_what_becomes_of_entries() -> None:
    files = [
        file for file in PACKAGE.rglob("*.py") if file != HOME and "versions" not in file.parts
    ]
    assert {
        str(file.relative_to(PACKAGE)): fate_changes(file) for file in files if fate_changes(file)
    } == {}
    assert fate_changes(HOME)


@pytest.mark.any_database
@pytest.mark.parametrize(
    "planted",
    [
        "entry.fate = 'sent'",
        "entry.fate, entry.why = 'sent', ''",
        "Entry(feed_id=1, fate='new')",
        "session.execute(update(Entry).values(fate='sent'))",
        "session.execute(update(Entry).values({'fate': 'sent'}))",
        "session.execute(update(Entry).values({Entry.fate: 'sent'}))",
        "setattr(entry, 'fate', 'sent')",
    ],
)
def test_the_guard_sees_what_is_planted(planted: str, tmp_path: Path) -> None:
    file = tmp_path / "planted.py"
    file.write_text(planted + "\n")
    assert fate_changes(file) == [1]


# ── the events


@pytest.fixture
def feed_id(env: Environment, fake_fetch: FakeFetch) -> int:
    """Make a feed with one old entry, beside another list with a feed of its own."""
    with transaction() as session:
        add_list(session, "blog")
        add_list(session, "other")
    fake_fetch.pages[URL] = rss(item("Old"))
    fake_fetch.pages[OTHER] = rss(item("Foreign", link="https://other.example.com/foreign"))
    feeds.add(env, OTHER, "other")
    return feeds.add(env, URL, "blog").id


def find_new(env: Environment, fake_fetch: FakeFetch, feed_id: int, title: str = "New") -> int:
    fake_fetch.pages[URL] = rss(item(title), item("Old"))
    poll.poll_feed(env, feed_id)
    db.session.expire_all()
    return db.session.scalars(select(Entry.id).where(Entry.title == title)).one()


def told(entry_id: int) -> list[Told]:
    db.session.rollback()
    query = select(Event.kind, Event.actor, Event.reason).where(Event.entry_id == entry_id)
    return [tuple(row) for row in db.session.execute(query.order_by(Event.id))]  # type: ignore[misc]


FOUND = (EventKind.ENTRY_FOUND, Actor.SYSTEM, "")
READY = (EventKind.ENTRY_READY, Actor.SYSTEM, "")


def test_an_entry_that_was_there_already_is_found_and_skipped(
    env: Environment, feed_id: int
) -> None:
    old = db.session.scalars(select(Entry.id).where(Entry.title == "Old")).one()
    assert told(old) == [
        (EventKind.ENTRY_FOUND, Actor.SYSTEM, "backlog"),
        (EventKind.ENTRY_SKIPPED, Actor.SYSTEM, "backlog"),
    ]


def test_an_entry_is_found_and_ready_withdrawn_and_returned(
    env: Environment, fake_fetch: FakeFetch, feed_id: int
) -> None:
    new = find_new(env, fake_fetch, feed_id)
    assert told(new) == [FOUND, READY]
    fake_fetch.pages[URL] = rss(item("Old"))
    poll.poll_feed(env, feed_id)
    assert told(new)[2:] == [(EventKind.ENTRY_SKIPPED, Actor.SYSTEM, "withdrawn")]
    poll.poll_feed(env, feed_id)
    assert len(told(new)) == 3, "nothing has happened"
    find_new(env, fake_fetch, feed_id)
    assert told(new)[3:] == [(EventKind.ENTRY_READY, Actor.SYSTEM, "returned")]


def test_what_an_author_decides_of_an_entry_is_recorded_as_theirs(
    env: Environment, fake_fetch: FakeFetch, feed_id: int
) -> None:
    new = find_new(env, fake_fetch, feed_id)
    entries.hold(env, new)
    entries.release(env, new)
    entries.skip(env, new)
    assert told(new)[2:] == [
        (EventKind.ENTRY_HELD, Actor.AUTHOR, ""),
        (EventKind.ENTRY_READY, Actor.AUTHOR, ""),
        (EventKind.ENTRY_SKIPPED, Actor.AUTHOR, ""),
    ]
    assert db.session.get_one(Entry, new).by_hand


def test_an_entry_that_was_sent_and_withdrawn_is_owed_to_nobody_until_it_returns(
    env: Environment, fake_fetch: FakeFetch, feed_id: int
) -> None:
    new = find_new(env, fake_fetch, feed_id)
    with transaction() as session:
        entry = session.get_one(Entry, new)
        entry.fate = EntryStatus.SENT
    first = entry_seq(new)
    with transaction() as session:
        store.withdraw_entries(env, session, [new])
    assert told(new)[2:] == [(EventKind.ENTRY_SKIPPED, Actor.SYSTEM, "withdrawn")]
    assert owed() == set()
    with transaction() as session:
        entry_state.return_to_feed(env, session, session.get_one(Entry, new))
    assert told(new)[3:] == [(EventKind.ENTRY_READY, Actor.SYSTEM, "returned")]
    assert owed() == {new}
    assert entry_seq(new) > first


def entry_seq(entry_id: int) -> int:
    db.session.rollback()
    return db.session.scalar(select(Entry.seq).where(Entry.id == entry_id)) or 0


def owed() -> set[int]:
    db.session.rollback()
    return set(db.session.scalars(select(Entry.id).where(entry_state.owed_clause())))


def test_the_events_of_an_entry_go_with_its_feed_and_no_others(
    env: Environment, fake_fetch: FakeFetch, feed_id: int
) -> None:
    find_new(env, fake_fetch, feed_id)
    feeds.remove(env, str(feed_id))
    db.session.rollback()
    [list_id] = db.session.scalars(select(MailingList.id).where(MailingList.slug == "other"))
    assert set(db.session.scalars(select(Event.list_id))) == {list_id}
    assert db.session.scalars(select(Feed.url)).all() == [OTHER]
