"""Take one measurement in its own process and print it as a line of JSON: time, CPU, memory.

``python -m bench.one engine|naive|smtplib FOLDER DATABASE_URL PORT CONNECTIONS COUNT``
"""

from __future__ import annotations

import json
import resource
import smtplib
import sys
import threading
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path

from flask import Flask
from sqlalchemy import select

from bench import world
from newsletter.cli.start_up import freeze_start_up
from newsletter.db.session import db
from newsletter.mail.slots import fill
from newsletter.models import Campaign, Delivery, Edition
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sending import run as sending
from newsletter.vocabulary import DeliveryStatus


def engine(app: Flask, port: int, connections: int, count: int) -> int:
    """Send all that is due, as the program does."""
    return sending.send_due(app.extensions[EXTENSION]).sent


def naive(app: Flask, port: int, connections: int, count: int) -> int:
    """Send the usual way: per message an ORM object, a template, `EmailMessage` and a commit."""
    env: Environment = app.extensions[EXTENSION]
    edition = db.session.scalars(select(Edition)).one()
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        for id_ in db.session.scalars(select(Delivery.id).order_by(Delivery.id).limit(count)).all():
            delivery = db.session.get_one(Delivery, id_)
            campaign = db.session.get_one(Campaign, delivery.campaign_id)
            smtp.send_message(_message(env, edition, campaign, delivery))
            delivery.status = DeliveryStatus.SENT
            delivery.finished_at = env.now
            db.session.commit()
    return count


def _message(
    env: Environment, edition: Edition, campaign: Campaign, delivery: Delivery
) -> EmailMessage:
    from newsletter.models import Subscription

    subscription = db.session.get_one(Subscription, delivery.subscription_id)
    subscriber = subscription.subscriber
    values = {
        "name": subscriber.name,
        "unsubscribe_url": env.links.unsubscribe(subscription.handle, env.now),
        "preferences_url": env.links.preferences(subscription.handle, env.now),
    }
    message = EmailMessage(policy=SMTP)
    message["From"] = "Ana <ana@example.com>"
    message["To"] = f"{subscriber.name} <{subscriber.email}>"
    message["Subject"] = edition.subject
    message["Date"] = format_datetime(env.now)
    message["Message-ID"] = f"<{campaign.seed}.{delivery.id}@example.com>"
    message["List-Unsubscribe"] = f"<{values['unsubscribe_url']}>"
    message.set_content(fill(edition.text, values), cte="quoted-printable")
    message.add_alternative(fill(edition.html, values), subtype="html", cte="quoted-printable")
    return message


def plain_smtplib(app: Flask, port: int, connections: int, count: int) -> int:
    """Send finished messages with the standard library, one thread for each connection."""
    data = (b"Subject: x\r\n\r\n" + b"x" * 74 + b"\r\n") + (b"x" * 74 + b"\r\n") * 330
    per_connection = count // connections

    def work() -> None:
        with smtplib.SMTP("127.0.0.1", port) as smtp:
            for _ in range(per_connection):
                smtp.sendmail("ana@example.com", ["subscriber@example.org"], data)

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return per_connection * connections


WAYS: dict[str, Callable[[Flask, int, int, int], int]] = {
    "engine": engine,
    "naive": naive,
    "smtplib": plain_smtplib,
}


def main(way: str, folder: str, url: str, port: int, connections: int, count: int) -> None:
    """Print ``{"messages", "seconds", "cpu_us", "memory_mb"}``."""
    app = world.make_app(Path(folder), url, url=f"smtp://127.0.0.1:{port}", connections=connections)
    freeze_start_up()  # as every command does
    with app.app_context():
        before = resource.getrusage(resource.RUSAGE_SELF)
        began = time.perf_counter()
        messages = WAYS[way](app, port, connections, count)
        seconds = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        result = {
            "messages": messages,
            "seconds": seconds,
            "cpu_us": cpu / messages * 1e6,
            "memory_mb": peak_mb(),
        }
        print(json.dumps(result))


def peak_mb() -> float:
    """Return this process's peak of memory (getrusage counts the parent's, too)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], *map(int, sys.argv[4:7]))
