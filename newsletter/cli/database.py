"""`newsletter db`: migrations, backups, and what follows a restore."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter import settings
from newsletter.cli.context import with_environment
from newsletter.cli.output import ask, moment, say, some, warn, yes_option
from newsletter.services import installation
from newsletter.services.operations import database
from newsletter.services.operations import restore as restoring
from newsletter.services.operations.hold import hold_installation

if TYPE_CHECKING:
    from newsletter.services.operations.restore import Restored
    from newsletter.services.runtime import Environment


@click.group("db")
def db() -> None:
    """Migrations, backups, and what follows a restore."""


def _settings(ctx: click.Context) -> settings.Settings:
    return settings.load_settings(ctx.find_root().obj, os.environ)


@db.command(epilog="Example: newsletter db upgrade")
@click.pass_context
def upgrade(ctx: click.Context) -> None:
    """Create the tables, or bring them up to date."""
    database.upgrade(_settings(ctx).database_url)
    say("The database is up to date.")


@db.command(epilog="Example: newsletter db backup backup-$(date +%F).db")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_context
def backup(ctx: click.Context, file: Path) -> None:
    """Write a consistent copy while everything runs.

    Works on a database of any version.
    """
    database.backup(_settings(ctx).database_url, file)
    say(f"{file} is written.")


@db.command(epilog="Example: newsletter db restore backup-2026-11-24.db")
@click.argument("file", type=click.Path(path_type=Path))
@yes_option
@click.pass_context
def restore(ctx: click.Context, file: Path, *, yes: bool) -> None:
    """Put a copy in the place of the database.

    Stop `serve` and `worker` first.

    Whoever has left, was suppressed or was erased since the copy was made stays so. Open campaigns
    are paused, and nothing is mailed until `newsletter db release`.
    """
    ask(f"Replace the database by {file}?", yes=yes)
    _report(restoring.restore(_settings(ctx), file))


def _report(restored: Restored) -> None:
    say("Restored." + (f" What was there before is in {restored.copy}." if restored.copy else ""))
    merged = restored.merged
    if merged.unread:
        warn(f"not everything could be read from the database that was replaced: {merged.unread}")
    say(
        f"Kept from it: {some(merged.left, 'unsubscription')}, {some(merged.suppressed, 'suppression')}, "
        f"{some(merged.erased, 'erasure')}, {some(merged.moved, 'change')} of address."
    )
    if restored.foreign_key:
        warn(f"{installation.FOREIGN_KEY} ({installation.FOREIGN_KEY_HINT})")
    say(f"{some(restored.paused, 'campaign')} paused, {some(restored.waiting, 'message')} held.")
    say(f"Nothing is mailed until `{installation.RELEASE}`. Resume or cancel each paused campaign.")


@db.command(epilog="Example: newsletter db hold")
@yes_option
@with_environment
def hold(env: Environment, *, yes: bool) -> None:
    """Mail nothing, and pause every open campaign: after a restore with the tools of PostgreSQL."""
    ask("Pause every open campaign, and mail nothing until you release it?", yes=yes)
    held = hold_installation(env, "held by hand")
    say(
        f"Nothing is mailed from now on: {some(held.waiting, 'message')} and {some(held.paused, 'campaign')} wait."
    )


@db.command(epilog="Example: newsletter db release")
@yes_option
@with_environment
def release(env: Environment, *, yes: bool) -> None:
    """Let mail leave again after a restore; paused campaigns stay paused."""
    found = installation.find_hold()
    if found:
        say(f"Held since {moment(found.at)}: {found.because}.")
        ask(
            f"Mail {some(found.waiting, 'waiting message')}, and digests when they are due?",
            yes=yes,
        )
    installation.release_mail()
    if found and found.paused:
        say(
            f"{some(found.paused, 'campaign')} stay paused: `newsletter campaign resume` or `cancel` each."
        )
    say("Mail leaves again.")


@db.command("accept-key", epilog="Example: newsletter db accept-key")
@yes_option
@with_environment
def accept_key(env: Environment, *, yes: bool) -> None:
    """Use the `secret_key` of the settings from now on, although another one signed the links so
    far.
    """
    if installation.find_key_state(env) == "foreign":
        ask("Links in mails sent so far will never open again. Go on?", yes=yes)
    installation.accept_key(env)
    say("The key is accepted.")
