"""From a message that comes back to the program that is told: over the wire, both ways."""

from __future__ import annotations

import smtplib
from dataclasses import replace

import pytest

from newsletter.access_vocabulary import NamedRow
from newsletter.feeds.post import Poster
from newsletter.mail.smtp.types import Outgoing
from newsletter.services import webhook_delivery, webhooks
from newsletter.services.inbound.listener import BounceListener
from newsletter.services.row_names import get_row_id
from newsletter.services.runtime import Environment
from newsletter.services.subscribers import views
from newsletter.settings import Settings
from tests.receiver import running_receiver
from tests.services.inbound.returned import complaint, dsn
from tests.services.inbound.test_listener import receiving
from tests.services.test_webhooks import verify

__all__ = ["receiving"]
pytestmark = pytest.mark.any_database


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Return settings that may post to the loopback."""
    allowed = settings.webhooks.model_copy(update={"allow_private_addresses": True})
    return settings.model_copy(update={"webhooks": allowed})


def test_what_comes_back_is_told_to_a_webhook(
    env: Environment, sent: list[Outgoing], receiving: BounceListener
) -> None:
    with running_receiver() as receiver:
        posting = replace(
            env, post=Poster(user_agent="newsletter/test", allow_private=True, deadline=5.0)
        )
        _, secret = webhooks.add_webhook(posting, receiver.url, ["delivery.*"], with_address=True)
        for outgoing, report in ((sent[0], dsn(sent[0])), (sent[1], complaint(sent[1]))):
            with smtplib.LMTP("127.0.0.1", receiving.port) as client:
                client.sendmail("", [outgoing.sender], report.replace(b"\n", b"\r\n"))
        webhook_delivery.send_due(posting)
        events = [verify(env, secret, request) for request in receiver.requests]
    assert {event["type"]: event["data"]["email"] for event in events} == {
        "delivery.bounced": sent[0].recipient,
        "delivery.complained": sent[1].recipient,
    }
    for event in events:
        number = get_row_id(NamedRow.SUBSCRIBER, event["data"]["subscriber"])
        assert views.get_view(number).email == event["data"]["email"]
        assert event["data"]["campaign"] > 0
