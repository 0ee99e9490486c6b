"""`newsletter subscriber`: look up, add, correct and remove subscribers."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.consent import proof
from newsletter.cli.context import with_environment
from newsletter.cli.groups import CommandGroup
from newsletter.cli.import_export import export, import_, require_reason
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
    print_json_rows,
    print_table,
    say,
    warn,
    yes_option,
)
from newsletter.cli.subscriber_options import field_option, tag_option, topic_option
from newsletter.services import lookup
from newsletter.services.signup.domain_slips import find_intended_domain
from newsletter.services.subscribers import admin as subscribers
from newsletter.services.subscribers import correct, history, privacy
from newsletter.vocabulary import Cadence, SubscriptionStatus

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment
    from newsletter.services.subscribers.views import SubscriberView


@click.group(cls=CommandGroup)
def subscriber() -> None:
    """Look up, add, correct, import and export subscribers."""


subscriber.add_command(proof)


def to_dict(row: SubscriberView) -> dict[str, object]:
    """Return a subscriber as JSON output shows it."""
    subscriptions = [asdict(subscription) for subscription in row.subscriptions]
    return {**asdict(row), "subscriptions": subscriptions}


@subscriber.command(
    epilog="Example: newsletter subscriber ls --status active --cadence weekly --count"
)
@list_option
@click.option(
    "--status",
    type=MemberChoice(SubscriptionStatus),
    help="Only with a subscription of this status.",
)
@click.option("--cadence", type=MemberChoice(Cadence), help="Only with this cadence.")
@click.option(
    "--search", default="", metavar="TEXT", help="Only with this text in the address or name."
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Only added on this day or later.",
)
@click.option("--tag", default="", metavar="WORD", help="Only with this tag.")
@click.option(
    "--segment",
    default="",
    metavar="EXPR",
    help="Only recipients of a letter to this segment, if it was sent now.",
)
@limit_option
@click.option("--count", "only_count", is_flag=True, help="Print only the number.")
@json_option
@with_environment
def ls(
    env: Environment,
    slug: str | None,
    status: SubscriptionStatus | None,
    cadence: Cadence | None,
    search: str,
    since: datetime | None,
    tag: str,
    segment: str,
    limit: int | None,
    *,
    only_count: bool,
    json_: bool,
) -> None:
    """List subscribers, newest first."""
    chosen = subscribers.SubscriberFilter(
        slug,
        status,
        cadence,
        search,
        since.replace(tzinfo=UTC) if since else None,
        tag,
        segment,
        at=env.now if segment else None,
    )
    if only_count:
        return say(str(subscribers.count_subscribers(chosen)))
    most = choose_limit(limit, json_=json_)
    page = islice(subscribers.iterate_subscribers(chosen), most)
    if json_:
        printed = print_json_rows(to_dict(row) for row in page)
    else:
        rows = [(row.email, row.name, _describe_subscriptions(row)) for row in page]
        printed = len(rows)
        print_table(("address", "name", "subscriptions"), rows, empty="No subscriber matches.")
    if most is not None and printed == most:
        note_limit(printed, subscribers.count_subscribers(chosen))
    return None


def _describe_subscriptions(row: SubscriberView) -> str:
    return ", ".join(f"{part.list}: {part.status}, {part.cadence}" for part in row.subscriptions)


def _format_answer(answer: object) -> str:
    """Return a field's answer as readable text."""
    return {True: "yes", False: "no"}[answer] if isinstance(answer, bool) else str(answer)


@subscriber.command(epilog="Example: newsletter subscriber show ana@example.org")
@click.argument("address")
@json_option
@with_environment
def show(env: Environment, address: str, *, json_: bool) -> None:
    """Show a subscriber's history: consent, changes, and every mail with its result."""
    story = history.get_history(env, address)
    if json_:
        events = [
            {"at": event.at, "list": event.list, "what": event.what} for event in story.events
        ]
        return print_json(
            {
                **to_dict(story.subscriber),
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
    for row in story.subscriber.subscriptions:
        paused = f", paused until {row.paused_until:%Y-%m-%d}" if row.paused_until else ""
        say(f"  {row.list}: {row.status}, {row.cadence}{paused}")
        if row.topics:
            say(f"    topics: {', '.join(row.topics)}")
        for name, answer in row.fields.items():
            say(f"    {name}: {_format_answer(answer)}")
    rows = [
        (format_moment(event.at, event.timezone), event.list, event.what) for event in story.events
    ]
    return print_table(("when", "list", "what"), rows)


@subscriber.command(
    epilog="Example: newsletter subscriber add ana@example.org --confirmed "
    '--because "asked me by phone"'
)
@click.argument("address")
@list_option
@click.option("--name", default="")
@click.option(
    "--language", default="", metavar="TAG", help="The language of mails and pages, such as de."
)
@click.option("--cadence", type=MemberChoice(Cadence))
@topic_option
@field_option
@tag_option
@click.option(
    "--confirmed", is_flag=True, help="They have agreed already; --because says how you know."
)
@click.option("--because", default="", metavar="TEXT", help="Kept as evidence.")
@with_environment
def add(
    env: Environment,
    address: str,
    slug: str | None,
    because: str,
    *,
    confirmed: bool,
    **details: Any,
) -> None:
    """Add a subscriber.

    Without --confirmed, a mail asks them to confirm.
    """
    require_reason(confirmed=confirmed, because=because)
    addition = subscribers.Addition(address, slug, because=because, **details)
    row = subscribers.add_subscriber(env, addition)
    if meant := find_intended_domain(address.strip().lower().rpartition("@")[2]):
        warn(f"did you mean an address at {meant}?")
    result = "is subscribed" if confirmed else "will be asked to confirm by mail"
    say(f"{row.email} {result}.")


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
@topic_option
@click.option("--all-topics", is_flag=True, help="Send all topics.")
@field_option
@tag_option
@click.option("--untag", multiple=True, metavar="WORD", help="Remove a tag.")
@click.option("--because", default="", metavar="TEXT", help="How you know; kept as evidence.")
@click.option(
    "--unsubscribe",
    is_flag=True,
    help="Unsubscribe, because they asked you to. An active subscriber gets a goodbye by mail.",
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
    """Correct what subscribers can change themselves, add tags, or unsubscribe.

    Without --list, cadence and pause apply to all their lists. No mail asks a new address to
    confirm: --because says how you know that it is theirs; open requests must be made again.
    --unsubscribe mails a goodbye to an active subscriber, with a link to undo it.
    """
    pause_until = pause.replace(tzinfo=UTC) if pause else None
    correction = correct.Correction(
        slug=lookup.check_slug(slug), address=new_address, pause_until=pause_until, **changes
    )
    list_only = correct.Correction(slug=correction.slug, because=correction.because)
    if new_address is not None and not correction.because.strip():
        raise click.UsageError('--address needs --because "how you know that it is theirs"')
    if correction == list_only and not unsubscribe:
        raise click.UsageError(
            "choose what to change: --name, --language, --address, --cadence, ...; see --help"
        )
    if correction != list_only:
        address = correct.correct_subscriber(env, address, correction).email
    if unsubscribe:
        _unsubscribe(env, address, lookup.get_list_slug(slug))
    else:
        say(f"{address} is changed.")


def _unsubscribe(env: Environment, address: str, slug: str) -> None:
    was_active = subscribers.unsubscribe(env, address, slug)
    mailed = "A goodbye is queued." if was_active else "No mail is sent."
    say(f"{address} is unsubscribed from {slug}. {mailed}")


@subscriber.command(epilog="Example: newsletter subscriber remove ana@example.org")
@click.argument("address")
@yes_option
@with_environment
def remove(env: Environment, address: str, *, yes: bool) -> None:
    """Delete a subscriber and drop the mail that waits for them."""
    ask(f"Delete {address} with all subscriptions and history?", yes=yes)
    say(f"{subscribers.remove_subscriber(env, address).email} is removed.")


@subscriber.command(epilog="Example: newsletter subscriber erase ana@example.org")
@click.argument("address")
@yes_option
@with_environment
def erase(env: Environment, address: str, *, yes: bool) -> None:
    """Delete a subscriber for good; a keyed hash keeps the address from being added again."""
    ask(f"Erase {address} and all that is known of it, for good?", yes=yes)
    privacy.erase_address(env, address)
    say(
        f"{address} is erased. It is never mailed again, "
        "unless you use `newsletter suppression remove`."
    )


subscriber.add_command(import_)
subscriber.add_command(export)
