"""The health page: workers, queue, senders, backups, and the checks of `doctor`."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response

from newsletter.access_vocabulary import AuthorRole
from newsletter.i18n import Text
from newsletter.services.checks import Check
from newsletter.services.operations import health
from newsletter.services.runtime import environment
from newsletter.setup_vocabulary import CheckVerdict
from newsletter.web.author.access import make_blueprint, page
from newsletter.web.locale import translate_texts
from newsletter.web.responses import render_page

blueprint = make_blueprint("health", __name__)

VERDICT_WORDS: dict[CheckVerdict, str] = {
    CheckVerdict.BAD: Text("to mend"),
    CheckVerdict.WARN: Text("to look at"),
    CheckVerdict.UNKNOWN: Text("not known"),
    CheckVerdict.GOOD: Text("good"),
}
"""Labels of the verdicts of checks, the worst first."""


@page(blueprint, "/health", AuthorRole.OWNER, everywhere=True)
def index() -> Response:
    """Show the health of the installation from the database, without network checks."""
    return _render(())


@page(blueprint, "/health", AuthorRole.OWNER, methods=("POST",), everywhere=True)
def check() -> Response:
    """Run the checks of `doctor` within the time limit of a page."""
    return _render(health.examine_within(environment()))


def _render(checks: Sequence[Check]) -> Response:
    order = list(VERDICT_WORDS)
    return render_page(
        "author/health.html",
        health=health.read_health(environment()),
        checks=sorted(checks, key=lambda row: order.index(row.verdict)),
        verdict_words=translate_texts(VERDICT_WORDS),
    )
