"""Send one plain test message to an address, without the outbox."""

from __future__ import annotations

from sqlalchemy import select

from newsletter.db.session import reading
from newsletter.errors import Refused, TransportError
from newsletter.mail.render import MailContent
from newsletter.mail.smtp.types import Result
from newsletter.models import MailingList
from newsletter.services.checks import BAD, GOOD, Check
from newsletter.services.runtime import Environment
from newsletter.services.sending import trial

TEXT = (
    "This message left your newsletter program through its mail server, as its mails to "
    "subscribers do.\n\nIf it is in the spam folder, run `newsletter doctor`; saved with all its "
    "headers, `newsletter doctor --sample FILE` says how it is signed.\n"
)


def check_arrival(env: Environment, to: str) -> Check:
    """Send a test message to `to` from the first list; return a check with the server's reply."""
    with reading() as session:
        slug = session.scalar(select(MailingList.slug).order_by(MailingList.id))
    if slug is None:
        raise Refused("there is no list to write from", hint="`newsletter list add` makes one")
    html = "".join(f"<p>{paragraph}</p>" for paragraph in TEXT.strip().split("\n\n"))
    try:
        outcome = trial.send_test(env, slug, MailContent("Mail arrives", TEXT, html), to=to)
    except TransportError as error:
        return Check("send", BAD, error.message, error.hint)
    reply = f"{outcome.reply.code} {outcome.reply.text}".strip()
    if outcome.result != Result.ACCEPTED:
        return Check("send", BAD, f"the message to {to} was not taken: {reply}")
    hint = "look for it, also in the spam folder; saved with all its headers it serves for --sample"
    return Check("send", GOOD, f"the message to {to} was taken: {reply}", hint)
