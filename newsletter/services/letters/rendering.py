"""A letter made ready for its list: pictures fitted, Markdown and templates rendered, fields turned
into slots.

Sends nothing and writes nothing but pictures (`keep`); the campaign or the series that the letter
belongs to is its caller's.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.authoring.images import BYTES_AT_MOST, MailPicture, fit_for_mail
from newsletter.authoring.letter_file import Letter
from newsletter.authoring.markdown import (
    LetterLink,
    PlacedPicture,
    ShownPicture,
    find_pictures,
    render_markdown,
)
from newsletter.db.session import reading, transaction
from newsletter.errors import FeedError, InvalidInput, NotFound, Refused
from newsletter.html.video_embeds import get_picture_url
from newsletter.mail.render import WEB_URL, MailContent
from newsletter.mail.slots import fill, make_slot
from newsletter.mail.templating.merge_fields import Filler, MergeTemplates
from newsletter.mail.templating.placeholders import Marks
from newsletter.models import Picture
from newsletter.services import resources
from newsletter.services.audience import merge_data
from newsletter.services.audience.merge_data import Recipient
from newsletter.services.mail_context import ANY_SUBSCRIBER, ListContext
from newsletter.services.runtime import Environment

VIDEO = "video:"
HTML_AT_MOST = 1_000_000
"""Characters.

Ten times what Gmail shows; styling more than that takes minutes.
"""


@dataclass(frozen=True, slots=True)
class LetterVersion:
    """One subject of a letter, rendered: with slots for every reader's links and fields (`personal`
    fills these), and as a `page` for the archive, with nothing of any reader.
    """

    content: MailContent
    personal: MergeTemplates | None
    page: MailContent
    archive_url: str


@dataclass(frozen=True, slots=True)
class PreparedLetter:
    """A letter ready for its list.

    `versions` are one, or two where it tries out two subjects.
    """

    list: ListContext
    letter: Letter
    versions: tuple[LetterVersion, ...]
    links: tuple[LetterLink, ...]
    shown: tuple[ShownPicture, ...]
    gathered: GatheredPictures

    @property
    def fresh(self) -> tuple[MailPicture, ...]:
        """Pictures that are not stored yet."""
        return tuple(self.gathered.fresh)

    @property
    def names(self) -> dict[str, str]:
        """Which kept picture each local one became."""
        return self.gathered.names

    @property
    def notes(self) -> tuple[str, ...]:
        """What went less than well."""
        return tuple(self.gathered.notes)

    @property
    def content(self) -> MailContent:
        """Its first version."""
        return self.versions[0].content

    @property
    def personal(self) -> MergeTemplates | None:
        """What fills its first version's fields."""
        return self.versions[0].personal


@dataclass(slots=True)
class GatheredPictures:
    """What a letter's versions need: its pictures in their places, and its address in the archive,
    if it has one.
    """

    web_url: str
    placed: dict[str, PlacedPicture] = field(default_factory=dict)
    fresh: list[MailPicture] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def prepare_letter(
    env: Environment,
    mailing_list: ListContext,
    letter: Letter,
    kept: Mapping[str, str] | None = None,
    *,
    offline: bool = False,
    archived: bool = True,
) -> PreparedLetter:
    """`letter` rendered for a list.

    `kept` names pictures that were stored before, for those that are not in its folder any more;
    `offline` asks nobody for a video's still picture; one that is not `archived` (of a series), or
    goes to a segment, has no link to a page.

    Raises `InvalidInput` (a picture that is not there, Jinja that cannot be), `NotFound` (a
    resource that is not there), `TemplateProblem`.
    """
    web_url = WEB_URL if archived and not letter.segment else ""
    gathered = _gather(env, mailing_list, letter, kept or {}, offline=offline, web_url=web_url)
    first, links, shown = _version(env, mailing_list, letter, gathered)
    second = [_version(env, mailing_list, other, gathered)[0] for other in _others(letter)]
    return PreparedLetter(mailing_list, letter, (first, *second), links, shown, gathered)


def _others(letter: Letter) -> list[Letter]:
    """The letter with its second subject, if it has one."""
    return [replace(letter, subject=letter.subject_b)] if letter.subject_b else []


def render_in_language(
    env: Environment, prepared: PreparedLetter, language: str
) -> tuple[LetterVersion, ...]:
    """The versions of a letter for readers of another language: what stands around the author's
    words is in it.
    """
    shown, letter = prepared.list.in_language(language), prepared.letter
    return tuple(
        _version(env, shown, one, prepared.gathered)[0] for one in (letter, *_others(letter))
    )


def _version(
    env: Environment, mailing_list: ListContext, letter: Letter, gathered: GatheredPictures
) -> tuple[LetterVersion, tuple[LetterLink, ...], tuple[ShownPicture, ...]]:
    marks = Marks()
    subject = marks.take(letter.subject, where="subject", line=letter.line_of("subject"))
    preheader = marks.take(letter.preheader, where="preheader", line=letter.line_of("preheader"))
    source = marks.take(letter.markdown, where="letter", line=letter.line)
    resources.require_resources(marks.resources)  # whichever subscribers would be shown them
    body = render_markdown(
        source,
        base_url=mailing_list.site_url or mailing_list.url,
        pictures=gathered.placed,
        prepare=marks.link,
        addresses_at_end=not marks.conditional,
        language=mailing_list.language,
    )
    if len(body.html) > HTML_AT_MOST:
        raise Refused(
            f"the letter becomes {len(body.html) / 1_000_000:.0f} MB of HTML, which no mail program shows"
        )
    told = {
        "subject": subject,
        "preheader": preheader,
        "html": marks.loosen(body.html),
        "text": body.text,
    }
    context = {
        "list": mailing_list,
        "subscriber": ANY_SUBSCRIBER,
        "letter": told,
        "web_url": gathered.web_url,
    }
    content, personal = marks.settle(env.renderer.render("letter", {**context, "web": False}))
    page, own = marks.settle(env.renderer.render("letter", {**context, "web": True}))
    archive = mailing_list.archive_url
    return (
        LetterVersion(content, personal, _for(env, page, own, None, archive), archive),
        body.links,
        body.pictures,
    )


# ── pictures
# ───────────────────────────────────────────────────────────────────────────────────────


def _gather(
    env: Environment,
    mailing_list: ListContext,
    letter: Letter,
    kept: Mapping[str, str],
    *,
    offline: bool,
    web_url: str,
) -> GatheredPictures:
    found = GatheredPictures(web_url)
    for written in find_pictures(letter.markdown):
        if written.startswith(VIDEO):
            fitted = kept.get(written) or (
                None if offline else _still(env, written.removeprefix(VIDEO), found)
            )
        elif is_beside_letter(written):
            fitted = _local(letter, written) or kept.get(written)
            if fitted is None:
                raise InvalidInput(
                    {letter.where(written): "there is no such picture beside the letter"}
                )
        else:
            continue
        if isinstance(fitted, MailPicture) and fitted.stilled:
            what = f"{letter.where(written)} is animated and is mailed as a still picture"
            found.notes.append(f"{what}; save it as a GIF to keep it moving")
        if fitted is not None:
            _place(env, mailing_list, found, written, fitted)
    return found


def is_beside_letter(written: str) -> bool:
    """Tell whether a picture lies beside the letter."""
    parts = urlsplit(written)
    return bool(written) and not (
        parts.scheme or parts.netloc or written.startswith(("/", "#", "?"))
    )


def _local(letter: Letter, written: str) -> MailPicture | None:
    """A picture beside the letter; None where there is none.

    What lies outside its folder is not opened, whatever leads there: a letter from somebody else
    must not carry one's own files to everybody.
    """
    if letter.folder is None:
        return None
    called = letter.where(written)
    try:
        folder = letter.folder.resolve()
        file = (folder / unquote(written)).resolve()
        if not file.is_relative_to(folder):
            raise InvalidInput({called: f"lies outside the letter's folder; put it into {folder}"})
        if file.exists() and not file.is_file():
            raise InvalidInput({called: "is no file"})
        if not file.exists():
            return None
        with file.open("rb") as opened:
            return fit_for_mail(opened.read(BYTES_AT_MOST + 1), called=called)
    except (OSError, ValueError, RuntimeError) as error:
        raise InvalidInput(
            {called: f"cannot be read: {getattr(error, 'strerror', None) or error}"}
        ) from None


def _still(env: Environment, video: str, found: GatheredPictures) -> MailPicture | None:
    """A video's still picture, to be served from here: opening a letter tells the video's host
    nothing.
    """
    try:
        return fit_for_mail(env.fetch(get_picture_url(video)).body, called=video)
    except (FeedError, InvalidInput) as error:
        found.notes.append(f"the video {video} is shown without its picture: {error}")
        return None


def _place(
    env: Environment,
    mailing_list: ListContext,
    found: GatheredPictures,
    written: str,
    fitted: MailPicture | str,
) -> None:
    if isinstance(fitted, MailPicture):
        found.fresh.append(fitted)
        name, width = fitted.name, fitted.width
    else:
        name, width = fitted, _width(fitted)
    found.names[written] = name
    found.placed[written] = PlacedPicture(env.links.picture(mailing_list.slug, name), width)


def _width(name: str) -> int:
    with reading() as session:
        return session.scalar(select(Picture.width).where(Picture.name == name)) or 0


def save_pictures(session: Session, env: Environment, pictures: Sequence[MailPicture]) -> None:
    """Store pictures; each content once.

    In the caller's transaction.
    """
    wanted = {get_picture.name: get_picture for get_picture in pictures}
    there = set(session.scalars(select(Picture.name).where(Picture.name.in_(wanted))))
    session.add_all(
        Picture(
            name=one.name,
            media_type=one.media_type,
            width=one.width,
            data=one.data,
            created_at=env.now,
        )
        for name, one in wanted.items()
        if name not in there
    )
    session.flush()


def store_pictures(env: Environment, pictures: Sequence[MailPicture]) -> None:
    """Store pictures for what is looked at elsewhere: a mail sent for a test, a file opened in a
    browser.
    """
    if pictures:
        with transaction() as session:
            save_pictures(session, env, pictures)


def get_picture(name: str) -> MailPicture:
    """A stored picture.

    Raises `NotFound`.
    """
    with reading() as session:
        found = session.get(Picture, name)
        if found is None:
            raise NotFound("no such picture")
        return MailPicture(found.name, found.media_type, found.width, found.data)


# ── looking at it
# ──────────────────────────────────────────────────────────────────────────────────


def load_personal(kept: Mapping[str, Any] | None) -> MergeTemplates | None:
    """An edition's fields, as they were kept."""
    return MergeTemplates.of_json(kept) if kept else None


def fill_version(env: Environment, version: LetterVersion, reader: Recipient | None) -> MailContent:
    """A version with its fields filled in for a reader, or for nobody in particular; slots for
    links stay.
    """
    return _for(env, version.content, version.personal, reader, version.archive_url)


def _for(
    env: Environment,
    content: MailContent,
    personal: MergeTemplates | None,
    reader: Recipient | None,
    web_url: str,
) -> MailContent:
    values = _Own(Filler(personal)(merge_data.build_merge_values(env, reader)) if personal else {})
    values["web_url"] = web_url
    return MailContent(
        fill(content.subject, values), fill(content.text, values), fill(content.html, values)
    )


class _Own(dict[str, str]):
    """Values of a letter's own slots; any other slot stays as it is."""

    def __missing__(self, name: str) -> str:
        return make_slot(name)


def inline_pictures(env: Environment, html: str, prepared: PreparedLetter) -> str:
    """`html` with its pictures inside, for looking at it where nothing serves them yet."""
    fresh = {one.name: one for one in prepared.fresh}
    for name in dict.fromkeys(prepared.names.values()):
        one = fresh.get(name) or get_picture(name)
        inside = f"data:{one.media_type};base64,{b64encode(one.data).decode()}"
        html = html.replace(env.links.picture(prepared.list.slug, name), inside)
    return html
