"""Copy a subscriber file that can be read only once (a pipe) into a private file.

An import reads a file twice, which standard input and pipes do not allow.
"""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from newsletter.errors import Refused
from newsletter.i18n import Text
from newsletter.import_formats.archive import BYTES_AT_MOST

STANDARD_INPUT = Path("-")
_CHUNK = 1 << 20


@contextmanager
def open_rereadable(file: Path) -> Iterator[Path]:
    """Yield `file` itself if it is a regular file, else a temporary copy of it.

    ``-`` is standard input.

    Raises `Refused` if it cannot be read, or has more than `BYTES_AT_MOST`.
    """
    if file != STANDARD_INPUT and _is_ordinary(file):
        yield file
        return
    with TemporaryDirectory(prefix="newsletter-") as folder:
        name = "standard input" if file == STANDARD_INPUT else file.name
        copy = Path(folder) / name
        try:
            with _open(file) as source, copy.open("wb") as out:
                _copy(source, out, name)
        except OSError as error:
            raise Refused(
                Text(
                    "%(name)s cannot be read: %(reason)s",
                    name=name,
                    reason=error.strerror or error,
                )
            ) from None
        yield copy


def _is_ordinary(file: Path) -> bool:
    try:
        return stat.S_ISREG(file.stat().st_mode)
    except OSError as error:
        raise Refused(
            Text("%(name)s cannot be read: %(reason)s", name=file.name, reason=error.strerror)
        ) from None


@contextmanager
def _open(file: Path) -> Iterator[IO[bytes]]:
    if file != STANDARD_INPUT:
        with file.open("rb") as source:
            yield source
    else:
        yield sys.stdin.buffer


def _copy(source: IO[bytes], out: IO[bytes], name: str) -> None:
    room = BYTES_AT_MOST
    while chunk := source.read(_CHUNK):
        room -= len(chunk)
        if room < 0:
            raise Refused(
                Text("%(name)s holds more than %(bytes)s GB", name=name, bytes=BYTES_AT_MOST >> 30),
                hint=Text("import it in parts"),
            )
        out.write(chunk)
