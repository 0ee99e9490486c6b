"""Restore everything that a backup holds: database, settings, resources, templates.

What can fail comes first: the files are unpacked beside their places, the database is replaced in
one step, and then the files are renamed into place. Existing settings win unless the backup's are
asked for.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from newsletter.db.causes import describe_cause
from newsletter.errors import DatabaseError, SettingsError
from newsletter.files import write_private
from newsletter.services import installation
from newsletter.services.installation import KeyState
from newsletter.services.operations import backup_archive
from newsletter.services.operations.backup_archive import OpenBackup
from newsletter.services.operations.restore import restore
from newsletter.services.operations.restore_checks import check_file
from newsletter.services.operations.restore_staged import Restored
from newsletter.settings import Settings
from newsletter.settings_loader import load_settings

_KEYS = {"secret_key", "secret_key_fallbacks"}
"""Settings that a backup carries apart from its file, which need not hold them."""


def compare_key(settings: Settings, file: Path, passphrase: str) -> KeyState:
    """Compare the key of the settings with the key that signed the backup's links."""
    if not backup_archive.is_backup(file):
        return KeyState.SAME
    with backup_archive.open_backup(file, passphrase=passphrase) as opened:
        return installation.compare_keys(opened.manifest.key_fingerprint, settings.signing_keys)


def restore_installation(
    settings_file: Path,
    file: Path,
    environ: Mapping[str, str],
    *,
    passphrase: str = "",
    with_settings: bool = False,
) -> Restored:
    """Restore a backup into the folder of `settings_file`.

    Raises `Refused`, `DatabaseError` and `SettingsError`; everything is as it was then.
    """
    folder = settings_file.absolute().parent
    check_file(file, settings_file)
    try:
        with ExitStack() as stack:
            scratch = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix=".restoring-", dir=folder))
            )
            names: list[str] = []
            staged_settings = None
            if backup_archive.is_backup(file):
                opened = stack.enter_context(
                    backup_archive.open_backup(file, passphrase=passphrase)
                )
                names = opened.extract(scratch)
                if with_settings or not settings_file.exists():
                    staged_settings = folder / f".{settings_file.name}.restoring"
                    stack.callback(staged_settings.unlink, missing_ok=True)
                    since = _read_keys(settings_file, environ)
                    write_private(staged_settings, write_settings_text(opened, since))
            settings = load_settings(staged_settings or settings_file, environ)
            restored = restore(settings, file, passphrase=passphrase)
            for name in names:
                _move_into_place(scratch / name, folder / name)
            if staged_settings:
                _move_into_place(staged_settings, settings_file)
    except OSError as error:
        raise DatabaseError(
            f"the backup cannot be restored: {describe_cause(error, folder)}", hint=f"see {folder}"
        ) from None
    return restored


def _read_keys(settings_file: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the keys of the settings that are replaced, where there are any and can be read."""
    try:
        return load_settings(settings_file, environ).signing_keys
    except SettingsError:
        return ()


def write_settings_text(opened: OpenBackup, since: Sequence[str]) -> str:
    """Return the settings file of a backup, with the keys that were in use, then and `since`.

    Those have signed links of mails that were sent after the backup was made.
    """
    current, *fallbacks = dict.fromkeys((*opened.read_keys(), *since))
    keys = f"secret_key = {json.dumps(current)}\n"
    if fallbacks:
        keys += f"secret_key_fallbacks = {json.dumps(fallbacks)}\n"
    return keys + _leave_keys_out(opened.read_settings() or "")


def _leave_keys_out(text: str) -> str:
    """Return a settings file without its keys, which stand above its tables, maybe over lines."""
    lines = text.splitlines(keepends=True)
    others = ""
    while lines and not lines[0].lstrip().startswith("["):
        statement, names = _take_statement(lines)
        del lines[: len(statement)]
        if not names & _KEYS:
            others += "".join(statement)
    return others + "".join(lines)


def _take_statement(lines: Sequence[str]) -> tuple[Sequence[str], set[str]]:
    """Return the first lines that are TOML by themselves, and the names that they set."""
    for count in range(1, len(lines) + 1):
        with suppress(tomllib.TOMLDecodeError):
            return lines[:count], set(tomllib.loads("".join(lines[:count])))
    return lines, set()


def _move_into_place(staged: Path, target: Path) -> None:
    """Move a file or folder to its place, renaming what was there before."""
    if target.exists():
        number = 1
        while (renamed := target.with_name(f"{target.name}.before-restore{number}")).exists():
            number += 1
        target.rename(renamed)
    _copy_owner(staged, target.parent)
    shutil.move(staged, target)


def _copy_owner(path: Path, folder: Path) -> None:
    """Set the owner of restored files to that of the folder, where root restores."""
    if os.geteuid() != 0:
        return
    stat = folder.stat()
    for part in (path, *path.rglob("*")):
        os.chown(part, stat.st_uid, stat.st_gid)
