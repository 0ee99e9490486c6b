"""Send a letter again, to subscribers who have not received it."""

from __future__ import annotations

from flask import Response, request, url_for

from newsletter.access_vocabulary import AuthorRole
from newsletter.errors import InvalidInput, NotFound, Refused
from newsletter.services.authors.scope import Scope
from newsletter.services.campaigns import campaigns
from newsletter.services.campaigns.campaigns import CampaignView
from newsletter.services.letters.approve import Approval, approve_letter
from newsletter.services.letters.newcomers import load_draft_to_new
from newsletter.services.runtime import environment
from newsletter.vocabulary import CampaignKind
from newsletter.web.author.access import make_blueprint, page
from newsletter.web.author.audience_count import RecipientCount
from newsletter.web.responses import redirect_after_form, render_page

blueprint = make_blueprint("newcomers", __name__)

RULE = "/campaigns/<int:campaign_id>/newcomers"


@page(blueprint, RULE, AuthorRole.OWNER, recent=True, scope=Scope.CAMPAIGN)
def show(campaign_id: int) -> Response:
    """Ask whether to send a letter to subscribers who have not received it."""
    count = _count(campaign_id) if request.args.get("count") == "1" else None
    return _render(_require_letter(campaign_id), Approval(None, ()), count=count)


@page(blueprint, f"{RULE}/count", AuthorRole.OWNER, recent=True, scope=Scope.CAMPAIGN)
def count(campaign_id: int) -> Response:
    """Return the number of subscribers who have not received a letter, as a part of its page."""
    _require_letter(campaign_id)
    return render_page("author/recipients.html", count=_count(campaign_id))


@page(blueprint, RULE, AuthorRole.OWNER, methods=("POST",), recent=True, scope=Scope.CAMPAIGN)
def send(campaign_id: int) -> Response:
    """Schedule a letter, a minute from now, for subscribers who have not received it."""
    campaign = _require_letter(campaign_id)
    env = environment()
    draft = load_draft_to_new(env, campaign_id, offline=True)
    anyway = request.form.get("anyway") == "1"
    approval = approve_letter(env, draft, again=True, anyway=anyway)
    if approval.campaign_id is None:
        return _render(campaign, approval, 409)
    path = url_for("author_campaigns.show", campaign_id=approval.campaign_id)
    return redirect_after_form(path)


def _require_letter(campaign_id: int) -> CampaignView:
    """Return a letter that has started. Raises `NotFound` for others.

    Raises `NotFound`.
    """
    campaign = campaigns.get_campaign(campaign_id)
    if campaign.kind is not CampaignKind.LETTER or campaign.started_at is None:
        raise NotFound("there is no such page")
    return campaign


def _count(campaign_id: int) -> RecipientCount:
    try:
        draft = load_draft_to_new(environment(), campaign_id, offline=True)
    except (InvalidInput, Refused) as error:
        return RecipientCount(0, str(error))
    return RecipientCount(draft.recipients)


def _render(
    campaign: CampaignView,
    approval: Approval,
    status: int = 200,
    *,
    count: RecipientCount | None = None,
) -> Response:
    return render_page(
        "author/newcomers.html",
        status,
        campaign=campaign,
        approval=approval,
        place=str,
        count=count,
    )
