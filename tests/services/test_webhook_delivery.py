"""Webhooks to receivers whose certificates are wrong: nothing is told to them, and the log says
why.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter.db.session import reading, transaction
from newsletter.feeds.post import Poster
from newsletter.models import Delivery, Subscription
from newsletter.services import webhook_delivery, webhooks
from newsletter.services.consent import Evidence
from newsletter.services.runtime import Environment
from newsletter.services.subscription_state import record_change
from newsletter.vocabulary import EvidenceSource
from tests.certificates import make_server_context, write_certificate
from tests.fakes import Clock
from tests.people import add_list, add_reader
from tests.receiver import Receiver, running_receiver

HOST = "127.0.0.1"
UNKNOWN_ISSUER = "its issuer is unknown, or the server does not send the certificates between"
WRONG = {
    "expired": "it has expired",
    "not-yet": "it is not valid yet",
    "other-host": "it was made for another host",
    "other-address": "it was made for another host",
    "signs-itself": "it is self-signed",
    "private-authority": UNKNOWN_ISSUER,
}
"""The problem with the certificate of each receiver, as logged."""


def write_wrong(folder: Path, kind: str, trusted: Path) -> Path:
    """Write the certificate of a receiver; the machine trusts what `trusted` has signed."""
    file = folder / f"{kind}.pem"
    match kind:
        case "expired":
            ended = datetime(2021, 1, 1, tzinfo=UTC)
            return write_certificate(file, HOST, ends=ended, authority=trusted)
        case "not-yet":
            begins = datetime(2110, 1, 1, tzinfo=UTC)
            return write_certificate(file, HOST, begins=begins, authority=trusted)
        case "other-host":
            return write_certificate(file, "blog.example", authority=trusted)
        case "other-address":
            return write_certificate(file, "127.0.0.2", authority=trusted)
        case "signs-itself":
            return write_certificate(file, HOST)
        case _:
            private = write_certificate(folder / "private.pem", "a company's own")
            return write_certificate(file, HOST, authority=private)


@dataclass(frozen=True)
class World:
    env: Environment
    trusted: Path
    folder: Path


@pytest.fixture
def world(env: Environment, tmp_path: Path) -> World:
    """Two lists with a subscriber each, and a machine that trusts one authority."""
    trusted = write_certificate(tmp_path / "trusted.pem", "an authority")
    allowed = env.settings.webhooks.model_copy(update={"allow_private_addresses": True})
    with transaction() as session:
        for slug in ("blog", "other"):
            add_reader(session, add_list(session, slug), f"{slug}@example.com")
    return World(
        replace(
            env,
            settings=env.settings.model_copy(update={"webhooks": allowed}),
            post=Poster(user_agent="x", allow_private=True, ca_certs=str(trusted)),
        ),
        trusted,
        tmp_path,
    )


def change(env: Environment) -> None:
    """Record two changes of every subscription, one after the other."""
    for number in range(2):
        with transaction() as session:
            for subscription in session.scalars(select(Subscription)):
                evidence = Evidence(EvidenceSource.AUTHOR)
                record_change(session, subscription, f"change {number}", evidence, env.now)


def show_log(webhook_id: int) -> list[tuple[str, str]]:
    return [(row.status, row.text) for row in webhooks.list_messages(webhook_id)]


def test_a_receiver_with_a_wrong_certificate_is_told_nothing_until_it_is_mended(
    world: World, clock: Clock
) -> None:
    with ExitStack() as stack:
        receivers: dict[str, Receiver] = {}
        contexts = {}
        ids = {}
        right = write_certificate(world.folder / "right.pem", HOST, authority=world.trusted)
        for kind in (*WRONG, "right"):
            file = right if kind == "right" else write_wrong(world.folder, kind, world.trusted)
            contexts[kind] = make_server_context(file)
            receivers[kind] = stack.enter_context(running_receiver(tls=contexts[kind]))
            ids[kind] = webhooks.add_webhook(world.env, receivers[kind].url, [], ["blog"])[0].id
        change(world.env)

        assert webhook_delivery.send_due(world.env) == 2
        assert [len(receivers[kind].requests) for kind in WRONG] == [0] * len(WRONG)
        assert show_log(ids["right"]) == [("sent", ""), ("sent", "")]
        for kind, why in WRONG.items():
            reason = f"its certificate cannot be trusted: {why}"
            assert show_log(ids[kind]) == [("queued", ""), ("queued", reason)], kind

        clock.now += timedelta(minutes=1)
        webhook_delivery.send_due(world.env)
        tries = {kind: webhooks.list_messages(ids[kind])[-1].attempts for kind in WRONG}
        assert tries == dict.fromkeys(WRONG, 2), "it is tried again"
        assert [len(receivers[kind].requests) for kind in WRONG] == [0] * len(WRONG)

        for kind in WRONG:
            contexts[kind].load_cert_chain(right)
        clock.now += timedelta(hours=1)
        webhook_delivery.send_due(world.env)
        for kind in receivers:
            reasons = [request.event["data"]["reason"] for request in receivers[kind].requests]
            assert reasons == ["change 0", "change 1"], kind


def test_the_author_is_told_why_a_webhook_is_paused(world: World, clock: Clock) -> None:
    expired = make_server_context(write_wrong(world.folder, "expired", world.trusted))
    with running_receiver(tls=expired) as receiver:
        view = webhooks.add_webhook(world.env, receiver.url, [], ["blog"])[0]
        change(world.env)
        for _ in range(20):
            webhook_delivery.send_due(world.env)
            clock.now += timedelta(hours=6)
    reason = "its certificate cannot be trusted: it has expired, for 3 days"
    assert webhooks.list_webhooks()[0].paused_because == reason
    with reading() as session:
        [notice] = session.scalars(select(Delivery).where(Delivery.mail == "notice"))
    assert f"any more. The reason: {reason}." in notice.context["paragraphs"][0]
    assert f"newsletter webhook resume {view.id}" in notice.context["commands"]
