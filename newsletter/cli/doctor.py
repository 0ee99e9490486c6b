"""`newsletter doctor`: check the installation and tell what to fix."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.addresses import parse_address
from newsletter.cli.check_report import show_checks
from newsletter.cli.context import with_environment
from newsletter.cli.output import is_terminal, json_option, print_json, print_table
from newsletter.services.operations import doctor as checks
from newsletter.setup_vocabulary import CheckVerdict

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment


@click.command(epilog="Example: newsletter doctor --selector mail")
@click.option(
    "--selector",
    default="",
    metavar="NAME",
    help="What your mail is signed with: NAME._domainkey.your.domain.",
)
@click.option(
    "--sample",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="MAIL.eml",
    help="A mail of yours as it arrived, saved with all its headers: shows how it is signed.",
)
@click.option("--send", "to", metavar="ADDR", help="Mail a test message to this address, too.")
@json_option
@with_environment
def doctor(
    env: Environment, selector: str, sample: Path | None, to: str | None, *, json_: bool
) -> int:
    """Check the installation and the DNS of your domain; exit 1 if something must be mended.

    Where the mend is a record in the DNS, it prints the line to publish. Asks your own servers and
    the DNS, and nobody else; without a network it says what it could not ask.
    """
    address = parse_address(to, field="--send").email if to is not None else ""
    results = checks.examine(
        env,
        selector=selector,
        sample=sample.read_bytes() if sample else None,
        send_to=address,
    )
    if json_:
        print_json([asdict(row) for row in results])
    elif is_terminal():
        show_checks(results)
    else:
        hints = [" ".join(part for part in (row.hint, row.record) if part) for row in results]
        rows = [
            (row.id, row.verdict, row.what, hint) for row, hint in zip(results, hints, strict=True)
        ]
        print_table(("check", "verdict", "what", "hint"), rows)
    return 1 if any(row.verdict == CheckVerdict.BAD for row in results) else 0
