"""Render a letter for its list: pictures, Markdown, templates and merge fields.

Nothing is sent or written; the campaign or the series that the letter belongs to is the caller's.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from newsletter.authoring.images import MailPicture
from newsletter.authoring.letter_file import Letter
from newsletter.authoring.markdown import (
    LetterLink,
    RenderedLetter,
    ShownPicture,
    render_markdown,
)
from newsletter.authoring.markdown_parser import parse_markdown
from newsletter.authoring.questions import Question, require_valid
from newsletter.errors import Refused
from newsletter.i18n import Text
from newsletter.mail.render import WEB_URL, MailContent
from newsletter.mail.slots import fill, make_slot
from newsletter.mail.templating.merge_fields import Filler, MergeTemplates
from newsletter.mail.templating.placeholders import Marks
from newsletter.services import resources
from newsletter.services.audience import merge_data
from newsletter.services.audience.merge_data import Recipient
from newsletter.services.campaigns.campaigns import hide_slots
from newsletter.services.letters.pictures import (
    GatheredPictures,
    gather_pictures,
    get_picture,
)
from newsletter.services.mail_context import ANY_SUBSCRIBER, ListContext
from newsletter.services.runtime import Environment
from newsletter.vocabulary import MailKind

HTML_AT_MOST = 1_000_000
"""Characters of HTML: ten times what Gmail shows; inlining styles into more takes minutes."""


@dataclass(frozen=True, slots=True)
class LetterVersion:
    """A rendered letter with one of its subjects.

    `content` has slots for every subscriber's links and fields, which `personal` fills; `page` is
    for the archive and holds nothing personal.
    """

    content: MailContent
    personal: MergeTemplates | None
    page: MailContent
    archive_url: str


@dataclass(frozen=True, slots=True)
class PreparedLetter:
    """A letter rendered for its list, in two versions if it has two subjects."""

    list: ListContext
    letter: Letter
    versions: tuple[LetterVersion, ...]
    links: tuple[LetterLink, ...]
    shown_pictures: tuple[ShownPicture, ...]
    gathered: GatheredPictures
    questions: tuple[Question, ...]

    @property
    def fresh(self) -> tuple[MailPicture, ...]:
        """The pictures that are not stored yet."""
        return tuple(self.gathered.fresh)

    @property
    def names(self) -> dict[str, str]:
        """Return the name under which each picture is stored, by its address as written."""
        return self.gathered.names

    @property
    def notes(self) -> tuple[str, ...]:
        """Return notes for the author about pictures that are not mailed as they are."""
        return tuple(self.gathered.notes)

    @property
    def content(self) -> MailContent:
        """Return the content of its first version."""
        return self.versions[0].content

    @property
    def personal(self) -> MergeTemplates | None:
        """Return the templates that fill the fields of its first version."""
        return self.versions[0].personal


def prepare_letter(
    env: Environment,
    mailing_list: ListContext,
    letter: Letter,
    stored_pictures: Mapping[str, str] | None = None,
    *,
    offline: bool = False,
    archived: bool = True,
) -> PreparedLetter:
    """Render `letter` for a list.

    `stored_pictures` names pictures that were stored before, for those that are not in its folder
    any more; `offline` fetches no still pictures of videos; a letter that is not `archived` (of a
    series), or goes to a segment, has no link to a page.

    Raises `InvalidInput` (a missing picture, invalid Jinja), `NotFound` (a missing resource),
    `TemplateProblem`.
    """
    web_url = WEB_URL if archived and not letter.segment else ""
    require_valid(parse_markdown(letter.markdown), where="letter", line=letter.line)
    gathered = gather_pictures(
        env, mailing_list, letter, stored_pictures or {}, offline=offline, web_url=web_url
    )
    first, body = _render_version(env, mailing_list, letter, gathered)
    second = [
        _render_version(env, mailing_list, variant, gathered)[0]
        for variant in _vary_subject(letter)
    ]
    versions = (first, *second)
    return PreparedLetter(
        mailing_list, letter, versions, body.links, body.pictures, gathered, body.questions
    )


def _vary_subject(letter: Letter) -> list[Letter]:
    """Return the letter with its second subject, or None."""
    return [replace(letter, subject=letter.subject_b)] if letter.subject_b else []


def render_in_language(
    env: Environment, prepared: PreparedLetter, language: str
) -> tuple[LetterVersion, ...]:
    """Render a letter with the program's own texts in another language."""
    mailing_list = prepared.list.in_language(language)
    variants = (prepared.letter, *_vary_subject(prepared.letter))
    return tuple(
        _render_version(env, mailing_list, variant, prepared.gathered)[0] for variant in variants
    )


def _render_version(
    env: Environment, mailing_list: ListContext, letter: Letter, gathered: GatheredPictures
) -> tuple[LetterVersion, RenderedLetter]:
    marks = Marks()
    subject = marks.take(letter.subject, where="subject", line=letter.find_line("subject"))
    preheader = marks.take(letter.preheader, where="preheader", line=letter.find_line("preheader"))
    source = marks.take(letter.markdown, where="letter", line=letter.line)
    resources.require_resources(marks.resources)  # all, whoever would see them

    def render_body(answer: Callable[[int, int], str] | None) -> RenderedLetter:
        return render_markdown(
            source,
            base_url=mailing_list.site_url or mailing_list.url,
            pictures=gathered.placed,
            prepare=marks.link,
            addresses_at_end=not marks.conditional,
            language=mailing_list.language,
            answer=answer,
        )

    body = render_body(marks.answer)
    on_page = render_body(None) if body.questions else body
    if len(body.html) > HTML_AT_MOST:
        size = f"{len(body.html) / 1_000_000:.0f} MB of HTML"
        raise Refused(Text("the letter becomes %(size)s, which no mail program shows", size=size))

    def settle(body: RenderedLetter, *, web: bool) -> tuple[MailContent, MergeTemplates | None]:
        letter_values = {
            "subject": subject,
            "preheader": preheader,
            "html": marks.loosen(body.html),
            "text": body.text,
        }
        context = {
            "list": mailing_list,
            "subscriber": ANY_SUBSCRIBER,
            "letter": letter_values,
            "web_url": gathered.web_url,
            "web": web,
        }
        return marks.settle(env.renderer.render(MailKind.LETTER, context))

    content, personal = settle(body, web=False)
    page, page_personal = settle(on_page, web=True)
    archive = mailing_list.archive_url
    return (
        LetterVersion(content, personal, _fill(env, page, page_personal, None, archive), archive),
        body,
    )


def load_personal(fields: Mapping[str, Any] | None) -> MergeTemplates | None:
    """Return the templates of an edition's personal fields from their stored form."""
    return MergeTemplates.of_json(fields) if fields else None


def fill_version(
    env: Environment, version: LetterVersion, recipient: Recipient | None
) -> MailContent:
    """Fill in the merge fields of a version for a subscriber, or for nobody; keep link slots."""
    return _fill(env, version.content, version.personal, recipient, version.archive_url)


def show_to_nobody(env: Environment, version: LetterVersion) -> MailContent:
    """Return a version for a preview, with an ellipsis in place of each subscriber's data."""
    content = fill_version(env, version, None)
    return MailContent(
        hide_slots(content.subject), hide_slots(content.text), hide_slots(content.html)
    )


def _fill(
    env: Environment,
    content: MailContent,
    personal: MergeTemplates | None,
    recipient: Recipient | None,
    web_url: str,
) -> MailContent:
    values = _LetterSlots()
    if personal:
        values.update(Filler(personal)(merge_data.build_merge_values(env, recipient)))
    values["web_url"] = web_url
    return MailContent(
        fill(content.subject, values), fill(content.text, values), fill(content.html, values)
    )


class _LetterSlots(dict[str, str]):
    """The values of a letter's slots; any other slot stays unfilled."""

    def __missing__(self, name: str) -> str:
        return make_slot(name)


def inline_pictures(env: Environment, html: str, prepared: PreparedLetter) -> str:
    """Return `html` with its pictures embedded as data URLs, for previews."""
    fresh = {picture.name: picture for picture in prepared.fresh}
    for name in dict.fromkeys(prepared.names.values()):
        picture = fresh.get(name) or get_picture(name)
        data_url = f"data:{picture.media_type};base64,{b64encode(picture.data).decode()}"
        html = html.replace(env.links.picture(prepared.list.slug, name), data_url)
    return html
