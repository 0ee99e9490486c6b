"""Render a letter as readable plain text, also for screen readers.

It contains no Markdown: pictures are described in words, tables are written as rows. Pure; the
tokens are those of authoring/markdown.py, with every address resolved.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from newsletter.i18n import Text, say


def write_plain_text(tokens: Sequence[Token], *, addresses_at_end: bool, language: str) -> str:
    """Render a letter, given as Markdown tokens, as plain text.

    Addresses are listed at the end, or else follow their words; the program's own words are in
    `language`.
    """
    return _Writer(at_end=addresses_at_end, language=language).write_letter(tokens)


def get_note_number(token: Token | SyntaxTreeNode) -> int:
    """Return the number of a footnote as subscribers see it."""
    return int(token.meta["id"]) + 1


class _Writer:
    """A writer of tokens as plain text, which collects the addresses to be listed at its end."""

    def __init__(self, *, at_end: bool, language: str) -> None:
        self.at_end = at_end
        self.language = language
        self.addresses: dict[str, int] = {}

    def write_letter(self, tokens: Sequence[Token]) -> str:
        text = self._write_blocks(SyntaxTreeNode(tokens).children)
        if self.addresses:
            title = self._say(Text("Links"))
            text += f"\n\n\n{title}\n\n" + "\n".join(
                f"[{number}] {url}" for url, number in self.addresses.items()
            )
        return text.strip()

    def _say(self, text: Text) -> str:
        return say(text, self.language)

    def _write_blocks(self, nodes: Sequence[SyntaxTreeNode]) -> str:
        parts = [self._write_block(node) for node in nodes]
        return "\n\n".join(part for part in parts if part.strip())

    def _write_block(self, node: SyntaxTreeNode) -> str:
        match node.type:
            case "paragraph":
                return self._write_inline(node.children)
            case "heading":
                return "\n" + self._write_inline(node.children)
            case "bullet_list" | "ordered_list":
                return self._write_list(node)
            case "blockquote":
                return "\n".join(
                    f"> {line}".rstrip() for line in self._write_blocks(node.children).split("\n")
                )
            case "fence" | "code_block":
                return "\n".join(f"    {line}" for line in node.content.rstrip("\n").split("\n"))
            case "table":
                return self._write_table(node)
            case "hr":
                return "* * *"
            case "button" | "video":
                return f"{node.meta['label']}: {node.meta['url']}".removesuffix(": ")
            case "question":
                return _write_question(node)
            case "footnote_block":
                notes = [
                    f"{number}. {self._write_blocks(note.children)}"
                    for number, note in enumerate(node.children, 1)
                ]
                return "\n" + self._say(Text("Notes")) + "\n\n" + "\n".join(notes)
        return self._write_inline([node])

    def _write_list(self, node: SyntaxTreeNode) -> str:
        first = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else None
        loose = any(
            child.type == "paragraph" and not child.hidden
            for item in node.children
            for child in item.children
        )
        items = []
        for number, item in enumerate(node.children):
            mark = "- " if first is None else f"{first + number}. "
            blocks = [self._write_block(child).strip("\n") for child in item.children]
            text = ("\n\n" if loose else "\n").join(block for block in blocks if block)
            items.append(mark + text.replace("\n", "\n" + " " * len(mark)))
        return ("\n\n" if loose else "\n").join(items)

    def _write_table(self, node: SyntaxTreeNode) -> str:
        rows = [row for part in node.children for row in part.children]
        cells = [[self._write_inline(cell.children) for cell in row.children] for row in rows]
        named_cells = [
            [f"{name}: {cell}" if name else cell for name, cell in zip(cells[0], row, strict=False)]
            for row in cells[1:]
        ]
        return "\n".join("- " + "; ".join(row) for row in named_cells)

    def _write_inline(self, nodes: Sequence[SyntaxTreeNode]) -> str:
        return "".join(self._write_piece(node) for node in nodes)

    def _write_piece(self, node: SyntaxTreeNode) -> str:
        match node.type:
            case "text" | "code_inline":
                return node.content
            case "softbreak":
                return " "
            case "hardbreak":
                return "\n"
            case "image":
                alt = node.meta["alt"]
                return "[" + self._say(Text("Picture: %(alt)s", alt=alt)) + "]" if alt else ""
            case "footnote_ref":
                return " (" + self._say(Text("note %(number)s", number=get_note_number(node))) + ")"
            case "footnote_anchor":
                return ""
            case "s":
                return f"~{self._write_inline(node.children)}~"
            case "link":
                return self._write_link(node)
        return self._write_inline(node.children)

    def _write_link(self, node: SyntaxTreeNode) -> str:
        words = self._write_inline(node.children)
        url = str(node.attrs.get("href", ""))
        scheme, _, address = url.partition(":")
        if scheme in ("mailto", "tel"):  # no page to open by its number: named where it stands
            is_same = _strip_punctuation(words) == _strip_punctuation(address)
            return words if is_same else f"{words} <{address.partition('?')[0]}>"
        if not url or words == url:
            return words or url
        if not self.at_end:
            return f"{words} <{url}>"
        number = self.addresses.setdefault(url, len(self.addresses) + 1)
        return f"{words} [{number}]"


def _write_question(node: SyntaxTreeNode) -> str:
    """Return a question and its choices, each on a line with its URL if it has one."""
    question = node.meta["question"]
    links = node.meta["links"] or [""] * len(question.choices)
    pairs = zip(question.choices, links, strict=True)
    lines = [f"- {choice}: {url}".removesuffix(": ") for choice, url in pairs]
    return "\n".join([question.text, *lines])


def _strip_punctuation(address: str) -> str:
    """Return an address or telephone number without spaces, dots, hyphens and brackets."""
    return re.sub(r"[\s().-]", "", address)
