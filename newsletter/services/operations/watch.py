"""Detect problems of the installation, and report each once: in the log and by mail.

The worker looks every hour. A trouble is told once, until it has ended; `status` lists those that
there are now, and `doctor` explains them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.i18n import Text
from newsletter.models import Counter, MailingList
from newsletter.services import notifications, proxy_headers
from newsletter.services.checks import BAD, GOOD, WARN, Check
from newsletter.services.inbound.reading_checks import check_readers
from newsletter.services.limit_log import find_reached_ceilings
from newsletter.services.operations import machine_checks
from newsletter.services.operations.dns_checks import LOCAL_HOSTS
from newsletter.services.runtime import Environment

log = logging.getLogger("newsletter.worker")

TOLD = "told/"
LAST_BACKUP = "backup/last"
BACKUP_AFTER = timedelta(days=7)
CERTIFICATE_BEFORE = timedelta(days=14)
"""Time before its end at which a certificate is reported: renewal at 30 days has failed."""


def list_troubles(env: Environment) -> list[Check]:
    """List the problems that can be detected without the network."""
    parts = (
        proxy_headers.check_proxy,
        machine_checks.check_disk,
        machine_checks.check_clock,
        check_ceilings,
        check_backup,
        _check_mailbox,
    )
    return [check for part in parts for check in part(env) if check.verdict in (WARN, BAD)]


def watch(env: Environment) -> list[Check]:
    """Run every check, and report new problems in the log and by mail to the author."""
    troubles = [*list_troubles(env), *check_certificate(env)]
    troubles = [check for check in troubles if check.verdict in (WARN, BAD)]
    with transaction() as session:
        announced = set(session.scalars(select(Counter.name).where(Counter.name.startswith(TOLD))))
        current = {f"{TOLD}{check.id}" for check in troubles}
        session.execute(delete(Counter).where(Counter.name.in_(announced - current)))
        fresh = [check for check in troubles if f"{TOLD}{check.id}" not in announced]
        for check in fresh:
            session.add(Counter(name=f"{TOLD}{check.id}", starts_at=0, count=1))
        if fresh:
            _notify(env, session, fresh)
    for check in fresh:
        log.warning("%s: %s (%s)", check.id, check.what, check.hint)
    return fresh


def _notify(env: Environment, session: Session, troubles: list[Check]) -> None:
    mailing_list = session.scalars(select(MailingList).order_by(MailingList.id)).first()
    if mailing_list is not None:
        notifications.notify_troubles(env, session, mailing_list, troubles)


def _check_mailbox(env: Environment) -> Iterator[Check]:
    if env.settings.bounces.mailbox is not None:
        yield from (check for check in check_readers(env) if check.id == "mailbox")


def check_ceilings(env: Environment) -> Iterator[Check]:
    """Check that no ceiling over all visitors was reached within a day."""
    if reached := find_reached_ceilings(env):
        yield Check(
            "ceilings",
            WARN,
            Text("sign-ups were turned away: %(names)s was reached", names=", ".join(reached)),
            Text("raise it under [signup], unless it was a flood"),
            Text("people who wanted to subscribe could not"),
        )


def check_backup(env: Environment) -> Iterator[Check]:
    """Check that a backup was made within a week, if there is a list."""
    with reading() as session:
        made_at = session.scalar(
            select(func.max(Counter.starts_at)).where(Counter.name == LAST_BACKUP)
        )
        since = session.scalar(select(func.min(MailingList.created_at)))
    if since is None:
        return
    hint = "newsletter backup /path/to/backups/ --keep 14"
    why = Text("a broken disk would take every subscription and every proof of consent with it")
    if made_at is None:
        if env.now - since > BACKUP_AFTER:
            yield Check("backup", WARN, Text("no backup was ever made"), hint, why)
        return
    age = env.now - datetime.fromtimestamp(made_at, UTC)
    verdict = WARN if age > BACKUP_AFTER else GOOD
    text = (
        Text("the last backup is %(days)s days old", days=age.days)
        if age.days
        else Text("made within a day")
    )
    yield Check("backup", verdict, text, hint if verdict == WARN else "", why)


def check_certificate(env: Environment) -> Iterator[Check]:
    """Check that the certificate of base_url is not about to expire."""
    url = env.settings.base_url
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.hostname in LOCAL_HOSTS:
        return
    ends_at = env.read_certificate(url)
    if ends_at is None:
        return
    left = ends_at - env.now
    day = f"{ends_at:%Y-%m-%d}"
    if left > CERTIFICATE_BEFORE:
        yield Check("certificate", GOOD, Text("valid until %(day)s", day=day))
        return
    yield Check(
        "certificate",
        BAD,
        Text("the certificate of %(url)s ended on %(day)s", url=url, day=day)
        if left < timedelta(0)
        else Text("the certificate of %(url)s ends on %(day)s", url=url, day=day),
        Text("look after its renewal: journalctl -u caddy, or certbot renew"),
        Text("no link in any mail opens without a warning then, and nobody can unsubscribe"),
    )
