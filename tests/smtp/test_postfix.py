"""A real Postfix on the loopback takes what we send, without a warning."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from newsletter.mail.headers import Sender, make_list_headers
from newsletter.mail.message import MessageDraft, compile_message
from newsletter.mail.slots import make_slot
from newsletter.mail.smtp.transport import SmtpTransport, parse_server
from newsletter.mail.smtp.types import Outgoing
from tests.servers.postfix import Postfix, run_postfix

MESSAGES = int(os.environ.get("POSTFIX_MESSAGES", "400"))
"""10,000 where it may take a minute."""

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("postfix")]


@pytest.fixture
def postfix() -> Iterator[Postfix]:
    """Start a Postfix of our own. It discards whatever it accepts."""
    with run_postfix() as running:
        yield running


def _make_messages() -> list[Outgoing]:
    """Build messages of one list, with long lines, dots and letters beyond ASCII."""
    headers = make_list_headers(
        Sender("Ana Müller", "ana@example.com"),
        "Größe und Ruhe",
        title="Slow Letters",
        list_id="slow.news.example.com",
        help_url="https://news.example.com/slow/",
        archive_url="https://news.example.com/slow/archive/",
        feedback_id="a:b:c",
    )
    text = (
        f"Dear {make_slot('name')}\n.\n..\nBye: {make_slot('unsubscribe_url')}\n"
        + "long line " * 300
    )
    compiled = compile_message(MessageDraft(headers, text, f"<p>{text}</p>"))
    return [
        Outgoing(
            number,
            "ana@example.com",
            f"r{number}@example.com",
            compiled.build(
                {
                    "name": f"Jörg {number}",
                    "email": f"r{number}@example.com",
                    "date": "Tue, 24 Nov 2026 09:00:00 +0000",
                    "message_id": f"d.{number}@example.com",
                    "report_id": f"r.{number}@example.com",
                    "unsubscribe_url": "https://news.example.com/unsubscribe/" + "a" * 90,
                }
            ),
        )
        for number in range(MESSAGES)
    ]


def test_postfix_takes_list_mail_without_a_warning(postfix: Postfix) -> None:
    waiting = iter(_make_messages())
    carrier = SmtpTransport(
        [parse_server(f"smtp://127.0.0.1:{postfix.port}")],
        timeout=20,
        hello="news.example.com",
        connections=4,
    )
    outcomes = [
        outcome for group in carrier.deliver(lambda: next(waiting, None)) for outcome in group
    ]
    assert [outcome.result for outcome in outcomes] == ["accepted"] * MESSAGES
    assert all("queued as" in outcome.reply.text for outcome in outcomes)
    result = postfix.wait_for("status=sent", MESSAGES, 20 + MESSAGES / 50)
    assert result.count("status=sent") == MESSAGES
    result = re.sub(
        r".*warning: file system clock is .*", "", result
    )  # a shared machine's, not the mail's
    assert [
        line for line in result.splitlines() if re.search(r"warning|error|fatal|panic", line)
    ] == []
