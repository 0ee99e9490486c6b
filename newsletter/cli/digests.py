"""`newsletter digest`: show the next digest, send it now, or say why nothing goes out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.addresses import parse_address
from newsletter.cli import review_commands
from newsletter.cli.context import with_environment
from newsletter.cli.groups import CommandGroup
from newsletter.cli.member_choice import MemberChoice
from newsletter.cli.output import (
    ask,
    format_moment,
    json_option,
    list_option,
    print_json,
    print_table,
    say,
    write_count,
    yes_option,
)
from newsletter.cli.progress import send_and_show
from newsletter.cli.review_commands import cadence_option
from newsletter.digest_vocabulary import DigestSections
from newsletter.files import write_private
from newsletter.i18n import LANGUAGES
from newsletter.mail import slots
from newsletter.mail.smtp.types import Result
from newsletter.services.digests import due as digests
from newsletter.services.digests import explain_list, explain_subscriber, intros
from newsletter.services.digests import sections as digest_sections
from newsletter.services.sending import trial
from newsletter.vocabulary import Cadence

if TYPE_CHECKING:
    from newsletter.mail.render import MailContent
    from newsletter.services.digests.compose import ComposedDigest
    from newsletter.services.digests.entry_outlook import EntryOutlook
    from newsletter.services.digests.explain_list import Explanation
    from newsletter.services.digests.outlook import Outlook
    from newsletter.services.runtime import Environment

NEUTRAL = {
    "name": "",
    "unsubscribe_url": "(link to unsubscribe)",
    "preferences_url": "(link to preferences)",
    "why_url": "(link to why)",
    "stay_url": "(link to stay)",
}


@click.group(
    cls=CommandGroup,
    commands=[
        review_commands.hold,
        review_commands.release,
        review_commands.leave_out,
        review_commands.skip,
    ],
)
def digest() -> None:
    """Show the next digest, send it, hold it, or explain it."""


@digest.command(epilog="Example: newsletter digest preview --to me@example.org")
@list_option
@cadence_option
@click.option(
    "--language",
    default="",
    metavar="CODE",
    help="As subscribers get it who chose this language, like de.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the HTML part to this file.",
)
@click.option(
    "--to", metavar="ADDR", help="Mail it to this address, marked [Test]; to nobody else."
)
@with_environment
def preview(
    env: Environment,
    slug: str | None,
    cadence: Cadence | None,
    language: str,
    html: Path | None,
    to: str | None,
) -> int:
    """Show the digest as it would go out now, or mail it to one address."""
    address = parse_address(to, field="--to").email if to is not None else ""
    digest = digests.preview(env, slug, cadence, language=language)
    content = digest.content
    if address:
        return _send_test(env, digest.list, content, address)
    say(f"Subject: {content.subject}")
    others = f"; {digest.editions - 1} other editions are smaller" if digest.editions > 1 else ""
    entries = write_count(digest.entries, "entry", "entries")
    say(f"{entries}; {write_count(digest.recipients, 'subscriber')}{others}")
    if digest.languages:
        counts = sorted(digest.languages.items())
        say(
            "In other languages: "
            + ", ".join(f"{LANGUAGES[code]}: {count}" for code, count in counts)
        )
    say("")
    say(slots.fill(content.text, NEUTRAL))
    if html:
        write_private(html, slots.fill(content.html, NEUTRAL))
        say(f"The HTML part is in {html}.")
    return 0


def _send_test(env: Environment, slug: str, content: MailContent, address: str) -> int:
    outcome = trial.send_test(env, slug, content, to=address)
    reply = f"{outcome.reply.code} {outcome.reply.text}"
    say(f"“[Test] {content.subject}” to {address}: {outcome.result}: {reply}")
    return 0 if outcome.result == Result.ACCEPTED else 1


@digest.command(epilog="Example: newsletter digest send --dry-run")
@list_option
@cadence_option
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@click.option("--detach", is_flag=True, help="Queue only; a worker sends.")
@yes_option
@with_environment
def send(
    env: Environment,
    slug: str | None,
    cadence: Cadence | None,
    *,
    dry_run: bool,
    detach: bool,
    yes: bool,
) -> int:
    """Send what subscribers are owed now, without waiting for the hour."""
    plan = partial(digests.send_now, dry_run=True) if dry_run else digests.plan_now
    planned = plan(env, slug, cadence)
    recipients = sum(row.recipients for row in planned)
    _show_planned(planned, cadence)
    if dry_run or not recipients:
        return 0
    ask(f"Mail {write_count(recipients, 'subscriber')} now?", yes=yes)
    composed = digests.send_now(env, slug, cadence)
    ids = [row.campaign_id for row in composed if row.campaign_id is not None]
    if detach:
        say(f"Queued: campaigns {', '.join(map(str, ids))}.")
        return 0
    return send_and_show(env, ids)


def _show_planned(planned: Sequence[ComposedDigest], cadence: Cadence | None) -> None:
    """Print what each planned digest would contain, and to how many subscribers.

    Cadences that nobody has are left out, unless there is no other or one was asked for.
    """
    rows = [row for row in planned if row.why != digests.NOBODY or cadence]
    if not rows:
        say("The list has no active subscriber yet.")
    for row in rows:
        entries = write_count(row.entries, "entry", "entries")
        counts = f"{entries} to {write_count(row.recipients, 'subscriber')}"
        say(f"{row.list}, {row.cadence}: {row.why or counts}")


@digest.command(epilog="Example: newsletter digest explain ana@example.org")
@click.argument("address", required=False)
@list_option
@json_option
@with_environment
def explain(env: Environment, address: str | None, slug: str | None, *, json_: bool) -> None:
    """Say what goes out next and why, or why not; for the list, or for one subscriber's address."""
    if address:
        rows = explain_subscriber.explain_entries(env, slug, address)
        return print_json([_entry_to_dict(row) for row in rows]) if json_ else _show_entries(rows)
    explanation = explain_list.explain(env, slug)
    if json_:
        return print_json(
            {
                "list": explanation.list,
                "outlooks": [_outlook_to_dict(row) for row in explanation.outlooks],
                "entries": [_entry_to_dict(row) for row in explanation.entries],
                "problems": list(explanation.problems),
            }
        )
    _show_outlooks(explanation)
    _show_entries(explanation.entries)
    for problem in explanation.problems:
        say(f"Note: {problem}.")
    return None


def _show_outlooks(explanation: Explanation) -> None:
    """Print the next digest of each cadence in use, and name the unused cadences."""
    rows = [
        (row.cadence, describe_next(row, explanation.timezone), row.verdict, row.last)
        for row in explanation.outlooks
        if row.subscribers
    ]
    unused = [row.cadence for row in explanation.outlooks if not row.subscribers]
    if rows:
        print_table(("cadence", "next", "what goes out", "the last one"), rows)
    if unused:
        say(f"Nobody has the cadence {', '.join(unused)}.")
    say("")


def describe_next(row: Outlook, zone: str) -> str:
    """Describe when the next digest of a cadence goes out."""
    if row.needs_release:
        return "when it is released"
    if row.next_at is None:
        return "when something is ready"
    due = format_moment(row.next_at, zone)
    return f"now (was due {due})" if row.overdue else due


def _outlook_to_dict(row: Outlook) -> dict[str, object]:
    return {
        "cadence": row.cadence,
        "next_at": row.next_at,
        "overdue": row.overdue,
        "subscribers": row.subscribers,
        "owed": row.owed,
        "verdict": row.verdict,
        "last": row.last,
        "state": row.state,
        "entries": row.review.entries if row.review else None,
        "left_out": sorted(row.review.left_out) if row.review else [],
    }


def _entry_to_dict(row: EntryOutlook) -> dict[str, object]:
    return {name: getattr(row, name) for name in ("id", "title", "fate", "course", "verdict")}


def _show_entries(rows: Sequence[EntryOutlook]) -> None:
    cells = [(row.id, row.title, row.course, row.verdict) for row in rows]
    print_table(("id", "entry", "", "why"), cells, empty="Nothing was found in the feeds yet.")


@digest.command(epilog='Example: newsletter digest intro "I am back from the sea, and rested."')
@click.argument("text", required=False)
@list_option
@cadence_option
@click.option("--clear", is_flag=True, help="Take back what waits.")
@with_environment
def intro(
    env: Environment, text: str | None, slug: str | None, cadence: Cadence | None, *, clear: bool
) -> None:
    """Write what the next digest begins with, in Markdown (- reads it from standard input).

    Without TEXT, show what waits.
    """
    if clear:
        return say(f"Removed: {intros.clear_intros(slug, cadence)}")
    if text is None:
        waiting = intros.list_intros(slug)
    else:
        words = sys.stdin.read() if text == "-" else text
        waiting = intros.write_intro(env, slug, words, cadence)
    rows = [(row.cadence, row.text) for row in waiting]
    return print_table(
        ("cadence", "the next digest begins with"),
        rows,
        empty="Nothing is written for the next digest.",
    )


@digest.command(epilog='Example: newsletter digest sections feed "My channel" "Slow Letters"')
@click.argument("kind", type=MemberChoice(DigestSections))
@click.argument("first", nargs=-1)
@list_option
@with_environment
def sections(
    env: Environment, kind: DigestSections, first: tuple[str, ...], slug: str | None
) -> None:
    """Put digests under headings: feeds or topics, those named FIRST at the top; or none."""
    headings = digest_sections.arrange_sections(slug, kind, first)
    say("Headings: " + (", ".join(headings) or "none"))
