"""`newsletter stats`: show numbers of a list that need no tracking of subscribers."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.context import with_environment
from newsletter.cli.output import (
    complete_lists,
    is_terminal,
    json_option,
    paint,
    print_json,
    print_table,
    say,
)
from newsletter.cli.status import draw_sparkline
from newsletter.html.text import shorten_text
from newsletter.services.statistics import caveats, gather, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from newsletter.services.runtime import Environment
    from newsletter.services.statistics.types import Counts, ListStatistics, Source

WIDTH = 78
LABEL = 13
NAME_AT_MOST = 32
COLUMNS = (
    "id",
    "subject",
    "sent",
    "failed",
    "bounced",
    "spam",
    "left",
    "slower",
    "replies",
    "views",
)


@click.command(epilog="Example: newsletter stats --list blog --since 2026-01-01")
@click.option(
    "--list",
    "slug",
    metavar="SLUG",
    help="Only this list (default: all).",
    shell_complete=complete_lists,
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="From this day on, in the list's time zone (default: the last 30 days).",
)
@json_option
@with_environment
def stats(env: Environment, slug: str | None, since: datetime | None, *, json_: bool) -> None:
    """Show who joined and left and why, where sign-ups come from, and what campaigns came to.

    On a terminal with small plots; in a pipe one number a line: list, figure, name, number.
    """
    ids = read.get_list_ids(slug)
    gather.gather(env)
    rows = read.read_lists(env, ids, since=since.date() if since else None)
    if json_:
        return print_json({"lists": [to_json(row) for row in rows], "cannot_know": _list_limits()})
    if not is_terminal():
        return print_table((), [line for row in rows for line in _list_lines(row)])
    for row in rows:
        _print_list(row)
    say(paint("What these numbers cannot know", "bold"))
    for text in _list_limits().values():
        say(f"  {text}")
    return None


def to_json(row: ListStatistics) -> dict[str, Any]:
    """Return the statistics of a list as `--json` prints them."""
    values = asdict(row)
    for name, value in values.items():
        if value and isinstance(value, tuple) and isinstance(value[0], tuple):
            values[name] = dict(value)
        elif value == () and name not in ("growth", "forms", "pages", "campaigns"):
            values[name] = {}
    values["growth"] = [
        {**growth["days"], **{key: growth[key] for key in ("joined", "left", "active")}}
        for growth in values["growth"]
    ]
    for name in ("forms", "pages"):
        values[name] = [{**asdict(source), "rate": source.rate} for source in getattr(row, name)]
    for campaign, numbers in zip(values["campaigns"], row.campaigns, strict=True):
        campaign["answers"] = [
            {"question": question.text, "choices": dict(question.choices)}
            for question in numbers.answers
        ]
    return values


def _list_limits() -> dict[str, str]:
    return {
        "all": str(caveats.NEVER),
        **{name: str(text) for name, text in caveats.CAVEATS.items()},
    }


# ── a pipe ───────────────────────────────────────────────────────────────────


def _list_lines(row: ListStatistics) -> Iterator[tuple[str, str, str, object]]:
    """Yield each number of a list's statistics as a line: list, figure, name, number."""
    for figure in ("active", "pending", "suppressed", "archive_views"):
        yield row.list, figure, "", getattr(row, figure)
    for growth in row.growth:
        for figure in ("joined", "left", "active"):
            yield row.list, f"{figure}_on", str(growth.days.first), getattr(growth, figure)
    for figure in _COUNTS:
        for name, count in getattr(row, figure):
            yield row.list, figure, name, count
    for figure, sources in (("form", row.forms), ("page", row.pages)):
        for source in sources:
            yield row.list, f"asked_{figure}", source.name, source.requested
            yield row.list, f"confirmed_{figure}", source.name, source.confirmed
    for campaign in row.campaigns:
        for figure, number in _number_campaign(campaign).items():
            yield row.list, f"campaign_{figure}", str(campaign.id), number
        for question in campaign.answers:
            for choice, count in question.choices:
                name = f"{campaign.id} {question.text} {choice}"
                yield row.list, "campaign_answer", name, count


_COUNTS = (
    "joined",
    "left",
    "reasons",
    "unconfirmed",
    "slower",
    "faster",
    "suppressions",
    "files",
    "feed_readers",
    "cadences",
    "languages",
)


def _number_campaign(campaign: Any) -> dict[str, int]:
    return {
        "sent": campaign.totals.sent,
        "failed": campaign.totals.failed,
        "bounced": campaign.returned.bounced,
        "complained": campaign.returned.complained,
        "unsubscribed": campaign.reactions.unsubscribed,
        "slower": campaign.reactions.slower,
        "replied": campaign.returned.replied,
        "views": campaign.reactions.views,
    }


# ── a terminal ───────────────────────────────────────────────────────────────


def _print_list(row: ListStatistics) -> None:
    say(paint(f"{row.title} ({row.list})", "bold") + f", {_name_span(row.first, row.last)}")
    suppressed = f", {row.suppressed:,} suppressed" if row.suppressed else ""
    _print_line("subscribers", f"{row.active:,} active, {row.pending:,} pending{suppressed}")
    active = tuple(growth.active for growth in row.growth)
    lowest = min(active)
    _print_line("", f"{draw_sparkline(tuple(number - lowest + 1 for number in active))}")
    for label, sign, counts in (("joined", "+", row.joined), ("left", "−", row.left)):
        numbers = tuple(getattr(growth, label) for growth in row.growth)
        _print_line(label, f"{draw_sparkline(numbers)}  {sign}{sum(numbers):,}")
        if counts:
            _print_line("", _list_counts(counts))
    for label, counts in (
        ("why", row.reasons),
        ("suppressed", row.suppressions),
        ("cadences", row.cadences),
        ("languages", tuple((name or "the list's", count) for name, count in row.languages)),
        ("slower", row.slower),
        ("faster", row.faster),
        ("files", row.files),
        ("feed readers", row.feed_readers),
    ):
        if counts:
            _print_line(label, _list_counts(counts))
    if row.archive_views:
        _print_line("archive", f"{row.archive_views:,} views of campaigns in the archive")
    _print_sources("forms", row.forms)
    _print_sources("pages", row.pages)
    if row.unconfirmed:
        _print_line("unconfirmed", _list_counts(row.unconfirmed))
    if row.campaigns:
        rows = [
            (campaign.id, shorten_text(campaign.subject, 14), *_number_campaign(campaign).values())
            for campaign in row.campaigns
        ]
        print_table(COLUMNS, rows)
    for campaign in row.campaigns:
        for question in campaign.answers:
            say(f"  {campaign.id}: {_shorten(question.text)} {_list_counts(question.choices)}")
    say("")


def _name_span(first: date, last: date) -> str:
    return f"{first} to {last}"


def _list_counts(counts: Counts) -> str:
    return ", ".join(f"{_shorten(name)} {count:,}" for name, count in counts)


def _shorten(name: str) -> str:
    return shorten_text(name or "not known", NAME_AT_MOST)


def _print_line(label: str, text: str) -> None:
    say(f"  {label:<{LABEL - 2}} {text}")


def _print_sources(label: str, sources: tuple[Source, ...]) -> None:
    for number, source in enumerate(sources):
        rate = f" ({source.rate:.0%})" if source.rate is not None else ""
        text = (
            f"{_shorten(source.name)}: {source.requested:,} asked, {source.confirmed:,} confirmed"
        )
        _print_line("" if number else label, f"{text}{rate}")
