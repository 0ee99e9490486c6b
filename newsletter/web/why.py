"""The page that explains why a subscriber gets mail, linked in every mail.

Why somebody did not get a campaign is decided in services/campaigns/judge_delivery.py.
"""

from __future__ import annotations

from flask import Blueprint, Response

from newsletter.i18n import Text
from newsletter.services.runtime import environment
from newsletter.services.subscribers import story
from newsletter.services.subscribers.story_view import Story
from newsletter.vocabulary import ConsentKind, DeliveryStatus, MailKind
from newsletter.web.locale import set_languages, translate_texts
from newsletter.web.responses import mark_private, render_page

blueprint = Blueprint("why", __name__)

EVENT_WORDS: dict[str, str] = {
    ConsentKind.REQUESTED: Text("Your address was typed into the form"),
    ConsentKind.ASKED: Text("The mail that asks for confirmation was sent later"),
    ConsentKind.AGREED: Text("You agreed to this"),
    ConsentKind.CONFIRMED: Text("You confirmed"),
    ConsentKind.REAFFIRMED: Text("You confirmed once more"),
    ConsentKind.LAPSED: Text("It ended, for we asked whether you would like to stay"),
    ConsentKind.UNSUBSCRIBED: Text("The subscription ended"),
    ConsentKind.RESUBSCRIBED: Text("You came back"),
    ConsentKind.CHANGED: Text("Your choices were changed"),
    ConsentKind.MOVED: Text("Your address was changed"),
    ConsentKind.ADDED: Text("The author added your address"),
    ConsentKind.IMPORTED: Text("The author brought your address along from another program"),
    ConsentKind.REASON: Text("You said why you left"),
    ConsentKind.RELEASED: Text("The author allowed mail to your address again"),
}
MAIL_WORDS: dict[str, str] = {
    MailKind.CONFIRM: Text("Confirm your subscription"),
    MailKind.ALREADY: Text("You are already subscribed"),
    MailKind.WELCOME: Text("Welcome"),
    MailKind.GOODBYE: Text("You are unsubscribed"),
    MailKind.LINK: Text("Your preferences"),
    MailKind.STORY: Text("Why am I getting this?"),
    MailKind.EXPORT: Text("Your data"),
    MailKind.ERASE: Text("Erase your data"),
    MailKind.RESOURCE: Text("Your file"),
    MailKind.ADDRESS: Text("Your new address"),
    MailKind.MOVED: Text("Your address has changed"),
    MailKind.PERMISSION: Text("Would you like to stay?"),
    MailKind.SERIES: Text("A letter for new subscribers"),
}
"""Names of the kinds of mail without a stored subject."""
STATUS_WORDS: dict[str, str] = {
    DeliveryStatus.FAILED: Text("your mail server did not take it"),
    DeliveryStatus.IN_DOUBT: Text("perhaps it did not arrive"),
}


@blueprint.get("/why/<path:token>")
def why_page(token: str) -> Response:
    """Explain why a mail was sent, with the whole story if the link was mailed on request."""
    return _render_why(story.get_story(environment(), token))


@blueprint.post("/why/<path:token>")
def why(token: str) -> Response:
    """Mail the subscriber a link to the whole story."""
    return _render_why(story.mail_story(environment(), token), mailed=True)


def _render_why(content: Story, *, mailed: bool = False) -> Response:
    set_languages(subscriber=content.language, mailing_list=content.list_language)
    return mark_private(
        render_page(
            "why.html",
            story=content,
            look=content.look,
            mailed=mailed,
            event_words=translate_texts(EVENT_WORDS),
            mail_words=translate_texts(MAIL_WORDS),
            status_words=translate_texts(STATUS_WORDS),
        )
    )
