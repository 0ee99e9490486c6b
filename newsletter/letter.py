"""A letter's file: front matter between two lines of ``---``, and Markdown below it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from newsletter.content import lines, plain
from newsletter.errors import InvalidInput, Refused
from newsletter.markdown import LETTER_AT_MOST
from newsletter.segment import parse_segment

KEYS = ("subject", "preheader", "list", "segment", "subject_b", "share")
SHARE = 20

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
    """A letter, read. `slug` is None where it names no list; `line` is where its Markdown begins in the `text` it was
    read from; `folder` is where its pictures lie."""

    subject: str
    preheader: str
    slug: str | None
    markdown: str
    segment: str = ""
    subject_b: str = ""
    share: int = 0
    text: str = ""
    line: int = 1
    folder: Path | None = None

    @property
    def digest(self) -> str:
        """Tells one letter's content from another's."""
        return hashlib.sha256(f"{self.subject}\n{self.preheader}\n{self.markdown}".encode()).hexdigest()


def parse_letter(text: str, *, folder: Path | None = None) -> Letter:
    """A letter out of its text. Raises `InvalidInput` by front matter key."""
    text = text.replace("\r\n", "\n")
    if len(text) > LETTER_AT_MOST:
        raise Refused("the file is too long for a letter")
    if not text.startswith("---\n") or "\n---\n" not in text[3:]:
        raise InvalidInput({"subject": "begin the file with ---, a line `subject: …`, and --- again"})
    head, _, body = text[4:].partition("\n---\n")
    found = _front_matter(head)
    subject = plain(found.get("subject"), limit=300)
    if not subject:
        raise InvalidInput({"subject": "the letter has none"})
    if not body.strip():
        raise InvalidInput({"letter": "there is nothing below the front matter"})
    segment, subject_b = plain(found.get("segment"), limit=1001), plain(found.get("subject_b"), limit=300)
    parse_segment(segment)
    return Letter(
        subject=subject,
        preheader=plain(found.get("preheader"), limit=300),
        slug=plain(found.get("list"), limit=60) or None,
        markdown=lines(body, limit=LETTER_AT_MOST),
        segment=segment,
        subject_b=subject_b,
        share=_share(found.get("share", SHARE)) if subject_b else 0,
        text=text,
        line=text.count("\n", 0, len(text) - len(body)) + 1,
        folder=folder,
    )


def with_lines(text: str, changes: Mapping[str, str]) -> str:
    """A letter's text with other values in its front matter; an empty one takes its line out."""
    head, _, body = text[4:].partition("\n---\n")
    values = {key: value for key, value in {**_front_matter(head), **changes}.items() if value not in ("", None)}
    return f"---\n{yaml.safe_dump(values, allow_unicode=True, sort_keys=False, width=10_000)}---\n{body}"


def _front_matter(head: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(head) or {}
    except yaml.YAMLError as error:
        hint = "; put a value with a colon or braces into quotation marks"
        raise InvalidInput({"front matter": " ".join(str(error).split())[:200] + hint}) from None
    if not isinstance(found, dict):
        raise InvalidInput({"front matter": "write lines like `subject: …`"})
    if unknown := ", ".join(sorted(str(key) for key in found if key not in KEYS)):
        raise InvalidInput({"front matter": f"{unknown} is unknown; use {', '.join(KEYS)}"})
    return found


def _share(value: object) -> int:
    text = str(value).removesuffix("%").strip()
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise InvalidInput({"share": "is the part of the readers that tries out both subjects, 1 to 100 percent"})
    return int(text)
