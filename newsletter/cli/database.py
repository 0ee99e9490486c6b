"""`newsletter db`: migrations and backups."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter import settings
from newsletter.cli.context import with_environment
from newsletter.cli.output import ask, say, yes_option
from newsletter.services.operations import database

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment


@click.group("db")
def db() -> None:
    """Migrations and backups."""


@db.command(epilog="Example: newsletter db upgrade")
@click.pass_context
def upgrade(ctx: click.Context) -> None:
    """Create the tables, or bring them up to date."""
    database.upgrade(settings.load_settings(ctx.find_root().obj, os.environ).database_url)
    say("The database is up to date.")


@db.command(epilog="Example: newsletter db backup backup-$(date +%F).db")
@click.argument("file", type=click.Path(path_type=Path))
@with_environment
def backup(env: Environment, file: Path) -> None:
    """Write a consistent copy while everything runs."""
    database.backup(file)
    say(f"{file} is written.")


@db.command(epilog="Example: newsletter db restore backup-2026-11-24.db")
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@yes_option
@with_environment
def restore(env: Environment, file: Path, *, yes: bool) -> None:
    """Put a copy in the place of the database. Stop `serve` and `worker` first."""
    ask(f"Replace the database by {file}? What was mailed since then may be mailed again.", yes=yes)
    kept = database.restore(file)
    say(f"Restored. What was there before is in {kept}.")
