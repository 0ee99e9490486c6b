"""`newsletter campaign`: letters, and what became of every mailing."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from newsletter.addresses import parse_address
from newsletter.cli.context import with_environment
from newsletter.cli.digests import NEUTRAL
from newsletter.cli.output import as_json, ask, json_option, list_option, moment, say, table, yes_option
from newsletter.cli.watching import send_and_show
from newsletter.mail.message import fill
from newsletter.mail.render import MailContent
from newsletter.services import campaigns, letters, lists, sending
from newsletter.services.campaigns import CampaignView
from newsletter.services.environment import Environment


@click.group()
def campaign() -> None:
    """Letters, and what became of every mailing."""


def as_dict(row: CampaignView) -> dict[str, object]:
    """A campaign as programs read it."""
    head = {"id": row.id, "list": row.list, "kind": row.kind, "subject": row.subject, "status": row.status}
    return {**head, **asdict(row.totals), "reason": row.reason, "started_at": row.started_at}


@campaign.command(epilog="Example: newsletter campaign ls")
@list_option
@json_option
@with_environment
def ls(env: Environment, slug: str | None, *, json_: bool) -> None:
    """Every mailing, newest first."""
    found = campaigns.ls(slug=slug)
    if json_:
        return as_json([as_dict(row) for row in found])
    rows = [
        (row.id, row.list, row.kind, row.subject, row.status, f"{row.totals.sent}/{row.totals.recipients}")
        for row in found
    ]
    return table(("id", "list", "kind", "subject", "status", "sent"), rows, empty="Nothing was mailed yet.")


@campaign.command(epilog="Example: newsletter campaign show 3")
@click.argument("campaign_id", type=int)
@json_option
@with_environment
def show(env: Environment, campaign_id: int, *, json_: bool) -> None:
    """One mailing."""
    found = as_dict(campaigns.show(campaign_id))
    if json_:
        return as_json(found)
    return table(("what", "value"), list(found.items()))


def _content(env: Environment, which: str, slug: str | None) -> tuple[str, MailContent]:
    """The list and content of a letter's file, or of a campaign by number."""
    if which.isdecimal():
        found = campaigns.show(int(which))
        return found.list, campaigns.content(found.id)
    draft = letters.draft(env, letters.read_file(Path(which)), slug)
    return draft.slug, draft.content


@campaign.command(epilog="Example: newsletter campaign preview letter.md --html letter.html")
@click.argument("which", metavar="FILE.md|ID")
@list_option
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the HTML part to this file.")
@with_environment
def preview(env: Environment, which: str, slug: str | None, html: Path | None) -> None:
    """Show a letter as it would arrive."""
    _, content = _content(env, which, slug)
    say(f"Subject: {content.subject}\n")
    say(fill(content.text, NEUTRAL))
    if html:
        html.write_text(fill(content.html, NEUTRAL), "utf-8")
        say(f"The HTML part is in {html}.")


@campaign.command(epilog="Example: newsletter campaign test letter.md --to me@example.org")
@click.argument("which", metavar="FILE.md|ID")
@click.option("--to", required=True, metavar="ADDR", help="Who gets it; nobody else does.")
@list_option
@with_environment
def test(env: Environment, which: str, to: str, slug: str | None) -> int:
    """Mail a letter to one address, marked [Test]."""
    found, content = _content(env, which, slug)
    outcome = sending.send_test(env, found, content, to=parse_address(to, field="--to").email)
    say(f"{outcome.result}: {outcome.reply.code} {outcome.reply.text}")
    return 0 if outcome.result == "accepted" else 1


@campaign.command(epilog='Example: newsletter campaign send letter.md --list slow-letters --at "2026-12-01 09:00"')
@click.argument("file", type=click.Path(path_type=Path))
@list_option
@click.option("--at", metavar="WHEN", help='A moment in the list\'s time zone, like "2026-12-01 09:00".')
@click.option("--again", is_flag=True, help="Send a letter that this list has had already.")
@click.option("--detach", is_flag=True, help="Queue only; a worker sends.")
@yes_option
@with_environment
def send(
    env: Environment, file: Path, slug: str | None, at: str | None, *, again: bool, detach: bool, yes: bool
) -> int:
    """Mail a letter to a list, once."""
    letter = letters.read_file(file)
    draft = letters.draft(env, letter, slug)
    when = _when(at, lists.show(draft.slug).timezone) if at else None
    say(f"“{draft.content.subject}” to {draft.recipients} active subscribers of {draft.slug}")
    later = f" at {moment(when, lists.show(draft.slug).timezone)}" if when else " now"
    ask(f"Mail {draft.recipients} people{later}?", yes=yes)
    campaign_id = letters.send(env, letter, draft.slug, at=when, again=again)
    if when or detach:
        say(f"Campaign {campaign_id} is {'scheduled' if when else 'queued'}; a worker sends it.")
        return 0
    return send_and_show(env, [campaign_id])


def _when(text: str, zone: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise click.BadParameter('use a form like "2026-12-01 09:00"', param_hint="--at") from None
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))


@campaign.command(epilog="Example: newsletter campaign report 3 --all")
@click.argument("campaign_id", type=int)
@click.option("--all", "everybody", is_flag=True, help="Those who got it, too.")
@json_option
@with_environment
def report(env: Environment, campaign_id: int, *, everybody: bool, json_: bool) -> None:
    """The numbers, who did not get it, and why."""
    found = campaigns.report(campaign_id, everybody=everybody or json_)
    if json_:
        return as_json({**as_dict(found.campaign), "deliveries": [asdict(row) for row in found.deliveries]})
    totals = found.campaign.totals
    shown = found.campaign
    say(f"Campaign {campaign_id}, “{shown.subject}”, is {shown.status}. {shown.reason}".strip())
    say(
        f"{totals.recipients} recipients = {totals.sent} sent + {totals.failed} failed + {totals.cancelled} cancelled "
        f"+ {totals.waiting} waiting + {totals.in_doubt} in doubt"
    )
    if totals.doubted:
        say(f"{totals.doubted} were in doubt after a crash or a lost reply, and were sent once more with the same id.")
    rows = [(row.email, row.status, row.attempts, row.code, row.text) for row in found.deliveries]
    return table(("address", "status", "tries", "code", "what was said"), rows, empty="Everybody got it.")


@campaign.command(epilog="Example: newsletter campaign pause 3")
@click.argument("campaign_id", type=int)
@with_environment
def pause(env: Environment, campaign_id: int) -> None:
    """Stop sending within a second or two; nobody is lost."""
    say(f"Campaign {campaign_id} is {campaigns.pause(campaign_id).status}.")


@campaign.command(epilog="Example: newsletter campaign resume 3")
@click.argument("campaign_id", type=int)
@with_environment
def resume(env: Environment, campaign_id: int) -> None:
    """Go on where it stopped; a worker sends."""
    say(f"Campaign {campaign_id} is {campaigns.resume(campaign_id).status}.")


@campaign.command(epilog="Example: newsletter campaign cancel 3")
@click.argument("campaign_id", type=int)
@yes_option
@with_environment
def cancel(env: Environment, campaign_id: int, *, yes: bool) -> None:
    """End a mailing for good: who has not got it will not."""
    waiting = campaigns.show(campaign_id).totals.waiting
    ask(f"Cancel campaign {campaign_id}? {waiting} people have not got it yet and will not.", yes=yes)
    say(f"Campaign {campaign_id} is {campaigns.cancel(env, campaign_id).status}.")


@campaign.command(epilog="Example: newsletter campaign retry 3")
@click.argument("campaign_id", type=int)
@yes_option
@with_environment
def retry(env: Environment, campaign_id: int, *, yes: bool) -> None:
    """Send once more to those it failed for, and to nobody else."""
    ask(f"Try again for the {campaigns.show(campaign_id).totals.failed} it failed for?", yes=yes)
    say(f"Campaign {campaign_id} is {campaigns.retry(env, campaign_id).status}; a worker sends.")
