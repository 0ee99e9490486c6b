"""Measure each part of sending by itself: CPU microseconds a message, the best of several turns."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

from bench import world
from newsletter import outbox
from newsletter.db.session import db, transaction
from newsletter.link_purposes import LinkPurpose
from newsletter.mail.dkim.keys import load_key, make_key
from newsletter.mail.dkim.signer import Sign, Signer, make_sign
from newsletter.mail.headers import Sender, make_list_headers
from newsletter.mail.message import MessageDraft, compile_message
from newsletter.mail.smtp.protocol import Conversation
from newsletter.mail.smtp.types import Outgoing
from newsletter.outbox import DeliveryUpdate, Group, Ledger
from newsletter.outbox.references import References
from newsletter.services.runtime import utcnow
from newsletter.tokens import Tokens
from newsletter.vocabulary import DeliveryStatus

TURNS = 7
SUBSCRIBERS = 20_000


def stages() -> Iterator[tuple[str, float]]:
    """Yield the name and the cost of each part."""
    tokens = Tokens(["a-key-for-measuring-0123456789abcdef"])
    references = References(b"k" * 32)
    now = utcnow()
    headers = make_list_headers(
        Sender("Ana", "ana@example.com"),
        "Going slowly",
        title="Slow",
        list_id="slow.example.com",
        help_url="https://x.org/",
        archive_url="https://x.org/archive/",
        feedback_id="a:b:c",
    )
    compiled = compile_message(MessageDraft(headers, world.plain(), world.html()))

    def link(purpose: LinkPurpose) -> str:
        token = tokens.sign(purpose, "handle123456", now)
        return f"https://news.example.com/{purpose}/{token}"

    def build(sign: Sign | None = None) -> bytes:
        values = {
            "name": "Subscriber 1",
            "email": "subscriber1@example.org",
            "date": "Tue, 24 Nov 2026 09:00:00 +0000",
            "message_id": references.message_id(12345, "example.com"),
            "report_id": f"{references.name_report(12345)}@example.com",
            "unsubscribe_url": link(LinkPurpose.UNSUBSCRIBE),
            "preferences_url": link(LinkPurpose.PREFERENCES),
        }
        return compiled.build(values, sign)

    yield f"sign and build a message of {len(build()):,} bytes", _cost(build, 2_000)
    for name, kinds in (("RSA-2048", ("rsa",)), ("RSA-2048 and Ed25519", ("rsa", "ed25519"))):
        keys = [Signer("example.com", "s1", load_key(make_key(kind))) for kind in kinds]
        yield f"the same with DKIM, {name}", _cost(partial(build, make_sign(keys, now)), 200)
    yield (
        "speak SMTP, content and next envelope in a group",
        _cost(_make_conversation(build()), 2_000),
    )
    yield from _outbox()


def _cost(work: Callable[[], object], times: int) -> float:
    best = float("inf")
    for _ in range(TURNS):
        began = time.process_time()
        for _ in range(times):
            work()
        best = min(best, (time.process_time() - began) / times)
    return best * 1e6


def _make_conversation(data: bytes) -> Callable[[], object]:
    outgoing = Outgoing(1, "ana@example.com", "subscriber1@example.org", data, "d.1.abc")
    talk = Conversation("x", {"pipelining": "", "size": "20000000"})
    talk.advance(outgoing)
    talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n")

    def work() -> None:
        talk.advance(outgoing)
        talk.hear(
            b"250 2.0.0 Ok: queued as 4F9D\r\n250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data\r\n"
        )
        talk.outcomes.clear()
        talk._begun = 0  # a conversation would end here

    return work


def _outbox() -> Iterator[tuple[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        app = world.make_app(Path(folder), f"sqlite:///{folder}/newsletter.db")
        with app.app_context():
            campaign = world.add_campaign(world.add_subscribers(SUBSCRIBERS))
            with transaction() as session:
                held = outbox.lease_slice(session, campaign, worker="bench:1:1:", seconds=600)
            assert held is not None
            ledger = Ledger()
            ids = count(held.first_id)
            yield (
                "read a subscriber, a hundred at a time",
                _cost(lambda: ledger.read(held, after_id=0, limit=100), 50) / 100,
            )
            for group in (1, 4, 8):

                def record(group: int = group) -> None:
                    marks = [
                        DeliveryUpdate(next(ids), DeliveryStatus.SENT, 250, "Ok: queued as 4F9D")
                        for _ in range(group)
                    ]
                    ledger.recorder.submit(
                        [Group(held, held.last_id, marks)], now=utcnow(), seconds=60
                    )

                yield f"write an outcome down, {group} at a time", _cost(record, 200) / group
            ledger.close()
            db.session.remove()
            db.engine.dispose()
