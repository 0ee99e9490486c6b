"""Build the message of a delivery: render or load its content, and fill in the subscriber."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import reading
from newsletter.errors import NotFound
from newsletter.i18n import find_language, find_other_language, say
from newsletter.link_purposes import LinkPurpose
from newsletter.mail.dkim.signer import Sign, make_sign, sign_message
from newsletter.mail.forward import build_forward
from newsletter.mail.headers import Sender, make_single_headers
from newsletter.mail.kinds import MAILS, Requirement
from newsletter.mail.message import CompiledMessage
from newsletter.mail.render import MailContent
from newsletter.mail.smtp.types import Outgoing
from newsletter.mail.templating.merge_fields import Filler, MergeTemplates
from newsletter.models import Campaign, Edition, MailingList
from newsletter.outbox import LeasedDelivery
from newsletter.services import resources
from newsletter.services.audience.merge_data import RecipientCache, build_merge_values
from newsletter.services.inbound import forwarding, receivers
from newsletter.services.mail_context import (
    CADENCE_TEXT,
    ListContext,
    SubscriberContext,
    compile_for_list,
    compile_single,
    format_mail_date,
    make_list_context,
    make_own_links,
    make_sender,
)
from newsletter.services.runtime import Environment
from newsletter.services.sending import author_mail
from newsletter.services.sending.confirmation_forms import compile_confirmation
from newsletter.services.sending.signers import find_signers
from newsletter.tokens import make_return_path, make_unsubscribe_address
from newsletter.vocabulary import MailKind

FindSeriesLetter = Callable[[int, str], tuple[MailContent, MergeTemplates | None]]
"""A function that returns a letter of a series by its id, in a language."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A compiled message, before a subscriber is filled in.

    `campaign` is the handle of its campaign, "" in a letter of a series. `filler` makes the values
    of a letter's own slots, None where it has none.
    """

    message: CompiledMessage
    sender: Sender
    campaign: str
    filler: Filler | None


class MessageBuilder:
    """Builds the messages of one run, in the languages of their subscribers.

    Each edition and each letter of a series is compiled once for each language, confirmations once
    for all runs; other mails are rendered one by one.
    """

    def __init__(self, env: Environment, find_series_letter: FindSeriesLetter) -> None:
        self.env = env
        self._bounces = env.settings.bounces.address
        self._unsubscribe_to = receivers.find_unsubscribe_address(env)
        self._signers = find_signers(env)
        self._find_series_letter = find_series_letter
        self._compiled: dict[tuple[int, int, str], _Compiled] = {}
        self._lists: dict[int, ListContext] = {}
        self._subscribers = RecipientCache()
        with reading() as session:
            self._references = outbox.get_references(session)

    def build(self, row: LeasedDelivery) -> Outgoing:
        """Build the message of a delivery.

        Raises `TemplateProblem`, and `InvalidInput` for a value that no header can carry.
        """
        if row.campaign_id is not None:
            key = (row.campaign_id, row.cursor, row.language or "")
            return self._fill(row, self._compiled.get(key) or self._compile_edition(key))
        if row.mail is MailKind.SERIES:
            return self._fill(row, self._compile_series_letter(row))
        if MAILS[row.mail].requires is Requirement.NOTHING:
            return self._build_for_author(row)
        return self._build_single(row)

    def _fill(self, row: LeasedDelivery, compiled: _Compiled) -> Outgoing:
        values: dict[str, str] = {}
        if compiled.filler:
            recipient = self._subscribers.of(row)
            values = compiled.filler(build_merge_values(self.env, recipient, compiled.campaign))
        if MAILS[row.mail].link is LinkPurpose.STAY:
            stay_url = self.env.links.stay(str(row.handle), compiled.campaign, self.env.now)
            values["stay_url"] = stay_url
        return self._put_into_envelope(row, compiled.sender, compiled.message, values)

    def _compile_edition(self, key: tuple[int, int, str]) -> _Compiled:
        """Compile an edition in a language, or else in the list's.

        A subscriber may have changed the language since the edition was made.
        """
        campaign_id, cursor, tag = key
        with reading() as session:
            campaign, edition, mailing_list = _get_edition(
                session, campaign_id, cursor, find_language(tag)
            )
            key_made = (campaign_id, cursor, edition.language)
            if key_made in self._compiled:
                return self._compiled.setdefault(key, self._compiled[key_made])
            list_context = make_list_context(self.env, mailing_list)
            content = MailContent(edition.subject, edition.text, edition.html)
            stream = campaign.kind.value
            handle = campaign.handle
            fields = edition.fields
        compiled = _Compiled(
            self._compile(list_context, content, stream=stream),
            make_sender(list_context),
            handle,
            Filler(MergeTemplates.of_json(fields)) if fields else None,
        )
        self._compiled[key] = compiled
        self._compiled[key_made] = compiled
        return compiled

    def _compile_series_letter(self, row: LeasedDelivery) -> _Compiled:
        number = int((row.context or {})["step"])
        list_context = self._find_list(row.list_id or 0)
        language = find_other_language(row.language, list_context.own_language)
        key = (0, number, language)
        if key not in self._compiled:
            content, templates = self._find_series_letter(number, language)
            self._compiled[key] = _Compiled(
                self._compile(list_context, content, stream=row.mail.value),
                make_sender(list_context),
                "",
                Filler(templates) if templates else None,
            )
        return self._compiled[key]

    def _build_single(self, row: LeasedDelivery) -> Outgoing:
        """Build a single mail to one subscriber."""
        context = row.context or {}
        list_context = self._find_list(row.list_id or 0).in_language(
            context.get("language") or row.language
        )
        variables = self._make_context(row, list_context)
        if row.mail is MailKind.CONFIRM:
            message, links = compile_confirmation(self.env.renderer, list_context, variables)
            return self._put_into_envelope(row, make_sender(list_context), message, links)
        content = self.env.renderer.render(row.mail, variables)
        if MAILS[row.mail].list_headers:
            message = self._compile(list_context, content, stream=row.mail.value)
        else:
            message = compile_single(list_context, content)
        return self._put_into_envelope(row, make_sender(list_context), message, {})

    def _make_context(self, row: LeasedDelivery, list_context: ListContext) -> dict[str, object]:
        """Return the template variables of a single mail."""
        links = self.env.links
        handle = str(row.handle)
        now = self.env.now
        own_links = make_own_links(links, handle, now)
        if MAILS[row.mail].preferences is LinkPurpose.ACCOUNT:
            own_links["preferences_url"] = links.account(handle, now)
        subscriber = SubscriberContext(
            name=row.name or "" if MAILS[row.mail].shows_name else "", **own_links
        )
        variables: dict[str, object] = {
            "action_url": self._find_action_url(row),
            "list": list_context,
            "subscriber": subscriber,
            "confirm_url": links.confirm(handle, row.round or 0, now),
            "never_url": links.never(handle, row.round or 0, now),
            "expires_days": LinkPurpose.CONFIRM.lifetime.days
            if LinkPurpose.CONFIRM.lifetime
            else 0,
            "cadence_text": say(CADENCE_TEXT.get(row.cadence or "", ""), list_context.language),
        }
        if MAILS[row.mail].has_resources:
            variables["resource"] = resources.make_linker(
                resources.read_names(), lambda name: links.resource_of(handle, name, now)
            )
        return variables

    def _find_action_url(self, row: LeasedDelivery) -> str:
        """Return the link of a mail's button, "" if it has none."""
        links = self.env.links
        handle = str(row.handle)
        now = self.env.now
        context = row.context or {}
        match MAILS[row.mail].link:
            case LinkPurpose.STORY:
                return links.story(handle, now)
            case LinkPurpose.EXPORT:
                return links.export(handle, now)
            case LinkPurpose.ERASE:
                return links.erase(handle, now)
            case LinkPurpose.ADDRESS:
                return links.address(handle, str(context.get("mark", "")), now)
            case LinkPurpose.ADDRESS_UNDO if context.get("change"):
                return links.address_undo(str(context["change"]), now)
            case LinkPurpose.RESOURCE:
                return links.resource_of(handle, str(context.get("resource", "")), now)
        return ""

    def _build_for_author(self, row: LeasedDelivery) -> Outgoing:
        """Build a mail to an author, who need not be a subscriber.

        It is in the language that its context names, or in the list's.
        """
        context = row.context or {}
        list_context = self._find_list(int(context["list_id"]))
        list_context = list_context.in_language(context.get("language"))
        variables = author_mail.describe(self.env, row.mail, context, list_context)
        content = self.env.renderer.render(row.mail, variables)
        sender = make_sender(list_context)
        recipient = str(context["to"])
        values = {
            "name": "",
            "email": recipient,
            "date": format_mail_date(self.env.now),
            "message_id": self._references.message_id(row.id, sender.domain),
        }
        sign = self._find_signer(sender) if self._signers else None
        reply = forwarding.find_reply(context.get("reply"))
        if reply is not None:
            headers = make_single_headers(replace(sender, reply_to=reply.writer), content.subject)
            data = build_forward(headers, values, content.text, reply.content)
            return Outgoing(row.id, sender.email, recipient, sign_message(data, sign))
        data = compile_single(list_context, content).build(values, sign)
        return Outgoing(row.id, sender.email, recipient, data)

    def _compile(
        self, list_context: ListContext, content: MailContent, *, stream: str
    ) -> CompiledMessage:
        by_mail = bool(self._unsubscribe_to)
        return compile_for_list(
            self.env, list_context, content, stream=stream, unsubscribe_by_mail=by_mail
        )

    def _find_list(self, list_id: int) -> ListContext:
        if list_id not in self._lists:
            with reading() as session:
                mailing_list = session.get_one(MailingList, list_id)
                self._lists[list_id] = make_list_context(self.env, mailing_list)
        return self._lists[list_id]

    def _make_unsubscribe_url(self, handle: str) -> str:
        """Return the mailto URL for unsubscribing by mail."""
        key = self.env.settings.signing_keys[0]
        address = make_unsubscribe_address(key, self._unsubscribe_to, handle)
        return f"mailto:{address}?subject=unsubscribe"

    def _find_signer(self, sender: Sender) -> Sign | None:
        """Return the signer for the sender's domain, or None."""
        return make_sign(self._signers.get(sender.domain, ()), self.env.now)

    def _put_into_envelope(
        self,
        row: LeasedDelivery,
        sender: Sender,
        message: CompiledMessage,
        values: Mapping[str, str],
    ) -> Outgoing:
        """Fill in a message for the subscriber of a delivery, and add the envelope."""
        handle = str(row.handle)
        recipient = str((row.context or {}).get("to") or row.email)
        reference = self._references.name_report(row.id)
        domain = sender.domain
        now = self.env.now
        data = message.build(
            {
                "name": row.name or "" if MAILS[row.mail].shows_name else "",
                "email": recipient,
                "date": format_mail_date(now),
                "message_id": self._references.message_id(row.id, domain),
                "report_id": f"{reference}@{domain}",
                "unsubscribe_mail": self._make_unsubscribe_url(handle)
                if self._unsubscribe_to
                else "",
                **make_own_links(self.env.links, handle, now, message.slots),
                **values,
            },
            self._find_signer(sender) if self._signers else None,
        )
        return_address = (
            make_return_path(self._bounces, reference) if self._bounces else sender.email
        )
        return Outgoing(row.id, return_address, recipient, data, reference)


def _get_edition(
    session: Session, campaign_id: int, cursor: int, language: str
) -> tuple[Campaign, Edition, MailingList]:
    row = session.execute(
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
    if row is None:
        raise NotFound(f"campaign {campaign_id} has no edition {cursor}")
    return row[0], row[1], row[2]
