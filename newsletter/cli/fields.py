"""`newsletter field`: manage the additional fields of a list's sign-up form."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import with_environment
from newsletter.cli.groups import CommandGroup
from newsletter.cli.member_choice import MemberChoice
from newsletter.cli.output import (
    ask,
    json_option,
    list_option,
    print_json,
    print_table,
    say,
    yes_option,
)
from newsletter.services import lookup
from newsletter.services.signup import forms
from newsletter.vocabulary import FieldKind

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment


@click.group(cls=CommandGroup)
def field() -> None:
    """Add, list and remove your own fields of a sign-up form."""


@field.command(
    epilog="Example: newsletter field add workshops --kind consent "
    '--label "Tell me of workshops too, twice a year."'
)
@click.argument("name")
@list_option
@click.option("--kind", type=MemberChoice(FieldKind), default="text", show_default=True)
@click.option(
    "--label",
    required=True,
    help="The text in the form; for a consent, the words that are agreed to.",
)
@click.option(
    "--choice",
    "choices",
    multiple=True,
    metavar="TEXT",
    help="One of the choices; repeat it for each.",
)
@click.option("--required", is_flag=True, help="The form cannot be sent without it.")
@with_environment
def add(
    env: Environment,
    name: str,
    slug: str | None,
    kind: FieldKind,
    label: str,
    choices: tuple[str, ...],
    *,
    required: bool,
) -> None:
    """Add a field to a list's form.

    Print pasted forms again afterwards: `newsletter embed`.
    """
    added = forms.add_field(
        lookup.get_list_slug(slug), name, kind, label, choices, required=required
    )
    say(f"{added.name}: {added.kind}{', required' if added.required else ''}")


@field.command(epilog="Example: newsletter field ls --json")
@list_option
@json_option
@with_environment
def ls(env: Environment, slug: str | None, *, json_: bool) -> None:
    """List the fields of a list's form in their order."""
    fields = forms.list_fields(lookup.get_list_slug(slug))
    if json_:
        return print_json([asdict(row) for row in fields])
    rows = [
        (row.name, row.kind, row.label, ", ".join(row.choices), "yes" if row.required else "")
        for row in fields
    ]
    return print_table(
        ("field", "kind", "label", "choices", "required"),
        rows,
        empty="The form has no additional fields.",
    )


@field.command(epilog="Example: newsletter field remove workshops")
@click.argument("name")
@list_option
@yes_option
@with_environment
def remove(env: Environment, name: str, slug: str | None, *, yes: bool) -> None:
    """Remove a field from the form; answers already given stay."""
    list_slug = lookup.get_list_slug(slug)
    ask(f"Remove the field {name} from the form of {list_slug}?", yes=yes)
    forms.remove_field(list_slug, name)
    say(f"{name} is removed.")
