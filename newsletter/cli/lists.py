"""`newsletter list`: make mailing lists and change their settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.context import with_environment
from newsletter.cli.groups import CommandGroup
from newsletter.cli.output import (
    ask,
    complete_lists,
    json_option,
    print_json,
    print_table,
    say,
    write_count,
    yes_option,
)
from newsletter.services.lists import lists
from newsletter.vocabulary import Cadence

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment

_CADENCES = ", ".join(Cadence)
_SETTINGS = (
    ("title", "What subscribers see."),
    ("description", "A sentence or two for the page with the form."),
    ("from", 'The sender, such as "Ana <ana@example.org>".'),
    ("reply-to", "Where replies go (default: to the sender)."),
    ("address", "Your postal address; the law wants it in every mail."),
    ("cadence", f"The preselected cadence: {_CADENCES}."),
    ("cadences", 'The cadences to choose from, such as "weekly monthly".'),
    ("day", "The day of weekly digests: mon … sun."),
    ("hour", "The hour of digests: 0–23, in the list's time zone."),
    ("monthday", "The day of monthly digests: 1–31 (31: the month's last)."),
    ("grace", "Minutes that instant mails wait for corrections: 0–1440 (default 10)."),
    ("timezone", "Such as Europe/Berlin."),
    ("min-entries", "A scheduled digest waits for this many entries."),
    ("max-wait", "The longest that an entry waits for others, in days."),
    ("show", "How much of a post: excerpt, full, or auto (one post whole, several as excerpts)."),
    ("order", "Of the entries in a digest: newest or oldest first."),
    ("sections", "Headings in digests: none, feed or topic; `digest sections` sets their order."),
    (
        "indexed",
        "What search engines may list of the archive: letters, or all (digests, too).",
    ),
    (
        "review",
        "Mail digests to you first, so long before they go, such as 24h; or off.",
    ),
    ("on-silence", "A digest whose review nobody answers: send (default) or wait."),
    ("weekly-note", "The mail to you once a week, with who joined and left: on or off."),
    ("language", "Such as en or de."),
    ("color", "The accent colour of mails, such as #2f6f62."),
    ("font", "The font of mails: system, serif, humanist, book or mono."),
    ("radius", "The radius of corners in mails, in pixels: 0–24."),
    ("logo", "The address of a picture for the top of mails."),
    ("consent", "The consent text beside the form."),
    ("site-url", "Your blog's address."),
)


ORIGINS_SHOWN = 20
"""Rows of the table of held confirmations that are printed on a terminal: about a screen."""


def add_settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each setting of a list."""
    for name, text in reversed(_SETTINGS):
        command = click.option(f"--{name}", f"set_{name.replace('-', '_')}", help=text)(command)
    return click.option(
        "--review-instant/--no-review-instant",
        "set_review_instant",
        default=None,
        help="Review instant mails, too.",
    )(command)


def collect_settings(options: dict[str, Any]) -> dict[str, object]:
    """Return the settings that were given as options."""
    words = {True: "yes", False: "no"}
    return {
        name.removeprefix("set_"): words[value] if isinstance(value, bool) else value
        for name, value in options.items()
        if value is not None
    }


@click.group("list", cls=CommandGroup)
def list_() -> None:
    """Make mailing lists and change their settings."""


@list_.command(epilog='Example: newsletter list add slow-letters --from "Ana <ana@example.org>"')
@click.argument("slug", shell_complete=complete_lists)
@add_settings_options
@with_environment
def add(env: Environment, slug: str, **options: Any) -> None:
    """Make a list; its pages live under /SLUG/."""
    added = lists.add(env, slug, collect_settings(options))
    say(f"{added.slug}: {env.links.mailing_list(added.slug)}")


@list_.command(epilog="Example: newsletter list ls --json")
@json_option
@with_environment
def ls(env: Environment, *, json_: bool) -> None:
    """List all mailing lists."""
    rows = lists.list_lists()
    if json_:
        return print_json([lists.to_json(row) for row in rows])
    cells = [
        (row.slug, row.title, f"{row.active:,}", f"{row.pending:,}", row.cadence, row.timezone)
        for row in rows
    ]
    return print_table(
        ("list", "title", "active", "pending", "cadence", "zone"),
        cells,
        empty="There is no list yet.",
    )


@list_.command(epilog="Example: newsletter list show slow-letters")
@click.argument("slug", shell_complete=complete_lists)
@json_option
@with_environment
def show(env: Environment, slug: str, *, json_: bool) -> None:
    """Show a list with all its settings."""
    fields = lists.to_json(lists.show(slug))
    if json_:
        return print_json(fields)
    return print_table(("setting", "value"), list(fields.items()))


@list_.command(
    epilog="Example: newsletter list edit slow-letters --cadence weekly --day mon --hour 8"
)
@click.argument("slug", shell_complete=complete_lists)
@add_settings_options
@with_environment
def edit(env: Environment, slug: str, **options: Any) -> None:
    """Change settings; a new cadence does not catch up on the past."""
    values = collect_settings(options)
    if not values:
        raise click.UsageError("choose what to change, such as --hour 9")
    lists.edit(env, slug, values)
    say(f"{slug}: changed {', '.join(values)}")


@list_.command(epilog="Example: newsletter list remove old-list")
@click.argument("slug", shell_complete=complete_lists)
@yes_option
@with_environment
def remove(env: Environment, slug: str, *, yes: bool) -> None:
    """Delete a list with its feeds, subscriptions and campaigns."""
    count = write_count(lists.show(slug).active, "active subscription")
    ask(f"Delete {slug} with {count}, its feeds and campaigns?", yes=yes)
    lists.remove(slug)
    say(f"{slug} is removed.")


@list_.command(epilog="Example: newsletter list confirmations slow-letters --release --proven")
@click.argument("slug", shell_complete=complete_lists)
@click.option("--release", is_flag=True, help="Send the held confirmations: the sign-ups are real.")
@click.option("--drop", is_flag=True, help="Never send them: a robot made the sign-ups.")
@click.option(
    "--network", "networks", multiple=True, metavar="NET", help="Only sign-ups from this network."
)
@click.option(
    "--domain", "domains", multiple=True, metavar="NAME", help="Only addresses of this domain."
)
@click.option("--proven", is_flag=True, help="Only visitors whose browser solved a puzzle.")
@json_option
@yes_option
@with_environment
def confirmations(
    env: Environment,
    slug: str,
    *,
    release: bool,
    drop: bool,
    networks: tuple[str, ...],
    domains: tuple[str, ...],
    proven: bool,
    json_: bool,
    yes: bool,
) -> None:
    """Show, release or drop the confirmations held back because of a flood of sign-ups.

    Without --release or --drop, print their number by network of the visitor and domain of the
    address.
    """
    if release and drop:
        raise click.UsageError("use --release or --drop, not both")
    from newsletter.services.signup import held_mails

    selection = held_mails.Selection(networks, tuple(name.lower() for name in domains), proven)
    held = held_mails.count_origins(slug, selection)
    count = write_count(sum(origin.count for origin in held), "confirmation")
    if release:
        ask(f"Send {count} that the flood gate holds?", yes=yes)
        released = held_mails.release_held(env, slug, selection)
        return say(f"Released: {write_count(released, 'confirmation')}.")
    if drop:
        ask(f"Drop {count} that the flood gate holds?", yes=yes)
        dropped = held_mails.drop_held(env, slug, selection)
        return say(f"Dropped: {write_count(dropped, 'confirmation')}.")
    room = held_mails.read_gate(env, slug).room
    if json_:
        return print_json({"room": room, "held": [asdict(origin) for origin in held]})
    say(f"{slug}: {count} held back; {room:,} more may be sent now.")
    if held:
        rows = [
            (origin.network, origin.domain, origin.count, origin.proven)
            for origin in held[:ORIGINS_SHOWN]
        ]
        print_table(("network", "domain", "held", "with a puzzle solved"), rows)
    if len(held) > ORIGINS_SHOWN:
        say(f"{ORIGINS_SHOWN} of {len(held):,} origins; --json prints all.")
    return None
