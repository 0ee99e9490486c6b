"""Measure how fast the listener is, and what a mailbox full of foreign mail costs."""

from __future__ import annotations

import multiprocessing
import resource
import smtplib
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask
from pydantic import SecretStr
from sqlalchemy import func, select, update

from bench import world
from newsletter import outbox
from newsletter.app import create_app
from newsletter.db.session import db, reading, transaction
from newsletter.models import BounceEvent, Delivery, SeenMail, Suppression
from newsletter.services.inbound.listener import BounceListener
from newsletter.services.inbound.poll import poll_mailbox
from newsletter.services.runtime import EXTENSION, utcnow
from newsletter.settings import Bounces
from newsletter.tokens import make_return_path

ADDRESS = "bounces@news.example.com"
CLIENTS = 4
REPORT = """\
From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
To: {to}
Subject: Undelivered Mail Returned to Sender
Message-ID: <{number}@mx.example.org>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B

I'm sorry to have to inform you that your message could not be delivered.

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; {recipient}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown

--B
Content-Type: message/rfc822

Subject: Going slowly
Message-ID: <{reference}@example.com>

{body}
--B--
"""
BODY = "A letter that comes back whole.\n" * 700
"""About 22 KB, as of a server that returns the whole message."""


def measure_memory() -> float:
    """Return the memory of this process in MB, at present."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


@contextmanager
def make_app(count: int, url: str = "", **bounces: object) -> Iterator[Flask]:
    """Make an installation whose letter to `count` subscribers was sent, on SQLite without a `url`.

    What a database at `url` held is deleted.
    """
    with tempfile.TemporaryDirectory() as folder:
        app = world.make_app(Path(folder), url or f"sqlite:///{folder}/newsletter.db")
        settings = app.extensions[EXTENSION].settings.model_copy(
            update={"bounces": Bounces(address=ADDRESS, **bounces)}  # type: ignore[arg-type]
        )
        app = create_app(settings)
        with app.app_context():
            world.empty()
            world.add_campaign(world.add_subscribers(count))
            with transaction() as session:
                session.execute(update(Delivery).values(status="sent", finished_at=utcnow()))
            yield app
            db.session.remove()
            db.engine.dispose()


def _write_reports() -> list[tuple[str, str]]:
    with reading() as session:
        references = outbox.get_references(session)
        ids = session.scalars(select(Delivery.id).order_by(Delivery.id)).all()
    reports = []
    for number, id_ in enumerate(ids, 1):
        reference = references.name_report(id_)
        to = make_return_path(ADDRESS, reference)
        recipient = f"subscriber{number}@example.org"
        text = REPORT.format(
            to=to, number=number, recipient=recipient, reference=reference, body=BODY
        )
        reports.append((to, text))
    return reports


def _send(port: int, reports: list[tuple[str, str]]) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        for to, text in reports:
            client.sendmail("", [to], text)


def measure_listener(count: int, url: str = "") -> dict[str, float]:
    """Send `count` bounces over several connections; return seconds and memory as it grew."""
    with make_app(count, url) as app:
        reports = _write_reports()
        warm, rest = reports[: count // 10], reports[count // 10 :]
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        listener = BounceListener(app, "127.0.0.1", port)
        listener.start()
        spawn = multiprocessing.get_context("spawn")
        figures: dict[str, float] = {}
        began, processor = time.perf_counter(), time.process_time()
        for name, part in (("warm_mb", warm), ("end_mb", rest)):
            clients = [
                spawn.Process(target=_send, args=(port, part[start::CLIENTS]))
                for start in range(CLIENTS)
            ]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            figures[name] = measure_memory()
        figures["seconds"] = time.perf_counter() - began
        figures["cpu_ms_each"] = (time.process_time() - processor) / count * 1000
        listener.stop()
        with reading() as session:
            figures["events"] = session.scalar(select(func.count(BounceEvent.id))) or 0
            figures["suppressed"] = session.scalar(select(func.count(Suppression.id))) or 0
        return figures


def measure_mailbox(count: int) -> dict[str, float]:
    """Read a mailbox of `count` foreign mails and one bounce until nothing is new."""
    from tests.services.inbound.dovecot import running_dovecot

    with running_dovecot() as dovecot, make_app(10, mailbox=SecretStr(dovecot.url("imap"))) as app:
        for number in range(count):
            dovecot.deliver(
                f"From: a@b.example\nSubject: Invoice {number}\n\nHello\n{BODY[:2_000]}".encode()
            )
        [(_, report), *_] = _write_reports()
        dovecot.deliver(report.encode())
        env = app.extensions[EXTENSION]
        figures: dict[str, float] = {"start_mb": measure_memory()}
        began = time.perf_counter()
        read = deleted = sessions = 0
        while not sessions or result.read:  # noqa: F821 (set by the first session)
            result = poll_mailbox(env)
            assert not result.problem, result.problem
            read, deleted, sessions = read + result.read, deleted + result.deleted, sessions + 1
            figures.setdefault("first_mb", measure_memory())
        figures |= {
            "seconds": time.perf_counter() - began,
            "end_mb": measure_memory(),
            "read": read,
            "deleted": deleted,
            "sessions": sessions,
        }
        began = time.perf_counter()
        poll_mailbox(env)
        figures["again_seconds"] = time.perf_counter() - began
        with reading() as session:
            figures["events"] = session.scalar(select(func.count(BounceEvent.id))) or 0
            figures["seen"] = session.scalar(select(func.count()).select_from(SeenMail)) or 0
        figures["left"] = sum(
            1 for name in ("cur", "new") for _ in (dovecot.folder / "Maildir" / name).iterdir()
        )
        return figures
