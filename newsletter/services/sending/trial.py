"""Make and send one message as a test, past the outbox."""

from __future__ import annotations

from sqlalchemy import select

from newsletter.db.session import reading
from newsletter.mail.render import MailContent
from newsletter.mail.smtp.types import Outcome, Outgoing
from newsletter.models import MailingList
from newsletter.services.mail_context import (
    compile_for_list,
    format_mail_date,
    make_list_context,
)
from newsletter.services.runtime import Environment
from newsletter.tokens import random_message_id


def example(env: Environment, slug: str, content: MailContent, *, to: str) -> tuple[str, bytes]:
    """The sender's address and a whole message that says `content`, to one address; its links lead
    to the list.
    """
    with reading() as session:
        shown = make_list_context(
            env, session.scalars(select(MailingList).where(MailingList.slug == slug)).one()
        )
    values = {
        "name": "",
        "email": to,
        "date": format_mail_date(env.now),
        "message_id": random_message_id(shown.from_email.rpartition("@")[2]),
        "unsubscribe_url": shown.url,
        "preferences_url": shown.url,
        "stay_url": shown.url,
    }
    return shown.from_email, compile_for_list(env, shown, content, stream="test").build(values)


def send_test(env: Environment, slug: str, content: MailContent, *, to: str) -> Outcome:
    """Send `content` to one address now, past the outbox and marked as a test.

    Raises `TransportError`.
    """
    sender, data = example(
        env, slug, MailContent(f"[Test] {content.subject}", content.text, content.html), to=to
    )
    waiting = iter([Outgoing(0, sender, to, data)])
    [outcome] = [
        outcome
        for group in env.transport().deliver(lambda: next(waiting, None))
        for outcome in group
    ]
    return outcome
