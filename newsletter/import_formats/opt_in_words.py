"""List words in column names that tell who agreed to be mailed, in many languages."""

from __future__ import annotations

import re

OPT_IN = re.compile(r"(?:double |single )?opt(?:ed|s|ing)? ?ins?\b")
OPT_IN_CORE = frozenset(
    {
        "optin",
        "subscribed",
        "newsletter",
        "newsletters",
        "mailing",
        "mailings",
        "subscription",
        "abo",
        "abonnement",
        "send",
        "consent",
        "consented",
        "consents",
        "permission",
        "agreed",
        "einwilligung",
        "angemeldet",
        "abonniert",
        "zustimmung",
        "abonne",
        "abonnee",
        "inscrit",
        "inscrite",
        "consentement",
        "suscrito",
        "suscrita",
        "consentimiento",
        "abonat",
        "abonata",
        "acord",
        "consimtamant",
        "iscritto",
        "iscritta",
        "consenso",
        "accepts",
    }
)
OPT_IN_FILLER = frozenset(
    {
        "email",
        "e",
        "mail",
        "emails",
        "is",
        "has",
        "have",
        "had",
        "wants",
        "want",
        "receives",
        "receive",
        "to",
        "the",
        "for",
        "of",
        "by",
        "a",
        "an",
        "my",
        "our",
        "your",
        "gdpr",
        "dsgvo",
        "rgpd",
        "marketing",
        "news",
        "updates",
        "given",
        "granted",
        "all",
        "confirmed",
        "double",
        "single",
        "contact",
        "subscriber",
        "user",
        "status",
        "yn",
        "yes",
        "no",
        "ja",
        "oui",
        "si",
    }
)
CONFIRMED = re.compile(
    r"^(?:e ?mail )?(?:is )?(?:double optin|optin confirmed|confirmed|verified|activated"
    r"|bestatigt)$"
    r"|\b(?:e ?mail|address|subscriber|user)\b.{0,40}\b(?:confirmed|verified|validated)$"
)
TOPIC = re.compile(
    r"news ?letter|\bmailings?\b|\be ?mail(?:s|y)?\b|\bmails?\b|marketing|\bnews\b|\bupdates\b"
    r"|werbung|publicidad|publicite|pubblicit|infomail|rundbrief|rundschreiben|kontakt|"
    r"anschreiben|angeschrieben"
    r"|infolettre|\blettres?\b|courriel|boletin|\bcorreos?\b|comunica[cz]ion|\bposta\b"
    r"|nieuwsbrief|nyhetsbrev|nyhedsbrev|uutiskirje|biuletyn|zpravodaj|hirlevel|bulten"
    r"|\bcontact(?:able|ed)?\b|рассыл|новост|письм"
)
WISH = re.compile(
    r"\b(?:wants?|wish(?:es)?|allow(?:s|ed)?|permit(?:s|ted)?|permission|accepts?|accepted|"
    r"agree[sd]?"
    r"|receives?|interested|subscribes|ok|okay"
    r"|(?:can|may|please) (?:be )?(?:contact\w*|e ?mail\w*|mail\w*|send|receive)"
    r"|gewunscht|erwunscht|erlaubt|darf|durfen|mochte|wunscht|zugestimmt|zustimmung|einwilligung"
    r"|einverstanden|gestattet|erhalt|erhalten|empfangen"
    r"|souhait\w*|accept\w*|autoris\w*|recevoir|recoit|accord|veut"
    r"|acept\w*|recib\w*|autoriza\w*|dese[ao]|quiere|permite|accett\w*|ricev\w*|autorizza\w*|vuole"
    r"|desidera|aceit\w*|receb\w*|quer|wil|ontvang\w*|toestemming|akkoord|toegestaan|gewenst"
    r"|primeasca|primesc|doreste|acord|vill|onskar|onsker|godkan\w*|samtyk\w*|samtyck\w*|modtag\w*"
    r"|mottar|zgod\w*|chce|otrzym\w*|souhlas\w*|odebira\w*|соглас\w*|хочет|получать|разреш\w*)\b"
)
BEHAVIOUR = re.compile(
    r"\b(?:open(?:ed|s)?|click(?:ed|s)?|sent|received|count|number|total|rate|last|html|format"
    r"|cookies?|person|geoffnet|geklickt|gesendet|anzahl|ouvert\w*|envoye\w*|nombre|abiert\w*)\b"
)
"""Pattern of words in column names for actions and counts, which express no wish."""
CONSENT_STATUS = re.compile(
    r"(?:mail|subscri|consent|marketing|newsletter|permission|contact|member|list|optin|abo"
    r"|inscri|suscri|iscri)"
)
STATE = (
    *("state", "estado", "état", "etat", "situação", "zustand", "stav", "durum", "stan", "tila"),
    *("κατάσταση", "статус", "состояние", "状态", "订阅状态", "ステータス", "상태", "구독상태"),
)
"""Names of columns that hold a status or a federal state: only known words in them count."""
ENABLED = (
    *("enabled", "active", "is active", "mailable", "deliverable", "aktiv", "ist aktiv", "actif"),
    *(
        "activo",
        "ativo",
        "attivo",
        "actief",
        "activ",
        "freigeschaltet",
        "aktywny",
        "aktivní",
        "активен",
    ),
)
"""Names of columns in which false means that the subscriber must not be mailed; true says nothing
about consent."""
