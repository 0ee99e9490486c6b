"""Parse a returned message of any kind, and classify the result for each recipient.

Pure.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.policy import compat32

from flufl.bounce import all_failures

from newsletter.bounces.addresses import find_address, find_addresses, is_role, normalize_address
from newsletter.bounces.complaints import find_returned_recipients, read_complaint
from newsletter.bounces.dsn import find_status_part, read_dsn, read_groups
from newsletter.bounces.evidence import collect_evidence
from newsletter.bounces.meaning import join_lines, judge_reason
from newsletter.bounces.mime import Part, parse_message
from newsletter.bounces.notice import (
    find_origin,
    find_quoted_recipients,
    find_reason,
    find_recipients,
)
from newsletter.bounces.other_mail import (
    RECEIPT_TYPE,
    asks_to_leave,
    is_receipt,
    read_other_mail,
)
from newsletter.bounces.providers.ses import read_mailed_notification
from newsletter.bounces.recognize import is_bounce, is_delay, is_success, read_notice
from newsletter.bounces.types import BounceClass, BounceResult, ReportEvidence

FLUFL_BYTES_AT_MOST = 32 * 1024
"""Bytes of a message that flufl.bounce reads; a bounce's text is at the beginning."""

FLUFL_LINES_AT_MOST = 400
"""Lines that flufl.bounce reads: its detectors take a second for a hundred thousand lines."""

logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # a traceback for each odd header

_REPLY = re.compile(r"(?<![\w.:-])[45]\d\d[ -][^\n\]]{3,300}")
"""Pattern of a server's reply anywhere in a line."""

_TO_ONESELF = re.compile(
    r"^<?[^\s<>@]{1,64}@[^\s<>@]{1,255}>?:|\bmail to <[^\s<>@]{1,64}@[^\s<>@]{1,255}>", re.M
)
"""Pattern of the failed address in a bounce's text, for bounces sent to or from that address."""

_REJECTED = re.compile(r"\b(?:was|been) (?:automatically )?(?:rejected|refused)\b", re.I)


@dataclass(frozen=True, slots=True)
class Report:
    """A parsed returned message: its own Message-ID, its results and its evidence.

    `results` is empty for a failure that is not understood; `from_system` tells whether a mail
    system wrote the message, and `asks_to_leave` whether a person replied with a wish to be
    unsubscribed.
    """

    message_id: str
    results: list[BounceResult]
    evidence: ReportEvidence
    from_system: bool
    asks_to_leave: bool = False


def read_bounce(data: bytes) -> list[BounceResult]:
    """Return the results of a returned message, none if it cannot be interpreted.

    Accepts any bytes. Reads the first `mime.BYTES_AT_MOST` of them, in bounded time.
    """
    return read_message(data).results


def read_message(data: bytes) -> Report:
    """Parse a returned message with its Message-ID and evidence, in bounded time."""
    message = parse_message(data)
    evidence = collect_evidence(message)
    results = _read_results(message, evidence, data)
    is_reply = any(result.bounce_class is BounceClass.REPLY for result in results)
    return Report(
        message.get("message-id").strip("<> ")[:300],
        results,
        evidence,
        is_bounce(message),
        is_reply and asks_to_leave(message),
    )


def _read_results(message: Part, evidence: ReportEvidence, data: bytes) -> list[BounceResult]:
    complaint = read_complaint(message, evidence)
    if complaint is not None:
        return complaint
    if notified := read_mailed_notification(message.text() if not message.parts else ""):
        return [replace(result, evidence=evidence) for result in notified]
    if is_receipt(message):
        return _read_rejection(message, evidence) or read_other_mail(message, evidence)
    return list(
        dict.fromkeys(
            _read_report(message, evidence)
            or _read_plain(message, evidence, data)
            or ([] if is_bounce(message) else read_other_mail(message, evidence))
        )
    )


def _read_rejection(message: Part, evidence: ReportEvidence) -> list[BounceResult]:
    """Parse a refusal that is sent as a read receipt (RFC 5429 section 2.1.1).

    A recipient's script or quota refused the message; this never means that an address is dead.
    """
    notice = read_notice(message)
    if not _REJECTED.search(notice):
        return []
    parts = (part.text() for part in message.walk() if part.content_type == RECEIPT_TYPE)
    judged = judge_reason(notice)
    full = judged.known and judged.bounce_class is BounceClass.SOFT
    bounce_class = BounceClass.SOFT if full else BounceClass.POLICY
    return [
        BounceResult(group.recipient, bounce_class, "", join_lines(notice), evidence)
        for group in read_groups(next(parts, ""))[1]
    ]


def _read_report(message: Part, evidence: ReportEvidence) -> list[BounceResult]:
    """Parse a machine-readable report, even if it is in plain text."""
    part = find_status_part(message)
    if part is None and not is_bounce(message):
        return []
    text = part.text() if part else _find_fields(message)
    _, groups = read_groups(text)
    notice = read_notice(message)
    results = read_dsn(groups, notice, evidence)
    named = [result for result in results if result.recipient]
    if named or not results:
        return named
    recipients = _guess_recipients(message, notice, evidence)
    return [_replace_recipient(results[0], address) for address in recipients[:1] or [""]]


def _find_fields(message: Part) -> str:
    """Return the fields of a report that lost its MIME structure as text, or ""."""
    for part in message.walk():
        if not part.parts and part.content_type in ("text/plain", "multipart/report"):
            text = part.text()
            if (place := text.lower().find("final-recipient:")) >= 0:
                return text[max(0, text.rfind("\n\n", 0, place)) :]
    return ""


def _replace_recipient(result: BounceResult, recipient: str) -> BounceResult:
    return BounceResult(
        recipient, result.bounce_class, result.status, result.reason, result.evidence
    )


def _read_plain(message: Part, evidence: ReportEvidence, data: bytes) -> list[BounceResult]:
    """Parse a bounce that has only human-readable text."""
    if not is_bounce(message):
        return []
    notice = read_notice(message)
    recipients = _guess_recipients(message, notice, evidence) or _ask_flufl(data, evidence)
    subject = message.get("subject")
    if is_delay(subject, notice) or is_success(subject, notice):
        return [
            BounceResult(address, BounceClass.IGNORE, "", join_lines(subject), evidence)
            for address in recipients or [""]
        ]
    return [_judge_notice(notice, address, evidence) for address in recipients]


def _judge_notice(notice: str, address: str, evidence: ReportEvidence) -> BounceResult:
    """Classify a failure by the server's reply for the address, else by the bounce's text."""
    reason = find_reason(notice, address)
    spoken = [
        words for line in notice.splitlines() if address in line for words in _list_replies(line)
    ]
    whole = judge_reason(reason)
    judged = next((judged for judged in map(judge_reason, spoken) if judged.known), whole)
    if not judged.known:
        texts = [*_list_replies(reason), *_split_paragraphs(notice), *_list_replies(notice)]
        judged = next((other for other in map(judge_reason, texts) if other.known), whole)
    status = judged.status or whole.status
    return BounceResult(address, judged.bounce_class, status, join_lines(reason), evidence)


def _list_replies(text: str) -> list[str]:
    """List the servers' replies that a text quotes."""
    return _REPLY.findall(text[:20_000])[:5]


def _split_paragraphs(notice: str) -> list[str]:
    """Split a bounce's text at blank lines, so that unrelated sentences are not combined."""
    return [text for text in re.split(r"\n\s{0,80}\n", notice[:20_000]) if text.strip()][:40]


def _guess_recipients(message: Part, notice: str, evidence: ReportEvidence) -> list[str]:
    """List failed recipients by header, by the bounce's text, or by the original's recipients."""
    header = find_addresses(" ".join(message.get_all("x-failed-recipients")))
    if header:
        return [find_origin(notice, address) or address for address in header]
    writers = {find_address(part.get("from")).lower() for part in message.walk()}
    ours = {address.lower() for address in evidence.sent_to}
    return (
        find_recipients(notice, not_these=writers | ours)
        or find_returned_recipients(message)
        or find_addresses(" ".join(_TO_ONESELF.findall(notice[:20_000])))
        or [
            address
            for part in message.walk()
            if part.content_type == "text/plain" and not part.parts
            for address in find_quoted_recipients(part.text())
            if address.lower() not in ours
        ][:1]
    )


def _ask_flufl(data: bytes, evidence: ReportEvidence) -> list[str]:
    """List failed recipients found by flufl.bounce, which knows many old mail systems."""
    lines = [line[:500] for line in data[:FLUFL_BYTES_AT_MOST].splitlines()[:FLUFL_LINES_AT_MOST]]
    try:
        temporary, permanent = all_failures(message_from_bytes(b"\n".join(lines), policy=compat32))
    except Exception:  # its detectors raise what they like on odd input
        return []
    ours = {address.lower() for address in evidence.sent_to}
    addresses = [
        normalize_address(raw.decode("utf-8", "replace")) for raw in sorted(temporary | permanent)
    ]
    return [
        address
        for address in addresses
        if find_address(address) and address.lower() not in ours and not is_role(address)
    ]
