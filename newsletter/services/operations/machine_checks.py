"""Check the machine: permissions of files, free disk space, the clock."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.engine import make_url

from newsletter import outbox
from newsletter.db.session import reading
from newsletter.files import is_exposed, list_side_files
from newsletter.i18n import Text
from newsletter.services.checks import BAD, GOOD, UNKNOWN, WARN, Check
from newsletter.services.runtime import Environment
from newsletter.settings import DEFAULT_FILE

ROOM_ENOUGH = 1 << 30
"""Bytes of free space below which a check warns."""
ROOM_AT_LEAST = 200 << 20
"""Bytes of free space below which a check fails: sending may stop at any moment."""
CLOCK_OFF = timedelta(minutes=2)
"""The largest harmless difference between two clocks."""


def check_files(env: Environment) -> Iterator[Check]:
    """Check that only their owner can read files with personal data or keys."""
    files = [env.settings.folder / DEFAULT_FILE]
    url = make_url(env.settings.database_url)
    if url.get_backend_name() == "sqlite":
        database = Path(str(url.database))
        files += [
            database,
            *list_side_files(database),
            *sorted(database.parent.glob(f"{database.name}.before-restore*")),
        ]
    exposed = [str(file) for file in files if is_exposed(file)]
    if exposed:
        why = Text(
            "every address is in the database, and the settings hold the key that opens every link"
        )
        yield Check(
            "files",
            BAD,
            Text("others can read %(files)s", files=", ".join(exposed)),
            f"chmod 600 {' '.join(exposed)}",
            why,
        )
    else:
        yield Check("files", GOOD, Text("only their owner can read them"))


def check_disk(env: Environment) -> Iterator[Check]:
    url = make_url(env.settings.database_url)
    folder = (
        Path(url.database or ".").parent
        if url.get_backend_name() == "sqlite"
        else env.settings.folder
    )
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield Check("disk", UNKNOWN, f"{folder}: {error.strerror}")
        return
    text = Text("%(size)s GB free at %(folder)s", size=f"{free / (1 << 30):.1f}", folder=folder)
    why = Text("sending stops if its outcome cannot be stored, or mail would be sent twice")
    if free < ROOM_AT_LEAST:
        yield Check("disk", BAD, text, Text("make room"), why)
    elif free < ROOM_ENOUGH:
        yield Check("disk", WARN, text, Text("make room soon"), why)
    else:
        yield Check("disk", GOOD, text)


def check_clock(env: Environment) -> Iterator[Check]:
    """Check the clock of this machine against the database's."""
    with reading() as session:
        theirs = float(session.scalar(select(outbox.seconds_now_clause(session))) or 0)
    off = abs(env.now.timestamp() - theirs)
    if off > CLOCK_OFF.total_seconds():
        why = Text("links would expire, and digests go out, at the wrong time")
        yield Check(
            "clock",
            BAD,
            Text(
                "this machine's clock differs from the database's by %(seconds)s s",
                seconds=f"{off:.0f}",
            ),
            Text("set both by NTP"),
            why,
        )
    else:
        yield Check(
            "clock",
            GOOD,
            Text("%(now)s UTC, as the database has it", now=f"{env.now:%Y-%m-%d %H:%M:%S}"),
        )
