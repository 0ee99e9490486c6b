"""The headings that a list's author set, and the words beside the subject of a digest."""

from __future__ import annotations

import re
from html import unescape

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.db.session import db
from newsletter.mail.render import MailContent
from newsletter.models import Entry, Feed, MailingList, Topic
from newsletter.services.digests.layout import PREHEADER_AT_MOST, Editor, read_style
from newsletter.services.digests.selection import Candidate
from newsletter.services.mail_context import make_list_context
from newsletter.services.runtime import Environment
from tests.people import add_entry, add_feed, add_list


@pytest.fixture
def session(env: Environment) -> Session:
    return db.session()


@pytest.fixture
def feed(session: Session) -> Feed:
    """Add a feed to a list with three topics and another feed, beside another list with both."""
    other = add_list(session, "other")
    add_feed(session, other, "https://other.example.com/feed/")
    blog = add_list(session)
    session.add_all(
        Topic(list_id=owner.id, name=name, position=position)
        for owner, name, position in (
            (other, "Elsewhere", 0),
            (blog, "Walk", 2),
            (blog, "Rest", 1),
            (blog, "Tea", 1),
        )
    )
    feed = add_feed(session, blog, "https://blog.example.com/first/")
    add_feed(session, blog, "https://blog.example.com/second/").title = ""
    session.flush()
    return feed


def list_headings(session: Session, mailing_list: MailingList, sections: str) -> list[str]:
    mailing_list.digest_sections = sections
    session.flush()
    session.refresh(mailing_list)
    return [name for _, name in read_style(session, mailing_list).headings]


def test_headings_are_feeds_or_topics_of_the_list(session: Session, feed: Feed) -> None:
    blog = feed.mailing_list
    by_feed = list_headings(session, blog, "feed")
    assert by_feed == ["Blog", "https://blog.example.com/second/"]
    assert list_headings(session, blog, "topic") == ["Rest", "Tea", "Walk"]
    assert list_headings(session, blog, "none") == []


def test_headings_stand_in_the_order_of_the_author_and_new_ones_last(
    session: Session, feed: Feed
) -> None:
    blog = feed.mailing_list
    blog.digest_sections = "topic"
    session.flush()
    session.refresh(blog)
    ids = {name: key for key, name in read_style(session, blog).headings}
    blog.section_order = [str(ids["Walk"]), str(ids["Rest"])]
    assert list_headings(session, blog, "topic") == ["Walk", "Rest", "Tea"]


def render(
    env: Environment, feed: Feed, *texts: str, intro: str = "", second: Feed | None = None
) -> MailContent:
    """Render a digest with an entry for each text, and those of a `second` feed."""
    session = db.session()
    rows = session.scalars(select(Entry).where(Entry.feed_id == second.id)) if second else []
    candidates = [
        Candidate(row.id, row.seq or 0, row.feed_id, frozenset(), row.found_at, row.found_at)
        for row in rows
    ]
    for number, text in enumerate(texts, 1):
        row = add_entry(session, feed, f"Post {number}")
        row.content_html = f"<p>{text}</p>"
        candidates.append(
            Candidate(row.id, row.seq or 0, feed.id, frozenset(), row.found_at, row.found_at)
        )
    session.flush()
    session.refresh(feed.mailing_list)
    context = make_list_context(env, feed.mailing_list)
    style = read_style(session, feed.mailing_list)
    return Editor(env, session, context, style, intro).render(candidates)


def read_preheader(content: MailContent) -> str:
    """Return the words before the filler that keeps other text out of a list of mails."""
    before = content.html.partition("\u034f")[0]
    return " ".join(unescape(before.rpartition(">")[2]).split())


@pytest.mark.parametrize(
    ("texts", "intro", "beside"),
    [
        (("Words of one.",), "", "Words of one."),
        (("One.", "Words of two."), "", "Words of two."),
        (("One.", "Two.", "Three."), "", "Post 1"),
        (("One.", "Two.", "Three.", "Four."), "", "Post 2 · Post 1"),
        (("One.", "Two."), "Hello\n\n*all* of [you](https://a.example/)", "Hello all of you"),
    ],
)
def test_the_words_beside_the_subject_do_not_repeat_it(
    env: Environment, feed: Feed, texts: tuple[str, ...], intro: str, beside: str
) -> None:
    assert read_preheader(render(env, feed, *texts, intro=intro)) == beside


@pytest.mark.parametrize(
    ("count", "sections", "level"), [(1, "none", 2), (2, "none", 3), (2, "feed", 4)]
)
def test_headings_of_a_post_stand_below_its_own(
    env: Environment, feed: Feed, count: int, sections: str, level: int
) -> None:
    feed.mailing_list.digest_sections = sections
    feed.mailing_list.digest_show = "full"
    second = db.session.scalars(select(Feed).where(Feed.title == "")).one()
    if sections == "feed":
        add_entry(db.session(), second, "Elsewhere")
    texts = ["Words</p><h1>Part</h1><p>more."] * count
    content = render(env, feed, *texts, second=second if sections == "feed" else None)
    assert set(re.findall(r"<h(\d)[^>]*>Part</h", content.html)) == {str(level)}


@pytest.mark.parametrize("intro", ["", "word " * 90])
def test_the_words_beside_the_subject_are_short(env: Environment, feed: Feed, intro: str) -> None:
    length = len(read_preheader(render(env, feed, "word " * 90, intro=intro)))
    assert PREHEADER_AT_MOST // 2 < length <= PREHEADER_AT_MOST
