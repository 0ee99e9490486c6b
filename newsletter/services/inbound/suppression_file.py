"""Export the suppression list as CSV, and import suppressions from a CSV file.

Of an erased person only the keyed hash is written.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from sqlalchemy import select

from newsletter.addresses import parse_address
from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput, Refused
from newsletter.import_formats.formula_injection import guard_cell, unguard_cell
from newsletter.models import Suppression
from newsletter.services import suppressions
from newsletter.services.runtime import Environment
from newsletter.vocabulary import SuppressionReason

COLUMNS = ("email", "reason", "note", "created_at", "hash")

ROWS_AT_ONCE = 500
"""Rows imported in one transaction, so that other writers do not wait long."""

CELL_AT_MOST = 10_000
"""The most characters of a cell; the longest exported one has 500."""

_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(slots=True)
class SuppressionImportResult:
    """The result of an import; `refused` holds the problems of the first refused rows."""

    added: int = 0
    known: int = 0
    wrong: int = 0
    refused: tuple[str, ...] = ()


def export(out: IO[str]) -> int:
    """Export every suppression as CSV.

    Returns how many there are.
    """
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    count = 0
    for row in _read_pages():
        hashed = "" if row.email_key else row.email_hash
        cells = (
            row.email_key or "",
            row.reason.value,
            row.note,
            row.created_at.isoformat(),
            hashed,
        )
        writer.writerow([guard_cell(cell) for cell in cells])
        count += 1
    return count


def _read_pages() -> Iterator[Suppression]:
    last = 0
    while True:
        with reading() as session:
            query = select(Suppression).where(Suppression.id > last).order_by(Suppression.id)
            rows = session.scalars(query.limit(ROWS_AT_ONCE)).all()
            session.expunge_all()
        yield from rows
        if len(rows) < ROWS_AT_ONCE:
            return
        last = rows[-1].id


def import_file(env: Environment, file: IO[str], *, note: str = "") -> SuppressionImportResult:
    """Suppress every address of a CSV file with a column of addresses, such as an export.

    A reason that is not one of ours counts as "manual". Raises `Refused` where no column holds
    addresses.
    """
    previous = csv.field_size_limit(CELL_AT_MOST)
    try:
        return _import_rows(env, file, note)
    except (csv.Error, UnicodeDecodeError):
        raise Refused(
            "the file is not CSV in UTF-8", hint="save it as CSV in UTF-8 and import it again"
        ) from None
    finally:
        csv.field_size_limit(previous)


def _import_rows(env: Environment, file: IO[str], note: str) -> SuppressionImportResult:
    reader = csv.reader(file)
    first = next(reader, [])
    names = [cell.strip().lstrip("\ufeff").lower() for cell in first]
    result = SuppressionImportResult()
    place = next(
        (
            names.index(name)
            for name in ("email", "e-mail", "address", "email address")
            if name in names
        ),
        None,
    )
    if place is None and not (len(first) == 1 and "@" in first[0]):
        columns = ", ".join(name[:40] for name in names[:20] if name)
        raise Refused(
            f"the file has no column of addresses; its columns are: {columns}",
            hint="name one of its columns `email`",
        )
    rows = reader if place is not None else _prepend(first, reader)
    batch: list[dict[str, str]] = []
    for line in rows:
        line = [unguard_cell(cell) for cell in line]
        row = (
            dict(zip(names, line, strict=False))
            if place is not None
            else {"email": line[0] if line else ""}
        )
        row["email"] = (
            line[place].strip() if place is not None and len(line) > place else row.get("email", "")
        )
        batch.append(row)
        if len(batch) >= ROWS_AT_ONCE:
            _import_batch(env, batch, note, result)
            batch = []
    _import_batch(env, batch, note, result)
    return result


def _prepend(first: list[str], rest: Iterator[list[str]]) -> Iterator[list[str]]:
    yield first
    yield from rest


def _import_batch(
    env: Environment, batch: list[dict[str, str]], note: str, result: SuppressionImportResult
) -> None:
    with transaction() as session:
        for row in batch:
            reason = _read_reason(row.get("reason", ""))
            text = row.get("note", "") or note
            if not row["email"] and _HASH.fullmatch(hashed := row.get("hash", "")):
                new = suppressions.suppress_hash(env, session, hashed, reason)
            elif not any(row.values()):
                continue
            else:
                try:
                    key = parse_address(row["email"]).key
                except InvalidInput as error:
                    result.wrong += 1
                    result.refused = (*result.refused, f"{row['email'][:100]}: {error}")[:10]
                    continue
                new = suppressions.suppress_key(env, session, key, reason, text)
            result.added += new
            result.known += not new


def _read_reason(text: str) -> SuppressionReason:
    try:
        return SuppressionReason(text.strip().lower())
    except ValueError:
        return SuppressionReason.MANUAL
