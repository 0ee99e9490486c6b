"""Columns of the file that `subscriber export` writes."""

from __future__ import annotations

OUR_COLUMNS = (
    "email",
    "name",
    "language",
    "list",
    "status",
    "cadence",
    "paused_until",
    "created_at",
    "confirmed_at",
    "unsubscribed_at",
    "suppressed",
    "consent_source",
    "consent_note",
    "consent_ip",
    "tags",
    "topics",
    "answers",
    "subscriber_since",
    "suppressed_at",
    "suppressed_note",
    "suppressed_hash",
    "suppressed_key",
    "consent_events",
)
"""Names of the exported columns, in order."""
OUR_SIGN = frozenset({"email", "list", "status", "cadence"})
"""Columns by which an exported file of this program is recognised."""
