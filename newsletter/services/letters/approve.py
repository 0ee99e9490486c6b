"""Schedule a letter that its author approves in a browser, after its preflight."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.errors import NewsletterError
from newsletter.services.checks import BAD, Check
from newsletter.services.letters import preflight
from newsletter.services.letters import send as letters
from newsletter.services.letters.drafts import LetterDraft
from newsletter.services.runtime import Environment

UNDO = timedelta(seconds=60)
"""Delay between "Send" and the first message, in which the author can undo."""
FIELDS_AT_MOST = 20_000
"""The most recipients whose merge fields are tested within a request; they take a second.

For more, the worker does it before the first message, and pauses the letter if it fails for one.
"""


@dataclass(frozen=True, slots=True)
class Approval:
    """The result of an approval: the scheduled campaign, or the reason why there is none.

    `checks` are what the preflight found; `mild` tells that it can be sent all the same.
    """

    campaign_id: int | None
    checks: tuple[Check, ...]
    mild: bool = False


def approve_letter(
    env: Environment,
    draft: LetterDraft,
    *,
    at: datetime | None = None,
    again: bool = False,
    anyway: bool = False,
) -> Approval:
    """Schedule a letter for `at`, or after the delay `UNDO`, if its preflight passes.

    It is refused for the same reasons as by the command. No other server is asked.
    """
    send_at = max(at or env.now, env.now + UNDO)
    few = draft.recipients <= FIELDS_AT_MOST
    checks = preflight.check_letter(env, draft, offline=True, send_at=send_at, with_fields=few)
    findings = preflight.find_open(checks, again=again, later=at is not None)
    refusal = preflight.find_refusal(findings, anyway=anyway)
    if refusal is not None:
        return Approval(None, tuple(findings), mild=refusal.id not in preflight.HARD)
    try:
        campaign_id = letters.dispatch_letter(
            env, draft, send_at=send_at, again=again, fields_checked=True
        )
    except NewsletterError as error:
        return Approval(None, (Check("send", BAD, error.message, error.hint),))
    return Approval(campaign_id, tuple(findings))
