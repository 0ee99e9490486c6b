"""Test how often an address is written to because somebody typed it into a form (S01), and what
is kept of it.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from newsletter.db.session import db, transaction
from newsletter.errors import Conflict
from newsletter.models import (
    ConsentEvent,
    ConsentText,
    Counter,
    Delivery,
    Mailbox,
    Subscriber,
    Subscription,
    SubscriptionRequest,
)
from newsletter.services import consent, mailbox_limits, suppressions
from newsletter.services.consent import Evidence
from newsletter.services.lists import lists
from newsletter.services.lookup import get_list
from newsletter.services.mailbox_limits import Allowance, CountedMail, LockedMailbox
from newsletter.services.operations import cleanup
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.signup import confirmation_gate, confirmations, forms
from newsletter.services.signup import subscribe as signup
from newsletter.services.signup.subscribe import Submission
from newsletter.services.subscribers import privacy, subscriptions
from newsletter.vocabulary import EvidenceSource, SuppressionReason
from tests.fakes import START, Clock, Sink, body
from tests.people import add_list, add_reader

FORM = Evidence(
    EvidenceSource.FORM,
    page="https://blog.example.com/a-post",
    ip="192.0.2.77",
    user_agent="A browser",
    form="page",
)
LINK = Evidence(EvidenceSource.LINK, ip="198.51.100.4")


@pytest.fixture(autouse=True)
def blog(env: Environment) -> None:
    with transaction() as session:
        add_list(session)
        add_list(session, "other", title="The other one")


def ask(
    env: Environment, email: str = "ana@example.com", slug: str = "blog", **values: object
) -> None:
    signup.subscribe(env, slug, Submission(email, **values), FORM)  # type: ignore[arg-type]


def mails(env: Environment, sink: Sink) -> list[str]:
    sending.send_due(env)
    return [str(message["Subject"]) for message in sink.messages]


def link(sink: Sink) -> str:
    """Return the token of the newest confirmation."""
    text = body([message for message in sink.messages if "confirm:" in str(message["Subject"])][-1])
    return text.split("/confirm/")[1].split()[0]


def count(model: type) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def counted(*mails: tuple[Allowance, timedelta], unanswered: int = 0) -> LockedMailbox:
    """Return a mailbox that got these mails so long after `START`."""
    rows = [
        CountedMail(allowance, int((START + at).timestamp()), 7 + n)
        for n, (allowance, at) in enumerate(mails)
    ]
    return LockedMailbox("hash", unanswered, tuple(rows))


def test_when_a_mailbox_may_be_written_to() -> None:
    day = timedelta(days=1)
    moment = timedelta(0)
    confirmation = Allowance.ASKED
    link = Allowance.LINK
    own_request = Allowance.OWN
    assert counted().allows(confirmation, START, confirmed=False)
    one = counted((confirmation, moment), unanswered=1)
    assert not one.allows(confirmation, START + timedelta(hours=23, minutes=59), confirmed=True)
    assert one.allows(confirmation, START + day, confirmed=False)
    assert not counted(unanswered=3).allows(
        confirmation, START + timedelta(days=300), confirmed=False
    )
    assert counted(unanswered=3).allows(confirmation, START, confirmed=True), (
        "an active subscriber is no stranger"
    )
    both = counted((link, moment), (link, timedelta(hours=1)), (confirmation, moment))
    assert not both.allows(link, START + timedelta(hours=2))
    assert both.allows(link, START + day)
    assert both.allows(own_request, START + timedelta(hours=2)), (
        "what others cause does not use up the subscriber's own"
    )
    three = counted(*[(own_request, moment)] * 3)
    assert not three.allows(own_request, START + timedelta(hours=2))
    assert three.allows(link, START) and three.allows(confirmation, START, confirmed=False)


def test_a_mail_that_no_server_took_does_not_count_but_not_without_end() -> None:
    confirmation = Allowance.ASKED
    once = counted((confirmation, timedelta(0)), unanswered=1)
    assert not once.without(set()).allows(confirmation, START, confirmed=False)
    assert not once.without({8}).allows(confirmation, START, confirmed=False), (
        "another mail's failure is not this one's"
    )
    again = once.without({7})
    assert (again.unanswered, again.allows(confirmation, START, confirmed=False)) == (0, True)
    thrice = counted(*[(confirmation, timedelta(0))] * 3, unanswered=3).without({7, 8, 9})
    assert not thrice.allows(confirmation, START + timedelta(hours=23), confirmed=False)
    assert thrice.allows(confirmation, START + timedelta(days=1), confirmed=False)


def test_a_confirmation_is_owed_to_whom_one_was_withheld_and_nobody_else(
    env: Environment,
) -> None:
    """Each of the others lacks one condition of the six."""
    with transaction() as session:
        blog = get_list(session, "blog")
        other = get_list(session, "other")
        cases = {
            "late": ("active", "pending", None, 1, 2),
            "early": ("active", "pending", None, 1, 1),
            "stranger": ("pending", "pending", None, 1, 3),
            "mailed": ("active", "pending", 7, 1, 3),
            "superseded": ("active", "pending", None, 0, 3),
            "left": ("active", "unsubscribed", None, 1, 3),
            "joined": ("active", "active", None, 1, 3),
        }
        for name, (elsewhere, status, delivery, number, hours) in cases.items():
            row = add_reader(session, blog, f"{name}@example.com", status=elsewhere)
            subscription = Subscription(
                handle=f"asked-{name}",
                list_id=other.id,
                subscriber=row.subscriber,
                status=status,
                cadence="weekly",
                created_at=START,
            )
            session.add(subscription)
            session.flush()
            request = SubscriptionRequest(
                subscription_id=subscription.id,
                number=number,
                cadence="weekly",
                delivery_id=delivery,
                created_at=START + timedelta(hours=hours),
            )
            session.add(request)
    with transaction() as session:
        owed = confirmations.find_withheld(session, limit=10)
        assert [row.email for row in owed] == ["early@example.com", "late@example.com"]
        first = confirmations.find_withheld(session, limit=1)
        assert [row.email for row in first] == ["early@example.com"]
        for row in owed:
            request = confirmations._find_withheld_request(session, row)
            assert request is not None
        for name in ("mailed", "superseded", "left", "joined"):
            email = f"{name}@example.com"
            row = session.scalars(select(Subscriber).where(Subscriber.email == email)).one()
            assert confirmations._find_withheld_request(session, row) is None, name


def test_s01_three_mails_ever_even_after_the_sign_up_is_forgotten(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    for _ in range(60):
        ask(env, "victim@example.com")
        sending.send_due(env)
        clock.forward(timedelta(days=1))
        cleanup.clean_up(env)
    assert len(sink.messages) == 3
    clock.forward(timedelta(days=20))
    cleanup.clean_up(env)
    assert count(Subscriber) == 0, "nothing is kept of the victim but a keyed hash"
    assert count(Mailbox) == 1
    ask(env, "victim@example.com")
    assert len(mails(env, sink)) == 3


def test_s01_another_list_is_no_way_around_it_and_no_sign_up_is_lost(
    env: Environment, sink: Sink
) -> None:
    ask(env, slug="blog")
    ask(env, slug="other")
    assert mails(env, sink) == ["Please confirm: Slow Letters"]
    subscriptions.confirm(env, link(sink), LINK)
    assert "Please confirm: The other one" in mails(env, sink), (
        "its owner is there: now the other list asks too"
    )
    subscriptions.confirm(env, link(sink), LINK)
    statuses = set(db.session.scalars(select(Subscription.status)))
    assert statuses == {"active"}


def test_an_address_that_only_waits_in_an_import_is_not_asked(env: Environment, sink: Sink) -> None:
    from newsletter.services.transfer import import_subscribers

    file = env.settings.folder / "old.csv"
    file.write_text("email\nana@example.com\n")
    import_subscribers.import_file(env, file, slug="other", because="")
    ask(env)
    assert len(mails(env, sink)) == 1
    subscriptions.confirm(env, link(sink), LINK)
    assert not any("The other one" in subject for subject in mails(env, sink))


def test_who_left_and_asks_again_in_vain_has_left_again(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    with transaction() as session:
        reader = add_reader(
            session, get_list(session, "blog"), "ana@example.com", status="unsubscribed"
        )
        reader.confirmed_at = reader.unsubscribed_at = START
    ask(env)
    clock.forward(timedelta(days=15))
    cleanup.clean_up(env)
    assert list(db.session.scalars(select(Subscription.status))) == ["unsubscribed"]


def test_the_record_holds_wording_page_time_and_message(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    forms.add_field("blog", "workshops", "consent", "Workshops, twice a year.")
    ask(env, answers={"workshops": "1"})
    sending.send_due(env)
    clock.forward(timedelta(hours=1))
    subscriptions.confirm(env, link(sink), LINK)
    sending.send_due(env)
    proof = consent.get_proof(env, "ana@example.com")
    requested, agreed, confirmed = proof.events
    assert (requested.kind, agreed.kind, confirmed.kind) == ("requested", "agreed", "confirmed")
    assert requested.page == "https://blog.example.com/a-post"
    assert (requested.ip, requested.user_agent, requested.form) == (
        "192.0.2.77",
        "A browser",
        "page",
    )
    assert requested.wording.startswith("Yes, send me Slow Letters")
    assert (
        requested.wording_version
        == consent.hash_wording(requested.wording)
        == confirmed.wording_version
    )
    assert agreed.wording == "Workshops, twice a year."
    assert f"<{requested.message_id}>" == sink.messages[0]["Message-ID"]
    assert confirmed.message_id == requested.message_id
    assert confirmed.at - requested.at == timedelta(hours=1)
    assert [(mail.mail, mail.status) for mail in proof.mails] == [
        ("confirm", "sent"),
        ("welcome", "sent"),
    ]
    assert proof.answers == {"blog": {"workshops": True}}


def test_what_a_form_of_last_year_said_is_what_is_recorded(env: Environment) -> None:
    pasted = forms.get_form_to_paste(env, "blog")
    lists.edit(env, "blog", {"consent": "Something quite different."})
    ask(env, wording=consent.hash_wording(pasted.wording()))
    ask(env, "bob@example.com", wording="f" * 64)
    ask(env, "eve@example.com", wording=["no", "text"])
    old, unknown, nonsense = db.session.scalars(select(ConsentEvent).order_by(ConsentEvent.id))
    assert old.wording is not None and old.wording.text == pasted.wording()
    assert unknown.wording is not None and unknown.wording.text == "Something quite different."
    assert nonsense.wording_hash == unknown.wording_hash
    assert count(ConsentText) == 2


def test_addresses_of_the_network_are_cut_after_a_while(env: Environment, clock: Clock) -> None:
    for number, ip in enumerate(
        ("192.0.2.77", "2001:db8:1:2:3::4", "::ffff:203.0.113.9", "nonsense", "")
    ):
        signup.subscribe(
            env, "blog", Submission(f"r{number}@example.com"), Evidence(EvidenceSource.FORM, ip=ip)
        )
    with transaction() as session:  # confirmed, so that it stays
        for row in session.scalars(select(Subscription)):
            row.status = "active"
    clock.forward(timedelta(days=29))
    cleanup.clean_up(env)
    assert "192.0.2.77" in set(db.session.scalars(select(ConsentEvent.ip)))
    clock.forward(timedelta(days=2))
    signup.subscribe(
        env, "blog", Submission("new@example.com"), Evidence(EvidenceSource.FORM, ip="198.51.100.4")
    )
    for _ in range(3):  # what is cut already is left alone
        cleanup.clean_up(env)
        db.session.rollback()
        cut = list(db.session.scalars(select(ConsentEvent.ip).order_by(ConsentEvent.id)))
        assert cut == [
            "192.0.2.0/24",
            "2001:db8:1:2::/64",
            "203.0.113.0/24",
            "",
            "",
            "198.51.100.4",
        ]


def test_a_request_for_somebody_active_changes_nothing_of_hers(env: Environment) -> None:
    with transaction() as session:
        reader = add_reader(session, get_list(session, "blog"), "ana@example.com", name="Ana")
        reader.answers = {"town": "Berlin"}
    forms.add_field("blog", "town", "text", "Your town")
    ask(env, name="Mallory", cadence="monthly", answers={"town": "Nowhere"})
    db.session.rollback()
    [row] = db.session.scalars(select(Subscription))
    assert (row.cadence, row.answers, row.subscriber.name) == ("weekly", {"town": "Berlin"}, "Ana")


def test_whoever_answers_wipes_no_counter_of_others(env: Environment) -> None:
    ask(env, "ana@example.com")
    ask(env, "ben@example.com")
    with transaction() as session:
        mailbox_limits.forget_unanswered(env, session, "ana@example.com")
    assert sorted(db.session.scalars(select(Mailbox.unanswered))) == [0, 1]


def test_s03_nothing_stays_of_what_was_done_for_show(env: Environment) -> None:
    suppressions.suppress(env, "never@example.com", reason=SuppressionReason.COMPLAINT)
    ask(env, "never@example.com")
    emptied = (Subscriber, Subscription, SubscriptionRequest, ConsentEvent, ConsentText)
    assert [count(model) for model in emptied] == [0] * 5
    assert count(Counter) == 5
    [row] = db.session.scalars(select(Mailbox))
    counted = [mail[0] for mail in row.mails]
    assert (row.unanswered, counted) == (0, ["asked"]), (
        "a keyed hash stays of whatever is typed, known or not, and that it was"
    )
    confirmation_gate.open_gate(env)
    assert count(Delivery) == 0, "what passed the gate was no mail"


@pytest.mark.parametrize(
    "change",
    ["kind = 'confirmed'", "at = at", "wording_hash = NULL", "note = ''", "ip = '', page = 'x'"],
)
def test_evidence_is_only_ever_added(env: Environment, change: str) -> None:
    """The database itself refuses; only an address is cut, and only a whole reader is erased."""
    ask(env)
    for wrong in (
        f"UPDATE consent_events SET {change}",
        "UPDATE consent_texts SET text = 'something else'",
    ):
        with pytest.raises((DBAPIError, Conflict), match=r"append.only"), transaction() as session:
            session.execute(text(wrong))
    with transaction() as session:
        session.execute(text("UPDATE consent_events SET ip = '192.0.2.0/24'"))
    privacy.erase_address(env, "ana@example.com")
    assert db.session.query(ConsentEvent).count() == 0
