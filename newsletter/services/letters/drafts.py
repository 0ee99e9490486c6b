"""Create drafts of letters from Markdown files, render and edit them.

A draft keeps the file's text and the pictures it named. It is rendered afresh until it is scheduled
or sent (services/letters/send.py); from then on every subscriber gets its stored editions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from newsletter.authoring.letter_file import Letter, parse_letter, replace_lines
from newsletter.db.session import reading, transaction
from newsletter.errors import ChangedMeanwhile, Refused
from newsletter.i18n import Text
from newsletter.models import Campaign
from newsletter.services.audience import segments
from newsletter.services.campaigns import identify, state
from newsletter.services.letters import editions, letter_files, pictures, rendering, revisions
from newsletter.services.letters.rendering import PreparedLetter
from newsletter.services.letters.stored import StoredLetter, describe_stored
from newsletter.services.lookup import get_list
from newsletter.services.mail_context import make_list_context
from newsletter.services.runtime import Environment
from newsletter.vocabulary import CampaignKind, CampaignStatus


@dataclass(frozen=True, slots=True)
class EditableLetter:
    """A letter that can be changed, and the file that it was created from ("" for none).

    `folder` is where its pictures lie; None if it was changed elsewhere since, in a browser.
    """

    stored: StoredLetter
    file: str
    folder: Path | None

    @property
    def text(self) -> str:
        """Return the letter's Markdown with front matter."""
        return self.stored.text


@dataclass(frozen=True, slots=True)
class LetterDraft:
    """A letter as it would go out now.

    `campaign_id` and `status` are None where it is a file that is no campaign; `is_step` tells that
    it is a letter of a series.
    `recipients` counts the subscribers it would go to; `twin` is the id of a campaign that had
    this very letter. `revision` is the change of the draft that was read; None for a file.
    """

    prepared: PreparedLetter
    campaign_id: int | None
    status: CampaignStatus | None
    recipients: int
    twin: int | None
    file: str
    revision: int | None = None
    is_step: bool = False

    @property
    def slug(self) -> str:
        """Return the slug of the letter's list."""
        return self.prepared.list.slug

    @property
    def subjects(self) -> tuple[str, ...]:
        """Return the subject or both, without personal data, as the archive shows them."""
        return tuple(version.page.subject for version in self.prepared.versions)


def load_draft(
    env: Environment,
    source: int | Path,
    slug: str | None = None,
    *,
    offline: bool = False,
    counted: bool = True,
) -> LetterDraft:
    """Load and render a letter from a file, or a draft by its campaign's id.

    Without `counted` its recipients are not counted, which takes a second on a large list.

    Raises `NotFound`, `InvalidInput`, `TemplateProblem`, and `Refused` for a campaign that is no
    letter.
    """
    if isinstance(source, Path):
        return prepare_draft(
            env,
            letter_files.read_letter(source),
            slug,
            None,
            str(source.resolve()),
            offline=offline,
        )
    with reading() as session:
        campaign = identify.get_campaign(session, source)
        letter = parse_source(campaign)
        stored_pictures = campaign.pictures
        file = campaign.file
        slug = campaign.mailing_list.slug
        status = campaign.status
        revision = campaign.revision
    return prepare_draft(
        env,
        letter,
        slug,
        source,
        file,
        stored_pictures=stored_pictures,
        status=status,
        offline=offline,
        revision=revision,
        counted=counted,
    )


def parse_source(campaign: Campaign) -> Letter:
    """Return the letter of a campaign, parsed from its stored text.

    Raises `Refused` for a campaign that is no letter.
    """
    if campaign.kind != CampaignKind.LETTER or not campaign.source.startswith("---\n"):
        raise Refused(
            Text("campaign %(id)s is not a letter and cannot be checked", id=campaign.id),
            hint=Text("see `newsletter campaign show %(id)s`", id=campaign.id),
        )
    return parse_letter(campaign.source, folder=revisions.find_folder(campaign))


def prepare_draft(
    env: Environment,
    letter: Letter,
    slug: str | None,
    campaign_id: int | None,
    file: str,
    *,
    stored_pictures: Mapping[str, str] | None = None,
    status: CampaignStatus | None = None,
    is_step: bool = False,
    offline: bool = False,
    archived: bool = True,
    revision: int | None = None,
    counted: bool = True,
) -> LetterDraft:
    """Render a letter for its list and count who it would go to, if it is to be `counted`."""
    with reading() as session:
        mailing_list = get_list(session, slug or letter.slug)
        segments.segment_query(mailing_list, letter.segment, env.now)  # refuses what is unknown
        count = (
            segments.count_segment(session, mailing_list, letter.segment, env.now) if counted else 0
        )
        twin = identify.find_twin(session, mailing_list.id, letter, campaign_id)
        twin = twin or identify.find_waiting(session, mailing_list.id, file, campaign_id or 0)
        list_context = make_list_context(env, mailing_list)
        twin_id = twin.id if twin else None
    prepared = rendering.prepare_letter(
        env, list_context, letter, stored_pictures, offline=offline, archived=archived
    )
    return LetterDraft(prepared, campaign_id, status, count, twin_id, file, revision, is_step)


def create_draft(env: Environment, file: Path, slug: str | None = None) -> tuple[int, LetterDraft]:
    """Create a draft from a file, or update the draft that was made from it.

    Returns its campaign's id and the draft. Raises as `load_draft` does, and `ChangedMeanwhile`
    if that draft was changed elsewhere.
    """
    draft = load_draft(env, file, slug)
    with transaction() as session:
        campaign = revisions.find_file_draft(
            session, draft.prepared.list.id, draft.file, draft.prepared.letter.text
        ) or add_campaign(env, session, draft)
        fill_campaign(env, session, campaign, draft.prepared, draft.file)
        return campaign.id, draft


def add_draft(env: Environment, letter: Letter, slug: str | None = None) -> int:
    """Create a draft of a letter without a file, and return its id.

    Nobody else's server is asked. Raises as `load_draft`.
    """
    draft = prepare_draft(env, letter, slug, None, "", offline=True)
    with transaction() as session:
        campaign = add_campaign(env, session, draft)
        fill_campaign(env, session, campaign, draft.prepared, "")
        return campaign.id


def add_campaign(env: Environment, session: Session, draft: LetterDraft) -> Campaign:
    """Add a campaign for a letter, in the caller's transaction."""
    return state.add_campaign(
        session, list_id=draft.prepared.list.id, kind=CampaignKind.LETTER, now=env.now
    )


def fill_campaign(
    env: Environment, session: Session, campaign: Campaign, prepared: PreparedLetter, file: str
) -> None:
    """Copy a prepared letter into its campaign and store its pictures."""
    letter = prepared.letter
    pictures.save_pictures(session, env, prepared.fresh)
    campaign.subject = prepared.versions[0].page.subject
    campaign.preheader = letter.preheader
    campaign.source = letter.text
    campaign.digest = letter.digest
    campaign.file = file[:1000]
    campaign.pictures = prepared.names
    campaign.segment = letter.segment
    campaign.subject_b = letter.subject_b
    campaign.share = letter.share
    campaign.questions = [asdict(question) for question in prepared.questions]
    campaign.answers_named = letter.named
    campaign.revision = (campaign.revision or 0) + 1
    if letter.folder is not None:
        campaign.filed_revision = campaign.revision
    session.flush()


def edit_draft(
    env: Environment,
    campaign_id: int,
    letter: Letter,
    *,
    file: str = "",
    send_at: datetime | None = None,
    expected: StoredLetter | None = None,
    offline: bool = False,
) -> LetterDraft:
    """Replace the text of a draft, or of a scheduled letter that has not started.

    With `send_at`, change when it goes out; `offline` asks nobody else's server. Raises `Refused`
    if it has started, `ChangedMeanwhile` if it is not as `expected`, else as `load_draft` does.
    """
    with reading() as session:
        campaign = identify.require_changeable(identify.get_campaign(session, campaign_id))
        slug = campaign.mailing_list.slug
        stored_pictures = campaign.pictures
        status = campaign.status
        file = file or campaign.file
    if letter.slug not in (None, slug):
        raise Refused(
            Text("campaign %(id)s is of the list %(slug)s", id=campaign_id, slug=slug),
            hint=Text("make a new one for another list"),
        )
    draft = prepare_draft(
        env,
        letter,
        slug,
        campaign_id,
        file,
        stored_pictures=stored_pictures,
        status=status,
        offline=offline,
    )
    versions = editions.render_all_languages(env, draft.prepared)
    with transaction() as session:
        campaign = identify.require_changeable(identify.lock_campaign(session, campaign_id))
        if expected not in (None, describe_stored(campaign)):
            raise ChangedMeanwhile
        fill_campaign(env, session, campaign, draft.prepared, file)
        if send_at is not None and campaign.status != CampaignStatus.DRAFT:
            campaign.scheduled_at = send_at
        if campaign.status != CampaignStatus.DRAFT:
            editions.write_editions(env, session, campaign, versions)
    return draft


def get_text(campaign_id: int) -> EditableLetter:
    """Return the text of a letter that can be changed.

    Raises `NotFound`, and `Refused` if it cannot be changed any more.
    """
    with reading() as session:
        campaign = identify.require_changeable(identify.get_campaign(session, campaign_id))
        folder = revisions.find_folder(campaign)
        return EditableLetter(describe_stored(campaign), campaign.file, folder)


def narrow_to_segment(env: Environment, draft: LetterDraft, segment: str) -> LetterDraft:
    """Render the same letter for another segment of its list.

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
        stored_pictures=old.names,
        status=draft.status,
        offline=True,
        revision=draft.revision,
    )
