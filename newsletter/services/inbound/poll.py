"""Poll the mailbox of returned mail: apply new mails, delete those proved to be ours."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Select, delete, insert, select
from sqlalchemy.orm import Session

from newsletter.bounce_vocabulary import BounceSource
from newsletter.db.session import reading, transaction
from newsletter.errors import DatabaseError
from newsletter.mail.mailbox.connect import open_mailbox
from newsletter.mail.mailbox.types import (
    MailboxAddress,
    MailboxError,
    ReturnMailbox,
    parse_mailbox_url,
)
from newsletter.models import SeenMail
from newsletter.services.inbound import receivers
from newsletter.services.inbound.forwarding import delete_forwarded
from newsletter.services.inbound.messages import apply_message
from newsletter.services.runtime import Environment

POLL_SECONDS = 240.0
"""Seconds after which a session ends; shorter than a claim (`receivers.CLAIMED_FOR`)."""

NEW_AT_MOST = 20_000
"""New mails that one session reads; the rest follow in the next."""

BATCH = 40
"""Mails after which progress is recorded and processed mails are deleted."""

ROWS_AT_ONCE = 500
"""Rows of one statement: SQLite takes 32,766 parameters."""

log = logging.getLogger("newsletter.bounces")


@dataclass(slots=True)
class MailboxPollResult:
    """The outcome of one session.

    `busy`: another worker reads the mailbox now.
    """

    read: int = 0
    ours: int = 0
    replies: int = 0
    deleted: int = 0
    failed: int = 0
    busy: bool = False
    problem: str = ""


def read_address(env: Environment) -> MailboxAddress | None:
    """Return the configured mailbox, or None."""
    url = env.settings.bounces.mailbox
    return parse_mailbox_url(url.get_secret_value()) if url else None


def name_mailbox(address: MailboxAddress) -> str:
    """Return the name of a mailbox for the database, without its user name."""
    place = "\0".join((address.scheme[:4], address.host, address.user, address.folder))
    return f"mailbox:{hashlib.sha256(place.encode()).hexdigest()[:40]}"


def never_stop() -> bool:
    """Return False: the default `stop`, which never ends a session early."""
    return False


def poll_mailbox(env: Environment, *, stop: Callable[[], bool] = never_stop) -> MailboxPollResult:
    """Read the mailbox once, unless another worker is reading it.

    Raises `DatabaseError`.

    A mail is deleted only after what it says was committed. A crash in between repeats the deletion
    and nothing else, because every event is recorded once.
    """
    address = read_address(env)
    if address is None:
        return MailboxPollResult(problem="no mailbox is set (bounces.mailbox)")
    name = name_mailbox(address)
    worker = secrets.token_hex(16)
    if not receivers.claim(env, name, worker):
        return MailboxPollResult(busy=True)
    result = MailboxPollResult()
    try:
        with open_mailbox(address, seconds=POLL_SECONDS) as mailbox:
            _read(env, mailbox, name, result, stop)
    except MailboxError as error:
        result.problem = error.message
    finally:
        receivers.give_back(name, worker)
    receivers.note_run(env, name, problem=result.problem)
    return result


def _read(
    env: Environment,
    mailbox: ReturnMailbox,
    name: str,
    result: MailboxPollResult,
    stop: Callable[[], bool],
) -> None:
    delete_forwarded(name)
    uids = mailbox.list_uids()
    with reading() as session:
        known = {row.uid: row.ours for row in session.execute(_known_mails_query(name))}
    _forget(name, known.keys() - set(uids))
    _delete(mailbox, [uid for uid in uids if known.get(uid)], result)
    new = iter([uid for uid in uids if uid not in known][:NEW_AT_MOST])
    while (batch := list(islice(new, BATCH))) and not stop():
        _read_batch(env, mailbox, name, batch, result)


def _known_mails_query(name: str) -> Select[str, int]:
    return select(SeenMail.uid, SeenMail.ours).where(SeenMail.mailbox == name)


def _read_batch(
    env: Environment,
    mailbox: ReturnMailbox,
    name: str,
    batch: Sequence[str],
    result: MailboxPollResult,
) -> None:
    ours_by_uid: dict[str, bool] = {}
    for uid, data in mailbox.fetch(batch):
        try:
            place = (name, uid)
            message = apply_message(env, data, BounceSource.MAILBOX, place=place)
        except DatabaseError:
            raise
        except Exception:  # one mail that nobody foresaw must not keep the others waiting
            log.exception("a mail of the mailbox cannot be processed")
            result.failed += 1
            continue
        result.read += 1
        result.ours += message.ours
        result.replies += message.is_reply
        ours_by_uid[uid] = message.ours
    _note(name, ours_by_uid)
    _delete(mailbox, [uid for uid, ours in ours_by_uid.items() if ours], result)


def _note(name: str, ours_by_uid: dict[str, bool]) -> None:
    rows = [{"mailbox": name, "uid": uid, "ours": int(ours)} for uid, ours in ours_by_uid.items()]
    if not rows:
        return
    with transaction() as session:
        # Another worker may have noted them, if its claim ran out.
        _delete_rows(session, name, ours_by_uid)
        session.execute(insert(SeenMail), rows)


def _delete(mailbox: ReturnMailbox, uids: Sequence[str], result: MailboxPollResult) -> None:
    if uids:
        mailbox.delete(uids)
        result.deleted += len(uids)


def _forget(name: str, gone: Iterable[str]) -> None:
    """Delete the rows of mails that are no longer in the mailbox."""
    uids = sorted(gone)
    for start in range(0, len(uids), ROWS_AT_ONCE):
        with transaction() as session:
            _delete_rows(session, name, uids[start : start + ROWS_AT_ONCE])


def _delete_rows(session: Session, name: str, uids: Iterable[str]) -> None:
    session.execute(delete(SeenMail).where(SeenMail.mailbox == name, SeenMail.uid.in_(list(uids))))
