"""How commands speak: tables on a terminal, plain lines in a pipe, JSON for programs, a question
before what counts.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import click
from click.shell_completion import CompletionItem

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def on_terminal() -> bool:
    """Tell whether a person is reading."""
    return sys.stdout.isatty()


def say(text: str) -> None:
    """Lines on standard output: on a terminal folded between words, in a pipe as they are."""
    click.echo("\n".join(map(folded, text.split("\n"))) if on_terminal() else text)


def folded(line: str) -> str:
    """A line as it stands on a terminal, whose width it may exceed: broken between words, indented
    as it was.
    """
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
    """What is to be copied from the terminal, as it is."""
    click.echo(text)


def cut(text: str) -> str:
    """A line that fits on a terminal; in a pipe all of it."""
    width = shutil.get_terminal_size().columns
    return text if not on_terminal() or len(text) <= width else f"{text[: width - 1]}…"


def some(number: int, one: str, more: str = "") -> str:
    """``1 reader``, ``2,000 readers``."""
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"


def warn(text: str) -> None:
    """A line on standard error that stops nothing."""
    click.echo(f"newsletter: {text}", err=True)


def as_json(value: object) -> None:
    """`value` as JSON; moments in ISO 8601 with their offset."""
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def as_json_rows(values: Iterable[object]) -> None:
    """Many values as one JSON array, written one after another: a million need no memory."""
    first = True
    for value in values:
        click.echo("[" if first else ",")
        click.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=2), nl=False)
        first = False
    click.echo("[]" if first else "\n]")


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str = "nothing"
) -> None:
    """A table on a terminal; tab-separated lines in a pipe."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    if not on_terminal():
        for row in cells:
            click.echo("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row))
        return
    if not rows:
        click.echo(empty)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    shown = Table(
        box=None, pad_edge=False, header_style="" if os.environ.get("NO_COLOR") else "bold"
    )
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in cells:
        shown.add_row(*(escape(cell) for cell in row))
    Console().print(shown)


def _cell(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def paint(text: str, color: str) -> str:
    """`text` in a colour, or bold, on a terminal that wants colours (https://no-color.org)."""
    if not on_terminal() or os.environ.get("NO_COLOR"):
        return text
    return click.style(text, bold=True) if color == "bold" else click.style(text, fg=color)


def bar(share: float, text: str) -> None:
    """A bar that grows in its line on a terminal; `share` is from 0 to 1, and 1 ends it."""
    full = int(max(0.0, min(share, 1.0)) * 24)
    click.echo(f"\r{'█' * full}{'░' * (24 - full)} {text:<52}"[:79], nl=share >= 1)


def common_zone(zones: Iterable[str]) -> str:
    """The time zone in which to say what belongs to no list: that of all of them, if they agree."""
    found = set(zones)
    return found.pop() if len(found) == 1 else "UTC"


def moment(value: datetime | None, zone: str = "UTC") -> str:
    """A moment in a list's zone, with the zone said."""
    if value is None:
        return ""
    try:
        local = value.astimezone(ZoneInfo(zone))
    except (KeyError, ValueError, OSError):
        local = value.astimezone(UTC)
    return f"{local:%Y-%m-%d %H:%M} {local.tzname()}"


def ask(question: str, *, yes: bool) -> None:
    """Ask before what mails people or cannot be undone.

    Ends the command unless the answer is yes.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Say --yes to do it without being asked.")
    if not click.confirm(question, default=False):
        refuse()


def refuse() -> NoReturn:
    """End the command: nothing was done."""
    click.echo("Nothing was done.", err=True)
    raise click.exceptions.Exit(1)


json_option: Decorator = click.option("--json", "json_", is_flag=True, help="JSON, for programs.")
yes_option: Decorator = click.option("--yes", "-y", is_flag=True, help="Do not ask.")


def complete_lists(
    ctx: click.Context, parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """The lists whose name begins so, for the Tab key."""
    from newsletter.services.operations import shell_completion

    found = shell_completion.complete_lists(ctx.find_root().params.get("config"))
    return [CompletionItem(slug, help=title) for slug, title in found if slug.startswith(begun)]


def complete_campaigns(
    ctx: click.Context, parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """The mailings whose number begins so; files where none does, for a letter may be meant."""
    from newsletter.services.operations import shell_completion

    found = shell_completion.complete_campaigns(ctx.find_root().params.get("config"))
    numbers = [
        CompletionItem(number, help=subject)
        for number, subject in found
        if number.startswith(begun)
    ]
    return numbers or [CompletionItem(begun, type="file")]


list_option: Decorator = click.option(
    "--list",
    "slug",
    metavar="SLUG",
    help="The mailing list; needed where there are several.",
    shell_complete=complete_lists,
)
