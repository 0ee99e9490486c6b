"""A report leaves no address behind but a subscriber's own, however it comes and whenever."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter.bounce_vocabulary import BounceClass, BounceProof, BounceSource
from newsletter.bounces.types import BounceResult
from newsletter.db.session import Base, db, reading, transaction
from newsletter.mail.smtp.types import Outcome, Outgoing, Reply, Result
from newsletter.models import BounceEvent, Campaign, Subscriber
from newsletter.services import bounce_events
from newsletter.services.inbound import suppression_file
from newsletter.services.inbound.apply import Bounce, apply_bounce
from newsletter.services.inbound.identify import NOBODY
from newsletter.services.inbound.messages import apply_message
from newsletter.services.operations import cleanup
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import admin, privacy
from newsletter.services.subscribers.correct import Correction, correct_subscriber
from newsletter.services.transfer.export_subscribers import export_to_text
from newsletter.services.transfer.import_subscribers import import_file
from tests.fakes import Clock, Sink
from tests.services.inbound.returned import complaint, dsn, mail, message_id_of, suppressed
from tests.services.sending.test_run import make_campaign, refusal

PIPE = BounceSource.PIPE
LOCAL = "veronika.lindqvist"
GONE = f"{LOCAL}@example.com"
FOREIGN = "From: a@b.example\nSubject: another mail\nMessage-ID: <x@b.example>\n"
WORDS = f'550 5.1.1 <{GONE}>: no mailbox "{LOCAL}" here, bounces+{LOCAL}=example.com@x.example'
LINE = f"{GONE} or veronika.lindqvist%40example.com"


@pytest.fixture
def sent(env: Environment, sink: Sink) -> list[Outgoing]:
    """Return the messages of a campaign to somebody who will go, and to three others."""
    make_campaign(4)
    with transaction() as session:
        first = session.scalars(select(Subscriber).order_by(Subscriber.id)).first()
        assert first is not None
        first.email = first.email_key = GONE
    sending.send_due(env)
    return sorted(sink.accepted, key=lambda outgoing: outgoing.recipient != GONE)


def tables_with(text: str) -> set[str]:
    """Name the tables that hold a text somewhere, in any letters."""
    db.session.rollback()
    return {
        table.name
        for table in Base.metadata.sorted_tables
        for row in db.session.execute(select(table))
        for value in row
        if text.lower() in _show(value).lower()
    }


def _show(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def reports(outgoing: Outgoing) -> Iterator[bytes]:
    """Yield reports of every kind about a message, proved and not, that name its recipient."""
    wordy = ("5.1.1", WORDS)
    for to in (outgoing.sender, "bounces@news.example.com"):
        yield dsn(outgoing, wordy, to=to, original=FOREIGN, recipient=GONE)
        yield complaint(outgoing, original=f"{FOREIGN}To: {GONE}\n", recipient=GONE)
        yield mail(to, sender=GONE, subject="Re: Hello", body=LINE)
        yield mail(to, sender=GONE, headers=f"In-Reply-To: {message_id_of(outgoing)}\n", body=LINE)
        odd = "Something could not be delivered.\n" + LINE
        subject = "Undelivered Mail Returned to Sender"
        yield mail(to, sender="MAILER-DAEMON@x.example", subject=subject, body=odd)
        yield mail(
            to,
            sender=f"=?utf-8?b?{base64.b64encode(GONE.encode()).decode()}?= <MAILER-DAEMON@x.y>",
            subject=subject,
            headers="Content-Type: text/plain\nContent-Transfer-Encoding: base64\n",
            body=base64.b64encode(odd.encode()).decode(),
        )


def apply_all(env: Environment, outgoing: Outgoing) -> None:
    for data in reports(outgoing):
        for source in (PIPE, BounceSource.MAILBOX):
            apply_message(env, data, source)


def test_a_strangers_address_is_not_kept(env: Environment, sent: list[Outgoing]) -> None:
    """Nobody here has the address: the reports are recorded, and name nobody."""
    with transaction() as session:
        reader = session.scalars(select(Subscriber).where(Subscriber.email == GONE)).one()
        reader.email = reader.email_key = "reader0@example.com"
    for data in reports(sent[1]):
        apply_message(env, data, BounceSource.MAILBOX)  # a reply stays there; others: below
    assert bounce_events.count_events() > 4
    assert tables_with(LOCAL) == set()
    assert tables_with("reader1@example.com") >= {"subscribers"}


@pytest.mark.parametrize("end", [privacy.erase_address, admin.remove_subscriber])
def test_a_late_report_does_not_bring_an_erased_address_back(
    env: Environment, sent: list[Outgoing], end: object
) -> None:
    assert callable(end)
    end(env, GONE)
    assert tables_with(LOCAL) == set()
    apply_all(env, sent[0])
    apply_message(env, dsn(sent[1], to=sent[1].sender), PIPE)
    assert tables_with(LOCAL) == set()
    proofs = {event.proof for event in bounce_events.list_bounces()}
    assert proofs >= {BounceProof.VERP, BounceProof.NONE}, "they are recorded all the same"
    assert list(suppressed()).count("reader1@example.com") == 1


def test_a_report_before_and_one_after_an_erasure(env: Environment, sent: list[Outgoing]) -> None:
    apply_all(env, sent[0])
    assert tables_with(GONE), "a subscriber's own address and replies are kept"
    privacy.erase_address(env, GONE)
    assert tables_with(LOCAL) == set()
    apply_all(env, sent[0])
    assert tables_with(LOCAL) == set()


def test_a_provider_that_reports_of_a_stranger(env: Environment, sent: list[Outgoing]) -> None:
    words = BounceResult(GONE.replace("lindqvist", "novak"), BounceClass.HARD, "5.1.1", WORDS)
    bounce = Bounce(BounceSource.POSTMARK, "postmark 7", words)
    apply_bounce(env, bounce, lambda session: NOBODY)
    assert apply_bounce(env, bounce, lambda session: NOBODY).repeated
    assert tables_with("veronika.novak") == set()
    assert "bounce_events" not in tables_with(GONE)
    # Without the installation's keys nobody can test which address a report was about.
    other = Bounce(BounceSource.POSTMARK, "postmark 7", BounceResult(GONE, BounceClass.HARD))
    assert not apply_bounce(env, other, lambda session: NOBODY).repeated


def test_an_address_that_was_left_is_not_brought_back(
    env: Environment, sent: list[Outgoing], clock: Clock
) -> None:
    """The record of consent keeps it, and nothing else does once the change cannot be undone."""
    correction = Correction(address="new@home.example", because="wrote to me from there")
    correct_subscriber(env, GONE, correction)
    clock.forward(timedelta(days=10))
    cleanup.clean_up(env)
    before = tables_with(LOCAL)
    assert before <= {"consent_events"}
    apply_message(env, dsn(sent[0], ("5.1.1", WORDS), to=sent[0].sender, recipient=GONE), PIPE)
    [event] = bounce_events.list_bounces()
    assert (event.email, event.effect) == ("new@home.example", "noted")
    assert tables_with(LOCAL) == before


def test_a_reply_from_elsewhere_keeps_its_writer_only_where_it_is_needed(
    env: Environment, sent: list[Outgoing]
) -> None:
    """The author reads a reply that would be lost; one that lies in a mailbox is not copied."""
    headers = f"In-Reply-To: {message_id_of(sent[1])}\n"
    data = mail(sent[1].sender, sender="eva.berg@home.example", headers=headers, body="Thanks!")
    apply_message(env, data, BounceSource.MAILBOX)
    assert tables_with("eva.berg") == set()
    apply_message(env, data.replace(b"<m", b"<n"), PIPE)
    assert tables_with("eva.berg") == {"bounce_events"}
    privacy.erase_address(env, "reader1@example.com")
    assert tables_with("eva.berg") == set()


def test_servers_words_are_kept_without_the_address(
    env: Environment, sent: list[Outgoing], sink: Sink
) -> None:
    apply_message(env, dsn(sent[0], ("5.1.1", WORDS), to=sent[0].sender), PIPE)
    with reading() as session:
        [event] = session.scalars(select(BounceEvent))
        assert event.reason.startswith('550 5.1.1 <v…@example.com>: no mailbox "v…" here, b…@x')
    assert bounce_events.list_bounces()[0].email == GONE, (
        "it is the subscriber's, as long as they are"
    )


def test_a_message_that_was_under_way_while_its_reader_was_erased(
    env: Environment, sink: Sink
) -> None:
    """The server's answer comes after the erasure, and names the address."""
    make_campaign(3, names="reader{}.novak@example.com")

    def answer(outgoing: Outgoing) -> Outcome | None:
        local = outgoing.recipient.partition("@")[0]
        if local == "reader1.novak":
            privacy.erase_address(env, outgoing.recipient)
            words = Reply(250, "2.1.5", f"<{outgoing.recipient}> queued for {local}")
            return Outcome(outgoing.id, Result.ACCEPTED, "END", words, "sink")
        if local == "reader2.novak":
            privacy.erase_address(env, outgoing.recipient)
            return refusal(outgoing, 550, "5.1.1", f"<{outgoing.recipient}> unknown {local}")
        return None

    sink.script = answer
    sending.send_due(env)
    assert tables_with("reader1.novak") == set()
    assert tables_with("reader2.novak") == set()
    assert "subscribers" in tables_with("reader0.novak")
    with reading() as session:
        assert session.scalar(select(Campaign.status)) == "sent"


def test_files_know_nothing_of_a_stranger_who_was_reported(
    env: Environment, sent: list[Outgoing], tmp_path: Path
) -> None:
    """Neither export names them, an import takes the address as one of nobody; and one of an
    address that was erased is refused, whatever was reported of it since.
    """
    stranger = "karl.strange@elsewhere.example"
    apply_message(env, dsn(sent[1], original=FOREIGN, recipient=stranger), PIPE)
    privacy.erase_address(env, GONE)
    apply_all(env, sent[0])
    out = io.StringIO()
    suppression_file.export(out)
    export_to_text(out)
    assert "strange" not in out.getvalue()
    assert LOCAL not in out.getvalue()
    assert "reader1@example.com" in out.getvalue()
    file = tmp_path / "people.csv"
    file.write_text(f"email\n{stranger}\n{GONE}\n")
    result = import_file(env, file, because="asked me to")
    assert (result.new, result.active, result.inactive) == (1, 1, 1)
    with reading() as session:
        emails = set(session.scalars(select(Subscriber.email)))
    assert stranger in emails
    assert GONE not in emails
