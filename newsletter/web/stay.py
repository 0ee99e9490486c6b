"""The page of a mail that asks for permission again: one button, as for a confirmation."""

from __future__ import annotations

from flask import Blueprint, Response

from newsletter.services.runtime import environment
from newsletter.services.subscribers import reconfirmation
from newsletter.services.subscribers.subscriptions import Standing
from newsletter.web.locale import speak
from newsletter.web.responses import evidence, page, private

blueprint = Blueprint("stay", __name__)


@blueprint.get("/stay/<path:token>")
def stay_page(token: str) -> Response:
    """One button."""
    standing, answered = reconfirmation.look(environment(), token)
    return _shown(standing, answered=answered)


@blueprint.post("/stay/<path:token>")
def stay(token: str) -> Response:
    """Note that the reader stays; again changes nothing."""
    return _shown(reconfirmation.stay(environment(), token, evidence("link")), answered=True)


def _shown(standing: Standing, *, answered: bool) -> Response:
    speak(reader=standing.language, mailing_list=standing.list_language)
    return private(page("stay.html", standing=standing, answered=answered))
