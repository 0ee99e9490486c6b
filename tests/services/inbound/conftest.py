"""A campaign that was sent, with a return path."""

from __future__ import annotations

import pytest

from newsletter.mail.smtp.types import Outgoing
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.settings import Settings
from tests.fakes import Sink
from tests.services.sending.test_run import make_campaign


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Return settings with an address for returned mail."""
    bounces = settings.bounces.model_copy(update={"address": "bounces@news.example.com"})
    return settings.model_copy(update={"bounces": bounces})


@pytest.fixture
def sent(env: Environment, sink: Sink) -> list[Outgoing]:
    """Return the messages of a campaign to four subscribers, in order of their addresses."""
    make_campaign(4)
    sending.send_due(env)
    return sorted(sink.accepted, key=lambda outgoing: outgoing.recipient)
