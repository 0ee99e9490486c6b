"""The rule who may be mailed is the same as SQL and as a predicate."""

from __future__ import annotations

import ast
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.models import Subscriber, Subscription, Tag
from newsletter.services.audience import segments
from newsletter.services.audience.mailable import (
    is_mailable,
    is_receiving,
    mailable_clause,
    receiving_clause,
)
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import suppress
from newsletter.vocabulary import SubscriptionStatus
from tests.fakes import START
from tests.people import add_list, add_reader

SERVICES = Path(__file__).parents[3] / "newsletter" / "services"
PAUSES = (None, START - timedelta(seconds=1), START, START + timedelta(seconds=1))


@pytest.fixture
def kinds(env: Environment) -> dict[int, tuple[str, datetime | None, bool]]:
    """Return a subscription of each kind on two lists: status, pause, suppressed by its id."""
    kinds: dict[int, tuple[str, datetime | None, bool]] = {}
    suppressed: list[str] = []
    with transaction() as session:
        lists = [add_list(session, "blog"), add_list(session, "other")]
        for number, (status, pause, is_suppressed) in enumerate(
            product(SubscriptionStatus, PAUSES, (False, True))
        ):
            for mailing_list in lists:
                email = f"{mailing_list.slug}{number}@example.com"
                subscription = add_reader(session, mailing_list, email, status=status)
                subscription.paused_until = pause
                kinds[subscription.id] = (status, pause, is_suppressed)
                suppressed += [email] if is_suppressed else []
    for email in suppressed:
        suppress(env, email)
    return kinds


@pytest.mark.parametrize("with_subscriber", [True, False])
def test_sql_and_predicate_agree(
    env: Environment, kinds: dict[int, tuple[str, datetime | None, bool]], *, with_subscriber: bool
) -> None:
    query = select(Subscription.id)
    if with_subscriber:
        query = query.join(Subscriber)
    mailable = set(db.session.scalars(query.where(mailable_clause(START))))
    receiving = set(db.session.scalars(query.where(receiving_clause())))
    assert mailable == {
        number
        for number, (status, pause, is_suppressed) in kinds.items()
        if is_mailable(status, pause, START, suppressed=is_suppressed)
    }
    assert receiving == {
        number
        for number, (status, _, is_suppressed) in kinds.items()
        if is_receiving(status, suppressed=is_suppressed)
    }
    assert len(receiving) > len(mailable) > 0


def test_a_segment_of_those_without_a_tag(
    env: Environment, kinds: dict[int, tuple[str, datetime | None, bool]]
) -> None:
    with transaction() as session:
        first = session.get_one(Subscription, min(kinds))
        mailing_list = first.mailing_list
        everybody = set(session.scalars(segments.segment_query(mailing_list, "", START)))
        tagged = min(everybody)
        subscriber_id = session.get_one(Subscription, tagged).subscriber_id
        session.add(Tag(subscriber_id=subscriber_id, tag="berlin"))
        session.flush()
        none = set(session.scalars(segments.segment_query(mailing_list, "tags == none", START)))
        some = set(session.scalars(segments.segment_query(mailing_list, "tags != none", START)))
    assert (none, some) == (everybody - {tagged}, {tagged})


def test_a_segment_is_of_those_who_may_be_mailed(
    env: Environment, kinds: dict[int, tuple[str, datetime | None, bool]]
) -> None:
    with transaction() as session:
        first = session.get_one(Subscription, min(kinds))
        mailing_list = first.mailing_list
        mine = [
            number
            for number in kinds
            if session.get_one(Subscription, number).list_id == mailing_list.id
        ]
        members = {n for n in mine if is_mailable(*kinds[n][:2], START, suppressed=kinds[n][2])}
        assert set(session.scalars(segments.segment_query(mailing_list, "", START))) == members
        assert segments.count_segment(session, mailing_list, "", START) == len(members)
        read: list[int] = []
        after = 0
        while page := session.execute(
            segments.segment_page_query(mailing_list, "", START, after=after, limit=2)
        ).all():
            read += [row.id for row in page]
            after = page[-1].subscriber_id
        assert sorted(read) == sorted(members)


class StatusReads(ast.NodeVisitor):
    """Find the functions of a module that compare a break's end or ask for an active status."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.scope: list[str] = []
        self.breaks: set[str] = set()
        self.active: set[str] = set()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.scope.append(node.name)
        self.generic_visit(node)
        self.scope.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.scope.append(node.name)
        self.generic_visit(node)
        self.scope.pop()

    def visit_Compare(self, node: ast.Compare) -> None:
        name = ".".join([self.module, *self.scope])
        sides = [node.left, *node.comparators]
        ordered = any(isinstance(sign, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for sign in node.ops)
        if ordered and any("paused_until" in ast.unparse(side) for side in sides):
            self.breaks.add(name)
        written = [ast.unparse(side) for side in sides]
        is_status = any(text.endswith(("status", "status_")) for text in written)
        if is_status and any(text in ACTIVE for text in written):
            self.active.add(name)
        self.generic_visit(node)

    def visit_MatchValue(self, node: ast.MatchValue) -> None:
        if ast.unparse(node.value) in ACTIVE:
            self.active.add(".".join([self.module, *self.scope]))
        self.generic_visit(node)


ACTIVE = ("SubscriptionStatus.ACTIVE", "'active'")
MAY_COMPARE_BREAKS = {"operations.merge": "the later of two databases' breaks"}
MAY_ASK_STATUS = {
    "campaigns.judge_delivery._judge_subscription": "names why somebody is not in a campaign",
    "campaigns.tapped_answers._open": "whose link opens a question",
    "digests.explain_list._Explainer._plan": "counts the subscribers of a cadence for the author",
    "digests.explain_subscriber._SubscriptionExplainer._find_course": "names the status",
    "digests.find_due.has_subscriber": "which cadences a list still composes",
    "inbound.identify.count_active": "how many subscriptions an address has",
    "inbound.release.release": "which subscriptions a freed address confirms anew",
    "letters.series_progress._advance": (
        "a series goes on with the subscription; sending asks the rule"
    ),
    "letters.series_progress.look_again": "whose series is looked at; sending asks the rule",
    "lists.topics._describe": "counts the subscribers of a topic for the author",
    "resources.open_resource": "whose link opens a file, after suppression was asked",
    "signup.confirmations._apply": "what a confirmation changes",
    "signup.confirmations.find_withheld": "whose first confirmation is held",
    "signup.known_address": "what a sign-up comes to",
    "signup.double_opt_in._RequestWriter.__init__": "what a sign-up comes to",
    "signup.double_opt_in._choose_steps": "what a sign-up comes to",
    "statistics.gather._add_page": "counts for the author",
    "subscribers.admin.activate": "the author's change",
    "subscribers.admin.unsubscribe": "the author's change",
    "subscribers.link_requests": "which subscription a mail on request is about",
    "subscribers.link_requests._send": "what a request comes to, after suppression was asked",
    "subscribers.link_requests.mail_link_to_address": "the same",
    "subscribers.preferences._apply": "the subscriber's change",
    "subscribers.preferences._join": "the subscriber's change",
    "subscribers.privacy._open_refusal": "what a request comes to",
    "subscribers.reconfirmation._open_link": "whose answer counts",
    "subscribers.reconfirmation._settle": "whose silence ends a subscription",
    "subscribers.story._describe_subscription": "what a subscriber is told of a subscription",
    "subscription_state.activate": "counts for the author",
    "subscription_state.end_subscription": "whether an end is one",
    "subscription_state.record_removed": "counts for the author",
    "suppressions.suppress_key": "counts for the author",
    "suppressions.count_suppressed": "counts for the author",
    "transfer.import_batch.ImportBatch._set_status": "what a row of an import changes",
    "transfer.import_batch.ImportBatch.put": "what a row of an import changes",
    "transfer.import_events._count": "counts what a row of an import became",
    "transfer.import_known._read_subscriptions": "what a row of an import changes",
    "transfer.import_subscribers._has_left_after_all": "what a row of an import changes",
}
"""Functions that ask for the active status and decide nothing about mail, with the reason."""


def read_services() -> tuple[set[str], set[str]]:
    breaks: set[str] = set()
    active: set[str] = set()
    for path in sorted(SERVICES.rglob("*.py")):
        module = path.relative_to(SERVICES).with_suffix("").as_posix().replace("/", ".")
        if module == "audience.mailable":
            continue
        visitor = StatusReads(module)
        visitor.visit(ast.parse(path.read_text()))
        breaks |= visitor.breaks
        active |= visitor.active
    return breaks, active


def test_nothing_else_decides_who_may_be_mailed() -> None:
    """A new comparison with a break's end or the active status needs a reason in the tables."""
    breaks, active = read_services()
    assert {name for name in breaks if not name.startswith(tuple(MAY_COMPARE_BREAKS))} == set()
    assert active == set(MAY_ASK_STATUS)
