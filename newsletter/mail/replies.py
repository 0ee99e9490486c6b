"""What an SMTP reply means: for this recipient, for the content, for us, or nothing yet. Pure tables.

The class digit is the server's opinion, the rest says why (RFC 3463 §3): 5.7.1 is about the sender, 5.1.1 about the
recipient, 5.3.4 about the message. Taking every 5xx for a dead address would suppress people who are well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from newsletter.mail.transport import Outcome, Reply, Stage

Kind = Literal["sent", "recipient", "temporary", "content", "us", "again", "in_doubt"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`kind` says what to do; `suppressible`: the address itself is dead; `why` is one line for a person."""

    kind: Kind
    why: str
    suppressible: bool = False


# By enhanced status without its class digit; longest prefix wins.
_PERMANENT: dict[str, tuple[Kind, bool]] = {
    "1": ("recipient", True),  # bad mailbox, domain, syntax
    "1.7": ("us", False),  # sender's address
    "1.8": ("us", False),
    "2.1": ("recipient", True),  # mailbox disabled
    "2.2": ("recipient", False),  # mailbox full
    "2.3": ("content", False),  # message too long for this mailbox
    "2": ("recipient", False),
    "3.4": ("content", False),  # message too big for the system
    "3": ("recipient", False),
    "4": ("recipient", False),  # routing
    "4.1": ("recipient", True),  # Microsoft: "Recipient address rejected: Access denied"
    "5": ("us", False),  # protocol: our mistake
    "6": ("content", False),
    "7": ("us", False),  # policy, authentication, reputation
}
_UNKNOWN_USER = re.compile(
    r"user unknown|unknown user|no such (user|recipient|mailbox|address)|mailbox (unavailable|not found|unknown)|"
    r"(user|recipient|address|account|mailbox).{0,40}(does not exist|doesn't exist|disabled|not found|rejected)",
    re.I,
)
_POLICY = re.compile(
    r"spam|blocked|blacklist|block list|reputation|policy|dmarc|dkim|spf|rbl|dnsbl|banned|denied", re.I
)


def judge(outcome: Outcome) -> Verdict:
    """The verdict on one outcome."""
    reply = outcome.reply
    if outcome.result == "accepted":
        return Verdict("sent", reply.text)
    if outcome.result == "unsent" or reply.code == 421:
        return Verdict("again", reply.text or "the connection ended before the message was offered")
    if outcome.result == "in_doubt":
        return Verdict("in_doubt", reply.text or "the server's answer was lost")
    if 400 <= reply.code < 500:
        return Verdict("us" if _about_us(reply) else "temporary", reply.text)
    kind, suppressible = _refused(outcome.stage, reply)
    return Verdict(kind, reply.text, suppressible)


def _about_us(reply: Reply) -> bool:
    """A refusal for now that is about the sender: 4.7.x, unless it is greylisting (RFC 6647 §2)."""
    return (reply.enhanced.startswith("4.7.") and reply.enhanced not in ("4.7.0", "4.7.1")) or reply.code == 454


def _refused(stage: Stage, reply: Reply) -> tuple[Kind, bool]:
    if reply.code in (530, 534, 535, 538, 521) or stage in ("CONNECT", "MAIL"):
        return _by_status(reply) if reply.code == 552 else ("us", False)
    if reply.code == 552 and stage == "RCPT" and not reply.enhanced:
        return "temporary", False  # too many recipients (RFC 5321 §4.5.3.1.10)
    if reply.enhanced:
        return _by_status(reply)
    return _by_text(stage, reply)


def _by_status(reply: Reply) -> tuple[Kind, bool]:
    subject = reply.enhanced.partition(".")[2]
    if reply.enhanced == "5.5.0" and _UNKNOWN_USER.search(reply.text):
        return "recipient", True  # Microsoft: "550 5.5.0 Requested action not taken: mailbox unavailable"
    while subject:
        if subject in _PERMANENT:
            return _PERMANENT[subject]
        subject = subject.rpartition(".")[0]
    return ("content", False) if reply.code == 552 else ("recipient", False)


def _by_text(stage: Stage, reply: Reply) -> tuple[Kind, bool]:
    if _UNKNOWN_USER.search(reply.text):
        return "recipient", True
    if _POLICY.search(reply.text):
        return "us", False
    if stage == "RCPT" and reply.code in (550, 551, 553):
        return "recipient", True
    if reply.code in (500, 501, 502, 503, 504):
        return "us", False
    return ("recipient", False) if stage == "RCPT" else ("content", False)
