"""A fourth set: systems and wordings that the other sets leave out, written after their manuals."""

from __future__ import annotations

from tests.unit.bounces.build import DEAD, ORIGINAL, Sample, group, mail, plain, report

REASONS = [
    ("dots-before-the-reason", "5.0.0", "550 ann@example.org...User unknown", "hard"),
    ("qmail-badrcptto", "5.7.1", "553 sorry, badrcptto (user mail-box not found) (#5.7.1)", "hard"),
    ("mail-box-in-two-words", "5.0.0", "550 ** No mail box available for this user **", "hard"),
    ("underscores", "5.0.0", "550 BAD_RECIPIENT - see http://mail.example.org/u.php?r=BAD_RECIPIENT", "hard"),
    ("imail-user-id", "", "Invalid final delivery userid: ann@example.org", "hard"),
    ("exim-null-mx", "5.0.0", "an MX or SRV record indicated no SMTP service", "hard"),
    ("gmail-null-mx", "4.0.0", "DNS Error: DNS type 'mx' lookup of example.org responded with code NOERROR The domain example.org doesn't receive email according to the administrator: returned Null MX https://www.rfc-editor.org/info/rfc7505", "hard"),
    ("hotmail-domain", "5.5.0", "554 The mail could not be delivered to the recipient because the domain is not reachable. Please check the domain and try again", "hard"),
    ("gmail-not-found", "5.0.0", "Your message wasn't delivered to ann@example.org because the address couldn't be found. Check for typos or unnecessary spaces and try again.", "hard"),
    ("unknown-or-full-es", "5.0.0", "550 <ann@example.org>: Destinatario desconocido o mailbox lleno", "soft"),
    ("godaddy-from", "5.2.0", "550 5.2.0 <news@example.com> From: Domain is invalid. Please provide a valid From: IB506", "sender"),
    ("facebook-preferences", "5.1.1", "550 5.1.1 RCP-P2 http://postmaster.example/response_codes?ip=192.0.2.1#rcp Refused due to recipient preferences", "policy"),
    ("qmail-helo", "5.0.0", "Connected to 192.0.2.1 but my name was rejected. Remote host said: 501 5.0.0 Invalid domain name I'm not going to try again; this message has been in the queue too long.", "policy"),
    ("invalid-ip", "5.0.0", "554 INVALID IP FOR SENDING MAIL OF DOMAIN example.com [RCPT_TO]", "policy"),
    ("looping", "5.0.0", "554 Message looping (received 6 times)", "soft"),
    ("too-many-recipients", "5.0.0", "552 Too many recipients", "soft"),
    ("not-enough-space", "5.0.0", "552 Account(s) <ann@example.org> does not have enough space", "soft"),
    ("maildir-quota", "5.2.3", "maildir delivery failed: Sorry, the user's maildir has overdrawn his diskspace quota, please try again later.", "soft"),
    ("command-quota", "5.2.0", "permission denied. Command output: Mail quota exceeded.", "soft"),
    ("too-much-stored", "", "Error 01373: User's Disk Quota Exceeded. Sorry, your intended recipient has too much mail stored in his mailbox. Your message totalled 23 Kbytes.", "soft"),
    ("a-full-mailbox", "", "Delivery to ann@example.org has failed due to a full mailbox", "soft"),
    ("inbound-size", "5.0.0", "553 exceeded maximum inbound message size", "content"),
    ("size-at-mail", "5.0.0", "534 SIZE=Message too big. (in reply to MAIL FROM command)", "content"),
    ("unroutable-sender", "5.0.0", "550 Unroutable sender address", "sender"),
    ("closed-list", "5.0.0", "ann@example.org is a closed mailing list", "policy"),
    ("size-of-the-message", "5.2.3", "552 5.2.3 <ann@example.org>: Recipient address rejected: Message length exceeds limit", "content"),
    ("recipient-rejected", "5.1.0", "550 5.1.0 Recipient rejected: <ann@example.org>", "hard"),
    ("qmail-blocked-recipient", "5.7.1", "553 sorry, your envelope recipient is in my badrcptto list (#5.7.1)", "policy"),
    ("netease-spam", "5.0.0", "554 DT:SPM 163 smtp8,NcCowADHJ_Uw 1484", "content"),
    ("netease-address", "4.0.0", "421 HL:REP 163 smtp12", "policy"),
    ("netease-hour", "5.0.0", "550 RP:TRC 163 mx3", "policy"),
    ("qq-frequency", "5.0.0", "550 Ip frequency limited [abc]. http://service.mail.example/help", "policy"),
    ("qq-bounces", "5.0.0", "550 Suspected bounce attacks [abc]", "policy"),
    ("rejected-by-the-server", "5.0.0", "Your message was rejected by the server for the recipient domain", "soft"),
]

DRAGONFLY = """\
This is the DragonFly Mail Agent v0.13 at host.example.com.

There was an error delivering your mail to <ann@example.org>.

mx.example.org [192.0.2.1] did not like our RCPT TO:
{reason}

Message headers follow.

Subject: Three new posts
To: <ann@example.org>
From: <news@example.com>
"""

GMAIL = """\
Delivery to the following recipient failed permanently:

     ann@example.org

Technical details of permanent failure:
Google tried to deliver your message, but it was rejected by the server for the recipient domain \
example.org by mx.example.org. [192.0.2.1].

The error that the other server returned was:
{reason}

----- Original message -----
"""

EXIM = """\
This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ann@example.org
    SMTP error from remote mail server after {stage}:
    host mx3.example.org [192.0.2.1]: {reason}

------ This is a copy of the message, including all the headers. ------
"""

OPENSMTPD = """\
    Hi!

    This is the MAILER-DAEMON, please DO NOT REPLY to this e-mail.

    An error has occurred while attempting to deliver a message for
    the following list of recipients:

{line}

    Below is a copy of the original message:
"""

REJECTED = """\
Return-Path: <MAILER-DAEMON>
From: Mail Delivery Subsystem <postmaster@example.org>
To: news@example.com
Subject: {subject}
Auto-Submitted: auto-replied (rejected)
Content-Type: multipart/report; report-type=disposition-notification; boundary="b"

--b
Content-Type: text/plain; charset=utf-8

{words}
--b
Content-Type: message/disposition-notification

Reporting-UA: mx.example.org; Dovecot Mail Delivery Agent
Final-Recipient: rfc822; ann@example.org
Original-Message-ID: <h4ndle0f0urs@example.com>
Disposition: automatic-action/MDN-sent-automatically; deleted

--b--
"""

TEXTS = [
    ("dragonfly-unknown", plain(DRAGONFLY.format(reason="550 5.1.1 <ann@example.org>... User Unknown"), sender="MAILER-DAEMON <>", subject="Mail delivery failed", headers="X-Original-To: <ann@example.org>\n"), "hard"),
    ("dragonfly-policy", plain(DRAGONFLY.format(reason="550 5.7.26 <ann@example.org>: Recipient address rejected: Multiple authentication checks failed"), sender="MAILER-DAEMON <>", subject="Mail delivery failed", headers="X-Original-To: <ann@example.org>\n"), "policy"),
    ("exim-passed-on", plain(EXIM.format(stage="RCPT TO:<moved@example.net>", reason="550 no such user").replace("  ann@example.org\n", "  moved@example.net\n    (generated from ann@example.org)\n"), headers="X-Failed-Recipients: moved@example.net\n"), "hard"),
    ("mail-to-oneself", plain("Hi. This is the qmail-send program at example.org.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n\n<ann@example.org>:\n192.0.2.1 does not like recipient.\nRemote host said: 552 Error: disk quota exceeded\nGiving up on 192.0.2.1.\n", to=DEAD), "soft"),
    ("a-role-that-subscribes", plain("Hi. This is the qmail-send program at example.org.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n\n<admin@example.org>:\n550 no such user\n"), "hard"),
    ("gmail-rejected-by-the-server", plain(GMAIL.format(reason="550-5.1.1 The email account that you tried to reach does not exist. Please try\n550-5.1.1 double-checking the recipient's email address"), headers="X-Failed-Recipients: ann@example.org\n"), "hard"),
    ("gmail-rejected-as-spam", plain(GMAIL.format(reason="554 5.7.1 Message rejected as spam"), headers="X-Failed-Recipients: ann@example.org\n"), "content"),
    ("exim-mailbox-unavailable", plain(EXIM.format(stage="RCPT TO:<ann@example.org>", reason="550 Requested action not taken:\n    mailbox unavailable")), "hard"),
    ("exim-mailbox-unavailable-at-the-end", plain(EXIM.format(stage="end of data", reason="550 Requested action not taken: mailbox unavailable")), "hard"),
    ("opensmtpd-with-a-page", plain(OPENSMTPD.format(line="ann@example.org: 550 5.1.1 http://help.example/answer.py?answer=6596 ad1si1997 - gsmtp"), subject="Delivery status notification: error"), "hard"),
    ("opensmtpd-expired", plain(OPENSMTPD.format(line="ann@example.org: Envelope expired"), subject="Delivery status notification: error"), "soft"),
    ("undeliverable-is-a-label", plain("Undeliverable Address: ann@example.org\n\nReason: The email you sent to the address specified\nabove has been returned because the recipient is over disk quota.\n"), "soft"),
    ("a-version-is-no-status", plain("Your message\n\n  Subject: [Developers] RELEASED 2.0.12\n  Sent: Thu, 11 Jul 2002 16:52:33 -0300\n\ndid not reach the following recipient(s):\n\nann@example.org on Thu, 11 Jul 2002 16:54:54 -0300\n    Unable to deliver the message due to a communications failure\n", subject="Undeliverable: [Developers] RELEASED 2.0.12"), "soft"),
    ("deferred-in-the-subject-only", plain("   ----- Transcript of session follows -----\nWhile talking to mx.example.org:\n>>> RCPT To:<ann@example.org>\n<<< 550 <ann@example.org>, User Unknown\n550 <ann@example.org>... User unknown\n421 other.example.org (smtp)... Deferred: Connection timed out during user open\n\n   ----- Unsent message follows -----\n" + ORIGINAL, subject="Returned mail: Deferred: Connection timed out"), "hard"),
    ("x400-type-before-the-address", plain("Your message did not reach the following recipient(s):\n\nc=US;a= ;p=Example;o=Nexus2;dda:SMTP=ann@example.org; on Fri, 4 Oct 2002 17:12:28 -0400\n    The recipient name is not recognized\n", sender="System Administrator <postmaster@example.org>", subject="Undeliverable: posts"), "hard"),
    ("mms-gateway", mail("Re:Three new posts", "Error: Invalid user address\n\nError message below:\n550 - Requested action not taken: no such user here\n\nMessage details:\n  Subject: posts\n  MAIL FROM: news@example.com\n  RCPT TO: ann@example.org\n  Size (in bytes): 39\n", sender="post_master@vtext.example", headers="In-Reply-To: <h4ndle0f0urs@example.com>\n"), "hard"),
    ("failed-recipients-without-a-daemon", mail("Returned Mail - Error During Delivery", "------ Failed Recipients ------\n\n<ann@example.org>: Requested action not taken: mailbox unavailable. [SMTP Error Code 550]\n-------- Returned Mail --------\n", sender="E500_SMTP_Mail_Service@host.example"), "hard"),
    ("one-letter-domain", plain("User mailbox exceeds allowed size: a@b.c\n\n\nOriginal message follows.\n", sender='"Postmaster" <postmaster@b.c>', subject="Undeliverable Mail"), "soft"),
    ("rejected-for-its-quota", REJECTED.format(subject="Automatically rejected mail", words="Your message to <ann@example.org> was automatically rejected:\nQuota exceeded").encode(), "soft"),
    ("rejected-by-a-script", REJECTED.format(subject="Rejected: Three new posts", words="Your message to <ann@example.org> was automatically rejected:\nI do not want your mail.").encode(), "policy"),
    ("mime-structure-lost", report(group(DEAD, "5.7.1", "550 5.7.1 550 User Unknown: ann@example.org"), about="Original-envelope-id: 0000000@example.com\nReporting-MTA: dns; mx.example.org\n").replace(b"--=_bound", b"--=_other"), "hard"),
    ("parts-wrapped-by-hand", mail("Re:posts", "--b\nContent-Type: multipart/alternative;\nboundary=\"c\"\n\n--c\nContent-Type: text/plain\n\nError message below:\n550 - Requested action not taken: no such user here\n\n  RCPT TO: ann@example.org\n\n--c--\n--b--\n", sender="post_master@vtext.example").replace(b"text/plain; charset=utf-8", b"multipart/mixed; boundary=b").replace(b"Return-Path: <ann@example.org>\n", b""), "hard"),
    ("japanese-carrier", mail("\u30e1\u30fc\u30eb\u30a8\u30e9\u30fc\u901a\u77e5", "Your mail sent on: Thu, 29 Apr 2027 23:45:22 +0900\n     Could not be delivered to: <ann@example.org>\n     As their mailbox is full.\n", sender="no-reply@x0.example.ne.jp"), "soft"),
    ("header-wrapped-by-hand", report(group(DEAD, "5.1.1", "550 5.1.1 User unknown")).replace(b"Return-Path: <>\nDate: Tue, 24 Nov 2026 09:00:05 +0000\nFrom: MAILER", b"X-Received: from a by b with ESMTP id 4\nt8si4842844qeu.56.2014.01.21 for x;\n\tThu, 1 Jan 2026 00:00:00 +0000\nFrom: MAILER"), "hard"),
]

OTHERS = {"one-letter-domain": "a@b.c", "a-role-that-subscribes": "admin@example.org"}
"""Who failed, where it is not `DEAD`."""

SAMPLES = [
    Sample(name, report(group(DEAD, status, reason)), [(DEAD, meant)])
    for name, status, reason, meant in REASONS
] + [
    Sample(name, data, [(OTHERS.get(name, DEAD), meant)], machine=False)
    for name, data, meant in TEXTS
]

NOTHING = [
    Sample(
        "deleted-without-being-read",
        REJECTED.replace("auto-replied (rejected)", "auto-replied")
        .format(
            subject="Not read: Three new posts",
            words="Your message to ann@example.org was deleted without being read.",
        )
        .encode(),
        [("", "ignore")],
    ),
    Sample(
        "a-test-of-an-address",
        report(group(DEAD, "2.1.5", "250 2.1.5 Ok", action="deliverable")),
        [(DEAD, "ignore")],
    ),
    Sample(
        "help-by-mail",
        mail(
            "Undeliverable: Three new posts",
            "A message sent by you could not be delivered.\nIf you have questions, call the desk at "
            "555 638-5424 or via email at servicedesk@example.org.\n",
            sender="Mail Delivery Failure <unknown+canned@example.org>",
        ),
        [],
    ),
]
SAMPLES += NOTHING
