"""The page of a reconfirmation campaign, with a button to stay."""

from __future__ import annotations

from flask import Blueprint, Response

from newsletter.services.runtime import environment
from newsletter.services.subscribers import reconfirmation
from newsletter.services.subscribers.subscriptions import LinkedSubscription
from newsletter.vocabulary import EvidenceSource
from newsletter.web.locale import set_languages
from newsletter.web.responses import make_evidence, mark_private, render_page

blueprint = Blueprint("stay", __name__)


@blueprint.get("/stay/<path:token>")
def stay_page(token: str) -> Response:
    """Show a button to stay subscribed."""
    subscription, answered = reconfirmation.get_reconfirmation(environment(), token)
    return _render_stay(subscription, answered=answered)


@blueprint.post("/stay/<path:token>")
def stay(token: str) -> Response:
    """Record the reconfirmation; idempotent."""
    by_link = make_evidence(EvidenceSource.LINK)
    return _render_stay(reconfirmation.reconfirm(environment(), token, by_link), answered=True)


def _render_stay(subscription: LinkedSubscription, *, answered: bool) -> Response:
    set_languages(subscriber=subscription.language, mailing_list=subscription.list_language)
    return mark_private(render_page("stay.html", subscription=subscription, answered=answered))
