"""`newsletter db`: migrate, back up and restore the database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter import settings
from newsletter.cli.context import with_environment
from newsletter.cli.output import (
    ask,
    limit_option,
    moment,
    note_limit,
    row_limit,
    say,
    some,
    table,
    warn,
    yes_option,
)
from newsletter.errors import Refused
from newsletter.services import installation
from newsletter.services.operations import database
from newsletter.services.operations import hold as holding
from newsletter.services.operations import restore as restoring

if TYPE_CHECKING:
    from newsletter.services.operations.restore import Restored
    from newsletter.services.runtime import Environment


@click.group("db")
def db() -> None:
    """Migrate, back up and restore the database."""


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
        f"Kept from it: {some(merged.left, 'unsubscription')}, "
        f"{some(merged.suppressed, 'suppression')}, "
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
    """Stop all mail and pause every open campaign; for a restore with the tools of PostgreSQL."""
    ask("Pause every open campaign, and mail nothing until you release it?", yes=yes)
    held = holding.hold_installation(env, "held by hand")
    say(
        f"Nothing is mailed from now on: {some(held.waiting, 'message')} and "
        f"{some(held.paused, 'campaign')} wait."
    )


@db.command(epilog="Example: newsletter db release --drop 12 --drop 14")
@click.option("--show", "only_show", is_flag=True, help="List the mails that wait; release none.")
@click.option("--drop", type=int, multiple=True, metavar="ID", help="Never send this mail.")
@click.option("--drop-all", is_flag=True, help="Send none of the mails that wait.")
@limit_option
@yes_option
@with_environment
def release(
    env: Environment,
    drop: tuple[int, ...],
    limit: int | None,
    *,
    only_show: bool,
    drop_all: bool,
    yes: bool,
) -> None:
    """Send mail again after a restore; paused campaigns stay paused.

    The mails that wait are confirmations, welcome letters and others of no campaign.
    """
    if drop and drop_all:
        raise click.UsageError("--drop names mails, --drop-all drops every one; use one of them")
    if only_show:
        return _show_waiting(limit)
    mail_hold = installation.find_hold()
    if mail_hold is None:
        raise Refused("mail is not held")
    say(f"Held since {moment(mail_hold.at)}: {mail_hold.because}.")
    if drop or drop_all:
        count = installation.drop_waiting_mails(env, None if drop_all else drop)
        say(f"Dropped: {some(count, 'mail')}.")
    waiting = installation.count_waiting_mails()
    if waiting and not yes:
        say("`newsletter db release --show` lists the mails that wait.")
    ask(f"Mail {some(waiting, 'waiting message')}, and digests when they are due?", yes=yes)
    installation.release_mail()
    if mail_hold.paused:
        say(
            f"{some(mail_hold.paused, 'campaign')} stay paused: "
            "`newsletter campaign resume` or `cancel` each."
        )
    return say("Mail is sent again.")


def _show_waiting(limit: int | None) -> None:
    rows = installation.list_waiting_mails(limit=row_limit(limit))
    cells = [(row.id, row.mail, row.email) for row in rows]
    table(("id", "mail", "address"), cells, empty="No mail waits.")
    note_limit(len(rows), installation.count_waiting_mails())


@db.command("accept-key", epilog="Example: newsletter db accept-key")
@yes_option
@with_environment
def accept_key(env: Environment, *, yes: bool) -> None:
    """Accept the `secret_key` of the settings although another one signed the links so far."""
    if installation.find_key_state(env) == "foreign":
        ask("Links in mails sent so far will never work again. Go on?", yes=yes)
    installation.accept_key(env)
    say("The key is accepted.")
