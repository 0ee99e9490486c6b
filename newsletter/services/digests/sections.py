"""Put a list's digests under headings: its feeds, its topics, or none."""

from __future__ import annotations

from collections.abc import Sequence

from newsletter.db.session import transaction
from newsletter.errors import InvalidInput, NotFound
from newsletter.services.digests.layout import style_of
from newsletter.services.lists.digest_options import SECTIONS
from newsletter.services.lookup import get_list


def arrange_sections(slug: str | None, kind: str, first: Sequence[str]) -> list[str]:
    """Put digests under the headings of `kind`, those named `first` at the top.

    Returns all the headings in order. Raises `InvalidInput`, `NotFound`.
    """
    if kind not in SECTIONS:
        raise InvalidInput({"sections": f"is none of {', '.join(SECTIONS)}"})
    with transaction() as session:
        mailing_list = get_list(session, slug)
        mailing_list.digest_sections = kind
        mailing_list.section_order = []
        headings = style_of(session, mailing_list).headings
        mailing_list.section_order = [_find_heading(name, headings) for name in first]
        return [title for _, title in style_of(session, mailing_list).headings]


def _find_heading(name: str, headings: Sequence[tuple[int, str]]) -> str:
    lowered = name.strip().casefold()
    for key, title in headings:
        if lowered in (str(key), title.casefold()):
            return str(key)
    raise NotFound(
        f"there is no heading {name}", hint="one of: " + ", ".join(title for _, title in headings)
    )
