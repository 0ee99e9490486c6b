"""Put a list's digests under headings: its feeds, its topics, or none."""

from __future__ import annotations

from collections.abc import Sequence

from newsletter.db.session import transaction
from newsletter.digest_vocabulary import DigestSections
from newsletter.errors import NotFound
from newsletter.services.digests.layout import read_style
from newsletter.services.lookup import get_list


def arrange_sections(slug: str | None, kind: DigestSections, first: Sequence[str]) -> list[str]:
    """Put digests under the headings of `kind`, those named `first` at the top.

    Returns all the headings in order. Raises `NotFound`.
    """
    with transaction() as session:
        mailing_list = get_list(session, slug)
        mailing_list.digest_sections = kind
        mailing_list.section_order = []
        headings = read_style(session, mailing_list).headings
        mailing_list.section_order = [_get_heading(name, headings) for name in first]
        return [title for _, title in read_style(session, mailing_list).headings]


def _get_heading(name: str, headings: Sequence[tuple[int, str]]) -> str:
    lowered = name.strip().casefold()
    for key, title in headings:
        if lowered in (str(key), title.casefold()):
            return str(key)
    raise NotFound(
        f"there is no heading {name}", hint="one of: " + ", ".join(title for _, title in headings)
    )
