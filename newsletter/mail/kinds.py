"""Declare the properties of every kind of mail: recipients, headers, links.

The links of a subscription that are in all its mails (unsubscribe, preferences, why) are filled in
by services/mail_context.py (`OWN_LINKS`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from newsletter.link_purposes import LinkPurpose
from newsletter.vocabulary import MailKind


class Requirement(Enum):
    """The state of a subscription that a mail requires at the time of sending."""

    NOTHING = "nothing: the mail goes to the list's author, who need not be a subscriber"
    KNOWN = "its subscriber exists and is not suppressed"
    PENDING = "the same, and the request that the mail asks about is still open"
    ACTIVE = "the same, and the subscription is active"


@dataclass(frozen=True, slots=True)
class Mail:
    """The declaration of a kind of mail.

    - `requires`: what must hold when it goes out.
    - `list_headers`: it is bulk mail of a list, with one-click unsubscription (RFC 8058, RFC 2369).
    - `shows_name`: it may repeat the subscriber's name. Mails that a stranger can cause do not,
      because a form that mails what a visitor typed is a relay for spam.
    - `held`: it goes where a visitor said, and waits at the gate: also to who subscribes already,
      for the allowance that it uses shows in what is left for others.
    - `link`: the purpose of its one button, None where the templates need no link of their own.
    - `preferences`: the purpose of its link to the preferences.
    - `has_resources`: its templates may call `resource("guide")`.
    - `names_address`: its context holds an address, or the visitor's network, which is deleted once
      it is of no more use.
    - `in_proof`: it is listed in the record that proves a subscriber's consent.
    - `passing`: its row in the outbox is deleted `keep_deliveries` after it was finished. Rows of
      the other single mails are kept for as long as their subscriber: they prove the consent.
    """

    requires: Requirement = Requirement.KNOWN
    list_headers: bool = False
    shows_name: bool = False
    held: bool = False
    link: LinkPurpose | None = None
    preferences: LinkPurpose = LinkPurpose.PREFERENCES
    has_resources: bool = False
    names_address: bool = False
    in_proof: bool = True
    passing: bool = False


MAILS = {
    MailKind.CONFIRM: Mail(Requirement.PENDING, held=True, link=LinkPurpose.CONFIRM),
    MailKind.ALREADY: Mail(held=True, names_address=True),
    MailKind.WELCOME: Mail(
        Requirement.ACTIVE, list_headers=True, shows_name=True, has_resources=True
    ),
    MailKind.GOODBYE: Mail(),
    MailKind.LINK: Mail(preferences=LinkPurpose.ACCOUNT),
    MailKind.STORY: Mail(link=LinkPurpose.STORY),
    MailKind.EXPORT: Mail(link=LinkPurpose.EXPORT),
    MailKind.ERASE: Mail(link=LinkPurpose.ERASE),
    MailKind.RESOURCE: Mail(link=LinkPurpose.RESOURCE),
    MailKind.ADDRESS: Mail(held=True, link=LinkPurpose.ADDRESS, names_address=True),
    MailKind.MOVED: Mail(link=LinkPurpose.ADDRESS_UNDO, names_address=True),
    MailKind.NOTICE: Mail(Requirement.NOTHING, passing=True),
    MailKind.DIGEST: Mail(Requirement.ACTIVE, list_headers=True, shows_name=True, in_proof=False),
    MailKind.LETTER: Mail(Requirement.ACTIVE, list_headers=True, shows_name=True, in_proof=False),
    MailKind.PERMISSION: Mail(
        Requirement.ACTIVE, list_headers=True, shows_name=True, link=LinkPurpose.STAY
    ),
    MailKind.SERIES: Mail(Requirement.ACTIVE, list_headers=True, shows_name=True, passing=True),
    MailKind.LOG_IN: Mail(
        Requirement.NOTHING, link=LinkPurpose.LOG_IN, names_address=True, passing=True
    ),
    MailKind.PASSKEY: Mail(Requirement.NOTHING, names_address=True, passing=True),
    MailKind.BROWSER: Mail(Requirement.NOTHING, names_address=True, passing=True),
    MailKind.WEEKLY: Mail(Requirement.NOTHING, names_address=True, passing=True),
    MailKind.REVIEW: Mail(
        Requirement.NOTHING, link=LinkPurpose.REVIEW, names_address=True, passing=True
    ),
}
"""Every kind of mail. `tests/services/sending/test_mail_kinds.py` renders and sends each."""

HELD = tuple(kind for kind, mail in MAILS.items() if mail.held)
NAMING_ADDRESSES = tuple(kind for kind, mail in MAILS.items() if mail.names_address)
PASSING = tuple(kind for kind, mail in MAILS.items() if mail.passing)
