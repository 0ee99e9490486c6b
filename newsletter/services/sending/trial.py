"""Build and send one message as a test, without the outbox."""

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
from newsletter.tokens import make_random_message_id


def build_example(
    env: Environment, slug: str, content: MailContent, *, to: str
) -> tuple[str, bytes]:
    """Build a whole message to one address; its links lead to the list.

    Returns the sender's address and the message.
    """
    with reading() as session:
        list_context = make_list_context(
            env, session.scalars(select(MailingList).where(MailingList.slug == slug)).one()
        )
    domain = list_context.from_email.rpartition("@")[2]
    values = {
        "name": "",
        "email": to,
        "date": format_mail_date(env.now),
        "message_id": make_random_message_id(domain),
        "report_id": make_random_message_id(domain),
        "unsubscribe_url": list_context.url,
        "preferences_url": list_context.url,
        "why_url": list_context.url,
        "stay_url": list_context.url,
    }
    return list_context.from_email, compile_for_list(
        env, list_context, content, stream="test"
    ).build(values)


def send_test(env: Environment, slug: str, content: MailContent, *, to: str) -> Outcome:
    """Send `content` to one address now, without the outbox and marked as a test.

    Raises `TransportError`.
    """
    sender, data = build_example(
        env, slug, MailContent(f"[Test] {content.subject}", content.text, content.html), to=to
    )
    waiting = iter([Outgoing(0, sender, to, data)])
    [outcome] = [
        outcome
        for group in env.transport().deliver(lambda: next(waiting, None))
        for outcome in group
    ]
    return outcome
