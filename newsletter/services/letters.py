"""Letters: a Markdown file with front matter becomes a campaign, is looked at, tried, sent once."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml
from sqlalchemy import exists, func, literal, or_, select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.content import HTML_AT_MOST, html_to_text, lines, markdown_to_html, plain
from newsletter.db import reading, transaction
from newsletter.errors import InvalidInput, NotFound, Refused
from newsletter.mail.render import MailContent
from newsletter.models import Campaign, Edition, Subscriber, Subscription, Suppression
from newsletter.services.environment import Environment
from newsletter.services.feeds import find_list
from newsletter.services.messages import ANY_READER, ListView, view

FRONT_MATTER = {"subject", "preheader", "list"}


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter's file, read: its front matter and its Markdown. `slug` is None where it names no list."""

    subject: str
    preheader: str
    slug: str | None
    markdown: str

    @property
    def digest(self) -> str:
        """Tells one letter's content from another's."""
        return hashlib.sha256(f"{self.subject}\n{self.preheader}\n{self.markdown}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Draft:
    """A letter as it will go out, and to how many."""

    list_id: int
    slug: str
    recipients: int
    content: MailContent


def read_file(file: Path) -> Letter:
    """The letter in `file`. Raises `NotFound`, `InvalidInput` by front matter key."""
    try:
        text = file.read_text("utf-8-sig")
    except FileNotFoundError:
        raise NotFound(f"there is no file {file}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{file} cannot be read: {error}") from None
    if len(text) > HTML_AT_MOST:
        raise Refused(f"{file} is too long for a letter")
    return parse(text)


def parse(text: str) -> Letter:
    """A letter out of its text: ``---``, YAML, ``---``, Markdown."""
    text = text.replace("\r\n", "\n")
    if not text.startswith("---\n") or "\n---\n" not in text[3:]:
        raise InvalidInput({"subject": "begin the file with ---, a line `subject: …`, and --- again"})
    head, _, body = text[4:].partition("\n---\n")
    try:
        found = yaml.safe_load(head) or {}
    except yaml.YAMLError as error:
        raise InvalidInput({"front matter": " ".join(str(error).split())[:200]}) from None
    if not isinstance(found, dict) or set(found) - FRONT_MATTER:
        unknown = ", ".join(sorted(map(str, set(found) - FRONT_MATTER))) if isinstance(found, dict) else "that"
        raise InvalidInput({"front matter": f"{unknown} is unknown; use {', '.join(sorted(FRONT_MATTER))}"})
    subject = plain(found.get("subject"), limit=300)
    if not subject:
        raise InvalidInput({"subject": "the letter has none"})
    if not body.strip():
        raise InvalidInput({"letter": "there is nothing below the front matter"})
    slug = found.get("list")
    return Letter(subject, plain(found.get("preheader"), limit=300), str(slug) if slug else None, lines(body))


def draft(env: Environment, letter: Letter, slug: str | None = None) -> Draft:
    """The letter rendered, and how many would get it now. Raises `TemplateProblem`, `NotFound`."""
    with reading() as session:
        mailing_list = find_list(session, slug or letter.slug)
        count = session.scalar(select(func.count()).select_from(_readers(mailing_list.id, env.now).subquery())) or 0
        shown = view(env, mailing_list)
    return Draft(shown.id, shown.slug, count, render(env, shown, letter))


def render(env: Environment, mailing_list: ListView, letter: Letter) -> MailContent:
    """Subject, text and HTML, with slots for each reader's links."""
    html = markdown_to_html(letter.markdown, base_url=mailing_list.site_url or mailing_list.url)
    told = {
        "subject": letter.subject,
        "preheader": letter.preheader,
        "html": html,
        "text": html_to_text(html),
    }
    return env.renderer.render("letter", {"list": mailing_list, "reader": ANY_READER, "letter": told})


def _readers(list_id: int, now: datetime):  # type: ignore[no-untyped-def] # a Select of (subscription id, cursor)
    suppressed = exists().where(Suppression.email_key == Subscriber.email_key)
    return (
        select(Subscription.id, literal(0))
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(Subscription.list_id == list_id, Subscription.status == "active", ~suppressed)
        .where(or_(Subscription.paused_until.is_(None), Subscription.paused_until <= now))
    )


def send(
    env: Environment, letter: Letter, slug: str | None = None, *, at: datetime | None = None, again: bool = False
) -> int:
    """Makes the campaign and, unless it is for later (`at`), freezes its recipients. Returns its id.

    Raises `Refused` where this very letter went to this list before (and not `again`), or nobody would get it.
    """
    prepared = draft(env, letter, slug)
    if not prepared.recipients and at is None:
        raise Refused(f"{prepared.slug} has no active subscriber", hint="nobody was mailed")
    with transaction() as session:
        twin = session.scalar(
            select(Campaign)
            .where(Campaign.list_id == prepared.list_id, Campaign.digest == letter.digest)
            .where(or_(Campaign.status != "cancelled", Campaign.started_at.is_not(None)))
            .with_for_update()
        )
        if twin is not None and not again:
            raise Refused(
                f"this letter is campaign {twin.id} already ({twin.status})",
                hint="change it, or say --again",
            )
        campaign = Campaign(
            list_id=prepared.list_id, kind="letter", status="scheduled" if at else "sending", subject=letter.subject,
            preheader=letter.preheader, source=letter.markdown, digest=letter.digest, seed=secrets.token_hex(16),
            created_at=env.now, scheduled_at=at, started_at=None if at else env.now,
        )  # fmt: skip
        session.add(campaign)
        session.flush()
        content = prepared.content
        session.add(Edition(campaign_id=campaign.id, subject=content.subject, text=content.text, html=content.html))
        if at is None:
            outbox.freeze(session, campaign, _readers(campaign.list_id, env.now), mail="letter", now=env.now)
        return campaign.id


def start_due(env: Environment) -> list[int]:
    """Starts the letters whose moment has come. Returns their ids."""
    with reading() as session:
        due = list(session.scalars(_scheduled(env)))
    started = []
    for campaign_id in due:
        with transaction() as session:
            campaign = session.scalar(select(Campaign).where(Campaign.id == campaign_id).with_for_update())
            if campaign is not None and campaign.status == "scheduled":
                _start(env, session, campaign)
                started.append(campaign_id)
    return started


def _scheduled(env: Environment):  # type: ignore[no-untyped-def] # a Select of ids
    return select(Campaign.id).where(Campaign.status == "scheduled", Campaign.scheduled_at <= env.now)


def _start(env: Environment, session: Session, campaign: Campaign) -> None:
    campaign.status, campaign.started_at = "sending", env.now
    if not outbox.freeze(session, campaign, _readers(campaign.list_id, env.now), mail="letter", now=env.now):
        campaign.status, campaign.finished_at = "sent", env.now
