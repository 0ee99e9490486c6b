"""`newsletter embed`: print the sign-up form to paste into a blog."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from newsletter.cli.context import with_pages
from newsletter.cli.member_choice import MemberChoice
from newsletter.cli.output import list_option
from newsletter.services import lookup
from newsletter.setup_vocabulary import EmbedKind

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment


@click.command(epilog="Example: newsletter embed --list slow-letters --kind script > form.html")
@list_option
@click.option(
    "--kind",
    type=MemberChoice(EmbedKind),
    default=EmbedKind.FORM,
    show_default=True,
    help="Plain HTML; HTML with a script that answers in place; a frame; or only a link.",
)
@click.option(
    "--language", metavar="CODE", help="Language, such as de (default: that of the list)."
)
@click.option(
    "--theme",
    type=click.Choice(("light", "dark")),
    help="A frame's colours, if your blog knows only one.",
)
@with_pages
def embed(
    env: Environment, slug: str | None, kind: EmbedKind, language: str | None, theme: str | None
) -> None:
    """Print the form to paste into a page of your blog; docs/embed.md says where.

    Print it again after you change the list's fields, consent text or cadences, or upgrade.
    """
    from newsletter.web.embed_snippets import embed_form

    if theme and kind is not EmbedKind.IFRAME:
        raise click.UsageError(
            "--theme goes with --kind iframe; the other kinds have your blog's own colours"
        )
    click.echo(
        embed_form(
            env, lookup.get_list_slug(slug), kind, language=language or "", theme=theme or ""
        ),
        nl=False,
    )
