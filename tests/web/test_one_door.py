"""One door for writing to a stranger: what web requests may cause one mailbox, whoever asks and by
whatever way.
"""

from __future__ import annotations

import re
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select

import newsletter
from newsletter.addresses import fold_address
from newsletter.db.session import db, transaction
from newsletter.link_purposes import LinkPurpose
from newsletter.mail.smtp.types import Outcome, Outgoing, Reply
from newsletter.models import (
    ConsentEvent,
    Counter,
    Delivery,
    MailingList,
    Subscriber,
    Subscription,
    SubscriptionRequest,
)
from newsletter.names import clean_name
from newsletter.services import resources, suppressions
from newsletter.services.lists import topics
from newsletter.services.lookup import get_list
from newsletter.services.operations import cleanup
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sending import run as sending
from newsletter.services.signup import forms, held_mails
from newsletter.services.subscribers import admin
from newsletter.services.transfer import import_subscribers
from newsletter.tokens import Tokens
from tests.conftest import SECRET
from tests.fakes import Clock, Sink, body
from tests.people import add_list, add_reader
from tests.web.test_signup import KINDS, raise_ceilings

BASE = "https://news.example.com"
VICTIM = "vic.tim@gmail.com"


@pytest.fixture(autouse=True)
def blog(app: Flask) -> None:
    with app.app_context(), transaction() as session:
        for slug in ("blog", "talks", "walks"):
            add_list(session, slug, title=slug.title())


def work(app: Flask) -> None:
    with app.app_context():
        sending.send_due(app.extensions[EXTENSION])


def sign_up(
    client: FlaskClient, email: str, slug: str = "blog", ip: str = "192.0.2.1", **values: object
) -> int:
    data = {"email": email, **values}
    return client.post(
        f"/{slug}/subscribe", data=data, environ_base={"REMOTE_ADDR": ip}
    ).status_code


def links(sink: Sink, to: str, page: str) -> list[str]:
    """Return the paths of the links to `page` in all mails to an address, oldest first."""
    matches = [re.findall(rf"{BASE}(/{page}/[\w.-]+)", body(message)) for message in sink.to(to)]
    return [paths[0] for paths in matches if paths]


def active(app: Flask, email: str, slug: str = "blog", name: str = "") -> str:
    """Make an active subscription and return its handle."""
    with app.app_context(), transaction() as session:
        return add_reader(session, get_list(session, slug), email, name=name).handle


def signed(app: Flask, purpose: str, payload: str) -> str:
    env: Environment = app.extensions[EXTENSION]
    return f"/{LinkPurpose(purpose).path}/{Tokens([SECRET]).sign(purpose, payload, env.now)}"  # type: ignore[arg-type]


# ── one mailbox
# ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("key", "mailbox"),
    [
        ("ana@example.com", "ana@example.com"),
        ("ana+x+y@example.com", "ana@example.com"),
        ("a.n.a@example.com", "a.n.a@example.com"),
        ("a.n.a+news@gmail.com", "ana@gmail.com"),
        ("a.na@googlemail.com", "ana@gmail.com"),
        ("+x@example.com", "+x@example.com"),
    ],
)
def test_addresses_are_folded_to_mailboxes(key: str, mailbox: str) -> None:
    assert fold_address(key) == mailbox


def spelling(number: int) -> str:
    return ("vic.tim+v{}@gmail.com", "v.ictim+{}@googlemail.com", "vi.c.tim+x{}@gmail.com")[
        number % 3
    ].format(number)


def test_a6_spellings_of_one_mailbox_share_its_ceiling(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock
) -> None:
    """Over three lists, from one /48, with plus tags, dots and both of Gmail's domains; another
    mailbox beside it.
    """
    raise_ceilings(app)
    sums = []
    for day in range(5):
        for number in range(30):
            ip = f"2001:db8:1:{number:x}::1"
            assert (
                sign_up(
                    client,
                    spelling(30 * day + number),
                    ("blog", "talks", "walks")[number // 10],
                    ip,
                )
                == 303
            )
        sign_up(client, f"other{day}@gmail.com")
        work(app)
        sums.append(
            len([outgoing for outgoing in sink.accepted if "other" not in outgoing.recipient])
        )
        clock.forward(timedelta(days=1))
    assert sums == [1, 2, 3, 3, 3]
    assert len(sink.accepted) == 8


def test_a6_at_the_same_moment(app: Flask) -> None:
    raise_ceilings(app)

    def ask(number: int) -> int:
        return sign_up(
            app.test_client(), spelling(number), ("blog", "talks")[number % 2], f"10.0.{number}.1"
        )

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(ask, range(12))) == {303}
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Delivery)) == 1


def test_no_identity_is_folded(app: Flask, client: FlaskClient, sink: Sink, clock: Clock) -> None:
    """Two spellings are two subscribers, each with their own address."""
    sign_up(client, "ana+a@example.com")
    clock.forward(timedelta(days=1))
    sign_up(client, "ana+b@example.com")
    work(app)
    assert [outgoing.recipient for outgoing in sink.accepted] == [
        "ana+a@example.com",
        "ana+b@example.com",
    ]


def test_six_mails_a_day_whatever_strangers_and_the_subscriber_do(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock
) -> None:
    """Everything that web requests can cause, many times a day, for an active subscriber; a
    neighbour is unharmed.
    """
    raise_ceilings(app)
    handle = active(app, "ana@example.com")
    active(app, "bob@example.com")
    folder = app.extensions[EXTENSION].settings.folder
    (folder / "guide.pdf").write_bytes(b"x")
    with app.app_context():
        resources.add_resource(app.extensions[EXTENSION], folder / "guide.pdf")
    forwarded = signed(app, "preferences", handle)
    leave = signed(app, "unsubscribe", handle)
    for _ in range(2):
        before = len(sink.accepted)
        for number in range(8):
            sign_up(client, "ana@example.com", ("blog", "talks")[number % 2])
            client.post(
                "/link", data={"email": "Ana+x@example.com" if number % 2 else "ana@example.com"}
            )
            client.post("/link", data={"email": "ana@example.com", "resource": "guide"})
            client.post(forwarded, data={"link": "1"})
            client.post(leave)
            client.post(leave, data={"undo": "1"})
        work(app)
        strangers = len(sink.to("ana@example.com")) - before
        assert strangers == 3, "what strangers can cause: one by the form, two by links"
        result = signed(app, "account", handle)
        for _ in range(4):
            for kind in ("export", "erase"):
                client.post(result, data={kind: "1"})
        work(app)
        assert len(sink.to("ana@example.com")) - before == 6, (
            "and three of her own, which no stranger can use up"
        )
        clock.forward(timedelta(days=1))
    client.post("/link", data={"email": "bob@example.com"})
    work(app)
    assert len(sink.to("bob@example.com")) == 1


def test_b3_leaving_and_coming_back_mails_no_flood_of_goodbyes(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock
) -> None:
    leave = signed(app, "unsubscribe", active(app, "ana@example.com"))
    other = signed(app, "unsubscribe", active(app, "bob@example.com"))
    codes = []
    for _ in range(60):
        client.post(leave)
        codes.append(client.post(leave, data={"undo": "1"}).status_code)
    client.post(leave, data={"List-Unsubscribe": "One-Click"})
    client.post(other)
    work(app)
    assert len(sink.to("ana@example.com")) == 2
    assert len(sink.to("bob@example.com")) == 1
    assert codes == [200] * 30 + [429] * 30
    with app.app_context():
        [status] = db.session.scalars(
            select(Subscription.status)
            .join(Subscriber)
            .where(Subscriber.email_key == "ana@example.com")
        )
        assert status == "unsubscribed", "leaving is never refused"
        assert db.session.scalar(select(func.count()).select_from(ConsentEvent)) == 62


def test_n10_a_link_does_not_write_evidence_without_end(
    app: Flask, client: FlaskClient, clock: Clock
) -> None:
    url, neighbour = (
        signed(app, "preferences", active(app, f"{name}@example.com")) for name in ("ana", "bob")
    )
    codes = [
        client.post(url, data={"cadence-blog": ("daily", "weekly")[number % 2]}).status_code
        for number in range(100)
    ]
    assert codes == [200] * 30 + [429] * 70
    assert client.post(neighbour, data={"cadence-blog": "daily"}).status_code == 200
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(ConsentEvent)) == 31
    clock.forward(timedelta(days=1))
    assert client.post(url, data={"leave-blog": "1"}).status_code == 200


def test_links_at_the_same_moment(app: Flask) -> None:
    raise_ceilings(app)
    active(app, "ana@example.com")
    active(app, "ana+work@example.com")

    def ask(number: int) -> int:
        email = ("ana@example.com", "ANA+work@example.com")[number % 2]
        return app.test_client().post("/link", data={"email": email}).status_code

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(ask, range(12))) == {200}
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Delivery)) == 2


def test_everything_at_the_same_moment_harms_nothing(
    app: Flask, client: FlaskClient, sink: Sink
) -> None:
    """Sign-up, confirmation, leaving, coming back, a link and a new address, all of one person:
    nothing locks another out.
    """
    raise_ceilings(app)
    sign_up(client, "ana@example.com")
    work(app)
    confirm = links(sink, "ana@example.com", "confirm")[0]
    with app.app_context():
        handle = db.session.scalars(select(Subscription.handle)).one()
    leave = signed(app, "unsubscribe", handle)
    account = signed(app, "account", handle)
    posts = [
        (confirm, {}),
        (leave, {}),
        (leave, {"undo": "1"}),
        ("/blog/subscribe", {"email": "ana@example.com"}),
        ("/talks/subscribe", {"email": "ana+x@example.com"}),
        ("/link", {"email": "ana@example.com"}),
        (account, {"address": "ana+y@example.com"}),
        (account, {"export": "1"}),
    ]

    def post(number: int) -> int:
        path, data = posts[number % len(posts)]
        return app.test_client().post(path, data=data).status_code

    with ThreadPoolExecutor(8) as pool:
        codes = Tally(pool.map(post, range(48)))
    assert set(codes) <= {200, 303, 410}, codes
    work(app)
    assert len(sink.accepted) <= 6


def test_a_second_list_is_asked_for_the_next_day_if_nothing_else_does(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock
) -> None:
    active(app, "ana@example.com")
    for slug in ("talks", "walks"):
        sign_up(client, "ana@example.com", slug)
        sign_up(client, "stranger@example.com", slug)
    work(app)
    for day in range(3):
        paths = [links(sink, f"{name}@example.com", "confirm") for name in ("ana", "stranger")]
        assert [len(of_one) for of_one in paths] == [min(1 + day, 2), 1], (
            "of a stranger's lists only the first"
        )
        for _ in range(2):
            with app.app_context():
                cleanup.clean_up(app.extensions[EXTENSION])
        work(app)
        clock.forward(timedelta(days=1))
        with app.app_context():
            cleanup.clean_up(app.extensions[EXTENSION])
        work(app)
    assert client.post(links(sink, "ana@example.com", "confirm")[1]).status_code == 200


MAY_QUEUE = {
    "authors/log_in.py": "mails to an author, counted by address",
    "authors/account_mail.py": "a mail to the author, who has logged in lately",
    "authors/weekly_note.py": "a mail to the author, once a week",
    "campaigns/": "what the author sends",
    "digests/": "what the author sends",
    "letters/": "what the author sends",
    "mailbox_limits.py": "counts each mail",
    "notice_mail.py": "mails to the author",
    "signup/asked_mail.py": "its callers (`COUNTED`) count each mail",
    "subscribers/address_change.py": (
        "counts the mail to a new address; its notice was counted with it"
    ),
    "subscribers/address_undo.py": "its notice was counted with the change of address",
    "subscribers/link_requests.py": "counts each mail",
    "subscribers/subscriptions.py": "a goodbye that the author causes",
}


COUNTED = {"signup/double_opt_in.py", "signup/confirmations.py"}
"""The callers of `asked_mail`."""


def test_no_web_request_queues_a_mail_past_the_door() -> None:
    """A new caller of `outbox.enqueue` belongs into `mailbox_limits.queue_mail`, or says here why
    not.
    """
    services = Path(newsletter.__file__).parent / "services"
    callers = {
        str(file.relative_to(services))
        for file in services.rglob("*.py")
        if "outbox.enqueue(" in file.read_text()
    }
    past = {caller for caller in callers if not caller.startswith(tuple(MAY_QUEUE))}
    assert past == set()
    assert "mailbox_limits.py" in callers
    asking = {
        str(file.relative_to(services))
        for file in services.rglob("*.py")
        if "asked_mail import" in file.read_text()
    }
    assert asking == COUNTED


# ── what no server took
# ────────────────────────────────────────────────────────────────────────────


def refuse(address: str) -> Callable[[Outgoing], Outcome | None]:
    def script(outgoing: Outgoing) -> Outcome | None:
        if outgoing.recipient != address:
            return None
        return Outcome(outgoing.id, "refused", "RCPT", Reply(552, "5.2.2", "Mailbox full"), "sink")

    return script


def test_b3_a_confirmation_that_no_server_took_does_not_count(
    app: Flask, client: FlaskClient, sink: Sink
) -> None:
    sink.script = refuse("ana@example.com")
    sign_up(client, "ana@example.com")
    sign_up(client, "bob@example.com")
    work(app)
    sink.script = lambda outgoing: None
    sign_up(client, "ana@example.com")
    sign_up(client, "bob@example.com")
    work(app)
    assert [mail.recipient for mail in sink.accepted] == ["bob@example.com", "ana@example.com"]
    sign_up(client, "ana@example.com")
    work(app)
    assert len(sink.accepted) == 2, "this one was taken"
    url = links(sink, "ana@example.com", "confirm")[0]
    assert client.post(url).status_code == 200


def test_b3_refusals_are_not_asked_for_without_end(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock
) -> None:
    tried = []

    def script(outgoing: Outgoing) -> Outcome | None:
        tried.append(outgoing.recipient)
        return refuse("ana@example.com")(outgoing)

    sink.script = script
    for _ in range(2):
        for _ in range(8):
            sign_up(client, "ana@example.com")
            client.post("/link", data={"email": "ana@example.com"})
            work(app)
        clock.forward(timedelta(days=1))
    assert len(tried) == 6, "three a day"


def test_b3_what_the_author_dropped_does_not_count(
    app: Flask, client: FlaskClient, sink: Sink
) -> None:
    sign_up(client, "ana@example.com")
    with app.app_context():
        assert held_mails.drop_held(app.extensions[EXTENSION], "blog") == 1
    sign_up(client, "ana@example.com")
    work(app)
    assert len(sink.to("ana@example.com")) == 1


# ── the request that was mailed
# ────────────────────────────────────────────────────────────────────


def subscriber(app: Flask, email: str, slug: str = "blog") -> dict[str, object]:
    with app.app_context():
        row = db.session.scalars(
            select(Subscription)
            .join(Subscriber)
            .join(MailingList, MailingList.id == Subscription.list_id)
            .where(Subscriber.email_key == email, MailingList.slug == slug)
        ).one()
        agreed = db.session.scalars(
            select(ConsentEvent.note).where(
                ConsentEvent.subscription_id == row.id, ConsentEvent.kind == "agreed"
            )
        )
        return {
            "status": row.status,
            "name": row.subscriber.name,
            "language": row.subscriber.language,
            "cadence": row.cadence,
            "answers": row.answers,
            "topics": row.topics,
            "agreed": list(agreed),
        }


HERS = {
    "name": "Ana Müller",
    "cadence": "weekly",
    "language": "de",
    "town": "Berlin",
    "topics": "Rest",
}
THEIRS = {
    "name": "Mallory",
    "cadence": "instant",
    "language": "fr",
    "town": "Nowhere",
    "partners": "1",
    "topics": "Work",
}


@pytest.fixture
def fields(app: Flask) -> dict[str, str]:
    with app.app_context():
        forms.add_field("blog", "town", "text", "Your town")
        forms.add_field("blog", "partners", "consent", "Our partners may write to you.")
        return {name: str(topics.add("blog", name).id) for name in ("Rest", "Work")}


@pytest.mark.parametrize("days", [0, 1])
def test_b5_a_confirmation_confirms_the_request_that_was_mailed(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock, fields: dict[str, str], days: int
) -> None:
    """The stranger's post comes at once or a day later, when it is mailed as well; somebody
    else is beside it.
    """
    sign_up(client, "ana@example.com", **HERS)
    sign_up(client, "bob@example.com", **THEIRS)
    work(app)
    clock.forward(timedelta(days=days))
    sign_up(client, "ana@example.com", **THEIRS)
    work(app)
    result = links(sink, "ana@example.com", "confirm")
    assert len(result) == 1 + days
    assert client.post(result[0]).status_code == 200
    assert subscriber(app, "ana@example.com") == {
        "status": "active",
        "name": "Ana Müller",
        "language": "de",
        "cadence": "weekly",
        "answers": {"town": "Berlin", "partners": False},
        "topics": fields["Rest"],
        "agreed": [],
    }
    if days:
        assert client.post(result[1]).status_code == 200
        assert subscriber(app, "ana@example.com")["name"] == "Ana Müller", (
            "the other request is void now"
        )
    client.post(links(sink, "bob@example.com", "confirm")[0])
    assert subscriber(app, "bob@example.com")["agreed"] == ["partners"]
    with app.app_context():
        rows = db.session.scalars(select(SubscriptionRequest.number)).all()
        assert list(rows) == [1, 1], "of each the one that was confirmed"


def test_b5_whoever_confirms_or_leaves_takes_nothing_off_others_requests(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock, fields: dict[str, str]
) -> None:
    """Their requests have other numbers: bob has asked twice."""
    sign_up(client, "bob@example.com", **THEIRS)
    work(app)
    clock.forward(timedelta(days=1))
    sign_up(client, "bob@example.com", **HERS)
    sign_up(client, "ana@example.com", name="Ana")
    work(app)
    client.post(links(sink, "ana@example.com", "confirm")[0])
    with app.app_context():
        query = (
            select(Subscription.handle)
            .join(Subscriber)
            .where(Subscriber.email_key == "ana@example.com")
        )
        handle = db.session.scalars(query).one()
    client.post(signed(app, "unsubscribe", handle))
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(SubscriptionRequest)) == 2
    assert client.post(links(sink, "bob@example.com", "confirm")[0]).status_code == 200
    assert subscriber(app, "bob@example.com")["name"] == "Mallory"


def test_b5_the_later_request_confirms_itself(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock, fields: dict[str, str]
) -> None:
    sign_up(client, "ana@example.com", **THEIRS)
    clock.forward(timedelta(days=1))
    sign_up(client, "ana@example.com", **HERS)
    work(app)
    client.post(links(sink, "ana@example.com", "confirm")[-1])
    assert subscriber(app, "ana@example.com")["name"] == "Ana Müller"
    assert subscriber(app, "ana@example.com")["agreed"] == []


def test_b5_a_stranger_changes_nothing_of_whoever_left(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock, fields: dict[str, str]
) -> None:
    handle = active(app, "ana@example.com", name="Ana")
    client.post(signed(app, "unsubscribe", handle))
    sign_up(client, "ana@example.com", **THEIRS)
    result = subscriber(app, "ana@example.com")
    assert (result["name"], result["cadence"], result["answers"]) == ("Ana", "weekly", {})
    clock.forward(timedelta(days=15))
    with app.app_context():
        cleanup.clean_up(app.extensions[EXTENSION])
        assert db.session.scalars(select(SubscriptionRequest)).all() == []
    assert subscriber(app, "ana@example.com") == result | {"status": "unsubscribed"}


def everybody() -> dict[tuple[str, int], dict[str, object]]:
    """Every column of every subscriber and subscription."""
    db.session.rollback()
    return {
        (model.__tablename__, row.id): {
            column.key: getattr(row, column.key) for column in model.__mapper__.column_attrs
        }
        for model in (Subscriber, Subscription)
        for row in db.session.scalars(select(model))
    }


@pytest.mark.parametrize("state", ["active", "elsewhere", "left", "pending", "two lists"])
def test_b5_a_strangers_request_changes_no_column_of_whoever_is_known(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock, fields: dict[str, str], state: str
) -> None:
    """Typed words wait in the request until it is confirmed, whatever columns there will be."""
    if state == "pending":
        sign_up(client, "ana@example.com", **HERS)
    else:
        handle = active(app, "ana@example.com", "talks" if state == "elsewhere" else "blog")
        if state == "left":
            client.post(signed(app, "unsubscribe", handle))
        if state == "two lists":
            sign_up(client, "ana@example.com", "talks", **HERS)
    active(app, "bob@example.com")
    work(app)
    with app.app_context():
        before = everybody()
    clock.forward(timedelta(days=1))
    sign_up(client, "ana@example.com", **THEIRS)
    work(app)
    with app.app_context():
        after = everybody()
    changed = {
        (table, name)
        for (table, id_), row in before.items()
        for name, value in row.items()
        if after[table, id_][name] != value
    }
    asked_anew = {("subscriptions", name) for name in ("status", "round", "confirmation_at")}
    assert changed <= (asked_anew if state in ("left", "pending") else set()), changed


@pytest.mark.parametrize("how", ["joins", "added", "imported"])
def test_b5_no_other_word_takes_a_strangers_request_over(
    app: Flask, client: FlaskClient, fields: dict[str, str], tmp_path: Path, how: str
) -> None:
    """Somebody's pending subscription becomes active without that request's confirmation."""
    env: Environment = app.extensions[EXTENSION]
    handle = active(app, "ana@example.com", "talks", name="Ana") if how == "joins" else ""
    for email in ("ana@example.com", "bob@example.com"):
        assert sign_up(client, email, **THEIRS) == 303
    if how == "joins":
        account = signed(app, "account", handle)
        assert client.post(account, data={"join-blog": "1"}).status_code == 200
    elif how == "added":
        with app.app_context():
            added = admin.Addition("ana@example.com", "blog", name="Ana", because="told me so")
            admin.add_subscriber(env, added)
    else:
        file = tmp_path / "people.csv"
        file.write_text("email,name,cadence\nana@example.com,Ana,weekly\n")
        with app.app_context():
            import_subscribers.import_file(env, file, slug="blog", because="told me so")
    assert subscriber(app, "ana@example.com") | {"language": ""} == {
        "status": "active",
        "name": "Ana",
        "language": "",
        "cadence": "weekly",
        "answers": {},
        "topics": "",
        "agreed": [],
    }
    assert subscriber(app, "bob@example.com")["status"] == "pending"


def test_b5_the_page_of_a_confirmation_tells_of_its_own_request(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock, fields: dict[str, str]
) -> None:
    """As it was typed, and not as an earlier request of somebody else."""
    for values in (HERS, THEIRS):
        sign_up(client, "ana@example.com", **values | {"language": "en"})
        work(app)
        clock.forward(timedelta(days=1))
    first, second = links(sink, "ana@example.com", "confirm")
    assert "once a week" in client.get(first).text
    assert "whenever there is something new" in client.get(second).text


def test_b5_a_request_on_another_list_does_not_rename_a_subscriber(
    app: Flask, client: FlaskClient, sink: Sink
) -> None:
    active(app, "ana@example.com", name="Ana")
    sign_up(client, "ana@example.com", "talks", name="Mallory")
    work(app)
    client.post(links(sink, "ana@example.com", "confirm")[0])
    assert subscriber(app, "ana@example.com", "talks")["name"] == "Ana"


def test_a_fresh_confirmation_is_for_the_same_request(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock, fields: dict[str, str]
) -> None:
    sign_up(client, "ana@example.com", **THEIRS)
    clock.forward(timedelta(days=8))
    client.post("/link", data={"email": "ana@example.com"})
    work(app)
    client.post(links(sink, "ana@example.com", "confirm")[-1])
    result = subscriber(app, "ana@example.com")
    assert (result["name"], result["cadence"], result["agreed"]) == (
        "Mallory",
        "instant",
        ["partners"],
    )


def test_whoever_confirms_takes_nothing_off_others_counts(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock
) -> None:
    """Three in all stays three in all for a victim, however many addresses of theirs an attacker
    confirms.
    """
    for day in range(5):
        sign_up(client, "victim@example.com")
        sign_up(client, f"mallory{day}@example.net")
        work(app)
        client.post(links(sink, f"mallory{day}@example.net", "confirm")[0])
        clock.forward(timedelta(days=1))
    assert len(sink.to("victim@example.com")) == 3


# ── what visitors typed
# ────────────────────────────────────────────────────────────────────────────


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Ana", "Ana"),
        ("  Ana\n Müller ", "Ana Müller"),
        ("Jean-Luc d'Arc", "Jean-Luc d'Arc"),
        ("O’Neill", "O'Neill"),
        ("J. R. R. Tolkien", "J. R. R. Tolkien"),
        ("Dr. No", "Dr. No"),
        ("李小龍", "李小龍"),
        ("नरेन्द्र", "नरेन्द्र"),
        ("عمر", "عمر"),
        ("x" * 60, "x" * 60),
        ("x" * 61, ""),
        ("evil.com", ""),
        ("evil. com", "evil. com"),
        ("You won 500", ""),
        ("a@b", ""),
        ("http://x", ""),
        ("<b>Ana</b>", ""),
        ("Ana!", ""),
        ("Ana; Bob", ""),
        ("...", ""),
        ("", ""),
        ("Ana\u202e", ""),
        ("evil.\u0301com", ""),
        ("\U0001f4b0 Ana", ""),
        ("٣ Ana", ""),
    ],
)
def test_a7_names_that_mails_may_show(typed: str, name: str) -> None:
    assert clean_name(typed) == name


@pytest.mark.parametrize(
    "name", ["Win at evil.example/x", "Call 0900 123", "Ana\r\nhttps://evil.example"]
)
def test_a7_no_mail_repeats_what_a_visitor_typed(
    app: Flask, client: FlaskClient, sink: Sink, name: str
) -> None:
    with app.app_context():
        forms.add_field("blog", "town", "text", "Your town")
    handle = active(app, "bob@example.com")
    assert (
        sign_up(
            client,
            "ana@example.com",
            name=name,
            town="https://evil.example",
            page="https://evil.example",
        )
        == 303
    )
    work(app)
    client.post(links(sink, "ana@example.com", "confirm")[0])
    for text in ("https://evil.example\nNow", "é", "../../x", "no-such", "A" * 2000):
        for email in ("ana@example.com", "stranger@example.com"):
            assert client.post("/link", data={"email": email, "resource": text}).status_code == 404
    client.post(signed(app, "account", handle), data={"name": name})
    client.post(signed(app, "account", handle), data={"export": "1"})
    client.post("/link", data={"email": "ana@example.com"})
    work(app)
    assert {mail.recipient for mail in sink.accepted} == {"ana@example.com", "bob@example.com"}
    for outgoing in sink.accepted:
        assert b"evil" not in outgoing.data
        assert b"0900" not in outgoing.data
    with app.app_context():
        assert {row.name for row in db.session.scalars(select(Subscriber))} == {""}


def test_a7_a_confirmation_shows_no_name_and_the_welcome_does(
    app: Flask, client: FlaskClient, sink: Sink
) -> None:
    sign_up(client, "ana@example.com", name="Ana Müller")
    work(app)
    client.post(links(sink, "ana@example.com", "confirm")[0])
    work(app)
    confirmation = sink.to("ana@example.com")[0]
    welcome = sink.messages[-1]
    assert str(confirmation["To"]) == "ana@example.com"
    assert "Müller" not in body(confirmation)
    assert "Ana Müller" in str(welcome["To"])


# ── a new address
# ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "address", ["abuse@example.org", "Postmaster@example.org", "spamtrap+x@example.org"]
)
def test_b4_no_change_of_address_writes_to_a_role(
    app: Flask, client: FlaskClient, sink: Sink, address: str
) -> None:
    result = signed(app, "account", active(app, "ana@example.com"))
    assert client.post(result, data={"address": address}).status_code == 422
    work(app)
    assert sink.accepted == []


def test_b4_a_change_of_address_keeps_to_the_strangers_ceilings(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock
) -> None:
    """By many subscribers, over days, beside the form: one mail a day to the victim, three in
    all.
    """
    raise_ceilings(app)
    handles = [active(app, f"mallory{number}@example.net") for number in range(4)]
    sums = []
    for day in range(5):
        for number, handle in enumerate(handles):
            result = signed(app, "account", handle)
            answer = client.post(result, data={"address": f"victim+{day}{number}@example.com"})
            assert answer.status_code == 200
        sign_up(client, "victim@example.com")
        work(app)
        sums.append(
            len([outgoing for outgoing in sink.accepted if outgoing.recipient.startswith("victim")])
        )
        clock.forward(timedelta(days=1))
    assert sums == [1, 2, 3, 3, 3]


def test_b4_a_change_of_address_passes_the_gate(
    app: Flask, client: FlaskClient, sink: Sink
) -> None:
    env: Environment = app.extensions[EXTENSION]
    result = signed(app, "account", active(app, "ana@example.com"))
    other = signed(app, "account", active(app, "bob@example.com"))
    client.post(result, data={"address": "ana@null.example.org"})
    client.post(other, data={"address": "bob@good.example.org"})
    refusing = {"null.example.org": "its domain takes no mail (null MX)"}
    with app.app_context():
        sending.send_due(
            replace(env, domains=lambda domains: {d: refusing[d] for d in domains if d in refusing})
        )
    assert [outgoing.recipient for outgoing in sink.accepted] == ["bob@good.example.org"]


def test_b4_a_change_of_address_counts_for_the_visitors_network(
    app: Flask, client: FlaskClient
) -> None:
    result = signed(app, "account", active(app, "ana@example.com"))
    codes = [
        client.post(result, data={"address": f"new{number}@example.org"}).status_code
        for number in range(25)
    ]
    assert codes == [200] * 20 + [429] * 5
    assert sign_up(client, "real@example.com", ip="127.0.0.1") == 429
    assert sign_up(client, "real@example.com") == 303


# ── places, and what refusals cost
# ─────────────────────────────────────────────────────────────────


def test_a_whole_48_counts_as_one_network(client: FlaskClient) -> None:
    codes = [sign_up(client, f"v{n}@example.com", ip=f"2001:db8:1:{n:x}::1") for n in range(70)]
    assert codes == [303] * 60 + [429] * 10
    assert sign_up(client, "real@example.com", ip="2001:db8:2::1") == 303


def test_one_recipient_domain_cannot_be_flooded(app: Flask, client: FlaskClient) -> None:
    env = app.extensions[EXTENSION]
    ceilings = env.settings.signup.model_copy(update={"per_domain": 5})
    app.extensions[EXTENSION] = replace(
        env, settings=env.settings.model_copy(update={"signup": ceilings})
    )
    codes = [sign_up(client, f"v{n}@firm.example", ip=f"10.{n}.0.1") for n in range(8)]
    assert codes == [303] * 5 + [429] * 3
    assert client.post("/link", data={"email": "x@firm.example"}).status_code == 429
    assert sign_up(client, "real@other.example", ip="10.9.0.1") == 303
    long = ".".join(["d" * 60] * 3) + ".example"
    assert sign_up(client, f"v@{long}", ip="10.10.0.1") == 303


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    done: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        table = re.search(r"(?:FROM|INTO|UPDATE) (\w+)", statement)
        done.append(f"{statement.split()[0]} {table[1] if table else ''}")

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield done
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("entrance", ["form", "link"])
def test_n1_a_refusal_writes_nothing(app: Flask, client: FlaskClient, entrance: str) -> None:
    def ask(number: int) -> int:
        if entrance == "form":
            return sign_up(client, f"v{number}@example.com")
        place = {"REMOTE_ADDR": "192.0.2.1"}
        return client.post(
            "/link", data={"email": f"v{number}@example.com"}, environ_base=place
        ).status_code

    for number in range(20):
        ask(number)
    with app.app_context():
        before = db.session.scalar(select(func.sum(Counter.count)))
    with statements(app) as done:
        assert [ask(number) for number in range(20, 40)] == [429] * 20
    assert not [
        statement
        for statement in done
        if statement.split()[0] in ("INSERT", "UPDATE", "DELETE", "SAVEPOINT")
    ]
    with app.app_context():
        assert db.session.scalar(select(func.sum(Counter.count))) == before


# ── who is known
# ───────────────────────────────────────────────────────────────────────────────────


def five(app: Flask) -> None:
    env = app.extensions[EXTENSION]
    with app.app_context():
        with transaction() as session:
            for kind in KINDS[1:4]:
                add_reader(session, get_list(session, "blog"), f"{kind}@example.com", status=kind)
        suppressions.suppress(env, "suppressed@example.com")


@pytest.mark.parametrize("resource", ["", "guide"])
def test_n9_link_runs_the_same_statements_for_everybody(
    app: Flask, client: FlaskClient, resource: str
) -> None:
    raise_ceilings(app)
    five(app)
    with app.app_context():
        folder = app.extensions[EXTENSION].settings.folder
        (folder / "guide.pdf").write_bytes(b"x")
        resources.add_resource(app.extensions[EXTENSION], folder / "guide.pdf")
    client.post("/link", data={"email": "warm@example.com", "resource": resource})
    done: list[tuple[str, Tally[str]]] = []
    for turn in range(4):  # at first, and once there were enough mails
        for kind in KINDS:
            with statements(app) as run:
                client.post("/link", data={"email": f"{kind}@example.com", "resource": resource})
            done.append((f"{kind}, {turn}", Tally(run)))
    assert done[0][1]["INSERT deliveries"] == 2
    for who, tally in done:
        assert tally == done[0][1], who


def test_a_new_address_runs_the_same_statements_whoever_has_it(
    app: Flask, client: FlaskClient
) -> None:
    raise_ceilings(app)
    five(app)
    done: list[tuple[str, Tally[str]]] = []
    for turn in range(2):
        for kind in KINDS:
            result = signed(app, "account", active(app, f"{kind}{turn}@example.net"))
            with statements(app) as run:
                client.post(result, data={"address": f"{kind}@example.com"})
            done.append((f"{kind}, {turn}", Tally(run)))
    for who, tally in done:
        assert tally == done[0][1], who
