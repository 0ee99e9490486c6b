"""The gate of confirmations: domains that take no mail, and floods."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import current_app
from sqlalchemy import select

from newsletter import captcha
from newsletter.db.session import db, reading, transaction
from newsletter.models import Delivery
from newsletter.outbox.held import HeldMail
from newsletter.services import suppressions
from newsletter.services.consent import Evidence
from newsletter.services.lookup import get_list
from newsletter.services.mailbox_limits import UNCONFIRMED_AT_MOST
from newsletter.services.operations import cleanup
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.signup import confirmation_gate, held_mails
from newsletter.services.signup import subscribe as signup
from newsletter.services.signup.confirmation_gate import Usage, choose, count_room
from newsletter.services.signup.held_mails import Selection
from newsletter.services.signup.subscribe import Submission
from newsletter.services.subscribers import subscriptions
from newsletter.vocabulary import EvidenceSource, MailKind
from tests.fakes import Clock, Sink, body
from tests.people import add_list, add_reader
from tests.unit.test_captcha import solve


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
        signup.subscribe(
            env,
            "blog",
            Submission(f"r{number}@example.com"),
            Evidence(EvidenceSource.FORM, ip="192.0.2.1"),
        )


def confirmations(sink: Sink) -> list[str]:
    return [
        str(message["To"]) for message in sink.messages if "confirm:" in str(message["Subject"])
    ]


def confirm(env: Environment, sink: Sink, *addresses: str) -> None:
    for address in addresses:
        token = body(sink.to(address)[0]).split("/confirm/")[1].split()[0]
        subscriptions.confirm(env, token, Evidence(EvidenceSource.LINK))


def test_how_much_room_there_is() -> None:
    assert count_room(mailed=0, confirmed=0, free=200) == 200
    assert count_room(mailed=200, confirmed=0, free=200) == 0
    assert count_room(mailed=200, confirmed=10, free=200) == 50
    assert count_room(mailed=5000, confirmed=2000, free=200) == 5200, (
        "half of them confirm: a good day, not a flood"
    )


def test_a_flood_with_few_answers_is_held_and_the_author_told(
    env: Environment, sink: Sink, clock: Clock
) -> None:
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
    assert held_mails.read_gate(env, "blog") == held_mails.GateState(waiting=20, room=0)
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
    assert held_mails.release_held(env, "blog") == 7
    sending.send_due(env)
    assert len(confirmations(sink)) == 12
    ask(env, *range(20, 24))
    sending.send_due(env)
    assert held_mails.drop_held(env, "blog") == 4
    sending.send_due(env)
    assert len(confirmations(sink)) == 12
    assert held_mails.read_gate(env, "blog").waiting == 0


def test_the_author_decides_by_network_domain_and_puzzle(env: Environment, sink: Sink) -> None:
    env = with_ceiling(env, 1)
    for number, ip in enumerate(
        ("192.0.2.1", "192.0.2.9", "198.51.100.1", "2001:db8:1:2::3", "2001:db8:1:9::3")
    ):
        domain = "example.net" if number == 1 else "example.com"
        signup.subscribe(
            env, "blog", Submission(f"r{number}@{domain}"), Evidence(EvidenceSource.FORM, ip=ip)
        )
    with transaction() as session:
        add_list(session, "other")
    signup.subscribe(
        env, "other", Submission("else@example.com"), Evidence(EvidenceSource.FORM, ip="192.0.2.1")
    )
    sending.send_due(env)
    assert len(confirmations(sink)) == 1
    held = {
        (origin.network, origin.domain): origin.count for origin in held_mails.count_origins("blog")
    }
    assert held == {
        ("192.0.2.0/24", "example.net"): 1,
        ("198.51.100.0/24", "example.com"): 1,
        ("2001:db8:1::/48", "example.com"): 2,
    }
    assert held_mails.drop_held(env, "blog", Selection(networks=("2001:db8:1::/48",))) == 2
    assert held_mails.release_held(env, "blog", Selection(proven=True)) == 0
    assert held_mails.release_held(env, "blog", Selection(domains=("example.net",))) == 1
    sending.send_due(env)
    assert confirmations(sink)[1:] == ["r1@example.net"]
    assert (
        held_mails.read_gate(env, "blog").waiting,
        held_mails.read_gate(env, "other").waiting,
    ) == (1, 1)


def test_b6_a_flood_does_not_close_the_form_for_others(env: Environment, sink: Sink) -> None:
    """From one network and from many: whoever comes from elsewhere, or has solved a puzzle, is
    asked all the same.
    """
    env = with_ceiling(env, 10)
    ask(env, *range(100))
    signup.subscribe(
        env,
        "blog",
        Submission("elsewhere@example.org"),
        Evidence(EvidenceSource.FORM, ip="198.51.100.7"),
    )
    sending.send_due(env)
    assert "elsewhere@example.org" in confirmations(sink)
    assert len(confirmations(sink)) == 10
    for number in range(40):
        signup.subscribe(
            env,
            "blog",
            Submission(f"bot{number}@bots{number % 3}.example"),
            Evidence(EvidenceSource.FORM, ip=f"10.{number}.0.1"),
        )
    sending.send_due(env)
    assert len(confirmations(sink)) == 15, (
        "half as many are kept for networks that have hardly asked"
    )
    solved = Submission("person@example.org", altcha=solve(env.puzzles.make(env.now)))
    signup.subscribe(env, "blog", solved, Evidence(EvidenceSource.FORM, ip="10.200.0.1"))
    sending.send_due(env)
    assert confirmations(sink)[15:] == ["person@example.org"]
    assert len(sink.to("ana@news.example.com")) == 1, "the author is told once"


FREE = 100
"""Enough that half of it is left for proven visitors of five networks."""


def ask_for(env: Environment, address: str, ip: str, *, proven: bool = False) -> None:
    puzzle = solve(env.puzzles.make(env.now)) if proven else ""
    origin = Evidence(EvidenceSource.FORM, ip=ip)
    signup.subscribe(env, "blog", Submission(address, altcha=puzzle), origin)


@pytest.mark.parametrize("proven", [False, True])
def test_what_is_left_in_a_flood_tells_nothing_of_who_subscribes(
    env: Environment, sink: Sink, clock: Clock, proven: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A visitor sees how many of their own confirmations leave after they asked for another."""
    monkeypatch.setattr(captcha, "TRIES", (4, 8))  # 65 real puzzles take half a minute
    env = with_ceiling(env, FREE)
    victims = {
        "active": "v@one.example",
        "elsewhere": "v@two.example",
        "suppressed": "v@three.example",
        "silent": "v@four.example",
        "stranger": "v@six.example",
    }
    suppressions.suppress(env, victims["suppressed"])
    with transaction() as session:
        add_reader(session, get_list(session, "blog"), victims["active"])
        add_reader(session, add_list(session, "talks"), victims["elsewhere"])
    for _ in range(UNCONFIRMED_AT_MOST):
        ask_for(env, victims["silent"], "10.200.0.1")
        sending.send_due(env)
        clock.forward(timedelta(days=1, minutes=1))
    ask(env, *range(FREE + 1))
    sending.send_due(env)
    left = {}
    for number, (state, victim) in enumerate(victims.items()):
        for address in (victim, *(f"own{count}@{state}.example" for count in range(12))):
            ask_for(env, address, f"10.{number}.0.1", proven=proven)
            sending.send_due(env)
        left[state] = sum(f"@{state}.example" in to for to in confirmations(sink))
    assert left["stranger"] == (8 if proven else 2)
    assert set(left.values()) == {left["stranger"]}, left
    with reading() as session:
        rows = session.scalars(select(Delivery).where(Delivery.subscription_id.is_(None)))
        assert [row.mail for row in rows] == [MailKind.NOTICE], "of a mail to nobody nothing stays"


def test_the_free_allowance_is_shared_by_all_lists(env: Environment, sink: Sink) -> None:
    env = with_ceiling(env, 10)
    with transaction() as session:
        for slug in ("second", "third"):
            add_list(session, slug)
    for number, slug in enumerate(["blog", "second", "third"] * 10):
        signup.subscribe(
            env,
            slug,
            Submission(f"r{number}@example.com"),
            Evidence(EvidenceSource.FORM, ip="192.0.2.1"),
        )
    sending.send_due(env)
    assert len(confirmations(sink)) == 10


def waiting(id_: int, network: str, domain: str = "a.org", *, proven: bool = False) -> HeldMail:
    return HeldMail(id_, 1, domain, network, proven)


def chosen(
    held: list[HeldMail], used: Usage | None = None, *, confirmed: int = 0, free: int = 4
) -> list[int]:
    return [mail.id for mail, _ in choose(held, used or Usage(), confirmed=confirmed, free=free)]


def test_solved_puzzles_then_rare_networks_go_first() -> None:
    flood = [waiting(number, "x") for number in range(50)]
    assert chosen([*flood, waiting(97, "y"), waiting(98, "z"), waiting(99, "x", proven=True)]) == [
        99,
        97,
        98,
        0,
        1,
    ], "four, and one that is kept"
    by_domain = [waiting(1, "a"), waiting(2, "b"), waiting(3, "c", "b.org"), waiting(4, "d")]
    assert chosen(by_domain, free=2) == [1, 3, 2], (
        "the second of a domain waits for the first of another"
    )
    assert chosen(flood, confirmed=2, free=4) == list(range(14))


def test_what_is_kept_when_all_is_used() -> None:
    used = Usage(total=4, networks=Counter({"x": 4}), domains=Counter({"a.org": 1}))
    assert chosen([waiting(1, "x"), waiting(2, "y"), waiting(3, "z"), waiting(4, "w")], used) == [
        2,
        3,
    ]
    used = Usage(total=4, networks=Counter({"x": 4}), domains=Counter({"a.org": 5}))
    assert chosen([waiting(1, "y"), waiting(2, "y", "b.org")], used) == [2], (
        "one domain gets a part of it only"
    )
    used = Usage(total=4, networks=Counter({"x": 9, "y": 8}))
    proven = [
        waiting(1, "x", proven=True),
        waiting(2, "y", proven=True),
        waiting(3, "y", proven=True),
    ]
    assert chosen(proven, used) == [2], "a robot can solve puzzles too"


def test_two_workers_let_go_no_more_than_one(env: Environment, database_kind: str) -> None:
    """Both have looked before either writes."""
    env = with_ceiling(env, 10)
    ask(env, *range(30))
    start = threading.Barrier(2)

    def together(domains: Iterable[str]) -> dict[str, str]:
        start.wait(20)
        return {}

    def work(_: int) -> int:
        with app.app_context():
            return confirmation_gate.open_gate(replace(env, domains=together)).let_go

    app = current_app._get_current_object()  # type: ignore[attr-defined]
    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(work, range(2))) == 10


def test_a_domain_that_takes_no_mail_gets_none(env: Environment, sink: Sink) -> None:
    questions: list[set[str]] = []

    def judge(domains: Iterable[str]) -> dict[str, str]:
        questions.append(set(domains))
        return {"null.example.net": "its domain takes no mail (null MX)"}

    env = replace(env, domains=judge)
    suppressions.suppress(env, "left@null.example.net")
    for address in ("a@null.example.net", "left@null.example.net", "b@good.example.net"):
        signup.subscribe(env, "blog", Submission(address), Evidence(EvidenceSource.FORM))
    assert questions == [], "nothing is asked within the request"
    sending.send_due(env)
    assert confirmations(sink) == ["b@good.example.net"]
    assert questions[0] == {"null.example.net", "good.example.net"}
    row = db.session.scalars(select(Delivery).where(Delivery.status == "cancelled")).one()
    assert "null MX" in (row.text or "")
    assert row.subscription_id is not None, "of a mail to nobody nothing stays"


def test_what_is_held_goes_with_its_subscriber(env: Environment, sink: Sink, clock: Clock) -> None:
    env = with_ceiling(env, 1)
    ask(env, 1, 2)
    sending.send_due(env)
    clock.forward(timedelta(days=15))
    cleanup.clean_up(env)
    sending.send_due(env)
    db.session.rollback()
    rows = db.session.scalars(select(Delivery.status).where(Delivery.mail == "confirm"))
    assert sorted(rows) == ["cancelled", "sent"]


def test_what_another_worker_let_go_meanwhile_is_no_flood(env: Environment, sink: Sink) -> None:
    """Two workers look at the same moment; the one that comes second finds nothing left, and tells
    nobody.
    """

    def slowly(domains: Iterable[str]) -> dict[str, str]:
        confirmation_gate.open_gate(env)  # the other worker, while this one waits for the DNS
        return {}

    env = with_ceiling(env, 3)
    ask(env, 1, 2, 3)
    passed = confirmation_gate.open_gate(replace(env, domains=slowly))
    assert passed.held == {}
    sending.send_due(env)
    assert len(confirmations(sink)) == 3
    assert sink.to("ana@news.example.com") == []
