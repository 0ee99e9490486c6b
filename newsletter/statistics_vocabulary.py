"""The closed set of figures that are counted by day; see vocabulary.py."""

from __future__ import annotations

from enum import StrEnum


class Figure(StrEnum):
    """Something that is counted by day; `name` tells the parts of one figure apart."""

    ASKED = "asked"
    """Requests to subscribe, by form: page, form, script, iframe, json, import, author."""
    ASKED_PAGE = "asked_page"
    """The same by the page that the form stood on."""
    CONFIRMED = "confirmed"
    """Requests that were confirmed, by the form they came from."""
    CONFIRMED_PAGE = "confirmed_page"
    JOINED = "joined"
    """Subscriptions that became active, by how."""
    LEFT = "left"
    """Active subscriptions that ended, by how."""
    UNCONFIRMED = "unconfirmed"
    """Requests that ended without a confirmation, by how."""
    REASON = "reason"
    """Reasons that were chosen on the page after leaving."""
    SLOWER = "slower"
    """Changes to a slower cadence, by the new one."""
    FASTER = "faster"
    SUPPRESSED = "suppressed"
    """Active subscriptions whose address is not mailed any more, by why."""
    DEFERRED = "deferred"
    """Refusals for now, by the ten minutes in which they came (`figures.name_minutes`)."""
    VIEWED = "viewed"
    """Views of a campaign's page in the archive, and of all pages of its list."""
    FETCHED = "fetched"
    """Files that were fetched, by resource."""
    FEED_READERS = "feed_readers"
    """Subscribers that a fetcher of the archive's feed last said it has, by fetcher."""
    CADENCE = "cadence"
    """Active subscriptions by cadence, as last counted on a day."""
    LANGUAGE = "language"
    NEVER_MAILED = "never_mailed"
    """Active subscriptions whose address is suppressed, as last counted on a day."""

    @property
    def is_state(self) -> bool:
        """Tell whether a later number of a day takes the place of an earlier one."""
        return self in (
            Figure.CADENCE,
            Figure.LANGUAGE,
            Figure.NEVER_MAILED,
            Figure.FEED_READERS,
        )
