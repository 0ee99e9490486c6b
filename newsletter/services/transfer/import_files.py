"""Store subscriber files that authors upload, until they are imported or discarded.

A worker reads them (import_work.py), never a web request: first a dry run, which shows what would
happen; the import itself waits for its author. The bytes lie in ``imports/`` beside the settings,
which several machines share.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from newsletter.access_vocabulary import ImportState
from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput, NotFound, Refused
from newsletter.files import clean_name, open_private
from newsletter.html.text import to_plain_line
from newsletter.i18n import Text
from newsletter.import_formats.column_names import normalize_name
from newsletter.import_formats.opt_out import CHOICES
from newsletter.import_formats.platforms import PLATFORMS
from newsletter.models import ImportFile
from newsletter.services.lookup import get_list
from newsletter.services.runtime import Environment
from newsletter.services.transfer.import_report import ImportResult
from newsletter.tokens import new_handle

FOLDER = "imports"
BYTES_AT_MOST = 100 << 20
"""Bytes of an uploaded file, some 1,500,000 addresses with names; larger ones need the command."""
WAITING_AT_MOST = 5
"""The most files stored at the same time."""
UNDECIDED_FOR = timedelta(days=1)
"""Retention of files without a decision of their author."""
KEPT_FOR = timedelta(days=30)
"""Retention of the counts of an import."""

WAITING = (ImportState.UPLOADED, ImportState.APPROVED)
"""The states in which a file waits for a worker."""
KEEPING = (*WAITING, ImportState.CHECKED, ImportState.REFUSED)
"""The states in which the file's bytes are stored."""
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class ImportChoices:
    """An author's choices about an uploaded file.

    The list (empty: those that it names), whose file it is (empty: its header says), what columns
    mean, and how the author knows that all have agreed.
    """

    slug: str = ""
    platform: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    because: str = ""


@dataclass(frozen=True, slots=True)
class ImportFileView:
    """An uploaded file as its author sees it; `result` holds the counts of the latest reading."""

    id: int
    filename: str
    size: int
    choices: ImportChoices
    state: ImportState
    share: float
    result: ImportResult
    problem: str
    created_at: datetime
    changed_at: datetime

    @property
    def waits(self) -> bool:
        """Tell whether the file waits for a worker."""
        return self.state in WAITING


def keep_file(
    env: Environment, author_id: int, source: IO[bytes], filename: str, choices: ImportChoices
) -> int:
    """Store an uploaded file, and return its id.

    Raises `InvalidInput`, `NotFound` (no such list), `Refused` where too many wait.
    """
    columns = _check_choices(choices)
    handle = new_handle()
    name = clean_name(filename[-80:], otherwise="subscribers")
    with reading() as session:
        if session.scalar(_count_query()) >= WAITING_AT_MOST:
            raise Refused(
                Text("there are too many files already"), hint=Text("import or discard one first")
            )
    path = _make_folder(env) / handle / name
    path.parent.mkdir(mode=0o700)
    try:
        size = _copy(source, path)
        with transaction() as session:
            row = ImportFile(
                handle=handle,
                author_id=author_id,
                filename=path.name,
                size=size,
                state=ImportState.UPLOADED,
                created_at=env.now,
                changed_at=env.now,
                **columns,
            )
            session.add(row)
            session.flush()
            return row.id
    except BaseException:
        shutil.rmtree(path.parent, ignore_errors=True)
        raise


def _check_choices(choices: ImportChoices) -> dict[str, Any]:
    """Validate an author's choices, and return them as columns.

    Raises `InvalidInput`, `NotFound`.
    """
    if choices.slug:
        with reading() as session:
            get_list(session, choices.slug)
    if choices.platform and choices.platform not in {platform.name for platform in PLATFORMS}:
        raise InvalidInput({"platform": Text("Please choose one of those offered.")})
    if any(meaning not in CHOICES for meaning in choices.columns.values()):
        raise InvalidInput({"meaning": Text("Please choose one of those offered.")})
    return {
        "slug": choices.slug,
        "platform": choices.platform,
        "choices": {normalize_name(name)[:200]: word for name, word in choices.columns.items()},
        "because": to_plain_line(choices.because, limit=500),
    }


def _make_folder(env: Environment) -> Path:
    folder = env.settings.folder / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _copy(source: IO[bytes], path: Path) -> int:
    """Copy bytes to a private file, and return their number."""
    size = 0
    with open_private(path, "xb") as out:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > BYTES_AT_MOST:
                raise Refused(
                    Text("the file holds more than %(bytes)s MB", bytes=BYTES_AT_MOST >> 20),
                    hint=Text("import it on the command line"),
                )
            out.write(chunk)
    if not size:
        raise InvalidInput({"file": Text("Please choose a file.")})
    return size


def _count_query() -> Any:
    return select(func.count()).select_from(ImportFile).where(ImportFile.state.in_(KEEPING))


def list_newest() -> list[ImportFileView]:
    """List the ten newest files, newest first."""
    with reading() as session:
        query = select(ImportFile).order_by(ImportFile.id.desc()).limit(10)
        return [_view(row) for row in session.scalars(query)]


def get_file(import_id: int) -> ImportFileView:
    """Return an uploaded file.

    Raises `NotFound`.
    """
    with reading() as session:
        return _view(get_row(session, import_id))


def check_again(env: Environment, import_id: int, choices: ImportChoices) -> None:
    """Queue a file to be read again with other choices, without importing it.

    Raises `InvalidInput`, `NotFound`, `Refused`.
    """
    columns = _check_choices(choices)
    _decide(env, import_id, ImportState.UPLOADED, columns, ImportState.CHECKED, ImportState.REFUSED)


def approve(env: Environment, import_id: int) -> None:
    """Queue a file that was read to be imported.

    Raises `NotFound`, `Refused`.
    """
    _decide(env, import_id, ImportState.APPROVED, {}, ImportState.CHECKED)


def discard(env: Environment, import_id: int) -> None:
    """Delete a file; rows already imported stay.

    Raises `NotFound`, `Refused`.
    """
    _decide(env, import_id, ImportState.DISCARDED, {}, *KEEPING)
    delete_bytes(env, import_id)


def _decide(
    env: Environment,
    import_id: int,
    state: ImportState,
    columns: Mapping[str, Any],
    *before: ImportState,
) -> None:
    with transaction() as session:
        row = get_row(session, import_id)
        if row.state not in before:
            raise Refused(
                Text("this file is %(state)s by now", state=row.state), hint=Text("reload the page")
            )
        for name, value in columns.items():
            setattr(row, name, value)
        row.state = state
        row.tries = 0
        row.share = 0.0
        row.problem = ""
        row.changed_at = env.now
        if state is not ImportState.APPROVED:
            row.result = {}


def delete_old_files(env: Environment) -> None:
    """Delete undecided files, old counts, and bytes without a row."""
    with transaction() as session:
        undecided = (ImportState.CHECKED, ImportState.REFUSED, ImportState.UPLOADED)
        session.execute(
            update(ImportFile)
            .where(ImportFile.state.in_(undecided), ImportFile.changed_at < env.now - UNDECIDED_FOR)
            .values(state=ImportState.DISCARDED, changed_at=env.now)
        )
        session.execute(delete(ImportFile).where(ImportFile.changed_at < env.now - KEPT_FOR))
        handles = set(
            session.scalars(select(ImportFile.handle).where(ImportFile.state.in_(KEEPING)))
        )
    folder = env.settings.folder / FOLDER
    for inside in folder.iterdir() if folder.is_dir() else ():
        old = (env.now - UNDECIDED_FOR).timestamp()
        if inside.name not in handles and inside.stat().st_mtime < old:
            shutil.rmtree(inside, ignore_errors=True)


def delete_bytes(env: Environment, import_id: int) -> None:
    """Delete the bytes of a file."""
    with reading() as session:
        handle = get_row(session, import_id).handle
    shutil.rmtree(env.settings.folder / FOLDER / handle, ignore_errors=True)


def get_row(session: Session, import_id: int) -> ImportFile:
    """Return the row of a file.

    Raises `NotFound`.
    """
    row = session.get(ImportFile, import_id)
    if row is None:
        raise NotFound("there is no such file")
    return row


def _view(row: ImportFile) -> ImportFileView:
    choices = ImportChoices(row.slug, row.platform, row.choices, row.because)
    return ImportFileView(
        row.id,
        row.filename,
        row.size,
        choices,
        row.state,
        row.share,
        ImportResult(**row.result),
        row.problem,
        row.created_at,
        row.changed_at,
    )
