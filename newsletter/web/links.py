"""The pages behind signed links. GET shows, POST acts: whatever fetches links on its own changes nothing."""

from __future__ import annotations

from flask import Response, request

from newsletter.errors import InvalidInput
from newsletter.services import preferences as prefs
from newsletter.services import subscriptions
from newsletter.services.environment import environment
from newsletter.web import pages
from newsletter.web.answers import evidence, page, private


@pages.get("/confirm/<path:token>")
def confirm_page(token: str) -> Response:
    """One button."""
    standing = subscriptions.look(environment(), "confirm", token)
    template = "confirmed.html" if standing.status == "active" else "confirm.html"
    return private(page(template, standing=standing))


@pages.post("/confirm/<path:token>")
def confirm(token: str) -> Response:
    """Makes the subscription active; again changes nothing."""
    return private(page("confirmed.html", standing=subscriptions.confirm(environment(), token, evidence("link"))))


@pages.get("/unsubscribe/<path:token>")
def unsubscribe_page(token: str) -> Response:
    """One button, and the way to less mail instead."""
    env = environment()
    standing = subscriptions.look(env, "unsubscribe", token)
    template = "unsubscribed.html" if standing.status == "unsubscribed" else "unsubscribe.html"
    return private(page(template, standing=standing, preferences=_preferences(token)))


@pages.post("/unsubscribe/<path:token>")
def unsubscribe(token: str) -> Response:
    """Ends the subscription. A mail program's one-click POST (RFC 8058 §3.2) gets a short 200 without redirect."""
    env = environment()
    if request.form.get("undo"):
        standing = subscriptions.undo(env, token, evidence("link"))
        return private(page("resubscribed.html", standing=standing, preferences=_preferences(token)))
    one_click = request.form.get("List-Unsubscribe") == "One-Click"
    standing = subscriptions.unsubscribe(env, token, evidence("one-click" if one_click else "link"))
    if one_click:
        return private(Response("Unsubscribed.\n", mimetype="text/plain"))
    return private(page("unsubscribed.html", standing=standing, preferences=_preferences(token)))


def _preferences(token: str) -> str:
    """The reader's preferences, from her link to unsubscribe; it shows less than it could, see preferences.html."""
    env = environment()
    return env.links.preferences(env.tokens.open("unsubscribe", token, env.now), env.now)


@pages.get("/preferences/<path:token>")
def preferences_page(token: str) -> Response:
    """What the reader subscribes to."""
    return private(page("preferences.html", prefs=prefs.show(environment(), token), errors={}, saved=False))


@pages.post("/preferences/<path:token>")
def preferences(token: str) -> Response:
    """Changes it."""
    env = environment()
    try:
        shown = prefs.change(env, token, request.form.to_dict(), evidence("preferences"))
    except InvalidInput as error:
        shown = prefs.show(env, token)
        return private(page("preferences.html", 422, prefs=shown, errors=error.fields, saved=False))
    return private(page("preferences.html", prefs=shown, errors={}, saved=True))


@pages.get("/link")
def link_page() -> Response:
    """For those who lost theirs."""
    return private(page("link.html", error="", typed=""))


@pages.post("/link")
def link() -> Response:
    """Mails a fresh link: the same answer for everybody."""
    typed = request.form.get("email", "")
    try:
        prefs.send_link(environment(), typed, evidence("form"))
    except InvalidInput as error:
        return private(page("link.html", 422, error=error.fields["email"], typed=typed))
    return private(page("link_sent.html"))
