"""`newsletter feed`: the feeds a list is made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.context import private_allowed, with_environment
from newsletter.cli.output import (
    as_json,
    ask,
    cut,
    json_option,
    list_option,
    moment,
    say,
    table,
    yes_option,
)
from newsletter.errors import NotFound
from newsletter.feeds.youtube import KINDS
from newsletter.html.text import shorten_text
from newsletter.services import lookup
from newsletter.services.digests import explain_list
from newsletter.services.lists import lists
from newsletter.services.polling import entries, feeds
from newsletter.services.polling import poll as polling

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment

_NAMES = {
    "shorts": "Shorts",
    "live": "live streams",
    "premieres": "premieres, once they are public",
}


@click.group()
def feed() -> None:
    """The feeds a list is made from."""


def _how_it_is_read(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what is taken from a feed."""
    for kind in reversed(KINDS):
        text = f"Of a YouTube channel: its {_NAMES[kind]}."
        command = click.option(f"--{kind}/--no-{kind}", kind, default=None, help=text)(command)
    text = "Look for the picture of an entry that has none on its page (og:image)."
    return click.option("--page-pictures/--no-page-pictures", default=None, help=text)(command)


def _left_out(kinds: dict[str, bool | None]) -> dict[str, bool]:
    return {kind: not wanted for kind, wanted in kinds.items() if wanted is not None}


@feed.command(epilog="Example: newsletter feed add https://your.blog --list slow-letters")
@click.argument("url")
@list_option
@click.option(
    "--backlog",
    default=0,
    type=click.IntRange(0),
    metavar="N",
    help="Mail the newest N entries that are there already.",
)
@_how_it_is_read
@with_environment
def add(
    env: Environment,
    url: str,
    slug: str | None,
    backlog: int,
    *,
    page_pictures: bool | None,
    **kinds: bool | None,
) -> None:
    """Add a feed: its address, or that of a page or a YouTube channel (also its @handle)."""
    leaves_out = [kind for kind, out in _left_out(kinds).items() if out]
    added = feeds.add(
        env, url, slug, backlog=backlog, leaves_out=leaves_out, page_pictures=bool(page_pictures)
    )
    say(f"{added.list}: feed {added.id}, {added.title or 'without a title'} ({added.url})")
    mailed = (
        f"the newest {added.backlog} will be mailed"
        if added.backlog
        else "none of them will be mailed"
    )
    say(f"{added.entries} entries are there already; {mailed}. What is new from now on will be.")


@feed.command(epilog="Example: newsletter feed edit 2 --no-shorts --no-live")
@click.argument("which")
@_how_it_is_read
@with_environment
def edit(env: Environment, which: str, *, page_pictures: bool | None, **kinds: bool | None) -> None:
    """Change what is taken from a feed, from now on."""
    changed = _left_out(kinds)
    if not changed and page_pictures is None:
        raise click.UsageError("say what to change, like --no-shorts")
    found = feeds.edit(which, leaves_out=changed, page_pictures=page_pictures)
    taken = "all that it has" if not found.leaves_out else "all but " + ", ".join(found.leaves_out)
    say(
        f"{found.url}: {taken} is taken{', pictures from its pages too' if found.page_pictures else ''}."
    )


@feed.command(epilog="Example: newsletter feed ls")
@list_option
@json_option
@with_environment
def ls(env: Environment, slug: str | None, *, json_: bool) -> None:
    """All feeds, and how they are."""
    found = feeds.list_feeds(lookup.check_slug(slug))
    if json_:
        return as_json([asdict(row) for row in found])
    zones = lists.list_time_zones()
    rows = [
        (row.id, row.list, row.url, row.status, moment(row.read_at, zones[row.list]), row.error)
        for row in found
    ]
    return table(
        ("id", "list", "feed", "status", "read", "trouble"), rows, empty="There is no feed yet."
    )


@feed.command(epilog="Example: newsletter feed check 1")
@click.argument("which", required=False)
@with_environment
def check(env: Environment, which: str | None) -> int:
    """Poll now (one feed, or all), and say what becomes of each entry."""
    chosen = [row for row in feeds.list_feeds() if which in (None, str(row.id), row.url)]
    if which is not None and not chosen:
        raise NotFound(f"there is no feed {which}", hint="see `newsletter feed ls`")
    failed = 0
    for found in chosen:
        result = polling.poll_feed(env, found.id)
        failed += bool(result.error)
        said = (
            f"{result.new} new, {result.changed} known, {result.held} held, {result.gone} withdrawn"
        )
        say(f"{found.url}: {result.error or said}")
        verdicts = explain_list.explain_newest(env, found.list)
        for row in entries.list_entries(feed_id=found.id, limit=15):
            verdict = row.why or verdicts.get(row.id, "")
            state = f"{row.fate} ({verdict})" if verdict else row.fate
            say(cut(f"  {row.id}  {shorten_text(row.title, 36)}: {state}"))
    return 1 if failed else 0


@feed.command(epilog="Example: newsletter feed pause 1")
@click.argument("which")
@with_environment
def pause(env: Environment, which: str) -> None:
    """Stop asking a feed."""
    say(f"{feeds.pause(which).url} is paused.")


@feed.command(epilog="Example: newsletter feed resume 1")
@click.argument("which")
@with_environment
def resume(env: Environment, which: str) -> None:
    """Ask a feed again."""
    say(f"{feeds.resume(env, which).url} is asked again.")


@feed.command(epilog="Example: newsletter feed remove 1")
@click.argument("which")
@yes_option
@with_environment
def remove(env: Environment, which: str, *, yes: bool) -> None:
    """Forget a feed and what was found in it."""
    ask(f"Remove feed {which} and its entries?", yes=yes)
    say(f"{feeds.remove(env, which).url} is removed.")


@feed.command(epilog="Example: newsletter feed read https://your.blog/feed/ --json")
@click.argument("source", metavar="FILE|URL")
@json_option
@click.pass_context
def read_feed(ctx: click.Context, source: str, *, json_: bool) -> None:
    """Show what is understood of a feed, in a file (- for standard input) or at an address; stores
    nothing.
    """
    from newsletter.feeds.fetch import Fetcher
    from newsletter.feeds.isolated import read_feed as read_feed

    if "://" in source:
        fetched = Fetcher(user_agent="newsletter", allow_private=private_allowed(ctx))(source)
        found = read_feed(fetched.body, url=fetched.url, content_type=fetched.content_type)
    else:
        found = read_feed(_contents(source), url=Path(source).resolve().as_uri())
    if json_:
        names = ("title", "link", "id", "published")
        rows = [{name: getattr(entry, name) for name in names} for entry in found.entries]
        return as_json({"title": found.title, "entries": rows})
    say(found.title)
    shown = [(moment(entry.published), entry.title, entry.link) for entry in found.entries]
    return table(("published", "title", "link"), shown, empty="It has no entries.")


def _contents(source: str) -> bytes:
    """A file, as far as anything of it would be read."""
    from newsletter.feeds.parse import BODY_AT_MOST

    try:
        with click.open_file(source, "rb") as file:
            return bytes(file.read(BODY_AT_MOST + 1))
    except OSError as error:
        raise click.ClickException(f"{source}: {error.strerror}") from None
