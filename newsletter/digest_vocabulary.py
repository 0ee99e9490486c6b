"""Enums of digests: content, order, headings, review; see vocabulary.py."""

from __future__ import annotations

from enum import StrEnum


class DigestShow(StrEnum):
    """The amount of each entry that a digest shows."""

    AUTO = "auto"
    """A single post in full, several as excerpts."""
    EXCERPT = "excerpt"
    FULL = "full"


class DigestOrder(StrEnum):
    """The order of entries in a digest."""

    NEWEST = "newest"
    OLDEST = "oldest"


class DigestSections(StrEnum):
    """The headings under which entries are grouped."""

    NONE = "none"
    FEED = "feed"
    TOPIC = "topic"


class OutlookState(StrEnum):
    """The state of the review of the next digest."""

    HELD = "held"
    WAITS = "waits"
    """It is sent once its author releases it."""

    REVIEWED = "reviewed"
