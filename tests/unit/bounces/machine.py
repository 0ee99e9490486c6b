"""Machine-readable reports: RFC 3464 and its variants as mail systems write them, and RFC 6533."""

from __future__ import annotations

from tests.unit.bounces.build import DEAD, ORIGINAL, VERP, Sample, group, plain, report

POSTFIX = """This is the mail system at host mx.example.org.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

For further assistance, please send mail to postmaster.

If you do so, please include this problem report. You can
delete your own text from the attached returned message.

                   The mail system

<ann@example.org>: {reason}
"""

REASONS = [
    ("postfix-unknown", "5.1.1", "550 5.1.1 <ann@example.org>: Recipient address rejected: User unknown in virtual mailbox table", "hard"),
    ("gmail-unknown", "5.1.1", "550-5.1.1 The email account that you tried to reach does not exist. Please try 550 5.1.1 double-checking", "hard"),
    ("gmail-disabled", "5.2.1", "550 5.2.1 The email account that you tried to reach is disabled.", "hard"),
    ("gmail-full", "5.2.2", "552-5.2.2 The recipient's inbox is out of storage space and inactive.", "soft"),
    ("gmail-spam", "5.7.1", "550-5.7.1 Our system has detected that this message is likely unsolicited mail.", "content"),
    ("gmail-unauthenticated", "5.7.26", "550-5.7.26 This mail has been blocked because the sender is unauthenticated.", "policy"),
    ("gmail-too-quickly", "4.2.1", "450-4.2.1 The user you are trying to contact is receiving mail too quickly.", "soft"),
    ("m365-unknown", "5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", "hard"),
    ("m365-edge", "5.4.1", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", "hard"),
    ("m365-banned", "5.7.606", "550 5.7.606 Access denied, banned sending IP [192.0.2.10]", "policy"),
    ("m365-restricted", "5.7.124", "550 5.7.124 Sender not in allowed-senders list", "policy"),
    ("outlook-unknown", "5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)", "hard"),
    ("outlook-blocked", "5.7.1", "550 5.7.1 Unfortunately, messages from [192.0.2.10] weren't sent. part of their network is on our block list (S3150)", "policy"),
    ("yahoo-unknown", "5.0.0", "554 delivery error: dd This user doesn't have a yahoo.com account (ann@example.org)", "hard"),
    ("yahoo-policy", "5.7.9", "554 5.7.9 Message not accepted for policy reasons. See https://postmaster.yahooinc.com/error-codes", "policy"),
    ("icloud-content", "5.7.1", "550 5.7.1 [CS01] Message rejected due to local policy.", "content"),
    ("full-552", "5.2.2", "552 5.2.2 Mailbox full", "soft"),
    ("quota-exceeded", "5.2.2", "554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException", "soft"),
    ("expired", "4.4.7", "smtp; 400 4.4.7 Message delayed", "soft"),
    ("timeout", "4.4.1", "connect to mx.example.org[192.0.2.1]:25: Connection timed out", "soft"),
    ("greylisted-to-the-end", "4.2.0", "450 4.2.0 <ann@example.org>: Recipient address rejected: Greylisted", "soft"),
    ("no-such-domain", "5.4.4", "Host or domain name not found. Name service error for name=example.org type=A: Host not found", "hard"),
    ("null-mx", "5.1.10", "556 5.1.10 Recipient domain does not accept mail (nullMX)", "hard"),
    ("loop", "5.4.6", "mail for example.org loops back to myself", "soft"),
    ("too-large", "5.3.4", "552 5.3.4 Message size exceeds fixed limit", "content"),
    ("too-large-for-it", "5.2.3", "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient", "content"),
    ("blocklist", "5.7.1", "554 5.7.1 Service unavailable; Client host [192.0.2.10] blocked using zen.spamhaus.org", "policy"),
    ("dmarc", "5.7.1", "550 5.7.1 Email rejected per DMARC policy for example.com", "policy"),
    ("spf", "5.7.23", "550 5.7.23 The message was rejected because of Sender Policy Framework violation", "policy"),
    ("sender-unknown", "5.1.8", "553 5.1.8 <b-4f@bounce.example.com>: Sender address rejected: Domain not found", "sender"),
    ("protocol", "5.5.2", "500 5.5.2 Syntax error, command unrecognized", "sender"),
    ("virus", "5.6.0", "554 5.6.0 Message contains malware", "content"),
    ("status-lies", "5.1.1", "550 5.7.1 <ann@example.org>... Access denied", "policy"),
    ("status-vague-words-clear", "5.0.0", "550 No such user here", "hard"),
    ("quota-of-ours", "5.0.0", "550 Domain example.com has exceeded the max emails per hour (125/100 (125%)) allowed. Message discarded.", "policy"),
    ("suspended", "5.2.1", "550 5.2.1 Mailbox temporarily suspended", "soft"),
    ("ses-suppressed", "5.1.1", "550 5.1.1 Amazon SES has suppressed sending to this address because it has a recent history of bouncing as an invalid address.", "hard"),
    ("only-5.0.0", "5.0.0", "550 Cowsay moo", "soft"),
    ("german", "5.1.1", "550 5.1.1 Empfaenger unbekannt", "hard"),
    ("french-orange", "5.1.1", "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR204_418 [418]", "hard"),
    ("relay-denied", "5.7.1", "554 5.7.1 <ann@example.org>: Relay access denied", "policy"),
]

SAMPLES = [
    Sample(
        name,
        report(
            group(DEAD, status, reason),
            notice=POSTFIX.format(reason=f"host mx.example.org said: {reason}"),
        ),
        [(DEAD, expected)],
    )
    for name, status, reason, expected in REASONS
]


def add(name: str, data: bytes, *expected: tuple[str, str]) -> None:
    """Add one message to the samples."""
    SAMPLES.append(Sample(name, data, list(expected)))


USER_UNKNOWN = group(DEAD, "5.1.1", "550 5.1.1 User unknown")

add(
    "rfc3464-appendix-simple",
    report(
        group("louisl@larry.slip.umd.edu", "4.0.0", "426 connection timed out"),
        about="Reporting-MTA: dns; cs.utk.edu\n",
    ),
    ("louisl@larry.slip.umd.edu", "soft"),
)
add(
    "rfc3464-appendix-multi",
    report(
        "Original-Recipient: rfc822;arathib@vnet.ibm.com\nFinal-Recipient: rfc822;arathib@vnet.ibm.com\nAction: failed\nStatus: 5.0.0 (permanent failure)\nDiagnostic-Code: smtp;  550 'arathib@vnet.IBM.COM' is not a registered gateway user\nRemote-MTA: dns; vnet.ibm.com\n",
        "Original-Recipient: rfc822;johnh@hpnjld.njd.hp.com\nFinal-Recipient: rfc822;johnh@hpnjld.njd.hp.com\nAction: delayed\nStatus: 4.0.0 (hpnjld.njd.jp.com: host name lookup failure)\n",
        "Original-Recipient: rfc822;wsnell@sdcc13.ucsd.edu\nFinal-Recipient: rfc822;wsnell@sdcc13.ucsd.edu\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 user unknown\nRemote-MTA: dns; sdcc13.ucsd.edu\n",
    ),
    ("arathib@vnet.ibm.com", "hard"),
    ("johnh@hpnjld.njd.hp.com", "ignore"),
    ("wsnell@sdcc13.ucsd.edu", "hard"),
)
add(
    "alias",
    report(
        group("ann.real@internal.example.net", "5.1.1", "550 5.1.1 User unknown", original=DEAD)
    ),
    (DEAD, "hard"),
)
add(
    "no-type",
    report(
        "Final-Recipient: ann@example.org\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: 550 User unknown\n"
    ),
    (DEAD, "hard"),
)
add(
    "angle-brackets",
    report(
        "Final-Recipient: RFC822;<ann@example.org>\nAction: Failed\nStatus: 5.1.1 (bad destination mailbox address)\n"
    ),
    (DEAD, "hard"),
)
add(
    "no-diagnostic",
    report("Final-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.2.2\n"),
    (DEAD, "soft"),
)
add(
    "no-status",
    report(
        "Final-Recipient: rfc822; ann@example.org\nAction: failed\nDiagnostic-Code: smtp; 550 5.1.1 unknown user\n"
    ),
    (DEAD, "hard"),
)
add(
    "words-only-in-the-notice",
    report(
        "Final-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.0.0\n",
        notice="The following address had a permanent error:\n\n  ann@example.org\n    User unknown in local recipient table\n",
    ),
    (DEAD, "hard"),
)
add(
    "x-postfix",
    report(group(DEAD, "5.1.1", 'unknown user: "ann"', kind="X-Postfix")),
    (DEAD, "hard"),
)
add("x-unix", report(group(DEAD, "5.1.1", "user unknown", kind="X-Unix")), (DEAD, "hard"))
add(
    "x-notes",
    report(
        group(
            DEAD,
            "5.1.1",
            "User ann (ann@example.org) not listed in Domino Directory",
            kind="X-Notes",
        ),
        sender="Postmaster@notes.example.org",
        subject="DELIVERY FAILURE: User ann (ann@example.org) not listed in Domino Directory",
    ),
    (DEAD, "hard"),
)
add(
    "xtext",
    report(
        "Original-Recipient: rfc822;ann+2Btag@example.org\nFinal-Recipient: rfc822;ann@example.org\nAction: failed\nStatus: 5.1.1\n"
    ),
    ("ann+tag@example.org", "hard"),
)
add(
    "plus-address",
    report(group("ann+news@example.org", "5.1.1", "550 5.1.1 No such user")),
    ("ann+news@example.org", "hard"),
)
add(
    "folded",
    report(
        "Final-Recipient: rfc822;\n  ann@example.org\nAction:\n failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550\n 5.1.1 <ann@example.org>:\n\tUser unknown\n"
    ),
    (DEAD, "hard"),
)
add(
    "no-blank-lines",
    report(
        "Final-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.1.1\nFinal-Recipient: rfc822; bob@example.org\nAction: failed\nStatus: 5.2.2\n",
        about="Reporting-MTA: dns; mx.example.org",
    ),
    (DEAD, "hard"),
    ("bob@example.org", "soft"),
)
add("cr-only", report(USER_UNKNOWN).replace(b"\n", b"\r"), (DEAD, "hard"))
add("crlf", report(USER_UNKNOWN).replace(b"\n", b"\r\n"), (DEAD, "hard"))
add("mbox", b"From MAILER-DAEMON Tue Nov 24 09:00:05 2026\n" + report(USER_UNKNOWN), (DEAD, "hard"))
add(
    "utf-7-notice",
    report(USER_UNKNOWN, notice="Empf+AOQ-nger unbekannt").replace(
        b"charset=us-ascii", b"charset=unicode-1-1-utf-7"
    ),
    (DEAD, "hard"),
)
add(
    "unknown-charset",
    report(USER_UNKNOWN, notice="K\u00f6nnte sein").replace(
        b"charset=us-ascii", b"charset=x-nonsense"
    ),
    (DEAD, "hard"),
)
add(
    "global",
    report(
        "Original-Recipient: utf-8; jos\u00e9@example.org\nFinal-Recipient: utf-8; jos\u00e9@example.org\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\n",
        status_type="message/global-delivery-status",
        part_headers="Content-Transfer-Encoding: 8bit\n",
    ),
    ("jos\u00e9@example.org", "hard"),
)
add(
    "global-in-ascii",
    report("Final-Recipient: utf-8; jos\\x{E9}@example.org\nAction: failed\nStatus: 5.6.7\n"),
    ("jos\u00e9@example.org", "content"),
)
add(
    "idn",
    report(group("ann@xn--bcher-kva.example", "5.1.2", "550 5.1.2 Domain not found")),
    ("ann@xn--bcher-kva.example", "hard"),
)
add(
    "base64-part",
    report(
        "RmluYWwtUmVjaXBpZW50OiByZmM4MjI7IGFubkBleGFtcGxlLm9yZwpBY3Rpb246IGZhaWxlZApTdGF0\ndXM6IDUuMS4xCg==\n",
        about="",
        part_headers="Content-Transfer-Encoding: base64\n",
    ),
    (DEAD, "hard"),
)
add(
    "quoted-printable-part",
    report(
        "Final-Recipient: rfc822; ann=40example.org\nAction: failed\nStatus: 5.1.1\n",
        part_headers="Content-Transfer-Encoding: quoted-printable\n",
    ),
    (DEAD, "hard"),
)
add(
    "delayed",
    report(
        group(DEAD, "4.4.1", "connection timed out", action="delayed"),
        subject="Delayed Mail (still being retried)",
    ),
    (DEAD, "ignore"),
)
add(
    "delivered",
    report(
        group(DEAD, "2.0.0", "250 2.0.0 Ok", action="delivered"),
        subject="Successful Mail Delivery Report",
    ),
    (DEAD, "ignore"),
)
add(
    "relayed",
    report(
        group(DEAD, "2.0.0", "250 2.0.0 Ok", action="relayed (to mailer)"),
        subject="Delivery Notification: relayed",
    ),
    (DEAD, "ignore"),
)
add(
    "expanded",
    report(group(DEAD, "2.0.0", action="expanded"), subject="Delivery report"),
    (DEAD, "ignore"),
)
add(
    "exim",
    report(
        group(
            DEAD, "5.0.0", "550 5.1.1 <ann@example.org>: Recipient address rejected: User unknown"
        ),
        notice="""This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ann@example.org
    host mx.example.org [192.0.2.1]
    SMTP error from remote mail server after RCPT TO:<ann@example.org>:
    550 5.1.1 <ann@example.org>: Recipient address rejected: User unknown
""",
        sender="Mail Delivery System <Mailer-Daemon@host.example>",
        subject="Mail delivery failed: returning message to sender",
        headers="X-Failed-Recipients: ann@example.org\nAuto-Submitted: auto-replied\n",
    ),
    (DEAD, "hard"),
)
add(
    "exchange-online",
    report(
        "Final-Recipient: rfc822;ann@example.org\nAction: failed\nStatus: 5.1.10\nDiagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient ann@example.org not found by SMTP address lookup\n",
        sender="Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.com>",
        subject="Undeliverable: Three new posts",
        headers="In-Reply-To: <h4ndle0f0urs@example.com>\n",
    ),
    (DEAD, "hard"),
)
add(
    "amazon-ses",
    report(
        group(DEAD, "5.1.1", "550 5.1.1 user unknown"),
        sender="MAILER-DAEMON@amazonses.com",
        subject="Delivery Status Notification (Failure)",
        notice="An error occurred while trying to deliver the mail to the following recipients:\nann@example.org",
    ),
    (DEAD, "hard"),
)
add(
    "sendmail",
    report(
        "Final-Recipient: RFC822; ann@example.org\nAction: failed\nStatus: 5.1.1\nRemote-MTA: DNS; mx.example.org\nDiagnostic-Code: SMTP; 550 5.1.1 <ann@example.org>... User unknown\nLast-Attempt-Date: Tue, 24 Nov 2026 09:00:05 GMT\n",
        subject="Returned mail: see transcript for details",
    ),
    (DEAD, "hard"),
)
add(
    "without-mime",
    plain(
        "Reporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 User unknown\n\n"
        + ORIGINAL,
        subject="Undelivered Mail Returned to Sender",
    ),
    (DEAD, "hard"),
)
add(
    "recipient-without-domain",
    report("Final-Recipient: rfc822; ann\nAction: failed\nStatus: 5.1.1\n"),
    (DEAD, "hard"),
)
add(
    "recipient-only-in-x-failed",
    report(
        "Final-Recipient: system; mailbox-17\nAction: failed\nStatus: 5.1.1\n",
        headers="X-Failed-Recipients: ann@example.org\n",
        notice="It failed.",
    ),
    (DEAD, "hard"),
)
add(
    "forwarded-report",
    report(USER_UNKNOWN, headers="Resent-From: postmaster@example.com\n"),
    (DEAD, "hard"),
)
add(
    "report-after-the-original",
    report(USER_UNKNOWN, original="Subject: short\n\nx"),
    (DEAD, "hard"),
)
add(
    "quoted-local-part",
    report(group('"ann b"@example.org'.replace(" ", "."), "5.1.1", "550 5.1.1 User unknown")),
    ("ann.b@example.org", "hard"),
)
add(
    "no-domain",
    report("Final-Recipient: rfc822; ann@mailhost\nAction: failed\nStatus: 5.1.1\n"),
    ("ann@mailhost", "hard"),
)
add(
    "literal",
    report("Final-Recipient: rfc822; ann@[192.0.2.1]\nAction: failed\nStatus: 5.1.1\n"),
    ("ann@[192.0.2.1]", "hard"),
)
add(
    "upper-case",
    report("FINAL-RECIPIENT: RFC822; ANN@EXAMPLE.ORG\nACTION: FAILED\nSTATUS: 5.1.1\n"),
    ("ANN@example.org", "hard"),
)
add(
    "two-lines-of-status",
    report(
        "Final-Recipient: rfc822;ann@example.org\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp;550 5.1.1\n\nFinal-Recipient: rfc822;bob@example.org\nAction: delayed\nStatus: 4.4.1\n"
    ),
    (DEAD, "hard"),
    ("bob@example.org", "ignore"),
)
add(
    "to-somebody-else",
    report(USER_UNKNOWN, original=ORIGINAL.replace(DEAD, "zoe@example.net")),
    (DEAD, "hard"),
)
add(
    "big-original",
    report(USER_UNKNOWN, original=ORIGINAL + "x" * 60 + "\n" + ("y" * 70 + "\n") * 20_000),
    (DEAD, "hard"),
)
assert VERP.endswith("bounce.example.com")

POSTFIX_HEADERS_ONLY = report(
    group(
        "ann+tag@example.org",
        "5.0.0",
        "550 Requested action not taken: mailbox unavailable",
        original="ann+tag@example.org",
    ),
    notice="""This is the mail system at host mx.example.com.

<ann+tag@example.org>: host 192.0.2.1[192.0.2.1] said: 550 Requested action
    not taken: mailbox unavailable (in reply to RCPT TO command)
""",
    about="Reporting-MTA: dns; mx.example.com\nOriginal-Envelope-Id: env-1\n",
).replace(b"Content-Type: message/rfc822", b"Content-Type: text/rfc822-headers")
"""What a Postfix 3.7 on the loopback returned where RET=HDRS was asked for (RFC 3461 section 4.3)."""

add("postfix-headers-only", POSTFIX_HEADERS_ONLY, ("ann+tag@example.org", "hard"))
