"""Letters before they are sent: a Markdown file becomes a draft, is looked at, changed.

A draft keeps the file's text and the pictures it named, and is rendered afresh until it is
scheduled or sent (services/letters/send.py); from then on its editions are what every reader gets.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete
from sqlalchemy.orm import Session

from newsletter.authoring.front_matter import decode_text
from newsletter.authoring.letter_file import STARTER, Letter, parse_letter, replace_lines
from newsletter.authoring.markdown_parser import LETTER_AT_MOST
from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput, NotFound, Refused
from newsletter.i18n import LANGUAGES, find_other_language
from newsletter.mail.render import MailContent, fill_web_url
from newsletter.mail.templating.merge_fields import MergeTemplates
from newsletter.models import Campaign, Edition
from newsletter.models.campaigns import WEB
from newsletter.services.audience import segments
from newsletter.services.campaigns import identify, state
from newsletter.services.letters import rendering
from newsletter.services.letters.rendering import LetterVersion, PreparedLetter
from newsletter.services.lookup import get_list
from newsletter.services.mail_context import make_list_context
from newsletter.services.runtime import Environment
from newsletter.vocabulary import CampaignKind

VersionsByLanguage = Mapping[str, tuple[LetterVersion, ...]]
"""A letter's versions by language."""


@dataclass(frozen=True, slots=True)
class LetterDraft:
    """A letter as it would go out now.

    `campaign_id` is None where it is a file that is no campaign yet; `status` then is ``file``.
    `recipients` counts the readers it would go to; `twin` is a campaign that had this very letter.
    """

    prepared: PreparedLetter
    campaign_id: int | None
    status: str
    recipients: int
    twin: int | None
    file: str

    @property
    def slug(self) -> str:
        """Its list."""
        return self.prepared.list.slug

    @property
    def subjects(self) -> tuple[str, ...]:
        """Its subject, or both, as the archive shows them: with no reader's name."""
        return tuple(version.page.subject for version in self.prepared.versions)


def read_letter(file: Path) -> Letter:
    """The letter in `file`.

    Raises `NotFound`, `Refused` for what is no text, `InvalidInput` by line or key.
    """
    return parse_letter(read_text(file), folder=file.resolve().parent)


def read_text(file: Path) -> str:
    """The text of `file`.

    Raises `NotFound`, `Refused`.
    """
    try:
        if file.exists() and not file.is_file():
            raise Refused(f"{file} is no file")
        with file.open("rb") as opened:
            data = opened.read(4 * LETTER_AT_MOST + 1)
    except FileNotFoundError:
        raise NotFound(
            f"there is no file {file}", hint=f"`newsletter campaign new {file}` makes one"
        ) from None
    except (OSError, ValueError) as error:
        raise Refused(
            f"{file} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    if len(data) > 4 * LETTER_AT_MOST:
        raise Refused(f"{file} is too long for a letter: more than {LETTER_AT_MOST} characters")
    return decode_text(data)


def write_starter(file: Path) -> None:
    """Write a file to start from, which is no draft yet.

    Never overwrites. Raises `Refused`.
    """
    subject = file.stem.replace("-", " ").replace("_", " ").strip().capitalize() or "A letter"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as create_draft:
            create_draft.write(STARTER.format(subject=subject.replace(":", "")))
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror}") from None


# ── drafts
# ─────────────────────────────────────────────────────────────────────────────────────────


def load_draft(
    env: Environment, which: int | Path, slug: str | None = None, *, offline: bool = False
) -> LetterDraft:
    """A letter as it would go out now: a file's, or a draft's by its number.

    Raises `NotFound`, `InvalidInput`, `TemplateProblem`; `Refused` for a campaign that is no
    letter.
    """
    if isinstance(which, Path):
        return prepare_draft(
            env, read_letter(which), slug, None, str(which.resolve()), offline=offline
        )
    with reading() as session:
        campaign = identify.get_campaign(session, which)
        letter, kept, file = letter_of(campaign), campaign.pictures, campaign.file
        slug, status = campaign.mailing_list.slug, campaign.status
    return prepare_draft(env, letter, slug, which, file, kept=kept, status=status, offline=offline)


def letter_of(campaign: Campaign) -> Letter:
    """Return the letter of a campaign, read from its stored text.

    Raises `Refused` for a campaign that is no letter.
    """
    if campaign.kind != "letter" or not campaign.source.startswith("---\n"):
        raise Refused(
            f"campaign {campaign.id} is no letter that could be looked at again",
            hint="see `campaign show`",
        )
    return parse_letter(
        campaign.source, folder=Path(campaign.file).parent if campaign.file else None
    )


def prepare_draft(
    env: Environment,
    letter: Letter,
    slug: str | None,
    campaign_id: int | None,
    file: str,
    *,
    kept: dict[str, str] | None = None,
    status: str = "file",
    offline: bool = False,
    archived: bool = True,
) -> LetterDraft:
    with reading() as session:
        mailing_list = get_list(session, slug or letter.slug)
        count = segments.count_segment(session, mailing_list, letter.segment, env.now)
        twin = identify.find_twin(session, mailing_list.id, letter, campaign_id)
        twin = twin or identify.find_waiting(session, mailing_list.id, file, campaign_id or 0)
        shown = make_list_context(env, mailing_list)
        twin_id = twin.id if twin else None
    prepared = rendering.prepare_letter(
        env, shown, letter, kept, offline=offline, archived=archived
    )
    return LetterDraft(prepared, campaign_id, status, count, twin_id, file)


def create_draft(env: Environment, file: Path, slug: str | None = None) -> tuple[int, LetterDraft]:
    """Make a draft of a file, or brings the one that was made of it up to date.

    Returns its number, and how it looks.

    Raises as `look`.
    """
    draft = load_draft(env, file, slug)
    with transaction() as session:
        campaign = identify.find_draft(session, draft.prepared.list.id, draft.file) or add_campaign(
            env, session, draft
        )
        fill_campaign(env, session, campaign, draft.prepared, draft.file)
        return campaign.id, draft


def add_campaign(env: Environment, session: Session, draft: LetterDraft) -> Campaign:
    return state.add_campaign(
        session, list_id=draft.prepared.list.id, kind=CampaignKind.LETTER, now=env.now
    )


def fill_campaign(
    env: Environment, session: Session, campaign: Campaign, prepared: PreparedLetter, file: str
) -> None:
    letter = prepared.letter
    rendering.save_pictures(session, env, prepared.fresh)
    campaign.subject = prepared.versions[0].page.subject
    campaign.preheader, campaign.source, campaign.digest = (
        letter.preheader,
        letter.text,
        letter.digest,
    )
    campaign.file, campaign.pictures, campaign.segment = file[:1000], prepared.names, letter.segment
    campaign.subject_b, campaign.share = letter.subject_b, letter.share
    session.flush()


def edit_draft(
    env: Environment,
    campaign_id: int,
    letter: Letter,
    *,
    file: str = "",
    at: datetime | None = None,
) -> LetterDraft:
    """Replace a draft's text, or a scheduled letter's that has not started; with `at`, when it goes
    out.

    Raises `Refused` where it is too late, else as `look`.
    """
    with reading() as session:
        campaign = identify.require_changeable(identify.get_campaign(session, campaign_id))
        slug, kept, status = campaign.mailing_list.slug, campaign.pictures, campaign.status
        file = file or campaign.file
    if letter.slug not in (None, slug):
        raise Refused(
            f"campaign {campaign_id} is of the list {slug}", hint="make a new one for another list"
        )
    draft = prepare_draft(env, letter, slug, campaign_id, file, kept=kept, status=status)
    made = render_all_languages(env, draft.prepared)
    with transaction() as session:
        campaign = identify.require_changeable(identify.lock_campaign(session, campaign_id))
        fill_campaign(env, session, campaign, draft.prepared, file)
        if at is not None and campaign.status != "draft":
            campaign.scheduled_at = at
        if campaign.status != "draft":
            write_editions(env, session, campaign, made)
    return draft


def update_file(file: str, before: str, after: str) -> bool | None:
    """Write a draft's new text into the file it was made of.

    False where that has changed meanwhile, None where there is none any more: nothing is written
    then. Raises `Refused`.
    """
    path = Path(file)
    if not file or not path.is_file():
        return None
    try:
        if parse_letter(read_text(path)).text != parse_letter(before).text:
            return False
    except InvalidInput:
        return False
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.write_text(after, "utf-8")
        shutil.copymode(path, fresh)
        fresh.replace(path)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from None
    return True


def get_text(campaign_id: int) -> tuple[str, str]:
    """A letter's text and the file it was made of.

    Raises `NotFound`, `Refused` where it cannot be changed any more.
    """
    with reading() as session:
        campaign = identify.require_changeable(identify.get_campaign(session, campaign_id))
        return campaign.source, campaign.file


def narrow_to_segment(env: Environment, draft: LetterDraft, segment: str) -> LetterDraft:
    """The same letter for another segment of its list.

    Raises `InvalidInput`.
    """
    old = draft.prepared
    letter = parse_letter(
        replace_lines(old.letter.text, {"segment": segment}), folder=old.letter.folder
    )
    return prepare_draft(
        env,
        letter,
        draft.slug,
        draft.campaign_id,
        draft.file,
        kept=old.names,
        status=draft.status,
        offline=True,
    )


def render_all_languages(env: Environment, prepared: PreparedLetter) -> VersionsByLanguage:
    """A letter's versions by language, "" for the list's own: who is there to read it is known only
    when it starts. Renders, which reads the database; not to be done inside a transaction.
    """
    others = {find_other_language(language, prepared.list.language) for language in LANGUAGES} - {
        ""
    }
    return {"": prepared.versions} | {
        other: rendering.render_in_language(env, prepared, other) for other in others
    }


def write_editions(
    env: Environment, session: Session, campaign: Campaign, made: VersionsByLanguage
) -> None:
    session.execute(delete(Edition).where(Edition.campaign_id == campaign.id))
    page = env.links.archive(campaign.mailing_list.slug, campaign.handle)
    for language, versions in made.items():
        for number, version in enumerate(versions):
            content = fill_web_url(version.content, page)
            session.add(_edition(campaign.id, number, content, version.personal, language=language))
    session.add(_edition(campaign.id, WEB, fill_web_url(made[""][0].page, page), None))
    session.flush()


def _edition(
    campaign_id: int,
    number: int,
    content: MailContent,
    personal: MergeTemplates | None,
    *,
    language: str = "",
) -> Edition:
    return Edition(
        campaign_id=campaign_id,
        cursor=number,
        language=language,
        subject=content.subject,
        text=content.text,
        html=content.html,
        fields=personal.as_json() if personal else None,
    )
