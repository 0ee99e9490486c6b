"""List words that mean yes or no in a cell, in many languages."""

from __future__ import annotations


def _split(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split("; "))


NO = _split(
    "0; 0.0; no; n; false; f; off; nein; non; nu; nee; nao; não; nej; ei; nie; ne; nem; hayır",
    "hayir; όχι; οχι; нет; ні; не; 否; いいえ; 아니요; 아니오; لا; לא",
    "falsch; faux; falso; fals; fałsz; ложь; onwaar; falskt; falsk; usann; epätosi; nepravda",
    "hamis; yanlış; yanliş; unchecked; []; {}; ✗; ✘; ☐; ❌; ✖; 🚫; ⛔",
)
EMPTY = _split("; none; null; nil; never; -; --; n/a; na; nan; 0000-00-00; 0000-00-00 00:00:00")
"""Words that programs write for a missing value."""
NO_VALUES = NO | EMPTY
NOTHING = EMPTY | _split(
    "keine; keiner; kein; aucun; aucune; ninguno; ninguna; nunca; niciunul; jamais; nessuno",
    "contactable; allow; allowed; erlaubt; ok; good; valid; deliverable; reachable; clean; clear",
)
"""Words in an opt-out column that mean nobody opted out."""
YES = _split(
    "1; 1.0; yes; y; true; t; on; x; ja; j; oui; o; si; sí; s; da; d; sim; tak; ano; igen; evet",
    "kyllä; kylla; ναι; да; так; 是; はい; 예; 네; نعم; כן",
    "wahr; vrai; verdadero; verdadeiro; vero; adevarat; prawda; истина; waar; sant; sand; sann",
    "tosi; pravda; igaz; doğru; checked; ✓; ✔; ☑; ✅",
)
OUT = YES | _split(
    "do not allow; not allowed; disallow; disallowed; forbidden; verboten; user suppressed",
    "manual; everywhere; all",
)
"""Words in an opt-out column that mean somebody opted out."""
