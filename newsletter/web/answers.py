"""The page of a one-tap answer to a letter's question: GET shows it, POST counts it."""

from __future__ import annotations

from flask import Blueprint, Response
from flask_babel import gettext

from newsletter.errors import LinkExpired
from newsletter.services.campaigns import tapped_answers
from newsletter.services.campaigns.tapped_answers import AskedQuestion
from newsletter.services.runtime import environment
from newsletter.web.locale import set_languages
from newsletter.web.responses import mark_private, render_message, render_page

blueprint = Blueprint("answers", __name__)


@blueprint.get("/answer/<path:token>")
def answer_page(token: str) -> Response:
    """Show the question and the answer with a button, without counting it."""
    if token == "example":  # noqa: S105 (what previews and tests link to)
        return mark_private(render_page("answer_example.html"))
    try:
        return _answer(tapped_answers.get_question(environment(), token), is_counted=False)
    except LinkExpired:
        return _render_closed()


@blueprint.post("/answer/<path:token>")
def answer(token: str) -> Response:
    """Count the answer, in place of an earlier one to the same question."""
    try:
        return _answer(tapped_answers.give_answer(environment(), token), is_counted=True)
    except LinkExpired:
        return _render_closed()


def _answer(question: AskedQuestion, *, is_counted: bool) -> Response:
    set_languages(subscriber=question.language, mailing_list=question.list_language)
    return mark_private(render_page("answer.html", question=question, is_counted=is_counted))


def _render_closed() -> Response:
    text = gettext("It could be answered for seven days. You can always reply to the mail.")
    return mark_private(render_message(410, gettext("This question is closed"), text))
