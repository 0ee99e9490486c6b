"""Complaints, unsubscribes, replies, automatic answers, and mail that means nothing."""

from __future__ import annotations

from tests.unit.bounces.build import DEAD, ORIGINAL, Sample, complaint, mail, plain, report

REDACTED = ORIGINAL.replace(f"To: {DEAD}", "To: redacted@example.org")

SAMPLES = [
    Sample("arf-full", complaint(fields=f"Original-Mail-From: <somespammer@example.net>\nOriginal-Rcpt-To: <{DEAD}>\nSource-IP: 192.0.2.10\n"), [(DEAD, "complaint")]),
    Sample("arf-without-recipient", complaint(), [(DEAD, "complaint")]),
    Sample("arf-redacted", complaint(fields="Original-Rcpt-To: <redacted-7f3@example.org>\n", original=REDACTED), [("", "complaint")]),
    Sample("arf-headers-only", complaint(part="text/rfc822-headers"), [(DEAD, "complaint")]),
    Sample("arf-opt-out", complaint("opt-out", f"Removal-Recipient: {DEAD}\n"), [(DEAD, "complaint")]),
    Sample("arf-fraud", complaint("fraud", f"Original-Rcpt-To: {DEAD}\n"), [(DEAD, "complaint")]),
    Sample("arf-not-spam", complaint("not-spam", f"Original-Rcpt-To: {DEAD}\n"), [(DEAD, "ignore")]),
    Sample("arf-auth-failure", complaint("auth-failure", f"Original-Rcpt-To: {DEAD}\nAuth-Failure: dkim\n"), [(DEAD, "ignore")]),
    Sample("arf-upper-case", complaint("Abuse", f"ORIGINAL-RCPT-TO: <{DEAD}>\n"), [(DEAD, "complaint")]),
    Sample("arf-crlf", complaint(fields=f"Original-Rcpt-To: {DEAD}\n").replace(b"\n", b"\r\n"), [(DEAD, "complaint")]),
    Sample("jmrp-old", (
        "From: staff@hotmail.com\nTo: fbl@example.com\nSubject: complaint about message from 192.0.2.10\n"
        f"X-HmXmrOriginalRecipient: {DEAD}\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=bb\n\n"
        f"--bb\nContent-Type: message/rfc822\n\n{ORIGINAL}\n--bb--\n").encode(), [(DEAD, "complaint")]),
    Sample("jmrp-without-body", complaint(fields="Original-Mail-From: <b-4f@bounce.example.com>\n", original=ORIGINAL.split("\n\n")[0].replace(DEAD, "") + "\n"), [("", "complaint")]),
    Sample("out-of-office", mail("Automatic reply: Three new posts", "I am out of the office until Monday. ann@example.org", headers="Auto-Submitted: auto-replied\nIn-Reply-To: <h4ndle0f0urs@example.com>\n"), [(DEAD, "auto-reply")]),
    Sample("out-of-office-german", mail("Abwesenheitsnotiz: Three new posts", "Ich bin bis Montag nicht da."), [(DEAD, "auto-reply")]),
    Sample("out-of-office-french", mail("R\u00e9ponse automatique : Three new posts", "Je suis absent."), [(DEAD, "auto-reply")]),
    Sample("out-of-office-from-postmaster-words", mail("Out of Office: Re: Three new posts", "Mails to the old address could not be delivered; user unknown.", headers="X-Autoreply: yes\n"), [(DEAD, "auto-reply")]),
    Sample("vacation-null-sender", mail("Vacation", "On leave").replace(b"<ann@example.org>", b"<>", 1), [(DEAD, "auto-reply")]),
    Sample("challenge", mail("Please confirm your message to ann@example.org", "Click here so that your mail is delivered."), [(DEAD, "auto-reply")]),
    Sample("boxbe", mail("Your message to ann is on the waiting list (Action Required)", "Boxbe guards this mailbox.", headers="Auto-Submitted: auto-replied\n"), [(DEAD, "auto-reply")]),
    Sample("read-receipt", (
        b"From: Ann <ann@example.org>\nTo: news@example.com\nSubject: Read: Three new posts\nMIME-Version: 1.0\n"
        b"Content-Type: multipart/report; report-type=disposition-notification; boundary=rr\n\n--rr\n\nYour message was displayed.\n"
        b"--rr\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; ann@example.org\n"
        b"Disposition: manual-action/MDN-sent-manually; displayed\n--rr--\n"), [("", "ignore")]),
    Sample("deleted-unread", (
        b"From: postmaster@example.org\nTo: news@example.com\nSubject: Not read: Three new posts\nMIME-Version: 1.0\n"
        b"Content-Type: multipart/report; report-type=disposition-notification; boundary=rr\n\n--rr\n\nYour message was deleted without being read.\n"
        b"--rr\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; ann@example.org\nDisposition: automatic-action/MDN-sent-automatically; deleted\n--rr--\n"), [("", "ignore")]),
    Sample("our-own-message-back", ORIGINAL.encode(), [("", "ignore")]),
    Sample("foreign-newsletter", mail("Big sale", "Buy", sender="Shop <shop@example.net>", headers="List-Unsubscribe: <https://shop.example.net/u>\n"), [("", "ignore")]),
    Sample("spam", mail("Cheap watches", "Delivery failed? Buy now", sender="x@example.net", headers="X-Spam-Flag: YES\n"), [("", "ignore")]),
    Sample("spam-unmarked", mail("Cheap watches", "Buy now", sender="x@example.net"), [("", "ignore")]),
    Sample("reply", mail("Re: Three new posts", "Thank you, I liked it!", headers="In-Reply-To: <h4ndle0f0urs@example.com>\n"), [(DEAD, "reply")]),
    Sample("reply-german", mail("AW: Three new posts", "Sehr sch\u00f6n."), [(DEAD, "reply")]),
    Sample("reply-about-a-bounce", mail("Re: Three new posts", "My other address bounced: 550 5.1.1 user unknown, could not be delivered.", headers="References: <h4ndle0f0urs@example.com>\n"), [(DEAD, "reply")]),
    Sample("reply-please-unsubscribe", mail("Re: Three new posts", "please unsubscribe me", headers="In-Reply-To: <h4ndle0f0urs@example.com>\n"), [(DEAD, "reply")]),
    Sample("reply-quoting-a-bounce", mail("Re: Undelivered Mail Returned to Sender", "> <zoe@example.net>: 550 5.1.1 user unknown, could not be delivered", headers="In-Reply-To: <x@example.org>\n"), [(DEAD, "reply")]),
    Sample("a-person-pastes-a-report", mail("My mail came back", "Final-Recipient: rfc822; zoe@example.net\nAction: failed\nStatus: 5.1.1\n"), [("", "ignore")]),
    Sample("unsubscribe-by-address", mail("", "", to="unsub+t0ken@example.com"), [(DEAD, "unsubscribe")]),
    Sample("unsubscribe-by-subject", mail("unsubscribe", "Gesendet von meinem iPhone"), [(DEAD, "unsubscribe")]),
    Sample("unsubscribe-german", mail("Abmelden", ""), [(DEAD, "unsubscribe")]),
    Sample("unsubscribe-answered-automatically", mail("Out of office", "away", to="unsub+t0ken@example.com", headers="Auto-Submitted: auto-replied\n"), [(DEAD, "auto-reply")]),
    Sample("unsubscribe-bounced", plain("Hi. This is the qmail-send program.\nI wasn't able to deliver your message.\n\n<bob@example.org>:\nUser unknown\n", to="unsub+t0ken@example.com"), [("bob@example.org", "hard")]),
    Sample("bounce-not-understood", plain("Something went wrong with your mail. It could not be delivered.\n"), []),
    Sample("bounce-in-an-unknown-tongue", plain("Jokin meni vikaan.\n", subject="Undeliverable mail"), []),
    Sample("dmarc-aggregate", mail("Report Domain: example.com Submitter: isp.example Report-ID: <1>", "zip", sender="noreply-dmarc@isp.example"), [("", "ignore")]),
    Sample("empty", b"", [("", "ignore")]),
    Sample("binary", bytes(range(256)) * 20, [("", "ignore")]),
    Sample("success-in-a-report", report("Final-Recipient: rfc822; ann@example.org\nAction: delivered\nStatus: 2.1.5\n", subject="Delivery Status Notification (Success)"), [(DEAD, "ignore")]),
]
