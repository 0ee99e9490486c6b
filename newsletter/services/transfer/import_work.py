"""Read and import uploaded subscriber files, in a worker.

Reading a file again changes nothing, so a worker that was killed is simply followed by the next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import or_, select, update

from newsletter.access_vocabulary import ImportState
from newsletter.db.session import reading, transaction
from newsletter.errors import DatabaseError, NewsletterError, locate_error
from newsletter.i18n import Text
from newsletter.logs import name_event
from newsletter.models import ImportFile
from newsletter.services.runtime import Environment
from newsletter.services.transfer.import_files import (
    FOLDER,
    WAITING,
    ImportFileView,
    delete_bytes,
    get_file,
    get_row,
)
from newsletter.services.transfer.import_report import ImportResult
from newsletter.services.transfer.import_subscribers import import_file

log = logging.getLogger("newsletter.imports")

LEASE = timedelta(minutes=5)
"""Lifetime of a worker's claim on a file without progress. Two workers at once would do no harm."""
FAILED = Text("this program failed on it; what was read before that is saved. See its log")
TRIES_AT_MOST = 3
"""The most claims of a file, after which it counts as one that crashes workers."""


class _Stopped(Exception):
    """Raised when the worker stops or the author has discarded the file."""


def work_on_files(env: Environment, *, stop: Callable[[], bool] = lambda: False) -> None:
    """Process the waiting files one after another."""
    with reading() as session:
        waiting = list(
            session.execute(
                select(ImportFile.id, ImportFile.handle, ImportFile.filename)
                .where(ImportFile.state.in_(WAITING))
                .order_by(ImportFile.id)
            )
        )
    for import_id, handle, filename in waiting:
        file = env.settings.folder / FOLDER / handle / filename
        if not stop() and file.is_file() and _claim(env, import_id):
            _work(env, import_id, file, stop)


def _claim(env: Environment, import_id: int) -> bool:
    """Claim a file, unless another worker has claimed it."""
    with transaction() as session:
        free = or_(ImportFile.leased_until.is_(None), ImportFile.leased_until < env.now)
        result = session.execute(
            update(ImportFile)
            .where(ImportFile.id == import_id, ImportFile.state.in_(WAITING), free)
            .values(leased_until=env.now + LEASE, tries=ImportFile.tries + 1)
        )
        return bool(result.rowcount)  # type: ignore[attr-defined]


def _work(env: Environment, import_id: int, file: Path, stop: Callable[[], bool]) -> None:
    view = get_file(import_id)
    with reading() as session:
        tries = get_row(session, import_id).tries
    if tries > TRIES_AT_MOST:
        _finish(
            env,
            view,
            ImportState.REFUSED,
            problem=Text("a worker could not finish it, three times"),
        )
        return

    def report(done: ImportResult) -> None:
        if not _report(env, view, done) or stop():
            raise _Stopped

    is_check = view.state is ImportState.UPLOADED
    choices = view.choices
    try:
        result = import_file(
            env,
            file,
            slug=choices.slug or None,
            platform=choices.platform or None,
            choices=choices.columns,
            because=choices.because,
            dry_run=is_check,
            progress=report,
        )
    except _Stopped:
        _release_file(import_id)
    except DatabaseError:
        _release_file(import_id)
        raise
    except NewsletterError as error:
        _finish(env, view, ImportState.REFUSED, problem=str(error))
    except Exception as error:
        log.error("subscriber file %s: %s", import_id, locate_error(error))
        _finish(env, view, ImportState.REFUSED, problem=FAILED)
    else:
        state = ImportState.CHECKED if is_check else ImportState.DONE
        _finish(env, view, state, result=result)
        if not is_check:
            log.info("a subscriber file is imported: %s", import_id, extra=name_event("import"))


def _report(env: Environment, view: ImportFileView, done: ImportResult) -> bool:
    """Record the progress; return False if the author changed their decision meanwhile."""
    with transaction() as session:
        result = session.execute(
            update(ImportFile)
            .where(ImportFile.id == view.id, ImportFile.state == view.state)
            .values(share=done.share, result=asdict(done), leased_until=env.now + LEASE)
        )
        return bool(result.rowcount)  # type: ignore[attr-defined]


def _finish(
    env: Environment,
    view: ImportFileView,
    state: ImportState,
    *,
    result: ImportResult | None = None,
    problem: str = "",
) -> None:
    values: dict[str, Any] = {"state": state, "problem": problem, "leased_until": None}
    values |= {"changed_at": env.now, "share": 1.0}
    values |= {"result": asdict(result)} if result else {}
    with transaction() as session:
        session.execute(
            update(ImportFile)
            .where(ImportFile.id == view.id, ImportFile.state == view.state)
            .values(**values)
        )
    if state is ImportState.DONE:
        delete_bytes(env, view.id)


def _release_file(import_id: int) -> None:
    with transaction() as session:
        row = get_row(session, import_id)
        row.leased_until = None
        row.tries = max(row.tries - 1, 0)
