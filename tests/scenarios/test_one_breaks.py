"""An error of one list, letter or webhook stops nothing of another (A2).

Each kind of work goes over many rows. An error that nobody foresaw concerns the row that it came
from: the rows behind it get their turn in the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import reading, transaction
from newsletter.errors import DatabaseError
from newsletter.feeds.post import Poster
from newsletter.models import Campaign, Edition, Entry, Feed, MailingList, Webhook
from newsletter.services import sender_state, webhooks
from newsletter.services.letters import send as letters
from newsletter.services.letters import series, series_progress
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.unforeseen import run_each
from newsletter.vocabulary import CampaignStatus
from newsletter.worker import WorkerProcess
from tests.fakes import Clock, FakeFetch, Sink
from tests.feeds_server import item, rss
from tests.people import add_entry, add_feed, add_list, add_reader
from tests.receiver import Receiver, running_receiver


@pytest.fixture
def receivers() -> Iterator[dict[str, Receiver]]:
    with running_receiver() as first, running_receiver() as second:
        yield {"a": first, "b": second}


@pytest.fixture
def worker(app: Flask, env: Environment, receivers: dict[str, Receiver]) -> WorkerProcess:
    """Return a worker that may post to the loopback."""
    hooks = env.settings.webhooks.model_copy(update={"allow_private_addresses": True})
    app.extensions[EXTENSION] = replace(
        env,
        settings=env.settings.model_copy(update={"webhooks": hooks}),
        post=Poster(user_agent="newsletter/test", allow_private=True, deadline=2.0),
    )
    return WorkerProcess(app)


@pytest.fixture
def world(
    worker: WorkerProcess, fake_fetch: FakeFetch, clock: Clock, receivers: dict[str, Receiver]
) -> None:
    """Two lists, `a` before `b`; the reader of each waits for a post, a letter and a series."""
    env = worker.env
    for slug, receiver in receivers.items():
        url = f"https://{slug}.example.com/feed/"
        with transaction() as session:
            author = f"author-{slug}@example.com"
            mailing_list = add_list(session, slug, grace_minutes=0, from_email=author)
            reader = add_reader(session, mailing_list, f"{slug}@example.com", cadence="instant")
            add_entry(session, add_feed(session, mailing_list, url), f"Post {slug}")
        fake_fetch.pages[url] = rss(item(f"Post {slug}"))
        letter = f"---\nsubject: Letter {slug}\nlist: {slug}\n---\nHello.\n"
        letters.send_letter(env, parse_letter(letter), send_at=env.now + timedelta(minutes=5))
        step = env.settings.folder / f"{slug}.md"
        step.write_text(f"---\nsubject: Step {slug}\n---\nHello.\n")
        series.add_letter(env, step, timedelta(minutes=5), slug)
        with transaction() as session:
            series_progress.begin_series(session, session.merge(reader), env.now)
        webhooks.add_webhook(env, receiver.url, events=["campaign.started"], slugs=[slug])
    clock.forward(timedelta(days=6))  # to a Monday, for the note of the week


def spoil(model: Any, **values: object) -> None:
    """Give the rows of list `a` values that the program does not expect."""
    with transaction() as session:
        number = session.scalars(select(MailingList.id).where(MailingList.slug == "a")).one()
        session.execute(update(model).where(model.list_id == number).values(**values))


def spoil_letter() -> None:
    mine = select(Campaign.id).join(MailingList).where(MailingList.slug == "a")
    with transaction() as session:
        session.execute(
            update(Edition).where(Edition.campaign_id.in_(mine)).values(fields={"broken": True})
        )


def spoil_webhook() -> None:
    with transaction() as session:
        first = select(Webhook).order_by(Webhook.id).limit(1)
        session.scalars(first).one().secret = "whsec_é"


SPOILED: dict[str, tuple[Callable[[], None], set[str]]] = {
    "post": (lambda: spoil(Entry, categories=[{"a": 1}]), {"Post a"}),
    "letter": (spoil_letter, {"Letter a"}),
    "segment": (lambda: spoil(Campaign, segment="nobody knows ("), {"Letter a"}),
    "feed": (lambda: spoil(Feed, url="http://[::1/"), set()),
    "webhook": (spoil_webhook, set()),
}
"""The part of list `a` that is spoiled, and what its reader does not get then."""


def subjects(sink: Sink, slug: str) -> set[str]:
    return {str(message["Subject"]) for message in sink.to(f"{slug}@example.com")}


@pytest.mark.parametrize("what", SPOILED)
def test_the_rows_behind_it_get_their_turn(
    worker: WorkerProcess, world: None, sink: Sink, receivers: dict[str, Receiver], what: str
) -> None:
    spoil_it, lost = SPOILED[what]
    spoil_it()
    outcome = pytest.raises(AttributeError) if what == "post" else nullcontext()
    with outcome:  # the note of list `a` cannot be written either, and that is said at the end
        worker.once()
    assert subjects(sink, "b") == {"Post b", "Letter b", "Step b"}
    assert subjects(sink, "a") == {"Post a", "Letter a", "Step a"} - lost
    assert len(receivers["b"].requests) == 2, "the letter's and the digest's start"
    assert subjects(sink, "author-b"), "the note of the week"
    with reading() as session:
        states = sender_state.read_states(session, worker.env.now)
        assert [state.cause for state in states] == ["composing"] * (what == "post")
        query = select(Campaign.reason).where(Campaign.status == CampaignStatus.PAUSED)
        assert bool(session.scalars(query).all()) is (lost == {"Letter a"})


def test_all_parts_are_done_and_the_first_error_is_told() -> None:
    done: list[str] = []

    def fail(text: str) -> None:
        done.append(text)
        raise ValueError(text)

    with pytest.raises(ValueError, match="one"):
        run_each(lambda: fail("one"), lambda: done.append("two"), lambda: fail("three"))
    assert done == ["one", "two", "three"]


def test_a_database_that_cannot_be_used_stops_everything() -> None:
    def fail() -> None:
        raise DatabaseError("it is full")

    with pytest.raises(DatabaseError):
        run_each(fail, lambda: pytest.fail("not done"))
