"""Remove unprocessed WordPress shortcodes from a post, before HTML is cleaned. Pure.

A plugin that was removed leaves `[vc_row]` and the like in the text. What a shortcode displays is
kept if its attributes tell: an address, a form. Shortcodes in code are kept, and so is other text
in brackets.
"""

from __future__ import annotations

import re
from html import escape, unescape

_CODE = re.compile(r"<(pre|code|textarea|script)\b", re.I)
_ENDS = {name: re.compile(f"</{name}", re.I) for name in ("pre", "code", "textarea", "script")}
_BUILDERS = re.compile(
    r"\[/?(?:vc|et_pb|fusion|av|mk|cs|tatsu|ux|tdc|nectar|su|dt|cz|thrive|qode|edgtf|mkdf)_\w{1,60}"
    r"[^\[\]<>]{0,5000}\]"
)
"""Pattern of shortcodes of page builders and of plugins with a common prefix."""
_WITH_VALUES = re.compile(
    r"\[([a-z][\w-]{1,40})\s{1,9}((?:[a-z][\w-]{0,40}\s?=\s?"
    r"(?:\"[^\"\[\]<>]{0,500}\"|'[^'\[\]<>]{0,500}'|[”“″][^”“″\[\]<>]{0,500}[”“″]|[\w./:-]{1,500})"
    r"\s{0,9}){1,40})/?\]",
    re.I,
)
"""Pattern of a shortcode with attributes: `[gallery ids="1,2"]`."""
_OPENS = re.compile(r"\[([a-z][\w-]{1,40})(?=[\]\s])", re.I)
_CAPTION = re.compile(
    r"\[caption\b[^\[\]<>]{0,500}\]\s{0,9}((?:<a\b[^<>]{0,2000}>\s{0,9})?<img\b[^<>]{0,4000}>"
    r"(?:\s{0,9}</a>)?)\s{0,9}([^\[\]<>]{0,500})\[/caption\]",
    re.I,
)
_BARE = re.compile(r"\[(/?)([a-z][\w-]{1,40})\]", re.I)
_ADDRESS = re.compile(
    r"\[(?:embed|youtube|vimeo|video|audio|playlist|soundcloud|"
    r"embedyt)\b[^\[\]<>]{0,300}?[\s\]=\"']"
    r"(https?://[^\s\[\]<>\"']{4,2000})[^\[\]<>]{0,300}\](?:[^\[\]<>]{0,300}\[/\w{1,20}\])?",
    re.I,
)
_FORM = re.compile(r"form|poll|quiz|survey|h5p", re.I)
_TITLE = re.compile(r"""\btitle\s?=\s?["'”“″]([^"'”“″\[\]<>]{1,200})["'”“″]""", re.I)
_PLAIN = re.compile(r"\[(?:gallery|toc|contact-form|sharethis|addtoany|nextpage)\]", re.I)


def remove_shortcodes(html: str) -> str:
    """Return `html` without shortcodes outside of code."""
    if "[" not in html:
        return html
    parts: list[str] = []
    position = 0
    while match := _CODE.search(html, position):
        end = _ENDS[match[1].lower()].search(html, match.end())
        if not end:
            break
        parts += [_remove(html[position : match.start()]), html[match.start() : end.start()]]
        position = end.start()
    return "".join([*parts, _remove(html[position:])])


def _remove(html: str) -> str:
    if "[" not in html:
        return html
    opened = {name.lower() for name in _OPENS.findall(html)}
    html = _CAPTION.sub(r"<figure>\1<figcaption>\2</figcaption></figure>", html)
    html = _ADDRESS.sub(_write_address, html)
    html = _BUILDERS.sub("", html)
    html = _WITH_VALUES.sub(_write_form, html)
    html = _PLAIN.sub("", html)
    closed = opened & {name.lower() for closing, name in _BARE.findall(html) if closing}
    return _BARE.sub(lambda match: "" if match[2].lower() in closed else match[0], html)


def _write_address(match: re.Match[str]) -> str:
    return f'<a href="{match[1]}">{match[1]}</a>'


def _write_form(match: re.Match[str]) -> str:
    """Return a frame of the post's own page in place of a form or poll that only it can show."""
    title = _TITLE.search(match[2])
    if not _FORM.search(match[1]):
        return ""
    name = escape(unescape(title[1])) if title else ""
    return f'<iframe src="#" title="{name}"></iframe>'
