"""Whatever somebody else sees is the same, whether an address subscribes or not (A1).

An attacker with a mailbox of their own does everything that a visitor can do to an address. Pages,
headers, mails, their order and their moments are compared, byte by byte but for what is random:
a count, a number of a row, a name or a delay that depends on the address makes a difference.
"""

from __future__ import annotations

import difflib
import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, select

from newsletter.db.session import db, transaction
from newsletter.link_purposes import LinkPurpose
from newsletter.models import Delivery, Subscriber, Subscription
from newsletter.services import resources, suppressions
from newsletter.services.digests import due as digests
from newsletter.services.lookup import get_list
from newsletter.services.runtime import EXTENSION
from newsletter.vocabulary import Cadence
from tests.fakes import Clock, Sink, body
from tests.people import add_entry, add_feed, add_list, add_reader
from tests.scenarios.test_query_plans import MAY_WALK, Observer
from tests.web.test_one_door import links, work
from tests.web.test_signup import raise_ceilings

STATES = ("stranger", "pending", "active", "left", "suppressed", "elsewhere")
PUBLIC = (
    "/",
    "/blog",
    "/blog/archive",
    "/blog/archive/feed.xml",
    "/blog/embed",
    "/blog/form",
    "/link",
    "/sitemap.xml",
    "/robots.txt",
    "/openapi.json",
    "/resources/guide",
)
RANDOM = re.compile(
    r"\b[a-z2-7]{24}\b"  # of a Message-ID: one in a hundred has letters only
    r"|(?=[\w.=-]*[A-Z0-9])[\w-]{12,}(?:[.=][\w-]+)*"  # handles, tokens, boundaries and nonces
)
HEADERS = {"Content-Length", "Date", "Set-Cookie"}
"""Headers that are as long or as random as what is masked."""


class Attacker:
    """Somebody with a mailbox, who looks at one victim, and what they have seen."""

    def __init__(self, app: Flask, sink: Sink, number: int) -> None:
        self.app = app
        self.sink = sink
        self.number = number
        self.client: FlaskClient = app.test_client()
        self.victim = f"v{number}@victim{number}.example"
        self.email = f"e{number}@eve{number}.example"
        self.seen: list[str] = []

    def mask(self, text: str) -> str:
        for name in ("v{}", "e{}", "victim{}", "eve{}"):
            text = re.sub(rf"\b{name.format(self.number)}\b", name.format(""), text)
        return RANDOM.sub("~", text)

    def look(self, method: str, path: str, **data: str) -> str:
        answer = self.client.open(
            path,
            method=method,
            data=data or None,
            environ_base={"REMOTE_ADDR": f"10.0.{self.number}.1"},
            buffered=True,
        )
        headers = sorted(f"{name}: {value}" for name, value in answer.headers)
        lines = [line for line in headers if line.partition(":")[0] not in HEADERS]
        page = answer.get_data(as_text=True)
        record = f"{method} {path} {data}\n{answer.status}\n" + "\n".join(lines) + f"\n\n{page}"
        self.seen += self.mask(record).splitlines()
        return page

    def read_mails(self) -> None:
        """Read the mails that came to the attacker, and when each was to leave."""
        for message in self.sink.to(self.email):
            self.seen += [f"{name}: {self.mask(str(text))}" for name, text in message.items()]
            for kind in ("plain", "html"):
                self.seen += self.mask(body(message, kind)).splitlines()
        with self.app.app_context():
            mine = select(Delivery.mail, Delivery.due_at, Delivery.status).order_by(Delivery.id)
            rows = db.session.execute(
                mine.join(Subscription, Subscription.id == Delivery.subscription_id)
                .join(Subscriber)
                .where(Subscriber.email_key == self.email)
            )
            self.seen += [str(tuple(row)) for row in rows]

    def attack(self) -> None:
        """Do what a visitor can do, first to themselves, then to the victim, and look around."""
        self.look("POST", "/blog/subscribe", email=self.email, cadence="instant")
        work(self.app)
        [confirm] = links(self.sink, self.email, "confirm")
        self.look("POST", confirm)
        for _ in range(2):
            self.look("POST", "/link", email=self.victim)
            self.look("POST", "/link", email=self.victim, resource="guide")
            self.look("POST", "/blog/subscribe", email=self.victim)
            self.look("POST", "/talks/subscribe", email=self.victim, name="Eve", cadence="daily")
        self.look("POST", "/link", email=self.email)
        work(self.app)
        for path in PUBLIC:
            self.look("GET", path)
        for page in ("preferences", "unsubscribe", "why"):
            for link in links(self.sink, self.email, page):
                self.look("GET", link)
        account = links(self.sink, self.email, LinkPurpose.ACCOUNT.path)[-1]  # of the last mail
        self.look("POST", account, address=self.victim)
        self.look("GET", account)
        work(self.app)
        self.read_mails()


@pytest.fixture
def attackers(app: Flask, sink: Sink, clock: Clock) -> dict[str, Attacker]:
    """Return an attacker for each state that a victim can be in."""
    raise_ceilings(app)
    by_state = {state: Attacker(app, sink, number) for number, state in enumerate(STATES, 1)}
    env = app.extensions[EXTENSION]
    (env.settings.folder / "guide.pdf").write_bytes(b"%PDF-1.7 guide")
    statuses = {"pending": "pending", "active": "active", "left": "unsubscribed"}
    with app.app_context():
        resources.add_resource(env, env.settings.folder / "guide.pdf", title="Guide")
        with transaction() as session:
            blog = add_list(session)
            add_list(session, "talks", title="Long Talks")
            add_entry(session, add_feed(session, blog), "A post")
            add_reader(session, blog, "first@else.example", cadence="instant")
            for state, attacker in by_state.items():
                if state == "elsewhere":
                    add_reader(session, get_list(session, "talks"), attacker.victim)
                elif state in statuses:
                    row = add_reader(session, blog, attacker.victim, status=statuses[state])
                    if state == "left":
                        row.confirmed_at = row.unsubscribed_at = clock.now
        suppressions.suppress(env, by_state["suppressed"].victim)
        digests.send_now(env, "blog", Cadence.INSTANT)
    work(app)
    clock.forward(timedelta(hours=1))
    return by_state


def test_an_attacker_sees_the_same_whoever_subscribes(
    app: Flask, attackers: dict[str, Attacker]
) -> None:
    for attacker in attackers.values():
        attacker.attack()
    expected = attackers["stranger"].seen
    assert len(expected) > 500
    for state, attacker in attackers.items():
        difference = list(difflib.unified_diff(expected, attacker.seen, "stranger", state, n=1))
        assert not difference, "\n".join(difference[:60])


@pytest.mark.any_database
def test_no_request_of_a_visitor_walks_a_list(app: Flask, attackers: dict[str, Attacker]) -> None:
    """The plan of each statement is the same whatever the number of subscribers (U7, U22)."""
    observer = Observer()
    event.listen(Engine, "before_cursor_execute", observer.before)
    try:
        attackers["active"].attack()
    finally:
        event.remove(Engine, "before_cursor_execute", observer.before)
    walks = [
        f"{statement.caller}: {statement.walks}\n{statement.sql}\n{statement.plan}"
        for statement in observer.statements.values()
        if statement.walks and not statement.caller.startswith(tuple(MAY_WALK))
    ]
    assert not walks, "\n\n".join(walks)
    assert len(observer.statements) > 50
