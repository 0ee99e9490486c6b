"""`newsletter feed`: add, check and edit the feeds of a list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.context import may_fetch_private, with_environment
from newsletter.cli.groups import CommandGroup
from newsletter.cli.output import (
    ask,
    cut,
    format_moment,
    json_option,
    list_option,
    print_json,
    print_table,
    say,
    yes_option,
)
from newsletter.errors import NotFound
from newsletter.feeds.youtube import KINDS
from newsletter.html.text import shorten_text
from newsletter.services import lookup
from newsletter.services.digests import explain_list
from newsletter.services.lists import lists
from newsletter.services.polling import entries, feeds, filters
from newsletter.services.polling import poll as polling

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment

_NAMES = {
    "shorts": "Shorts",
    "live": "live streams",
    "premieres": "premieres, once they are public",
}


@click.group(cls=CommandGroup)
def feed() -> None:
    """Add, check and edit the feeds that fill a list."""


def _add_content_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that filter the entries of a feed."""
    for kind in reversed(KINDS):
        text = f"Include a YouTube channel's {_NAMES[kind]}."
        command = click.option(f"--{kind}/--no-{kind}", kind, default=None, help=text)(command)
    text = "Leave out entries whose title matches, in RE2's syntax and any case; '' for none."
    command = click.option("--not-title", metavar="REGEX", help=text)(command)
    text = "Leave out entries of this category or tag; may be repeated; '' for none."
    command = click.option("--not-category", "never", multiple=True, metavar="NAME", help=text)(
        command
    )
    text = "Take only entries of this category or tag; may be repeated; '' for all."
    command = click.option("--only-category", "only", multiple=True, metavar="NAME", help=text)(
        command
    )
    text = "If an entry has no picture, look for one on its page (og:image)."
    return click.option("--page-pictures/--no-page-pictures", default=None, help=text)(command)


def _read_exclusions(kinds: dict[str, bool | None]) -> dict[str, bool]:
    return {kind: not included for kind, included in kinds.items() if included is not None}


@feed.command(epilog="Example: newsletter feed add https://your.blog --list slow-letters")
@click.argument("url")
@list_option
@click.option(
    "--backlog",
    default=0,
    type=click.IntRange(0),
    metavar="N",
    help="Also mail the newest N entries that exist already.",
)
@_add_content_options
@with_environment
def add(
    env: Environment,
    url: str,
    slug: str | None,
    backlog: int,
    *,
    page_pictures: bool | None,
    only: tuple[str, ...],
    never: tuple[str, ...],
    not_title: str | None,
    **kinds: bool | None,
) -> None:
    """Add a feed by its address, or that of a page or YouTube channel (or an @handle)."""
    leaves_out = [kind for kind, out in _read_exclusions(kinds).items() if out]
    added = feeds.add(
        env,
        url,
        slug,
        backlog=backlog,
        leaves_out=leaves_out,
        page_pictures=bool(page_pictures),
        filters=filters.Filters(only, never, not_title or ""),
    )
    say(f"{added.list}: feed {added.id}, {added.title or 'without a title'} ({added.url})")
    mailed = (
        f"the newest {added.backlog} will be mailed"
        if added.backlog
        else "none of them will be mailed"
    )
    say(f"{added.entries:,} entries exist already; {mailed}. New entries from now on will be.")


@feed.command(epilog="Example: newsletter feed edit 2 --no-shorts --no-live")
@click.argument("which")
@_add_content_options
@with_environment
def edit(
    env: Environment,
    which: str,
    *,
    page_pictures: bool | None,
    only: tuple[str, ...],
    never: tuple[str, ...],
    not_title: str | None,
    **kinds: bool | None,
) -> None:
    """Change what is taken from a feed, from now on and of what has not been mailed."""
    changed = _read_exclusions(kinds)
    if not (changed or only or never) and page_pictures is None and not_title is None:
        raise click.UsageError("choose what to change, such as --no-shorts")
    changed_feed = feeds.edit(
        which,
        leaves_out=changed,
        page_pictures=page_pictures,
        only=only or None,
        never=never or None,
        not_title=not_title,
    )
    leaves_out = ", ".join(changed_feed.leaves_out)
    content = f"everything but {leaves_out}" if leaves_out else "everything"
    if described := changed_feed.filters.describe():
        content = f"{described}; {content} of that" if leaves_out else described
    pictures = ", with pictures from its pages" if changed_feed.page_pictures else ""
    say(f"{changed_feed.url}: {content} is taken{pictures}.")


@feed.command(epilog="Example: newsletter feed ls")
@list_option
@json_option
@with_environment
def ls(env: Environment, slug: str | None, *, json_: bool) -> None:
    """List feeds and their state."""
    rows = feeds.list_feeds(lookup.check_slug(slug))
    if json_:
        return print_json([asdict(row) for row in rows])
    zones = lists.list_time_zones()
    return print_table(
        ("id", "list", "feed", "status", "read", "takes", "trouble"),
        [_list_cells(row, zones[row.list]) for row in rows],
        empty="There is no feed yet.",
    )


def _list_cells(row: feeds.FeedView, zone: str) -> tuple[object, ...]:
    read_at = format_moment(row.read_at, zone)
    return row.id, row.list, row.url, row.status, read_at, row.filters.describe(), row.error


@feed.command(epilog="Example: newsletter feed show 1")
@click.argument("which")
@json_option
@with_environment
def show(env: Environment, which: str, *, json_: bool) -> None:
    """Show a feed: its state, and what is taken from it."""
    row = feeds.get(which)
    fields = asdict(row)
    if json_:
        return print_json(fields)
    zone = lists.list_time_zones()[row.list]
    fields |= {name: format_moment(fields[name], zone) for name in ("read_at", "next_poll_at")}
    fields |= {name: ", ".join(value) for name, value in fields.items() if type(value) is tuple}
    return print_table(("name", "value"), list(fields.items()))


@feed.command(epilog="Example: newsletter feed check 1")
@click.argument("which", required=False)
@with_environment
def check(env: Environment, which: str | None) -> int:
    """Poll one feed or all now, and say what becomes of each entry."""
    chosen = [row for row in feeds.list_feeds() if which in (None, str(row.id), row.url)]
    if which is not None and not chosen:
        raise NotFound(f"there is no feed {which}", hint="see `newsletter feed ls`")
    failed = 0
    for row in chosen:
        result = polling.poll_feed(env, row.id)
        failed += bool(result.error)
        counts = (
            f"{result.new} new, {result.changed} known, {result.held} held, {result.gone} withdrawn"
        )
        say(f"{row.url}: {result.error or counts}")
        verdicts = explain_list.explain_newest(env, row.list)
        for entry in entries.list_entries(feed_id=row.id, limit=15):
            verdict = entry.why or verdicts.get(entry.id, "")
            state = f"{entry.fate} ({verdict})" if verdict else entry.fate
            say(cut(f"  {entry.id}  {shorten_text(entry.title, 36)}: {state}"))
    return 1 if failed else 0


@feed.command(epilog="Example: newsletter feed pause 1")
@click.argument("which")
@with_environment
def pause(env: Environment, which: str) -> None:
    """Stop polling a feed."""
    say(f"{feeds.pause(which).url} is paused.")


@feed.command(epilog="Example: newsletter feed resume 1")
@click.argument("which")
@with_environment
def resume(env: Environment, which: str) -> None:
    """Poll a paused feed again."""
    say(f"{feeds.resume(env, which).url} is polled again.")


@feed.command(epilog="Example: newsletter feed remove 1")
@click.argument("which")
@yes_option
@with_environment
def remove(env: Environment, which: str, *, yes: bool) -> None:
    """Delete a feed and its entries."""
    ask(f"Delete feed {which} and its entries?", yes=yes)
    say(f"{feeds.remove(env, which).url} is removed.")


@feed.command(epilog="Example: newsletter feed read https://your.blog/feed/ --json")
@click.argument("source", metavar="FILE|URL")
@json_option
@click.pass_context
def read(ctx: click.Context, source: str, *, json_: bool) -> None:
    """Show what is understood of a feed in a file or at an address; - reads standard input.

    Nothing is stored.
    """
    from newsletter.feeds.fetch import Fetcher
    from newsletter.feeds.isolated import read_feed

    if "://" in source:
        fetched = Fetcher(user_agent="newsletter", allow_private=may_fetch_private(ctx))(source)
        parsed = read_feed(fetched.body, url=fetched.url, content_type=fetched.content_type)
    else:
        parsed = read_feed(_read_contents(source), url=Path(source).resolve().as_uri())
    if json_:
        names = ("title", "link", "id", "published")
        rows = [{name: getattr(entry, name) for name in names} for entry in parsed.entries]
        return print_json({"title": parsed.title, "entries": rows})
    say(parsed.title)
    cells = [(format_moment(entry.published), entry.title, entry.link) for entry in parsed.entries]
    return print_table(("published", "title", "link"), cells, empty="It has no entries.")


def _read_contents(source: str) -> bytes:
    """Read a file, at most one byte more than a feed may have."""
    from newsletter.feeds.types import BODY_AT_MOST

    try:
        with click.open_file(source, "rb") as file:
            return bytes(file.read(BODY_AT_MOST + 1))
    except OSError as error:
        raise click.ClickException(f"{source}: {error.strerror}") from None
