"""Compose everything that is due: digests, letters, letters of series."""

from __future__ import annotations

import logging
from functools import partial

from newsletter.logs import name_event
from newsletter.services.digests import due as digests
from newsletter.services.digests.composed_log import report_composed
from newsletter.services.letters import send as letters
from newsletter.services.letters import series_progress
from newsletter.services.polling import entries
from newsletter.services.polling import poll as polling
from newsletter.services.runtime import Environment
from newsletter.services.unforeseen import run_each

log = logging.getLogger("newsletter.worker")


def compose_all(env: Environment, *, stop: polling.Stop, postponed: digests.Postponed) -> None:
    """Compose what is due of each kind; an error in one kind does not stop the others."""
    run_each(
        partial(entries.promote_due, env),
        partial(_compose_digests, env, stop, postponed),
        partial(_start_letters, env),
        partial(_advance_series, env),
    )


def _compose_digests(env: Environment, stop: polling.Stop, postponed: digests.Postponed) -> None:
    report_composed(env, digests.compose_due(env, stop=stop, postponed=postponed))


def _start_letters(env: Environment) -> None:
    for campaign_id in letters.start_due_letters(env):
        env.tally.count("campaigns", "letter")
        log.info("campaign %s is started", campaign_id, extra=name_event("composed"))


def _advance_series(env: Environment) -> None:
    if count := series_progress.advance_due(env):
        log.info("%s letters of series are queued", count, extra=name_event("composed"))
