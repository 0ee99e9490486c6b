"""The author's drafts: create, edit, test and discard them."""

from __future__ import annotations

from flask import Response, jsonify, request, url_for
from flask_babel import gettext
from flask_wtf.csrf import CSRFError

from newsletter.access_vocabulary import AuthorRole
from newsletter.authoring.letter_fields import LetterFields, clean_body, place_in_body
from newsletter.errors import ChangedMeanwhile, InvalidInput, NotFound, Refused
from newsletter.services.authors.scope import Scope
from newsletter.services.letters import manuscripts, own_facts, preflight
from newsletter.services.letters.manuscripts import Manuscript
from newsletter.services.letters.segment_examples import list_examples
from newsletter.services.runtime import environment
from newsletter.services.sending import requested_tests
from newsletter.web.author.access import (
    current_author,
    make_blueprint,
    make_upload_ticket,
    page,
    report_done,
)
from newsletter.web.author.audience_count import count_recipients
from newsletter.web.author.paging import read_key
from newsletter.web.locale import translate_here
from newsletter.web.request_body import allow_body
from newsletter.web.responses import redirect_after_form, render_page, wants_json

blueprint = make_blueprint("letters", __name__)

FORM_AT_MOST = 1_500_000
"""The most bytes of a form with a letter."""
LETTER = "/letters/<int:campaign_id>"

for _endpoint in ("create", "save", "test"):
    allow_body(f"author_letters.{_endpoint}", FORM_AT_MOST, form_at_most=FORM_AT_MOST)


@blueprint.errorhandler(CSRFError)
def _return_text(error: CSRFError) -> Response:
    """Return the typed text to the author if the session has expired, so that it is not lost."""
    typed = read_typed()
    return render_page("author/letter_unsaved.html", 400, fields=typed)


@page(blueprint, "/letters", AuthorRole.VIEWER)
def index() -> Response:
    """List the letters of the author's lists that have not started, newest first."""
    key = read_key(request.args.get("before"))
    listing = manuscripts.list_page(list(current_author().lists), before=key)
    return render_page("author/letters.html", listing=listing)


@page(blueprint, "/letters", AuthorRole.EDITOR, methods=("POST",))
def create() -> Response:
    """Create a draft, empty or with a text that could not be saved elsewhere."""
    slug = request.form.get("list", "")
    if slug not in current_author().lists.values():
        raise NotFound("there is no such list")
    typed = read_typed()
    _require_own_facts(typed)
    campaign_id = manuscripts.start_draft(environment(), slug, typed)
    return redirect_after_form(url_for("author_letters.show", campaign_id=campaign_id))


@page(blueprint, LETTER, AuthorRole.VIEWER, scope=Scope.CAMPAIGN)
def show(campaign_id: int) -> Response:
    """Show the editor of a draft, with a preview and its preflight."""
    manuscript = manuscripts.get_manuscript(campaign_id)
    if not manuscript.is_draft:
        return redirect_after_form(url_for("author_campaigns.show", campaign_id=campaign_id))
    return render_editor(manuscript, manuscript.fields)


@page(
    blueprint,
    f"{LETTER}/save",
    AuthorRole.EDITOR,
    methods=("POST",),
    scope=Scope.CAMPAIGN,
    repeated=True,
)
def save(campaign_id: int) -> Response:
    """Save the draft, and redirect to the page of the pressed button."""
    refused = save_typed(campaign_id)
    if refused is not None:
        return refused
    if wants_json():
        return jsonify(revision=manuscripts.get_manuscript(campaign_id).revision)
    editor = url_for("author_letters.show", campaign_id=campaign_id)
    match request.form.get("next"):
        case "preview":
            return redirect_after_form(f"{editor}#preview")
        case "count":
            return redirect_after_form(f"{editor}?count=1#count")
        case "send":
            send = url_for("author_letter_send.send_page", campaign_id=campaign_id)
            return redirect_after_form(send)
    return report_done(editor)


@page(blueprint, f"{LETTER}/test", AuthorRole.EDITOR, methods=("POST",), scope=Scope.CAMPAIGN)
def test(campaign_id: int) -> Response:
    """Save the draft, and mail it to the author, marked [Test]."""
    refused = save_typed(campaign_id)
    if refused is not None:
        return refused
    try:
        requested_tests.request_test(environment(), campaign_id, current_author().email)
    except preflight.UNFINISHED as error:
        manuscript = manuscripts.get_manuscript(campaign_id)
        problem = place_in_body(str(error), manuscript.text)
        return render_editor(manuscript, manuscript.fields, 409, problem=problem)
    return report_done(url_for("author_letters.show", campaign_id=campaign_id))


@page(blueprint, f"{LETTER}/discard", AuthorRole.EDITOR, methods=("POST",), scope=Scope.CAMPAIGN)
def discard(campaign_id: int) -> Response:
    """Discard a draft for good."""
    manuscripts.discard_draft(environment(), campaign_id)
    return report_done(url_for("author_letters.index"))


def _require_own_facts(typed: LetterFields) -> None:
    """Refuse a letter of a list-limited author that uses data shared by all lists."""
    if current_author().limited:
        texts = (typed.subject, typed.subject_b, typed.preheader, typed.body)
        own_facts.require_own_facts(typed.segment, texts, own_facts.HIDDEN_FROM_AUTHORS)


def read_typed() -> LetterFields:
    """Return the letter in the form of this request."""
    form = request.form
    return LetterFields(
        subject=form.get("subject", ""),
        preheader=form.get("preheader", ""),
        segment=form.get("segment", ""),
        subject_b=form.get("subject_b", ""),
        share=form.get("share", ""),
        body=clean_body(form.get("body", "")),
    )


def save_typed(campaign_id: int) -> Response | None:
    """Save the letter in the form of this request; return a response only if it was refused.

    The answer has what was typed, so that nothing of it is lost.
    """
    typed = read_typed()
    try:
        _require_own_facts(typed)
        manuscripts.save_draft(campaign_id, typed, read_key(request.form.get("revision")))
    except InvalidInput as error:
        if wants_json():
            return _refuse_json(422, translate_here(str(error)))
        manuscript = manuscripts.get_manuscript(campaign_id)
        return render_editor(manuscript, typed, 422, problem=str(error))
    except ChangedMeanwhile:
        if wants_json():
            return _refuse_json(409, gettext("Somebody else has changed this draft meanwhile."))
        return _render_conflict(manuscripts.get_manuscript(campaign_id), typed)
    except Refused as error:
        if wants_json():
            return _refuse_json(409, translate_here(str(error)))
        return _render_conflict(manuscripts.get_manuscript(campaign_id), typed)
    return None


def render_editor(
    manuscript: Manuscript, fields: LetterFields, status: int = 200, *, problem: str = ""
) -> Response:
    """Render the editor of a draft, with `fields` in its form."""
    may_write = current_author().may(AuthorRole.EDITOR)
    checks = preflight.check_stored(environment(), manuscript.id) if may_write else []
    counted = may_write and request.args.get("count") == "1"
    hidden = own_facts.HIDDEN_FROM_AUTHORS if current_author().limited else frozenset()
    return render_page(
        "author/letter.html",
        status,
        letter=manuscript,
        fields=fields,
        checks=checks,
        place=lambda text: place_in_body(text, manuscript.text),
        problem=problem,
        examples=list_examples(manuscript.list, hidden) if may_write else [],
        ticket=make_upload_ticket() if may_write else "",
        count=count_recipients(manuscript.id) if counted else None,
    )


def _render_conflict(manuscript: Manuscript, typed: LetterFields) -> Response:
    return render_page("author/letter_conflict.html", 409, letter=manuscript, fields=typed)


def _refuse_json(status: int, text: str) -> Response:
    answer = jsonify(error=text)
    answer.status_code = status
    return answer
