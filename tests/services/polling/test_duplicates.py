"""One story is mailed once: which posts show which videos, and which page stands for its twins."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from newsletter.db.session import db
from newsletter.models import Entry, Feed
from newsletter.services.polling import duplicates
from newsletter.services.runtime import Environment
from newsletter.vocabulary import EntryStatus
from tests.fakes import START
from tests.people import add_entry, add_feed, add_list

EMBED = '<iframe src="https://www.youtube.com/embed/abcdefghijk"></iframe>'
OTHER_EMBED = EMBED.replace("abcdefghijk", "zbcdefghijk")
SECOND = timedelta(seconds=1)
DAY = timedelta(hours=24)
LONG_AGO = START - timedelta(days=3)
LINK = "//blog.example.com/page"

Change = dict[str, object]


@pytest.fixture
def session(env: Environment) -> Session:
    return db.session()


@pytest.fixture
def feed(session: Session) -> Feed:
    """Add a feed beside another list, whose post embeds the same video and has the same link."""
    foreign = add_feed(session, add_list(session, "other"), "https://other.example.com/feed/")
    add_story(session, foreign, "Page", {"content_html": EMBED, "link_key": LINK})
    return add_feed(session, add_list(session))


def add_story(session: Session, feed: Feed, title: str, values: Change) -> Entry:
    entry = add_entry(session, feed, title)
    entry.identity = f"{title} {entry.id}"
    for name, value in values.items():
        setattr(entry, name, value)
    session.flush()
    return entry


def merge(env: Environment, session: Session, feed: Feed) -> None:
    duplicates.merge_duplicates(env, session, feed.list_id)
    session.flush()


@pytest.mark.parametrize(
    ("post", "video", "is_shown"),
    [
        ({}, {}, True),
        ({"fate": "new"}, {"fate": "new"}, True),
        ({"fate": "sent"}, {}, True),
        ({}, {"fate": "sent"}, True),
        ({"fate": "held"}, {}, False),
        ({}, {"fate": "held"}, False),
        ({"fate": "skipped"}, {}, False),
        ({"by_hand": True}, {}, False),
        ({}, {"by_hand": True}, False),
        ({"withdrawn_at": START}, {}, False),
        ({}, {"withdrawn_at": START}, False),
        ({"found_at": LONG_AGO}, {}, False),
        ({}, {"found_at": LONG_AGO}, False),
        ({"found_at": LONG_AGO + SECOND}, {"found_at": LONG_AGO + SECOND}, True),
        ({"published_at": START - DAY}, {}, True),
        ({}, {"published_at": START - DAY}, True),
        ({"published_at": START - DAY - SECOND}, {}, False),
        ({}, {"published_at": START - DAY - SECOND}, False),
        ({"published_at": None, "found_at": START - DAY}, {}, True),
        ({"published_at": None, "found_at": START - DAY - SECOND}, {}, False),
        ({"content_html": "", "summary_html": EMBED}, {}, True),
        ({"content_html": "<p>Text</p>", "summary_html": EMBED}, {}, False),
        ({"content_html": OTHER_EMBED}, {}, False),
        ({"content_html": OTHER_EMBED + EMBED}, {}, True),
    ],
)
def test_a_video_is_shown_in_the_post_of_its_day_that_embeds_it(
    env: Environment, session: Session, feed: Feed, post: Change, video: Change, is_shown: bool
) -> None:
    first = add_story(session, feed, "Post", {"content_html": EMBED} | post)
    second = add_story(session, feed, "Video", {"video_id": "abcdefghijk"} | video)
    before = (second.fate, second.seq)
    merge(env, session, feed)
    assert second.shown_in_id == (first.id if is_shown else None)
    if not is_shown or before[0] == EntryStatus.SENT:
        assert (second.fate, second.seq) == before
    else:
        assert (second.fate, second.seq) == (EntryStatus.SKIPPED, None)
    assert first.shown_in_id is None


def test_the_first_of_several_posts_shows_each_video_and_stays_the_one(
    env: Environment, session: Session, feed: Feed
) -> None:
    videos = [
        add_story(session, feed, f"Video {name}", {"video_id": name})
        for name in ("zbcdefghijk", "abcdefghijk", "nowhere_at_")
    ]
    trailer = {"video_id": "trailer_of_", "content_html": EMBED + OTHER_EMBED}
    add_story(session, feed, "A video is no post", trailer)
    posts = [
        add_story(session, feed, f"Post {n}", {"content_html": EMBED + more})
        for n, more in enumerate(("", OTHER_EMBED, OTHER_EMBED))
    ]
    merge(env, session, feed)
    assert [video.shown_in_id for video in videos] == [posts[1].id, posts[0].id, None]
    posts[0].fate = EntryStatus.HELD
    session.flush()
    merge(env, session, feed)
    assert videos[1].shown_in_id == posts[0].id
    assert videos[2].fate == EntryStatus.READY


@pytest.mark.parametrize(
    ("first", "second", "is_shown"),
    [
        ({}, {}, True),
        ({"fate": "new"}, {"fate": "new"}, True),
        ({"fate": "sent"}, {}, True),
        ({"fate": "held"}, {}, True),
        ({"found_at": LONG_AGO - DAY}, {}, True),
        ({"by_hand": True}, {}, True),
        ({"fate": "skipped"}, {}, False),
        ({"withdrawn_at": START}, {}, False),
        ({"shown_in_id": 1}, {}, False),
        ({}, {"fate": "sent"}, False),
        ({}, {"fate": "held"}, False),
        ({}, {"by_hand": True}, False),
        ({}, {"withdrawn_at": START}, False),
        ({}, {"found_at": LONG_AGO}, False),
        ({}, {"title": "Another"}, False),
        ({"identity": "one"}, {"title": "Another", "identity": "one"}, True),
        ({"link_key": "//blog.example.com/a"}, {}, False),
        ({"link_key": ""}, {"link_key": ""}, False),
    ],
)
def test_a_page_of_two_feeds_is_mailed_from_the_first(
    env: Environment, session: Session, feed: Feed, first: Change, second: Change, is_shown: bool
) -> None:
    category = add_feed(session, feed.mailing_list, "https://blog.example.com/category/feed/")
    earlier = add_story(session, feed, "Page", {"link_key": LINK} | first)
    later = add_story(session, category, "Page", {"link_key": LINK} | second)
    before = (earlier.fate, earlier.shown_in_id, later.fate)
    merge(env, session, feed)
    assert later.shown_in_id == (earlier.id if is_shown else None)
    assert (earlier.fate, earlier.shown_in_id) == before[:2]
    assert later.fate == (EntryStatus.SKIPPED if is_shown else before[2])


def test_what_is_shown_already_stays_where_it_is(
    env: Environment, session: Session, feed: Feed
) -> None:
    category = add_feed(session, feed.mailing_list, "https://blog.example.com/category/feed/")
    add_story(session, feed, "Page", {"link_key": LINK})
    post = add_story(session, feed, "Post", {})
    twin = add_story(session, category, "Page", {"link_key": LINK, "shown_in_id": post.id})
    add_story(session, feed, "First", {"content_html": EMBED})
    mailed = {"video_id": "abcdefghijk", "fate": "sent", "shown_in_id": post.id}
    video = add_story(session, feed, "Video", mailed)
    merge(env, session, feed)
    assert (twin.shown_in_id, twin.fate) == (post.id, EntryStatus.READY)
    assert video.shown_in_id == post.id


@pytest.mark.parametrize(
    ("page", "inner", "is_free"),
    [
        ({}, {}, True),
        ({"fate": "sent"}, {}, False),
        ({"fate": "sent"}, {"link_key": "//blog.example.com/video"}, True),
        ({}, {"by_hand": True}, False),
    ],
)
def test_what_a_withdrawn_page_showed_goes_out_unless_its_page_was_mailed(
    env: Environment, session: Session, feed: Feed, page: Change, inner: Change, is_free: bool
) -> None:
    withdrawn = add_story(session, feed, "Page", {"link_key": LINK} | page)
    other = add_story(session, feed, "Kept", {})
    entries = [
        add_story(
            session,
            feed,
            f"Shown {place.id}",
            {"link_key": LINK, "fate": "skipped", "shown_in_id": place.id} | inner,
        )
        for place in (withdrawn, other)
    ]
    duplicates.separate_from_withdrawn(env, session, [withdrawn.id])
    assert entries[0].shown_in_id == (None if is_free else withdrawn.id)
    assert entries[0].fate == (EntryStatus.READY if is_free else EntryStatus.SKIPPED)
    assert (entries[1].shown_in_id, entries[1].fate) == (other.id, EntryStatus.SKIPPED)
