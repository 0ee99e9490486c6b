"""Sending before the author's eyes: a live bar on a terminal, a line every few seconds in a pipe."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

import click

from newsletter.cli.output import on_terminal, say
from newsletter.services import campaigns, sending
from newsletter.services.campaigns import CampaignView
from newsletter.services.environment import Environment
from newsletter.services.sending import Sent

LINE_EVERY = 3.0


def send_and_show(env: Environment, campaign_ids: list[int]) -> int:
    """Sends campaigns as one more worker and shows it. Ctrl-C stops watching: the next worker goes on. Returns the exit
    code: 1 where a server could not be used or a campaign paused itself."""
    return max((_one(env, campaign_id) for campaign_id in campaign_ids), default=0)


def _one(env: Environment, campaign_id: int) -> int:
    total = campaigns.show(campaign_id).totals.recipients
    interrupted = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        show = _bar(total) if on_terminal() else _lines(total)
        sent = sending.send_due(env, campaign_id=campaign_id, progress=show, stop=interrupted.is_set)
        show(sent)
    finally:
        signal.signal(signal.SIGINT, before)
    return _conclude(campaigns.show(campaign_id), sent, interrupted=interrupted.is_set())


def _conclude(campaign: CampaignView, sent: Sent, *, interrupted: bool) -> int:
    found = campaign.totals
    if on_terminal():
        click.echo()
    say(
        f"Campaign {campaign.id} is {campaign.status}: {found.sent} sent, {found.failed} failed, "
        f"{found.cancelled} cancelled, {found.waiting + found.in_doubt} waiting."
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


def _bar(total: int) -> Callable[[Sent], None]:
    begun = time.monotonic()

    def show(sent: Sent) -> None:
        done = sent.sent + sent.failed + sent.cancelled
        share = done / total if total else 1
        rate = done / max(time.monotonic() - begun, 0.001)
        left = f"{(total - done) / rate:.0f} s left" if rate and done < total else ""
        bar = "█" * int(share * 24) + "░" * (24 - int(share * 24))
        click.echo(f"\r{bar} {done}/{total}  {rate:.0f}/s  {sent.failed} failed  {left:<12}", nl=False)

    return show


def _lines(total: int) -> Callable[[Sent], None]:
    last = time.monotonic()

    def show(sent: Sent) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_EVERY:
            last = time.monotonic()
            say(f"{sent.sent} of {total} sent, {sent.failed} failed, {sent.deferred} to be tried again")

    return show
