"""`newsletter campaign permission` and `answers`: ask readers to confirm again, and let the silent
go.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import with_environment
from newsletter.cli.digests import NEUTRAL
from newsletter.cli.output import (
    as_json,
    ask,
    common_zone,
    json_option,
    list_option,
    moment,
    say,
    some,
    yes_option,
)
from newsletter.mail.slots import fill
from newsletter.services.lists import lists
from newsletter.services.subscribers import reconfirmation as asking

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment


@click.command(
    epilog='Example: newsletter campaign permission --days 30 --note "It has been years." --dry-run'
)
@list_option
@click.option(
    "--days",
    default=30,
    show_default=True,
    help="How long they have, from when the mail reached them.",
)
@click.option(
    "--note", default="", metavar="TEXT", help="A paragraph of your own above the question."
)
@click.option(
    "--unproven", is_flag=True, help="Only those who never confirmed by mail, like imported ones."
)
@click.option("--dry-run", is_flag=True, help="Show the mail and the number; mail nobody.")
@yes_option
@with_environment
def permission(
    env: Environment,
    slug: str | None,
    days: int,
    note: str,
    *,
    unproven: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Ask active readers to confirm again; who does not answer is unsubscribed, without another
    word.
    """
    found = asking.prepare(env, slug, note=note, days=days, unproven=unproven)
    if dry_run:
        say(
            f"{some(found.recipients, 'active reader')} of {found.slug} would get:\n\n{found.content.subject}\n"
        )
        return say(fill(found.content.text, NEUTRAL))
    ask(
        f"Ask {some(found.recipients, 'reader')} of {found.slug}, and let the silent go after {days} days?",
        yes=yes,
    )
    campaign_id = asking.send(env, found.slug, note=note, days=days, unproven=unproven)
    return say(
        f"Campaign {campaign_id} is queued; a worker sends it. newsletter campaign answers {campaign_id}"
    )


@click.command(epilog="Example: newsletter campaign answers 7")
@click.argument("campaign_id", type=int)
@json_option
@with_environment
def answers(env: Environment, campaign_id: int, *, json_: bool) -> None:
    """Who stays, of those who were asked to confirm again."""
    found = asking.report_answers(campaign_id)
    if json_:
        return as_json(asdict(found))
    silent = found.asked - found.stayed - found.gone
    say(
        f"{found.asked} were asked: {found.stayed} stay, {silent} have not answered, {found.gone} were let go."
    )
    zone = common_zone(lists.list_time_zones().values())
    ended, ends = moment(found.settled_at, zone), moment(found.answer_by, zone)
    ended = f"It ended at {ended}." if ended else f"It ends {ends}."
    return say(ended)
