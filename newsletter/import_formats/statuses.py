"""Words for the status of a subscriber, in the languages of programs and authors. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from newsletter.import_formats.column_names import normalize_name
from newsletter.import_formats.vocabulary import StatusWord

_RANKS = {word: rank for rank, word in enumerate(StatusWord)}


def find_strictest(words: Iterable[StatusWord]) -> StatusWord:
    """Return the strictest of `words`, which are at least one."""
    return max(words, key=_RANKS.__getitem__)


NO_VALUES = frozenset(
    {
        "",
        "0",
        "0.0",
        "no",
        "n",
        "false",
        "f",
        "none",
        "null",
        "nil",
        "never",
        "-",
        "off",
        "nein",
        "non",
        "nu",
        "n/a",
        "na",
        "0000-00-00 00:00:00",
        "0000-00-00",
    }
)
"""Cells that say no in a column of yes and no."""
YES_VALUES = frozenset(
    {"1", "1.0", "yes", "y", "true", "t", "on", "ja", "oui", "sí", "si", "da", "x"}
)
"""Cells that say yes in a column of yes and no."""

_WORDS: dict[StatusWord, str] = {
    StatusWord.YES: (
        "active; subscribed; confirmed; regular; opted in; double opt in; abonniert; bestätigt; "
        "abonné; abonnée; "
        "inscrit; inscrite; suscrito; suscrita; iscritto; iscritta; inscrito; inscrita; "
        "geabonneerd; ingeschreven; "
        "abonat; abonata; confirmé; confirmado; confermato; bevestigd; confirmat; "
        "مشترك; مشتركة"
    ),
    StatusWord.SILENT: (
        "; express; explicit; implicit; implied; granted; given; marketing contact; ok; "
        "enabled; new; none; free; paid; comp; gift; valid; deliverable; aktiv; actif; activo; "
        "ativo; attivo; "
        "actief; activ"
    ),
    StatusWord.PENDING: (
        "non marketing contact; "
        "pending; unconfirmed; not confirmed; unactivated; validating; unverified; needs "
        "attention; waiting; invited; "
        "awaiting confirmation; nonsubscribed; non subscribed; transactional; unpaid; unbestätigt; "
        "ausstehend; "
        "non confirmé; en attente; sin confirmar; no confirmado; pendiente; pendente; non "
        "confermato; in attesa; "
        "não confirmado; onbevestigd; neconfirmat; in asteptare; "
        "غير مؤكد; قيد الانتظار"
    ),
    StatusWord.NO: (
        "denied; "
        "unsubscribed; unsubscribe; inactive; cancelled; canceled; removed; disabled; opted out; "
        "opt out; archived; "
        "deleted; paused; do not contact; email disabled; held; stopped; expired; not subscribed; "
        "soft bounced; unsub; "
        "global unsubscribe; un subscribed; abgemeldet; inaktiv; ausgetragen; gekündigt; nicht "
        "abonniert; désabonné; "
        "désabonnée; désinscrit; désinscrite; inactif; dado de baja; baja; desuscrito; cancelado; "
        "inactivo; "
        "no suscrito; disiscritto; disiscritta; cancellato; annullato; inattivo; descadastrado; "
        "inativo; não inscrito; "
        "uitgeschreven; afgemeld; inactief; dezabonat; dezabonata; inactiv; wypisany; odhlášen; "
        "غير مشترك; غير مشتركة; ملغى الاشتراك; ألغى الاشتراك; إلغاء الاشتراك"
    ),
    StatusWord.BOUNCED: (
        "bounced; bounce; cleaned; hard bounced; hard bounce; unreachable; undeliverable; invalid; "
        "malformed; "
        "zurückgewiesen; unzustellbar; bereinigt; rejeté; rebotado; rimbalzato; devolvido; respins"
    ),
    StatusWord.COMPLAINED: (
        "complained; complaint; spam; spam complaint; marked as spam; reported spam; junk; abuse"
    ),
    StatusWord.BLOCKED: (
        "blocklisted; blacklisted; blocklist; blacklist; blocked; suppressed; banned; spammy; "
        "gesperrt; bloqué; "
        "bloqueado; bloccato; blocat; محظور"
    ),
}


def normalize_word(text: str) -> str:
    """Return a word in lower case, without accents, with single spaces."""
    apart = unicodedata.normalize("NFD", normalize_name(text))
    return (
        apart
        if apart.isascii()
        else "".join(sign for sign in apart if not unicodedata.combining(sign))
    )


MEANING: dict[str, StatusWord] = {
    normalize_word(word): meaning for meaning, words in _WORDS.items() for word in words.split("; ")
}
"""The meaning of each word, by its normalised spelling."""


def is_status(text: str) -> bool:
    """Tell whether a cell holds one of the words for a status."""
    return MEANING.get(normalize_word(text), StatusWord.SILENT) is not StatusWord.SILENT
