"""Replace ticks, stars and checkboxes drawn by icon fonts with characters. Pure.

A tick in a table, the stars of a review and a task's checkbox have a meaning, but a mail would show
nothing for them. The result is not safe HTML yet; sanitize.py cleans it.
"""

from __future__ import annotations

import re

_ICON = re.compile(
    r"""<(i|span|em)\s[^<>]{0,400}?\bclass\s{0,9}=\s{0,9}["']([^"'<>]{1,300})["']"""
    r"""[^<>]{0,400}>\s{0,9}</\1\s{0,9}>""",
    re.I,
)
_DRAWN = re.compile(
    r"""<svg\s[^<>]{0,400}?\bclass\s{0,9}=\s{0,9}["']([^"'<>]{1,300})["'][^<>]{0,400}>""", re.I
)
_SETS = r"(?:e-)?(?:fa[bsrl]?|fas|far|dashicons|bi|ti|glyphicon|icon|ion|eicon|mdi|la)-"
_SIGNS = (
    (
        "✓ ",
        re.compile(
            rf"(?:^|\s){_SETS}(?:(?:circle|square|alt)-)?"
            r"(?:check|checkmark|yes|ok|tick)(?:-(?:circle|square|alt|lg|o|2)){0,2}(?:$|\s)"
        ),
    ),
    (
        "✗ ",
        re.compile(
            rf"(?:^|\s){_SETS}(?:(?:circle|square)-)?"
            r"(?:times|xmark|no|cross|x)(?:-(?:circle|square|alt|lg|o)){0,2}(?:$|\s)"
        ),
    ),
    ("½", re.compile(rf"(?:^|\s){_SETS}star-half(?:-[a-z]{{1,9}}){{0,2}}(?:$|\s)")),
    (
        "☆",
        re.compile(
            rf"(?:^|\s){_SETS}star-(?:o|empty)(?:$|\s)|"
            r"(?:^|\s)(?:far|fa-regular)\s{1,9}fa-star(?:$|\s)|(?:^|\s)e-far-star(?:$|\s)"
        ),
    ),
    ("★", re.compile(rf"(?:^|\s){_SETS}star(?:-(?:fill|filled|alt)){{0,1}}(?:$|\s)")),
)
"""Patterns of icon classes in Font Awesome, Dashicons, Bootstrap, Themify and Elementor; the first
match decides."""
_BOX = re.compile(r"""<div class="checkbox checkbox-(on|off)"></div>""")
_TASK = re.compile(
    r"""<input\b(?=[^<>]*\stype\s{0,9}=\s{0,9}["']?checkbox)(?=[^<>]*(?:\sdisabled|task-list))"""
    r"""[^<>]*>""",
    re.I,
)
"""Pattern of a disabled checkbox: an item of a task list in Markdown."""
_CHECKED = re.compile(r"\schecked\b", re.I)
_TASK_ITEM = re.compile(r"""<li\b[^<>]*\sdata-checked=["'](true|false)["'][^<>]*>""", re.I)
_WORDLESS = re.compile(
    r"(<a\s[^<>]{1,2000}>)((?:\s|<(?!/?(?:a|img)\b)[a-z/][^<>]{0,2000}>){0,40})(?=</a\s{0,9}>)",
    re.I,
)
"""Pattern of a link that contains icons only."""
_NAME = re.compile(
    r"""\s(?:aria-label|title)\s{0,9}=\s{0,9}(?:"([^"<>]{1,200})"|'([^'<>]{1,200})')""", re.I
)
_LEADS_AWAY = re.compile(
    r"""\shref\s{0,9}=\s{0,9}["'](?:https?:|mailto:|tel:|[/.\w])[^"'<>\s#]{0,2000}["']""", re.I
)
"""Pattern of a link's address that is not a place on its own page."""


def write_signs(html: str) -> str:
    """Return `html` with characters for ticks, crosses, stars and checkboxes of tasks."""
    html = _WORDLESS.sub(_name_link, html)
    html = _ICON.sub(lambda match: _choose_sign(match[2]) or match[0], html)
    if "<svg" in html:
        html = _DRAWN.sub(lambda match: _choose_sign(match[1]) + match[0], html)
    html = _BOX.sub(lambda match: "☑" if match[1] == "on" else "☐", html)
    html = _TASK.sub(lambda match: "☑ " if _CHECKED.search(match[0]) else "☐ ", html)
    return _TASK_ITEM.sub(
        lambda match: match[0] + ("☑ " if match[1].lower() == "true" else "☐ "), html
    )


def _choose_sign(classes: str) -> str:
    return next((sign for sign, pattern in _SIGNS if pattern.search(classes)), "")


def _name_link(match: re.Match[str]) -> str:
    """Return a link that contains only icons with its name added, unless it stays on its page."""
    name = _NAME.search(match[1])
    if not name or not _LEADS_AWAY.search(match[1]):
        return match[0]
    return f"{match[0]}{name[1] or name[2]}"
