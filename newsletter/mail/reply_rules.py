"""Hold the table of SMTP replies: what providers write, and what causes it. Data only.

Each rule names where its wording is documented. Patterns are matched, in this order, against text
that `replies.normalize` has prepared: lower case, without accents, white space collapsed, e-mail
addresses replaced by "@", host names by "host", addresses of pages by "url". Every gap in a pattern
is bounded, so matching takes linear time (tests/unit/test_classify.py feeds long runs to each).
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Cause(StrEnum):
    """Why a server did not take a message."""

    NONE = "none"  # accepted, never offered whole, or no reply
    MAILBOX = "mailbox"  # no such mailbox, or closed for good
    DOMAIN = "domain"  # the recipient's domain does not exist or takes no mail
    MAILBOX_FULL = "mailbox_full"  # full, busy, or out of order for a while
    RECIPIENT_POLICY = "recipient_policy"  # the recipient's own rules refuse this sender
    QUOTA = "quota"  # our allowance for an hour, a day, a month is used up
    PACE = "pace"  # we send too fast
    CONNECTIONS = "connections"  # we keep too many connections open
    ACCOUNT = "account"  # our account may not send, or not so
    SENDER = "sender"  # our sender address is refused
    AUTHENTICATION = "authentication"  # SPF, DKIM, DMARC, reverse DNS, TLS
    REPUTATION = "reputation"  # blocklists, complaints, a banned network
    CONTENT = "content"  # spam, viruses, links
    POLICY = "policy"  # refused by a rule that is not named
    PROTOCOL = "protocol"  # a command was not understood: our mistake
    TOO_LARGE = "too_large"  # the message is too large
    FORMAT = "format"  # the message cannot be carried as it is
    GREYLISTED = "greylisted"  # try again in some minutes (RFC 6647)
    TEMPORARY = "temporary"  # refused for now, for no reason that a rule knows
    PERMANENT = "permanent"  # refused for good, for no reason that a rule knows


class Rule(NamedTuple):
    """Wordings with one cause, and where they are documented."""

    cause: Cause
    source: str
    patterns: tuple[str, ...]


_WHO = (
    r"(?:users?|recipients?|mailbox(?:es)?|accounts?|(?<!ip )address(?:es|ee)?|alias|person|"
    r"local ?part|mail ?drop|subscriber|inbox|empf.{1,2}nger\w*|benutzer\w*|postfach|"
    r"e-?mail-?adresse|adresse|utilisateur|destinataires?|boite|compte|destinatario|usuario|buzon|"
    r"casella|utente)"
)
_SIZE = r"(?:message|mail|e-?mail|content|body|attachment|nachricht|anhang)"
_WINDOW = r"(?:second|minute|hour|day|week|month|sekunde|stunde|tag|woche|monat|heure|jour|mois)"

RULES: tuple[Rule, ...] = (
    Rule(
        Cause.MAILBOX_FULL,
        "Gmail SMTP errors and codes (4.2.1 receiving too quickly); Exchange Online NDR 5.2.121, "
        "5.2.122; iCloud (421 4.7.1 deferred due to excessive volume)",
        (
            r"(?:trying to contact|" + _WHO + r").{0,60} receiv(?:ing|es|ed).{0,40}"
            r"(?:quickly|at a rate|too (?:many|much)|high rate)",
            r"(?:recipient|mailbox|user)\S{0,3} .{0,30}(?:receive|receiving) (?:rate |message )?limit",
            r"messages to @ deferred due to excessive volume",
        ),
    ),
    Rule(
        Cause.GREYLISTED,
        "RFC 6647 section 2; Postfix SMTPD_POLICY_README; bytecamp FAQ (450 4.2.0 Greylisted)",
        (r"gr[ea]y-? ?list", r"post-?grey", r"graulist"),
    ),
    Rule(
        Cause.REPUTATION,
        "IONOS SMTP-Fehlermeldungen (poor delivery rate); Exim ACL documentation, dictionary attacks",
        (
            r"too many (?:invalid|unknown|bad|wrong|non-?exist\w*|unknown or invalid) "
            r"(?:recipient|user|address|mailbox|rcpt)",
            r"directory harvest|dictionary attack",
            r"(?:schlechte|poor|bad) (?:zustellquote|delivery rate)",
        ),
    ),
    Rule(
        Cause.CONNECTIONS,
        "Exchange Online (432 4.3.2 sender thread limit); Postfix anvil(8), TUNING_README; Orange "
        "(OFR004_104 Trop de connexions); SendGrid (450 too frequent connects); Dovecot Submission",
        (
            r"too many .{0,40}(?:connections?|sessions?|connects|logins)",
            r"too frequent connect",
            r"(?:concurren\w*|simultan\w*|parallel\w*|gleichzeitig\w*) .{0,30}"
            r"(?:connection|session|verbindung|connexion|limit)",
            r"(?:connection|session|concurrency|thread)s? (?:rate |count )?(?:limit|quota|exceeded)",
            r"(?:maximum|max\.?|limit\w*) .{0,30}(?:connection|session|verbindung|connexion)",
            r"zu viele .{0,30}verbindung|trop de (?:connexion|session)",
            r"(?:connections?|sessions?) (?:from your|per) .{0,30}(?:exceed|limit|maximum)",
        ),
    ),
    Rule(
        Cause.PACE,
        "Amazon SES, Errors related to sending quotas (Maximum sending rate exceeded); MailChannels "
        "(550 5.7.1 [STF] Sending too fast)",
        (
            r"(?:sending|send|message|mail|delivery|submission) rate",
            r"(?:per|pro|par|je) (?:second|sekunde|seconde|minute)\b",
            r"sending too (?:fast|quickly)",
        ),
    ),
    Rule(
        Cause.QUOTA,
        "Amazon SES (Daily message quota exceeded); Gmail (5.4.5 Daily user sending limit, SMTP relay "
        "limit); cPanel (has exceeded the max emails per hour, max defers and failures per hour); "
        "IONOS, mass mailing limits (Mail send limit exceeded); Exchange Online NDR 5.1.90, 5.7.232; "
        "SendGrid (Maximum credits exceeded, received this hour); Plesk (allowed outgoing messages); "
        "StartMail (Your mail limit has been reached); Prolateral (exceeded your Outmail quota)",
        (
            r"(?:daily|hourly|weekly|monthly|24.{0,3}hours?|per (?:hour|day|week|month)) .{0,50}"
            r"(?:quota|limit|allow|maxim|exceed|reach)",
            r"(?:quota|limit|allow\w*|maxim\w*|max|exceed\w*|reached|too many|number) .{0,60}"
            r"(?:daily|hourly|monthly|per (?:hour|day|week|month)|this (?:hour|day|month)|today|"
            r"an hour|a day|in 24|last 24|24.hour)",
            r"(?:send|sending|sender|sent|outgoing|outbound|submission|smtp|relay\w*|user|your) "
            r"(?:e-?mail |mail |message |smtp |relay )?(?:quota|limit|allowance|credit)s?\b.{0,40}"
            r"(?:exceed|reach|over|hit|exhaust|used|deplet)",
            r"(?:exceed\w*|reached|over|hit|used up|exhausted) .{0,40}"
            r"(?:send|sending|sender|outgoing|outbound|submission|smtp|relay\w*|out ?mail) "
            r"(?:e-?mail |mail |message )?(?:quota|limit|allowance|credit)",
            r"(?:limit|quota|maximum|number) .{0,40}(?:allowed |of )?(?:outgoing|outbound|sent) ",
            r"you(?:.ve| have)? .{0,20}(?:exceeded|reached|used) (?:your|the) .{0,40}"
            r"(?:quota|limit|allowance|credit)",
            r"(?:mail|message|e-?mail) (?:count |sending |send )?(?:quota|limit)s? (?:has been |was |is )?"
            r"(?:exceed|reach)",
            r"(?:max\w* |insufficient |not enough |no (?:more )?|out of |no remaining )"
            r"(?:e-?mail |sending |sms )?credits?\b",
            r"credits? (?:exceeded|exhausted|expired|limit)",
            r"plan.{0,20}(?:limit|quota)|(?:limit|quota).{0,20}of (?:your|the) (?:plan|subscription)",
            r"(?:versand|sende)-?(?:limit|grenze|kontingent|quota)|mail-?versand-?limit",
            r"(?:limit|grenze|kontingent|anzahl|maxim\w*|zu viele) .{0,60}(?:pro|je|in der|diese\w?) "
            r"(?:letzten )?(?:stunde|tag|woche|monat)",
            r"(?:stunden|tages|monats|stundliche\w*|stuendliche\w*|tagliche\w*|taegliche\w*)[ -]?"
            r"\w{0,20}(?:limit|kontingent|grenze|maxim)",
            r"(?:quota|limite|nombre) .{0,30}(?:d.envois?|d.e-?mails|de messages|envoyes)\b.{0,40}"
            r"(?:depass|attein|maxim|par|autoris)",
            r"(?:limite|quota|nombre) .{0,60}par (?:heure|jour|mois)",
            r"(?:limite|quota) .{0,20}d.envoi",
            r"(?:limite|cuota) de envio|limite (?:di|d.)? ?invio",
        ),
    ),
    Rule(
        Cause.PACE,
        "Amazon SES (454 Throttling failure); Postfix anvil(8) (message rate); IONOS and GMX (421 Rate "
        "limit reached); Exchange Online (4.7.500, 5.7.508); RFC 7505/5248 (X.7.28 mail flood); "
        "Mailgun and Postmark (rate limit); cloud4u (550 Too many messages)",
        (
            r"throttl",
            r"rate[ -]?limit|ratelimit|rate control|rate exceed|over rate",
            r"too (?:fast|quickly|frequent\w*)\b",
            r"too (?:many|much) (?:messages?|e-?mails?|mails?|requests|commands|errors|transactions|"
            r"deliveries|concurrent)",
            r"slow(?: |-)?down|mail flood|flooding",
            r"excessive (?:volume|traffic|sending)|volume .{0,20}exceed",
            r"zu (?:viele|schnell|hauf\w*) ?(?:nachricht|e-?mail|mails)?",
            r"trop de (?:messages|mails|courriels|requetes)|trop (?:vite|rapide)",
            r"(?:number of|too many) (?:messages|recipients|e-?mails) .{0,20}(?:in (?:a|one|this) session|"
            r"on this connection)",
        ),
    ),
    Rule(
        Cause.RECIPIENT_POLICY,
        "Exchange Online NDR 5.7.124, 5.7.133, 5.7.134, 5.7.12, 5.1.8 group restrictions; Postmark "
        "(inactive recipient, suppressions); Zoho (Mailbox delivery restricted by policy); SES account "
        "suppression list; bell.net (not allowed to send mail to)",
        (
            r"not (?:allowed|permitted|authori[sz]ed) to (?:send|post|submit|mail|write|deliver)"
            r"(?: any| e-?mails?| mails?| messages?){0,3} to (?:@|(?:this|the) (?:recipient|user|group|"
            r"list|mailbox|address|person|distribution|conference))",
            r"(?:recipient|user|mailbox|group|address|list) .{0,20}only (?:accept|receive|allow)\w*"
            r" .{0,30}from",
            r"blocked by (?:the )?(?:recipient|user|addressee|mailbox owner)",
            r"(?:recipient|user|addressee) (?:has |have )?(?:blocked|refuse\w*|does not (?:accept|want|"
            r"wish)|doesn.t (?:accept|want|wish)|rejects)",
            r"resolver\.rst|recipientrestricted|delivery (?:is )?restricted|delivery not authori[sz]ed",
            r"(?:members|subscribers)[ -]only|not (?:a member|subscribed) (?:of|to)|only (?:members|"
            r"subscribers)|post\w* .{0,20}moderat",
            r"(?:not (?:on|in)|isn.t (?:on|in)) .{0,25}(?:allow\w*|white|safe|approved)[ -]?(?:ed )?"
            r"(?:list|sender)",
            r"inactive recipient|marked as inactive|address is on the suppression list|"
            r"(?:account|sending)\S{0,3} suppression list|is suppressed",
            r"mailbox delivery (?:restricted|failure) (?:by )?policy|sender not authenticated for",
            r"external senders|internal (?:senders|use|mail) only",
        ),
    ),
    Rule(
        Cause.ACCOUNT,
        "Gmail (5.7.8, 5.7.9, 5.5.1 authentication, 5.7.1 relay denied); Exchange Online NDR 5.1.8 (bad "
        "outbound sender), 5.7.57, 5.7.60, 5.7.64, 5.7.501-503, 5.7.705-750; Amazon SES (Email address "
        "is not verified, sending paused); SendGrid (unauthenticated senders, 403); Mailgun (domain "
        "disabled, sandbox); Postmark (412 pending approval); Brevo (525 Unauthorized IP address, "
        "account not activated); Zoho (Relaying disallowed, Unusual sending activity, Email Outgoing "
        "Blocked); OVHcloud (account blocked for spam); Exim (relay not permitted)",
        (
            r"your (?:smtp |e-?mail |sending |user |mail |sender )?(?:account|mailbox|domain|server|"
            r"service|subscription|api key|plan) .{0,30}"
            r"(?:suspend|disabl|block|lock|deactivat|inactiv|limited|review|not (?:been )?(?:active|"
            r"activated|allowed|approved|verified|permitted|enabled)|closed|terminated|restrict|expired|"
            r"pending|cannot send|can.t send|may not send)",
            r"(?:this|smtp|sending|sender\S{0,3}|user|customer) (?:e-?mail )?account .{0,20}(?:suspend|"
            r"disabl|block|not (?:active|activated|authori[sz]ed)).{0,40}(?:send|smtp|relay)",
            r"account (?:is )?(?:not (?:yet )?(?:activated|approved|verified)|pending approval|under review)",
            r"(?:sending|outgoing|outbound|smtp|relay\w*|submission|mail service)\S{0,3} .{0,30}"
            r"(?:disabled|suspended|paused|blocked|deactivated|not (?:enabled|activated))",
            r"unusual sending activity|bad outbound sender|sender address blocked|outbound spam",
            r"not (?:allowed|permitted|authori[sz]ed|eligible|entitled) to (?:send|relay|submit)",
            r"(?:may|can ?|do|does|is) ?not .{0,20}permission to (?:send|relay|submit)|send ?as ?denied|"
            r"sendas",
            r"(?:sender|from|e-?mail|domain|identity|identities|signature).{0,40}not (?:yet )?(?:been )?"
            r"(?:verified|confirmed|validated|registered)",
            r"(?:unverified|unconfirmed|unauthori[sz]ed|unregistered|unauthenticated) (?:e-?mail )?"
            r"(?:sender|domain|address|ip|from|identity|client|user)",
            r"identities failed the check|sender signature|verified sender identity",
            r"relay(?:ing)?,? (?:access )?(?:is )?(?:denied|not (?:permitted|allowed)|disallowed|"
            r"prohibited|refused|attempt|restricted|rejected|disabled)",
            r"(?:unable|cannot|can.t|not allowed|refuse\w*|not permitted|do(?:es)? not|don.t|"
            r"not going) to relay|(?:does|do) not relay|won.t relay|no relay|not relay|denies relay|"
            r"allowed rcpthosts|tenantattribution",
            r"authenticat(?:ion|e) (?:is )?(?:required|failed|failure|unsuccessful|credentials|rejected|"
            r"refused|needed|first|error)|not (?:been )?(?:properly )?authenticated$|"
            r"client was not authenticated|must (?:be )?authenticat|please authenticat|auth required",
            r"(?:username|user name|login|password|credentials?) .{0,30}(?:not accepted|incorrect|invalid|"
            r"wrong|rejected|required|expired)|(?:invalid|incorrect|wrong|bad) (?:login|user ?name|"
            r"password|credential)",
            r"sandbox|test purposes|trial (?:account|tenant)|unpaid|overdue|payment (?:required|is due)|"
            r"billing",
            r"(?:konto|account|versand|absender) .{0,40}(?:gesperrt|deaktiviert|nicht freigeschaltet|"
            r"nicht berechtigt)|(?:mail|smtp)-?versand .{0,30}(?:gesperrt|deaktiviert)",
            r"(?:votre compte|envoi|compte d.envoi|expediteur) .{0,40}(?:bloque|suspendu|desactive|"
            r"non autorise|interdit)",
            r"anmeldung (?:erforderlich|fehlgeschlagen)|authentifizierung|authentification (?:requise|"
            r"echou|refus|necess)",
            r"ip address (?:is )?not (?:authori[sz]ed|allowed|whitelisted)|unauthori[sz]ed ip",
        ),
    ),
    Rule(
        Cause.SENDER,
        "Postfix postconf(5) reject_unknown_sender_domain, reject_unverified_sender; RFC 3463 X.1.7, "
        "X.1.8; Exim sender verify (Sender verify failed); qmail badmailfrom; Zoho (553 sender)",
        (
            r"sender(?:.s)? (?:e-?mail |envelope )?(?:address|domain|host|verif\w*|@|is|not|unknown|"
            r"invalid|denied|rejected|refused|does|doesn.t).{0,60}(?:reject|refus|fail|unknown|invalid|"
            r"not found|does not exist|doesn.t exist|unresolv|denied|non.?exist|not accepted|verify|"
            r"unverif|could not|bad|not (?:valid|allowed))",
            r"sender (?:rejected|refused|denied|unknown|invalid|verify|not (?:allowed|valid|accepted))",
            r"(?:denies|rejects|refuses) the sender|callout verification|call-?back verif",
            r"(?:mail from|envelope from|return[ -]path|from address|from domain|from: header|"
            r"from field|bounce address).{0,60}(?:reject|refus|fail|unknown|invalid|not found|not exist|"
            r"n.t exist|resolve|denied|not allowed|missing|no mx|badmailfrom|must)",
            r"badmailfrom|bad ?sender|absender\w*.{0,40}(?:abgelehnt|ungultig|unbekannt|existiert|nicht)|"
            r"expediteur .{0,40}(?:rejet|refus|inconnu|invalide)",
            r"domain of sender|sender.s domain|spoofed sender|sender is unvalidated",
        ),
    ),
    Rule(
        Cause.AUTHENTICATION,
        "Gmail (4.7.23-4.7.32, 5.7.25-5.7.40); Exchange Online 5.7.509, 5.7.515; RFC 7372 (X.7.20-26); "
        "Postfix reject_unknown_client_hostname; GMX postmaster (rdns); iCloud (DMARC policy)",
        (
            r"\bdmarc\b|\bdkim\b|\bdomainkeys\b|\bspf\b(?!=(?:pass|none))|\barc\b.{0,20}fail",
            r"unauthenticated (?:e-?mail|mail|message)|authentication (?:check|information|result|level)|"
            r"sender id\b|not authenticated per|pass\w* authentication|required authentication",
            r"(?:reverse|ptr|rdns|forward.confirmed).{0,30}(?:dns|record|lookup|host|resol|entry|fail|"
            r"match|missing)|\bptr\b|\brdns\b|fcrdns|no reverse",
            r"(?:cannot|can.t|could not|couldn.t|unable to) (?:find|resolve|verify) your (?:reverse )?"
            r"(?:host ?name|address|ip|dns)",
            r"(?:helo|ehlo).{0,60}(?:reject|invalid|not found|unknown|resol|refus|mismatch|bad|bogus|"
            r"fully|syntax|command)|bad helo",
            r"client host rejected: (?:cannot|can.t) find|does not match .{0,30}(?:dns|ip|hostname)",
            r"(?:must|required|requires?) .{0,20}(?:\btls\b|\bssl\b|starttls|encrypt)|\btls (?:is )?"
            r"required|starttls (?:command )?(?:first|required)|encryption (?:is )?(?:required|needed)",
        ),
    ),
    Rule(
        Cause.MAILBOX_FULL,
        "RFC 3463 X.2.1; Outlook.com and hosting panels (mailbox temporarily disabled, suspended)",
        (
            _WHO + r".{0,50}(?:temporar\w+|vor.{1,2}bergehend|momentan|currently|temporairement).{0,30}"
            r"(?:disabl|suspend|lock|unavail|inactiv|block|not av|gesperrt|nicht|deactiv|indisponible|"
            r"over|full)",
            r"(?:temporarily|currently|temporary) (?:disabled|suspended|locked|inactive|blocked|unavailable)"
            r" .{0,20}" + _WHO,
            r"mailbox (?:is )?(?:busy|locked|in use)|unverified address|address (?:currently )?"
            r"unverified",
            r"(?:user|mailbox|account|recipient|@)\S{0,3} (?:account )?(?:is |has been |was )?"
            r"(?:suspended|locked|frozen)",
        ),
    ),
    Rule(
        Cause.TEMPORARY,
        "Postfix bounce templates (Host not found, try again; mail for x loops back to myself); RFC 3463 "
        "X.4.6, X.4.7; Exchange (QUEUE.Expired)",
        (
            r"host not found, try again|try again: host not found|name server.{0,20}(?:temporar|timeout)",
            r"loops? (?:back|detected)|too many hops|mail loop|routing loop|hop ?count",
            r"(?:delivery|retry|time|queue|message) .{0,20}(?:expired|time-?out|timed out)|queue\.expired|"
            r"in the queue too long|not been delivered .{0,20}(?:days|hours)|retry time not reached|"
            r"retry timeout exceeded",
            r"connection (?:timed out|refused|reset|dropped|lost|closed|died)|no route to host|"
            r"network (?:is )?unreachable|lost connection|operation timed out|conversation with .{0,40}"
            r"timed out",
        ),
    ),
    Rule(
        Cause.DOMAIN,
        "RFC 7505 (null MX, 556 5.1.10); RFC 3463 X.1.2; Postfix smtp(8) (Host or domain name not "
        "found); Exim (Unrouteable address, all relevant MX records point to non-existent hosts); "
        "Exchange Online NDR 5.4.310; qmail-remote (Sorry, I couldn't find any host named)",
        (
            r"null ?mx|\bmx 0\b|nxdomain|nonexistentdomain",
            r"(?:domain|host|hostname|host or domain)(?: names?)? (?:of recipient )?(?:was |is |are |has |"
            r"could |does |did )?(?:not (?:be )?(?:found|exist\w*|known|resolve\w*|hosted|valid|served|"
            r"local)|unknown|invalid|non.?exist\w*|no longer|not accept\w* (?:any )?(?:e-?mail|mail|"
            r"messages))",
            r"(?:domain|host) .{0,30}(?:does not exist|doesn.t exist|n.t exist|(?:does not|doesn.t) accept "
            r"(?:any )?(?:e-?mail|mail)|accepts no (?:e-?mail|mail)|never (?:sends|accepts)|existiert nicht)",
            r"(?:unknown|no such|invalid|non.?existent|bad) (?:recipient |destination )?(?:domain|host)"
            r"(?!.{0,20}(?:helo|client))",
            r"couldn.t find any host|bad destination (?:system|domain|host)|unrouteable (?:mail )?domain",
            r"mx (?:records?|hosts?) .{0,40}(?:point to non|non-?exist|not found|invalid|unresolv)",
            r"no (?:valid )?(?:mx|mail exchanger|mail server)|domain .{0,20}has no (?:mx|mail)",
            r"domain\w* .{0,20}(?:unbekannt|nicht gefunden|inconnu|n.existe)",
        ),
    ),
    Rule(
        Cause.MAILBOX,
        "RFC 3463 X.1.1, X.2.1; Gmail (5.1.1 does not exist, 5.2.1 disabled, inactive); Exchange "
        "(RESOLVER.ADR.RecipNotFound, 5.1.10); Microsoft 365 (5.4.1 Recipient address rejected: Access "
        "denied); Yahoo (delivery error: dd); Postfix (User unknown in ... table); Exim (Unrouteable "
        "address); qmail (no mailbox here by that name); Domino (not listed in Domino Directory); "
        "iCloud (unknown or illegal alias); web.de and GMX (Benutzer nicht bekannt); Orange "
        "(destinataire invalide); Amazon SES (recent history of bouncing as an invalid address)",
        (
            r"\b(?:unknown|invalid|no such|non-?existent|non-?existing|nonexist\w*|undeliverable|illegal|"
            r"bad|incorrect|unroute?able|unresolvable|unbekannte\w?|ungultige\w?|ungueltige\w?) "
            r"(?:or illegal |local |e-?mail |mail |destination |recipient\S{0,3} |virtual |smtp |rcpt |"
            r"user )?" + _WHO + r"(?! ?name)",
            _WHO + r"(?: names?| accounts?| address)?.{0,45}?\b(?:unknown|not known|not (?:be )?found|"
            r"(?:does|do|did) not (?:appear to )?exist|doesn.t (?:appear to )?exist|don.t exist|n.t exist|not exist\w*|"
            r"invalid|not valid|not a valid|no longer|not listed|"
            r"not (?:our|a) (?:customer|subscriber|user)|not recogni[sz]ed|non-?existent|nonexist\w*|"
            r"undeliverable|deactivated|"
            r"closed|terminated|cancell?ed|deleted|expired|discontinued|disabled|inactive|"
            r"not active|dormant|abandoned|decommissioned|unbekannt|nicht (?:bekannt|gefunden|vorhanden|"
            r"existent|verfugbar|gultig)|existier\w+ nicht|inconnue?s?|invalides?|n.existe|inexistante?|"
            r"desactivee?|no existe|desconocid|inesistente|sconosciuto|non esiste|geloscht|geloescht|"
            r"ungultig|ungueltig)",
            r"user unknown|unknown user|userunknown|nosuchuser|disableduser|recipnotfound|"
            r"recipientnotfound|resolver\.adr|bad destination mailbox|no (?:mailbox|account|user) (?:here )?"
            r"(?:by|with) (?:that|this)",
            r"there is no (?:such )?(?:one|" + _WHO + r")|no " + _WHO + r" (?:of that name|found|here|"
            r"match)|(?:don.t|do not) (?:know|have) (?:anyone|a user|an account|a mailbox|this|that)",
            r"(?:doesn.t|does not|do not|don.t) have an? .{0,30}account|not our customer|"
            r"not (?:listed|found) in .{0,20}(?:directory|domino|address book|table)",
            r"in (?:local|virtual|relay)\w* (?:recipient|mailbox|alias)\w* table|not handled here|"
            r"no longer (?:works|employed|with (?:us|the)|here|in (?:use|service|our employ)|valid|"
            r"available|active|on (?:this )?server|accept\w* (?:mail|e-?mail|messages))",
            r"(?:user|recipient|mailbox|person) (?:has )?(?:moved|left|gone)|user not local|"
            r"not a (?:known|valid|local) (?:user|recipient|mailbox|address)|unknown local",
            r"history of bouncing as an invalid address|kein (?:solcher )?(?:benutzer|empfanger|postfach)|"
            r"aucun (?:utilisateur|destinataire)|unknown recipient|recipient unknown",
            r"this address (?:no longer|does not) (?:accepts|accept)",
        ),
    ),
    Rule(
        Cause.MAILBOX_FULL,
        "RFC 3463 X.2.2; RFC 5321 section 4.2.3 (552 exceeded storage allocation); Gmail (OverQuota); "
        "iCloud (user is over quota); Dovecot (Quota exceeded (mailbox for user is full)); web.de "
        "(Speichervolumen ueberschritten); T-Online (Over STORAGE quota); qmail (qq trouble)",
        (
            r"over ?quota|overquota|overquotatemp|overquotaperm|out of quota",
            r"quota .{0,30}(?:exceed|exhaust|full|reach|viol|over|limit)|quotaexceeded|"
            r"(?:exceed\w*|over|above|beyond|uberschr\w+|ueberschr\w+|depass\w+) .{0,50}"
            r"(?:quota|storage|speicher\w*|disk|space)|disk ?(?:quota|full)|quota (?:of|for|der|du|de la) ",
            r"(?:mailbox|inbox|mail ?drop|maildir|folder|mailfolder|account|user|recipient|spool).{0,50}"
            r"\b(?:full|out of (?:space|storage|disk)|no (?:more )?space|exhausted|too (?:big|large|many "
            r"messages)|size limit|storage|exceeds?|exceeded|has exceeded)",
            r"(?:insufficient|not enough|no|out of|low on|exhausted) .{0,20}(?:disk|storage|space|system "
            r"resources|memory)(?! key)",
            r"(?:postfach|mailbox|briefkasten|speicher\w*) .{0,60}(?:voll|uberschritten|ueberschritten|"
            r"erschopft|erschoepft|ausgeschopft)",
            r"(?:speicher\w*|zu ?viele mails auf dem server).{0,40}(?:uberschritten|ueberschritten|server)",
            r"boite .{0,40}(?:pleine|saturee)|quota .{0,20}boite|buzon lleno|casella piena|"
            r"qq trouble in home directory|exceeded storage",
        ),
    ),
    Rule(
        Cause.TOO_LARGE,
        "RFC 1870 section 6.3 (552 message size exceeds fixed maximum); RFC 3463 X.2.3, X.3.4; Gmail "
        "(5.3.4); Exchange (RESOLVER.RST.RecipSizeLimit, 5.3.4); Zoho (Email size exceeded the policy)",
        (
            _SIZE + r".{0,40}(?:too (?:large|big|long)|size (?:limit|exceed\w*|violation)|exceeds? .{0,30}"
            r"(?:size|maximum|limit)|larger than|zu gro(?:ss|\W)|trop (?:gros|volumineux|grand))",
            r"(?:size|length) .{0,30}(?:exceed|over|limit|too large|violat)|recipsizelimit|maximum (?:message |"
            r"mail )?size|max(?:imum)? (?:message )?length|taille .{0,30}(?:depass|maxim|excess)|"
            r"nachrichtengro",
        ),
    ),
    Rule(
        Cause.REPUTATION,
        "Yahoo Sender Hub, SMTP error codes (TSS04, TS03, 553 5.7.2); Microsoft Outlook.com (S3140, "
        "S3150, RP-001, SC-001), Exchange Online 5.7.606-649, 5.7.511, 4.7.650; Spamhaus, Barracuda, "
        "Proofpoint, Cloudmark reply texts; GMX (IP address is block listed); Gmail (unusual rate of "
        "unsolicited mail); Postfix reject_rbl_client (blocked using); T-Online (Helmut)",
        (
            r"black-? ?list|block-? ?list|blacklist|deny-? ?list|\bdnsbl\b|\brbl\b|\bdbl\b|\bsbl\b|"
            r"\bxbl\b|\bpbl\b|\buribl\b|\bsurbl\b",
            r"spamhaus|spamcop|barracuda|sorbs|proofpoint|cloudmark|senderscore|sender ?score|senderbase|"
            r"mailspike|manitu|abusix|uceprotect|invaluement|talos|mimecast|vade|hostkarma|psky\.me",
            r"(?:blocked|rejected|refused|listed) (?:using|by|in|at|on) (?:host|url|dns|our|the|a|an|"
            r"zen|bl|ix)|listed (?:in|by|on|at) ",
            r"reputation|\bts[su]?\d\d\b|\bs3\d\d\d\b|\b(?:rp|sc|ou|dy)-?00\d\b|\bofr_?\d{3}|"
            r"\boxsus\S{0,12}",
            r"banned|(?:ip|network|client|server|sender|your|host).{0,40}(?:address )?(?:is |has been |was |"
            r"are )?(?:temporarily |currently )?(?:blocked|blacklisted|block listed|rate limited due)",
            r"(?:access denied|not accepted|refused|rejected|blocked|denied).{0,40}\b(?:ip|ips|network|"
            r"your (?:server|host|mail server))\b",
            r"unusual (?:rate|volume|amount)|unexpected volume|user complaints|complaint|abuse|"
            r"unsolicited mail originating|permanently deferred|part of their network",
            r"client host .{0,60}(?:reject|denied|block)|poor|dynamic ip|residential|dialup|dial-?up",
        ),
    ),
    Rule(
        Cause.CONTENT,
        "Gmail (5.7.0, 5.7.1 likely unsolicited mail, 5.7.0 message blocked); Yahoo (554 5.7.9 [PH01], "
        "Message content); iCloud ([CS01]); Zoho (virus detected); Exchange (5.7.1 content); Postfix "
        "header_checks(5); SpamAssassin; Rspamd",
        (
            r"spam|junk|phish|\bvirus|malware|\bworm\b|trojan|scam|fraud",
            r"unsolicited|bulk (?:mail|e-?mail)|unerwunscht|indesirable",
            r"(?:message|mail|content|body|url|link|attachment|header|subject)s? .{0,40}(?:contain|"
            r"suspicious|inappropriate|unacceptable|prohibited|forbidden|not accepted for policy|"
            r"flagged|filter)",
            r"content (?:rejected|filter|policy|blocked|violat|restrict|not|denied)|message content|"
            r"rejected (?:due to|for|because of) (?:its |the |message )?content|\[(?:cs|hm|ph|hvu)\d\d",
            r"suspicious (?:content|message|link|url)|blockedmessage|potential security|"
            r"illegal attachment|file type",
        ),
    ),
    Rule(
        Cause.FORMAT,
        "RFC 3463 X.6.x; RFC 6531 (5.6.7 SMTPUTF8); Gmail (5.6.0 bare line feeds, 5.7.1 missing or "
        "duplicated headers); Exchange Online 5.6.11 (bare line feeds)",
        (
            r"smtputf8|non-?ascii|8-?bit|bare (?:lf|cr|line ?feed|newline|carriage)|line (?:is )?too long|"
            r"malformed|rfc ?(?:2822|5322|822)|mime|duplicate .{0,20}header|multiple .{0,20}"
            r"(?:from|header)|missing .{0,20}header|nested|invalid header|conversion (?:required|not)",
        ),
    ),
)

LOOSE_RULES: tuple[Rule, ...] = (
    Rule(
        Cause.POLICY,
        "RFC 3463 X.7.1; GMX and IONOS (Reject due to policy restrictions); Postfix access(5) (Access "
        "denied); Exim (Administrative prohibition); iCloud (local policy)",
        (
            r"polic(?:y|ies)|prohibit|denied|blocked|forbidden|not (?:allowed|permitted|authori[sz]ed|"
            r"welcome)|verboten|richtlinie|interdit|politique|restriction|security|bloqu|gesperrt",
        ),
    ),
    Rule(
        Cause.TEMPORARY,
        "RFC 5321 section 4.2.3 (450, 451, 452); Gmail (Temporary System Problem); Yahoo (Resources "
        "temporarily unavailable)",
        (
            r"try (?:again|later)|temporar|later|local error|service (?:not available|unavailable)|"
            r"resources|server (?:is )?busy|overload|maintenance|spater|plus tard|vorubergehend|"
            r"system (?:problem|error|failure)|internal error|out of order|deferred",
        ),
    ),
)

MAILBOX_UNAVAILABLE = (
    r"(?:requested (?:mail )?action (?:not taken|aborted)\W{0,3})?mailbox "
    r"(?:unavailable|name not allowed|not available)"
)
"""RFC 5321 section 4.2.3 writes this for 450, 550 and 553. GMX and IONOS put it before every reason,
Outlook.com says nothing else of an unknown user: it counts only where nothing else is said."""

BOILERPLATE = (
    r"requested (?:mail )?action (?:not taken|aborted)|for explanation visit|transaction failed|"
    r"error|sorry|smtp|esmtp|please|see|url|host|reason|recipient|rcpt to|@|id|said|remote server|"
    r"returned|response|message|delivery|failed|failure|to|the|in reply|command|was|status|code"
)
"""Words that give no reason; what is left beside `MAILBOX_UNAVAILABLE` without them is a reason."""

STATUSES: dict[str, Cause] = {
    # IANA's registry of enhanced status codes (RFC 3463, RFC 5248), without the class digit.
    "1.1": Cause.MAILBOX,
    "1.2": Cause.DOMAIN,
    "1.3": Cause.MAILBOX,
    "1.6": Cause.MAILBOX,
    "1.7": Cause.SENDER,
    "1.8": Cause.SENDER,
    "1.10": Cause.DOMAIN,  # RFC 7505 section 4.2
    "1.90": Cause.QUOTA,  # Exchange Online: daily limit for message recipients
    "2": Cause.MAILBOX_FULL,
    "2.1": Cause.MAILBOX,
    "2.3": Cause.TOO_LARGE,
    "3": Cause.TEMPORARY,
    "3.4": Cause.TOO_LARGE,
    "4": Cause.TEMPORARY,
    "4.4": Cause.DOMAIN,
    "4.310": Cause.DOMAIN,  # Exchange Online: the domain does not exist
    "5": Cause.PROTOCOL,
    "5.3": Cause.PACE,  # too many recipients, of one
    "6": Cause.FORMAT,
    "7": Cause.POLICY,
    "7.2": Cause.RECIPIENT_POLICY,
    "7.8": Cause.ACCOUNT,
    "7.9": Cause.ACCOUNT,
    "7.10": Cause.AUTHENTICATION,
    "7.11": Cause.ACCOUNT,
    "7.12": Cause.RECIPIENT_POLICY,  # Exchange Online: sender not authenticated by organization
    "7.13": Cause.ACCOUNT,
    "7.14": Cause.ACCOUNT,
    "7.15": Cause.PACE,  # RFC 6710: priority level too low
    "7.20": Cause.AUTHENTICATION,  # RFC 7372, and Gmail's own numbers from here to 7.40
    "7.21": Cause.AUTHENTICATION,
    "7.22": Cause.AUTHENTICATION,
    "7.23": Cause.AUTHENTICATION,
    "7.24": Cause.AUTHENTICATION,
    "7.25": Cause.AUTHENTICATION,
    "7.26": Cause.AUTHENTICATION,
    "7.27": Cause.AUTHENTICATION,
    "7.28": Cause.PACE,
    "7.29": Cause.AUTHENTICATION,
    "7.30": Cause.AUTHENTICATION,
    "7.31": Cause.AUTHENTICATION,
    "7.32": Cause.AUTHENTICATION,
    "7.40": Cause.AUTHENTICATION,
    "7.57": Cause.ACCOUNT,  # Exchange Online's own numbers from here on
    "7.60": Cause.ACCOUNT,
    "7.64": Cause.ACCOUNT,
    "7.124": Cause.RECIPIENT_POLICY,
    "7.133": Cause.RECIPIENT_POLICY,
    "7.134": Cause.RECIPIENT_POLICY,
    "7.135": Cause.RECIPIENT_POLICY,
    "7.136": Cause.RECIPIENT_POLICY,
    "7.193": Cause.RECIPIENT_POLICY,
    "7.194": Cause.RECIPIENT_POLICY,
    "7.232": Cause.QUOTA,
    "7.233": Cause.QUOTA,
    "7.500": Cause.PACE,
    "7.501": Cause.ACCOUNT,
    "7.502": Cause.ACCOUNT,
    "7.503": Cause.ACCOUNT,
    "7.508": Cause.PACE,
    "7.509": Cause.AUTHENTICATION,
    "7.511": Cause.REPUTATION,
    "7.515": Cause.AUTHENTICATION,
    "7.705": Cause.QUOTA,
    "7.708": Cause.REPUTATION,
    "7.750": Cause.SENDER,
}
"""The longest prefix counts."""

CODES: dict[int, Cause] = {
    432: Cause.ACCOUNT,  # RFC 4954 section 6
    454: Cause.ACCOUNT,
    500: Cause.PROTOCOL,
    501: Cause.PROTOCOL,
    502: Cause.PROTOCOL,
    503: Cause.PROTOCOL,
    504: Cause.PROTOCOL,
    521: Cause.DOMAIN,  # RFC 7504 section 3
    551: Cause.MAILBOX,  # RFC 5321 section 3.4
    555: Cause.PROTOCOL,
    556: Cause.DOMAIN,  # RFC 7504 section 4
}

ACCOUNT_CODES = frozenset({525, 530, 534, 535, 538})
"""Replies to AUTH, or for want of it (RFC 4954 section 6, RFC 5248): always about our account."""
