"""Store the editions of a letter: its content in each language of its subscribers."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete
from sqlalchemy.orm import Session

from newsletter.i18n import LANGUAGES, find_other_language
from newsletter.mail.render import MailContent, fill_web_url
from newsletter.mail.templating.merge_fields import MergeTemplates
from newsletter.models import Campaign, Edition
from newsletter.models.campaigns import WEB
from newsletter.services.letters import rendering
from newsletter.services.letters.rendering import LetterVersion, PreparedLetter
from newsletter.services.runtime import Environment

VersionsByLanguage = Mapping[str, tuple[LetterVersion, ...]]
"""A letter's versions by language."""


def render_all_languages(env: Environment, prepared: PreparedLetter) -> VersionsByLanguage:
    """Render a letter in every language, with "" for the list's own.

    Its recipients, and so their languages, are known only when it starts. Rendering reads the
    database; do not call it inside a transaction.
    """
    languages = {
        find_other_language(language, prepared.list.language) for language in LANGUAGES
    } - {""}
    return {"": prepared.versions} | {
        language: rendering.render_in_language(env, prepared, language) for language in languages
    }


def write_editions(
    env: Environment, session: Session, campaign: Campaign, all_versions: VersionsByLanguage
) -> None:
    """Replace a campaign's editions by the versions of a letter."""
    session.execute(delete(Edition).where(Edition.campaign_id == campaign.id))
    page = env.links.archive(campaign.mailing_list.slug, campaign.handle)
    for language, versions in all_versions.items():
        for number, version in enumerate(versions):
            content = fill_web_url(version.content, page)
            session.add(
                _make_edition(campaign.id, number, content, version.personal, language=language)
            )
    session.add(_make_edition(campaign.id, WEB, fill_web_url(all_versions[""][0].page, page), None))
    session.flush()


def _make_edition(
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
