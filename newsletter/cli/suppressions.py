"""`newsletter suppression`: who is never mailed, and why."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

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


@suppression.command(epilog="Example: newsletter suppression remove ana@example.org")
@click.argument("address")
@yes_option
@with_environment
def remove(env: Environment, address: str, *, yes: bool) -> None:
    """Let an address be mailed again; nobody is subscribed by it."""
    ask(f"Let {address} be mailed again?", yes=yes)
    suppressions.lift_suppression(env, address)
    say("Removed.")
