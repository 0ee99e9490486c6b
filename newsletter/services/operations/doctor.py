"""Check an installation: settings, database, lists, DNS, SMTP, feeds, workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

from sqlalchemy import select

from newsletter import outbox
from newsletter.db.session import reading
from newsletter.dns import dkim
from newsletter.errors import TransportError
from newsletter.i18n import Text
from newsletter.mail.smtp.transport import SmtpTransport
from newsletter.models import Feed, MailingList
from newsletter.services import installation, proxy_headers, workers
from newsletter.services.checks import BAD, GOOD, WARN, Check
from newsletter.services.inbound.reading_checks import check_readers
from newsletter.services.operations import address_checks, dns_checks, machine_checks, watch
from newsletter.services.operations.database import find_newest_revision
from newsletter.services.operations.mail_proof import check_arrival
from newsletter.services.runtime import Environment
from newsletter.stored_texts import Stored

LATE = timedelta(minutes=15)
"""Age of a due mail above which `doctor` reports a delay."""
SILENT = timedelta(minutes=5)
"""Time since its last tick after which a worker counts as stopped; it ticks every 20 seconds."""
SMTP_SECONDS = 10.0
"""Seconds to wait for the SMTP server."""


def examine(
    env: Environment, *, selector: str = "", sample: bytes | None = None, send_to: str = ""
) -> list[Check]:
    """Run every check, the most important first.

    `selector` and `sample` (a mail that was sent) say how mail is signed, for DKIM. `send_to` gets
    a test message. A check that fails raises nothing: it is in the result.
    """
    parts = list_parts(env, selector=selector, sample=sample, send_to=send_to)
    return [check for _, part in parts for check in part()]


Part = Callable[[], list[Check]]


def list_parts(
    env: Environment, *, selector: str = "", sample: bytes | None = None, send_to: str = ""
) -> list[tuple[str, Part]]:
    """List the independent checks that `examine` runs, each with a name."""
    plain: tuple[Callable[[Environment], Iterator[Check]], ...] = (
        _check_settings,
        _check_database,
        machine_checks.check_files,
        machine_checks.check_disk,
        machine_checks.check_clock,
        address_checks.check_base_url,
        proxy_headers.check_proxy,
        watch.check_certificate,
        watch.check_backup,
        watch.check_ceilings,
        _check_lists,
        _check_smtp,
    )
    parts = [_name_part(env, part) for part in plain]
    if send_to:
        parts.append(("arrival", lambda: [check_arrival(env, send_to)]))
    signed = dkim.read_sample(sample) if sample is not None else None

    def check_domain(domain: str) -> list[Check]:
        # It imports cryptography, 8 MB of memory.
        from newsletter.services.operations import dkim_checks

        senders = dns_checks.check_sender(env, domain, selector=selector, sample=signed)
        return [*senders, *dkim_checks.check_keys(env, domain)]

    parts += [(domain, partial(check_domain, domain)) for domain in _list_domains()]
    return parts + [
        _name_part(env, part)
        for part in (_check_names, _check_bounces, _check_feeds, _check_worker, _queue)
    ]


def _name_part(
    env: Environment, part: Callable[[Environment], Iterator[Check]]
) -> tuple[str, Part]:
    name = part.__name__.removeprefix("_").removeprefix("check_")
    return name, lambda: list(part(env))


def _check_settings(env: Environment) -> Iterator[Check]:
    yield Check("settings", GOOD, Text("read from %(folder)s", folder=env.settings.folder))
    if installation.find_key_state(env) is installation.KeyState.FOREIGN:
        why = Text("nobody can unsubscribe by the mails they have, or confirm")
        yield Check("secret_key", BAD, installation.FOREIGN_KEY, installation.FOREIGN_KEY_HINT, why)
    else:
        yield Check("secret_key", GOOD, Text("signs this installation's links"))
    if hold := installation.find_hold():
        yield Check(
            "hold",
            BAD,
            Text("nothing is mailed: %(because)s", because=Stored(hold.because)),
            installation.RELEASE,
        )


def _check_database(env: Environment) -> Iterator[Check]:
    kind = "PostgreSQL" if env.settings.database_url.startswith("postgresql") else "SQLite"
    yield Check("database", GOOD, Text("%(kind)s answers", kind=kind))
    yield Check(
        "migrations",
        GOOD,
        Text("up to date (%(revision)s)", revision=find_newest_revision()),
    )


def _check_lists(env: Environment) -> Iterator[Check]:
    with reading() as session:
        mailing_lists = session.scalars(select(MailingList).order_by(MailingList.id)).all()
    if not mailing_lists:
        yield Check("lists", BAD, Text("there is no mailing list"), "newsletter list add")
    for mailing_list in mailing_lists:
        if not mailing_list.postal_address:
            hint = f'newsletter list edit {mailing_list.slug} --address "…"'
            yield Check(
                "postal_address",
                WARN,
                Text("%(slug)s has no postal address", slug=mailing_list.slug),
                hint,
                Text("the law wants it in every mail"),
            )
        if mailing_list.zone.key != mailing_list.timezone:
            command = f"newsletter list edit {mailing_list.slug} --timezone …"
            hint = Text("%(command)s; until then its hours are UTC", command=command)
            yield Check(
                "timezone",
                BAD,
                Text(
                    "%(slug)s: this machine does not know %(timezone)s",
                    slug=mailing_list.slug,
                    timezone=mailing_list.timezone,
                ),
                hint,
            )


def _list_domains() -> list[str]:
    with reading() as session:
        senders = session.scalars(select(MailingList.from_email).order_by(MailingList.id)).all()
    return list(dict.fromkeys(sender.rpartition("@")[2] for sender in senders))


def _check_smtp(env: Environment) -> Iterator[Check]:
    transport = env.transport()
    if not isinstance(transport, SmtpTransport):
        return
    try:
        offers = transport.probe(timeout=SMTP_SECONDS)
    except TransportError as error:
        yield Check(
            "smtp",
            BAD,
            error.message,
            error.hint,
            Text("until then nothing is sent; it all waits in the queue"),
        )
        return
    yield Check(
        "smtp",
        GOOD,
        Text("connects, and takes the user and password")
        if env.settings.smtp.has_login()
        else Text("connects"),
    )
    size = offers.get("size", "")
    if "pipelining" in offers:
        yield Check("pipelining", GOOD, Text("is offered"))
    else:
        yield Check(
            "pipelining",
            WARN,
            Text("is not offered"),
            why=Text("each message waits for each answer: sending is slower"),
        )
    if size.isdecimal() and 0 < int(size) < 1_000_000:
        yield Check(
            "size",
            WARN,
            Text("the server takes %(size)s bytes a message", size=f"{int(size):,}"),
            Text("a digest may be larger"),
        )
    else:
        yield Check(
            "size",
            GOOD,
            Text("up to %(size)s bytes a message", size=f"{int(size):,}")
            if size.isdecimal() and int(size)
            else Text("no limit said"),
        )


def _check_names(env: Environment) -> Iterator[Check]:
    yield from dns_checks.check_host_name(
        env, urlsplit(env.settings.base_url).hostname or "localhost"
    )


def _check_bounces(env: Environment) -> Iterator[Check]:
    address = env.settings.bounces.address
    if not address:
        hint = Text("set bounces.address to a mailbox of your own, and bounces.mailbox to read it")
        yield Check(
            "bounces",
            WARN,
            Text("returned mail is not read"),
            hint,
            Text("addresses that are gone go on being mailed"),
        )
        return
    yield from check_readers(env)
    domain = address.rpartition("@")[2]
    yield from dns_checks.run_checks(
        "bounces", domain, lambda: dns_checks.check_mx(domain, env.resolver, id_="bounces")
    )


def _check_feeds(env: Environment) -> Iterator[Check]:
    with reading() as session:
        feeds = session.scalars(select(Feed).order_by(Feed.id)).all()
    if not feeds:
        yield Check(
            "feeds", WARN, Text("there is no feed"), "newsletter feed add https://your.blog"
        )
    for feed in feeds:
        if feed.error:
            yield Check("feed", WARN, f"{feed.url}: {feed.error}", "newsletter feed check")
        else:
            yield Check("feed", GOOD, feed.url)


def _check_worker(env: Environment) -> Iterator[Check]:
    ticked = workers.find_last_tick()
    if ticked is None or env.now - ticked > SILENT:
        yield Check(
            "worker", WARN, Text("no worker is running"), "newsletter serve, or newsletter worker"
        )
    else:
        yield Check("worker", GOOD, Text("is running"))


def _queue(env: Environment) -> Iterator[Check]:
    with reading() as session:
        waiting = outbox.count_waiting(session)
        oldest = outbox.find_next_due(session)
    late = oldest is not None and env.now - oldest > LATE
    hint = Text("is a worker running, and does the server take mail?") if late else ""
    yield Check(
        "queue", WARN if late else GOOD, Text("%(waiting)s messages wait", waiting=waiting), hint
    )
