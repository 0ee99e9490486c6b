"""Subscribers and their subscriptions."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from io import StringIO
from itertools import islice
from pathlib import Path

from flask import Blueprint, Response, request

from newsletter import files
from newsletter.access_vocabulary import TokenScope
from newsletter.errors import InvalidInput, NotFound
from newsletter.services.runtime import environment
from newsletter.services.subscribers import admin, correct, privacy, views
from newsletter.services.subscribers.views import SubscriberView
from newsletter.services.transfer import export_subscribers, import_subscribers
from newsletter.web.api import subscriber_models
from newsletter.web.api.answers import (
    make_cursor,
    no_content,
    read_cursor,
    require_match,
    send,
    send_editable,
)
from newsletter.web.api.operations import current_caller, operation, require_list, require_unlimited

blueprint = Blueprint("api_subscribers", __name__)

FILE_AT_MOST = 10 * 1024 * 1024
"""Bytes of a file of subscribers: about 100,000 rows. Larger ones are imported by the command."""
ID = "<int(max=2147483647):subscriber_id>"


@operation(
    blueprint, "GET", "/subscribers", scope=TokenScope.WRITE, answer=subscriber_models.Subscribers
)
def list_subscribers(query: subscriber_models.SubscriberQuery) -> Response:
    """List subscribers, newest first.

    A token that is limited to lists names one of them.
    """
    if query.list is None and current_caller().is_limited:
        raise InvalidInput({"list": "name one of the token's lists"})
    if query.segment and query.list is None:
        raise InvalidInput({"list": "name the list of the segment"})
    slug = require_list(query.list) if query.list else None
    env = environment()
    chosen = admin.SubscriberFilter(
        slug,
        query.status,
        query.cadence,
        tag=query.tag or "",
        segment=query.segment or "",
        at=env.now if query.segment else None,
        before=read_cursor(query.cursor),
    )
    rows = list(islice(admin.iterate_subscribers(chosen), query.limit))
    next_ = rows[-1].id if len(rows) == query.limit else None
    data = [_describe(row) for row in rows]
    return send(subscriber_models.Subscribers(data=data, next=make_cursor(next_)))


@operation(
    blueprint,
    "POST",
    "/subscribers",
    scope=TokenScope.WRITE,
    answer=subscriber_models.ApiSubscriber,
    status=201,
)
def add_subscriber(json: subscriber_models.NewSubscriber) -> Response:
    """Add a subscriber, who is asked to confirm by mail unless `because` says how you know."""
    addition = admin.Addition(
        json.email,
        require_list(json.list),
        name=json.name,
        language=json.language,
        cadence=json.cadence,
        topics=json.topics,
        answers=_write_answers(json.fields),
        tag=json.tags,
        because=json.because,
    )
    admin.add_subscriber(environment(), addition)
    subscriber = _describe(views.find_view(json.email))
    return send_editable(subscriber, 201, location=f"/subscribers/{subscriber.id}")


@operation(
    blueprint,
    "POST",
    "/subscribers/search",
    scope=TokenScope.WRITE,
    answer=subscriber_models.ApiSubscriber,
)
def search_subscriber(json: subscriber_models.SubscriberSearch) -> Response:
    """Find a subscriber by their address."""
    return send_editable(_visible(views.find_view(json.email)))


@operation(
    blueprint,
    "GET",
    f"/subscribers/{ID}",
    scope=TokenScope.WRITE,
    answer=subscriber_models.ApiSubscriber,
)
def get_subscriber(subscriber_id: int) -> Response:
    """Show a subscriber."""
    return send_editable(_find(subscriber_id)[1])


@operation(
    blueprint,
    "PATCH",
    f"/subscribers/{ID}",
    scope=TokenScope.WRITE,
    answer=subscriber_models.ApiSubscriber,
    refuses=(412,),
)
def edit_subscriber(subscriber_id: int, json: subscriber_models.SubscriberChange) -> Response:
    """Change a subscriber's tags, name, language or address.

    A token that is limited to lists changes tags only: the rest is seen by every list.
    """
    address, before = _find(subscriber_id)
    require_match(before)
    if json.email is not None or json.name is not None or json.language is not None:
        require_unlimited()
    correction = correct.Correction(
        name=json.name,
        language=json.language,
        address=json.email,
        tag=json.add_tags,
        untag=json.remove_tags,
        because=json.because,
    )
    correct.correct_subscriber(environment(), address, correction)
    return send_editable(_find(subscriber_id)[1])


@operation(blueprint, "DELETE", f"/subscribers/{ID}", scope=TokenScope.WRITE, status=204)
def erase_subscriber(subscriber_id: int) -> Response:
    """Erase a subscriber for good; a keyed hash keeps the address from being added again."""
    require_unlimited()
    privacy.erase_address(environment(), views.get_address(subscriber_id))
    return no_content()


@operation(
    blueprint,
    "PATCH",
    f"/subscribers/{ID}/subscriptions/<slug>",
    scope=TokenScope.WRITE,
    answer=subscriber_models.ApiSubscriber,
    refuses=(412,),
)
def edit_subscription(
    subscriber_id: int, slug: str, json: subscriber_models.SubscriptionChange
) -> Response:
    """Change a subscription: cadence, pause, topics, fields."""
    address, before = _find(subscriber_id)
    require_match(before)
    correction = correct.Correction(
        slug=require_list(slug),
        cadence=json.cadence,
        pause_until=json.paused_until,
        resume="paused_until" in json.model_fields_set and json.paused_until is None,
        topics=json.topics or (),
        all_topics=json.topics == [],
        answers=_write_answers(json.fields),
        because=json.because,
    )
    correct.correct_subscriber(environment(), address, correction)
    return send_editable(_find(subscriber_id)[1])


@operation(
    blueprint,
    "DELETE",
    f"/subscribers/{ID}/subscriptions/<slug>",
    scope=TokenScope.WRITE,
    answer=subscriber_models.ApiSubscriber,
)
def end_subscription(subscriber_id: int, slug: str) -> Response:
    """Unsubscribe somebody who asked you to; an active subscriber gets a goodbye by mail."""
    address, _ = _find(subscriber_id)
    admin.unsubscribe(environment(), address, require_list(slug))
    return send_editable(_find(subscriber_id)[1])


@operation(blueprint, "GET", "/subscribers/export", scope=TokenScope.WRITE)
def export_all() -> Response:
    """Export everything known of subscribers as CSV, which the import reads back."""
    require_unlimited()
    out = StringIO()
    export_subscribers.export_to_text(out)
    return Response(out.getvalue(), mimetype="text/csv")


@operation(
    blueprint,
    "POST",
    "/subscribers/import",
    scope=TokenScope.WRITE,
    answer=subscriber_models.ImportReport,
    body_at_most=FILE_AT_MOST,
)
def import_all(query: subscriber_models.ImportQuery) -> Response:
    """Import subscribers from a file of this or another program; the body is the file.

    Nobody is mailed. Rows that say nothing of consent wait as pending, unless `because` says how
    you know.
    """
    require_unlimited()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "subscribers.csv"
        files.write_private(file, request.get_data(cache=False))
        result = import_subscribers.import_file(
            environment(), file, slug=query.list, because=query.because, dry_run=query.dry_run
        )
    return send(subscriber_models.ImportReport.model_validate(result))


def _find(subscriber_id: int) -> tuple[str, subscriber_models.ApiSubscriber]:
    """Return the address of a subscriber and how the caller sees them.

    Raises `NotFound`, also for a subscriber of other lists only.
    """
    address = views.get_address(subscriber_id)
    return address, _visible(views.find_view(address))


def _visible(row: SubscriberView) -> subscriber_models.ApiSubscriber:
    described = _describe(row)
    if current_caller().is_limited and not described.subscriptions:
        raise NotFound("there is no such subscriber")
    return described


def _describe(row: SubscriberView) -> subscriber_models.ApiSubscriber:
    caller = current_caller()
    return subscriber_models.ApiSubscriber(
        id=row.id,
        email=row.email,
        name=row.name,
        language=row.language,
        created_at=row.created_at,
        tags=list(row.tags),
        subscriptions=[
            subscriber_models.ApiSubscription.model_validate(subscription)
            for subscription in row.subscriptions
            if caller.sees(subscription.list)
        ],
    )


def _write_answers(fields: Mapping[str, str | bool]) -> dict[str, str]:
    """Write answers as a form sends them."""
    ticked = {True: "yes", False: ""}
    return {
        name: ticked[value] if isinstance(value, bool) else value for name, value in fields.items()
    }
