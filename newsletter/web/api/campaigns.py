"""Campaigns: digests and letters that were, are and will be mailed."""

from __future__ import annotations

from flask import Blueprint, Response

from newsletter.access_vocabulary import NamedRow, TokenScope
from newsletter.errors import InvalidInput, NotFound
from newsletter.services import row_names
from newsletter.services.campaigns import campaigns, report, tapped_answers
from newsletter.services.campaigns.campaigns import CampaignView
from newsletter.services.runtime import environment
from newsletter.vocabulary import CampaignKind, CampaignStatus, DeliveryStatus
from newsletter.web.api import letter_models, models
from newsletter.web.api.answers import make_cursor, read_cursor, send
from newsletter.web.api.operations import current_caller, operation, require_list
from newsletter.web.api.subscriptions import show_address

blueprint = Blueprint("api_campaigns", __name__)

ID = "<int(max=2147483647):campaign_id>"


@operation(blueprint, "GET", "/campaigns", scope=TokenScope.READ, answer=letter_models.Campaigns)
def list_campaigns(query: letter_models.CampaignQuery) -> Response:
    """List campaigns, newest first; a token that is limited to lists names one of them."""
    if query.list is None and current_caller().is_limited:
        raise InvalidInput({"list": "name one of the token's lists"})
    criteria = campaigns.CampaignFilter(
        require_list(query.list) if query.list else None,
        kind=query.kind,
        before_id=read_cursor(NamedRow.CAMPAIGN, query.cursor),
    )
    rows = campaigns.list_campaigns(criteria, limit=query.limit)
    next_ = rows[-1].id if len(rows) == query.limit else None
    return send(
        letter_models.Campaigns(
            data=[_describe(row) for row in rows], next=make_cursor(NamedRow.CAMPAIGN, next_)
        )
    )


@operation(
    blueprint, "GET", f"/campaigns/{ID}", scope=TokenScope.READ, answer=letter_models.ApiCampaign
)
def get_campaign(campaign_id: int) -> Response:
    """Show a campaign with the state of its messages."""
    return send(_describe(get_visible(campaign_id)))


@operation(
    blueprint,
    "GET",
    f"/campaigns/{ID}/report",
    scope=TokenScope.READ,
    answer=letter_models.ApiCampaignReport,
)
def report_campaign(campaign_id: int) -> Response:
    """Show the numbers of a campaign, and what came back."""
    row = get_visible(campaign_id)
    returned = row.returned
    return send(
        letter_models.ApiCampaignReport(
            **_describe(row).model_dump(),
            bounced=returned.bounced,
            complained=returned.complained,
            replied=returned.replied,
            answers=[
                letter_models.ApiQuestion(question=one.text, choices=dict(one.choices))
                for one in tapped_answers.read_results(campaign_id)
            ],
        )
    )


@operation(
    blueprint,
    "GET",
    f"/campaigns/{ID}/deliveries",
    scope=TokenScope.WRITE,
    answer=letter_models.Deliveries,
)
def list_deliveries(campaign_id: int, query: models.Page) -> Response:
    """List the messages of a campaign, each with its result."""
    get_visible(campaign_id)
    after_id = read_cursor(NamedRow.DELIVERY, query.cursor) or 0
    rows = report.list_deliveries(campaign_id, after_id=after_id, limit=query.limit)
    data = [
        letter_models.ApiDelivery(
            id=row_names.name_row(NamedRow.DELIVERY, delivery_id),
            email=show_address(row.email),
            status=DeliveryStatus(row.status),
            attempts=row.attempts,
            code=row.code,
            text=row.text or "",
            message_id=row.message_id,
        )
        for delivery_id, row in rows
    ]
    next_ = rows[-1][0] if len(rows) == query.limit else None
    return send(letter_models.Deliveries(data=data, next=make_cursor(NamedRow.DELIVERY, next_)))


@operation(
    blueprint,
    "POST",
    f"/campaigns/{ID}/pause",
    scope=TokenScope.SEND,
    answer=letter_models.ApiCampaign,
)
def pause_campaign(campaign_id: int) -> Response:
    """Stop sending within a second or two; nobody is left out once it is resumed."""
    get_visible(campaign_id)
    return send(_describe(campaigns.pause(environment(), campaign_id)))


@operation(
    blueprint,
    "POST",
    f"/campaigns/{ID}/resume",
    scope=TokenScope.SEND,
    answer=letter_models.ApiCampaign,
)
def resume_campaign(campaign_id: int) -> Response:
    """Go on where a campaign stopped."""
    get_visible(campaign_id)
    return send(_describe(campaigns.resume(environment(), campaign_id)))


@operation(
    blueprint,
    "POST",
    f"/campaigns/{ID}/cancel",
    scope=TokenScope.SEND,
    answer=letter_models.ApiCampaign,
)
def cancel_campaign(campaign_id: int) -> Response:
    """End a campaign for good; whoever has not been mailed will not be."""
    get_visible(campaign_id)
    return send(_describe(campaigns.cancel(environment(), campaign_id)))


@operation(
    blueprint,
    "POST",
    f"/campaigns/{ID}/retry",
    scope=TokenScope.SEND,
    answer=letter_models.ApiCampaign,
)
def retry_campaign(campaign_id: int) -> Response:
    """Send once more to those it failed for or who were left in doubt, and to nobody else."""
    get_visible(campaign_id)
    return send(_describe(campaigns.retry(environment(), campaign_id)))


def get_visible(campaign_id: int) -> CampaignView:
    """Return a campaign of a list that the caller's token is for.

    Raises `NotFound`.
    """
    row = campaigns.get_campaign(campaign_id)
    if not current_caller().sees(row.list):
        raise NotFound(f"there is no campaign {campaign_id}")
    return row


def describe_campaign(campaign_id: int) -> letter_models.ApiCampaign:
    """Describe a campaign to the caller."""
    return _describe(campaigns.get_campaign(campaign_id))


def _describe(row: CampaignView) -> letter_models.ApiCampaign:
    totals = row.totals
    return letter_models.ApiCampaign(
        id=row.id,
        list=row.list,
        kind=CampaignKind(row.kind),
        subject=row.subject,
        status=CampaignStatus(row.status),
        reason=row.reason,
        segment=row.segment,
        created_at=row.created_at,
        scheduled_at=row.scheduled_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        recipients=totals.recipients,
        sent=totals.sent,
        failed=totals.failed,
        cancelled=totals.cancelled,
        waiting=totals.waiting,
        in_doubt=totals.in_doubt,
    )
