"""Enum of the figures that are counted by day; see vocabulary.py."""

from __future__ import annotations

from enum import StrEnum


class Figure(StrEnum):
    """A figure that is counted by day; its `name` distinguishes parts."""

    ASKED = "asked"
    """Requests to subscribe, by form: page, form, script, iframe, json, import, author."""
    ASKED_PAGE = "asked_page"
    """Requests to subscribe, by the page with the form."""
    CONFIRMED = "confirmed"
    """Requests that were confirmed, by the form they came from."""
    CONFIRMED_PAGE = "confirmed_page"
    JOINED = "joined"
    """Subscriptions that became active, by cause."""
    LEFT = "left"
    """Active subscriptions that ended, by cause."""
    UNCONFIRMED = "unconfirmed"
    """Requests that ended without a confirmation, by cause."""
    REASON = "reason"
    """Reasons for leaving that subscribers chose."""
    SLOWER = "slower"
    """Changes to a slower cadence, by the new one."""
    FASTER = "faster"
    SUPPRESSED = "suppressed"
    """Active subscriptions whose address was suppressed, by reason."""
    DEFERRED = "deferred"
    """Temporary refusals, by ten-minute interval (`figures.name_minutes`)."""
    VIEWED = "viewed"
    """Views of a campaign's page in the archive, and of all pages of its list."""
    FETCHED = "fetched"
    """Downloads, by resource."""
    FEED_READERS = "feed_readers"
    """Subscribers last reported by fetchers of the archive's feed, by fetcher."""
    CADENCE = "cadence"
    """Active subscriptions by cadence, as last counted on a day."""
    LANGUAGE = "language"
    NEVER_MAILED = "never_mailed"
    """Active subscriptions whose address is suppressed, as last counted on a day."""

    @property
    def is_state(self) -> bool:
        """Tell whether a later number of a day replaces an earlier one."""
        return self in (
            Figure.CADENCE,
            Figure.LANGUAGE,
            Figure.NEVER_MAILED,
            Figure.FEED_READERS,
        )
