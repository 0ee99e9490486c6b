"""Sending before the author's eyes: a live bar on a terminal, a line every few seconds in a pipe."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Protocol

import click

from newsletter.cli.output import on_terminal, say
from newsletter.services.campaigns import campaigns
from newsletter.services.sending import run as sending

if TYPE_CHECKING:
    from newsletter.outbox import Totals
    from newsletter.services.campaigns.campaigns import CampaignView
    from newsletter.services.runtime import Environment
    from newsletter.services.sending.result import SendResult

LINE_EVERY, DRAW_EVERY = 3.0, 0.1
BAR = 16


class Show(Protocol):
    """Shows how far a run has come; the `last` time whatever the hurry."""

    def __call__(self, sent: SendResult, /, *, last: bool = False) -> None: ...


def send_and_show(env: Environment, campaign_ids: list[int]) -> int:
    """Send campaigns as one more worker and shows it.

    Ctrl-C stops watching: the next worker goes on. Returns the exit code: 1 where a server could
    not be used or a campaign paused itself.
    """
    return max((_one(env, campaign_id) for campaign_id in campaign_ids), default=0)


def _one(env: Environment, campaign_id: int) -> int:
    found = campaigns.get_campaign(campaign_id).totals
    interrupted = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        show = _bar(found) if on_terminal() else _lines(found)
        sent = sending.send_due(
            env, campaign_id=campaign_id, progress=show, stop=interrupted.is_set
        )
        show(sent, last=True)
    finally:
        signal.signal(signal.SIGINT, before)
    return _conclude(campaigns.get_campaign(campaign_id), sent, interrupted=interrupted.is_set())


def _conclude(campaign: CampaignView, sent: SendResult, *, interrupted: bool) -> int:
    found = campaign.totals
    if on_terminal():
        click.echo()
    say(
        f"Campaign {campaign.id} is {campaign.status}: {found.sent} sent, {found.failed} failed, "
        f"{found.cancelled} cancelled, {found.waiting} waiting"
        + (f", {found.in_doubt} in doubt." if found.in_doubt else ".")
    )
    if interrupted:
        say("You stopped watching; `newsletter serve` or `newsletter worker` goes on.")
    elif sent.problem:
        click.echo(f"newsletter: {sent.problem}", err=True)
        return 1
    if campaign.undecided:
        say(campaign.reason)
    elif campaign.status == "paused":
        click.echo(f"newsletter: {campaign.reason}", err=True)
        return 1
    return 0


def _of_it(before: Totals, sent: SendResult) -> int:
    """How many of a campaign's mails are sent.

    A worker takes along what else is due, like a goodbye; nobody is told of more than there are
    recipients.
    """
    return min(before.sent + sent.sent, before.recipients)


def _bar(before: Totals) -> Show:
    """A line that is drawn over and over: what is done, how fast it goes, how long it will take."""
    begun = drawn = time.monotonic()
    waited = before.waiting + before.in_doubt

    def show(sent: SendResult, *, last: bool = False) -> None:
        nonlocal drawn
        now = time.monotonic()
        if now - drawn < DRAW_EVERY and not last:
            return
        drawn = now
        done = sent.sent + sent.failed + sent.cancelled
        waiting = max(waited - done, 0)
        gone = _of_it(before, sent)
        rate = done / max(now - begun, 0.001)
        filled = int(BAR * (before.recipients - waiting) / (before.recipients or 1))
        bar = "█" * filled + "░" * (BAR - filled)
        left = f"{_duration(waiting / rate)} left" if rate and waiting else ""
        line = f"{bar} {gone} sent, {before.failed + sent.failed} failed, {waiting} waiting"
        click.echo(f"\r{f'{line}  {rate:.0f}/s  {left}':<79.79}", nl=False)

    return show


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _lines(before: Totals) -> Show:
    said = time.monotonic()

    def show(sent: SendResult, *, last: bool = False) -> None:
        nonlocal said
        if time.monotonic() - said >= LINE_EVERY:
            said = time.monotonic()
            gone = _of_it(before, sent)
            say(
                f"{gone} of {before.recipients} sent, {sent.failed} failed, {sent.deferred} to be tried again"
            )

    return show
