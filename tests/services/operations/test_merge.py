"""A subscription that ended since a backup stays ended; a new table says whether it is alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.access_vocabulary import AuthorRole, TokenScope
from newsletter.db.session import Base, reading, transaction
from newsletter.models import (
    ApiToken,
    Author,
    AuthorList,
    AuthorPasskey,
    AuthorSession,
    MailingList,
    RetiredHandle,
    Subscriber,
    Subscription,
    Webhook,
)
from newsletter.services import api_tokens, webhooks
from newsletter.services.authors import authors
from newsletter.services.runtime import Environment
from newsletter.services.signup import forms
from newsletter.services.subscribers import admin as subscribers
from newsletter.settings import Settings
from tests.fakes import Clock, Sink
from tests.house import House
from tests.people import add_list, add_reader

MERGED = {
    "api_tokens",
    "authors",
    "author_lists",
    "author_logins",
    "author_passkeys",
    "author_sessions",
    "lasting_keys",
    "mailboxes",
    "retired_handles",
    "subscribers",
    "subscriptions",
    "suppressions",
    "webhooks",
}
"""Tables in which something ends or is counted for good: a restore takes that over."""
MAY_GO_BACK = {
    "address_changes": "an offer to undo, which ends by itself",
    "author_acts": "a record",
    "bounce_events": "a record",
    "bounce_receivers": "where reports come in",
    "seen_mails": "a report is read once more",
    "campaign_entries": "of the author",
    "campaign_figures": "counted",
    "campaigns": "paused by the hold",
    "consent_events": "a record",
    "consent_texts": "a record",
    "counters": "of an hour or a day",
    "daily_figures": "counted",
    "deliveries": "held until the author says so",
    "digest_intros": "of the author",
    "digest_periods": "of the author",
    "digest_reviews": "held",
    "seen_dkim_keys": "looked at again",
    "domain_backoffs": "felt out again",
    "editions": "of the author",
    "entries": "looked at again, and held",
    "events": "a record",
    "feeds": "of the author",
    "figure_notes": "counted",
    "folded_deliveries": "a record",
    "form_fields": "of the author",
    "forwarded_replies": "of the author",
    "hub_subscriptions": "asked for again",
    "idempotency_keys": "of a day",
    "import_files": "of the author",
    "installation": "held by the restore",
    "installation_keys": "of the installation",
    "leases": "of a worker",
    "mailing_lists": "of the author",
    "pictures": "of the author",
    "requested_tests": "a test to one address",
    "resources": "of the author",
    "sender_states": "felt out again",
    "series_letters": "of the author",
    "series_letters_sent": "held",
    "subscriber_tags": "of the author",
    "subscription_requests": "confirmed anew, or not",
    "tapped_answers": "an answer",
    "tapped_totals": "counted",
    "topic_sources": "of the author",
    "topics": "of the author",
    "webhook_messages": "the receiver knows each by its id",
    "workers": "deleted by the restore",
}
"""Every other table, and why its state of the backup does no harm."""


def test_a8_every_table_says_whether_it_only_grows() -> None:
    tables = set(Base.metadata.tables)
    assert tables - MERGED - set(MAY_GO_BACK) == set(), "does something end in the new table?"
    assert (MERGED | set(MAY_GO_BACK)) - tables == set()


@pytest.fixture
def house(settings: Settings, sink: Sink, clock: Clock, database_kind: str) -> Iterator[House]:
    if database_kind != "sqlite":
        pytest.skip("PostgreSQL is restored through the same database (tests/cli)")
    house = House(settings, sink, clock)
    with transaction() as session:
        mailing_list = add_list(session)
        for name in ("ana", "bob"):
            row = add_reader(session, mailing_list, f"{name}@example.com")
            row.answers = {"partners": True, "town": "Rome"}
    forms.add_field("blog", "partners", "consent", "Our partners may write to you.")
    forms.add_field("blog", "town", "text", "Town")
    yield house
    house.close()


def subscription(email: str) -> Subscription:
    query = select(Subscription).join(Subscriber).where(Subscriber.email_key == email)
    with reading() as session:
        return session.scalars(query).one()


def test_a8_a_consent_that_was_withdrawn_stays_withdrawn(house: House, clock: Clock) -> None:
    house.backup()
    clock.forward(timedelta(hours=1))
    with transaction() as session:
        query = select(Subscription).join(Subscriber)
        row = session.scalars(query.where(Subscriber.email_key == "ana@example.com")).one()
        row.answers = {"partners": False, "town": ""}
    house.restore()
    assert subscription("ana@example.com").answers == {"partners": False, "town": "Rome"}
    assert subscription("bob@example.com").answers == {"partners": True, "town": "Rome"}


def test_a8_access_that_was_ended_stays_ended(house: House, clock: Clock) -> None:
    env = house.env
    _give_access(env)
    house.backup()
    clock.forward(timedelta(hours=1))
    _end_access(env)
    house.restore()
    with reading() as session:
        revoked = {row.email: row.revoked_at is not None for row in session.scalars(select(Author))}
        assert revoked == {"owner@example.com": False, "gone@example.com": True}
        assert session.scalars(select(ApiToken.name)).all() == ["owner"]
        query = select(AuthorPasskey.name, AuthorPasskey.sign_count)
        assert [tuple(row) for row in session.execute(query)] == [("kept", 5)]
        paused = {row.url: row.paused_at is not None for row in session.scalars(select(Webhook))}
        assert paused == {"https://owner.example/hook": False, "https://gone.example/hook": True}
        assert session.scalars(select(AuthorSession)).all() == []
        assert session.get(RetiredHandle, "old-handle") is not None


def _give_access(env: Environment) -> None:
    """Let two authors, two programs, a browser and two passkeys in."""
    for name in ("owner", "gone"):
        authors.add_author(env, f"{name}@example.com", role=AuthorRole.OWNER)
        api_tokens.add_token(env, name, TokenScope.WRITE)
        webhooks.add_webhook(env, f"https://{name}.example/hook", events=["subscription.confirmed"])
    with transaction() as session:
        session.add(
            AuthorSession(
                author_id=session.scalars(select(Author.id)).first(),
                token_hash="x" * 64,
                created_at=env.now,
                confirmed_at=env.now,
                rotated_at=env.now,
                expires_at=env.now + timedelta(days=9),
            )
        )
    with transaction() as session:
        owner = session.scalars(select(Author).order_by(Author.id)).first()
        assert owner is not None
        for name in ("kept", "lost"):
            session.add(
                AuthorPasskey(
                    author_id=owner.id,
                    credential_id=name,
                    public_key=b"x",
                    sign_count=1,
                    name=name,
                    created_at=env.now,
                )
            )


def _end_access(env: Environment) -> None:
    """End what can be ended, use the passkey that stays, and let somebody come and go."""
    authors.revoke_author(env, "gone@example.com")
    api_tokens.revoke_token("gone")
    with transaction() as session:
        hook = session.scalars(select(Webhook).where(Webhook.url.contains("gone"))).one()
        session.delete(hook)
        passkeys = {row.name: row for row in session.scalars(select(AuthorPasskey))}
        session.delete(passkeys["lost"])
        passkeys["kept"].sign_count = 5
        ana = session.scalars(select(Subscription)).first()
        assert ana is not None
        session.add(RetiredHandle(handle="old-handle", subscription_id=ana.id))
        add_reader(session, session.scalars(select(MailingList)).one(), "new@example.com")
    subscribers.unsubscribe(env, "new@example.com", "blog")


def test_a8_access_that_was_narrowed_stays_narrow(house: House) -> None:
    env = house.env
    with transaction() as session:
        add_list(session, "talks")

    def set_access(name: str, role: AuthorRole, *slugs: str) -> None:
        authors.add_author(env, f"{name}@example.com", role=role, slugs=slugs)

    for name in ("demoted", "limited", "untouched"):
        set_access(name, AuthorRole.OWNER)
    set_access("narrowed", AuthorRole.EDITOR, "blog", "talks")
    set_access("promoted", AuthorRole.VIEWER, "blog")
    house.backup()
    set_access("demoted", AuthorRole.VIEWER)
    set_access("limited", AuthorRole.OWNER, "talks")
    set_access("narrowed", AuthorRole.EDITOR, "talks")
    set_access("promoted", AuthorRole.OWNER)
    house.restore()
    with reading() as session:
        roles = {row.email.partition("@")[0]: row.role for row in session.scalars(select(Author))}
        query = select(Author.email, MailingList.slug).select_from(AuthorList)
        query = query.join(Author, Author.id == AuthorList.author_id)
        query = query.join(MailingList, MailingList.id == AuthorList.list_id)
        lists = {row.email.partition("@")[0]: row.slug for row in session.execute(query)}
        limited = select(Author.email).where(Author.limited)
        assert {email.partition("@")[0] for email in session.scalars(limited)} == {*lists}
    assert roles == {
        "demoted": AuthorRole.VIEWER,
        "limited": AuthorRole.OWNER,
        "narrowed": AuthorRole.EDITOR,
        "promoted": AuthorRole.VIEWER,
        "untouched": AuthorRole.OWNER,
    }
    assert lists == {"limited": "talks", "narrowed": "talks", "promoted": "blog"}
