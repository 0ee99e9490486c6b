"""`newsletter explain`: explain why a subscriber got a campaign or not."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import with_environment
from newsletter.cli.groups import CommandGroup
from newsletter.cli.output import complete_campaigns, format_moment, json_option, print_json, say
from newsletter.services.campaigns import explain_delivery

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment


@click.group(cls=CommandGroup)
def explain() -> None:
    """Explain why a subscriber got a campaign or did not."""


@explain.command(epilog="Example: newsletter explain campaign 12 ana@example.org")
@click.argument("campaign_id", type=int, metavar="ID", shell_complete=complete_campaigns)
@click.argument("address", metavar="ADDR")
@json_option
@with_environment
def campaign(env: Environment, campaign_id: int, address: str, *, json_: bool) -> None:
    """Say whether a subscriber got a campaign, and why or why not."""
    explanation = explain_delivery.explain_delivery(env, campaign_id, address)
    if json_:
        facts = [{"at": happened_at, "what": fact} for happened_at, fact in explanation.facts]
        shape = asdict(explanation)
        has_received = shape.pop("has_received")
        return print_json({**shape, "got": has_received, "facts": facts})
    results = {True: "They got it", False: "They did not get it", None: "Not yet"}
    result = results[explanation.has_received]
    say(f"Campaign {explanation.campaign}, “{explanation.subject}”\n{explanation.email}")
    say(f"{result}: {explanation.verdict}")
    if explanation.hint:
        say(f"({explanation.hint})")
    for happened_at, fact in explanation.facts:
        say(f"  {format_moment(happened_at, explanation.timezone)}  {fact}")
    return None
