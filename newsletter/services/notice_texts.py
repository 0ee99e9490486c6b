"""The notices to authors: subject, text, suggested command and documentation page of each."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.i18n import PluralText, Text


@dataclass(frozen=True, slots=True)
class Notice:
    """The template of a notice about a problem that only the author can fix.

    `commands` are what to type. `page` is the page of the author that helps, below /author/.
    """

    subject: Text
    paragraphs: tuple[Text, ...]
    commands: tuple[str, ...] = ()
    page: str | None = None


_NOTHING_LOST = Text(
    "It is polled again at least once a day, and nothing is lost: what is published meanwhile is "
    "mailed once the feed answers."
)
_FEED_SAYS = Text("%(server)s says: %(why)s")

FEED_GONE = Notice(
    Text("A feed is gone and is not asked any more"),
    (_FEED_SAYS, Text("If your blog has moved, add its new feed:")),
    ("newsletter feed add NEW-ADDRESS --list %(slug)s", "newsletter feed remove %(id)s"),
    page="sources",
)
FEED_FAILING = Notice(
    Text("A feed cannot be read, so nothing new goes out"),
    (
        _FEED_SAYS,
        _NOTHING_LOST,
        PluralText(
            "It has failed once since %(since)s. To poll it now:",
            "It has failed %(count)d times since %(since)s. To poll it now:",
        ),
    ),
    ("newsletter feed check %(id)s",),
    page="sources",
)

_HELD = PluralText(
    "A new entry of %(url)s is held until you decide: %(why)s.",
    "%(count)d new entries of %(url)s are held until you decide: %(why)s.",
)
_DECIDE = Text("Look at them, and skip or release them:")
_DECIDE_BY = (
    "newsletter entry ls --list %(slug)s --fate held",
    "newsletter entry skip --held --list %(slug)s",
    "newsletter entry release --held --list %(slug)s",
)
ENTRIES_HELD = Notice(
    PluralText(
        "A new entry is held: has your blog moved?",
        "%(count)d new entries are held: has your blog moved?",
    ),
    (
        _HELD,
        Text(
            "When a blog moves or changes its addresses, old posts can look like new ones, which "
            "your subscribers have had already."
        ),
        _DECIDE,
    ),
    _DECIDE_BY,
    page="sources?fate=held",
)
ENTRIES_PROTECTED = Notice(
    PluralText(
        "A new entry is held: password-protected",
        "%(count)d new entries are held: password-protected",
    ),
    (_HELD, Text("It goes out by itself once its password is taken away."), _DECIDE),
    _DECIDE_BY,
    page="sources?fate=held",
)

FLOOD = Notice(
    Text("Many sign-ups for %(list)s, and few are confirmed"),
    (
        Text(
            "Unusually many addresses were entered into the form of %(list)s, and very few of them "
            "were confirmed. A robot that fills in the addresses of strangers looks like this."
        ),
        PluralText(
            "So that nobody gets mail without having signed up, one confirmation is held. It is "
            "sent as soon as more of the earlier ones have been confirmed.",
            "So that nobody gets mail without having signed up, %(count)d confirmations are held. "
            "They are sent as soon as more of the earlier ones have been confirmed.",
        ),
        Text(
            "Look where they come from. If they are real (you spoke on the radio, for example), "
            "release them. If they are not, drop them: those addresses have got no mail from you. "
            "With --network, --domain or --proven you choose some of them."
        ),
    ),
    (
        "newsletter list confirmations %(slug)s",
        "newsletter list confirmations %(slug)s --release",
        "newsletter list confirmations %(slug)s --drop",
    ),
)

CAMPAIGN_PAUSED = Notice(
    Text("A campaign has paused itself"),
    (
        Text("“%(subject)s” (campaign %(id)s) stopped by itself: %(why)s"),
        Text(
            "No message is lost and none is sent twice: the remaining ones wait. Once the reason "
            "is gone, resume the campaign:"
        ),
    ),
    ("newsletter campaign report %(id)s", "newsletter campaign resume %(id)s"),
    page="campaigns/%(id)s",
)
MESSAGE_REFUSED = Notice(
    Text("A campaign is refused"),
    (
        Text("Messages of “%(subject)s” (campaign %(id)s) come back. A server says: %(why)s"),
        Text(
            "That is about the message or its sender: no subscriber is marked for it. Further "
            "reports about this campaign are counted and not mailed to you."
        ),
    ),
    ("newsletter campaign report %(id)s", "newsletter doctor"),
    page="campaigns/%(id)s",
)
DOMAIN_RESTING = Notice(
    Text("%(domain)s refuses your mail"),
    (
        Text("%(domain)s refuses your mail while others take it. It says: %(why)s"),
        Text(
            "Such refusals are about the sender (SPF, DKIM, DMARC, reputation) and not about your "
            "subscribers. The messages are tried again later, less and less often, and no address "
            "is marked. Check what can be checked from here:"
        ),
    ),
    ("newsletter doctor",),
    page="campaigns/%(id)s",
)
_SENDER_SAYS = Text("%(server)s takes no mail from this installation for now. It says: %(why)s")
_TRIED_AGAIN = Text(
    "No address is marked for it and no message is sent twice: what waits is sent once the server "
    "takes mail again. It is tried again at %(until)s, and after that again."
)
SENDER_RESTING = Notice(
    Text("Your mail server takes no more mail for now"),
    (_SENDER_SAYS, _TRIED_AGAIN),
    ("newsletter status",),
)
SENDER_LIMITED = Notice(
    SENDER_RESTING.subject,
    (
        _SENDER_SAYS,
        _TRIED_AGAIN,
        Text("If your provider allows only so much, this setting keeps within it: %(setting)s."),
    ),
    SENDER_RESTING.commands,
)
PACE_LEARNT = Notice(
    Text("Your mail server wants mail more slowly"),
    (
        Text("%(server)s takes mail more slowly than it was offered. It says: %(why)s"),
        Text(
            "Sending continues at about %(rate)s messages a second and slowly becomes faster "
            "again; no message is lost. If you know the rate that your provider allows, set it, "
            "and no message is refused any more:"
        ),
    ),
    ("smtp.max_per_second = %(setting)s",),
)

_REPLIED = Text(
    "Somebody replied to a mail of %(list)s. The reply is attached, and your answer goes to "
    "whoever wrote it."
)
REPLY = Notice(Text("A subscriber replied"), (_REPLIED,))
REPLY_TO_END = Notice(
    REPLY.subject,
    (
        _REPLIED,
        Text("It seems to ask to be unsubscribed. Nothing was changed; if that is what they want:"),
    ),
    ("newsletter bounce accept %(proposal)s",),
)

WEBHOOK_PAUSED = Notice(
    Text("Webhook %(id)s is paused: %(receiver)s takes nothing"),
    (
        Text("Nothing that happens is told to %(receiver)s any more. The reason: %(why)s."),
        Text("Nothing is lost for %(days)s days. Once the receiver is mended:"),
    ),
    ("newsletter webhook log %(id)s", "newsletter webhook resume %(id)s"),
)

TROUBLE_SUBJECT = Text("Your newsletter program needs your attention")
TROUBLE_END = Text("You are told once. To mend it, or to see more:")
