"""Add pictures to drafts, by drag and drop or a form."""

from __future__ import annotations

from flask import Response, jsonify, request, url_for

from newsletter.access_vocabulary import AuthorRole
from newsletter.authoring.images import BYTES_AT_MOST
from newsletter.errors import InvalidInput, Refused
from newsletter.i18n import Text
from newsletter.services.authors.scope import Scope
from newsletter.services.letters import manuscript_pictures, manuscripts
from newsletter.services.runtime import environment
from newsletter.web.author.access import make_blueprint, page, report_done
from newsletter.web.author.letters import FORM_AT_MOST, read_typed, render_editor, save_typed
from newsletter.web.locale import translate_here
from newsletter.web.request_body import allow_body
from newsletter.web.responses import wants_json

blueprint = make_blueprint("letter_pictures", __name__)


@page(
    blueprint,
    "/upload/letters/<int:campaign_id>/picture",
    AuthorRole.EDITOR,
    methods=("POST",),
    scope=Scope.CAMPAIGN,
    upload=True,
)
def add(campaign_id: int) -> Response:
    """Store a picture of a draft, and append its Markdown to the text or return it as JSON."""
    if not wants_json() and (refused := save_typed(campaign_id)):
        return refused
    try:
        markdown = _keep(campaign_id)
    except (InvalidInput, Refused) as error:
        problem = _explain(error)
        if wants_json():
            answer = jsonify(error=translate_here(problem))
            answer.status_code = 422
            return answer
        manuscript = manuscripts.get_manuscript(campaign_id)
        return render_editor(manuscript, read_typed(), 422, problem=problem)
    if wants_json():
        return jsonify(markdown=markdown)
    manuscripts.append_text(campaign_id, markdown)
    return report_done(url_for("author_letters.show", campaign_id=campaign_id))


allow_body("author_letter_pictures.add", BYTES_AT_MOST + FORM_AT_MOST, form_at_most=FORM_AT_MOST)


def _keep(campaign_id: int) -> str:
    file = request.files.get("picture")
    if file is None or not file.filename:
        raise InvalidInput({"picture": Text("Please choose a file.")})
    return manuscript_pictures.add_picture(
        environment(),
        campaign_id,
        file.stream.read(BYTES_AT_MOST + 1),
        called=file.filename,
        description=request.form.get("description", ""),
    )


def _explain(error: InvalidInput | Refused) -> str:
    """Return the problem with an uploaded picture, with the field's name where it has one."""
    if isinstance(error, InvalidInput) and set(error.fields) == {"picture"}:
        return error.fields["picture"]
    return str(error)
