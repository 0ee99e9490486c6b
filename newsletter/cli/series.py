"""`newsletter series`: the welcome letter and those that follow it, one after the other, to every
new reader.
"""

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
from newsletter.cli.output import (
    as_json,
    ask,
    json_option,
    list_option,
    on_terminal,
    say,
    table,
    yes_option,
)
from newsletter.services import lookup
from newsletter.services.letters import series

if TYPE_CHECKING:
    from newsletter.services.letters.series import SeriesLetterView
    from newsletter.services.runtime import Environment

step_argument = letters_cli.which_argument


def _number(which: str) -> int:
    return series.get_letter_id(letters_cli.which_of(which))


@click.group("series")
def series_() -> None:
    """The welcome letter and the letters that follow it, to every new reader, each once."""


def _wait(after: timedelta) -> str:
    if not after:
        return "at once"
    seconds = int(after.total_seconds())
    unit = next(unit for unit in (86_400, 3600, 60) if seconds % unit == 0)
    return f"after {seconds // unit}{ {86_400: 'd', 3600: 'h', 60: 'm'}[unit] }"


def _as_dict(row: SeriesLetterView) -> dict[str, object]:
    return {**asdict(row), "after": int(row.after.total_seconds())}


@series_.command(epilog="Example: newsletter series add welcome/02-boundaries.md --after 3d")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--after",
    default="0",
    metavar="TIME",
    help="How long after confirming: 3d, 12h, 2w. 0: the welcome letter.",
)
@list_option
@json_option
@with_environment
def add(env: Environment, file: Path, after: str, slug: str | None, *, json_: bool) -> None:
    """Add a letter.

    Who is past that day already does not get it.
    """
    made = series.add_letter(env, file, dates.parse_wait(after), slug)
    if json_:
        return as_json(_as_dict(made))
    return say(f"Letter {made.id} of {made.list}: “{made.subject}”, {_wait(made.after)}.")


@series_.command(epilog="Example: newsletter series ls")
@list_option
@json_option
@with_environment
def ls(env: Environment, slug: str | None, *, json_: bool) -> None:
    """The letters in order, and how many readers have had each."""
    found = series.list_letters(lookup.check_slug(slug))
    if json_:
        return as_json([_as_dict(row) for row in found])
    rows = [(row.id, row.list, _wait(row.after), row.subject, row.readers) for row in found]
    return table(
        ("id", "list", "when", "subject", "readers"), rows, empty="There is no series yet."
    )


@series_.command(epilog="Example: newsletter series preview 2 --html letter.html")
@step_argument
@letters_cli.looking
@with_environment
def preview(env: Environment, which: str, **shown: object) -> None:
    """Show a letter as it would arrive."""
    letters_cli.present(env, series.load_letter(env, _number(which)), **shown)  # type: ignore[arg-type]


@series_.command(name="preflight", epilog="Example: newsletter series preflight 2")
@step_argument
@letters_cli.offline_option
@json_option
@with_environment
def preflight_(env: Environment, which: str, *, offline: bool, json_: bool) -> int:
    """Look a letter over: links, pictures, size, subject, personal fields, sender."""
    found = letters_cli.examined(
        env, series.load_letter(env, _number(which), offline=offline), offline=offline, silent=json_
    )
    return letters_cli.report_checks(found, json_=json_)


@series_.command(epilog="Example: newsletter series test 2 --to me@example.org")
@step_argument
@click.option("--to", required=True, metavar="ADDR", help="Who gets it; nobody else does.")
@letters_cli.as_option
@with_environment
def test(env: Environment, which: str, to: str, reader: str | None) -> int:
    """Mail a letter to one address, marked [Test]."""
    return letters_cli.try_out(env, series.load_letter(env, _number(which)), to, reader)


@series_.command(epilog="Example: newsletter series edit 2 --after 5d")
@step_argument
@click.option("--after", metavar="TIME", help="Another moment: 3d, 12h, 2w.")
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
    """Change a letter for those who have not had it; without options, in your editor.

    Nobody gets it again.
    """
    step_id, letter = _number(which), None
    if file or subject or (after is None and on_terminal()):
        text, _ = series.get_text(step_id)
        letter = letter_commands.edited(text, file, {"subject": subject}, ask_editor=True)
    elif after is None:
        raise click.UsageError("say what to change: --after, --file or --subject")
    path, wait = str(file.resolve()) if file else "", dates.parse_wait(after) if after else None
    made = series.edit_letter(env, step_id, letter=letter, file=path, after=wait)
    say(f"Letter {made.id} of {made.list}: “{made.subject}”, {_wait(made.after)}.")


@series_.command(epilog="Example: newsletter series remove 2")
@step_argument
@yes_option
@with_environment
def remove(env: Environment, which: str, *, yes: bool) -> None:
    """Take a letter out: nobody gets it from now on."""
    step_id = _number(which)
    found = series.get_letter(step_id)
    ask(f"Take “{found.subject}” out of the series of {found.list}?", yes=yes)
    series.remove_letter(env, step_id)
    say(f"“{found.subject}” is out; {found.readers} readers have had it.")
