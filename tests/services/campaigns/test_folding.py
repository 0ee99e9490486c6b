"""Old deliveries are folded into totals: every number, answer and promise stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.engine import Engine

from newsletter import outbox
from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import db, reading, transaction
from newsletter.errors import Refused
from newsletter.mail.smtp.reply_parser import Reply
from newsletter.mail.smtp.types import Outcome, Outgoing
from newsletter.models import Campaign, Delivery, Feed, FoldedDelivery, Subscription
from newsletter.services.audience import segments
from newsletter.services.campaigns import campaigns, explain_delivery, folding, report
from newsletter.services.digests import due, explain_subscriber
from newsletter.services.letters import newcomers
from newsletter.services.letters import send as letters
from newsletter.services.lookup import get_list
from newsletter.services.operations import cleanup
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import admin, history, privacy
from newsletter.services.subscribers.views import get_subscriber
from newsletter.settings import Settings
from tests.fakes import Clock, Sink
from tests.people import add_entry, add_feed, add_list, add_reader

LETTER = "---\nsubject: Words\n---\n\nA letter.\n"
TWO_SUBJECTS = (
    "---\nsubject: First\nsubject_b: Second\nshare: 20%\n---\n\nA letter of two subjects.\n"
)
PEOPLE = ("ana", "bea", "cleo", "dan", "eva", "finn")


@dataclass
class Old:
    """An installation that sent three campaigns, 401 days ago; Bea's mail is refused.

    Somebody of another list got a letter of that list.
    """

    env: Environment
    sink: Sink
    clock: Clock
    letter: int
    tried: int
    digest: int
    other: int

    @property
    def all(self) -> tuple[int, ...]:
        return self.letter, self.tried, self.digest, self.other


def refuse_bea(outgoing: Outgoing) -> Outcome | None:
    reply = Reply(552, "5.2.2", "mailbox full")
    bea = outgoing.recipient == "bea@example.com"
    return Outcome(outgoing.id, "refused", "RCPT", reply, "sink") if bea else None


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"keep_deliveries": timedelta(days=400)})


@pytest.fixture
def old(env: Environment, sink: Sink, clock: Clock) -> Old:
    with transaction() as session:
        mailing_list = add_list(session)
        elsewhere = add_list(session, "other")
        feed_id = add_feed(session, mailing_list).id
        add_reader(session, elsewhere, "zoe@example.com")
        for name in PEOPLE:
            add_reader(session, mailing_list, f"{name}@example.com")
    sink.script = refuse_bea
    ids = [letters.send_letter(env, parse_letter(LETTER), slug) for slug in ("blog", "other")]
    tried = letters.send_letter(env, parse_letter(TWO_SUBJECTS), "blog")
    sending.send_due(env)
    letters.pick_subject(env, tried, "a")
    sending.send_due(env)
    with transaction() as session:
        add_entry(session, session.get_one(Feed, feed_id), "A post", now=env.now)
    clock.forward(timedelta(days=8))
    [composed] = [found for found in due.compose_due(env) if found.campaign_id]
    sending.send_due(env)
    admin.unsubscribe(env, "dan@example.com", "blog")
    sending.send_due(env)
    clock.forward(timedelta(days=401))
    assert composed.campaign_id
    return Old(env, sink, clock, ids[0], tried, composed.campaign_id, ids[1])


def look(old: Old) -> dict[str, Any]:
    """Everything that people are shown of these campaigns, without moments and server's words."""
    shown: dict[str, Any] = {}
    for campaign_id in old.all:
        view = report.report_campaign(old.env, campaign_id).campaign
        shown[f"report {campaign_id}"] = view
        for name in (*PEOPLE, "zoe", "nobody"):
            found = explain_delivery.explain_delivery(old.env, campaign_id, f"{name}@example.com")
            shown[f"explain {campaign_id} {name}"] = (found.got, found.case)
    for name in PEOPLE:
        address = f"{name}@example.com"
        events = history.get_history(old.env, address)
        shown[f"history {name}"] = sorted(item.what.partition(": ")[0] for item in events.events)
        found = explain_subscriber.explain_entries(old.env, "blog", address)
        shown[f"entries {name}"] = [(row.title, row.course, row.verdict[:31]) for row in found]
        with reading() as session:
            data = privacy.collect_data(session, get_subscriber(session, address))
            mails = [mail for row in data["subscriptions"] for mail in row["mails"]]
        shown[f"data {name}"] = sorted((m["subject"], m["status"], m["tries"]) for m in mails)
    with reading() as session:
        mailing_list = get_list(session, "blog")
        for words in (f"had({old.letter})", f"not had({old.digest}, {old.tried})"):
            count = segments.count_segment(session, mailing_list, words, old.env.now)
            shown[words] = count
    try:
        shown["to new"] = newcomers.load_draft_to_new(old.env, old.letter).recipients
    except Refused as error:
        shown["to new"] = str(error)
    return shown


def count_rows(model: type[Any], campaign_id: int) -> int:
    with reading() as session:
        query = select(func.count()).select_from(model).where(model.campaign_id == campaign_id)
        return session.scalar(query) or 0


def test_everything_is_shown_as_before(old: Old) -> None:
    before = look(old)
    assert before["to new"] == 1, "Bea did not get it"
    cleanup.clean_up(old.env)
    assert look(old) == before
    assert [count_rows(Delivery, id_) for id_ in old.all] == [1, 1, 1, 0], "failures stay"
    assert [count_rows(FoldedDelivery, id_) for id_ in old.all] == [5, 5, 5, 1]
    assert report.report_campaign(old.env, old.letter).listed == 1
    everybody = report.report_campaign(old.env, old.letter, everybody=True)
    assert (everybody.listed, everybody.folded) == (1, 5)
    old.clock.forward(timedelta(days=400))
    cleanup.clean_up(old.env)
    assert look(old) == before
    assert [count_rows(Delivery, id_) for id_ in old.all] == [0, 0, 0, 0]
    assert report.report_campaign(old.env, old.letter).listed == 0


def test_what_is_younger_or_on_its_way_is_left_alone(old: Old) -> None:
    young = letters.send_letter(old.env, parse_letter(LETTER.replace("Words", "New")), "blog")
    sending.send_due(old.env)
    with transaction() as session:
        session.get_one(Campaign, old.digest).status = "paused"  # type: ignore[assignment]
    old.clock.forward(timedelta(days=399))
    cleanup.clean_up(old.env)
    assert count_rows(FoldedDelivery, old.letter) == 6
    assert (count_rows(Delivery, young), count_rows(FoldedDelivery, young)) == (5, 0)
    assert (count_rows(Delivery, old.digest), count_rows(FoldedDelivery, old.digest)) == (6, 0)


def test_a_step_that_is_killed_is_not_counted_twice(
    old: Old, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = look(old)
    monkeypatch.setattr(folding, "ROWS_AT_ONCE", 2)
    asked = iter((False, True))
    assert folding.fold_old_deliveries(old.env, stop=lambda: next(asked, True)) == 2
    assert look(old) == before, "half-way"

    def die(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("DELETE FROM deliveries"):
            raise KeyboardInterrupt

    event.listen(Engine, "before_cursor_execute", die)
    with pytest.raises(KeyboardInterrupt):
        folding.fold_old_deliveries(old.env)
    event.remove(Engine, "before_cursor_execute", die)
    db.session.remove()
    assert look(old) == before, "after the step that died"
    folding.fold_old_deliveries(old.env)
    assert look(old) == before, "at the end"
    assert [count_rows(FoldedDelivery, id_) for id_ in old.all] == [5, 5, 5, 1]


def remove(env: Environment, address: str) -> None:
    admin.remove_subscriber(env, address)


def erase(env: Environment, address: str) -> None:
    privacy.erase_address(env, address)


@pytest.mark.parametrize("forget", [erase, remove])
def test_who_is_erased_is_counted_and_not_known(
    old: Old, forget: Callable[[Environment, str], None]
) -> None:
    forget(old.env, "eva@example.com")
    cleanup.clean_up(old.env)
    totals = report.report_campaign(old.env, old.letter).campaign.totals
    with reading() as session:
        ana = get_subscriber(session, "ana@example.com").subscriptions[0].id
    forget(old.env, "ana@example.com")
    with reading() as session:
        query = select(FoldedDelivery.subscription_id)
        assert ana not in set(session.scalars(query))
        campaign = session.get_one(Campaign, old.letter)
        assert outbox.count_removed(session, campaign) == 2
        elsewhere = session.get_one(Campaign, old.other)
        assert outbox.count_removed(session, elsewhere) == 0
    assert report.report_campaign(old.env, old.letter).campaign.totals == totals
    assert count_rows(FoldedDelivery, old.letter) == 3
    found = explain_delivery.explain_delivery(old.env, old.letter, "stranger@example.com")
    assert "2 recipients of this campaign were removed since" in found.verdict


def test_failures_are_retried_after_the_others_are_folded(old: Old) -> None:
    cleanup.clean_up(old.env)
    old.sink.script = lambda outgoing: None
    already = len(old.sink.accepted)
    campaigns.retry(old.env, old.letter)
    sending.send_due(old.env)
    assert [sent.recipient for sent in old.sink.accepted[already:]] == ["bea@example.com"]
    totals = report.report_campaign(old.env, old.letter).campaign.totals
    assert (totals.recipients, totals.sent, totals.failed) == (6, 6, 0)
    assert totals.balanced
    old.clock.forward(timedelta(days=401))
    cleanup.clean_up(old.env)
    again = report.report_campaign(old.env, old.letter).campaign.totals
    assert replace(again, doubted=0) == replace(totals, doubted=0)
    assert count_rows(FoldedDelivery, old.letter) == 6


def test_a_post_that_returns_is_not_owed_to_those_who_had_it(old: Old) -> None:
    cleanup.clean_up(old.env)
    with reading() as session:
        query = select(func.count()).select_from(Subscription)
        made = select(FoldedDelivery.cursor).where(FoldedDelivery.campaign_id == old.digest)
        [number] = set(session.scalars(made))
        assert session.scalar(query.where(outbox.had_edition_clause([(old.digest, number)]))) == 6
        assert not session.scalar(query.where(outbox.had_edition_clause([(old.other, number + 1)])))
