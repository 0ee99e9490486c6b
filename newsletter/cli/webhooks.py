"""`newsletter webhook`: manage webhooks, which notify other programs of events."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from newsletter.cli.context import with_environment
from newsletter.cli.groups import CommandGroup
from newsletter.cli.member_choice import MemberChoice
from newsletter.cli.output import (
    ask,
    choose_limit,
    choose_zone,
    format_moment,
    json_option,
    limit_option,
    print_json,
    print_table,
    say,
    write_count,
    yes_option,
)
from newsletter.services import webhooks
from newsletter.services.lists import lists
from newsletter.vocabulary import MessageStatus

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment

webhook_argument = click.argument("webhook_id", type=int, metavar="ID")


@click.group(cls=CommandGroup)
def webhook() -> None:
    """Tell programs of events: add, list, pause, replay and remove webhooks."""


@webhook.command(
    epilog="Example: newsletter webhook add https://example.org/hook "
    "--events subscription.confirmed,entry.sent"
)
@click.argument("url")
@click.option(
    "--events",
    multiple=True,
    metavar="E,...",
    help="Which events, such as subscription.confirmed or entry.*; all of them without it.",
)
@click.option("--list", "slugs", multiple=True, metavar="SLUG", help="Of these lists only.")
@click.option("--with-address", is_flag=True, help="Add the subscriber's address to each event.")
@with_environment
def add(
    env: Environment,
    url: str,
    events: tuple[str, ...],
    slugs: tuple[str, ...],
    *,
    with_address: bool,
) -> None:
    """Add a webhook and print its secret, which is shown once."""
    added, secret = webhooks.add_webhook(env, url, events, slugs, with_address=with_address)
    say(f"Webhook {added.id} is told of {', '.join(added.events) or 'every event'}.")
    say(f"Its secret, to verify signatures with: {secret}")


@webhook.command(epilog="Example: newsletter webhook ls")
@json_option
@with_environment
def ls(env: Environment, *, json_: bool) -> None:
    """List webhooks."""
    rows = webhooks.list_webhooks()
    if json_:
        return print_json([asdict(row) for row in rows])
    cells = [
        (
            row.id,
            urlsplit(row.url).hostname or "",
            ", ".join(row.events) or "all",
            "all" if row.lists is None else ", ".join(row.lists),
            row.waiting,
            f"paused: {row.paused_because}" if row.paused_at else "active",
        )
        for row in rows
    ]
    return print_table(
        ("id", "host", "events", "lists", "waiting", "state"), cells, empty="There is no webhook."
    )


@webhook.command(epilog="Example: newsletter webhook log 1")
@webhook_argument
@click.option("--status", type=MemberChoice(MessageStatus), help="Only with this status.")
@limit_option
@json_option
@with_environment
def log(
    env: Environment,
    webhook_id: int,
    status: MessageStatus | None,
    limit: int | None,
    *,
    json_: bool,
) -> None:
    """List the messages to a webhook, newest first, with the result of the latest try."""
    rows = webhooks.list_messages(webhook_id, status=status, limit=choose_limit(limit, json_=json_))
    if json_:
        return print_json([asdict(row) for row in rows])
    zone = choose_zone(lists.list_time_zones().values())
    cells = [
        (
            row.id,
            format_moment(row.created_at, zone),
            row.event,
            row.subject,
            row.status,
            row.attempts,
            row.code or row.text,
        )
        for row in rows
    ]
    return print_table(
        ("message", "when", "event", "about", "status", "tries", "answer"),
        cells,
        empty="Nothing was sent yet.",
    )


@webhook.command(epilog="Example: newsletter webhook pause 1")
@webhook_argument
@with_environment
def pause(env: Environment, webhook_id: int) -> None:
    """Send nothing to a webhook for now; its messages wait for 30 days."""
    webhooks.pause_webhook(env, webhook_id)
    say("Paused.")


@webhook.command(epilog="Example: newsletter webhook resume 1")
@webhook_argument
@with_environment
def resume(env: Environment, webhook_id: int) -> None:
    """Send what waits for a webhook, in its order."""
    row = webhooks.resume_webhook(env, webhook_id)
    say(f"Resumed; {write_count(row.waiting, 'message')} will be sent.")


@webhook.command(epilog="Example: newsletter webhook replay 1 --since 2026-11-01")
@webhook_argument
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Messages of this day and later.",
)
@click.option("--message", default="", metavar="MSG", help="One message, as the log names it.")
@with_environment
def replay(env: Environment, webhook_id: int, since: datetime | None, message: str) -> None:
    """Send messages once more that a webhook has taken; it knows them by their ids."""
    if since is None and not message:
        raise click.UsageError("say which: --since 2026-11-01, or --message MSG")
    count = webhooks.replay_messages(
        env, webhook_id, since=since.replace(tzinfo=UTC) if since else None, message=message
    )
    say(f"{write_count(count, 'message')} will be sent again.")


@webhook.command(epilog="Example: newsletter webhook remove 1")
@webhook_argument
@yes_option
@with_environment
def remove(env: Environment, webhook_id: int, *, yes: bool) -> None:
    """Remove a webhook; what waits for it is not sent."""
    ask(f"Remove webhook {webhook_id} and what waits for it?", yes=yes)
    webhooks.remove_webhook(webhook_id)
    say("Removed.")
