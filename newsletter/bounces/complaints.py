"""Parse spam complaints: the abuse reporting format (RFC 5965), and Microsoft's older format.

Pure.
"""

from __future__ import annotations

import re

from newsletter.bounces.addresses import find_address, find_addresses, is_role, read_field
from newsletter.bounces.meaning import join_lines
from newsletter.bounces.mime import Part
from newsletter.bounces.types import BounceClass, BounceResult, ReportEvidence

COMPLAINTS = ("abuse", "fraud", "opt-out", "opt-out-list", "miscategorized", "other")
"""Feedback types that mean a recipient's complaint (RFC 5965 section 7.3); not-spam takes one back;
auth-failure (RFC 6591), dmarc and virus come from machines."""

_FIELD = re.compile(r"([A-Za-z][A-Za-z-]{1,40})[ \t]{0,8}:[ \t]{0,8}(.*)")
_JMRP = re.compile(r"complaint about message from", re.I)
_REDACTED = re.compile(r"redacted|^\W|xxx|\*\*", re.I)


def read_complaint(message: Part, evidence: ReportEvidence) -> list[BounceResult] | None:
    """Parse a spam complaint; return None for any other message."""
    report = next(
        (part for part in message.walk() if part.content_type == "message/feedback-report"), None
    )
    if report is None:
        return _read_old_form(message, evidence)
    fields = read_fields(report.text())
    kind = fields.get("feedback-type", ["abuse"])[0].partition(";")[0].strip().lower()
    reason = join_lines(f"{kind}: {fields.get('user-agent', [''])[0]}")
    addresses = fields.get("original-rcpt-to", []) + fields.get("removal-recipient", [])
    recipients = [address for value in addresses if (address := read_plain(value))]
    recipients = recipients or find_returned_recipients(message)
    bounce_class = BounceClass.COMPLAINT if kind in COMPLAINTS else BounceClass.IGNORE
    return [
        BounceResult(address, bounce_class, "", reason, evidence)
        for address in list(dict.fromkeys(recipients)) or [""]
    ]


def _read_old_form(message: Part, evidence: ReportEvidence) -> list[BounceResult] | None:
    """Parse a complaint in the format that Microsoft's JMRP used before RFC 5965."""
    headers = [
        value for part in message.walk() for value in part.get_all("x-hmxmroriginalrecipient")
    ]
    if not headers and not _JMRP.search(message.get("subject")):
        return None
    recipients = [address for value in headers if (address := find_address(value))]
    recipients = recipients or find_returned_recipients(message)
    return [
        BounceResult(address, BounceClass.COMPLAINT, "", "abuse", evidence)
        for address in recipients[:1] or [""]
    ]


def read_fields(text: str) -> dict[str, list[str]]:
    """Return the fields of a report (RFC 5965 section 3), with names in lower case."""
    fields: dict[str, list[str]] = {}
    last = ""
    for line in text.splitlines()[:2_000]:
        if line[:1] in (" ", "\t") and last:
            fields[last][-1] = f"{fields[last][-1]} {line.strip()}"[:4_000]
        elif match := _FIELD.match(line.strip()):
            last = match[1].lower()
            fields.setdefault(last, []).append(match[2].strip()[:4_000])
    return fields


def read_plain(value: str) -> str:
    """Return an address that is not redacted (RFC 6590), or ""."""
    address = read_field(value)
    return "" if not address or _REDACTED.search(address.partition("@")[0]) else address


def find_returned_recipients(message: Part) -> list[str]:
    """Return the recipient of the returned message inside a report, as a list."""
    for part in message.walk():
        if part.depth == 0 or part.content_type == "message/feedback-report":
            continue
        headers = dict(part.headers)
        if part.content_type == "text/rfc822-headers":
            headers = dict(read_header_text(part.text()))
        if "message-id" in headers or "received" in headers or "subject" in headers:
            addresses = find_addresses(headers.get("to", ""))
            return [
                address
                for address in addresses
                if not is_role(address) and not _REDACTED.search(address)
            ][:1]
    return []


def read_header_text(text: str) -> list[tuple[str, str]]:
    """Return the header fields in a text."""
    return [(name, values[0]) for name, values in read_fields(text).items()]
