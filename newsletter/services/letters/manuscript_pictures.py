"""Store the pictures of drafts that are written in a browser.

They lie in no folder: the draft says by which name in its text it means which stored picture.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from newsletter.authoring.images import MailPicture, fit_for_mail
from newsletter.db.session import transaction
from newsletter.errors import Refused
from newsletter.html.text import to_plain_line
from newsletter.i18n import Text
from newsletter.services.letters import manuscripts, pictures
from newsletter.services.runtime import Environment

PICTURES_AT_MOST = 100
"""The most pictures of one draft."""
NAME_AT_MOST = 40
"""Characters of a picture's name in the text, without its ending."""
DESCRIPTION_AT_MOST = 300


def add_picture(
    env: Environment, campaign_id: int, data: bytes, *, called: str, description: str = ""
) -> str:
    """Store a picture of a draft, and return the Markdown that shows it.

    It is recognised by its content; of `called`, the name of its file, letters and digits are kept.
    Raises `InvalidInput` if it is no picture that a mail can show, `Refused` if the draft has too
    many or is none any more, `NotFound`.
    """
    picture = fit_for_mail(data, called=to_plain_line(called, limit=80) or "picture")
    with transaction() as session:
        campaign = manuscripts.lock_draft(session, campaign_id)
        stored = dict(campaign.pictures or {})
        if len(stored) >= PICTURES_AT_MOST:
            raise Refused(
                Text(
                    "this letter has %(most)s pictures already",
                    most=PICTURES_AT_MOST,
                ),
                hint=Text("begin another letter"),
            )
        name = _choose_name(called, picture, stored)
        pictures.save_pictures(session, env, [picture])
        campaign.pictures = {**stored, name: picture.name}
    return f"![{_clean_description(description)}]({name})"


def _choose_name(called: str, picture: MailPicture, stored: Mapping[str, str]) -> str:
    """Return a name that no other picture of the draft has."""
    plain = unicodedata.normalize("NFKD", called.rpartition(".")[0] or called)
    stem = re.sub(r"[^a-z0-9]+", "-", plain.encode("ascii", "ignore").decode().lower())
    stem = stem.strip("-")[:NAME_AT_MOST].strip("-") or "picture"
    ending = picture.name.rpartition(".")[2]
    name = f"{stem}.{ending}"
    number = 1
    while stored.get(name, picture.name) != picture.name:
        number += 1
        name = f"{stem}-{number}.{ending}"
    return name


def _clean_description(description: str) -> str:
    return re.sub(r"[\[\]\\{}<>`]", "", to_plain_line(description, limit=DESCRIPTION_AT_MOST))
