"""Convert a letter's text to the fields of a form and back. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from newsletter.authoring.front_matter import join_letter, read_values, split_letter
from newsletter.authoring.letter_file import KEYS, LINE_AT_MOST
from newsletter.authoring.markdown_parser import LETTER_AT_MOST
from newsletter.errors import InvalidInput
from newsletter.html.text import drop_control_characters, to_plain_line
from newsletter.i18n import Text

EMPTY = "---\n---\n\n"
"""The text of a new, empty letter."""
_LINE = re.compile(r"\bline (\d{1,6})(: )?")


@dataclass(frozen=True, slots=True)
class LetterFields:
    """A letter as the fields of a form: lines of its front matter, and its Markdown."""

    subject: str = ""
    preheader: str = ""
    segment: str = ""
    subject_b: str = ""
    share: str = ""
    body: str = ""


def read_fields(text: str) -> LetterFields:
    """Return the fields of a letter's text, which may be unfinished.

    Raises `InvalidInput` if its front matter cannot be read.
    """
    head, body, _ = split_letter(text)
    values = read_values(head, KEYS)
    lines = {key: values.get(key, "") for key in ("subject", "preheader", "segment")}
    trial = {key: values.get(key, "") for key in ("subject_b", "share")}
    return LetterFields(**lines, **trial, body=body.lstrip("\n"))


def write_fields(text: str, fields: LetterFields) -> str:
    """Return a letter's text with its fields replaced; lines with unchanged values stay as typed.

    Raises `InvalidInput` by field if that would be no letter's file.
    """
    old_head, old_body, _ = split_letter(text)
    old = read_values(old_head, KEYS)
    new = {**old, **_clean_lines(fields)}
    gap = old_body[: len(old_body) - len(old_body.lstrip("\n"))] or "\n"
    body = gap + clean_body(fields.body)
    if _drop_empty(new) == _drop_empty(old):
        written = f"---\n{old_head}\n---\n{body}" if old_head else f"---\n---\n{body}"
    else:
        written = join_letter(_drop_empty(new), body)
    if len(written) > LETTER_AT_MOST:
        raise InvalidInput(
            {
                "body": Text(
                    "is too long: more than %(most)s characters",
                    most=LETTER_AT_MOST,
                )
            }
        )
    read_values(split_letter(written)[0], KEYS)
    return written


def clean_body(typed: str) -> str:
    """Return Markdown that was typed into a browser, with ``\\n`` as line endings."""
    return drop_control_characters(typed.replace("\r\n", "\n").replace("\r", "\n")).lstrip("\n")


def place_in_body(message: str, text: str) -> str:
    """Return a message about a letter's file with line numbers counted from the top of its body.

    A line of the front matter is left out: the message names its key.
    """
    _, body, line = split_letter(text)
    above = line - 1 + len(body) - len(body.lstrip("\n"))

    def count(match: re.Match[str]) -> str:
        number = int(match[1]) - above
        return f"line {number}{match[2] or ''}" if number > 0 else ""

    return _LINE.sub(count, message)


def _clean_lines(fields: LetterFields) -> dict[str, str]:
    typed = {
        "subject": fields.subject,
        "preheader": fields.preheader,
        "segment": fields.segment,
        "subject_b": fields.subject_b,
        "share": fields.share,
    }
    for key, value in typed.items():
        if len(value) > LINE_AT_MOST:
            raise InvalidInput(
                {
                    key: Text(
                        "has %(count)s characters; %(most)s at most",
                        count=len(value),
                        most=LINE_AT_MOST,
                    )
                }
            )
    return {key: to_plain_line(value, limit=LINE_AT_MOST) for key, value in typed.items()}


def _drop_empty(values: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value}
