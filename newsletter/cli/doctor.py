"""`newsletter doctor`: checks the installation and says what to mend."""

from __future__ import annotations

from dataclasses import asdict

import click

from newsletter.cli.context import with_environment
from newsletter.cli.output import as_json, json_option, table
from newsletter.services import doctor as checks
from newsletter.services.environment import Environment


@click.command(epilog="Example: newsletter doctor --json")
@json_option
@with_environment
def doctor(env: Environment, *, json_: bool) -> int:
    """Check the installation; exit 1 if something must be mended."""
    found = checks.examine(env)
    if json_:
        as_json([asdict(row) for row in found])
    else:
        table(("check", "verdict", "what", "hint"), [(row.id, row.verdict, row.what, row.hint) for row in found])
    return 1 if any(row.verdict == "bad" for row in found) else 0
