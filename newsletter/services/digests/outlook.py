"""Data type of the next digest of a cadence, for pages and commands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from newsletter.digest_vocabulary import OutlookState
from newsletter.i18n import Text
from newsletter.services.digests.reviews import Review
from newsletter.vocabulary import Cadence


@dataclass(frozen=True, slots=True)
class Outlook:
    """The next digest of one cadence.

    `next_at` is None for instant mails, which go as soon as an entry is ready, and in the past for
    a digest that is `overdue`: it goes as soon as a worker runs. `owed` counts its entries;
    `verdict` says what goes out or why nothing does, `last` what became of the digest before.
    `review` is what its author says about it, if anything. `at_least`: more subscribers may get it
    than the verdict says.
    """

    cadence: Cadence
    next_at: datetime | None
    overdue: bool
    subscribers: int
    owed: int
    verdict: Text
    last: str
    review: Review | None = None
    at_least: bool = False

    @property
    def state(self) -> OutlookState | None:
        """Return the state of its review; None where there is none."""
        if self.review is None:
            return None
        if self.review.held:
            return OutlookState.HELD
        return OutlookState.WAITS if self.review.stopped else OutlookState.REVIEWED

    @property
    def needs_release(self) -> bool:
        """Tell whether it goes out only when its author releases it."""
        return self.state in (OutlookState.HELD, OutlookState.WAITS)
