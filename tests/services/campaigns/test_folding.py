"""Old deliveries are folded into totals: every number, answer and promise stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, literal, select, update
from sqlalchemy.engine import Engine

from newsletter import outbox
from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import db, reading, transaction
from newsletter.errors import Refused
from newsletter.mail.smtp.reply_parser import Reply
from newsletter.mail.smtp.types import Outcome, Outgoing
from newsletter.models import Campaign, Delivery, Feed, FoldedDelivery, Subscription
from newsletter.models.outbox import CAMPAIGNS_A_ROW
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
from newsletter.vocabulary import CampaignKind, CampaignStatus, DeliveryStatus, MailKind
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
    [composed] = [result for result in due.compose_due(env) if result.campaign_id]
    sending.send_due(env)
    admin.unsubscribe(env, "dan@example.com", "blog")
    sending.send_due(env)
    clock.forward(timedelta(days=401))
    assert composed.campaign_id
    return Old(env, sink, clock, ids[0], tried, composed.campaign_id, ids[1])


def look(old: Old) -> dict[str, Any]:
    """Everything that people are shown of these campaigns, without moments and server's words."""
    views: dict[str, Any] = {}
    for campaign_id in old.all:
        view = report.report_campaign(old.env, campaign_id).campaign
        views[f"report {campaign_id}"] = view
        for name in (*PEOPLE, "zoe", "nobody"):
            entries = explain_delivery.explain_delivery(old.env, campaign_id, f"{name}@example.com")
            views[f"explain {campaign_id} {name}"] = (entries.has_received, entries.case)
    for name in PEOPLE:
        address = f"{name}@example.com"
        events = history.get_history(old.env, address)
        views[f"history {name}"] = sorted(item.what.partition(": ")[0] for item in events.events)
        entries = explain_subscriber.explain_entries(old.env, "blog", address)
        views[f"entries {name}"] = [(row.title, row.course, row.verdict[:31]) for row in entries]
        with reading() as session:
            data = privacy.collect_data(session, get_subscriber(session, address))
            mails = [mail for row in data["subscriptions"] for mail in row["mails"]]
        views[f"data {name}"] = sorted((m["subject"], m["status"], m["tries"]) for m in mails)
    with reading() as session:
        mailing_list = get_list(session, "blog")
        for words in (f"had({old.letter})", f"not had({old.digest}, {old.tried})"):
            count = segments.count_segment(session, mailing_list, words, old.env.now)
            views[words] = count
    try:
        views["to new"] = newcomers.load_draft_to_new(old.env, old.letter).recipients
    except Refused as error:
        views["to new"] = str(error)
    return views


def count_rows(campaign_id: int) -> int:
    """Count the deliveries of a campaign that are not folded."""
    with reading() as session:
        query = select(func.count()).where(Delivery.campaign_id == campaign_id)
        return session.scalar(query) or 0


def count_folded(campaign_id: int) -> int:
    """Count the subscriptions that are known to have had a folded message of a campaign."""
    with reading() as session:
        rows = session.scalars(select(FoldedDelivery)).all()
        [block, place] = divmod(campaign_id, CAMPAIGNS_A_ROW)
        return sum(row.block == block and row.campaigns >> place & 1 for row in rows)


def test_everything_is_shown_as_before(old: Old) -> None:
    before = look(old)
    assert before["to new"] == 1, "Bea did not get it"
    cleanup.clean_up(old.env)
    assert look(old) == before
    assert [count_rows(id_) for id_ in old.all] == [1, 1, 1, 0], "failures stay"
    assert [count_folded(id_) for id_ in old.all] == [5, 5, 5, 1]
    assert report.report_campaign(old.env, old.letter).listed == 1
    everybody = report.report_campaign(old.env, old.letter, everybody=True)
    assert (everybody.listed, everybody.folded) == (1, 5)
    old.clock.forward(timedelta(days=400))
    cleanup.clean_up(old.env)
    assert look(old) == before
    assert [count_rows(id_) for id_ in old.all] == [0, 0, 0, 0]
    assert report.report_campaign(old.env, old.letter).listed == 0


def test_what_is_younger_or_on_its_way_is_left_alone(old: Old) -> None:
    young = letters.send_letter(old.env, parse_letter(LETTER.replace("Words", "New")), "blog")
    sending.send_due(old.env)
    with transaction() as session:
        session.get_one(Campaign, old.digest).status = "paused"  # type: ignore[assignment]
    old.clock.forward(timedelta(days=399))
    cleanup.clean_up(old.env)
    assert count_folded(old.letter) == 6
    assert (count_rows(young), count_folded(young)) == (5, 0)
    assert (count_rows(old.digest), count_folded(old.digest)) == (6, 0)


def test_a_step_that_is_killed_is_not_counted_twice(
    old: Old, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = look(old)
    monkeypatch.setattr(folding, "ROWS_AT_ONCE", 2)
    result = iter((False, True))
    assert folding.fold_old_deliveries(old.env, stop=lambda: next(result, True)) == 2
    assert look(old) == before, "half-way"

    def die(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("DELETE FROM deliveries"):
            raise KeyboardInterrupt

    event.listen(Engine, "before_cursor_execute", die)
    try:
        with pytest.raises(KeyboardInterrupt):
            folding.fold_old_deliveries(old.env)
    finally:
        event.remove(Engine, "before_cursor_execute", die)
    db.session.remove()
    assert look(old) == before, "after the step that died"
    folding.fold_old_deliveries(old.env)
    assert look(old) == before, "at the end"
    assert [count_folded(id_) for id_ in old.all] == [5, 5, 5, 1]


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
    assert count_folded(old.letter) == 3
    delivery = explain_delivery.explain_delivery(old.env, old.letter, "stranger@example.com")
    assert "2 recipients of this campaign were removed since" in delivery.verdict


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
    assert count_folded(old.letter) == 6


def test_a_post_that_returns_is_not_owed_to_those_who_had_it(old: Old) -> None:
    cleanup.clean_up(old.env)
    with reading() as session:
        query = select(func.count()).select_from(Subscription)
        ana = get_subscriber(session, "ana@example.com").subscriptions[0].id
        [number] = {row[1] for row in outbox.list_editions(session, ana) if row[0] == old.digest}
        assert session.scalar(query.where(outbox.had_edition_clause([(old.digest, number)]))) == 6
        assert not session.scalar(query.where(outbox.had_edition_clause([(old.other, number + 1)])))


def add_sent(env: Environment, campaign_id: int, slug: str) -> int:
    """Add a campaign with this id that a list was sent."""
    with transaction() as session:
        list_id = get_list(session, slug).id
        campaign = Campaign(
            id=campaign_id,
            list_id=list_id,
            kind=CampaignKind.LETTER,
            status=CampaignStatus.SENT,
            subject="Words",
            seed="1",
            created_at=env.now,
            started_at=env.now,
            finished_at=env.now,
        )
        session.add(campaign)
        session.flush()
        readers = select(Subscription.id, literal(0)).where(Subscription.list_id == list_id)
        outbox.freeze(session, campaign, readers, mail=MailKind.LETTER, now=env.now)
        session.execute(update(Delivery).values(status=DeliveryStatus.SENT))
        campaign.leased_id = campaign.last_id
    return campaign_id


def test_many_campaigns_share_a_row_and_are_told_apart(
    env: Environment, clock: Clock, settings: Settings
) -> None:
    with transaction() as session:
        mailing_list = add_list(session)
        ana = add_reader(session, mailing_list, "ana@example.com").id
        zoe = add_reader(session, add_list(session, "other"), "zoe@example.com").id
    first = 2 * CAMPAIGNS_A_ROW
    hers = [add_sent(env, id_, "blog") for id_ in (1, first - 1, first, first + 59, first + 60)]
    other = add_sent(env, first + 1, "other")
    clock.forward(settings.keep_deliveries + timedelta(days=1))
    cleanup.clean_up(env)
    with reading() as session:
        assert not session.scalar(select(func.count()).select_from(Delivery))
        rows = select(FoldedDelivery.block).where(FoldedDelivery.subscription_id == ana)
        assert sorted(session.scalars(rows)) == [0, 1, 2, 3], "the third holds two campaigns"
        assert [row.campaign_id for row in outbox.list_history(session, ana)] == hers
        assert [row.campaign_id for row in outbox.list_history(session, zoe)] == [other]
        [only] = outbox.list_history(session, ana, campaign_id=first)
        assert (only.campaign_id, only.email, only.status) == (first, "ana@example.com", "sent")
        assert outbox.find_campaigns_of(session, ana) == set(hers)
        for id_ in range(1, first + 70):
            mailed = select(Subscription.id).where(outbox.was_mailed_clause([id_, 10_000]))
            of_edition = select(Subscription.id).where(outbox.had_edition_clause([(id_, 0)]))
            expected = [ana] if id_ in hers else [zoe] if id_ == other else []
            assert session.scalars(mailed).all() == expected, id_
            assert session.scalars(of_edition).all() == expected, id_
        another = select(Subscription.id).where(outbox.had_edition_clause([(first, 1)]))
        assert not session.scalars(another).all()


def test_old_mails_of_no_campaign_go_but_those_that_prove_a_consent(
    env: Environment, clock: Clock, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "ROWS_AT_ONCE", 2)
    with transaction() as session:
        mailing_list = add_list(session)
        ana = add_reader(session, mailing_list, "ana@example.com").id
        zoe = add_reader(session, add_list(session, "other"), "zoe@example.com").id

    def queue(*kinds: MailKind, reader: int | None = ana) -> None:
        with transaction() as session:
            for kind in kinds:
                outbox.enqueue(session, mail=kind, subscription_id=reader, now=env.now)

    def mails(reader: int | None) -> list[str]:
        query = select(Delivery.mail).where(Delivery.subscription_id.is_not_distinct_from(reader))
        with reading() as session:
            return sorted(session.scalars(query))

    queue(MailKind.CONFIRM, MailKind.WELCOME, *4 * [MailKind.SERIES])
    queue(MailKind.SERIES, reader=zoe)
    queue(MailKind.NOTICE, MailKind.WEEKLY, reader=None)
    with transaction() as session:
        session.execute(
            update(Delivery).values(status=DeliveryStatus.SENT, due_at=None, finished_at=env.now)
        )
    clock.forward(settings.keep_deliveries)
    queue(MailKind.SERIES)
    queue(MailKind.NOTICE, reader=None)
    cleanup.clean_up(env)
    assert mails(ana).count("series") == 5, "they are not older yet"
    clock.forward(timedelta(seconds=1))
    cleanup.clean_up(env)
    assert mails(ana) == ["confirm", "series", "welcome"], "one waits"
    assert (mails(zoe), mails(None)) == ([], ["notice"])
