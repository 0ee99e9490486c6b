"""The gate of confirmations: domains that take no mail, and floods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.models import Delivery
from newsletter.services.consent import Evidence
from newsletter.services.operations import cleanup
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.signup import flood_control
from newsletter.services.signup import subscribe as signup
from newsletter.services.signup.flood_control import room
from newsletter.services.signup.subscribe import SignUp
from newsletter.services.subscribers import subscriptions
from tests.fakes import Clock, Sink, body
from tests.people import add_list


@pytest.fixture(autouse=True)
def blog(env: Environment) -> None:
    with transaction() as session:
        add_list(session)


def with_ceiling(env: Environment, free: int) -> Environment:
    wide = {"free_confirmations": free, "per_ip": 10**6, "per_network": 10**6}
    settings = env.settings.signup.model_copy(update=wide)
    return replace(env, settings=env.settings.model_copy(update={"signup": settings}))


def ask(env: Environment, *numbers: int) -> None:
    for number in numbers:
        signup.subscribe(env, "blog", SignUp(f"r{number}@example.com"), Evidence("form", ip="192.0.2.1"))


def confirmations(sink: Sink) -> list[str]:
    return [str(each["To"]) for each in sink.messages if "confirm:" in str(each["Subject"])]


def confirm(env: Environment, sink: Sink, *addresses: str) -> None:
    for address in addresses:
        token = body(sink.to(address)[0]).split("/confirm/")[1].split()[0]
        subscriptions.confirm(env, token, Evidence("link"))


def test_how_much_room_there_is() -> None:
    assert room(mailed=0, confirmed=0, free=200) == 200
    assert room(mailed=200, confirmed=0, free=200) == 0
    assert room(mailed=200, confirmed=10, free=200) == 50
    assert room(mailed=5000, confirmed=2000, free=200) == 5200, "half of them confirm: a good day, not a flood"


def test_a_flood_with_few_answers_is_held_and_the_author_told(env: Environment, sink: Sink, clock: Clock) -> None:
    env = with_ceiling(env, 10)
    ask(env, *range(30))
    sending.send_due(env)
    sending.send_due(env)
    assert len(confirmations(sink)) == 10
    [notice] = sink.to("ana@news.example.com")
    assert "few are confirmed" in notice["Subject"]
    assert "20 confirmations" in body(notice)
    assert "newsletter list confirmations blog --release" in body(notice)
    assert not any(f"r{number}@" in body(notice) for number in range(30)), "it names nobody"
    assert flood_control.standing(env, "blog") == flood_control.Standing(waiting=20, room=0)
    confirm(env, sink, *confirmations(sink)[:2])
    sending.send_due(env)
    assert len(confirmations(sink)) == 20, "each who confirms allows five more"
    clock.forward(timedelta(hours=7))
    sending.send_due(env)
    assert len(confirmations(sink)) == 30, "what waited is lost for nobody"
    assert len(set(confirmations(sink))) == 30


def test_a_good_day_is_no_flood(env: Environment, sink: Sink) -> None:
    env = with_ceiling(env, 10)
    for start in range(0, 60, 10):
        ask(env, *range(start, start + 10))
        sending.send_due(env)
        confirm(env, sink, *confirmations(sink)[start : start + 3])
    assert len(confirmations(sink)) == 60
    assert sink.to("ana@news.example.com") == []


def test_the_author_decides_what_becomes_of_it(env: Environment, sink: Sink) -> None:
    env = with_ceiling(env, 5)
    ask(env, *range(12))
    sending.send_due(env)
    assert flood_control.release(env, "blog") == 7
    sending.send_due(env)
    assert len(confirmations(sink)) == 12
    ask(env, *range(20, 24))
    sending.send_due(env)
    assert flood_control.drop(env, "blog") == 4
    sending.send_due(env)
    assert len(confirmations(sink)) == 12
    assert flood_control.standing(env, "blog").waiting == 0


def test_a_domain_that_takes_no_mail_gets_none(env: Environment, sink: Sink) -> None:
    asked: list[set[str]] = []

    def judge(domains: Iterable[str]) -> dict[str, str]:
        asked.append(set(domains))
        return {"null.example.net": "its domain takes no mail (null MX)"}

    env = replace(env, domains=judge)
    for address in ("a@null.example.net", "b@good.example.net"):
        signup.subscribe(env, "blog", SignUp(address), Evidence("form"))
    assert asked == [], "nothing is asked within the request"
    sending.send_due(env)
    assert confirmations(sink) == ["b@good.example.net"]
    assert asked[0] == {"null.example.net", "good.example.net"}
    row = db.session.scalars(select(Delivery).where(Delivery.status == "cancelled")).one()
    assert "null MX" in (row.text or "")


def test_what_is_held_goes_with_its_subscriber(env: Environment, sink: Sink, clock: Clock) -> None:
    env = with_ceiling(env, 1)
    ask(env, 1, 2)
    sending.send_due(env)
    clock.forward(timedelta(days=15))
    cleanup.tidy(env)
    sending.send_due(env)
    db.session.rollback()
    found = db.session.scalars(select(Delivery.status).where(Delivery.mail == "confirm"))
    assert sorted(found) == ["cancelled", "sent"]


def test_what_another_worker_let_go_meanwhile_is_no_flood(env: Environment, sink: Sink) -> None:
    """Two workers look at the same moment; the one that comes second finds nothing left, and tells nobody."""

    def slowly(domains: Iterable[str]) -> dict[str, str]:
        flood_control.open_gate(env)  # the other worker, while this one waits for the DNS
        return {}

    env = with_ceiling(env, 3)
    ask(env, 1, 2, 3)
    passed = flood_control.open_gate(replace(env, domains=slowly))
    assert passed.held == {}
    sending.send_due(env)
    assert len(confirmations(sink)) == 3
    assert sink.to("ana@news.example.com") == []
