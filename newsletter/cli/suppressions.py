"""`newsletter suppression`: manage addresses that are never mailed."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from newsletter.cli.context import with_environment
from newsletter.cli.groups import CommandGroup
from newsletter.cli.output import (
    ask,
    choose_limit,
    choose_zone,
    format_moment,
    json_option,
    limit_option,
    note_limit,
    print_json,
    print_table,
    say,
    write_count,
    yes_option,
)
from newsletter.files import open_private
from newsletter.services import suppressions
from newsletter.services.inbound import release, suppression_file
from newsletter.services.lists import lists

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment


@click.group(cls=CommandGroup)
def suppression() -> None:
    """List, add and remove addresses that are never mailed."""


@suppression.command(epilog="Example: newsletter suppression ls ana@example.org")
@click.argument("address", metavar="[ADDR]", required=False)
@limit_option
@json_option
@with_environment
def ls(env: Environment, address: str | None, limit: int | None, *, json_: bool) -> None:
    """List the addresses that are never mailed, or look one up.

    An erased address is kept as a keyed hash only: it is found when you name it. The exit code is 1
    if ADDR is not suppressed.
    """
    if address:
        rows = [suppressions.get_suppression(env, address)]
        total = 1
    else:
        rows = suppressions.list_suppressions(limit=choose_limit(limit, json_=json_))
        total = suppressions.count_suppressions()
    if json_:
        print_json([asdict(row) for row in rows])
    else:
        zone = choose_zone(lists.list_time_zones().values())
        cells = [
            (row.email or "(erased)", row.reason, row.note, format_moment(row.created_at, zone))
            for row in rows
        ]
        print_table(
            ("address", "reason", "note", "since"), cells, empty="No address is suppressed."
        )
    note_limit(len(rows), total)


@suppression.command(
    epilog='Example: newsletter suppression add ana@example.org --note "asked by letter"'
)
@click.argument("address")
@click.option("--note", default="", help="The reason, for yourself.")
@with_environment
def add(env: Environment, address: str, note: str) -> None:
    """Never mail an address again, whatever it subscribes to."""
    added = suppressions.suppress(env, address, note=note)
    say(f"{address} is suppressed{'' if added else ' already'}.")


@suppression.command(
    epilog='Example: newsletter suppression remove ana@example.org --because "the mailbox was full"'
)
@click.argument("address")
@click.option("--because", default="", help="The reason; kept in the record of the address.")
@yes_option
@with_environment
def remove(env: Environment, address: str, because: str, *, yes: bool) -> None:
    """Allow an address to be mailed again; this subscribes nobody.

    After a bounce or a complaint, a mail asks the subscriber to confirm each subscription again;
    they get nothing else until they do.
    """
    ask(f"Allow {address} to be mailed again?", yes=yes)
    count = release.release(env, address, because=because)
    anew = f" Subscriptions to be confirmed anew: {count}." if count else ""
    say(f"{address} is not suppressed any more.{anew}")


@suppression.command("export", epilog="Example: newsletter suppression export suppressions.csv")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@with_environment
def export_(env: Environment, file: Path | None) -> None:
    """Write all suppressions as CSV to FILE or standard output; erased addresses as a hash."""
    if file is None:
        suppression_file.export(sys.stdout)
        return
    with open_private(file) as out:
        count = suppression_file.export(out)
    say(f"{write_count(count, 'suppression')} written to {file}.")


@suppression.command("import", epilog="Example: newsletter suppression import unsubscribed.csv")
@click.argument("file", type=click.File("r", encoding="utf-8-sig"))
@click.option("--note", default="", help="The reason, for rows without one.")
@with_environment
def import_(env: Environment, file: TextIO, note: str) -> None:
    """Never mail the addresses of a CSV file.

    The file comes from `suppression export`, or has a column `email`.
    """
    result = suppression_file.import_file(env, file, note=note)
    for line in result.refused:
        say(f"not an address: {line}")
    say(
        f"{result.added:,} added, {result.known:,} known already, "
        f"{result.wrong:,} are no addresses."
    )
