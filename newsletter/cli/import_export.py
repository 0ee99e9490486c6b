"""`newsletter subscriber import` and `export`: people from and to files."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import with_environment
from newsletter.cli.member_choice import MemberChoice
from newsletter.cli.output import as_json, bar, json_option, list_option, on_terminal, say
from newsletter.import_formats.opt_out import CHOICES
from newsletter.import_formats.platforms import PLATFORMS, find_platform, normalize_name
from newsletter.import_formats.row import NOT_READ
from newsletter.services import lookup
from newsletter.services.transfer import export_subscribers, import_subscribers
from newsletter.vocabulary import SubscriptionStatus

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment
    from newsletter.services.transfer.import_report import ImportResult

SOURCES = tuple(sorted(platform.name for platform in PLATFORMS))
LINE_EVERY = 50_000
PASSED_SHOWN = 5


@click.command(
    "import",
    epilog='Example: newsletter subscriber import readers.csv --confirmed --because "the list of 2019" --dry-run',
)
@click.argument(
    "file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True)
)
@list_option
@click.option(
    "--from",
    "platform",
    metavar="PROGRAM",
    callback=lambda ctx, parameter, value: _platform(value),
    help=f"Whose file it is: {', '.join(SOURCES)}.",
)
@click.option(
    "--column",
    "choices",
    metavar="NAME=MEANING",
    multiple=True,
    callback=lambda ctx, parameter, value: _choices(value),
    help="A column that looks like an opt-out: NAME=ignore if it is none, NAME=opt-out if any text in it is one.",
)
@click.option(
    "--confirmed", is_flag=True, help="They have all agreed already; --because says how you know."
)
@click.option("--because", default="", metavar="TEXT", help="Kept as evidence with each of them.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would become of whom.")
@json_option
@with_environment
def import_(
    env: Environment,
    file: Path,
    slug: str | None,
    platform: str | None,
    choices: dict[str, str],
    because: str,
    *,
    confirmed: bool,
    dry_run: bool,
    json_: bool,
) -> int:
    """Read the subscribers in a file of another program, or in one of `export`; - is standard
    input.

    A file that names lists fills these lists; with --list only its rows of that list are read.
    Nobody is mailed. Whoever is unsubscribed, bounced or suppressed, there or here, is never
    made active; an opt-out that is not understood stops the import. Of whose consent the file
    says nothing waits as pending, unless you give your word with --confirmed. Run again, it
    changes nothing; stopped in the middle, it is simply run again.
    """
    word_given(confirmed=confirmed, because=because)
    done = import_subscribers.import_file(
        env,
        file,
        slug=lookup.check_slug(slug),
        platform=platform,
        choices=choices,
        because=because,
        dry_run=dry_run,
        progress=_progress(json_=json_),
    )
    if json_:
        shown = asdict(done)
        shown.pop("share")
        as_json({"file": _name(file), "dry_run": dry_run, **shown})
    else:
        _report(file, done, because=because, dry_run=dry_run)
    return 1 if done.rows and done.rejected == done.rows else 0


def _platform(value: str | None) -> str | None:
    """A program's name as `importing` knows it.

    Raises `click.BadParameter`.
    """
    found = find_platform(value) if value else None
    if value and found is None:
        raise click.BadParameter(
            f"{value!r} is none of {', '.join(SOURCES)}; leave it out, or say csv"
        )
    return found.name if found else None


def _choices(values: tuple[str, ...]) -> dict[str, str]:
    """What is said of single columns, by their names in one spelling.

    Raises `click.BadParameter`.
    """
    choices = {}
    for value in values:
        name, equals, meaning = value.rpartition("=")
        if not equals or not name.strip() or meaning not in CHOICES:
            raise click.BadParameter(f"{value!r} is not like 'Block=ignore' or 'Level=opt-out'")
        choices[normalize_name(name)] = meaning
    return choices


def _name(file: Path) -> str:
    return "standard input" if str(file) == "-" else file.name


def word_given(*, confirmed: bool, because: str) -> None:
    """Refuse half of a word: --confirmed and --because go together."""
    if confirmed and not because.strip():
        raise click.UsageError('--confirmed needs --because "how you know", kept as evidence')
    if because and not confirmed:
        raise click.UsageError("--because goes with --confirmed")


def _progress(*, json_: bool) -> import_subscribers.Progress:
    """A bar on a terminal, a line every 50,000 rows in a pipe, on standard error where JSON is
    wanted.
    """
    told = 0

    def show(done: ImportResult) -> None:
        nonlocal told
        if on_terminal() and not json_:
            bar(done.share, f"{done.rows:,} rows, {done.rejected:,} rejected")
        elif done.rows - told >= LINE_EVERY:
            told = done.rows
            click.echo(f"{done.rows} rows, {done.rejected} rejected", err=json_)

    return show


def _report(file: Path, done: ImportResult, *, because: str, dry_run: bool) -> None:
    title = next(platform.title for platform in PLATFORMS if platform.name == done.platform)
    would = "would be " if dry_run else ""
    say(f"{_name(file)}: {'a table' if done.platform == 'csv' else f'an export of {title}'}")
    if done.tables:
        say(f"  read: {', '.join(done.tables)}")
    if done.passed_over:
        others = len(done.passed_over) - PASSED_SHOWN
        names = ", ".join(done.passed_over[:PASSED_SHOWN])
        say(f"  tables not read: {names}{f' and {others} more' if others > 0 else ''}")
    _report_columns(done.columns)
    say(
        f"{done.rows:,} rows = {done.new:,} new + {done.updated:,} updated + {done.duplicate:,} known already "
        f"+ {done.rejected:,} rejected"
    )
    say(
        f"Of these people {done.active:,} {would or 'are '}active, {done.pending:,} pending, "
        f"{done.unsubscribed:,} unsubscribed, {done.suppressed:,} suppressed."
    )
    for problem in done.problems:
        say(f"  {problem}")
    if done.rejected > len(done.problems):
        say(f"  … and {done.rejected - len(done.problems):,} more")
    if done.silent and not because:
        say(
            f"Of {done.silent:,} the file does not say that they agreed; they wait, and are not mailed."
        )
        say('If they did agree: the same command with --confirmed --because "how you know".')
    say("Nothing was changed." if dry_run else "Nobody was mailed.")


def _report_columns(columns: dict[str, str]) -> None:
    """Every column, with what became of it."""
    read = [f"{name} ({use})" for name, use in columns.items() if not use.startswith(NOT_READ)]
    others = [
        f"{name}{use.removeprefix(NOT_READ)}"
        for name, use in columns.items()
        if use.startswith(NOT_READ)
    ]
    say(f"  columns read: {', '.join(read)}")
    if others:
        say(f"  columns not read: {', '.join(others)}")


@click.command(epilog="Example: newsletter subscriber export readers.csv --status active")
@click.argument(
    "file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), required=False
)
@list_option
@click.option("--status", type=MemberChoice(SubscriptionStatus), help="Only these.")
@with_environment
def export(env: Environment, file: Path | None, slug: str | None, status: str | None) -> None:
    """Write everybody as CSV, with all that is known of them: to FILE, or to standard output.

    What `import` reads back into an empty database is the same, row by row; make the lists and
    topics there first.

    A cell that a spreadsheet would take for a formula has an apostrophe before it; `import`
    takes it away again.
    """
    slug = lookup.check_slug(slug)
    if file is None or str(file) == "-":
        export_subscribers.export_to_text(sys.stdout, slug=slug, status=status)
        return
    replaced = export_subscribers.is_ordinary(file)
    count = export_subscribers.export_to_file(file, slug=slug, status=status)
    if replaced:
        say(f"{count:,} rows are in {file}, readable by you alone.")
    else:
        click.echo(f"{count:,} rows were written to {file}.", err=True)
