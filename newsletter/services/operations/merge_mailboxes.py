"""Merge the mails counted for each mailbox, so that no limit is reset by a restore."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.models import Mailbox
from newsletter.services.mailbox_limits import REMEMBERED
from newsletter.services.operations.replaced_database import (
    OldRow,
    ReplacedDatabase,
    parse_stored_moment,
)

NO_DELIVERY = 0
"""The outbox id for a mail that the restored database lacks; it counts as accepted."""


def merge_mailboxes(session: Session, old: ReplacedDatabase, now: datetime) -> None:
    """Keep the higher count of each mailbox, and the counted mails of both databases."""
    for rows in old.read_batches("mailboxes", ["mailbox_hash", "unanswered", "mails", "last_at"]):
        hashes = [row["mailbox_hash"] for row in rows]
        query = select(Mailbox).where(Mailbox.mailbox_hash.in_(hashes))
        mailboxes = {mailbox.mailbox_hash: mailbox for mailbox in session.scalars(query)}
        for row in rows:
            mailbox = mailboxes.get(row["mailbox_hash"])
            if mailbox is None:
                mailbox = Mailbox(
                    mailbox_hash=row["mailbox_hash"], unanswered=0, mails=[], last_at=now
                )
                session.add(mailbox)
            mailbox.unanswered = max(mailbox.unanswered, int(row["unanswered"] or 0))
            mailbox.mails = _merge_mails(mailbox.mails, row)
            mailbox.last_at = parse_stored_moment(row["last_at"]) or now


def _merge_mails(mails: list[Any], row: OldRow) -> list[Any]:
    counted = {(allowance, at) for allowance, at, _ in mails}
    newer = [
        [allowance, at, NO_DELIVERY]
        for allowance, at, _ in json.loads(row["mails"] or "[]")
        if (allowance, at) not in counted
    ]
    return sorted([*mails, *newer], key=lambda mail: int(mail[1]))[-REMEMBERED:]
