"""`newsletter subscriber`: who subscribes."""

from __future__ import annotations

from dataclasses import asdict

import click

from newsletter.cli.context import with_environment
from newsletter.cli.exchange import STATUSES, export, import_, word_given
from newsletter.cli.output import as_json, ask, json_option, list_option, moment, on_terminal, say, table, yes_option
from newsletter.schedule import CADENCES
from newsletter.services import feeds, personal, subscribers
from newsletter.services.environment import Environment
from newsletter.services.subscribers import SubscriberView


@click.group()
def subscriber() -> None:
    """Who subscribes."""


def as_dict(row: SubscriberView) -> dict[str, object]:
    """A subscriber as programs read it."""
    return {**asdict(row), "subscriptions": [asdict(each) for each in row.subscriptions]}


@subscriber.command(epilog="Example: newsletter subscriber ls --status active")
@list_option
@click.option("--status", type=click.Choice(STATUSES))
@click.option("--search", default="", metavar="TEXT", help="Part of the address.")
@click.option("--limit", default=100, show_default=True)
@json_option
@with_environment
def ls(env: Environment, slug: str | None, status: str | None, search: str, limit: int, *, json_: bool) -> None:
    """Subscribers, newest first."""
    found = subscribers.ls(slug=slug, status=status, search=search, limit=limit)
    if json_:
        return as_json([as_dict(row) for row in found])
    rows = [
        (row.email, row.name, ", ".join(f"{each.list}: {each.status}, {each.cadence}" for each in row.subscriptions))
        for row in found
    ]
    table(("address", "name", "subscriptions"), rows, empty="Nobody yet.")
    if on_terminal():
        say(f"{subscribers.count(slug=slug, status=status)} subscriptions in all")
    return None


@subscriber.command(epilog="Example: newsletter subscriber show ana@example.org")
@click.argument("address")
@json_option
@with_environment
def show(env: Environment, address: str, *, json_: bool) -> None:
    """One reader's whole story."""
    story = subscribers.show(env, address)
    if json_:
        events = [{"at": at, "what": what} for at, what in story.events]
        return as_json({**as_dict(story.subscriber), "suppressed": story.suppressed, "events": events})
    say(f"{story.subscriber.email} {story.subscriber.name}".strip() + (" (suppressed)" if story.suppressed else ""))
    for each in story.subscriber.subscriptions:
        say(f"  {each.list}: {each.status}, {each.cadence}")
    return table(("when", "what"), [(moment(at), what) for at, what in story.events])


@subscriber.command(
    epilog='Example: newsletter subscriber add ana@example.org --confirmed --because "asked me by phone"'
)
@click.argument("address")
@list_option
@click.option("--name", default="")
@click.option("--cadence", type=click.Choice(CADENCES))
@click.option("--confirmed", is_flag=True, help="She has agreed already; --because says how you know.")
@click.option("--because", default="", metavar="TEXT", help="Kept as evidence.")
@with_environment
def add(
    env: Environment, address: str, slug: str | None, name: str, cadence: str | None, because: str, *, confirmed: bool
) -> None:
    """Add a reader. Without --confirmed she is asked to confirm by mail."""
    word_given(confirmed=confirmed, because=because)
    found = subscribers.add(env, address, slug=slug, name=name, cadence=cadence, because=because)
    done = "is subscribed" if confirmed else "will be asked to confirm"
    say(f"{found.email} {done}.")


@subscriber.command(epilog="Example: newsletter subscriber edit ana@example.org --cadence monthly")
@click.argument("address")
@list_option
@click.option("--name")
@click.option("--cadence", type=click.Choice(CADENCES))
@click.option("--unsubscribe", is_flag=True, help="She asked you to; needs --list where there are several.")
@with_environment
def edit(
    env: Environment, address: str, slug: str | None, name: str | None, cadence: str | None, *, unsubscribe: bool
) -> None:
    """Correct a name or a rhythm, or unsubscribe somebody who asked you to."""
    if name is None and cadence is None and not unsubscribe:
        raise click.UsageError("say what to change: --name, --cadence or --unsubscribe")
    if name is not None or cadence is not None:
        subscribers.edit(address, name=name, slug=slug, cadence=cadence)
    if unsubscribe:
        subscribers.unsubscribe(env, address, slug or feeds.only_list())
    say("Done.")


@subscriber.command(epilog="Example: newsletter subscriber remove ana@example.org")
@click.argument("address")
@yes_option
@with_environment
def remove(env: Environment, address: str, *, yes: bool) -> None:
    """Forget a reader; what waits for her is dropped."""
    ask(f"Remove {address} and her whole story?", yes=yes)
    say(f"{subscribers.remove(env, address).email} is removed.")


@subscriber.command(epilog="Example: newsletter subscriber erase ana@example.org")
@click.argument("address")
@yes_option
@with_environment
def erase(env: Environment, address: str, *, yes: bool) -> None:
    """Forget a reader for good: a keyed hash is left, so that no import or form brings her back."""
    ask(f"Erase {address} and everything known of her, for good?", yes=yes)
    personal.erase_address(env, address)
    say("Erased. The address is never mailed again; `suppression remove` would lift that.")


subscriber.add_command(import_)
subscriber.add_command(export)
