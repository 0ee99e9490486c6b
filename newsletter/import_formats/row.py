"""Parse a row of a subscriber file: address, dates, and whether it may be mailed. Pure.

The strictest status in a row counts: a subscriber who is unsubscribed, cleaned, bounced, disabled
or suppressed in any column is never made active, nor is one with an unknown status. Every column is
read, or reported as not read (`RowParser.uses`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from newsletter.html.text import to_plain_line
from newsletter.import_formats import column_names, opt_in_words, opt_out, platforms
from newsletter.import_formats.cells import get_cell, split_tags
from newsletter.import_formats.file_status import find_file_status
from newsletter.import_formats.flags import read_enabled, read_flag, read_status
from newsletter.import_formats.formula_injection import unguard_cell
from newsletter.import_formats.moments import parse_moment
from newsletter.import_formats.opt_out import judge, judge_opt_in
from newsletter.import_formats.own_columns import OUR_COLUMNS
from newsletter.import_formats.own_format import read_row
from newsletter.import_formats.platforms import OURS, Platform, find_positions
from newsletter.import_formats.statuses import (
    MEANING,
    find_strictest,
    is_certain,
    normalize_word,
)
from newsletter.import_formats.types import SubscriberRow
from newsletter.import_formats.vocabulary import StatusWord

NOT_READ = "not read"
_LABELS = {
    StatusWord.YES: "subscribed",
    StatusWord.PENDING: "not confirmed",
    StatusWord.NO: "unsubscribed",
    StatusWord.BOUNCED: "bounced",
    StatusWord.BLOCKED: "blocked",
    StatusWord.COMPLAINED: "complained",
}


class RowParser:
    """A parser for the rows of one file with a known `header` and platform.

    `file` is the file's name, which tells the status of all rows in Mailchimp's files. `choices`
    maps columns to the author's choices (`opt_out.CHOICES`).
    """

    def __init__(
        self,
        platform: Platform,
        header: Sequence[str],
        email_at: int,
        *,
        file: str = "",
        choices: Mapping[str, str] | None = None,
    ) -> None:
        self.platform = platform
        self.header = tuple(title or f"column {number}" for number, title in enumerate(header, 1))
        self._uses = {email_at: "address"}
        self._email = email_at
        self._ours = self._find_ours(header) if platform.name == OURS else {}
        self._name = self._find("name", column_names.NAME, most=1)
        self._parts = (self._find("name", column_names.FIRST, most=1) or self._name) + self._find(
            "name", column_names.LAST, most=1
        )
        self._status = self._find("status", column_names.STATUS + platform.status)
        self._status += self._find_by(
            lambda title: (
                opt_out.is_status_name(title)
                and column_names.normalize_name(title) not in (choices or {})
            ),
            "status",
        )
        self._state = self._find("status", opt_in_words.STATE)
        self._enabled = self._find("status", opt_in_words.ENABLED)
        self._opted_in = self._find("opt-in", column_names.WANTED)
        self._confirmed = self._find("confirmation", column_names.CONFIRMED)
        self._confirmed_at = self._find("date of confirmation", column_names.CONFIRMED_AT)
        self._requested_at = self._find(
            "date of sign-up", column_names.ASKED_AT + platform.signed_up
        )
        self._made_at = self._find("date", column_names.MADE_AT)
        self._ip = self._find("network address", column_names.IP)
        self._tags = self._find("tags", column_names.TAGS, most=1)
        self._language = self._find("language", column_names.LANGUAGE, most=1)
        self._cadence = self._find("cadence", column_names.CADENCE, most=1)
        self._list = (
            self._find("list", column_names.LIST, most=1) if platform.name == platforms.CSV else ()
        )
        self._find_consent(choices or {})
        self._unread = [] if self._ours else self._list_unread(choices or {})
        self._learnt: tuple[int, ...] = ()
        self._everybody = find_file_status(header, file, email_at)

    def _find(self, use: str, names: Iterable[str], *, most: int | None = None) -> tuple[int, ...]:
        """Claim unused columns that have one of these names, in the order of the names.

        Returns at most `most` positions.
        """
        free = tuple(
            position
            for position in find_positions(self.header, names)
            if position not in self._uses
        )[:most]
        self._uses |= dict.fromkeys(free, use)
        return free

    def _find_by(self, is_name: Callable[[str], bool], use: str) -> tuple[int, ...]:
        free = tuple(
            position
            for position, title in enumerate(self.header)
            if position not in self._uses and is_name(title)
        )
        self._uses |= dict.fromkeys(free, use)
        return free

    def _find_ours(self, header: Sequence[str]) -> dict[str, int]:
        columns = {column_names.normalize_name(name) for name in OUR_COLUMNS}
        places = {
            key: position
            for position, title in enumerate(header)
            if (key := column_names.normalize_name(title)) in columns
        }
        self._uses |= {position: key for key, position in places.items()} | {self._email: "address"}
        return places

    def _find_consent(self, choices: Mapping[str, str]) -> None:
        """Find the opt-out and opt-in columns by the words in their names."""
        positive = {
            position
            for position in (*self._opted_in, *self._confirmed, *self._enabled)
            if column_names.normalize_name(self.header[position]) in choices
        }
        known = self._uses.keys() - positive
        self._opt_outs, others = opt_out.find_opt_outs(self.header, known=known, choices=choices)
        self._opt_out_positions = tuple(column.position for column in self._opt_outs)
        self._uses |= dict.fromkeys(self._opt_out_positions, "opt-out")
        self._opt_ins = opt_out.find_opt_ins(
            self.header, known=self._uses.keys() | others.keys(), choices=choices
        )
        self._uses |= {column.position: "opt-in" for column in self._opt_ins}
        self._uses |= {position: f"{NOT_READ} ({why})" for position, why in others.items()}

    def _list_unread(self, choices: Mapping[str, str]) -> list[int]:
        """List the unused columns that might hold the status of a subscriber."""
        return [
            position
            for position, title in enumerate(self.header)
            if position not in self._uses
            and column_names.normalize_name(title) not in choices
            and not opt_out.is_of_another_channel(opt_out.spell(title))
        ]

    def learn(self, cells: Sequence[str]) -> None:
        """Register unused columns that hold the status of a subscriber in this row.

        Must be called with every row before any row is read.
        """
        for position in [at for at in self._unread if is_certain(get_cell(cells, at))]:
            self._unread.remove(position)
            self._learnt += (position,)
            self._uses[position] = "status"

    @property
    def uses(self) -> dict[str, str]:
        """Return the use of each column by the column's name, in the order of the file."""
        titles: dict[str, str] = {}
        for position, title in enumerate(self.header):
            name = to_plain_line(title, limit=60)
            titles[name if name not in titles else f"{name} ({position + 1})"] = self._uses.get(
                position, NOT_READ
            )
        return titles

    @property
    def hides_consent(self) -> bool:
        """Tell whether any column is about consent, which a row with shifted cells may hide."""
        return bool(
            self._ours
            or self._opt_outs
            or self._opt_ins
            or self._status
            or self._opted_in
            or self._enabled
            or self._learnt
        )

    def find_unclear(self, cells: Sequence[str]) -> tuple[str, str] | None:
        """Return name and cell of an opt-out column that cannot be understood, or None."""
        for column in self._opt_outs:
            if judge(column, text := get_cell(cells, column.position)) is None:
                return column.name, text
        return None

    def read(self, line: int, cells: Sequence[str]) -> SubscriberRow:
        """Parse a row. Its `email` is not validated."""
        if self._ours:
            return self._read_ours(line, cells)
        confirmed_at = self._read_moment(cells, self._confirmed_at)
        requested_at = self._read_moment(cells, self._requested_at)
        word, status = self._choose_word(cells, agreed=bool(confirmed_at or requested_at))
        return SubscriberRow(
            line=line,
            email=unguard_cell(get_cell(cells, self._email)),  # validated later, as in the form
            word=word,
            name=self._read_name(cells),
            created_at=self._read_moment(cells, self._made_at) or requested_at or confirmed_at,
            consented_at=(confirmed_at or requested_at) if word == StatusWord.YES else None,
            left_at=self._read_moment(cells, self._opt_out_positions),
            ip=to_plain_line(self._read_text(cells, self._ip), limit=45),
            tags=split_tags(self._read_text(cells, self._tags)),
            note=self._write_note(word, confirmed_at, requested_at),
            status=status,
            list=to_plain_line(self._read_text(cells, self._list), limit=60),
            language=to_plain_line(self._read_text(cells, self._language), limit=20),
            cadence=to_plain_line(self._read_text(cells, self._cadence), limit=20).lower(),
            extra=self._count_extra(cells),
        )

    def _count_extra(self, cells: Sequence[str]) -> int:
        extra = cells[len(self.header) :]
        return len(extra) if any(cell.strip() for cell in extra) else 0

    def _choose_word(self, cells: Sequence[str], *, agreed: bool) -> tuple[StatusWord, str]:
        """Return the strictest status of a row, and its status text that is not known or ""."""
        words = [self._everybody, StatusWord.YES if agreed else StatusWord.SILENT]
        unknown = ""
        for position in self._status:
            text = normalize_word(get_cell(cells, position))
            meaning = self._find_meaning(text) or opt_out.find_word(text) or StatusWord.UNKNOWN
            unknown = text if meaning == StatusWord.UNKNOWN else unknown
            words.append(meaning)
        words += [
            self._find_meaning(normalize_word(get_cell(cells, position))) or StatusWord.SILENT
            for position in self._state
        ]
        words += [read_status(get_cell(cells, position)) for position in self._learnt]
        words += [
            read_flag(get_cell(cells, position), negative=StatusWord.NO)
            for position in self._opted_in
        ]
        words += [read_enabled(get_cell(cells, position)) for position in self._enabled]
        words += [
            read_flag(get_cell(cells, position), negative=StatusWord.PENDING)
            for position in self._confirmed
        ]
        words += self._list_consent_words(cells)
        if self._count_extra(cells) and self.hides_consent:
            words.append(StatusWord.UNKNOWN)
        return find_strictest(words), unknown

    def _find_meaning(self, text: str) -> StatusWord | None:
        return self.platform.words.get(text) or MEANING.get(text)

    def _list_consent_words(self, cells: Sequence[str]) -> list[StatusWord]:
        words: list[StatusWord] = []
        for column in self._opt_outs:
            word = judge(column, get_cell(cells, column.position)) or StatusWord.UNKNOWN
            is_negative = self.platform.name == "substack" and get_cell(
                cells, column.position
            ).strip().lower() in (
                "false",
                "0",
            )
            words.append(StatusWord.YES if is_negative and word == StatusWord.SILENT else word)
        return words + [
            judge_opt_in(column, get_cell(cells, column.position)) for column in self._opt_ins
        ]

    def _read_name(self, cells: Sequence[str]) -> str:
        full_name = self._read_text(cells, self._name)
        parts = (get_cell(cells, position).strip() for position in self._parts)
        name = full_name if self._parts == self._name else " ".join(filter(None, parts))
        return to_plain_line(
            unguard_cell(
                name if len(name) > len(full_name) and not full_name.endswith(name) else full_name
            ),
            limit=200,
        )

    def _read_text(self, cells: Sequence[str], where: Sequence[int]) -> str:
        for position in where:
            if text := get_cell(cells, position).strip():
                return text
        return ""

    def _read_moment(self, cells: Sequence[str], where: Sequence[int]) -> datetime | None:
        for position in where:
            if moment := parse_moment(get_cell(cells, position)):
                return moment
        return None

    def _write_note(
        self, word: StatusWord, confirmed_at: datetime | None, requested_at: datetime | None
    ) -> str:
        parts = [f"asked {requested_at:%Y-%m-%d %H:%M} UTC"] if requested_at else []
        parts += [f"confirmed {confirmed_at:%Y-%m-%d %H:%M} UTC"] if confirmed_at else []
        parts += [_LABELS[word]] if word in _LABELS else []
        return f"{self.platform.title}: {', '.join(parts)}" if parts else ""

    def _read_ours(self, line: int, cells: Sequence[str]) -> SubscriberRow:
        row = read_row(
            line, {name: get_cell(cells, position) for name, position in self._ours.items()}
        )
        words = [
            row.word,
            *self._list_consent_words(cells),
            *([StatusWord.UNKNOWN] if self._count_extra(cells) else []),
        ]
        word = find_strictest(words)
        return replace(row, word=word, extra=self._count_extra(cells))
