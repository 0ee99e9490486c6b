"""`newsletter topic`: what readers of a list may choose among."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from newsletter.cli.context import with_environment
from newsletter.cli.output import as_json, ask, json_option, list_option, say, table, yes_option
from newsletter.services.lists import topics

if TYPE_CHECKING:
    from newsletter.services.lists.topics import TopicView
    from newsletter.services.runtime import Environment


@click.group()
def topic() -> None:
    """Topics of a list, for readers to choose among."""


@topic.command(
    epilog='Example: newsletter topic add "Breathing" --category breath --category meditation'
)
@click.argument("name")
@click.option(
    "--category",
    "categories",
    multiple=True,
    help="Entries of this category belong to it; may be repeated.",
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
    """Make a topic, or add categories and feeds to one."""
    say(_line(topics.add(slug, name, categories=categories, feeds=feeds)))


@topic.command(epilog="Example: newsletter topic ls --json")
@list_option
@json_option
@with_environment
def ls(env: Environment, slug: str | None, *, json_: bool) -> None:
    """The topics in their order, and how many readers chose each by name."""
    found = topics.list_topics(slug)
    if json_:
        names = ("id", "name", "categories", "feeds", "readers")
        return as_json([{name: getattr(row, name) for name in names} for row in found])
    rows = [
        (
            row.id,
            row.name,
            ", ".join(row.categories),
            ", ".join(map(str, row.feeds)),
            row.subscribers,
        )
        for row in found
    ]
    return table(
        ("id", "topic", "categories", "feeds", "readers"),
        rows,
        empty="No topic: everybody gets all.",
    )


@topic.command(epilog='Example: newsletter topic order "Breathing" "Sleep"')
@click.argument("names", nargs=-1, required=True)
@list_option
@with_environment
def order(env: Environment, names: tuple[str, ...], slug: str | None) -> None:
    """Put topics first, in this order; the others follow."""
    say(", ".join(row.name for row in topics.order(slug, names)))


@topic.command(epilog='Example: newsletter topic remove "Sleep"')
@click.argument("name")
@list_option
@yes_option
@with_environment
def remove(env: Environment, name: str, slug: str | None, *, yes: bool) -> None:
    """Remove a topic; who chose nothing else gets everything again."""
    ask(f"Remove the topic {name}?", yes=yes)
    freed = topics.remove(slug, name)
    say(
        f"{name} is removed."
        + (f" {freed} readers had chosen nothing else and get everything now." if freed else "")
    )


def _line(row: TopicView) -> str:
    parts = [*row.categories, *(f"feed {number}" for number in row.feeds)]
    return f"{row.id} {row.name}: " + (
        ", ".join(parts) or "nothing belongs to it yet; say --category or --feed"
    )
