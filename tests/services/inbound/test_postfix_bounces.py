"""A real Postfix bounces, warns and gives up; a real Dovecot keeps its reports; nobody lends a
hand.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr
from sqlalchemy import select

from newsletter.bounce_vocabulary import BounceProof
from newsletter.db.session import reading, transaction
from newsletter.mail.smtp.transport import SmtpTransport, parse_server
from newsletter.models import BounceEvent, Campaign
from newsletter.services.campaigns.explain_delivery import explain_delivery
from newsletter.services.digests import due as digests
from newsletter.services.inbound.poll import poll_mailbox
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from tests.fakes import Clock
from tests.people import add_entry, add_feed, add_list, add_reader
from tests.servers.postfix import Postfix, find_port, run_postfix
from tests.services.inbound.dovecot import Dovecot, running_dovecot
from tests.services.inbound.returned import bounce_events, mail, suppressed
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.postfix, pytest.mark.dovecot, pytest.mark.xdist_group("postfix")]


class Receiver:
    """The recipients' mail server: some are unknown, some mailboxes are full for ever."""

    def __init__(self) -> None:
        self.accepted: list[str] = []

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address.startswith("dead"):
            return "550 5.1.1 The email account that you tried to reach does not exist"
        if address.startswith("full"):
            return "452 4.2.2 The mailbox is full"
        envelope.rcpt_tos.append(address)
        self.accepted.append(address)
        return "250 Ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        return "250 Ok"


@dataclass
class World:
    """The installation, the mail systems around it, and what the recipients' server took."""

    env: Environment
    postfix: Postfix
    dovecot: Dovecot
    accepted: list[str]


@pytest.fixture(params=["imap", "pop3"])
def world(request: pytest.FixtureRequest, env: Environment) -> Iterator[World]:
    receiver = Receiver()
    port = find_port()
    controller = Controller(receiver, hostname="127.0.0.1", port=port)
    controller.start()
    with running_dovecot() as dovecot:
        settings = {
            "default_transport": "smtp",
            "relay_transport": "smtp",
            "relayhost": f"[127.0.0.1]:{port}",
            "virtual_mailbox_domains": "news.example.com",
            "virtual_mailbox_maps": "static:Maildir/",
            "virtual_mailbox_base": str(dovecot.folder),
            "virtual_uid_maps": f"static:{dovecot.uid}",
            "virtual_gid_maps": f"static:{dovecot.uid}",
            "virtual_minimum_uid": "1",
            "recipient_delimiter": "+",
            "maximal_queue_lifetime": "1d",
            "delay_warning_time": "1s",
            "queue_run_delay": "1s",
            "minimal_backoff_time": "1s",
            "maximal_backoff_time": "1s",
            "smtpd_reject_unlisted_recipient": "no",
        }
        with run_postfix(settings) as postfix:
            bounces = env.settings.bounces.model_copy(
                update={"mailbox": SecretStr(dovecot.url(str(request.param)))}
            )
            server = parse_server(f"smtp://127.0.0.1:{postfix.port}")
            yield World(
                replace(
                    env,
                    settings=env.settings.model_copy(update={"bounces": bounces}),
                    transport=lambda: SmtpTransport(
                        [server], timeout=20, hello="news.example.com", connections=1
                    ),
                ),
                postfix,
                dovecot,
                receiver.accepted,
            )
    controller.stop()


def until(done: Callable[[], bool], seconds: float = PATIENCE) -> None:
    ends = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < ends, "it does not come"
        time.sleep(0.2)


def digest(world: World, clock: Clock, title: str) -> int:
    """Publish an entry, and compose and send the digest that is due."""
    from datetime import timedelta

    from newsletter.models import Feed

    with transaction() as session:
        feed = session.scalars(select(Feed)).first()
        assert feed is not None
        add_entry(session, feed, title, now=clock.now)
    clock.forward(timedelta(days=1, hours=1))
    digests.compose_due(world.env)
    sending.send_due(world.env)
    with reading() as session:
        return session.scalars(select(Campaign.id).order_by(Campaign.id.desc())).first() or 0


def test_a_dead_address_is_suppressed_without_a_human_hand(world: World, clock: Clock) -> None:
    with transaction() as session:
        mailing_list = add_list(session)
        add_feed(session, mailing_list)
        for name in ("dead", "full", "lives"):
            add_reader(session, mailing_list, f"{name}@example.org", cadence="daily")
    foreign = mail("bounces@news.example.com", subject="Invoice")
    world.dovecot.deliver(foreign)
    first = digest(world, clock, "First")

    def read_events() -> int:
        assert poll_mailbox(world.env).problem == ""
        return len(bounce_events())

    until(lambda: read_events() >= 2)  # one is refused, the other's sender is warned
    world.postfix.change("maximal_queue_lifetime", "1s")  # it gives up now
    until(lambda: read_events() >= 3)
    assert suppressed() == {"dead@example.org": "bounce"}
    assert world.dovecot.mails() == [foreign], "only ours is deleted"
    events = bounce_events()
    assert ("hard", BounceProof.VERP.value, "suppressed", "dead@example.org") in events
    assert ("ignore", BounceProof.VERP.value, "noted", "full@example.org") in events
    assert ("soft", BounceProof.VERP.value, "counted", "full@example.org") in events
    assert len(events) == 3
    second = digest(world, clock, "Second")
    assert second != first
    until(lambda: world.accepted.count("lives@example.org") == 2)
    assert "dead@example.org" not in world.accepted
    answer = explain_delivery(world.env, second, "dead@example.org")
    assert answer.has_received is False
    assert "suppressed" in answer.verdict
    assert "bounce" in " ".join([answer.verdict, *(str(fact) for fact in answer.facts)])


def test_envelope_id_alone_names_the_message(world: World, clock: Clock) -> None:
    """Without the return path a report of Postfix still says which message it is about."""
    with transaction() as session:
        mailing_list = add_list(session)
        add_feed(session, mailing_list)
        for name in ("dead", "lives"):
            add_reader(session, mailing_list, f"{name}@example.org", cadence="daily")
    digest(world, clock, "First")
    until(lambda: any(b"5.1.1" in data for data in world.dovecot.mails()))
    [data] = world.dovecot.mails()
    assert b"Original-Recipient: rfc822;dead@example.org" in data
    assert b"Original-Envelope-Id: " in data
    from newsletter.bounces import read_message
    from newsletter.services.inbound.identify import find_owner

    evidence = replace(read_message(data).evidence, sent_to=(), message_ids=(), unsubscribe=())
    with reading() as session:
        owner = find_owner(world.env, session, evidence, "")
        assert owner.proof is BounceProof.ENVELOPE_ID
        assert owner.subscriber is not None
        assert owner.subscriber.email == "dead@example.org"
        assert session.scalars(select(BounceEvent)).all() == []
