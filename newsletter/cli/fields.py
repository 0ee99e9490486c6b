"""`newsletter field`: the author's own fields in a list's form."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import with_environment
from newsletter.cli.member_choice import MemberChoice
from newsletter.cli.output import as_json, json_option, list_option, say, table
from newsletter.services import lookup
from newsletter.services.signup import forms
from newsletter.vocabulary import FieldKind

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment


@click.group()
def field() -> None:
    """Your own fields in a list's form."""


@field.command(
    epilog='Example: newsletter field add workshops --kind consent --label "Tell me of workshops too, twice a year."'
)
@click.argument("name")
@list_option
@click.option("--kind", type=MemberChoice(FieldKind), default="text", show_default=True)
@click.option(
    "--label",
    required=True,
    help="What the form shows; of a consent, the words that are agreed to.",
)
@click.option(
    "--choice", "choices", multiple=True, metavar="TEXT", help="One of those offered; repeat it."
)
@click.option("--required", is_flag=True, help="The form is not taken without it.")
@with_environment
def add(
    env: Environment,
    name: str,
    slug: str | None,
    kind: str,
    label: str,
    choices: tuple[str, ...],
    *,
    required: bool,
) -> None:
    """Add a field to a list's form.

    Forms you have pasted are to be printed anew: `newsletter embed`.
    """
    made = forms.add_field(
        lookup.get_list_slug(slug), name, kind, label, choices, required=required
    )
    say(f"{made.name}: {made.kind}{', required' if made.required else ''}")


@field.command(epilog="Example: newsletter field ls --json")
@list_option
@json_option
@with_environment
def ls(env: Environment, slug: str | None, *, json_: bool) -> None:
    """The fields of a list's form, in their order."""
    found = forms.list_fields(lookup.get_list_slug(slug))
    if json_:
        return as_json([asdict(row) for row in found])
    rows = [
        (row.name, row.kind, row.label, ", ".join(row.choices), "yes" if row.required else "")
        for row in found
    ]
    return table(
        ("field", "kind", "label", "choices", "required"), rows, empty="There is none but ours."
    )


@field.command(epilog="Example: newsletter field remove workshops")
@click.argument("name")
@list_option
@with_environment
def remove(env: Environment, name: str, slug: str | None) -> None:
    """Take a field out of the form; what readers have answered stays."""
    forms.remove_field(lookup.get_list_slug(slug), name)
    say(f"{name} is removed.")
