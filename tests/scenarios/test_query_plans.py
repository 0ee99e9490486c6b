"""No statement walks a list by accident: every statement of a life is explained at 100,000
subscribers.

On both databases the plan of each statement is read. On SQLite the work of each statement is
counted too, in thousands of steps of its virtual machine.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.pool import Pool

from newsletter.access_vocabulary import AuthorRole
from newsletter.authoring.letter_fields import LetterFields
from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import Base, transaction
from newsletter.models import Feed
from newsletter.services import events
from newsletter.services.audience import merge_data
from newsletter.services.authors import acts, authors, log_in, today
from newsletter.services.campaigns import browse as browse_campaigns
from newsletter.services.campaigns import campaigns, explain_delivery, report
from newsletter.services.consent import get_proof
from newsletter.services.digests import due as digests
from newsletter.services.digests import explain_list, explain_subscriber, look_preview
from newsletter.services.letters import drafts, manuscripts, preflight
from newsletter.services.letters import send as letters
from newsletter.services.letters.approve import approve_letter
from newsletter.services.lists import lists
from newsletter.services.operations import cleanup, health, status
from newsletter.services.operations.database import upgrade
from newsletter.services.polling import browse as browse_entries
from newsletter.services.polling import entries
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import admin, history, listing, views
from newsletter.services.subscribers import browse as browse_subscribers
from newsletter.services.subscribers.privacy import erase_address
from newsletter.services.suppressions import suppress
from newsletter.services.transfer import import_files, import_work
from newsletter.vocabulary import Cadence, EntryStatus, EventKind, SubscriptionStatus
from tests.fakes import Clock
from tests.people import add_entry
from tests.scenarios.filled import LARGE, fill

STEPS = 400
"""Thousands of steps of SQLite's virtual machine that one statement may take: a page of 500 rows
takes about 50, a walk over the list 1,000 and more."""
ROWS = 5_000
"""Rows that PostgreSQL may expect to sort for a page: more is a list that is sorted once a page."""

PLAN_SETTINGS = ("enable_seqscan = off", "random_page_cost = 1.1")
"""Settings of PostgreSQL under which a plan is read."""
PARTIAL_INDEXES = {
    index.name
    for table in Base.metadata.tables.values()
    for index in table.indexes
    if index.dialect_options["postgresql"]["where"] is not None
}
"""Indexes of few rows, such as those that wait: to walk over one is no walk over its table."""

MAY_WALK = {
    "outbox.enqueue.freeze": "writes one row for each recipient, once a campaign",
    "outbox.enqueue._cancel": "drops every waiting message of a campaign, once",
    "outbox.enqueue.scrub_old": "clean-up, once an hour, deletes what old mails said",
    "outbox.queries.count_totals": "counts a campaign's deliveries when an author asks",
    "outbox.queries.group_failures": "groups who did not get a campaign when an author asks",
    "outbox.queries.list_deliveries": "lists who has not got a campaign when an author asks",
    "digests.compose._move_cursors": "moves the cursor of each recipient, once a digest",
    "digests.compose._settle": "moves the cursor of each subscriber who is owed nothing",
    "digests.plan._count_groups": "groups the subscribers of a cadence, once a digest",
    "digests.explain_list._plan": "counts the subscribers of a cadence when an author asks",
    "audience.segments.count_segment": "counts a segment when an author asks",
    "audience.merge_data._iterate_segment": "walks the list once in all its pages together",
    "lists.lists._count_subscriptions": "counts a list's subscriptions when an author asks",
    "subscribers.listing._newest_subscriber": "reads one end of the primary key",
    "lists.topics": "changes the choices of subscribers when a topic is removed",
    "operations.status": "counts the subscriptions of a list when an author asks",
    "suppressions.count_suppressed": "counts when an author asks",
    "subscribers.admin": "counts what an author filters by; a search looks into every address",
    "operations.cleanup": "clean-up, deletes subscribers without a subscription",
    "subscription_state.expire_unconfirmed": "clean-up",
    "subscribers.address_change.delete_old_changes": "clean-up",
    "consent.shorten_old_addresses": "clean-up",
}
"""The functions whose statements may walk over a list, each with the reason.

None of them may sort a list for a page.
"""
MAY_SORT = {
    "signup.confirmations.find_withheld": "sorts requests without a mail, which ceilings bound",
}
"""The functions that may sort before they take a page, each with the reason."""


@dataclass
class Statement:
    """One statement as it was run: by which function, how it is planned, how much it did."""

    caller: str
    sql: str
    plan: str = ""
    walks: list[str] = field(default_factory=list)
    sorts: list[str] = field(default_factory=list)
    steps: int = 0

    def list_faults(self) -> list[str]:
        """Return what it may not do."""
        walks = [*self.walks]
        if self.steps > STEPS:
            walks.append(f"took {self.steps:,} thousand steps")
        may_walk = any(self.caller.startswith(name) for name in MAY_WALK)
        may_sort = any(self.caller.startswith(name) for name in MAY_SORT)
        return ([] if may_walk else walks) + ([] if may_sort else self.sorts)


class Observer:
    """Explains each statement before it runs, once for each function that runs it."""

    def __init__(self) -> None:
        self.statements: dict[tuple[str, str], Statement] = {}
        self.running: Statement | None = None

    def before(
        self, connection: Connection, _cursor: Any, sql: str, values: Any, _context: Any, many: bool
    ) -> None:
        self.after()  # a prepared statement does not say when it has run
        verb = sql.lstrip()[:6].upper()
        if verb not in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH R"):
            self.running = None
            return
        key = (_caller(), sql)
        if key not in self.statements:
            statement = Statement(*key)
            self.statements[key] = statement
            first = values[0] if many and isinstance(values, list) else values
            if connection.dialect.name == "sqlite":
                _explain_sqlite(connection, statement, first)
            else:
                _explain_postgresql(connection, statement, first)
        self.running = self.statements[key]
        self._began_at = self.running.steps
        self.running.steps = 0

    def after(self, *_: Any) -> None:
        if self.running:
            self.running.steps = max(self._began_at, self.running.steps)

    def count(self) -> int:
        if self.running:
            self.running.steps += 1
        return 0


def _caller() -> str:
    """Return the innermost function of the program that runs the statement."""
    frame = sys._getframe(2)
    while frame:
        name = str(frame.f_globals.get("__name__", ""))
        if name.startswith("newsletter.") and not name.startswith("newsletter.db"):
            short = name.removeprefix("newsletter.").removeprefix("services.")
            return f"{short}.{frame.f_code.co_name}"
        frame = frame.f_back  # type: ignore[assignment]
    return ""


def _explain_sqlite(connection: Connection, statement: Statement, values: Any) -> None:
    cursor = connection.connection.cursor()
    cursor.execute(f"EXPLAIN QUERY PLAN {statement.sql}", values)
    lines = [str(row[3]) for row in cursor.fetchall()]
    cursor.close()
    statement.plan = "; ".join(lines)
    # An INSERT of values is explained with the checks of a row that it would replace.
    checks_only = " VALUES (" in statement.sql and statement.sql.startswith("INSERT")
    for line in lines:
        if line.startswith("SCAN") and line.split()[1] in LARGE and not checks_only:
            statement.walks.append(line)
    is_large = any(f" {table} " in statement.plan for table in LARGE)
    if is_large and "LIMIT" in statement.sql and "TEMP B-TREE FOR ORDER BY" in statement.plan:
        statement.sorts.append("sorts for a page")


def _explain_postgresql(connection: Connection, statement: Statement, values: Any) -> None:
    """Explain a statement as if each walk over a table cost too much.

    A walk that is left has no index that serves it, whatever the size of this database.
    """
    cursor = connection.connection.cursor()
    for setting in PLAN_SETTINGS:
        cursor.execute(f"SET LOCAL {setting}")
    cursor.execute(f"EXPLAIN (FORMAT JSON) {statement.sql}", values)
    [(document,)] = cursor.fetchall()
    for setting in PLAN_SETTINGS:
        cursor.execute(f"RESET {setting.partition(' ')[0]}")
    cursor.close()
    plan = (json.loads(document) if isinstance(document, str) else document)[0]["Plan"]
    statement.plan = json.dumps(plan)
    for node in _nodes(plan):
        table = node.get("Relation Name", "")
        is_scan = node["Node Type"] in ("Seq Scan", "Index Scan", "Index Only Scan")
        is_limited = "LIMIT" in statement.sql and node["Node Type"] != "Seq Scan"
        is_part = node.get("Index Name") in PARTIAL_INDEXES or "Index Cond" in node
        if is_scan and table in LARGE and not is_part and not is_limited:
            statement.walks.append(f"walks over {table}")
        is_sort = "LIMIT" in statement.sql and node["Node Type"] == "Sort"
        if is_sort and node["Plan Rows"] > ROWS:
            statement.sorts.append(f"sorts {node['Plan Rows']} rows for a page")


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


@pytest.fixture(scope="session")
def filled_sqlite(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> str:
    """Return a filled SQLite database; every test that uses it finds what the one before left."""
    file = tmp_path_factory.mktemp("filled") / "newsletter.db"
    shutil.copy(sqlite_template, file)
    fill(f"sqlite:///{file}")
    return f"sqlite:///{file}"


@pytest.fixture(scope="session")
def filled_postgresql(postgresql_url: str) -> str:
    """Return a filled database of its own on the PostgreSQL server."""
    engine = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE filled"))
    url = engine.url.set(database="filled").render_as_string(hide_password=False)
    engine.dispose()
    upgrade(url)
    fill(url)
    return url


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest) -> str:
    """Return the filled database."""
    return str(request.getfixturevalue(f"filled_{database_kind}"))


@pytest.fixture
def observer(env: Environment) -> Iterator[Observer]:
    """Observe every statement of the program."""
    observer = Observer()

    def watch(connection: Any, _record: Any, _proxy: Any = None) -> None:
        if hasattr(connection, "set_progress_handler"):
            connection.set_progress_handler(observer.count, 1_000)

    event.listen(Engine, "before_cursor_execute", observer.before)
    event.listen(Engine, "after_cursor_execute", observer.after)
    event.listen(Pool, "checkout", watch)
    yield observer
    event.remove(Engine, "before_cursor_execute", observer.before)
    event.remove(Engine, "after_cursor_execute", observer.after)
    event.remove(Pool, "checkout", watch)


LETTER = """---
list: blog
subject: Hello
segment: '"vip" in tags and not had(3)'
---
Hello {{ subscriber.name }}.
"""


def live(env: Environment, clock: Clock) -> None:
    """Run what authors, subscribers and workers do in a week."""
    clock.now = datetime(2026, 12, 7, 9, tzinfo=UTC)
    digests.compose_due(env)
    with transaction() as session:
        feed = session.get_one(Feed, 1)
        add_entry(session, feed, "New post", now=clock.now)
    digests.plan_now(env, "blog")
    digests.preview(env, "blog")
    explain_list.explain(env, "blog")
    explain_subscriber.explain_entries(env, "blog", "reader3@example3.org")
    digests.compose_due(env)
    clock.forward(timedelta(minutes=1))
    digests.compose_due(env)
    digest = campaigns.list_campaigns()[0].id
    report.report_campaign(env, digest)
    list(report.iterate_deliveries(digest))
    campaigns.pause(env, digest)
    campaigns.cancel(env, digest)
    entries.list_entries(slug="blog")
    merge_pages(env)
    turn_pages_of_programs(env)
    open_author_pages(env, digest)
    write_letter(env)
    for subscriber_filter in filters(env):
        list(islice(admin.iterate_subscribers(subscriber_filter), 1_000))
    admin.count_subscribers(admin.SubscriberFilter(slug="blog"))
    history.get_history(env, "reader3@example3.org")
    get_proof(env, "reader3@example3.org")
    campaign = letters.send_letter(env, parse_letter(LETTER))
    sending.send_due(env)
    campaigns.get_campaign(campaign)
    report.report_campaign(env, campaign)
    list(islice(report.iterate_deliveries(campaign, everybody=True), 3_000))
    explain_delivery.explain_delivery(env, campaign, "reader107@example107.org")
    status.read_status(env)
    lists.show("blog")
    admin.add_subscriber(env, admin.Addition("new@example.com", slug="blog", because="asked me"))
    admin.unsubscribe(env, "new@example.com", "blog")
    suppress(env, "reader7@example7.org")
    erase_address(env, "reader8@example8.org")
    admin.remove_subscriber(env, "reader9@example9.org")
    cleanup.clean_up(env)
    sending.send_due(env)


def write_letter(env: Environment) -> None:
    """Write a draft as its page does, with its preview and preflight while it is written."""
    fields = LetterFields(subject="Hello", segment='"vip" in tags', body="Dear reader, hello.")
    draft = manuscripts.start_draft(env, "blog", fields)
    manuscripts.save_draft(draft, replace(fields, body="Dear reader, and more."), 1)
    for before in (0, draft):
        manuscripts.list_page([1, 2], before=before)
    manuscripts.get_manuscript(draft)
    preflight.check_stored(env, draft)
    approve_letter(env, drafts.load_draft(env, draft, offline=True))
    campaigns.take_back(env, draft)
    manuscripts.discard_draft(env, draft)


def open_author_pages(env: Environment, campaign: int) -> None:
    """Open the listings of the author's pages, as an author of every list and of one."""
    ana = authors.add_author(env, "ana@blog.example", role=AuthorRole.OWNER)
    ben = authors.add_author(env, "ben@blog.example", role=AuthorRole.EDITOR, slugs=["blog"])
    log_in.request_link(env, "ana@blog.example", browser="b", ip="192.0.2.1", language="en")
    for author in (ana, ben):
        today.read_today(env, author)
        limited = author.limited
        match = browse_subscribers.search(list(author.lists), "reader5", limited=limited)
        last = match.rows[-1].handle
        browse_subscribers.list_newest(list(author.lists), limited=limited, before=last)
        for typed, after in (("reader5", ""), ("reader5", "reader55"), ("Nam", "x"), ("zz", "")):
            browse_subscribers.search(list(author.lists), typed, limited=limited, after=after)
        browse_campaigns.list_page(list(author.lists), before=3)
        browse_entries.list_page(list(author.lists), fate=EntryStatus.HELD, before=1_000)
    browse_campaigns.group_failures(campaign)
    acts.list_acts(before=10)
    import_files.list_newest()
    import_work.work_on_files(env)
    import_files.delete_old_files(env)
    health.read_health(env)
    look_preview.preview_look(env, "blog", {"color": "#aa1155", "order": "oldest"})
    lists.show("blog", count=False)


def turn_pages_of_programs(env: Environment) -> None:
    """Read the listings of the API, filtered by what many have and by what nobody has."""
    for subscriber_filter in (*filters(env), admin.SubscriberFilter(slug="blog", tag="nobody")):
        _, following = listing.list_subscribers(subscriber_filter, limit=200)
        listing.list_subscribers(replace(subscriber_filter, before=following), limit=200)
    for status_ in (None, SubscriptionStatus.ACTIVE, SubscriptionStatus.PENDING):
        for cadence in (None, Cadence.INSTANT):
            chosen = listing.SubscriptionFilter("blog", status_, cadence)
            _, following = listing.list_subscriptions(chosen, limit=200)
            listing.list_subscriptions(replace(chosen, before=following), limit=200)
    assert views.get_view(5).id == 5
    events.list_events(slugs={"blog"}, limit=200)
    events.list_events(slugs={"blog"}, kind=EventKind.DELIVERY_BOUNCED, limit=200)


def merge_pages(env: Environment) -> None:
    """Read the first pages of a letter's recipients."""
    for segment in ("", 'cadence == "weekly"', '"vip" in tags'):
        list(islice(merge_data._iterate_segment(env, 1, segment), 1_200))


def filters(env: Environment) -> list[admin.SubscriberFilter]:
    """Return what `subscriber ls` can be asked for, but for a search."""
    return [
        admin.SubscriberFilter(),
        admin.SubscriberFilter(slug="blog"),
        admin.SubscriberFilter(slug="blog", status="active"),
        admin.SubscriberFilter(slug="blog", segment='cadence == "weekly"', at=env.now),
        admin.SubscriberFilter(tag="vip"),
    ]


def test_no_statement_walks_a_list(env: Environment, observer: Observer, clock: Clock) -> None:
    live(env, clock)
    faults = [
        f"{statement.caller}: {statement.list_faults()}\n{statement.sql}\n{statement.plan}"
        for statement in observer.statements.values()
        if statement.list_faults()
    ]
    assert not faults, "\n\n".join(faults)
    assert len(observer.statements) > 100


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM subscribers WHERE name = 'Nobody' OR language = 'xx'",
        "SELECT id FROM subscriptions WHERE list_id = 1 ORDER BY created_at LIMIT 10",
        "UPDATE deliveries SET text = 'x' WHERE text = 'y'",
    ],
)
def test_a_walk_is_noticed(env: Environment, observer: Observer, sql: str) -> None:
    with transaction() as session:
        session.execute(text(sql))
    [statement] = [row for row in observer.statements.values() if row.sql == sql]
    assert statement.list_faults()
