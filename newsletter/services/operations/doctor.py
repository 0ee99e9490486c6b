"""Check an installation: what is right, what will cause trouble, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

from sqlalchemy import select

from newsletter import outbox
from newsletter.db.session import reading
from newsletter.dns import dkim
from newsletter.errors import FeedError, TransportError
from newsletter.mail.smtp.transport import SmtpTransport
from newsletter.models import Feed, MailingList
from newsletter.services import installation, proxy_headers, workers
from newsletter.services.checks import Check
from newsletter.services.inbound.reading_checks import check_readers
from newsletter.services.operations import dkim_checks, dns_checks, machine_checks, watch
from newsletter.services.operations.database import newest_revision
from newsletter.services.operations.mail_proof import check_arrival
from newsletter.services.runtime import Environment

LATE = timedelta(minutes=15)
"""Mail that has been due for so long waits for a worker, or for a server."""
SILENT = timedelta(minutes=5)
"""A worker reports itself every 20 seconds."""
SMTP_SECONDS = 10.0
"""Seconds to wait for the SMTP server."""


def examine(
    env: Environment, *, selector: str = "", sample: bytes | None = None, send_to: str = ""
) -> list[Check]:
    """Run every check, in the order in which they matter.

    `selector` and `sample` (a mail that was sent) say how mail is signed, for DKIM. `send_to` gets
    a test message. A check that fails raises nothing: it is in the result.
    """
    parts = list_parts(env, selector=selector, sample=sample, send_to=send_to)
    return [check for _, part in parts for check in part()]


Part = Callable[[], list[Check]]


def list_parts(
    env: Environment, *, selector: str = "", sample: bytes | None = None, send_to: str = ""
) -> list[tuple[str, Part]]:
    """List the checks that `examine` runs, each with a name; none of them needs another."""
    plain: tuple[Callable[[Environment], Iterator[Check]], ...] = (
        _settings,
        _database,
        machine_checks.check_files,
        machine_checks.check_disk,
        machine_checks.check_clock,
        _base_url,
        proxy_headers.check_proxy,
        watch.check_certificate,
        watch.check_backup,
        watch.check_ceilings,
        _lists,
        _smtp,
    )
    parts = [_name_part(env, part) for part in plain]
    if send_to:
        parts.append(("arrival", lambda: [check_arrival(env, send_to)]))
    signed = dkim.read_sample(sample) if sample is not None else None

    def check_domain(domain: str) -> list[Check]:
        senders = dns_checks.check_sender(env, domain, selector=selector, sample=signed)
        return [*senders, *dkim_checks.check_keys(env, domain)]

    parts += [(domain, partial(check_domain, domain)) for domain in _domains()]
    return parts + [_name_part(env, part) for part in (_names, _bounces, _feeds, _worker, _queue)]


def _name_part(
    env: Environment, part: Callable[[Environment], Iterator[Check]]
) -> tuple[str, Part]:
    name = part.__name__.removeprefix("_").removeprefix("check_")
    return name, lambda: list(part(env))


def _settings(env: Environment) -> Iterator[Check]:
    yield Check("settings", "good", f"read from {env.settings.folder}")
    if installation.find_key_state(env) is installation.KeyState.FOREIGN:
        why = "nobody can unsubscribe by the mails they have, or confirm"
        yield Check(
            "secret_key", "bad", installation.FOREIGN_KEY, installation.FOREIGN_KEY_HINT, why
        )
    else:
        yield Check("secret_key", "good", "signs this installation's links")
    if hold := installation.find_hold():
        yield Check("hold", "bad", f"nothing is mailed: {hold.because}", installation.RELEASE)


def _database(env: Environment) -> Iterator[Check]:
    kind = "PostgreSQL" if env.settings.database_url.startswith("postgresql") else "SQLite"
    yield Check("database", "good", f"{kind} answers")
    yield Check("migrations", "good", f"up to date ({newest_revision()})")


def _base_url(env: Environment) -> Iterator[Check]:
    url = env.settings.base_url
    parts = urlsplit(url)
    why = "mail programs offer their button to unsubscribe only for https (RFC 8058 §3.1)"
    if parts.hostname in dns_checks.LOCAL_HOSTS:
        yield Check(
            "base_url",
            "warn",
            "subscribers cannot open localhost",
            "set base_url to your public https address",
            why,
        )
        return
    if parts.scheme != "https":
        yield Check(
            "base_url", "bad", "links in mails are not https", "set base_url to https://…", why
        )
        return
    yield Check("base_url", "good", url)
    yield from _reachable(env, url)


def _reachable(env: Environment, url: str) -> Iterator[Check]:
    """Check that the address in mails leads here, as far as it can be seen from inside."""
    why = (
        "every link in every mail begins with it, and one-click unsubscription must not be "
        "redirected (RFC 8058 section 3.2)"
    )
    hint = (
        "check that the name leads to this machine, that its certificate is valid, and that "
        "`newsletter serve` runs behind it"
    )
    try:
        answer = env.fetch(f"{url}/robots.txt")
    except FeedError as error:
        yield Check("one_click", "bad", f"{url} cannot be reached: {error.reason}", hint, why)
        return
    if answer.url != f"{url}/robots.txt":
        yield Check(
            "one_click",
            "bad",
            f"{url} redirects to {answer.url}",
            "set base_url to where it ends",
            why,
        )
    elif b"Disallow: /unsubscribe/" not in answer.body:
        yield Check("one_click", "bad", f"{url} answers, but it is not this program", hint, why)
    else:
        yield Check("one_click", "good", f"{url} leads here, without a redirect")


def _lists(env: Environment) -> Iterator[Check]:
    with reading() as session:
        mailing_lists = session.scalars(select(MailingList).order_by(MailingList.id)).all()
    if not mailing_lists:
        yield Check("lists", "bad", "there is no mailing list", "newsletter list add")
    for mailing_list in mailing_lists:
        if not mailing_list.postal_address:
            hint = f'newsletter list edit {mailing_list.slug} --address "…"'
            yield Check(
                "postal_address",
                "warn",
                f"{mailing_list.slug} has no postal address",
                hint,
                "the law wants it in every mail",
            )
        if mailing_list.zone.key != mailing_list.timezone:
            command = f"newsletter list edit {mailing_list.slug} --timezone …"
            hint = f"{command}; until then its hours are UTC"
            yield Check(
                "timezone",
                "bad",
                f"{mailing_list.slug}: this machine does not know {mailing_list.timezone}",
                hint,
            )


def _domains() -> list[str]:
    with reading() as session:
        senders = session.scalars(select(MailingList.from_email).order_by(MailingList.id)).all()
    return list(dict.fromkeys(sender.rpartition("@")[2] for sender in senders))


def _smtp(env: Environment) -> Iterator[Check]:
    transport = env.transport()
    if not isinstance(transport, SmtpTransport):
        return
    try:
        offers = transport.probe(timeout=SMTP_SECONDS)
    except TransportError as error:
        yield Check(
            "smtp",
            "bad",
            error.message,
            error.hint,
            "until then nothing is sent; it all waits in the queue",
        )
        return
    yield Check(
        "smtp",
        "good",
        "connects, and takes the user and password"
        if env.settings.smtp.has_login()
        else "connects",
    )
    size = offers.get("size", "")
    if "pipelining" in offers:
        yield Check("pipelining", "good", "is offered")
    else:
        yield Check(
            "pipelining",
            "warn",
            "is not offered",
            why="each message waits for each answer: sending is slower",
        )
    if size.isdecimal() and 0 < int(size) < 1_000_000:
        yield Check(
            "size",
            "warn",
            f"the server takes {int(size):,} bytes a message",
            "a digest may be larger",
        )
    else:
        yield Check(
            "size",
            "good",
            f"up to {int(size):,} bytes a message"
            if size.isdecimal() and int(size)
            else "no limit said",
        )


def _names(env: Environment) -> Iterator[Check]:
    yield from dns_checks.check_host_name(
        env, urlsplit(env.settings.base_url).hostname or "localhost"
    )


def _bounces(env: Environment) -> Iterator[Check]:
    address = env.settings.bounces.address
    if not address:
        hint = "set bounces.address to a mailbox of your own, and bounces.mailbox to read it"
        yield Check(
            "bounces",
            "warn",
            "returned mail is not read",
            hint,
            "addresses that are gone go on being mailed",
        )
        return
    yield from check_readers(env)
    domain = address.rpartition("@")[2]
    yield from dns_checks.run_checks(
        "bounces", domain, lambda: dns_checks.check_mx(domain, env.resolver, id_="bounces")
    )


def _feeds(env: Environment) -> Iterator[Check]:
    with reading() as session:
        feeds = session.scalars(select(Feed).order_by(Feed.id)).all()
    if not feeds:
        yield Check("feeds", "warn", "there is no feed", "newsletter feed add https://your.blog")
    for feed in feeds:
        if feed.error:
            yield Check("feed", "warn", f"{feed.url}: {feed.error}", "newsletter feed check")
        else:
            yield Check("feed", "good", feed.url)


def _worker(env: Environment) -> Iterator[Check]:
    ticked = workers.find_last_tick()
    if ticked is None or env.now - ticked > SILENT:
        yield Check(
            "worker", "warn", "no worker is running", "newsletter serve, or newsletter worker"
        )
    else:
        yield Check("worker", "good", "is running")


def _queue(env: Environment) -> Iterator[Check]:
    with reading() as session:
        waiting = outbox.count_waiting(session)
        oldest = outbox.find_next_due(session)
    late = oldest is not None and env.now - oldest > LATE
    hint = "is a worker running, and does the server take mail?" if late else ""
    yield Check("queue", "warn" if late else "good", f"{waiting} messages wait", hint)
