"""IMAP IDLE on a real Dovecot: mail is noticed at once, a stop is heeded, a lost connection is
said.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from pydantic import SecretStr

from newsletter.mail.mailbox.types import MailboxError
from newsletter.mail.smtp.types import Outgoing
from newsletter.services.inbound import receivers, watch
from newsletter.services.inbound.poll import name_mailbox, read_address
from newsletter.services.runtime import Environment
from newsletter.worker import WorkerProcess
from tests.services.inbound.dovecot import Dovecot, running_dovecot
from tests.services.inbound.returned import dsn, suppressed

pytestmark = [pytest.mark.dovecot, pytest.mark.xdist_group("dovecot")]


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server


@pytest.fixture
def watching(env: Environment, dovecot: Dovecot) -> Environment:
    bounces = env.settings.bounces.model_copy(update={"mailbox": SecretStr(dovecot.url("imap"))})
    return replace(env, settings=env.settings.model_copy(update={"bounces": bounces}))


def never() -> bool:
    return False


def test_a_mail_is_noticed_when_it_comes(
    watching: Environment, dovecot: Dovecot, sent: list[Outgoing]
) -> None:
    timer = threading.Timer(1, dovecot.deliver, [dsn(sent[0], to=sent[0].sender)])
    timer.start()
    began = time.monotonic()
    assert watch.wait_for_mail(watching, stop=never)
    assert time.monotonic() - began < 30
    timer.join()


def test_a_stop_is_heeded_within_seconds(watching: Environment) -> None:
    began = time.monotonic()
    assert not watch.wait_for_mail(watching, stop=lambda: time.monotonic() - began > 0.5)
    assert time.monotonic() - began < 5


def test_a_lost_connection_is_said_and_the_claim_given_back(
    watching: Environment, dovecot: Dovecot
) -> None:
    started = threading.Timer(1, dovecot.kick)
    started.start()
    with pytest.raises(MailboxError):
        watch.wait_for_mail(watching, stop=never)
    started.join()
    began = time.monotonic()
    assert not watch.wait_for_mail(watching, stop=lambda: time.monotonic() - began > 0.5)


def test_one_worker_alone_waits_at_a_mailbox(watching: Environment) -> None:
    address = read_address(watching)
    assert address is not None
    assert receivers.claim(watching, f"{name_mailbox(address)}:idle", "another")
    assert not watch.wait_for_mail(watching, stop=never)


def test_a_worker_reads_what_it_waited_for(
    app: Flask, watching: Environment, dovecot: Dovecot, sent: list[Outgoing]
) -> None:
    worker = WorkerProcess(app)
    worker.env = watching
    timer = threading.Timer(1, dovecot.deliver, [dsn(sent[0], to=sent[0].sender)])
    timer.start()
    worker.watch_mailbox()
    timer.join()
    assert suppressed() == {sent[0].recipient: "bounce"}
    assert dovecot.mails() == []
