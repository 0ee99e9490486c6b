"""The author's sources: feeds, and entries with their status."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, request, url_for

from newsletter.access_vocabulary import AuthorRole
from newsletter.closed_sets import find_member
from newsletter.services.authors.scope import Scope
from newsletter.services.polling import browse, entries, feeds
from newsletter.services.polling.entries import EntryView
from newsletter.services.runtime import Environment, environment
from newsletter.vocabulary import EntryStatus
from newsletter.web.author.access import (
    choose_path,
    current_author,
    make_blueprint,
    page,
    report_done,
)
from newsletter.web.author.paging import read_key
from newsletter.web.responses import render_page

blueprint = make_blueprint("sources", __name__)


@page(blueprint, "/sources", AuthorRole.VIEWER)
def index() -> Response:
    """List the feeds and the entries of the author's lists, newest first."""
    lists = current_author().lists
    fate = find_member(EntryStatus, request.args.get("fate"))
    key = read_key(request.args.get("before"))
    return render_page(
        "author/sources.html",
        feeds=[feed for slug in lists.values() for feed in feeds.list_feeds(slug)],
        listing=browse.list_page(list(lists), fate=fate, before=key),
        fate=fate,
        fates=list(EntryStatus),
    )


@page(
    blueprint, "/feeds/<int:feed_id>/check", AuthorRole.EDITOR, methods=("POST",), scope=Scope.FEED
)
def check(feed_id: int) -> Response:
    """Schedule a feed to be polled immediately."""
    feeds.poll_soon(environment(), feed_id)
    return report_done(url_for("author_sources.index"))


@page(
    blueprint, "/feeds/<int:feed_id>/pause", AuthorRole.OWNER, methods=("POST",), scope=Scope.FEED
)
def pause(feed_id: int) -> Response:
    """Stop polling a feed."""
    feeds.pause(str(feed_id))
    return report_done(url_for("author_sources.index"))


@page(
    blueprint, "/feeds/<int:feed_id>/resume", AuthorRole.OWNER, methods=("POST",), scope=Scope.FEED
)
def resume(feed_id: int) -> Response:
    """Resume polling a feed."""
    feeds.resume(environment(), str(feed_id))
    return report_done(url_for("author_sources.index"))


def _add_decision(
    name: str,
    decide: Callable[[Environment, int], EntryView],
    role: AuthorRole,
    *,
    recent: bool = False,
) -> None:
    """Register the page to which a button beside an entry posts."""

    def do(entry_id: int) -> Response:
        decide(environment(), entry_id)
        return report_done(choose_path(request.form.get("next")))

    do.__name__ = name
    do.__doc__ = f"Decide what becomes of an entry: {name}."
    rule = f"/entries/<int:entry_id>/{name}"
    guard = page(blueprint, rule, role, methods=("POST",), recent=recent, scope=Scope.ENTRY)
    guard(do)


_add_decision("hold", entries.hold, AuthorRole.EDITOR)
_add_decision("skip", entries.skip, AuthorRole.EDITOR)
_add_decision("release", entries.release, AuthorRole.EDITOR)
_add_decision("resend", entries.resend, AuthorRole.OWNER, recent=True)
