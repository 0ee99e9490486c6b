"""Measure sign-ups and the first pages: CPU of one process, and speed of the real servers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, repeat
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from bench import load, sinks, world
from newsletter.db.session import db, transaction
from newsletter.models import Subscription
from newsletter.services import suppressions
from newsletter.services.runtime import EXTENSION
from newsletter.settings import SignUp as Ceilings
from newsletter.vocabulary import SuppressionReason

PAGES = ("/", "/slow/", "/slow/embed")
WARM = 20
REQUESTS = 200
SUBSCRIBERS = 10_000
HIGH = Ceilings(per_ip=10**7, per_network=10**7, per_list=10**7, overall=10**7)
CEILINGS = "per_ip = 10000000, per_network = 10000000, per_list = 10000000, overall = 10000000, "
FLOODS = (
    ("serve", "serve", CEILINGS, 60),
    ("serve", "serve", CEILINGS, 120),
    ("serve, the ceilings as they are", "serve", "", 60),
    ("gunicorn and a worker", "gunicorn", CEILINGS, 60),
)
SETTINGS = """
secret_key = "a-key-for-measuring-0123456789abcdef"
base_url = "https://news.example.com"
smtp.url = "smtp://127.0.0.1:{smtp}"
signup = {{ {ceilings}check_domains = false, free_confirmations = 10000000 }}
web.trusted_proxies = 1
"""


def application(folder: Path, url: str = "") -> Flask:
    """Make a list whose archive has five letters of 25 KB, and ceilings that nobody reaches.

    A quarter of its subscribers have left, a quarter never confirmed, a quarter are suppressed.
    """
    app = world.make_app(folder, url or f"sqlite:///{folder}/newsletter.db", signup=HIGH)
    with app.app_context():
        world.empty()
        list_id = world.add_subscribers(SUBSCRIBERS)
        world.add_feeds(list_id, 5)
        for _ in range(5):
            world.add_campaign(list_id)
        with transaction() as session:
            session.execute(
                update(Subscription).where(Subscription.id % 4 == 0).values(status="unsubscribed")
            )
            session.execute(
                update(Subscription).where(Subscription.id % 4 == 1).values(status="pending")
            )
            session.connection().exec_driver_sql("UPDATE campaigns SET status = 'sent'")
            session.connection().exec_driver_sql("UPDATE deliveries SET status = 'sent'")
        for number in range(2, 400, 4):
            suppressions.suppress(
                app.extensions[EXTENSION],
                f"subscriber{number}@example.org",
                reason=SuppressionReason.COMPLAINT,
            )
        db.session.remove()
        db.engine.dispose()
    return app


def request_page(client: FlaskClient, page: str, number: int) -> int:
    """Make one request and return its status."""
    if page == "sign-up":
        return client.post(
            "/slow/subscribe", data={"email": f"new{number}@example.org"}
        ).status_code
    return client.get(page).status_code


def measure() -> dict[str, float]:
    """Return CPU milliseconds of each page, the client's (about a tenth of one) included."""
    with tempfile.TemporaryDirectory() as folder:
        client = application(Path(folder)).test_client()
        costs = {}
        for page in (*PAGES, "sign-up"):
            for number in range(WARM):
                assert request_page(client, page, number) in (200, 303)
            begun = time.process_time()
            for number in range(WARM, WARM + REQUESTS):
                request_page(client, page, number)
            costs[page] = (time.process_time() - begun) / REQUESTS * 1000
        return costs


@contextmanager
def serving(
    server: str, url: str = "", *, ceilings: str = "", more: str = ""
) -> Iterator[tuple[int, int]]:
    """Run an installation, and yield port and process id of the server of its pages.

    ``serve`` is waitress with its worker, ``gunicorn`` has a worker beside it; their mail goes to
    Postfix's smtp-sink.
    """
    with tempfile.TemporaryDirectory() as folder, sinks.smtp_sink() as smtp:
        application(Path(folder), url)
        port = sinks.free_port()
        file = Path(folder) / "newsletter.toml"
        database = f'database_url = "{url}"\n' if url else ""
        file.write_text(database + SETTINGS.format(smtp=smtp, ceilings=ceilings) + more)
        environ = {**os.environ, "NEWSLETTER_CONFIG": str(file)}
        ours = [str(Path(sys.executable).with_name("newsletter"))]
        commands = {
            "serve": [[*ours, "serve", "--port", str(port)]],
            "gunicorn": [
                [
                    sys.executable,
                    "-m",
                    "gunicorn",
                    "--bind",
                    f"127.0.0.1:{port}",
                    "--threads",
                    "8",
                    "wsgi:app",
                ],
                [*ours, "worker"],
            ],
        }[server]
        log = Path(folder) / "log"
        with log.open("wb") as out:
            running = [
                subprocess.Popen(command, env=environ, stdout=out, stderr=out)
                for command in commands
            ]
            try:
                sinks.wait_for(port)
                # gunicorn listens before it has loaded
                with urlopen(f"http://127.0.0.1:{port}/slow/", timeout=60) as response:
                    response.read()
                yield port, running[0].pid
            finally:
                for process in running:
                    process.terminate()
                    process.wait()


def visitors() -> Iterator[bytes]:
    """Yield sign-ups: by turns of somebody new and of subscribers in each of four other states."""
    number = 0
    while True:
        new = number % 5 == 0
        email = (
            f"new{number}@example.org"
            if new
            else f"subscriber{number % 5 + number // 5 % 100 * 4}@example.org"
        )
        yield sign_up(email, number)
        number += 1


def newcomers() -> Iterator[bytes]:
    """Yield sign-ups of new addresses."""
    for number in count():
        yield sign_up(f"newcomer{number}@example.org", number)


def sign_up(email: str, number: int) -> bytes:
    """Return a browser's sign-up, from a place of its own."""
    body = urlencode(
        {"email": email, "cadence": "weekly", "language": "en", "form": "page"}
    ).encode()
    head = (
        "POST /slow/subscribe HTTP/1.1\r\nHost: news.example.com\r\nAccept: text/html\r\n"
        f"X-Forwarded-For: 10.{number // 200 % 200}.{number % 200}.{number % 250}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def cpu(pid: int) -> float:
    """Return the seconds of CPU that a process and its children have used."""
    used = 0.0
    children = [
        int(file.parts[2]) for file in Path("/proc").glob("[0-9]*/stat") if _parent(file) == pid
    ]
    for number in (pid, *children):
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        used += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


def _parent(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def measure_rates(port: int, pid: int, seconds: float = 5) -> Iterator[tuple[str, float, float]]:
    """Yield each page's path, answers a second, and CPU milliseconds of the server for one.

    Last come sign-ups of new addresses; their confirmations are sent meanwhile.
    """
    requests = {path: repeat(load.get(path)) for path in PAGES}
    for name, visitors in {**requests, "sign-up": newcomers()}.items():
        load.measure_throughput(port, visitors, visitors=8, seconds=1)
        before = cpu(pid)
        result = load.measure_throughput(port, visitors, visitors=8, seconds=seconds)
        assert set(result.statuses) <= {200, 303}, result.statuses
        yield name, result.rate, (cpu(pid) - before) / len(result.latencies) * 1000
