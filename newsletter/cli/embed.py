"""`newsletter embed`: the form to paste into a blog."""

from __future__ import annotations

import click

from newsletter.cli.context import with_environment
from newsletter.cli.output import list_option
from newsletter.services import feeds
from newsletter.services.environment import Environment


@click.command(epilog="Example: newsletter embed --list slow-letters > form.html")
@list_option
@with_environment
def embed(env: Environment, slug: str | None) -> None:
    """Print a plain HTML form to paste into any page; it needs no script."""
    from newsletter.web.embedding import embed_form

    click.echo(embed_form(env, slug or feeds.only_list()), nl=False)
