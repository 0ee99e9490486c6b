"""The pages behind signed links.

GET shows, POST acts: whatever fetches links on its own changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from flask import Blueprint, Response, jsonify, request

from newsletter.errors import InvalidInput, LinkInvalid
from newsletter.i18n import Text
from newsletter.link_purposes import LinkPurpose
from newsletter.services.runtime import environment
from newsletter.services.subscribers import address_change, link_requests, privacy, subscriptions
from newsletter.services.subscribers import preferences as prefs
from newsletter.services.subscribers.address_change import AddressChangeView
from newsletter.services.subscribers.preferences import Preferences
from newsletter.services.subscribers.subscriptions import LinkedSubscription
from newsletter.vocabulary import EvidenceSource, SubscriptionStatus
from newsletter.web.locale import set_languages, translate_errors
from newsletter.web.responses import evidence, mark_private, render_page

blueprint = Blueprint("subscriber_links", __name__)

NO_ERRORS: Mapping[str, str] = MappingProxyType({})
MAILED: tuple[link_requests.Kind, ...] = ("link", "export", "erase")
REASON_WORDS = {
    "often": Text("Too many mails"),
    "other": Text("Not what I expected"),
    "done": Text("I no longer need it"),
    "never": Text("I never signed up"),
}


@blueprint.get("/confirm/<path:token>")
def confirm_page(token: str) -> Response:
    """One button."""
    standing = subscriptions.get_request(environment(), token)
    return _told(
        "confirmed.html" if standing.status is SubscriptionStatus.ACTIVE else "confirm.html",
        standing,
    )


@blueprint.post("/confirm/<path:token>")
def confirm(token: str) -> Response:
    """Make the subscription active; again changes nothing."""
    return _told(
        "confirmed.html", subscriptions.confirm(environment(), token, evidence(EvidenceSource.LINK))
    )


@blueprint.get("/never/<path:token>")
def never_page(token: str) -> Response:
    """One button: it was not me."""
    return _never(privacy.find_disputed_request(environment(), token))


@blueprint.post("/never/<path:token>")
def never(token: str) -> Response:
    """Forget whoever did not ask, for good; again changes nothing."""
    return _never(privacy.dispute_request(environment(), token, evidence(EvidenceSource.LINK)))


def _never(standing: LinkedSubscription | None) -> Response:
    return (
        mark_private(render_page("erased.html"))
        if standing is None
        else _told("never.html", standing)
    )


@blueprint.get("/unsubscribe/<path:token>")
def unsubscribe_page(token: str) -> Response:
    """One button, and the way to less mail instead."""
    standing = subscriptions.get_subscription(environment(), token)
    template = (
        "unsubscribed.html"
        if standing.status is SubscriptionStatus.UNSUBSCRIBED
        else "unsubscribe.html"
    )
    return _told(template, standing, preferences=_preferences(standing, token))


@blueprint.post("/unsubscribe/<path:token>")
def unsubscribe(token: str) -> Response:
    """End the subscription.

    A mail program's one-click POST (RFC 8058 section 3.2) gets a short 200 without redirect; the
    page's buttons may take it back, slow it down, or give a reason.
    """
    env, form = environment(), request.form
    if form.get("List-Unsubscribe") == "One-Click":
        subscriptions.unsubscribe(env, token, evidence(EvidenceSource.ONE_CLICK))
        return mark_private(Response("Unsubscribed.\n", mimetype="text/plain"))
    if form.get("undo"):
        cadence = form.get("cadence", "")
        pause = bool(form.get("break"))
        standing = subscriptions.undo_unsubscribe(
            env, token, evidence(EvidenceSource.LINK), cadence=cadence, pause=pause
        )
        return _told("resubscribed.html", standing, preferences=_preferences(standing, token))
    if form.get("reason"):
        standing = subscriptions.give_reason(
            env, token, form["reason"], evidence(EvidenceSource.LINK)
        )
    else:
        standing = subscriptions.unsubscribe(env, token, evidence(EvidenceSource.LINK))
    return _told("unsubscribed.html", standing, thanked=bool(form.get("reason")))


def _told(
    template: str, standing: LinkedSubscription, *, preferences: str = "", thanked: bool = False
) -> Response:
    """A page about one subscription, in its reader's language."""
    set_languages(reader=standing.language, mailing_list=standing.list_language)
    return mark_private(
        render_page(
            template,
            standing=standing,
            preferences=preferences,
            thanked=thanked,
            reasons=translate_errors(REASON_WORDS),
        )
    )


def _preferences(standing: LinkedSubscription, token: str) -> str:
    """Return a link to the same subscription's preferences; none from a mailbox that its subscriber
    has left.
    """
    env = environment()
    if standing.retired:
        return ""
    return env.links.preferences(env.tokens.open(LinkPurpose.UNSUBSCRIBE, token, env.now), env.now)


@blueprint.get("/preferences/<path:token>")
def preferences_page(token: str) -> Response:
    """What the reader subscribes to."""
    return _preferences_page(prefs.get_preferences(environment(), token))


@blueprint.post("/preferences/<path:token>")
def preferences(token: str) -> Response:
    """Change it, or has a link mailed that may do more."""
    env, form = environment(), request.form
    try:
        for kind in MAILED:
            if form.get(kind):
                return _preferences_page(prefs.mail_link(env, token, kind), done="mailed")
        if "address" in form:
            return _preferences_page(
                prefs.request_address_change(
                    env, token, form["address"], request.remote_addr or ""
                ),
                done="asked",
            )
        return _preferences_page(
            prefs.change_preferences(
                env, token, form.to_dict(), evidence(EvidenceSource.PREFERENCES)
            ),
            done="saved",
        )
    except InvalidInput as error:
        return _preferences_page(
            prefs.get_preferences(env, token), errors=error.fields, typed=form.get("address", "")
        )


def _preferences_page(
    shown: Preferences, *, errors: Mapping[str, str] = NO_ERRORS, done: str = "", typed: str = ""
) -> Response:
    set_languages(reader=shown.language, mailing_list=shown.list_language)
    status = 422 if errors else 200
    return mark_private(
        render_page(
            "preferences.html",
            status,
            prefs=shown,
            errors=translate_errors(errors),
            done=done,
            typed=typed,
        )
    )


@blueprint.get("/address/<path:token>")
def address_page(token: str) -> Response:
    """One button: the new address is mine."""
    return _moved(address_change.get_change(environment(), token))


@blueprint.post("/address/<path:token>")
def address(token: str) -> Response:
    """Move the reader to her new address."""
    return _moved(
        address_change.confirm_change(environment(), token, evidence(EvidenceSource.LINK))
    )


def _moved(found: AddressChangeView) -> Response:
    set_languages(reader=found.language, mailing_list=found.list_language)
    return mark_private(render_page("address.html", move=found))


@blueprint.get("/address-undo/<path:token>")
def address_undo_page(token: str) -> Response:
    """Ask whether a change of address shall be taken back."""
    return _undone(address_change.get_undo(environment(), token))


@blueprint.post("/address-undo/<path:token>")
def address_undo(token: str) -> Response:
    """Take a change of address back."""
    return _undone(address_change.undo_change(environment(), token, evidence(EvidenceSource.LINK)))


def _undone(move: AddressChangeView) -> Response:
    set_languages(mailing_list=move.list_language)
    return mark_private(render_page("address_undo.html", move=move))


@blueprint.get("/export/<path:token>")
def export_page(token: str) -> Response:
    """One button: nothing personal is in a page that a scanner may fetch."""
    return _asked(LinkPurpose.EXPORT, token, "export.html")


@blueprint.post("/export/<path:token>")
def export(token: str) -> Response:
    """Everything we know of the reader, as a file."""
    answer = mark_private(jsonify(privacy.export_data(environment(), token)))
    answer.headers["Content-Disposition"] = 'attachment; filename="my-newsletter-data.json"'
    return answer


@blueprint.get("/erase/<path:token>")
def erase_page(token: str) -> Response:
    """One button, and what it does."""
    return _asked(LinkPurpose.ERASE, token, "erase.html")


@blueprint.post("/erase/<path:token>")
def erase(token: str) -> Response:
    """Forget the reader."""
    standing = privacy.erase(environment(), token)
    if standing is not None:
        set_languages(reader=standing.language, mailing_list=standing.list_language)
    return mark_private(render_page("erased.html"))


def _asked(purpose: LinkPurpose, token: str, template: str) -> Response:
    standing = privacy.find_linked_subscription(environment(), purpose, token)
    if standing is None:
        return mark_private(render_page("erased.html"))
    return _told(template, standing)


@blueprint.get("/link")
def link_page() -> Response:
    """For those who lost theirs."""
    return mark_private(render_page("link.html", error="", typed="", resource=""))


@blueprint.post("/link")
def link() -> Response:
    """Mail a fresh link, to an address or in place of a link that has expired: the same answer for
    everybody.
    """
    env, form = environment(), request.form
    typed, resource = form.get("email", ""), form.get("resource", "")
    set_languages(form=form.get("language"))
    try:
        if form.get("token"):
            link_requests.renew_link(
                env, _purpose(form.get("purpose", "")), form["token"], evidence(EvidenceSource.FORM)
            )
        else:
            link_requests.mail_link_to_address(
                env, typed, evidence(EvidenceSource.FORM), resource=resource
            )
    except InvalidInput as error:
        return mark_private(
            render_page(
                "link.html",
                422,
                error=translate_errors(error.fields)["email"],
                typed=typed,
                resource=resource,
            )
        )
    return mark_private(render_page("link_sent.html"))


def _purpose(text: str) -> LinkPurpose:
    for purpose in LinkPurpose:
        if text == purpose and purpose.renewable:
            return purpose
    raise LinkInvalid
