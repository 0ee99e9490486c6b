"""Addresses out of a CSV file, on the author's word that they agreed. Streamed; run twice, it does nothing more."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from newsletter.content import plain
from newsletter.db import transaction
from newsletter.errors import InvalidInput, NewsletterError, Refused
from newsletter.services.environment import Environment
from newsletter.services.subscribers import activate, keep_pending
from newsletter.services.subscriptions import Evidence

BATCH = 500
PROBLEMS_SHOWN = 20
_EMAIL_COLUMNS = ("email", "e-mail", "email address", "e-mail address", "subscriber", "address", "mail")
_NAME_COLUMNS = ("name", "full name", "first name", "firstname")


@dataclass(slots=True)
class Imported:
    """What an import did: rows = new + updated + known + refused + rejected. `problems`: the first, by line."""

    rows: int = 0
    new: int = 0
    updated: int = 0
    known: int = 0
    refused: int = 0
    rejected: int = 0
    problems: list[str] = field(default_factory=list)


Progress = Callable[[Imported], None]


def import_csv(
    env: Environment,
    file: Path,
    *,
    slug: str | None,
    because: str,
    progress: Progress = lambda done: None,
    dry_run: bool = False,
) -> Imported:
    """Reads a column of addresses (and names, where there is one). Each row counts once.

    Suppressed and unsubscribed addresses stay what they are. Without `because` the rows wait as pending, and nobody is
    mailed. Several transactions, a batch of rows each. Raises `Refused` for what is no CSV.
    """
    done = Imported()
    with file.open(encoding=_encoding(file), errors="replace", newline="") as text:
        batch: list[tuple[int, str, str]] = []
        for row in _rows(text, file.name):
            batch.append(row)
            if len(batch) >= BATCH:
                _store(env, slug, because, batch, done, dry_run=dry_run)
                progress(done)
                batch = []
        _store(env, slug, because, batch, done, dry_run=dry_run)
    progress(done)
    return done


def _store(
    env: Environment,
    slug: str | None,
    because: str,
    batch: list[tuple[int, str, str]],
    done: Imported,
    *,
    dry_run: bool,
) -> None:
    class Undo(Exception):
        """Ends a dry run's transaction."""

    take = activate if because else keep_pending
    try:
        with transaction() as session:
            for line, email, name in batch:
                done.rows += 1
                evidence = Evidence("import", note=because)
                try:
                    result = take(env, session, slug or "", email, name=name, evidence=evidence)
                    setattr(done, result, getattr(done, result) + 1)
                except InvalidInput as error:
                    done.rejected += 1
                    _problem(done, line, next(iter(error.fields.values())))
                except NewsletterError as error:
                    done.refused += 1
                    _problem(done, line, error.message)
            if dry_run:
                raise Undo
    except Undo:
        return


def _problem(done: Imported, line: int, said: str) -> None:
    if len(done.problems) < PROBLEMS_SHOWN:
        done.problems.append(f"line {line}: {said}")


def _rows(text: TextIO, name: str) -> Iterator[tuple[int, str, str]]:
    """(line, address, name) of each row that is not empty."""
    first = text.readline(100_000)
    if not first.strip():
        raise Refused(f"{name} is empty")
    delimiter = max(",;\t|", key=first.count) if any(mark in first for mark in ",;\t|") else ","
    header = [cell.strip().strip('"').lower() for cell in next(csv.reader([first], delimiter=delimiter))]
    email_at = next((header.index(column) for column in _EMAIL_COLUMNS if column in header), None)
    name_at = next((header.index(column) for column in _NAME_COLUMNS if column in header), None)
    reader = csv.reader((line.replace("\0", "") for line in text), delimiter=delimiter)
    if email_at is None:
        email_at = next((at for at, cell in enumerate(header) if "@" in cell), None)
        if email_at is None:
            raise Refused(f"{name} has no column of addresses", hint="name it `email` in the first line")
        yield 1, next(csv.reader([first], delimiter=delimiter))[email_at], ""
    for cells in _bounded(reader):
        if any(cell.strip() for cell in cells):
            email = cells[email_at] if email_at < len(cells) else ""
            shown = cells[name_at] if name_at is not None and name_at < len(cells) else ""
            yield reader.line_num + 1, email, plain(shown, limit=200)


def _bounded(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """Rows, with what cannot be read as one passed on as a broken row."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield ["(unreadable)"]


def _encoding(file: Path) -> str:
    """UTF-8 with or without its mark, UTF-16 by its mark, else what Excel writes."""
    with file.open("rb") as raw:
        sample = raw.read(200_000)
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        sample[: sample.rfind(b"\n") + 1 or None].decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"
