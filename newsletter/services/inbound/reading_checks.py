"""Check for `doctor` that returned mail is read, and from the right mailbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import select

from newsletter.db.session import reading
from newsletter.i18n import Text
from newsletter.models import MailingList
from newsletter.services.checks import BAD, GOOD, WARN, Check
from newsletter.services.inbound import receivers
from newsletter.services.inbound.apply import count_unproved
from newsletter.services.inbound.poll import name_mailbox, read_address
from newsletter.services.runtime import Environment

SILENT_FOR = timedelta(hours=1)
"""Time after which a mailbox counts as not being read; a worker polls every minute."""

WHY = Text("addresses that are gone go on being mailed, and providers close accounts for that")


def check_readers(env: Environment) -> Iterator[Check]:
    """Check who reads returned mail, undecided events, and where replies go."""
    yield _check_reader(env)
    with reading() as session:
        waiting = count_unproved(session)
        reply_to = session.execute(select(MailingList.reply_to, MailingList.from_email)).all()
    if waiting:
        text = Text("%(waiting)s returned mails are not proved or not understood", waiting=waiting)
        yield Check("bounces_unknown", WARN, text, "newsletter bounce ls --unknown")
    address = (env.settings.bounces.address or "").lower()
    if address in {(row[0] or row[1]).lower() for row in reply_to}:
        text = Text("Reply-To is the bounce mailbox %(address)s", address=address)
        hint = Text("set another address with `newsletter list edit SLUG --reply-to`")
        yield Check(
            "reply_to", BAD, text, hint, Text("people's replies would be read by a program")
        )


def _check_reader(env: Environment) -> Check:
    address = read_address(env)
    if address is not None:
        name = name_mailbox(address)
        with reading() as session:
            problem = receivers.find_problem(session, name)
            ran_at = receivers.find_last_run(session, name)
        if problem:
            return Check("mailbox", BAD, problem, Text("check bounces.mailbox"), WHY)
        if ran_at is None or env.now - ran_at > SILENT_FOR:
            hint = Text("newsletter bounce poll, or start a worker")
            return Check(
                "mailbox", WARN, Text("the mailbox of returned mail was not read yet"), hint, WHY
            )
        return Check(
            "mailbox",
            GOOD,
            Text("returned mail was read %(at)s UTC", at=f"{ran_at:%Y-%m-%d %H:%M}"),
        )
    if env.settings.bounces.listen is not None:
        return Check(
            "mailbox",
            GOOD,
            Text("returned mail comes to %(address)s", address=env.settings.bounces.listen),
        )
    if receivers.pipe_runs(env):
        return Check("mailbox", GOOD, Text("returned mail is piped in"))
    hint = Text("set bounces.mailbox, or pipe returned mail into `newsletter bounce process`")
    return Check("mailbox", WARN, Text("nothing reads returned mail"), hint, WHY)
