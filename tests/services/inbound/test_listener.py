"""The listener for returned mail, and unsubscribing by mail, end to end."""

from __future__ import annotations

import os
import re
import smtplib
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter.bounce_vocabulary import BounceSource
from newsletter.db.session import db
from newsletter.mail.smtp.types import Outgoing
from newsletter.models import Subscriber, Subscription
from newsletter.services.inbound import apply_queue, listener, places, receivers
from newsletter.services.inbound.apply_queue import ApplyQueue
from newsletter.services.inbound.listener import (
    MAILS_AT_MOST,
    BounceListener,
    is_own_address,
    read_listen_address,
)
from newsletter.services.inbound.messages import AppliedMessage, ReceivedMail, apply_message
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sending import run as sending
from newsletter.settings import Settings
from tests.fakes import Clock, Sink, parsed
from tests.services.inbound.returned import bounce_events, dsn, mail, suppressed
from tests.services.sending.test_run import make_campaign
from tests.waiting import PATIENCE


@pytest.fixture
def settings(settings: Settings) -> Settings:
    bounces = settings.bounces.model_copy(
        update={"address": "bounces@news.example.com", "listen": "127.0.0.1:8024"}
    )
    return settings.model_copy(update={"bounces": bounces})


@pytest.fixture
def receiving(app: Flask) -> Iterator[BounceListener]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = BounceListener(app, "127.0.0.1", port)
    server.start()
    yield server
    server.stop()


def deliver(server: BounceListener, to: str, data: bytes) -> None:
    with smtplib.LMTP("127.0.0.1", server.port) as client:
        client.sendmail("", [to], data.replace(b"\n", b"\r\n"))


def test_a_report_over_lmtp_is_applied(
    env: Environment, sent: list[Outgoing], receiving: BounceListener
) -> None:
    deliver(receiving, sent[0].sender, dsn(sent[0], original="Subject: x\n"))
    assert suppressed() == {sent[0].recipient: "bounce"}
    assert [event[1] for event in bounce_events()] == ["verp"], (
        "the envelope's recipient is the proof"
    )


def test_a_mail_leaves_no_line_in_the_log(
    env: Environment,
    sent: list[Outgoing],
    receiving: BounceListener,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Ten thousand a minute come, and each would leave ten lines with addresses."""
    with caplog.at_level("INFO"):
        deliver(receiving, sent[0].sender, dsn(sent[0]))
    assert [record for record in caplog.records if record.name == "mail.log"] == []


def test_smtp_is_understood_too_and_only_our_address_is_taken(
    env: Environment, sent: list[Outgoing], receiving: BounceListener
) -> None:
    with smtplib.SMTP("127.0.0.1", receiving.port) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("", [sent[0].recipient], b"Subject: x\r\n\r\nx")
        refused = client.sendmail(
            "", [sent[0].sender, sent[1].sender], dsn(sent[0]).replace(b"\n", b"\r\n")
        )
        assert [code for code, _ in refused.values()] == [452]
    assert list(suppressed()) == [sent[0].recipient]


def test_a_mail_stays_with_its_sender_while_the_database_fails(
    env: Environment,
    sent: list[Outgoing],
    receiving: BounceListener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(apply_queue, "apply_messages", fail)
        with pytest.raises(smtplib.SMTPDataError) as refused:
            deliver(receiving, sent[0].sender, dsn(sent[0]))
    assert refused.value.smtp_code == 451
    deliver(receiving, sent[0].sender, dsn(sent[0]))
    assert list(suppressed()) == [sent[0].recipient]


def test_one_mail_that_fails_takes_no_other_along(
    env: Environment,
    app: Flask,
    sent: list[Outgoing],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Mails that come at the same time share a transaction; a failing one is its own affair."""
    mails = [
        ReceivedMail(dsn(outgoing), BounceSource.LISTENER, (outgoing.sender,))
        for outgoing in sent[:3]
    ]
    apply = apply_queue.apply_messages
    together: list[int] = []

    def fail_on_second(env: Environment, batch: list[ReceivedMail]) -> list[AppliedMessage]:
        together.append(len(batch))
        if mails[1] in batch:
            apply(env, [mail for mail in batch if mail is not mails[1]])
            raise RuntimeError("nobody foresaw this")
        return apply(env, batch)

    monkeypatch.setattr(apply_queue, "apply_messages", fail_on_second)
    queue = ApplyQueue(app)
    futures = [queue.put(mail) for mail in mails]
    gone = queue.put(ReceivedMail(b"its client has left", BounceSource.LISTENER))
    gone.cancel()
    queue.close()
    assert [future.exception() is None for future in futures] == [True, False, True]
    assert set(suppressed()) == {sent[0].recipient, sent[2].recipient}
    assert len(bounce_events()) == 2, "the one that was applied and not answered counts once"
    assert together[-1] == 1


def test_a_mail_of_any_size_and_length_of_line_is_taken(
    env: Environment, sent: list[Outgoing], receiving: BounceListener
) -> None:
    """One that is refused would be lost: a report has no sender to return it to."""
    report = dsn(sent[0], original="Subject: x\n") + b"\n" + b"x" * 3_000_000 + b"\n..\n.a\n"
    deliver(receiving, sent[0].sender, report)
    with smtplib.SMTP("127.0.0.1", receiving.port) as client:
        client.ehlo()
        assert client.has_extn("smtputf8"), "reports about international addresses (RFC 6533)"
        client.mail("<>")
        client.rcpt(sent[1].sender)
        client.putcmd("DATA")
        assert client.getreply()[0] == 354
        report = dsn(sent[1]).replace(b"\n", b"\r\n")
        client.send(report + b"\r\n.\r\nNOOP\r\n")
        assert [client.getreply()[0], client.getreply()[0]] == [250, 250], "pipelined"
    assert set(suppressed()) == {sent[0].recipient, sent[1].recipient}


@pytest.fixture
def begin_mails(
    receiving: BounceListener, sent: list[Outgoing]
) -> Iterator[Callable[[], list[smtplib.SMTP]]]:
    """Begin as many mails as there are places, and send no more than their first bytes."""
    clients: list[smtplib.SMTP] = []

    def begin() -> list[smtplib.SMTP]:
        for _ in range(MAILS_AT_MOST):
            clients.append(client := smtplib.SMTP("127.0.0.1", receiving.port))
            client.ehlo()
            client.mail("<>")
            client.rcpt(sent[1].sender)
            assert client.docmd("DATA")[0] == 354
            client.send(b"Subject: slow\r\n")
        return clients

    yield begin
    for client in clients:
        client.close()


def test_too_many_mails_at_once_come_again_later(
    sent: list[Outgoing],
    receiving: BounceListener,
    begin_mails: Callable[[], list[smtplib.SMTP]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(places, "SLOW_AFTER", 60)
    slow = begin_mails()
    with pytest.raises(smtplib.SMTPDataError) as refused:
        deliver(receiving, sent[0].sender, dsn(sent[0]))
    assert refused.value.smtp_code == 451
    assert slow[0].docmd(".")[0] == 250
    deliver(receiving, sent[0].sender, dsn(sent[0]))
    assert list(suppressed()) == [sent[0].recipient]


def test_slow_clients_make_room_for_others(
    sent: list[Outgoing],
    receiving: BounceListener,
    begin_mails: Callable[[], list[smtplib.SMTP]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They could hold all places for ever, with a byte a minute each."""
    monkeypatch.setattr(places, "SLOW_AFTER", 0)
    slow = begin_mails()
    deliver(receiving, sent[0].sender, dsn(sent[0]))
    assert list(suppressed()) == [sent[0].recipient]
    end = time.monotonic() + PATIENCE
    while all(is_open(client) for client in slow) and time.monotonic() < end:
        time.sleep(0.01)
    open_still = [client for client in slow if is_open(client)]
    assert len(open_still) == MAILS_AT_MOST - 1, "one had to go, the others wait"
    assert open_still[0].docmd(".")[0] == 250


def test_a_mail_that_does_not_end_is_given_up(
    sent: list[Outgoing],
    receiving: BounceListener,
    begin_mails: Callable[[], list[smtplib.SMTP]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each byte starts the time anew after which a silent client is let go, but not this one."""
    monkeypatch.setattr(listener, "MAIL_SECONDS", 0.2)
    slow = begin_mails()
    end = time.monotonic() + PATIENCE
    while any(is_open(client) for client in slow) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(is_open(client) for client in slow)
    deliver(receiving, sent[0].sender, dsn(sent[0]))


def is_open(client: smtplib.SMTP) -> bool:
    """Tell whether the server has not closed a connection."""
    assert client.sock is not None
    client.sock.setblocking(False)
    try:
        return client.sock.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        client.sock.setblocking(True)


def test_connections_that_send_nothing_make_room_for_others(
    sent: list[Outgoing], receiving: BounceListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "CONNECTIONS_AT_MOST", 5)
    idle = [smtplib.SMTP("127.0.0.1", receiving.port) for _ in range(5)]
    busy = smtplib.LMTP("127.0.0.1", receiving.port)
    end = time.monotonic() + PATIENCE
    while is_open(idle[0]) and time.monotonic() < end:
        time.sleep(0.01)
    assert [is_open(client) for client in idle] == [False, True, True, True, True]
    busy.sendmail("", [sent[0].sender], dsn(sent[0]).replace(b"\n", b"\r\n"))
    assert list(suppressed()) == [sent[0].recipient]
    for client in (*idle, busy):
        client.close()


def test_of_the_slow_ones_the_slowest_goes() -> None:
    four = places.Places[str](4)
    for name, size in (("fast", 9_000_000), ("slow", 3_000), ("slower", 2_000), ("whole", 5)):
        place, gone = four.take(name, 0.0)
        assert place is not None and gone is None
        place.size = size
        place.complete = name == "whole"
    assert four.take("fifth", 1.0) == (None, None), "nobody is slow yet"
    assert four.take("fifth", 3.0)[1] == "slower"
    assert four.take("sixth", 4.0)[1] == "slow"
    assert four.take("seventh", 4.5) == (None, None)
    four.leave("sixth")
    assert four.take("seventh", 4.5)[1] is None
    assert four.take("eighth", 61.0)[1] in ("fifth", "seventh")
    assert four.take("ninth", 61.0)[1] in ("fifth", "seventh")
    assert four.take("tenth", 61.0)[1] == "fast", "it has had its turn"


def test_many_bounces_take_little_memory(
    env: Environment, sink: Sink, receiving: BounceListener
) -> None:
    """`LISTENER_BOUNCES=10000` measures; the rate is printed with -s."""
    many = int(os.environ.get("LISTENER_BOUNCES", "120"))
    make_campaign(many + 1)
    sending.send_due(env)
    messages = sorted(sink.accepted)[:many]
    db.session.rollback()
    tracemalloc.start()
    begun = time.monotonic()

    def send(part: list[Outgoing]) -> None:
        with smtplib.LMTP("127.0.0.1", receiving.port) as client:
            for outgoing in part:
                client.sendmail("", [outgoing.sender], dsn(outgoing).replace(b"\n", b"\r\n"))

    threads = [threading.Thread(target=send, args=(messages[number::4],)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - begun
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"{many / seconds * 60:.0f} bounces a minute, peak {peak / 1e6:.0f} MB")
    assert len(suppressed()) == many
    assert peak < 60_000_000


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        ("bounces@news.example.com", True),
        ("Bounces+X@News.example.com", True),
        ("bounces@evil.example", False),
        ("bounces+@news.example.com", True),
        ("bouncesX@news.example.com", False),
        ("", False),
    ],
)
def test_only_extensions_of_the_address_are_ours(recipient: str, expected: bool) -> None:
    assert is_own_address("bounces@news.example.com", recipient) is expected


def test_a_bare_port_means_the_loopback() -> None:
    assert read_listen_address("8024") == ("127.0.0.1", 8024)
    assert read_listen_address("[::1]:25") == ("::1", 25)


# --- Unsubscribing by mail ---


def unsubscribe_targets(outgoing: Outgoing) -> list[str]:
    return re.findall(r"<([^>]+)>", str(parsed(outgoing.data)["List-Unsubscribe"]))


def test_mail_offers_unsubscribing_by_mail_and_it_works(
    env: Environment, sent: list[Outgoing], receiving: BounceListener, sink: Sink
) -> None:
    https, mailto = unsubscribe_targets(sent[1])
    assert https.startswith("https://")
    to = mailto.removeprefix("mailto:").partition("?")[0]
    deliver(
        receiving,
        to,
        mail(
            to, subject="Kündigen", body="Von meinem iPhone gesendet", sender="someone@else.example"
        ),
    )
    db.session.rollback()
    rows = db.session.execute(select(Subscriber.email, Subscription.status).join(Subscription))
    ended = [email for email, status in rows if status == "unsubscribed"]
    assert ended == [sent[1].recipient]
    sink.accepted.clear()
    sending.send_due(env)
    assert [outgoing.recipient for outgoing in sink.accepted] == [sent[1].recipient], "one goodbye"


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("unsubscribe", "Apple Mail sent this email to unsubscribe from the message"),
        ("Abmelden", "Von meinem iPhone gesendet"),
        ("Se désabonner", "Envoyé de mon iPhone"),
        ("Darse de baja", "Enviado desde mi iPhone"),
        ("Annulla iscrizione", "Inviato da iPhone"),
        ("Dezabonare", "Trimis de pe iPhone-ul meu"),
        ("Afmelden", "Verstuurd vanaf mijn iPhone"),
        ("إلغاء الاشتراك", "أُرسلت من الـ iPhone"),
        ("配信停止", "iPhoneから送信"),
        ("Отписаться", "Отправлено с iPhone"),
        ("", ""),
        ("Re: Undeliverable: could not be delivered", "no more of this"),
    ],
)
def test_a_mail_in_any_language_ends_one_subscription(
    env: Environment, sent: list[Outgoing], subject: str, body: str
) -> None:
    _, mailto = unsubscribe_targets(sent[1])
    to = mailto.removeprefix("mailto:").partition("?")[0]
    data = mail(to, subject=subject, body=body, sender="else@example.net")
    apply_message(env, data, BounceSource.PIPE)
    db.session.rollback()
    rows = db.session.execute(select(Subscriber.email, Subscription.status).join(Subscription))
    ended = [email for email, status in rows if status == "unsubscribed"]
    assert ended == [sent[1].recipient]


def test_nobody_is_offered_an_address_that_nobody_reads(
    app: Flask, env: Environment, sink: Sink, clock: Clock
) -> None:
    bounces = env.settings.bounces.model_copy(update={"listen": None})
    object.__setattr__(env, "settings", env.settings.model_copy(update={"bounces": bounces}))
    assert app.extensions[EXTENSION] is env
    make_campaign(1)
    sending.send_due(env)
    assert len(unsubscribe_targets(sink.accepted[0])) == 1
    receivers.note_run(env, receivers.PIPE)
    assert receivers.find_unsubscribe_address(env) == "bounces@news.example.com"
    clock.forward(receivers.READ_WITHIN * 1.01)
    assert receivers.find_unsubscribe_address(env) == ""
