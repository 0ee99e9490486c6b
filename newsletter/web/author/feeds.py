"""The author's feeds: add one by the URL of a blog, and edit its filters."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response, request, url_for

from newsletter.access_vocabulary import AuthorRole
from newsletter.errors import InvalidInput, NewsletterError
from newsletter.feeds.youtube import KINDS
from newsletter.i18n import Text
from newsletter.services.authors.scope import Scope, require_visible
from newsletter.services.polling import feeds
from newsletter.services.polling.filters import Filters
from newsletter.services.runtime import environment
from newsletter.web.author.access import current_author, make_blueprint, page, report_done
from newsletter.web.locale import translate_texts
from newsletter.web.responses import render_page

blueprint = make_blueprint("feeds", __name__)

BACKLOG_AT_MOST = 20
"""The most existing entries of a new feed that an author can select to be mailed."""
KIND_WORDS: dict[str, str] = {
    "shorts": Text("Shorts"),
    "live": Text("live streams"),
    "premieres": Text("premieres, once they are public"),
}


@page(blueprint, "/sources/add", AuthorRole.OWNER)
def add_page() -> Response:
    """Show the form that adds a feed."""
    return _render_add({})


@page(blueprint, "/sources/add", AuthorRole.OWNER, methods=("POST",))
def add() -> Response:
    """Discover the feed at a URL, and add it to a list."""
    form = request.form
    slug = form.get("list", "")
    require_visible(current_author(), Scope.LIST, slug)
    try:
        backlog = _read_backlog(form.get("backlog", ""))
        feeds.add(
            environment(),
            form.get("url", "").strip()[:2000],
            slug,
            backlog=backlog,
            leaves_out=_read_left_out(),
            page_pictures=bool(form.get("page_pictures")),
            filters=_read_filters(),
        )
    except InvalidInput as error:
        return _render_add(translate_texts(error.fields))
    except NewsletterError as error:
        return _render_add({}, problem=str(error))
    return report_done(url_for("author_sources.index"))


@page(blueprint, "/feeds/<int:feed_id>", AuthorRole.VIEWER, scope=Scope.FEED)
def show(feed_id: int) -> Response:
    """Show a feed and its filters."""
    return _render_feed(feed_id, {})


@page(blueprint, "/feeds/<int:feed_id>/edit", AuthorRole.OWNER, methods=("POST",), scope=Scope.FEED)
def edit(feed_id: int) -> Response:
    """Save a feed's filters."""
    filters = _read_filters()
    left_out = _read_left_out()
    try:
        feeds.edit(
            str(feed_id),
            leaves_out={kind: kind in left_out for kind in KINDS},
            page_pictures=bool(request.form.get("page_pictures")),
            only=filters.only,
            never=filters.never,
            not_title=filters.not_title,
        )
    except InvalidInput as error:
        return _render_feed(feed_id, translate_texts(error.fields))
    return report_done(url_for("author_feeds.show", feed_id=feed_id))


def _read_filters() -> Filters:
    form = request.form
    return Filters(
        _read_names(form.get("only", "")),
        _read_names(form.get("never", "")),
        form.get("not_title", "").strip(),
    )


def _read_names(text: str) -> tuple[str, ...]:
    """Parse names of categories, one a line."""
    return tuple(name for line in text.splitlines() if (name := line.strip()))


def _read_left_out() -> list[str]:
    kinds = request.form.getlist("kinds")
    return [kind for kind in KINDS if kind not in kinds]


def _read_backlog(text: str) -> int:
    if not text:
        return 0
    if not text.isascii() or not text.isdecimal() or int(text[:9]) > BACKLOG_AT_MOST:
        raise InvalidInput(
            {
                "backlog": Text(
                    "must be a number from 0 to %(most)s",
                    most=BACKLOG_AT_MOST,
                )
            }
        )
    return int(text)


def _render_add(errors: Mapping[str, str], *, problem: str = "") -> Response:
    form = request.form
    return render_page(
        "author/feed_add.html",
        422 if errors or problem else 200,
        errors=errors,
        problem=problem,
        typed=form,
        lists=list(current_author().lists.values()),
        takes=_describe_taken(
            form.get("only", ""),
            form.get("never", ""),
            form.get("not_title", ""),
            form.getlist("kinds") if form else list(KINDS),
            bool(form.get("page_pictures")),
        ),
    )


def _render_feed(feed_id: int, errors: Mapping[str, str]) -> Response:
    feed = feeds.get(str(feed_id))
    form = request.form
    if errors:
        takes = _describe_taken(
            form.get("only", ""),
            form.get("never", ""),
            form.get("not_title", ""),
            form.getlist("kinds"),
            bool(form.get("page_pictures")),
        )
    else:
        takes = _describe_taken(
            "\n".join(feed.only_categories),
            "\n".join(feed.not_categories),
            feed.not_title,
            [kind for kind in KINDS if kind not in feed.leaves_out],
            feed.page_pictures,
        )
    return render_page(
        "author/feed.html", 422 if errors else 200, feed=feed, errors=errors, takes=takes
    )


def _describe_taken(
    only: str,
    never: str,
    not_title: str,
    kinds: list[str],
    page_pictures: bool,  # noqa: FBT001
) -> dict[str, object]:
    """Describe a feed's filters as values of the form."""
    words = translate_texts(KIND_WORDS)
    return {
        "only": only,
        "never": never,
        "not_title": not_title,
        "page_pictures": page_pictures,
        "kinds": [(kind, words[kind], kind in kinds) for kind in KINDS],
    }
