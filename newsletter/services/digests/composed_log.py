"""Log digests that were composed, or could not be, without naming a subscriber."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from newsletter.i18n import Text
from newsletter.logs import name_event
from newsletter.services import sender_state
from newsletter.services.digests.compose import ComposedDigest
from newsletter.services.runtime import Environment

log = logging.getLogger("newsletter.worker")


def report_composed(env: Environment, digests: Iterable[ComposedDigest]) -> None:
    """Log each digest that was composed or failed; `status` shows failures as well."""
    states = sender_state.SenderStates(env)
    for composed in digests:
        if composed.problem:
            name = (composed.cadence, composed.list)
            log.error("the %s digest of list %s: %s", *name, composed.problem)
            note = Text(
                "the %(cadence)s digest of list %(list)s: %(why)s",
                cadence=composed.cadence,
                list=composed.list,
                why=composed.problem,
            )
            states.note(sender_state.COMPOSING, note, until=env.now + sender_state.SHOWN_FOR)
        elif composed.campaign_id is not None:
            env.tally.count("campaigns", "digest")
            log.info(
                "the %s digest of list %s is composed: campaign %s, %s entries, %s recipients",
                composed.cadence,
                composed.list,
                composed.campaign_id,
                composed.entries,
                composed.recipients,
                extra=name_event("composed"),
            )
