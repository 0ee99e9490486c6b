"""Posts that mean harm come out inert: in the mail of one post, in a digest, in its text, in the
archive and its feed.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.html.sanitize import clean_html
from newsletter.html.text import to_plain_line
from newsletter.mail.message import MessageDraft, compile_message
from newsletter.mail.slots import fill
from newsletter.models import Feed, MailingList
from newsletter.services.digests.layout import Editor, read_style
from newsletter.services.digests.plan import read_candidates
from newsletter.services.digests.selection import Candidate
from newsletter.services.mail_context import make_list_context
from newsletter.services.runtime import Environment
from tests.attacks import active, payloads
from tests.people import add_entry, add_feed, add_list

ALL = payloads()
VALUES = {
    "name": "Ana",
    "preferences_url": "https://news.example.com/p",
    "unsubscribe_url": "https://news.example.com/u",
    "why_url": "https://news.example.com/w",
    "web_url": "https://news.example.com/w",
}


@pytest.fixture
def posts(env: Environment) -> Iterator[tuple[Editor, list[Candidate]]]:
    """Yield an editor, and a post for each attack: in its text, title, author, picture, and the
    title of its feed.
    """
    with transaction() as session:
        mailing_list = add_list(
            session,
            digest_show="full",
            digest_sections="feed",
            site_url="https://blog.example.com/",
        )
        add_feed(session, mailing_list)
        add_feed(session, mailing_list, "https://other.example.com/feed").title = to_plain_line(
            ALL[0]
        )
    with transaction() as session:
        feeds = session.scalars(select(Feed)).all()
        for number, payload in enumerate(ALL):
            entry = add_entry(session, feeds[number % 2], f"{number}")
            entry.content_html = entry.summary_html = (
                payload.encode("utf-8", "ignore").decode().replace("\0", "")
            )
            # What feeds/parse.py makes of a title and an author before they are stored.
            entry.title = to_plain_line(payload)
            entry.author = to_plain_line(payload, limit=200)
            entry.image_alt = to_plain_line(payload)
            entry.image = (
                "https://blog.example.com/x.jpg"
                if number % 2
                else payload.replace("\0", "")[:500].encode("utf-8", "ignore").decode()
            )
    session = db.session()
    mailing_list = session.scalars(select(MailingList)).one()
    candidates = read_candidates(session, mailing_list.id, after=0, through=mailing_list.entry_seq)
    yield (
        Editor(
            env,
            session,
            make_list_context(env, mailing_list),
            read_style(session, mailing_list),
            ALL[-1],
        ),
        candidates,
    )
    session.rollback()


def test_there_are_enough_of_them_and_the_check_sees_them() -> None:
    raw = [payload for payload in ALL if active("<meta>" * 5 + "<style></style>" + payload)]
    assert len(ALL) >= 700
    assert len(raw) >= 660, "the others are text, or act only once they are decoded"


@pytest.mark.any_database
def test_e07_nothing_in_the_mail_of_one_post_is_active(
    posts: tuple[Editor, list[Candidate]],
) -> None:
    editor, candidates = posts
    for entry, payload in zip(candidates, ALL, strict=True):
        text = editor.render([entry])
        assert active(fill(text.html, VALUES)) == [], payload
        fill(text.text, VALUES)
        compile_message(MessageDraft((), text.text, text.html)).build(VALUES)


@pytest.mark.any_database
def test_e07_nothing_in_digests_or_the_archive_is_active(
    posts: tuple[Editor, list[Candidate]],
) -> None:
    editor, candidates = posts
    for start in range(0, len(candidates), 24):
        some = candidates[start : start + 24]
        for rendered in (editor.render(some), editor.render_web(some)):
            assert active(fill(rendered.html, VALUES)) == [], ALL[start : start + 24]
            # The archive's feed carries what is cleaned once more; that changes nothing that could
            # act.
            assert "<script" not in clean_html(rendered.html, base_url="https://news.example.com/")
