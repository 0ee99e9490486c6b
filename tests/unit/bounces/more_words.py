"""A fifth set: what 107 reports of one more collection and 170 composed ones showed to be misread."""

from __future__ import annotations

from tests.unit.bounces.build import DEAD, VERP, Sample, group, mail, plain, report

OTHER = "ann.other@example.org"
POSTFIX = "Undelivered Mail Returned to Sender"
NOTIFICATION = """\
{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bounceSubType":"General",
"bouncedRecipients":[{"emailAddress":"ann@example.org","action":"failed","status":"5.1.1",
"diagnosticCode":"smtp; 550 5.1.1 user unknown"}]},"mail":{"source":"news@example.com"}}

--
If you wish to stop receiving notifications from this topic, please click the link below.
"""


def said(words: str, name: str, meant: str) -> Sample:
    """Write a notice of Postfix, which wraps what the server said."""
    body = f"This is the mail system at host mx.example.com.\n\n<{DEAD}>: host\n    {words}\n"
    return Sample(name, plain(body, subject=POSTFIX), [(DEAD, meant)], machine=False)


def returned(
    name: str, body: str, meant: str, subject: str = "failure notice", sender: str = ""
) -> Sample:
    written = {"sender": sender} if sender else {}
    return Sample(
        name,
        plain(body, subject=subject, charset="utf-8", **written),
        [(DEAD, meant)],
        machine=False,
    )


SAMPLES = [
    said(
        f"mx.example.org[192.0.2.1] said: 550\n    5.2.1 <{OTHER}>... Addressee unknown,\n"
        "    relay=[192.0.2.10] (in reply to RCPT TO command)",
        "passed on, in wrapped words",
        "hard",
    ),
    said(
        f"relay.example.org[192.0.2.1] said: 550 5.1.1\n    <{VERP}>: unauthorized sender (in\n"
        "    reply to RCPT TO command)",
        "our own address in wrapped words",
        "sender",
    ),
    said(
        "mx.example.org[192.0.2.1] said: 550 #5.1.0\n    Address rejected. (in reply to RCPT TO "
        "command)",
        "refused without a reason, in Postfix's words",
        "hard",
    ),
    returned(
        "retried though a server said no",
        f"There was a temporary problem delivering your message to {DEAD}. Gmail will retry for 46 "
        "more hours. You'll be notified if the delivery fails permanently.\n\n550 5.1.1 unknown\n",
        "ignore",
        "Delivery Status Notification",
    ),
    returned(
        "not a permanent error",
        f"There was a temporary problem delivering your message to:\n\n<{DEAD}> (connection timed "
        "out)\n\nThis is not a permanent error; delivery will be attempted again.\n",
        "ignore",
        "Warning: Delay in message delivery",
    ),
    returned(
        "passed on to another server",
        f"This is the delivery status of your message.\n\n  <{DEAD}>  relayed to mailer mx.example\n",
        "ignore",
        "Delivery report",
    ),
    returned(
        "the inbox is full, or busy",
        f"Your message couldn't be delivered to {DEAD}. Their inbox is full, or it's getting too "
        "much mail right now.\n",
        "soft",
        "Delivery Status Notification (Failure)",
    ),
    returned(
        "only the original in the text names it",
        "   ----- Transcript of session follows -----\n421 example.org (smtp)... Deferred: "
        "Connection timed out\n\n   ----- Unsent message follows -----\nFrom: news@example.com\n"
        f"To: {DEAD}\nSubject: Three new posts\n\nHello\n",
        "soft",
        "Returned mail: Cannot send message for 4 days",
    ),
    returned(
        "a gateway that does not like newsletters",
        f"MailMarshal has not delivered the following message:\n\n   From: {VERP}\n   To: {DEAD}\n\n"
        "Our organisation does not accept messages with this kind of content (spam).\n",
        "content",
        "MailMarshal has detected a possible spam message",
        "MailMarshal <postmaster@mm.example.org>",
    ),
    returned(
        "no reply, with the original",
        f"Could not be delivered to: <{DEAD}>\nAs their mailbox is full.\n",
        "soft",
        "Undeliverable",
    ),
    Sample(
        "a notification of SNS by mail",
        mail("AWS Notification Message", NOTIFICATION, sender="SES <no-reply@sns.example>"),
        [(DEAD, "hard")],
    ),
    Sample(
        "the words of the last server",
        report(group(status="5.1.1", reason="550 5.1.1 unauthorized sender")),
        [(DEAD, "sender")],
    ),
]
PARCEL = mail(
    "Zustellung fehlgeschlagen",
    "Ihr Paket konnte nicht zugestellt werden. Bitte schreiben Sie an paket@example.net.",
    sender="Paketdienst <noreply@parcel.example>",
)
"""Nothing that a mail system wrote."""
AWAY = (
    "Ich bin derzeit nicht im Büro",
    "Fuori sede",
    "Fraværsassistent",
    "Ikke på kontoret: Three new posts",
    "自动答复: Three new posts",
    "Automātiska atbilde: Three new posts",
)
