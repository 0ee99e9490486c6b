"""An author's Jinja on its way through Markdown and templates: each tag gives place to a mark, and
becomes a slot.

A mark is a word of letters and digits that passes through Markdown, templates and style inlining
unharmed. In the finished mail, each expression, and each whole ``{% if %}`` or ``{% for %}``,
becomes one slot (mail/message.py), and all of them together one small template
(mail/templating/merge_fields.py). Mistakes are found here, before anything is rendered.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import NoReturn

from jinja2 import TemplateSyntaxError

from newsletter.errors import InvalidInput
from newsletter.mail.render import MailContent
from newsletter.mail.slots import make_slot
from newsletter.mail.templating.merge_fields import SEPARATOR, TEXT, MergeTemplates
from newsletter.mail.templating.policy import TAGS_AT_MOST, check, resources
from newsletter.mail.templating.sandbox import TEXT_AT_MOST

_AWAY = "https://field.invalid/"  # stands before a link that is a field, so that it passes for an address
_VOID = frozenset(
    {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
)


def is_field(address: str) -> bool:
    """Tell whether a link's address is made for each reader, wholly or in part."""
    return address.startswith(_AWAY) or bool(re.search(r"z[0-9a-f]{12}[vq]\d+x", address))


class Marks:
    """The Jinja of one letter while its text is on its way through Markdown and templates."""

    def __init__(self) -> None:
        self._nonce = "z" + secrets.token_hex(6)
        self._tags: list[tuple[str, int]] = []
        self.resources: set[str] = set()
        self._found = re.compile(rf"(?:{re.escape(_AWAY)})?{self._nonce}([vbuq])(\d+)x")
        self._alone = re.compile(rf"^[ \t]*((?:{self._nonce}b\d+x[ \t]*)+)$", re.M)

    @property
    def conditional(self) -> bool:
        """Tell whether parts of the letter are for some readers only."""
        return any(tag.startswith("{%") for tag, _ in self._tags)

    # ── before ──

    def take(self, text: str, *, where: str, line: int = 1) -> str:
        """`text` with a mark in place of each tag.

        Raises `InvalidInput` for Jinja that no letter may hold, with the number of its line (`line`
        is the first one's).
        """
        if "{" not in text:
            return text
        try:
            marked = "".join(self._pieces(text, where, line))
            tree = TEXT.parse(text)
            check(tree, where, line)
            self.resources |= resources(tree)
        except TemplateSyntaxError as error:
            raise InvalidInput(
                {where: f"line {line + error.lineno - 1}: {error.message}"}
            ) from None
        except RecursionError:
            raise InvalidInput(
                {where: "brackets stand too deep in one another between {{ and }}"}
            ) from None
        # A tag on a line of its own stands between paragraphs, not inside one.
        return self._alone.sub(r"\n\1\n", marked)

    def _pieces(self, text: str, where: str, first: int) -> Iterator[str]:
        tag: list[str] | None = None
        for line, kind, value in TEXT.lex(text):
            if kind in ("variable_begin", "block_begin"):
                tag = [value.rstrip("-+")]
            elif tag is not None and kind in ("variable_end", "block_end"):
                closing = value.strip().lstrip("-+")
                whole = "".join(tag) + closing
                if len(whole) > TEXT_AT_MOST or len(self._tags) >= TAGS_AT_MOST:
                    raise InvalidInput(
                        {where: f"line {first + line - 1}: there is too much between {{{{ and }}}}"}
                    )
                yield self._mark("v" if closing == "}}" else "b", whole, first + line - 1)
                tag = None
            elif tag is not None:
                tag.append(value)
            elif kind == "data":
                yield value

    def _mark(self, kind: str, tag: str, line: int) -> str:
        self._tags.append((tag, line))
        return f"{self._nonce}{kind}{len(self._tags) - 1}x"

    def link(self, href: str) -> str:
        """A link's address with the marks in it made fit for their place: at the start a whole
        address, further on a part of one.
        """

        def fit(found: re.Match[str]) -> str:
            if found[1] == "b":
                self._refuse(found, "inside a link's address, write {{ … if … else … }}")
            start = found.start() == 0
            return f"{_AWAY if start else ''}{self._nonce}{'u' if start else 'q'}{found[2]}x"

        return self._found.sub(fit, href)

    def loosen(self, html: str) -> str:
        """The body's `html`, with tags that stand on a line of their own taken out of the
        paragraphs Markdown made.
        """
        return re.sub(rf"<p>((?:{self._nonce}b\d+x\s*)+)</p>\n?", r"\1", html)

    # ── after ──

    def settle(self, content: MailContent) -> tuple[MailContent, MergeTemplates | None]:
        """`content` with slots instead of marks, and what fills them (None where nothing does)."""
        if not self._tags:
            return content, None
        self._balance(content.html)
        text, html = _Pieces(), _Pieces()
        subject = self._slotted(content.subject, text, "subject_")
        body = self._slotted(self._closer(content.text), text, "text_")
        page = self._slotted(content.html, html, "html_")
        personal = MergeTemplates(
            text.template,
            html.template,
            tuple(text.parts),
            tuple(html.parts),
            tuple(text.slots),
            tuple(html.slots),
            tuple(text.lines),
            tuple(html.lines),
        )
        return MailContent(subject, body, page), personal

    def _closer(self, text: str) -> str:
        """`text` without the empty line after a tag that stands on its own: what is left out leaves
        no gap.
        """
        return re.sub(rf"^((?:{self._nonce}b\d+x)+)\n+", r"\1", text, flags=re.M)

    def _slotted(self, text: str, pieces: _Pieces, prefix: str) -> str:
        out: list[str] = []
        depth, at = 0, 0
        for found in self._found.finditer(text):
            constant = text[at : found.start()]
            at = found.end()
            out.append(constant) if not depth else pieces.constant(constant)
            tag, line = self._tag(found)
            word = tag.strip("{%} \n").split(maxsplit=1)[0] if found[1] == "b" else ""
            if word.startswith("end"):
                depth -= 1
            pieces.add(tag, line)
            if word in ("if", "for", "with"):
                depth += 1
            elif not depth and word != "set":
                out.append(make_slot(pieces.close(prefix)))
        if depth:
            raise InvalidInput({"letter": "a template of yours shows a part of the letter only"})
        return "".join(out) + text[at:]

    def _tag(self, found: re.Match[str]) -> tuple[str, int]:
        tag, line = self._tags[int(found[2])]
        if found[1] in "uq":
            return (
                f"{{{{ ({tag[2:-2]})|{'field_link' if found[1] == 'u' else 'urlencode'} }}}}",
                line,
            )
        return tag, line

    def _balance(self, html: str) -> None:
        """See to it that what a condition leaves out or a loop repeats is whole: its tags stand
        inside the same element.
        """
        opened: list[tuple[object, ...]] = []
        for found, place in _Places(self._found).of(html):
            if found[1] != "b":
                continue
            word = self._tags[int(found[2])][0].strip("{%} \n").split(maxsplit=1)[0]
            if word in ("if", "for", "with"):
                opened.append(place)
            elif word != "set" and (not opened or opened[-1] != place):
                self._refuse(
                    found,
                    "give {% if %}, {% else %} and {% endif %} lines of their own, or keep them in one",
                )
            if word.startswith("end"):
                opened.pop()

    def _refuse(self, found: re.Match[str], why: str) -> NoReturn:
        raise InvalidInput({"letter": f"line {self._tags[int(found[2])][1]}: {why}"})


@dataclass(slots=True)
class _Pieces:
    """A template being put together of the author's tags; constants are parameters, never part of
    its text.
    """

    template: str = ""
    parts: list[str] = field(default_factory=list)
    slots: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=lambda: [0])
    """Where each line of the template comes from, so that what goes wrong there can say so."""

    def constant(self, text: str) -> None:
        if text:
            self.template += f"{{{{ part[{len(self.parts)}] }}}}"
            self.parts.append(text)

    def add(self, tag: str, line: int) -> None:
        self.template += f"{tag[:2]}\n{tag[2:]}"
        self.lines += [line] * (tag.count("\n") + 1)

    def close(self, prefix: str) -> str:
        """End a slot's output.

        Returns the slot's name.
        """
        self.template += SEPARATOR
        number, letters = len(self.slots), ""
        while number >= 0:
            number, letter = divmod(number, 26)
            letters, number = chr(97 + letter) + letters, number - 1
        self.slots.append(prefix + letters)
        return self.slots[-1]


class _Places(HTMLParser):
    """Finds in which element, or in which attribute, each mark of a page stands."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        super().__init__(convert_charrefs=True)
        self._pattern = pattern
        self._open: list[tuple[str, int]] = []
        self._count = 0
        self._found: list[tuple[re.Match[str], tuple[object, ...]]] = []

    def of(self, html: str) -> Sequence[tuple[re.Match[str], tuple[object, ...]]]:
        self.feed(html)
        self.close()
        return self._found

    def _note(self, text: str, *place: object) -> None:
        self._found += [(found, (*self._open, *place)) for found in self._pattern.finditer(text)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._count += 1
        for name, value in attrs:
            self._note(value or "", self._count, name)
        if tag not in _VOID:
            self._open.append((tag, self._count))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if any(name == tag for name, _ in self._open):
            while self._open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        self._note(data)
