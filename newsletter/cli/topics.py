"""`newsletter topic`: manage topics that subscribers of a list can choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from newsletter.cli.context import with_environment
from newsletter.cli.groups import CommandGroup
from newsletter.cli.output import (
    ask,
    json_option,
    list_option,
    print_json,
    print_table,
    say,
    write_count,
    yes_option,
)
from newsletter.services.lists import topics

if TYPE_CHECKING:
    from newsletter.services.lists.topics import TopicView
    from newsletter.services.runtime import Environment


@click.group(cls=CommandGroup)
def topic() -> None:
    """Add, order and remove topics that subscribers can choose."""


@topic.command(
    epilog='Example: newsletter topic add "Breathing" --category breath --category meditation'
)
@click.argument("name")
@click.option(
    "--category",
    "categories",
    multiple=True,
    help="Entries of this category belong to it; repeat it for more.",
)
@click.option(
    "--feed",
    "feeds",
    multiple=True,
    help="All entries of this feed (number or address) belong to it.",
)
@list_option
@with_environment
def add(
    env: Environment,
    name: str,
    categories: tuple[str, ...],
    feeds: tuple[str, ...],
    slug: str | None,
) -> None:
    """Add a topic, or add categories and feeds to one."""
    say(_describe_topic(topics.add(slug, name, categories=categories, feeds=feeds)))


@topic.command(epilog="Example: newsletter topic ls --json")
@list_option
@json_option
@with_environment
def ls(env: Environment, slug: str | None, *, json_: bool) -> None:
    """List topics in their order, with the number of subscribers who chose each."""
    rows = topics.list_topics(slug)
    if json_:
        return print_json([_to_json(row) for row in rows])
    cells = [
        (
            row.id,
            row.name,
            ", ".join(row.categories),
            ", ".join(map(str, row.feeds)),
            row.subscribers,
        )
        for row in rows
    ]
    return print_table(
        ("id", "topic", "categories", "feeds", "subscribers"),
        cells,
        empty="There is no topic: everybody gets everything.",
    )


@topic.command(epilog='Example: newsletter topic order "Breathing" "Sleep"')
@click.argument("names", nargs=-1, required=True)
@list_option
@with_environment
def order(env: Environment, names: tuple[str, ...], slug: str | None) -> None:
    """Put topics first in this order; the others follow."""
    say(", ".join(row.name for row in topics.order(slug, names)))


@topic.command(epilog='Example: newsletter topic remove "Sleep"')
@click.argument("name")
@list_option
@yes_option
@with_environment
def remove(env: Environment, name: str, slug: str | None, *, yes: bool) -> None:
    """Remove a topic; whoever chose nothing else gets everything again."""
    ask(f"Remove the topic {name}?", yes=yes)
    freed = topics.remove(slug, name)
    say(
        f"{name} is removed."
        + (
            f" {write_count(freed, 'subscriber')} had chosen nothing else and now get everything."
            if freed
            else ""
        )
    )


def _to_json(row: TopicView) -> dict[str, object]:
    return {
        "id": row.id,
        "name": row.name,
        "categories": row.categories,
        "feeds": row.feeds,
        "subscribers": row.subscribers,
    }


def _describe_topic(row: TopicView) -> str:
    parts = [*row.categories, *(f"feed {number}" for number in row.feeds)]
    return f"{row.id} {row.name}: " + (
        ", ".join(parts) or "nothing belongs to it yet; use --category or --feed"
    )
