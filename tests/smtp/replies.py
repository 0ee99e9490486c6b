"""Real replies of mail servers by what causes them, as manuals, help pages and bug reports quote them.

Each line reads ``[STAGE ]CODE [STATUS ]TEXT``; without a stage it answers RCPT. Addresses and hosts
are replaced by examples.
"""

from __future__ import annotations

from newsletter.mail.smtp.causes import Cause
from newsletter.mail.smtp.types import Outcome, Reply, Stage

STAGES = ("CONNECT", "MAIL", "RCPT", "DATA", "END")

MAILBOX = """
550 5.1.0 Address rejected
550 5.1.0 Address rejected nobody@example.org
550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address for typos or unnecessary spaces. https://support.google.com/mail/?p=NoSuchUser - gsmtp
550 5.2.1 The email account that you tried to reach is disabled. For more information, go to https://support.google.com/mail/?p=DisabledUser - gsmtp
550 5.2.1 The email account that you tried to reach is inactive. - gsmtp
550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup
550 5.1.1 RESOLVER.ADR.ExRecipNotFound; not found
550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [AM5EUR02FT012.eop-EUR02.prod.protection.outlook.com]
550 5.4.1 [nobody@example.org]: Recipient address rejected: Access denied
550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302). [VE1EUR01FT049.eop-EUR01.prod.protection.outlook.com]
550 Requested action not taken: mailbox unavailable
END 554 delivery error: dd This user doesn't have a yahoo.com account (nobody@example.org) [0] - mta1234.mail.ne1.yahoo.com
END 554 delivery error: dd Not a valid recipient - atlas123.free.mail.bf1.yahoo.com
END 554 30 Sorry, your message to nobody@example.org cannot be delivered. This mailbox is disabled (554.30).
550 5.1.1 <nobody@example.org>: user does not exist
550 5.1.1 unknown or illegal alias: nobody@example.org
550 5.1.1 <nobody@example.org>: inactive email address
550 5.1.1 <nobody@example.org>: Recipient address rejected: User unknown in virtual mailbox table
550 5.1.1 <nobody@example.org>: Recipient address rejected: User unknown in local recipient table
550 5.1.0 <nobody@example.org>: Recipient address rejected: User unknown in virtual alias table
554 5.7.1 <nobody@example.org>: Recipient address rejected: User unknown
550 5.1.1 <nobody@example.org>: Recipient address rejected: undeliverable address: host mx.example.org[192.0.2.1] said: 550 no such person
550 Unrouteable address
550 No Such User Here
550 No such user here
550 5.1.1 sorry, no mailbox here by that name. (#5.1.1)
511 sorry, no mailbox here by that name (#5.1.1 - chkuser)
550 5.1.1 User nobody (nobody@example.org) not listed in Domino Directory
550 nobody@example.org... No such user
550 5.1.1 <nobody@example.org>... User unknown
550 Benutzer nicht bekannt/User unknown
550 Unknown local part nobody in <nobody@example.org>
550 MAILBOX NOT FOUND
550 5.1.1 <nobody@example.org>: Recipient address rejected: Account Closed
550 5.2.1 <nobody@example.org>... User is inactive
550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR204_418 [418]
550 5.2.0 No such mailbox
550 Invalid recipient <nobody@example.org>
553 5.1.1 unknown or invalid recipient address
550 5.1.1 Not our Customer
550 5.1.1 Mailbox not found. Address unknown
550 5.1.6 recipient no longer on server: nobody@example.org
550 5.1.1 No such user - pp
551 User not local; please try <somebody@example.net>
550 Empfänger unbekannt
550 5.1.1 Der Empfänger existiert nicht
550 Das Postfach existiert nicht mehr
550 5.1.1 Utilisateur inconnu
550 5.1.1 Destinataire inconnu
550 Cette adresse n'existe pas
550 5.1.1 El usuario no existe
550 5.1.1 Amazon SES has suppressed sending to this address because it has a recent history of bouncing as an invalid address.
550 Administrative prohibition - recipient mailbox has been closed
550 5.0.0 Mailbox has been deactivated
550 spam@example.org: no such mailbox
553 5.3.0 <nobody@example.org>... Addressee unknown, relay=[192.0.2.1]
550 #5.1.0 Address rejected nobody@example.org: user unknown
550 5.1.1 Recipient address rejected: {Gateway} User does not exist
550 Requested action not taken: mailbox unavailable For explanation visit https://postmaster.gmx.net/en/case?c=r0601&i=recipient&v=x&r=1M
553 Invalid/inactive user
550 Error 60: No mailbox
550 <nobody@example.org>, destin. sconosciuto
550 Questo indirizzo non esiste
550 mailbox <nobody@example.org> unavailable
552 <nobody@example.org> is a disabled mailbox
551 <nobody@example.org> is a deactivated mailbox
554 RCPT (nobody@example.org) dosn't exist
554 Rcpt <nobody@example.org> does not exist
550 Esta casilla ha expirado por falta de uso.
550 #5.1.0 Address rejected. (in reply to RCPT TO command)
550 Rule imposed mailbox access for nobody@example.org refused: user invalid
550 mail receiving disabled
550 5.1.1 L'utilisateur nobody ne figure pas dans l'annuaire
550 Unrecognised O/R name
550 User does not have a mailbox on this system
550 not user of this server
550 unavailable mail user
550 local server don't exists that user
550 Uživatel neexistuje
550 이 사용자는 존재하지 않습니다
550 Usuário não encontrado
550 Cuenta inexistente
"""

DOMAIN = """
556 5.1.10 Recipient address has a null MX
550 5.1.2 <nobody@example.invalid>: Recipient address rejected: Domain not found
550 5.4.310 DNS domain example.invalid does not exist [Message=InfoDomainNonexistent]
550 The message could not be delivered because the domain name (example.invalid) does not appear to be registered.
553 5.1.2 Bad destination system address
550 5.1.2 Sorry, I couldn't find any host named example.invalid
550 all relevant MX records point to non-existent hosts
521 5.3.2 example.org does not accept mail (see RFC7504)
550 5.1.10 Null MX
550 5.4.4 Unable to route
550 Domain does not exist
550 5.1.2 The recipient domain is unknown
550 unrouteable mail domain "example.invalid"
550 RCPT address has non-existant domain example.invalid
550 Illegal host/domain name found
"""

MAILBOX_FULL = """
450 4.2.0 try later
452 4.2.2 The recipient's inbox is out of storage space. Please direct the recipient to https://support.google.com/mail/?p=OverQuotaTemp - gsmtp
552 5.2.2 The recipient's inbox is out of storage space and inactive. https://support.google.com/mail/?p=OverQuotaPerm - gsmtp
552 5.2.2 <full@example.org>: user is over quota
552 5.2.2 Over STORAGE quota
554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded; Failed to process message due to a permanent exception
END 552 5.2.2 <full@example.org>: Quota exceeded (mailbox for user is full)
422 4.2.2 Quota limit exceeded (Speicherplatz des Kontos ueberschritten)
550 Benutzer hat das Speichervolumen ueberschritten. / User has exhausted allowed storage space.
550 Benutzer hat zuviele Mails auf dem Server. / User has too many messages on the server.
451 qq trouble in home directory
552 Requested mail action aborted: exceeded storage allocation
450 4.2.1 The user you are trying to contact is receiving mail too quickly. Please resend your message at a later time. If the user is able to receive mail at that time, your message will be delivered.
450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered. - gsmtp
450 5.2.1 recipient mailbox temporarily disabled
550 5.2.2 Mailbox is full
452 4.2.2 Mailbox full
552 Mailbox quota exceeded / Das Postfach ist voll
550 Das Postfach des Empfängers ist voll
552 La boite aux lettres du destinataire est pleine
552 5.2.2 Boîte du destinataire pleine. Mailbox full. OFR_417 [417]
END 554 delivery error: dd Requested mail action aborted: exceeded storage allocation - mta1234
550 5.2.121 The recipient's per hour message receive limit from this sender was exceeded
550 5.2.122 The recipient's per hour message receive limit exceeded
552 spam-reports@example.org: mailbox over quota
452 4.3.1 Insufficient system storage
450 4.1.1 <x@example.org>: Recipient address rejected: unverified address: Address verification in progress
550 5.2.1 Mailbox temporarily unavailable: account is locked
421 4.7.1 Messages to x@example.org deferred due to excessive volume. Try again later
432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded
552 Mailbox limit exeeded for this email address
552 Permanent failure, user is over quote
550 收件人空间不足
550 NOACTIVITY: Sorry, no recipient activity since 2019-04-01
550 Mailbox nobody@example.org is locked due to inactivity for more than 180 days
550 Mailbox is blocked due to long-time inactivity
552 The recipient's mailbox has reached its maximum size
552 5.2.2 Their inbox is full, or it's getting too much mail right now.
552 Ящик получателя переполнен
552 Mailbox is over the maximum allowed number of messages
552 5.7.0 Number of messages exceeds maximum allowed messages in mailbox
550 Skrzynka odbiorcy jest pełna
552 Casella di posta piena
"""

RECIPIENT_POLICY = """
550 5.7.124 Sender not in allowed-senders list
550 5.7.133 Sender not authenticated for group
550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized
550 5.7.1 RESOLVER.RST.AuthRequired; authentication required
550 you are not allowed to send mail to <somebody@example.org>
452 <somebody@example.org> Mailbox delivery restricted by policy error
550 5.7.1 The group only accepts messages from people in its organization
END 550 5.7.1 Blocked by the recipient
550 recipient does not want mail from you
END 406 You tried to send to a recipient that has been marked as inactive.
550 5.7.193 UserNotFound; the sender may not reach this Teams channel: external senders are not allowed
550 Members-only list: you are not a member of this list
550 5.7.1 Blacklisted by recipient
550 5.7.1 Policy rejection on the target address
554 5.7.105 SenderFilterAgent; Sender denied as sender's email address is on SenderFilterConfig list
550 Requested action not taken: Local user only
"""

QUOTA = """
MAIL 452 4.5.3 Daily message limit exceeded
454 Throttling failure: Daily message quota exceeded
MAIL 454 Throttling failure: Daily message quota exceeded.
550 5.4.5 Daily user sending limit exceeded. For more information on Gmail sending limits go to https://support.google.com/a/answer/166852 - gsmtp
END 550 5.4.5 Daily user sending quota exceeded. s5sm12197523qke.120 - gsmtp
550 5.4.5 Daily SMTP relay sending limit exceeded for this user. - gsmtp
550 5.7.1 Daily SMTP relay limit exceeded for customer. For more information on SMTP relay sending limits please contact your administrator
450 4.2.1 Peak SMTP relay limit exceeded for customer. This is a temporary error.
550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients
550 5.7.232 Your message can't be sent because your trial tenant has exceeded its daily limit for sending email to external recipients (tenant external recipient rate limit)
550 5.7.233 Your message can't be sent because your tenant has exceeded its daily limit for sending email to external recipients
550 5.7.705 Access denied, tenant has exceeded threshold
END 554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message
550 Domain example.org has exceeded the max emails per hour (150/150 (100%)) allowed. Message discarded.
550 Domain example.org has exceeded the max defers and failures per hour (5/5 (100%)) allowed. Message discarded.
451 Domain example.org has exceeded the max emails per hour (2/2 (100%)) allowed. Message will be reattempted later
450 Requested mail action not taken: mailbox unavailable Mail send limit exceeded.
550 Requested action not taken: mailbox unavailable Mail send limit exceeded
451 Authentication failed: Maximum credits exceeded
452 Too many recipients received this hour (throttled)
END 554 5.7.0 Your message could not be sent. The limit on the number of allowed outgoing messages was exceeded. Try again later.
550 5.7.1 Your mail limit has been reached.
554 5.7.1 <email@example.com>: Recipient address rejected: You have exceeded your Outmail quota
550 User me@example.org has exceeded its 24-hour sending limit. Messages to 25 recipients out of 25 allowed have been sent.
END 552 Message would take you over your relay quota of 500 Current quota used: 487
DATA 554 5.7.1 <DATA>: Data command rejected: only 10 messages per day
DATA 554 5.7.1 <DATA>: Data command rejected: limit of 400 rcpts per 24 hours for client me@example.org reached
END 550 send spam mail rejected: exceeded hour limit
554 5.7.1 Reached address outgoing limits for me@example.org
450 Your account reached its email quota limit. Contact support to increase it. #MS42204
550 User has exceeded outgoing email quota
451 4.7.1 Hourly limit exceeded
450 4.7.1 message count quota exceeded
451 4.7.1 Number messages per hour exceeded
550 5.7.1 You've reached your sending limit. Don't worry you can send again soon.
552 5.2.2 This message is larger than the current system limit: sending quota exceeded for user
END 550 Sending quota for your plan exceeded, upgrade your plan
450 4.7.0 Stündliches Versandlimit überschritten
550 Sie haben das Limit von 500 E-Mails pro Stunde erreicht
550 5.7.1 Tageslimit erreicht: maximale Anzahl E-Mails pro Tag
554 Ihr Versandkontingent ist aufgebraucht
550 5.7.1 Quota d'envoi dépassé: 200 messages par heure
550 Limite d'envoi atteinte, réessayez dans une heure
451 4.7.1 Vous avez dépassé le nombre maximal de messages par jour
550 Not enough credits to send this email
454 4.7.1 Sender is overlimit
550 Przekroczono limit wysłanych wiadomości na godzinę
550 Превышен лимит отправки писем в час
451 MI:SFQ 163 smtp9,please see http://mail.163.example/help/help_spam_16.htm
"""

PACE = """
MAIL 452 4.4.5 Messages per second limit exceeded
550 5.2.253 sender throttled: your account is suspended because of invalid license
454 Throttling failure: Maximum sending rate exceeded.
MAIL 454 4.7.0 Throttling failure: Maximum sending rate exceeded
421 Rate limit reached. Please try again later
450 4.7.1 Error: too much mail from 192.0.2.1
550 5.7.1 [STF] Sending too fast
550 Too many messages. Try again in 92 seconds.
554 sorry, too many emails (#5.7.1)
451 4.7.1 Ratelimit "user" exceeded
554 5.7.1 <me@example.org>: SASL login name rejected: You are sending too many emails too fast.
450 4.3.2 Please wait to send more emails, or contact support for a rate limit increase.
452 4.5.3 Too many messages
421 4.7.0 player771.ha.ovh.net Error: too many errors
451 4.7.500 Server busy. Please try again later from [192.0.2.1].
550 5.7.508 Access denied, [192.0.2.1] has exceeded permitted limits within range
450 4.4.2 The sending IP has been throttled
550 Requested action not taken: mailbox unavailable Failure sending mail. Try again later.
450 Zu viele E-Mails in kurzer Zeit, bitte langsamer senden
421 Trop de messages, ralentissez
450 too fast, slow down
MAIL 451 4.4.5 Server busy: message rate exceeded
554 5.7.1 You are sending too many emails at once
421 HL:IFC 163 mx8, please see http://mail.163.example/help
450 MI:DMC 163 mx8
"""

CONNECTIONS = """
421 4.7.0 mx.example.org Error: too many connections from 192.0.2.1
MAIL 432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information.
MAIL 432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded
450 too frequent connects from 198.51.100.1, please try again later.
421 Too many concurrent SMTP connections; please try again later.
421 mwinf5c04 ME Trop de connexions, veuillez verifier votre configuration. Too many connections, slow down. OFR004_104 [104]
421 4.7.0 Too many simultaneous connections from your host
452 4.3.2 Connection rate limit exceeded.
421 Zu viele Verbindungen von Ihrer Adresse
CONNECT 421 Maximum number of concurrent connections exceeded
550 5.7.1 Too many sessions opened from your account
MAIL 454 4.7.0 Too many login attempts, please try again later
421 HL:ICC 163 mx8, please see http://mail.163.example/help
"""

ACCOUNT = """
MAIL 530 5.7.0 Authentication Required. For more information, go to https://support.google.com/mail/?p=WantAuthError - gsmtp
535 5.7.8 Username and Password not accepted. - gsmtp
MAIL 530 5.7.57 Client not authenticated to send mail.
END 554 5.2.252 SendAsDenied; me@example.org not allowed to send as other@example.org; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied
MAIL 550 5.7.60 SMTP; Client does not have permissions to send as this sender
550 5.1.8 Access denied, bad outbound sender AS(42003)
550 5.7.64 TenantAttribution; Relay Access Denied
END 554 Message rejected: Email address is not verified. The following identities failed the check in region US-EAST-1: me@example.org
END 554 Message rejected: Sending paused for this account.
550 Unauthenticated senders not allowed
END 550 The from address does not match a verified Sender Identity. Mail cannot be sent until this error is resolved.
END 412 Account pending approval: your account is pending approval
END 400 The 'From' address you supplied is not a Sender Signature on your account.
MAIL 525 5.7.1 Unauthorized IP address
MAIL 502 5.7.0 Please authenticate first
MAIL 502 5.7.0 Your SMTP account is not yet activated. Contact us
MAIL 553 Relaying disallowed as me@example.org
550 5.4.6 Unusual sending activity detected. Please try after sometime.
END 554 5.1.8 Email Outgoing Blocked
MAIL 554 5.1.8 Sender Address Blocked
550 relay not permitted
554 5.7.1 <x@example.org>: Relay access denied
553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)
END 550 Sandbox subdomains are for test purposes only. Please add your own domain or add the address to authorized recipients
END 420 Domain example.org is not allowed to send: your account is disabled. Please contact support
550 5.7.1 Your account has been blocked for spam. Contact OVHcloud support
550 Ihr Konto wurde für den Versand gesperrt
554 Votre compte est suspendu pour l'envoi
550 5.7.1 The IP you're using to send mail is not authorized to send email directly to our servers. Please use the SMTP relay at your service provider instead.
454 4.7.0 Temporary authentication failure
550 Access denied - your subscription has expired
550 5.7.1 Unable to relay for x@example.org
550 SMTP sending is disabled for this mailbox
550 Domain example.com has an outgoing mail suspension. Message discarded.
550 5.1.1 <bounces@example.com>: unauthorized sender
451 Requested mail action not taken: too much fail authentication
550 Your subscription has ended; renew it to go on sending
"""

SENDER = """
MAIL 553 5.1.8 <me@example.org>: Sender address rejected: Domain not found
550 5.1.8 <me@example.org>: Sender address rejected: Domain not found
550 5.1.7 <me@example.org>: Sender address rejected: undeliverable address
MAIL 550 Sender verify failed
550 Sender verify failed
553 5.7.1 <me@example.org>: Sender address rejected: not owned by user me@example.org
MAIL 553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)
MAIL 550 5.1.0 sender rejected
MAIL 553 5.1.3 Invalid address
MAIL 550 unknown user
MAIL 550 5.1.1 mailbox unavailable
550 Absenderadresse abgelehnt
MAIL 501 5.1.7 Invalid address
550 Sender me@example.com has no A, AAAA, or MX DNS records. 0_1
550 5.2.0 Header from and envelope from do not match the authenticated mailbox
550 Requested mail action not taken: Fake sender
550 Domain may not exist or DNS check failed
"""

AUTHENTICATION = """
END 550 5.7.26 This mail has been blocked because the sender is unauthenticated. Gmail requires all senders to authenticate with either SPF or DKIM.
END 550 5.7.26 Unauthenticated email from example.org is not accepted due to domain's DMARC policy. - gsmtp
END 421 4.7.26 This mail is unauthenticated, which poses a security risk to the sender and Gmail users
END 421 4.7.27 Your email has been rate limited because SPF authentication didn't pass for this message.
END 550 5.7.25 The IP address sending this message does not have a PTR record setup
END 550 5.7.515 Access denied, sending domain EXAMPLE.ORG does not meet the required authentication level.
END 550 5.7.509 Access denied, sending domain example.org does not pass DMARC verification and has a DMARC policy of reject.
END 550 5.7.1 Your message was rejected due to example.com DMARC policy.
END 550 5.7.1 Email rejected per DMARC policy for example.com
550 <me@example.org>: Reject due to SPF policy. The originating IP of the message is not permitted by the domain owner
450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]
MAIL 450 4.7.1 <mx.example.org>: Helo command rejected: Host not found
CONNECT 554 Refused. Your reverse DNS entry contains your IP address and a country code.
550 5.7.1 <host.example.org>: Helo command rejected: need fully-qualified hostname
END 554 5.7.9 Message not accepted for policy reasons: DKIM signature failed
MAIL 530 Must issue a STARTTLS command first
END 550 5.7.23 SPF validation failed
421 4.7.29 This message was not sent over a TLS connection: TLS required
474 example.org no DNS A-data returned
"""

REPUTATION = """
521 5.2.1 :  (CON:B1)  http://postmaster.info.aol.com/errors/554conb1.html
554 IP=192.0.2.1 - A problem occurred. (Ask your postmaster for help or to contact tosa@rx.t-online.de to clarify.) (BL)
550 "The mail server could not deliver mail to nobody@example.org. The account or domain may not exist, they may be blacklisted, or missing the proper dns entries."
550 5.7.501 Access denied, spam abuse detected
421 4.7.28 Gmail has detected an unusual rate of mail
421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes
421 4.7.1 [TS03] All messages from 192.0.2.1 will be permanently deferred; Retrying will NOT succeed.
553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list
MAIL 550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3150).
550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal from this list please visit https://sender.office.com/
451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation.
550 5.7.511 Access denied, banned sender[192.0.2.1].
554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.1
554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using ix.dnsbl.manitu.net
CONNECT 554 gmx.net (mxgmx104) Nemesis ESMTP Service not available No SMTP service IP address is block listed. For explanation visit https://postmaster.gmx.net/en/case?c=r0201
550 5.7.0 Blocked- see https://support.proofpoint.com/dnsbl-lookup.cgi?ip=192.0.2.1
END 550 5.7.1 Mail from IP 192.0.2.1 was rejected due to listing in Spamhaus SBL.
421 4.7.0 Our system has detected an unusual rate of unsolicited mail originating from your IP address. To protect our users from spam, mail sent from your IP address has been temporarily blocked.
END 550 5.7.1 [192.0.2.1] Our system has detected an unusual rate of unsolicited mail originating from your IP address.
CONNECT 554 IP=192.0.2.1 - A problem occurred. (Ask your postmaster for help or to contact tosa@rx.t-online.de to clarify.) None/bad reputation.
550 5.7.1 Connection refused - [192.0.2.1] blocked by Vade Threat List
550 5.2.0 Mail rejete. Mail rejected. OFR_506 [506]
421 4.7.1 too many invalid recipients from your server
554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1
550 High probability: your mail server is on the Barracuda reputation list
550 SC-001 (COL004-MC1F5) Unfortunately, messages from 192.0.2.1 weren't sent.
550 5.7.1 <x@example.org>: Recipient address rejected: your network is blacklisted
550 black ip
550 IP is rejected
"""

CONTENT = """
END 550 5.7.1 [192.0.2.1] Our system has detected that this message is likely unsolicited mail. To reduce the amount of spam sent to Gmail, this message has been blocked.
END 552 5.7.0 This message was blocked because its content presents a potential security issue. https://support.google.com/mail/?p=BlockedMessage
END 554 5.7.9 Message not accepted for policy reasons. [PH01] Email not accepted for policy reasons
END 550 5.7.1 [CS01] Message rejected due to local policy. Please visit https://support.apple.com/en-us/HT204137
END 552 5.7.1 virus Win.Test.EICAR_HDB-1 detected by Zoho Mail
571 5.7.1 message classified as spam (Nachricht als Spam eingestuft)
END 554 5.7.1 Spam message rejected
END 550 This message was classified as SPAM and may not be delivered
END 554 Message rejected because of its content
END 550 5.7.1 Your message contains a link to a phishing site
END 554 5.6.0 Message contains malware
END 552 message rejected by anti-spam engine.
END 550 High probability of spam
END 550 Diese Nachricht wurde als unerwünscht abgelehnt
END 550 5.7.1 Message indésirable
550 Content reject
"""

POLICY = """
550 5.7.1 The user or domain that you are sending to (or from) has a policy that prohibited the mail that you sent. - gsmtp
550 5.7.1 The user or domain that you are sending to (or from) has a policy that prohibited the mail that you sent. - gsmtp
550 5.7.1 Delivery not authorized, message refused
421 Reject due to policy violations
450 Reject due to policy violations.
554 Transaction failed Reject due to policy restrictions. For explanation visit https://postmaster.1und1.de/en/error-messages
550 Administrative prohibition
550 5.7.1 Requested action not taken: message refused
550 5.7.1 Access denied
550 Requested action not taken: mailbox unavailable Reject due to policy restrictions
554 5.7.1 <x@example.org>: Recipient address rejected: Access denied
451 policy- SC01
END 550 5.7.1 This message violates example.com email policy. - gcdp
MAIL 554 nope
CONNECT 554 No SMTP service here
"""

TOO_LARGE = """
MAIL 552 5.3.4 Message size exceeds fixed maximum message size
END 552 5.3.4 Your message exceeded Google's message size limits.
END 552 Message too large
MAIL 552 Message size exceeds maximum permitted
END 552 5.2.3 Message too big for this mailbox
END 554 5.2.0 Email size exceeded the policy.
MAIL 552 5.3.4 the message is larger than the 1000 octets the server takes
END 552
END 550 5.0.0 message too large
552 5.0.0 Error: message too large
550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient
END 552 5.3.0 message too big
END 552 Die Nachricht ist zu groß
END 552 Message trop volumineux
"""

FORMAT = """
RCPT 553 5.6.7 the address needs SMTPUTF8, which this server does not offer
END 554 5.6.0 Lone CR or LF in header
END 550 5.6.11 SMTPSEND.BareLinefeedsAreIllegal; message contains bare linefeeds, which cannot be sent via DATA
END 554 5.6.2 Conversion required but not supported
END 550 5.7.1 Messages with multiple addresses in From: header are not accepted: RFC 5322
"""

PROTOCOL = """
DATA 503 5.5.1 Bad sequence of commands
MAIL 501 5.5.4 Invalid arguments
500 5.5.2 Syntax error, command unrecognized
502 Command not implemented
MAIL 555 5.5.4 Unsupported option: RET
501 Syntax error in parameters or arguments
"""

GREYLISTED = """
450 4.2.0 Recipient address rejected: Greylisted
451 4.7.1 Greylisting in action, please come back later
450 4.7.1 <x@example.org>: Recipient address rejected: Policy Rejection- greylisted for 5 minutes
451 Greylisted, please try again in 300 seconds
450 4.2.0 <x@example.org>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/example.org.html
"""

TEMPORARY = """
421 4.3.0 Temporary System Problem. Try again later
451 Temporary local problem - please try later
451 Requested action aborted: local error in processing
451 4.3.0 Mail server temporarily rejected message.
451 4.4.2 Timeout - closing connection.
421 4.3.2 Closing
451 4.7.1 Service unavailable - try again later
552 Too many recipients here
450 4.4.3 Host or domain name not found. Name service error for name=example.org type=MX: Host not found, try again
550 5.4.6 mail for example.org loops back to myself
451 xyzzy
450
550 5.4.7 Delivery time expired
451 4.3.5 Server configuration problem
"""

PERMANENT = """
550 delivery to the recipient failed for an unknown reason
550 The recipient's server no longer accepts mail from you
550 The recipient's certificate is invalid
550 recipient: your message was removed
550
550 nope
END 554 Message rejected
554 xyzzy plugh
END 554 Transaction failed
550 5.0.0 Cowsay moo
550 Requested action not taken: mailbox unavailable Bitte rufen Sie den Kundendienst
599 whatever
"""

CORPUS: dict[Cause, str] = {
    Cause.MAILBOX: MAILBOX,
    Cause.DOMAIN: DOMAIN,
    Cause.MAILBOX_FULL: MAILBOX_FULL,
    Cause.RECIPIENT_POLICY: RECIPIENT_POLICY,
    Cause.QUOTA: QUOTA,
    Cause.PACE: PACE,
    Cause.CONNECTIONS: CONNECTIONS,
    Cause.ACCOUNT: ACCOUNT,
    Cause.SENDER: SENDER,
    Cause.AUTHENTICATION: AUTHENTICATION,
    Cause.REPUTATION: REPUTATION,
    Cause.CONTENT: CONTENT,
    Cause.POLICY: POLICY,
    Cause.TOO_LARGE: TOO_LARGE,
    Cause.FORMAT: FORMAT,
    Cause.PROTOCOL: PROTOCOL,
    Cause.GREYLISTED: GREYLISTED,
    Cause.TEMPORARY: TEMPORARY,
    Cause.PERMANENT: PERMANENT,
}


def read_reply(line: str) -> Outcome:
    """Read one line of the corpus as the refusal of a message."""
    stage, _, rest = line.partition(" ")
    if stage not in STAGES:
        stage = "RCPT"
        rest = line
    code, _, text = rest.partition(" ")
    status, _, words = text.partition(" ")
    if status.count(".") != 2 or not status.replace(".", "").isdigit():
        status = ""
        words = text
    place: Stage = stage  # type: ignore[assignment]
    return Outcome(1, "refused", place, Reply(int(code), status, words), "mx.example.org")


def replies(cause: Cause) -> list[str]:
    """List the replies of one cause."""
    return [line for line in CORPUS[cause].splitlines() if line]
