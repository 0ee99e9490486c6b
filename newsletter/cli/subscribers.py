"""`newsletter subscriber`: who subscribes."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.consent import proof
from newsletter.cli.context import with_environment
from newsletter.cli.import_export import export, import_, word_given
from newsletter.cli.member_choice import MemberChoice
from newsletter.cli.output import (
    as_json,
    as_json_rows,
    ask,
    json_option,
    list_option,
    moment,
    on_terminal,
    say,
    table,
    yes_option,
)
from newsletter.services import lookup
from newsletter.services.subscribers import admin as subscribers
from newsletter.services.subscribers import history, privacy
from newsletter.services.subscribers.correct import Correction, correct_subscriber
from newsletter.vocabulary import Cadence, SubscriptionStatus

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment
    from newsletter.services.subscribers.views import SubscriberView

SHOWN = 50


@click.group()
def subscriber() -> None:
    """Who subscribes."""


subscriber.add_command(proof)


def as_dict(row: SubscriberView) -> dict[str, object]:
    """A subscriber as programs read it."""
    return {**asdict(row), "subscriptions": [asdict(each) for each in row.subscriptions]}


@subscriber.command(
    epilog="Example: newsletter subscriber ls --status active --cadence weekly --count"
)
@list_option
@click.option(
    "--status", type=MemberChoice(SubscriptionStatus), help="Who has a subscription of this status."
)
@click.option("--cadence", type=MemberChoice(Cadence), help="Who has this cadence.")
@click.option("--search", default="", metavar="TEXT", help="Part of the address or the name.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Who came on this day or later.",
)
@click.option("--tag", default="", metavar="WORD", help="Who carries this tag.")
@click.option(
    "--segment", default="", metavar="EXPR", help="Whom a letter to this segment would reach now."
)
@click.option("--limit", type=click.IntRange(0), help="At most so many (on a terminal 50; 0: all).")
@click.option("--count", "counted", is_flag=True, help="Only how many there are.")
@json_option
@with_environment
def ls(
    env: Environment,
    slug: str | None,
    status: str | None,
    cadence: str | None,
    search: str,
    since: datetime | None,
    tag: str,
    segment: str,
    limit: int | None,
    *,
    counted: bool,
    json_: bool,
) -> None:
    """Subscribers, newest first."""
    came = since.replace(tzinfo=UTC) if since else None
    wanted = subscribers.SubscriberFilter(
        slug, status, cadence, search, came, tag, segment, at=env.now if segment else None
    )
    if counted:
        return say(str(subscribers.count_subscribers(wanted)))
    most = (
        (SHOWN if on_terminal() and not json_ else 0) if limit is None else min(limit, sys.maxsize)
    )
    found = islice(subscribers.iterate_subscribers(wanted), most or None)
    if json_:
        return as_json_rows(as_dict(row) for row in found)
    rows = [(row.email, row.name, _subscriptions(row)) for row in found]
    table(
        ("address", "name", "subscriptions"),
        rows,
        empty="Nobody yet." if wanted == subscribers.SubscriberFilter() else "Nobody.",
    )
    if on_terminal() and rows:
        total = subscribers.count_subscribers(wanted)
        say(
            f"\n{len(rows):,} of {total:,}; --limit 0 shows all"
            if total > len(rows)
            else f"\n{total:,} in all"
        )
    return None


def _subscriptions(row: SubscriberView) -> str:
    return ", ".join(f"{each.list}: {each.status}, {each.cadence}" for each in row.subscriptions)


@subscriber.command(epilog="Example: newsletter subscriber show ana@example.org")
@click.argument("address")
@json_option
@with_environment
def show(env: Environment, address: str, *, json_: bool) -> None:
    """One reader's whole story: where she came from, what she agreed to, every mail and its fate."""
    story = history.get_history(env, address)
    if json_:
        events = [
            {"at": event.at, "list": event.list, "what": event.what} for event in story.events
        ]
        return as_json(
            {
                **as_dict(story.subscriber),
                "suppressed": bool(story.suppressed),
                "tags": story.tags,
                "events": events,
            }
        )
    say(f"{story.subscriber.email}  {story.subscriber.name}".rstrip())
    if story.tags:
        say(f"  tags: {', '.join(story.tags)}")
    if story.suppressed:
        say(f"  never mailed: {story.suppressed}")
    for each in story.subscriber.subscriptions:
        paused = f", on a break until {each.paused_until:%Y-%m-%d}" if each.paused_until else ""
        say(f"  {each.list}: {each.status}, {each.cadence}{paused}")
    rows = [(moment(event.at, event.timezone), event.list, event.what) for event in story.events]
    return table(("when", "list", "what"), rows)


@subscriber.command(
    epilog='Example: newsletter subscriber add ana@example.org --confirmed --because "asked me by phone"'
)
@click.argument("address")
@list_option
@click.option("--name", default="")
@click.option("--cadence", type=MemberChoice(Cadence))
@click.option(
    "--confirmed", is_flag=True, help="She has agreed already; --because says how you know."
)
@click.option("--because", default="", metavar="TEXT", help="Kept as evidence.")
@with_environment
def add(
    env: Environment,
    address: str,
    slug: str | None,
    name: str,
    cadence: str | None,
    because: str,
    *,
    confirmed: bool,
) -> None:
    """Add a reader.

    Without --confirmed she is asked to confirm by mail.
    """
    word_given(confirmed=confirmed, because=because)
    found = subscribers.add_subscriber(
        env, address, slug=slug, name=name, cadence=cadence, because=because
    )
    done = "is subscribed" if confirmed else "will be asked to confirm"
    say(f"{found.email} {done}.")


@subscriber.command(epilog="Example: newsletter subscriber edit ana@example.org --cadence monthly")
@click.argument("address")
@list_option
@click.option("--name")
@click.option(
    "--language",
    metavar="TAG",
    help="The language of mails and pages, such as de; empty: the list's.",
)
@click.option(
    "--address", "new_address", metavar="ADDR", help="Their new address; needs --because."
)
@click.option("--cadence", type=MemberChoice(Cadence))
@click.option(
    "--pause",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Send nothing until this day.",
)
@click.option("--no-pause", "resume", is_flag=True, help="End a pause.")
@click.option(
    "--topic", "topics", multiple=True, metavar="NAME", help="Send only these topics of the list."
)
@click.option("--all-topics", is_flag=True, help="Send all topics.")
@click.option(
    "--answer",
    "answers",
    multiple=True,
    metavar="FIELD=TEXT",
    callback=lambda ctx, parameter, value: _answers(value),
    help="What they answer in a field of yours; a consent also needs --because, unless it is taken back.",
)
@click.option(
    "--tag", multiple=True, metavar="WORD", help="Put a word on them, for segments of letters."
)
@click.option("--untag", multiple=True, metavar="WORD", help="Take it off again.")
@click.option("--because", default="", metavar="TEXT", help="How you know; kept as evidence.")
@click.option(
    "--unsubscribe",
    is_flag=True,
    help="They asked you to; mails a goodbye to whoever was active. Needs --list where there are several.",
)
@with_environment
def edit(
    env: Environment,
    address: str,
    slug: str | None,
    new_address: str | None,
    pause: datetime | None,
    *,
    unsubscribe: bool,
    **changes: Any,
) -> None:
    """Correct whatever subscribers can change themselves, tag somebody, or unsubscribe somebody who
    asked you to.

    Without --list, cadence and pause are those of all their lists. A new address is not asked to
    confirm: you say with --because how you know that it is theirs; what waits to be confirmed there
    must be asked for anew.
    """
    pause_until = pause.replace(tzinfo=UTC) if pause else None
    correction = Correction(
        slug=lookup.check_slug(slug), address=new_address, pause_until=pause_until, **changes
    )
    because, list_only = (
        correction.because,
        Correction(slug=correction.slug, because=correction.because),
    )
    if new_address is not None and not because.strip():
        raise click.UsageError('--address needs --because "how you know that it is theirs"')
    if correction == list_only and not unsubscribe:
        raise click.UsageError(
            "say what to change: --name, --language, --address, --cadence, ...; see --help"
        )
    if correction != list_only:
        address = correct_subscriber(env, address, correction).email
    if unsubscribe:
        _unsubscribe(env, address, lookup.get_list_slug(slug))
    else:
        say("Done.")


def _answers(values: tuple[str, ...]) -> dict[str, str]:
    """What is answered, by the names of the fields.

    Raises `click.BadParameter`.
    """
    answers = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"{value!r} is not like 'city=Berlin'")
        answers[name.strip()] = text
    return answers


def _unsubscribe(env: Environment, address: str, slug: str) -> None:
    was_active = subscribers.unsubscribe(env, address, slug)
    say(
        f"{address} is unsubscribed from {slug}. {'A goodbye is mailed.' if was_active else 'Nobody is mailed.'}"
    )


@subscriber.command(epilog="Example: newsletter subscriber remove ana@example.org")
@click.argument("address")
@yes_option
@with_environment
def remove(env: Environment, address: str, *, yes: bool) -> None:
    """Forget a reader; what waits for her is dropped."""
    ask(f"Remove {address} and her whole story?", yes=yes)
    say(f"{subscribers.remove_subscriber(env, address).email} is removed.")


@subscriber.command(epilog="Example: newsletter subscriber erase ana@example.org")
@click.argument("address")
@yes_option
@with_environment
def erase(env: Environment, address: str, *, yes: bool) -> None:
    """Forget a reader for good: a keyed hash is left, so that no import or form brings her back."""
    ask(f"Erase {address} and everything known of her, for good?", yes=yes)
    privacy.erase_address(env, address)
    say("Erased. The address is never mailed again; `suppression remove` would lift that.")


subscriber.add_command(import_)
subscriber.add_command(export)
