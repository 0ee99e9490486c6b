"""List the rules for the texts of SMTP replies, in order.

Data only.

The first rule that matches decides. Patterns are matched against text that `classify.normalize` has
prepared: lower case, without accents, white space collapsed, e-mail addresses replaced by "@", host
names by "host", addresses of pages by "url". Every gap in a pattern is bounded, so that matching
takes linear time (tests/smtp/test_classify.py feeds long runs to each).
"""

from __future__ import annotations

from newsletter.mail.smtp.causes import Cause, Rule
from newsletter.mail.smtp.recipient_rules import (
    BAD_FORMAT,
    FULL_MAILBOX,
    GREYLISTING,
    MAILBOX_BUSY,
    MAILBOX_SUSPENDED,
    MESSAGE_TOO_LARGE,
    NETWORK_TROUBLE,
    NO_SUCH_DOMAIN,
    NO_SUCH_MAILBOX,
    RECIPIENT_REFUSES,
)
from newsletter.mail.smtp.sender_rules import (
    ACCOUNT_REFUSED,
    BAD_DELIVERY_RATE,
    BAD_REPUTATION,
    BLOCKLISTED,
    NOT_AUTHENTICATED,
    SENDER_REFUSED,
    SENDING_QUOTA,
    SENDING_RATE,
    THROTTLED,
    TOO_MANY_CONNECTIONS,
    UNAUTHENTICATED,
    UNWANTED_CONTENT,
)

RULES: tuple[Rule, ...] = (
    MAILBOX_BUSY,
    GREYLISTING,
    BAD_DELIVERY_RATE,
    TOO_MANY_CONNECTIONS,
    SENDING_RATE,
    SENDING_QUOTA,
    UNAUTHENTICATED,
    BLOCKLISTED,
    THROTTLED,
    RECIPIENT_REFUSES,
    ACCOUNT_REFUSED,
    SENDER_REFUSED,
    NOT_AUTHENTICATED,
    MAILBOX_SUSPENDED,
    NETWORK_TROUBLE,
    NO_SUCH_DOMAIN,
    FULL_MAILBOX,
    NO_SUCH_MAILBOX,
    MESSAGE_TOO_LARGE,
    BAD_REPUTATION,
    BAD_FORMAT,
    UNWANTED_CONTENT,
)


LOOSE_RULES: tuple[Rule, ...] = (
    Rule(
        Cause.MAILBOX_FULL,
        "Exim hosts (blocked due to inactivity): a mailbox that is open again once it is used",
        (r"(?:due to|because of) .{0,20}inactivity|no recipient activity",),
    ),
    Rule(
        Cause.POLICY,
        "RFC 3463 X.7.1; GMX and IONOS (Reject due to policy restrictions); Postfix access(5) "
        "(Access denied); Exim (Administrative prohibition); iCloud (local policy)",
        (
            r"polic(?:y|ies)|prohibit|denied|blocked|forbidden|not (?:allowed|permitted|"
            r"authori[sz]ed|welcome)|verboten|richtlinie|interdit|politique|restriction|"
            r"security (?:polic|reason|restrict|violat|risk|threat)|"
            r"bloqu|gesperrt",
        ),
    ),
    Rule(
        Cause.TEMPORARY,
        "RFC 5321 section 4.2.3 (450, 451, 452); Gmail (Temporary System Problem); Yahoo "
        "(Resources temporarily unavailable)",
        (
            r"try (?:again|later)|temporar|later|local error|service (?:not available|"
            r"unavailable)|resources|server (?:is )?busy|overload|maintenance|spater|plus tard|"
            r"vorubergehend|system (?:problem|error|failure)|internal error|out of order|"
            r"deferred",
        ),
    ),
)

MAILBOX_UNAVAILABLE = (
    r"(?:requested (?:mail )?action (?:not taken|aborted)\W{0,3}(?:[45]\d\d-)?)?mailbox "
    r"(?:unavailable(?: or not local)?|name not allowed|not available)"
)
"""Pattern of the text that RFC 5321 section 4.2.3 gives for 450, 550 and 553.

GMX and IONOS put it before every reason, Outlook.com says nothing else of an unknown user: it
counts where nothing else is said.
"""

BOILERPLATE = (
    r"requested (?:mail )?action (?:not taken|aborted)|for explanation visit|transaction failed|"
    r"error|sorry|smtp|esmtp|please|see|url|host|reason|recipient|rcpt to|@|id|said|remote "
    r"server|returned|response|message|delivery|failed|failure|to|the|in reply|command|was|"
    r"status|code|(?:from|by) remote (?:mail ?)?(?:server|mailer)|after|end of data|in response to"
)
"""Pattern of words that give no reason; any other words beside `MAILBOX_UNAVAILABLE` are one."""
