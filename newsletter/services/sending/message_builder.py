"""From a row of the outbox to bytes: what a mail is told about its list and its reader, and the
headers it carries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from urllib.parse import urlsplit

from sqlalchemy import select

from newsletter import outbox
from newsletter.db.session import reading
from newsletter.errors import NotFound
from newsletter.html.sanitize import plain
from newsletter.i18n import SOURCE, Text, known, say, spoken
from newsletter.link_purposes import LinkPurpose
from newsletter.mail.headers import Sender, list_headers, single_headers
from newsletter.mail.message import CompiledMessage, Draft, compile_message, slot
from newsletter.mail.render import MailContent
from newsletter.mail.smtp.types import Outgoing
from newsletter.mail.templating.merge_fields import Filler, Personal
from newsletter.mail.theme import Theme, theme
from newsletter.models import Campaign, Edition, MailingList
from newsletter.outbox import Row
from newsletter.services import resources
from newsletter.services.audience.segments import Acquaintance, given
from newsletter.services.runtime import Environment
from newsletter.tokens import return_path

WITH_RESOURCES = ("welcome",)
"""Mails whose templates may call ``resource("guide")``; of the others, nobody has confirmed the
address yet, or the mail is about one thing only.
"""

CADENCE_TEXT = {
    "instant": Text("whenever there is something new"),
    "daily": Text("once a day, if there is something new"),
    "weekly": Text("once a week, if there is something new"),
    "monthly": Text("once a month, if there is something new"),
}


@dataclass(frozen=True, slots=True)
class ListView:
    """What templates know of their list (`list.…`).

    `language` is the mail's, `own_language` its author's.
    """

    id: int
    slug: str
    title: str
    url: str
    site_url: str
    archive_url: str
    from_name: str
    from_email: str
    reply_to: str
    postal_address: str
    language: str
    own_language: str
    color: str
    logo_url: str
    theme: Theme

    def in_language(self, language: object) -> ListView:
        """The list for a mail in `language`, if that is one of ours; else in the list's own."""
        return replace(self, language=known(language) or self.own_language)


@dataclass(frozen=True, slots=True)
class ReaderView:
    """What a mail's templates may know of its reader (`subscriber.…`): values in a single mail, slots
    in a campaign.
    """

    name: str
    preferences_url: str
    unsubscribe_url: str


ANY_READER = ReaderView(slot("name"), slot("preferences_url"), slot("unsubscribe_url"))


def view(env: Environment, mailing_list: MailingList) -> ListView:
    """The list as templates see it."""
    return ListView(
        id=mailing_list.id,
        slug=mailing_list.slug,
        title=plain(mailing_list.title, limit=200),
        url=env.links.mailing_list(mailing_list.slug),
        site_url=mailing_list.site_url,
        archive_url=env.links.archive(mailing_list.slug),
        from_name=plain(mailing_list.from_name, limit=200),
        from_email=mailing_list.from_email,
        reply_to=mailing_list.reply_to,
        postal_address=plain(mailing_list.postal_address, limit=500),
        language=mailing_list.language,
        own_language=mailing_list.language,
        color=mailing_list.theme_color,
        logo_url=mailing_list.logo_url,
        theme=theme(mailing_list.theme_color, mailing_list.theme_font, mailing_list.theme_radius),
    )


def compile_for_list(
    env: Environment, mailing_list: ListView, content: MailContent, *, stream: str
) -> CompiledMessage:
    """A mail to a list, to be filled in for each reader.

    `stream` names the kind of mail for Feedback-ID.
    """
    host = urlsplit(env.settings.base_url).hostname or "localhost"
    headers = list_headers(
        sender_of(mailing_list),
        content.subject,
        title=mailing_list.title,
        list_id=f"{mailing_list.slug}.{host}",
        help_url=mailing_list.url,
        archive_url=mailing_list.archive_url,
        feedback_id=f"{mailing_list.slug}:{stream}:newsletter",
    )
    return compile_message(Draft(headers, content.text, content.html))


def sender_of(mailing_list: ListView) -> Sender:
    """Whom a list writes as."""
    return Sender(mailing_list.from_name, mailing_list.from_email, mailing_list.reply_to)


Steps = Callable[[int, str], tuple[MailContent, Personal | None]]
NO_VALUES: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A message but for its readers, and what makes each reader's values of its own slots, if it
    has any. `campaign` is the handle of its campaign, empty in a letter of a series.
    """

    message: CompiledMessage
    sender: Sender
    campaign: str
    filler: Filler | None


class Composer:
    """Makes the messages of one run, each in its reader's language.

    Compiles each edition and each letter of a series once for each language; renders other single
    mails one by one. `steps` finds a series' letter by its number.
    """

    def __init__(self, env: Environment, steps: Steps) -> None:
        self.env = env
        self._bounces = env.settings.bounces.address
        self._steps = steps
        self._compiled: dict[tuple[int, int, str], _Compiled] = {}
        self._lists: dict[int, ListView] = {}
        self._readers = Acquaintance()
        with reading() as session:
            self._references = outbox.references(session)

    def compose(self, row: Row) -> Outgoing:
        """The message of `row`.

        Raises `TemplateProblem`, or `InvalidInput` for what no header can carry.
        """
        if row.campaign_id is None:
            return self._single(row)
        key = (row.campaign_id, row.cursor, known(row.language))
        found = self._compiled.get(key) or self._edition(key)
        return self._outgoing(
            row, found.sender, found.message, self._own(found, row), campaign=found.campaign
        )

    def _own(self, found: _Compiled, row: Row) -> dict[str, str]:
        """The values of a letter's own slots."""
        return found.filler(given(self.env, self._readers.of(row))) if found.filler else {}

    def _edition(self, key: tuple[int, int, str]) -> _Compiled:
        """An edition in a language; in the list's where there is none: a reader may have changed
        hers since it was made.
        """
        campaign_id, cursor, language = key
        with reading() as session:
            found = session.execute(
                select(Campaign, Edition, MailingList)
                .join(Edition, Edition.campaign_id == Campaign.id)
                .join(MailingList, MailingList.id == Campaign.list_id)
                .where(
                    Campaign.id == campaign_id,
                    Edition.cursor == cursor,
                    Edition.language.in_({language, ""}),
                )
                .order_by(Edition.language.desc())
            ).first()
            if found is None:
                raise NotFound(f"campaign {campaign_id} has no edition {cursor}")
            campaign, edition, mailing_list = found
            own = (campaign_id, cursor, edition.language)
            if own in self._compiled:
                return self._compiled.setdefault(key, self._compiled[own])
            shown = view(self.env, mailing_list)
            content = MailContent(edition.subject, edition.text, edition.html)
            kind, handle, kept = campaign.kind, campaign.handle, edition.fields
        compiled = compile_for_list(self.env, shown, content, stream=kind)
        filler = Filler(Personal.of_json(kept)) if kept else None
        self._compiled[key] = self._compiled[own] = _Compiled(
            compiled, sender_of(shown), handle, filler
        )
        return self._compiled[key]

    def _step(self, row: Row) -> Outgoing:
        """A letter of a list's series."""
        context = row.context or {}
        shown = self._list(row.list_id or 0)
        key = (0, int(context["step"]), spoken(row.language, shown.own_language))
        if key not in self._compiled:
            content, personal = self._steps(key[1], key[2])
            compiled = compile_for_list(self.env, shown, content, stream="series")
            self._compiled[key] = _Compiled(
                compiled, sender_of(shown), "", Filler(personal) if personal else None
            )
        found = self._compiled[key]
        return self._outgoing(row, found.sender, found.message, self._own(found, row))

    def _single(self, row: Row) -> Outgoing:
        if row.mail == "notice":
            return self._notice(row)
        if row.mail == "series":
            return self._step(row)
        now, handle, context, links = (
            self.env.now,
            str(row.handle),
            row.context or {},
            self.env.links,
        )
        shown = self._list(row.list_id or 0).in_language(context.get("language") or row.language)
        reader = ReaderView(
            name=row.name or "",
            preferences_url=links.account(handle, now)
            if row.mail == "link"
            else links.preferences(handle, now),
            unsubscribe_url=self.env.links.unsubscribe(handle, now),
        )
        content = self.env.renderer.render(
            row.mail,
            {
                "action_url": self._action(row, handle, now),
                "list": shown,
                "subscriber": reader,
                "confirm_url": self.env.links.confirm(handle, row.round or 0, now),
                "never_url": self.env.links.never(handle, row.round or 0, now),
                "expires_days": (LinkPurpose.CONFIRM.lifetime or now - now).days,
                "cadence_text": say(CADENCE_TEXT.get(row.cadence or "", ""), shown.language),
            }
            | ({"resource": self._linker(handle)} if row.mail in WITH_RESOURCES else {}),
        )
        draft = Draft(single_headers(sender_of(shown), content.subject), content.text, content.html)
        if row.mail == "welcome":
            compiled = compile_for_list(self.env, shown, content, stream="welcome")
        else:
            compiled = compile_message(draft)
        return self._outgoing(row, sender_of(shown), compiled)

    def _action(self, row: Row, handle: str, now: datetime) -> str:
        """What the one button of a mail opens, where that is a link of its kind's own."""
        context = row.context or {}
        match row.mail:
            case "export":
                return self.env.links.export(handle, now)
            case "erase":
                return self.env.links.erase(handle, now)
            case "address":
                return self.env.links.address(handle, str(context.get("mark", "")), now)
            case "moved" if context.get("change"):
                return self.env.links.address_undo(str(context["change"]), now)
            case "resource":
                return self.env.links.resource_of(handle, str(context.get("resource", "")), now)
        return ""

    def _linker(self, handle: str) -> Callable[[str], str]:
        """Make a mail's ``resource("guide")``, which returns the subscriber's own link."""
        now = self.env.now
        return resources.linker(
            resources.names(), lambda name: self.env.links.resource_of(handle, name, now)
        )

    def _notice(self, row: Row) -> Outgoing:
        """A mail to the list's author, who need not be a reader of it.

        It speaks English, as commands do.
        """
        context = row.context or {}
        shown = self._list(int(context["list_id"])).in_language(SOURCE)
        content = self.env.renderer.render(row.mail, {"list": shown, "notice": context})
        compiled = compile_message(
            Draft(single_headers(sender_of(shown), content.subject), content.text, content.html)
        )
        sender, to = sender_of(shown), str(context["to"])
        values = {"name": "", "email": to, "date": mail_date(self.env.now)}
        data = compiled.build(
            {**values, "message_id": self._references.message_id(row.id, sender.domain)}
        )
        return Outgoing(row.id, sender.email, to, data)

    def _list(self, list_id: int) -> ListView:
        if list_id not in self._lists:
            with reading() as session:
                self._lists[list_id] = view(self.env, session.get_one(MailingList, list_id))
        return self._lists[list_id]

    def _outgoing(
        self,
        row: Row,
        sender: Sender,
        compiled: CompiledMessage,
        own: Mapping[str, str] = NO_VALUES,
        *,
        campaign: str = "",
    ) -> Outgoing:
        now, handle = self.env.now, str(row.handle)
        email = str((row.context or {}).get("to") or row.email)
        # What a visitor typed as a name is not repeated in a confirmation: it would make a relay
        # for spam.
        shown = row.mail in ("digest", "letter", "permission", "series", "welcome")
        reference = self._references.name_delivery(row.id)
        values = {
            "name": row.name or "" if shown else "",
            "email": email,
            "date": mail_date(now),
            "message_id": f"{reference}@{sender.domain}",
            "unsubscribe_url": self.env.links.unsubscribe(handle, now),
            "preferences_url": self.env.links.preferences(handle, now),
            **own,
        }
        if row.mail == "permission":
            values["stay_url"] = self.env.links.stay(handle, campaign, now)
        envelope = return_path(self._bounces, reference) if self._bounces else sender.email
        return Outgoing(row.id, envelope, email, compiled.build(values), reference)


def mail_date(now: datetime) -> str:
    """RFC 5322 §3.3, in UTC."""
    return _date_of_second(now.replace(microsecond=0))


@lru_cache(maxsize=2)
def _date_of_second(second: datetime) -> str:
    return format_datetime(second)
