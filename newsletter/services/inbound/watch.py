"""Wait for returned mail with IMAP's IDLE (RFC 2177)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import closing

from newsletter.mail.mailbox.types import MailboxAddress
from newsletter.services.inbound import receivers
from newsletter.services.inbound.poll import name_mailbox, read_address
from newsletter.services.runtime import Environment

IDLE_SECONDS = 240.0
"""Seconds of one IDLE: shorter than a claim (`receivers.CLAIMED_FOR`) and than servers' limits."""


def wait_for_mail(env: Environment, *, stop: Callable[[], bool]) -> bool:
    """Wait until a mail arrives in the mailbox; return whether one did.

    Returns at once where another worker waits, and where the mailbox knows no IDLE; polling goes on
    beside it. Raises `MailboxError` where the connection fails or is lost.
    """
    address = read_address(env)
    if address is None or not address.is_imap:
        return False
    name = f"{name_mailbox(address)}:idle"
    worker = secrets.token_hex(16)
    if not receivers.claim(env, name, worker):
        return False
    try:
        return _wait(address, stop)
    finally:
        receivers.give_back(name, worker)


def _wait(address: MailboxAddress, stop: Callable[[], bool]) -> bool:
    # Imported here: an installation without a mailbox does not need it in memory.
    from newsletter.mail.mailbox.imap import ImapMailbox

    with closing(ImapMailbox(address, seconds=IDLE_SECONDS + 30)) as mailbox:
        return mailbox.wait(IDLE_SECONDS, stop)
