"""Rotate the key that signs links: a new key signs, the old ones still verify."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from newsletter.errors import Refused
from newsletter.files import open_private
from newsletter.settings import PREFIX, Settings
from newsletter.settings_loader import load_settings

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_KEY_LINE = re.compile(r"^secret_key[ \t]*=[ \t]*(?:\"[^\"\n]*\"|'[^'\n]*')", re.M)
_FALLBACKS = re.compile(
    r"^secret_key_fallbacks[ \t]*=[ \t]*(\[[^\]]*\]|\"[^\"\n]*\")[^\n]*\n?", re.M
)


def rotate_key(file: Path, environ: Mapping[str, str]) -> Settings:
    """Write a new key into the settings file and make the old one a fallback.

    Returns the new settings. Raises `Refused` where the key stands elsewhere; the file is as it was
    then. Whatever ends the process, the file is the old or the new one.
    """
    file = file.resolve()
    with _alone(file.parent) as folder:
        rotated = _rotate(file, environ)
        os.fsync(folder)
    return rotated


@contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """Let one rotation at a time read and write in a folder; yields the folder, open.

    Two at once would both keep the key that they have read, and one would lose the other's.
    """
    opened = os.open(folder, os.O_RDONLY)
    try:
        if fcntl is not None:
            fcntl.flock(opened, fcntl.LOCK_EX)
        yield opened
    finally:
        os.close(opened)


def _rotate(file: Path, environ: Mapping[str, str]) -> Settings:
    settings = load_settings(file, environ)
    variables = [name for name in environ if name.startswith(f"{PREFIX}SECRET_KEY")]
    if variables:
        raise Refused(
            f"the key stands in {', '.join(sorted(variables))}",
            hint="put a new key there, and the old one first into NEWSLETTER_SECRET_KEY_FALLBACKS",
        )
    text = file.read_text("utf-8-sig")
    if len(_KEY_LINE.findall(text)) != 1:
        raise Refused(
            f'{file} has no line secret_key = "..." that can be replaced',
            hint="put a new key there by hand, and the old one into secret_key_fallbacks",
        )
    fallbacks = json.dumps(list(settings.signing_keys))
    line = f"secret_key_fallbacks = {fallbacks}    # still open the links that they signed\n"
    text = _FALLBACKS.sub("", text)
    text = _KEY_LINE.sub(
        lambda _: f"{line}secret_key = {json.dumps(secrets.token_urlsafe(32))}", text
    )
    part = file.with_name(f".{file.name}.rotating")
    try:
        with open_private(part) as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        rotated = load_settings(part, environ)
        if rotated.signing_keys[1:] != settings.signing_keys:
            raise Refused(f"{file} cannot be changed safely", hint="change it by hand")
        _keep_owner(part, file)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return rotated


def _keep_owner(part: Path, file: Path) -> None:
    """Restore the owner of the settings file, where root rewrites it."""
    if os.geteuid() == 0:
        stat = file.stat()
        os.chown(part, stat.st_uid, stat.st_gid)
