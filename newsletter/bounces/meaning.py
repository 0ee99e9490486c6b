"""Classify the reasons of bounces by the rules for SMTP replies.

Pure.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from newsletter.bounces.types import BounceClass
from newsletter.mail.smtp.causes import Cause
from newsletter.mail.smtp.classify import classify, is_permanent

CLASSES: dict[Cause, BounceClass] = {
    Cause.NONE: BounceClass.SOFT,
    Cause.MAILBOX: BounceClass.HARD,
    Cause.DOMAIN: BounceClass.HARD,
    Cause.MAILBOX_FULL: BounceClass.SOFT,
    Cause.RECIPIENT_POLICY: BounceClass.POLICY,
    Cause.QUOTA: BounceClass.POLICY,
    Cause.PACE: BounceClass.POLICY,
    Cause.CONNECTIONS: BounceClass.POLICY,
    Cause.ACCOUNT: BounceClass.SENDER,
    Cause.SENDER: BounceClass.SENDER,
    Cause.AUTHENTICATION: BounceClass.POLICY,
    Cause.REPUTATION: BounceClass.POLICY,
    Cause.CONTENT: BounceClass.CONTENT,
    Cause.POLICY: BounceClass.POLICY,
    Cause.PROTOCOL: BounceClass.SENDER,
    Cause.TOO_LARGE: BounceClass.CONTENT,
    Cause.FORMAT: BounceClass.CONTENT,
    Cause.GREYLISTED: BounceClass.SOFT,
    Cause.TEMPORARY: BounceClass.SOFT,
    Cause.PERMANENT: BounceClass.SOFT,
}

TEXT_AT_MOST = 4_000
"""Characters of a bounce's text that are read."""

REASON_AT_MOST = 300
"""Characters of a bounce's reason that are kept."""

_CODE = re.compile(r"(?<![\w.:=\[-])([45]\d\d)(?=[ -]|$)")
_IRONPORT = re.compile(r"[45]\.[\dx]\.\d - [\w ]{3,60}?(?=[45]\d\d-')")
"""Pattern of the prefix that Cisco's gateways put before the last server's reply, such as "5.1.0 -
Unknown address error"."""

_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_NO_DOMAIN = re.compile(r"\bnxdomain\b|non-?existent ?domain|\bnull mx\b", re.I)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


class Judgement(NamedTuple):
    """The class and status of a bounce, judged by its reason.

    `known` tells whether a cause was recognised.
    """

    bounce_class: BounceClass
    status: str
    known: bool


def judge_reason(text: str, status: str = "") -> Judgement:
    """Classify the reason of a bounce.

    `status` is the report's Status field. A status in the last server's reply is preferred to it,
    unless that one ends in .0.0.
    """
    text = _IRONPORT.sub("", text[:TEXT_AT_MOST])
    code = find_code(text)
    spoken = find_status(text)
    if spoken.startswith("2"):
        spoken = ""  # a success is no reason: it is the number of a version, or another reply
    enhanced = choose_status(status, spoken)
    cause = classify(code, enhanced, text)
    permanent = is_permanent(code, enhanced) if code or enhanced else True
    known = cause not in (Cause.PERMANENT, Cause.NONE) and not (
        cause is Cause.TEMPORARY and enhanced.endswith(".0")
    )
    if names_no_domain(text):
        return Judgement(BounceClass.HARD, enhanced, known=True)
    if enhanced[1:] == ".2.2" and cause in (Cause.PACE, Cause.QUOTA, Cause.CONNECTIONS):
        cause = Cause.MAILBOX_FULL  # "full, or getting too much mail": RFC 3463 X.2.2 says which
    if cause in (Cause.MAILBOX, Cause.DOMAIN) and not permanent:
        return Judgement(BounceClass.SOFT, enhanced, known)
    if enhanced[1:4] == ".7." and cause in (Cause.ACCOUNT, Cause.TEMPORARY, Cause.PERMANENT):
        return Judgement(BounceClass.POLICY, enhanced, known)
    return Judgement(CLASSES[cause], enhanced, known)


def names_no_domain(text: str) -> bool:
    """Tell whether a reason says that the domain does not exist or accepts no mail.

    A null MX (RFC 7505) means that it accepts no mail. In both cases a later attempt would fail as
    well.
    """
    return bool(_NO_DOMAIN.search(text[:TEXT_AT_MOST]))


def choose_status(reported: str, spoken: str) -> str:
    """Choose between a report's Status field and the status in the last server's reply."""
    if not spoken or (spoken.endswith(".0.0") and reported):
        return reported or spoken
    return spoken


def find_code(text: str) -> int:
    """Return the SMTP reply code in a bounce's reason, or 0."""
    match = _CODE.search(text[:TEXT_AT_MOST])
    return int(match[1]) if match else 0


def find_status(text: str) -> str:
    """Return the enhanced status code (RFC 3463) in a text, or ""."""
    match = _STATUS.search(text[:TEXT_AT_MOST])
    return match[1] if match else ""


def join_lines(text: str) -> str:
    """Join an untrusted text into one short line."""
    return " ".join(_CONTROL.sub(" ", text[:TEXT_AT_MOST]).split())[:REASON_AT_MOST]
