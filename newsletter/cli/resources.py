"""`newsletter resource`: manage files that only confirmed subscribers can download."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import with_environment
from newsletter.cli.groups import CommandGroup
from newsletter.cli.output import (
    ask,
    choose_zone,
    format_moment,
    json_option,
    print_json,
    print_table,
    say,
    yes_option,
)
from newsletter.services import resources
from newsletter.services.lists import lists

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment


@click.group(cls=CommandGroup)
def resource() -> None:
    """Add, list and remove files that only confirmed subscribers can fetch."""


@resource.command(epilog='Example: newsletter resource add guide.pdf --title "Ten quiet minutes"')
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--title", default="", help="Its title for subscribers (default: its name).")
@click.option("--name", default="", help="Its name in letters (default: that of the file).")
@click.option("--replace", is_flag=True, help="Put it in the place of the one with its name.")
@with_environment
def add(env: Environment, file: Path, title: str, name: str, *, replace: bool) -> None:
    """Add a copy of a file.

    Letters and the welcome mail link it with {{ resource("NAME") }}.
    """
    added = resources.add_resource(env, file, title=title, name=name, replace=replace)
    say(f"{added.name} is added.")
    say(f'To link it in a letter or the welcome mail: {{{{ resource("{added.name}") }}}}')


@resource.command(epilog="Example: newsletter resource ls")
@json_option
@with_environment
def ls(env: Environment, *, json_: bool) -> None:
    """List files by name."""
    files = resources.list_resources()
    if json_:
        return print_json([asdict(row) for row in files])
    zone = choose_zone(lists.list_time_zones().values())
    rows = [
        (
            row.name,
            row.title,
            row.filename,
            _write_size(row.size),
            format_moment(row.created_at, zone),
        )
        for row in files
    ]
    return print_table(
        ("name", "title", "file", "size", "since"), rows, empty="There is no file yet."
    )


def _write_size(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB" if size >= 1_000_000 else f"{max(1, round(size / 1000))} KB"


@resource.command(epilog="Example: newsletter resource remove guide")
@click.argument("name")
@yes_option
@with_environment
def remove(env: Environment, name: str, *, yes: bool) -> None:
    """Remove a file; links to it stop working."""
    ask(f"Remove {name}? Links in mails already sent stop working.", yes=yes)
    resources.remove_resource(env, name)
    say(f"{name} is removed.")
