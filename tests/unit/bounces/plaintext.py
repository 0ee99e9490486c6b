"""Bounces written for people, as qmail, Exim, Exchange, Notes, Yahoo and others write them."""

from __future__ import annotations

from tests.unit.bounces.build import DEAD, ORIGINAL, Sample, plain

SAMPLES: list[Sample] = []


def add(name: str, data: bytes, *expected: tuple[str, str]) -> None:
    """Add one message to the samples."""
    SAMPLES.append(Sample(name, data, list(expected), machine=False))


QMAIL = (
    """Hi. This is the qmail-send program at host.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ann@example.org>:
{reason}

--- Below this line is a copy of the message.

"""
    + ORIGINAL
)
for name, reason, expected in [
    ("qmail-no-mailbox", "Sorry, no mailbox here by that name. (#5.1.1)", "hard"),
    (
        "qmail-remote-unknown",
        "192.0.2.1 does not like recipient.\nRemote host said: 550 5.1.1 User unknown\nGiving up on 192.0.2.1.",
        "hard",
    ),
    ("qmail-no-host", "Sorry, I couldn't find any host named example.org. (#5.1.2)", "hard"),
    ("qmail-full", "Remote host said: 552 5.2.2 Mailbox over quota", "soft"),
    (
        "qmail-queue",
        "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\nI'm not going to try again; this message has been in the queue too long.",
        "soft",
    ),
    (
        "qmail-spam",
        "192.0.2.1 failed after I sent the message.\nRemote host said: 554 5.7.1 Message rejected as spam",
        "content",
    ),
    (
        "qmail-blocklist",
        "Connected to 192.0.2.1 but sender was rejected.\nRemote host said: 554 5.7.1 blocked using zen.spamhaus.org",
        "policy",
    ),
    (
        "qmail-rcpthosts",
        "Sorry, that domain isn't in my list of allowed rcpthosts. (#5.7.1)",
        "policy",
    ),
]:
    add(
        name,
        plain(QMAIL.format(reason=reason), sender="MAILER-DAEMON@host.example"),
        (DEAD, expected),
    )

EXIM = (
    """This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ann@example.org
    {reason}

------ This is a copy of the message, including all the headers. ------

"""
    + ORIGINAL
)
for name, reason, expected in [
    ("exim-unrouteable", "Unrouteable address", "hard"),
    ("exim-unrouteable-domain", "all relevant MX records point to non-existent hosts", "hard"),
    (
        "exim-remote",
        "SMTP error from remote mail server after RCPT TO:<ann@example.org>:\n    host mx.example.org [192.0.2.1]: 550 5.1.1 user unknown",
        "hard",
    ),
    ("exim-timeout", "retry timeout exceeded", "soft"),
    ("exim-full", "mailbox is full: retry timeout exceeded", "soft"),
    (
        "exim-hourly",
        "Domain example.com has exceeded the max emails per hour (125/100 (125%)) allowed. Message discarded.",
        "policy",
    ),
    (
        "exim-size",
        "SMTP error from remote mail server after end of data:\n    host mx.example.org [192.0.2.1]: 552 5.3.4 message size exceeds limit",
        "content",
    ),
    (
        "exim-virus",
        "SMTP error from remote mail server after end of data:\n    550 This message contains a virus",
        "content",
    ),
]:
    add(
        name,
        plain(
            EXIM.format(reason=reason),
            sender="Mail Delivery System <Mailer-Daemon@host.example>",
            subject="Mail delivery failed: returning message to sender",
        ),
        (DEAD, expected),
    )

add(
    "exim-two",
    plain(
        EXIM.format(
            reason="Unrouteable address\n  bob@example.org\n    mailbox is full: retry timeout exceeded"
        ),
        sender="Mailer-Daemon@host.example",
        subject="Mail delivery failed",
    ),
    (DEAD, "hard"),
    ("bob@example.org", "soft"),
)
add(
    "exim-x-failed",
    plain(
        "This message was created automatically.\nIt could not be delivered:\n\nUnrouteable address\n",
        sender="Mailer-Daemon@host.example",
        subject="Mail delivery failed",
        headers="X-Failed-Recipients: ann@example.org\n",
    ),
    (DEAD, "hard"),
)
add(
    "exim-delay",
    plain(
        """This message was created automatically by mail delivery software.
A message that you sent has not yet been delivered to one or more of its
recipients after more than 24 hours on the queue on host.example.

The address to which the message has not yet been delivered is:

  ann@example.org
    Delay reason: connection timed out

No action is required on your part. Delivery attempts will continue for
some time, and this warning may be repeated at intervals.
""",
        sender="Mailer-Daemon@host.example",
        subject="Warning: message 1gK51K delayed 24 hours",
    ),
    (DEAD, "ignore"),
)
add(
    "cpanel-deferred",
    plain(
        """This message was created automatically by mail delivery software.
A message that you sent could not be delivered to one or more of its
recipients. This is a temporary error. The following address(es) deferred:

  ann@example.org
    Domain example.com has exceeded the max emails per hour (3/2 (150%)) allowed. Message will be reattempted later

------- This is a copy of the message, including all the headers. ------
"""
        + ORIGINAL,
        sender="Mailer-Daemon@host.example",
        subject="Mail delivery deferred",
    ),
    (DEAD, "ignore"),
)
add(
    "sendmail-transcript",
    plain(
        """The original message was received at Tue, 24 Nov 2026 09:00:00 GMT
from news.example.com [192.0.2.10]

   ----- The following addresses had permanent fatal errors -----
<ann@example.org>
    (reason: 550 5.1.1 <ann@example.org>... User unknown)

   ----- Transcript of session follows -----
... while talking to mx.example.org.:
>>> DATA
<<< 550 5.1.1 <ann@example.org>... User unknown
550 5.1.1 <ann@example.org>... User unknown

   ----- Original message follows -----

"""
        + ORIGINAL,
        subject="Returned mail: User unknown",
    ),
    (DEAD, "hard"),
)
add(
    "sendmail-warning",
    plain(
        """    **********************************************
    **      THIS IS A WARNING MESSAGE ONLY      **
    **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **
    **********************************************

   ----- The following addresses had transient non-fatal errors -----
<ann@example.org>

   ----- Transcript of session follows -----
<ann@example.org>... Deferred: Connection timed out with mx.example.org.
Warning: message still undelivered after 4 hours
Will keep trying until message is 5 days old
""",
        subject="Warning: could not send message for past 4 hours",
    ),
    (DEAD, "ignore"),
)
add(
    "exchange-55",
    plain(
        """Your message

  To:      ann@example.org
  Subject: Three new posts
  Sent:    Tue, 24 Nov 2026 09:00:00 -0000

did not reach the following recipient(s):

ann@example.org on Tue, 24 Nov 2026 09:00:05 -0000
    The recipient name is not recognized
        The MTS-ID of the original message is: c=US;a= ;p=Example;l=EXCH-1
    MSEXCH:IMS:Example:SITE:EXCH 0 (000C05A6) Unknown Recipient
""",
        sender="System Administrator <postmaster@example.org>",
        subject="Undeliverable: Three new posts",
    ),
    (DEAD, "hard"),
)
add(
    "exchange-2007-html",
    plain(
        """<html><body><p><b>Delivery has failed to these recipients or distribution lists:</b></p>
<p><a href="mailto:ann@example.org">ann@example.org</a><br>
The recipient's e-mail address was not found in the recipient's e-mail system. Microsoft Exchange will not try to redeliver this message for you.</p>
<p>Diagnostic information for administrators:</p><p>Generating server: example.org</p>
<p>ann@example.org<br>#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##</p></body></html>
""",
        sender="postmaster@example.org",
        subject="Undeliverable: Three new posts",
    ).replace(b"text/plain", b"text/html"),
    (DEAD, "hard"),
)
add(
    "exchange-full",
    plain(
        """Delivery has failed to these recipients or groups:

ann@example.org
The recipient's mailbox is full and can't accept messages now. Please try resending this message later.

Diagnostic information for administrators:
Generating server: example.org
ann@example.org
#554-5.2.2 mailbox full ##
""",
        sender="Microsoft Exchange <postmaster@example.org>",
        subject="Undeliverable: Three new posts",
    ),
    (DEAD, "soft"),
)
add(
    "notes",
    plain(
        """Your message

  Subject: Three new posts

was not delivered to:

  ann@example.org

because:

  User ann (ann@example.org) not listed in Domino Directory
""",
        sender="Postmaster@notes.example.org",
        subject="DELIVERY FAILURE: User ann not listed in Domino Directory",
    ),
    (DEAD, "hard"),
)
add(
    "notes-full",
    plain(
        """Your message was not delivered to:

  ann@example.org

because:

  Cannot deliver message: mail file has exceeded its database quota
""",
        sender="Postmaster@notes.example.org",
        subject="DELIVERY FAILURE: quota",
    ),
    (DEAD, "soft"),
)
add(
    "yahoo-old",
    plain(
        """Message from  yahoo.com.
Unable to deliver message to the following address(es).

<ann@example.org>:
This user doesn't have a yahoo.com account (ann@example.org) [-9]

--- Original message follows.

"""
        + ORIGINAL,
        sender="MAILER-DAEMON@yahoo.com",
        subject="Delivery failure",
    ),
    (DEAD, "hard"),
)
add(
    "yahoo-full",
    plain(
        """Message from yahoo.co.uk.
Unable to deliver message to the following address(es).

<ann@example.org>:
Sorry, your message cannot be delivered. This mailbox is over quota.

--- Original message follows.
"""
        + ORIGINAL,
        sender="MAILER-DAEMON@yahoo.com",
        subject="failure delivery",
    ),
    (DEAD, "soft"),
)
add(
    "aol-old",
    plain(
        """The original message was received at Tue, 24 Nov 2026 04:00:00 -0500 (EST)
from news.example.com [192.0.2.10]

*** ATTENTION ***

   ----- The following addresses had permanent fatal errors -----
<ann@example.org>

   ----- Transcript of session follows -----
... while talking to air-yc02.mail.aol.com.:
>>> RCPT To:<ann@example.org>
<<< 550 MAILBOX NOT FOUND
550 <ann@example.org>... User unknown
""",
        sender="Mail Delivery Subsystem <MAILER-DAEMON@aol.com>",
        subject="Returned mail: User unknown",
    ),
    (DEAD, "hard"),
)
add(
    "gmail-old",
    plain(
        """This is an automatically generated Delivery Status Notification

Delivery to the following recipient failed permanently:

     ann@example.org

Technical details of permanent failure:
Google tried to deliver your message, but it was rejected by the recipient domain. The error that the other server returned was: 550 550 5.1.1 unknown or illegal alias: ann@example.org (state 13).

----- Original message -----

"""
        + ORIGINAL,
        sender="Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
        subject="Delivery Status Notification (Failure)",
    ),
    (DEAD, "hard"),
)
add(
    "gmail-delay",
    plain(
        """This is an automatically generated Delivery Status Notification

THIS IS A WARNING MESSAGE ONLY.

YOU DO NOT NEED TO RESEND YOUR MESSAGE.

Delivery to the following recipient has been delayed:

     ann@example.org

Message will be retried for 2 more day(s)
""",
        sender="Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
        subject="Delivery Status Notification (Delay)",
    ),
    (DEAD, "ignore"),
)
add(
    "gmx",
    plain(
        """This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of
its recipients. The following addresses failed:

ann@example.org:
SMTP error from remote server for RCPT TO command, host: mx.example.org (192.0.2.1) reason: 550 5.1.1 <ann@example.org>: Recipient address rejected: User unknown

--- The header of the original message is following. ---

"""
        + ORIGINAL,
        sender='"GMX Mailer Daemon" <mailer-daemon@gmx.net>',
        subject="Mail delivery failed: returning message to sender",
    ),
    (DEAD, "hard"),
)
add(
    "gmx-german",
    plain(
        """Diese E-Mail wurde automatisch von der Mail-Software erstellt.

Ihre Nachricht konnte nicht zugestellt werden an:

ann@example.org:
Das Postfach des Empf\u00e4ngers ist voll.

--- Die Kopfzeilen der urspr\u00fcnglichen Nachricht folgen ---
"""
        + ORIGINAL,
        sender="mailer-daemon@gmx.net",
        subject="Unzustellbare Nachricht",
        charset="utf-8",
    ),
    (DEAD, "soft"),
)
add(
    "t-online",
    plain(
        """|------------------------- Message log follows: -------------------------|
 no valid recipients were found for this message
|------------------------- Failed addresses follow: ---------------------|
 <ann@example.org> ... 550 5.1.1 user unknown
|------------------------- Message text follows: ------------------------|
"""
        + ORIGINAL,
        sender="mailer-daemon@t-online.example",
        subject="mail failed, returning to sender",
    ),
    (DEAD, "hard"),
)
add(
    "french",
    plain(
        """Bonjour,

Votre message n'a pas pu \u00eatre remis au destinataire suivant :

ann@example.org : Utilisateur inconnu

----- Message d'origine -----
"""
        + ORIGINAL,
        sender="postmaster@fai.example",
        subject="Non remis : Three new posts",
        charset="utf-8",
    ),
    (DEAD, "hard"),
)
add(
    "postfix-1990s",
    plain(
        """This is the Postfix program at host mx.example.org.

I'm sorry to have to inform you that the message returned
below could not be delivered to one or more destinations.

                        The Postfix program

<ann@example.org>: unknown user: "ann"
""",
        sender="MAILER-DAEMON@mx.example.org (Mail Delivery System)",
        subject="Undelivered Mail Returned to Sender",
    ),
    (DEAD, "hard"),
)
add(
    "postfix-host-said",
    plain(
        """This is the mail system at host relay.example.

<ann@example.org>: host mx.example.org[192.0.2.1] said: 550 5.7.1 Your access to
    submit messages to this e-mail system has been rejected. (in reply to RCPT
    TO command)
<bob@example.org>: host mx.example.org[192.0.2.1] said: 550 5.1.1 <bob@example.org>:
    Recipient address rejected: User unknown (in reply to RCPT TO command)
""",
        sender="MAILER-DAEMON@relay.example",
        subject="Undelivered Mail Returned to Sender",
    ),
    (DEAD, "policy"),
    ("bob@example.org", "hard"),
)
add(
    "mdaemon",
    plain(
        """The attached message had PERMANENT fatal delivery errors!

After one or more unsuccessful delivery attempts the attached message has
been removed from the mail queue on this server.

  YOUR ATTACHED MESSAGE HAS NOT BEEN DELIVERED TO THE FOLLOWING RECIPIENTS:

  ann@example.org
     550 5.1.1 Recipient unknown

--- Session Transcript ---
""",
        sender="MDaemon@host.example",
        subject="Permanent Delivery Failure",
    ),
    (DEAD, "hard"),
)
add(
    "mercury",
    plain(
        """The following addresses failed during processing of your message:

ann@example.org  (no such user here)
""",
        sender="Mail System <mailer-daemon@host.example>",
        subject="Delivery failure notification",
    ),
    (DEAD, "hard"),
)
add(
    "groupwise",
    plain(
        """The message that you sent was undeliverable to the following:
\tann@example.org (user not found)

Possibly truncated original message follows:

"""
        + ORIGINAL,
        sender="Mailer-Daemon@gw.example",
        subject="Message status - undeliverable",
    ),
    (DEAD, "hard"),
)
add(
    "imail",
    plain(
        """User mailbox exceeds allowed size: ann@example.org

Original message follows.

"""
        + ORIGINAL,
        sender="Postmaster <postmaster@host.example>",
        subject="Undeliverable Mail",
    ),
    (DEAD, "soft"),
)
add(
    "imail-unknown",
    plain(
        """Unknown user: ann@example.org

RCPT TO generated following response:
550 unknown user <ann@example.org>

Original message follows.

"""
        + ORIGINAL,
        sender="Postmaster <postmaster@host.example>",
        subject="Undeliverable Mail",
    ),
    (DEAD, "hard"),
)
add(
    "courier",
    plain(
        """This is a delivery status notification from host.example,
running the Courier mail server, version 1.

The original message was received on Tue, 24 Nov 2026 09:00:00 +0000

---------------------------------------------------------------------------

                           UNDELIVERABLE MAIL

Your message to the following recipients cannot be delivered:

<ann@example.org>:
    mx.example.org [192.0.2.1]:
<<< 550 User unknown.

---------------------------------------------------------------------------
""",
        sender='"Courier mail server at host.example" <@>',
        subject="NOTICE: mail delivery status.",
    ),
    (DEAD, "hard"),
)
add(
    "opensmtpd",
    plain(
        """    Hi!

    This is the MAILER-DAEMON, please DO NOT REPLY to this email.

    An error has occurred while attempting to deliver a message for
    the following list of recipients:

ann@example.org: 550 5.1.1 Recipient address rejected: User unknown

    Below is a copy of the original message:

"""
        + ORIGINAL,
        sender="Mailer Daemon <MAILER-DAEMON@host.example>",
        subject="Delivery status notification: error",
    ),
    (DEAD, "hard"),
)
add(
    "dragonfly",
    plain(
        """This is the DragonFly Mail Agent v0.11 at host.example.

There was an error delivering your mail to <ann@example.org>.

mx.example.org [192.0.2.1] did not like our RCPT TO:
550 5.1.1 <ann@example.org>: Recipient address rejected: User unknown

Message headers follow.

"""
        + ORIGINAL,
        sender="MAILER-DAEMON <>",
        subject="Mail delivery failed",
    ),
    (DEAD, "hard"),
)
add(
    "only-the-original-names-it",
    plain(
        """The user you wrote to is not known here.
User unknown.

----- Original message follows -----
"""
        + ORIGINAL,
        sender="MAILER-DAEMON@host.example",
        subject="Returned mail: User unknown",
    ),
    (DEAD, "hard"),
)
add(
    "japanese",
    plain(
        """\u6b21\u306e\u5b9b\u5148\u306b\u914d\u9001\u3067\u304d\u307e\u305b\u3093\u3067\u3057\u305f\u3002

<ann@example.org>
550 5.1.1 User unknown
""",
        sender="MAILER-DAEMON@mail.example.jp",
        subject="Returned mail: User unknown",
        charset="iso-2022-jp",
    ),
    (DEAD, "hard"),
)
add(
    "spanish",
    plain(
        """No se ha podido entregar su mensaje a:

ann@example.org

El usuario no existe
""",
        sender="postmaster@host.example",
        subject="Mensaje no entregado",
        charset="utf-8",
    ),
    (DEAD, "hard"),
)
add(
    "html-tags",
    plain(
        "<html><body>Delivery to &lt;ann@example.org&gt; failed:<br><b>550</b> 5.1.1 <i>unknown user</i><script>alert(1)</script></body></html>",
        sender="mailer-daemon@host.example",
        subject="Undeliverable mail",
    ).replace(b"text/plain", b"text/html"),
    (DEAD, "hard"),
)
add(
    "vacation-of-mailbox",
    plain(
        """Your message to ann@example.org was automatically rejected:
The mailbox is no longer in use.
""",
        sender="postmaster@host.example",
        subject="Automatically rejected mail",
    ),
    (DEAD, "hard"),
)
add(
    "mail-ru",
    plain(
        """This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

ann@example.org
user is terminated

**********************
""",
        sender="mailer-daemon@corp.example.ru",
        subject="Mail failure.",
    ),
    (DEAD, "hard"),
)
