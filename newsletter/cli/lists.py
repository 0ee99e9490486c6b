"""`newsletter list`: mailing lists and their settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.context import with_environment
from newsletter.cli.output import (
    as_json,
    ask,
    complete_lists,
    json_option,
    say,
    some,
    table,
    yes_option,
)
from newsletter.services.lists import lists

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment

_SETTINGS = (
    ("title", "What readers see."),
    ("description", "A sentence or two for the page with the form."),
    ("from", 'Who writes: "Ana <ana@example.org>".'),
    ("reply-to", "Where answers go, if not to the sender."),
    ("address", "Your postal address; the law wants it in every mail."),
    ("cadence", "The rhythm that is chosen beforehand: instant, daily, weekly or monthly."),
    ("cadences", 'Those offered, like "weekly monthly".'),
    ("day", "The day of weekly digests: mon … sun."),
    ("hour", "The hour of digests: 0–23, in the list's time zone."),
    ("monthday", "The day of monthly digests: 1–31 (31: the month's last)."),
    ("grace", "Minutes for which instant mails wait for corrections: 0–1440, 10 at first."),
    ("timezone", "Like Europe/Berlin."),
    ("min-entries", "A scheduled digest waits for so many entries."),
    ("max-wait", "… but no entry longer than so many days."),
    ("show", "How much of a post: excerpt, full, or auto (one post whole, several as excerpts)."),
    ("order", "Of the entries in a digest: newest or oldest first."),
    ("sections", "Headings in digests: none, feed or topic; `digest sections` sets their order."),
    ("language", "Like en or de."),
    ("color", "The accent of mails, like #2f6f62."),
    ("font", "Of mails: system, serif, humanist, book or mono."),
    ("radius", "How round the corners in mails are: 0–24."),
    ("logo", "The address of a picture for the head of mails."),
    ("consent", "What one agrees to, beside the form."),
    ("site-url", "Your blog's address."),
)


ORIGINS_SHOWN = 20
"""Rows that a terminal shows of where held confirmations come from."""


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """An option for each setting of a list."""
    for name, text in reversed(_SETTINGS):
        command = click.option(f"--{name}", f"set_{name.replace('-', '_')}", help=text)(command)
    return command


def given(options: dict[str, Any]) -> dict[str, object]:
    """The settings that were given."""
    return {
        name.removeprefix("set_"): value for name, value in options.items() if value is not None
    }


@click.group("list")
def list_() -> None:
    """Mailing lists and their settings."""


@list_.command(
    epilog='Example: newsletter list add slow-letters --from "Ana <ana@example.org>" --timezone Europe/Berlin'
)
@click.argument("slug", shell_complete=complete_lists)
@settings_options
@with_environment
def add(env: Environment, slug: str, **options: Any) -> None:
    """Make a list; its pages live under /SLUG/."""
    made = lists.add(env, slug, given(options))
    say(f"{made.slug}: {env.links.mailing_list(made.slug)}")


@list_.command(epilog="Example: newsletter list ls --json")
@json_option
@with_environment
def ls(env: Environment, *, json_: bool) -> None:
    """All lists."""
    found = lists.list_lists()
    if json_:
        return as_json([lists.to_json(row) for row in found])
    rows = [
        (row.slug, row.title, row.active, row.pending, row.cadence, row.timezone) for row in found
    ]
    return table(
        ("list", "title", "active", "pending", "cadence", "zone"),
        rows,
        empty="There is no list yet.",
    )


@list_.command(epilog="Example: newsletter list show slow-letters")
@click.argument("slug", shell_complete=complete_lists)
@json_option
@with_environment
def show(env: Environment, slug: str, *, json_: bool) -> None:
    """One list with all its settings."""
    found = lists.to_json(lists.show(slug))
    if json_:
        return as_json(found)
    return table(("setting", "value"), list(found.items()))


@list_.command(
    epilog="Example: newsletter list edit slow-letters --cadence weekly --day mon --hour 8"
)
@click.argument("slug", shell_complete=complete_lists)
@settings_options
@with_environment
def edit(env: Environment, slug: str, **options: Any) -> None:
    """Change settings; a new rhythm catches up on nothing in the past."""
    values = given(options)
    if not values:
        raise click.UsageError("say what to change, like --hour 9")
    lists.edit(env, slug, values)
    say(f"{slug}: changed {', '.join(values)}")


@list_.command(epilog="Example: newsletter list remove old-list")
@click.argument("slug", shell_complete=complete_lists)
@yes_option
@with_environment
def remove(env: Environment, slug: str, *, yes: bool) -> None:
    """Remove a list with its feeds, subscriptions and campaigns."""
    found = lists.show(slug)
    ask(
        f"Remove {slug} with {found.active} active subscriptions, its feeds and campaigns?", yes=yes
    )
    lists.remove(slug)
    say(f"{slug} is removed.")


@list_.command(epilog="Example: newsletter list confirmations slow-letters --release --proven")
@click.argument("slug", shell_complete=complete_lists)
@click.option("--release", is_flag=True, help="Send what is held back: these sign-ups are real.")
@click.option("--drop", is_flag=True, help="Never send it: a robot made them.")
@click.option(
    "--network", "networks", multiple=True, metavar="NET", help="Only sign-ups from this network."
)
@click.option(
    "--domain", "domains", multiple=True, metavar="NAME", help="Only addresses of this domain."
)
@click.option("--proven", is_flag=True, help="Only visitors whose browser has solved a puzzle.")
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
    """Confirmations that are held back because of a flood of sign-ups, and what is to become of
    them.

    Without --release or --drop: how many there are, by the visitors' network and the domain of the
    address.
    """
    if release and drop:
        raise click.UsageError("say --release or --drop, not both")
    from newsletter.services.signup import held_mails

    selection = held_mails.Selection(networks, tuple(name.lower() for name in domains), proven)
    held = held_mails.count_origins(slug, selection)
    count = some(sum(each.count for each in held), "confirmation")
    if release:
        ask(f"Send {count} held back?", yes=yes)
        return say(
            f"Let go: {some(held_mails.release_held(env, slug, selection), 'confirmation')}."
        )
    if drop:
        ask(f"Drop {count} held back?", yes=yes)
        return say(f"Dropped: {some(held_mails.drop_held(env, slug, selection), 'confirmation')}.")
    room = held_mails.read_gate(env, slug).room
    if json_:
        return as_json({"room": room, "held": [asdict(each) for each in held]})
    say(f"{slug}: {count} held back; {room} more may go now.")
    if held:
        rows = [
            (each.network, each.domain, each.count, each.proven) for each in held[:ORIGINS_SHOWN]
        ]
        table(("network", "domain", "held", "with a puzzle solved"), rows)
    if len(held) > ORIGINS_SHOWN:
        say(f"Shown: {ORIGINS_SHOWN} of {len(held)} origins; --json has all.")
    return None
