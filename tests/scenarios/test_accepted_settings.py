"""Whatever a setting of a list accepts survives the wire, with odd values, in kinds of mail."""

from __future__ import annotations

import inspect
import re
from email import message_from_bytes
from email.policy import SMTP

import pytest
from sqlalchemy import select

from newsletter import outbox
from newsletter.db.session import transaction
from newsletter.errors import InvalidInput
from newsletter.models import Entry, Feed, Subscription
from newsletter.services.digests import due as digests
from newsletter.services.letters import send as letters
from newsletter.services.lists import digest_options, list_options, lists
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from tests.fakes import Clock, Sink
from tests.people import add_entry, add_feed, add_list, add_reader

ODD = (
    "",
    "Bücher & Söhne",
    "مرحبا",
    "日本語のお知らせ" * 30,
    "x" * 1500,
    "a\r\nBcc: v@example.com",
    "\u202eevil",
    "\ud800",
    "\x00",
    '"quoted\\',
    "<b>x</b>",
    "{{ list.title }}",
    "\ue000email\ue001",
    "%s %(email)s",
    "=?utf-8?q?x?=",
    "💌" * 200,
    "Ana Ü <ana@bücher.test>",
    '"a, b" <ana@news.example.com>',
    "=?utf-8?b?w7w=?= <ana@news.example.com>",
    f"{'n' * 300} <ana@news.example.com>",
    "ana@news.example.com",
    "ána@news.example.com",
    "ana@xn--bcher-kva.test",
    "https://bücher.test/ü?q=ä b",
    "https://x.test/" + "ü" * 400,
    "https://x.test/'\"><i>",
    "HTTPS://X.TEST",
    "https://",
    "https://[::1",
    "https://x.test:99999/",
    "#ffffff",
    "Europe/Berlin",
    "24h",
    "13",
    "on",
    "feed",
    "title",
    "rtl",
    "weekly",
    "friday",
    "yes",
    "all",
    "de",
    "ar",
    "wait",
    "oldest",
    "newest",
    "full",
)


def option_names() -> set[str]:
    """Return the names of every setting of a list, as the parser knows them."""
    source = inspect.getsource(list_options._parse_setting)
    source += inspect.getsource(digest_options)
    return set(re.findall(r'"([a-z_]+)"', "".join(re.findall(r"case (.*):", source))))


@pytest.mark.any_database
@pytest.mark.parametrize("name", sorted(option_names()))
def test_b26_what_a_list_accepts_is_mailed(
    env: Environment, sink: Sink, clock: Clock, name: str
) -> None:
    with transaction() as session:
        mailing_list = add_list(session)
        add_feed(session, mailing_list)
        subscription = add_reader(session, mailing_list, "ann@example.com", name="Ann")
        neighbour = add_list(session, "other", from_email="tom@news.example.com")
        add_reader(session, neighbour, "tim@example.com")
        subscription_id = subscription.id
    accepted = 0
    for number, value in enumerate(ODD):
        try:
            lists.edit(env, "blog", {name: value})
        except InvalidInput:
            continue
        accepted += 1
        with transaction() as session:
            add_entry(session, session.scalars(select(Feed)).one(), f"New {number}")
            for mail in ("welcome", "goodbye", "link"):
                outbox.enqueue(session, mail=mail, subscription_id=subscription_id, now=env.now)  # type: ignore[arg-type]
        digests.send_now(env, "blog", "weekly")  # type: ignore[arg-type]
        letters.send_letter(
            env, letters.parse(f"---\nlist: blog\nsubject: S{number}\n---\nHello.\n")
        )
        sink.accepted.clear()
        result = sending.send_due(env)
        assert (result.failed, result.problem) == (0, ""), (value, result)
        assert len(sink.accepted) >= 4, value
        for outgoing in sink.accepted:
            assert outgoing.data.isascii()
            assert max(map(len, outgoing.data.split(b"\r\n"))) <= 998
            message = message_from_bytes(outgoing.data, policy=SMTP)
            assert "v@example.com" not in f"{message['To']}{message['Bcc']}{message['Cc']}"
            assert str(outgoing.sender).isascii()
            assert all(not part.defects for part in message.walk())
        clock.now = env.now
    assert accepted > 0, f"no value is right for {name}: add one to ODD"
    with transaction() as session:
        assert session.scalars(select(Entry)).first() is not None
        assert session.get(Subscription, subscription_id) is not None
