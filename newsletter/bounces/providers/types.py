"""Types of mail providers' events, and errors of their reports."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from newsletter.bounce_vocabulary import BounceClass
from newsletter.bounces.meaning import join_lines, judge_reason
from newsletter.bounces.types import BounceResult, ReportEvidence

FRESH_FOR = timedelta(days=1)
"""Time before or after now within which a report's signed time is accepted: providers retry for
hours, a replay may come in years."""

EVENTS_AT_MOST = 10_000
"""Events of one report that are read: as many as a body of 1 MB can hold."""

HEADERS_AT_MOST = 200
"""Headers of a message that are read."""

UNKNOWN_DOMAIN = "5.1.2"
"""Status code (RFC 3463) for a failure that a provider explains by the recipient's domain."""


class NotVerified(Exception):
    """The report has no valid signature, or an old one."""


class NotReadable(Exception):
    """The report is not in the format that its provider documents."""


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """One event of a mail provider's report.

    `id` is the provider's own and unique for each event. `once`: only the id is signed, so a
    repeated id is ignored whatever else the report says.
    """

    id: str
    result: BounceResult
    evidence: ReportEvidence = field(default=ReportEvidence())
    once: bool = False


def read_json(body: bytes) -> Any:
    """Parse a report as JSON.

    Raises `NotReadable`.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise NotReadable from None


def read_objects(value: Any) -> Iterator[dict[str, Any]]:
    """Return the objects in a list, or a single object, as an iterator."""
    rows = value if isinstance(value, list) else [value]
    return (row for row in rows[:EVENTS_AT_MOST] if isinstance(row, dict))


def get_text(row: Mapping[str, Any], *names: str) -> str:
    """Return a string or number nested in an object, or ""."""
    value: Any = row
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value)[:4_000]


def read_headers(value: Any) -> ReportEvidence:
    """Return the evidence in a message's headers, given as a list of names and values."""
    values: dict[str, list[str]] = {"message-id": [], "list-unsubscribe": []}
    for header in list(read_objects(value or []))[:HEADERS_AT_MOST]:
        name = get_text(header, "name").lower()
        if name in values:
            values[name].append(get_text(header, "value").strip())
    return ReportEvidence(
        message_ids=tuple(text.strip("<> ") for text in values["message-id"]),
        unsubscribe=tuple(values["list-unsubscribe"]),
    )


def require_fresh(seconds: str, now: datetime) -> None:
    """Refuse a report whose signed time is too far in the past or future.

    Raises `NotVerified`.
    """
    try:
        moment = datetime.fromtimestamp(float(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        raise NotVerified from None
    if abs(now - moment) > FRESH_FOR:
        raise NotVerified


def complain(recipient: str) -> BounceResult:
    """Return the bounce result of a complaint."""
    return BounceResult(recipient[:320], BounceClass.COMPLAINT, "", "abuse")


def judge(recipient: str, text: str, status: str, otherwise: BounceClass) -> BounceResult:
    """Classify a failure by its text, or else by the provider's own class."""
    judged = judge_reason(text, status)
    bounce_class = judged.bounce_class if judged.known else otherwise
    return BounceResult(recipient[:320], bounce_class, judged.status, join_lines(text))
