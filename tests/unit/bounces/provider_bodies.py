"""One report of each kind of each mail provider, in the form that its documentation shows.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
https://postmarkapp.com/developer/webhooks/webhooks-overview
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
https://documentation.mailgun.com/docs/mailgun/user-manual/events/event-structure
https://developers.brevo.com/docs/transactional-webhooks
https://dev.mailjet.com/email/guides/webhooks/
https://resend.com/docs/dashboard/webhooks/event-types

`expected` is what each event of a report says, as (recipient, class). django-anymail 15.2, asked for
a second opinion, reads the same bodies as the same kinds of events; it takes a report of failed
authentication for a complaint, and a full mailbox for a dead one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Read = tuple[str, str]


@dataclass(frozen=True)
class Body:
    """A report: its provider, a name for it, the JSON, and what it says."""

    provider: str
    name: str
    row: Any
    expected: tuple[Read, ...] = ()


WHO = "recipient@example.com"
MESSAGE_ID = "aaaaaaaaaaaaaaaaaaaaaaaa@news.example.com"

# --- Amazon SES: the Message of a notification of SNS ---

SES_MAIL = {
    "timestamp": "2026-01-27T14:59:38.237Z",
    "source": "b+bbbbbbbbbbbbbbbbbbbbbbbb@news.example.com",
    "sourceArn": "arn:aws:ses:us-east-1:888888888888:identity/example.com",
    "sourceIp": "127.0.3.0",
    "sendingAccountId": "123456789012",
    "callerIdentity": "IAM_user_or_role_name",
    "messageId": "00000138111222aa-33322211-cccc-cccc-cccc-ddddaaaa0680-000000",
    "destination": [WHO],
    "headersTruncated": False,
    "headers": [
        {"name": "From", "value": "\"John Doe\" <john@example.com>"},
        {"name": "To", "value": f"\"Jane Doe\" <{WHO}>"},
        {"name": "Message-ID", "value": f"<{MESSAGE_ID}>"},
        {"name": "Subject", "value": "Hello"},
        {"name": "List-Unsubscribe", "value": "<https://news.example.com/unsubscribe/t>"},
    ],
    "commonHeaders": {
        "from": ["John Doe <john@example.com>"], "date": "Wed, 27 Jan 2026 14:05:45 +0000",
        "to": [f"Jane Doe <{WHO}>"], "messageId": f"<{MESSAGE_ID}>", "subject": "Hello",
    },
}


def ses_bounce(kind: str, subtype: str, **recipient: str) -> dict[str, Any]:
    return {
        "notificationType": "Bounce",
        "bounce": {
            "bounceType": kind,
            "bounceSubType": subtype,
            "bouncedRecipients": [{"emailAddress": WHO, **recipient}],
            "reportingMTA": "dns; email.example.com",
            "timestamp": "2026-01-27T14:59:38.237Z",
            "feedbackId": "00000138111222aa-33322211-cccc-cccc-cccc-ddddaaaa068a-000000",
            "remoteMtaIp": "127.0.2.0",
        },
        "mail": SES_MAIL,
    }


def ses_complaint(kind: str | None, subtype: str | None = None) -> dict[str, Any]:
    return {
        "notificationType": "Complaint",
        "complaint": {
            "userAgent": "AnyCompany Feedback Loop (V0.01)",
            "complainedRecipients": [{"emailAddress": WHO}],
            "complaintFeedbackType": kind,
            "complaintSubType": subtype,
            "arrivalDate": "2026-01-27T14:59:38.237Z",
            "timestamp": "2026-01-27T14:59:38.237Z",
            "feedbackId": "000001378603177f-18c07c78-fa81-4a58-9dd1-fedc3cb8f49a-000000",
        },
        "mail": SES_MAIL,
    }


def ses_event(kind: str, **details: Any) -> dict[str, Any]:
    """Return an event of a configuration set, which is named by `eventType`."""
    return {"eventType": kind, "mail": SES_MAIL, **details}


_HARD = {
    "action": "failed",
    "status": "5.1.1",
    "diagnosticCode": "smtp; 550 5.1.1 <recipient@example.com>... User",
}
_FULL = {
    "action": "failed",
    "status": "5.2.2",
    "diagnosticCode": "smtp; 552 5.2.2 The email account that you tried to reach is over quota.",
}
_POLICY = {
    "action": "failed",
    "status": "5.7.1",
    "diagnosticCode": "smtp; 554 5.7.1 Message rejected due to local policy",
}
SES = [
    Body("ses", "permanent", ses_bounce("Permanent", "General", **_HARD), ((WHO, "hard"),)),
    Body("ses", "permanent, without a report", ses_bounce("Permanent", "General"), ((WHO, "hard"),)),
    Body("ses", "no email", ses_bounce("Permanent", "NoEmail", action="failed", status="5.1.1", diagnosticCode="smtp; 550 user unknown"), ((WHO, "hard"),)),
    Body("ses", "suppressed", ses_bounce("Permanent", "Suppressed", action="failed", status="5.1.1", diagnosticCode="Amazon SES has suppressed sending to this address because it has a recent history of bouncing as an invalid address. For more information about how to remove an address from the suppression list, see the Amazon SES Developer Guide: https://docs.aws.amazon.com/ses/latest/DeveloperGuide/remove-from-suppressionlist.html"), ((WHO, "hard"),)),
    Body("ses", "on the account's list", ses_bounce("Permanent", "OnAccountSuppressionList", action="failed", status="5.1.1", diagnosticCode="Amazon SES did not send the message to this address because it is on the suppression list for your account. For more information about removing addresses from the suppression list, see the Amazon SES Developer Guide"), ((WHO, "hard"),)),
    Body("ses", "permanent, but full", ses_bounce("Permanent", "General", **_FULL), ((WHO, "soft"),)),
    Body("ses", "permanent, but policy", ses_bounce("Permanent", "General", **_POLICY), ((WHO, "policy"),)),
    Body("ses", "transient, full", ses_bounce("Transient", "MailboxFull", action="failed", status="4.2.2", diagnosticCode="smtp; 452 4.2.2 mailbox full"), ((WHO, "soft"),)),
    Body("ses", "transient, expired", ses_bounce("Transient", "General", action="failed", status="4.4.7", diagnosticCode="smtp; 550 4.4.7 Message expired: unable to deliver in 840 minutes.<421 4.4.0 Unable to lookup DNS for example.com>"), ((WHO, "soft"),)),
    Body("ses", "transient, an automatic answer", ses_bounce("Transient", "General"), ((WHO, "auto-reply"),)),
    Body("ses", "too large", ses_bounce("Transient", "MessageTooLarge", action="failed", status="5.3.4", diagnosticCode="smtp; 552 5.3.4 Message size exceeds fixed limit"), ((WHO, "content"),)),
    Body("ses", "content", ses_bounce("Transient", "ContentRejected"), ((WHO, "content"),)),
    Body("ses", "attachment", ses_bounce("Transient", "AttachmentRejected"), ((WHO, "content"),)),
    Body("ses", "undetermined", ses_bounce("Undetermined", "Undetermined"), ((WHO, "soft"),)),
    Body("ses", "a bounce as an event", {**ses_bounce("Permanent", "General", **_HARD), "notificationType": None, "eventType": "Bounce"}, ((WHO, "hard"),)),
    Body("ses", "abuse", ses_complaint("abuse"), ((WHO, "complaint"),)),
    Body("ses", "a complaint without a kind", ses_complaint(None), ((WHO, "complaint"),)),
    Body("ses", "a complaint of before", ses_complaint(None, "OnAccountSuppressionList"), ((WHO, "complaint"),)),
    Body("ses", "no spam after all", ses_complaint("not-spam")),
    Body("ses", "failed authentication", ses_complaint("auth-failure")),
    Body("ses", "virus", ses_complaint("virus")),
    Body("ses", "rejected", ses_event("Reject", reject={"reason": "Bad content"}), ((WHO, "content"),)),
    Body("ses", "delivery", {"notificationType": "Delivery", "mail": SES_MAIL, "delivery": {"timestamp": "2026-01-27T14:59:38.237Z", "recipients": [WHO], "processingTimeMillis": 546, "smtpResponse": "250 ok:  Message 64111812 accepted"}}),
    Body("ses", "send", ses_event("Send", send={})),
    Body("ses", "open", ses_event("Open", open={"ipAddress": "192.0.2.1", "timestamp": "2026-08-09T22:00:19.652Z", "userAgent": "Mozilla/5.0"})),
    Body("ses", "delay", ses_event("DeliveryDelay", deliveryDelay={"timestamp": "2026-06-16T00:25:40.095Z", "delayType": "TransientCommunicationFailure", "expirationTime": "2026-06-16T00:25:40.914Z", "delayedRecipients": [{"emailAddress": WHO, "status": "4.4.1", "diagnosticCode": "smtp; 421 4.4.1 Unable to connect to remote host"}]})),
    Body("ses", "rendering failure", ses_event("Rendering Failure", failure={"errorMessage": "Attribute 'attributeName' is not present in the rendering data.", "templateName": "MyTemplate"})),
]

# --- Postmark ---


def postmark(kind: str, code: int, description: str, details: str = "", **changes: Any) -> dict[str, Any]:
    return {
        "RecordType": "Bounce", "ID": 4323372036854775807, "Type": kind, "TypeCode": code,
        "Name": kind, "Tag": "Test", "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "ServerID": 23, "MessageStream": "broadcast", "Description": description,
        "Details": details, "Email": WHO, "From": "john@example.com",
        "BouncedAt": "2026-08-01T13:28:10.2735393-04:00", "DumpAvailable": True,
        "Inactive": kind in ("HardBounce", "BadEmailAddress"), "CanActivate": True,
        "Subject": "Hello", "Metadata": {"example": "value"}, **changes,
    }


def postmark_change(reason: str | None, origin: str, *, suppress: bool = True) -> dict[str, Any]:
    return {
        "RecordType": "SubscriptionChange", "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "ServerID": 123456, "MessageStream": "broadcast", "ChangedAt": "2026-02-01T10:53:34.416071Z",
        "Recipient": WHO, "Origin": origin, "SuppressSending": suppress,
        "SuppressionReason": reason, "Tag": "my-tag", "Metadata": {},
    }


_SERVER_UNAVAILABLE = (
    "The server was unable to deliver your message (ex: unknown user, mailbox not found)."
)
POSTMARK = [
    Body("postmark", "hard", postmark("HardBounce", 1, _SERVER_UNAVAILABLE, "smtp;550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address for typos or unnecessary spaces."), ((WHO, "hard"),)),
    Body("postmark", "hard, without details", postmark("HardBounce", 1, _SERVER_UNAVAILABLE), ((WHO, "hard"),)),
    Body("postmark", "hard, as they print it", postmark("HardBounce", 1, _SERVER_UNAVAILABLE, "Test bounce details"), ((WHO, "hard"),)),
    Body("postmark", "hard, but policy", postmark("HardBounce", 1, _SERVER_UNAVAILABLE, "smtp;554 5.7.1 Service unavailable; Client host [50.31.156.1] blocked using Spamhaus"), ((WHO, "policy"),)),
    Body("postmark", "transient", postmark("Transient", 2, "The server could not temporarily deliver your message (ex: Message is delayed due to network troubles).")),
    Body("postmark", "unsubscribe", postmark("Unsubscribe", 16, "Unsubscribe or Remove request."), ((WHO, "unsubscribe"),)),
    Body("postmark", "subscribe", postmark("Subscribe", 32, "Subscribe request from someone wanting to get added to the mailing list.")),
    Body("postmark", "auto responder", postmark("AutoResponder", 64, "Automatic email responder (ex: \"Out of Office\" or \"On Vacation\").")),
    Body("postmark", "address change", postmark("AddressChange", 128, "The recipient has requested an address change.")),
    Body("postmark", "DNS", postmark("DnsError", 256, "A temporary DNS error.", "smtp;554 5.4.4 [internal] Domain Lookup Failed"), ((WHO, "hard"),)),
    Body("postmark", "spam notification", postmark("SpamNotification", 512, "The message was delivered, but was either blocked by the user, or classified as spam, bulk mail, or had rejected content."), ((WHO, "content"),)),
    Body("postmark", "open relay test", postmark("OpenRelayTest", 1024, "The NDR is actually a test email message to see if the mail server is an open relay.")),
    Body("postmark", "unknown", postmark("Unknown", 2048, "Unable to classify the NDR.")),
    Body("postmark", "soft", postmark("SoftBounce", 4096, "Unable to temporarily deliver message (i.e. mailbox full, account disabled, exceeds quota, out of disk space).", "smtp;452 4.2.2 The email account that you tried to reach is over quota."), ((WHO, "soft"),)),
    Body("postmark", "soft, without details", postmark("SoftBounce", 4096, "Unable to temporarily deliver message (i.e. mailbox full, account disabled, exceeds quota, out of disk space)."), ((WHO, "soft"),)),
    Body("postmark", "virus", postmark("VirusNotification", 8192, "The bounce is actually a virus notification warning about a virus/code infected message."), ((WHO, "content"),)),
    Body("postmark", "challenge", postmark("ChallengeVerification", 16384, "The bounce is a challenge asking for verification you actually sent the email. Typcial challenges are made by Spam Arrest, or MailFrontier Matador.")),
    Body("postmark", "bad address", postmark("BadEmailAddress", 100000, "The address is not a valid email address."), ((WHO, "hard"),)),
    Body("postmark", "complaint as a bounce", postmark("SpamComplaint", 100001, "The subscriber explicitly marked this message as spam."), ((WHO, "complaint"),)),
    Body("postmark", "complaint", postmark("SpamComplaint", 512, "", RecordType="SpamComplaint", Content="<Abuse report dump>"), ((WHO, "complaint"),)),
    Body("postmark", "deactivated", postmark("ManuallyDeactivated", 100002, "The email was manually deactivated."), ((WHO, "hard"),)),
    Body("postmark", "unconfirmed", postmark("Unconfirmed", 100003, "Registration not confirmed — The subscriber has not clicked on the confirmation link upon registration or import.")),
    Body("postmark", "blocked", postmark("Blocked", 100006, "Blocked from this ISP due to content or blacklisting."), ((WHO, "policy"),)),
    Body("postmark", "API error", postmark("SMTPApiError", 100007, "An error occurred while accepting an email through the SMTP API."), ((WHO, "sender"),)),
    Body("postmark", "inbound", postmark("InboundError", 100008, "Processing failed — Unable to deliver inbound message to destination inbound hook.")),
    Body("postmark", "DMARC", postmark("DMARCPolicy", 100009, "Email rejected due DMARC Policy."), ((WHO, "policy"),)),
    Body("postmark", "template", postmark("TemplateRenderingFailed", 100010, "An error occurred while attempting to render your template.")),
    Body("postmark", "somebody left at Postmark", postmark_change("ManualSuppression", "Recipient"), ((WHO, "unsubscribe"),)),
    Body("postmark", "the author suppressed", postmark_change("ManualSuppression", "Customer")),
    Body("postmark", "reactivated", postmark_change(None, "Recipient", suppress=False)),
    Body("postmark", "delivery", {"RecordType": "Delivery", "ServerID": 23, "MessageID": "00000000-0000-0000-0000-000000000000", "Recipient": WHO, "Tag": "welcome", "DeliveredAt": "2026-01-01T16:34:52Z", "Details": "Test delivery webhook details", "Metadata": {}}),
    Body("postmark", "open", {"RecordType": "Open", "FirstOpen": True, "Recipient": WHO, "MessageID": "00000000-0000-0000-0000-000000000000", "ReceivedAt": "2026-01-01T16:34:52Z"}),
]

# --- SendGrid ---


def sendgrid(event: str, **changes: Any) -> list[dict[str, Any]]:
    return [{
        "email": WHO, "timestamp": 1769525978, "event": event, "sg_event_id": f"e-{event}",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        "smtp-id": f"<{MESSAGE_ID}>", "category": ["newsletter"], **changes,
    }]


SENDGRID = [
    Body("sendgrid", "bounce", sendgrid("bounce", type="bounce", status="5.1.1", reason="550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address for typos or unnecessary spaces.", bounce_classification="Invalid Address", tls=1, ip="127.0.0.1"), ((WHO, "hard"),)),
    Body("sendgrid", "bounce, as they print it", sendgrid("bounce", type="bounce", status="5.0.0", reason="500 unknown recipient"), ((WHO, "hard"),)),
    Body("sendgrid", "bounce, invalid without words", sendgrid("bounce", type="bounce", status="5.0.0", reason="", bounce_classification="Invalid Address"), ((WHO, "hard"),)),
    Body("sendgrid", "bounce for the content", sendgrid("bounce", type="bounce", status="5.0.0", reason="550 not accepted", bounce_classification="Content"), ((WHO, "content"),)),
    Body("sendgrid", "bounce, full", sendgrid("bounce", type="bounce", status="5.2.2", reason="552 5.2.2 mailbox full", bounce_classification="Mailbox Unavailable"), ((WHO, "soft"),)),
    Body("sendgrid", "blocked", sendgrid("bounce", type="blocked", status="5.7.1", reason="554 5.7.1 Service unavailable; Client host [198.21.0.1] blocked using zen.spamhaus.org", bounce_classification="Reputation"), ((WHO, "policy"),)),
    Body("sendgrid", "blocked for reputation", sendgrid("bounce", type="blocked", status="5.0.0", reason="550 refused", bounce_classification="Reputation"), ((WHO, "policy"),)),
    Body("sendgrid", "blocked, technical", sendgrid("bounce", type="blocked", status="4.0.0", reason="unable to get mx info: failed to get IPs from PTR record: lookup <nil>: unrecognized address", bounce_classification="Technical"), ((WHO, "soft"),)),
    Body("sendgrid", "blocked for the pace", sendgrid("bounce", type="blocked", status="4.7.0", reason="421 try later", bounce_classification="Frequency or Volume Too High"), ((WHO, "policy"),)),
    Body("sendgrid", "blocked, unclassified", sendgrid("bounce", type="blocked", status="", reason="", bounce_classification="Unclassified"), ((WHO, "soft"),)),
    Body("sendgrid", "dropped, bounced", sendgrid("dropped", reason="Bounced Address", status="5.0.0"), ((WHO, "hard"),)),
    Body("sendgrid", "dropped, invalid", sendgrid("dropped", reason="Invalid", status="5.0.0"), ((WHO, "hard"),)),
    Body("sendgrid", "dropped, complained", sendgrid("dropped", reason="Spam Reporting Address"), ((WHO, "complaint"),)),
    Body("sendgrid", "dropped, left", sendgrid("dropped", reason="Unsubscribed Address"), ((WHO, "unsubscribe"),)),
    Body("sendgrid", "dropped for the content", sendgrid("dropped", reason="Spam Content (if spam checker app enabled)"), ((WHO, "content"),)),
    Body("sendgrid", "dropped for the account", sendgrid("dropped", reason="Recipient List over Package Quota"), ((WHO, "sender"),)),
    Body("sendgrid", "deferred", sendgrid("deferred", response="400 try again later", attempt="5")),
    Body("sendgrid", "complaint", sendgrid("spamreport"), ((WHO, "complaint"),)),
    Body("sendgrid", "unsubscribe", sendgrid("unsubscribe"), ((WHO, "unsubscribe"),)),
    Body("sendgrid", "unsubscribe of a group", sendgrid("group_unsubscribe", asm_group_id=10, useragent="Mozilla/4.0", url="http://www.sendgrid.com/", ip="255.255.255.255"), ((WHO, "unsubscribe"),)),
    Body("sendgrid", "back in a group", sendgrid("group_resubscribe", asm_group_id=10)),
    Body("sendgrid", "processed", sendgrid("processed")),
    Body("sendgrid", "delivered", sendgrid("delivered", response="250 OK")),
    Body("sendgrid", "open", sendgrid("open", useragent="Mozilla/4.0", ip="255.255.255.255", sg_machine_open=False)),
    Body("sendgrid", "click", sendgrid("click", url="https://sendgrid.com/")),
    Body("sendgrid", "several", sendgrid("delivered") + sendgrid("bounce", type="bounce", status="5.1.1", reason="550 5.1.1 user unknown") + sendgrid("spamreport", email="other@example.com"), ((WHO, "hard"), ("other@example.com", "complaint"))),
]

# --- Mailgun ---


def mailgun(event: str, **changes: Any) -> dict[str, Any]:
    return {
        "signature": {"timestamp": "1769525978", "token": "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0", "signature": "d2271d12299f6592d9d44cd9d250f0704e4674c30d79d07c47a66f95ce71cf55"},
        "event-data": {
            "event": event, "timestamp": 1769525978.637425, "id": "G9Bn5sl1TC6nu79C8C0bwg",
            "log-level": "error", "recipient": WHO, "recipient-domain": "example.com",
            "recipient-provider": "Gmail", "tags": [], "campaigns": [], "user-variables": {},
            "envelope": {"sender": "b+bbbbbbbbbbbbbbbbbbbbbbbb@news.example.com", "transport": "smtp", "targets": WHO, "sending-ip": "1.2.3.4"},
            "message": {"attachments": [], "headers": {"from": "John <john@example.com>", "message-id": MESSAGE_ID, "subject": "Hello", "to": WHO}, "size": 111},
            "flags": {"is-authenticated": True, "is-routed": False, "is-system-test": False, "is-test-mode": False},
            "storage": {"key": "message_key", "url": "https://se.api.mailgun.net/v3/domains/example.com/messages/message_key"},
            **changes,
        },
    }


def mailgun_failed(severity: str, reason: str, code: int, message: str, **status: Any) -> dict[str, Any]:
    return mailgun(
        "failed", severity=severity, reason=reason,
        **{"delivery-status": {"attempt-no": 1, "code": code, "description": "", "message": message, "mx-host": "mx.example.com", "session-seconds": 0.43, "tls": True, "utf8": True, **status}},
    )


MAILGUN = [
    Body("mailgun", "permanent", mailgun_failed("permanent", "bounce", 550, "5.1.1 The email account that you tried to reach does not exist. Please try\n5.1.1 double-checking the recipient's email address for typos or\n5.1.1 unnecessary spaces.", **{"enhanced-code": "5.1.1", "bounce-type": "hard"}), ((WHO, "hard"),)),
    Body("mailgun", "permanent, no words", mailgun_failed("permanent", "bounce", 550, ""), ((WHO, "hard"),)),
    Body("mailgun", "permanent, suppressed", mailgun_failed("permanent", "suppress-bounce", 605, "", description="Not delivering to previously bounced address"), ((WHO, "hard"),)),
    Body("mailgun", "permanent, complained", mailgun_failed("permanent", "suppress-complaint", 607, "", description="Not delivering to a user who marked your messages as spam"), ((WHO, "complaint"),)),
    Body("mailgun", "permanent, left", mailgun_failed("permanent", "suppress-unsubscribe", 606, "", description="Not delivering to unsubscribed address"), ((WHO, "unsubscribe"),)),
    Body("mailgun", "permanent, blocked", mailgun_failed("permanent", "bounce", 550, "5.7.1 [1.2.3.4 12] Our system has detected that this message is likely unsolicited mail.", **{"enhanced-code": "5.7.1"}), ((WHO, "content"),)),
    Body("mailgun", "permanent, full", mailgun_failed("permanent", "bounce", 552, "5.2.2 The email account that you tried to reach is over quota.", **{"bounce-type": "soft"}), ((WHO, "soft"),)),
    Body("mailgun", "permanent, soft without words", mailgun_failed("permanent", "bounce", 550, "no", **{"bounce-type": "soft"}), ((WHO, "soft"),)),
    Body("mailgun", "permanent, too old", mailgun_failed("permanent", "old", 602, "", description="Too old"), ((WHO, "soft"),)),
    Body("mailgun", "permanent, no server", mailgun_failed("permanent", "generic", 498, "No MX for example.com"), ((WHO, "hard"),)),
    Body("mailgun", "temporary", mailgun_failed("temporary", "generic", 451, "4.7.1 Please try again later")),
    Body("mailgun", "complained", mailgun("complained"), ((WHO, "complaint"),)),
    Body("mailgun", "unsubscribed", mailgun("unsubscribed", ip="50.56.129.169", **{"client-info": {"client-name": "Chrome", "user-agent": "Mozilla/5.0"}}), ((WHO, "unsubscribe"),)),
    Body("mailgun", "rejected", mailgun("rejected", reject={"reason": "Sandbox subdomains are for test purposes only.", "description": ""}, recipient=None)),
    Body("mailgun", "accepted", mailgun("accepted")),
    Body("mailgun", "delivered", mailgun("delivered", **{"delivery-status": {"code": 250, "message": "OK"}})),
    Body("mailgun", "opened", mailgun("opened", **{"client-info": {"user-agent": "Mozilla/5.0"}})),
]

# --- Brevo ---


def brevo(event: str, **changes: Any) -> dict[str, Any]:
    return {
        "event": event, "email": WHO, "id": 26224, "date": "2026-01-27 15:59:38",
        "ts": 1769525978, "ts_event": 1769525978, "ts_epoch": 1769525978223,
        "message-id": f"<{MESSAGE_ID}>", "subject": "Hello",
        "sending_ip": "185.41.28.109", "tags": [], **changes,
    }


BREVO = [
    Body("brevo", "hard", brevo("hard_bounce", reason="550 5.1.1 The email account that you tried to reach does not exist"), ((WHO, "hard"),)),
    Body("brevo", "hard, as they print it", brevo("hard_bounce", reason="server is down"), ((WHO, "hard"),)),
    Body("brevo", "hard, but policy", brevo("hard_bounce", reason="554 5.7.1 Message blocked: listed by Spamhaus"), ((WHO, "policy"),)),
    Body("brevo", "soft", brevo("soft_bounce", reason="452 4.2.2 mailbox full"), ((WHO, "soft"),)),
    Body("brevo", "soft, as they print it", brevo("soft_bounce", reason="server is down"), ((WHO, "soft"),)),
    Body("brevo", "blocked", brevo("blocked", reason="blocked : due to blacklist user"), ((WHO, "soft"),)),
    Body("brevo", "invalid", brevo("invalid_email"), ((WHO, "hard"),)),
    Body("brevo", "error", brevo("error", reason="Error sending the email"), ((WHO, "sender"),)),
    Body("brevo", "deferred", brevo("deferred", reason="spam", mirror_link="https://x")),
    Body("brevo", "complaint", brevo("spam"), ((WHO, "complaint"),)),
    Body("brevo", "unsubscribed", brevo("unsubscribed"), ((WHO, "unsubscribe"),)),
    Body("brevo", "request", brevo("request")),
    Body("brevo", "delivered", brevo("delivered")),
    Body("brevo", "opened", brevo("opened")),
    Body("brevo", "click", brevo("click", link="https://example.com/")),
]

# --- Mailjet ---


def mailjet(event: str, **changes: Any) -> dict[str, Any]:
    return {
        "event": event, "time": 1769525978, "MessageID": 19421777835146490,
        "Message_GUID": "1ab23cd4-e567-8901-2345-6789f0gh1i2j", "email": WHO,
        "mj_campaign_id": 7257, "mj_contact_id": 4, "customcampaign": "", "CustomID": "",
        "Payload": "", **changes,
    }


def mailjet_bounce(error: str, related: str, *, hard: bool, comment: str = "") -> dict[str, Any]:
    return mailjet("bounce", blocked=hard, hard_bounce=hard, error_related_to=related, error=error, comment=comment)


def mailjet_blocked(error: str, related: str) -> dict[str, Any]:
    return mailjet("blocked", error_related_to=related, error=error)


MAILJET = [
    Body("mailjet", "hard", mailjet_bounce("user unknown", "recipient", hard=True, comment="Host or domain name not found. Name service error for name=lbjsnrftlsiuvbsren.com type=A: Host not found"), ((WHO, "hard"),)),
    Body("mailjet", "hard, user unknown", mailjet_bounce("user unknown", "recipient", hard=True), ((WHO, "hard"),)),
    Body("mailjet", "inactive", mailjet_bounce("mailbox inactive", "recipient", hard=True), ((WHO, "hard"),)),
    Body("mailjet", "full", mailjet_bounce("quota exceeded", "recipient", hard=False), ((WHO, "soft"),)),
    Body("mailjet", "invalid domain", mailjet_bounce("invalid domain", "domain", hard=True), ((WHO, "hard"),)),
    Body("mailjet", "no mail host", mailjet_bounce("no mail host", "domain", hard=True), ((WHO, "hard"),)),
    Body("mailjet", "denied", mailjet_bounce("relay/access denied", "domain", hard=False), ((WHO, "policy"),)),
    Body("mailjet", "greylisted", mailjet_bounce("greylisted", "domain", hard=False), ((WHO, "soft"),)),
    Body("mailjet", "typo", mailjet_bounce("typofix", "domain", hard=True), ((WHO, "hard"),)),
    Body("mailjet", "content", mailjet_bounce("content blocked", "content", hard=False), ((WHO, "content"),)),
    Body("mailjet", "policy", mailjet_bounce("policy issue", "spam", hard=False), ((WHO, "policy"),)),
    Body("mailjet", "system", mailjet_bounce("system issue", "system", hard=False), ((WHO, "soft"),)),
    Body("mailjet", "protocol", mailjet_bounce("protocol issue", "system", hard=False), ((WHO, "sender"),)),
    Body("mailjet", "connection", mailjet_bounce("connection issue", "system", hard=False), ((WHO, "soft"),)),
    Body("mailjet", "blacklisted", mailjet_bounce("blacklisted", "spam", hard=False), ((WHO, "policy"),)),
    Body("mailjet", "preblocked", mailjet_blocked("preblocked", "mailjet"), ((WHO, "soft"),)),
    Body("mailjet", "blocked, user unknown", mailjet_blocked("user unknown", "recipient"), ((WHO, "hard"),)),
    Body("mailjet", "blocked, complained", mailjet_blocked("spam reporter", "spam"), ((WHO, "complaint"),)),
    Body("mailjet", "sender blocked", mailjet_blocked("sender blocked", "mailjet"), ((WHO, "sender"),)),
    Body("mailjet", "duplicate", mailjet_blocked("duplicate in campaign", "mailjet")),
    Body("mailjet", "blocked for the content", mailjet_blocked("bad or empty template", "content"), ((WHO, "sender"),)),
    Body("mailjet", "complaint", mailjet("spam", source="JMRPP"), ((WHO, "complaint"),)),
    Body("mailjet", "unsubscribe", mailjet("unsub", mj_list_id=0, ip="127.0.0.1", geo="FR", agent="Mozilla/5.0"), ((WHO, "unsubscribe"),)),
    Body("mailjet", "sent", mailjet("sent", mj_message_id="19421777835146490", smtp_reply="sent (250 2.0.0 OK 4242424242 fa5si855896wjc.199 - gsmtp)")),
    Body("mailjet", "open", mailjet("open", ip="127.0.0.1", geo="US", agent="Mozilla/5.0")),
    Body("mailjet", "several", [mailjet("open"), mailjet_bounce("user unknown", "recipient", hard=True), mailjet("spam", email="other@example.com")], ((WHO, "hard"), ("other@example.com", "complaint"))),
]

# --- Resend ---


def resend(event: str, **changes: Any) -> dict[str, Any]:
    return {
        "type": event, "created_at": "2026-02-22T23:41:12.126Z",
        "data": {
            "broadcast_id": "8b146471-e88e-4322-86af-016cd36fd216",
            "created_at": "2026-02-22T23:41:11.894719+00:00",
            "email_id": "56761188-7520-42d8-8898-ff6fc54ce618",
            "from": "John <john@example.com>", "to": [WHO], "subject": "Hello",
            "headers": [{"name": "Message-ID", "value": f"<{MESSAGE_ID}>"}],
            "tags": {"category": "confirm_email"}, **changes,
        },
    }


RESEND = [
    Body("resend", "suppressed", resend("email.bounced", bounce={"message": "The recipient's email address is on the suppression list because it has a recent history of producing hard bounces.", "subType": "Suppressed", "type": "Permanent"}), ((WHO, "hard"),)),
    Body("resend", "permanent", resend("email.bounced", bounce={"diagnosticCode": ["smtp; 550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)."], "message": "The recipient's email provider sent a hard bounce message, but didn't specify the reason for the hard bounce.", "subType": "General", "type": "Permanent"}), ((WHO, "hard"),)),
    Body("resend", "permanent, but policy", resend("email.bounced", bounce={"diagnosticCode": ["smtp; 554 5.7.1 Message rejected due to local policy"], "message": "The recipient's email provider sent a hard bounce message.", "subType": "General", "type": "Permanent"}), ((WHO, "policy"),)),
    Body("resend", "full", resend("email.bounced", bounce={"message": "The recipient's inbox was full.", "subType": "MailboxFull", "type": "Transient"}), ((WHO, "soft"),)),
    Body("resend", "an automatic answer", resend("email.bounced", bounce={"message": "The recipient's email provider sent a general bounce message. You might be able to send a message to the same recipient in the future if the issue that caused the message to bounce is resolved.", "subType": "General", "type": "Transient"}), ((WHO, "auto-reply"),)),
    Body("resend", "content", resend("email.bounced", bounce={"message": "The recipient's email provider rejected your message because it contained content that the provider doesn't allow.", "subType": "ContentRejected", "type": "Transient"}), ((WHO, "content"),)),
    Body("resend", "suppressed beforehand", resend("email.suppressed", suppressed={"message": "Resend has suppressed sending to this address because it is on the account-level suppression list.", "type": "OnAccountSuppressionList"}), ((WHO, "hard"),)),
    Body("resend", "complaint", resend("email.complained"), ((WHO, "complaint"),)),
    Body("resend", "failed", resend("email.failed", failed={"reason": "reached_daily_quota"}), ((WHO, "sender"),)),
    Body("resend", "delayed", resend("email.delivery_delayed")),
    Body("resend", "sent", resend("email.sent")),
    Body("resend", "delivered", resend("email.delivered")),
    Body("resend", "opened", resend("email.opened")),
    Body("resend", "a contact", {"type": "contact.updated", "created_at": "2026-10-11T23:47:56.678Z", "data": {"id": "e169aa45-1ecf-4183-9955-b1499d5701d3", "email": WHO, "unsubscribed": True}}),
]

BODIES = [*SES, *POSTMARK, *SENDGRID, *MAILGUN, *BREVO, *MAILJET, *RESEND]
