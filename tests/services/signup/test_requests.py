"""A sign-up takes the steps of its address, and the gate's allowance is shared."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.models import (
    ConsentEvent,
    Delivery,
    MailingList,
    Subscriber,
    Subscription,
    SubscriptionRequest,
)
from newsletter.outbox.held import HeldMail
from newsletter.services.consent import Evidence
from newsletter.services.lookup import get_list
from newsletter.services.mailbox_limits import Allowance
from newsletter.services.runtime import Environment
from newsletter.services.signup import confirmation_gate, confirmations, held_mails
from newsletter.services.signup.confirmation_gate import Usage, choose
from newsletter.services.signup.double_opt_in import _choose_steps
from newsletter.services.signup.held_mails import Origin, Selection
from newsletter.services.signup.known_address import SignUpAddress
from newsletter.services.signup.subscribe import Submission, subscribe
from newsletter.vocabulary import EvidenceSource, MailKind, SubscriptionStatus
from tests.fakes import START, Clock
from tests.people import add_list, add_reader

ACTIVE = SubscriptionStatus.ACTIVE
LEFT = SubscriptionStatus.UNSUBSCRIBED
FORM = Evidence(EvidenceSource.FORM, ip="192.0.2.77")
LINK = Evidence(EvidenceSource.LINK)
MAIL = {"queue", "note", "count"}
WRITE = {"note", "request"}


@pytest.mark.parametrize(
    ("address", "mailed", "steps"),
    [
        (SignUpAddress(), True, MAIL | WRITE | {"subscriber", "subscription"}),
        (SignUpAddress(), False, WRITE | {"subscriber", "subscription"}),
        (SignUpAddress(7), True, MAIL | WRITE | {"subscription"}),
        (SignUpAddress(7), False, WRITE | {"subscription"}),
        (SignUpAddress(7, False, 8), True, MAIL | WRITE | {"change"}),
        (SignUpAddress(7, False, 8), False, set()),
        (SignUpAddress(7, True, 8, LEFT), True, MAIL | WRITE | {"change"}),
        (SignUpAddress(7, True, 8, LEFT), False, WRITE | {"change"}),
        (SignUpAddress(7, True, 8, ACTIVE), True, MAIL),
        (SignUpAddress(7, True, 8, ACTIVE), False, set()),
    ],
)
@pytest.mark.any_database
def test_the_steps_of_a_request(address: SignUpAddress, mailed: bool, steps: set[str]) -> None:
    assert _choose_steps(address, mailed=mailed) == steps


@pytest.fixture
def two_lists(env: Environment) -> None:
    with transaction() as session:
        add_reader(session, add_list(session, "other"), "zoe@example.com")
        add_list(session)


def ask(env: Environment, email: str = "ana@example.com", slug: str = "blog") -> None:
    subscribe(env, slug, Submission(email, language="de"), FORM)


def read_mails() -> list[tuple[str, object, object]]:
    with reading() as session:
        rows = session.scalars(select(Delivery).order_by(Delivery.id))
        return [
            (row.mail.value, (row.context or {}).get("round"), (row.context or {}).get("language"))
            for row in rows
        ]


@pytest.mark.parametrize(
    ("status", "mail", "number"),
    [
        ("pending", "confirm", 4),
        ("unsubscribed", "confirm", 4),
        ("active", "already", None),
    ],
)
def test_an_address_that_is_known_gets_the_mail_of_its_state(
    env: Environment, two_lists: None, status: str, mail: str, number: int | None
) -> None:
    with transaction() as session:
        blog = get_list(session, "blog")
        row = add_reader(session, blog, "ana@example.com", status=status)
        row.round = 3
        subscription = row.id
        session.flush()
        session.add(make_request(row, number=3, delivery_id=1))
    ask(env)
    assert read_mails() == [(mail, number, "de" if number else None)]
    with reading() as session:
        row = session.get_one(Subscription, subscription)
        assert (row.status, row.round) == (
            ("active", 3) if status == "active" else ("pending", number)
        )
        [event] = session.scalars(select(ConsentEvent)).all()
        assert (event.kind, event.subscription_id) == ("requested", subscription)
        assert event.message_id.endswith("@news.example.com")
        emails = session.scalars(select(Subscriber.email).order_by(Subscriber.id)).all()
        assert emails == ["zoe@example.com", "ana@example.com"]


def test_an_import_without_a_request_keeps_its_number(env: Environment, two_lists: None) -> None:
    with transaction() as session:
        row = add_reader(session, get_list(session, "blog"), "ana@example.com", status="pending")
        row.round = 3
    ask(env)
    assert read_mails() == [("confirm", 3, "de")]


def make_request(
    subscription: Subscription, *, number: int, delivery_id: int | None = None, **values: object
) -> SubscriptionRequest:
    return SubscriptionRequest(
        subscription_id=subscription.id,
        number=number,
        cadence="monthly",
        delivery_id=delivery_id,
        created_at=START,
        **values,
    )


@pytest.mark.parametrize("knows_them", [True, False])
def test_a_confirmation_takes_what_its_own_request_says(
    env: Environment, two_lists: None, knows_them: bool
) -> None:
    with transaction() as session:
        blog = get_list(session, "blog")
        row = add_reader(session, blog, "ana@example.com", name="Ana", status="pending")
        row.subscriber.language = "fr"
        stranger = add_reader(session, blog, "eve@example.com", status="pending")
        if knows_them:
            session.add(
                Subscription(
                    handle="elsewhere",
                    list_id=get_list(session, "other").id,
                    subscriber=row.subscriber,
                    status=ACTIVE,
                    cadence="weekly",
                    created_at=START,
                )
            )
        row.round = 5
        session.flush()
        content = {"name": "Bea", "language": "de", "topics": "2", "answers": {"town": "Rome"}}
        for number in (3, 4, 5):
            values = content if number == 4 else {}
            session.add(make_request(row, number=number, **values))
        session.add(make_request(stranger, number=4))
        session.flush()
        for number, is_current in (("5", True), ("4", True), ("9", False), ("x", False)):
            assert confirmations.is_current(session, row, number) is is_current
        for number in ("1234567890", "², ", "-4"):
            assert not confirmations.is_current(session, row, number)
        confirmations.accept_request(env, session, row, 4, LINK)
        subscription = row.id
        eve = stranger.id
    with reading() as session:
        row = session.get_one(Subscription, subscription)
        assert (row.status, row.cadence, row.topics) == ("active", "monthly", "2")
        assert row.answers == {"town": "Rome"}
        expected = ("Ana", "fr") if knows_them else ("Bea", "de")
        assert (row.subscriber.name, row.subscriber.language) == expected
        requests = session.execute(
            select(SubscriptionRequest.subscription_id, SubscriptionRequest.number)
        )
        assert {tuple(request) for request in requests} == {(subscription, 4), (eve, 4)}


@pytest.mark.parametrize("is_full", [False, True])
def test_what_was_withheld_is_queued_once_its_subscriber_is_known(
    env: Environment, two_lists: None, clock: Clock, is_full: bool
) -> None:
    with transaction() as session:
        blog = get_list(session, "blog")
        rows = [
            add_reader(session, blog, f"{name}@example.com", status="pending")
            for name in ("ana", "eve")
        ]
        for row in rows:
            session.add(make_request(row, number=row.round, language="de"))
        subscription = rows[0].id
    clock.forward(timedelta(hours=1))
    for _ in range(4 if is_full else 1):
        with transaction() as session:
            row = session.get_one(Subscription, subscription)
            confirmations.queue_withheld(env, session, row.subscriber, Allowance.OWN)
    with reading() as session:
        [delivery] = session.scalars(select(Delivery)).all()
        assert (delivery.subscription_id, delivery.context) == (
            subscription,
            {"round": 1, "language": "de"},
        )
        row = session.get_one(Subscription, subscription)
        assert row.confirmation_at == env.now
        request = session.get_one(SubscriptionRequest, (subscription, row.round))
        assert request.delivery_id == delivery.id
        [event] = session.scalars(select(ConsentEvent)).all()
        assert (event.kind, event.message_id) == ("asked", request.message_id)


def hold(id_: int, network: str = "x", domain: str = "a.org", *, proven: bool = False) -> HeldMail:
    return HeldMail(id_, 1, domain, network, proven)


@pytest.mark.parametrize(
    ("used", "mail", "is_chosen"),
    [
        (Usage(3), hold(1), True),
        (Usage(4, networks=Counter(x=3)), hold(1), False),
        (Usage(4, networks=Counter(x=2)), hold(1), True),
        (Usage(9, newcomers=1), hold(1), True),
        (Usage(9, newcomers=2), hold(1), False),
        (Usage(9, newcomers=2), hold(1, proven=True), True),
        (Usage(9, proven=2), hold(1, proven=True), True),
        (Usage(9, newcomers=2, proven=1), hold(1, proven=True), True),
        (Usage(9, newcomers=2, proven=2), hold(1, proven=True), False),
        (Usage(9, networks=Counter(x=8)), hold(1, proven=True), True),
        (Usage(9, networks=Counter(x=9)), hold(1, proven=True), False),
        (Usage(9, domains=Counter({"a.org": 4})), hold(1), True),
        (Usage(9, domains=Counter({"a.org": 5})), hold(1), False),
        (Usage(9, domains=Counter({"a.org": 5})), hold(1, proven=True), False),
        (Usage(9, domains=Counter({"gmail.com": 5})), hold(1, domain="googlemail.com"), False),
        (Usage(9, domains=Counter({"b.org": 5}), networks=Counter(y=9)), hold(1), True),
    ],
)
@pytest.mark.any_database
def test_who_may_use_what_is_kept(used: Usage, mail: HeldMail, is_chosen: bool) -> None:
    total = used.total
    chosen = choose([mail], used, confirmed=0, free=4)
    assert bool(chosen) is is_chosen
    assert used.total == total + is_chosen


@pytest.mark.any_database
def test_each_mail_that_goes_is_counted_where_it_belongs() -> None:
    used = Usage(2)
    mails = [hold(1), hold(2, "y"), hold(3, "z", proven=True), hold(4, "w", proven=True)]
    chosen = choose(mails, used, confirmed=0, free=4)
    assert [(mail.id, allowance.value) for mail, allowance in chosen] == [
        (3, "all"),
        (4, "all"),
        (1, "new"),
        (2, "new"),
    ]
    assert (used.total, used.newcomers, used.proven) == (6, 2, 0)
    assert used.networks == Counter(x=1, y=1, z=1, w=1)
    assert used.domains == Counter({"a.org": 4})


def queue_held(slug: str, *origins: tuple[str, str, bool]) -> list[int]:
    """Queue a confirmation at the gate for each (network, domain, proven)."""
    ids = []
    with transaction() as session:
        mailing_list = get_list(session, slug)
        for number, (network, domain, proven) in enumerate(origins):
            email = f"{slug}{number}@{domain}"
            row = add_reader(session, mailing_list, email, status="pending")
            id_ = outbox.enqueue(
                session, mail=MailKind.CONFIRM, subscription_id=row.id, now=START, held=True
            )
            request = make_request(row, number=1, delivery_id=id_, network=network, proven=proven)
            session.add(request)
            ids.append(id_)
    return ids


def list_held_ids() -> set[int]:
    with reading() as session:
        return {mail.id for mail in confirmation_gate.read_held(session)}


def test_an_author_sees_and_moves_the_mails_of_one_list(env: Environment, two_lists: None) -> None:
    ids = queue_held(
        "blog",
        *(("x", "a.org", False), ("y", "a.org", True), ("x", "a.org", True)),
        *(("x", "b.org", False), ("y", "b.org", False)),
    )
    others = queue_held("other", ("x", "a.org", False))
    gate = held_mails.read_gate(env, "blog")
    assert (gate.waiting, gate.room) == (5, env.settings.signup.free_confirmations)
    origins = held_mails.count_origins("blog")
    assert origins[0] == Origin("x", "a.org", 2, 1)
    assert set(origins[1:]) == {
        Origin("y", "a.org", 1, 1),
        Origin("x", "b.org", 1, 0),
        Origin("y", "b.org", 1, 0),
    }
    chosen = Selection(networks=("x",), domains=("a.org",), proven=True)
    assert held_mails.count_origins("blog", chosen) == [Origin("x", "a.org", 1, 1)]
    assert held_mails.release_held(env, "blog", chosen) == 1
    assert list_held_ids() == {*ids, *others} - {ids[2]}
    assert held_mails.drop_held(env, "blog", Selection(domains=("b.org",))) == 2
    assert list_held_ids() == {*ids[:2], *others}
    assert held_mails.release_held(env, "blog") == 2
    assert list_held_ids() == set(others)


def test_the_gate_counts_what_leaves_and_names_what_stays(
    env: Environment, two_lists: None, clock: Clock
) -> None:
    policy = env.settings.signup.model_copy(update={"free_confirmations": 2})
    env = replace(env, settings=env.settings.model_copy(update={"signup": policy}))
    queue_held("blog", *4 * [("x", "a.org", False)])
    queue_held("other", ("x", "b.org", False))
    with reading() as session:
        blog = session.scalars(select(MailingList.id).where(MailingList.slug == "blog")).one()
    done = confirmation_gate.open_gate(env)
    assert (done.let_go, done.held) == (3, {blog: 2})
    with reading() as session:
        used, confirmed = confirmation_gate.read_usage(
            env, session, [hold(1), hold(2, "y", "b.org")]
        )
    assert (used.total, used.newcomers, used.proven, confirmed) == (3, 1, 0, 0)
    assert (used.networks, used.domains) == (Counter(x=3, y=0), Counter({"a.org": 2, "b.org": 1}))
    with transaction() as session:
        confirmation_gate.count_confirmed(env, session)
    done = confirmation_gate.open_gate(env)
    assert (done.let_go, done.held) == (2, {})
    clock.forward(timedelta(hours=7))
    with reading() as session:
        used, confirmed = confirmation_gate.read_usage(env, session, [hold(1)])
    assert (used.total, confirmed) == (0, 0)
