"""Write the formulas of a post as text, before HTML is cleaned. Pure.

A formula in MathML or in a MathJax script is written as its author typed it, if that is known, or
else as symbols in one line: a/b, x², √y. The result is not safe HTML yet; sanitize.py cleans it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape, unescape

from newsletter.html.first_matches import replace_first

LOOKED_AT = 20_000
"""Maximum number of characters of a formula that are read."""
_MATH = re.compile(r"<math\b[^<>]*>", re.I)
_TYPED = re.compile(r"""\salttext\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)')""", re.I)
_SOURCE = re.compile(r"<annotation\b[^<>]*>([^<>]{1,2000})<", re.I)
_ANNOTATION = re.compile(r"<(annotation(?:-xml)?)\b", re.I)
_SCRIPT = re.compile(
    r"<script\b(?=[^<>]*\stype\s*=\s*[\"']?math/tex)(?![^<>]*\sid\s*=\s*[\"']?MathJax)[^<>]*>", re.I
)
"""Pattern of a formula that MathJax 2 has not displayed yet; a displayed one has an id."""
_CDATA = re.compile(r"%?\s{0,9}(?:<!\[CDATA\[|\]\]>)")
_TWIN = re.compile(
    r"""(</math\s{0,9}>\s{0,99}</span\s{0,9}>\s{0,99}<span\s[^<>]{0,200}?)\bkatex-html\b""", re.I
)
"""Pattern of the visual copy of a formula, which KaTeX writes beside its MathML."""
_PIECE = re.compile(r"<(/?)(?:m:)?([a-z]++)([^<>]*+)>|([^<>]+)", re.I)
_SIMPLE = re.compile(r"[\d.,]+|[^\W\d_]+|[(\[|][^()\[\]|]*[)\]|]")
_RAISED = str.maketrans("0123456789+-−n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻ⁿ")
_LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_APART = frozenset("=+-−±<>≤≥≠≈≡≪≫∈∉⊂⊆→⇒⇔×·∪∩∧∨∣:↦")
_ACCENTS = {
    "¯": "\u0304",
    "‾": "\u0304",
    "→": "\u20d7",
    "^": "\u0302",
    "~": "\u0303",
    "˙": "\u0307",
}
_INVISIBLE = str.maketrans("", "", "\u2061\u2062\u2063\u2064")


def write_formulas(html: str) -> str:
    """Return `html` with each formula as code before its MathML or script."""
    lowered = html.lower()
    if "math/tex" in lowered:
        html = replace_first(html, _SCRIPT, _write_script)
    if "<math" in lowered:
        html = _TWIN.sub(r"\1katex-twin", html)
        html = replace_first(html, _MATH, _write_mathml)
    return html


def _write_script(html: str, match: re.Match[str]) -> str:
    end = html.find("</script", match.end(), match.end() + LOOKED_AT)
    formula = _CDATA.sub("", html[match.end() : max(end, match.end())]).strip()
    return f"<code>{escape(formula)}</code>{match[0]}" if formula else match[0]


def _write_mathml(html: str, match: re.Match[str]) -> str:
    """Put a formula before its MathML: the source that its author wrote, or else its symbols."""
    end = html.find("</math", match.end(), match.end() + LOOKED_AT)
    inside = html[match.end() : max(end, match.end())]
    named = _TYPED.search(match[0])
    source = _SOURCE.search(inside)
    if named or source:
        written = (named[1] or named[2] or "") if named else source[1] if source else ""
    else:
        written = escape(write_symbols(inside), quote=False)
    return f"<code>{written}</code>{match[0]}"


def write_symbols(mathml: str) -> str:
    """Return the symbols of a MathML formula in one line of text."""
    note = _ANNOTATION.search(mathml)
    opened: list[tuple[str, list[str]]] = [("mrow", [])]
    for match in _PIECE.finditer(mathml[: note.start()] if note else mathml):
        closing, name, attributes, words = match.groups()
        if words is not None:
            if words.strip():
                opened[-1][1].append(_clean(words))
        elif closing:
            if len(opened) > 1:
                _close(opened)
        elif attributes.endswith("/"):
            opened[-1][1].append(" " if name.lower() == "mspace" else "")
        else:
            opened.append((name.lower(), []))
    while len(opened) > 1:
        _close(opened)
    return " ".join(_join(opened[0][1]).split())


def _clean(words: str) -> str:
    return " ".join(unescape(words).translate(_INVISIBLE).split())


def _close(opened: list[tuple[str, list[str]]]) -> None:
    name, parts = opened.pop()
    write = _WRITERS.get(name)
    count, text = (write[0], write[1]) if write else (0, _join)
    opened[-1][1].append(text(parts) if len(parts) >= count else _join(parts))


def _wrap(text: str) -> str:
    """Return a part of a formula in parentheses, unless it is one symbol or word."""
    text = text.strip()
    return text if len(text) < 2 or _SIMPLE.fullmatch(text) else f"({text})"


def _join(parts: list[str]) -> str:
    """Return the parts of a formula side by side, with spaces around operators, between words."""
    joined = ""
    for part in parts:
        if part in _APART and joined.strip():
            joined = f"{joined.rstrip()} {part} "
        elif _are_words(joined, part):
            joined += f" {part}"
        else:
            joined += part
    return joined


def _are_words(before: str, part: str) -> bool:
    """Tell whether a part of a formula needs a space before it, as in "sin x" or "2 kg"."""
    after_word = len(before) > 1 and before[-2:].isalpha() and part[:1].isalpha()
    return after_word or (len(part) > 1 and part.isalpha() and before[-1:].isalnum())


def _write_fraction(parts: list[str]) -> str:
    return f"{_wrap(parts[0])}/{_wrap(parts[1])}"


def _raise(text: str) -> str:
    text = text.strip()
    if text and text[0] in "′″‴*†":
        return text
    raised = text.translate(_RAISED)
    return raised if all(sign in "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ" for sign in raised) else f"^{_wrap(text)}"


def _lower(text: str) -> str:
    lowered = text.strip().translate(_LOWERED)
    return lowered if all(sign in "₀₁₂₃₄₅₆₇₈₉" for sign in lowered) else f"_{_wrap(text)}"


def _write_over(parts: list[str]) -> str:
    accent = _ACCENTS.get(parts[1].strip())
    return f"{parts[0]}{accent}" if accent else f"{_wrap(parts[0])}{_raise(parts[1])}"


def _write_root(parts: list[str]) -> str:
    index = _raise(parts[1])
    return f"{index.lstrip('^')}√{_wrap(parts[0])}"


_WRITERS: Mapping[str, tuple[int, Callable[[list[str]], str]]] = {
    "mfrac": (2, _write_fraction),
    "msup": (2, lambda parts: f"{_wrap(parts[0])}{_raise(parts[1])}"),
    "msub": (2, lambda parts: f"{_wrap(parts[0])}{_lower(parts[1])}"),
    "msubsup": (3, lambda parts: f"{_wrap(parts[0])}{_lower(parts[1])}{_raise(parts[2])}"),
    "munder": (2, lambda parts: f"{_wrap(parts[0])}{_lower(parts[1])} "),
    "mover": (2, _write_over),
    "munderover": (3, lambda parts: f"{_wrap(parts[0])}{_lower(parts[1])}{_raise(parts[2])} "),
    "msqrt": (1, lambda parts: f"√{_wrap(_join(parts))}"),
    "mroot": (2, _write_root),
    "mfenced": (1, lambda parts: f"({', '.join(parts)})"),
    "mtd": (0, lambda parts: f"{_join(parts)}, "),
    "mtr": (0, lambda parts: f"{_join(parts).rstrip(', ')}; "),
    "mtable": (0, lambda parts: _join(parts).rstrip("; ")),
}
"""Functions that write elements of MathML as text, with the number of parts that they need."""
