"""`newsletter entry`: what was found in the feeds, and its fate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from newsletter.cli.context import with_environment
from newsletter.cli.member_choice import MemberChoice
from newsletter.cli.output import (
    as_json,
    ask,
    json_option,
    list_option,
    moment,
    say,
    table,
    warn,
    yes_option,
)
from newsletter.errors import NewsletterError
from newsletter.services import lookup
from newsletter.services.lists import lists
from newsletter.services.polling import entries
from newsletter.vocabulary import EntryStatus

if TYPE_CHECKING:
    from newsletter.services.polling.entries import EntryView
    from newsletter.services.runtime import Environment

_NAMES = ("id", "feed", "title", "link", "published", "fate", "why")


@click.group()
def entry() -> None:
    """What was found in the feeds, and its fate."""


@entry.command(epilog="Example: newsletter entry ls --fate held")
@list_option
@click.option("--fate", type=MemberChoice(EntryStatus), help="Only those.")
@click.option("--limit", default=50, show_default=True)
@json_option
@with_environment
def ls(env: Environment, slug: str | None, fate: str | None, limit: int, *, json_: bool) -> None:
    """Entries, newest first."""
    found = entries.list_entries(slug=lookup.check_slug(slug), fate=fate, limit=limit)
    if json_:
        return as_json([_json(row) for row in found])
    zones = lists.list_time_zones()
    rows = [
        (row.id, moment(row.published, zones[row.list]), row.title, row.fate, row.why)
        for row in found
    ]
    return table(("id", "published", "title", "fate", "why"), rows, empty="Nothing was found yet.")


@entry.command(epilog="Example: newsletter entry show 12")
@click.argument("entry_id", type=int)
@json_option
@with_environment
def show(env: Environment, entry_id: int, *, json_: bool) -> None:
    """One entry."""
    entry = entries.get_entry(entry_id)
    found = _json(entry)
    if json_:
        return as_json(found)
    published = moment(entry.published, lists.list_time_zones()[entry.list])
    return table(("what", "value"), list((found | {"published": published}).items()))


def _json(row: EntryView) -> dict[str, object]:
    return {name: getattr(row, name) for name in _NAMES}


def _verb(name: str, text: str, *, question: str = "") -> None:
    """A command that decides on entries; `question` is asked before what mails people again."""

    @entry.command(name, help=text, epilog=f"Example: newsletter entry {name} 12 14")
    @click.argument("entry_ids", type=int, nargs=-1, metavar="ID...")
    @click.option("--held", is_flag=True, help="All that are held.")
    @list_option
    @yes_option
    @with_environment
    def command(
        env: Environment, entry_ids: tuple[int, ...], slug: str | None, *, held: bool, yes: bool
    ) -> int:
        if bool(entry_ids) == held:
            raise click.UsageError("name entries by their numbers, or say --held")
        waiting = (
            ()
            if entry_ids
            else entries.list_entries(slug=lookup.check_slug(slug), fate="held", limit=None)
        )
        chosen = list(entry_ids) or [row.id for row in waiting][::-1]
        if question:
            ask(question, yes=yes)
        refused, service = 0, getattr(entries, name)
        for number in chosen:
            try:
                found = service(env, number)
                say(f"{found.id} {found.title}: {found.fate}")
            except NewsletterError as error:
                refused += 1
                warn(str(error))
        if not chosen:
            say("Nothing is held.")
        return 1 if refused else 0


_verb("skip", "Never mail it.")
_verb("hold", "Keep it back until it is released.")
_verb("release", "Let it go out with the next digest.")
_verb("resend", "Mail it to everybody once more.", question="Mail this to everybody once more?")
