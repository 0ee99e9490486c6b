"""Real processes, really killed: nobody is missed, and hardly anybody hears twice."""

from __future__ import annotations

import json
import random
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from flask import Flask
from sqlalchemy import create_engine, insert, make_url, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from newsletter import outbox
from newsletter.db.session import db, transaction
from newsletter.models import Campaign, Delivery, Lease, Subscriber, Subscription
from newsletter.services.letters import send as letters
from newsletter.services.runtime import EXTENSION
from tests.fakes import Clock, parsed
from tests.people import add_list
from tests.processes import finish, program_environment, start_program
from tests.smtp.fault_server import Conversation, FaultServer
from tests.waiting import PATIENCE

pytestmark = pytest.mark.processes

READERS = 300
CONNECTIONS = 4
LETTER = "---\nsubject: Going slowly\n---\n\nA letter.\n"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    server = FaultServer()
    yield server
    server.close()


@pytest.fixture
def readers() -> int:
    """Return how many get the letter."""
    return READERS


@pytest.fixture
def campaign(app: Flask, clock: Clock, readers: int) -> int:
    """Return a letter, frozen for its readers and not begun."""
    with app.app_context():
        with transaction() as session:
            mailing_list = add_list(session, created_at=clock.now, schedule_since=clock.now)
            people = [
                {
                    "handle": f"s{n}",
                    "email": f"r{n}@example.com",
                    "email_key": f"r{n}@example.com",
                    "created_at": clock.now,
                }
                for n in range(readers)
            ]
            session.execute(insert(Subscriber), people)
            ids = session.scalars(select(Subscriber.id).order_by(Subscriber.id)).all()
            rows = [
                {
                    "handle": f"h{id_}",
                    "list_id": mailing_list.id,
                    "subscriber_id": id_,
                    "status": "active",
                    "cadence": "weekly",
                    "created_at": clock.now,
                }
                for id_ in ids
            ]
            session.execute(insert(Subscription), rows)
        return letters.send_letter(app.extensions[EXTENSION], letters.parse(LETTER))


def start(app: Flask, server: FaultServer, *command: str, **more: str) -> subprocess.Popen[str]:
    """Start a command on the database of `app`, with `server` for its mail."""
    environment = program_environment(
        app, NEWSLETTER_SMTP__URL=f"smtp://127.0.0.1:{server.port}", **more
    )
    # A folder of its own: one `worker --once` runs for a configuration on a machine.
    folder = tempfile.mkdtemp(dir=app.extensions[EXTENSION].settings.folder)
    return start_program(Path(folder), environment, *command)


def wait_until_accepted(server: FaultServer, count: int, process: subprocess.Popen[str]) -> None:
    ends = time.monotonic() + PATIENCE
    while len(server.accepted) < count and time.monotonic() < ends and process.poll() is None:
        time.sleep(0.002)
    assert len(server.accepted) >= count, finish(process)


def totals(app: Flask, campaign: int) -> tuple[str, outbox.Totals]:
    with app.app_context():
        row = db.session.get_one(Campaign, campaign)
        status_and_totals = row.status, outbox.count_totals(db.session(), row)
        db.session.remove()
        return status_and_totals


def accepted_for_readers(server: FaultServer) -> list[tuple[str, str, bytes]]:
    """Return what the server took, without what the program tells its author.

    A clock that is moved ahead is not SQLite's, and a worker tells the author that they differ.
    """
    return [one for one in server.accepted if one[1] != "ana@news.example.com"]


def check_everybody(
    app: Flask,
    server: FaultServer,
    campaign: int,
    *,
    kills: int,
    readers: int = READERS,
    repeats: int = 2 * CONNECTIONS,
) -> None:
    accepted = accepted_for_readers(server)
    copies = Counter(recipient for _, recipient, _ in accepted)
    ids: dict[str, set[str]] = {}
    for _, recipient, data in accepted:
        if copies[recipient] > 1:
            ids.setdefault(recipient, set()).add(str(parsed(data)["Message-ID"]))
    assert len(copies) == readers, "missing"
    assert sum(copies.values()) - readers <= repeats * kills, (
        "at most two messages a connection and kill"
    )
    assert all(len(counts) == 1 for counts in ids.values()), (
        "a second copy has the first one's Message-ID"
    )
    status, counts = totals(app, campaign)
    assert status == "sent"
    assert counts.sent == readers
    assert counts.balanced


def pass_time(app: Flask, clock: Clock) -> None:
    """Make what waits for a further try due."""
    with app.app_context(), transaction() as session:
        waiting = update(Delivery).where(Delivery.due_at.is_not(None))
        session.execute(waiting.values(due_at=clock.now - timedelta(hours=1)))


@pytest.mark.parametrize("readers", [1000])
def test_r01_killed_and_killed_again(
    app: Flask, server: FaultServer, campaign: int, readers: int
) -> None:
    dice = random.Random(5)
    kills = 0
    while kills < 2:
        process = start(app, server, "worker", "--once")
        wait_until_accepted(
            server, min(len(server.accepted) + dice.randint(20, 200), readers), process
        )
        process.kill()
        finish(process)
        kills += 1
        assert totals(app, campaign)[1].balanced
    for _ in range(2):
        output = finish(start(app, server, "worker", "--once"))
    assert "Traceback" not in output
    check_everybody(app, server, campaign, kills=kills, readers=readers)
    assert totals(app, campaign)[1].doubted <= kills * 4 * CONNECTIONS


@pytest.mark.parametrize("connections", [1, 3])
def test_r01_killed_with_few_connections(
    app: Flask, server: FaultServer, campaign: int, database_kind: str, connections: int
) -> None:
    """On PostgreSQL eight messages in all may be unrecorded, for a commit takes as long as they."""
    dice = random.Random(connections)
    more = {"NEWSLETTER_SMTP__CONNECTIONS": str(connections)}
    server.script["END"] = lambda talk, line: time.sleep(0.001) or b"250 2.0.0 Ok\r\n"
    for _ in range(3):
        process = start(app, server, "worker", "--once", **more)
        wait_until_accepted(server, len(server.accepted) + dice.randint(5, 60), process)
        process.kill()
        finish(process)
    for _ in range(2):
        finish(start(app, server, "worker", "--once", **more))
    repeats = 2 * connections if database_kind == "sqlite" else 8
    check_everybody(app, server, campaign, kills=3, repeats=repeats)


def test_d05_a_recorder_that_fails_stops_the_wire(
    app: Flask, server: FaultServer, clock: Clock, campaign: int, database_kind: str
) -> None:
    """Nothing is sent whose outcome cannot be written down: the database's connections are cut."""
    if database_kind == "sqlite":
        return  # there is no connection to cut; a full disk is tried in tests/services
    others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    url = app.extensions[EXTENSION].settings.database_url
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        ours = connection.scalars(text(others)).all()
    process = start(app, server, "worker", "--once")
    wait_until_accepted(server, 60, process)
    with engine.begin() as connection:
        cut = f"SELECT pg_terminate_backend(pid) FROM ({others}) AS o WHERE NOT pid = ANY(:ours)"
        connection.execute(text(f"{cut} AND pid <> pg_backend_pid()"), {"ours": ours})
    output = finish(process)
    assert process.returncode == 1, output
    assert "Traceback" not in output
    accepted = len(server.accepted)
    assert accepted < READERS
    assert accepted - totals(app, campaign)[1].sent <= 2 * CONNECTIONS
    pass_time(app, clock)
    for _ in range(2):
        finish(start(app, server, "worker", "--once"))
    check_everybody(app, server, campaign, kills=1)


@pytest.mark.any_database
def test_r02_told_to_end_it_ends_well(app: Flask, server: FaultServer, campaign: int) -> None:
    process = start(app, server, "worker")
    wait_until_accepted(server, 50, process)
    process.send_signal(signal.SIGTERM)
    finish(process, seconds=15)
    assert process.returncode == 0
    status, counts = totals(app, campaign)
    assert status == "sending"
    assert 0 < counts.sent < READERS
    assert (counts.in_doubt, counts.sent) == (0, len(accepted_for_readers(server)))
    finish(start(app, server, "worker", "--once"))
    check_everybody(app, server, campaign, kills=0)


def slowly(talk: Conversation, line: str) -> bytes:
    time.sleep(0.002)
    return b"250 2.0.0 Ok\r\n"


def more_slowly(talk: Conversation, line: str) -> bytes:
    """Take long enough for both workers to start, however busy the machine is."""
    time.sleep(0.01)
    return b"250 2.0.0 Ok\r\n"


@pytest.mark.parametrize("readers", [1300])
def test_r03_two_workers_share_the_work(
    app: Flask, server: FaultServer, campaign: int, readers: int
) -> None:
    server.script["END"] = more_slowly
    workers = [start(app, server, "worker", "--once") for _ in range(2)]
    outputs = [finish(process) for process in workers]
    assert [process.returncode for process in workers] == [0, 0], outputs
    shares = [int(output.split("sent ")[1].split(",")[0]) for output in outputs]
    assert min(shares) > 0, outputs
    assert sum(shares) == readers
    finish(start(app, server, "worker", "--once"))
    check_everybody(app, server, campaign, kills=0, readers=readers)


def put_to_sleep(app: Flask, process: subprocess.Popen[str]) -> None:
    """Halts a worker for longer than its lease, at a moment when it holds no lock of the
    database.
    """
    url = make_url(app.extensions[EXTENSION].settings.database_url)
    local = url.get_backend_name() == "sqlite"
    while True:
        process.send_signal(signal.SIGSTOP)
        try:
            if local:
                with (
                    closing(sqlite3.connect(str(url.database), timeout=0.3)) as connection,
                    connection,
                ):
                    connection.execute("UPDATE leases SET expires_at = 1")
            else:
                options = {"options": "-c lock_timeout=300"}
                with create_engine(
                    url, connect_args=options, poolclass=NullPool
                ).begin() as connection:
                    connection.execute(update(Lease).values(expires_at=1))
            return
        except (sqlite3.OperationalError, OperationalError):
            process.send_signal(signal.SIGCONT)
            time.sleep(0.05)


@pytest.mark.parametrize("readers", [800])
def test_r04_asleep_past_its_lease_and_awake_again(
    app: Flask, server: FaultServer, campaign: int, readers: int
) -> None:
    """Another worker takes over what the sleeper held; the sleeper sends nothing more than it had
    on its way.
    """
    server.script["END"] = slowly
    sleeper = start(app, server, "worker", "--once")
    wait_until_accepted(server, 100, sleeper)
    put_to_sleep(app, sleeper)
    finish(start(app, server, "worker", "--once"))
    before = totals(app, campaign)[1]
    assert before.sent + before.in_doubt + before.waiting == readers
    sleeper.send_signal(signal.SIGCONT)
    finish(sleeper)
    assert sleeper.returncode == 0
    finish(start(app, server, "worker", "--once"))
    check_everybody(app, server, campaign, kills=1, readers=readers)


@pytest.mark.parametrize("readers", [1500])
def test_r01_killed_at_any_moment_while_another_goes_on(
    app: Flask, server: FaultServer, campaign: int, readers: int
) -> None:
    """Two workers, one of them killed again and again, at moments nobody chose."""
    dice = random.Random(7)
    server.script["END"] = slowly
    steady = start(app, server, "worker", "--once")
    wait_until_accepted(server, 20, steady)
    kills = 0
    while kills < 4 and steady.poll() is None:
        victim = start(app, server, "worker", "--once")
        time.sleep(0.6 + dice.random())
        victim.kill()
        finish(victim)
        kills += 1
    finish(steady)
    for _ in range(2):
        finish(start(app, server, "worker", "--once"))
    check_everybody(app, server, campaign, kills=kills, readers=readers)


@pytest.mark.any_database
def test_p11_a_bad_network_and_kills(
    app: Flask, server: FaultServer, clock: Clock, campaign: int
) -> None:
    """One in twenty connections dropped, one in ten refused for now; nobody is missed, and copies
    stay within bounds.
    """
    dice = random.Random(11)
    lost = [0]

    def end(talk: Conversation, line: str) -> bytes | None:
        if dice.random() < 0.02:
            lost[0] += 1
            return None
        return b"250 2.0.0 Ok\r\n"

    server.script["END"] = end
    server.script["RCPT"] = lambda talk, line: None if dice.random() < 0.03 else b"250 2.1.5 Ok\r\n"
    process = start(app, server, "worker", "--once")
    wait_until_accepted(server, 100, process)
    process.kill()
    finish(process)
    finish(start(app, server, "worker", "--once"))
    pass_time(app, clock)
    server.script.clear()
    finish(start(app, server, "worker", "--once"))
    check_everybody(app, server, campaign, kills=1 + lost[0])


@pytest.mark.any_database
def test_serve_answers_and_sends(app: Flask, server: FaultServer, campaign: int) -> None:
    process = start(app, server, "serve", "--port", "0")
    assert process.stdout is not None
    line = ""
    while "Serving" not in line:
        line = process.stdout.readline()
        assert line, "serve ended"
    url = line.split("Serving ")[1].split(" ")[0]
    health = 0
    ends = time.monotonic() + PATIENCE
    while health != 200 and time.monotonic() < ends:
        try:
            with urlopen(f"{url}/healthz", timeout=60) as answer:
                health = answer.status
        except HTTPError as error:  # the worker has not ticked yet
            error.close()
            time.sleep(0.1)
    assert health == 200
    wait_until_accepted(server, 5, process)
    process.send_signal(signal.SIGTERM)
    finish(process, seconds=20)
    assert process.returncode == 0


@pytest.mark.any_database
def test_b_connections_left_open_keep_nobody_out(app: Flask, server: FaultServer) -> None:
    """Browsers keep connections open that they do not use, and some people do so on purpose."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = start(app, server, "serve", "--port", str(port))
    idle: list[socket.socket] = []
    try:
        assert process.stdout is not None
        assert "Serving" in process.stdout.readline()
        for _ in range(300):
            idle.append(socket.create_connection(("127.0.0.1", port), timeout=60))
        idle[0].sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle[0].recv(12) == b"HTTP/1.1 200"
        with urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
            assert answer.status == 200
    finally:
        for connection in idle:
            connection.close()
        process.terminate()
        finish(process, seconds=15)


@pytest.mark.any_database
def test_s02_behind_a_proxy_each_visitor_is_one(app: Flask, server: FaultServer) -> None:
    """waitress throws away what a proxy says of its visitor unless told not to: all of them would
    share a ceiling.
    """
    with app.app_context(), transaction() as session:
        add_list(session)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = start(app, server, "serve", "--port", str(port), NEWSLETTER_WEB__TRUSTED_PROXIES="1")
    try:
        assert process.stdout is not None
        assert "Serving" in process.stdout.readline()
        answers = Counter(sign_up(port, f"r{n}@example.com", f"10.0.{n}.1") for n in range(25))
        assert answers == {202: 25}
        answers = Counter(sign_up(port, f"s{n}@example.com", "192.0.2.7") for n in range(25))
        assert answers == {202: 20, 429: 5}
    finally:
        process.terminate()
        finish(process, seconds=15)


def sign_up(port: int, email: str, visitor: str) -> int:
    """Through a proxy that says who asks. The status."""
    headers = {"Content-Type": "application/json", "X-Forwarded-For": visitor}
    request = Request(
        f"http://127.0.0.1:{port}/blog/subscribe", json.dumps({"email": email}).encode(), headers
    )
    try:
        with urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code
