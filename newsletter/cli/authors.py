"""`newsletter author`: manage who may log in to the author's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from newsletter.access_vocabulary import AuthorRole
from newsletter.cli.context import with_environment
from newsletter.cli.groups import CommandGroup
from newsletter.cli.member_choice import MemberChoice
from newsletter.cli.output import (
    ask,
    complete_lists,
    format_moment,
    json_option,
    print_json,
    print_table,
    say,
    say_raw,
    yes_option,
)
from newsletter.services.authors import authors, log_in

if TYPE_CHECKING:
    from newsletter.services.authors.authors import AuthorView
    from newsletter.services.runtime import Environment


@click.group(cls=CommandGroup)
def author() -> None:
    """Let people open the author's pages in a browser."""


@author.command(epilog="Example: newsletter author add ana@blog.example --role owner")
@click.argument("address")
@click.option(
    "--list",
    "slugs",
    multiple=True,
    metavar="SLUG",
    help="Only this list; repeat it for several (default: every list).",
    shell_complete=complete_lists,
)
@click.option(
    "--role",
    type=MemberChoice(AuthorRole),
    default=AuthorRole.OWNER,
    show_default=True,
    help="A viewer sees numbers and texts, an editor writes, an owner sends.",
)
@with_environment
def add(env: Environment, address: str, slugs: tuple[str, ...], role: AuthorRole) -> None:
    """Let somebody log in at /author/, or change what they may do."""
    view = authors.add_author(env, address, role=AuthorRole(role), slugs=slugs)
    say(f"{view.email} may log in as {view.role} of {_describe_lists(view)}.")
    say_raw(env.links.author())


@author.command(epilog="Example: newsletter author ls")
@json_option
@with_environment
def ls(env: Environment, *, json_: bool) -> None:
    """List who may log in."""
    views = authors.list_authors()
    if json_:
        rows = [
            {
                "email": view.email,
                "role": view.role,
                "lists": list(view.lists.values()) if view.limited else None,
                "created_at": view.created_at,
            }
            for view in views
        ]
        return print_json(rows)
    cells = [
        (view.email, view.role, _describe_lists(view), format_moment(view.created_at))
        for view in views
    ]
    return print_table(("address", "role", "lists", "since"), cells, empty="Nobody may log in.")


@author.command(epilog="Example: newsletter author revoke ana@blog.example")
@click.argument("address")
@yes_option
@with_environment
def revoke(env: Environment, address: str, *, yes: bool) -> None:
    """End somebody's access at once, in every browser."""
    ask(f"End the access of {address}?", yes=yes)
    say(f"{authors.revoke_author(env, address).email} may no longer log in.")


@author.command(epilog="Example: newsletter author link ana@blog.example")
@click.argument("address")
@with_environment
def link(env: Environment, address: str) -> None:
    """Print a log-in link that works once, for 15 minutes, when mail does not arrive."""
    say_raw(log_in.make_link(env, address))


def _describe_lists(view: AuthorView) -> str:
    return (", ".join(view.lists.values()) or "no list") if view.limited else "every list"
