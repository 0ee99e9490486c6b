"""Subscribers and their subscriptions, as programs use them."""

from __future__ import annotations

import tempfile
from io import StringIO
from pathlib import Path

from flask import Blueprint, Response, request

from newsletter import files
from newsletter.access_vocabulary import NamedRow, TokenScope
from newsletter.addresses import parse_address
from newsletter.errors import InvalidInput, Refused
from newsletter.services import row_names
from newsletter.services.runtime import environment
from newsletter.services.subscribers import admin, correct, listing, privacy, views
from newsletter.services.subscribers.views import SubscriberView
from newsletter.services.transfer import export_subscribers, import_subscribers
from newsletter.web.api import subscriber_models
from newsletter.web.api.answers import (
    RefusedEarly,
    change,
    make_cursor,
    no_content,
    read_cursor,
    send,
    send_editable,
)
from newsletter.web.api.operations import current_caller, operation, require_list, require_unlimited
from newsletter.web.api.subscriptions import (
    describe_subscription,
    show_address,
    write_answers,
)
from newsletter.web.problems import make_problem

blueprint = Blueprint("api_subscribers", __name__)

FILE_AT_MOST = 10 * 1024 * 1024
"""Bytes of a file of subscribers: about 100,000 rows. Larger ones are imported by the command."""
ID = "<string(length=24):subscriber_id>"


@operation(
    blueprint, "GET", "/subscribers", scope=TokenScope.WRITE, answer=subscriber_models.Subscribers
)
def list_subscribers(query: subscriber_models.SubscriberQuery) -> Response:
    """List subscribers, newest first; those of a list by when they came to it.

    A token that is limited to lists names one of them, and neither a tag nor a segment.
    """
    if query.tag or query.segment:
        _require_unlimited_for_tags()
    if query.list is None and current_caller().is_limited:
        raise InvalidInput({"list": "name one of the token's lists"})
    if query.segment and query.list is None:
        raise InvalidInput({"list": "name the list of the segment"})
    slug = require_list(query.list) if query.list else None
    kind = NamedRow.SUBSCRIPTION if slug else NamedRow.SUBSCRIBER
    chosen = admin.SubscriberFilter(
        slug,
        query.status,
        query.cadence,
        tag=query.tag or "",
        segment=query.segment or "",
        at=environment().now if query.segment else None,
        before=read_cursor(kind, query.cursor),
    )
    rows, next_ = listing.list_subscribers(chosen, limit=query.limit)
    return send(
        subscriber_models.Subscribers(
            data=[_describe(row) for row in rows], next=make_cursor(kind, next_)
        )
    )


@operation(
    blueprint,
    "POST",
    "/subscribers",
    scope=TokenScope.WRITE,
    answer=subscriber_models.ApiSubscriber,
    status=201,
    accepts=subscriber_models.Taken,
)
def add_subscriber(json: subscriber_models.NewSubscriber) -> Response:
    """Add a subscriber, who is asked to confirm by mail unless `because` says how you know.

    A token that is limited to lists gets one answer, 202, whatever is known of the address.
    """
    limited = current_caller().is_limited
    if json.tags:
        _require_unlimited_for_tags()
    addition = admin.Addition(
        json.email,
        require_list(json.list),
        name=json.name,
        language=json.language,
        cadence=json.cadence,
        topics=json.topics,
        answers=write_answers(json.fields),
        tag=json.tags,
        because=json.because,
    )
    try:
        admin.add_subscriber(environment(), addition)
    except Refused:
        if not limited:
            raise
    if limited:
        email = parse_address(json.email).email  # as it is stored: an erasure finds it in an answer
        return send(subscriber_models.Taken(email=email, list=addition.slug or ""), 202)
    subscriber = _describe(views.get_view_of(json.email))
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
    return send_editable(_describe(views.get_view_of(json.email, lists=current_caller().lists)))


@operation(
    blueprint,
    "GET",
    f"/subscribers/{ID}",
    scope=TokenScope.WRITE,
    answer=subscriber_models.ApiSubscriber,
)
def get_subscriber(subscriber_id: str) -> Response:
    """Show a subscriber."""
    return send_editable(_read(subscriber_id)[1])


@operation(
    blueprint,
    "PATCH",
    f"/subscribers/{ID}",
    scope=TokenScope.WRITE,
    answer=subscriber_models.ApiSubscriber,
    refuses=(412,),
)
def edit_subscriber(subscriber_id: str, json: subscriber_models.SubscriberChange) -> Response:
    """Change a subscriber's tags, name, language or address.

    All of it is seen by every list, so a token that is limited to lists may not.
    """
    require_unlimited()
    correction = correct.Correction(
        name=json.name,
        language=json.language,
        address=json.email,
        tag=json.add_tags,
        untag=json.remove_tags,
        because=json.because,
    )
    change(
        lambda: _read(subscriber_id),
        lambda row: correct.correct_subscriber(environment(), row.email, correction, expected=row),
    )
    return send_editable(_read(subscriber_id)[1])


@operation(blueprint, "DELETE", f"/subscribers/{ID}", scope=TokenScope.WRITE, status=204)
def erase_subscriber(subscriber_id: str) -> Response:
    """Erase a subscriber for good; a keyed hash keeps the address from being added again."""
    require_unlimited()
    privacy.erase_address(environment(), _read(subscriber_id)[0].email)
    return no_content()


@operation(blueprint, "GET", "/subscribers/export", scope=TokenScope.WRITE, gives="text/csv")
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
    takes="text/csv",
    body_at_most=FILE_AT_MOST,
)
def import_all(query: subscriber_models.ImportQuery) -> Response:
    """Import subscribers from a file of this or another program; the body is the file.

    A table in UTF-8 with a header: `email`, and any of `name`, `language`, `list`, `status`
    (`active`, `pending`, `unsubscribed`, `suppressed`), `cadence`, `tags` and `confirmed_at`, or
    the columns of a program that is known. Nobody is mailed. Rows that say nothing of consent wait
    as pending, unless `because` says how you know.
    """
    require_unlimited()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "subscribers.csv"
        files.write_private(file, request.get_data(cache=False))
        result = import_subscribers.import_file(
            environment(), file, slug=query.list, because=query.because, dry_run=query.dry_run
        )
    return send(subscriber_models.ImportReport.model_validate(result))


def _require_unlimited_for_tags() -> None:
    """Refuse tags, and segments, which may ask for them, to a token that is limited to lists."""
    if current_caller().is_limited:
        detail = "Tags are of all lists: a token that is limited to lists uses fields instead."
        raise RefusedEarly(make_problem(403, detail))


def _read(name: str) -> tuple[SubscriberView, subscriber_models.ApiSubscriber]:
    """Return a subscriber, and their description for the caller.

    Raises `NotFound`, also for a subscriber of other lists only.
    """
    row_id = row_names.get_row_id(NamedRow.SUBSCRIBER, name)
    row = views.get_view(row_id, lists=current_caller().lists)
    return row, _describe(row)


def _describe(row: SubscriberView) -> subscriber_models.ApiSubscriber:
    """Describe a subscriber as the caller may see them.

    A token that is limited to lists is told nothing that may come from another list: no name,
    language or tags, not when they came there, and the address as `show_address` spells it.
    """
    caller = current_caller()
    limited = caller.is_limited
    visible = [part for part in row.subscriptions if caller.sees(part.list)]
    since = [part.created_at for part in visible] if limited else []
    return subscriber_models.ApiSubscriber(
        id=row_names.name_row(NamedRow.SUBSCRIBER, row.id),
        email=show_address(row.email),
        name="" if limited else row.name,
        language="" if limited else row.language,
        created_at=min(since, default=row.created_at),
        tags=[] if limited else list(row.tags),
        subscriptions=[describe_subscription(row.id, row.email, part) for part in visible],
    )
