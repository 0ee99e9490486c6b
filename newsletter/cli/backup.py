"""`newsletter backup` and `newsletter restore`: back up everything into one file; restore it."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter import settings, settings_loader
from newsletter.cli.groups import CommandGroup
from newsletter.cli.output import (
    ask,
    format_moment,
    json_option,
    print_json,
    say,
    warn,
    write_count,
    yes_option,
)
from newsletter.errors import Refused
from newsletter.services import installation
from newsletter.services.operations import backup as backups
from newsletter.services.operations import backup_archive, restore_installation, sealed_file

if TYPE_CHECKING:
    from newsletter.services.operations.restore_staged import Restored

passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file whose first line is the passphrase, instead of a question.",
)


class _WithDefault(CommandGroup):
    """A group with a default command: `backup FILE` means `backup create FILE`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert the default command if none is given."""
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["create", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_WithDefault)
def backup() -> None:
    """Back up everything into one file; check such a file.

    `newsletter backup FILE` is short for `newsletter backup create FILE`.
    """


@backup.command(epilog="Example: newsletter backup create /srv/backups/ --keep 14")
@click.argument("target", metavar="FILE")
@click.option("--keep", type=click.IntRange(1), help="In a folder: delete all but the newest N.")
@click.option("--encrypt", is_flag=True, help="Encrypt it with a passphrase.")
@passphrase_option
@click.pass_context
def create(
    ctx: click.Context,
    target: str,
    keep: int | None,
    passphrase_file: Path | None,
    *,
    encrypt: bool,
) -> None:
    """Write database, settings with the key, resources and templates into one file.

    Everything may run meanwhile, and the database may be of any version. Where FILE is a folder,
    the file is named for the moment.
    """
    passphrase = ""
    if encrypt or passphrase_file:
        text = read_passphrase(passphrase_file, "Passphrase for the backup", confirm=True)
        passphrase = sealed_file.require_passphrase(text)
    write_backup(ctx, target, passphrase, keep=keep)


def write_backup(
    ctx: click.Context, target: str, passphrase: str, *, keep: int | None = None
) -> None:
    """Write a backup, and delete old ones in the same folder."""
    loaded = settings_loader.load_settings(ctx.find_root().obj, os.environ)
    now = datetime.now(UTC)
    file = backups.choose_name(target, now)
    manifest = backups.make_backup(loaded, get_settings_file(ctx), file, now, passphrase=passphrase)
    rows = sum(manifest.rows.values())
    parts = write_count(len(manifest.files), "part")
    say(f"{file} is written: {write_count(rows, 'row')}, {parts}.")
    if keep and file != Path(target):
        removed = backups.remove_old(file.parent, keep)
        if removed:
            say(f"{write_count(len(removed), 'older backup')} deleted.")


@backup.command(epilog="Example: newsletter backup check newsletter-2026-11-24T033000Z.backup")
@click.argument("file", type=click.Path(path_type=Path))
@passphrase_option
@json_option
def check(file: Path, passphrase_file: Path | None, *, json_: bool) -> None:
    """Read every byte of a backup and say what is in it; needs no installation."""
    passphrase = unlock(file, passphrase_file)
    with backup_archive.open_backup(file, passphrase=passphrase) as opened:
        manifest = opened.manifest
    values: dict[str, Any] = {
        "file": str(file),
        "made_at": manifest.made_at,
        "version": manifest.version,
        "revision": manifest.revision,
        "encrypted": manifest.sealed,
        "rows": manifest.rows,
        "parts": len(manifest.files),
    }
    if json_:
        return print_json(values)
    say(f"{file} is whole: made {format_moment(manifest.made_at)} by version {manifest.version}.")
    return _say_contents(manifest)


def _say_contents(manifest: backup_archive.Manifest) -> None:
    subscribers = manifest.rows.get("subscribers", 0)
    sealed = ", encrypted" if manifest.sealed else ""
    rows = write_count(sum(manifest.rows.values()), "row")
    parts = write_count(len(manifest.files), "part")
    say(
        f"{write_count(subscribers, 'subscriber')}, {rows} in "
        f"{write_count(len(manifest.rows), 'table')}, {parts}{sealed}."
    )


@click.command(epilog="Example: newsletter restore newsletter-2026-11-24T033000Z.backup")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--with-settings", is_flag=True, help="Take the settings of the backup, where there are others."
)
@passphrase_option
@yes_option
@click.pass_context
def restore(
    ctx: click.Context, file: Path, passphrase_file: Path | None, *, with_settings: bool, yes: bool
) -> None:
    """Put a backup in the place of what is here; on a new machine it needs nothing else.

    Stop `serve` and `worker` first. The settings that are here win, unless `--with-settings`.
    Whoever has left, was suppressed or was erased since the backup was made stays so. Open
    campaigns are paused, and nothing is mailed until `newsletter db release`.
    """
    place = get_settings_file(ctx)
    passphrase = unlock(file, passphrase_file)
    ask(f"Replace what is in {place.absolute().parent} by {file}?", yes=yes)
    if place.exists() and not with_settings:
        loaded = settings_loader.load_settings(place, os.environ)
        if (
            restore_installation.compare_key(loaded, file, passphrase)
            is installation.KeyState.FOREIGN
        ):
            warn("the links in mails sent so far were signed by another key than the settings have")
            ask("They will not open (--with-settings takes the backup's key). Go on?", yes=yes)
    report(
        restore_installation.restore_installation(
            place, file, os.environ, passphrase=passphrase, with_settings=with_settings
        )
    )


def get_settings_file(ctx: click.Context) -> Path:
    """Return the path of the settings file, whether the file exists or not."""
    return ctx.find_root().obj or Path(os.environ.get("NEWSLETTER_CONFIG") or settings.DEFAULT_FILE)


def unlock(file: Path, passphrase_file: Path | None) -> str:
    """Return the passphrase of a backup, or "" if it needs none.

    Raises `Refused`.
    """
    if not file.is_file():
        raise Refused(f"{file} is not a file", hint="name a file that `newsletter backup` made")
    if not backup_archive.needs_passphrase(file):
        return ""
    return read_passphrase(passphrase_file, "Passphrase of the backup")


def read_passphrase(file: Path | None, question: str, *, confirm: bool = False) -> str:
    """Read a passphrase from a file, or ask for it on the terminal.

    Raises `UsageError` where there is neither.
    """
    if file is not None:
        return file.read_text("utf-8").partition("\n")[0].strip()
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask on; give --passphrase-file.")
    text: str = click.prompt(question, hide_input=True, confirmation_prompt=confirm)
    return text


def report(restored: Restored) -> None:
    """Print what a restore did, and what to do next."""
    copied = f" The previous one is in {restored.copy}." if restored.copy else ""
    say(f"The database is restored.{copied}")
    merged = restored.merged
    if merged.unread:
        warn(f"not everything could be read from the database that was replaced: {merged.unread}")
    say(
        f"Kept from it: {write_count(merged.left, 'unsubscription')}, "
        f"{write_count(merged.suppressed, 'suppression')}, "
        f"{write_count(merged.erased, 'erasure')}, "
        f"{write_count(merged.moved, 'change')} of address."
    )
    if restored.foreign_key:
        warn(f"{installation.FOREIGN_KEY} ({installation.FOREIGN_KEY_HINT})")
    say(
        f"{write_count(restored.paused, 'campaign')} paused, "
        f"{write_count(restored.waiting, 'message')} held."
    )
    say(f"Nothing is mailed until `{installation.RELEASE}`. Resume or cancel each paused campaign.")
