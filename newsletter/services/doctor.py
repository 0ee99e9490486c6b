"""Looks an installation over: what is right, what will hurt, what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from sqlalchemy import select

from newsletter import outbox
from newsletter.db import reading
from newsletter.errors import TransportError
from newsletter.mail.smtp import SmtpTransport
from newsletter.models import Feed, MailingList
from newsletter.services import workers
from newsletter.services.environment import Environment

Verdict = Literal["good", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; `hint` says what to do where it is not good."""

    id: str
    verdict: Verdict
    what: str
    hint: str = ""


def examine(env: Environment) -> list[Check]:
    """Every check, in the order in which they matter."""
    parts: tuple[Callable[[Environment], Iterator[Check]], ...] = (_base_url, _lists, _smtp, _feeds, _worker, _queue)
    return [Check("database", "good", "answers and is up to date"), *(check for part in parts for check in part(env))]


def _base_url(env: Environment) -> Iterator[Check]:
    parts = urlsplit(env.settings.base_url)
    if parts.scheme == "https":
        yield Check("base_url", "good", env.settings.base_url)
    elif parts.hostname in ("localhost", "127.0.0.1", "::1"):
        yield Check("base_url", "warn", "readers cannot open localhost", "set base_url to your public https address")
    else:
        yield Check("base_url", "bad", "links in mails are not https", "set base_url to https://…; one-click needs it")


def _lists(env: Environment) -> Iterator[Check]:
    with reading() as session:
        found = session.scalars(select(MailingList)).all()
        if not found:
            yield Check("lists", "bad", "there is no mailing list", "newsletter list add")
        for row in found:
            if not row.postal_address:
                hint = f'newsletter list edit {row.slug} --address "…"; the law asks for it in every mail'
                yield Check("postal_address", "warn", f"{row.slug} has no postal address", hint)
            if row.zone.key != row.timezone:
                hint = f"newsletter list edit {row.slug} --timezone …; until then its hours are UTC"
                yield Check("timezone", "bad", f"{row.slug}: this machine does not know {row.timezone}", hint)
            domain = row.from_email.rpartition("@")[2]
            if domain in ("gmail.com", "yahoo.com", "outlook.com", "hotmail.com", "gmx.de", "gmx.net", "icloud.com"):
                hint = "write from an address of your own domain; others refuse such mail (DMARC)"
                yield Check("from", "bad", f"{row.slug} is sent from {domain}", hint)


def _smtp(env: Environment) -> Iterator[Check]:
    transport = env.transport()
    if not isinstance(transport, SmtpTransport):
        return
    try:
        offers = transport.probe()
    except TransportError as error:
        yield Check("smtp", "bad", error.message, error.hint)
        return
    yield Check("smtp", "good", "connects, and offers " + (", ".join(sorted(offers)) or "nothing beyond the basics"))


def _feeds(env: Environment) -> Iterator[Check]:
    with reading() as session:
        found = session.scalars(select(Feed)).all()
        if not found:
            yield Check("feeds", "warn", "there is no feed", "newsletter feed add https://your.blog")
        for row in found:
            if row.error:
                yield Check("feed", "warn", f"{row.url}: {row.error}", "newsletter feed check")
            else:
                yield Check("feed", "good", row.url)


def _worker(env: Environment) -> Iterator[Check]:
    ticked = workers.last_tick()
    if ticked is None or (env.now - ticked).total_seconds() > 300:
        yield Check("worker", "warn", "no worker is running", "newsletter serve, or newsletter worker")
    else:
        yield Check("worker", "good", "is running")


def _queue(env: Environment) -> Iterator[Check]:
    with reading() as session:
        waiting = outbox.waiting(session)
        oldest = outbox.next_due(session)
    late = oldest is not None and (env.now - oldest).total_seconds() > 900
    hint = "is a worker running, and does the server take mail?" if late else ""
    yield Check("queue", "warn" if late else "good", f"{waiting} messages wait", hint)
