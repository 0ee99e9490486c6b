"""From a row of the outbox to bytes: what a mail is told about its list and its reader, and the
headers it carries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from newsletter import outbox
from newsletter.db.session import reading
from newsletter.errors import NotFound
from newsletter.i18n import SOURCE, known, say, spoken
from newsletter.link_purposes import LinkPurpose
from newsletter.mail.headers import Sender, single_headers
from newsletter.mail.message import CompiledMessage, MessageDraft, compile_message
from newsletter.mail.render import MailContent
from newsletter.mail.smtp.types import Outgoing
from newsletter.mail.templating.merge_fields import Filler, MergeTemplates
from newsletter.models import Campaign, Edition, MailingList
from newsletter.outbox import LeasedDelivery
from newsletter.services import resources
from newsletter.services.audience.merge_data import RecipientCache, build_merge_values
from newsletter.services.mail_context import (
    CADENCE_TEXT,
    ListContext,
    SubscriberContext,
    compile_for_list,
    format_mail_date,
    make_list_context,
    make_sender,
)
from newsletter.services.runtime import Environment
from newsletter.tokens import return_path

WITH_RESOURCES = ("welcome",)
"""Mails whose templates may call ``resource("guide")``; of the others, nobody has confirmed the
address yet, or the mail is about one thing only.
"""

Steps = Callable[[int, str], tuple[MailContent, MergeTemplates | None]]
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


class MessageBuilder:
    """Makes the messages of one run, each in its reader's language.

    Compiles each edition and each letter of a series once for each language; renders other single
    mails one by one. `steps` finds a series' letter by its number.
    """

    def __init__(self, env: Environment, steps: Steps) -> None:
        self.env = env
        self._bounces = env.settings.bounces.address
        self._steps = steps
        self._compiled: dict[tuple[int, int, str], _Compiled] = {}
        self._lists: dict[int, ListContext] = {}
        self._readers = RecipientCache()
        with reading() as session:
            self._references = outbox.get_references(session)

    def compose(self, row: LeasedDelivery) -> Outgoing:
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

    def _own(self, found: _Compiled, row: LeasedDelivery) -> dict[str, str]:
        """The values of a letter's own slots."""
        return (
            found.filler(build_merge_values(self.env, self._readers.of(row)))
            if found.filler
            else {}
        )

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
            shown = make_list_context(self.env, mailing_list)
            content = MailContent(edition.subject, edition.text, edition.html)
            kind, handle, kept = campaign.kind, campaign.handle, edition.fields
        compiled = compile_for_list(self.env, shown, content, stream=kind)
        filler = Filler(MergeTemplates.of_json(kept)) if kept else None
        self._compiled[key] = self._compiled[own] = _Compiled(
            compiled, make_sender(shown), handle, filler
        )
        return self._compiled[key]

    def _step(self, row: LeasedDelivery) -> Outgoing:
        """A letter of a list's series."""
        context = row.context or {}
        shown = self._list(row.list_id or 0)
        key = (0, int(context["step"]), spoken(row.language, shown.own_language))
        if key not in self._compiled:
            content, personal = self._steps(key[1], key[2])
            compiled = compile_for_list(self.env, shown, content, stream="series")
            self._compiled[key] = _Compiled(
                compiled, make_sender(shown), "", Filler(personal) if personal else None
            )
        found = self._compiled[key]
        return self._outgoing(row, found.sender, found.message, self._own(found, row))

    def _single(self, row: LeasedDelivery) -> Outgoing:
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
        reader = SubscriberContext(
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
        draft = MessageDraft(
            single_headers(make_sender(shown), content.subject), content.text, content.html
        )
        if row.mail == "welcome":
            compiled = compile_for_list(self.env, shown, content, stream="welcome")
        else:
            compiled = compile_message(draft)
        return self._outgoing(row, make_sender(shown), compiled)

    def _action(self, row: LeasedDelivery, handle: str, now: datetime) -> str:
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
        return resources.make_linker(
            resources.read_names(), lambda name: self.env.links.resource_of(handle, name, now)
        )

    def _notice(self, row: LeasedDelivery) -> Outgoing:
        """A mail to the list's author, who need not be a reader of it.

        It speaks English, as commands do.
        """
        context = row.context or {}
        shown = self._list(int(context["list_id"])).in_language(SOURCE)
        content = self.env.renderer.render(row.mail, {"list": shown, "notice": context})
        compiled = compile_message(
            MessageDraft(
                single_headers(make_sender(shown), content.subject), content.text, content.html
            )
        )
        sender, to = make_sender(shown), str(context["to"])
        values = {"name": "", "email": to, "date": format_mail_date(self.env.now)}
        data = compiled.build(
            {**values, "message_id": self._references.message_id(row.id, sender.domain)}
        )
        return Outgoing(row.id, sender.email, to, data)

    def _list(self, list_id: int) -> ListContext:
        if list_id not in self._lists:
            with reading() as session:
                self._lists[list_id] = make_list_context(
                    self.env, session.get_one(MailingList, list_id)
                )
        return self._lists[list_id]

    def _outgoing(
        self,
        row: LeasedDelivery,
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
            "date": format_mail_date(now),
            "message_id": f"{reference}@{sender.domain}",
            "unsubscribe_url": self.env.links.unsubscribe(handle, now),
            "preferences_url": self.env.links.preferences(handle, now),
            **own,
        }
        if row.mail == "permission":
            values["stay_url"] = self.env.links.stay(handle, campaign, now)
        envelope = return_path(self._bounces, reference) if self._bounces else sender.email
        return Outgoing(row.id, envelope, email, compiled.build(values), reference)
