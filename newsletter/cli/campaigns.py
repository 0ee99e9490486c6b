"""`newsletter campaign`: letters, and what became of every mailing."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from newsletter.cli import letter_commands
from newsletter.cli import letters as letters_cli
from newsletter.cli.context import with_environment
from newsletter.cli.output import (
    as_json,
    ask,
    json_option,
    list_option,
    moment,
    say,
    some,
    table,
    yes_option,
)
from newsletter.cli.permission import answers, permission
from newsletter.services.bounce_events import Returned
from newsletter.services.campaigns import campaigns, carried_entries
from newsletter.services.letters import send as letters

if TYPE_CHECKING:
    from newsletter.services.campaigns.campaigns import CampaignView
    from newsletter.services.runtime import Environment


@click.group()
def campaign() -> None:
    """Letters, and what became of every mailing."""


for _command in (
    letter_commands.new,
    letters_cli.preview,
    letters_cli.preflight_,
    letters_cli.test,
    letter_commands.edit,
    letter_commands.send,
):
    campaign.add_command(_command)
campaign.add_command(permission)
campaign.add_command(answers)


@campaign.command(epilog="Example: newsletter campaign ls")
@list_option
@json_option
@with_environment
def ls(env: Environment, slug: str | None, *, json_: bool) -> None:
    """Every mailing, newest first."""
    found = campaigns.list_campaigns(slug=slug)
    if json_:
        return as_json([campaigns.to_json(row) for row in found])
    rows = [(row.id, row.list, row.kind, row.subject, row.status, _sent(row)) for row in found]
    return table(
        ("id", "list", "kind", "subject", "status", "sent"), rows, empty="Nothing was mailed yet."
    )


def _sent(row: CampaignView) -> str:
    if row.status == "scheduled" or (row.status == "paused" and row.started_at is None):
        return moment(row.scheduled_at, row.timezone)
    return f"{row.totals.sent}/{row.totals.recipients}" if row.started_at else ""


@campaign.command(epilog="Example: newsletter campaign show 3")
@letters_cli.which_argument
@json_option
@with_environment
def show(env: Environment, which: str, *, json_: bool) -> None:
    """One mailing."""
    found = campaigns.get_campaign(letters_cli.number_of(which))
    if json_:
        return as_json(campaigns.to_json(found))
    told = {
        name: moment(value, found.timezone) if name.endswith("_at") else value  # type: ignore[arg-type]
        for name, value in campaigns.to_json(found).items()
        if name != "subjects"
    }
    table(("what", "value"), list(told.items()))
    return _subjects(found)


def _subjects(found: CampaignView) -> None:
    for row in found.subjects:
        mark = "  ← picked" if row.picked else ""
        say(
            f"{row.letter}: “{row.subject}”  {row.sent} sent, {row.left} of them have left the list since{mark}"
        )


@campaign.command(epilog="Example: newsletter campaign report 3 --all")
@letters_cli.which_argument
@click.option("--all", "everybody", is_flag=True, help="Those who got it, too.")
@json_option
@with_environment
def report(env: Environment, which: str, *, everybody: bool, json_: bool) -> None:
    """The numbers, who did not get it, and why."""
    campaign_id = letters_cli.number_of(which)
    found = campaigns.report_campaign(env, campaign_id, everybody=everybody or json_)
    if json_:
        more = {
            "sending": [state.sentence for state in found.sending],
            "left_in_doubt": found.left_in_doubt,
        }
        deliveries = [asdict(row) for row in found.deliveries]
        return as_json({**campaigns.to_json(found.campaign), **more, "deliveries": deliveries})
    totals = found.campaign.totals
    shown = found.campaign
    say(f"Campaign {campaign_id}, “{shown.subject}”, is {shown.status}. {shown.reason}".strip())
    say(
        f"{totals.recipients} recipients = {totals.sent} sent + {totals.failed} failed + {totals.cancelled} cancelled "
        f"+ {totals.waiting} waiting + {totals.in_doubt} in doubt"
    )
    returned = shown.returned
    if returned != Returned():
        say(
            f"{returned.bounced} came back, {returned.complained} were called spam, "
            f"{returned.replied} were answered; `newsletter bounce ls` names them."
        )
    if totals.doubted:
        say(
            f"{totals.doubted} were in doubt after a crash or a lost reply, and were sent once more with the same id."
        )
    if left := found.left_in_doubt:
        say(
            f"{left} of those in doubt are not sent again: the server may have taken each. Once more: campaign retry."
        )
    for state in found.sending:
        say(f"{state.sentence[:1].upper()}{state.sentence[1:]}")
    _subjects(shown)
    rows = [(row.email, row.status, row.attempts, row.code, row.text) for row in found.deliveries]
    return table(
        ("address", "status", "tries", "code", "what was said"), rows, empty=_all_well(shown)
    )


def _all_well(found: CampaignView) -> str:
    return (
        "Everybody who tries out the subjects got it." if found.undecided else "Everybody got it."
    )


@campaign.command(epilog="Example: newsletter campaign pick 3 b")
@letters_cli.which_argument
@click.argument("subject", type=click.Choice(["a", "b"]))
@yes_option
@with_environment
def pick(env: Environment, which: str, subject: str, *, yes: bool) -> None:
    """Send the better of two subjects to everybody who has had neither."""
    campaign_id = letters_cli.number_of(which)
    _subjects(campaigns.get_campaign(campaign_id))
    ask(f"Mail {letters.count_undecided(env, campaign_id)} more people subject {subject}?", yes=yes)
    more = letters.pick_subject(env, campaign_id, subject)
    say(f"Campaign {campaign_id}: {more} more readers get subject {subject}; a worker sends.")


@campaign.command(epilog="Example: newsletter campaign pause 3")
@letters_cli.which_argument
@with_environment
def pause(env: Environment, which: str) -> None:
    """Stop sending within a second or two; nobody is lost."""
    campaign_id = letters_cli.number_of(which)
    say(f"Campaign {campaign_id} is {campaigns.pause(env, campaign_id).status}.")


@campaign.command(epilog="Example: newsletter campaign resume 3")
@letters_cli.which_argument
@with_environment
def resume(env: Environment, which: str) -> None:
    """Go on where it stopped; a worker sends."""
    campaign_id = letters_cli.number_of(which)
    say(f"Campaign {campaign_id} is {campaigns.resume(env, campaign_id).status}.")


@campaign.command(epilog="Example: newsletter campaign cancel 3")
@letters_cli.which_argument
@yes_option
@with_environment
def cancel(env: Environment, which: str, *, yes: bool) -> None:
    """End a campaign for good: whoever has not got it will not."""
    campaign_id = letters_cli.number_of(which)
    waiting = campaigns.get_campaign(campaign_id).totals.waiting
    ask(
        f"Cancel campaign {campaign_id}? {some(waiting, 'subscriber')} will not get it.",
        yes=yes,
    )
    cancelled = campaigns.cancel(env, campaign_id)
    say(f"Campaign {campaign_id} is {cancelled.status}.")
    _explain_carried(campaign_id, cancelled.totals.sent)


def _explain_carried(campaign_id: int, sent: int) -> None:
    """Say what becomes of the entries of a cancelled digest."""
    ids = carried_entries.list_carried_entries(campaign_id)
    if not ids:
        return
    command = f"newsletter entry resend {' '.join(map(str, ids))}"
    entries = "entry counts" if len(ids) == 1 else f"{len(ids)} entries count"
    reached = f"It reached {some(sent, 'subscriber')}" if sent else "It reached nobody"
    say(f"{reached}, but its {entries} as mailed. To mail them to everybody: {command}")


@campaign.command(epilog="Example: newsletter campaign retry 3")
@letters_cli.which_argument
@yes_option
@with_environment
def retry(env: Environment, which: str, *, yes: bool) -> None:
    """Send once more to those it failed for or who are in doubt, and to nobody else."""
    campaign_id = letters_cli.number_of(which)
    totals = campaigns.get_campaign(campaign_id).totals
    if totals.failed or totals.in_doubt:
        doubts = (
            f" and the {totals.in_doubt} in doubt, who may get it twice" if totals.in_doubt else ""
        )
        ask(f"Try again for the {totals.failed} it failed for{doubts}?", yes=yes)
    say(f"Campaign {campaign_id} is {campaigns.retry(env, campaign_id).status}; a worker sends.")
