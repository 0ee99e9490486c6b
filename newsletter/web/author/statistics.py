"""The statistics of the author's lists as plots and tables."""

from __future__ import annotations

from datetime import date, timedelta

from flask import Response, request

from newsletter.access_vocabulary import AuthorRole
from newsletter.i18n import LANGUAGES, Text
from newsletter.services.runtime import environment
from newsletter.services.statistics import caveats, read
from newsletter.services.statistics.types import ListStatistics
from newsletter.web.author import plots
from newsletter.web.author.access import current_author, make_blueprint, page
from newsletter.web.author.plots import Plot
from newsletter.web.locale import translate_texts
from newsletter.web.responses import render_page
from newsletter.web.subscriber_links import REASON_WORDS

blueprint = make_blueprint("statistics", __name__)

SPANS: dict[str, str] = {
    "30": Text("30 days"),
    "90": Text("90 days"),
    "365": Text("A year"),
    "all": Text("Everything"),
}
LONG_AGO = date(2000, 1, 1)


@page(blueprint, "/statistics", AuthorRole.VIEWER)
def index() -> Response:
    """Show the statistics of one of the author's lists, by default of the first."""
    env = environment()
    lists = read.list_titles(list(current_author().lists))
    chosen = next((row for row in lists if row.slug == request.args.get("list")), None)
    chosen = chosen or next(iter(lists), None)
    span = _choose_span()
    rows = []
    if chosen is not None:
        rows = read.read_lists(env, [chosen.id], since=_find_first_day(env.now.date(), span))
    return render_page(
        "author/statistics.html",
        lists=lists,
        numbers=rows[0] if rows else None,
        spans=translate_texts(SPANS),
        span=span,
        active=plots.draw_line([row.active for row in rows[0].growth]) if rows else None,
        change=_draw_change(rows[0]) if rows else None,
        reasons=translate_texts(REASON_WORDS),
        language_names={**LANGUAGES, **translate_texts({"": Text("the list's own")})},
        limits=translate_texts({**caveats.CAVEATS, "never": caveats.NEVER}),
    )


def _choose_span() -> str:
    """Return the requested span of time, by default the last month."""
    span = request.args.get("days", "30")
    return span if span in SPANS else "30"


def _find_first_day(today: date, span: str) -> date:
    return LONG_AGO if span == "all" else today - timedelta(days=int(span) - 1)


def _draw_change(row: ListStatistics) -> Plot:
    joined = [growth.joined for growth in row.growth]
    left = [growth.left for growth in row.growth]
    return plots.draw_up_and_down(joined, left, ("joined", "left"))
