"""A fourth set of returned messages: headers in raw bytes, internationalised addresses, transcripts
of several recipients, filters, challenges and absence notes.

What each means was written down before it was read (test_raw_words.py).
"""

from __future__ import annotations

from tests.unit.bounces.build import DEAD, ORIGINAL, VERP, Sample, group, mail, plain, report

HEAD = ORIGINAL.split("\n\n")[0] + "\n"
GLOBAL = "message/global-delivery-status"
GONE = "550 5.1.1 User unknown"


def raw(subject: str, body: str, charset: str, *, headers: bytes = b"", sender: str = "") -> bytes:
    """Write a notice whose subject and name stand in the header as bytes of their charset."""
    name = sender.encode(charset) or b"Mail Delivery Subsystem"
    return b"\n".join(
        [
            b"Return-Path: <>",
            b"From: " + name + b" <MAILER-DAEMON@mx.example.org>",
            b"To: " + VERP.encode(),
            b"Subject: " + subject.encode(charset),
            b"Message-ID: <bounce.4@mx.example.org>",
            headers + b"Content-Type: text/plain; charset=" + charset.encode(),
            b"Content-Transfer-Encoding: 8bit",
            b"",
            body.encode(charset),
        ]
    )


RAW = [
    Sample(
        "gb2312-header",
        raw(
            "系统退信",
            f"抱歉，您的邮件被退回来了。\n收件人：{DEAD}\n退信原因：收件人不存在\nhost mx.example.org said: 550 User not found: {DEAD}\n",
            "gb2312",
            sender="系统管理员",
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "gb2312-full",
        raw(
            "系统退信",
            f"您的邮件未能送达以下收件人：\n{DEAD}\n原因：552 Mailbox is full\n",
            "gb2312",
            sender="邮件系统",
        ),
        [(DEAD, "soft")],
    ),
    Sample(
        "shift-jis-header",
        raw(
            "配信不能通知",
            f"次の宛先へのメールを配信できませんでした。\n<{DEAD}>: host mx.example.org said: 550 Unknown user {DEAD}\n",
            "shift_jis",
            sender="メール配信システム",
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "euc-jp-header",
        raw(
            "宛先不明",
            f"送信できませんでした: {DEAD}\n550 5.1.1 <{DEAD}>: Recipient address rejected: User unknown\n",
            "euc-jp",
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "koi8-r-header",
        raw(
            "Недоставленное сообщение",
            f"Ваше письмо не доставлено.\n\n{DEAD}\n    550 Message was not accepted -- invalid mailbox. Local mailbox {DEAD} is unavailable: user not found\n",
            "koi8-r",
            sender="Почтовый робот",
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "windows-1251-header",
        raw(
            "Сообщение не доставлено",
            f"Не удалось доставить: {DEAD}\nПричина: почтовый ящик переполнен (452 4.2.2 mailbox full)\n",
            "windows-1251",
        ),
        [(DEAD, "soft")],
    ),
    Sample(
        "big5-header",
        raw("退信通知", f"無法寄送至 {DEAD}\n550 5.1.1 no such user\n", "big5", sender="郵件系統"),
        [(DEAD, "hard")],
    ),
    Sample(
        "euc-kr-header",
        raw("메일 전송 실패", f"받는 사람: {DEAD}\n550 5.1.1 No such user here\n", "euc-kr"),
        [(DEAD, "hard")],
    ),
    Sample(
        "latin-1-header",
        raw(
            "Échec de la remise",
            f"Le message n'a pas pu être remis à {DEAD}\n550 5.1.1 Adresse inconnue\n",
            "iso-8859-1",
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "gb2312-report",
        report(group(DEAD, "5.1.1", GONE)).replace(
            b"Subject: Undelivered Mail Returned to Sender",
            b"Subject: " + "邮件退回".encode("gb2312"),
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "koi8-report-from",
        report(group(DEAD, "4.2.2", "452 4.2.2 Mailbox full")).replace(
            b"(Mail Delivery System)", "(Почта)".encode("koi8-r")
        ),
        [(DEAD, "soft")],
    ),
]

INTERNATIONAL = [
    Sample(
        "emoji-local",
        report(
            "Final-Recipient: utf-8; 😀@example.org\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\n",
            status_type=GLOBAL,
        ),
        [("😀@example.org", "hard")],
    ),
    Sample(
        "han-local-idn",
        report(
            "Final-Recipient: utf-8; 用户@例子.广告\nAction: failed\nStatus: 5.1.1\n",
            status_type=GLOBAL,
        ),
        [("用户@例子.广告", "hard")],
    ),
    Sample(
        "unitext-supplementary",
        report(
            "Final-Recipient: utf-8; \\x{1F600}@example.org\nAction: failed\nStatus: 5.1.1\n",
            status_type=GLOBAL,
        ),
        [("😀@example.org", "hard")],
    ),
    Sample(
        "utf8-addr-xtext",
        report(
            "Original-Recipient: utf-8; \\x{7528}\\x{6237}@example.org\nFinal-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.7.1\nDiagnostic-Code: smtp; 550 5.7.1 blocked using a list\n"
        ),
        [("用户@example.org", "policy")],
    ),
    Sample(
        "cyrillic-full",
        report(
            "Final-Recipient: utf-8; анна@пример.рф\nAction: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 5.2.2 Mailbox full\n",
            status_type=GLOBAL,
        ),
        [("анна@пример.рф", "soft")],
    ),
    Sample(
        "arabic-plain",
        plain(
            "<مستخدم@example.org>: host mx.example.org said: 550 5.1.1 User unknown\n",
            charset="utf-8",
        ),
        [("مستخدم@example.org", "hard")],
    ),
    Sample(
        "no-smtputf8",
        report(
            "Final-Recipient: utf-8; jörg@example.org\nAction: failed\nStatus: 5.6.7\nDiagnostic-Code: smtp; 550 5.6.7 SMTPUTF8 not supported\n",
            status_type=GLOBAL,
        ),
        [("jörg@example.org", "content")],
    ),
]

CALLOUTS = [
    Sample(
        "callout-of-us",
        report(
            group(
                DEAD,
                "5.0.0",
                f"550-Verification failed for <{VERP}> 550-Called: 192.0.2.10 550-Sent: RCPT TO:<{VERP}> 550-Response: 550 5.1.1 User unknown 550 Sender verify failed",
            )
        ),
        [(DEAD, "sender")],
    ),
    Sample(
        "callout-timeout",
        report(
            group(
                DEAD,
                "4.0.0",
                "450 4.1.7 Sender address rejected: unverified address: connect to news.example.com: Connection timed out",
            )
        ),
        [(DEAD, "sender")],
    ),
    Sample(
        "callout-plain",
        plain(
            f"  {DEAD}\n    SMTP error from remote mail server after RCPT TO:<{DEAD}>:\n    host mx.example.org [192.0.2.1]: 550-Sender verify failed\n    550 Could not complete sender verify callout\n"
        ),
        [(DEAD, "sender")],
    ),
    Sample(
        "callout-postfix",
        report(
            group(
                DEAD,
                "5.1.7",
                f"550 5.1.7 <{VERP}>: Sender address rejected: undeliverable address: host news.example.com said: 550 5.1.1 User unknown (in reply to RCPT TO command)",
            )
        ),
        [(DEAD, "sender")],
    ),
    Sample(
        "recipient-verify",
        report(
            group(
                DEAD,
                "5.1.1",
                f"550 5.1.1 <{DEAD}>: Recipient address rejected: undeliverable address: host 10.0.0.2 said: 550 5.1.1 <{DEAD}> User unknown",
            )
        ),
        [(DEAD, "hard")],
    ),
]

SENDMAIL = """\
The original message was received at Tue, 24 Nov 2026 09:00:00 GMT
from news.example.com [192.0.2.10]

   ----- The following addresses had permanent fatal errors -----
<ann@example.org>
    (reason: 550 5.1.1 <ann@example.org>... User unknown)
<bob@example.org>
    (reason: 552 5.2.2 <bob@example.org>... Mailbox full)
<cem@example.net>
    (reason: 554 5.7.1 Service unavailable; Client host [192.0.2.10] blocked using a list)

   ----- Transcript of session follows -----
... while talking to mx.example.org.:
>>> DATA
<<< 550 5.1.1 <ann@example.org>... User unknown
550 5.1.1 <ann@example.org>... User unknown
<<< 552 5.2.2 <bob@example.org>... Mailbox full
552 5.2.2 <bob@example.org>... Mailbox full
... while talking to mx.example.net.:
<<< 554 5.7.1 Service unavailable; Client host [192.0.2.10] blocked using a list
"""
SENDMAIL_OLD = """\
   ----- Transcript of session follows -----
While talking to mx.example.org:
>>> RCPT To:<ann@example.org>
<<< 550 <ann@example.org>... User unknown
550 <ann@example.org>... User unknown
>>> RCPT To:<bob@example.org>
<<< 452 <bob@example.org>... Insufficient system storage
<bob@example.org>... Deferred: Insufficient system storage

   ----- Unsent message follows -----
"""
THREE = [("ann@example.org", "hard"), ("bob@example.org", "soft"), ("cem@example.net", "policy")]

TRANSCRIPTS = [
    Sample(
        "sendmail-three",
        plain(SENDMAIL, subject="Returned mail: see transcript for details"),
        THREE,
    ),
    Sample(
        "sendmail-old",
        plain(SENDMAIL_OLD + ORIGINAL, subject="Returned mail: User unknown"),
        [("ann@example.org", "hard"), ("bob@example.org", "soft")],
    ),
    Sample(
        "postfix-two",
        report(
            group("ann@example.org", "5.1.1", GONE),
            group("bob@example.org", "4.2.2", "452 4.2.2 over quota"),
        ),
        [("ann@example.org", "hard"), ("bob@example.org", "soft")],
    ),
    Sample(
        "qmail-two",
        plain(
            "Hi. This is the qmail-send program at mx.example.org.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<ann@example.org>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n<bob@example.org>:\nThe users mailfolder is over the allowed quota (size). (#5.2.2)\n\n--- Below this line is a copy of the message.\n\n"
            + ORIGINAL
        ),
        [("ann@example.org", "hard"), ("bob@example.org", "soft")],
    ),
]

SYSTEMS = [
    Sample(
        "exim-retry",
        plain(
            f"This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  {DEAD}\n    retry timeout exceeded\n",
            subject="Mail delivery failed: returning message to sender",
            headers=f"X-Failed-Recipients: {DEAD}\n",
        ),
        [(DEAD, "soft")],
    ),
    Sample(
        "exim-unrouteable",
        plain(
            f"A message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  {DEAD}\n    Unrouteable address\n",
            headers=f"X-Failed-Recipients: {DEAD}\n",
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "exchange-2003",
        plain(
            f"Your message\n\n  To:      {DEAD}\n  Subject: Three new posts\n  Sent:    Tue, 24 Nov 2026 09:00:00 -0000\n\ndid not reach the following recipient(s):\n\n{DEAD} on Tue, 24 Nov 2026 09:00:03 -0000\n    The e-mail account does not exist at the organization this message was sent to.  Check the e-mail address, or contact the recipient directly to find out the correct address.\n    <mx.example.org #5.1.1>\n",
            sender="System Administrator <postmaster@example.org>",
            subject="Undeliverable: Three new posts",
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "exchange-2010-quota",
        report(
            group(
                DEAD,
                "5.2.2",
                "554-5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException",
                kind="smtp",
            )
        ),
        [(DEAD, "soft")],
    ),
    Sample(
        "o365-block-list",
        report(
            group(
                DEAD,
                "5.7.511",
                "550 5.7.511 Access denied, banned sender[192.0.2.10]. To request removal from this list please forward this message",
            )
        ),
        [(DEAD, "policy")],
    ),
    Sample(
        "notes-not-listed",
        plain(
            f"Your message\n\n  Subject: Three new posts\n\nwas not delivered to:\n\n  {DEAD}\n\nbecause:\n\n  User ann ({DEAD}) not listed in Domino Directory\n",
            subject="DELIVERY FAILURE: User ann not listed in Domino Directory",
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "zimbra",
        report(group(DEAD, "5.1.1", f"550 5.1.1 <{DEAD}>: Recipient address rejected: {DEAD}")),
        [(DEAD, "hard")],
    ),
    Sample(
        "zimbra-lmtp-quota",
        report(
            group(DEAD, "4.2.2", "452 4.2.2 Over quota", kind="smtp"),
            notice=f"<{DEAD}>: host mail.example.org[10.0.0.1] said: 452 4.2.2 Over quota (in reply to end of DATA command)",
        ),
        [(DEAD, "soft")],
    ),
    Sample(
        "gmail-nosuchuser",
        report(
            group(
                DEAD,
                "5.1.1",
                "550-5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address for typos or unnecessary spaces. NoSuchUser",
            ),
            sender="Mail Delivery Subsystem <mailer-daemon@googlemail.example>",
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "gmail-out-of-storage",
        report(
            group(
                DEAD,
                "5.2.2",
                "552-5.2.2 The recipient's inbox is out of storage space and inactive. Please direct the recipient to https://support.google.example/mail/?p=OverQuotaPerm",
            )
        ),
        [(DEAD, "soft")],
    ),
    Sample(
        "yahoo-plain",
        plain(
            f"Sorry, we were unable to deliver your message to the following address.\n\n<{DEAD}>:\n552: 5.0.0 user {DEAD} mailbox full\n",
            sender="MAILER-DAEMON@yahoo.example",
        ),
        [(DEAD, "soft")],
    ),
    Sample(
        "icloud",
        report(group(DEAD, "5.1.1", f"550 5.1.1 <{DEAD}>: user does not exist")),
        [(DEAD, "hard")],
    ),
    Sample(
        "icloud-quota",
        report(group(DEAD, "5.2.2", f"552 5.2.2 <{DEAD}>: user is over quota")),
        [(DEAD, "soft")],
    ),
    Sample(
        "icloud-cs01",
        report(
            group(
                DEAD,
                "5.7.1",
                "554 5.7.1 [CS01] Message rejected due to local policy. Please visit https://support.apple.example/",
            )
        ),
        [(DEAD, "content")],
    ),
    Sample(
        "gmx-german",
        plain(
            f"Diese E-Mail wurde automatisch vom GMX Mail-Server erzeugt.\n\nDie von Ihnen gesendete E-Mail konnte an folgende Adresse nicht zugestellt werden:\n\n{DEAD}\n\nSMTP-Fehlermeldung des Servers:\n550 Requested action not taken: mailbox unavailable\n",
            sender="GMX Mailer Daemon <mailer-daemon@gmx.example>",
            subject="Mail delivery failed: returning message to sender",
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "webde-policy",
        report(
            group(
                DEAD,
                "5.7.1",
                "554-Transaction failed Reject due to policy restrictions. For explanation visit https://postmaster.web.example/error-messages?ip=192.0.2.10",
            )
        ),
        [(DEAD, "policy")],
    ),
    Sample(
        "orange-ofr",
        report(
            group(
                DEAD,
                "5.1.1",
                "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 [416]",
            )
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "orange-ofr-rate",
        report(
            group(
                DEAD,
                "4.2.0",
                "421 opmta1mti mx.example.org Service refuse. Veuillez essayer plus tard. service refused, please try later. OFR_999 [999]",
            )
        ),
        [(DEAD, "policy")],
    ),
    Sample(
        "mailru",
        report(
            group(
                DEAD,
                "5.1.1",
                f"550 Message was not accepted -- invalid mailbox.  Local mailbox {DEAD} is unavailable: user not found",
            )
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "mailru-inactive",
        report(
            group(
                DEAD,
                "5.2.1",
                f"550 Message was not accepted -- invalid mailbox. Local mailbox {DEAD} is unavailable: account is disabled",
            )
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "qq-chinese",
        plain(
            f"抱歉，您的邮件被退回来了……\n\n原邮件信息：\n收件人：{DEAD}\n退信原因：收件人邮件地址（{DEAD}）不存在，邮件无法送达。\nhost mx.example.org said: 550 Mailbox not found. http://service.mail.qq.example/cgi-bin/help?id=20022\n",
            sender="PostMaster@qq.example",
            subject="系统退信/Systems bounce",
            charset="utf-8",
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "qq-frequency",
        report(
            group(
                DEAD,
                "5.0.0",
                "550 Connection frequency limited. http://service.mail.qq.example/cgi-bin/help?subtype=1&&id=20022&&no=1000722",
            )
        ),
        [(DEAD, "policy")],
    ),
    Sample(
        "netease-mi-spf",
        report(
            group(
                DEAD,
                "5.7.1",
                "550 MI:SPF mx14,QMCowECpXUlK 1476412345 http://mail.163.example/help/help_spam_16.htm",
            )
        ),
        [(DEAD, "policy")],
    ),
    Sample(
        "netease-unknown",
        report(group(DEAD, "5.1.1", f"550 User not found: {DEAD}")),
        [(DEAD, "hard")],
    ),
    Sample(
        "barracuda",
        report(
            group(
                DEAD,
                "5.7.1",
                "554 5.7.1 Service unavailable; Client host [mx.example.org] blocked using Barracuda Reputation; https://www.barracudanetworks.example/reputation/?r=1&ip=192.0.2.10",
            )
        ),
        [(DEAD, "policy")],
    ),
    Sample(
        "barracuda-content",
        report(
            group(
                DEAD,
                "5.0.0",
                "550 permanent failure for one or more recipients (ann@example.org:blocked)",
            )
        ),
        [(DEAD, "policy")],
    ),
    Sample(
        "mimecast",
        report(
            group(
                DEAD,
                "5.1.1",
                "550 Invalid Recipient - https://community.mimecast.example/docs/DOC-1369#550 [abc]",
            )
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "mimecast-greylist",
        report(
            group(
                DEAD,
                "4.0.0",
                "451 Internal resources are temporarily unavailable - https://community.mimecast.example/docs/DOC-1369#451 [abc]",
            )
        ),
        [(DEAD, "soft")],
    ),
    Sample(
        "proofpoint",
        report(group(DEAD, "5.1.1", "550 5.1.1 User Unknown ppe-hosted")),
        [(DEAD, "hard")],
    ),
    Sample(
        "proofpoint-blocked",
        report(
            group(
                DEAD, "5.7.0", "554 Blocked - see https://ipcheck.proofpoint.example/?ip=192.0.2.10"
            )
        ),
        [(DEAD, "policy")],
    ),
    Sample(
        "messagelabs",
        report(
            group(
                DEAD,
                "5.0.0",
                "553 You are trying to use me [server-12.tower-1.messagelabs.example] as a relay, but I have not been configured to let you [192.0.2.10] do this. Please visit https://www.messagelabs.example/ for more details (#5.7.1)",
            )
        ),
        [(DEAD, "policy")],
    ),
    Sample(
        "messagelabs-dead",
        report(group(DEAD, "5.0.0", f"550 Invalid recipient <{DEAD}> (#5.1.1)")),
        [(DEAD, "hard")],
    ),
    Sample(
        "amavis-spam",
        report(
            group(DEAD, "5.7.0", "554 5.7.0 Reject, id=12345-01 - spam"),
            notice="The message WAS NOT relayed to:\n  <ann@example.org>:\n   554 5.7.0 Reject, id=12345-01 - spam",
            subject="Considered UNSOLICITED BULK EMAIL, apparently from you",
        ),
        [(DEAD, "content")],
    ),
    Sample(
        "mailenable",
        plain(
            f"MailEnable: Message could not be delivered to some recipients.\nThe following recipient(s) could not be reached:\n\n\tRecipient: [SMTP:{DEAD}]\n\tReason: The message could not be delivered because the domain name (example.org) does not appear to be registered.\n",
            subject="Message Delivery Failure",
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "mailenable-remote",
        plain(
            f"MailEnable: Message could not be delivered to some recipients.\nThe following recipient(s) could not be reached:\n\n\tRecipient: [SMTP:{DEAD}]\n\tReason: Remote SMTP Server Returned: 550 No such user here\n",
            subject="Message Delivery Failure",
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "imail",
        plain(
            f"Unknown user: {DEAD}\n\nOriginal message follows.\n\n{ORIGINAL}",
            sender="Postmaster <postmaster@mx.example.org>",
            subject="Undeliverable Mail",
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "imail-full",
        plain(
            f"User mailbox exceeds allowed size: {DEAD}\n\nOriginal message follows.\n\n{ORIGINAL}",
            sender="Postmaster <postmaster@mx.example.org>",
            subject="Undeliverable Mail",
        ),
        [(DEAD, "soft")],
    ),
    Sample(
        "postfix-lmtp",
        report(
            group(DEAD, "5.1.1", f"550 5.1.1 <{DEAD}> User doesn't exist: {DEAD}", original=DEAD),
            notice=f"<{DEAD}>: host mail.example.org[private/dovecot-lmtp] said: 550 5.1.1\n    <{DEAD}> User doesn't exist: {DEAD} (in reply to RCPT TO command)",
        ),
        [(DEAD, "hard")],
    ),
    Sample(
        "postfix-lmtp-quota",
        report(
            group(DEAD, "4.2.2", f"452 4.2.2 <{DEAD}> Quota exceeded (mailbox for user is full)")
        ),
        [(DEAD, "soft")],
    ),
]

NOTHING = [
    Sample(
        "sympa-moderation",
        mail(
            "Article to approve",
            "Your message has been forwarded to the moderators of the list.\n",
            sender="Sympa <sympa@lists.example.org>",
            headers="Auto-Submitted: auto-generated\nPrecedence: bulk\n",
        ),
        [("", "auto-reply")],
    ),
    Sample(
        "mailman-held",
        mail(
            "Your message to Walkers awaits moderator approval",
            "Your mail to 'Walkers' with the subject\n\n    Three new posts\n\nIs being held until the list moderator can review it for approval.\n",
            sender="walkers-bounces@lists.example.org",
            headers="Precedence: bulk\nX-Mailman-Version: 2.1.29\nAuto-Submitted: auto-replied\n",
        ),
        [("", "auto-reply")],
    ),
    Sample(
        "challenge-boxbe",
        mail(
            "Three new posts (Action Required)",
            'Hello,\n\nYour message about "Three new posts" was waitlisted.\nPlease add yourself to my guest list so your messages will be delivered to my inbox. Use the link below.\n',
            sender="Ann <notification@boxbe.example>",
            headers="Auto-Submitted: auto-replied\n",
        ),
        [("", "auto-reply")],
    ),
    Sample(
        "challenge-spamarrest",
        mail(
            "Re: Three new posts (verification)",
            "Ann here, I'm protecting myself from receiving junk mail. Please click the link below to complete the verification process. You have to do this only once.\n",
            headers="Precedence: bulk\n",
        ),
        [("", "auto-reply")],
    ),
]

ABSENCES = {
    "de": (
        "Abwesenheitsnotiz: Drei neue Beiträge",
        "Ich bin bis zum 5. Dezember nicht im Büro und lese keine E-Mails.",
    ),
    "fr": (
        "Réponse automatique : Trois nouveaux billets",
        "Je suis absente du bureau jusqu'au 5 décembre.",
    ),
    "es": (
        "Respuesta automática: Tres entradas",
        "Estoy fuera de la oficina hasta el 5 de diciembre.",
    ),
    "it": ("Risposta automatica: Tre nuovi articoli", "Sono fuori ufficio fino al 5 dicembre."),
    "nl": ("Automatisch antwoord: Drie nieuwe berichten", "Ik ben afwezig tot 5 december."),
    "pt": ("Resposta automática: Três novos textos", "Estou fora do escritório até 5 de dezembro."),
    "pl": ("Automatyczna odpowiedź: Trzy nowe wpisy", "Jestem poza biurem do 5 grudnia."),
    "sv": ("Autosvar: Tre nya inlägg", "Jag är inte på kontoret förrän den 5 december."),
    "ja": ("自動応答: 新しい記事", "12月5日まで不在にしております。"),
    "ru": ("Автоответ: Три новые записи", "Меня нет в офисе до 5 декабря."),
}
ABSENT = [
    Sample(
        "gb2312-absence",
        raw(
            "自动回复: 三篇新文章",
            "您好，我正在休假，稍后回复您。\n",
            "gb2312",
            headers=b"Auto-Submitted: auto-replied\n",
            sender="安",
        ),
        [("", "auto-reply")],
    ),
    *(
        Sample(f"absence-{name}", mail(subject, f"{words}\n"), [("", "auto-reply")])
        for name, (subject, words) in ABSENCES.items()
    ),
]

FAILED = [*RAW, *INTERNATIONAL, *CALLOUTS, *TRANSCRIPTS, *SYSTEMS]
SAMPLES = [*FAILED, *NOTHING, *ABSENT]
