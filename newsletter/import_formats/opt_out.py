"""Recognise columns about opting out or opting in by their names, and read their cells. Pure.

Every program names such a column differently (``HasOptedOutOfEmail``, ``EMAIL_BLACKLISTED``,
``Unsubscribed from all email``). No table of known names is complete, so names are searched for
words. A value in such a column that is not understood stops the import (`judge` returns None), so
that nobody is mailed because of an unknown spelling.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from newsletter.i18n import Text
from newsletter.import_formats import column_names, opt_in_words
from newsletter.import_formats import opt_out_words as words
from newsletter.import_formats.moments import parse_moment
from newsletter.import_formats.statuses import MEANING, find_strictest, normalize_word
from newsletter.import_formats.unseen import show_plainly
from newsletter.import_formats.vocabulary import ColumnKind, StatusWord
from newsletter.import_formats.yes_no import NO, NOTHING, OUT

IGNORE = "ignore"
OPT_OUT = "opt-out"
CHOICES = (IGNORE, OPT_OUT)
"""Choices of an author for a column: it says nothing about consent, or any value other than a no is
an opt-out."""

_SPLIT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class OptOut:
    """A column that says who must not be mailed; a yes in it gives a subscriber the status `word`.

    `declared`: the author has declared that any value other than a no is an opt-out.
    """

    position: int
    name: str
    word: StatusWord
    kind: ColumnKind
    declared: bool = False


@dataclass(frozen=True, slots=True)
class OptIn:
    """A column that says who agreed to be mailed.

    A no in it is an opt-out; in a column about confirmation, it means that the subscriber has not
    answered.
    """

    position: int
    name: str
    negative: StatusWord


def spell(name: str) -> str:
    """Return a column's name as plain lower-case words.

    ``HasOptedOutOfEmail`` and ``has_opted-out of e-mail`` give the same result.
    """
    return normalize_word(_SPLIT.sub(" ", show_plainly(name)))


def find_word(text: str) -> StatusWord | None:
    """Return the strictest opt-out word in a text, or None."""
    return next((word for word, pattern in words.PATTERNS if pattern.search(text)), None)


def find_first_word(name: str) -> StatusWord | None:
    """Return the opt-out word at the beginning of a name, or None.

    For example in a file's name, ``suppression-list``.
    """
    text = spell(name)
    return next((word for word, pattern in words.PATTERNS if pattern.match(text)), None)


def find_opt_outs(
    header: Sequence[str], *, known: Collection[int], choices: Mapping[str, str]
) -> tuple[list[OptOut], dict[int, str]]:
    """Return the opt-out columns of a header, and the reasons why similar columns are not.

    `known` are the positions of columns with another meaning; `choices` maps a column's normalised
    name to the author's choice (`CHOICES`).
    """
    names = {name: word for word, exact in column_names.UNWANTED.items() for name in exact}
    opt_outs: list[OptOut] = []
    others: dict[int, str] = {}
    for position, title in enumerate(header):
        key = column_names.normalize_name(title)
        text = spell(title)
        choice = choices.get(key)
        word: StatusWord | None = names.get(key) or _find_in_name(title)
        if choice == OPT_OUT:
            opt_outs.append(
                OptOut(position, title, word or StatusWord.NO, ColumnKind.FLAG, declared=True)
            )
        elif choice == IGNORE or position in known or word is None:
            continue
        elif words.LINK.search(text):
            others[position] = Text("a link")
        elif key not in names and is_of_another_channel(text):
            others[position] = Text("another channel than e-mail")
        else:
            opt_outs.append(OptOut(position, title, word, _choose_kind(text)))
    return opt_outs, others


def _find_in_name(title: str) -> StatusWord | None:
    """Return the strictest opt-out word in a column's name, or None.

    The name is also read without splitting words at capital letters.
    """
    soft = "soft" in title.lower()
    meanings = [word for text in (spell(title), normalize_word(title)) if (word := find_word(text))]
    return None if not meanings else StatusWord.NO if soft else find_strictest(meanings)


def _choose_kind(text: str) -> ColumnKind:
    if words.NEGATED.search(text):
        return ColumnKind.NEGATED
    if words.REASON.search(text):
        return ColumnKind.REASON
    return ColumnKind.DATE if words.DATE.search(text) else ColumnKind.FLAG


def find_opt_ins(
    header: Sequence[str], *, known: Collection[int], choices: Mapping[str, str]
) -> list[OptIn]:
    """Return the columns whose names say that somebody agreed to be mailed."""
    opt_ins: list[OptIn] = []
    for position, title in enumerate(header):
        text = opt_in_words.OPT_IN.sub(
            lambda match: "double optin" if match[0].startswith("double") else "optin", spell(title)
        )
        if position in known or column_names.normalize_name(title) in choices or find_word(text):
            continue
        if opt_in_words.CONFIRMED.search(text):
            opt_ins.append(OptIn(position, title, StatusWord.PENDING))
        elif _names_consent(text):
            opt_ins.append(OptIn(position, title, StatusWord.NO))
    return opt_ins


def _names_consent(text: str) -> bool:
    """Tell whether a column's name means that somebody agreed to, or wishes to get, mail."""
    parts = set(text.split())
    core = opt_in_words.OPT_IN_CORE
    if parts & core and parts <= core | opt_in_words.OPT_IN_FILLER:
        return True
    wishes = opt_in_words.WISH.search(text) and opt_in_words.TOPIC.search(text)
    return bool(wishes) and not (
        opt_in_words.BEHAVIOUR.search(text)
        or is_of_another_channel(text)
        or words.LINK.search(text)
    )


def is_of_another_channel(text: str) -> bool:
    """Tell whether a name is about another channel than e-mail, such as calls or text messages."""
    return bool(words.OTHER_CHANNEL.search(text)) and not words.EMAIL.search(text)


def is_status_name(title: str) -> bool:
    """Tell whether a column's name says that it holds a status.

    For example ``Email permission status``.
    """
    text = spell(title)
    return bool(words.STATUS.search(text) and opt_in_words.CONSENT_STATUS.search(text)) and not (
        find_word(text) or is_of_another_channel(text)
    )


@lru_cache(maxsize=4096)
def judge(column: OptOut, text: str) -> StatusWord | None:
    """Return the status in a cell of an opt-out column, or None if it cannot be understood."""
    value = text.strip().strip("'\"").lower()
    plain = normalize_word(value)
    if not value:
        return StatusWord.SILENT
    if column.kind is ColumnKind.NEGATED and not column.declared:
        return None
    if value in NO or value in NOTHING or plain in NOTHING:
        return StatusWord.SILENT
    if "soft" in plain.split():
        return StatusWord.NO
    if column.declared or column.kind is ColumnKind.REASON:
        return column.word
    if words.NEGATED.search(plain):
        return StatusWord.SILENT
    if value in OUT or plain in OUT or parse_moment(text) or _is_count(value):
        return column.word
    if word := find_word(plain):
        return find_strictest((word, column.word))
    if column.kind is ColumnKind.DATE and any(letter.isdecimal() for letter in value):
        return column.word
    meaning = MEANING.get(plain)
    if meaning == StatusWord.YES and plain not in ("active", "confirmed", "regular", "aktiv"):
        return StatusWord.SILENT
    return None


def _is_count(value: str) -> bool:
    """Tell whether a cell is a positive number.

    For example a number of bounces, or Mautic's number for the reason not to contact somebody.
    """
    return value.isdecimal() and value.isascii() and len(value) < 6 and int(value) > 0


@lru_cache(maxsize=4096)
def judge_opt_in(column: OptIn, text: str) -> StatusWord:
    """Return the status in a cell of an opt-in column: a no opts out, a yes proves nothing."""
    value = text.strip().strip("'\"").lower()
    plain = normalize_word(value)
    if value in NO or (
        value == "2" and column.negative == StatusWord.PENDING
    ):  # Brevo's category for no
        return column.negative
    if plain in (
        "do not allow",
        "not allowed",
        "disallow",
        "disallowed",
        "forbidden",
        "denied",
        "declined",
    ):
        return StatusWord.NO
    meaning = find_word(plain) or MEANING.get(plain, StatusWord.SILENT)
    return StatusWord.SILENT if meaning == StatusWord.YES else meaning
