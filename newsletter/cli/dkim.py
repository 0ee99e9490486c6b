"""`newsletter dkim`: manage the keys that sign mail."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import with_environment
from newsletter.cli.groups import CommandGroup
from newsletter.cli.output import ask, json_option, print_json, print_table, say, yes_option
from newsletter.services.sending import dkim_keys
from newsletter.setup_vocabulary import KeyKind

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment


@click.group(cls=CommandGroup)
def dkim() -> None:
    """Make and list the keys that sign mail (DKIM)."""


@dkim.command(epilog="Example: newsletter dkim new --selector s1")
@click.option("--selector", required=True, metavar="NAME", help="The key's name in DNS, like s1.")
@click.option(
    "--ed25519", is_flag=True, help="Make an Ed25519 key (RFC 8463), beside one of RSA-2048."
)
@json_option
@with_environment
def new(env: Environment, selector: str, *, ed25519: bool, json_: bool) -> None:
    """Make a key and print the DNS record that publishes it.

    Publish the record, run `newsletter doctor`, which must see it, and name the key in
    `dkim.selectors`: then mail is signed.
    """
    key = dkim_keys.create_key(env, selector, kind=KeyKind.ED25519 if ed25519 else KeyKind.RSA)
    if json_:
        print_json(_to_dict(key))
        return
    say(f"Made {key.file}. Publish in DNS:")
    for record in key.records or ("(there is no mailing list yet: newsletter list add)",):
        say(f"\n{record}")
    say(f'\nThen run newsletter doctor, and set dkim.selectors = "{selector}".')


@dkim.command(epilog="Example: newsletter dkim ls")
@json_option
@with_environment
def ls(env: Environment, *, json_: bool) -> None:
    """List the keys, and where the DNS was seen to publish them."""
    keys = dkim_keys.list_keys(env)
    if json_:
        print_json([_to_dict(key) for key in keys])
        return
    cells = [
        (
            key.selector,
            key.kind,
            "yes" if key.signs and key.seen_for else "no",
            " ".join(key.seen_for),
        )
        for key in keys
    ]
    empty = "There is no key: newsletter dkim new --selector s1"
    print_table(("selector", "kind", "signs", "seen in DNS for"), cells, empty=empty)


@dkim.command(epilog="Example: newsletter dkim remove s1")
@click.argument("selector", metavar="SELECTOR")
@yes_option
@with_environment
def remove(env: Environment, selector: str, *, yes: bool) -> None:
    """Delete a key for good; one that signs must be taken out of `dkim.selectors` first.

    Leave its record in DNS for a week: mail on its way is checked by it.
    """
    dkim_keys.get_key(env, selector)
    ask(f"Delete the key {selector} for good?", yes=yes)
    dkim_keys.remove_key(env, selector)
    say(f"Deleted {selector}.")


def _to_dict(key: dkim_keys.DkimKey) -> dict[str, object]:
    return {**asdict(key), "file": str(key.file)}
