"""Judge SMTP replies: what caused a refusal, whom it concerns, and what may follow from it.

Pure.

The class digit is the server's opinion, the rest is the reason (RFC 3463 section 3): 5.7.1 is about
the sender, 5.1.1 about the recipient, 5.3.4 about the message. Texts are judged first, because
providers report their own quotas under the codes of unknown mailboxes; then the enhanced status,
then the bare code. A reply that no rule matches never harms a subscriber. The rules are in
`reply_rules.py`, the table for people is in docs/smtp.md.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from newsletter.mail.smtp.causes import ABOUT, About, Cause, Rule
from newsletter.mail.smtp.reply_codes import ACCOUNT_CODES, CODES, STATUSES
from newsletter.mail.smtp.reply_rules import BOILERPLATE, LOOSE_RULES, MAILBOX_UNAVAILABLE, RULES
from newsletter.mail.smtp.types import Outcome, Result, Stage

__all__ = ["About", "Cause", "Verdict", "VerdictKind", "classify", "judge", "read_wait"]


class VerdictKind(StrEnum):
    """The kind of a verdict, which decides what becomes of a message."""

    SENT = "sent"
    RECIPIENT = "recipient"
    """The delivery fails because of its recipient."""
    TEMPORARY = "temporary"
    """The delivery is tried again after growing waits."""
    CONTENT = "content"
    """The delivery fails because of its message."""
    US = "us"
    """The delivery waits because of this installation, and no attempt is counted."""
    AGAIN = "again"
    """The message is offered once more at once."""
    IN_DOUBT = "in_doubt"
    UNKNOWN = "unknown"
    """The delivery is tried again after growing waits, for an unknown cause."""


TEXT_AT_MOST = 2_000
"""Characters of a reply that are read: longer ones repeat themselves."""

WAIT_AT_MOST = timedelta(days=1)
"""The longest wait that a server can ask for: it is asked again after a day at the latest."""

SETTINGS: dict[Cause, str] = {
    Cause.QUOTA: "smtp.max_per_hour, smtp.max_per_day",
    Cause.PACE: "smtp.max_per_second",
    Cause.CONNECTIONS: "smtp.connections",
    Cause.ACCOUNT: "smtp.url",
}

_WORDS_JOINED = re.compile(r"\.{3,}|(?<=[a-z])_(?=[a-z])")
_MARKS = str.maketrans({"\u2019": "'", "\u00b4": "'", "<": " ", ">": " "})
_ADDRESS_MARKS = re.compile(r"([\s<>()\[\]{},;:\"'=]+)")
_URL = re.compile(r"https?://([^\s<>\"']{1,300})")
_HOST = re.compile(r"(?:[a-z0-9_-]{1,63}\.){1,8}[a-z][a-z0-9-]{1,62}\.?")
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_LIST_NAMES = re.compile(
    r"spamhaus|spamcop|barracuda|sorbs|proofpoint|manitu|abusix|uceprotect|mailspike|surbl|uribl|"
    r"senderscore|cloudmark|sender ?base"
)
_SIGNAL = re.compile(r"[?&]p=(\w{1,40})")
_RECIPIENTS_REJECTED = re.compile(r"recipient address(?:es)? rejected")
_WAIT = re.compile(
    r"(?:again|retry|wait|reset|resend|after|in|erneut|reessayer|dans)\D{0,25}?(\d{1,6}) ?"
    r"(second|sec|minute|min|hour|hr|day|sekunde|stunde|tag|seconde|heure|jour|s\b|m\b|h\b)"
)
_WINDOW = re.compile(
    r"\b(?:(minute|minut)|(hour|stund|stuend|heure)|"
    r"(dai?ly|day|today|24|tag|taeg|jour|week|month|monat))"
)
_NOT_THE_ACCOUNT = (
    Cause.QUOTA,
    Cause.CONNECTIONS,
    Cause.AUTHENTICATION,
    Cause.TOO_LARGE,
)
_MAILBOX_WORDS = (
    r"mail ?box|inbox|mail ?drop|folder|storage|space|disk|user|recipient|account|full|over ?quota|"
    r"voll|speicher|postfach|boite|buzon|casella|receiv|address|busy|thread|messages to|"
    r"home directory|收件人|邮箱|ящик|получател|skrzynk"
)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "t": 86_400, "j": 86_400}


class Verdict(NamedTuple):
    """The judgement of a server's reply.

    `suppressible`: the address itself is dead (`Cause.MAILBOX`, `Cause.DOMAIN`; a domain only after
    two such replies on different days). `why` is the server's text as one line for people. `wait`
    is how long the server asks to wait, or how long the quota that it names lasts; None if it
    states neither.
    """

    kind: VerdictKind
    why: str
    suppressible: bool = False
    cause: Cause = Cause.NONE
    wait: timedelta | None = None

    @property
    def about(self) -> About:
        """Return the party that the refusal concerns."""
        return ABOUT.get(self.cause, About.SENDER)

    @property
    def setting(self) -> str:
        """Return the name of the setting that helps against this cause, or ""."""
        return SETTINGS.get(self.cause, "")


def judge(outcome: Outcome) -> Verdict:
    """Judge the outcome of a message that was given to a transport."""
    reply = outcome.reply
    if outcome.result == Result.ACCEPTED:
        return Verdict(VerdictKind.SENT, reply.text)
    if outcome.result == Result.IN_DOUBT:
        return Verdict(VerdictKind.IN_DOUBT, reply.text or "the server's answer was lost")
    cause = Cause.NONE
    if reply.code:
        cause = classify(reply.code, reply.enhanced, reply.text, outcome.stage)
    wait = read_wait(cause, reply.text)
    if outcome.result == Result.UNSENT or reply.code == 421:
        why = reply.text or "the connection ended before the message was offered"
        return Verdict(VerdictKind.AGAIN, why, cause=cause, wait=wait)
    permanent = is_permanent(reply.code, reply.enhanced)
    suppressible = permanent and cause in (Cause.MAILBOX, Cause.DOMAIN)
    return Verdict(_choose_kind(cause, permanent=permanent), reply.text, suppressible, cause, wait)


def _choose_kind(cause: Cause, *, permanent: bool) -> VerdictKind:
    about = ABOUT.get(cause, About.SENDER)
    if about == About.SENDER:
        return VerdictKind.US
    if not permanent or cause in (Cause.GREYLISTED, Cause.TEMPORARY):
        return VerdictKind.TEMPORARY
    if about == About.MESSAGE:
        return VerdictKind.CONTENT
    return VerdictKind.RECIPIENT if about == About.RECIPIENT else VerdictKind.UNKNOWN


def is_permanent(code: int, enhanced: str) -> bool:
    """Tell whether a refusal is permanent: neither its code nor its status begins with 4."""
    return not (400 <= code < 500 or enhanced.startswith("4"))


def classify(code: int, enhanced: str, text: str, stage: Stage | None = None) -> Cause:
    """Return the cause of a server's refusal.

    `code` is 0 and `enhanced` is "" if they are not known; `stage` is None for a reply that is
    quoted in a returned message. A refused MAIL or connection is never about a recipient.
    """
    cause = _classify(code, enhanced, text, stage)
    if stage in (Stage.CONNECT, Stage.MAIL) and cause not in (Cause.TOO_LARGE, Cause.FORMAT):
        if ABOUT.get(cause) == About.RECIPIENT:
            return Cause.SENDER
        if cause is Cause.PERMANENT:
            return Cause.POLICY
    return cause


def _classify(code: int, enhanced: str, text: str, stage: Stage | None) -> Cause:
    plain = normalize(text)
    if code in ACCOUNT_CODES:
        cause = _match(RULES, plain)
        return cause if cause in _NOT_THE_ACCOUNT else Cause.ACCOUNT
    reason = re.sub(MAILBOX_UNAVAILABLE, " ", plain)
    status = enhanced or _find_status(plain)
    cause = _match_recipient_denied(status, plain) or _match(RULES, reason)
    if cause is Cause.MAILBOX_FULL and stage and not _names_mailbox(code, status, reason):
        return Cause.QUOTA
    if cause in (Cause.MAILBOX, Cause.DOMAIN) and status[1:] in (".1.7", ".1.8"):
        return Cause.SENDER
    if cause:
        return cause
    if reason != plain and not _has_reason(reason):
        return Cause.MAILBOX if is_permanent(code, status) else Cause.MAILBOX_FULL
    permanent = is_permanent(code, status)
    by_status = _look_up(status, permanent=permanent)
    loose = _match(LOOSE_RULES, reason)
    if by_status is Cause.MAILBOX and loose is Cause.TEMPORARY:
        return Cause.TEMPORARY
    if by_status not in (None, Cause.POLICY, Cause.TEMPORARY, Cause.PROTOCOL):
        return by_status
    return loose or by_status or _judge_code(code, stage, permanent=permanent)


def normalize(text: str) -> str:
    """Prepare a reply for pattern matching: fold case and accents, hide addresses and host names.

    An address must not influence how a reply is judged: `spam@example.org` may be full.
    """
    folded = unicodedata.normalize("NFKD", text[:TEXT_AT_MOST]).lower()
    plain = "".join(letter for letter in folded[:TEXT_AT_MOST] if not unicodedata.combining(letter))
    plain = _WORDS_JOINED.sub(" ", _URL.sub(_shorten_url, plain.translate(_MARKS)))
    return " ".join("".join(_hide(word) for word in _ADDRESS_MARKS.split(plain)).split())


def _shorten_url(match: re.Match[str]) -> str:
    names = " ".join(_LIST_NAMES.findall(match[1])[:2])
    signal = _SIGNAL.search(match[1])
    return f"url {names} {signal[1] if signal else ''}"


def _hide(word: str) -> str:
    if "@" in word:
        return "@"
    if "." in word and _HOST.fullmatch(word) and not word.startswith("resolver."):
        return " ".join(["host", *_LIST_NAMES.findall(word)[:1]])
    return word


@cache
def _compile(rule: Rule) -> re.Pattern[str]:
    joined = "|".join(f"(?:{pattern})" for pattern in rule.patterns)
    return re.compile(unicodedata.normalize("NFKD", joined))


def _match(rules: tuple[Rule, ...], plain: str) -> Cause | None:
    return next((rule.cause for rule in rules if _compile(rule).search(plain)), None)


def _match_recipient_denied(status: str, plain: str) -> Cause | None:
    """Recognise how two mail systems refuse unknown recipients without naming the cause.

    Microsoft 365 (Directory-Based Edge Blocking) replies "Access denied"; Cisco's gateways
    (recipient access table, LDAP accept) reply "#5.1.0 Address rejected".
    """
    denied = "access denied" in plain and _RECIPIENTS_REJECTED.search(plain)
    if status == "5.4.1" and denied:
        return Cause.MAILBOX
    words = plain.partition("(in reply to")[0]  # Postfix
    if (
        status == "5.1.0"
        and words.rstrip(" @.:").endswith(("address rejected", "recipient rejected"))
        and "sender" not in plain
    ):
        return Cause.MAILBOX
    return None


def _names_mailbox(code: int, status: str, plain: str) -> bool:
    """Tell whether an exceeded quota is certainly the mailbox's, and not that of our account."""
    if code in (422, 452, 552) or status[1:4] == ".2.":
        return True
    return bool(re.search(_MAILBOX_WORDS, plain))


def _has_reason(reason: str) -> bool:
    """Tell whether a reply gives a reason besides "mailbox unavailable"."""
    outside = re.sub(r"\[.{0,200}?\]|\(.{0,200}?\)", " ", reason)
    words = re.sub(rf"\b(?:{BOILERPLATE})\b", " ", outside)
    return len(re.findall(r"\b[a-z]{3,}\b", words)) > 1


def _find_status(plain: str) -> str:
    match = _STATUS.search(plain)
    return match[1] if match else ""


def _look_up(status: str, *, permanent: bool) -> Cause | None:
    subject = status.partition(".")[2]
    if subject in ("7.0", "7.1") and not permanent:
        return Cause.TEMPORARY
    if re.fullmatch(r"7\.(?:6[0-4]\d|650)", subject):  # Exchange Online: banned sending addresses
        return Cause.REPUTATION
    if re.fullmatch(r"7\.7\d\d", subject) and subject not in STATUSES:  # the tenant, likewise
        return Cause.ACCOUNT
    while subject:
        if subject in STATUSES:
            return STATUSES[subject]
        subject = subject.rpartition(".")[0]
    return None


def _judge_code(code: int, stage: Stage | None, *, permanent: bool) -> Cause:
    if code == 552:  # RFC 5321 section 4.5.3.1.10: too many recipients, where it answers RCPT
        return Cause.TEMPORARY if stage == Stage.RCPT else Cause.TOO_LARGE
    if code == 521 and stage in (Stage.CONNECT, Stage.MAIL):
        return Cause.POLICY
    return CODES.get(code, Cause.PERMANENT if permanent else Cause.TEMPORARY)


def read_wait(cause: Cause, text: str) -> timedelta | None:
    """Return how long a server asks to wait, or how long the quota it names lasts.

    An hourly quota is free again within an hour; a daily or longer one is tried again every day.
    """
    plain = normalize(text)
    if match := _WAIT.search(plain):
        return min(timedelta(seconds=int(match[1]) * _SECONDS[match[2][0]]), WAIT_AT_MOST)
    if cause is not Cause.QUOTA or not (window := _WINDOW.search(plain)):
        return None
    if window[1]:
        return timedelta(minutes=1)
    return timedelta(hours=1) if window[2] else WAIT_AT_MOST
