"""Subscriptions: those of a list, with cadence, pause, topics and fields."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response

from newsletter.access_vocabulary import NamedRow, TokenScope
from newsletter.errors import NotFound
from newsletter.services import row_names
from newsletter.services.runtime import environment
from newsletter.services.subscribers import admin, correct, listing, views
from newsletter.services.subscribers.listing import OwnedSubscription
from newsletter.services.subscribers.views import SubscriberView, SubscriptionView
from newsletter.web.api import subscriber_models
from newsletter.web.api.answers import change, make_cursor, read_cursor, send, send_editable
from newsletter.web.api.operations import current_caller, operation, require_list
from newsletter.web.api.subscriber_models import ApiSubscription

blueprint = Blueprint("api_subscriptions", __name__)

ID = "<string(length=24):subscription_id>"


@operation(
    blueprint,
    "GET",
    "/subscriptions",
    scope=TokenScope.WRITE,
    answer=subscriber_models.Subscriptions,
)
def list_subscriptions(query: subscriber_models.SubscriptionQuery) -> Response:
    """List the subscriptions of a list, newest first.

    With a status or cadence a page may hold fewer than `limit`, or none, and yet have a `next`.
    """
    chosen = listing.SubscriptionFilter(
        require_list(query.list),
        query.status,
        query.cadence,
        before=read_cursor(NamedRow.SUBSCRIPTION, query.cursor),
    )
    rows, next_ = listing.list_subscriptions(chosen, limit=query.limit)
    return send(
        subscriber_models.Subscriptions(
            data=[describe_subscription(row.subscriber_id, row.email, row.view) for row in rows],
            next=make_cursor(NamedRow.SUBSCRIPTION, next_),
        )
    )


@operation(blueprint, "GET", f"/subscriptions/{ID}", scope=TokenScope.WRITE, answer=ApiSubscription)
def get_subscription(subscription_id: str) -> Response:
    """Show a subscription."""
    return _send(_find(subscription_id))


@operation(
    blueprint,
    "PATCH",
    f"/subscriptions/{ID}",
    scope=TokenScope.WRITE,
    answer=ApiSubscription,
    refuses=(412,),
)
def edit_subscription(subscription_id: str, json: subscriber_models.SubscriptionChange) -> Response:
    """Change a subscription: cadence, pause, topics, fields. It is kept as your word."""
    owned = _find(subscription_id)
    correction = correct.Correction(
        slug=owned.view.list,
        cadence=json.cadence,
        pause_until=json.paused_until,
        resume="paused_until" in json.model_fields_set and json.paused_until is None,
        topics=json.topics or (),
        all_topics=json.topics == [],
        answers=write_answers(json.fields),
        because=json.because,
    )
    change(
        lambda: _read(owned),
        lambda row: correct.correct_subscriber(environment(), row.email, correction, expected=row),
    )
    return _send(_find(subscription_id))


@operation(
    blueprint, "DELETE", f"/subscriptions/{ID}", scope=TokenScope.WRITE, answer=ApiSubscription
)
def end_subscription(subscription_id: str) -> Response:
    """Unsubscribe somebody who asked you to; an active subscriber gets a goodbye by mail."""
    owned = _find(subscription_id)
    admin.unsubscribe(environment(), owned.email, owned.view.list)
    return _send(_find(subscription_id))


def _find(name: str) -> OwnedSubscription:
    """Return a subscription to a list that the caller's token is for.

    Raises `NotFound`.
    """
    owned = listing.get_subscription(row_names.get_row_id(NamedRow.SUBSCRIPTION, name))
    if not current_caller().sees(owned.view.list):
        raise NotFound("there is no such subscription")
    return owned


def _read(owned: OwnedSubscription) -> tuple[SubscriberView, ApiSubscription]:
    """Return a subscriber, and the description of one subscription for the caller."""
    row = views.get_view(owned.subscriber_id)
    for part in row.subscriptions:
        if part.id == owned.view.id:
            return row, describe_subscription(row.id, row.email, part)
    raise NotFound("there is no such subscription")


def _send(owned: OwnedSubscription) -> Response:
    return send_editable(describe_subscription(owned.subscriber_id, owned.email, owned.view))


def describe_subscription(subscriber_id: int, email: str, row: SubscriptionView) -> ApiSubscription:
    """Describe a subscription to the caller."""
    return ApiSubscription(
        id=row_names.name_row(NamedRow.SUBSCRIPTION, row.id),
        subscriber=row_names.name_row(NamedRow.SUBSCRIBER, subscriber_id),
        email=show_address(email),
        list=row.list,
        status=row.status,
        cadence=row.cadence,
        paused_until=row.paused_until,
        topics=list(row.topics),
        fields=dict(row.fields),
        created_at=row.created_at,
        confirmed_at=row.confirmed_at,
        ended_at=row.unsubscribed_at,
    )


def show_address(email: str) -> str:
    """Return an address as the caller may see it: in lower case if limited to lists.

    A token that is limited to lists sees small letters: how somebody has spelt it on another list
    would tell that they were there.
    """
    return email.lower() if current_caller().is_limited else email


def write_answers(fields: Mapping[str, str | bool]) -> dict[str, str]:
    """Return answers in the form in which a web form submits them."""
    ticked = {True: "yes", False: ""}
    return {
        name: ticked[value] if isinstance(value, bool) else value for name, value in fields.items()
    }
