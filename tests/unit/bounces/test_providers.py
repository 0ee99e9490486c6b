"""Test what providers report: each kind of event, and odd values in every place of a report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from newsletter.bounces.providers import ses, signing, unsigned
from newsletter.bounces.providers.types import NotReadable, ProviderEvent
from tests.unit.bounces.provider_bodies import BODIES, MESSAGE_ID, WHO, Body


def read(provider: str, row: Any) -> list[ProviderEvent]:
    body = json.dumps(row).encode()
    match provider:
        case "ses":
            return list(ses.read_ses(ses.SnsMessage("Notification", "m-1", body.decode())))
        case "mailgun":
            return list(signing.read_mailgun(body, "token"))
        case "resend":
            return list(signing.read_resend(body, "msg_1"))
        case "sendgrid":
            return list(signing.read_sendgrid(body))
        case _:
            return list(getattr(unsigned, f"read_{provider}")(body))


@pytest.mark.parametrize("body", BODIES, ids=lambda body: f"{body.provider}: {body.name}")
def test_each_kind_of_event_is_read(body: Body) -> None:
    events = read(body.provider, body.row)
    results = [event.result for event in events]
    assert tuple((result.recipient, result.bounce_class.value) for result in results) == (
        body.expected
    )
    assert len({event.id for event in events}) == len(events)


@pytest.mark.parametrize("provider", ["ses", "sendgrid", "mailgun", "brevo", "resend"])
def test_our_own_message_id_is_found(provider: str) -> None:
    body = next(body for body in BODIES if body.provider == provider and body.expected)
    [event] = read(provider, body.row)
    assert event.evidence.message_ids == (MESSAGE_ID,)


def test_what_postmark_quotes_is_searched() -> None:
    body = next(body for body in BODIES if body.provider == "postmark")
    row = {**body.row, "Content": f"Subject: x\n\nMessage-ID: <{MESSAGE_ID}>\n"}
    [event] = read("postmark", row)
    assert event.evidence.message_ids == (MESSAGE_ID,)
    assert event.evidence.sent_to == ()


def test_an_unknown_domain_is_not_a_dead_mailbox() -> None:
    """It is suppressed after two different days only; in Mailjet's and Mailgun's own words, too."""
    names = ("no mail host", "invalid domain", "typo", "permanent, no server")
    bodies = [body for body in BODIES if body.name in names]
    assert {read(body.provider, body.row)[0].result.status for body in bodies} == {"5.1.2"}


def put_everywhere(row: Any, odd: Any) -> Iterator[Any]:
    """Return a report with `odd` in the place of each of its values, one at a time."""
    yield odd
    places = (
        row.items() if isinstance(row, dict) else enumerate(row) if isinstance(row, list) else ()
    )
    for key, value in places:
        for inner in put_everywhere(value, odd):
            copy = dict(row) if isinstance(row, dict) else list(row)
            copy[key] = inner  # type: ignore[index]
            yield copy


@pytest.mark.parametrize("odd", [None, 7, 1e400, "\ud800\0", [], {}, [[None]], True])
def test_an_odd_value_anywhere_is_no_error(odd: Any) -> None:
    providers = set()
    for body in BODIES:
        if body.provider in providers or not body.expected:
            continue
        providers.add(body.provider)
        for row in put_everywhere(body.row, odd):
            try:
                for event in read(body.provider, row):
                    assert isinstance(event.result.recipient, str)
                    assert event.result.recipient in (WHO, str(odd), "")
            except NotReadable:
                pass
