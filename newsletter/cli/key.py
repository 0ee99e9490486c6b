"""`newsletter key`: replace the key that signs links."""

from __future__ import annotations

import os

import click

from newsletter.cli.backup import get_settings_file
from newsletter.cli.groups import CommandGroup
from newsletter.cli.output import ask, say, write_count, yes_option
from newsletter.services.operations import key_rotation


@click.group(cls=CommandGroup)
def key() -> None:
    """Replace the key that signs links."""


@key.command(epilog="Example: newsletter key rotate")
@yes_option
@click.pass_context
def rotate(ctx: click.Context, *, yes: bool) -> None:
    """Write a new key into newsletter.toml; the old one still opens the links that it signed.

    Restart `serve` and `worker` afterwards: until then they sign with the old key, and open what
    either has signed. Suppressions and erasures have keys of their own.
    """
    file = get_settings_file(ctx)
    ask(f"Replace secret_key in {file}?", yes=yes)
    rotated = key_rotation.rotate_key(file, os.environ)
    old = len(rotated.signing_keys) - 1
    say(
        f"A new key signs from now on; {write_count(old, 'older key')} still open what they signed."
    )
    say("Next: restart the services, and make a backup: it carries the keys.")
    say("Unsubscribe links never expire: keep the older keys for as long as old mails shall work.")
