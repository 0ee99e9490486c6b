"""The mailbox of returned mail, on a real Dovecot: what is ours goes, what is not stays, and all
counts once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select

from newsletter.db.session import db, transaction
from newsletter.mail.smtp.types import Outgoing
from newsletter.models import BounceReceiver, SeenMail
from newsletter.services.inbound import poll, receivers
from newsletter.services.runtime import Environment
from newsletter.settings import Settings
from tests.conftest import SECRET
from tests.fakes import Clock
from tests.processes import inherited_environment
from tests.services.inbound.dovecot import Dovecot, running_dovecot
from tests.services.inbound.returned import (
    bounce_events,
    complaint,
    dsn,
    mail,
    message_id_of,
    suppressed,
)

pytestmark = [pytest.mark.dovecot, pytest.mark.xdist_group("dovecot")]


@pytest.fixture(params=["imap", "pop3"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server


@pytest.fixture
def settings(settings: Settings, dovecot: Dovecot, kind: str) -> Settings:
    bounces = settings.bounces.model_copy(
        update={"address": "bounces@news.example.com", "mailbox": SecretStr(dovecot.url(kind))}
    )
    return settings.model_copy(update={"bounces": bounces})


def seen() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(SeenMail)) or 0


def test_ours_is_applied_and_deleted_and_the_rest_stays_unread(
    env: Environment, dovecot: Dovecot, sent: list[Outgoing]
) -> None:
    foreign = mail("bounces@news.example.com", subject="Invoice")
    reply = mail(sent[2].sender, subject="Re: Hello", headers="In-Reply-To: <x@y.example>\n")
    for data in (
        foreign,
        dsn(sent[0], to=sent[0].sender),
        complaint(sent[1]),
        reply,
        dsn(sent[3], original=""),
    ):
        dovecot.deliver(data)
    result = poll.poll_mailbox(env)
    assert (result.problem, result.read, result.ours, result.replies, result.deleted) == (
        "",
        5,
        2,
        1,
        2,
    )
    assert suppressed() == {sent[0].recipient: "bounce", sent[1].recipient: "complaint"}
    assert [data for data in dovecot.mails() if data in (foreign, reply)] == [foreign, reply]
    assert len(dovecot.mails()) == dovecot.unread() == 3
    again = poll.poll_mailbox(env)
    assert (again.read, again.deleted, again.problem) == (0, 0, "")
    assert len(bounce_events()) == 4
    assert seen() == 3, "what was deleted is forgotten"


def test_a_crash_before_the_deletion_counts_once(
    env: Environment, dovecot: Dovecot, sent: list[Outgoing]
) -> None:
    dovecot.deliver(dsn(sent[0], to=sent[0].sender))
    dovecot.deliver(mail("bounces@news.example.com"))

    class Killed(BaseException):
        pass

    def die(*args: object) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(poll, "_delete", die)
        with pytest.raises(Killed):
            poll.poll_mailbox(env)
    assert len(dovecot.mails()) == 2
    result = poll.poll_mailbox(env)
    assert (result.deleted, result.read + result.deleted) in ((1, 3), (1, 2), (1, 1))
    assert len(bounce_events()) == 1
    assert len(dovecot.mails()) == 1


def test_kill_9_between_applying_and_deleting(
    env: Environment, dovecot: Dovecot, sent: list[Outgoing], kind: str
) -> None:
    """A process of its own dies by SIGKILL after its commit."""
    dovecot.deliver(dsn(sent[0], to=sent[0].sender))
    code = (
        "import os, signal, sys\nfrom newsletter.services.inbound import poll\n"
        "poll._delete = lambda *a: a[1] and os.kill(os.getpid(), signal.SIGKILL)\n"
        "from newsletter.cli import main; main(['bounce', 'poll'])"
    )
    environment = {
        **inherited_environment(),
        "NEWSLETTER_SECRET_KEY": SECRET,
        "NEWSLETTER_DATABASE_URL": env.settings.database_url,
        "NEWSLETTER_BOUNCES__MAILBOX": dovecot.url(kind),
        "NEWSLETTER_BOUNCES__ADDRESS": "bounces@news.example.com",
    }
    db.session.rollback()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=env.settings.folder,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(bounce_events()) == 1
    assert len(dovecot.mails()) == 1
    with transaction() as session:  # the dead worker's claim runs out
        session.execute(BounceReceiver.__table__.update().values(claimed_until=0))
    assert poll.poll_mailbox(env).deleted == 1
    assert dovecot.mails() == []
    assert len(bounce_events()) == 1


def test_a_mailbox_is_read_by_one_worker_at_a_time(
    env: Environment, dovecot: Dovecot, sent: list[Outgoing], clock: Clock
) -> None:
    dovecot.deliver(dsn(sent[0], to=sent[0].sender))
    address = poll.read_address(env)
    assert address is not None
    assert receivers.claim(env, poll.name_mailbox(address), "another worker")
    assert poll.poll_mailbox(env).busy
    assert len(dovecot.mails()) == 1
    clock.forward(receivers.CLAIMED_FOR + timedelta(seconds=1))
    assert poll.poll_mailbox(env).deleted == 1


@pytest.mark.parametrize("kind", ["imap"], indirect=True)
def test_a_new_uidvalidity_counts_nothing_twice(
    env: Environment, dovecot: Dovecot, sent: list[Outgoing]
) -> None:
    for _ in range(3):
        dovecot.deliver(mail("bounces@news.example.com"))
    reply = mail(
        "bounces@news.example.com",
        subject="Re: x",
        headers=f"In-Reply-To: {message_id_of(sent[0])}\n",
    )
    dovecot.deliver(reply)
    assert poll.poll_mailbox(env).replies == 1
    dovecot.forget_index()
    dovecot.deliver(dsn(sent[1], to=sent[1].sender))
    result = poll.poll_mailbox(env)
    assert (result.read, result.deleted, result.problem) == (5, 1, "")
    assert len(dovecot.mails()) == 4
    assert [event[0] for event in bounce_events()] == ["reply", "hard"]


@pytest.mark.parametrize("kind", ["imap"], indirect=True)
def test_what_somebody_else_has_marked_is_not_expunged(
    env: Environment, dovecot: Dovecot, sent: list[Outgoing]
) -> None:
    from imapclient import DELETED, IMAPClient

    dovecot.deliver(mail("bounces@news.example.com"))
    with IMAPClient("127.0.0.1", dovecot.imap_port, ssl=False) as client:
        client.login("bounces", "secret")
        client.select_folder("INBOX")
        client.add_flags([1], [DELETED])
    dovecot.deliver(dsn(sent[0], to=sent[0].sender))
    assert poll.poll_mailbox(env).deleted == 1
    assert len(dovecot.mails()) == 1


def test_large_and_many_mails_take_little_memory(
    env: Environment, dovecot: Dovecot, sent: list[Outgoing]
) -> None:
    """A 50 MB mail and many foreign ones; `MAILBOX_MAILS=50000` where it may take minutes."""
    many = int(os.environ.get("MAILBOX_MAILS", "300"))
    line = b"x" * 70 + b"\r\n"
    dovecot.deliver(mail("bounces@news.example.com") + line * (50_000_000 // len(line)))
    dovecot.deliver(mail("bounces@news.example.com") + b"y" * 5_000_000)
    for _ in range(many):
        dovecot.deliver(mail("bounces@news.example.com"))
    dovecot.deliver(dsn(sent[0], to=sent[0].sender))
    tracemalloc.start()
    total = 0
    while (result := poll.poll_mailbox(env)).read:
        assert result.problem == ""
        total += result.read
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == many + 3
    assert peak < 60_000_000
    assert list(suppressed()) == [sent[0].recipient]
    assert len(dovecot.mails()) == many + 2


def test_a_wrong_password_is_said_once_and_never_shown(
    env: Environment, settings: Settings, dovecot: Dovecot, kind: str
) -> None:
    url = dovecot.url(kind).replace("secret", "wr0ng-pw")
    bounces = settings.bounces.model_copy(update={"mailbox": SecretStr(url)})
    other = Environment(
        **{
            **{f: getattr(env, f) for f in env.__slots__},
            "settings": settings.model_copy(update={"bounces": bounces}),
        }
    )
    result = poll.poll_mailbox(other)
    assert result.problem.startswith("127.0.0.1:")
    assert "wr0ng-pw" not in result.problem
