"""`newsletter entry`: list posts and videos from feeds, and decide whether to mail them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import with_environment
from newsletter.cli.groups import CommandGroup
from newsletter.cli.member_choice import MemberChoice
from newsletter.cli.output import (
    ask,
    choose_limit,
    format_moment,
    json_option,
    limit_option,
    list_option,
    note_limit,
    print_json,
    print_table,
    say,
    warn,
    yes_option,
)
from newsletter.errors import NewsletterError
from newsletter.services import lookup
from newsletter.services.lists import lists
from newsletter.services.polling import correct_entry, entries
from newsletter.vocabulary import EntryStatus

if TYPE_CHECKING:
    from newsletter.services.polling.entries import EntryView
    from newsletter.services.runtime import Environment

Decide = Callable[["Environment", int], "EntryView"]


@click.group(cls=CommandGroup)
def entry() -> None:
    """List posts and videos found in the feeds, and decide what becomes of them."""


@entry.command(epilog="Example: newsletter entry ls --fate held")
@list_option
@click.option("--fate", type=MemberChoice(EntryStatus), help="Only entries with this status.")
@limit_option
@json_option
@with_environment
def ls(
    env: Environment, slug: str | None, fate: EntryStatus | None, limit: int | None, *, json_: bool
) -> None:
    """List entries, newest first."""
    mailing_list = lookup.check_slug(slug)
    most = choose_limit(limit, json_=json_)
    page = entries.list_entries(slug=mailing_list, fate=fate, limit=most)
    if json_:
        print_json([_to_dict(row) for row in page])
    else:
        zones = lists.list_time_zones()
        rows = [
            (row.id, format_moment(row.published, zones[row.list]), row.title, row.fate, row.why)
            for row in page
        ]
        print_table(("id", "published", "title", "fate", "why"), rows, empty="No entry matches.")
    note_limit(len(page), entries.count_entries(slug=mailing_list, fate=fate))


@entry.command(epilog="Example: newsletter entry show 12")
@click.argument("entry_id", type=int)
@json_option
@with_environment
def show(env: Environment, entry_id: int, *, json_: bool) -> None:
    """Show an entry."""
    entry = entries.get_entry(entry_id)
    fields = _to_dict(entry)
    if json_:
        return print_json(fields)
    published = format_moment(entry.published, lists.list_time_zones()[entry.list])
    return print_table(("what", "value"), list((fields | {"published": published}).items()))


def _to_dict(row: EntryView) -> dict[str, object]:
    fields = asdict(row)
    del fields["list"]
    return fields


def _add_deciding_command(name: str, text: str, decide: Decide, *, question: str = "") -> None:
    """Add a command that makes a decision about entries.

    `question` is asked first, if the decision mails people again.
    """

    @entry.command(name, help=text, epilog=f"Example: newsletter entry {name} 12 14")
    @click.argument("entry_ids", type=int, nargs=-1, metavar="ID...")
    @click.option("--held", is_flag=True, help="All entries that are held.")
    @list_option
    @yes_option
    @with_environment
    def command(
        env: Environment, entry_ids: tuple[int, ...], slug: str | None, *, held: bool, yes: bool
    ) -> int:
        if bool(entry_ids) == held:
            raise click.UsageError("name entries by their numbers, or use --held")
        chosen = entry_ids or _list_held_entries(slug)
        if not chosen:
            say("No entry is held.")
            return 0
        if question:
            ask(question, yes=yes)
        return _decide_each(env, chosen, decide)


def _list_held_entries(slug: str | None) -> tuple[int, ...]:
    """List the ids of held entries, oldest first."""
    held = entries.list_entries(slug=lookup.check_slug(slug), fate=EntryStatus.HELD, limit=None)
    return tuple(row.id for row in reversed(held))


def _decide_each(env: Environment, entry_ids: Iterable[int], decide: Decide) -> int:
    """Make a decision about each entry; return exit code 1 if any was refused."""
    refused = 0
    for entry_id in entry_ids:
        try:
            row = decide(env, entry_id)
            say(f"{row.id} {row.title}: {row.fate}")
        except NewsletterError as error:
            refused += 1
            warn(str(error))
    return 1 if refused else 0


_add_deciding_command("skip", "Never mail an entry.", lambda env, id_: entries.skip(env, id_))
_add_deciding_command(
    "hold", "Keep an entry back until it is released.", lambda env, id_: entries.hold(env, id_)
)
_add_deciding_command(
    "release",
    "Let an entry go out with the next digest.",
    lambda env, id_: entries.release(env, id_),
)
_add_deciding_command(
    "resend",
    "Mail an entry to everybody once more.",
    lambda env, id_: entries.resend(env, id_),
    question="Mail this to everybody once more?",
)


@entry.command(epilog='Example: newsletter entry correct 12 --title "Going slowly"')
@click.argument("entry_id", type=int, metavar="ID")
@click.option("--title", help="As mails name it; an empty one takes the correction back.")
@click.option("--excerpt", help="As mails begin it where they show an excerpt.")
@with_environment
def correct(env: Environment, entry_id: int, title: str | None, excerpt: str | None) -> None:
    """Correct the title and excerpt of an entry in mails to come; its blog stays as it is."""
    if title is None and excerpt is None:
        raise click.UsageError('say what to correct, such as --title "Going slowly"')
    corrected = correct_entry.correct_entry(entry_id, title=title, excerpt=excerpt)
    say(f"Entry {corrected.id} is called “{corrected.own_title or corrected.title}” in mails.")
