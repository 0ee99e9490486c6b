"""The pages behind signed links. GET shows, POST acts: whatever fetches links on its own changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from flask import Response, request

from newsletter.errors import InvalidInput
from newsletter.services import preferences as prefs
from newsletter.services import subscriptions
from newsletter.services.environment import environment
from newsletter.services.preferences import Preferences
from newsletter.services.subscriptions import Standing
from newsletter.web import pages
from newsletter.web.answers import evidence, page, private
from newsletter.web.language import speak, told

NO_ERRORS: Mapping[str, str] = MappingProxyType({})


@pages.get("/confirm/<path:token>")
def confirm_page(token: str) -> Response:
    """One button."""
    standing = subscriptions.look(environment(), "confirm", token)
    return _told("confirmed.html" if standing.status == "active" else "confirm.html", standing)


@pages.post("/confirm/<path:token>")
def confirm(token: str) -> Response:
    """Makes the subscription active; again changes nothing."""
    return _told("confirmed.html", subscriptions.confirm(environment(), token, evidence("link")))


@pages.get("/unsubscribe/<path:token>")
def unsubscribe_page(token: str) -> Response:
    """One button, and the way to less mail instead."""
    standing = subscriptions.look(environment(), "unsubscribe", token)
    template = "unsubscribed.html" if standing.status == "unsubscribed" else "unsubscribe.html"
    return _told(template, standing, preferences=_preferences(token))


@pages.post("/unsubscribe/<path:token>")
def unsubscribe(token: str) -> Response:
    """Ends the subscription. A mail program's one-click POST (RFC 8058 §3.2) gets a short 200 without redirect."""
    env = environment()
    if request.form.get("undo"):
        standing = subscriptions.undo(env, token, evidence("link"))
        return _told("resubscribed.html", standing, preferences=_preferences(token))
    one_click = request.form.get("List-Unsubscribe") == "One-Click"
    standing = subscriptions.unsubscribe(env, token, evidence("one-click" if one_click else "link"))
    if one_click:
        return private(Response("Unsubscribed.\n", mimetype="text/plain"))
    return _told("unsubscribed.html", standing, preferences=_preferences(token))


def _told(template: str, standing: Standing, *, preferences: str = "") -> Response:
    """A page about one subscription, in its reader's language."""
    speak(reader=standing.language, mailing_list=standing.list_language)
    return private(page(template, standing=standing, preferences=preferences))


def _preferences(token: str) -> str:
    """The reader's preferences, from her link to unsubscribe; it shows less than it could, see preferences.html."""
    env = environment()
    return env.links.preferences(env.tokens.open("unsubscribe", token, env.now), env.now)


@pages.get("/preferences/<path:token>")
def preferences_page(token: str) -> Response:
    """What the reader subscribes to."""
    return _preferences_page(prefs.show(environment(), token))


@pages.post("/preferences/<path:token>")
def preferences(token: str) -> Response:
    """Changes it."""
    env = environment()
    try:
        shown = prefs.change(env, token, request.form.to_dict(), evidence("preferences"))
    except InvalidInput as error:
        return _preferences_page(prefs.show(env, token), errors=error.fields)
    return _preferences_page(shown, saved=True)


def _preferences_page(shown: Preferences, *, errors: Mapping[str, str] = NO_ERRORS, saved: bool = False) -> Response:
    speak(reader=shown.language)
    status = 422 if errors else 200
    return private(page("preferences.html", status, prefs=shown, errors=told(errors), saved=saved))


@pages.get("/link")
def link_page() -> Response:
    """For those who lost theirs."""
    return private(page("link.html", error="", typed=""))


@pages.post("/link")
def link() -> Response:
    """Mails a fresh link: the same answer for everybody."""
    typed = request.form.get("email", "")
    speak(form=request.form.get("language"))
    try:
        prefs.send_link(environment(), typed, evidence("form"))
    except InvalidInput as error:
        return private(page("link.html", 422, error=told(error.fields)["email"], typed=typed))
    return private(page("link_sent.html"))
