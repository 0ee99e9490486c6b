"""Looks an installation over: what is right, what will hurt, what to do about it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.engine import make_url

from newsletter import outbox
from newsletter.db.session import reading
from newsletter.dns import dkim
from newsletter.errors import FeedError, TransportError
from newsletter.files import is_exposed, side_files
from newsletter.mail.smtp.transport import SmtpTransport
from newsletter.models import Feed, MailingList
from newsletter.services import installation, proxy_headers, workers
from newsletter.services.checks import Check
from newsletter.services.inbound.reading_checks import check_readers
from newsletter.services.operations import dns_checks
from newsletter.services.operations.database import newest_revision
from newsletter.services.runtime import Environment
from newsletter.settings import DEFAULT_FILE

ROOM_WANTED, ROOM_AT_LEAST = 1 << 30, 200 << 20
LATE = timedelta(minutes=15)
SILENT = timedelta(minutes=5)
CLOCK_OFF = timedelta(minutes=2)
SMTP_SECONDS = 10.0


def examine(env: Environment, *, selector: str = "", sample: bytes | None = None) -> list[Check]:
    """Every check, in the order in which they matter.

    `selector` and `sample` (a mail that was sent) say how mail is signed, for DKIM. Raises nothing
    for what is wrong: that is what it is for.
    """
    parts: tuple[Callable[[Environment], Iterator[Check]], ...] = (
        _settings,
        _database,
        _files,
        _disk,
        _clock,
        _base_url,
        proxy_headers.check_proxy,
        _lists,
        _smtp,
    )
    found = [check for part in parts for check in part(env)]
    signed = dkim.read_sample(sample) if sample is not None else None
    for domain in _domains():
        found += dns_checks.check_sender(env, domain, selector=selector, sample=signed)
    for more in (_names, _bounces, _feeds, _worker, _queue):
        found += more(env)
    return found


def _settings(env: Environment) -> Iterator[Check]:
    yield Check("settings", "good", f"read from {env.settings.folder}")
    if installation.find_key_state(env) == "foreign":
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


def _files(env: Environment) -> Iterator[Check]:
    """Look for files with personal data, or with the key that opens every link, that others can
    read.
    """
    files = [env.settings.folder / DEFAULT_FILE]
    url = make_url(env.settings.database_url)
    if url.get_backend_name() == "sqlite":
        database = Path(str(url.database))
        files += [
            database,
            *side_files(database),
            *sorted(database.parent.glob(f"{database.name}.before-restore*")),
        ]
    exposed = [str(file) for file in files if is_exposed(file)]
    if exposed:
        why = (
            "every address is in the database, and the settings hold the key that opens every link"
        )
        yield Check(
            "files",
            "bad",
            f"others can read {', '.join(exposed)}",
            f"chmod 600 {' '.join(exposed)}",
            why,
        )
    else:
        yield Check("files", "good", "only their owner can read them")


def _disk(env: Environment) -> Iterator[Check]:
    url = make_url(env.settings.database_url)
    folder = (
        Path(url.database or ".").parent
        if url.get_backend_name() == "sqlite"
        else env.settings.folder
    )
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield Check("disk", "unknown", f"{folder}: {error.strerror}")
        return
    said = f"{free / (1 << 30):.1f} GB free at {folder}"
    why = "what was sent must be written down, or it may be sent again; so sending stops where nothing can be written"
    if free < ROOM_AT_LEAST:
        yield Check("disk", "bad", said, "make room", why)
    elif free < ROOM_WANTED:
        yield Check("disk", "warn", said, "make room soon", why)
    else:
        yield Check("disk", "good", said)


def _clock(env: Environment) -> Iterator[Check]:
    """This machine's clock beside the database's, where that is another machine."""
    with reading() as session:
        theirs = float(session.scalar(select(outbox.seconds_now_clause(session))) or 0)
    off = abs(env.now.timestamp() - theirs)
    if off > CLOCK_OFF.total_seconds():
        why = "links would expire, and digests go out, at the wrong time"
        yield Check(
            "clock", "bad", f"it differs from the database's by {off:.0f} s", "set both by NTP", why
        )
    else:
        yield Check("clock", "good", f"{env.now:%Y-%m-%d %H:%M:%S} UTC, as the database has it")


def _base_url(env: Environment) -> Iterator[Check]:
    url, parts = env.settings.base_url, urlsplit(env.settings.base_url)
    why = "mail programs offer their button to unsubscribe only for https (RFC 8058 §3.1)"
    if parts.hostname in dns_checks.LOCAL:
        yield Check(
            "base_url",
            "warn",
            "readers cannot open localhost",
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
    """Tell whether the address in our mails leads here: from the outside as far as that can be seen
    from inside.
    """
    why = "every link in every mail begins with it, and one-click unsubscription must not be redirected (RFC 8058 §3.2)"
    hint = "does the name lead to this machine, is its certificate right, and does `newsletter serve` run behind it?"
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
        found = session.scalars(select(MailingList).order_by(MailingList.id)).all()
    if not found:
        yield Check("lists", "bad", "there is no mailing list", "newsletter list add")
    for row in found:
        if not row.postal_address:
            hint = f'newsletter list edit {row.slug} --address "…"'
            yield Check(
                "postal_address",
                "warn",
                f"{row.slug} has no postal address",
                hint,
                "the law wants it in every mail",
            )
        if row.zone.key != row.timezone:
            hint = f"newsletter list edit {row.slug} --timezone …; until then its hours are UTC"
            yield Check(
                "timezone", "bad", f"{row.slug}: this machine does not know {row.timezone}", hint
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
        "connects, and takes the user and password" if _has_user(env) else "connects",
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


def _has_user(env: Environment) -> bool:
    return any(urlsplit(url.get_secret_value()).username for url in env.settings.smtp.url)


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
        found = session.scalars(select(Feed).order_by(Feed.id)).all()
    if not found:
        yield Check("feeds", "warn", "there is no feed", "newsletter feed add https://your.blog")
    for row in found:
        if row.error:
            yield Check("feed", "warn", f"{row.url}: {row.error}", "newsletter feed check")
        else:
            yield Check("feed", "good", row.url)


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
        waiting, oldest = outbox.count_waiting(session), outbox.find_next_due(session)
    late = oldest is not None and env.now - oldest > LATE
    hint = "is a worker running, and does the server take mail?" if late else ""
    yield Check("queue", "warn" if late else "good", f"{waiting} messages wait", hint)
