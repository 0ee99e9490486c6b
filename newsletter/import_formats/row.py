"""What a row of a subscriber file says of a person: who, since when, and whether she may be mailed. Pure.

The strictest word of a row counts: whoever is unsubscribed, cleaned, bounced, disabled or suppressed in any column is
never made active, and a word that nobody knows makes nobody active either.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from typing import Any, cast

from newsletter.html.sanitize import plain
from newsletter.import_formats import platforms
from newsletter.import_formats.formula_injection import unguarded
from newsletter.import_formats.platforms import OURS, Platform, positions
from newsletter.import_formats.statuses import MEANING, STRICTNESS, Word, plainly

ANSWERS_AT_MOST = 50
SUPPRESSIONS = ("bounce", "complaint", "manual")
_SAID = {
    "yes": "subscribed", "pending": "not confirmed", "no": "unsubscribed", "bounced": "bounced", "blocked": "blocked",
    "complained": "complained",
}  # fmt: skip
_FALSE = frozenset(
    {"", "0", "0.0", "no", "n", "false", "f", "none", "null", "nil", "never", "-", "off", "nein", "non", "n/a", "na",
     "contactable", "0000-00-00 00:00:00", "0000-00-00"}
)  # fmt: skip
_TRUE = frozenset({"1", "1.0", "yes", "y", "true", "t", "on", "ja", "oui", "sí", "si", "x"})
_NAMED = re.compile(
    r"(?:mailchimp[ _-]*)?(?:(?P<left>unsubscribe(?:d|rs?|s)?)|(?P<cleaned>cleaned)|non[ _-]?subscribed)(?![a-z])"
)
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_ZONE = re.compile(r" ?(UTC|GMT|Z)$| (?=[+-]\d\d:?\d\d$)")
_FORMATS = (
    "%m/%d/%Y",
    "%m/%d/%y",
    "%d/%m/%Y",
    "%d.%m.%Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d %b %Y",
    "%d %B %Y",
    "%Y/%m/%d",
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ", %I:%M %p")


@dataclass(frozen=True, slots=True)
class Person:
    """A row understood. `consented_at`: when she asked or confirmed, if it says so; `left_at`: when she left. `source`
    and `note` are evidence to keep with her consent; `status` is the word that was not understood."""

    line: int
    email: str
    word: Word = "silent"
    name: str = ""
    created_at: datetime | None = None
    consented_at: datetime | None = None
    left_at: datetime | None = None
    ip: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    source: str = "import"
    status: str = ""
    list: str = ""
    cadence: str = ""
    language: str = ""
    paused_until: datetime | None = None
    suppressed: str = ""
    topics: tuple[str, ...] = ()
    answers: dict[str, Any] = field(default_factory=dict)


class Reader:
    """Reads the rows of one file, whose `header` and platform are known. `file` is its name: Mailchimp says there who
    is in it."""

    def __init__(self, platform: Platform, header: Sequence[str], email_at: int, *, file: str = "") -> None:
        self.platform = platform
        self._email = email_at
        self._name = positions(header, platforms.NAME)[:1]
        self._parts = (positions(header, platforms.FIRST) or self._name)[:1] + positions(header, platforms.LAST)[:1]
        self._status = positions(header, platforms.STATUS + platform.status)
        self._state = positions(header, platforms.STATE)
        self._enabled = positions(header, platforms.ENABLED)
        self._wanted = positions(header, platforms.WANTED)
        self._confirmed = positions(header, platforms.CONFIRMED)
        self._unwanted = [(at, word) for word, names in platforms.UNWANTED.items() for at in positions(header, names)]
        self._confirmed_at = positions(header, platforms.CONFIRMED_AT)
        self._asked_at = positions(header, platforms.ASKED_AT + platform.asked)
        self._made_at = positions(header, platforms.MADE_AT)
        self._ip = positions(header, platforms.IP)
        self._tags = positions(header, platforms.TAGS)[:1]
        self._ours = {platforms.key(name): at for at, name in enumerate(header)} if platform.name == OURS else {}
        self._everybody = _everybody(header, file)

    def read(self, line: int, cells: Sequence[str]) -> Person:
        """The person in a row; `email` may be anything still."""
        if self._ours:
            return self._read_ours(line, cells)
        confirmed_at, asked_at = self._moment(cells, self._confirmed_at), self._moment(cells, self._asked_at)
        word, status = self._word(cells, agreed=bool(confirmed_at or asked_at))
        return Person(
            line=line,
            email=_address(_cell(cells, self._email)),
            word=word,
            name=self._named(cells),
            created_at=self._moment(cells, self._made_at) or asked_at or confirmed_at,
            consented_at=(confirmed_at or asked_at) if word in ("yes", "no") else None,
            left_at=self._moment(cells, [at for at, _ in self._unwanted]),
            ip=plain(self._text(cells, self._ip), limit=45),
            tags=_tags(self._text(cells, self._tags)),
            note=self._note(word, confirmed_at, asked_at),
            status=status,
        )

    def _word(self, cells: Sequence[str], *, agreed: bool) -> tuple[Word, str]:
        """The strictest word of a row; and the one that nobody knows, if there is one."""
        found, unknown = [self._everybody, "yes" if agreed else "silent"], ""
        for at in self._status:
            said = plainly(_cell(cells, at))
            meaning = self.platform.words.get(said) or MEANING.get(said, "unknown")
            unknown = said if meaning == "unknown" else unknown
            found.append(meaning)
        for at in self._state:
            said = plainly(_cell(cells, at))
            found.append(self.platform.words.get(said) or MEANING.get(said, "silent"))
        found += [_flag(_cell(cells, at), no="no") for at in self._wanted]
        found += [_enabled(_cell(cells, at)) for at in self._enabled]
        found += [_flag(_cell(cells, at), no="pending") for at in self._confirmed]
        for at, word in self._unwanted:
            said = _cell(cells, at).strip().lower()
            not_so = "yes" if self.platform.name == "substack" and said in ("false", "0") else "silent"
            found += [not_so] if said in _FALSE else [word, _warning(said)]
        return max(cast(list[Word], found), key=STRICTNESS.index), unknown

    def _named(self, cells: Sequence[str]) -> str:
        name = " ".join(part for at in self._parts if (part := _cell(cells, at).strip()))
        whole = self._text(cells, self._name)
        return plain(unguarded(name if len(name) > len(whole) and not whole.endswith(name) else whole), limit=200)

    def _text(self, cells: Sequence[str], where: Sequence[int]) -> str:
        return next((text for at in where if (text := _cell(cells, at).strip())), "")

    def _moment(self, cells: Sequence[str], where: Sequence[int]) -> datetime | None:
        return next((found for at in where if (found := moment(_cell(cells, at)))), None)

    def _note(self, word: Word, confirmed_at: datetime | None, asked_at: datetime | None) -> str:
        said = [f"asked {asked_at:%Y-%m-%d %H:%M} UTC"] if asked_at else []
        said += [f"confirmed {confirmed_at:%Y-%m-%d %H:%M} UTC"] if confirmed_at else []
        said += [_SAID[word]] if word in _SAID else []
        return f"{self.platform.title}: {', '.join(said)}" if said else ""

    def _read_ours(self, line: int, cells: Sequence[str]) -> Person:
        said = {name: unguarded(_cell(cells, at)) for name, at in self._ours.items()}
        words: dict[str, Word] = {"active": "yes", "unsubscribed": "no", "pending": "pending"}
        return Person(
            line=line,
            email=said["email"],
            word=words.get(said["status"], "unknown"),
            status=said["status"],
            name=plain(said.get("name", ""), limit=200),
            language=plain(said.get("language", ""), limit=20),
            list=said["list"],
            cadence=said["cadence"],
            paused_until=moment(said.get("paused until", ""), latest=None),
            created_at=moment(said.get("created at", "")),
            consented_at=moment(said.get("confirmed at", "")),
            left_at=moment(said.get("unsubscribed at", "")),
            ip=plain(said.get("consent ip", ""), limit=45),
            suppressed=said.get("suppressed", "") if said.get("suppressed") in SUPPRESSIONS else "",
            tags=_tags(said.get("tags", "")),
            topics=listed(said.get("topics", "")),
            answers=_answers(said.get("answers", "")),
            source=plain(said["consent source"], limit=20),
            note=plain(said["consent note"]),
        )


def _everybody(header: Sequence[str], file: str) -> str:
    """What holds for every row: Mailchimp exports who left, and who bounced, as files of their own, with columns of
    their own; and who never subscribed, as one that only its name gives away."""
    if told := _NAMED.match(file.lower()):
        return "bounced" if told["cleaned"] else "no" if told["left"] else "pending"
    names = {platforms.key(column) for column in header}
    left, cleaned = names & platforms.UNSUBSCRIBED_THERE, names & platforms.CLEANED_THERE
    if "last changed" in names or bool(left) == bool(cleaned):  # everybody in one file: each row says it for itself
        return "silent"
    return "no" if left else "bounced"


def listing(names: Iterable[str]) -> str:
    """Names in one cell, in a way that `listed` reads back."""
    out = StringIO()
    csv.writer(out, delimiter=";", lineterminator="").writerow(list(names))
    return out.getvalue()


def listed(text: str) -> tuple[str, ...]:
    """The names that `listing` was given."""
    return tuple(next(csv.reader([text], delimiter=";"), []))


def _answers(text: str) -> dict[str, Any]:
    """What an export of ours has of a reader's answers to the author's own fields: words, numbers, yes or no."""
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    kept = [(name, value) for name, value in found.items() if isinstance(value, str | bool | int)][:ANSWERS_AT_MOST]
    return {plain(name, limit=60): plain(value) if isinstance(value, str) else value for name, value in kept}


def _cell(cells: Sequence[str], at: int) -> str:
    return cells[at] if at < len(cells) else ""


def _flag(text: str, *, no: str) -> str:
    said = text.strip().lower()
    if not said:
        return "silent"
    if said in _TRUE or moment(text):
        return "yes"
    return no if said in _FALSE else _warning(said)


def _enabled(text: str) -> str:
    said = text.strip().lower()
    return "no" if said in _FALSE - {""} else _warning(said)


def _warning(text: str) -> str:
    """What a word says against mailing her, where yes or no is expected: ``unsubscribed`` in a column *Subscribed*."""
    meaning = MEANING.get(plainly(text), "silent")
    return "silent" if meaning == "yes" else meaning


def _address(text: str) -> str:
    """The address in a cell, as it stands there: what the form would refuse is refused here (S07)."""
    return unguarded(text)


def _tags(text: str) -> tuple[str, ...]:
    found = (plain(tag.strip(" \"'[]"), limit=60) for tag in re.split(r"[,;|]", text))
    return tuple(dict.fromkeys(tag for tag in found if tag))


def moment(text: str, *, latest: datetime | None = datetime(2100, 1, 1, tzinfo=UTC)) -> datetime | None:
    """A moment as programs write it, in UTC where no zone is said; None for what is none. Days before months only where
    the number says so: 4/3/2021 is the third of April."""
    said = text.strip().strip("'")
    if len(said) < 6 or not any(letter.isdecimal() for letter in said):
        return None
    found = _iso(said) or _epoch(said) or _written(said)
    if found is None:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    if not found >= _EARLIEST or (latest and found > latest):
        return None
    return found.astimezone(UTC)


def _iso(said: str) -> datetime | None:
    if said.isdecimal():
        return None
    try:
        return datetime.fromisoformat(said)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(_ZONE.sub("", said))
    except ValueError:
        return None


def _epoch(said: str) -> datetime | None:
    if not said.isdecimal() or len(said) not in (10, 13):
        return None
    return datetime.fromtimestamp(int(said) / (1000 if len(said) == 13 else 1), UTC)


def _written(said: str) -> datetime | None:
    for form in _FORMATS:
        for time in _TIMES:
            try:
                return datetime.strptime(said, form + time)  # noqa: DTZ007 (UTC is said by the caller)
            except ValueError:
                continue
    return None
