"""Log the digests that were composed, and count them; nothing of it names a subscriber."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from newsletter.logs import happened
from newsletter.services.digests.compose import ComposedDigest
from newsletter.services.runtime import Environment

log = logging.getLogger("newsletter.worker")


def report_composed(env: Environment, digests: Iterable[ComposedDigest]) -> None:
    """Write a line for each digest that was made, or that a broken template kept from it."""
    for composed in digests:
        if composed.problem:
            log.error(
                "the %s digest of list %s: %s", composed.cadence, composed.list, composed.problem
            )
        elif composed.campaign_id is not None:
            env.tally.count("campaigns", "digest")
            log.info(
                "the %s digest of list %s is composed: campaign %s, %s entries, %s recipients",
                composed.cadence,
                composed.list,
                composed.campaign_id,
                composed.entries,
                composed.recipients,
                extra=happened("composed"),
            )
