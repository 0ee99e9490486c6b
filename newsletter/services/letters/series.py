"""Manage a list's series: the letters sent once, in order, to every new subscriber.

Which of them is due to whom is decided in services/letters/series_progress.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.authoring.letter_file import Letter, parse_letter
from newsletter.authoring.markdown_parser import parse_markdown
from newsletter.authoring.questions import find_first_line
from newsletter.db.session import reading, rehearsal, transaction
from newsletter.errors import NotFound, Refused
from newsletter.mail.render import MailContent
from newsletter.mail.templating.merge_fields import MergeTemplates
from newsletter.models import MailingList, SeriesLetter, SeriesLetterSent
from newsletter.services.letters import drafts, pictures, rendering
from newsletter.services.letters.drafts import LetterDraft
from newsletter.services.letters.series_progress import list_steps, look_again
from newsletter.services.mail_context import make_list_context
from newsletter.services.runtime import Environment


@dataclass(frozen=True, slots=True)
class SeriesLetterView:
    """A letter of a series; `subscribers` counts those it was queued for."""

    id: int
    list: str
    after: timedelta
    subject: str
    subscribers: int
    file: str


def load_letter(
    env: Environment, source: int | Path, slug: str | None = None, *, offline: bool = False
) -> LetterDraft:
    """Load and render a letter of a series by its id, or a file that may become one."""
    if isinstance(source, Path):
        return drafts.load_draft(env, source, slug, offline=offline)
    with reading() as session:
        step = _get_step(session, source)
        file = step.file
        letter = parse_letter(step.source, folder=Path(file).parent if file else None)
        stored_pictures = step.pictures
        slug = step.mailing_list.slug
    return drafts.prepare_draft(
        env,
        letter,
        slug,
        None,
        file,
        stored_pictures=stored_pictures,
        is_step=True,
        offline=offline,
        archived=False,
    )


def add_letter(
    env: Environment, file: Path, after: timedelta, slug: str | None = None
) -> SeriesLetterView:
    """Add a letter to a list's series.

    Subscribers whose moment for it is over already do not get it.

    Raises `Refused` if the list has this letter, or (`after` 0) a welcome letter, already; else as
    `load_draft` does.
    """
    draft = drafts.load_draft(env, file, slug)
    letter = _require_plain(draft.prepared.letter)
    with transaction() as session:
        for step in list_steps(session, draft.prepared.list.id):
            if step.removed_at is None:
                _require_other(step, draft.slug, letter, after)
        return _view(session, _append(env, session, draft, after))


def _require_other(step: SeriesLetter, slug: str, letter: Letter, after: timedelta) -> None:
    """Refuse a letter that the series has already, and a second welcome letter."""
    same = step.digest == letter.digest
    if same or not (after or step.after_seconds):
        raise Refused(
            f"{slug} has {'this' if same else 'a welcome'} letter already: {step.id}",
            hint=f"newsletter series edit {step.id}",
        )


def _append(
    env: Environment, session: Session, draft: LetterDraft, after: timedelta
) -> SeriesLetter:
    step = SeriesLetter(
        list_id=draft.prepared.list.id, created_at=env.now, subject="", source="", digest=""
    )
    step.after_seconds = int(after.total_seconds())
    session.add(step)
    _fill(env, session, step, draft)
    look_again(session, step, since=env.now, now=env.now)
    return step


def rehearse_addition(env: Environment, draft: LetterDraft) -> None:
    """Run `add_letter` in a transaction that is rolled back.

    Raises whatever `add_letter` would raise.
    """
    _require_plain(draft.prepared.letter)
    with rehearsal() as session:
        _append(env, session, draft, timedelta(days=1))


def _require_plain(letter: Letter) -> Letter:
    line = find_first_line(parse_markdown(letter.markdown))
    if line is not None:
        raise Refused(
            f"line {letter.line + line}: a letter of a series asks no one-tap questions",
            hint="ask in a letter that goes to everybody at once, or for a reply",
        )
    if letter.subject_b or letter.segment:
        raise Refused(
            "a letter of a series has one subject and goes to every new subscriber",
            hint="take the other lines out",
        )
    return letter


def _fill(env: Environment, session: Session, step: SeriesLetter, draft: LetterDraft) -> None:
    pictures.save_pictures(session, env, draft.prepared.fresh)
    step.subject = draft.prepared.versions[0].page.subject
    step.source = draft.prepared.letter.text
    step.digest = draft.prepared.letter.digest
    step.file = draft.file[:1000]
    step.pictures = draft.prepared.names
    session.flush()


def edit_letter(
    env: Environment,
    step_id: int,
    *,
    letter: Letter | None = None,
    file: str = "",
    after: timedelta | None = None,
) -> SeriesLetterView:
    """Change a letter's text or delay for subscribers who have not received it."""
    with reading() as session:
        step = _get_step(session, step_id)
        slug = step.mailing_list.slug
        stored_pictures = step.pictures
        file = file or step.file
    draft = None
    if letter:
        letter = _require_plain(letter)
        draft = drafts.prepare_draft(env, letter, slug, None, file, stored_pictures=stored_pictures)
    with transaction() as session:
        step = _get_step(session, step_id)
        if draft:
            _fill(env, session, step, draft)
        if after is not None:
            step.after_seconds = int(after.total_seconds())
            session.flush()
            look_again(session, step, since=step.created_at, now=env.now)
        return _view(session, step)


def remove_letter(env: Environment, step_id: int) -> SeriesLetterView:
    """Remove a letter from its series; copies of it in the outbox are not sent.

    Who has had it stays on record.
    """
    with transaction() as session:
        step = _get_step(session, step_id)
        step.removed_at = env.now
        return _view(session, step)


def list_letters(slug: str | None = None) -> list[SeriesLetterView]:
    """Return a list's series, or every list's, in order."""
    query = select(SeriesLetter).join(MailingList).where(SeriesLetter.removed_at.is_(None))
    query = query.order_by(MailingList.slug, SeriesLetter.after_seconds, SeriesLetter.id)
    with reading() as session:
        return [
            _view(session, step)
            for step in session.scalars(query.where(MailingList.slug == slug) if slug else query)
        ]


def get_letter(step_id: int) -> SeriesLetterView:
    """Return one letter of a series.

    Raises `NotFound`.
    """
    with reading() as session:
        return _view(session, _get_step(session, step_id))


def get_letter_id(source: int | Path, slug: str | None = None) -> int:
    """Return the id of the letter created from a file; an id is returned unchanged.

    Raises `NotFound`, and `Refused` if there are several.
    """
    if not isinstance(source, Path):
        return source
    ids = [row.id for row in list_letters(slug) if row.file == str(source.resolve())[:1000]]
    if len(ids) == 1:
        return ids[0]
    if ids:
        raise Refused(f"{source} is letter {' and '.join(map(str, ids))}", hint="say which number")
    raise NotFound(
        f"no series has a letter of {source}", hint=f"`newsletter series add {source}` adds it"
    )


def get_text(step_id: int) -> tuple[str, str]:
    """Return a letter's text, and the file that it was created from."""
    with reading() as session:
        step = _get_step(session, step_id)
        return step.source, step.file


def _get_step(session: Session, step_id: int) -> SeriesLetter:
    step = session.get(SeriesLetter, step_id)
    if step is None or step.removed_at is not None:
        raise NotFound(
            f"there is no letter {step_id} in a series", hint="see `newsletter series ls`"
        )
    return step


def _view(session: Session, step: SeriesLetter) -> SeriesLetterView:
    count = session.scalar(select(func.count()).where(SeriesLetterSent.step_id == step.id)) or 0
    return SeriesLetterView(
        step.id,
        step.mailing_list.slug,
        timedelta(seconds=step.after_seconds),
        step.subject,
        count,
        step.file,
    )


def render_letter(
    env: Environment, step_id: int, language: str = ""
) -> tuple[MailContent, MergeTemplates | None]:
    """Render a letter of a series as it is mailed to subscribers of `language`.

    Raises `NotFound` if it was removed meanwhile.
    """
    with reading() as session:
        step = _get_step(session, step_id)
        letter = parse_letter(step.source)
        stored_pictures = step.pictures
        list_context = make_list_context(env, step.mailing_list).in_language(language)
    prepared = rendering.prepare_letter(
        env, list_context, letter, stored_pictures, offline=True, archived=False
    )
    return prepared.content, prepared.personal
