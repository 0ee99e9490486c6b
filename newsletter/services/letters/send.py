"""Send letters to a list or a segment, now or at a scheduled time, each once.

Who gets a letter is decided when it starts, and a field that cannot be filled in for somebody stops
it before anybody has got it. Two subjects are first tried out on a share of the recipients.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.authoring.letter_file import Letter, parse_letter
from newsletter.db.session import reading, rehearsal, transaction
from newsletter.errors import Refused
from newsletter.i18n import Text
from newsletter.mail.render import MailContent, fill_web_url
from newsletter.models import Campaign, Edition, MailingList
from newsletter.models.campaigns import WEB
from newsletter.services.audience import merge_data, segments
from newsletter.services.campaigns import identify, state
from newsletter.services.campaigns.state import PauseCause
from newsletter.services.letters import drafts, editions, rendering, revisions
from newsletter.services.letters.drafts import LetterDraft
from newsletter.services.letters.editions import VersionsByLanguage
from newsletter.services.mail_context import compile_for_list
from newsletter.services.runtime import Environment
from newsletter.services.unforeseen import describe_error
from newsletter.vocabulary import Actor, CampaignStatus, MailKind

parse = parse_letter

REHEARSED_AT_MOST = 200_000
"""Characters of HTML above which a rehearsal renders the list's language only.

Rendering more than that in all languages takes half a minute.
"""


def send_letter(
    env: Environment,
    letter: Letter,
    slug: str | None = None,
    *,
    send_at: datetime | None = None,
    again: bool = False,
) -> int:
    """Create a campaign from a letter and send it as `dispatch_letter` does."""
    return dispatch_letter(
        env, drafts.prepare_draft(env, letter, slug, None, ""), send_at=send_at, again=again
    )


def dispatch_letter(
    env: Environment,
    draft: LetterDraft,
    *,
    send_at: datetime | None = None,
    again: bool = False,
    fields_checked: bool = False,
) -> int:
    """Schedule a letter for `send_at`, or start it by freezing its recipients now.

    With `fields_checked` its fields are not filled in for everybody once more. Returns the
    campaign's id. Raises `Refused` if this very letter went to this list before (and
    not `again`), if it was sent already, nobody would get it, or a field cannot be filled in for
    somebody.
    """
    if not draft.recipients and send_at is None:
        raise _make_nobody(draft.slug)
    if not fields_checked:
        _require_fields(env, draft)
    versions = editions.render_all_languages(env, draft.prepared)
    with transaction() as session:
        # One letter of a list at a time: two commands at once must not both find that it was not
        # sent yet.
        mailing_list = session.get_one(MailingList, draft.prepared.list.id, with_for_update=True)
        session.execute(
            update(MailingList)
            .where(MailingList.id == mailing_list.id)
            .values(slug=mailing_list.slug)
        )
        campaign = _get_unsent_campaign(env, session, draft)
        if not again:
            _require_new(session, draft, campaign)
        if not _queue(env, session, campaign, draft, versions, send_at):
            raise _make_nobody(draft.slug)
        return campaign.id


def rehearse_dispatch(
    env: Environment, draft: LetterDraft, send_at: datetime | None = None
) -> None:
    """Run `dispatch_letter` in a transaction that is rolled back.

    Raises whatever `dispatch_letter` would raise about the letter. Its recipients, and whether it
    was sent before, are checked on their own (letters/preflight.py).
    """
    in_list_language: VersionsByLanguage = {"": draft.prepared.versions}
    large = len(draft.prepared.content.html) > REHEARSED_AT_MOST
    versions = in_list_language if large else editions.render_all_languages(env, draft.prepared)
    for version in (version for spoken in versions.values() for version in spoken):
        compile_for_list(env, draft.prepared.list, version.content, stream="letter")
    with rehearsal() as session:
        campaign = _get_unsent_campaign(env, session, draft)
        _queue(env, session, campaign, draft, versions, send_at)


def _require_new(session: Session, draft: LetterDraft, campaign: Campaign) -> None:
    """Raise `Refused` if the list was sent this letter, or its file is already scheduled."""
    twin = identify.find_twin(session, campaign.list_id, draft.prepared.letter, campaign.id)
    if twin is not None:
        raise Refused(
            Text(
                "this letter is campaign %(id)s already (%(status)s)",
                id=twin.id,
                status=twin.status,
            ),
            hint=Text("change it, or say --again"),
        )
    waiting = identify.find_waiting(session, campaign.list_id, draft.file, campaign.id)
    if waiting is not None:
        raise Refused(
            Text(
                "this file is campaign %(id)s already, which is %(status)s",
                id=waiting.id,
                status=waiting.status,
            ),
            hint=Text(
                "`newsletter campaign edit %(id)s --file …` does; or say --again", id=waiting.id
            ),
        )


def _queue(
    env: Environment,
    session: Session,
    campaign: Campaign,
    draft: LetterDraft,
    versions: VersionsByLanguage,
    send_at: datetime | None,
) -> bool:
    """Store a letter and schedule it, or start it if `send_at` is None.

    Returns False if nobody gets it.
    """
    drafts.fill_campaign(env, session, campaign, draft.prepared, draft.file)
    editions.write_editions(env, session, campaign, versions)
    if send_at is not None:
        state.schedule(session, campaign, send_at, env.now)
        return True
    return bool(_start(env, session, campaign, Actor.AUTHOR))


def _get_unsent_campaign(env: Environment, session: Session, draft: LetterDraft) -> Campaign:
    if draft.campaign_id is None:
        campaign = revisions.find_file_draft(
            session, draft.prepared.list.id, draft.file, draft.prepared.letter.text
        ) or drafts.add_campaign(env, session, draft)
        session.flush()
        return campaign
    campaign = identify.lock_campaign(session, draft.campaign_id)
    if campaign.status != CampaignStatus.DRAFT:
        raise Refused(
            Text("campaign %(id)s is %(status)s already", id=campaign.id, status=campaign.status),
            hint=Text("a letter is sent once"),
        )
    revisions.require_revision(campaign, draft.revision)
    return campaign


def _require_fields(env: Environment, draft: LetterDraft) -> None:
    for version in draft.prepared.versions:
        problem = merge_data.find_merge_problem(
            env, draft.prepared.list.id, draft.prepared.letter.segment, version.personal
        )
        if problem:
            raise Refused(problem.describe(draft.recipients))


def start_due_letters(env: Environment) -> list[int]:
    """Start the scheduled letters that are due, and return their campaigns' ids.

    A letter that goes wrong, or whose fields cannot be filled in for somebody, is paused instead.
    """
    with reading() as session:
        due = list(
            session.scalars(
                select(Campaign.id).where(
                    Campaign.status == CampaignStatus.SCHEDULED, Campaign.scheduled_at <= env.now
                )
            )
        )
    return [campaign_id for campaign_id in due if _start_or_pause(env, campaign_id)]


def _start_or_pause(env: Environment, campaign_id: int) -> bool:
    try:
        return _start_if_due(env, campaign_id, _find_obstacle(env, campaign_id))
    except Exception as error:
        return _start_if_due(env, campaign_id, describe_error(error))


def _start_if_due(env: Environment, campaign_id: int, problem: str) -> bool:
    """Start a letter, or pause it because of a `problem`; return whether it was started."""
    with transaction() as session:
        campaign = identify.lock_campaign(session, campaign_id)
        if campaign.status != CampaignStatus.SCHEDULED or (
            campaign.scheduled_at and campaign.scheduled_at > env.now
        ):
            return False
        if problem:
            state.pause(session, campaign, problem, PauseCause.FIELDS, env.now)
            return False
        if not _start(env, session, campaign, Actor.SYSTEM):
            state.finish(session, campaign, env.now, "nobody was left to mail it to")
        return True


def _find_obstacle(env: Environment, campaign_id: int) -> str:
    with reading() as session:
        campaign = identify.get_campaign(session, campaign_id)
        list_id = campaign.list_id
        segment = campaign.segment
        all_fields = list(
            session.scalars(
                select(Edition.fields).where(
                    Edition.campaign_id == campaign_id, Edition.cursor >= 0, Edition.language == ""
                )
            )
        )
    for fields in all_fields:
        personal = rendering.load_personal(fields)
        if problem := merge_data.find_merge_problem(env, list_id, segment, personal):
            return problem.describe()
    return ""


def _start(env: Environment, session: Session, campaign: Campaign, actor: Actor) -> int:
    """Freeze and count the recipients of a letter, with two subjects only those of the A/B test."""
    now = env.now  # rows of the start are told from later ones by this moment
    mailing_list = session.get_one(MailingList, campaign.list_id)
    chosen = segments.segment_query(mailing_list, campaign.segment, now)
    state.start(session, campaign, now, actor)
    if not campaign.subject_b:
        return outbox.freeze(
            session,
            campaign,
            segments.edition_query(chosen, edition=0),
            mail=MailKind.LETTER,
            now=now,
        )
    total = segments.count_segment(session, mailing_list, campaign.segment, now)
    first = count_trial(total, campaign.share)
    drawn = segments.draw_query(chosen, first=first, seed=campaign.seed)
    return outbox.freeze(session, campaign, drawn, mail=MailKind.LETTER, now=now)


def count_trial(recipients: int, share: int) -> int:
    """Return the number of recipients of an A/B test, from its share in percent."""
    return min(recipients, max(2, -(-recipients * share // 100)))


def pick_subject(env: Environment, campaign_id: int, letter: str) -> int:
    """Send the better subject (``a`` or ``b``) to everybody who was not in the A/B test.

    Returns how many these are. Raises `Refused` if there is nothing to pick (any more).
    """
    edition = "ab".index(letter)
    draft = drafts.load_draft(env, campaign_id, offline=True)
    if len(draft.prepared.versions) == 1:
        raise Refused(Text("campaign %(id)s has one subject only", id=campaign_id))
    with transaction() as session:
        campaign = identify.lock_campaign(session, campaign_id)
        mailing_list = session.get_one(MailingList, campaign.list_id)
        state.resume_picked(session, campaign, letter, env.now)
        page = env.links.archive(draft.slug, campaign.handle)
        _show_in_archive(
            session, campaign, fill_web_url(draft.prepared.versions[edition].page, page)
        )
        remaining = segments.segment_query(mailing_list, campaign.segment, env.now).where(
            outbox.without_delivery_clause(campaign)
        )
        count = outbox.freeze(
            session,
            campaign,
            segments.edition_query(remaining, edition=edition),
            mail=MailKind.LETTER,
            now=env.now,
        )
        if not count and outbox.is_worked_through(session, campaign):
            state.finish(session, campaign, env.now)
        return count


def count_undecided(env: Environment, campaign_id: int) -> int:
    """Count the subscribers who were not in the A/B test and would get the better subject."""
    with reading() as session:
        campaign = identify.get_campaign(session, campaign_id)
        remaining = segments.segment_query(campaign.mailing_list, campaign.segment, env.now).where(
            outbox.without_delivery_clause(campaign)
        )
        return session.scalar(select(func.count()).select_from(remaining.subquery())) or 0


def _show_in_archive(session: Session, campaign: Campaign, page: MailContent) -> None:
    """Store `page` as the edition that the archive shows."""
    edition = session.scalars(
        select(Edition).where(Edition.campaign_id == campaign.id, Edition.cursor == WEB)
    ).one()
    campaign.subject = edition.subject = page.subject
    edition.text = page.text
    edition.html = page.html


def _make_nobody(slug: str) -> Refused:
    problem = Text("%(slug)s has no active subscriber to send this to", slug=slug)
    return Refused(problem, hint=Text("nobody was mailed"))
