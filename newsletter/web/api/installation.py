"""Suppressions and events, which belong to no list."""

from __future__ import annotations

from flask import Blueprint, Response

from newsletter.access_vocabulary import NamedRow, TokenScope
from newsletter.services import events, row_names, suppressions
from newsletter.services.events import EventView
from newsletter.services.inbound import release
from newsletter.services.runtime import environment
from newsletter.web.api import models
from newsletter.web.api.answers import make_cursor, read_cursor, send
from newsletter.web.api.operations import current_caller, operation, require_list, require_unlimited

blueprint = Blueprint("api_installation", __name__)


@operation(blueprint, "GET", "/suppressions", scope=TokenScope.WRITE, answer=models.Suppressions)
def list_suppressions(query: models.Page) -> Response:
    """List the addresses that are never mailed, newest first."""
    require_unlimited()
    rows = suppressions.list_suppressions(
        before=read_cursor(NamedRow.SUPPRESSION, query.cursor), limit=query.limit
    )
    next_ = rows[-1].id if len(rows) == query.limit else None
    data = [models.ApiSuppression.model_validate(row) for row in rows]
    return send(models.Suppressions(data=data, next=make_cursor(NamedRow.SUPPRESSION, next_)))


@operation(
    blueprint,
    "POST",
    "/suppressions",
    scope=TokenScope.WRITE,
    answer=models.ApiSuppression,
    status=201,
)
def add_suppression(json: models.NewSuppression) -> Response:
    """Never mail an address, and cancel what waits for it."""
    require_unlimited()
    suppressions.suppress(environment(), json.email, note=json.note)
    suppression = suppressions.get_suppression(environment(), json.email)
    return send(models.ApiSuppression.model_validate(suppression), 201)


@operation(
    blueprint,
    "POST",
    "/suppressions/lift",
    scope=TokenScope.WRITE,
    answer=models.Release,
)
def lift_suppression(json: models.SuppressionRelease) -> Response:
    """Let an address be mailed again, and say how you know.

    After a bounce or a complaint each active subscription is asked by mail to confirm again, and
    gets nothing else until it does. Nobody is subscribed by this.
    """
    require_unlimited()
    count = release.release(environment(), json.email, because=json.because)
    return send(models.Release(confirmations=count))


@operation(blueprint, "GET", "/events", scope=TokenScope.READ, answer=models.Events)
def list_events(query: models.EventQuery) -> Response:
    """List events, newest first; they hold no address."""
    lists = current_caller().lists
    slugs = {require_list(query.list)} if query.list else lists
    rows = events.list_events(
        slugs=slugs,
        kind=query.type,
        before=read_cursor(NamedRow.EVENT, query.cursor),
        limit=query.limit,
    )
    next_ = rows[-1].id if len(rows) == query.limit else None
    data = [_describe_event(row) for row in rows]
    return send(models.Events(data=data, next=make_cursor(NamedRow.EVENT, next_)))


def _describe_event(row: EventView) -> models.ApiEvent:
    subscriber = row.subscriber
    return models.ApiEvent(
        id=row_names.name_row(NamedRow.EVENT, row.id),
        at=row.at,
        type=row.type,
        actor=row.actor,
        reason=row.reason,
        list=row.list,
        subscriber=row_names.name_row(NamedRow.SUBSCRIBER, subscriber) if subscriber else None,
        campaign=row.campaign,
        entry=row.entry,
    )
