"""Closed sets of values in subscriber files, each declared once."""

from __future__ import annotations

from enum import StrEnum


class StatusWord(StrEnum):
    """The statement of a row about a subscriber's status, from the least to the most strict."""

    SILENT = "silent"
    """The row says nothing about consent."""
    YES = "yes"
    """The exporting program says that the subscriber agreed."""
    UNKNOWN = "unknown"
    PENDING = "pending"
    """The subscriber was asked and has not answered."""
    NO = "no"
    BOUNCED = "bounced"
    BLOCKED = "blocked"
    COMPLAINED = "complained"


class ColumnKind(StrEnum):
    """The kind of content of an opt-out column."""

    FLAG = "flag"
    """The cells contain yes or no."""
    DATE = "date"
    REASON = "reason"
    NEGATED = "negated"
    """A negated name such as ``Not blocked``, whose cells cannot be relied on."""
