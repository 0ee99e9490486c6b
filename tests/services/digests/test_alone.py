"""A post that is sent now goes alone, to whoever is owed it; all else stays for its digest."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.models import MailingList
from newsletter.services.digests import asked, compose
from newsletter.services.digests import due as digests
from newsletter.services.digests.compose import DueDigest
from newsletter.services.digests.find_due import make_key
from newsletter.services.polling import entries
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.vocabulary import Cadence
from tests.fakes import Clock, Sink
from tests.people import add_entry, add_feed, add_list, add_reader


@pytest.fixture(autouse=True)
def posts(env: Environment) -> dict[str, int]:
    """Three posts that a list's subscribers are owed, beside another list; their ids by title."""
    with transaction() as session:
        other = add_list(session, "talks", from_email="tom@news.example.com")
        add_entry(session, add_feed(session, other, "https://talks.example.com/feed"), "A talk")
        add_reader(session, other, "tim@example.com")
        blog = add_list(session)
        feed = add_feed(session, blog)
        for name in ("weekly", "daily", "instant"):
            add_reader(session, blog, f"{name}@example.com", cadence=name)
        away = add_reader(session, blog, "away@example.com")
        away.paused_until = env.now + timedelta(days=2)
        return {title: add_entry(session, feed, title).id for title in ("Calm", "Rest", "Sleep")}


def tick(env: Environment) -> None:
    asked.send_asked(env)
    sending.send_due(env)


def subjects(sink: Sink, name: str) -> list[str]:
    return [message["Subject"] for message in sink.to(f"{name}@example.com")]


def body(sink: Sink, name: str) -> str:
    part = sink.to(f"{name}@example.com")[-1].get_body(("plain",))
    return str(part.get_content())


def test_one_post_goes_alone_and_the_rest_comes_with_its_digest(
    env: Environment, clock: Clock, sink: Sink, posts: dict[str, int]
) -> None:
    entries.send(env, posts["Rest"], at_once=True)
    for _ in range(3):
        tick(env)
    assert {name: subjects(sink, name) for name in ("weekly", "daily", "instant")} == {
        name: ["Rest"] for name in ("weekly", "daily", "instant")
    }
    assert "All about Calm" not in body(sink, "weekly")
    assert subjects(sink, "away") == subjects(sink, "tim") == []
    assert entries.get_entry(posts["Rest"]).at_once is False

    with transaction() as session:
        blog = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
        add_reader(session, blog, "late@example.com", cursor=blog.entry_seq)
    digests.send_now(env, "blog")
    sending.send_due(env)
    for name in ("weekly", "daily", "instant"):
        assert len(sink.to(f"{name}@example.com")) == 2
        assert "All about Calm" in body(sink, name)
        assert "All about Sleep" in body(sink, name)
        assert "All about Rest" not in body(sink, name), "nobody gets it a second time"
    assert subjects(sink, "late") == []
    clock.now += timedelta(days=3)
    digests.send_now(env, "blog")
    sending.send_due(env)
    for title in ("Calm", "Rest", "Sleep"):
        assert f"All about {title}" in body(sink, "away"), "who was away has had nothing of it"
    assert len(sink.to("weekly@example.com")) == 2


def test_a_digest_that_was_planned_before_does_not_mail_the_post_again(
    env: Environment, sink: Sink, posts: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker has planned a digest, and writes it after another has sent the post."""
    with reading() as session:
        blog = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
        due = DueDigest(blog.id, Cadence.WEEKLY, make_key(env, blog.entry_seq), hasty=True)
    write = compose.transaction

    def write_after_the_other() -> AbstractContextManager[Session]:
        monkeypatch.setattr(compose, "transaction", write)
        entries.send(env, posts["Rest"], at_once=True)
        tick(env)
        return write()

    monkeypatch.setattr(compose, "transaction", write_after_the_other)
    assert compose.compose(env, due) is None, "it is planned anew"
    assert subjects(sink, "weekly") == ["Rest"]
    assert compose.compose(env, due) is not None
    sending.send_due(env)
    assert "All about Calm" in body(sink, "weekly")
    assert "All about Rest" not in body(sink, "weekly")


def test_a_post_that_is_held_after_it_was_asked_for_is_not_sent(
    env: Environment, sink: Sink, posts: dict[str, int]
) -> None:
    entries.send(env, posts["Rest"], at_once=True)
    entries.hold(env, posts["Rest"])
    tick(env)
    assert sink.messages == []
    assert entries.get_entry(posts["Rest"]).at_once is False
