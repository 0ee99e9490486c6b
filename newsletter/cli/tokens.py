"""`newsletter token`: manage the tokens with which programs use the API."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from newsletter.access_vocabulary import TokenScope
from newsletter.cli.context import with_environment
from newsletter.cli.groups import CommandGroup
from newsletter.cli.member_choice import MemberChoice
from newsletter.cli.output import (
    ask,
    choose_zone,
    format_moment,
    json_option,
    print_json,
    print_table,
    say,
    yes_option,
)
from newsletter.services import api_tokens
from newsletter.services.lists import lists

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment


@click.group(cls=CommandGroup)
def token() -> None:
    """Give programs tokens for the API, list and revoke them."""


@token.command(epilog='Example: newsletter token add "my shop" --scope write --list blog')
@click.argument("name")
@click.option(
    "--scope",
    type=MemberChoice(TokenScope),
    required=True,
    help="read: numbers, texts, entries; write: also subscribers and drafts; send: also whatever "
    "mails people; publish: the entries of one list, for a blog.",
)
@click.option("--list", "slugs", multiple=True, metavar="SLUG", help="For these lists only.")
@click.option("--no-expiry", is_flag=True, help="It works until you revoke it, not for 365 days.")
@with_environment
def add(
    env: Environment, name: str, scope: TokenScope, slugs: tuple[str, ...], *, no_expiry: bool
) -> None:
    """Make a token and print it. It is shown once.

    On standard output is the token and nothing else.
    """
    say(api_tokens.add_token(env, name, TokenScope(scope), slugs, expires=not no_expiry))


@token.command(epilog="Example: newsletter token ls")
@json_option
@with_environment
def ls(env: Environment, *, json_: bool) -> None:
    """List tokens by name, with what they may do and when they were last used."""
    tokens = api_tokens.list_tokens()
    if json_:
        return print_json([asdict(row) for row in tokens])
    zone = choose_zone(lists.list_time_zones().values())
    rows = [
        (
            row.name,
            row.scope,
            "all" if row.lists is None else ", ".join(row.lists),
            format_moment(row.expires_at, zone) if row.expires_at else "never",
            format_moment(row.last_used_at, zone) if row.last_used_at else "never",
        )
        for row in tokens
    ]
    return print_table(
        ("name", "scope", "lists", "expires", "last used"), rows, empty="There is no token yet."
    )


@token.command(epilog='Example: newsletter token revoke "my shop"')
@click.argument("name")
@yes_option
@with_environment
def revoke(env: Environment, name: str, *, yes: bool) -> None:
    """Revoke a token: it opens nothing from now on."""
    ask(f"Revoke {name}? The program that uses it is locked out.", yes=yes)
    api_tokens.revoke_token(name)
    say("Revoked.")
