"""The author's next digest: time, recipients, preview; hold, release, send now, skip."""

from __future__ import annotations

from flask import Response, request, url_for

from newsletter.access_vocabulary import AuthorRole
from newsletter.closed_sets import find_member
from newsletter.errors import NotFound
from newsletter.services.authors.scope import Scope
from newsletter.services.campaigns import campaigns
from newsletter.services.digests import due, intros, review_acts, upcoming
from newsletter.services.digests.explain_list import COUNTED_AT_MOST
from newsletter.services.runtime import environment
from newsletter.vocabulary import Cadence
from newsletter.web.author.access import make_blueprint, page, report_done
from newsletter.web.author.audience_count import RecipientCount
from newsletter.web.author.frames import frame_mail
from newsletter.web.responses import render_page

blueprint = make_blueprint("digests", __name__)

RULE = "/digests/<slug>/<cadence>"


@page(blueprint, RULE, AuthorRole.VIEWER, scope=Scope.LIST)
def show(slug: str, cadence: str) -> Response:
    """Show the next digest of a cadence, or a note if a mail's link is about an earlier one."""
    word = _read_cadence(cadence)
    digest = upcoming.read_upcoming(environment(), slug, word)
    review_id = request.args.get("review")
    review = digest.outlook.review
    is_over = bool(review_id) and (review is None or str(review.id) != review_id)
    is_counted = digest.cut and request.args.get("count") == "1"
    count = upcoming.count_recipients(environment(), slug, word) if is_counted else None
    return render_page(
        "author/digest.html",
        digest=digest,
        is_over=is_over,
        count=None if count is None else RecipientCount(count),
    )


@page(blueprint, f"{RULE}/recipients", AuthorRole.VIEWER, scope=Scope.LIST)
def recipients(slug: str, cadence: str) -> Response:
    """Return the number of recipients of the next digest, as a part of its page."""
    count = upcoming.count_recipients(environment(), slug, _read_cadence(cadence))
    return render_page("author/recipients.html", count=RecipientCount(count))


@page(blueprint, f"{RULE}/html", AuthorRole.VIEWER, scope=Scope.LIST)
def html(slug: str, cadence: str) -> Response:
    """Serve the HTML of the next digest for a frame."""
    preview = due.preview(
        environment(), slug, _read_cadence(cadence), count_at_most=COUNTED_AT_MOST
    )
    return frame_mail(campaigns.hide_slots(preview.content.html))


@page(blueprint, f"{RULE}/hold", AuthorRole.EDITOR, methods=("POST",), scope=Scope.LIST)
def hold(slug: str, cadence: str) -> Response:
    """Hold the next digest until it is released."""
    review_acts.hold(environment(), slug, _read_cadence(cadence))
    return _redirect_back(slug, cadence)


@page(
    blueprint, f"{RULE}/release", AuthorRole.OWNER, methods=("POST",), recent=True, scope=Scope.LIST
)
def release(slug: str, cadence: str) -> Response:
    """Release a held digest, to go out at its time or immediately if that is over."""
    review_acts.release(environment(), slug, _read_cadence(cadence))
    return _redirect_back(slug, cadence)


@page(blueprint, f"{RULE}/send", AuthorRole.OWNER, methods=("POST",), recent=True, scope=Scope.LIST)
def send(slug: str, cadence: str) -> Response:
    """Schedule the digest to be sent in a minute, in which it can be held."""
    key = request.form.get("key", "")
    review_acts.send_soon(environment(), slug, _read_cadence(cadence), key=key)
    return _redirect_back(slug, cadence)


@page(blueprint, f"{RULE}/skip", AuthorRole.EDITOR, methods=("POST",), scope=Scope.LIST)
def skip(slug: str, cadence: str) -> Response:
    """Skip the next digest; its entries go with the one after it."""
    key = request.form.get("key", "")
    review_acts.skip(environment(), slug, _read_cadence(cadence), key=key)
    return _redirect_back(slug, cadence)


@page(
    blueprint,
    f"{RULE}/leave-out/<int:entry_id>",
    AuthorRole.EDITOR,
    methods=("POST",),
    scope=Scope.LIST,
)
def leave_out(slug: str, cadence: str, entry_id: int) -> Response:
    """Leave an entry out of a digest that is reviewed."""
    review_acts.leave_out(environment(), slug, _read_cadence(cadence), entry_id)
    return _redirect_back(slug, cadence)


@page(blueprint, f"{RULE}/intro", AuthorRole.EDITOR, methods=("POST",), scope=Scope.LIST)
def intro(slug: str, cadence: str) -> Response:
    """Save the introduction of the digest; an empty one deletes it."""
    words = request.form.get("text", "")
    word = _read_cadence(cadence)
    if words.strip():
        intros.write_intro(environment(), slug, words, word)
    else:
        intros.clear_intros(slug, word)
    return _redirect_back(slug, cadence)


def _read_cadence(word: str) -> Cadence:
    cadence = find_member(Cadence, word)
    if cadence is None:
        raise NotFound("there is no such page")
    return cadence


def _redirect_back(slug: str, cadence: str) -> Response:
    return report_done(url_for("author_digests.show", slug=slug, cadence=cadence))
