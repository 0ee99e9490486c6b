"""The weekly note: once a week, in the list's language, numbers alone; until it is turned off."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.access_vocabulary import AuthorRole
from newsletter.db.session import reading, transaction
from newsletter.models import DailyFigure, MailingList
from newsletter.services.authors import authors, weekly_note
from newsletter.services.digests import review_acts
from newsletter.services.lists import lists
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.statistics_vocabulary import Figure
from newsletter.vocabulary import Cadence
from tests.fakes import START, Clock, Sink, body
from tests.people import add_entry, add_feed, add_list, add_reader

MONDAY_8 = START + timedelta(days=5, hours=23)
AUTHOR = "ana@news.example.com"


@pytest.fixture(autouse=True)
def blog(env: Environment) -> None:
    """Make a list with numbers of its first week, beside another with others."""
    with transaction() as session:
        for slug, sender, count in (("blog", AUTHOR, 3), ("talks", "tom@news.example.com", 70)):
            mailing_list = add_list(session, slug, title=slug.title(), from_email=sender)
            add_reader(session, mailing_list, f"ann@{slug}.example.com", name="Ann Secret")
            add_entry(
                session, add_feed(session, mailing_list, f"https://{slug}.example.com/f"), "Calm"
            )
            for figure, name, number in (
                (Figure.JOINED, "form", count),
                (Figure.LEFT, "link", count - 1),
                (Figure.REASON, "often", count - 2),
                (Figure.REASON, "something-new", 1),
                (Figure.SUPPRESSED, "bounce", count + 2),
            ):
                session.add(
                    DailyFigure(
                        list_id=mailing_list.id,
                        campaign_id=0,
                        day="2026-11-27",
                        figure=figure,
                        name=name,
                        count=number,
                    )
                )


def tell(env: Environment) -> None:
    weekly_note.send_notes(env)
    sending.send_due(env)


def test_once_a_week_with_the_numbers_of_its_list(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    clock.now = MONDAY_8 - timedelta(minutes=1)
    tell(env)
    assert sink.messages == []
    clock.now = MONDAY_8
    for _ in range(3):
        tell(env)
    assert len(sink.accepted) == 2
    [note] = sink.to(AUTHOR)
    assert note["Subject"] == "Blog: the week until 29 November 2026"
    for kind in ("plain", "html"):
        text = body(note, kind)
        assert "23 November 2026 – 29 November 2026" in text
        for words in ("Joined: 3", "Left: 2", "Too many mails: 1", "Other: 1", "complaint: 5"):
            assert words in text
        assert "New entries: 1; subscribers: 1" in text
        assert "newsletter list edit blog --weekly-note off" in text
        for word in ("Ann", "@blog.example.com", "Joined: 70"):
            assert word not in text
    assert "See it all on your pages:\nhttps://" in body(note)
    clock.now = MONDAY_8 + timedelta(days=20)
    tell(env)
    assert len(sink.to(AUTHOR)) == 2, "of the weeks that passed unseen, the last"


def test_two_workers_tell_it_once(env: Environment, clock: Clock, sink: Sink) -> None:
    clock.now = MONDAY_8
    with reading() as session:
        rows = session.scalars(select(MailingList)).all()
        due = [weekly_note._find_due(env, row) for row in rows]
    tell(env)
    assert [note and weekly_note._queue(env, note) for note in due] == [False, False]
    sending.send_due(env)
    assert len(sink.accepted) == 2


def test_in_the_language_of_the_list_to_its_authors(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    authors.add_author(env, "eva@example.com", role=AuthorRole.EDITOR, slugs=["blog"])
    lists.edit(env, "blog", {"language": "de"})
    lists.edit(env, "talks", {"weekly_note": "off"})
    review_acts.hold(env, "blog", Cadence.WEEKLY)
    clock.now = MONDAY_8
    tell(env)
    assert [outgoing.recipient for outgoing in sink.accepted] == ["eva@example.com"]
    text = body(sink.messages[0])
    assert "Zu viele Mails: 1" in text
    assert "Zurückgehalten, bis Sie sie freigeben" in text
    lists.edit(env, "talks", {"weekly_note": "on"})
    tell(env)
    assert len(sink.to("tom@news.example.com")) == 1
