"""`newsletter campaign`: write letters, send them, and report on every campaign."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

import click

from newsletter.cli import letter_commands
from newsletter.cli import letters as letters_cli
from newsletter.cli.context import with_environment
from newsletter.cli.groups import CommandGroup
from newsletter.cli.member_choice import MemberChoice
from newsletter.cli.output import (
    ask,
    choose_limit,
    format_moment,
    json_option,
    limit_option,
    list_option,
    note_limit,
    print_json,
    print_json_object,
    print_table,
    say,
    write_count,
    yes_option,
)
from newsletter.cli.permission import answers, permission
from newsletter.services import bounce_events
from newsletter.services.campaigns import campaigns, carried_entries, tapped_answers
from newsletter.services.campaigns import report as reports
from newsletter.services.letters import send as letters
from newsletter.vocabulary import CampaignStatus

if TYPE_CHECKING:
    from newsletter.services.campaigns.campaigns import CampaignView
    from newsletter.services.campaigns.report import CampaignReport, DeliveryView
    from newsletter.services.campaigns.tapped_answers import QuestionResult
    from newsletter.services.runtime import Environment


@click.group(cls=CommandGroup)
def campaign() -> None:
    """Write letters, send them, and report on every campaign."""


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


@campaign.command(epilog="Example: newsletter campaign ls --status paused")
@list_option
@click.option("--status", type=MemberChoice(CampaignStatus), help="Only with this status.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Only made on this day (UTC) or later.",
)
@limit_option
@json_option
@with_environment
def ls(
    env: Environment,
    slug: str | None,
    status: CampaignStatus | None,
    since: datetime | None,
    limit: int | None,
    *,
    json_: bool,
) -> None:
    """List campaigns, newest first."""
    day = since.replace(tzinfo=UTC) if since else None
    chosen = campaigns.CampaignFilter(slug, status, day)
    page = campaigns.list_campaigns(chosen, limit=choose_limit(limit, json_=json_))
    if json_:
        print_json([campaigns.to_json(row) for row in page])
    else:
        rows = [
            (row.id, row.list, row.kind, row.subject, row.status, _format_progress(row))
            for row in page
        ]
        columns = ("id", "list", "kind", "subject", "status", "sent")
        print_table(columns, rows, empty="No campaign matches.")
    note_limit(len(page), campaigns.count_campaigns(chosen))


def _format_progress(row: CampaignView) -> str:
    if row.status == CampaignStatus.SCHEDULED or (
        row.status == CampaignStatus.PAUSED and row.started_at is None
    ):
        return format_moment(row.scheduled_at, row.timezone)
    return f"{row.totals.sent:,}/{row.totals.recipients:,}" if row.started_at else ""


@campaign.command(epilog="Example: newsletter campaign show 3")
@letters_cli.which_argument
@json_option
@with_environment
def show(env: Environment, which: str, *, json_: bool) -> None:
    """Show a campaign."""
    row = campaigns.get_campaign(letters_cli.get_campaign_id(which))
    fields = campaigns.to_json(row)
    if json_:
        return print_json(fields)
    cells = [
        (name, format_moment(value, row.timezone) if isinstance(value, datetime) else value)
        for name, value in fields.items()
        if name != "subjects"
    ]
    print_table(("what", "value"), cells)
    return _print_subjects(row)


def _print_subjects(campaign: CampaignView) -> None:
    for row in campaign.subjects:
        mark = "  ← picked" if row.picked else ""
        say(
            f"{row.letter}: “{row.subject}”  {row.sent:,} sent to try it out, "
            f"{row.left:,} of them have left the list since{mark}"
        )


@campaign.command(epilog="Example: newsletter campaign report 3 --all")
@letters_cli.which_argument
@click.option("--all", "everybody", is_flag=True, help="List every recipient.")
@limit_option
@json_option
@with_environment
def report(
    env: Environment, which: str, limit: int | None, *, everybody: bool, json_: bool
) -> None:
    """Show who did not get a campaign and why, and its numbers.

    As JSON it lists every recipient.
    """
    campaign_id = letters_cli.get_campaign_id(which)
    everybody = everybody or json_
    result = reports.report_campaign(env, campaign_id, everybody=everybody)
    most = choose_limit(limit, json_=json_)
    deliveries = islice(reports.iterate_deliveries(campaign_id, everybody=everybody), most)
    if json_:
        return _print_report_json(result, deliveries)
    row = result.campaign
    cells = [(d.email, d.status, d.attempts, d.code, d.text) for d in deliveries]
    if cells:
        print_table(("address", "status", "tries", "code", "server's answer"), cells)
        note_limit(len(cells), result.listed)
    say(f"Campaign {campaign_id}, “{row.subject}”, is {row.status}. {row.reason}".strip())
    _print_totals(result)
    for state in result.sending:
        say(f"{state.sentence[:1].upper()}{state.sentence[1:]}")
    _print_subjects(row)
    for question in tapped_answers.read_results(campaign_id):
        say(f"{question.text}  {_list_choices(question)}")
    return say(summary) if (summary := _summarize(row)) else None


def _list_choices(question: QuestionResult) -> str:
    return ", ".join(f"{choice}: {count:,}" for choice, count in question.choices)


def _print_report_json(result: CampaignReport, deliveries: Iterable[DeliveryView]) -> None:
    """Print a report as one JSON object; its deliveries come last, each as soon as it is read."""
    head = {
        **campaigns.to_json(result.campaign),
        "sending": [state.sentence for state in result.sending],
        "left_in_doubt": result.left_in_doubt,
        "folded": result.folded,
        "questions": [asdict(row) for row in tapped_answers.read_results(result.campaign.id)],
    }
    printed = print_json_object(head, "deliveries", (asdict(row) for row in deliveries))
    note_limit(printed, result.listed)


def _print_totals(result: CampaignReport) -> None:
    totals = result.campaign.totals
    say(
        f"{totals.recipients:,} recipients = {totals.sent:,} sent + {totals.failed:,} failed "
        f"+ {totals.cancelled:,} cancelled + {totals.waiting:,} waiting "
        f"+ {totals.in_doubt:,} in doubt"
    )
    returned = result.campaign.returned
    if returned != bounce_events.Returned():
        say(
            f"{returned.bounced:,} came back, {returned.complained:,} called spam, "
            f"{returned.replied:,} answered; `newsletter bounce ls` names them."
        )
    if totals.doubted:
        say(
            f"{totals.doubted:,} were in doubt after a crash or a lost reply, "
            "and were sent once more with the same Message-ID."
        )
    if result.folded:
        say(
            f"{result.folded:,} messages are counted and not listed: they are older than "
            "keep_deliveries."
        )
    if left := result.left_in_doubt:
        say(
            f"{left:,} of those in doubt are not sent again: the server may have taken each. "
            "To send them once more: newsletter campaign retry."
        )


def _summarize(row: CampaignView) -> str:
    """Return a sentence about a campaign that reached everybody or nobody; "" for any other."""
    totals = row.totals
    if row.started_at is None:
        return "It has not started: nobody was mailed."
    if not totals.recipients:
        return "It had no recipients."
    if totals.sent < totals.recipients:
        return ""
    return "Everybody who tries out the subjects got it." if row.undecided else "Everybody got it."


@campaign.command(epilog="Example: newsletter campaign pick 3 b")
@letters_cli.which_argument
@click.argument("subject", type=click.Choice(["a", "b"]))
@yes_option
@with_environment
def pick(env: Environment, which: str, subject: str, *, yes: bool) -> None:
    """Send the better of two subjects to everybody who has received neither."""
    campaign_id = letters_cli.get_campaign_id(which)
    _print_subjects(campaigns.get_campaign(campaign_id))
    count = write_count(letters.count_undecided(env, campaign_id), "more subscriber")
    ask(f"Mail {count} subject {subject}?", yes=yes)
    more = letters.pick_subject(env, campaign_id, subject)
    say(f"Campaign {campaign_id}: {more:,} more subscribers get subject {subject}; a worker sends.")


@campaign.command(epilog="Example: newsletter campaign pause 3")
@letters_cli.which_argument
@with_environment
def pause(env: Environment, which: str) -> None:
    """Stop sending within two seconds; `resume` goes on with the rest."""
    campaign_id = letters_cli.get_campaign_id(which)
    say(f"Campaign {campaign_id} is {campaigns.pause(env, campaign_id).status}.")


@campaign.command(epilog="Example: newsletter campaign undo 3")
@letters_cli.which_argument
@with_environment
def undo(env: Environment, which: str) -> None:
    """Make a letter that waits for its moment a draft again; nobody is mailed."""
    campaign_id = letters_cli.get_campaign_id(which)
    say(f"Campaign {campaign_id} is a {campaigns.take_back(env, campaign_id).status} again.")


@campaign.command(epilog="Example: newsletter campaign resume 3")
@letters_cli.which_argument
@with_environment
def resume(env: Environment, which: str) -> None:
    """Go on with a paused campaign; a worker sends it."""
    campaign_id = letters_cli.get_campaign_id(which)
    say(f"Campaign {campaign_id} is {campaigns.resume(env, campaign_id).status}.")


@campaign.command(epilog="Example: newsletter campaign cancel 3")
@letters_cli.which_argument
@yes_option
@with_environment
def cancel(env: Environment, which: str, *, yes: bool) -> None:
    """End a campaign for good: nothing more of it is sent."""
    campaign_id = letters_cli.get_campaign_id(which)
    waiting = campaigns.get_campaign(campaign_id).totals.waiting
    ask(
        f"Cancel campaign {campaign_id}? {write_count(waiting, 'subscriber')} will not get it.",
        yes=yes,
    )
    cancelled = campaigns.cancel(env, campaign_id)
    say(f"Campaign {campaign_id} is {cancelled.status}.")
    _explain_carried(campaign_id, cancelled.totals.sent)


def _explain_carried(campaign_id: int, sent: int) -> None:
    """Print what becomes of the entries of a cancelled digest."""
    ids = carried_entries.list_carried_entries(campaign_id)
    if not ids:
        return
    command = f"newsletter entry resend {' '.join(map(str, ids))}"
    entries = "entry counts" if len(ids) == 1 else f"{len(ids)} entries count"
    reached = f"It reached {write_count(sent, 'subscriber')}" if sent else "It reached nobody"
    say(f"{reached}, but its {entries} as mailed. To mail them to everybody: {command}")


@campaign.command(epilog="Example: newsletter campaign retry 3")
@letters_cli.which_argument
@yes_option
@with_environment
def retry(env: Environment, which: str, *, yes: bool) -> None:
    """Send again to the recipients that failed or are in doubt, and to nobody else."""
    campaign_id = letters_cli.get_campaign_id(which)
    totals = campaigns.get_campaign(campaign_id).totals
    if totals.failed or totals.in_doubt:
        doubts = (
            f" and to {totals.in_doubt:,} in doubt, who may get it twice" if totals.in_doubt else ""
        )
        ask(f"Send again to {totals.failed:,} that failed{doubts}?", yes=yes)
    say(f"Campaign {campaign_id} is {campaigns.retry(env, campaign_id).status}; a worker sends.")
