"""Show how a list's digests would look with other settings, before anybody saves them."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm.attributes import set_committed_value

from newsletter.db.session import reading
from newsletter.errors import Refused
from newsletter.i18n import Text
from newsletter.mail.render import MailContent, fill_web_url
from newsletter.models import Entry
from newsletter.services.digests.layout import Editor, read_style
from newsletter.services.digests.plan import read_candidates
from newsletter.services.lists.list_options import parse_settings
from newsletter.services.lookup import get_list
from newsletter.services.mail_context import make_list_context
from newsletter.services.runtime import Environment
from newsletter.vocabulary import EntryStatus

ENTRIES_SHOWN = 4
"""Entries in the preview: the newest, whether they were mailed already or not."""


def preview_look(env: Environment, slug: str, values: Mapping[str, object]) -> MailContent:
    """Render a digest of a list's newest entries with other `values` of its settings.

    Nothing is changed. Raises `InvalidInput`, `NotFound`, `Refused` where there is no entry yet.
    """
    columns = parse_settings(values)
    with reading() as session, session.no_autoflush:
        mailing_list = get_list(session, slug)
        for name, value in columns.items():
            set_committed_value(mailing_list, name, value)
        numbers = select(Entry.seq).where(Entry.list_id == mailing_list.id, Entry.seq.is_not(None))
        newest = [
            number or 0
            for number in session.scalars(numbers.order_by(Entry.seq.desc()).limit(ENTRIES_SHOWN))
        ]
        fates = (EntryStatus.READY, EntryStatus.SENT)
        entries = read_candidates(
            session,
            mailing_list.id,
            after=min(newest, default=1) - 1,
            through=max(newest, default=0),
            fates=fates,
        )
        if not entries:
            raise Refused(
                Text("%(slug)s has no entry to show yet", slug=slug), hint=Text("add a feed first")
            )
        mail_list = make_list_context(env, mailing_list)
        content = Editor(env, session, mail_list, read_style(session, mailing_list)).render(entries)
        return fill_web_url(content, mail_list.archive_url)
