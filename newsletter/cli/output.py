"""Output of commands: tables on a terminal, plain lines in a pipe, JSON, and questions."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import click
from click.shell_completion import CompletionItem

from newsletter.cli.groups import YesOption

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
ROWS_ON_TERMINAL = 50
"""Rows that a listing prints on a terminal without `--limit`: about one screen."""


def is_terminal() -> bool:
    """Tell whether standard output is a terminal."""
    return sys.stdout.isatty()


def say(text: str) -> None:
    """Print lines on standard output; on a terminal, long lines are wrapped between words."""
    click.echo("\n".join(map(wrap_line, text.split("\n"))) if is_terminal() else text)


def wrap_line(line: str) -> str:
    """Wrap a line to the width of the terminal, between words and with its indentation."""
    width = shutil.get_terminal_size().columns
    if len(click.unstyle(line)) <= width:
        return line
    edge = line[: len(line) - len(line.lstrip())]
    wrapped = textwrap.wrap(
        line.strip(),
        width,
        initial_indent=edge,
        subsequent_indent=edge,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(wrapped)


def say_raw(text: str) -> None:
    """Print text unwrapped, to be copied from the terminal."""
    click.echo(text)


def cut(text: str) -> str:
    """Cut a line to the width of the terminal; leave it whole in a pipe."""
    width = shutil.get_terminal_size().columns
    return text if not is_terminal() or len(text) <= width else f"{text[: width - 1]}…"


def write_count(number: int, singular: str, plural: str = "") -> str:
    """Count things in words: ``1 subscriber``, ``2,000 subscribers``."""
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"


def warn(text: str) -> None:
    """Print a warning on standard error; the command goes on."""
    click.echo(f"newsletter: {text}", err=True)


def print_json(value: object) -> None:
    """Print `value` as JSON; dates and times are in ISO 8601 with their offset."""
    click.echo(json.dumps(value, default=_to_plain_value, ensure_ascii=False, indent=2))


def print_json_rows(values: Iterable[object]) -> int:
    """Print values as one JSON array, each as soon as it is read; return their number."""
    count = 0
    for value in values:
        click.echo(",\n" if count else "[\n", nl=False)
        click.echo(
            json.dumps(value, default=_to_plain_value, ensure_ascii=False, indent=2), nl=False
        )
        count += 1
    click.echo("\n]" if count else "[]")
    return count


def print_json_object(head: Mapping[str, object], name: str, rows: Iterable[object]) -> int:
    """Print one JSON object whose last member `name` is an array, printed row by row.

    Return the number of rows.
    """
    text = json.dumps(head, default=_to_plain_value, ensure_ascii=False, indent=2).removesuffix(
        "\n}"
    )
    click.echo(f'{text},\n"{name}": ', nl=False)
    count = print_json_rows(rows)
    click.echo("}")
    return count


def _to_plain_value(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str = "nothing"
) -> None:
    """Print rows as a table on a terminal, or as tab-separated lines in a pipe."""
    cells = [[_write_cell(cell) for cell in row] for row in rows]
    if not is_terminal():
        for row in cells:
            click.echo("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row))
        return
    if not rows:
        click.echo(empty)
        return
    _print_grid(columns, cells)


def _print_grid(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Print rows in columns, as wide as the terminal allows."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    grid = Table(
        box=None, pad_edge=False, header_style="" if os.environ.get("NO_COLOR") else "bold"
    )
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in cells:
        grid.add_row(*(escape(cell) for cell in row))
    Console().print(grid)


def _write_cell(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def paint(text: str, color: str) -> str:
    """Colour `text`, or make it bold, unless NO_COLOR is set (https://no-color.org)."""
    if not is_terminal() or os.environ.get("NO_COLOR"):
        return text
    return click.style(text, bold=True) if color == "bold" else click.style(text, fg=color)


def draw_bar(share: float, text: str) -> None:
    """Draw a progress bar over the previous one; `share` is from 0 to 1, and 1 ends it."""
    full = int(max(0.0, min(share, 1.0)) * 24)
    click.echo(f"\r{'█' * full}{'░' * (24 - full)} {text:<52}"[:79], nl=share >= 1)


def choose_zone(zones: Iterable[str]) -> str:
    """Return the time zone that all lists share, else UTC, for moments that belong to no list."""
    distinct = set(zones)
    return distinct.pop() if len(distinct) == 1 else "UTC"


def format_moment(value: datetime | None, zone: str = "UTC") -> str:
    """Format a date and time in a time zone, with the zone's name."""
    if value is None:
        return ""
    try:
        local = value.astimezone(ZoneInfo(zone))
    except (KeyError, ValueError, OSError):
        local = value.astimezone(UTC)
    return f"{local:%Y-%m-%d %H:%M} {local.tzname()}"


def choose_limit(limit: int | None, *, json_: bool = False) -> int | None:
    """Return the maximum number of rows that a listing prints; None means all.

    Without `--limit` that is `ROWS_ON_TERMINAL` on a terminal, and everything in a pipe or as JSON.
    """
    if limit is None:
        return ROWS_ON_TERMINAL if is_terminal() and not json_ else None
    return min(limit, sys.maxsize) or None


def note_limit(printed: int, total: int) -> None:
    """Print that a listing was cut: below the rows on a terminal, else on standard error."""
    if printed < total:
        click.echo(f"{printed:,} of {total:,}; --limit 0 prints all", err=not is_terminal())


def ask(question: str, *, yes: bool) -> None:
    """Ask for confirmation before a command that mails people or cannot be undone.

    Ends the command unless the answer is yes. Without a terminal it must be given as `--yes`.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is no terminal to ask on; add --yes to do it.")
    if not click.confirm(question, default=False):
        refuse()


def refuse() -> NoReturn:
    """End the command with exit code 1, and print that nothing was done."""
    click.echo("Nothing was done.", err=True)
    raise click.exceptions.Exit(1)


json_option: Decorator = click.option("--json", "json_", is_flag=True, help="Print JSON.")
limit_option: Decorator = click.option(
    "--limit",
    type=click.IntRange(0),
    metavar="N",
    help="Print at most N rows; 0 prints all (default: 50 on a terminal, else all).",
)
yes_option: Decorator = click.option("--yes", "-y", cls=YesOption, is_flag=True, help="Do not ask.")


def complete_lists(
    ctx: click.Context, parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Complete a list's slug."""
    from newsletter.services.operations import shell_completion

    lists = shell_completion.complete_lists(ctx.find_root().params.get("config"))
    return [CompletionItem(slug, help=title) for slug, title in lists if slug.startswith(begun)]


def complete_campaigns(
    ctx: click.Context, parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Complete a campaign's id, or the name of a letter's file."""
    from newsletter.services.operations import shell_completion

    campaigns = shell_completion.complete_campaigns(ctx.find_root().params.get("config"))
    numbers = [
        CompletionItem(number, help=subject)
        for number, subject in campaigns
        if number.startswith(begun)
    ]
    return numbers or [CompletionItem(begun, type="file")]


list_option: Decorator = click.option(
    "--list",
    "slug",
    metavar="SLUG",
    help="The mailing list; required if there are several.",
    shell_complete=complete_lists,
)
