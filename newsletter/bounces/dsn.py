"""Parse delivery status notifications (RFC 3464), including international ones (RFC 6533).

Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from newsletter.bounces.addresses import read_field
from newsletter.bounces.meaning import find_status, join_lines, judge_reason
from newsletter.bounces.mime import Part
from newsletter.bounces.notice import find_reason
from newsletter.bounces.types import BounceClass, BounceResult, ReportEvidence

STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")

RECIPIENTS_AT_MOST = 200
"""Recipients of one bounce report that are read."""

_FIELD = re.compile(r"([A-Za-z][A-Za-z-]{2,40})[ \t]{0,8}:[ \t]{0,8}(.*)")
_TYPE = re.compile(r"^\s{0,8}[A-Za-z-]{1,30}\s{0,4};\s{0,8}")
_NO_FAILURES = ("delayed", "delivered", "relayed", "expanded", "deliverable")
_ABOUT = ("original-envelope-id", "reporting-mta", "arrival-date", "x-postfix-sender")
_STARTS = ("final-recipient", "original-recipient", "action")


@dataclass(frozen=True, slots=True)
class RecipientFields:
    """The fields of one recipient in a report (RFC 3464 section 2.3), names in lower case."""

    fields: dict[str, str]

    def get(self, name: str) -> str:
        """Return a field, or "" if it is missing."""
        return self.fields.get(name, "")

    @property
    def recipient(self) -> str:
        """The original recipient's address, else the final one."""
        return read_field(self.get("original-recipient")) or read_field(self.get("final-recipient"))

    @property
    def reason(self) -> str:
        """The reply of the last server, without the prefix for its type."""
        return _TYPE.sub("", self.get("diagnostic-code"))


def find_status_part(message: Part) -> Part | None:
    """Return the part with the delivery status, ignoring any inside the returned message."""
    parts = [part for part in message.walk() if part.content_type in STATUS_TYPES]
    return min(parts, key=lambda part: part.depth, default=None)


def read_groups(text: str) -> tuple[dict[str, str], list[RecipientFields]]:
    """Return the fields about the message and those about each recipient.

    Blank lines separate them (RFC 3464 section 2.1); if a mail system lost these, the next
    recipient begins at a repeated field that can begin one.
    """
    blocks: list[dict[str, str]] = [{}]
    last = ""
    for line in text.splitlines()[:20_000]:
        if not line.strip():
            if blocks[-1]:
                blocks.append({})
            last = ""
        elif line[0] in " \t" and last:
            blocks[-1][last] = f"{blocks[-1][last]} {line.strip()}"[:4_000]
        elif match := _FIELD.match(line.strip()):
            last = match[1].lower()
            if last in _STARTS and last in blocks[-1]:
                blocks.append({})
            blocks[-1].setdefault(last, match[2].strip()[:4_000])
        if len(blocks) > RECIPIENTS_AT_MOST:
            break
    about = {name: value for block in blocks for name, value in block.items() if name in _ABOUT}
    groups = [
        RecipientFields(block)
        for block in blocks
        if "final-recipient" in block or "original-recipient" in block
    ]
    return about, groups


def read_dsn(
    groups: list[RecipientFields], notice: str, evidence: ReportEvidence
) -> list[BounceResult]:
    """Return the result for each recipient of a report; `notice` is its human-readable text."""
    return [_judge_group(group, notice, evidence) for group in groups]


def _judge_group(group: RecipientFields, notice: str, evidence: ReportEvidence) -> BounceResult:
    status = find_status(group.get("status"))
    action = group.get("action").partition("(")[0].strip().lower()
    reason = group.reason
    if action in _NO_FAILURES or (not action and status[:1] == "2"):
        words = join_lines(reason or action)
        return BounceResult(group.recipient, BounceClass.IGNORE, status, words, evidence)
    judged = judge_reason(reason, status)
    if not judged.known or (not reason and judged.status.endswith(".0")):
        reason_in_notice = find_reason(notice, group.recipient)
        judged_notice = judge_reason(reason_in_notice, judged.status)
        if judged_notice.known:
            judged = judged_notice
            reason = reason or reason_in_notice
    return BounceResult(
        group.recipient, judged.bounce_class, judged.status, join_lines(reason), evidence
    )
