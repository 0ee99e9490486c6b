"""A refusal says something of a server, the sender, a campaign or a domain, and of that alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.db.session import reading, transaction
from newsletter.mail.smtp.classify import Cause, Verdict, VerdictKind
from newsletter.mail.smtp.types import Outcome, Reply, Result, Stage
from newsletter.models import Campaign, Counter, Delivery, MailingList, SenderState
from newsletter.outbox import LeasedDelivery
from newsletter.services import sender_state
from newsletter.services.runtime import Environment
from newsletter.services.sending.lessons import UNHEARD_SHOWN_FOR, Lessons, find_domain
from newsletter.services.sending.throttle import SLOWEST, Throttle
from newsletter.services.sending.work_queue import WorkQueue
from newsletter.settings import Settings
from newsletter.vocabulary import MailKind, SubscriptionStatus
from tests.fakes import START, Clock, Sink
from tests.services.sending.test_run import make_campaign, status

US = VerdictKind.US
QUOTA = Verdict(US, "quota", cause=Cause.QUOTA)
REPUTATION = Verdict(US, "spam", cause=Cause.REPUTATION)
PACE = Verdict(US, "too fast", cause=Cause.PACE)
CONNECTIONS = Verdict(US, "too many connections", cause=Cause.CONNECTIONS)
TAKEN = Verdict(VerdictKind.SENT, "ok")
DEAD = Verdict(VerdictKind.RECIPIENT, "unknown")


class RunLessons:
    """The lessons of one run, and a letter beside another list's."""

    def __init__(self, env: Environment, sink: Sink) -> None:
        self.env = env
        self.sink = sink
        self.campaign = make_campaign(3)
        with reading() as session:
            self.list_id = session.scalars(select(MailingList.id)).one()
        self.queue = WorkQueue(env, campaign_id=None)
        self.pace = Throttle(env)
        self.lessons = Lessons(env, self.queue, self.pace, sink)

    def learn(
        self,
        *verdicts: Verdict,
        stage: Stage = Stage.RCPT,
        server: str = "one",
        domain: str = "example.com",
        single: bool = False,
    ) -> None:
        campaign_id = None if single else self.campaign
        row = ROW._replace(campaign_id=campaign_id, list_id=self.list_id)
        for verdict in verdicts:
            outcome = Outcome(7, Result.REFUSED, stage, Reply(550, "", verdict.why), server)
            self.lessons.learn(row, verdict, outcome, domain=domain, now=self.env.now)


ROW = LeasedDelivery(
    *(7, MailKind.LETTER, 1, 0, 0, 0, START, {}, 1, "h", 1, SubscriptionStatus.ACTIVE, None),
    *("ann@Example.COM", None, "en", None),
)


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    more = getattr(request, "param", {})
    return settings.model_copy(update={"smtp": settings.smtp.model_copy(update=more)})


@pytest.fixture
def lesson(env: Environment, sink: Sink) -> Iterator[RunLessons]:
    lesson = RunLessons(env, sink)
    yield lesson
    lesson.queue.ledger.close()


def read_causes() -> set[str]:
    with reading() as session:
        return set(session.scalars(select(SenderState.cause)))


def count_notices() -> int:
    with reading() as session:
        return len(session.scalars(select(Delivery).where(Delivery.mail == MailKind.NOTICE)).all())


def test_all_sending_rests_after_three_refusals_of_one_server_in_a_row(lesson: RunLessons) -> None:
    lesson.learn(QUOTA, QUOTA, TAKEN, QUOTA, QUOTA)
    lesson.learn(QUOTA, server="another")
    assert read_causes() == set()
    lesson.learn(QUOTA)
    assert read_causes() == {"quota"}
    assert lesson.sink.rested == ["one"]
    assert count_notices() == 1
    assert status(lesson.campaign) == "sending"
    lesson.learn(QUOTA, QUOTA)
    assert lesson.sink.rested == ["one"], "three more"
    lesson.learn(QUOTA)
    assert lesson.sink.rested == ["one", "one"]


def test_where_there_is_another_server_only_one_rests(lesson: RunLessons) -> None:
    lesson.sink.others = True
    lesson.learn(*3 * [QUOTA], single=True)
    assert lesson.sink.rested == ["one"]
    assert read_causes() == set()


def test_a_pace_that_cannot_be_slower_is_taken_for_a_quota(
    lesson: RunLessons, clock: Clock
) -> None:
    lesson.learn(PACE)
    assert read_causes() == {"pace"}
    with transaction() as session:
        session.get_one(SenderState, "pace").rate = SLOWEST
    lesson.pace.__init__(lesson.env)  # type: ignore[misc]
    clock.forward(timedelta(minutes=1))
    lesson.learn(PACE)
    assert read_causes() == {"pace", "quota"}
    assert lesson.sink.rested == ["one"]


def test_a_message_that_was_taken_ends_what_was_held_against_servers(
    lesson: RunLessons, clock: Clock
) -> None:
    def note() -> None:
        until = clock.now + timedelta(hours=1)
        lesson.lessons.states.note(sender_state.SERVER, "down", until=until)

    note()
    lesson.learn(DEAD)
    assert read_causes() == {"server"}
    lesson.learn(TAKEN)
    assert read_causes() == set()


def test_what_servers_took_measures_the_pace(lesson: RunLessons) -> None:
    lesson.learn(*20 * [TAKEN])
    lesson.learn(*10 * [DEAD])
    lesson.learn(PACE)
    assert lesson.pace.rate == 10


@pytest.mark.parametrize(
    ("verdict", "pauses"), [(REPUTATION, True), (CONNECTIONS, False), (PACE, False)]
)
def test_refusals_in_a_row_pause_a_campaign_but_not_for_haste(
    lesson: RunLessons, verdict: Verdict, pauses: bool
) -> None:
    lesson.learn(*4 * [verdict])
    lesson.learn(*5 * [verdict], single=True)
    assert status(lesson.campaign) == "sending"
    lesson.learn(verdict)
    assert (status(lesson.campaign) == "paused") is pauses
    with reading() as session:
        assert session.get_one(Campaign, lesson.campaign).reason.startswith("5 messages") is pauses


def test_refusals_of_a_resting_domain_do_not_pause_a_campaign(lesson: RunLessons) -> None:
    lesson.learn(*9 * [TAKEN], domain="fine.example")
    lesson.learn(*9 * [REPUTATION], domain="strict.example")
    assert status(lesson.campaign) == "sending"
    assert lesson.lessons.backoffs.find_until("strict.example")
    assert not lesson.lessons.backoffs.find_until("fine.example")
    lesson.learn(*2 * [REPUTATION], domain="fine.example")
    assert status(lesson.campaign) == "sending"


def test_a_sender_that_is_refused_is_no_matter_of_a_domain(lesson: RunLessons) -> None:
    lesson.sink.others = True
    lesson.learn(*9 * [TAKEN], domain="fine.example")
    lesson.learn(*2 * [REPUTATION], stage=Stage.MAIL)
    assert lesson.sink.rested == []
    lesson.learn(*2 * [REPUTATION], stage=Stage.MAIL)
    assert lesson.sink.rested == ["one", "one"]
    assert not lesson.lessons.backoffs.find_until("example.com")
    lesson.learn(REPUTATION)
    assert lesson.sink.rested == ["one", "one"], "another stage"


def test_a_message_that_is_too_large_pauses_its_campaign(lesson: RunLessons) -> None:
    too_large = Verdict(VerdictKind.CONTENT, "it has 9 MB", cause=Cause.TOO_LARGE)
    lesson.learn(too_large, stage=Stage.SIZE, single=True)
    assert status(lesson.campaign) == "sending"
    lesson.learn(too_large, stage=Stage.SIZE)
    assert status(lesson.campaign) == "paused"
    with reading() as session:
        reason = session.get_one(Campaign, lesson.campaign).reason
    assert reason == "one: it has 9 MB. Make the message smaller."


def test_what_keeps_mail_waiting_is_shown_for_as_long_as_it_does(lesson: RunLessons) -> None:
    assert lesson.lessons.record_unheard("mail:25") == (
        "mail:25: the server keeps ending the conversation"
    )
    with reading() as session:
        row = session.get_one(SenderState, "server")
        assert (row.until, row.server) == (lesson.env.now + UNHEARD_SHOWN_FOR, "mail:25")
    lesson.lessons.record_ceiling(at_least=0.1)
    assert read_causes() == {"server"}, "no ceiling is set"


@pytest.mark.parametrize("settings", [{"max_per_hour": 1}], indirect=True)
def test_a_full_ceiling_is_shown_if_the_wait_is_worth_a_line(lesson: RunLessons) -> None:
    lesson.pace.take(single=False, domain="")
    with reading() as session:
        starts_at = session.scalars(
            select(Counter.starts_at).where(Counter.name == "pace/hour")
        ).one()
    wait = lesson.pace.find_fullest()[0]
    lesson.lessons.record_ceiling(at_least=wait + 1)
    assert read_causes() == set()
    lesson.lessons.record_ceiling(at_least=wait)
    with reading() as session:
        row = session.get_one(SenderState, "ceiling")
        assert row.until == lesson.env.now + timedelta(seconds=wait)
        assert starts_at / 1000 <= row.until.timestamp()


def test_a_domain_is_compared_in_lower_case() -> None:
    assert find_domain(ROW) == "example.com"
    assert find_domain(ROW._replace(email=None)) == ""
    assert find_domain(ROW._replace(email='"a@b"@Second.example')) == "second.example"
