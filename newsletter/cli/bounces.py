"""`newsletter bounce`: what returned mail means."""

from __future__ import annotations

from typing import BinaryIO

import click

from newsletter.bounces import BounceResult, read_bounce
from newsletter.bounces.mime import BYTES_AT_MOST
from newsletter.cli.output import as_json, json_option, table


@click.group()
def bounce() -> None:
    """Returned mail, and what it means."""


@bounce.command(epilog="Example: newsletter bounce read returned.eml --json")
@click.argument("file", type=click.File("rb"))
@json_option
def read(file: BinaryIO, *, json_: bool) -> None:
    """Show what a returned message says of whom.

    Nothing is changed.

    FILE is a message as it was received, `-` for standard input. The meaning is judged as if the
    report were proved to be about a message of yours. No result: a report that is not understood.
    """
    results = read_bounce(file.read(BYTES_AT_MOST))
    if json_:
        return as_json({"results": [result.as_json() for result in results]})
    return table(
        ("recipient", "class", "suppress", "status", "reason"),
        [_row(result) for result in results],
        empty="Not understood: this reports no failure that could be read.",
    )


def _row(result: BounceResult) -> tuple[str, str, str, str, str]:
    suppress = "yes" if result.suppress else "no"
    return result.recipient, result.bounce_class.value, suppress, result.status, result.reason
