"""List rules for server replies about us: quotas, pace, accounts, authentication, reputation.

Data only.

Each rule names where its wording is documented. What patterns are matched against, and in which
order, is in `reply_rules.py`.
"""

from __future__ import annotations

from newsletter.mail.smtp.causes import Cause, Rule

BAD_DELIVERY_RATE = Rule(
    Cause.REPUTATION,
    "IONOS SMTP-Fehlermeldungen (poor delivery rate); Exim ACL documentation, dictionary attacks",
    (
        r"too many (?:invalid|unknown|bad|wrong|non-?exist\w{0,12}|unknown or invalid) "
        r"(?:recipient|user|address|mailbox|rcpt)",
        r"directory harvest|dictionary attack",
        r"(?:schlechte|poor|bad) (?:zustellquote|delivery rate)",
    ),
)

TOO_MANY_CONNECTIONS = Rule(
    Cause.CONNECTIONS,
    "Exchange Online (432 4.3.2 sender thread limit); Postfix anvil(8), TUNING_README; Orange "
    "(OFR004_104 Trop de connexions); SendGrid (450 too frequent connects); Dovecot Submission",
    (
        r"too many .{0,40}(?:connections?|sessions?|connects|login)|\bhl:icc\b",
        r"too frequent connect",
        r"(?:concurren\w{0,12}|simultan\w{0,12}|parallel\w{0,12}|gleichzeitig\w{0,12}) "
        r".{0,30}(?:connection|session|verbindung|connexion|limit)",
        r"(?:connection|session|concurrency|thread)s? (?:rate |count )?(?:limit|quota|count|"
        r"exceeded)",
        r"(?:maximum|max\.?|limit\w{0,12}) .{0,30}(?:connection|session|verbindung|connexion)",
        r"zu viele .{0,30}verbindung|trop de (?:connexion|session)",
        r"(?:connections?|sessions?) (?:from your|per) .{0,30}(?:exceed|limit|maximum)",
    ),
)

SENDING_RATE = Rule(
    Cause.PACE,
    "Amazon SES, Errors related to sending quotas (Maximum sending rate exceeded); MailChannels "
    "(550 5.7.1 [STF] Sending too fast)",
    (
        r"(?:sending|send|messages?|mail|delivery|submission) rate",
        r"(?:per|pro|par|je) (?:second|sekunde|seconde|minute)\b",
        r"sending too (?:fast|quickly)|\bhl:ifc\b|\bmi:dmc\b|\brp:drc\b",
    ),
)

SENDING_QUOTA = Rule(
    Cause.QUOTA,
    "Amazon SES (Daily message quota exceeded); Gmail (5.4.5 Daily user sending limit, SMTP "
    "relay limit); cPanel (has exceeded the max emails per hour, max defers and failures per "
    "hour); IONOS, mass mailing limits (Mail send limit exceeded); Exchange Online NDR 5.1.90, "
    "5.7.232; SendGrid (Maximum credits exceeded, received this hour); Plesk (allowed outgoing "
    "messages); StartMail (Your mail limit has been reached); Prolateral (exceeded your Outmail "
    "quota)",
    (
        r"(?:daily|hourly|weekly|monthly|24.{0,3}hours?|per (?:hour|day|week|month)) "
        r".{0,50}(?:quota|limit|allow|maxim|exceed|reach)",
        r"(?:quota|limit|allow\w{0,12}|maxim\w{0,12}|max|exceed\w{0,12}|reached|too many|number) "
        r".{0,60}(?:daily|hourly|monthly|per (?:hour|day|week|month)|this (?:hour|day|month)|"
        r"today|an hour|a day|in 24|last 24|24.hour)",
        r"(?:send|sending|sender|sent|outgoing|outbound|submission|smtp|relay\w{0,12}|your|user "
        r"e-?mail|user mail|user message|user smtp|user sending) (?:e-?mail |mail |message |smtp "
        r"|relay )?(?:quota|limit|allowance|credit)s?\b.{0,40}(?:exceed|reach|over|hit|exhaust|"
        r"used|deplet)",
        r"(?:exceed\w{0,12}|reached|over|hit|used up|exhausted) .{0,40}(?:send|sending|sender|"
        r"outgoing|outbound|submission|smtp|relay\w{0,12}|out ?mail) (?:e-?mail |mail |message "
        r")?(?:quota|limit|allowance|credit)",
        r"(?:limit|quota|maximum|number) .{0,40}(?:allowed |of )?(?:outgoing|outbound|sent) ",
        r"you(?:.ve| have)? .{0,20}(?:exceeded|reached|used) (?:your|the) .{0,40}(?:quota|limit|"
        r"allowance|credit)",
        r"(?:mail|message|e-?mail) (?:count |sending |send )?(?:quota|limit)s? (?:has been |was |"
        r"is )?(?:exceed|reach)",
        r"(?:max\w{0,12} |insufficient |not enough |no (?:more )?|out of |no remaining "
        r")(?:e-?mail |sending |sms )?credits?\b",
        r"credits? (?:exceeded|exhausted|expired|limit)",
        r"submissionquota|tenant has exceeded",
        r"only \d{1,9} (?:messages?|mails?|e-?mails?|recipients?) (?:per|in|every)|hour(?:ly)? "
        r"limit|(?:hourly|daily|monthly|sending) .{0,20}\bcap\b|your account (?:has )?(?:reached|"
        r"exceeded|hit) .{0,30}(?:quota|limit)",
        r"plan.{0,20}(?:limit|quota)|(?:limit|quota).{0,20}of (?:your|the) (?:plan|subscription)",
        r"limit fur (?:aus|den versand)|limit fuer (?:aus|den versand)",
        r"(?:versand|sende)-?(?:limit|grenze|kontingent|quota)|mail-?versand-?limit",
        r"(?:limit|grenze|kontingent|anzahl|maxim\w{0,12}|zu viele) .{0,60}(?:pro|je|in der|"
        r"diese\w?) (?:letzten )?(?:stunde|tag|woche|monat)",
        r"(?:stunden|tages|monats|stundliche\w{0,12}|stuendliche\w{0,12}|tagliche\w{0,12}|"
        r"taegliche\w{0,12})[ -]?\w{0,20}(?:limit|kontingent|grenze|maxim)",
        r"(?:quota|limite|nombre) .{0,30}(?:d.envois?|d.e-?mails|de messages|"
        r"envoyes)\b.{0,40}(?:depass|attein|maxim|par|autoris)",
        r"(?:limite|quota|nombre) .{0,60}par (?:heure|jour|mois)",
        r"(?:limite|quota) .{0,20}d.envoi",
        r"(?:limite|cuota) de envio|limite (?:di|d.)? ?invio|(?:sender|user|account) (?:is )?over ?"
        r"limit|\bmi:sfq\b",
        r"limit\w{0,3} .{0,10}wys[lł]an|лимит\w{0,3} .{0,10}(?:отправ|исходящ)",
    ),
)

UNAUTHENTICATED = Rule(
    Cause.AUTHENTICATION,
    "Gmail (4.7.27 rate limited because SPF authentication did not pass, 5.7.26); iCloud (DMARC "
    "policy); Exchange Online 5.7.509; RFC 7372",
    (
        r"\bdmarc\b|\bdkim\b|\bdomainkeys\b|\bspf\b(?!=(?:pass|none))|\barc\b.{0,20}fail",
        r"unauthenticated (?:e-?mail|mail|message)|(?:sender|mail|message) is unauthenticated",
    ),
)

BLOCKLISTED = Rule(
    Cause.REPUTATION,
    "Exchange Online 4.7.650 (rate limited due to IP reputation); NetEase 163 (421 HL:REP, 550 "
    "RP:TRC); AOL (CON:B1); T-Online; "
    "Spamhaus, Barracuda and Vade reply texts; GMX (IP address is block listed)",
    (
        r"\((?:con|dyn|rly|hvu|sna|hvip|dns):\w\d{1,2}\)|\b(?:hl|mi|rp|wm):[a-z]{3}\b|aup#|"
        r"\bcxbl|\bbl\d{6}\b",
        r"a problem occurred\W{1,3}ask your postmaster",
        r"black-? ?list(?!ed by (?:the )?recipient)|block-? ?list|deny-? ?list|threat list|"
        r"reputation|spamhaus|spamcop|"
        r"\bdnsbl\b|barracuda|black ip|unusual rate of|suspected bounce attack",
    ),
)

THROTTLED = Rule(
    Cause.PACE,
    "Amazon SES (454 Throttling failure); Postfix anvil(8) (message rate); IONOS and GMX (421 "
    "Rate limit reached); Tencent QQ (550 Ip frequency limited); Exchange Online (4.7.500, "
    "5.7.508); RFC 7505/5248 (X.7.28 mail flood); "
    "Mailgun and Postmark (rate limit); cloud4u (550 Too many messages)",
    (
        r"throttl",
        r"rate[ -]?limit|ratelimit|rate control|rate exceed|over rate",
        r"too (?:fast|quickly|frequent\w{0,12})\b",
        r"too (?:many|much) (?:messages?|e-?mails?|mails?|requests|commands|errors|transactions|"
        r"deliveries|concurrent)",
        r"slow(?: |-)?down|mail flood|flooding|frequency limit",
        r"excessive (?:volume|traffic|sending)|volume .{0,20}exceed",
        r"exceeded permitted limits|failure sending mail\W{1,3}try again later",
        r"zu (?:viele|schnell|hauf\w{0,12}) ?(?:nachricht|e-?mail|mails)?",
        r"trop de (?:messages|mails|courriels|requetes)|trop (?:vite|rapide)",
        r"(?:number of|too many) (?:messages|recipients|e-?mails) .{0,20}(?:in (?:a|one|this) "
        r"session|on this connection)",
    ),
)

ACCOUNT_REFUSED = Rule(
    Cause.ACCOUNT,
    "Gmail (5.7.8, 5.7.9, 5.5.1 authentication, 5.7.1 relay denied); Exchange Online NDR 5.1.8 "
    "(bad outbound sender), 5.7.57, 5.7.60, 5.7.64, 5.7.501-503, 5.7.705-750; Amazon SES (Email "
    "address is not verified, sending paused); SendGrid (unauthenticated senders, 403); Mailgun "
    "(domain disabled, sandbox); Postmark (412 pending approval); Brevo (525 Unauthorized IP "
    "address, account not activated); Zoho (Relaying disallowed, Unusual sending activity, Email "
    "Outgoing Blocked); OVHcloud (account blocked for spam); Exim (relay not permitted)",
    (
        r"your (?:smtp |e-?mail |sending |user |mail |sender )?(?:account|mailbox|domain|server|"
        r"service|subscription|api key|plan) .{0,30}(?:suspend|disabl|block|lock|deactivat|"
        r"inactiv|limited|review|not (?:been )?(?:active|activated|allowed|approved|verified|"
        r"permitted|enabled)|closed|terminated|restrict|expired|pending|cannot send|can.t send|"
        r"may not send)",
        r"(?:this|smtp|sending|sender\S{0,3}|user|customer) (?:e-?mail )?account "
        r".{0,20}(?:suspend|disabl|block|not (?:active|activated|authori[sz]ed)).{0,40}(?:send|"
        r"smtp|relay)",
        r"account (?:is )?(?:not (?:yet )?(?:activated|approved|verified)|pending approval|under "
        r"review)",
        r"(?:sending|outgoing|outbound|smtp|relay\w{0,12}|submission|mail service)\S{0,3} "
        r".{0,30}(?:disabled|suspended|paused|blocked|deactivated|not (?:enabled|activated))",
        r"(?:subscription|plan|trial) has (?:ended|expired)",
        r"outgoing mail suspen|too much fail authentication|unusual sending activity|bad outbound "
        r"sender|sender address blocked|outbound spam",
        r"not (?:allowed|permitted|authori[sz]ed|eligible|entitled) to (?:send|relay|submit)",
        r"(?:may|can ?|do|does|is) ?not .{0,20}permission to (?:send|relay|submit)|send ?as "
        r"?denied|sendas",
        r"(?:sender|from|e-?mail|domain|identity|identities|signature).{0,40}not (?:yet "
        r")?(?:been )?(?:verified|confirmed|validated|registered)",
        r"(?:unverified|unconfirmed|unauthori[sz]ed|unregistered|unauthenticated) (?:e-?mail "
        r")?(?:sender|domain|address|ip|from|identity|client|user)",
        r"identities failed the check|sender signature|verified sender identity",
        r"relay(?:ing)?,? (?:access )?(?:is )?(?:denied|not (?:permitted|allowed)|disallowed|"
        r"prohibited|refused|attempt|restricted|rejected|disabled)",
        r"(?:unable|cannot|can.t|not allowed|refuse\w{0,12}|not permitted|do(?:es)? not|don.t|"
        r"not going) to relay|(?:does|do) not relay|won.t relay|no relay|not relay|denies relay|"
        r"allowed rcpthosts|tenantattribution",
        r"authenticat(?:ion|e) (?:is )?(?:required|failed|failure|unsuccessful|credentials|"
        r"rejected|refused|needed|first|error)|not (?:been )?(?:properly )?authenticated$|client "
        r"was not authenticated|must (?:be )?authenticat|please authenticat|auth required",
        r"(?:username|user name|login|password|credentials?) .{0,30}(?:not accepted|incorrect|"
        r"invalid|wrong|rejected|required|expired)|(?:invalid|incorrect|wrong|bad) (?:login|user "
        r"?name|password|credential)",
        r"sandbox|test purposes|trial (?:account|tenant)|unpaid|overdue|payment (?:required|is "
        r"due)|billing",
        r"(?:konto|account|versand|absender) .{0,40}(?:gesperrt|deaktiviert|nicht freigeschaltet|"
        r"nicht berechtigt)|(?:mail|smtp)-?versand .{0,30}(?:gesperrt|deaktiviert)",
        r"(?:votre compte|envoi|compte d.envoi|expediteur) .{0,40}(?:bloque|suspendu|desactive|"
        r"non autorise|interdit)",
        r"anmeldung (?:erforderlich|fehlgeschlagen)|authentifizierung|authentification "
        r"(?:requise|echou|refus|necess)",
        r"ip address (?:is )?not (?:authori[sz]ed|allowed|whitelisted)|unauthori[sz]ed ip",
    ),
)

SENDER_REFUSED = Rule(
    Cause.SENDER,
    "Postfix postconf(5) reject_unknown_sender_domain, reject_unverified_sender; RFC 3463 X.1.7, "
    "X.1.8; Exim sender verify (Sender verify failed); qmail badmailfrom; Zoho (553 sender)",
    (
        r"sender(?:.s)? (?:e-?mail |envelope )?(?:address|domain|host|verif\w{0,12}|@|is|not|"
        r"unknown|invalid|denied|rejected|refused|does|doesn.t).{0,60}(?:reject|refus|fail|"
        r"unknown|invalid|not found|does not exist|doesn.t exist|unresolv|denied|non.?exist|not "
        r"accepted|verify|unverif|could not|bad|not (?:valid|allowed))",
        r"sender (?:rejected|refused|denied|unknown|invalid|verify|not (?:allowed|valid|"
        r"accepted))",
        r"(?:denies|rejects|refuses) the sender|callout verification|call-?back verif",
        r"(?:mail from(?! ip)|envelope from|return[ -]path|from address|from:? domain|from: header|"
        r"from field|bounce address).{0,60}(?:reject|refus|fail|unknown|invalid|not found|not "
        r"exist|n.t exist|resolve|denied|not allowed|missing|no mx|badmailfrom|must)",
        r"unroute?able sender|badmailfrom|bad ?sender|absender\w{0,12}.{0,40}(?:abgelehnt|"
        r"ungultig|unbekannt|"
        r"existiert|nicht)|expediteur .{0,40}(?:rejet|refus|inconnu|invalide)",
        r"has no a, aaaa,? or mx|fake sender|domain may not exist or dns check",
        r"(?:header|envelope) from .{0,40}(?:not match|mismatch)",
        r"domain of sender|sender.s domain|spoofed sender|sender is unvalidated",
    ),
)

NOT_AUTHENTICATED = Rule(
    Cause.AUTHENTICATION,
    "Gmail (4.7.23-4.7.32, 5.7.25-5.7.40); Exchange Online 5.7.509, 5.7.515; RFC 7372 "
    "(X.7.20-26); Postfix reject_unknown_client_hostname; GMX postmaster (rdns); qmail-remote "
    "(my name was rejected); iCloud (DMARC "
    "policy)",
    (
        r"authentication (?:check|information|result|level)|sender id\b|not authenticated per|"
        r"pass\w{0,12} authentication|required authentication",
        r"(?:reverse|ptr|rdns|forward.confirmed).{0,30}(?:dns|record|lookup|host|resol|entry|"
        r"fail|match|missing)|\bptr\b|\brdns\b|fcrdns|no reverse",
        r"(?:cannot|can.t|could not|couldn.t|unable to) (?:find|resolve|verify) your (?:reverse "
        r")?(?:host ?name|address|ip|dns)",
        r"my name was rejected|invalid ip for|(?:helo|ehlo).{0,60}(?:reject|invalid|not found|"
        r"unknown|resol|refus|mismatch|bad|bogus|"
        r"fully|syntax|command)|bad helo",
        r"no dns a-data|client host rejected: (?:cannot|can.t) find|does not match .{0,30}(?:dns|"
        r"ip|hostname)",
        r"(?:must|required|requires?) .{0,20}(?:\btls\b|\bssl\b|starttls|encrypt)|\btls (?:is "
        r")?required|starttls (?:command )?(?:first|required)|encryption (?:is )?(?:required|"
        r"needed)",
    ),
)

BAD_REPUTATION = Rule(
    Cause.REPUTATION,
    "Yahoo Sender Hub, SMTP error codes (TSS04, TS03, 553 5.7.2); Microsoft Outlook.com (S3140, "
    "S3150, RP-001, SC-001), Exchange Online 5.7.606-649, 5.7.511, 4.7.650; Spamhaus, Barracuda, "
    "Proofpoint, Cloudmark reply texts; GMX (IP address is block listed); Gmail (unusual rate of "
    "unsolicited mail); Postfix reject_rbl_client (blocked using); T-Online (Helmut)",
    (
        r"\bdnsbl\b|\brbl\b|\bdbl\b|\bsbl\b|\bxbl\b|\bpbl\b|\buribl\b|\bsurbl\b",
        r"sorbs|proofpoint|cloudmark|senderscore|sender ?score|senderbase|mailspike|manitu|"
        r"abusix|uceprotect|invaluement|talos|mimecast|vade|hostkarma|psky\.me",
        r"(?:blocked|rejected|refused|listed) (?:using|by|in|at|on) (?:host|url|dns|our|"
        r"the(?! (?:recipient|remote|destination|mail|server))|a|an|"
        r"zen|bl|ix)\b|listed (?:in|by|on|at) ",
        r"\bts[su]?\d\d\b|\bs3\d\d\d\b|\b(?:rp|sc|ou|dy)-?00\d\b|\bofr_?\d{3}|\boxsus\S{0,12}",
        r"banned|(?:ip|network|client|server|sender|your|host).{0,40}(?:address )?(?:is |has "
        r"been |was |are )?(?:temporarily |currently )?(?:blocked|blacklisted|block listed|rate "
        r"limited due)",
        r"(?:access denied|not accepted|refused|rejected|blocked|denied).{0,40}\b(?:ip|ips|"
        r"network|your (?:server|host|mail server))\b",
        r"unusual (?:rate|volume|amount)|unexpected volume|user complaints|complaint|abuse|"
        r"unsolicited mail originating|permanently deferred|part of their network",
        r"\bip is rejected",
        r"client host .{0,60}(?:reject|denied|block)|poor|dynamic ip|residential|dialup|dial-?up",
    ),
)

UNWANTED_CONTENT = Rule(
    Cause.CONTENT,
    "Gmail (5.7.0, 5.7.1 likely unsolicited mail, 5.7.0 message blocked); Yahoo (554 5.7.9 "
    "[PH01], Message content); iCloud ([CS01]); Zoho (virus detected); Exchange (5.7.1 content); "
    "Postfix header_checks(5); SpamAssassin; Rspamd",
    (
        r"spam|\bdt:s[pu]m\b|junk|phish|\bvirus|malware|\bworm\b|trojan|scam|fraud",
        r"unsolicited|bulk (?:mail|e-?mail)|unerwunscht|indesirable",
        r"(?:message|mail|content|body|url|link|attachment|header|subject)s? .{0,40}(?:contain|"
        r"suspicious|inappropriate|unacceptable|prohibited|forbidden|flagged|filter)",
        r"content (?:reject|filter|policy|blocked|violat|restrict|not|denied)|message content|"
        r"rejected (?:due to|for|because of) (?:its |the |message )?content|\[(?:cs|hm|ph|"
        r"hvu)\d\d",
        r"suspicious (?:content|message|link|url)|blockedmessage|potential security|illegal "
        r"attachment|file type",
    ),
)
