"""Write a backup of the whole installation to one file (format: backup_archive.py)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from newsletter import __version__
from newsletter.db.causes import describe_cause
from newsletter.db.session import explain_error
from newsletter.errors import DatabaseError, Refused
from newsletter.files import open_private
from newsletter.services.operations import sealed_file, table_copy
from newsletter.services.operations.backup_archive import (
    FOLDERS,
    KEYS,
    MAGIC,
    MANIFEST,
    SETTINGS,
    Manifest,
    hash_file,
)
from newsletter.services.operations.table_copy import Row
from newsletter.settings import Settings
from newsletter.tokens import fingerprint

NAME = "newsletter-{:%Y-%m-%dT%H%M%SZ}.backup"
PATTERN = "newsletter-????-??-??T??????Z.backup"


@dataclass(slots=True)
class _Parts:
    """Writes the parts of an archive, and their checksums."""

    archive: zipfile.ZipFile
    sums: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def open_part(self, name: str) -> Iterator[_Summing]:
        with self.archive.open(name, "w", force_zip64=True) as out:
            summing = _Summing(out)
            yield summing
        self.sums[name] = summing.sum.hexdigest()


class _Summing:
    """A file object that passes writes on and computes their SHA-256."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self.sum = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sum.update(data)
        return self._out.write(data)


# ── making
# ─────────────────────────────────────────────────────────────────────────────────────────


def choose_name(target: str, now: datetime) -> Path:
    """Return the file to write: `target`, or a file named by the time if it is a folder.

    A folder that ends with a slash is made.
    """
    folder = Path(target)
    if not target.endswith("/") and not folder.is_dir():
        return folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / NAME.format(now.astimezone(UTC))


def remove_old(folder: Path, keep: int) -> list[Path]:
    """Delete all but the newest `keep` backups of a folder, known by the names of `choose_name`."""
    old = sorted(folder.glob(PATTERN))[:-keep] if keep else []
    for file in old:
        file.unlink(missing_ok=True)
    return old


def make_backup(
    settings: Settings, settings_file: Path, target: Path, now: datetime, *, passphrase: str = ""
) -> Manifest:
    """Write a backup to a new file, while everything runs.

    The database may be of any revision. Raises `Refused` if `target` exists, and `DatabaseError`
    where the database cannot be read or the file not be written; nothing of it is left then.
    """
    if target.exists():
        raise Refused(f"{target} exists", hint="give a new name")
    part = target.with_name(target.name + ".part")
    plain = part.with_name(part.name + ".plain") if passphrase else part
    try:
        with open_private(plain, "wb") as out:
            manifest = _write(settings, settings_file, out, now)
            _finish(out, plain)
        if passphrase:
            with plain.open("rb") as source, open_private(part, "wb") as out:
                sealed_file.seal(source, out, passphrase)
                os.fsync(out.fileno())
        part.rename(target)
    except OSError as error:
        raise DatabaseError(
            f"{target} cannot be written: {describe_cause(error, target.parent)}",
            hint="no backup was made",
        ) from None
    except DBAPIError as error:
        raise DatabaseError(f"the database cannot be read: {explain_error(error)}") from None
    finally:
        for file in {part, plain}:
            file.unlink(missing_ok=True)
    _record(settings.database_url, now)
    return manifest


def _record(url: str, now: datetime) -> None:
    """Record the time of the last backup in a database of any revision, for `doctor`."""
    engine = create_engine(url, poolclass=NullPool)
    with (
        suppress(DBAPIError),
        engine.connect().execution_options(writes=True) as connection,
        connection.begin(),
    ):
        connection.execute(text("DELETE FROM counters WHERE name = 'backup/last'"))
        connection.execute(
            text("INSERT INTO counters (name, starts_at, count) VALUES ('backup/last', :at, 1)"),
            {"at": int(now.timestamp())},
        )
    engine.dispose()


def _write(settings: Settings, settings_file: Path, out: IO[bytes], now: datetime) -> Manifest:
    out.write(MAGIC)
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
        table_copy.open_snapshot(settings.database_url) as snapshot,
    ):
        parts = _Parts(archive)
        rows = {}
        for table in snapshot.tables:
            with parts.open_part(f"database/{table.name}.jsonl") as written:
                rows[table.name] = _write_rows(written, snapshot.read_rows(table))
        _write_settings(parts, settings, settings_file)
        for name, file in list_files(settings.folder):
            with parts.open_part(name) as written, file.open("rb") as source:
                shutil.copyfileobj(source, written)
        manifest = Manifest(
            now.astimezone(UTC),
            __version__,
            snapshot.revision,
            fingerprint(settings.signing_keys[0]),
            rows,
            dict(snapshot.sequences),
            snapshot.tables,
            parts.sums,
        )
        archive.writestr(MANIFEST, json.dumps(_to_json(manifest), indent=1))
    return manifest


def _write_rows(out: _Summing, rows: Iterator[Row]) -> int:
    count = 0
    for row in rows:
        out.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        count += 1
    return count


def _write_settings(parts: _Parts, settings: Settings, settings_file: Path) -> None:
    """Add the settings file unchanged, and the keys in use, which may come from the environment."""
    with suppress(FileNotFoundError):
        content = settings_file.read_bytes()
        with parts.open_part(SETTINGS) as out:
            out.write(content)
    current, *fallbacks = settings.signing_keys
    keys = {"secret_key": current, "secret_key_fallbacks": fallbacks}
    with parts.open_part(KEYS) as out:
        out.write(json.dumps(keys).encode())


def list_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the regular files of an installation's folders, with their names in the archive."""
    for name in FOLDERS:
        for file in sorted((folder / name).rglob("*")):
            if file.is_file() and not file.is_symlink() and not file.name.endswith(".partial"):
                yield file.relative_to(folder).as_posix(), file


def _finish(out: IO[bytes], file: Path) -> None:
    """Append the checksum of everything before, and flush the file to disk."""
    out.flush()
    out.write(hash_file(file))
    out.flush()
    os.fsync(out.fileno())


def _to_json(manifest: Manifest) -> dict[str, Any]:
    return {
        "made_at": manifest.made_at.isoformat(),
        "version": manifest.version,
        "revision": manifest.revision,
        "key_fingerprint": manifest.key_fingerprint,
        "rows": manifest.rows,
        "sequences": manifest.sequences,
        "tables": [
            {"name": table.name, "columns": table.columns, "kinds": table.kinds}
            for table in manifest.tables
        ],
        "files": manifest.files,
    }
