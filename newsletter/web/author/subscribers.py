"""The author's subscribers: find one, read their history, correct, unsubscribe, erase, export."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Response, request, url_for

from newsletter.access_vocabulary import AuthorRole
from newsletter.errors import InvalidInput
from newsletter.i18n import Text
from newsletter.services import consent
from newsletter.services.authors.scope import Scope, require_visible
from newsletter.services.campaigns import explain_delivery
from newsletter.services.runtime import environment
from newsletter.services.subscribers import admin, browse, correct, history, privacy
from newsletter.services.subscribers.correct import Correction
from newsletter.services.transfer import export_subscribers
from newsletter.vocabulary import Cadence
from newsletter.web.author.access import current_author, make_blueprint, page, report_done
from newsletter.web.author.paging import read_key
from newsletter.web.responses import render_page

blueprint = make_blueprint("subscribers", __name__)

MAX_SEARCH = 100
PERSON = "/subscribers/<subscriber>"


@page(blueprint, "/subscribers", AuthorRole.EDITOR)
def index() -> Response:
    """Search subscribers, or list the newest."""
    author = current_author()
    lists = list(author.lists)
    typed = request.args.get("search", "").strip()[:MAX_SEARCH]
    if typed:
        after = request.args.get("after", "")[:MAX_SEARCH]
        listing = browse.search(lists, typed, limited=author.limited, after=after)
    else:
        key = read_key(request.args.get("after"))
        listing = browse.list_newest(lists, limited=author.limited, before=key)
    return render_page("author/subscribers.html", listing=listing, typed=typed)


@page(blueprint, PERSON, AuthorRole.EDITOR, scope=Scope.SUBSCRIBER)
def show(subscriber: str) -> Response:
    """Show a subscriber's history on the lists that the author may see."""
    return render_page(
        "author/subscriber.html",
        handle=subscriber,
        history=history.get_history(
            environment(), browse.get_address(subscriber), _visible_lists()
        ),
        cadences=list(Cadence),
        explanation=_explain(subscriber),
    )


@page(blueprint, f"{PERSON}/correct", AuthorRole.EDITOR, methods=("POST",), scope=Scope.SUBSCRIBER)
def correct_page(subscriber: str) -> Response:
    """Correct a subscriber's name, tags, cadence and pause; nobody is mailed."""
    form = request.form
    slug = _read_slug()
    correction = Correction(
        name=form.get("name") if slug is None else None,
        slug=slug,
        cadence=form.get("cadence") or None,
        pause_until=_read_day(form.get("pause", "")),
        resume=slug is not None and not form.get("pause"),
        tag=_read_words(form.get("tag", "")),
        untag=_read_words(form.get("untag", "")),
    )
    correct.correct_subscriber(environment(), browse.get_address(subscriber), correction)
    return _back_to(subscriber)


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
    return _back_to(subscriber)


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
    """Erase a subscriber: nothing but a keyed hash of the address is left."""
    privacy.erase_address(environment(), browse.get_address(subscriber))
    return report_done(url_for("author_subscribers.index"))


@page(blueprint, f"{PERSON}/proof", AuthorRole.OWNER, everywhere=True, scope=Scope.SUBSCRIBER)
def proof(subscriber: str) -> Response:
    """Show the record that proves a subscriber's consent."""
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
    """Download every subscriber of every list as CSV, as `subscriber export` writes it."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "subscribers.csv"
        export_subscribers.export_to_file(file)
        response = Response(file.read_bytes(), mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="subscribers.csv"'
    return response


def _visible_lists() -> Collection[int] | None:
    """Return the lists that a limited author may see, None for all."""
    author = current_author()
    return author.lists.keys() if author.limited else None


def _explain(subscriber: str) -> explain_delivery.DeliveryExplanation | None:
    """Explain why a subscriber got a campaign or not, where one is asked about.

    The reasons may name other lists, so only authors of every list may ask.
    """
    campaign_id = read_key(request.args.get("campaign"))
    if not campaign_id or current_author().limited:
        return None
    require_visible(current_author(), Scope.CAMPAIGN, campaign_id)
    address = browse.get_address(subscriber)
    return explain_delivery.explain_delivery(environment(), campaign_id, address)


def _read_slug() -> str | None:
    """Read the list that a form is about.

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


def _read_words(text: str) -> list[str]:
    return [word for word in text.replace(",", " ").split() if word]


def _back_to(subscriber: str) -> Response:
    return report_done(url_for("author_subscribers.show", subscriber=subscriber))
