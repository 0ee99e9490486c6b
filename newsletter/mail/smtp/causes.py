"""Define the causes of refused messages, and the form of a rule that recognises one."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Cause(StrEnum):
    """The cause for which a server refuses a message."""

    NONE = "none"  # accepted, never offered whole, or no reply
    MAILBOX = "mailbox"  # no such mailbox, or closed for good
    DOMAIN = "domain"  # the recipient's domain does not exist or takes no mail
    MAILBOX_FULL = "mailbox_full"  # full, busy, or out of order for a while
    RECIPIENT_POLICY = "recipient_policy"  # the recipient's own rules refuse this sender
    QUOTA = "quota"  # our allowance for an hour, a day, a month is used up
    PACE = "pace"  # we send too fast
    CONNECTIONS = "connections"  # we keep too many connections open
    ACCOUNT = "account"  # our account may not send, or not so
    SENDER = "sender"  # our sender address is refused
    AUTHENTICATION = "authentication"  # SPF, DKIM, DMARC, reverse DNS, TLS
    REPUTATION = "reputation"  # blocklists, complaints, a banned network
    CONTENT = "content"  # spam, viruses, links
    POLICY = "policy"  # refused by a rule that is not named
    PROTOCOL = "protocol"  # a command was not understood: our mistake
    TOO_LARGE = "too_large"  # the message is too large
    FORMAT = "format"  # the message cannot be carried as it is
    GREYLISTED = "greylisted"  # try again in some minutes (RFC 6647)
    TEMPORARY = "temporary"  # refused for now, for no reason that a rule knows
    PERMANENT = "permanent"  # refused for good, for no reason that a rule knows


class About(StrEnum):
    """The party that the cause of a refusal concerns."""

    NOBODY = "nobody"
    RECIPIENT = "recipient"
    SENDER = "sender"
    """This installation, its account or its reputation."""
    MESSAGE = "message"
    UNKNOWN = "unknown"


ABOUT: dict[Cause, About] = {
    Cause.NONE: About.NOBODY,
    Cause.GREYLISTED: About.NOBODY,
    Cause.MAILBOX: About.RECIPIENT,
    Cause.DOMAIN: About.RECIPIENT,
    Cause.MAILBOX_FULL: About.RECIPIENT,
    Cause.RECIPIENT_POLICY: About.RECIPIENT,
    Cause.TOO_LARGE: About.MESSAGE,
    Cause.FORMAT: About.MESSAGE,
    Cause.TEMPORARY: About.UNKNOWN,
    Cause.PERMANENT: About.UNKNOWN,
}
"""Parties that causes concern; any cause not listed concerns the sender."""


class Rule(NamedTuple):
    """A rule that recognises a cause by patterns, with the source that documents them."""

    cause: Cause
    source: str
    patterns: tuple[str, ...]
