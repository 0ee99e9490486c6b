"""Replies about us fail nobody, settle nothing, and are told once (findings B22, B24)."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from datetime import datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from newsletter import outbox
from newsletter.db.session import db, transaction
from newsletter.errors import TransportError
from newsletter.mail.smtp.classify import Cause, Verdict
from newsletter.mail.smtp.types import Outcome, Outgoing, Pull, Records
from newsletter.models import Delivery, DomainBackoff, SenderState, Subscriber
from newsletter.services import sender_state
from newsletter.services.campaigns import campaigns, explain_delivery, report
from newsletter.services.operations import cleanup
from newsletter.services.operations import status as statuses
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sending import run as sending
from newsletter.services.sending.domain_backoff import DomainBackoffs
from newsletter.services.sending.throttle import Throttle
from newsletter.settings import Settings
from newsletter.vocabulary import MailKind
from tests.fakes import Clock, Sink, body
from tests.people import add_list, add_reader
from tests.services.sending.test_run import make_campaign, refusal, status, totals

AUTHOR = "ana@news.example.com"
QUOTA = [
    (
        550,
        "",
        "Domain example.com has exceeded the max emails per hour (15/15 (100%)) allowed. "
        "Message discarded.",
        "RCPT",
    ),
    (550, "5.4.5", "Daily user sending limit exceeded.", "END"),
]


def spread(*domains: str) -> None:
    """Give the recipients their mailboxes at several domains, in turn."""
    with transaction() as session:
        for number, row in enumerate(session.scalars(select(Subscriber).order_by(Subscriber.id))):
            row.email = row.email_key = (
                f"{row.email.partition('@')[0]}@{domains[number % len(domains)]}"
            )


def states() -> dict[str, SenderState]:
    db.session.rollback()
    return {row.cause: row for row in db.session.scalars(select(SenderState))}


@pytest.mark.parametrize(("code", "enhanced", "text", "stage"), QUOTA)
def test_b22_a_quota_fails_nobody_and_the_rest_waits_for_the_window(
    env: Environment, sink: Sink, clock: Clock, code: int, enhanced: str, text: str, stage: str
) -> None:
    campaign = make_campaign(30)
    spread("one.example", "two.example", "three.example")
    with transaction() as session:
        add_reader(session, add_list(session, "other"), "other@example.com")
    window: deque[datetime] = deque()

    def script(outgoing: Outgoing) -> Outcome | None:
        while window and window[0] <= env.now - timedelta(hours=1):
            window.popleft()
        if len(window) >= 15:
            return refusal(outgoing, code, enhanced, text, stage)
        window.append(env.now)
        return None

    sink.script = script
    sent = sending.send_due(env)
    assert f"sending rests until 2026-11-24 10:00 UTC because sink says: {text}" in sent.problem
    assert totals(campaign) == outbox.Totals(recipients=30, sent=15, waiting=15)
    assert db.session.scalars(select(Delivery.attempts).where(Delivery.attempts > 0)).all() == []
    assert db.session.scalars(select(DomainBackoff)).all() == [], "no domain of readers is blamed"
    assert campaigns.get_campaign(campaign).status == "sending"
    clock.forward(timedelta(minutes=10))
    assert sending.send_due(env).sent == 0
    for _ in range(30):
        clock.forward(timedelta(minutes=10))
        sending.send_due(env)
    assert status(campaign) == "sent"
    assert totals(campaign) == outbox.Totals(recipients=30, sent=30)
    [notice] = sink.to(AUTHOR)
    assert notice["Subject"] == "Slow Letters: Your mail server takes no more mail for now"
    assert text[:60] in body(notice).replace("\n", " ")
    assert "smtp.max_per_hour" in body(notice)


def test_b22_a_confirmation_waits_and_is_not_lost(
    env: Environment, sink: Sink, clock: Clock
) -> None:
    with transaction() as session:
        mailing_list = add_list(session)
        waiting = add_reader(session, mailing_list, "new@example.com", status="pending")
        context = {"round": waiting.round}
        outbox.enqueue(
            session, mail=MailKind.CONFIRM, subscription_id=waiting.id, now=env.now, context=context
        )
    sink.script = lambda o: refusal(o, 550, "5.4.5", "Daily user sending limit exceeded.")
    for _ in range(300):
        sending.send_due(env)
        clock.forward(timedelta(minutes=20))
    row = db.session.scalars(select(Delivery).where(Delivery.mail == "confirm")).one()
    assert (row.status, row.attempts) == ("queued", 0), "four days are longer than smtp.patience"
    sink.script = lambda o: None
    for _ in range(3):
        clock.forward(timedelta(days=1, hours=6))
        sending.send_due(env)
    assert len(sink.to("new@example.com")) == 1


def test_an_account_that_may_not_send_rests_longer_each_time_and_is_told_once(
    env: Environment, sink: Sink, clock: Clock
) -> None:
    campaign = make_campaign(20)
    sink.script = lambda o: refusal(o, 550, "5.7.0", "Your account has been suspended", "MAIL")
    rests = []
    for _ in range(6):
        sending.send_due(env)
        until = states()["account"].until
        rests.append(until - env.now)
        clock.now = until
    assert rests == [timedelta(minutes=15) * 2**n for n in range(5)] + [timedelta(hours=4)]
    assert (status(campaign), totals(campaign).failed) == ("sending", 0)
    sink.script = lambda o: None
    clock.forward(timedelta(hours=6))
    sending.send_due(env)
    sending.send_due(env)
    assert status(campaign) == "sent"
    assert len(sink.to(AUTHOR)) == 1
    assert sender_state.is_resting(env) is False
    clock.forward(timedelta(days=8))
    cleanup.clean_up(env)
    assert states() == {}


def test_another_server_goes_on_where_one_has_no_quota_left(env: Environment, sink: Sink) -> None:
    campaign = make_campaign(30)
    sink.others = True
    sink.script = lambda o: (
        None
        if sink.rested or o.id % 2
        else refusal(o, 452, "4.5.3", "Your sending limit was exceeded", "MAIL")
    )
    sending.send_due(env)
    assert sink.rested == [] or set(sink.rested) == {"sink"}
    assert totals(campaign).failed == 0
    assert states() == {}, "the sender as a whole does not rest"


class Waiting(Sink):
    """A transport for which time passes while the caller asks it to wait; `waits` holds the
    seconds.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.waits: list[float] = []

    def deliver(
        self, pull: Pull, records: Records | None = None
    ) -> Generator[list[Outcome], None, None]:
        def waiting() -> Outgoing | float | None:
            result = pull()
            if isinstance(result, float):
                self.waits.append(result)
                self.clock.forward(timedelta(seconds=result))
            return result

        return super().deliver(waiting)


class Limited(Waiting):
    """A server that takes so many messages in any second, 5 ms each, and refuses the rest as Amazon
    SES does.
    """

    def __init__(self, clock: Clock, rate: int) -> None:
        super().__init__(clock)
        self.rate = rate
        self.refused = 0
        self.window: deque[datetime] = deque()
        self.script = self.limit

    def limit(self, outgoing: Outgoing) -> Outcome | None:
        self.clock.forward(timedelta(milliseconds=5))
        while self.window and self.window[0] <= self.clock.now - timedelta(seconds=1):
            self.window.popleft()
        if len(self.window) >= self.rate:
            self.refused += 1
            return refusal(
                outgoing, 454, "", "Throttling failure: Maximum sending rate exceeded.", "END"
            )
        self.window.append(self.clock.now)
        return None


def test_b24_the_pace_is_felt_out_and_nobody_is_blamed(env: Environment, clock: Clock) -> None:
    campaign = make_campaign(900)
    spread("one.example", "two.example", "three.example")
    server = Limited(clock, 14)
    begun = clock.now
    runs = 0
    while status(campaign) != "sent" and runs < 200:
        sending.send_due(env, transport=server)
        clock.forward(timedelta(seconds=1))
        runs += 1
        assert status(campaign) in ("sending", "sent"), campaigns.get_campaign(campaign).reason
    assert totals(campaign) == outbox.Totals(recipients=900, sent=900)
    assert server.refused < 60
    rate = 900 / (clock.now - begun).total_seconds()
    assert rate > 7, "half of what the server takes, at least"
    assert db.session.scalars(select(DomainBackoff)).all() == []
    assert db.session.scalars(select(Delivery.attempts).where(Delivery.attempts > 0)).all() == []
    for _ in range(30):  # the server may have refused the notice, too, which then waits
        clock.forward(timedelta(minutes=1))
        sending.send_due(env, transport=server)
    [notice] = server.to(AUTHOR)
    assert notice["Subject"] == "Slow Letters: Your mail server wants mail more slowly"
    assert "Throttling failure" in body(notice)
    assert "smtp.max_per_second = " in body(notice)


def test_b24_the_pace_is_remembered_over_restarts_and_climbs(
    env: Environment, clock: Clock
) -> None:
    make_campaign(1)
    pace = Throttle(env)
    for _ in range(20):
        pace.note_taken(clock())
    pace.note_refused("mail:587", "Too fast", list_id=None)
    again = Throttle(env)
    assert again.rate == 10
    again.note_refused("mail:587", "Too fast", list_id=None)
    assert again.rate == 10, "what was on its way together halves it once"
    clock.forward(timedelta(seconds=3))
    again.note_refused("mail:587", "Too fast", list_id=None)
    assert again.rate == 5
    for _ in range(2):
        clock.forward(timedelta(seconds=11))
        while again.take(single=False, domain="").wait == 0:
            pass
        again.note_taken(clock())
    assert again.rate == pytest.approx(5 * 1.05**2)
    clock.forward(timedelta(seconds=11))
    again.note_taken(clock())
    assert again.rate == pytest.approx(5 * 1.05**2), "it climbs only while it is what holds mail up"
    for _ in range(40):
        clock.forward(timedelta(seconds=3))
        again.note_refused("mail:587", "Too fast", list_id=None)
    assert Throttle(env).rate == pytest.approx(0.1)


def test_a_server_that_takes_nothing_at_any_pace_is_left_alone(
    env: Environment, clock: Clock
) -> None:
    campaign = make_campaign(60)
    sink = Waiting(clock)
    sink.script = lambda o: refusal(
        o, 454, "", "Throttling failure: Maximum sending rate exceeded.", "MAIL"
    )
    for _ in range(100):
        sending.send_due(env, transport=sink)
        clock.forward(timedelta(seconds=2))
        if "quota" in states():
            break
    assert states()["quota"].until > env.now
    assert (status(campaign), totals(campaign).failed) == ("sending", 0)


def test_refusals_of_all_domains_alike_are_about_no_domain(env: Environment) -> None:
    campaign = make_campaign(1)
    rests = DomainBackoffs(env)
    us = Verdict("us", "no", cause=Cause.REPUTATION)
    sent = Verdict("sent", "ok")
    for _ in range(5):
        rests.record("taken.example", sent, "", campaign_id=campaign)
    for number in range(30):
        rests.record(f"d{number % 6}.example", us, "no", campaign_id=campaign)
    assert [rests.find_until(f"d{number}.example") for number in range(6)] == [None] * 6
    other = DomainBackoffs(env)
    for number in range(12):
        other.record(
            "taken.example" if number % 2 else "fine.example", sent, "", campaign_id=campaign
        )
        other.record("strict.example", us, "no", campaign_id=campaign)
    assert other.find_until("strict.example") is not None


def test_what_a_domain_refuses_for_our_sake_never_fails(
    env: Environment, sink: Sink, clock: Clock
) -> None:
    campaign = make_campaign(8)
    with transaction() as session:
        session.execute(
            update(Subscriber)
            .where(Subscriber.email == "reader3@example.com")
            .values(email="reader3@strict.example")
        )
    sink.script = lambda o: (
        refusal(o, 550, "5.7.1", "Blocked by policy") if "strict" in o.recipient else None
    )
    for _ in range(60):
        sending.send_due(env)
        clock.forward(timedelta(hours=3))
    assert totals(campaign) == outbox.Totals(recipients=8, sent=7, waiting=1)


def test_a_content_that_everybody_refuses_fails_nobody(env: Environment, sink: Sink) -> None:
    campaign = make_campaign(30)
    sink.group = 8
    sink.script = lambda o: refusal(o, 554, "5.6.0", "Message rejected", "END")
    sending.send_due(env)
    assert (status(campaign), totals(campaign).failed) == ("paused", 0)


def test_a_content_that_one_recipient_refuses_fails_there_in_the_end(
    env: Environment, sink: Sink, clock: Clock
) -> None:
    campaign = make_campaign(10)
    sink.script = lambda o: (
        refusal(o, 554, "5.6.0", "Rejected", "END") if o.recipient.startswith("reader3@") else None
    )
    sending.send_due(env)
    clock.forward(timedelta(hours=1))
    sending.send_due(env)
    assert totals(campaign) == outbox.Totals(recipients=10, sent=9, failed=1)
    assert status(campaign) == "sent"


def test_h10_a_message_over_size_pauses_its_campaign_and_fails_nobody(
    env: Environment, sink: Sink
) -> None:
    from newsletter.mail.smtp.protocol import Conversation

    small = make_campaign(30)

    def script(outgoing: Outgoing) -> Outcome:
        talk = Conversation("mail.example:587", {"size": "100"})
        assert talk.advance(outgoing) == b"", "not a word of it is said"
        return talk.outcomes[0]

    sink.script = script
    sending.send_due(env)
    assert status(small) == "paused"
    assert (
        "and the server takes 100 at most. Make the message smaller."
        in campaigns.get_campaign(small).reason
    )
    result = totals(small)
    assert (result.failed, result.waiting) == (0, 30)
    assert db.session.scalars(select(Delivery.attempts).where(Delivery.attempts > 0)).all() == []


@pytest.mark.parametrize("times", [2, 3])
def test_a_server_rests_after_three_refusals_and_not_before(
    env: Environment, sink: Sink, times: int
) -> None:
    make_campaign(20)
    sink.others = True
    left = [times]

    def script(outgoing: Outgoing) -> Outcome | None:
        left[0] -= 1
        return refusal(outgoing, 550, "5.1.8", "Sender refused", "MAIL") if left[0] >= 0 else None

    sink.script = script
    sending.send_due(env)
    assert len(sink.rested) == (1 if times == 3 else 0)


def test_u10_everybody_knows_that_the_mail_server_is_down(
    env: Environment, sink: Sink, clock: Clock
) -> None:
    campaign = make_campaign(5)
    error = TransportError("mail.example:587", "connection refused")
    error.rests_for = 600.0
    sink.script = lambda o: error
    assert sending.send_due(env).problem == "mail.example:587: connection refused"
    sentence = (
        "sending rests until 2026-11-24 09:10 UTC because mail.example:587 says: connection refused"
    )
    assert [state.sentence for state in statuses.read_status(env).sending] == [sentence]
    assert [state.sentence for state in report.report_campaign(env, campaign).sending] == [sentence]
    assert (
        sentence in explain_delivery.explain_delivery(env, campaign, "reader3@example.com").verdict
    )
    assert sender_state.is_resting(env)
    clock.forward(timedelta(minutes=1))
    sink.script = lambda o: None
    assert sending.send_due(env).sent == 5, "the transport knows when to ask again"
    assert statuses.read_status(env).sending == ()
    assert states() == {}


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    more = getattr(request, "param", {})
    return settings.model_copy(update={"smtp": settings.smtp.model_copy(update=more)})


@pytest.mark.parametrize("settings", [{"max_per_hour": 10}], indirect=True)
def test_u10_a_ceiling_that_is_reached_is_a_state(
    env: Environment, sink: Sink, clock: Clock
) -> None:
    campaign = make_campaign(15)
    sending.send_due(env)
    [state] = statuses.read_status(env).sending
    assert (state.cause, state.why) == ("ceiling", "smtp.max_per_hour (10) is reached")
    assert env.now < state.until <= env.now + timedelta(hours=1, minutes=4)
    assert (
        "smtp.max_per_hour (10) is reached"
        in explain_delivery.explain_delivery(env, campaign, "reader14@example.com").verdict
    )
    clock.now = state.until
    sending.send_due(env)
    assert status(campaign) == "sent"


@pytest.mark.parametrize("settings", [{"max_per_second": 2}], indirect=True)
def test_nobody_waits_longer_than_a_second_before_looking_again(
    env: Environment, clock: Clock
) -> None:
    """Single mails are looked for meanwhile; and what was taken back goes next."""
    make_campaign(6)
    sink = Waiting(clock)
    assert sending.send_due(env, transport=sink).sent == 6
    assert [o.recipient for o in sink.accepted] == [f"reader{n}@example.com" for n in range(6)]
    assert sink.waits
    assert max(sink.waits) <= 1.0


def test_healthz_says_that_sending_rests(client: FlaskClient) -> None:
    env = client.application.extensions[EXTENSION]
    with client.application.app_context():
        sender_state.SenderStates(env).note(
            "server", "connection refused", until=env.now + timedelta(minutes=5)
        )
    answer = client.get("/healthz").json
    assert answer is not None
    assert answer["sending"] == "rests"
    assert "refused" not in str(answer), "a provider's words are nobody's business"
