"""The author's campaigns: list, report, sent mail; pause, resume, cancel."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, request, url_for

from newsletter.access_vocabulary import AuthorRole
from newsletter.services.authors.scope import Scope
from newsletter.services.campaigns import browse, campaigns, tapped_answers
from newsletter.services.campaigns.campaigns import CampaignView
from newsletter.services.runtime import Environment, environment
from newsletter.services.statistics import caveats, read
from newsletter.web.author import plots
from newsletter.web.author.access import current_author, make_blueprint, page, report_done
from newsletter.web.author.frames import frame_mail
from newsletter.web.author.paging import read_key
from newsletter.web.locale import translate_texts
from newsletter.web.responses import render_page

blueprint = make_blueprint("campaigns", __name__)

HOURS = 72
"""Columns of ten minutes in the plot of a campaign's first hours."""


@page(blueprint, "/campaigns", AuthorRole.VIEWER)
def index() -> Response:
    """List the campaigns of the author's lists, newest first."""
    key = read_key(request.args.get("before"))
    listing = browse.list_page(list(current_author().lists), before=key)
    campaign_ids = [row.id for row in listing.campaigns]
    return render_page(
        "author/campaigns.html",
        listing=listing,
        reactions=read.read_reactions_by_id(campaign_ids),
        answers=tapped_answers.count_answers(campaign_ids),
    )


@page(blueprint, "/campaigns/<int:campaign_id>", AuthorRole.VIEWER, scope=Scope.CAMPAIGN)
def show(campaign_id: int) -> Response:
    """Show the report of a campaign."""
    author = current_author()
    named = (
        tapped_answers.list_named(campaign_id, limited=author.limited)
        if author.may(AuthorRole.EDITOR)
        else []
    )
    messages, reactions = read.read_messages(campaign_id)
    columns = [(row.accepted, row.deferred, row.refused) for row in messages.minutes[:HOURS]]
    return render_page(
        "author/campaign.html",
        messages=messages,
        reactions=reactions,
        hours=plots.draw_stacks(columns, ("accepted", "deferred", "refused")),
        limits=translate_texts(caveats.CAVEATS),
        campaign=campaigns.get_campaign(campaign_id),
        questions=tapped_answers.read_results(campaign_id),
        named=named,
        failures=browse.group_failures(campaign_id),
    )


@page(blueprint, "/campaigns/<int:campaign_id>/html", AuthorRole.VIEWER, scope=Scope.CAMPAIGN)
def html(campaign_id: int) -> Response:
    """Serve the HTML of a campaign's mail for a frame."""
    return frame_mail(campaigns.hide_slots(campaigns.get_content(campaign_id).html))


@page(blueprint, "/campaigns/<int:campaign_id>/text", AuthorRole.VIEWER, scope=Scope.CAMPAIGN)
def text(campaign_id: int) -> Response:
    """Serve the plain text of a campaign's mail."""
    words = campaigns.hide_slots(campaigns.get_content(campaign_id).text)
    return Response(words, mimetype="text/plain")


def _add_act(
    name: str,
    act: Callable[[Environment, int], CampaignView],
    role: AuthorRole,
    *,
    recent: bool = False,
) -> None:
    """Register the page to which a button of the report posts."""

    def do(campaign_id: int) -> Response:
        act(environment(), campaign_id)
        return report_done(url_for("author_campaigns.show", campaign_id=campaign_id))

    do.__name__ = name
    do.__doc__ = f"Change a campaign: {name}."
    rule = f"/campaigns/<int:campaign_id>/{name}"
    guard = page(blueprint, rule, role, methods=("POST",), recent=recent, scope=Scope.CAMPAIGN)
    guard(do)


@page(
    blueprint,
    "/campaigns/<int:campaign_id>/undo",
    AuthorRole.EDITOR,
    methods=("POST",),
    scope=Scope.CAMPAIGN,
)
def undo(campaign_id: int) -> Response:
    """Unschedule a letter, and open its draft."""
    campaigns.take_back(environment(), campaign_id)
    return report_done(url_for("author_letters.show", campaign_id=campaign_id))


_add_act("pause", campaigns.pause, AuthorRole.EDITOR)
_add_act("resume", campaigns.resume, AuthorRole.OWNER, recent=True)
_add_act("cancel", campaigns.cancel, AuthorRole.OWNER, recent=True)
_add_act("retry", campaigns.retry, AuthorRole.OWNER, recent=True)
