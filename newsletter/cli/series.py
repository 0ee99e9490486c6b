"""`newsletter series`: manage the welcome letter and the letters that follow it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.authoring import dates
from newsletter.cli import letter_commands
from newsletter.cli import letters as letters_cli
from newsletter.cli.context import with_environment
from newsletter.cli.groups import CommandGroup
from newsletter.cli.output import (
    ask,
    is_terminal,
    json_option,
    list_option,
    print_json,
    print_table,
    say,
    yes_option,
)
from newsletter.services import lookup
from newsletter.services.letters import series

if TYPE_CHECKING:
    from newsletter.services.letters.series import SeriesLetterView
    from newsletter.services.runtime import Environment

step_argument = letters_cli.which_argument


def _get_letter_id(which: str) -> int:
    return series.get_letter_id(letters_cli.parse_reference(which))


@click.group("series", cls=CommandGroup)
def series_() -> None:
    """Send new subscribers a welcome letter and others after it, each once."""


def _write_wait(after: timedelta) -> str:
    if not after:
        return "at once"
    seconds = int(after.total_seconds())
    unit = next(unit for unit in (86_400, 3600, 60) if seconds % unit == 0)
    return f"after {seconds // unit}{ {86_400: 'd', 3600: 'h', 60: 'm'}[unit] }"


def _to_dict(row: SeriesLetterView) -> dict[str, object]:
    return {**asdict(row), "after": int(row.after.total_seconds())}


@series_.command(epilog="Example: newsletter series add welcome/02-boundaries.md --after 3d")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--after",
    default="0",
    metavar="TIME",
    help="Time after the confirmation: 3d, 12h, 2w; 0 is the welcome letter.",
)
@list_option
@json_option
@with_environment
def add(env: Environment, file: Path, after: str, slug: str | None, *, json_: bool) -> None:
    """Add a letter.

    Subscribers whose confirmation is longer ago do not get it.
    """
    step = series.add_letter(env, file, dates.parse_wait(after), slug)
    if json_:
        return print_json(_to_dict(step))
    return say(f"Letter {step.id} of {step.list}: “{step.subject}”, {_write_wait(step.after)}.")


@series_.command(epilog="Example: newsletter series ls")
@list_option
@json_option
@with_environment
def ls(env: Environment, slug: str | None, *, json_: bool) -> None:
    """List the letters in order, and how many subscribers got each."""
    steps = series.list_letters(lookup.check_slug(slug))
    if json_:
        return print_json([_to_dict(row) for row in steps])
    rows = [
        (row.id, row.list, _write_wait(row.after), row.subject, row.subscribers) for row in steps
    ]
    return print_table(
        ("id", "list", "when", "subject", "subscribers"), rows, empty="There is no series yet."
    )


@series_.command(epilog="Example: newsletter series preview 2 --html letter.html")
@step_argument
@letters_cli.add_preview_options
@with_environment
def preview(env: Environment, which: str, **options: object) -> None:
    """Show a letter as it would arrive."""
    letter = series.load_letter(env, _get_letter_id(which))
    letters_cli.present(env, letter, **options)  # type: ignore[arg-type]


@series_.command(name="preflight", epilog="Example: newsletter series preflight 2")
@step_argument
@letters_cli.offline_option
@json_option
@with_environment
def preflight_(env: Environment, which: str, *, offline: bool, json_: bool) -> int:
    """Check a letter: links, pictures, size, subject, personal fields, sender."""
    checks = letters_cli.examine_letter(
        env,
        series.load_letter(env, _get_letter_id(which), offline=offline),
        offline=offline,
        silent=json_,
    )
    return letters_cli.report_checks(checks, json_=json_)


@series_.command(epilog="Example: newsletter series test 2 --to me@example.org")
@step_argument
@click.option("--to", required=True, metavar="ADDR", help="The only address that gets it.")
@letters_cli.as_option
@with_environment
def test(env: Environment, which: str, to: str, address: str | None) -> int:
    """Mail a letter to one address, marked [Test]."""
    return letters_cli.send_test(env, series.load_letter(env, _get_letter_id(which)), to, address)


@series_.command(epilog="Example: newsletter series edit 2 --after 5d")
@step_argument
@click.option("--after", metavar="TIME", help="Another time: 3d, 12h, 2w.")
@click.option(
    "--file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Take its text from this file.",
)
@click.option("--subject", help="Another subject.")
@with_environment
def edit(
    env: Environment, which: str, after: str | None, file: Path | None, subject: str | None
) -> None:
    """Change a letter for those who have not got it; without options, in your editor.

    Nobody gets it again.
    """
    step_id = _get_letter_id(which)
    letter = None
    if file or subject or (after is None and is_terminal()):
        text, _ = series.get_text(step_id)
        letter = letter_commands.read_changes(text, file, {"subject": subject}, ask_editor=True)
    elif after is None:
        raise click.UsageError("choose what to change: --after, --file or --subject")
    path = str(file.resolve()) if file else ""
    wait = dates.parse_wait(after) if after else None
    step = series.edit_letter(env, step_id, letter=letter, file=path, after=wait)
    say(f"Letter {step.id} of {step.list}: “{step.subject}”, {_write_wait(step.after)}.")


@series_.command(epilog="Example: newsletter series remove 2")
@step_argument
@yes_option
@with_environment
def remove(env: Environment, which: str, *, yes: bool) -> None:
    """Remove a letter: nobody gets it from now on."""
    step_id = _get_letter_id(which)
    step = series.get_letter(step_id)
    ask(f"Take “{step.subject}” out of the series of {step.list}?", yes=yes)
    series.remove_letter(env, step_id)
    say(f"“{step.subject}” is removed; {step.subscribers:,} subscribers got it.")
