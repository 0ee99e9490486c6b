"""Send or schedule a draft, after a confirmation page."""

from __future__ import annotations

from datetime import datetime

from flask import Response, request, url_for

from newsletter.access_vocabulary import AuthorRole
from newsletter.authoring import dates
from newsletter.authoring.letter_fields import place_in_body
from newsletter.errors import ChangedMeanwhile, InvalidInput
from newsletter.i18n import Text
from newsletter.schedule import get_zone
from newsletter.services.authors.scope import Scope
from newsletter.services.letters import drafts, manuscripts, preflight
from newsletter.services.letters.approve import Approval, approve_letter
from newsletter.services.letters.manuscripts import Manuscript
from newsletter.services.runtime import environment
from newsletter.web.author.access import make_blueprint, page
from newsletter.web.author.audience_count import count_recipients
from newsletter.web.author.paging import read_key
from newsletter.web.responses import redirect_after_form, render_page

blueprint = make_blueprint("letter_send", __name__)

RULE = "/letters/<int:campaign_id>/send"


@page(blueprint, RULE, AuthorRole.OWNER, recent=True, scope=Scope.CAMPAIGN)
def send_page(campaign_id: int) -> Response:
    """Show what would be sent, to whom and when, and ask for confirmation."""
    manuscript = manuscripts.get_manuscript(campaign_id)
    if not manuscript.is_draft:
        return redirect_after_form(url_for("author_campaigns.show", campaign_id=campaign_id))
    findings = preflight.check_stored(environment(), campaign_id)
    open_checks = preflight.find_open(findings, again=False, later=True)
    return _render(manuscript, Approval(None, tuple(open_checks)))


@page(blueprint, RULE, AuthorRole.OWNER, methods=("POST",), recent=True, scope=Scope.CAMPAIGN)
def send(campaign_id: int) -> Response:
    """Schedule a draft for the chosen time, or for a minute from now."""
    manuscript = manuscripts.get_manuscript(campaign_id)
    try:
        at = _read_moment(manuscript)
    except InvalidInput as error:
        return _render(manuscript, Approval(None, ()), 422, problem=error.fields["at"])
    env = environment()
    try:
        draft = drafts.load_draft(env, campaign_id, offline=True)
        if draft.revision != read_key(request.form.get("revision")):
            raise ChangedMeanwhile(
                Text("this draft was changed after you looked at it"), hint=Text("look at it again")
            )
    except preflight.UNFINISHED as error:
        words = place_in_body(str(error), manuscript.text)
        return _render(manuscript, Approval(None, ()), 409, problem=words)
    approval = approve_letter(
        env,
        draft,
        at=at,
        again=_is_ticked("again"),
        anyway=_is_ticked("anyway"),
    )
    if approval.campaign_id is None:
        return _render(manuscript, approval, 409)
    path = url_for("author_campaigns.show", campaign_id=approval.campaign_id)
    return redirect_after_form(path)


def _read_moment(manuscript: Manuscript) -> datetime | None:
    """Parse the time in the form, in the list's time zone; None for now.

    Raises `InvalidInput`.
    """
    typed = request.form.get("at", "")
    if request.form.get("when") != "at":
        if typed:
            raise InvalidInput({"at": Text("choose one: now, or at the moment that is filled in")})
        return None
    zone = get_zone(manuscript.timezone)
    return dates.parse_moment(typed, zone=zone, now=environment().now, hour=manuscript.hour)


def _render(
    manuscript: Manuscript, approval: Approval, status: int = 200, *, problem: str = ""
) -> Response:
    return render_page(
        "author/letter_send.html",
        status,
        letter=manuscript,
        approval=approval,
        place=lambda text: place_in_body(text, manuscript.text),
        problem=problem,
        again=_is_ticked("again") or any(check.id == "again" for check in approval.checks),
        anyway=_is_ticked("anyway") or approval.mild,
        ticked=[name for name in ("again", "anyway") if _is_ticked(name)],
        at=request.form.get("at", ""),
        when=request.form.get("when", "now"),
        count=count_recipients(manuscript.id) if request.args.get("count") == "1" else None,
    )


def _is_ticked(name: str) -> bool:
    return request.form.get(name) == "1"
