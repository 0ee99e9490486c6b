"""The closed sets of subscriber files, each declared once, as those of vocabulary.py are."""

from __future__ import annotations

from enum import StrEnum


class StatusWord(StrEnum):
    """The statement of a row about consent, in the order of strictness."""

    SILENT = "silent"
    """It says nothing of consent."""
    YES = "yes"
    """The program it comes from says that they agreed."""
    UNKNOWN = "unknown"
    PENDING = "pending"
    """They were asked and have not answered."""
    NO = "no"
    BOUNCED = "bounced"
    BLOCKED = "blocked"
    COMPLAINED = "complained"


class ColumnKind(StrEnum):
    """The content of an opt-out column's cells."""

    FLAG = "flag"
    """Yes or no."""
    DATE = "date"
    REASON = "reason"
    NEGATED = "negated"
    """Not to be relied on, such as ``Not blocked``."""
