"""`newsletter explain`: why did she not get it?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import with_environment
from newsletter.cli.output import as_json, complete_campaigns, json_option, moment, say
from newsletter.services.campaigns import explain_delivery

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment


@click.group()
def explain() -> None:
    """Why did she not get it?"""


@explain.command(epilog="Example: newsletter explain campaign 12 ana@example.org")
@click.argument("campaign_id", type=int, metavar="ID", shell_complete=complete_campaigns)
@click.argument("address", metavar="ADDR")
@json_option
@with_environment
def campaign(env: Environment, campaign_id: int, address: str, *, json_: bool) -> None:
    """Say whether a reader got a mailing, and why or why not."""
    found = explain_delivery.explain_delivery(env, campaign_id, address)
    if json_:
        facts = [{"at": at, "what": what} for at, what in found.facts]
        return as_json({**asdict(found), "facts": facts})
    got = {True: "She got it", False: "She did not get it", None: "Not yet"}[found.got]
    say(f"Campaign {found.campaign}, “{found.subject}”\n{found.email}\n{got}: {found.verdict}")
    if found.hint:
        say(f"({found.hint})")
    for at, what in found.facts:
        say(f"  {moment(at, found.timezone)}  {what}")
    return None
