"""The pages of subscribers' signed links.

GET shows, POST acts: whatever fetches links on its own changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from flask import Blueprint, Response, jsonify, request

from newsletter.closed_sets import find_member
from newsletter.errors import InvalidInput, LinkInvalid
from newsletter.link_purposes import LinkPurpose
from newsletter.services.runtime import environment
from newsletter.services.subscribers import address_change, link_requests, privacy, subscriptions
from newsletter.services.subscribers import preferences as prefs
from newsletter.services.subscribers.address_change import AddressChangeView
from newsletter.services.subscribers.address_undo import get_undo, undo_change
from newsletter.services.subscribers.preferences_view import Preferences
from newsletter.services.subscribers.requested_link import RequestedLink
from newsletter.services.subscribers.subscriptions import LinkedSubscription
from newsletter.vocabulary import Cadence, EvidenceSource, SubscriptionStatus
from newsletter.web.locale import set_languages, translate_texts
from newsletter.web.responses import make_evidence, mark_private, render_page

blueprint = Blueprint("subscriber_links", __name__)

NO_ERRORS: Mapping[str, str] = MappingProxyType({})
REASON_WORDS = subscriptions.REASON_WORDS
MAILED = (RequestedLink.ACCOUNT, RequestedLink.EXPORT, RequestedLink.ERASE)


@blueprint.get("/confirm/<path:token>")
def confirm_page(token: str) -> Response:
    """Show a button to confirm a subscription."""
    subscription = subscriptions.get_request(environment(), token)
    return _render_subscription(
        "confirmed.html" if subscription.status is SubscriptionStatus.ACTIVE else "confirm.html",
        subscription,
    )


@blueprint.post("/confirm/<path:token>")
def confirm(token: str) -> Response:
    """Confirm the subscription; idempotent."""
    return _render_subscription(
        "confirmed.html",
        subscriptions.confirm(environment(), token, make_evidence(EvidenceSource.LINK)),
    )


@blueprint.get("/never/<path:token>")
def never_page(token: str) -> Response:
    """Show a button to report a sign-up that the visitor did not request."""
    return _render_never(privacy.find_disputed_request(environment(), token))


@blueprint.post("/never/<path:token>")
def never(token: str) -> Response:
    """Erase a visitor who did not sign up; idempotent."""
    return _render_never(
        privacy.dispute_request(environment(), token, make_evidence(EvidenceSource.LINK))
    )


def _render_never(subscription: LinkedSubscription | None) -> Response:
    if subscription is None:
        return mark_private(render_page("erased.html"))
    return _render_subscription("never.html", subscription)


@blueprint.get("/unsubscribe/<path:token>")
def unsubscribe_page(token: str) -> Response:
    """Show a button to unsubscribe, and offer fewer mails instead."""
    subscription = subscriptions.get_subscription(environment(), token)
    template = (
        "unsubscribed.html"
        if subscription.status is SubscriptionStatus.UNSUBSCRIBED
        else "unsubscribe.html"
    )
    return _render_subscription(
        template, subscription, preferences=_make_preferences_link(subscription, token)
    )


@blueprint.post("/unsubscribe/<path:token>")
def unsubscribe(token: str) -> Response:
    """Unsubscribe, also by a mail program's one-click POST (RFC 8058).

    A mail program's one-click POST (RFC 8058 section 3.2) gets a short 200 without redirect; the
    page's buttons may take it back, slow it down, or give a reason.
    """
    env = environment()
    form = request.form
    if form.get("List-Unsubscribe") == "One-Click":
        subscriptions.unsubscribe(env, token, make_evidence(EvidenceSource.ONE_CLICK))
        return mark_private(Response("Unsubscribed.\n", mimetype="text/plain"))
    if form.get("undo"):
        cadence = find_member(Cadence, form.get("cadence"))
        pause = bool(form.get("break"))
        subscription = subscriptions.undo_unsubscribe(
            env, token, make_evidence(EvidenceSource.LINK), cadence=cadence, pause=pause
        )
        return _render_subscription(
            "resubscribed.html",
            subscription,
            preferences=_make_preferences_link(subscription, token),
        )
    if form.get("reason"):
        subscription = subscriptions.give_reason(
            env, token, form["reason"], make_evidence(EvidenceSource.LINK)
        )
    else:
        subscription = subscriptions.unsubscribe(env, token, make_evidence(EvidenceSource.LINK))
    return _render_subscription("unsubscribed.html", subscription, thanked=bool(form.get("reason")))


def _render_subscription(
    template: str, subscription: LinkedSubscription, *, preferences: str = "", thanked: bool = False
) -> Response:
    """Render a page about one subscription, in its subscriber's language."""
    set_languages(subscriber=subscription.language, mailing_list=subscription.list_language)
    return mark_private(
        render_page(
            template,
            subscription=subscription,
            preferences=preferences,
            thanked=thanked,
            reasons=translate_texts(REASON_WORDS),
        )
    )


def _make_preferences_link(subscription: LinkedSubscription, token: str) -> str:
    """Return a link to the same subscription's preferences.

    Empty from a mailbox that its subscriber has left.
    """
    env = environment()
    if subscription.retired:
        return ""
    return env.links.preferences(env.tokens.open(LinkPurpose.UNSUBSCRIBE, token, env.now), env.now)


@blueprint.get("/preferences/<path:token>")
def preferences_page(token: str) -> Response:
    """Show a subscriber's preferences."""
    return _render_preferences(prefs.get_preferences(environment(), token))


@blueprint.post("/preferences/<path:token>")
def preferences(token: str) -> Response:
    """Save preferences, or mail a link with a wider scope."""
    env = environment()
    form = request.form
    try:
        for kind in MAILED:
            if form.get(kind):
                return _render_preferences(prefs.mail_link(env, token, kind), done="mailed")
        if "address" in form:
            return _render_preferences(
                prefs.request_address_change(
                    env, token, form["address"], request.remote_addr or ""
                ),
                done="asked",
            )
        return _render_preferences(
            prefs.change_preferences(
                env, token, form.to_dict(), make_evidence(EvidenceSource.PREFERENCES)
            ),
            done="saved",
        )
    except InvalidInput as error:
        return _render_preferences(
            prefs.get_preferences(env, token), errors=error.fields, typed=form.get("address", "")
        )


def _render_preferences(
    preferences: Preferences,
    *,
    errors: Mapping[str, str] = NO_ERRORS,
    done: str = "",
    typed: str = "",
) -> Response:
    set_languages(subscriber=preferences.language, mailing_list=preferences.list_language)
    status = 422 if errors else 200
    return mark_private(
        render_page(
            "preferences.html",
            status,
            prefs=preferences,
            errors=translate_texts(errors),
            done=done,
            typed=typed,
        )
    )


@blueprint.get("/address/<path:token>")
def address_page(token: str) -> Response:
    """Show a button to confirm a new address."""
    return _render_address_change(address_change.get_change(environment(), token))


@blueprint.post("/address/<path:token>")
def address(token: str) -> Response:
    """Change a subscriber's address to the confirmed one."""
    return _render_address_change(
        address_change.confirm_change(environment(), token, make_evidence(EvidenceSource.LINK))
    )


def _render_address_change(change: AddressChangeView) -> Response:
    set_languages(subscriber=change.language, mailing_list=change.list_language)
    return mark_private(render_page("address.html", move=change))


@blueprint.get("/address-undo/<path:token>")
def address_undo_page(token: str) -> Response:
    """Show a button to undo a change of address."""
    return _render_undo(get_undo(environment(), token))


@blueprint.post("/address-undo/<path:token>")
def address_undo(token: str) -> Response:
    """Undo a change of address."""
    return _render_undo(undo_change(environment(), token, make_evidence(EvidenceSource.LINK)))


def _render_undo(move: AddressChangeView) -> Response:
    set_languages(mailing_list=move.list_language)
    return mark_private(render_page("address_undo.html", move=move))


@blueprint.get("/export/<path:token>")
def export_page(token: str) -> Response:
    """Show a button to export the data, so that a scanner gets nothing personal."""
    return _render_question(LinkPurpose.EXPORT, token, "export.html")


@blueprint.post("/export/<path:token>")
def export(token: str) -> Response:
    """Return all data of the subscriber as a file."""
    answer = mark_private(jsonify(privacy.export_data(environment(), token)))
    answer.headers["Content-Disposition"] = 'attachment; filename="my-newsletter-data.json"'
    return answer


@blueprint.get("/erase/<path:token>")
def erase_page(token: str) -> Response:
    """Show a button to erase all data."""
    return _render_question(LinkPurpose.ERASE, token, "erase.html")


@blueprint.post("/erase/<path:token>")
def erase(token: str) -> Response:
    """Erase the subscriber."""
    subscription = privacy.erase(environment(), token)
    if subscription is not None:
        set_languages(subscriber=subscription.language, mailing_list=subscription.list_language)
    return mark_private(render_page("erased.html"))


def _render_question(purpose: LinkPurpose, token: str, template: str) -> Response:
    subscription = privacy.find_linked_subscription(environment(), purpose, token)
    if subscription is None:
        return mark_private(render_page("erased.html"))
    return _render_subscription(template, subscription)


@blueprint.get("/link")
def link_page() -> Response:
    """Show the form that requests a link."""
    return mark_private(render_page("link.html", error="", typed="", resource=""))


@blueprint.post("/link")
def link() -> Response:
    """Mail a new link to an address, or to the subscriber of an expired link.

    The answer is the same for everybody.
    """
    env = environment()
    form = request.form
    typed = form.get("email", "")
    resource = form.get("resource", "")
    set_languages(form=form.get("language"))
    try:
        if form.get("token"):
            link_requests.renew_link(
                env,
                _read_purpose(form.get("purpose", "")),
                form["token"],
                make_evidence(EvidenceSource.FORM),
            )
        else:
            link_requests.mail_link_to_address(
                env, typed, make_evidence(EvidenceSource.FORM), resource=resource
            )
    except InvalidInput as error:
        return mark_private(
            render_page(
                "link.html",
                422,
                error=translate_texts(error.fields)["email"],
                typed=typed,
                resource=resource,
            )
        )
    return mark_private(render_page("link_sent.html"))


def _read_purpose(text: str) -> LinkPurpose:
    for purpose in LinkPurpose:
        if text == purpose and purpose.renewable:
            return purpose
    raise LinkInvalid
