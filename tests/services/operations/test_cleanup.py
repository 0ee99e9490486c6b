"""Test that what grows old is thrown away, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.db.session import db, reading, transaction
from newsletter.errors import Conflict
from newsletter.models import ConsentEvent, Counter, MailingList, Subscriber, Subscription
from newsletter.services import suppressions
from newsletter.services.consent import Evidence
from newsletter.services.operations import cleanup
from newsletter.services.runtime import Environment
from newsletter.services.signup import subscribe as signup
from newsletter.services.signup.subscribe import Submission
from newsletter.services.transfer import import_subscribers
from newsletter.vocabulary import EvidenceSource, SuppressionReason
from tests.fakes import Clock
from tests.people import add_list, add_reader


def addresses() -> set[str]:
    db.session.rollback()
    return set(db.session.scalars(select(Subscriber.email)))


def test_who_never_confirmed_is_forgotten_after_a_fortnight(env: Environment, clock: Clock) -> None:
    with transaction() as session:
        mailing_list = add_list(session)
        add_reader(session, mailing_list, "active@example.com")
        add_reader(session, mailing_list, "gone@example.com", status="unsubscribed")
    signup.subscribe(
        env, "blog", Submission("silent@example.com"), Evidence(EvidenceSource.FORM, ip="192.0.2.1")
    )
    file = env.settings.folder / "old.csv"
    file.write_text("email\nimported@example.com\n")
    import_subscribers.import_file(env, file, slug="blog", because="")
    clock.forward(timedelta(days=13))
    cleanup.clean_up(env)
    assert "silent@example.com" in addresses()
    clock.forward(timedelta(days=2))
    cleanup.clean_up(env)
    assert addresses() == {"active@example.com", "gone@example.com", "imported@example.com"}
    assert {event.kind for event in db.session.scalars(select(ConsentEvent))} == {"imported"}
    assert db.session.scalars(select(Counter)).all() == []


def test_t15_no_error_of_the_database_shows_an_address(env: Environment) -> None:
    with transaction() as session:
        mailing_list = add_list(session)
        add_reader(session, mailing_list, "secret@example.com")
    with pytest.raises(Conflict) as caught, transaction() as session:
        add_reader(session, session.merge(mailing_list), "secret@example.com")
    assert "parameters hidden" in str(caught.value.__cause__)
    assert "secret@" not in str(caught.value)


def test_s05_no_import_lifts_a_suppression_or_an_unsubscription(env: Environment) -> None:
    with transaction() as session:
        mailing_list = add_list(session)
        left = add_reader(session, mailing_list, "left@example.com", status="unsubscribed")
        typed = add_reader(session, mailing_list, "typed@example.com", status="unsubscribed")
        left.unsubscribed_at = typed.unsubscribed_at = env.now
    signup.subscribe(
        env, "blog", Submission("typed@example.com"), Evidence(EvidenceSource.FORM, ip="192.0.2.1")
    )
    suppressions.suppress(env, "complained@example.com", reason=SuppressionReason.COMPLAINT)
    file = env.settings.folder / "all.csv"
    file.write_text(
        "email\nleft@example.com\ntyped@example.com\nCOMPLAINED@example.com\nnew@example.com\n"
    )
    done = import_subscribers.import_file(env, file, slug="blog", because="an old list")
    assert (done.rows, done.new, done.duplicate) == (4, 1, 3)
    assert not any("@" in problem for problem in done.problems)
    statuses = {
        row.subscriber.email: row.status for row in db.session.scalars(select(Subscription))
    }
    assert statuses == {
        "left@example.com": "unsubscribed",
        "typed@example.com": "pending",
        "new@example.com": "active",
    }


def test_a_look_inside_a_transaction_is_refused(env: Environment) -> None:
    """Its end would roll it back what was written so far, and nobody would hear of it."""
    with pytest.raises(RuntimeError, match="would roll it back"), transaction() as session:
        add_list(session)
        with reading():
            pass
    with reading() as session:
        assert session.query(MailingList).count() == 0
