"""The page of a mail that asks for permission again: one button, as for a confirmation."""

from __future__ import annotations

from flask import Response

from newsletter.services import permission
from newsletter.services.environment import environment
from newsletter.services.subscriptions import Standing
from newsletter.web import pages
from newsletter.web.answers import evidence, page, private
from newsletter.web.language import speak


@pages.get("/stay/<path:token>")
def stay_page(token: str) -> Response:
    """One button."""
    standing, answered = permission.look(environment(), token)
    return _shown(standing, answered=answered)


@pages.post("/stay/<path:token>")
def stay(token: str) -> Response:
    """Notes that the reader stays; again changes nothing."""
    return _shown(permission.stay(environment(), token, evidence("link")), answered=True)


def _shown(standing: Standing, *, answered: bool) -> Response:
    speak(reader=standing.language, mailing_list=standing.list_language)
    return private(page("stay.html", standing=standing, answered=answered))
