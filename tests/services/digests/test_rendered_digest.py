"""A rendered digest shows its entries, and is shortened until it fits."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from newsletter.db.session import db
from newsletter.mail.render import HTML_BUDGET, MailContent
from newsletter.models import Entry, Feed
from newsletter.services.digests import layout
from newsletter.services.digests.layout import Editor, arrange, read_style
from newsletter.services.digests.selection import Candidate
from newsletter.services.mail_context import make_list_context
from newsletter.services.runtime import Environment
from tests.people import add_entry, add_feed, add_list

JUMPS = "In this mail:"
SHORTENED = "Some posts are shortened here"


@pytest.fixture
def session(env: Environment) -> Session:
    return db.session()


@pytest.fixture
def feed(session: Session) -> Feed:
    """Add the feed of a list, beside another list with an entry."""
    other = add_feed(session, add_list(session, "other"), "https://other.example.com/feed/")
    add_entry(session, other, "Elsewhere")
    return add_feed(session, add_list(session))


def add_posts(session: Session, feed: Feed, *texts: str) -> list[Candidate]:
    candidates = []
    for number, text in enumerate(texts, 1):
        row = add_entry(session, feed, f"Post {number}")
        row.content_html = text
        candidates.append(
            Candidate(row.id, row.seq or 0, feed.id, frozenset(), row.found_at, row.found_at)
        )
    session.flush()
    return candidates


def make_editor(env: Environment, session: Session, feed: Feed, intro: str = "") -> Editor:
    session.refresh(feed.mailing_list)
    context = make_list_context(env, feed.mailing_list)
    return Editor(env, session, context, read_style(session, feed.mailing_list), intro)


@pytest.mark.parametrize(("count", "has_jumps"), [(4, False), (5, True)])
def test_five_entries_have_a_list_of_headlines_in_the_mail_alone(
    env: Environment, session: Session, feed: Feed, count: int, has_jumps: bool
) -> None:
    posts = add_posts(session, feed, *["<p>Words.</p>"] * count)
    editor = make_editor(env, session, feed)
    mail = editor.render(posts)
    page = editor.render_web(posts)
    assert (JUMPS in mail.text, JUMPS in page.text) == (has_jumps, False)
    assert ("Read in the browser" in mail.text, "Read in the browser" in page.text) == (True, False)
    assert SHORTENED not in mail.text + page.text


def test_the_page_of_the_archive_shows_every_entry_whole(
    env: Environment, session: Session, feed: Feed
) -> None:
    feed.mailing_list.digest_show = "full"
    posts = add_posts(session, feed, *[f"<p>{'word ' * 90}end {n}.</p>" for n in range(30)])
    editor = make_editor(env, session, feed)
    mail = editor.render(posts)
    page = editor.render_web(posts)
    assert [f"end {n}." in page.text for n in range(30)] == [True] * 30
    assert "Also new" not in page.text
    assert [f"* Post {n}\n" in mail.text for n in range(1, 31)] == [True] * 30
    assert [f"end {n}." in mail.text for n in (29, 5, 4)] == [True, True, False]
    assert "Also new" in mail.text


def test_what_is_relative_leads_to_the_site_of_the_list(
    env: Environment, session: Session, feed: Feed
) -> None:
    [post] = add_posts(session, feed, '<p><a href="/lake/">Lake</a></p>')
    session.get_one(Entry, post.id).link = ""
    feed.mailing_list.site_url = "https://ana.example.com/blog/"
    feed.mailing_list.digest_show = "full"
    session.flush()
    intro = "[Me](/about/)"
    content = make_editor(env, session, feed, intro).render([post])
    assert "https://ana.example.com/lake/" in content.text
    assert "https://ana.example.com/about/" in content.text
    feed.mailing_list.site_url = ""
    session.flush()
    content = make_editor(env, session, feed, intro).render([post])
    assert "https://news.example.com/lake/" in content.text
    assert "https://news.example.com/about/" in content.text
    assert "Me" not in make_editor(env, session, feed).render([post]).text


@pytest.mark.any_database
@pytest.mark.parametrize(("more", "fits"), [(-1, True), (0, True), (1, False)])
def test_a_mail_fits_that_has_as_many_bytes_as_are_allowed(more: int, fits: bool) -> None:
    html = "ü" * (HTML_BUDGET // 2 - 1) + "x" * (2 + more)
    assert layout._fits(MailContent("", "", html)) is fits


@pytest.mark.parametrize("letters", [135, 150, 170, 200, 500, 780])
def test_a_digest_is_no_shorter_than_it_must_be(
    env: Environment, session: Session, feed: Feed, letters: int
) -> None:
    """The first of all steps that fits is found, and the mail says that it is shortened."""
    posts = add_posts(session, feed, *[f"<p>{('x' * letters + ' ') * 60}</p>"] * 10)
    editor = make_editor(env, session, feed)
    placed = arrange(posts, editor.style)
    steps = layout._list_steps(len(placed.shown), editor.style.show)
    renderings = [
        editor._render(editor.list, placed, step, shortened=number > 0)
        for number, step in enumerate(steps)
    ]
    sizes = [len(content.html.encode()) for content in renderings]
    content = editor.render(posts)
    fitting = [size <= HTML_BUDGET for size in sizes]
    assert True in fitting
    assert content == renderings[fitting.index(True)], sizes
    assert (SHORTENED in content.text) is (not fitting[0])
