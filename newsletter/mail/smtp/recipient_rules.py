"""List rules for server replies about recipients, their domains, and the message.

Data only.

Each rule names where its wording is documented. What patterns are matched against, and in which
order, is in `reply_rules.py`.
"""

from __future__ import annotations

from newsletter.mail.smtp.causes import Cause, Rule

_WHO = (
    r"(?:users?(?: ?ids?)?|recipients?|mail[- ]?box(?:es)?|accounts?|(?<!ip )address(?:es|ee)?|"
    r"alias|person|"
    r"local ?part|mail ?drop|subscriber|inbox|empf.{1,2}nger\w{0,12}|benutzer\w{0,12}|postfach|"
    r"e-?mail-?adresse|adresse|utilisateur|destinataires?|boite|compte|destinatario|usuario|"
    r"buzon|casella|utente)"
)
_SIZE = r"(?:message|mail|e-?mail|content|body|attachment|nachricht|anhang)"

_GAP = (
    r"(?:(?!messages?\b|(?<![a-z-])mails?\b|connection|session|delivery|server|certificate|"
    r"password|credential|command|policy|dns\b|route|subscription|sender|client).){0,45}?"
)
"""Pattern of words between a recipient and what is wrong with it, without nouns that could be meant
instead."""

MAILBOX_BUSY = Rule(
    Cause.MAILBOX_FULL,
    "Gmail SMTP errors and codes (4.2.1 receiving too quickly); Exchange Online NDR 5.2.121, "
    "5.2.122; iCloud (421 4.7.1 deferred due to excessive volume)",
    (
        r"(?:trying to contact|" + _WHO + r").{0,60} receiv(?:ing|es|ed).{0,40}"
        r"(?:quickly|at a rate|too (?:many|much)|high rate)",
        r"(?:recipient|mailbox|user)\S{0,3} .{0,30}(?:receive|receiving) (?:rate |message "
        r")?limit",
        r"messages to @ deferred due to excessive volume|recipient thread limit|"
        r"getting too much mail",
        r"command output: .{0,30}quota exceeded|disk ?quota exceeded|too much mail stored",
        r"(?:too many messages|zu ?viele mails) (?:on the server|auf dem server|in (?:the "
        r")?mailbox)",
        r"recipient address rejected: (?:unverified address|address verification in progress)",
    ),
)

GREYLISTING = Rule(
    Cause.GREYLISTED,
    "RFC 6647 section 2; Postfix SMTPD_POLICY_README; bytecamp FAQ (450 4.2.0 Greylisted)",
    (r"gr[ea]y-? ?list", r"post-?grey", r"graulist"),
)

RECIPIENT_REFUSES = Rule(
    Cause.RECIPIENT_POLICY,
    "Exchange Online NDR 5.7.124, 5.7.133, 5.7.134, 5.7.12, 5.1.8 group restrictions; Postmark "
    "(inactive recipient, suppressions); Zoho (Mailbox delivery restricted by policy); SES "
    "account suppression list; bell.net (not allowed to send mail to)",
    (
        r"not (?:allowed|permitted|authori[sz]ed) to (?:send|post|submit|mail|write|deliver)(?: "
        r"any| e-?mails?| mails?| messages?){0,3} to (?:@|(?:this|the) (?:recipient|user|group|"
        r"list|mailbox|address|person|distribution|conference))",
        r"(?:recipient|user|mailbox|group|address|list) .{0,20}only (?:accept|receive|"
        r"allow)\w{0,12} .{0,30}from",
        r"blocked by (?:the )?(?:recipient|user|addressee|mailbox owner)",
        r"(?:recipient|user|addressee) (?:has |have )?(?:blocked|refuse\w{0,12}|does not "
        r"(?:accept|want|wish)|doesn.t (?:accept|want|wish)|rejects)",
        r"resolver\.rst(?!\.\w{1,9}sizelimit)|recipientrestricted|delivery (?:is )?restricted",
        r"(?:members|subscribers)[ -]only|not (?:a member|subscribed) (?:of|to)|only (?:members|"
        r"subscribers)|post\w{0,12} .{0,20}moderat",
        r"(?:not (?:on|in)|isn.t (?:on|in)) .{0,25}(?:allow\w{0,12}|white|safe|approved)[ "
        r"-]?(?:ed )?(?:list|sender)",
        r"inactive recipient|marked as inactive|address is on the suppression list|(?:account|"
        r"sending)\S{0,3} suppression list|is suppressed",
        r"mailbox delivery (?:restricted|failure) (?:by )?policy|sender not authenticated for",
        r"black-? ?listed by (?:the )?recipient|polic\w{1,4} .{0,20}on the target address|"
        r"senderfilterconfig|local users? only",
        r"external senders|internal (?:senders|use|mail) only|recipient preferences|\brcp-p2\b|"
        r"closed (?:\w{1,20} )?list|rejected by (?:the )?recipients?\b(?! (?:domain|server))",
    ),
)

MAILBOX_SUSPENDED = Rule(
    Cause.MAILBOX_FULL,
    "RFC 3463 X.2.1; Outlook.com and hosting panels (mailbox temporarily disabled, suspended)",
    (
        _WHO + r".{0,50}(?:temporar\w{1,12}|vor.{1,2}bergehend|momentan|currently|"
        r"temporairement).{0,30}(?:disabl|suspend|lock|unavail|inactiv|block|not av|gesperrt|"
        r"nicht|deactiv|indisponible|over|full)",
        r"(?:temporarily|currently|temporary) (?:disabled|suspended|locked|inactive|blocked|"
        r"unavailable)"
        r" .{0,20}" + _WHO,
        r"mailbox (?:is )?(?:busy|locked|in use)|unverified address|address (?:currently "
        r")?unverified",
        r"(?:user|mailbox|account|recipient|@)\S{0,3} (?:account )?(?:is |has been |was "
        r")?(?:suspended|locked|frozen)",
    ),
)

NETWORK_TROUBLE = Rule(
    Cause.TEMPORARY,
    "Postfix bounce templates (Host not found, try again; mail for x loops back to myself); RFC "
    "3463 X.4.6, X.4.7; Exchange (QUEUE.Expired)",
    (
        r"host not found, try again|try again: host not found|name server.{0,20}(?:temporar|"
        r"timeout)",
        r"too many recipients(?!.{0,40}(?:minute|hour|day|last|session|connection))|"
        r"loops? (?:back|detected)|(?:message|mail) looping|too many hops|"
        r"mail loop|routing loop|"
        r"hop ?count",
        r"(?:delivery|retry|time|queue|message|envelope) .{0,20}(?:expired|time-?out|timed out)|"
        r"queue\.expired|in the queue too long|not been delivered .{0,20}(?:days|hours)|retry "
        r"time not reached|retry timeout exceeded",
        r"connection (?:timed out|refused|reset|dropped|lost|closed|died)|no route to host|"
        r"network (?:is )?unreachable|lost connection|operation timed out|conversation with "
        r".{0,40}timed out",
    ),
)

NO_SUCH_DOMAIN = Rule(
    Cause.DOMAIN,
    "RFC 7505 (null MX, 556 5.1.10); RFC 3463 X.1.2; Postfix smtp(8) (Host or domain name not "
    "found); Exim (Unrouteable address, all relevant MX records point to non-existent hosts); "
    "Exchange Online NDR 5.4.310; qmail-remote (Sorry, I couldn't find any host named); MailEnable "
    "(does not appear to be registered)",
    (
        r"null ?mx|\bmx 0\b|nxdomain|nonexistentdomain|indicated no smtp service|"
        r"domain is not reachable",
        r"(?:domain|host|hostname|host or domain)(?: names?)? (?:of recipient )?(?:was |is |are |"
        r"has |could |does |did )?(?:not (?:be )?(?:found|exist\w{0,12}|known|resolve\w{0,12}|"
        r"hosted|valid|served|local)|unknown|invalid|non.?exist\w{0,12}|no longer|not "
        r"accept\w{0,12} (?:any )?(?:e-?mail|mail|messages))",
        r"(?:domain|host) .{0,30}(?:does not exist|doesn.t exist|n't exist|(?:does not|doesn.t) "
        r"accept (?:any )?(?:e-?mail|mail)|accepts no (?:e-?mail|mail)|never (?:sends|accepts)|"
        r"existiert nicht)",
        r"domain name .{0,40}does not appear to be registered",
        r"(?:unknown|no such|invalid|non.?exist[ae]nt|bad|illegal) (?:recipient |destination "
        r")?(?:domain|host)(?!.{0,20}(?:helo|client))",
        r"couldn.t find any host|bad destination (?:system|domain|host)|unrouteable (?:mail "
        r")?domain",
        r"mx (?:records?|hosts?) .{0,40}(?:point to non|non-?exist|not found|invalid|unresolv)",
        r"no (?:valid )?(?:mx|mail exchanger|mail server)|domain .{0,20}has no (?:mx|mail)",
        r"domain\w{0,12} .{0,20}(?:unbekannt|nicht gefunden|inconnu|n.existe)",
    ),
)

FULL_MAILBOX = Rule(
    Cause.MAILBOX_FULL,
    "RFC 3463 X.2.2; RFC 5321 section 4.2.3 (552 exceeded storage allocation); Gmail "
    "(OverQuota); iCloud (user is over quota); Dovecot (Quota exceeded (mailbox for user is "
    "full)); web.de (Speichervolumen ueberschritten); T-Online (Over STORAGE quota); qmail (qq "
    "trouble)",
    (
        r"over ?quota|overquota|overquotatemp|overquotaperm|out of quota|over quote\b",
        r"(?:mailbox|inbox) (?:size )?limit ex\w{1,8}|(?:mailbox|inbox) .{0,20}reached .{0,10}"
        r"maximum size|空间不足|邮箱已满|ящик .{0,20}переполнен|casella "
        r".{0,20}piena|skrzynka .{0,20}pełn|maximum allowed messages in (?:the )?mailbox|"
        r"mailbox .{0,10}over the maximum allowed number of messages",
        r"quota .{0,30}(?:exceed|exhaust|full|reach|viol|over|limit)|quotaexceeded|"
        r"(?:exceed\w{0,12}|over|above|beyond|uberschr\w{1,12}|ueberschr\w{1,12}|depass\w{1,12}) "
        r".{0,50}(?:quota|storage|speicher\w{0,12}|disk|space)|disk ?(?:quota|full)|quota (?:of|"
        r"for|der|du|de la) ",
        r"(?:mailbox|inbox|mail ?drop|maildir|folder|mailfolder|account|user|recipient|"
        r"spool)(?:(?!\bmessage (?:size|length|exceed)).){0,50}\b(?:full|out of (?:space|storage|"
        r"disk)|no (?:more )?space|exhausted|too "
        r"(?:big|large|many messages)|size limit|storage|exceeds?|exceeded|has exceeded)",
        r"(?:insufficient|(?:not|have) enough|no|out of|low on|exhausted|"
        r"overdrawn) .{0,20}(?:disk|storage|space|"
        r"system resources|memory)(?! key)",
        r"(?:postfach|mailbox|briefkasten|speicher\w{0,12}) .{0,60}(?:voll?\b|uberschritten|"
        r"ueberschritten|erschopft|erschoepft|ausgeschopft)",
        r"(?:speicher\w{0,12}|zu ?viele mails auf dem server).{0,40}(?:uberschritten|"
        r"ueberschritten|server)",
        r"boite .{0,40}(?:pleine|saturee)|quota .{0,20}boite|(?:buzon|mailbox) lleno|"
        r"full mailbox|casella piena|qq "
        r"trouble in home directory|exceeded storage",
    ),
)

NO_SUCH_MAILBOX = Rule(
    Cause.MAILBOX,
    "RFC 3463 X.1.1, X.2.1; Gmail (5.1.1 does not exist, 5.2.1 disabled, inactive); Exchange "
    "(RESOLVER.ADR.RecipNotFound, 5.1.10); Microsoft 365 (5.4.1 Recipient address rejected: "
    "Access denied); Yahoo (delivery error: dd); Postfix (User unknown in ... table); Exim "
    "(Unrouteable address); qmail (no mailbox here by that name); Domino (not listed in Domino "
    "Directory); iCloud (unknown or illegal alias); web.de and GMX (Benutzer nicht bekannt); "
    "Orange (destinataire invalide); Amazon SES (recent history of bouncing as an invalid "
    "address)",
    (
        r"\b(?:unknown|invalid|no such|non-?existent|non-?existing|nonexist\w{0,12}|"
        r"illegal|bad|incorrect|unroute?able|unresolvable|unbekannte\w?|"
        r"ungultige\w?|ungueltige\w?) (?:or illegal |local |e-?mail |mail |destination |"
        r"recipient\S{0,3} |"
        r"virtual |smtp |rcpt |user |final delivery )?" + _WHO + r"(?! ?name)",
        r"undeliverable (?:e-?mail |mail )?"
        + _WHO
        + r"(?! ?(?:name|:))|no "
        + _WHO
        + r" available for",
        _WHO + r"(?: names?| accounts?| address)?" + _GAP + r"\b(?:"
        r"unknown(?! (?:reason|error|problem|cause|encoding))|not known|not (?:be )?found|"
        r"(?:does|do|did) not (?:appear to )?exist|doesn.t (?:appear to )?exist|don.t exist|"
        r"(?:could|ca)n.t "
        r"be found|not exist\w{0,12}|invalid|not valid|not a valid|no longer|"
        r"not listed|not (?:our|"
        r"a) (?:customer|subscriber|user)|not recogni[sz]ed|non-?existent|nonexist\w{0,12}|"
        r"undeliverable)",
        _WHO + _GAP + r"\b(?:deactivated|any longer|removed|closed|terminated|cancell?ed|deleted|"
        r"expired|discontinued|disabled|inactive|not active|dormant|abandoned|decommissioned)",
        _WHO + _GAP + r"\b(?:unbekannt|nicht (?:bekannt|gefunden|vorhanden|existent|verfugbar|"
        r"gultig)|existier\w{1,12} nicht|geloscht|geloescht|ungultig|ungueltig|inconnue?s?|"
        r"invalides?|n.existe|inexistante?|desactivee?|no existe|desconocid|inesistente|"
        r"sconosciuto|non esiste)",
        r"user unknown|unknown user|userunknown|nosuchuser|disableduser|recipnotfound|"
        r"recipientnotfound|resolver\.adr(?!\.ambig)|bad destination mailbox|no (?:mailbox|"
        r"account|user) "
        r"(?:here )?(?:by|with) (?:that|this)",
        r"there is no (?:such )?(?:one|" + _WHO + r")|no " + _WHO + r" (?:of that name|found|"
        r"here|"
        r"match)|(?:don.t|do not) (?:know|have) (?:anyone|a user|an account|a mailbox|this|that)",
        r"(?:doesn.t|does not|do not|don.t) have an? .{0,30}account|not our customer|not "
        r"(?:listed|found) in .{0,20}(?:directory|domino|address book|table)",
        r"in (?:local|virtual|relay)\w{0,12} (?:recipient|mailbox|alias)\w{0,12} table|not "
        r"handled here",
        r"invalid/inactive user|\bno mailbox$|(?:does not|doesn.t) have a mailbox|unrecogni[sz]ed "
        r"o/r name|mail receiving disabled",
        r"not (?:a )?user (?:of|on) this|unavailable (?:mail )?user|(?:don|doesn).t exists? that "
        r"user",
        r"uzivatel .{0,10}neexist|존재하지 않|usuario nao encontrad|(?:cuenta|conta) inexistente",
        r"mailbox @ (?:is )?unavailable|rcpt \(?@\)? (?:does not|doe?sn.t) exist",
        r"is an? (?:disabled|deactivated|deleted|closed|expired) (?:mailbox|account|user|address)",
        r"destin\w{0,8}\.? sconosciut|indirizzo non (?:esiste|valido)|casilla .{0,10}expirado|ne "
        r"figure pas dans l.annuaire",
        r"no longer (?:works|employed|with (?:us|the)|here|in (?:use|service|our employ)|valid|"
        r"available|active|on (?:this )?server)",
        r"(?:user|recipient|mailbox|person) (?:has )?(?:moved|left|gone)|user not local|not a "
        r"(?:known|valid|local) (?:user|recipient|mailbox|address)|unknown local",
        r"history of bouncing as an invalid address|unknown recipient|recipient unknown|kein "
        r"(?:solcher )?(?:benutzer|empfanger|postfach)|aucun (?:utilisateur|destinataire)",
        r"this address (?:no longer|does not) (?:accepts|accept)|no valid recipients?|not "
        r"available (?:here|at this)",
        r"(?:is not|isn.t) an? (?:registered |known |valid |local |active |current |"
        r"gateway ){0,3}"
        r"(?:user|mailbox|account|recipient|address|subscriber|customer)",
        r"boite .{0,40}archivee|archived (?:recipient|mailbox|account)",
        r"nicht (?:im|in) .{0,30}(?:verzeichnis|adressbuch|directory)",
        r"(?:konto|adresse) .{0,20}existiert nicht|existiert nicht in der organisation|"
        r"(?:adresse|empfanger|benutzer|postfach) gibt es nicht",
        r"nie ma takiego (?:uzytkownika|adresu|konta)|caixa postal (?:inexistente|desativada)|"
        r"nincs ilyen (?:felhasznalo|postafiok|cim)",
        r"(?:endereco|direccion|caixa|conta|cuenta|usuario|utilizador|"
        r"destinatario)\b.{0,60}\b(?:nao|no) "
        r"(?:existe|se encontr|foi encontrad|pode ser encontrad|pode ser localiz)",
        r"(?:usuario|utilizador|destinatario) (?:desconhecid|inexistent|inval)|"
        r"adresa .{0,40}nu (?:exista|"
        r"a (?:fost|putut fi) gasit)|(?:utilizator|destinatar) (?:necunoscut|inexistent)",
        r"(?:onbekende? (?:gebruiker|ontvanger|adres)|(?:gebruiker|adres|"
        r"postbus) .{0,30}(?:bestaat niet|"
        r"onbekend|niet gevonden))|nieznany (?:uzytkownik|odbiorca|adresat)|(?:konto|adres|"
        r"skrzynka) .{0,30}"
        r"nie istnieje|(?:anvandare\w{0,3}|adresse\w{0,2}|mottagare\w{0,3}|"
        r"modtager\w{0,3}) .{0,30}(?:finns inte|"
        r"findes ikke|finnes ikke|okand|ukendt|ukjent)",
        "見つかりません|存在しません|宛先不明|リストにありません",
        "(?:用户|收件人|邮箱).{0,6}(?:不存在|未找到)",
        "(?:пользователь|ящик|адрес\\w{0,4}) .{0,20}не (?:существует|наиден)",
    ),
)

MESSAGE_TOO_LARGE = Rule(
    Cause.TOO_LARGE,
    "RFC 1870 section 6.3 (552 message size exceeds fixed maximum); RFC 3463 X.2.3, X.3.4; Gmail "
    "(5.3.4); Exchange (RESOLVER.RST.RecipSizeLimit, 5.3.4); Zoho (Email size exceeded the "
    "policy)",
    (
        _SIZE + r".{0,40}(?:too (?:large|big|long)|size (?:limit|exceed\w{0,12}|violation)|"
        r"exceeds? .{0,30}(?:size|maximum|limit)|larger than|zu gro(?:ss|\W)|trop (?:gros|"
        r"volumineux|grand))",
        r"exceed\w{0,12} (?:the )?max\w{0,4} .{0,20}size|(?:size|length) .{0,30}(?:exceed|over|"
        r"limit|too large|violat)|recipsizelimit|maximum "
        r"(?:message |mail )?size|max(?:imum)? (?:message )?length|taille .{0,30}(?:depass|maxim|"
        r"excess)|nachrichtengro",
    ),
)

BAD_FORMAT = Rule(
    Cause.FORMAT,
    "RFC 3463 X.6.x; RFC 6531 (5.6.7 SMTPUTF8); Gmail (5.6.0 bare line feeds, 5.7.1 missing or "
    "duplicated headers); Exchange Online 5.6.11 (bare line feeds)",
    (
        r"smtputf8|non-?ascii|8-?bit|bare ?(?:lf|cr|line ?feed|newline|carriage)|line (?:is "
        r")?too long|malformed (?:message|header|mail|mime|content)|rfc ?(?:2822|5322|822)|mime|"
        r"duplicate .{0,20}header|multiple .{0,20}(?:from|header)|missing .{0,20}header|nested|"
        r"invalid header|conversion (?:required|not)",
    ),
)
