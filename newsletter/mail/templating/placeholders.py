"""Protect the author's Jinja during rendering: each tag becomes a mark, then a slot.

A mark is a word of letters and digits that passes through Markdown, templates and style inlining
unchanged. In the finished mail, each expression, and each whole ``{% if %}`` or ``{% for %}``,
becomes one slot (mail/message.py), and all of them together one small template
(mail/templating/merge_fields.py). Mistakes are reported here, before anything is rendered.
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
from newsletter.i18n import Text
from newsletter.mail.render import MailContent
from newsletter.mail.slots import make_slot
from newsletter.mail.templating.merge_fields import SEPARATOR, TEXT, MergeTemplates
from newsletter.mail.templating.policy import TAGS_AT_MOST, check, list_resources
from newsletter.mail.templating.sandbox import TEXT_AT_MOST
from newsletter.stored_texts import Stored

SAID_BY_JINJA = (
    Text("unexpected '%(sign)s'"),
    Text("unexpected '%(closing)s', expected '%(opening)s'"),
    Text("unexpected char %(sign)s at %(place)s"),
    Text("expected token '%(wanted)s', got '%(found)s'"),
    Text("Expected an expression, got '%(found)s'"),
    Text("Encountered unknown tag '%(tag)s'."),
    Text(
        "Unexpected end of template. Jinja was looking for the following tags: %(tags)s. "
        "The innermost block that needs to be closed is '%(block)s'."
    ),
)
"""Error messages of Jinja itself, for the translation catalogues."""
# Stands before a link that is a field, so that it passes for an address.
_AWAY = "https://field.invalid/"
_VOID = frozenset(
    {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
)


def is_field(address: str) -> bool:
    """Tell whether a link's address is, wholly or in part, different for each subscriber."""
    return address.startswith(_AWAY) or bool(re.search(r"z[0-9a-f]{12}[vq]\d+x", address))


class Marks:
    """The Jinja tags of one letter, replaced by marks during rendering."""

    def __init__(self) -> None:
        self._nonce = "z" + secrets.token_hex(6)
        self._tags: list[tuple[str, int]] = []
        self.resources: set[str] = set()
        self._pattern = re.compile(rf"(?:{re.escape(_AWAY)})?{self._nonce}([vbuq])(\d+)x")
        self._alone = re.compile(rf"^[ \t]*((?:{self._nonce}b\d+x[ \t]*)+)$", re.M)

    @property
    def conditional(self) -> bool:
        """Tell whether parts of the letter are shown to some subscribers only."""
        return any(tag.startswith("{%") for tag, _ in self._tags)

    # ── before ──

    def take(self, text: str, *, where: str, line: int = 1) -> str:
        """Return `text` with each Jinja tag replaced by a mark.

        Raises `InvalidInput` for Jinja that letters may not contain, with its line number (`line`
        is that of the first line).
        """
        if "{" not in text:
            return text
        try:
            marked = "".join(self._mark_pieces(text, where, line))
            tree = TEXT.parse(text)
            check(tree, where, line)
            self.resources |= list_resources(tree)
        except TemplateSyntaxError as error:
            raise InvalidInput(
                {
                    where: Text(
                        "line %(line)s: %(message)s",
                        line=line + error.lineno - 1,
                        message=Stored(error.message),
                    )
                }
            ) from None
        except RecursionError:
            raise InvalidInput(
                {where: Text("brackets stand too deep in one another between {{ and }}")}
            ) from None
        # A tag on a line of its own stands between paragraphs, not inside one.
        return self._alone.sub(r"\n\1\n", marked)

    def _mark_pieces(self, text: str, where: str, first: int) -> Iterator[str]:
        tag: list[str] | None = None
        for line, kind, value in TEXT.lex(text):
            if kind in ("variable_begin", "block_begin"):
                tag = [value.rstrip("-+")]
            elif tag is not None and kind in ("variable_end", "block_end"):
                closing = value.strip().lstrip("-+")
                expression = "".join(tag) + closing
                self._require_room(expression, where, first + line - 1)
                yield self._mark("v" if closing == "}}" else "b", expression, first + line - 1)
                tag = None
            elif tag is not None:
                tag.append(value)
            elif kind == "data":
                yield value

    def _require_room(self, expression: str, where: str, line: int) -> None:
        if len(expression) > TEXT_AT_MOST or len(self._tags) >= TAGS_AT_MOST:
            problem = Text("line %(first)s: there is too much between {{ and }}", first=line)
            raise InvalidInput({where: problem})

    def _mark(self, kind: str, tag: str, line: int) -> str:
        self._tags.append((tag, line))
        return f"{self._nonce}{kind}{len(self._tags) - 1}x"

    def answer(self, question: int, choice: int) -> str:
        """Return the mark for the URL of a question's choice, both counted from 0."""
        mark = self._mark("u", f"{{{{ answer({question}, {choice}) }}}}", 0)
        return f"{_AWAY}{mark}"

    def link(self, href: str) -> str:
        """Return a link's address with its marks adapted to their place in it.

        A mark at the start stands for a whole address, any other mark for a part of it.
        """

        def fit(mark: re.Match[str]) -> str:
            if mark[1] == "b":
                self._refuse(mark, Text("inside a link's address, write {{ … if … else … }}"))
            start = mark.start() == 0
            return f"{_AWAY if start else ''}{self._nonce}{'u' if start else 'q'}{mark[2]}x"

        return self._pattern.sub(fit, href)

    def loosen(self, html: str) -> str:
        """Unwrap tags on lines of their own from the paragraphs that Markdown made of them."""
        return re.sub(rf"<p>((?:{self._nonce}b\d+x\s*)+)</p>\n?", r"\1", html)

    # ── after ──

    def settle(self, content: MailContent) -> tuple[MailContent, MergeTemplates | None]:
        """Return `content` with slots in place of marks, and the templates for them (or None)."""
        if not self._tags:
            return content, None
        self._balance(content.html)
        text = _Pieces()
        html = _Pieces()
        subject = self._replace_marks(content.subject, text, "subject_")
        body = self._replace_marks(self._close_gaps(content.text), text, "text_")
        page = self._replace_marks(content.html, html, "html_")
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

    def _close_gaps(self, text: str) -> str:
        """Remove the empty line after a tag on its own, so that an omitted part leaves no gap."""
        return re.sub(rf"^((?:{self._nonce}b\d+x)+)\n+", r"\1", text, flags=re.M)

    def _replace_marks(self, text: str, pieces: _Pieces, prefix: str) -> str:
        out: list[str] = []
        depth = 0
        end = 0
        for mark in self._pattern.finditer(text):
            constant = text[end : mark.start()]
            end = mark.end()
            out.append(constant) if not depth else pieces.add_constant(constant)
            tag, line = self._tag(mark)
            word = tag.strip("{%} \n").split(maxsplit=1)[0] if mark[1] == "b" else ""
            if word.startswith("end"):
                depth -= 1
            pieces.add(tag, line)
            if word in ("if", "for", "with"):
                depth += 1
            elif not depth and word != "set":
                out.append(make_slot(pieces.close(prefix)))
        if depth:
            raise InvalidInput(
                {"letter": Text("a template of yours shows a part of the letter only")}
            )
        return "".join(out) + text[end:]

    def _tag(self, mark: re.Match[str]) -> tuple[str, int]:
        tag, line = self._tags[int(mark[2])]
        if mark[1] in "uq":
            name = "field_link" if mark[1] == "u" else "urlencode"
            return f"{{{{ ({tag[2:-2]})|{name} }}}}", line
        return tag, line

    def _balance(self, html: str) -> None:
        """Raise `InvalidInput` if the tags of a condition or loop are in different elements."""
        opened: list[tuple[object, ...]] = []
        for mark, place in _Places(self._pattern).find(html):
            if mark[1] != "b":
                continue
            word = self._tags[int(mark[2])][0].strip("{%} \n").split(maxsplit=1)[0]
            if word in ("if", "for", "with"):
                opened.append(place)
            elif word != "set" and (not opened or opened[-1] != place):
                self._refuse(
                    mark,
                    Text(
                        "give {% if %}, {% else %} and {% endif %} lines of their own, "
                        "or keep them in one"
                    ),
                )
            if word.startswith("end"):
                opened.pop()

    def _refuse(self, mark: re.Match[str], why: Text) -> NoReturn:
        raise InvalidInput(
            {"letter": Text("line %(tags)s: %(why)s", tags=self._tags[int(mark[2])][1], why=why)}
        )


@dataclass(slots=True)
class _Pieces:
    """A template that is built from the author's tags.

    Constants are parameters, never part of its text.
    """

    template: str = ""
    parts: list[str] = field(default_factory=list)
    slots: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=lambda: [0])
    """The line of the letter that each line of the template comes from, for error messages."""

    def add_constant(self, text: str) -> None:
        if text:
            self.template += f"{{{{ part[{len(self.parts)}] }}}}"
            self.parts.append(text)

    def add(self, tag: str, line: int) -> None:
        self.template += f"{tag[:2]}\n{tag[2:]}"
        self.lines += [line] * (tag.count("\n") + 1)

    def close(self, prefix: str) -> str:
        """End the output of a slot. Return the slot's name, numbered in letters (a, b, …, aa)."""
        self.template += SEPARATOR
        number = len(self.slots)
        letters = ""
        while number >= 0:
            number, letter = divmod(number, 26)
            letters = chr(97 + letter) + letters
            number -= 1
        self.slots.append(prefix + letters)
        return self.slots[-1]


class _Places(HTMLParser):
    """An HTML parser that finds the element or attribute in which each mark is."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        super().__init__(convert_charrefs=True)
        self._pattern = pattern
        self._open: list[tuple[str, int]] = []
        self._count = 0
        self._marks: list[tuple[re.Match[str], tuple[object, ...]]] = []

    def find(self, html: str) -> Sequence[tuple[re.Match[str], tuple[object, ...]]]:
        self.feed(html)
        self.close()
        return self._marks

    def _note(self, text: str, *place: object) -> None:
        matches = self._pattern.finditer(text)
        self._marks += [(mark, (*self._open, *place)) for mark in matches]

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
