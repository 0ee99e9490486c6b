"""Put the name of each tab above its panel, before HTML is cleaned. Pure.

A page shows the names side by side and one panel at a time; a mail shows every panel below its
name. The result is not safe HTML yet; sanitize.py cleans it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise

TABS_AT_MOST = 200
"""Maximum number of tabs and panels of one post that are read, so that a hostile post costs bounded
time."""
NAME_AT_MOST = 200
"""Maximum number of characters of a tab's name."""
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*+)([^<>]*+)>")
_WORDS = re.compile(r"<[^<>]*>|\s+")
_MAY_HAVE_TABS = re.compile(r"(?:tabs?|tabbed)(?:[-_\s\"'>]|links)", re.I)
_IS_TAB = re.compile(
    r"""\srole\s{0,9}=\s{0,9}["']?tab\b(?!-)|\sdata-(?:bs-)?toggle=["']tab["']|"""
    r"""\sclass\s{0,9}=\s{0,9}["'][^"'<>]*?(?<![\w-])(?:tablinks|sd-tab-label|"""
    r"""w-tab-link)(?![\w-])""",
    re.I,
)
_LIST = re.compile(
    r"""\sclass\s{0,9}=\s{0,9}["'][^"'<>]*?(?<![\w-])(?:tabbed-labels|su-tabs-nav|"""
    r"""et_pb_tabs_controls|kt-tabs-title-list|(?:wp-block-)?tabs?__list|ui-tabs-nav|nav-tabs|"""
    r"""tabs?-(?:nav|list|titles|headers?|menu|labels))(?![\w-])""",
    re.I,
)
"""Pattern of the class of a list whose items are the names of tabs."""
_IS_PANEL = re.compile(
    r"""\srole\s{0,9}=\s{0,9}["']?tabpanel\b|"""
    r"""\sclass\s{0,9}=\s{0,9}["'][^"'<>]*?(?<![\w-])(?:tabbed-block|tab-pane|et_pb_tab|"""
    r"""su-tabs-pane|uagb-tabs__body-container|wp-block-kadence-tab|wp-block-tab|w-tab-pane|"""
    r"""tabcontent|ui-tabs-panel|"""
    r"""tabs?__(?:panel|pane)|sd-tab-content|tabs?-panel)(?![\w-])""",
    re.I,
)
_HIDES = re.compile(r"""\s(?:hidden|style)(?:\s{0,9}=\s{0,9}(?:"[^"<>]*"|'[^'<>]*'|[^\s<>"']+))?""")
_EMPTY_ITEM = re.compile(r"<li\b[^<>]*>\s{0,99}</li\s{0,9}>", re.I)
_VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "source", "wbr"})


@dataclass(slots=True)
class _Part:
    """A tab or a panel: its start and end, and the start of its content."""

    is_tab: bool
    start: int
    inside: int
    end: int = 0
    name: str = ""


@dataclass(slots=True)
class _Open:
    """An open element, with its tab or panel, if it is one; `is_list`: its items are tabs."""

    name: str
    is_list: bool
    part: _Part | None


def name_panels(html: str) -> str:
    """Return `html` with the names of tabs above their panels, and all panels shown."""
    if not _MAY_HAVE_TABS.search(html):
        return html
    edits: list[tuple[int, int, str]] = []
    for parts in _find_parts(html):
        edits += _edit_set(html, parts)
    if not edits:
        return html
    pieces: list[str] = []
    position = 0
    for start, end, text in sorted(edits):
        if start < position:
            continue
        pieces += [html[position:start], text]
        position = end
    return _EMPTY_ITEM.sub("", "".join([*pieces, html[position:]]))


def _find_parts(html: str) -> list[list[_Part]]:
    """Return tabs and panels in order, grouped by the panel that contains them."""
    groups: defaultdict[int, list[_Part]] = defaultdict(list)
    opened: list[_Open] = []
    count: Counter[str] = Counter()
    panels: list[int] = []
    number = 0
    for match in _TAG.finditer(html):
        name = match[2].lower()
        if name in _VOID or match[3].endswith("/"):
            continue
        if match[1]:
            if not count[name]:
                continue
            while True:
                element = opened.pop()
                count[element.name] -= 1
                _end_part(html, element.part, match, panels)
                if element.name == name:
                    break
            continue
        part = None
        within_tab = bool(opened) and any(
            element.part and element.part.is_tab for element in opened[-8:]
        )
        if number < TABS_AT_MOST and not within_tab:
            part = _read_part(match, is_item=bool(opened) and opened[-1].is_list)
        if part:
            number += 1
            groups[panels[-1] if panels else -1].append(part)
            if not part.is_tab:
                panels.append(part.start)
        opened.append(_Open(name, bool(_LIST.search(match[3])), part))
        count[name] += 1
    return list(groups.values())


def _read_part(match: re.Match[str], *, is_item: bool) -> _Part | None:
    if _IS_PANEL.search(match[3]):
        return _Part(is_tab=False, start=match.start(), inside=match.end())
    if is_item or _IS_TAB.search(match[3]):
        return _Part(is_tab=True, start=match.start(), inside=match.end())
    return None


def _end_part(html: str, part: _Part | None, match: re.Match[str], panels: list[int]) -> None:
    if part is None:
        return
    part.end = match.end()
    if not part.is_tab:
        panels.pop()
    elif match.start() - part.inside <= NAME_AT_MOST * 5:
        part.name = _WORDS.sub(" ", html[part.inside : match.start()]).strip()[:NAME_AT_MOST]


def _edit_set(html: str, parts: list[_Part]) -> list[tuple[int, int, str]]:
    """Return the edits that name the panels of one set of tabs: start, end, new text."""
    tabs = [part for part in parts if part.is_tab and part.name and part.end]
    panels = [part for part in parts if not part.is_tab]
    if not tabs or not panels:
        return []
    edits = [(panel.start, panel.inside, _show(html, panel)) for panel in panels]
    stands_before = {  # tabs that stand right before their panels
        tab.start for tab, follower in pairwise(parts) if tab.is_tab and not follower.is_tab
    }
    names = [tab.name for tab in tabs if tab.start not in stands_before]
    near = [tab for tab in tabs if tab.start in stands_before]
    if len(tabs) == len(panels) and len(near) < len(panels):
        edits = [
            (start, end, f"{text}{_write_name(tab)}")
            for (start, end, text), tab in zip(edits, tabs, strict=True)
        ]
        return edits + [(tab.start, tab.end, "") for tab in tabs]
    is_twice = len(near) == len(panels) and set(names) <= {tab.name for tab in near}
    for tab in tabs:
        stays = tab.start in stands_before or not is_twice
        edits.append((tab.start, tab.end, _write_name(tab) if stays else ""))
    return edits


def _show(html: str, panel: _Part) -> str:
    return _HIDES.sub("", html[panel.start : panel.inside])


def _write_name(tab: _Part) -> str:
    return f"<p><strong>{tab.name}</strong></p>"
