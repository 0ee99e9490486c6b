"""Show the progress of sending: a bar on a terminal, a line every few seconds in a pipe."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import click

from newsletter.cli.output import is_terminal, say
from newsletter.cli.stop_signals import INTERRUPTED, interrupt_later
from newsletter.services import workers
from newsletter.services.campaigns import campaigns
from newsletter.services.sending import run as sending
from newsletter.vocabulary import CampaignStatus

if TYPE_CHECKING:
    from newsletter.outbox import Totals
    from newsletter.services.campaigns.campaigns import CampaignView
    from newsletter.services.runtime import Environment
    from newsletter.services.sending.result import SendResult

LINE_EVERY = 3.0
"""Seconds between two lines of progress in a pipe."""
DRAW_EVERY = 0.1
"""Seconds between two drawings of the bar."""
BAR = 16
"""Characters of the progress bar."""
WORKER_TICKED = timedelta(minutes=1)
"""A worker active within this time is running, and may send a part of the campaign."""
LOOK_EVERY = 0.5
"""Seconds between two queries for what other workers have sent."""
QUIET_FOR = 10.0
"""Seconds without any change after which the rest is assumed to wait for another attempt."""


class Show(Protocol):
    """A function that shows the progress of a run; the `last` call ignores the interval."""

    def __call__(self, sent: SendResult, /, *, last: bool = False) -> None: ...


def send_and_show(env: Environment, campaign_ids: list[int]) -> int:
    """Send campaigns as an additional worker and show the progress.

    Waits also for what other workers hold. Ctrl-C only stops this process: the next worker goes on.
    Returns the exit code: 1 where a server could not be used or a campaign paused itself.
    """
    code = 0
    for campaign_id in campaign_ids:
        result = _send_one(env, campaign_id)
        if result == INTERRUPTED:
            return result
        code = max(code, result)
    return code


def _send_one(env: Environment, campaign_id: int) -> int:
    totals = campaigns.get_campaign(campaign_id).totals
    with interrupt_later() as interrupted:
        show = _make_bar(totals) if is_terminal() else _make_lines(totals)
        sent = sending.send_due(env, campaign_id=campaign_id, progress=show, stop=interrupted)
        show(sent, last=True)
        if not sent.problem:
            _wait_for_others(env, campaign_id, interrupted)
        stopped = interrupted()
    return _conclude(campaigns.get_campaign(campaign_id), sent, interrupted=stopped)


def _wait_for_others(env: Environment, campaign_id: int, interrupted: Callable[[], bool]) -> None:
    """Wait while other running workers are sending a campaign."""
    ticked_at = workers.find_last_tick()
    if ticked_at is None or env.now - ticked_at > WORKER_TICKED:
        return
    campaign = campaigns.get_campaign(campaign_id)
    changed_at = time.monotonic()
    while (
        campaign.status == CampaignStatus.SENDING
        and campaign.totals.waiting
        and time.monotonic() - changed_at < QUIET_FOR
        and not interrupted()
    ):
        time.sleep(LOOK_EVERY)
        before = campaign
        campaign = campaigns.get_campaign(campaign_id)
        if campaign.totals != before.totals:
            changed_at = time.monotonic()


def _conclude(campaign: CampaignView, sent: SendResult, *, interrupted: bool) -> int:
    if is_terminal():
        click.echo()
    _say_totals(campaign)
    if interrupted:
        say("Stopped: the rest is queued; `newsletter serve` or `newsletter worker` sends it.")
        return INTERRUPTED
    if sent.problem:
        click.echo(f"newsletter: {sent.problem}", err=True)
        return 1
    if campaign.undecided:
        say(campaign.reason)
    elif campaign.status == CampaignStatus.PAUSED:
        click.echo(f"newsletter: {campaign.reason}", err=True)
        return 1
    elif campaign.totals.waiting:
        say("The rest is queued; `newsletter serve` or `newsletter worker` tries it again later.")
    return 0


def _count_sent(before: Totals, sent: SendResult) -> int:
    """Count the sent messages of a campaign.

    A run also sends what else is due, such as a goodbye: never more than there are recipients.
    """
    return min(before.sent + sent.sent, before.recipients)


def _say_totals(campaign: CampaignView) -> None:
    totals = campaign.totals
    say(
        f"Campaign {campaign.id} is {campaign.status}: {totals.sent:,} sent, "
        f"{totals.failed:,} failed, {totals.cancelled:,} cancelled, {totals.waiting:,} waiting"
        + (f", {totals.in_doubt:,} in doubt." if totals.in_doubt else ".")
    )


def _make_bar(before: Totals) -> Show:
    """Return a function that redraws one line: a bar, the counts, the rate and the time left."""
    begun = time.monotonic()
    drawn = begun
    waited = before.waiting + before.in_doubt

    def show(sent: SendResult, *, last: bool = False) -> None:
        nonlocal drawn
        now = time.monotonic()
        if now - drawn < DRAW_EVERY and not last:
            return
        drawn = now
        done = sent.sent + sent.failed + sent.cancelled
        waiting = max(waited - done, 0)
        rate = done / max(now - begun, 0.001)
        filled = int(BAR * (before.recipients - waiting) / (before.recipients or 1))
        bar = "█" * filled + "░" * (BAR - filled)
        left = f"{_write_duration(waiting / rate)} left" if rate and waiting else ""
        counts = f"{_count_sent(before, sent):,} sent, {before.failed + sent.failed:,} failed"
        line = f"{bar} {counts}, {waiting:,} waiting"
        click.echo(f"\r{f'{line}  {rate:,.0f}/s  {left}':<79.79}", nl=False)

    return show


def _write_duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _make_lines(before: Totals) -> Show:
    printed = time.monotonic()

    def show(sent: SendResult, *, last: bool = False) -> None:
        nonlocal printed
        if time.monotonic() - printed >= LINE_EVERY:
            printed = time.monotonic()
            say(
                f"{_count_sent(before, sent):,} of {before.recipients:,} sent, "
                f"{sent.failed:,} failed, {sent.deferred:,} to be tried again"
            )

    return show
