"""List words in column names that tell who may not be mailed, in many languages."""

from __future__ import annotations

import re
import unicodedata

from newsletter.import_formats.vocabulary import StatusWord

STEMS: dict[StatusWord, str] = {
    StatusWord.COMPLAINED: (
        r"complain|spam|abus[ei]|abuz|junk|beschwer|plainte|queja|reclamati|klacht|klagomal|жалоб"
    ),
    StatusWord.BLOCKED: (
        r"block(?!chain|buster)|black ?list|suppress|\bbann?(?:ed)?\b|deny ?list|gesperrt"
        r"|sperr(?:e|liste|vermerk|grund)\b"
        r"|werbesperre|robinson|liste noire|bloqu|lista negra|blocat|lista neagra|bloccat"
        r"|schwarze liste|geblok|blokker|blockera|blokeret|zablokow|zablokov|engellen|letilt"
        r"|estetty"
        r"|заблокир|черный список|αποκλεισ|بلوك|محظور|חסום|屏蔽|黑名单|黑名單|블랙리스트|차단"
    ),
    StatusWord.BOUNCED: (
        r"bounc|\bhard\b|\bcleaned\b|undeliver|non ?deliver|invalid|not ?valid|quarantin"
        r"|unreachable|malformed"
        r"|unzustellbar|ungultig|zuruckgewiesen|unerreichbar|rejet|no ?valid|rebot|respins"
        r"|rimbalz|devolvid|\bnpai\b|nedoruc|niedorecz|odrzucon|palautun|недоставл"
    ),
    StatusWord.NO: (
        r"(?<!ad)(?<!co )opt(?:ed|s|ing)? ?outs?|unsub|un ?subscri|(?:not|never"
        r"|no longer) ?subscri|de ?subscri"
        r"|(?:do|does|did) ?not ?(?:bulk|allow|send|want|contact|disturb|market|e ?mail|mail"
        r"|newsletter|receive)"
        r"|don ?t ?(?:send|contact|e ?mail|mail)|never (?:send|contact|e ?mail|mail)|\bdnc\b"
        r"|\bdne\b|\bdnm\b"
        r"|\bno ?(?:e ?mails?|mails?|mailings?|newsletters?|marketing|contact)\b"
        r"|no ?(?:longer )?consent"
        r"|withdr[ae]w|revok|revocat|\bobject(?:ed|ion)|declin|deactivat|de ?activat"
        r"|\bdisabled?\b|\binactiv"
        r"|suspend|\bdeleted?\b|\bremov(?:ed|al)\b|\barchived\b|\berase[d]?\b|\berasure"
        r"|\bforg[eo]t|should ?forget|\bexclu(?:ded?|sion)\b"
        r"|\bleft (?:at|on|date|list|time)\b|\bstop(?:ped)? (?:time|date|status|reason|at|on)\b"
        r"|\bstopped\b|\bon ?hold\b|\bnomail\b"
        r"|cancel\w* (?:\w{1,4} )?(?:newsletter|subscription|suscripcion|inscric|assinatura)"
        r"|resigned"
        r"|abgemeldet|abmeld|abbestell|tackat nej|austrag|ausgetragen"
        r"|widerruf|widerspr[ou]ch|kundigung|gekundigt"
        r"|inaktiv|deaktiv|geloscht"
        r"|kein(?:e|en)? ?(?:newsletter|e ?mails?|werbung|mails?|kontakt)|nicht ?(?:kontaktieren"
        r"|anschreiben|abonniert)"
        r"|desabonn|desinscri|desinscrip|ne pas (?:contacter|envoyer|ecrire)"
        r"|pas de (?:newsletter|mail|e ?mail)"
        r"|consentement retire|retrait|opposition|desactiv|refus|supprim"
        r"|de baja\b|\bbaja\b|desuscri|cancelad|no ?(?:contactar|enviar|molestar|suscri)|revocad"
        r"|retirad|desuscrip"
        r"|dezabon|dezinscri|retras|refuz|nu (?:contacta|trimite|doreste)|fara (?:newsletter"
        r"|e ?mail)|dezactiv"
        r"|disiscri|annullat|cancellat\w il|non contattare|disattivat|descadastr|desativad"
        r"|nao (?:enviar|contatar|perturbe)|uitgeschreven"
        r"|afg?e?meld|avmeld|frameld|wypisan|zrezygnow|rezygnacj|odhlas|avregistr|avprenumer"
        r"|peruut|perunut|peruttu|leiratkoz|iptal|abonelikten c"
        r"|отпис|отказ|відпис|διαγρα|απεγγρα|الغاء|ملغى|ביטול|הסרה"
        r"|退订|退訂|取消订阅|取消訂閱|配信停止|購読解除|登録解除|수신 ?거부|구독 ?취소|해지"
    ),
    StatusWord.PENDING: (
        r"opt ?in pending|pending (?:opt ?in|confirm)|(?:not|nicht) (?:yet )?"
        r"(?:confirmed|bestatigt)|\bunconfirmed|\bunverified|unbestatigt|non confirm"
        r"|sin confirmar|no confirmad"
        r"|neconfirmat"
    ),
}
PATTERNS: tuple[tuple[StatusWord, re.Pattern[str]], ...] = tuple(
    (word, re.compile(unicodedata.normalize("NFD", stem))) for word, stem in STEMS.items()
)
NEGATED = re.compile(
    r"\b(?:not?|non|never|nicht|kein\w*|un|ne|pas|sin|fara) (?:been |yet |hard |soft |is )?"
    r"(?:bounc|block|suppress|unsub|complain|opt(?:ed)? ?out|black|clean|invalid|spam|deactivat"
    r"|disabled|deleted|removed|gesperrt"
    r"|abgemeldet|bloqu|desabonn|desinscri|dezabon)"
)
OTHER_CHANNEL = re.compile(
    r"\b(?:sms|mms|text messag\w*|texts?|phone|calls?|calling|telephone|tel|telefon\w*|fax"
    r"|whats ?app|push|voice|mobile|postal"
    r"|direct mail|post|brief\w*|messenger|telegram|track\w*|geo ?track|cookies?|profiling|sell"
    r"|sale|ccpa)\b"
)
EMAIL = re.compile(r"e ?mail|newsletter|\ball\b|everything")
LINK = re.compile(r"\b(?:link|url|uri|href|token|hash|uuid|key)$")
DATE = re.compile(
    r"\b(?:at|on|date|time|timestamp|day|datum|zeitpunkt|fecha|data|heure|hora|since|until|seit"
    r"|le|am)\b|(?:date|timestamp)$"
)
REASON = re.compile(
    r"\b(?:reasons?|causes?|grund|gruende|raison|motif|motivo|motiv|campaign|title|source"
    r"|feedback|comments?|notes?|details?"
    r"|description|message|explanation|category|method|channel|ip|id|by|type|code)\b|(?:reason"
    r"|cause)s?$"
)
STATUS = re.compile(r"\b(?:status|state|statut|estado|stato|stare)\b")
