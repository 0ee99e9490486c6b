"""The author's subscribers: search, history, corrections, unsubscribe, erase, export."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from flask import Response, request, stream_with_context, url_for

from newsletter.access_vocabulary import AuthorRole
from newsletter.closed_sets import find_member
from newsletter.errors import InvalidInput, Refused
from newsletter.i18n import Text
from newsletter.services import consent
from newsletter.services.authors.scope import Scope, require_visible
from newsletter.services.campaigns import browse as campaigns
from newsletter.services.campaigns import explain_delivery
from newsletter.services.campaigns.browse import CampaignChoice
from newsletter.services.runtime import environment
from newsletter.services.subscribers import admin, browse, correct, history, privacy
from newsletter.services.subscribers.correct import Correction
from newsletter.services.transfer import export_subscribers
from newsletter.vocabulary import Cadence
from newsletter.web.author.access import current_author, make_blueprint, page, report_done
from newsletter.web.author.paging import read_key
from newsletter.web.locale import translate_texts
from newsletter.web.responses import render_page

blueprint = make_blueprint("subscribers", __name__)

MAX_SEARCH = 100
OF_ALL_LISTS = Text("Name and tags belong to all lists: only an author of all lists changes them.")
PERSON = "/subscribers/<subscriber>"


@page(blueprint, "/subscribers", AuthorRole.EDITOR)
def index() -> Response:
    """Search subscribers, or list the newest."""
    author = current_author()
    lists = list(author.lists)
    typed = request.args.get("search", "").strip()[:MAX_SEARCH]
    after = request.args.get("after", "")[:MAX_SEARCH]
    if typed:
        listing = browse.search(lists, typed, limited=author.limited, after=after)
    else:
        listing = browse.list_newest(lists, limited=author.limited, before=after)
    return render_page("author/subscribers.html", listing=listing, typed=typed)


@page(blueprint, "/subscribers/add", AuthorRole.EDITOR)
def add_page() -> Response:
    """Show the form that adds a subscriber."""
    return _render_add({}, {})


@page(blueprint, "/subscribers/add", AuthorRole.EDITOR, methods=("POST",))
def add() -> Response:
    """Add a subscriber, who is mailed a confirmation.

    An author of some lists gets one answer, whatever is known of the address.
    """
    form = request.form
    slug = _read_slug()
    if slug is None:
        raise InvalidInput({"list": Text("Please choose a list.")})
    added = admin.Addition(
        form.get("email", ""),
        slug,
        name=form.get("name", ""),
        language=form.get("language", ""),
        cadence=_read_cadence(form.get("cadence", "")),
        tag=() if current_author().limited else _read_words(form.get("tag", "")),
    )
    try:
        admin.add_subscriber(environment(), added)
    except InvalidInput as error:
        return _render_add(form, translate_texts(error.fields))
    except Refused:
        if not current_author().limited:
            raise
    return report_done(url_for("author_subscribers.index"))


def _render_add(typed: Mapping[str, str], errors: Mapping[str, str]) -> Response:
    return render_page(
        "author/subscriber_add.html",
        422 if errors else 200,
        typed=typed,
        errors=errors,
        lists=list(current_author().lists.values()),
    )


@page(blueprint, PERSON, AuthorRole.EDITOR, scope=Scope.SUBSCRIBER)
def show(subscriber: str) -> Response:
    """Show a subscriber's history on the lists that the author may see."""
    return render_page(
        "author/subscriber.html",
        handle=subscriber,
        history=history.get_history(environment(), browse.get_address(subscriber), _list_visible()),
        cadences=list(Cadence),
        campaigns=_list_campaigns(),
        explanation=_explain(subscriber),
    )


@page(blueprint, f"{PERSON}/correct", AuthorRole.EDITOR, methods=("POST",), scope=Scope.SUBSCRIBER)
def correct_page(subscriber: str) -> Response:
    """Change a subscriber's name and tags, or their cadence and pause on one list.

    Nobody is mailed. What the author may not see is not changed: without a list, no subscription.
    An author of some lists changes what belongs to these lists, and not what all lists show.
    """
    form = request.form
    slug = _read_slug()
    if current_author().limited and (slug is None or form.get("tag") or form.get("untag")):
        raise InvalidInput({"name": OF_ALL_LISTS})
    correction = Correction(
        name=form.get("name") if slug is None else None,
        slug=slug,
        cadence=_read_cadence(form.get("cadence", "")) if slug else None,
        pause_until=_read_day(form.get("pause", "")) if slug else None,
        resume=slug is not None and not form.get("pause"),
        tag=_read_words(form.get("tag", "")),
        untag=_read_words(form.get("untag", "")),
    )
    correct.correct_subscriber(environment(), browse.get_address(subscriber), correction)
    return _redirect_back(subscriber)


@page(
    blueprint, f"{PERSON}/unsubscribe", AuthorRole.EDITOR, methods=("POST",), scope=Scope.SUBSCRIBER
)
def unsubscribe(subscriber: str) -> Response:
    """End one subscription; the subscriber is mailed a goodbye."""
    address = browse.get_address(subscriber)
    slug = _read_slug()
    if slug is None:
        raise InvalidInput({"list": Text("Please choose a list.")})
    admin.unsubscribe(environment(), address, slug)
    return _redirect_back(subscriber)


@page(
    blueprint,
    f"{PERSON}/erase",
    AuthorRole.OWNER,
    methods=("POST",),
    everywhere=True,
    recent=True,
    scope=Scope.SUBSCRIBER,
)
def erase(subscriber: str) -> Response:
    """Erase a subscriber, keeping only a keyed hash of the address."""
    privacy.erase_address(environment(), browse.get_address(subscriber))
    return report_done(url_for("author_subscribers.index"))


@page(blueprint, f"{PERSON}/proof", AuthorRole.OWNER, everywhere=True, scope=Scope.SUBSCRIBER)
def proof(subscriber: str) -> Response:
    """Show the proof of a subscriber's consent."""
    record = consent.get_proof(environment(), browse.get_address(subscriber))
    return render_page("author/proof.html", proof=record, handle=subscriber)


@page(
    blueprint,
    "/subscribers/export",
    AuthorRole.OWNER,
    methods=("POST",),
    everywhere=True,
    recent=True,
)
def export() -> Response:
    """Download every subscriber, or those of one list, as `subscriber export` writes them."""
    slug = _read_slug()
    pieces = stream_with_context(export_subscribers.iterate_pieces(slug=slug))
    response = Response(pieces, mimetype="text/csv")
    name = f"subscribers-{slug}.csv" if slug else "subscribers.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _list_visible() -> Collection[int] | None:
    """Return the lists that the author may see, None for all."""
    author = current_author()
    return author.lists.keys() if author.limited else None


def _list_campaigns() -> list[CampaignChoice]:
    """List the campaigns whose delivery can be explained; none for list-limited authors."""
    author = current_author()
    return [] if author.limited else campaigns.list_started(author.lists)


def _explain(subscriber: str) -> explain_delivery.DeliveryExplanation | None:
    """Explain the delivery of a requested campaign to a subscriber.

    The reasons may name other lists, so only authors of every list may ask.
    """
    campaign_id = read_key(request.args.get("campaign"))
    if not campaign_id or current_author().limited:
        return None
    require_visible(current_author(), Scope.CAMPAIGN, campaign_id)
    address = browse.get_address(subscriber)
    return explain_delivery.explain_delivery(environment(), campaign_id, address)


def _read_slug() -> str | None:
    """Read the list's slug from the form.

    Raises `NotFound` for one that the author may not see.
    """
    slug = request.form.get("list") or None
    if slug is not None:
        require_visible(current_author(), Scope.LIST, slug)
    return slug


def _read_day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidInput({"pause": Text("Please choose a day.")}) from None


def _read_cadence(text: str) -> Cadence | None:
    cadence = find_member(Cadence, text)
    if text and cadence is None:
        raise InvalidInput({"cadence": Text("Please choose one of those offered.")})
    return cadence


def _read_words(text: str) -> list[str]:
    return [word for word in text.replace(",", " ").split() if word]


def _redirect_back(subscriber: str) -> Response:
    return report_done(url_for("author_subscribers.show", subscriber=subscriber))
