"""Describe a digest under review for the mail to its authors: facts, links, a preview."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from newsletter.errors import TemplateProblem
from newsletter.i18n import format_day_and_time, get_direction, say
from newsletter.mail import slots
from newsletter.mail.render import MailContent, fill_web_url
from newsletter.models import DigestReview, MailingList
from newsletter.services.digests.entry_view import find_direction
from newsletter.services.digests.layout import Editor
from newsletter.services.digests.plan import DigestPlan, make_plan
from newsletter.services.digests.review_acts import mark_author, show_review
from newsletter.services.digests.reviews import Review, describe_row
from newsletter.services.digests.selection import Candidate
from newsletter.services.mail_context import CADENCE_TEXT
from newsletter.services.runtime import Environment
from newsletter.stored_texts import say_stored

BEGIN = "<!-- content -->"
END = "<!-- /content -->"
"""The marks of `layout.html` around the content of a mail."""
FOOT = "\n--\n"
"""The mark of `foot.txt` below the content of a mail."""


@dataclass(frozen=True, slots=True)
class LinkedEntry:
    """An entry with the link that leaves it out of the digest."""

    title: str
    direction: str
    leave_out_url: str


@dataclass(frozen=True, slots=True)
class ReviewContent:
    """The attributes of `review` in the templates of its mail.

    `when`: the moment it goes, in words. `text` and `html` show the digest, both empty where its
    templates are broken (`problem`). The links to pages of the author need a log-in.
    """

    subject: str
    when: str
    cadence_text: str
    recipients: int
    waits: bool
    entries: tuple[LinkedEntry, ...]
    hold_url: str
    page_url: str
    text: str
    html: str
    problem: str


def describe_review(
    env: Environment, session: Session, review_id: int, language: str, *, to: str
) -> ReviewContent:
    """Describe a review as it is now, in a language, with the links of the author at `to`."""
    row = session.get_one(DigestReview, review_id)
    mailing_list = session.get_one(MailingList, row.list_id)
    review = describe_row(row)
    content, problem = _render(env, session, mailing_list, review)
    links = env.links
    name = f"{review.handle}.{mark_author(env, to)}"
    entries = tuple(
        LinkedEntry(
            _isolate(entry.title, language),
            find_direction(entry.title, language),
            links.review(name, f"leave-out/{entry.id}", env.now),
        )
        for entry in show_review(session, row).entries
        if not entry.gone
    )
    return ReviewContent(
        subject=content.subject or ", ".join(entry.title for entry in entries[:2]),
        when=_say_moment(review, language, mailing_list.zone),
        cadence_text=say(CADENCE_TEXT[review.cadence], language),
        recipients=review.recipients,
        waits=review.stopped,
        entries=entries,
        hold_url=links.review(name, "hold", env.now),
        page_url=links.author(f"digests/{mailing_list.slug}/{review.cadence}?review={review.id}"),
        text=content.text,
        html=content.html,
        problem=say_stored(problem, language),
    )


def _isolate(title: str, language: str) -> str:
    """Isolate a title of the other writing direction from the text around it (UAX 9)."""
    if find_direction(title, language) == get_direction(language):
        return title
    return f"\u2068{title}\u2069"


def _say_moment(review: Review, language: str, zone: ZoneInfo) -> str:
    return format_day_and_time(review.go_at, language, zone, style="full") if review.go_at else ""


def _render(
    env: Environment, session: Session, mailing_list: MailingList, review: Review
) -> tuple[MailContent, str]:
    """Render the digest in its list's language without personal links; return problems as well."""
    plan = make_plan(env, session, mailing_list, review.cadence, review=review)
    entries = select_reviewed(plan, review)
    if not entries:
        return MailContent("", "", ""), ""
    editor = Editor(env, session, plan.list, plan.style, plan.intro.text if plan.intro else "")
    try:
        content = fill_web_url(editor.render(entries), plan.list.archive_url)
    except TemplateProblem as error:
        return MailContent("", "", ""), str(error)
    values = _Nobody()
    html = slots.fill(content.html, values)
    text = slots.fill(content.text, values)
    _, _, body = html.partition(BEGIN)
    return MailContent(
        slots.fill(content.subject, values),
        text.rpartition(FOOT)[0] or text,
        body.partition(END)[0] if body else html,
    ), ""


def select_reviewed(plan: DigestPlan, review: Review) -> list[Candidate]:
    """Select the entries that a digest under review still carries, in the order of numbers."""
    return [
        entry
        for entry in plan.candidates
        if entry.id in (review.entries or ()) and entry.id not in review.left_out
    ]


class _Nobody(dict[str, str]):
    """The empty values of slots in a mail that is shown to its author."""

    def __missing__(self, name: str) -> str:
        return ""
