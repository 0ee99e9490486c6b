"""The page of a mail that asks for permission again: one button, as for a confirmation."""

from __future__ import annotations

from flask import Blueprint, Response

from newsletter.services.runtime import environment
from newsletter.services.subscribers import reconfirmation
from newsletter.services.subscribers.subscriptions import LinkedSubscription
from newsletter.vocabulary import EvidenceSource
from newsletter.web.locale import set_languages
from newsletter.web.responses import evidence, mark_private, render_page

blueprint = Blueprint("stay", __name__)


@blueprint.get("/stay/<path:token>")
def stay_page(token: str) -> Response:
    """One button."""
    standing, answered = reconfirmation.get_reconfirmation(environment(), token)
    return _shown(standing, answered=answered)


@blueprint.post("/stay/<path:token>")
def stay(token: str) -> Response:
    """Note that the reader stays; again changes nothing."""
    return _shown(
        reconfirmation.reconfirm(environment(), token, evidence(EvidenceSource.LINK)), answered=True
    )


def _shown(standing: LinkedSubscription, *, answered: bool) -> Response:
    set_languages(reader=standing.language, mailing_list=standing.list_language)
    return mark_private(render_page("stay.html", standing=standing, answered=answered))
