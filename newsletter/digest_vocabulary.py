"""The closed sets of how a list's digests look; see vocabulary.py."""

from __future__ import annotations

from enum import StrEnum


class DigestShow(StrEnum):
    """The part of entries that a digest shows."""

    AUTO = "auto"
    """The whole of one post, excerpts of several."""
    EXCERPT = "excerpt"
    FULL = "full"


class DigestOrder(StrEnum):
    """The entry that a digest begins with."""

    NEWEST = "newest"
    OLDEST = "oldest"


class DigestSections(StrEnum):
    """The headings that entries are put under."""

    NONE = "none"
    FEED = "feed"
    TOPIC = "topic"


class OutlookState(StrEnum):
    """The state of the review of the next digest."""

    HELD = "held"
    WAITS = "waits"
    """It goes out when its author releases it."""

    REVIEWED = "reviewed"
