"""`newsletter campaign permission` and `answers`: ask subscribers to confirm again."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import with_environment
from newsletter.cli.digests import NEUTRAL
from newsletter.cli.output import (
    ask,
    choose_zone,
    format_moment,
    json_option,
    list_option,
    print_json,
    say,
    write_count,
    yes_option,
)
from newsletter.mail import slots
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
    help="Days to answer, from when the mail arrived.",
)
@click.option("--note", default="", metavar="TEXT", help="A paragraph of yours above the question.")
@click.option(
    "--unproven",
    is_flag=True,
    help="Only subscribers who never confirmed by mail, such as imported ones.",
)
@click.option("--dry-run", is_flag=True, help="Print the mail and the number; mail nobody.")
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
    """Ask active subscribers to confirm again, and unsubscribe whoever does not answer.

    No further mail tells them that they are unsubscribed.
    """
    request = asking.prepare(env, slug, note=note, days=days, unproven=unproven)
    if dry_run:
        say(
            f"{write_count(request.recipients, 'active subscriber')} of {request.slug} would get:\n"
        )
        say(f"{request.content.subject}\n")
        return say(slots.fill(request.content.text, NEUTRAL))
    count = write_count(request.recipients, "subscriber")
    ask(
        f"Ask {count} of {request.slug}, and unsubscribe whoever does not answer in {days} days?",
        yes=yes,
    )
    campaign_id = asking.send(env, request.slug, note=note, days=days, unproven=unproven)
    return say(
        f"Campaign {campaign_id} is queued; a worker sends it. "
        f"Next: newsletter campaign answers {campaign_id}"
    )


@click.command(epilog="Example: newsletter campaign answers 7")
@click.argument("campaign_id", type=int)
@json_option
@with_environment
def answers(env: Environment, campaign_id: int, *, json_: bool) -> None:
    """Count the answers of those who were asked to confirm again."""
    answered = asking.report_answers(campaign_id)
    if json_:
        shape = asdict(answered)
        return print_json({"asked": shape.pop("mailed"), **shape})
    silent = answered.mailed - answered.stayed - answered.gone
    say(
        f"{answered.mailed:,} were asked: {answered.stayed:,} stay, {silent:,} have not answered, "
        f"{answered.gone:,} were unsubscribed."
    )
    zone = choose_zone(lists.list_time_zones().values())
    if answered.settled_at:
        return say(f"The time to answer ended at {format_moment(answered.settled_at, zone)}.")
    return say(f"The time to answer ends at {format_moment(answered.answer_by, zone)}.")
