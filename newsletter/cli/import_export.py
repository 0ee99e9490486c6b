"""`newsletter subscriber import` and `export`: import subscribers from files, and export them."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.context import with_environment
from newsletter.cli.member_choice import MemberChoice
from newsletter.cli.output import (
    draw_bar,
    is_terminal,
    json_option,
    list_option,
    print_json,
    say,
    warn,
    write_count,
)
from newsletter.cli.stop_signals import INTERRUPTED, interrupt_later
from newsletter.import_formats.column_names import normalize_name
from newsletter.import_formats.opt_out import CHOICES
from newsletter.import_formats.platforms import PLATFORMS, find_platform
from newsletter.import_formats.row import NOT_READ
from newsletter.services import lookup
from newsletter.services.transfer import export_subscribers, import_subscribers
from newsletter.services.transfer.import_report import ImportResult
from newsletter.vocabulary import SubscriptionStatus

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment

SOURCES = tuple(sorted(platform.name for platform in PLATFORMS))
LINE_EVERY = 50_000
"""Rows between two lines of progress in a pipe."""
PASSED_SHOWN = 5
"""Names of skipped tables that are printed; any further ones are only counted."""


class _Stopped(Exception):
    """Ctrl-C was pressed during an import; what was read so far is saved."""


@click.command(
    "import",
    epilog="Example: newsletter subscriber import people.csv --confirmed "
    '--because "the list of 2019"',
)
@click.argument(
    "file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True)
)
@list_option
@click.option(
    "--from",
    "platform",
    metavar="PROGRAM",
    callback=lambda ctx, parameter, value: _parse_platform(value),
    help=f"Whose file it is: {', '.join(SOURCES)}.",
)
@click.option(
    "--column",
    "choices",
    metavar="NAME=MEANING",
    multiple=True,
    callback=lambda ctx, parameter, value: _parse_choices(value),
    help="A column that looks like an opt-out: NAME=ignore if it is none, "
    "NAME=opt-out if any text in it is one.",
)
@click.option(
    "--confirmed", is_flag=True, help="All have agreed already; --because says how you know."
)
@click.option(
    "--because", default="", metavar="TEXT", help="Kept as evidence with each subscription."
)
@click.option("--dry-run", is_flag=True, help="Change nothing; print what would happen.")
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
    """Import subscribers from another program's file or from `export`; - reads standard input.

    A file that names lists fills these lists; with --list only its rows of that list are read.
    Nobody is mailed. Whoever is unsubscribed, bounced or suppressed, in the file or here, is never
    made active; an opt-out that is not understood stops the import. Without a word on consent in
    the file, rows wait as pending unless you use --confirmed. A second run changes nothing; an
    import that was stopped goes on when it is run again.
    """
    require_reason(confirmed=confirmed, because=because)
    result, stopped = _import_until_stopped(
        env,
        file,
        show=_make_progress(json_=json_),
        slug=lookup.check_slug(slug),
        platform=platform,
        choices=choices,
        because=because,
        dry_run=dry_run,
    )
    if stopped:
        return _report_stop(result, dry_run=dry_run)
    if json_:
        fields = asdict(result)
        fields.pop("share")
        print_json({"file": _name_source(file), "dry_run": dry_run, **fields})
    else:
        _print_report(file, result, because=because, dry_run=dry_run)
    return 1 if result.rows and result.rejected == result.rows else 0


def _import_until_stopped(
    env: Environment, file: Path, *, show: import_subscribers.Progress, **options: Any
) -> tuple[ImportResult, bool]:
    """Import a file; after Ctrl-C, end between two batches.

    Returns what was read, and whether it was stopped.
    """
    result = ImportResult()
    with interrupt_later() as interrupted:

        def progress(done: ImportResult) -> None:
            nonlocal result
            result = done
            show(done)
            if interrupted() and done.share < 1:
                raise _Stopped

        try:
            return import_subscribers.import_file(env, file, progress=progress, **options), False
        except _Stopped:
            return result, True


def _report_stop(result: ImportResult, *, dry_run: bool) -> int:
    imported = result.rows - result.rejected
    warn(
        f"stopped after {result.rows:,} rows; nothing was changed"
        if dry_run
        else f"stopped: {imported:,} rows are imported, the rest is not; run it again to go on"
    )
    return INTERRUPTED


def _parse_platform(value: str | None) -> str | None:
    """Return the name of the program that `--from` names.

    Raises `click.BadParameter`.
    """
    platform = find_platform(value) if value else None
    if value and platform is None:
        raise click.BadParameter(
            f"{value!r} is unknown; use one of {', '.join(SOURCES)}, or leave --from out"
        )
    return platform.name if platform else None


def _parse_choices(values: tuple[str, ...]) -> dict[str, str]:
    """Return the meaning that `--column` gives to columns, by their normalised names.

    Raises `click.BadParameter`.
    """
    choices = {}
    for value in values:
        name, equals, meaning = value.rpartition("=")
        if not equals or not name.strip() or meaning not in CHOICES:
            raise click.BadParameter(
                f"{value!r} must be NAME=ignore or NAME=opt-out, such as Block=ignore"
            )
        choices[normalize_name(name)] = meaning
    return choices


def _name_source(file: Path) -> str:
    return "standard input" if str(file) == "-" else file.name


def require_reason(*, confirmed: bool, because: str) -> None:
    """Refuse `--confirmed` without `--because`, and the other way round."""
    if confirmed and not because.strip():
        raise click.UsageError('--confirmed needs --because "how you know", kept as evidence')
    if because and not confirmed:
        raise click.UsageError("--because goes with --confirmed")


def _make_progress(*, json_: bool) -> import_subscribers.Progress:
    """Return a function that shows progress: a bar on a terminal, else a line now and then.

    The lines go to standard error where standard output is JSON.
    """
    printed = 0

    def show(done: ImportResult) -> None:
        nonlocal printed
        if is_terminal() and not json_:
            draw_bar(done.share, f"{done.rows:,} rows, {done.rejected:,} rejected")
        elif done.rows - printed >= LINE_EVERY:
            printed = done.rows
            click.echo(f"{done.rows:,} rows, {done.rejected:,} rejected", err=json_)

    return show


def _print_report(file: Path, done: ImportResult, *, because: str, dry_run: bool) -> None:
    title = next(platform.title for platform in PLATFORMS if platform.name == done.platform)
    verb = "would be" if dry_run else "are"
    say(f"{_name_source(file)}: {'a table' if done.platform == 'csv' else f'an export of {title}'}")
    if done.tables:
        say(f"  read: {', '.join(done.tables)}")
    if done.passed_over:
        others = len(done.passed_over) - PASSED_SHOWN
        names = ", ".join(done.passed_over[:PASSED_SHOWN])
        say(f"  tables not read: {names}{f' and {others} more' if others > 0 else ''}")
    _report_columns(done.columns)
    say(
        f"{done.rows:,} rows = {done.new:,} new + {done.updated:,} updated "
        f"+ {done.duplicate:,} known already + {done.rejected:,} rejected"
    )
    say(
        f"Of these, {done.active:,} {verb} active, {done.pending:,} pending, "
        f"{done.unsubscribed:,} unsubscribed, {done.suppressed:,} suppressed."
    )
    for problem in done.problems:
        say(f"  {problem}")
    if done.rejected > len(done.problems):
        say(f"  … and {done.rejected - len(done.problems):,} more")
    if done.silent and not because:
        say(
            f"For {write_count(done.silent, 'row')} the file does not say that they agreed; "
            "they wait as pending and are not mailed."
        )
        say('If they did agree, run it again with --confirmed --because "how you know".')
    say("Nothing was changed." if dry_run else "Nobody was mailed.")


def _report_columns(columns: dict[str, str]) -> None:
    """Print every column with its use."""
    read = [f"{name} ({use})" for name, use in columns.items() if not use.startswith(NOT_READ)]
    others = [
        f"{name}{use.removeprefix(NOT_READ)}"
        for name, use in columns.items()
        if use.startswith(NOT_READ)
    ]
    say(f"  columns read: {', '.join(read)}")
    if others:
        say(f"  columns not read: {', '.join(others)}")


@click.command(epilog="Example: newsletter subscriber export people.csv --status active")
@click.argument(
    "file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), required=False
)
@list_option
@click.option(
    "--status", type=MemberChoice(SubscriptionStatus), help="Only subscriptions of this status."
)
@with_environment
def export(
    env: Environment, file: Path | None, slug: str | None, status: SubscriptionStatus | None
) -> None:
    """Write all subscribers as CSV to FILE or to standard output.

    `import` reads it back: into an empty database, every row becomes the same again. Make the lists
    and topics there first. A cell that a spreadsheet would take for a formula starts with an
    apostrophe, which `import` removes.
    """
    slug = lookup.check_slug(slug)
    if file is None or str(file) == "-":
        export_subscribers.export_to_text(sys.stdout, slug=slug, status=status)
        return
    replaced = export_subscribers.is_ordinary(file)
    count = export_subscribers.export_to_file(file, slug=slug, status=status)
    if replaced:
        say(f"{write_count(count, 'row')} written to {file}, which only you can read.")
    else:
        click.echo(f"{write_count(count, 'row')} written to {file}.", err=True)
