"""A list's series: the letters every new reader gets, each once and in order, from the welcome on,
until he leaves.

Due-ness is a column: `series_due_at` says when to look at a reader again, and is set to now for
those whom a change of the series may concern. What he has had is written down in the same
transaction that queues it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.authoring.letter_file import Letter, parse_letter
from newsletter.db.session import reading, rehearsal, transaction
from newsletter.errors import NotFound, Refused
from newsletter.mail.render import MailContent
from newsletter.mail.templating.merge_fields import MergeTemplates
from newsletter.models import MailingList, SeriesLetter, SeriesLetterSent, Subscription
from newsletter.schedule import SeriesStep, next_of_series
from newsletter.services.letters import drafts, rendering
from newsletter.services.letters.drafts import LetterDraft
from newsletter.services.mail_context import make_list_context
from newsletter.services.runtime import Environment
from newsletter.vocabulary import MailKind

BATCH = 200
LOOK_AGAIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class SeriesLetterView:
    """A letter of a series.

    `readers` counts those for whom it was queued.
    """

    id: int
    list: str
    after: timedelta
    subject: str
    readers: int
    file: str


# ── the author's verbs
# ─────────────────────────────────────────────────────────────────────────────


def load_letter(
    env: Environment, which: int | Path, slug: str | None = None, *, offline: bool = False
) -> LetterDraft:
    """A letter of a series as it would go out now: by its number, or a file that may become one."""
    if isinstance(which, Path):
        return drafts.load_draft(env, which, slug, offline=offline)
    with reading() as session:
        step = _find(session, which)
        folder = Path(step.file).parent if step.file else None
        letter, kept, slug, file = (
            parse_letter(step.source, folder=folder),
            step.pictures,
            step.mailing_list.slug,
            step.file,
        )
    return drafts.prepare_draft(
        env, letter, slug, None, file, kept=kept, status="series", offline=offline, archived=False
    )


def add_letter(
    env: Environment, file: Path, after: timedelta, slug: str | None = None
) -> SeriesLetterView:
    """Add a letter to a list's series.

    Whoever's moment for it is over already does not get it.

    Raises `Refused` where the list has this letter, or (`after` 0) a welcome letter, already; else
    as `look`.
    """
    draft = drafts.load_draft(env, file, slug)
    letter = _plain_letter(draft.prepared.letter)
    with transaction() as session:
        for other in _steps(session, draft.prepared.list.id):
            if other.removed_at is None and (
                other.digest == letter.digest or not (after or other.after_seconds)
            ):
                what = "this letter" if other.digest == letter.digest else "a welcome letter"
                raise Refused(
                    f"{draft.slug} has {what} already: {other.id}",
                    hint=f"newsletter series edit {other.id}",
                )
        return _view(session, _append(env, session, draft, after))


def _append(
    env: Environment, session: Session, draft: LetterDraft, after: timedelta
) -> SeriesLetter:
    step = SeriesLetter(
        list_id=draft.prepared.list.id, created_at=env.now, subject="", source="", digest=""
    )
    step.after_seconds = int(after.total_seconds())
    session.add(step)
    _fill(env, session, step, draft)
    _look_again(session, step, since=env.now, now=env.now)
    return step


def rehearse_addition(env: Environment, draft: LetterDraft) -> None:
    """Add a letter to its series as `add` does, and roll it back: whatever `add` would raise is
    raised here.
    """
    _plain_letter(draft.prepared.letter)
    with rehearsal() as session:
        _append(env, session, draft, timedelta(days=1))


def _plain_letter(letter: Letter) -> Letter:
    if letter.subject_b or letter.segment:
        raise Refused(
            "a letter of a series has one subject and goes to every new reader",
            hint="take the other lines out",
        )
    return letter


def _fill(env: Environment, session: Session, step: SeriesLetter, draft: LetterDraft) -> None:
    rendering.save_pictures(session, env, draft.prepared.fresh)
    step.subject = draft.prepared.versions[0].page.subject
    step.source, step.digest = draft.prepared.letter.text, draft.prepared.letter.digest
    step.file, step.pictures = draft.file[:1000], draft.prepared.names
    session.flush()


def edit_letter(
    env: Environment,
    step_id: int,
    *,
    letter: Letter | None = None,
    file: str = "",
    after: timedelta | None = None,
) -> SeriesLetterView:
    """Change a letter's text or its moment: for those who have not had it; nobody gets it again."""
    with reading() as session:
        step = _find(session, step_id)
        slug, kept, file = step.mailing_list.slug, step.pictures, file or step.file
    draft = (
        drafts.prepare_draft(env, _plain_letter(letter), slug, None, file, kept=kept)
        if letter
        else None
    )
    with transaction() as session:
        step = _find(session, step_id)
        if draft:
            _fill(env, session, step, draft)
        if after is not None:
            step.after_seconds = int(after.total_seconds())
            session.flush()
            _look_again(session, step, since=step.created_at, now=env.now)
        return _view(session, step)


def remove_letter(env: Environment, step_id: int) -> SeriesLetterView:
    """Take a letter out of its series; what waits in the outbox is not sent.

    That somebody had it stays on record.
    """
    with transaction() as session:
        step = _find(session, step_id)
        step.removed_at = env.now
        return _view(session, step)


def list_letters(slug: str | None = None) -> list[SeriesLetterView]:
    """A list's series, or every list's, in order."""
    query = select(SeriesLetter).join(MailingList).where(SeriesLetter.removed_at.is_(None))
    query = query.order_by(MailingList.slug, SeriesLetter.after_seconds, SeriesLetter.id)
    with reading() as session:
        return [
            _view(session, step)
            for step in session.scalars(query.where(MailingList.slug == slug) if slug else query)
        ]


def get_letter(step_id: int) -> SeriesLetterView:
    """One letter of a series.

    Raises `NotFound`.
    """
    with reading() as session:
        return _view(session, _find(session, step_id))


def get_letter_id(which: int | Path, slug: str | None = None) -> int:
    """The number of the letter made of a file; a number is itself.

    Raises `NotFound`, `Refused` for several.
    """
    if not isinstance(which, Path):
        return which
    found = [row.id for row in list_letters(slug) if row.file == str(which.resolve())[:1000]]
    if len(found) == 1:
        return found[0]
    if found:
        raise Refused(f"{which} is letter {' and '.join(map(str, found))}", hint="say which number")
    raise NotFound(
        f"no series has a letter of {which}", hint=f"`newsletter series add {which}` adds it"
    )


def get_text(step_id: int) -> tuple[str, str]:
    """A letter's text, and the file it was made of."""
    with reading() as session:
        step = _find(session, step_id)
        return step.source, step.file


def _look_again(session: Session, step: SeriesLetter, *, since: datetime, now: datetime) -> None:
    """Has every reader looked at again whose moment for `step` lies after `since`."""
    begun = Subscription.series_at >= since - timedelta(seconds=step.after_seconds)
    concerned = update(Subscription).where(
        Subscription.list_id == step.list_id, Subscription.status == "active", begun
    )
    session.execute(
        concerned.values(series_due_at=now).execution_options(synchronize_session=False)
    )


def _steps(session: Session, list_id: int) -> list[SeriesLetter]:
    return list(
        session.scalars(
            select(SeriesLetter)
            .where(SeriesLetter.list_id == list_id)
            .order_by(SeriesLetter.after_seconds, SeriesLetter.id)
        )
    )


def _find(session: Session, step_id: int) -> SeriesLetter:
    found = session.get(SeriesLetter, step_id)
    if found is None or found.removed_at is not None:
        raise NotFound(
            f"there is no letter {step_id} in a series", hint="see `newsletter series ls`"
        )
    return found


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


# ── what becomes of it
# ─────────────────────────────────────────────────────────────────────────────


def render_letter(
    env: Environment, step_id: int, language: str = ""
) -> tuple[MailContent, MergeTemplates | None]:
    """A letter of a series as it is mailed to readers of `language`.

    Raises `NotFound` where it was removed meanwhile.
    """
    with reading() as session:
        step = _find(session, step_id)
        letter, kept, shown = (
            parse_letter(step.source),
            step.pictures,
            make_list_context(env, step.mailing_list),
        )
        shown = shown.in_language(language)
    version = rendering.prepare_letter(
        env, shown, letter, kept, offline=True, archived=False
    ).versions[0]
    return version.content, version.personal


def begin_series(session: Session, subscription: Subscription, now: datetime) -> bool:
    """Begin the series for a reader who has just confirmed.

    Returns whether its welcome letter was queued. In the caller's transaction.
    """
    subscription.series_at = now
    taken = _taken(session, [subscription]).get(subscription.id, {})
    return _advance(
        session, subscription, _moments(_steps(session, subscription.list_id)), taken, now
    )


def advance_due(env: Environment) -> int:
    """Queue every letter of a series whose moment has come.

    Returns how many.
    """
    queued = 0
    while True:
        with transaction() as session:
            due = session.scalars(
                select(Subscription)
                .where(Subscription.series_due_at <= env.now)
                .order_by(Subscription.series_due_at)
                .limit(BATCH)
                .with_for_update(skip_locked=True)
            ).all()
            steps = {
                list_id: _moments(_steps(session, list_id))
                for list_id in {row.list_id for row in due}
            }
            taken = _taken(session, due)
            for row in due:
                queued += _advance(session, row, steps[row.list_id], taken.get(row.id, {}), env.now)
        if len(due) < BATCH:
            return queued


def _moments(steps: Sequence[SeriesLetter]) -> list[SeriesStep]:
    return [
        SeriesStep(
            step.id,
            timedelta(seconds=step.after_seconds),
            step.created_at,
            removed=step.removed_at is not None,
        )
        for step in steps
    ]


def _taken(
    session: Session, subscriptions: Sequence[Subscription]
) -> dict[int, dict[int, datetime]]:
    query = select(SeriesLetterSent).where(
        SeriesLetterSent.subscription_id.in_([row.id for row in subscriptions])
    )
    found: dict[int, dict[int, datetime]] = {}
    for row in session.scalars(query):
        found.setdefault(row.subscription_id, {})[row.step_id] = row.at
    return found


def _advance(
    session: Session,
    reader: Subscription,
    steps: Sequence[SeriesStep],
    taken: dict[int, datetime],
    now: datetime,
) -> bool:
    """Queue a reader's next letter if it is due, and notes when to look again.

    Returns whether one was queued.
    """
    if reader.series_at is None or reader.status != "active":
        reader.series_due_at = None
        return False
    found = next_of_series(steps, begun=reader.series_at, received=taken)
    if found is None or found[1] > now:
        reader.series_due_at = found[1] if found else None
        return False
    if reader.paused_until is not None and reader.paused_until > now:
        reader.series_due_at = reader.paused_until
        return False
    if outbox.is_waiting(
        session, reader.id, MailKind.SERIES
    ):  # in order: not before the one before it has gone
        reader.series_due_at = now + LOOK_AGAIN
        return False
    taken = {**taken, found[0]: now}
    session.add(SeriesLetterSent(subscription_id=reader.id, step_id=found[0], at=now))
    outbox.enqueue(
        session,
        mail=MailKind.SERIES,
        subscription_id=reader.id,
        now=now,
        context={"step": found[0]},
    )
    following = next_of_series(steps, begun=reader.series_at, received=taken)
    reader.series_due_at = following[1] if following else None
    return True
