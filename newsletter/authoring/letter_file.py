"""Parse a letter's file: front matter between two lines of ``---``, and Markdown below it.

Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from newsletter.authoring import front_matter
from newsletter.authoring.markdown_parser import LETTER_AT_MOST
from newsletter.authoring.segment import parse_segment
from newsletter.errors import InvalidInput, Refused
from newsletter.html.text import to_plain_line, to_plain_lines
from newsletter.i18n import Text

KEYS = ("subject", "preheader", "list", "segment", "subject_b", "share", "answers")
NAMED = "named"
"""The value of `answers` in front matter that shows the author who gave each answer."""
SHARE = 20
"""The default share of subscribers in an A/B test of two subjects, in percent."""
LINE_AT_MOST = 1000
"""Characters of a value in the front matter; RFC 5322 ends a header's line at 998."""
SHOWN_AT_MOST = 80
"""Characters of an address in an error message; a data: address of a picture has millions."""

STARTER = """\
---
subject: {subject}
preheader: The line that inboxes show behind the subject
---

Dear {{{{ subscriber.name or "friend" }}}},

write here, in Markdown.
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """A parsed letter.

    `slug` is None if it names no list; `named`: its author sees who answered its questions. `line`
    is the line of `text` on which its Markdown begins; `folder` is the folder of its pictures.
    """

    subject: str
    preheader: str
    slug: str | None
    markdown: str
    segment: str = ""
    subject_b: str = ""
    share: int = 0
    named: bool = False
    text: str = ""
    line: int = 1
    folder: Path | None = None

    @property
    def digest(self) -> str:
        """Return a hash of the letter's content, which identifies it."""
        return hashlib.sha256(
            f"{self.subject}\n{self.preheader}\n{self.markdown}".encode()
        ).hexdigest()

    def find_line(self, key: str) -> int:
        """Return the line of the file that holds a key of the front matter, or 1."""
        rows = self.text.split("\n")[: self.line]
        return next((number for number, row in enumerate(rows, 1) if row.startswith(f"{key}:")), 1)

    def where(self, written: str) -> str:
        """Return an address in this letter for a message, with its line in the file if known."""
        address = written if len(written) <= SHOWN_AT_MOST else f"{written[:SHOWN_AT_MOST]}…"
        for number, line in enumerate(self.text.split("\n"), 1):
            if number >= self.line and (written in line or unquote(written) in unquote(line)):
                return f"line {number}: {address}"
        return address


def parse_letter(text: str, *, folder: Path | None = None) -> Letter:
    """Parse a letter from the text of its file.

    Raises `InvalidInput` by line or key.
    """
    if len(text) > LETTER_AT_MOST:
        raise Refused(
            Text(
                "the file is too long for a letter: more than %(most)s characters",
                most=LETTER_AT_MOST,
            )
        )
    head, body, line = front_matter.split_letter(text.replace("\r\n", "\n"))
    values = front_matter.read_values(head, KEYS)
    if not body.strip():
        raise InvalidInput({"letter": Text("there is nothing below the front matter")})
    lines = {key: _to_one_line(values.get(key, ""), key) for key in KEYS}
    if not lines["subject"]:
        raise InvalidInput({"subject": Text("the letter has none")})
    parse_segment(lines["segment"])
    return Letter(
        subject=lines["subject"],
        preheader=lines["preheader"],
        slug=lines["list"] or None,
        markdown=to_plain_lines(body, limit=LETTER_AT_MOST),
        segment=lines["segment"],
        subject_b=lines["subject_b"],
        share=_parse_share(lines["share"] or str(SHARE)) if lines["subject_b"] else 0,
        named=_parse_named(lines["answers"]),
        text=f"---\n{head}\n---\n{body}",
        line=line,
        folder=folder,
    )


def replace_lines(text: str, changes: Mapping[str, str]) -> str:
    """Return a letter's text with `changes` in its front matter; the value "" removes a line."""
    head, body, _ = front_matter.split_letter(text)
    values = {**front_matter.read_values(head, KEYS), **changes}
    return front_matter.join_letter({key: value for key, value in values.items() if value}, body)


def _to_one_line(value: str, key: str) -> str:
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
    return to_plain_line(value, limit=LINE_AT_MOST)


def _parse_named(text: str) -> bool:
    if text not in ("", NAMED):
        raise InvalidInput(
            {"answers": Text("is %(named)s, or is not there: then nobody sees whose", named=NAMED)}
        )
    return text == NAMED


def _parse_share(text: str) -> int:
    text = text.removesuffix("%").strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and 1 <= int(text) <= 100):
        raise InvalidInput(
            {
                "share": Text(
                    "is the part of subscribers who try out both subjects, 1 to 100 percent"
                )
            }
        )
    return int(text)
