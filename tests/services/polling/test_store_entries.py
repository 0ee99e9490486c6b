"""The fate of the entries of a feed that is read, beside entries of other feeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.db.session import db
from newsletter.feeds.fetch import Fetched
from newsletter.feeds.parse import parse_feed
from newsletter.feeds.protected import PROTECTED
from newsletter.models import Delivery, Entry, Feed
from newsletter.services.polling import store
from newsletter.services.polling.fetch import FeedReading
from newsletter.services.polling.store import PollResult
from newsletter.services.runtime import Environment
from newsletter.vocabulary import EntryStatus
from tests.fakes import START
from tests.feeds_server import item, rss
from tests.people import add_entry, add_feed, add_list

URL = "https://blog.example.com/feed/"
SECRET = '<form action="/wp-login.php?action=postpass" class="post-password-form"></form>'


@pytest.fixture
def session(env: Environment) -> Session:
    return db.session()


@pytest.fixture
def feed(session: Session) -> Iterator[Feed]:
    """Yield a feed beside one of the same list and one of another."""
    mailing_list = add_list(session, grace_minutes=20)
    others = [
        add_feed(session, add_list(session, "other"), URL),
        add_feed(session, mailing_list, "https://blog.example.com/second/"),
    ]
    for other in others:
        foreign = add_entry(session, other, "Post", fate="held")
        foreign.why = PROTECTED
    feed = add_feed(session, mailing_list, URL)
    yield feed
    session.flush()
    fates = select(Entry.fate).where(Entry.feed_id.in_([other.id for other in others]))
    assert session.scalars(fates).all() == [EntryStatus.HELD] * 2


def make_reading(*items: str, title: str = "Blog") -> FeedReading:
    fetched = Fetched(URL, 200, rss(*items, title=title), etag='"2"', last_modified="now")
    return FeedReading(fetched, parse_feed(fetched.body, url=URL))


def add_known(session: Session, feed: Feed, title: str, **values: object) -> Entry:
    """Add an entry that was found in the feed before."""
    [parsed] = parse_feed(rss(item(title)), url=URL).entries
    entry = add_entry(session, feed, title, fate=str(values.pop("fate", "ready")))
    for name, value in values.items():
        setattr(entry, name, value)
    entry.identity = parsed.identity
    entry.link_key = parsed.link_key
    session.flush()
    return entry


def read(env: Environment, feed: Feed, *items: str) -> PollResult:
    return store.store_reading(env, db.session(), feed, make_reading(*items))


def count_notices(session: Session) -> int:
    session.flush()
    return session.scalar(select(func.count()).select_from(Delivery)) or 0


@pytest.mark.parametrize(
    ("fate", "values", "body", "after", "held"),
    [
        ("ready", {}, SECRET, "held", 1),
        ("new", {}, SECRET, "held", 1),
        ("sent", {}, SECRET, "sent", 0),
        ("skipped", {}, SECRET, "skipped", 0),
        ("ready", {"content_html": SECRET, "by_hand": True}, SECRET, "ready", 0),
        ("held", {"why": PROTECTED}, "", "ready", 0),
        ("held", {"why": PROTECTED, "by_hand": True}, "", "held", 0),
        ("held", {"why": "moved"}, "", "held", 0),
        ("skipped", {"why": PROTECTED}, "", "skipped", 0),
        ("skipped", {"withdrawn_at": START}, "", "ready", 0),
        ("skipped", {"withdrawn_at": START, "by_hand": True}, "", "skipped", 0),
    ],
)
def test_a_known_entry_follows_its_feed(
    env: Environment,
    session: Session,
    feed: Feed,
    fate: str,
    values: dict[str, object],
    body: str,
    after: str,
    held: int,
) -> None:
    entry = add_known(session, feed, "Post", fate=fate, **values)
    before = entry.content_html
    result = read(env, feed, item("Post", body=body))
    assert (entry.fate, result) == (after, PollResult(feed.id, URL, changed=1, held=held))
    assert count_notices(session) == held
    assert (entry.withdrawn_at is None) == (fate != "sent")
    if body:
        assert entry.content_html == before, "the text it had before is not lost"
    else:
        assert "at length" in entry.content_html
    if (fate, after) == ("held", "ready"):
        assert entry.matures_at == START + timedelta(minutes=20)


@pytest.mark.parametrize(
    ("fate", "by_hand", "after"),
    [
        ("new", False, "skipped"),
        ("held", False, "skipped"),
        ("ready", False, "skipped"),
        ("ready", True, "ready"),
        ("sent", False, "sent"),
    ],
)
def test_what_is_left_out_now_is_not_mailed_any_more(
    env: Environment, session: Session, feed: Feed, fate: str, by_hand: bool, after: str
) -> None:
    entry = add_known(session, feed, "Post", fate=fate, by_hand=by_hand)
    feed.not_title = "^post"
    result = read(env, feed, item("Post"), item("Post again"), item("Other"))
    assert (entry.fate, result.new) == (after, 1)
    assert bool(entry.why) == (after == "skipped")


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({"fate": "ready"}, 1),
        ({"fate": "held", "by_hand": True}, 1),
        ({"fate": "held"}, 0),
    ],
)
def test_the_author_is_asked_once_until_they_have_decided(
    env: Environment, session: Session, feed: Feed, values: dict[str, object], count: int
) -> None:
    add_known(session, feed, "Before", **values)
    result = read(env, feed, item("Before"), item("Post", body=SECRET))
    assert (result.held, result.new, count_notices(session)) == (1, 1, count)


def test_only_named_entries_are_withdrawn_and_none_of_the_authors(
    env: Environment, session: Session, feed: Feed
) -> None:
    entries = [add_entry(session, feed, title) for title in ("Kept", "Decided", "Taken", "Shown")]
    _, decided, withdrawn, inner = entries
    decided.by_hand = True
    inner.fate = EntryStatus.SKIPPED
    inner.shown_in_id = withdrawn.id
    session.flush()
    assert store.withdraw_entries(env, session, [decided.id, withdrawn.id]) == 1
    assert [entry.withdrawn_at for entry in entries] == [None, None, START, None]
    assert [entry.fate for entry in entries] == ["ready", "ready", "skipped", "ready"]
    assert inner.shown_in_id is None


def test_an_image_that_a_page_gave_stays_until_the_feed_has_one(
    env: Environment, session: Session, feed: Feed
) -> None:
    entry = add_known(session, feed, "Post")
    entry.image = "https://blog.example.com/page.jpg"
    entry.image_alt = "Sea"
    read(env, feed, item("Post"))
    assert (entry.image, entry.image_alt) == ("https://blog.example.com/page.jpg", "Sea")
    reading = make_reading(item("Post"))
    assert reading.parsed is not None
    [parsed] = reading.parsed.entries
    pictured = replace(parsed, image="https://blog.example.com/feed.jpg", categories=("Rest",))
    with_image = replace(reading.parsed, entries=(pictured,))
    store.store_reading(env, session, feed, replace(reading, parsed=with_image))
    assert (entry.image, entry.image_alt) == ("https://blog.example.com/feed.jpg", "")
    assert entry.categories == ["Rest"]


@pytest.mark.parametrize("leaves_out", [[], ["shorts"]])
def test_kinds_of_videos_that_a_feed_leaves_out_are_skipped(
    env: Environment, session: Session, feed: Feed, leaves_out: list[str]
) -> None:
    feed.leaves_out = leaves_out
    reading = make_reading(
        item("Short", link="https://www.youtube.com/shorts/abcdefghijk"), item("Live"), item("Post")
    )
    assert reading.parsed is not None
    short, live, post = reading.parsed.entries
    entries = (
        replace(short, video_id="abcdefghijk"),
        replace(live, video_id="zbcdefghijk"),
        replace(post, link="https://blog.example.com/shorts/1"),
    )
    reading = replace(
        reading,
        parsed=replace(reading.parsed, entries=entries),
        left_out={live.identity: "live"},
    )
    result = store.store_reading(env, session, feed, reading)
    assert result.new == 2 - len(leaves_out)
    query = select(Entry.title).where(Entry.feed_id == feed.id, Entry.fate == EntryStatus.SKIPPED)
    assert set(session.scalars(query)) == {"Live", *(["Short"] if leaves_out else [])}


@pytest.mark.parametrize("is_used", [False, True])
def test_a_known_entry_takes_the_id_it_has_now_unless_it_is_anothers(
    env: Environment, session: Session, feed: Feed, is_used: bool
) -> None:
    [parsed] = parse_feed(rss(item("Post", guid="now")), url=URL).entries
    entry = add_known(session, feed, "Post")
    other = add_known(session, feed, "Another")
    before = entry.identity
    if is_used:
        other.identity = parsed.identity
        session.flush()
    result = read(env, feed, item("Post", guid="now"), item("Another"))
    assert (result.new, result.changed) == (0, 2)
    assert entry.identity == (before if is_used else parsed.identity)


def test_a_page_that_another_feed_has_as_well_is_one_story(
    env: Environment, session: Session, feed: Feed
) -> None:
    second = add_feed(session, feed.mailing_list, "https://blog.example.com/third/")
    entry = add_known(session, second, "Page")
    read(env, feed, item("Page", guid="another"), item("Else"))
    query = select(Entry.title, Entry.shown_in_id).where(Entry.feed_id == feed.id)
    assert {tuple(row) for row in session.execute(query)} == {("Page", entry.id), ("Else", None)}


@pytest.mark.parametrize(
    ("site", "link", "key"),
    [("", "https://a.example/", "a"), ("https://b.example/", "https://a.example/", "b")],
)
def test_the_address_of_its_site_is_that_of_the_feed_unless_one_is_set(
    env: Environment, session: Session, feed: Feed, site: str, link: str, key: str
) -> None:
    feed.site_url = site
    feed.entries_at_once = 7
    parsed = make_reading().parsed
    assert parsed is not None
    moment = store.describe_moment(env, feed, replace(parsed, link=link))
    assert moment.site_key.removeprefix("//").startswith(f"{key}.example")
    assert (moment.now, moment.before, moment.window) == (START, START, 7)
