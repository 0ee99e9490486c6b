"""`newsletter status`: show the state of everything on one screen."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import with_environment
from newsletter.cli.output import format_moment, json_option, list_option, paint, print_json, say
from newsletter.html.text import shorten_text
from newsletter.services import installation
from newsletter.services.operations import status as statuses
from newsletter.setup_vocabulary import CheckVerdict
from newsletter.vocabulary import CampaignStatus

if TYPE_CHECKING:
    from newsletter.services.installation import Hold
    from newsletter.services.operations.status import CampaignSummary, ListStatus, Status
    from newsletter.services.runtime import Environment

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 78


@click.command(epilog="Example: newsletter status")
@list_option
@json_option
@with_environment
def status(env: Environment, slug: str | None, *, json_: bool) -> None:
    """Show subscribers, what goes out next, what is being sent and what is wrong."""
    report = statuses.read_status(env, slug)
    if json_:
        return print_json(asdict(report))
    if report.hold:
        _print_hold(report.hold)
    for row in report.lists:
        _print_list(row)
    zone = report.lists[0].timezone if report.lists else "UTC"
    return _print_totals(report, zone)


def _print_hold(hold: Hold) -> None:
    say(paint("Nothing is mailed", "red"))
    _print_line("held", f"since {format_moment(hold.at)}: {hold.because}", mark="red")
    _print_line("waiting", f"{hold.waiting:,} messages, {hold.paused:,} paused campaigns")
    _print_line(
        "next",
        f"`{installation.RELEASE}` lets mail leave; "
        "campaigns: `newsletter campaign resume` or `cancel`",
    )
    say("")


def draw_sparkline(numbers: tuple[int, ...]) -> str:
    """Draw numbers as a row of bars; a zero is a dot."""
    most = max(numbers, default=0)
    return "".join(
        BARS[min(number * len(BARS) // most, len(BARS) - 1)] if number else "·"
        for number in numbers
    )


def _print_line(label: str, text: str, *, mark: str = "") -> None:
    room = WIDTH - 13
    line = text if len(text) <= room else f"{text[: room - 1]}…"
    say(f"  {label:<10} {paint(line, mark) if mark else line}")


def _print_list(row: ListStatus) -> None:
    say(paint(f"{row.title} ({row.list})", "bold"))
    suppressed = f", {row.suppressed:,} suppressed" if row.suppressed else ""
    _print_line(
        "people",
        f"{row.active:,} active, {row.pending:,} pending, {row.unsubscribed:,} unsubscribed"
        f"{suppressed}",
    )
    _print_line(
        "30 days",
        f"{draw_sparkline(row.growth.joined)}  +{sum(row.growth.joined):,} −{row.growth.left:,}",
    )
    for coming in row.coming:
        when = f"{format_moment(coming.at, row.timezone)}: " if coming.at else ""
        _print_line(coming.cadence, when + coming.verdict.removeprefix("nothing goes out: "))
    if not row.coming:
        _print_line("next", "nothing: there is no active subscriber yet")
    for campaign in row.under_way:
        _print_campaign(campaign, row.timezone)
    if row.last:
        _print_campaign(row.last, row.timezone)
    _print_line(
        "feeds",
        f"{row.feeds - len(row.failing)} read well" if row.feeds else "none",
        mark="" if row.feeds else "yellow",
    )
    for failing in row.failing:
        _print_line("failing", failing, mark="red")
    say("")


def _print_campaign(row: CampaignSummary, zone: str) -> None:
    totals = row.totals
    done = f"{totals.sent:,}/{totals.recipients:,}" + (
        f", {totals.failed:,} failed" if totals.failed else ""
    )
    time = format_moment(row.at, zone)
    if row.status == CampaignStatus.SCHEDULED:
        _print_line("scheduled", _name_campaign(row, f" at {time}"))
    elif row.status == CampaignStatus.SENT:
        _print_line("last sent", _name_campaign(row, f", {done}, {time}"))
    else:
        _print_line(
            row.status, _name_campaign(row, f", {done} {row.reason}".rstrip()), mark="yellow"
        )


def _name_campaign(row: CampaignSummary, after: str) -> str:
    """Describe a campaign and its state, with its subject shortened to fit the line."""
    before = f"{row.kind} {row.id} “"
    room = max(WIDTH - 13 - len(before) - len(after) - 1, 20)
    return f"{before}{shorten_text(row.subject, room)}”{after}"


def _say(label: str, text: str) -> None:
    """Print a text whole, over several lines if needed: a provider's message may be long."""
    for number, line in enumerate(textwrap.wrap(text, WIDTH - 13)):
        _print_line("" if number else label, line, mark="yellow")


def _print_totals(report: Status, zone: str) -> None:
    next_due = (
        f", the next is due {format_moment(report.next_due_at, zone)}" if report.next_due_at else ""
    )
    _print_line("queue", f"{report.waiting:,} waiting{next_due if report.waiting else ''}")
    for state in report.sending:
        _say("sending", state.sentence)
    for domain in report.resting:
        until = format_moment(domain.until, zone)
        _say("resting", f"{domain.domain} until {until}, because it answered: {domain.why}")
    _print_line(
        "bounces", f"{report.bounces:,} addresses gone, {report.complaints:,} complaints in 30 days"
    )
    if report.unknown:
        text = f"{report.unknown:,} wait for you: `newsletter bounce ls --unknown`"
        _print_line("returned", text, mark="yellow")
    if report.proposals:
        text = f"{report.proposals:,} ask to be unsubscribed: `newsletter bounce ls --proposals`"
        _print_line("replies", text, mark="yellow")
    if report.ticked_at is None or (report.now - report.ticked_at).total_seconds() > 300:
        last_seen = (
            f"last seen {format_moment(report.ticked_at, zone)}"
            if report.ticked_at
            else "never seen"
        )
        _print_line("worker", f"not running ({last_seen}): `newsletter serve`", mark="red")
    else:
        _print_line("worker", "running")
    for check in report.troubles:
        _print_line(
            check.id,
            f"{check.what}: {check.hint}",
            mark="red" if check.verdict == CheckVerdict.BAD else "yellow",
        )
