"""Read and write the Markdown files of letters."""

from __future__ import annotations

import shutil
from pathlib import Path

from newsletter.authoring.front_matter import decode_text
from newsletter.authoring.letter_file import STARTER, Letter, parse_letter
from newsletter.authoring.markdown_parser import LETTER_AT_MOST
from newsletter.errors import InvalidInput, NotFound, Refused


def read_letter(file: Path) -> Letter:
    """Read the letter in `file`.

    Raises `NotFound`, `Refused` if it is no text, and `InvalidInput` by line or key.
    """
    return parse_letter(read_letter_text(file), folder=file.resolve().parent)


def read_letter_text(file: Path) -> str:
    """Read the text of a letter's file.

    Raises `NotFound`, `Refused`.
    """
    try:
        if file.exists() and not file.is_file():
            raise Refused(f"{file} is not a file", hint="name the file of a letter")
        with file.open("rb") as opened:
            data = opened.read(4 * LETTER_AT_MOST + 1)
    except FileNotFoundError:
        raise NotFound(
            f"there is no file {file}", hint=f"`newsletter campaign new {file}` makes one"
        ) from None
    except (OSError, ValueError) as error:
        raise Refused(
            f"{file} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    if len(data) > 4 * LETTER_AT_MOST:
        raise Refused(f"{file} is too long for a letter: more than {LETTER_AT_MOST} characters")
    return decode_text(data)


def write_starter(file: Path) -> None:
    """Write a starter file for a new letter. Never overwrites.

    Raises `Refused` if the file cannot be written.
    """
    subject = file.stem.replace("-", " ").replace("_", " ").strip().capitalize() or "A letter"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as opened:
            opened.write(STARTER.format(subject=subject.replace(":", "")))
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror}") from None


def write_beside(file: Path, text: str) -> Path:
    """Write a text to a new file with this name or a similar free one; return its path.

    Raises `Refused` if it cannot be written.
    """
    for number in range(1, 100):
        free = file if number == 1 else file.with_stem(f"{file.stem}-{number}")
        try:
            with free.open("x", encoding="utf-8") as opened:
                opened.write(text)
        except FileExistsError:
            continue
        except OSError as error:
            raise Refused(f"{free} cannot be written: {error.strerror}") from None
        return free
    raise Refused(f"there are a hundred files like {file}")


def update_file(file: str, before: str, after: str) -> bool | None:
    """Write a draft's new text to the file that it was created from.

    Returns False if the file has changed meanwhile, and None if it does not exist; nothing is
    written then. Raises `Refused` if it cannot be written.
    """
    path = Path(file)
    if not file or not path.is_file():
        return None
    try:
        if parse_letter(read_letter_text(path)).text != parse_letter(before).text:
            return False
    except InvalidInput:
        return False
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.write_text(after, "utf-8")
        shutil.copymode(path, fresh)
        fresh.replace(path)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from None
    return True
