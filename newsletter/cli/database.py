"""`newsletter db` and `newsletter database`: migrate, back up, restore and copy the database."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter import settings, settings_loader
from newsletter.cli.backup import get_settings_file, restore, write_backup
from newsletter.cli.context import with_environment
from newsletter.cli.groups import CommandGroup
from newsletter.cli.output import (
    ask,
    choose_limit,
    format_moment,
    limit_option,
    note_limit,
    print_table,
    say,
    write_count,
    yes_option,
)
from newsletter.errors import InvalidInput, Refused
from newsletter.services import installation
from newsletter.services.operations import database_copy
from newsletter.services.operations import hold as holding
from newsletter.services.operations import upgrade as upgrading

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment


@click.group("db", cls=CommandGroup)
def db() -> None:
    """Migrate, back up and restore the database."""


def _load_settings(ctx: click.Context) -> settings.Settings:
    return settings_loader.load_settings(ctx.find_root().obj, os.environ)


@db.command(epilog="Example: newsletter db upgrade")
@click.pass_context
def upgrade(ctx: click.Context) -> None:
    """Create the tables, or bring them up to date, after a backup beside them."""
    loaded = _load_settings(ctx)
    copy = upgrading.upgrade_safely(loaded, get_settings_file(ctx), datetime.now(UTC))
    if copy:
        say(f"The database as it was is in {copy}.")
    say("The database is up to date.")


@db.command(epilog="Example: newsletter db backup newsletter-$(date +%F).backup")
@click.argument("file")
@click.pass_context
def backup(ctx: click.Context, file: str) -> None:
    """Do what `newsletter backup FILE` does."""
    write_backup(ctx, file, "")


@db.command("restore", epilog="Example: newsletter db restore newsletter-2026-11-24.backup")
@click.argument("file", type=click.Path(path_type=Path))
@yes_option
@click.pass_context
def db_restore(ctx: click.Context, file: Path, *, yes: bool) -> None:
    """Do what `newsletter restore FILE` does."""
    ctx.invoke(restore, file=file, passphrase_file=None, with_settings=False, yes=yes)


@click.group("database", cls=CommandGroup)
def database() -> None:
    """Move between SQLite and PostgreSQL."""


@database.command(epilog="Example: newsletter database copy postgresql://newsletter@/newsletter")
@click.argument("url")
@yes_option
@click.pass_context
def copy(ctx: click.Context, url: str, *, yes: bool) -> None:
    """Copy every row to an empty database, and count every table on both sides.

    Stop `serve` and `worker` first. Ids, links and the record of what was sent stay. URL is that of
    database_url: postgresql://... or sqlite:////path/to/file.db.
    """
    from newsletter.setting_types import clean_database_url

    try:
        target = clean_database_url(url)
    except ValueError as error:
        raise InvalidInput({"url": str(error)}) from None
    loaded = _load_settings(ctx)
    ask("Copy the whole database there?", yes=yes)
    counts = database_copy.copy_database(loaded.database_url, target, datetime.now(UTC))
    print_table(("table", "rows"), [(name, f"{count:,}") for name, count in sorted(counts.items())])
    say(
        f"{write_count(sum(counts.values()), 'row')}, the same number in every table on both sides."
    )
    say("Next: put the new address into database_url, then start the services again.")


@db.command(epilog="Example: newsletter db hold")
@yes_option
@with_environment
def hold(env: Environment, *, yes: bool) -> None:
    """Stop all mail and pause every open campaign; for a restore with the tools of PostgreSQL."""
    ask("Pause every open campaign, and mail nothing until you release it?", yes=yes)
    held = holding.hold_installation(env, "held by hand")
    say(
        f"Nothing is mailed from now on: {write_count(held.waiting, 'message')} and "
        f"{write_count(held.paused, 'campaign')} wait."
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
        raise Refused(
            "mail is not held: there is nothing to release", hint="see `newsletter status`"
        )
    say(f"Held since {format_moment(mail_hold.at)}: {mail_hold.because}.")
    if drop or drop_all:
        count = installation.drop_waiting_mails(env, None if drop_all else drop)
        say(f"Dropped: {write_count(count, 'mail')}.")
    waiting = installation.count_waiting_mails()
    if waiting and not yes:
        say("`newsletter db release --show` lists the mails that wait.")
    ask(
        f"Mail {write_count(waiting, 'waiting message')}, and digests when they are due?",
        yes=yes,
    )
    installation.release_mail()
    if mail_hold.paused:
        say(
            f"{write_count(mail_hold.paused, 'campaign')} stay paused: "
            "`newsletter campaign resume` or `cancel` each."
        )
    return say("Mail is sent again.")


def _show_waiting(limit: int | None) -> None:
    rows = installation.list_waiting_mails(limit=choose_limit(limit))
    cells = [(row.id, row.mail, row.email) for row in rows]
    print_table(("id", "mail", "address"), cells, empty="No mail waits.")
    note_limit(len(rows), installation.count_waiting_mails())


@db.command("accept-key", epilog="Example: newsletter db accept-key")
@yes_option
@with_environment
def accept_key(env: Environment, *, yes: bool) -> None:
    """Accept the `secret_key` of the settings although another one signed the links so far."""
    if installation.find_key_state(env) is installation.KeyState.FOREIGN:
        ask("Links in mails sent so far will never work again. Go on?", yes=yes)
    installation.accept_key(env)
    say("The key is accepted.")
