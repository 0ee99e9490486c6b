"""Write and read the file that `subscriber export` writes: its columns and their cells. Pure.

A row is a subscription with everything known about it, a subscriber without one, a suppressed
address without a subscription, or an erased address (only its keyed hash). Writing and reading are
in one module to keep them consistent.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from io import StringIO
from typing import Any

from newsletter.html.text import to_plain_line, to_plain_lines
from newsletter.import_formats.formula_injection import unguard_cell
from newsletter.import_formats.moments import parse_moment
from newsletter.import_formats.types import ConsentRecord, SubscriberRow
from newsletter.import_formats.vocabulary import StatusWord
from newsletter.vocabulary import ConsentKind, SubscriptionStatus, SuppressionReason

ANSWERS_AT_MOST = 50
EVENTS_AT_MOST = 800_000
"""Characters that the consent events of one subscription may take in a cell; a line of a million is
not read any more. If there are more, only the newest are written."""

_WORDS: Mapping[str, StatusWord] = {
    SubscriptionStatus.ACTIVE: StatusWord.YES,
    SubscriptionStatus.UNSUBSCRIBED: StatusWord.NO,
    SubscriptionStatus.PENDING: StatusWord.PENDING,
}
_EVENT_TEXTS = {
    "kind": 20,
    "source": 20,
    "form": 40,
    "page": 500,
    "ip": 50,
    "user_agent": 300,
    "message_id": 300,
    "note": 500,
}
_HASH = re.compile(r"[0-9a-f]{64}")


def write_names(names: Iterable[str]) -> str:
    """Return names as the text of one cell, which `read_names` can split again."""
    out = StringIO()
    csv.writer(out, delimiter=";", lineterminator="").writerow(list(names))
    return out.getvalue()


def read_names(text: str) -> tuple[str, ...]:
    """Return the names in a cell that `write_names` wrote."""
    try:
        return tuple(next(csv.reader([text], delimiter=";"), []))
    except csv.Error:
        return ()


def write_events(events: Sequence[ConsentRecord]) -> str:
    """Return consent events as JSON for one cell, oldest first, without empty values."""
    cells: list[str] = []
    room = EVENTS_AT_MOST
    for event in reversed(events):
        fields = {name: value for name, value in asdict(event).items() if value} | {
            "at": event.at.isoformat()
        }
        cell = json.dumps(fields, ensure_ascii=False)
        room -= len(cell) + 2
        if room < 0:
            break
        cells.append(cell)
    return f"[{', '.join(reversed(cells))}]" if cells else ""


def read_events(text: str) -> tuple[ConsentRecord, ...]:
    """Return the events in a cell that `write_events` wrote; ignore anything else."""
    rows = _parse_json(text)
    events = (_read_event(row) for row in rows) if isinstance(rows, list) else ()
    return tuple(event for event in events if event is not None)


def _read_event(row: object) -> ConsentRecord | None:
    if not isinstance(row, dict):
        return None
    moment = parse_moment(str(row.get("at", "")))
    texts = {
        name: to_plain_line(row.get(name, ""), limit=limit) for name, limit in _EVENT_TEXTS.items()
    }
    if moment is None or texts["kind"] not in set(ConsentKind):
        return None
    return ConsentRecord(
        at=moment, wording=to_plain_lines(row.get("wording", ""), limit=5000), **texts
    )


def read_answers(text: str) -> dict[str, Any]:
    """Return the answers in the author's own fields: texts, numbers, yes or no."""
    answers = _parse_json(text)
    if not isinstance(answers, dict):
        return {}
    pairs = [
        (name, value) for name, value in answers.items() if isinstance(value, str | bool | int)
    ][:ANSWERS_AT_MOST]
    return {
        to_plain_line(name, limit=60): to_plain_line(value) if isinstance(value, str) else value
        for name, value in pairs
    }


def _parse_json(text: str) -> object:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None


def read_row(line: int, cells: Mapping[str, str]) -> SubscriberRow:
    """Parse a row given as cells by column; its `word` is the meaning of its status alone."""
    text = {name: unguard_cell(cell) for name, cell in cells.items()}
    status = text.get("status", "")
    slug = text.get("list", "")
    word = _WORDS.get(status, StatusWord.UNKNOWN)
    if not status and not slug:
        word = StatusWord.SILENT
    hashed = text.get("suppressed hash", "")
    return SubscriberRow(
        line=line,
        email=text.get("email", ""),
        word=word,
        status=status,
        name=to_plain_line(text.get("name", ""), limit=200),
        language=to_plain_line(text.get("language", ""), limit=20),
        list=slug,
        cadence=text.get("cadence", ""),
        paused_until=parse_moment(text.get("paused until", ""), latest=None),
        created_at=parse_moment(text.get("created at", "")),
        consented_at=parse_moment(text.get("confirmed at", "")),
        left_at=parse_moment(text.get("unsubscribed at", "")),
        since=parse_moment(text.get("subscriber since", "")),
        ip=to_plain_line(text.get("consent ip", ""), limit=45),
        suppressed=read_reason(text.get("suppressed", "")),
        suppressed_at=parse_moment(text.get("suppressed at", "")),
        suppressed_note=to_plain_line(text.get("suppressed note", "")),
        suppressed_hash=hashed if _HASH.fullmatch(hashed) else "",
        hash_keys=tuple(text.get("suppressed key", "").split()),
        tags=tuple(
            dict.fromkeys(
                tag
                for part in text.get("tags", "").split(",")
                if (tag := to_plain_line(part, limit=60))
            )
        ),
        topics=read_names(text.get("topics", "")),
        answers=read_answers(text.get("answers", "")),
        source=to_plain_line(text.get("consent source", ""), limit=20) or "import",
        note=to_plain_line(text.get("consent note", "")),
        events=read_events(text.get("consent events", "")),
        ours=True,
    )


def read_reason(text: str) -> str:
    """Return the reason of a suppression.

    Any text that is neither a no nor a known reason counts as `manual`.
    """
    reason = text.strip().lower()
    if reason in tuple(SuppressionReason):
        return reason
    return "" if reason in ("", "0", "no", "false", "none", "-") else "manual"
