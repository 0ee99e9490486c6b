"""Words for the status of a subscriber, in the languages of exporting programs. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from newsletter.import_formats.column_names import normalize_name
from newsletter.import_formats.vocabulary import StatusWord

_RANKS = {word: rank for rank, word in enumerate(StatusWord)}


def find_strictest(words: Iterable[StatusWord]) -> StatusWord:
    """Return the strictest of `words`, of which there is at least one."""
    return max(words, key=_RANKS.__getitem__)


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
        "aktywny; aktywna; aktivní; активен; активна; активный; ενεργός; ενεργή; "
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
        "global unsubscribe; un subscribed; never subscribed; do not email; do not mail; "
        "by user; by admin; unmailable; not mailable; removido; removida; eliminado; eliminada; "
        "supprimé; supprimée; gelöscht; verwijderd; usunięty; удалён; удален; διαγραμμένος; "
        "διαγραμμένη; no consent; optout; optedout; opted-out; "
        "abgemeldet; inaktiv; ausgetragen; gekündigt; nicht abonniert; désabonné; "
        "désabonnée; désinscrit; désinscrite; inactif; dado de baja; baja; desuscrito; cancelado; "
        "inactivo; "
        "no suscrito; disiscritto; disiscritta; cancellato; annullato; inattivo; descadastrado; "
        "inativo; não inscrito; "
        "uitgeschreven; afgemeld; inactief; dezabonat; dezabonata; inactiv; "
        "wypisany; wypisana; odhlášen; odhlášena; afmeldt; frameldt; avmeldt; avregistrerad; "
        "avprenumererad; peruttu; peruutettu; leiratkozott; abonelikten çıktı; отписан; отписана; "
        "отписался; відписався; 退订; 已退订; 取消订阅; 已取消订阅; 退訂; 取消訂閱; 配信停止; "
        "購読解除; 수신거부; 구독취소; "
        "غير مشترك; غير مشتركة; ملغى الاشتراك; ألغى الاشتراك; إلغاء الاشتراك"
    ),
    StatusWord.BOUNCED: (
        "bounced; bounce; by bounces; cleaned; hard bounced; hard bounce; unreachable; "
        "undeliverable; invalid; inválido; invalide; ungültig; malformed; "
        "zurückgewiesen; unzustellbar; bereinigt; rejeté; rebotado; rimbalzato; devolvido; respins"
    ),
    StatusWord.COMPLAINED: (
        "complained; complaint; spam; spam complaint; marked as spam; reported spam; junk; abuse"
    ),
    StatusWord.BLOCKED: (
        "blocklisted; blacklisted; blocklist; blacklist; blocked; suppressed; banned; spammy; "
        "gesperrt; bloqué; zablokowany; zablokován; заблокирован; geblokkeerd; "
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
"""The meaning of each status word, by the word's normalised spelling."""


_OF_NOTHING_ELSE = (
    "unsubscribed; unsubscribe; unsub; un subscribed; global unsubscribe; not subscribed; "
    "never subscribed; opted out; opt out; optout; optedout; opted-out; do not contact; "
    "do not email; do not mail; unmailable; not mailable; διαγραμμένος; διαγραμμένη; "
    "by user; by admin; by bounces; bounced; bounce; hard bounced; hard bounce; "
    "soft bounced; complained; spam complaint; marked as spam; reported spam; blocklisted; "
    "blacklisted; suppressed; abgemeldet; ausgetragen; nicht abonniert; unzustellbar; désabonné; "
    "désabonnée; désinscrit; désinscrite; dado de baja; desuscrito; no suscrito; rebotado; "
    "disiscritto; disiscritta; descadastrado; não inscrito; uitgeschreven; afgemeld; dezabonat; "
    "dezabonata; wypisany; wypisana; odhlášen; odhlášena; afmeldt; frameldt; avmeldt; "
    "avregistrerad; avprenumererad; leiratkozott; abonelikten çıktı; отписан; отписана; "
    "отписался; відписався; 退订; 已退订; 取消订阅; 已取消订阅; 退訂; 取消訂閱; 配信停止; "
    "購読解除; 수신거부; 구독취소; ملغى الاشتراك; ألغى الاشتراك; إلغاء الاشتراك"
)
_CERTAIN = frozenset(
    spelling
    for word in _OF_NOTHING_ELSE.split("; ")
    for plain in (word, normalize_word(word))
    for spelling in (plain, plain.replace(" ", "_"), plain.replace(" ", "-"))
)
_LONGEST = max(map(len, _CERTAIN))


def is_certain(text: str) -> bool:
    """Tell whether a cell holds a word that can only be the status of a subscriber."""
    return len(text) <= _LONGEST and text.strip().lower() in _CERTAIN


def is_status(text: str) -> bool:
    """Tell whether a cell holds a known word for the status of a subscriber."""
    return MEANING.get(normalize_word(text), StatusWord.SILENT) is not StatusWord.SILENT
