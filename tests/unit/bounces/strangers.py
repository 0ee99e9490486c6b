"""A third set of returned messages, in the words of vendors' manuals and public posts.

What each means was written down before it was read; scored as a whole (test_strangers.py), because
what strangers write next will be worded differently again.
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

# ── reasons in a report: status, the last server's words, class ────────────────────────────────────

REASONS = [
    ("gmail-domain-nxdomain", "4.4.1", "DNS Error: DNS type 'mx' lookup of example.org responded with code NXDOMAIN Domain name not found: example.org", "hard"),
    ("gmail-mxservfail", "4.0.0", "DNS Error: DNS type 'mx' lookup of example.org responded with code SERVFAIL", "soft"),
    ("gmail-connection", "4.4.2", "The recipient server did not accept our requests to connect. Learn more at https://support.google.example/mail/answer/7720 [mx.example.org 192.0.2.1: timed out]", "soft"),
    ("gmail-blocked-message", "5.0.0", "552-5.7.0 This message was blocked because its content presents a potential 552-5.7.0 security issue. Please visit 552 5.7.0  https://support.google.example/mail/?p=BlockedMessage", "content"),
    ("gmail-rate", "4.7.28", "421-4.7.28 Gmail has detected an unusual rate of mail originating from your DKIM domain [example.com 35]. To protect our users from spam, mail sent from your domain has been temporarily rate limited.", "policy"),
    ("gmail-30", "5.7.30", "550-5.7.30 Gmail requires all senders to authenticate with either SPF or DKIM. Authentication results: DKIM = did not pass", "policy"),
    ("workspace-policy", "5.7.1", "550 5.7.1 This message has been rejected due to content or attachment restrictions set by the administrator of the domain.", "policy"),
    ("workspace-suspended", "5.2.1", "550-5.2.1 The email account that you tried to reach is suspended.", "hard"),
    ("o365-disabled-user", "5.1.1", "550 5.1.1 RESOLVER.ADR.ExRecipNotFound; not found", "hard"),
    ("o365-all-denied", "5.4.1", "550 5.4.1 All recipient addresses rejected : Access denied [DB5EUR03FT045.eop-EUR03.prod.protection.outlook.example]", "hard"),
    ("dnsbl-user", "5.3.0", "553 5.3.0 DNSBL: user 192.0.2.10 does not exist in whitelist", "policy"),
    ("o365-legacy-dn", "5.1.1", "#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##rfc822;ann@example.org", "hard"),
    ("o365-5.1.8", "5.1.8", "550 5.1.8 Access denied, bad outbound sender AS(42004)", "sender"),
    ("o365-5.7.606", "5.7.606", "550 5.7.606 Access denied, banned sending IP [192.0.2.10]; To request removal from this list please visit https://sender.office.example/", "policy"),
    ("o365-5.7.750", "5.7.750", "550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains", "policy"),
    ("o365-sizelimit", "5.2.3", "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient", "content"),
    ("o365-transportrule", "5.7.1", "550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by organization policy", "policy"),
    ("o365-notauth", "5.7.1", "550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized", "policy"),
    ("o365-delivery-frozen", "5.3.2", "432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded", "soft"),
    ("o365-dnsfail", "4.4.312", "550 5.4.312 Message expired, DNS query failed(DNS-query failed: NonExistentDomain)", "hard"),
    ("o365-5.4.310", "5.4.310", "550 5.4.310 DNS domain example.org does not exist [Message=InfoDomainNonexistent] [LastAttemptedServerName=example.org]", "hard"),
    ("o365-4.4.316", "5.4.316", "550 5.4.316 Message expired, connection refused(Socket error code 10061)", "soft"),
    ("o365-5.4.14", "5.4.14", "554 5.4.14 Hop count exceeded - possible mail loop ATTR1", "soft"),
    ("o365-5.5.4", "5.0.350", "550 5.0.350 Remote server returned an error -> 550 5.1.1 User Unknown", "hard"),
    ("o365-remote-spam", "5.0.350", "550 5.0.350 Remote server returned an error -> 554 5.7.1 Spam message rejected", "content"),
    ("exchange-1-nonexistent", "5.1.1", "550 5.1.1 User unknown; rejecting", "hard"),
    ("yahoo-554-30", "5.0.0", "554 30 Sorry, your message to ann@example.org cannot be delivered. This mailbox is disabled (554.30).", "hard"),
    ("yahoo-no-mailbox", "5.0.0", "550 Requested action not taken: mailbox unavailable", "hard"),
    ("yahoo-bad-dkim", "5.7.9", "554 5.7.9 Message not accepted for policy reasons.  See https://senders.yahooinc.example/error-codes", "policy"),
    ("yahoo-resources", "4.7.1", "421 Resources temporarily not available - Please try again later [#4.16.5].", "soft"),
    ("comcast-unknown", "5.1.1", "550 5.1.1 Not our Customer", "hard"),
    ("comcast-bl", "5.2.0", "554 resimta-ch2-05v.sys.comcast.example comcast 192.0.2.10 Comcast block for spam. Please see https://postmaster.comcast.example/smtp-error-codes.php#BL000001", "policy"),
    ("att-unknown", "5.0.0", "550 5.1.1 <ann@example.org>... User unknown", "hard"),
    ("att-block", "5.7.1", "553 5.3.0 alph758.prodigy.example DNSBL:ATTRBL 521< 192.0.2.10 >_is_blocked.For assistance forward this error to abuse_rbl@abuse-att.example", "policy"),
    ("verizon-full", "5.0.0", "552 4.2.2 ann@example.org over quota", "soft"),
    ("charter-unknown", "5.1.1", "550 5.1.1 <ann@example.org> recipient rejected, AUP#In-1540", "hard"),
    ("charter-aup", "5.7.1", "554 5.7.1 AUP#In-1310 Block - Your IP has been blocked due to abuse", "policy"),
    ("cox-unknown", "5.1.1", "550 5.1.1 <ann@example.org> recipient rejected: user unknown", "hard"),
    ("gmx-unknown", "5.1.1", "550 Requested action not taken: mailbox unavailable For explanation visit https://postmaster.gmx.example/en/case?c=r0601", "hard"),
    ("gmx-full", "5.2.2", "552-Requested mail action aborted: exceeded storage allocation For explanation visit https://postmaster.gmx.example/en/case?c=r0204 552 Quota exceeded", "soft"),
    ("gmx-dnsbl", "5.0.0", "554-gmx.example (mxgmx101) Nemesis ESMTP Service not available 554-No SMTP service 554-IP address is black listed. 554 For explanation visit https://postmaster.gmx.example/en/case?c=r0103", "policy"),
    ("gmx-policy", "5.0.0", "554-Transaction failed 554-Reject due to policy restrictions. 554 For explanation visit https://postmaster.gmx.example/en/case?c=hi", "policy"),
    ("t-online-unknown", "5.1.1", "550-5.7.1 <ann@example.org>: Recipient address rejected: user unknown 550 5.7.1 Benutzer unbekannt", "hard"),
    ("t-online-bounces", "5.7.0", "554 IP=192.0.2.10 - A problem occurred. Ask your postmaster for help or to contact tosa@rx.t-online.example for clarification.", "policy"),
    ("webde-inactive", "5.0.0", "550 mailbox unavailable", "hard"),
    ("freenet-full", "5.2.2", "552 5.2.2 Mailbox full / Postfach voll", "soft"),
    ("strato-unknown", "5.1.1", "550 5.1.1 RECIPIENT_NOT_FOUND: The recipient does not exist", "hard"),
    ("ionos-unknown", "5.1.1", "550 Requested action not taken: mailbox unavailable (User unknown)", "hard"),
    ("orange-unknown", "5.1.1", "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR204_416 [416]", "hard"),
    ("orange-inactive", "5.2.1", "550 5.2.1 Service refuse. Veuillez essayer plus tard. service refused, please try later. OFR_417 [417] mailbox inactive", "hard"),
    ("orange-reputation", "5.7.1", "550 5.2.0 Mail rejete. Mail rejected. OFR_506 [506]", "policy"),
    ("orange-connections", "4.0.0", "421 mwinf5c04 ME Trop de connexions, veuillez verifier votre configuration. Too many connections, slow down. OFR004_104 [104]", "policy"),
    ("sfr-unknown", "5.1.1", "550 5.1.1 <ann@example.org> User unknown (in reply to RCPT TO command)", "hard"),
    ("free-unknown", "5.0.0", "550 <ann@example.org>: Utilisateur inconnu", "hard"),
    ("free-full", "5.0.0", "552 5.2.2 La boite aux lettres du destinataire est pleine", "soft"),
    ("free-spam", "5.0.0", "550 spam detected", "content"),
    ("laposte-unknown", "5.1.1", "550 5.5.0 Boite du destinataire inconnue ou inactive. LPN007_510", "hard"),
    ("laposte-block", "5.7.1", "550 5.5.0 Service refuse. Veuillez essayer plus tard. LPN007_507", "policy"),
    ("libero-unknown", "5.1.1", "550 5.1.1 <ann@example.org> User unknown", "hard"),
    ("libero-disabled", "5.2.1", "550 5.2.1 <ann@example.org> recipient account disabled", "hard"),
    ("tiscali-full", "5.2.2", "552 5.2.2 <ann@example.org>: casella piena", "soft"),
    ("telefonica-unknown", "5.0.0", "550 5.1.1 El usuario no existe", "hard"),
    ("terra-full", "5.0.0", "552 Buzón lleno", "soft"),
    ("uol-unknown", "5.0.0", "550 5.1.1 Usuario inexistente", "hard"),
    ("bol-full", "5.0.0", "552 5.2.2 Caixa postal cheia", "soft"),
    ("mailru-unknown", "5.0.0", "550 Message was not accepted -- invalid mailbox.  Local mailbox ann@example.org is unavailable: user not found", "hard"),
    ("mailru-terminated", "5.0.0", "550 Message was not accepted -- invalid mailbox.  Local mailbox ann@example.org is unavailable: account is disabled", "hard"),
    ("mailru-spam", "5.0.0", "550 spam message rejected. Please visit http://help.mail.example/notspam-support/id?c=abc or report details to abuse@corp.mail.example", "content"),
    ("yandex-unknown", "5.7.1", "550 5.7.1 No such user!", "hard"),
    ("yandex-spam", "5.7.1", "554 5.7.1 [2] Message rejected under suspicion of SPAM; https://ya.example/1IrBc 1234567890-abc", "content"),
    ("yandex-policy", "5.7.1", "550 5.7.1 Email rejected per SPF/DMARC policy", "policy"),
    ("rambler-unknown", "5.1.1", "550 5.1.1 <ann@example.org>: Recipient address rejected: Mailbox not found", "hard"),
    ("qq-unknown", "5.0.0", "550 Mailbox not found. http://service.mail.qq.example/cgi-bin/help?subtype=1&&id=20022&&no=1000728", "hard"),
    ("qq-user", "5.0.0", "550 User not found: ann@example.org", "hard"),
    ("qq-spam", "5.0.0", "550 Mail content denied. http://service.mail.qq.example/cgi-bin/help?subtype=1&&id=20022&&no=1000726", "content"),
    ("qq-freq", "5.0.0", "550 Ip frequency limited. http://service.mail.qq.example/cgi-bin/help?subtype=1&&id=20022&&no=1000725", "policy"),
    ("qq-suspend", "5.0.0", "550 Domain may not exist or DNS check failed [MBLk+6XKLxY= IP: 192.0.2.10]", "sender"),
    ("163-unknown", "5.0.0", "550 User not found: ann@163.example", "hard"),
    ("163-spam", "5.0.0", "554 DT:SPM 163 smtp5,D9GowACHO7RNQOZT,1 http://mail.163.example/help/help_spam_16.htm?ip=192.0.2.10", "content"),
    ("163-rp", "5.0.0", "550 RP:QRC 163 mx the recipient is not permitted", "policy"),
    ("naver-unknown", "5.1.1", "550 5.1.1 No such user naver - nsmtp", "hard"),
    ("naver-full", "5.2.2", "552 5.2.2 Mailbox full naver - nsmtp", "soft"),
    ("naver-block", "5.7.1", "421 4.3.2 Your IP has been blocked due to spam abuse - nsmtp", "policy"),
    ("daum-unknown", "5.1.1", "550 5.1.1 <ann@example.org>: Recipient address rejected: User unknown in relay recipient table", "hard"),
    ("docomo-unknown", "5.0.0", "550 Unknown user ann@docomo.example", "hard"),
    ("softbank-unknown", "5.0.0", "550 Invalid recipient: <ann@softbank.example>", "hard"),
    ("ezweb-unknown", "5.1.1", "550 <ann@ezweb.example>: User unknown", "hard"),
    ("proofpoint-unknown", "5.1.1", "550 5.1.1 <ann@example.org>... User unknown (pphosted)", "hard"),
    ("proofpoint-block", "5.7.0", "554 Blocked - see https://ipcheck.proofpoint.example/?ip=192.0.2.10", "policy"),
    ("proofpoint-pdr", "5.7.1", "550 5.7.1 Delivery not authorized, message refused: PDR blocked", "policy"),
    ("mimecast-unknown", "5.1.1", "550 Invalid Recipient - https://community.mimecast.example/docs/DOC-1369#550 [abc.uk100]", "hard"),
    ("mimecast-unknown2", "5.1.1", "550 Recipient email address not found", "hard"),
    ("mimecast-policy", "5.0.0", "550 Administrative prohibition - envelope blocked - https://community.mimecast.example/docs/DOC-1369#550", "policy"),
    ("mimecast-greylist", "4.0.0", "451 Internal resources are temporarily unavailable - https://community.mimecast.example/docs/DOC-1369#451", "soft"),
    ("mimecast-virus", "5.0.0", "554 Email rejected due to security policies - MCSpamSignature.sa.5.1", "policy"),
    ("barracuda-unknown", "5.1.1", "550 permanent failure for one or more recipients (ann@example.org:550 5.1.1 <ann@example.org>: Email address could not be found, or was misspe...)", "hard"),
    ("barracuda-denied", "5.0.0", "550 permanent failure for one or more recipients (ann@example.org:blocked)", "policy"),
    ("barracuda-bl", "5.7.1", "554 Service unavailable; Client host [192.0.2.10] blocked using Barracuda Reputation; http://www.barracudanetworks.example/reputation/?r=1&ip=192.0.2.10", "policy"),
    ("ironport-unknown", "5.1.0", "550 #5.1.0 Address rejected.", "hard"),
    ("ironport-reputation", "5.7.1", "554-mx.example.org 554 Your access to this mail system has been rejected due to the sending MTA's poor reputation. If you believe that this failure is in error, please contact the intended recipient via alternate means.", "policy"),
    ("ironport-dhap", "5.0.0", "550 Too many invalid recipients", "policy"),
    ("fortinet-unknown", "5.1.1", "550 5.1.1 <ann@example.org>... User unknown", "hard"),
    ("sophos-bl", "5.7.1", "550 5.7.1 Message rejected as spam by Content Filtering.", "content"),
    ("messagelabs-unknown", "5.0.0", "550-Invalid recipient <ann@example.org> 550 (#5.1.1)", "hard"),
    ("messagelabs-policy", "5.0.0", "553-Message filtered. Refer to the Troubleshooting page at https://www.symanteccloud.example/troubleshooting for more information. (#5.7.1)", "policy"),
    ("spamhaus-sbl", "5.7.1", "550 5.7.1 Service unavailable, Client host [192.0.2.10] blocked using Spamhaus. To request removal from this list see https://www.spamhaus.example/query/ip/192.0.2.10", "policy"),
    ("uribl", "5.7.1", "554 5.7.1 Message contains a URL listed by URIBL (http://lookup.uribl.example)", "content"),
    ("sorbs", "5.0.0", "550 Currently Sending Spam See: http://www.sorbs.example/lookup.shtml?192.0.2.10", "policy"),
    ("spf-fail", "5.7.23", "550 5.7.23 The message was rejected because of Sender Policy Framework violation", "policy"),
    ("helo", "5.7.1", "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname", "sender"),
    ("rdns", "5.7.25", "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.10]", "policy"),
    ("relay-denied", "5.7.1", "550 5.7.1 Relaying denied", "policy"),
    ("relay-not-permitted", "5.0.0", "550 relay not permitted", "policy"),
    ("postfix-relay-table", "5.1.1", "550 5.1.1 <ann@example.org>: Recipient address rejected: User unknown in virtual mailbox table", "hard"),
    ("postfix-undeliverable", "5.1.1", "550 5.1.1 <ann@example.org>: Recipient address rejected: undeliverable address: host mx2.example.org[192.0.2.20] said: 550 5.1.1 <ann@example.org> User doesn't exist", "hard"),
    ("postfix-unverified", "4.1.1", "450 4.1.1 <ann@example.org>: Recipient address rejected: unverified address: connect to mx2.example.org[192.0.2.20]:25: Connection timed out", "soft"),
    ("postfix-access", "5.7.1", "554 5.7.1 <ann@example.org>: Recipient address rejected: Access denied", "policy"),
    ("postfix-sender-verify", "5.1.8", "550 5.1.8 <bounce@example.com>: Sender address rejected: Domain not found", "sender"),
    ("postfix-overquota-lmtp", "5.2.2", "552 5.2.2 <ann@example.org> Quota exceeded (mailbox for user is full) (in reply to end of DATA command)", "soft"),
    ("postfix-dovecot-unknown", "5.1.1", "550 5.1.1 <ann@example.org> User doesn't exist: ann@example.org (in reply to RCPT TO command)", "hard"),
    ("postfix-filesize", "5.2.2", "cannot update mailbox /var/mail/ann for user ann. error writing message: File too large", "soft"),
    ("postfix-maildir-quota", "5.2.2", "maildir delivery failed: error writing message: Disk quota exceeded", "soft"),
    ("postfix-loop", "5.4.6", "mail for example.org loops back to myself", "soft"),
    ("postfix-toomanyhops", "5.4.0", "554 5.4.0 Error: too many hops", "soft"),
    ("postfix-unknown-local", "5.1.1", "unknown user: \"ann\"", "hard"),
    ("postfix-nullmx", "5.1.0", "Domain example.org does not accept mail (nullMX)", "hard"),
    ("postfix-nxdomain", "5.4.4", "Host or domain name not found. Name service error for name=exampel.org type=AAAA: Host not found", "hard"),
    ("postfix-timeout", "4.4.1", "connect to mx.example.org[192.0.2.1]:25: Connection timed out", "soft"),
    ("postfix-refused", "4.4.1", "connect to mx.example.org[192.0.2.1]:25: Connection refused", "soft"),
    ("postfix-lost", "4.4.2", "lost connection with mx.example.org[192.0.2.1] while receiving the initial server greeting", "soft"),
    ("postfix-tls", "5.7.4", "TLS is required, but was not offered by host mx.example.org[192.0.2.1]", "policy"),
    ("postfix-command", "5.3.0", "Command died with status 1: \"/usr/bin/procmail\"", "soft"),
    ("exim-unrouteable", "5.0.0", "Unrouteable address", "hard"),
    ("exim-unknown", "5.0.0", "550 Unknown user", "hard"),
    ("exim-no-such-here", "5.0.0", "550 No such person at this address", "hard"),
    ("exim-no-such-user-here", "5.0.0", "550 No Such User Here\"", "hard"),
    ("exim-quota", "5.0.0", "mailbox is full (MTA-imposed quota exceeded while writing to /home/ann/Maildir)", "soft"),
    ("exim-retry", "4.0.0", "retry timeout exceeded", "soft"),
    ("exim-all-hosts", "5.0.0", "all hosts for 'example.org' have been failing for a long time (and retry time not reached)", "soft"),
    ("exim-sender-verify", "5.0.0", "550 Verification failed for <bounce@example.com> Unrouteable address Sender verify failed", "sender"),
    ("exim-callout", "5.0.0", "550-Callout verification failed: 550 550 5.1.1 User unknown", "hard"),
    ("exim-suspended", "5.0.0", "550 Account ann@example.org has been suspended", "soft"),
    ("cpanel-verify", "5.0.0", "550-Verification failed for <bounce@example.com> 550-No Such User Here 550 Sender verify failed", "sender"),
    ("cpanel-outgoing-limit", "5.0.0", "Domain example.com has exceeded the max emails per hour (125/100 (125%)) allowed. Message discarded.", "policy"),
    ("plesk-unknown", "5.1.1", "550 5.1.1 Mail appears to be unsolicited, mailbox unavailable? sorry, no mailbox here by that name. (#5.1.1 - chkuser)", "hard"),
    ("qmail-badrcptto", "5.1.1", "550 sorry, no mailbox here by that name. (#5.7.17)", "hard"),
    ("qmail-disabled", "5.2.1", "550 The email account that you tried to reach is temporarily disabled", "soft"),
    ("sendmail-hostunknown", "5.1.2", "550 5.1.2 <ann@example.org>... Host unknown (Name server: example.org: host not found)", "hard"),
    ("sendmail-service", "5.3.0", "554 5.3.0 unknown mailer error 1", "soft"),
    ("sendmail-diskfull", "4.3.1", "452 4.4.5 Insufficient disk space; try again later", "soft"),
    ("sendmail-cantcreat", "5.2.2", "550 5.0.0 Can't create output: Disk quota exceeded", "soft"),
    ("sendmail-vrfy", "5.1.1", "550 5.1.1 ann... User unknown", "hard"),
    ("sendmail-return-domain", "5.1.8", "553 5.1.8 <b@bounce.example.com>... Domain of sender address b@bounce.example.com does not exist", "sender"),
    ("milter", "5.7.1", "554 5.7.1 Command rejected", "policy"),
    ("zimbra-full", "5.2.2", "552 5.2.2 Over quota", "soft"),
    ("zimbra-locked", "5.2.1", "550 5.2.1 mailbox is locked; account is not active", "soft"),
    ("communigate", "5.1.1", "550 ann@example.org unknown user account", "hard"),
    ("communigate-full", "5.2.2", "552 account is full (quota exceeded)", "soft"),
    ("groupwise-unknown", "5.1.1", "550 No such recipient (ann@example.org)", "hard"),
    ("domino-unknown", "5.1.1", "550 5.1.1 ann@example.org... No such user", "hard"),
    ("domino-router", "5.0.0", "554 User ann (ann@example.org) not listed in Domino Directory", "hard"),
    ("mdaemon-unknown", "5.1.1", "550 <ann@example.org>, Recipient unknown", "hard"),
    ("smartermail", "5.0.0", "550 <ann@example.org> No such user here", "hard"),
    ("mailenable", "5.0.0", "550 Requested action not taken: mailbox unavailable or not local", "hard"),
    ("kerio", "5.1.1", "550 5.1.1 User is unknown {mx-us010}", "hard"),
    ("stalwart", "5.1.2", "550 5.1.2 Mailbox does not exist.", "hard"),
    ("opensmtpd", "5.1.1", "550 Invalid recipient: ann@example.org", "hard"),
    ("opensmtpd-queue", "5.4.7", "550 5.4.7 Delivery time expired", "soft"),
    ("haraka-unknown", "5.1.1", "550 5.1.1 I cannot deliver mail for <ann@example.org>", "hard"),
    ("protonmail-unknown", "5.1.1", "550 5.1.1 <ann@proton.example>: Recipient address rejected: Address does not exist", "hard"),
    ("tutanota-inactive", "5.1.1", "554 5.7.1 <ann@tuta.example>: Recipient address rejected: mailbox deactivated", "hard"),
    ("fastmail-unknown", "5.1.1", "550 5.1.1 <ann@fastmail.example>: Recipient address rejected: User unknown", "hard"),
    ("zoho-unknown", "5.1.1", "550 5.1.1 User does not exist - <ann@zoho.example>", "hard"),
    ("zoho-policy", "5.7.1", "550 5.7.1 Email cannot be delivered. Reason: Email detected as Spam by spam filters.", "content"),
    ("zoho-overquota", "5.2.2", "552 5.2.2 Mailbox size limit exceeded", "soft"),
    ("hostgator-unknown", "5.0.0", "550 5.1.1 <ann@example.org> Recipient rejected. IB603a", "hard"),
    ("godaddy-unknown", "5.1.1", "550 5.1.1 <ann@example.org> Recipient not found.  <http://x.example/bounce/?id=1>", "hard"),
    ("godaddy-rbl", "5.7.1", "554 The IP address of the sender is blocked for spamming RBL restriction: IB212", "policy"),
    ("rackspace-unknown", "5.1.1", "550 5.1.1 <ann@example.org>: Recipient address rejected: User unknown in virtual alias table (G26)", "hard"),
    ("ses-suppressed", "5.1.1", "Amazon SES has suppressed sending to this address because it has a recent history of bouncing as an invalid address.", "hard"),
    ("spamcop", "5.7.1", "554 5.7.1 Service unavailable; Blocked - see https://www.spamcop.example/bl.shtml?192.0.2.10", "policy"),
    ("uceprotect", "5.7.1", "550 5.7.1 Blocked by UCEPROTECT-Level 2", "policy"),
    ("too-many-connections", "4.7.0", "421 4.7.0 Too many concurrent SMTP connections; please try again later.", "policy"),
    ("too-many-recipients", "4.5.3", "452 4.5.3 Too many recipients", "policy"),
    ("mailbox-busy", "4.2.0", "450 4.2.0 mailbox is busy", "soft"),
    ("account-moved", "5.1.6", "551 5.1.6 User has moved; please try <ann@new.example>", "hard"),
    ("user-not-local", "5.1.1", "551 User not local; please try <ann@example.net>", "hard"),
    ("mailbox-name", "5.1.3", "553 5.1.3 mailbox name not allowed", "hard"),
    ("left-company", "5.1.1", "550 This person no longer works here", "hard"),
    ("deceased", "5.2.1", "550 5.2.1 This mailbox is closed", "hard"),
    ("greylisted", "4.2.0", "450 4.2.0 <ann@example.org>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.example/help/example.org.html", "soft"),
    ("system-full", "4.3.1", "452 4.3.1 Insufficient system storage", "soft"),
    ("system-error", "5.3.0", "554 5.3.0 Server error", "soft"),
    ("not-implemented", "5.5.1", "502 5.5.1 Unimplemented command", "sender"),
    ("line-length", "5.6.0", "550 5.6.0 Lines too long in message header", "content"),
    ("smtputf8", "5.6.7", "SMTPUTF8 is required, but was not offered by host mx.example.org[192.0.2.1]", "content"),
    ("duplicate-from", "5.7.1", "550-5.7.1 [192.0.2.10] Messages with multiple addresses in From: header are not accepted.", "content"),
    ("mail-size", "5.3.4", "message size 31457280 exceeds size limit 10485760 of server mx.example.org[192.0.2.1]", "content"),
]
"""Policy and content are one where suppression is concerned; the set counts them as such."""

MACHINE = [
    Sample(f"reason-{name}", report(group(status=status, reason=reason)), [(DEAD, kind)])
    for name, status, reason, kind in REASONS
]

# ── variants of RFC 3464, 6533 ─────────────────────────────────────────────────────────────────────

BAD = "550 5.1.1 User unknown"
VARIANTS = [
    ("upper", report("FINAL-RECIPIENT: RFC822;ANN@EXAMPLE.ORG\nACTION: FAILED\nSTATUS: 5.1.1\nDIAGNOSTIC-CODE: SMTP; 550 5.1.1 USER UNKNOWN\n"), [("ANN@example.org", "hard")]),
    ("no-type", report("Final-Recipient: ann@example.org\nAction: failed\nStatus: 5.1.1\n"), [(DEAD, "hard")]),
    ("local-type", report("Final-Recipient: LOCAL;<ann@example.org>\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: x-local; user unknown\n"), [(DEAD, "hard")]),
    ("xtext", report("Original-Recipient: rfc822;ann+2Blist@example.org\nFinal-Recipient: rfc822;ann@box.example.net\nAction: failed\nStatus: 5.1.1\n"), [("ann+list@example.org", "hard")]),
    ("folded-everywhere", report("Final-Recipient:\n rfc822;\n  ann@example.org\nAction:\n\tfailed\nStatus:\n 5.1.1\nDiagnostic-Code: smtp;\n\t550-5.1.1 The email account\n\t550 5.1.1 does not exist\n"), [(DEAD, "hard")]),
    ("comments", report("Final-Recipient: rfc822; ann@example.org (Ann)\nAction: failed (permanent)\nStatus: 5.1.1 (bad destination mailbox address)\n"), [(DEAD, "hard")]),
    ("utf8-type", report("Final-Recipient: utf-8; jörg@exämple.org\nAction: failed\nStatus: 5.1.1\n", status_type="message/global-delivery-status", part_headers="Content-Transfer-Encoding: 8bit\n"), [("jörg@exämple.org", "hard")]),
    ("utf8-unitext", report("Final-Recipient: utf-8; j\\x{F6}rg@example.org\nAction: failed\nStatus: 5.1.1\n", status_type="message/global-delivery-status"), [("jörg@example.org", "hard")]),
    ("delayed", report(group(status="4.4.1", reason="connection timed out", action="delayed"), subject="Delayed Mail (still being retried)"), [(DEAD, "ignore")]),
    ("delayed-will-retry", report("Final-Recipient: rfc822; ann@example.org\nAction: delayed\nStatus: 4.2.2\nDiagnostic-Code: smtp; 452 4.2.2 over quota\nWill-Retry-Until: Sun, 29 Nov 2026 09:00:00 +0000\n", subject="Warning: could not send message for past 4 hours"), [(DEAD, "ignore")]),
    ("relayed", report(group(status="2.6.0", action="relayed"), subject="Successful Mail Delivery Report"), [(DEAD, "ignore")]),
    ("expanded", report(group(status="2.0.0", action="expanded"), subject="Delivery Status Notification (Expanded)"), [(DEAD, "ignore")]),
    ("delivered", report(group(status="2.0.0", reason="250 2.0.0 Ok", action="delivered"), subject="Successful Mail Delivery Report"), [(DEAD, "ignore")]),
    ("three-recipients", report(group("a@example.org", "5.1.1", BAD), group("b@example.org", "4.4.7", "delivery time expired"), group("c@example.org", "5.2.2", "552 5.2.2 mailbox full")), [("a@example.org", "hard"), ("b@example.org", "soft"), ("c@example.org", "soft")]),
    ("mixed-outcomes", report(group("a@example.org", "2.0.0", "250 ok", action="delivered"), group("b@example.org", "5.1.1", BAD)), [("a@example.org", "ignore"), ("b@example.org", "hard")]),
    ("no-status", report("Final-Recipient: rfc822; ann@example.org\nAction: failed\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\n"), [(DEAD, "hard")]),
    ("no-diagnostic", report("Final-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.1.1\n"), [(DEAD, "hard")]),
    ("no-action", report("Final-Recipient: rfc822; ann@example.org\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 no such user\n"), [(DEAD, "hard")]),
    ("status-only-in-notice", report("Final-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.0.0\n", notice="<ann@example.org>: host mx.example.org said: 550 5.2.2 The mailbox is full"), [(DEAD, "soft")]),
    ("unknown-in-notice", report("Final-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.0.0\n", notice="<ann@example.org>: host mx.example.org said: 550 no such user here"), [(DEAD, "hard")]),
    ("generic-only", report("Final-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.0.0\n"), [(DEAD, "soft")]),
    ("original-only", report("Original-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.1.1\n"), [(DEAD, "hard")]),
    ("forwarded", report("Original-Recipient: rfc822; ann@example.org\nFinal-Recipient: rfc822; ann.at.home@isp.example\nAction: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 5.2.2 mailbox full\n"), [(DEAD, "soft")]),
    ("remote-mta-first", report("Remote-MTA: dns; mx.example.org\nLast-Attempt-Date: Tue, 24 Nov 2026 09:00:00 +0000\nFinal-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.1.1\n"), [(DEAD, "hard")]),
    ("x-fields", report("X-Actual-Recipient: rfc822; ann@box17.example.org\nFinal-Recipient: rfc822; ann@example.org\nX-Display-Name: Ann\nAction: failed\nStatus: 5.1.1\nX-Supplementary-Info: <mx.example.org #5.1.1 smtp;550 5.1.1 User unknown>\n"), [(DEAD, "hard")]),
    ("ms-4x-in-5", report("Final-Recipient: RFC822; ann@example.org\nAction: failed\nStatus: 4.4.7\nX-Supplementary-Info: < #4.4.7 smtp;400 4.4.7 Message delayed>\n"), [(DEAD, "soft")]),
    ("no-blank-between", report("Final-Recipient: rfc822; a@example.org\nAction: failed\nStatus: 5.1.1\nFinal-Recipient: rfc822; b@example.org\nAction: failed\nStatus: 5.1.1\n"), [("a@example.org", "hard"), ("b@example.org", "hard")]),
    ("quoted-local", report('Final-Recipient: rfc822; "ann lee"@example.org\nAction: failed\nStatus: 5.1.1\n'), [("ann lee@example.org", "hard")]),
    ("slash-local", report("Final-Recipient: rfc822; ann/lee=x@example.org\nAction: failed\nStatus: 5.1.1\n"), [("ann/lee=x@example.org", "hard")]),
    ("apostrophe", report("Final-Recipient: rfc822; o'neill@example.org\nAction: failed\nStatus: 5.1.1\n"), [("o'neill@example.org", "hard")]),
    ("idn-a-label", report("Final-Recipient: rfc822; ann@xn--bcher-kva.example\nAction: failed\nStatus: 5.1.1\n"), [("ann@xn--bcher-kva.example", "hard")]),
    ("dot-at-end", report("Final-Recipient: rfc822; ann@example.org.\nAction: failed\nStatus: 5.1.1\n"), [(DEAD, "hard")]),
    ("base64-report", None, [(DEAD, "hard")]),
    ("qp-report", None, [(DEAD, "hard")]),
    ("only-report-part", plain("Reporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.1.1\n").replace(b"text/plain; charset=us-ascii", b"message/delivery-status"), [(DEAD, "hard")]),
    ("multipart-mixed", report(group(status="5.1.1", reason=BAD)).replace(b"multipart/report; report-type=delivery-status", b"multipart/mixed"), [(DEAD, "hard")]),
    ("no-report-type", report(group(status="5.1.1", reason=BAD)).replace(b"; report-type=delivery-status", b""), [(DEAD, "hard")]),
    ("headers-only", report(group(status="5.1.1", reason=BAD), original=HEAD).replace(b"Content-Type: message/rfc822", b"Content-Type: text/rfc822-headers"), [(DEAD, "hard")]),
    ("global-headers", report("Final-Recipient: utf-8; ann@example.org\nAction: failed\nStatus: 5.6.7\n", status_type="message/global-delivery-status", original=HEAD).replace(b"Content-Type: message/rfc822", b"Content-Type: message/global-headers"), [(DEAD, "content")]),
    ("closing-boundary-missing", report(group(status="5.1.1", reason=BAD)).rpartition(b"--=_bound--")[0], [(DEAD, "hard")]),
    ("truncated-in-original", report(group(status="5.1.1", reason=BAD))[:-400], [(DEAD, "hard")]),
    ("nested-forward", None, [(DEAD, "hard")]),
    ("status-with-spaces", report("Final-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.1.1   \nDiagnostic-Code: smtp;550 5.1.1 <ann@example.org>... User unknown\n"), [(DEAD, "hard")]),
    ("multi-line-diagnostic-unfolded", report("Final-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550-Requested action not taken\n 550-mailbox unavailable\n 550 for more see our page\n"), [(DEAD, "hard")]),
]


def _encode_report(encoding: str) -> bytes:
    """Return a report part in base64 or quoted-printable: RFC 3464 forbids it, gateways do it."""
    text = "Reporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.1.1\n"
    encode = base64.encodebytes if encoding == "base64" else quopri.encodestring
    placed = encode(text.encode()).decode()
    return report(
        placed, about="", part_headers=f"Content-Transfer-Encoding: {encoding}\n"
    ).replace(b"\n\n\n" + placed[:20].encode(), b"\n\n" + placed[:20].encode())


def _forward() -> bytes:
    """Return a report that a gateway has put into another message."""
    inner = report(group(status="5.1.1", reason=BAD)).decode()
    return f"""\
Return-Path: <>
From: Mail Delivery System <MAILER-DAEMON@gateway.example.org>
To: {VERP}
Subject: Undeliverable: Three new posts
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="outer"

--outer
Content-Type: text/plain

A message could not be delivered. See the report.
--outer
Content-Type: message/rfc822

{inner}
--outer--
""".encode()


_BUILT = {
    "base64-report": _encode_report("base64"),
    "qp-report": _encode_report("quoted-printable"),
    "nested-forward": _forward(),
}
MACHINE += [
    Sample(f"rfc-{name}", data if data is not None else _BUILT[name], expected)
    for name, data, expected in VARIANTS
]
_lines = report(group(status="5.1.1", reason=BAD))
MACHINE += [
    Sample("ends-cr", _lines.replace(b"\n", b"\r"), [(DEAD, "hard")]),
    Sample("ends-crlf", _lines.replace(b"\n", b"\r\n"), [(DEAD, "hard")]),
    Sample("ends-crcrlf", _lines.replace(b"\n", b"\r\r\n"), [(DEAD, "hard")]),
    Sample("mbox-line", b"From MAILER-DAEMON Tue Nov 24 09:00:00 2026\n" + _lines, [(DEAD, "hard")]),
    Sample("8bit-headers", _lines.replace(b"From: MAILER", b"X-Odd: \xe9\xff\xfe\nFrom: MAILER"), [(DEAD, "hard")]),
]

# ── complaints ─────────────────────────────────────────────────────────────────────────────────────

RCPT = f"Original-Rcpt-To: <{DEAD}>\nReported-Domain: example.com\n"
REDACTED = ORIGINAL.replace(f"To: {DEAD}", "To: <redacted>").replace(DEAD, "redacted@example.org")
COMPLAINTS = [
    ("abuse", complaint("abuse", RCPT), [(DEAD, "complaint")]),
    ("fraud", complaint("fraud", RCPT), [(DEAD, "complaint")]),
    ("opt-out", complaint("opt-out", RCPT), [(DEAD, "complaint")]),
    ("other", complaint("other", RCPT), [(DEAD, "complaint")]),
    ("upper", complaint("ABUSE", RCPT.upper().replace("ANN@EXAMPLE.ORG", DEAD)), [(DEAD, "complaint")]),
    ("not-spam", complaint("not-spam", RCPT), [(DEAD, "ignore")]),
    ("auth-failure", complaint("auth-failure", RCPT + "Auth-Failure: dmarc\nDelivery-Result: reject\n"), [(DEAD, "ignore")]),
    ("virus", complaint("virus", RCPT), [(DEAD, "ignore")]),
    ("dmarc", complaint("auth-failure", "Identity-Alignment: none\nAuth-Failure: dmarc\n"), [(DEAD, "ignore")]),
    ("by-original", complaint("abuse"), [(DEAD, "complaint")]),
    ("redacted", complaint("abuse", "Original-Rcpt-To: redacted-3f2a@example.org\n", REDACTED), [("", "complaint")]),
    ("redacted-all", complaint("abuse", "", REDACTED), [("", "complaint")]),
    ("headers-part", complaint("abuse", RCPT, HEAD, "text/rfc822-headers"), [(DEAD, "complaint")]),
    ("two-recipients", complaint("abuse", f"Original-Rcpt-To: <{DEAD}>\nOriginal-Rcpt-To: <bob@example.org>\n"), [(DEAD, "complaint"), ("bob@example.org", "complaint")]),
    ("yahoo", complaint("abuse", "Original-Rcpt-To: ann@yahoo.example\nOriginal-Mail-From: b@bounce.example.com\nReceived-Date: Tue, 24 Nov 2026 09:00:00 +0000\nReported-Domain: example.com\nAuthentication-Results: dkim=pass\n"), [("ann@yahoo.example", "complaint")]),
    ("jmrp-2026", complaint("abuse", "", HEAD.replace(f"To: {DEAD}\n", ""), "text/rfc822-headers"), [("", "complaint")]),
]
MACHINE += [Sample(f"arf-{name}", data, expected) for name, data, expected in COMPLAINTS]

# ── plain text, as mail systems word it for people ─────────────────────────────────────────────────

EXIM = "Mail Delivery System <Mailer-Daemon@host.example.org>"
EXIM_SUBJECT = "Mail delivery failed: returning message to sender"
EXIM_HEAD = "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n"
EXIM_TAIL = "\n------ This is a copy of the message, including all the headers. ------\n\n"
EXCHANGE = "System Administrator <postmaster@example.org>"
OFFICE = "Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.org>"
QMAIL = "Hi. This is the qmail-send program at mx.example.org.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n"
QMAIL_TAIL = "\n--- Below this line is a copy of the message.\n\n"


def exim(lines: str, **changes: str) -> bytes:
    return plain(
        EXIM_HEAD + lines + EXIM_TAIL + ORIGINAL, sender=EXIM, subject=EXIM_SUBJECT, **changes
    )


def qmail(lines: str) -> bytes:
    return plain(
        QMAIL + lines + QMAIL_TAIL + ORIGINAL,
        sender="MAILER-DAEMON@mx.example.org",
        subject="failure notice",
    )


def office(body: str, subject: str, charset: str = "utf-8") -> bytes:
    return plain(
        body,
        sender=OFFICE,
        subject=subject,
        charset=charset,
        headers="X-MS-Exchange-Message-Is-Ndr:\n",
    )


PLAIN = [
    ("exim-unrouteable", exim("  ann@example.org\n    Unrouteable address\n"), [(DEAD, "hard")]),
    ("exim-remote-unknown", exim("  ann@example.org\n    host mx.example.org [192.0.2.1]\n    SMTP error from remote mail server after RCPT TO:<ann@example.org>:\n    550 5.1.1 <ann@example.org>: Recipient address rejected: User unknown\n"), [(DEAD, "hard")]),
    ("exim-remote-full", exim("  ann@example.org\n    host mx.example.org [192.0.2.1]\n    SMTP error from remote mail server after end of data:\n    552 5.2.2 The email account that you tried to reach is over quota\n"), [(DEAD, "soft")]),
    ("exim-remote-spam", exim("  ann@example.org\n    host mx.example.org [192.0.2.1]\n    SMTP error from remote mail server after end of data:\n    554 5.7.1 This message has been blocked because it contains spam\n"), [(DEAD, "content")]),
    ("exim-remote-rbl", exim("  ann@example.org\n    host mx.example.org [192.0.2.1]\n    SMTP error from remote mail server after initial connection:\n    554 5.7.1 Service unavailable; client [192.0.2.10] blocked using b.barracudacentral.example\n"), [(DEAD, "policy")]),
    ("exim-retry", exim("  ann@example.org\n    retry timeout exceeded\n"), [(DEAD, "soft")]),
    ("exim-two", exim("  ann@example.org\n    Unknown user\n  bob@example.org\n    mailbox is full: retry timeout exceeded\n"), [(DEAD, "hard"), ("bob@example.org", "soft")]),
    ("exim-alias", exim("  ann.lee@isp.example\n    (generated from ann@example.org)\n    550 unknown user\n"), [(DEAD, "hard")]),
    ("exim-x-failed", exim("  an undisclosed address\n    (generated from ann@example.org)\n    No such user\n", headers="X-Failed-Recipients: ann@example.org\n"), [(DEAD, "hard")]),
    ("exim-delay", plain("This message was created automatically by mail delivery software.\nA message that you sent has not yet been delivered to one or more of its\nrecipients after more than 24 hours on the queue on host.example.org.\n\nThe address to which the message has not yet been delivered is:\n\n  ann@example.org\n\nNo action is required on your part. Delivery attempts will continue for\nsome time, and this warning may be repeated at intervals if the message\nremains undelivered.\n", sender=EXIM, subject="Warning: message 1abcDE-0001-XY delayed 24 hours"), [(DEAD, "ignore")]),
    ("qmail-unknown", qmail("<ann@example.org>:\n192.0.2.1 does not like recipient.\nRemote host said: 550 5.1.1 unknown or illegal alias: ann@example.org\nGiving up on 192.0.2.1.\n"), [(DEAD, "hard")]),
    ("qmail-no-mailbox", qmail("<ann@example.org>:\nSorry, no mailbox here by that name. (#5.1.1)\n"), [(DEAD, "hard")]),
    ("qmail-no-mailbox-vpopmail", qmail("<ann@example.org>:\nThis address no longer accepts mail.\n"), [(DEAD, "hard")]),
    ("qmail-overquota", qmail("<ann@example.org>:\nuser is over quota\n"), [(DEAD, "soft")]),
    ("qmail-host", qmail("<ann@example.org>:\nSorry, I couldn't find any host named example.org. (#5.1.2)\n"), [(DEAD, "hard")]),
    ("qmail-timeout", qmail("<ann@example.org>:\nSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\nI'm not going to try again; this message has been in the queue too long.\n"), [(DEAD, "soft")]),
    ("qmail-spam", qmail("<ann@example.org>:\n192.0.2.1 failed after I sent the message.\nRemote host said: 554 5.7.1 Message scored too high on spam scale\n"), [(DEAD, "content")]),
    ("qmail-blocked", qmail("<ann@example.org>:\nConnected to 192.0.2.1 but sender was rejected.\nRemote host said: 553 5.3.0 <bounce@bounce.example.com>... Spam blocked see: http://spamcop.example/bl.shtml?192.0.2.10\n"), [(DEAD, "policy")]),
    ("qmail-german", plain("Hallo, dies ist das qmail-send Programm von mx.example.org.\nIch konnte Ihre Nachricht an folgende Adressen nicht zustellen.\nDies ist ein permanenter Fehler; ich habe aufgegeben.\n\n<ann@example.org>:\nSorry, no mailbox here by that name. vpopmail (#5.1.1)\n" + QMAIL_TAIL + ORIGINAL, sender="MAILER-DAEMON@mx.example.org"), [(DEAD, "hard")]),
    ("sendmail-old", plain("   ----- The following addresses had permanent fatal errors -----\n<ann@example.org>\n    (reason: 550 5.1.1 <ann@example.org>... User unknown)\n\n   ----- Transcript of session follows -----\n... while talking to mx.example.org.:\n>>> RCPT To:<ann@example.org>\n<<< 550 5.1.1 <ann@example.org>... User unknown\n550 5.1.1 <ann@example.org>... User unknown\n\n   ----- Original message follows -----\n\n" + ORIGINAL, subject="Returned mail: see transcript for details"), [(DEAD, "hard")]),
    ("sendmail-8.6", plain("The original message was received at Tue, 24 Nov 2026 09:00:00 GMT\nfrom news.example.com [192.0.2.10]\n\n   ----- The following addresses had delivery problems -----\nann@example.org  (unrecoverable error)\n\n   ----- Transcript of session follows -----\n550 ann@example.org... Host unknown (Name server: example.org: host not found)\n\n   ----- Original message follows -----\n" + ORIGINAL, subject="Returned mail: Host unknown"), [(DEAD, "hard")]),
    ("sendmail-transient", plain("    **********************************************\n    **      THIS IS A WARNING MESSAGE ONLY      **\n    **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **\n    **********************************************\n\n   ----- The following addresses had transient non-fatal errors -----\n<ann@example.org>\n\n   ----- Transcript of session follows -----\n<ann@example.org>... Deferred: Connection timed out with mx.example.org.\nWarning: message still undelivered after 4 hours\nWill keep trying until message is 5 days old\n", subject="Warning: could not send message for past 4 hours"), [(DEAD, "ignore")]),
    ("postfix-old", plain("This is the Postfix program at host mx.example.org.\n\nI'm sorry to have to inform you that the message returned\nbelow could not be delivered to one or more destinations.\n\nFor further assistance, please send mail to <postmaster>\n\n\t\t\tThe Postfix program\n\n<ann@example.org>: host mx2.example.org[192.0.2.20] said: 550 <ann@example.org>:\n    User unknown in local recipient table (in reply to RCPT TO command)\n", subject="Undelivered Mail Returned to Sender"), [(DEAD, "hard")]),
    ("postfix-expanded", plain("This is the mail system at host mx.example.org.\n\n<ann.lee@isp.example> (expanded from <ann@example.org>): host mx.isp.example[192.0.2.30]\n    said: 552 5.2.2 <ann.lee@isp.example>: mailbox full (in reply to end of DATA\n    command)\n", subject="Undelivered Mail Returned to Sender"), [(DEAD, "soft")]),
    ("exchange-55", plain("Your message\n\n  To:      ann@example.org\n  Subject: Three new posts\n  Sent:    Tue, 24 Nov 2026 09:00:00 -0000\n\ndid not reach the following recipient(s):\n\nann@example.org on Tue, 24 Nov 2026 09:00:05 -0000\n    The recipient name is not recognized\n\tThe MTS-ID of the original message is: c=US;a= ;p=Org;l=MX-061124090005Z-1\n    MSEXCH:IMS:Org:Site:MX 0 (000C05A6) Unknown Recipient\n", sender=EXCHANGE, subject="Undeliverable: Three new posts"), [(DEAD, "hard")]),
    ("exchange-2003", plain("Your message did not reach some or all of the intended recipients.\n\n      Subject:  Three new posts\n      Sent:     24.11.2026 09:00\n\nThe following recipient(s) could not be reached:\n\n      ann@example.org on 24.11.2026 09:00\n            The e-mail account does not exist at the organization this message was sent to.  Check the e-mail address, or contact the recipient directly to find out the correct address.\n            <mx.example.org #5.1.1>\n", sender=EXCHANGE, subject="Undeliverable: Three new posts"), [(DEAD, "hard")]),
    ("exchange-2003-full", plain("Your message did not reach some or all of the intended recipients.\n\n      Subject:  Three new posts\n\nThe following recipient(s) cannot be reached:\n\n      ann@example.org on 24.11.2026 09:00\n            The recipient's mailbox is full.\n            <mx.example.org #5.2.2>\n", sender=EXCHANGE, subject="Undeliverable: Three new posts"), [(DEAD, "soft")]),
    ("exchange-de", office("Fehler bei der Zustellung der Nachricht an folgende Empfänger oder Gruppen:\n\nann@example.org\nDie eingegebene E-Mail-Adresse wurde nicht gefunden. Überprüfen Sie die E-Mail-Adresse des Empfängers und versuchen Sie, die Nachricht erneut zu senden. Wenn das Problem weiterhin besteht, wenden Sie sich bitte an Ihren Helpdesk.\n\nDiagnoseinformationen für Administratoren:\nGenerierender Server: mx.example.org\nann@example.org\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n", "Unzustellbar: Three new posts"), [(DEAD, "hard")]),
    ("exchange-de-full", office("Fehler bei der Zustellung der Nachricht an folgende Empfänger oder Gruppen:\n\nann@example.org\nDas Postfach des Empfängers ist voll und kann zurzeit keine Nachrichten annehmen.\n\nDiagnoseinformationen für Administratoren:\n#552 5.2.2 STOREDRV.Deliver; mailbox full ##\n", "Unzustellbar: Three new posts"), [(DEAD, "soft")]),
    ("exchange-de-words", office("Ihre Nachricht hat einige oder alle Empfänger nicht erreicht.\n\nFolgende(r) Empfänger kann/können nicht erreicht werden:\n\n      ann@example.org am 24.11.2026 09:00\n            Das E-Mail-Konto existiert nicht in der Organisation, an die die Nachricht gesendet wurde. Überprüfen Sie die E-Mail-Adresse.\n", "Unzustellbar: Three new posts"), [(DEAD, "hard")]),
    ("exchange-fr", office("Échec de la remise à ces destinataires ou groupes :\n\nann@example.org\nL'adresse de messagerie que vous avez entrée est introuvable. Vérifiez l'adresse de messagerie du destinataire et essayez de renvoyer le message.\n\nInformations de diagnostic pour les administrateurs :\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n", "Non remis : Three new posts"), [(DEAD, "hard")]),
    ("exchange-fr-words", office("Votre message n'est pas parvenu à certains des destinataires prévus.\n\nLe(s) destinataire(s) suivant(s) ne peuvent être joints :\n\n      ann@example.org le 24/11/2026 09:00\n            Ce compte de messagerie n'existe pas dans l'organisation à laquelle ce message a été envoyé.\n", "Non remis : Three new posts"), [(DEAD, "hard")]),
    ("exchange-es", office("Error de entrega a los siguientes destinatarios o grupos:\n\nann@example.org\nNo se encontró la dirección de correo electrónico que escribió. Compruebe la dirección e intente enviar de nuevo el mensaje.\n\nInformación de diagnóstico para administradores:\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n", "No se puede entregar: Three new posts"), [(DEAD, "hard")]),
    ("exchange-es-full", office("No se pudo entregar el mensaje a los siguientes destinatarios:\n\nann@example.org\nEl buzón del destinatario está lleno y no puede aceptar mensajes ahora.\n", "No se puede entregar: Three new posts"), [(DEAD, "soft")]),
    ("exchange-it", office("Recapito non riuscito per i seguenti destinatari o gruppi:\n\nann@example.org\nL'indirizzo di posta elettronica immesso non è stato trovato.\n#550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup\n", "Non recapitabile: Three new posts"), [(DEAD, "hard")]),
    ("exchange-ja", office("次の受信者またはグループへの配信に失敗しました:\n\nann@example.org\n入力された電子メール アドレスは見つかりませんでした。受信者の電子メール アドレスを確認し、再送信してください。\n\n管理者向けの診断情報:\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n", "配信不能: Three new posts"), [(DEAD, "hard")]),
    ("exchange-ja-words", office("次の受信者に配信できませんでした:\n\nann@example.org\n受信者のメールボックスがいっぱいです。\n", "配信不能: Three new posts"), [(DEAD, "soft")]),
    ("exchange-pt", office("Falha na entrega para estes destinatários ou grupos:\n\nann@example.org\nO endereço de email inserido não foi encontrado.\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n", "Não é possível entregar: Three new posts"), [(DEAD, "hard")]),
    ("exchange-nl", office("Bezorging aan de volgende geadresseerden of groepen is mislukt:\n\nann@example.org\nHet ingevoerde e-mailadres is niet gevonden.\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n", "Onbestelbaar: Three new posts"), [(DEAD, "hard")]),
    ("exchange-sv", office("Det gick inte att leverera till dessa mottagare eller grupper:\n\nann@example.org\nE-postadressen du angav gick inte att hitta.\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n", "Kan inte levereras: Three new posts"), [(DEAD, "hard")]),
    ("exchange-pl", office("Dostarczenie wiadomości do następujących adresatów lub grup nie powiodło się:\n\nann@example.org\nNie można odnaleźć podanego adresu e-mail.\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n", "Niedostarczone: Three new posts"), [(DEAD, "hard")]),
    ("exchange-zh", office("未能传递到以下收件人或组:\n\nann@example.org\n找不到您输入的电子邮件地址。\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n", "未送达: Three new posts"), [(DEAD, "hard")]),
    ("exchange-ru", office("Сбой доставки следующим получателям или группам:\n\nann@example.org\nВведенный адрес электронной почты не найден.\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n", "Недоставлено: Three new posts"), [(DEAD, "hard")]),
    ("o365-text", office("Your message to ann@example.org couldn't be delivered.\nann wasn't found at example.org.\nnews           Office 365         ann\nAction Required                    Recipient\nUnknown To address\n\nHow to Fix It\nThe address may be misspelled or may not exist.\n\nStatus code: 550 5.1.10\n", "Undeliverable: Three new posts"), [(DEAD, "hard")]),
    ("o365-full-text", office("Your message to ann@example.org couldn't be delivered.\n\nann's inbox is full and cannot accept messages now.\nStatus code: 554 5.2.2\n", "Undeliverable: Three new posts"), [(DEAD, "soft")]),
    ("o365-blocked-text", office("Your message to ann@example.org couldn't be delivered.\n\nYour message wasn't delivered because the recipient's email provider rejected it.\nSecurity or policy settings at example.org have rejected your message. Status code: 550 5.7.1\n", "Undeliverable: Three new posts"), [(DEAD, "policy")]),
    ("notes", plain("Your document:  Three new posts\nwas not delivered to: ann@example.org\nbecause: User ann (ann@example.org) not listed in Domino Directory\n", sender="Postmaster@example.org", subject="DELIVERY FAILURE: User ann (ann@example.org) not listed in Domino Directory"), [(DEAD, "hard")]),
    ("notes-2", plain("------- Failure Reasons  --------\n\nUser not listed in public Name & Address Book\nann@example.org\n\n------- Returned Message --------\n\n" + ORIGINAL, sender="MAILER-DAEMON@example.org", subject="DELIVERY FAILURE: User not listed in public Name & Address Book"), [(DEAD, "hard")]),
    ("notes-full", plain("Your message\n\n  Subject: Three new posts\n\nwas not delivered to:\n\n  ann@example.org\n\nbecause:\n\n  Mail database is over quota; the message cannot be stored.\n", sender="Postmaster@example.org", subject="DELIVERY FAILURE: Mail database is over quota"), [(DEAD, "soft")]),
    ("yahoo-text", plain("Message from  yahoo.example.\nUnable to deliver message to the following address(es).\n\n<ann@yahoo.example>:\nThis user doesn't have a yahoo.example account (ann@yahoo.example) [-5]\n\n--- Original message follows.\n\n" + ORIGINAL, sender="MAILER-DAEMON@yahoo.example", subject="failure delivery"), [("ann@yahoo.example", "hard")]),
    ("yahoo-over", plain("Message from yahoo.example.\nUnable to deliver message to the following address(es).\n\n<ann@yahoo.example>:\nSorry your message to ann@yahoo.example cannot be delivered.  This account is over quota.\n\n--- Original message follows.\n\n" + ORIGINAL, sender="MAILER-DAEMON@yahoo.example", subject="Delivery failure"), [("ann@yahoo.example", "soft")]),
    ("yahoo-new", plain("Sorry, we were unable to deliver your message to the following address.\n\n<ann@example.org>:\n550: 5.1.1 <ann@example.org>: Recipient address rejected: User unknown in relay recipient table\n\n--- Below this line is a copy of the message.\n\n" + ORIGINAL, sender="MAILER-DAEMON@yahoo.example", subject="Failure Notice"), [(DEAD, "hard")]),
    ("gmx", plain("Diese E-Mail wurde automatisch vom Mail-System der GMX erstellt.\n\nIhre E-Mail konnte an einen oder mehrere Empfänger nicht zugestellt werden:\n\n\"ann@example.org\":\nSMTP error from remote server for RCPT TO command, host: mx.example.org (192.0.2.1) reason: 550 5.1.1 unknown user\n\n--- The header of the original message is following. ---\n\n" + HEAD, sender="mailer-daemon@gmx.example", subject="Mail delivery failed: returning message to sender", charset="utf-8"), [(DEAD, "hard")]),
    ("gmx-en", plain("This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of\nits recipients. This is a permanent error. The following address\nfailed:\n\n\"ann@example.org\":\nSMTP error from remote server after RCPT command:\nhost: mx.example.org\n5.2.2 <ann@example.org>: mailbox full\n\n--- The header of the original message is following. ---\n\n" + HEAD, sender="\"GMX Mailer Daemon\" <mailer-daemon@gmx.example>", subject="Mail delivery failed: returning message to sender"), [(DEAD, "soft")]),
    ("t-online", plain("|------------------------- Message log follows: -------------------------|\n no valid recipients were found for this message\n|------------------------- Failed addresses follow: ---------------------|\n <ann@t-online.example> ... unknown user\n|------------------------- Message text follows: ------------------------|\n" + ORIGINAL, sender="<postmaster@t-online.example>", subject="mail failed, returning to sender"), [("ann@t-online.example", "hard")]),
    ("mailru", plain("Это письмо создано автоматически сервером Mail.Example. Отвечать на него не нужно.\n\nК сожалению, Ваше письмо не может быть доставлено одному или нескольким получателям:\n\nann@mail.example\nuser not found\n\n**********************\n\nThis message was created automatically by mail delivery software.\nYour message could not be delivered.\n", sender="mailer-daemon@corp.mail.example", subject="Mail failure.", charset="utf-8"), [("ann@mail.example", "hard")]),
    ("qq", plain("抱歉，您的邮件被退回来了……\n原邮件信息：\n时间    2026-11-24 09:00:00\n主题    Three new posts\n收件人  ann@qq.example\n退信原因：  收件人邮件地址（ann@qq.example）不存在，邮件无法送达。\nhost mx3.qq.example said: 550 Mailbox not found.\n", sender="PostMaster@qq.example", subject="系统退信", charset="utf-8"), [("ann@qq.example", "hard")]),
    ("qq-full", plain("抱歉，您的邮件被退回来了……\n收件人  ann@qq.example\n退信原因：收件人的邮箱空间已满。\n", sender="PostMaster@qq.example", subject="系统退信/Systems bounce", charset="utf-8"), [("ann@qq.example", "soft")]),
    ("naver", plain("메일 전송 실패\n\n받는 사람: ann@naver.example\n사유: 존재하지 않는 수신자입니다. (550 5.1.1 No such user)\n", sender="mailer-daemon@naver.example", subject="[발송실패 안내] Three new posts", charset="utf-8"), [("ann@naver.example", "hard")]),
    ("orange", plain("Bonjour,\n\nVotre message n'a pas pu être remis au(x) destinataire(s) suivant(s) :\n\nann@orange.example\n550 5.1.1 Adresse d au moins un destinataire invalide\n\nOriginal message follows\n", sender="postmaster@orange.example", subject="Mail Delivery Failure", charset="utf-8"), [("ann@orange.example", "hard")]),
    ("free", plain("Bonjour, ici le programme qmail-send de free.example.\nJe n'ai pas pu délivrer votre message aux adresses suivantes.\n\n<ann@free.example>:\nLa boite aux lettres est pleine (#5.2.2)\n" + QMAIL_TAIL + ORIGINAL, sender="MAILER-DAEMON@free.example", charset="utf-8"), [("ann@free.example", "soft")]),
    ("gmail-old", plain("This is an automatically generated Delivery Status Notification\n\nDelivery to the following recipient failed permanently:\n\n     ann@example.org\n\nTechnical details of permanent failure: \nGoogle tried to deliver your message, but it was rejected by the server for the recipient domain example.org by mx.example.org. [192.0.2.1].\n\nThe error that the other server returned was:\n550 5.1.1 <ann@example.org>: Recipient address rejected: User unknown in virtual mailbox table\n\n----- Original message -----\n\n" + HEAD, sender="Mail Delivery Subsystem <mailer-daemon@googlemail.example>", subject="Delivery Status Notification (Failure)"), [(DEAD, "hard")]),
    ("gmail-new", plain("** Address not found **\n\nYour message wasn't delivered to ann@example.org because the address couldn't be found, or is unable to receive mail.\n\nThe response from the remote server was:\n550 5.1.1 The email account that you tried to reach does not exist.\n", sender="Mail Delivery Subsystem <mailer-daemon@googlemail.example>", subject="Delivery Status Notification (Failure)"), [(DEAD, "hard")]),
    ("gmail-blocked", plain("** Message blocked **\n\nYour message to ann@example.org has been blocked. See technical details below for more information.\n\nThe response was:\n550 5.7.1 [192.0.2.10] Our system has detected that this message is likely unsolicited mail.\n", sender="Mail Delivery Subsystem <mailer-daemon@googlemail.example>", subject="Delivery Status Notification (Failure)"), [(DEAD, "content")]),
    ("gmail-incomplete", plain("** Delivery incomplete **\n\nThere was a temporary problem delivering your message to ann@example.org. Gmail will retry for 45 more hours. You'll be notified if the delivery fails permanently.\n\nThe response was:\n452 4.2.2 The recipient's inbox is out of storage space.\n", sender="Mail Delivery Subsystem <mailer-daemon@googlemail.example>", subject="Delivery Status Notification (Delay)"), [(DEAD, "ignore")]),
    ("gmail-full", plain("** Recipient inbox full **\n\nYour message couldn't be delivered to ann@example.org. Their inbox is full, or it's getting too much mail right now.\n\nThe response was:\n552 5.2.2 The recipient's inbox is out of storage space.\n", sender="Mail Delivery Subsystem <mailer-daemon@googlemail.example>", subject="Delivery Status Notification (Failure)"), [(DEAD, "soft")]),
    ("gmail-de", plain("** Die Adresse wurde nicht gefunden **\n\nIhre Nachricht wurde nicht an ann@example.org zugestellt, weil die Adresse nicht gefunden wurde oder keine E-Mails empfangen kann.\n", sender="Mail Delivery Subsystem <mailer-daemon@googlemail.example>", subject="Delivery Status Notification (Failure)", charset="utf-8"), [(DEAD, "hard")]),
    ("barracuda", plain("**Message you sent blocked by our bulk email filter**\n\nYour message to: ann@example.org\nwas blocked by our Spam Firewall. The email you sent with the following subject has NOT BEEN DELIVERED:\n\nSubject: Three new posts\n", sender="postmaster@barracuda.example.org", subject="**Message you sent blocked by our bulk email filter**"), [(DEAD, "content")]),
    ("mimedefang", plain("The following message could not be delivered to ann@example.org\nbecause it was rejected by the content filter (MIMEDefang): attachment type not allowed.\n", sender="MAILER-DAEMON@mx.example.org", subject="Undeliverable mail: content rejected"), [(DEAD, "content")]),
    ("mimecast", plain("Your message could not be delivered to:\n\nann@example.org\n\nThe reason:\nRecipient address rejected: [550 Invalid Recipient]\n", sender="Postmaster <postmaster@mimecast.example>", subject="[Postmaster] Email Delivery Failure"), [(DEAD, "hard")]),
    ("groupwise", plain("The message that you sent was undeliverable to the following:\n\tann@example.org (user not found)\n\nPossibly truncated original message follows:\n\n" + HEAD, sender="Mail Subsystem <Postmaster@gw.example.org>", subject="Message status - undeliverable"), [(DEAD, "hard")]),
    ("groupwise-full", plain("The message that you sent was undeliverable to the following:\n\tann@example.org (mailbox full)\n\nPossibly truncated original message follows:\n\n" + HEAD, sender="Mail Subsystem <Postmaster@gw.example.org>", subject="Message status - undeliverable"), [(DEAD, "soft")]),
    ("communigate", plain("Failed to deliver to 'ann@example.org'\nSMTP module(domain example.org) reports:\n host mx.example.org says:\n 550 5.1.1 User unknown\n", sender="<MAILER-DAEMON@cgp.example.org>", subject="Undeliverable mail: Three new posts"), [(DEAD, "hard")]),
    ("communigate-local", plain("Failed to deliver to '<ann@example.org>'\nLOCAL module(account ann@example.org) reports:\n account is full (quota exceeded)\n", sender="<MAILER-DAEMON@cgp.example.org>", subject="Undeliverable mail: Three new posts"), [(DEAD, "soft")]),
    ("xmail", plain("[<00>] XMail bounce: Rcpt=[ann@example.org];Error=[550 Mailbox unavailable <ann@example.org>]\n\n\n[<01>] Error sending message [1795510800.2.xmail] from [xmail.example.org].\n\nID:        <S1>\nMail From: <b-4f1d2c8a9e-7q@bounce.example.com>\nRcpt To:   <ann@example.org>\nServer:    <mx.example.org>\n\n\n[<02>] The reason of the delivery failure was:\n\n550 Mailbox unavailable <ann@example.org>\n\n\n[<05>] Here is listed the initial part of the message:\n\n" + HEAD, sender="postmaster@xmail.example.org", subject="Error sending message [1795510800.2.xmail] from [xmail.example.org]"), [(DEAD, "hard")]),
    ("courier", plain("This is a delivery status notification from mx.example.org,\nrunning the Courier mail server, version 0.73.\n\nThe original message was received on Tue, 24 Nov 2026 09:00:00 +0000\nfrom news.example.com\n\n---------------------------------------------------------------------------\n\n                           UNDELIVERABLE MAIL\n\nYour message to the following recipients cannot be delivered:\n\n<ann@example.org>:\n    mx2.example.org [192.0.2.20]:\n>>> RCPT TO:<ann@example.org>\n<<< 550 User unknown.\n", sender="\"Courier mail server at mx.example.org\" <@>", subject="NOTICE: mail delivery status."), [(DEAD, "hard")]),
    ("mdaemon", plain("The attached message had PERMANENT fatal delivery errors!\n\nFailed address: ann@example.org\n\n--- Session Transcript ---\n Tue 2026-11-24 09:00:00: RCPT To:<ann@example.org>\n Tue 2026-11-24 09:00:00: <-- 550 <ann@example.org>, Recipient unknown\n--- End Transcript ---\n", sender="\"MDaemon at mx.example.org\" <MDaemon@mx.example.org>", subject="Permanent Delivery Failure"), [(DEAD, "hard")]),
    ("mdaemon-warning", plain("The attached message had transient delivery problems.\nMDaemon will continue to try to deliver it.\n\nRecipient: ann@example.org\n\nNext attempt: in 60 minutes\n", sender="\"MDaemon at mx.example.org\" <MDaemon@mx.example.org>", subject="Warning: mail delivery delayed"), [(DEAD, "ignore")]),
    ("icloud", plain("This message was created automatically by the mail system (iCloud Mail).\n\nYour message could not be delivered to the following recipient:\n\nAddress: ann@icloud.example\nReason: 550 5.1.1 <ann@icloud.example>: user does not exist\n", sender="Mail Delivery Subsystem <MAILER-DAEMON@icloud.example>", subject="Undelivered Mail Returned to Sender"), [("ann@icloud.example", "hard")]),
    ("aol", plain("Your mail to the following recipients could not be delivered because they are not accepting mail from news@example.com:\n\tann\n\n" + HEAD.replace(DEAD, "ann@aol.example"), sender="MAILER-DAEMON@aol.example", subject="Returned mail: User unknown"), [("ann@aol.example", "policy")]),
    ("imail", plain("unknown user: ann@example.org\n\nOriginal message follows.\n\n" + HEAD, sender="Postmaster <postmaster@imail.example.org>", subject="Undeliverable Mail"), [(DEAD, "hard")]),
    ("merak", plain("The message you sent to ann@example.org could not be delivered.\n\nMessage delivery failed: User unknown <ann@example.org>\n", sender="<MAILER-DAEMON@merak.example.org>", subject="Delivery Failed"), [(DEAD, "hard")]),
    ("smartermail", plain("Could not deliver message to the following recipient(s):\n\nFailed Recipient: ann@example.org\nReason: Remote host said: 550 No such user here\n\n   -- The header and top 20 lines of the message follows --\n\n" + HEAD, sender="\"System Administrator\" <postmaster@sm.example.org>", subject="Delivery Failure"), [(DEAD, "hard")]),
    ("sun-ims", plain("This report relates to a message you sent with the following header fields:\n\n  Message-id: <h4ndle0f0urs@example.com>\n  To: ann@example.org\n  Subject: Three new posts\n\nYour message cannot be delivered to the following recipients:\n\n  Recipient address: ann@example.org\n  Reason: unknown or illegal alias\n", sender="Internet Mail Delivery <postmaster@ims.example.org>", subject="Delivery Notification: Delivery has failed"), [(DEAD, "hard")]),
    ("sun-ims-full", plain("Your message cannot be delivered to the following recipients:\n\n  Recipient address: ann@example.org\n  Reason: Over quota\n", sender="Internet Mail Delivery <postmaster@ims.example.org>", subject="Delivery Notification: Delivery has failed"), [(DEAD, "soft")]),
    ("smail", plain("|------------------------- Message log follows: -------------------------|\n no valid recipients were found for this message\n|------------------------- Failed addresses follow: ---------------------|\n ann@example.org ... failed: unknown host\n", sender="<MAILER-DAEMON@smail.example.org>", subject="mail failed, returning to sender"), [(DEAD, "hard")]),
    ("amavis", plain("The message WAS NOT relayed to:\n<ann@example.org>:\n   554 5.7.0 Reject, id=12345-01 - BANNED: application/x-msdownload\n", sender="\"Content-filter at mx.example.org\" <postmaster@mx.example.org>", subject="Undeliverable mail, BANNED contents"), [(DEAD, "content")]),
    ("hotmail-old", plain("This is an automatically generated Delivery Status Notification.\n\nDelivery to the following recipients failed.\n\n       ann@hotmail.example\n\n", sender="postmaster@hotmail.example", subject="Delivery Status Notification (Failure)"), [("ann@hotmail.example", "soft")]),
    ("strato", plain("This is the mail system at host smtp.strato.example.\n\nIhre Nachricht konnte nicht zugestellt werden.\n\n<ann@example.org>: 550 5.1.1 Unbekannter Benutzer\n", sender="MAILER-DAEMON@strato.example (Mail Delivery System)", subject="Undelivered Mail Returned to Sender"), [(DEAD, "hard")]),
    ("kerio", plain("Your message could not be delivered to the following recipients:\n\n  <ann@example.org>\n\nSMTP error reply:\n  550 5.1.1 User is unknown\n", sender="Mail Delivery Subsystem <postmaster@kerio.example.org>", subject="Delivery Status Notification (Failure)"), [(DEAD, "hard")]),
    ("no-reason", plain("Delivery to the following recipients failed.\n\nann@example.org\n", sender="postmaster@example.org", subject="Undeliverable mail"), [(DEAD, "soft")]),
    ("returned-person", plain("Dear sender,\n\nAnn Lee has left the company. The address ann@example.org is no longer in use. Your message was not delivered.\n", sender="postmaster@example.org", subject="Undeliverable: Three new posts"), [(DEAD, "hard")]),
    ("wp-pl", plain("Twoja wiadomość nie została dostarczona do:\n\nann@wp.example\n550 Nie ma takiego użytkownika\n", sender="MAILER-DAEMON@wp.example", subject="Niedostarczona wiadomość", charset="utf-8"), [("ann@wp.example", "hard")]),
    ("hu", plain("Az Ön üzenete nem kézbesíthető:\n\nann@freemail.example\n550 Nincs ilyen felhasználó\n", sender="MAILER-DAEMON@freemail.example", subject="Kézbesíthetetlen levél", charset="utf-8"), [("ann@freemail.example", "hard")]),
    ("pt-br", plain("Sua mensagem não pôde ser entregue:\n\nann@uol.example\n550 Caixa postal inexistente\n", sender="MAILER-DAEMON@uol.example", subject="Mensagem não entregue", charset="utf-8"), [("ann@uol.example", "hard")]),
    ("virgilio", plain("Il tuo messaggio non è stato consegnato a:\n\nann@virgilio.example\nUtente sconosciuto\n", sender="MAILER-DAEMON@virgilio.example", subject="Mancata consegna", charset="utf-8"), [("ann@virgilio.example", "hard")]),
    ("telia", plain("Ditt meddelande kunde inte levereras:\n\nann@telia.example\nAnvändaren finns inte\n", sender="MAILER-DAEMON@telia.example", subject="Meddelandet kunde inte levereras", charset="utf-8"), [("ann@telia.example", "hard")]),
    ("biglobe", plain("メールを配信できませんでした。\n\n<ann@biglobe.example>\n宛先のユーザーは存在しません。\n", sender="MAILER-DAEMON@biglobe.example", subject="配信できませんでした", charset="iso-2022-jp"), [("ann@biglobe.example", "hard")]),
    ("ziggo-full", plain("Uw bericht kon niet worden afgeleverd bij:\n\nann@ziggo.example\nDe mailbox van de ontvanger is vol\n", sender="MAILER-DAEMON@ziggo.example", subject="Bericht niet afgeleverd", charset="utf-8"), [("ann@ziggo.example", "soft")]),
    ("freenet", plain("Ihre Nachricht konnte nicht zugestellt werden.\nEmpfänger: ann@freenet.example\nGrund: Die Adresse gibt es nicht.\n", sender="MAILER-DAEMON@freenet.example", subject="Unzustellbar", charset="utf-8"), [("ann@freenet.example", "hard")]),
    ("notes-de", plain("Ihr Dokument:\tThree new posts\nkonnte nicht gesendet werden an:\tann@example.org\nweil:\tUser ann (ann@example.org) nicht im Domino-Verzeichnis gefunden\n", sender="Postmaster@notes.example.org", subject="Zustellfehler: User ann nicht im Domino-Verzeichnis", charset="utf-8"), [(DEAD, "hard")]),
    ("iso2022jp", plain("以下の宛先への配送に失敗しました。\n\nann@docomo.example\n550 Unknown user ann@docomo.example\n", sender="MAILER-DAEMON@docomo.example", subject="Mail System Error - Returned Mail", charset="iso-2022-jp"), [("ann@docomo.example", "hard")]),
    ("wrong-charset", plain("Votre message n'a pas pu être délivré :\n\nann@example.org : utilisateur inconnu\n", sender="MAILER-DAEMON@example.org", subject="Undelivered Mail", charset="utf-8").replace(b"charset=utf-8", b"charset=us-ascii"), [(DEAD, "hard")]),
]
TEXTS = [Sample(f"text-{name}", data, expected, machine=False) for name, data, expected in PLAIN]


def _recode(charset: str) -> bytes:
    """Exim's words in Cyrillic, in an odd charset or in UTF-16."""
    body = "Сообщение не доставлено.\n\nann@example.org\n550 5.1.1 Пользователь не найден (user unknown)\n"
    head = plain("", sender="MAILER-DAEMON@example.org", charset="us-ascii").replace(
        b"charset=us-ascii\n",
        f"charset={charset}\nContent-Transfer-Encoding: base64\n".encode(),
    )
    return head + base64.encodebytes(body.encode(charset))


TEXTS += [
    Sample(f"text-charset-{charset}", _recode(charset), [(DEAD, "hard")], machine=False)
    for charset in ("koi8-r", "windows-1251", "gb18030", "utf-16", "iso-8859-5")
]

# ── nothing at all: what must change nobody ────────────────────────────────────────────────────────

AWAY = {
    "en": ("Automatic reply: Three new posts", "I am out of the office until Monday. For urgent matters contact bob@example.org."),
    "en2": ("Out of Office", "I have left the company. Please write to bob@example.org."),
    "de": ("Automatische Antwort: Three new posts", "Ich bin bis Montag nicht im Büro und lese keine E-Mails."),
    "de2": ("Abwesenheitsnotiz", "Vielen Dank für Ihre Nachricht. Ich bin im Urlaub."),
    "fr": ("Réponse automatique : Three new posts", "Je suis absente du bureau jusqu'à lundi."),
    "es": ("Respuesta automática: Three new posts", "Estoy fuera de la oficina hasta el lunes."),
    "it": ("Risposta automatica: Three new posts", "Sono fuori ufficio fino a lunedì."),
    "pt": ("Resposta automática: Three new posts", "Estou ausente do escritório."),
    "nl": ("Automatisch antwoord: Three new posts", "Ik ben afwezig tot maandag."),
    "sv": ("Automatiskt svar: Three new posts", "Jag är på semester."),
    "da": ("Automatisk svar: Three new posts", "Jeg er på ferie."),
    "no": ("Automatisk svar: Three new posts", "Jeg er ikke på kontoret."),
    "fi": ("Automaattinen vastaus: Three new posts", "Olen lomalla."),
    "pl": ("Odpowiedź automatyczna: Three new posts", "Jestem poza biurem."),
    "cs": ("Automatická odpověď: Three new posts", "Jsem mimo kancelář."),
    "hu": ("Automatikus válasz: Three new posts", "Nem vagyok az irodában."),
    "ro": ("Răspuns automat: Three new posts", "Sunt plecat din birou."),
    "tr": ("Otomatik yanıt: Three new posts", "Ofis dışındayım."),
    "el": ("Αυτόματη απάντηση: Three new posts", "Είμαι εκτός γραφείου."),
    "ru": ("Автоматический ответ: Three new posts", "Меня нет в офисе до понедельника."),
    "uk": ("Автоматична відповідь: Three new posts", "Я у відпустці."),
    "ja": ("自動応答: Three new posts", "ただいま不在にしております。"),
    "zh": ("自动回复: Three new posts", "我正在休假。"),
    "ko": ("자동 회신: Three new posts", "휴가 중입니다."),
    "ar": ("رد تلقائي: Three new posts", "أنا خارج المكتب."),
    "he": ("מענה אוטומטי: Three new posts", "אני מחוץ למשרד."),
}
_AUTO = "Auto-Submitted: auto-replied\nX-Auto-Response-Suppress: All\nIn-Reply-To: <h4ndle0f0urs@example.com>\n"
NOTHING = [
    *[
        Sample(f"away-{language}-{len(headers)}", mail(subject, body, headers=headers), [(DEAD, "auto-reply")], machine=False)
        for language, (subject, body) in AWAY.items()
        for headers in (_AUTO,)
    ],
    *[
        Sample(f"away-bare-{language}", mail(subject, body), [(DEAD, "auto-reply")], machine=False)
        for language, (subject, body) in AWAY.items()
    ],
]
_TLS = """\
From: noreply-smtp-tls-reporting@google.example
To: tls@example.com
Subject: Report Domain: example.com Submitter: google.example Report-ID: <2026.11.24T00.00.00Z+example.com@google.example>
TLS-Report-Domain: example.com
TLS-Report-Submitter: google.example
MIME-Version: 1.0
Content-Type: multipart/report; report-type="tlsrpt"; boundary="t"

--t
Content-Type: text/plain

This is an aggregate TLS report from google.example
--t
Content-Type: application/tlsrpt+gzip
Content-Transfer-Encoding: base64

H4sIAAAAAAAA/w==
--t--
"""
_DMARC = """\
From: noreply-dmarc-support@google.example
To: dmarc@example.com
Subject: Report domain: example.com Submitter: google.example Report-ID: 123
MIME-Version: 1.0
Content-Type: application/zip; name="google.example!example.com!1.zip"
Content-Transfer-Encoding: base64

UEsDBAoAAAAI
"""
_MDN = """\
From: ann@example.org
To: news@example.com
Subject: {subject}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=disposition-notification; boundary="m"

--m
Content-Type: text/plain

Your message to ann@example.org {words}.
--m
Content-Type: message/disposition-notification

Final-Recipient: rfc822;ann@example.org
Original-Message-ID: <h4ndle0f0urs@example.com>
Disposition: manual-action/MDN-sent-manually; {disposition}
--m--
"""
NOTHINGS = [
    ("mdn-read", _MDN.format(subject="Read: Three new posts", words="was read", disposition="displayed").encode(), [("", "ignore")]),
    ("mdn-deleted", _MDN.format(subject="Not read: Three new posts", words="was deleted without being read", disposition="deleted").encode(), [("", "ignore")]),
    ("tlsrpt", _TLS.encode(), [("", "ignore")]),
    ("dmarc", _DMARC.encode(), [("", "ignore")]),
    ("challenge-boxbe", mail("Your email to ann@example.org (Action Required)", "This message is to let you know that ann@example.org has placed you on a waiting list. Click to verify that you are a human.", sender="Boxbe <notification@boxbe.example>", headers="Auto-Submitted: auto-generated\n"), None),
    ("challenge-spamarrest", mail("Re: Three new posts (Verification)", "Please verify yourself so that your message can be delivered. SpamArrest", sender="ann@example.org"), None),
    ("challenge-tmda", mail("Please confirm your message", "This message was created automatically by mail delivery software (TMDA). Your message has not been delivered yet: confirm it by replying.", sender="ann-confirm-1@example.org", headers="Precedence: bulk\n"), None),
    ("vacation-undeliverable", mail("Automatic reply: Undeliverable: Three new posts", "I am away.", headers=_AUTO), [(DEAD, "auto-reply")]),
    ("vacation-left", mail("Automatic reply: Three new posts", "This mailbox is no longer in use. The user does not exist any more. 550 5.1.1", headers=_AUTO), [(DEAD, "auto-reply")]),
    ("spam-imitation", mail("Mail delivery failed: returning message to sender", "Your mailbox is full! Click http://phish.example/ to restore your 3 undelivered messages. <news@example.com>", sender="Mail Support <support@phish.example>", headers="X-Spam-Flag: YES\n"), None),
    ("spam-imitation-2", mail("[example.com] 4 undelivered messages for news@example.com", "Dear news, delivery of 4 messages was blocked. Release your messages: http://phish.example/", sender="Admin <admin@phish.example>"), None),
    ("spam-imitation-3", mail("Undelivered Mail: password expires", "Your password for ann@example.org expires today. Keep the same password: http://phish.example/", sender="IT Helpdesk <helpdesk@phish.example>"), None),
    ("advertisement", mail("Undeliverable? Fix your profile", "Recruiters could not be delivered your profile. ann@example.org", sender="Jobs <jobs@spam.example>", headers="List-Unsubscribe: <https://x.example>\n"), None),
    ("parcel", mail("Delivery failed: your parcel could not be delivered", "We could not deliver your parcel to ann@example.org. Pay 2 EUR: http://phish.example", sender="DHL Delivery Service <service@phish.example>"), None),
    ("phish-system", mail("Mail Delivery System: 5 messages undelivered", "Messages to news@example.com could not be delivered. Log in: http://phish.example", sender="Mail Delivery System <admin@phish.example>"), None),
    ("own-loop", ORIGINAL.encode(), [("", "ignore")]),
    ("own-loop-received", b"Received: from mx.example.org by news.example.com; Tue, 24 Nov 2026 10:00:00 +0000\nDelivered-To: b-4f1d2c8a9e-7q@bounce.example.com\n" + ORIGINAL.encode(), [("", "ignore")]),
    ("reply-quoting-bounce", mail("Re: Undelivered Mail Returned to Sender", "Why do I get this?\n\n> This is the mail system at host mx.example.org.\n> <bob@example.org>: host mx said: 550 5.1.1 User unknown", headers="In-Reply-To: <bounce.1@mx.example.org>\n"), [(DEAD, "reply")]),
    ("forward-bounce", mail("Fwd: Undelivered Mail Returned to Sender", "What shall I do?\n\n---------- Forwarded message ----------\nFrom: Mail Delivery System <MAILER-DAEMON@mx.example.org>\n<bob@example.org>: host mx said: 550 5.1.1 User unknown\n", sender="Carl <carl@example.net>"), None),
    ("human-reply", mail("Re: Three new posts", "Lovely, thank you!\n\nOn Tue, 24 Nov 2026 A blog wrote:\n> Hello", headers="In-Reply-To: <h4ndle0f0urs@example.com>\n"), [(DEAD, "reply")]),
    ("human-reply-de", mail("AW: Three new posts", "Danke!\n\nVon meinem iPhone gesendet", headers="References: <h4ndle0f0urs@example.com>\n"), [(DEAD, "reply")]),
    ("human-complains", mail("Re: Three new posts", "Your last mail could not be delivered to my husband, his mailbox is full. User unknown, it said.", headers="In-Reply-To: <h4ndle0f0urs@example.com>\n"), [(DEAD, "reply")]),
    ("ticket", mail("[#4711] We have received your request", "Thank you for contacting us. A ticket was opened.", sender="Support <support@example.org>", headers="Auto-Submitted: auto-generated\n"), None),
    ("list-welcome", mail("Welcome to the list", "You were added.", sender="list-owner@lists.example", headers="List-Id: <x.lists.example>\nPrecedence: list\n"), None),
    ("invoice", mail("Invoice 4711", "Please find attached."), None),
    ("empty", b"", None),
    ("binary", bytes(range(256)) * 20, None),
    ("quarantine-digest", mail("Quarantine Summary: 3 messages", "The following messages were quarantined for ann@example.org.", sender="Quarantine <quarantine@gateway.example.org>", headers="Auto-Submitted: auto-generated\n"), None),
    ("success", plain("Your message has been successfully delivered to the following recipients:\n\nann@example.org\n", sender="postmaster@example.org", subject="Delivery Status Notification (Success)"), None),
    ("expanded-text", plain("Your message was delivered to the following distribution list and has been expanded:\n\nstaff@example.org\n", sender="postmaster@example.org", subject="Expanded: Three new posts"), None),
    ("delay-exchange", office("Delivery is delayed to these recipients or groups:\n\nann@example.org\n\nSubject: Three new posts\n\nThis message hasn't been delivered yet. Delivery will continue to be attempted.\n", "Delivery delayed: Three new posts"), None),
    ("delay-exchange-de", office("Die Zustellung an die folgenden Empfänger oder Gruppen verzögert sich:\n\nann@example.org\n\nDie Nachricht wurde noch nicht zugestellt. Es wird weiterhin versucht, sie zuzustellen.\n", "Verzögert: Three new posts"), None),
    ("delay-exchange-fr", office("La remise à ces destinataires ou groupes est retardée :\n\nann@example.org\n\nCe message n'a pas encore été remis. Les tentatives de remise vont se poursuivre.\n", "Remise retardée : Three new posts"), None),
]
NOTHING += [
    Sample(
        f"nothing-{name}",
        data,
        expected if expected is not None else [("*", "ignore")],
        machine=False,
    )
    for name, data, expected in NOTHINGS
]

SAMPLES = [*MACHINE, *TEXTS, *NOTHING]
