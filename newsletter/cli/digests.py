"""`newsletter digest`: the next digest: see it, send it now, or hear why nothing goes out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import with_environment
from newsletter.cli.member_choice import MemberChoice
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
from newsletter.cli.progress import send_and_show
from newsletter.files import write_private
from newsletter.i18n import LANGUAGES
from newsletter.mail import message
from newsletter.services.digests import due as digests
from newsletter.services.digests import explain_list, explain_subscriber, intros
from newsletter.services.digests import sections as digest_sections
from newsletter.vocabulary import Cadence

if TYPE_CHECKING:
    from newsletter.services.digests.compose import Composed
    from newsletter.services.digests.explain_list import EntryOutlook, Explanation
    from newsletter.services.runtime import Environment

cadence_option = click.option("--cadence", type=MemberChoice(Cadence), help="One cadence only.")
SECTIONS = ("none", "feed", "topic")
NEUTRAL = {
    "name": "",
    "unsubscribe_url": "(link to unsubscribe)",
    "preferences_url": "(link to preferences)",
    "stay_url": "(link to stay)",
}


@click.group()
def digest() -> None:
    """The next digest: see it, send it, ask why not."""


@digest.command(epilog="Example: newsletter digest preview --html next.html")
@list_option
@cadence_option
@click.option(
    "--language",
    default="",
    metavar="CODE",
    help="As its readers get it who chose this language, like de.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the HTML part to this file.",
)
@with_environment
def preview(
    env: Environment, slug: str | None, cadence: str | None, language: str, html: Path | None
) -> None:
    """Show the digest as it would go out now."""
    found = digests.preview(env, slug, cadence, language=language)  # type: ignore[arg-type]
    say(f"Subject: {found.subject}")
    others = f"; {found.editions - 1} other editions are smaller" if found.editions > 1 else ""
    say(f"{some(found.entries, 'entry', 'entries')}; {some(found.recipients, 'reader')}{others}")
    if found.languages:
        spoken = ", ".join(
            f"{LANGUAGES[code]}: {count}" for code, count in sorted(found.languages.items())
        )
        say(f"In their own languages: {spoken}")
    say("")
    say(message.fill(found.text, NEUTRAL))
    if html:
        write_private(html, message.fill(found.html, NEUTRAL))
        say(f"The HTML part is in {html}.")


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
    cadence: str | None,
    *,
    dry_run: bool,
    detach: bool,
    yes: bool,
) -> int:
    """Send what readers are owed now, without waiting for the hour."""
    preview_of = partial(digests.send_now, dry_run=True) if dry_run else digests.plan_now
    planned = preview_of(env, slug, cadence)  # type: ignore[arg-type]
    recipients = sum(row.recipients for row in planned)
    _planned(planned, cadence)
    if dry_run or not recipients:
        return 0
    ask(f"Mail {some(recipients, 'person', 'people')} now?", yes=yes)
    composed = [row for row in digests.send_now(env, slug, cadence) if row.campaign_id is not None]  # type: ignore[arg-type]
    ids = [row.campaign_id for row in composed if row.campaign_id is not None]
    if detach:
        say(f"Queued: campaigns {', '.join(map(str, ids))}.")
        return 0
    return send_and_show(env, ids)


def _planned(planned: Sequence[Composed], cadence: str | None) -> None:
    """What would go out.

    Rhythms that nobody reads are left out, unless there is no other or one was asked for.
    """
    read = [row for row in planned if row.why != digests.NOBODY or cadence]
    if not read:
        say("Nobody reads yet.")
    for row in read:
        what = f"{some(row.entries, 'entry', 'entries')} to {some(row.recipients, 'reader')}"
        say(f"{row.list}, {row.cadence}: {row.why or what}")


@digest.command(epilog="Example: newsletter digest explain ana@example.org")
@click.argument("address", required=False)
@list_option
@json_option
@with_environment
def explain(env: Environment, address: str | None, slug: str | None, *, json_: bool) -> None:
    """Say what goes out next and why, or why not; for the list, or for one reader's address."""
    if address:
        rows = explain_subscriber.explain_entries(env, slug, address)
        return as_json([_entry(row) for row in rows]) if json_ else _entries(rows)
    found = explain_list.explain(env, slug)
    if json_:
        names = ("cadence", "next_at", "readers", "owed", "verdict", "last")
        outlooks = [{name: getattr(row, name) for name in names} for row in found.outlooks]
        entries = [_entry(row) for row in found.entries]
        return as_json(
            {
                "list": found.list,
                "outlooks": outlooks,
                "entries": entries,
                "problems": list(found.problems),
            }
        )
    _outlooks(found)
    _entries(found.entries)
    for problem in found.problems:
        say(f"Note: {problem}.")
    return None


def _outlooks(found: Explanation) -> None:
    """Each rhythm that somebody reads; of the others only their names."""
    rows = [
        (
            row.cadence,
            moment(row.next_at, found.timezone) or "when something is ready",
            row.verdict,
            row.last,
        )
        for row in found.outlooks
        if row.readers
    ]
    unread = [row.cadence for row in found.outlooks if not row.readers]
    if rows:
        table(("rhythm", "next", "what goes out", "the last one"), rows)
    if unread:
        say(f"Nobody reads {', '.join(unread)}.")
    say("")


def _entry(row: EntryOutlook) -> dict[str, object]:
    return {name: getattr(row, name) for name in ("id", "title", "fate", "course", "verdict")}


def _entries(rows: Sequence[EntryOutlook]) -> None:
    shown = [(row.id, row.title, row.course, row.verdict) for row in rows]
    table(("id", "entry", "", "why"), shown, empty="Nothing was found in the feeds yet.")


@digest.command(epilog='Example: newsletter digest intro "I am back from the sea, and rested."')
@click.argument("text", required=False)
@list_option
@cadence_option
@click.option("--clear", is_flag=True, help="Take back what waits.")
@with_environment
def intro(
    env: Environment, text: str | None, slug: str | None, cadence: str | None, *, clear: bool
) -> None:
    """Write what the next digest begins with, in Markdown (- reads it from standard input); alone,
    show what waits.
    """
    if clear:
        return say(f"Taken back: {intros.clear_intros(slug, cadence)}")  # type: ignore[arg-type]
    if text is None:
        waiting = intros.list_intros(slug)
    else:
        words = sys.stdin.read() if text == "-" else text
        waiting = intros.write_intro(env, slug, words, cadence)  # type: ignore[arg-type]
    rows = [(row.cadence, row.text) for row in waiting]
    return table(
        ("rhythm", "the next digest begins with"),
        rows,
        empty="Nothing is written for the next digest.",
    )


@digest.command(epilog='Example: newsletter digest sections feed "My channel" "Slow Letters"')
@click.argument("kind", type=click.Choice(SECTIONS))
@click.argument("first", nargs=-1)
@list_option
@with_environment
def sections(env: Environment, kind: str, first: tuple[str, ...], slug: str | None) -> None:
    """Put digests under headings: the feeds or the topics, those named FIRST at the top; or none."""
    headings = digest_sections.arrange_sections(slug, kind, first)
    say("Headings: " + (", ".join(headings) or "none"))
