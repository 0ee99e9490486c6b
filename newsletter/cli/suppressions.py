"""`newsletter suppression`: who is never mailed, and why."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from newsletter.cli.context import with_environment
from newsletter.cli.output import (
    as_json,
    ask,
    common_zone,
    json_option,
    moment,
    say,
    table,
    yes_option,
)
from newsletter.services import suppressions
from newsletter.services.inbound import release, suppression_file
from newsletter.services.lists import lists

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment


@click.group()
def suppression() -> None:
    """Who is never mailed, and why."""


@suppression.command(epilog="Example: newsletter suppression ls")
@json_option
@with_environment
def ls(env: Environment, *, json_: bool) -> None:
    """Everybody who is never mailed."""
    found = suppressions.list_suppressions()
    if json_:
        return as_json([asdict(row) for row in found])
    zone = common_zone(lists.list_time_zones().values())
    rows = [
        (row.email or "(erased)", row.reason, row.note, moment(row.created_at, zone))
        for row in found
    ]
    return table(("address", "reason", "note", "since"), rows, empty="Nobody.")


@suppression.command(
    epilog='Example: newsletter suppression add ana@example.org --note "asked by letter"'
)
@click.argument("address")
@click.option("--note", default="", help="Why, for yourself.")
@with_environment
def add(env: Environment, address: str, note: str) -> None:
    """Never mail an address again, whatever happens."""
    say("Added." if suppressions.suppress(env, address, note=note) else "It was there already.")


@suppression.command(
    epilog='Example: newsletter suppression remove ana@example.org --because "her mailbox was full"'
)
@click.argument("address")
@click.option("--because", default="", help="Why; it stays in the address' record.")
@yes_option
@with_environment
def remove(env: Environment, address: str, because: str, *, yes: bool) -> None:
    """Let an address be mailed again; nobody is subscribed by it.

    After a bounce or a complaint its owner is asked by mail to confirm each subscription anew, and
    gets nothing else until they do.
    """
    ask(f"Let {address} be mailed again?", yes=yes)
    count = release.release(env, address, because=because)
    say(f"Removed. Subscriptions to be confirmed anew: {count}." if count else "Removed.")


@suppression.command("export", epilog="Example: newsletter suppression export suppressions.csv")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@with_environment
def export_(env: Environment, file: Path | None) -> None:
    """Write the whole list as CSV, to FILE or to standard output; of erased people only a hash."""
    if file is None:
        suppression_file.export(sys.stdout)
        return
    with file.open("w", encoding="utf-8", newline="") as out:
        file.chmod(0o600)
        count = suppression_file.export(out)
    say(f"{count} suppressions are in {file}.")


@suppression.command("import", epilog="Example: newsletter suppression import unsubscribed.csv")
@click.argument("file", type=click.File("r", encoding="utf-8-sig"))
@click.option("--note", default="", help="Why, for rows that do not say it.")
@with_environment
def import_(env: Environment, file: TextIO, note: str) -> None:
    """Never mail the addresses of a CSV file: one of `suppression export`, or with a column
    `email`.
    """
    result = suppression_file.import_file(env, file, note=note)
    for line in result.refused:
        say(f"not an address: {line}")
    say(
        f"{result.added} added, {result.known} were there already, {result.wrong} are no addresses."
    )
