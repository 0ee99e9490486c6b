"""Count the recipients of a draft for its pages."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.errors import InvalidInput, Refused
from newsletter.services.letters import manuscripts, stored
from newsletter.services.runtime import environment


@dataclass(frozen=True, slots=True)
class RecipientCount:
    """The number of a letter's recipients, or why they cannot be counted."""

    count: int
    problem: str = ""


def count_recipients(campaign_id: int) -> RecipientCount:
    """Count the recipients that a draft would reach now."""
    try:
        segment = manuscripts.get_manuscript(campaign_id).fields.segment
        return RecipientCount(stored.count_recipients(environment(), campaign_id, segment))
    except (InvalidInput, Refused) as error:
        return RecipientCount(0, str(error))
