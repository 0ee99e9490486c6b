"""Feeds: where the entries of a list come from, and which of them are taken."""

from __future__ import annotations

from flask import Blueprint, Response

from newsletter.access_vocabulary import TokenScope
from newsletter.errors import NotFound
from newsletter.services.polling import feeds, ping
from newsletter.services.polling.feeds import FeedView
from newsletter.services.polling.filters import Filters
from newsletter.services.runtime import environment
from newsletter.web.api import feed_models
from newsletter.web.api.answers import change, no_content, send, send_editable
from newsletter.web.api.operations import current_caller, operation, require_list

blueprint = Blueprint("api_feeds", __name__)

ID = "<int(max=2147483647):feed_id>"
SEES = (TokenScope.READ, TokenScope.PUBLISH)


@operation(blueprint, "GET", "/feeds", scope=SEES, answer=feed_models.ListedFeeds)
def list_feeds(query: feed_models.FeedQuery) -> Response:
    """List the feeds of the lists that the token is for."""
    rows = feeds.list_feeds(require_list(query.list) if query.list else None)
    data = [_describe(row) for row in rows if current_caller().sees(row.list)]
    return send(feed_models.ListedFeeds(data=data))


@operation(
    blueprint,
    "POST",
    "/feeds",
    scope=TokenScope.WRITE,
    answer=feed_models.ApiFeed,
    status=201,
)
def add_feed(json: feed_models.NewFeed) -> Response:
    """Find the feed behind an address and add it to a list.

    It is read while you wait, which may take half a minute.
    """
    filters = Filters(json.only_categories or (), json.not_categories or (), json.not_title or "")
    added = feeds.add(
        environment(),
        json.url,
        require_list(json.list),
        backlog=json.backlog,
        page_pictures=bool(json.page_pictures),
        filters=filters,
    )
    return send_editable(_read(added.id)[1], 201, location=f"/feeds/{added.id}")


@operation(blueprint, "GET", f"/feeds/{ID}", scope=SEES, answer=feed_models.ApiFeed)
def get_feed(feed_id: int) -> Response:
    """Show a feed: its state, and what is taken from it."""
    return send_editable(_read(feed_id)[1])


@operation(
    blueprint,
    "PATCH",
    f"/feeds/{ID}",
    scope=TokenScope.WRITE,
    answer=feed_models.ApiFeed,
    refuses=(412,),
)
def edit_feed(feed_id: int, json: feed_models.FeedChange) -> Response:
    """Change what is taken from a feed.

    It holds for what has not been mailed, once the feed is read again, which is soon.
    """
    change(
        lambda: _read(feed_id),
        lambda row: feeds.edit(
            str(feed_id),
            leaves_out={},
            page_pictures=json.page_pictures,
            only=json.only_categories,
            never=json.not_categories,
            not_title=json.not_title,
            expected=row,
        ),
    )
    return send_editable(_read(feed_id)[1])


@operation(
    blueprint, "POST", f"/feeds/{ID}/pause", scope=TokenScope.WRITE, answer=feed_models.ApiFeed
)
def pause_feed(feed_id: int) -> Response:
    """Stop reading a feed."""
    _read(feed_id)
    return send_editable(_describe(feeds.pause(str(feed_id))))


@operation(
    blueprint, "POST", f"/feeds/{ID}/resume", scope=TokenScope.WRITE, answer=feed_models.ApiFeed
)
def resume_feed(feed_id: int) -> Response:
    """Read a feed again, beginning now."""
    _read(feed_id)
    return send_editable(_describe(feeds.resume(environment(), str(feed_id))))


@operation(
    blueprint,
    "POST",
    f"/feeds/{ID}/poll",
    scope=(TokenScope.WRITE, TokenScope.PUBLISH),
    status=204,
)
def poll_feed(feed_id: int) -> Response:
    """Have a feed read now, because there is something new; under the ceilings of pings."""
    _read(feed_id)
    ping.poll_soon(environment(), feed_id)
    return no_content()


@operation(blueprint, "DELETE", f"/feeds/{ID}", scope=TokenScope.WRITE, status=204)
def remove_feed(feed_id: int) -> Response:
    """Delete a feed and its entries, except those that another feed of its list has too."""
    _read(feed_id)
    feeds.remove(environment(), str(feed_id))
    return no_content()


def _read(feed_id: int) -> tuple[FeedView, feed_models.ApiFeed]:
    """Return a feed of a list that the caller's token is for.

    Raises `NotFound`.
    """
    row = feeds.get(str(feed_id))
    if not current_caller().sees(row.list):
        raise NotFound(f"there is no feed {feed_id}")
    return row, _describe(row)


def _describe(row: FeedView) -> feed_models.ApiFeed:
    return feed_models.ApiFeed.model_validate(row)
