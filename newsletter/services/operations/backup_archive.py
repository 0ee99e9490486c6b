"""Read the archive format of backups, after verifying the checksum of every part.

A ZIP archive stands behind a line that names the form and before a SHA-256 of all of it, so that a
byte that changed and an end that is missing are found before anything is read. Inside: the tables
as JSON lines from one snapshot, the settings and the key in use, resources, templates, and a
manifest with the SHA-256 of each part.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from newsletter.errors import Refused
from newsletter.files import open_private
from newsletter.services.operations import sealed_file
from newsletter.services.operations.table_copy import Row, TableShape

MAGIC = b"newsletter backup 1\n"
DIGEST = 32
FOLDERS = ("resources", "templates", "dkim")
"""Folders beside the settings file that are part of an installation."""
MANIFEST = "manifest.json"
SETTINGS = "settings/newsletter.toml"
KEYS = "settings/keys.json"
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """The manifest of a backup: what was backed up, when, by which version.

    `rows`: the number of rows of each table; `files`: the SHA-256 of each part.
    """

    made_at: datetime
    version: str
    revision: str
    key_fingerprint: str
    rows: dict[str, int]
    sequences: dict[str, int]
    tables: tuple[TableShape, ...]
    files: dict[str, str]
    sealed: bool = False


def hash_file(file: Path, length: int | None = None) -> bytes:
    """Return the SHA-256 of a file, or of its first `length` bytes."""
    digest = hashlib.sha256()
    with file.open("rb") as source:
        left = file.stat().st_size if length is None else length
        while left > 0 and (block := source.read(min(BLOCK, left))):
            digest.update(block)
            left -= len(block)
    return digest.digest()


@dataclass(frozen=True, slots=True)
class OpenBackup:
    """A backup whose checksums were verified."""

    manifest: Manifest
    archive: zipfile.ZipFile

    def read_rows(self, table: TableShape) -> Iterator[Row]:
        """Yield the rows of a table."""
        with self.archive.open(f"database/{table.name}.jsonl") as lines:
            for line in lines:
                yield json.loads(line)

    def read_settings(self) -> str | None:
        """Return the text of newsletter.toml, None where there was no file."""
        if SETTINGS not in self.manifest.files:
            return None
        return self.archive.read(SETTINGS).decode("utf-8-sig")

    def read_keys(self) -> tuple[str, ...]:
        """Return the signing key, and the keys that only verify."""
        keys = json.loads(self.archive.read(KEYS))
        return (keys["secret_key"], *keys["secret_key_fallbacks"])

    def extract(self, folder: Path) -> list[str]:
        """Extract resources and templates below `folder`; return the names of their folders."""
        names = [name for name in self.manifest.files if name.partition("/")[0] in FOLDERS]
        for name in names:
            file = folder / name
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self.archive.open(name) as source, open_private(file, "xb") as out:
                shutil.copyfileobj(source, out)
        return sorted({name.partition("/")[0] for name in names})


def is_backup(file: Path) -> bool:
    """Tell whether a file is a backup in this format, by its header.

    Raises `Refused` where it cannot be read.
    """
    try:
        with file.open("rb") as opened:
            head = opened.read(max(len(MAGIC), len(sealed_file.MAGIC)))
    except OSError as error:
        raise Refused(f"{file} cannot be read: {error.strerror}") from None
    return head.startswith(MAGIC) or sealed_file.is_sealed(head)


def needs_passphrase(file: Path) -> bool:
    """Tell whether a backup is encrypted."""
    with file.open("rb") as opened:
        return sealed_file.is_sealed(opened.read(len(sealed_file.MAGIC)))


@contextmanager
def open_backup(file: Path, *, passphrase: str = "") -> Iterator[OpenBackup]:
    """Open a backup after verifying its checksums.

    Raises `Refused` for a file that is none, was changed, or is not whole.
    """
    if not is_backup(file):
        raise Refused(f"{file} is not a backup", hint="name a file that `newsletter backup` made")
    sealed = needs_passphrase(file)
    with tempfile.TemporaryDirectory(prefix="newsletter-") as scratch:
        plain = file
        if sealed:
            plain = Path(scratch) / "plain"
            with file.open("rb") as source, open_private(plain, "xb") as out:
                sealed_file.unseal(source, out, passphrase)
        _require_sum(plain, file)
        try:
            with zipfile.ZipFile(plain) as archive:
                manifest = _read_manifest(archive, sealed=sealed)
                _require_parts(archive, manifest, file)
                yield OpenBackup(manifest, archive)
        except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
            raise _make_damage_error(file, f"{type(error).__name__}") from None


def _make_damage_error(file: Path, why: str) -> Refused:
    return Refused(f"{file} is damaged: {why}", hint="try an older backup")


def _require_sum(plain: Path, file: Path) -> None:
    size = plain.stat().st_size - DIGEST
    with plain.open("rb") as opened:
        if size < len(MAGIC) or opened.read(len(MAGIC)) != MAGIC:
            raise _make_damage_error(file, "it is not whole")
        opened.seek(size)
        expected = opened.read()
    if hash_file(plain, size) != expected:
        raise _make_damage_error(file, "it was changed, or its end is missing")


def _read_manifest(archive: zipfile.ZipFile, *, sealed: bool) -> Manifest:
    values = json.loads(archive.read(MANIFEST))
    return Manifest(
        datetime.fromisoformat(values["made_at"]),
        str(values["version"]),
        str(values["revision"]),
        str(values["key_fingerprint"]),
        {str(name): int(count) for name, count in values["rows"].items()},
        {str(name): int(last) for name, last in values["sequences"].items()},
        tuple(
            TableShape(str(table["name"]), tuple(table["columns"]), tuple(table["kinds"]))
            for table in values["tables"]
        ),
        dict(values["files"]),
        sealed,
    )


def _require_parts(archive: zipfile.ZipFile, manifest: Manifest, file: Path) -> None:
    """Refuse parts that are not in the manifest, at another offset, or with another checksum."""
    names = archive.namelist()
    if sorted(names) != sorted([*manifest.files, MANIFEST]):
        raise _make_damage_error(file, "its parts are not those of its manifest")
    for name, expected in manifest.files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            raise _make_damage_error(file, f"a part lies outside: {name}")
        digest = hashlib.sha256()
        with archive.open(name) as source:
            while block := source.read(BLOCK):
                digest.update(block)
        if digest.hexdigest() != expected:
            raise _make_damage_error(file, f"{name} was changed")
