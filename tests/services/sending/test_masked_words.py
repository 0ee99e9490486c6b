"""The words of servers about a recipient are masked for viewers, tokens and in notices."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from newsletter.db.session import reading
from newsletter.mail.smtp.types import Outcome, Outgoing
from newsletter.models import Campaign, Delivery, DomainBackoff, SenderState
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.vocabulary import MailKind
from tests.fakes import Sink
from tests.services.sending.test_run import make_campaign, refusal

REFUSALS = {
    "unknown": (550, "5.1.1", "<{}>: Recipient address rejected: User unknown"),
    "quota": (550, "5.4.5", "{} exceeded the max emails per hour (daily user sending limit)"),
    "account": (550, "5.7.1", "Sending to {} is not allowed: your account is suspended"),
    "reputation": (550, "5.7.1", "mail to {} blocked: poor reputation of your IP address"),
    "content": (554, "5.7.0", "Message for {} rejected as spam"),
    "unclear": (550, "", "no, {}"),
}


@pytest.mark.parametrize("words", REFUSALS)
def test_no_reason_and_no_notice_holds_the_address_of_a_subscriber(
    env: Environment, sink: Sink, words: str
) -> None:
    code, enhanced, text = REFUSALS[words]

    def refuse(outgoing: Outgoing) -> Outcome | None:
        if not outgoing.recipient.startswith("reader"):
            return None
        return refusal(outgoing, code, enhanced, text.format(outgoing.recipient))

    sink.script = refuse
    make_campaign(60)
    sending.send_due(env)
    with reading() as session:
        texts = [*session.scalars(select(Campaign.reason))]
        texts += [
            *session.scalars(select(SenderState.why)),
            *session.scalars(select(DomainBackoff.why)),
        ]
        notices = session.scalars(select(Delivery.context).where(Delivery.mail == MailKind.NOTICE))
        texts += map(str, notices)
    assert any(texts), "nothing to see"
    assert "reader" not in " ".join(texts)
