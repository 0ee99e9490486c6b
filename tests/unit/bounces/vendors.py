"""More messages, composed after RFCs and vendors' manuals; what each means was written down first.

Targets are over the whole set (test_vendors.py): mail systems of strangers say what they like, and a
rule for one message would be a rule for no other.
"""

from __future__ import annotations

import base64
import quopri

from tests.unit.bounces.build import (
    DEAD,
    ORIGINAL,
    VERP,
    Sample,
    complaint,
    group,
    mail,
    plain,
    report,
)

HEAD = ORIGINAL.split("\n\n")[0] + "\n"

# ── machine-readable: status, words of the last server, class ──────────────────────────────────────

REASONS = [
    ("gmail-unknown", "5.1.1", "550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 double-checking the recipient's email address for typos or unnecessary spaces. 550 5.1.1 https://support.google.example/mail/?p=NoSuchUser x12si1.1 - gsmtp", "hard"),
    ("gmail-disabled", "5.2.1", "550 5.2.1 The email account that you tried to reach is disabled. Learn more at https://support.google.example/mail/?p=DisabledUser x12si1.1 - gsmtp", "hard"),
    ("gmail-inactive", "5.2.1", "550 5.2.1 The email account that you tried to reach is inactive. x12si1.1 - gsmtp", "hard"),
    ("gmail-over-quota", "5.2.2", "552-5.2.2 The email account that you tried to reach is over quota and inactive. 552 5.2.2 Please direct the recipient to https://support.google.example/mail/?p=OverQuotaPerm", "soft"),
    ("gmail-rate-recipient", "5.2.1", "550-5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered. 550 5.2.1 https://support.google.example/mail/?p=ReceivingRatePerm", "policy"),
    ("gmail-spam", "5.7.1", "550-5.7.1 [192.0.2.10 12] Our system has detected that this message is likely unsolicited mail. To reduce the amount of spam sent to Gmail, this message has been blocked.", "policy"),
    ("gmail-dmarc", "5.7.26", "550-5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy.", "policy"),
    ("gmail-ptr", "5.7.25", "550-5.7.25 [192.0.2.10] The IP address sending this message does not have a PTR record setup", "policy"),
    ("gmail-size", "5.3.4", "552-5.3.4 Your message exceeded Google's message size limits.", "content"),
    ("gmail-attachment", "5.7.0", "552-5.7.0 This message was blocked because its content presents a potential security issue.", "content"),
    ("outlook-unknown", "5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302). [AM0EUR02FT012.eop-EUR02.prod.protection.outlook.example]", "hard"),
    ("o365-notfound", "5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient ann@example.org not found by SMTP address lookup", "hard"),
    ("o365-access-denied", "5.4.1", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [DB5EUR03FT045.eop-EUR03.prod.protection.outlook.example]", "hard"),
    ("o365-restricted", "5.7.133", "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction check failed because the sender was not authenticated when sending to this group", "policy"),
    ("o365-banned", "5.7.511", "550 5.7.511 Access denied, banned sender[192.0.2.10]. To request removal from this list please forward this message to delist@messaging.microsoft.example.", "policy"),
    ("o365-quota", "5.2.2", "554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded; Failed to process message due to a permanent exception", "soft"),
    ("o365-loop", "5.4.6", "554 5.4.6 Hop count exceeded - possible mail loop ATTR34", "soft"),
    ("o365-bulk-rules", "5.7.515", "550 5.7.515 Access denied, sending domain EXAMPLE.COM does not meet the required authentication level.", "policy"),
    ("o365-tenant", "5.7.708", "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP.", "policy"),
    ("o365-expired", "4.4.7", "550 4.4.7 QUEUE.Expired; message expired in unreachable destination queue. Reason: There is currently no route to the mailbox database.", "soft"),
    ("o365-disabled", "5.2.1", "550 5.2.1 mailbox disabled, not accepting messages", "hard"),
    ("hotmail-block", "5.7.1", "550 5.7.1 Unfortunately, messages from [192.0.2.10] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3150).", "policy"),
    ("yahoo-unknown", "5.0.0", "554 delivery error: dd This user doesn't have a yahoo.example account (ann@yahoo.example) [0] - mta1001.mail.bf1.yahoo.example", "hard"),
    ("yahoo-552", "5.1.1", "552 1 Requested mail action aborted, mailbox not found", "hard"),
    ("yahoo-disabled", "5.0.0", "554 delivery error: dd Sorry, your message to ann@example.org cannot be delivered. This mailbox is disabled (554.30).", "hard"),
    ("yahoo-ts03", "5.7.9", "553 5.7.1 [TS03] All messages from 192.0.2.10 will be permanently deferred; Retrying will NOT succeed.", "policy"),
    ("yahoo-pdsn", "5.7.9", "554 5.7.9 Message not accepted for policy reasons. See https://postmaster.yahooinc.example/error-codes", "policy"),
    ("yahoo-complaints", "4.7.0", "421 4.7.0 [TSS04] Messages from 192.0.2.10 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1", "policy"),
    ("aol-unknown", "5.1.1", "550 5.1.1 <ann@example.org>: Recipient address rejected: aol.example", "hard"),
    ("icloud-unknown", "5.1.1", "550 5.1.1 <ann@example.org>: user does not exist", "hard"),
    ("icloud-full", "5.2.2", "552 5.2.2 <ann@example.org>: user is over quota", "soft"),
    ("icloud-policy", "5.7.1", "550 5.7.1 [CS01] Message rejected due to local policy. Please visit https://support.apple.example/en-us/HT204137", "policy"),
    ("gmx-unknown", "5.1.1", "550 Requested action not taken: mailbox unavailable For explanation visit https://postmaster.gmx.example/en/case?c=hi&i=ip", "hard"),
    ("gmx-policy", "5.7.1", "554 Transaction failed Reject due to policy restrictions. For explanation visit https://postmaster.gmx.example/error-messages", "policy"),
    ("gmx-rbl", "5.0.0", "554-gmx.example (mxgmx009) Nemesis ESMTP Service not available 554-No SMTP service 554-Bad DNS PTR resource record. 554 For explanation visit https://postmaster.gmx.example", "policy"),
    ("t-online-unknown", "5.1.1", "550 User unknown (ann@example.org)", "hard"),
    ("webde-full", "5.2.2", "552-Requested mail action aborted: exceeded storage allocation 552 For explanation visit https://postmaster.web.example", "soft"),
    ("libero-full", "5.2.2", "552 RCPT TO:<ann@libero.example> Mailbox disk quota exceeded", "soft"),
    ("orange-unknown", "5.1.1", "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 [416]", "hard"),
    ("orange-full", "5.2.2", "552 5.1.1 La boite de ann@orange.example est pleine. Mailbox full. OFR417 [417]", "soft"),
    ("orange-spam", "5.7.1", "550 5.7.1 Service refuse. Veuillez essayer plus tard. Service refused, please try later. OFR_506 [506]", "policy"),
    ("free-unknown", "5.1.1", "550 5.1.1 <ann@free.example>: Recipient address rejected: User unknown in relay recipient table", "hard"),
    ("laposte-inactive", "5.2.1", "550 5.5.0 Boite du destinataire archivee. Archived recipient. LPN007_416", "hard"),
    ("mailru-unknown", "5.1.1", "550 Message was not accepted -- invalid mailbox. Local mailbox ann@mail.example is unavailable: user not found", "hard"),
    ("mailru-terminated", "5.2.1", "550 Message was not accepted -- invalid mailbox. Local mailbox ann@mail.example is unavailable: account is disabled", "hard"),
    ("mailru-spam", "5.7.1", "550 spam message rejected. Please visit https://help.mail.example/notspam-support/id?c=x or report details to abuse@corp.mail.example. Error code: 1", "policy"),
    ("yandex-unknown", "5.1.1", "550 5.7.1 No such user!", "hard"),
    ("yandex-spam", "5.7.1", "554 5.7.1 [1] Message rejected under suspicion of SPAM; https://ya.example/1ik3 1417429453", "content"),
    ("qq-unknown", "5.1.1", "550 Mailbox not found. http://service.mail.qq.example/cgi-bin/help?subtype=1&&id=20022&&no=1000728", "hard"),
    ("163-unknown", "5.1.1", "550 User not found: ann@163.example", "hard"),
    ("163-freq", "4.7.1", "451 DT:SPM mx30, too many mails from 192.0.2.10, see http://mail.163.example/help", "policy"),
    ("postfix-local", "5.1.1", 'unknown user: "ann"', "hard"),
    ("postfix-virtual", "5.1.1", "550 5.1.1 <ann@example.org>: Recipient address rejected: User unknown in virtual mailbox table", "hard"),
    ("postfix-nxdomain", "5.4.4", "Host or domain name not found. Name service error for name=example.invalid type=AAAA: Host not found", "hard"),
    ("postfix-nullmx", "5.1.0", "Domain example.org does not accept mail (nullMX)", "hard"),
    ("postfix-timeout", "4.4.1", "connect to mx.example.org[192.0.2.1]:25: Connection timed out", "soft"),
    ("postfix-loop", "5.4.6", "mail for mx.example.org loops back to myself", "soft"),
    ("postfix-relay", "5.7.1", "554 5.7.1 <ann@example.org>: Relay access denied", "policy"),
    ("postfix-spamhaus", "5.7.1", "554 5.7.1 Service unavailable; Client host [192.0.2.10] blocked using zen.spamhaus.example; https://www.spamhaus.example/query/ip/192.0.2.10", "policy"),
    ("postfix-helo", "5.7.1", "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname", "sender"),
    ("postfix-sender-domain", "4.1.8", "450 4.1.8 <b@bounce.example.com>: Sender address rejected: Domain not found", "sender"),
    ("postfix-greylist", "4.2.0", "450 4.2.0 <ann@example.org>: Recipient address rejected: Greylisted, see http://postgrey.example/help", "soft"),
    ("postfix-quota-dovecot", "5.2.2", "552 5.2.2 <ann@example.org> Quota exceeded (mailbox for user is full)", "soft"),
    ("dovecot-lmtp-unknown", "5.1.1", "550 5.1.1 <ann@example.org> User doesn't exist: ann@example.org", "hard"),
    ("cyrus-unknown", "5.1.1", "550-Mailbox unknown. Either there is no mailbox associated with this 550-name or you do not have authorization to see it. 550 5.1.1 User unknown", "hard"),
    ("cyrus-quota", "5.2.2", "552 5.2.2 Over quota SESSIONID=<cyrus-1>", "soft"),
    ("sendmail-unknown", "5.1.1", "550 5.1.1 <ann@example.org>... User unknown", "hard"),
    ("sendmail-host", "5.1.2", "550 Host unknown (Name server: example.invalid: host not found)", "hard"),
    ("sendmail-timeout", "4.4.7", "", "soft"),
    ("sendmail-config", "5.3.5", "553 5.3.5 mx.example.org. config error: mail loops back to me (MX problem?)", "soft"),
    ("exim-unrouteable", "5.0.0", "550 Unrouteable address", "hard"),
    ("exim-callout", "5.0.0", "550 Sender verify failed", "sender"),
    ("exim-quota", "5.2.2", "552 mailbox is full: retry timeout exceeded", "soft"),
    ("exchange-5-1-1", "5.1.1", "550 5.1.1 RESOLVER.ADR.ExRecipNotFound; not found", "hard"),
    ("exchange-sizelimit", "5.2.3", "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient", "content"),
    ("exchange-content", "5.6.0", "550 5.6.0 CAT.InvalidContent.Exception: InvalidCharsetException", "content"),
    ("exchange-notauthed", "5.7.1", "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required", "policy"),
    ("groupwise-unknown", "5.1.1", "550 5.1.1 User unknown; host gw.example.org", "hard"),
    ("notes-unknown", "5.0.0", "550 ann@example.org... No such user", "hard"),
    ("notes-smtp", "5.1.1", "User ann (ann@example.org) not listed in Domino Directory", "hard"),
    ("zimbra-unknown", "5.1.1", "550 5.1.1 <ann@example.org>: Recipient address rejected: example.org", "hard"),
    ("zimbra-quota", "5.2.2", "452 4.2.2 Over quota", "soft"),
    ("mailenable-unknown", "5.1.1", "550 Requested action not taken: mailbox unavailable or not local", "hard"),
    ("mdaemon-unknown", "5.1.1", "550 <ann@example.org>, Recipient unknown", "hard"),
    ("mimecast-unknown", "5.1.1", "550 Invalid Recipient - https://community.mimecast.example/docs/DOC-1369#550 [x]", "hard"),
    ("mimecast-policy", "5.7.1", "550 Administrative prohibition - envelope blocked - https://community.mimecast.example/docs/DOC-1369#550", "policy"),
    ("mimecast-spam", "5.7.1", "554 Email rejected due to security policies - https://community.mimecast.example/docs/DOC-1369#554 [x]", "policy"),
    ("mimecast-greylist", "4.7.1", "451 Internal resources are temporarily unavailable - https://community.mimecast.example/docs/DOC-1369#451", "soft"),
    ("proofpoint-unknown", "5.1.1", "550 5.1.1 User Unknown", "hard"),
    ("proofpoint-block", "5.7.1", "554 Blocked - see https://ipcheck.proofpoint.example/?ip=192.0.2.10", "policy"),
    ("barracuda-unknown", "5.1.1", "550 permanent failure for one or more recipients (ann@example.org:550 5.1.1 user unknown)", "hard"),
    ("barracuda-rep", "5.7.1", "554 Service unavailable; Client host [192.0.2.10] blocked using Barracuda Reputation; http://www.barracudanetworks.example/reputation/?r=1&ip=192.0.2.10", "policy"),
    ("messagelabs-unknown", "5.1.1", "550-Invalid recipient ann@example.org (#5.1.1)", "hard"),
    ("messagelabs-553", "5.7.1", "553-SPF (Sender Policy Framework) domain authentication 553-fail. Refer to the Troubleshooting page", "policy"),
    ("cloudmark", "5.7.1", "550 5.7.1 Connections not accepted from servers without a valid sender domain.CSI blocked", "policy"),
    ("comcast-unknown", "5.1.1", "550 5.1.1 Not our Customer", "hard"),
    ("comcast-bl", "5.7.1", "554 resimta-po-01v.sys.comcast.example comcast 192.0.2.10 Comcast block for spam. Please see http://postmaster.comcast.example/smtp-error-codes.php#BL000000", "policy"),
    ("cox-unknown", "5.1.1", "550 5.1.1 <ann@cox.example> recipient rejected", "hard"),
    ("charter-unknown", "5.1.1", "550 5.1.1 E2010 Recipient not found", "hard"),
    ("att-inactive", "5.2.1", "521 5.2.1 user mailbox is inactive", "hard"),
    ("amazon-suppressed", "5.1.1", "Amazon SES has suppressed sending to this address because it has a recent history of bouncing as an invalid address.", "hard"),
    ("comma-lists", "5.1.3", "501 5.1.3 Bad recipient address syntax", "hard"),
    ("smtputf8", "5.6.7", "553 5.6.7 Address needs SMTPUTF8", "content"),
    ("moved", "5.1.6", "551 5.1.6 The recipient has moved, no forwarding address", "hard"),
    ("551-not-local", "5.1.6", "551 User not local; please try <zoe@example.net>", "hard"),
    ("ambiguous", "5.1.4", "550 5.1.4 RESOLVER.ADR.Ambiguous; ambiguous address", "soft"),
    ("conversion", "5.6.3", "554 5.6.3 Conversion required but not supported", "content"),
    ("tls-required", "5.7.10", "530 5.7.10 Must issue a STARTTLS command first", "policy"),
    ("dane", "4.7.5", "Server certificate not trusted", "policy"),
    ("sys-full", "4.3.1", "452 4.3.1 Insufficient system storage", "soft"),
    ("over-connections", "4.7.0", "421 4.7.0 mx.example.org Error: too many connections from 192.0.2.10", "policy"),
    ("no-status-text", "5.0.0", "554 5.0.0 MAIL FROM rejected", "sender"),
    ("dead-in-words", "5.0.0", "550 sorry, no mailbox here by that name", "hard"),
    ("account-expired", "5.2.1", "550 5.2.1 Account expired, not accepting mail", "hard"),
]

WRAPS = [
    {}, {"status_type": "message/global-delivery-status"}, {"original": HEAD},
    {"sender": "postmaster@gw.example", "subject": "Undeliverable: Three new posts"},
    {"notice": "Sorry.", "subject": "Zustellung fehlgeschlagen"},
    {"sender": "Mail Delivery Subsystem <mailer-daemon@googlemail.example>", "subject": "Delivery Status Notification (Failure)"},
]

MACHINE = [
    Sample(name, report(group(DEAD, status, reason), **WRAPS[number % len(WRAPS)]), [(DEAD, kind)])  # type: ignore[arg-type]
    for number, (name, status, reason, kind) in enumerate(REASONS)
]


def encode_notice(text: str, encoding: str, charset: str) -> bytes:
    """Return a plain notice in a transfer encoding and a charset."""
    raw = text.encode(charset)
    body = base64.encodebytes(raw) if encoding == "base64" else quopri.encodestring(raw)
    head = plain(
        "",
        charset="us-ascii",
        headers=f"MIME-Version: 1.0\nContent-Transfer-Encoding: {encoding}\n",
    )
    return head.replace(b"charset=us-ascii", f"charset={charset}".encode()) + body


SHAPES = [
    Sample("rfc3464-simple", report("Original-Recipient: rfc822;ann@example.org\nFinal-Recipient: rfc822;ann@vax.example.org\nAction: failed\nStatus: 5.0.0 (permanent failure)\nDiagnostic-Code: smtp; 550 'ann@vax.example.org' is not a registered gateway user\nRemote-MTA: dns; vnet.example.org\n"), [(DEAD, "hard")]),
    Sample("rfc3464-multi", report(group("ann@example.org", "5.1.1", "550 user unknown"), group("bob@example.org", "", "", action="delayed").replace("Action: delayed", "Action: delayed\nStatus: 4.0.0"), group("eve@example.org", "2.0.0", "", action="delivered")), [(DEAD, "hard"), ("bob@example.org", "ignore"), ("eve@example.org", "ignore")]),
    Sample("rfc3464-nds", report("Final-Recipient: unknown; ann@example.org\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: X-LOCAL; 500 (unknown or illegal user)\n"), [(DEAD, "hard")]),
    Sample("rfc3464-delay", report(group(DEAD, "4.0.0", "", action="delayed"), subject="Delayed mail"), [(DEAD, "ignore")]),
    Sample("rfc3461-relayed", report(group(DEAD, "2.0.0", "", action="relayed"), subject="Successful Mail Delivery Report"), [(DEAD, "ignore")]),
    Sample("rfc6533-utf8", report("Original-Recipient: utf-8; j\\x{F6}rg@example.org\nFinal-Recipient: utf-8; jörg@example.org\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n", status_type="message/global-delivery-status"), [("jörg@example.org", "hard")]),
    Sample("cr-only", report(group(DEAD, "5.1.1", "550 5.1.1 user unknown")).replace(b"\n", b"\r"), [(DEAD, "hard")]),
    Sample("status-base64", report(base64.encodebytes(group(DEAD, "5.1.1", "550 user unknown").encode()).decode(), about="", part_headers="Content-Transfer-Encoding: base64\n"), [(DEAD, "hard")]),
    Sample("lower-case", report(group(DEAD, "5.1.1", "550 user unknown").lower()), [(DEAD, "hard")]),
    Sample("tabs-and-comments", report("Final-Recipient:\trfc822;\t<ann@example.org>\nAction:\tFAILED (really)\nStatus:\t5.1.1 (no such user)\n"), [(DEAD, "hard")]),
    Sample("no-type", report("Final-Recipient: ann@example.org\nAction: failed\nStatus: 5.2.2\n"), [(DEAD, "soft")]),
    Sample("folded-reason", report("Final-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550-mailbox\n    does\n    not exist\n"), [(DEAD, "hard")]),
    Sample("to-list-owner", report(group(DEAD, "5.1.1", "550 user unknown"), headers="Auto-Submitted: auto-replied\nPrecedence: bulk\n"), [(DEAD, "hard")]),
    Sample("truncated-original", report(group(DEAD, "5.1.1", "550 user unknown"), original=ORIGINAL[:200])[:-12], [(DEAD, "hard")]),
    Sample("xtext", report("Original-Recipient: rfc822; ann+2Btag@example.org\nFinal-Recipient: rfc822; x@y.example\nAction: failed\nStatus: 5.1.1\n"), [("ann+tag@example.org", "hard")]),
    Sample("redacted-host", report(group(DEAD, "5.1.1", "550 5.1.1 <[redacted]>: user unknown")), [(DEAD, "hard")]),
]

# ── plain text ─────────────────────────────────────────────────────────────────────────────────────

EXIM = "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  ann@example.org\n    {}\n\n------ This is a copy of the message, including all the headers. ------\n\n" + ORIGINAL
QMAIL = "Hi. This is the qmail-send program at mx.example.org.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<ann@example.org>:\n{}\n\n--- Below this line is a copy of the message.\n\n" + ORIGINAL
YAHOO = "Sorry, we were unable to deliver your message to the following address.\n\n<ann@example.org>:\n{}\n\n--- Below this line is a copy of the message.\n\n" + ORIGINAL
POSTFIX = "This is the mail system at host mx.example.org.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients. It's attached below.\n\n<ann@example.org>: {}\n"

PLAIN_TABLE = [
    ("exim-dns", EXIM, "all relevant MX records point to non-existent hosts", "hard"),
    ("exim-unroutable", EXIM, "Unrouteable address", "hard"),
    ("exim-rcpt", EXIM, "SMTP error from remote mail server after RCPT TO:<ann@example.org>:\n    host mx.example.org [192.0.2.1]: 550 5.1.1 <ann@example.org>: Recipient address rejected: User unknown", "hard"),
    ("exim-data-spam", EXIM, "host mx.example.org [192.0.2.1]\n    SMTP error from remote mail server after end of data:\n    554 5.7.1 rejected as spam", "content"),
    ("exim-quota", EXIM, "mailbox is full: retry timeout exceeded", "soft"),
    ("exim-retry", EXIM, "retry timeout exceeded", "soft"),
    ("exim-mailfrom", EXIM, "SMTP error from remote mail server after MAIL FROM:<b@bounce.example.com>:\n    host mx.example.org [192.0.2.1]: 550 5.1.8 Sender domain does not exist", "sender"),
    ("exim-blocked", EXIM, "host mx.example.org [192.0.2.1]\n    SMTP error from remote mail server after initial connection:\n    554 Your IP 192.0.2.10 is listed on a blacklist", "policy"),
    ("exim-toobig", EXIM, "message too big (transport limit = 10485760)", "content"),
    ("exim-pipe", EXIM, "pipe to |/usr/bin/vacation ann\n    generated by ann@example.org\n    Child process of address_pipe transport returned 127", "soft"),
    ("qmail-nouser", QMAIL, "Sorry, no mailbox here by that name. (#5.1.1)", "hard"),
    ("qmail-nohost", QMAIL, "Sorry, I couldn't find any host named example.invalid. (#5.1.2)", "hard"),
    ("qmail-noconn", QMAIL, "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\nI'm not going to try again; this message has been in the queue too long.", "soft"),
    ("qmail-over-quota", QMAIL, "user is over quota", "soft"),
    ("qmail-remote", QMAIL, "192.0.2.1 does not like recipient.\nRemote host said: 550 5.1.1 unknown user\nGiving up on 192.0.2.1.", "hard"),
    ("qmail-remote-data", QMAIL, "192.0.2.1 failed after I sent the message.\nRemote host said: 550 5.7.1 Message content rejected, id=1-2 - SPAM", "content"),
    ("qmail-vpopmail", QMAIL, "Recipient's mailbox is full, message returned to sender. (#5.2.2)", "soft"),
    ("qmail-disabled", QMAIL, "This account has been disabled or discontinued [#101].", "hard"),
    ("yahoo-over", YAHOO, "Remote host said: 552 5.2.2 This message is larger than the current system limit or the recipient's mailbox is full.", "soft"),
    ("yahoo-plain-unknown", YAHOO, "Remote host said: 554 delivery error: dd This user doesn't have a yahoo.example account", "hard"),
    ("yahoo-no-mx", YAHOO, "No MX or A records for example.invalid", "hard"),
    ("postfix-plain", POSTFIX, "host mx.example.org[192.0.2.1] said: 550 5.1.1\n    <ann@example.org>: user unknown (in reply to RCPT TO command)", "hard"),
    ("postfix-plain-quota", POSTFIX, 'can\'t create user output file. Command output:\n    maildrop: maildir over quota.', "soft"),
    ("postfix-plain-lost", POSTFIX, "lost connection with mx.example.org[192.0.2.1] while receiving the\n    initial server greeting", "soft"),
    ("postfix-plain-content", POSTFIX, "host mx.example.org[192.0.2.1] said: 552 5.7.0 attachment\n    type not allowed (in reply to end of DATA command)", "content"),
]

EXCHANGE = "Your message did not reach some or all of the intended recipients.\n\n      Subject:\tThree new posts\n      Sent:\t24.11.2026 09:00\n\nThe following recipient(s) cannot be reached:\n\n      {}\n"

PLAIN_OTHERS = [
    ("exchange-55", "System Administrator <postmaster@example.org>", "Undeliverable: Three new posts", EXCHANGE.format("ann@example.org on 24.11.2026 09:01\n            The recipient name is not recognized\n\tThe MTS-ID of the original message is: c=us;a= ;p=example"), "hard"),
    ("exchange-quota", "System Administrator <postmaster@example.org>", "Undeliverable: Three new posts", EXCHANGE.format("ann@example.org on 24.11.2026 09:01\n            The recipient's mailbox is full"), "soft"),
    ("exchange-es", "postmaster@example.org", "No se puede entregar: Three new posts", "No se pudo entregar el mensaje a estos destinatarios o grupos:\n\nann@example.org\nLa dirección de correo electrónico que escribió no se encontró.\n\nInformación de diagnóstico para los administradores:\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n", "hard"),
    ("exchange-pt", "postmaster@example.org", "Não é possível entregar: Three new posts", "Falha na entrega para estes destinatários ou grupos:\n\nann@example.org\nO endereço de email inserido não pôde ser encontrado.\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n", "hard"),
    ("groupwise", "postmaster@gw.example", "Message status - undeliverable", "The attached file had the following undeliverable recipient(s):\n\tann@example.org\n\n550 no such user\n", "hard"),
    ("groupwise-full", "Mailer-Daemon@gw.example", "Message status - undeliverable", "The message that you sent was undeliverable to the following:\n\tann@example.org (mailbox is full)\n", "soft"),
    ("notes-de", "postmaster@notes.example", "ZUSTELLUNGSFEHLER: Benutzer ann (ann@example.org) nicht im Domino-Verzeichnis", "Ihre Nachricht\n\n  Betreff: Three new posts\n\nkonnte nicht zugestellt werden an:\n\n  ann@example.org\n\nweil:\n\n  Benutzer ann (ann@example.org) ist nicht im Domino-Verzeichnis aufgeführt\n", "hard"),
    ("notes-en", "postmaster@notes.example", "DELIVERY FAILURE: User ann (ann@example.org) not listed in Domino Directory", "Your message\n\n  Subject: Three new posts\n\nwas not delivered to:\n\n  ann@example.org\n\nbecause:\n\n  User ann (ann@example.org) not listed in Domino Directory\n", "hard"),
    ("notes-quota", "postmaster@notes.example", "DELIVERY FAILURE: Destination mailbox is over quota", "Your message\n\n  Subject: Three new posts\n\nwas not delivered to:\n\n  ann@example.org\n\nbecause:\n\n  The user's mailbox has exceeded its quota\n", "soft"),
    ("mailenable", "MailEnable <postmaster@me.example>", "Message could not be delivered.", "MailEnable: Message could not be delivered to some recipients.\nThe following recipient(s) could not be reached:\n\n\tRecipient: [SMTP:ann@example.org]\n\tReason: Remote SMTP Server Returned: 550 5.1.1 User unknown\n", "hard"),
    ("mdaemon", "MDaemon at md.example <MDaemon@md.example>", "Permanent Delivery Failure", "The attached message had PERMANENT fatal delivery errors!\n\nAfter one or more unsuccessful delivery attempts the attached message has\nbeen removed from the mail queue on this server.\n\nFailed address: ann@example.org\n\n--- Session Transcript ---\n RCPT To:<ann@example.org>\n 550 5.1.1 unknown user\n--- End Transcript ---\n", "hard"),
    ("mdaemon-warning", "MDaemon at md.example <MDaemon@md.example>", "Warning: ann@example.org - Delivery delayed", "This message is a WARNING. It has not yet been delivered.\nThe server will continue to try for 2 more days.\n\n  ann@example.org\n", "ignore"),
    ("courier", "\"Courier mail server at c.example\" <postmaster@c.example>", "NOTICE: mail delivery status.", "This is a delivery status notification from c.example,\nrunning the Courier mail server.\n\n                           UNDELIVERABLE MAIL\n\nYour message to the following recipients cannot be delivered:\n\n<ann@example.org>:\n    mx.example.org [192.0.2.1]:\n>>> RCPT TO:<ann@example.org>\n<<< 550 5.1.1 User unknown\n", "hard"),
    ("imail", "Postmaster <postmaster@imail.example>", "Undeliverable Mail", "Unknown user: ann@example.org\n\nOriginal message follows.\n\n" + ORIGINAL, "hard"),
    ("imail-full", "Postmaster <postmaster@imail.example>", "Undeliverable Mail", "User mailbox exceeds allowed size: ann@example.org\n\nOriginal message follows.\n\n" + ORIGINAL, "soft"),
    ("mercury", "Electronic Postmaster <postmaster@mercury.example>", "Postmaster Notify: Delivery Failure.", "The following delivery attempts failed:\n\nann@example.org: user not known at this site.\n", "hard"),
    ("kerio", "Kerio Connect <postmaster@kerio.example>", "Undeliverable: Three new posts", "Your message could not be delivered to:\n  ann@example.org\nReason: 550 5.1.1 Mailbox does not exist\n", "hard"),
    ("hmailserver", "mailer-daemon@hm.example", "Message undeliverable: Three new posts", "Your message did not reach some or all of the intended recipients.\n\n   Sent: Tue, 24 Nov 2026 09:00:00 +0000\n   Subject: Three new posts\n\nThe following recipient(s) could not be reached:\n\nann@example.org\n   Error Type: SMTP\n   Remote server (192.0.2.1) issued an error.\n   hMailServer sent: RCPT TO:<ann@example.org>\n   Remote server replied: 550 Unknown user\n", "hard"),
    ("openSMTPD", "Mailer Daemon <MAILER-DAEMON@os.example>", "Delivery status notification: error", "    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this email.\n\n    An error has occurred while attempting to deliver a message for\n    the following list of recipients:\n\nann@example.org: 550 5.1.1 Invalid recipient\n\n    Below is a copy of the original message:\n\n" + ORIGINAL, "hard"),
    ("t-online", "Mail Delivery System <mailer-daemon@t-online.example>", "Benachrichtigung zum Zustellungsstatus (fehlgeschlagen)", "Ihre E-Mail konnte an den folgenden Empfänger nicht zugestellt werden:\n\nann@example.org\n\nDer Empfänger ist unbekannt. 550 User unknown\n", "hard"),
    ("gmail-de", "Mail Delivery Subsystem <mailer-daemon@googlemail.example>", "Zustellungsbenachrichtigung (Fehlgeschlagen)", "Adresse nicht gefunden\n\nDeine Nachricht wurde nicht an ann@example.org zugestellt, weil die Adresse nicht gefunden wurde oder keine E-Mails empfangen kann.\n\nDie Antwort war:\n\n550 5.1.1 The email account that you tried to reach does not exist.\n", "hard"),
    ("gmail-ja", "Mail Delivery Subsystem <mailer-daemon@googlemail.example>", "Delivery Status Notification (Failure)", "アドレス不明\n\nann@example.org にメールを配信できませんでした。\n\n550 5.1.1 The email account that you tried to reach does not exist.\n", "hard"),
    ("zimbra", "MAILER-DAEMON@zimbra.example (Mail Delivery System)", "Undelivered Mail Returned to Sender", "This is the mail system at host zimbra.example.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients.\n\n<ann@example.org>: Over quota (in reply to end of DATA command)\n", "soft"),
    ("aol-old", "Mail Delivery Subsystem <MAILER-DAEMON@aol.example>", "Returned mail: User unknown", "The original message was received at Tue, 24 Nov 2026 09:00:00 +0000\n\n*** ATTENTION ***\n\nYour e-mail is being returned to you because there was a problem with its delivery.\n\n   ----- The following addresses had permanent fatal errors -----\n<ann@example.org>\n\n   ----- Transcript of session follows -----\n... while talking to mx.example.org.:\n>>> RCPT To:<ann@example.org>\n<<< 550 MAILBOX NOT FOUND\n550 <ann@example.org>... User unknown\n", "hard"),
    ("smartermail-full", "System Administrator <postmaster@sm.example>", "Delivery Failure", "Could not deliver message to the following recipient(s):\n\nFailed Recipient: ann@example.org\nReason: Remote host said: 452 4.2.2 The email account that you tried to reach is over quota.\n", "soft"),
    ("mimecast-ndr", "Mimecast Postmaster <postmaster@mimecast.example>", "[Postmaster] Email Delivery Failure", "This is a delivery failure notification message indicating that\nan email you addressed to email address :\n-- ann@example.org\n\ncould not be delivered. The problem appears to be :\n-- Recipient email address is possibly incorrect\n\nAdditional information follows :\n-- 5.1.1 The email account that you tried to reach does not exist.\n", "hard"),
    ("spamarrest-like-block", "postmaster@gw.example", "Delivery failure", "Delivery to ann@example.org failed: 550 5.7.1 Your message was blocked because your server has a poor reputation.\n", "policy"),
    ("forwarded", "MAILER-DAEMON@mx.example.org", "Undelivered Mail Returned to Sender", "<zoe@example.net> (expanded from <ann@example.org>): host mx.example.net[192.0.2.2] said:\n    550 5.1.1 User unknown\n", "hard"),
]

PLAIN = [
    *(Sample(f"v-{name}", plain(shape.format(words)), [(DEAD, kind)], machine=False) for name, shape, words, kind in PLAIN_TABLE),
    *(Sample(f"v-{name}", plain(body, sender=sender, subject=subject, charset="utf-8"), [(DEAD, kind)], machine=False) for name, sender, subject, body, kind in PLAIN_OTHERS),
    Sample("v-base64", encode_notice(EXIM.format("Unrouteable address"), "base64", "utf-8"), [(DEAD, "hard")], machine=False),
    Sample("v-qp-latin1", encode_notice("Ihre Nachricht konnte nicht zugestellt werden:\n\n<ann@example.org>: Empfänger unbekannt, 550 5.1.1\n", "quoted-printable", "latin-1"), [(DEAD, "hard")], machine=False),
    Sample("v-iso-2022-jp", encode_notice("次のあて先へのメールは配送できませんでした。\n\n<ann@example.org>: 550 5.1.1 User unknown\n", "base64", "iso-2022-jp"), [(DEAD, "hard")], machine=False),
    Sample("v-cr-only", plain(QMAIL.format("Sorry, no mailbox here by that name. (#5.1.1)")).replace(b"\n", b"\r"), [(DEAD, "hard")], machine=False),
]

# ── what is nothing ────────────────────────────────────────────────────────────────────────────────

OUT_OF_OFFICE = [
    ("Automatic reply: Three new posts", "I am out of the office until 3 January."),
    ("Abwesend: Three new posts", "Ich bin erst am 3. Januar wieder erreichbar."),
    ("Absence du bureau : Three new posts", "Je suis absente jusqu'au 3 janvier."),
    ("Respuesta automática: Three new posts", "Estaré fuera hasta el 3 de enero."),
    ("Risposta automatica: Three new posts", "Sono assente fino al 3 gennaio."),
    ("Automatisch antwoord: Three new posts", "Ik ben afwezig tot 3 januari."),
    ("Resposta automática: Three new posts", "Estou ausente até 3 de janeiro."),
    ("Autosvar: Three new posts", "Jag är tillbaka den 3 januari."),
    ("Odpowiedź automatyczna: Three new posts", "Jestem nieobecna do 3 stycznia."),
    ("Răspuns automat: Three new posts", "Sunt plecată până pe 3 ianuarie."),
    ("自動応答: Three new posts", "1月3日まで不在です。"),
    ("Автоответ: Three new posts", "Меня нет до 3 января."),
]

NOTHING = [
    *(Sample(f"ooo-{number}", mail(subject, body), [(DEAD, "auto-reply")]) for number, (subject, body) in enumerate(OUT_OF_OFFICE)),
    Sample("ooo-left-the-company", mail("Automatic reply: Three new posts", "Ann has left the company. This mailbox is no longer in use; write to bob@example.org.", headers="Auto-Submitted: auto-replied\n"), [(DEAD, "auto-reply")]),
    Sample("ooo-null-sender-postmaster-words", mail("Out of office", "550 5.1.1 was my room number; user unknown to me", headers="X-Auto-Response-Suppress: All\nAuto-Submitted: auto-replied\n").replace(b"Return-Path: <ann@example.org>", b"Return-Path: <>"), [(DEAD, "auto-reply")]),
    Sample("delay-postfix", plain("This is the mail system at host mx.example.org.\n\n####################################################################\n# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #\n####################################################################\n\nYour message could not be delivered for more than 4 hour(s).\nIt will be retried until it is 5 day(s) old.\n\n<ann@example.org>: connect to mx.example.org[192.0.2.1]:25: Connection refused\n", subject="Delayed Mail (still being retried)"), [(DEAD, "ignore")]),
    Sample("delay-exim", plain("This message was created automatically by mail delivery software.\nA message that you sent has not yet been delivered to one or more of its\nrecipients after more than 24 hours on the queue on mx.example.org.\n\nThe address to which the message has not yet been delivered is:\n\n  ann@example.org\n    Delay reason: Connection timed out\n\nNo action is required on your part. Delivery attempts will continue for\nsome time, and this warning may be repeated at intervals.\n", subject="Warning: message 1abc delayed 24 hours"), [(DEAD, "ignore")]),
    Sample("delay-sendmail", plain("    **********************************************\n    **      THIS IS A WARNING MESSAGE ONLY      **\n    **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **\n    **********************************************\n\n   ----- The following addresses had transient non-fatal errors -----\n<ann@example.org>\n\nWarning: message still undelivered after 4 hours\nWill keep trying until message is 5 days old\n", subject="Warning: could not send message for past 4 hours"), [(DEAD, "ignore")]),
    Sample("delay-exchange", plain("Delivery is delayed to these recipients or groups:\n\nann@example.org\n\nThis message hasn't been delivered yet. Delivery will continue to be attempted.\n\nThe server will keep trying to deliver this message for the next 1 days, 19 hours and 57 minutes.\n", sender="Microsoft Outlook <postmaster@example.org>", subject="Delivery delayed: Three new posts"), [(DEAD, "ignore")]),
    Sample("delay-german", plain("Die Zustellung Ihrer Nachricht an ann@example.org verzögert sich.\nWir versuchen es weiterhin.\n", subject="Zustellung verzögert", charset="utf-8"), [(DEAD, "ignore")]),
    Sample("receipt-2", mail("Gelesen: Three new posts", "Ihre Nachricht wurde gelesen.").replace(b"Content-Type: text/plain; charset=utf-8", b'Content-Type: multipart/report; report-type="disposition-notification"; boundary=x'), [("", "ignore")]),
    Sample("delivered", report(group(DEAD, "2.1.5", "250 2.1.5 Ok", action="delivered"), subject="Delivery Status Notification (Success)"), [(DEAD, "ignore")]),
    Sample("spam-quoting-a-bounce", mail("Undelivered mail? Cheap pills", "550 5.1.1 <zoe@example.net>: user unknown. Buy now!", sender="Pills <x@spam.example>"), [("", "ignore")]),
    Sample("newsletter-about-bounces", mail("Why mail bounces: 550 5.1.1 explained", "Undeliverable mail to ann@example.org: user unknown. Unsubscribe below.", sender="Tips <tips@esp.example>", headers="List-Unsubscribe: <https://esp.example/u>\nList-Id: <tips.esp.example>\n"), [("", "ignore")]),
    Sample("reply-quoting-511", mail("Re: Three new posts", "I got this from your old address:\n> 550 5.1.1 user unknown ann@example.org\nCould you look?", headers="In-Reply-To: <h4ndle0f0urs@example.com>\n"), [(DEAD, "reply")]),
    Sample("forward-by-a-person", mail("Fwd: Undelivered Mail Returned to Sender", "See below.\n\n---------- Forwarded message ---------\nFrom: MAILER-DAEMON@x.example\n<zoe@example.net>: 550 5.1.1 user unknown\n", headers="In-Reply-To: <x@y>\n"), [(DEAD, "reply")]),
    Sample("challenge-2", mail("[Verify] Please verify your message", "ann@example.org uses SpamGuard. Please click to have your mail delivered.", headers="Auto-Submitted: auto-replied\n"), [(DEAD, "auto-reply")]),
    Sample("ticket", mail("[Ticket #4711] We received your message", "Thank you, we will answer soon.", sender="Support <support@shop.example>", headers="Auto-Submitted: auto-generated\n"), [("support@shop.example", "auto-reply")]),
    Sample("dmarc-report", mail("Report Domain: example.com Submitter: isp.example Report-ID: 1", "This is an aggregate report.", sender="noreply-dmarc@isp.example"), [("", "ignore")]),
    Sample("arf-virus", complaint("virus", f"Original-Rcpt-To: {DEAD}\n"), [(DEAD, "ignore")]),
    Sample("arf-yahoo", complaint("abuse", f"Original-Mail-From: <{VERP}>\nOriginal-Rcpt-To: {DEAD}\nReceived-Date: Tue, 24 Nov 2026 09:00:00 +0000\n"), [(DEAD, "complaint")]),
]
