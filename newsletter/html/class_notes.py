"""Read from a class what it means for a mail: a note for pictures.py and reduce.py. Pure."""

from __future__ import annotations

import re

from newsletter.html.pictures import is_letter_class

_LINE_NUMBERS = re.compile(
    r"(?:^|\s)(?:rouge-gutter|gutter|lineno|linenos|lnt?|line-numbers?|crayon-nums|blob-num|"
    r"hljs-ln-numbers)(?:$|\s)"
)
_BESIDE = re.compile(
    r"(?:^|\s)(?:sharedaddy|jp-relatedposts|kg-audio-player|kg-video-player|"
    r"addtoany_share_save_container|heateor_sss_sharing_container|wp-block-jetpack-sharing-buttons|"
    r"fake-input-wrapper|subscription-widget-wrap(?:-editor)?)(?:$|\s)"
)
"""Boxes around a post that are for its page: share buttons, related posts, a player's clock."""
_BUTTON = re.compile(r"(?:^|[\s_-])button(?:__link)?(?:$|\s)|(?:^|\s)(?:kg-)?btn(?:$|\s)")


def note_class(tag: str, value: str) -> str | None:
    """Return the meaning of a class, as a note for pictures.py and reduce.py."""
    if tag == "img":
        return "letter" if is_letter_class(value) else None
    if tag == "ul":
        return "gallery" if "blocks-gallery" in value else None
    if tag in ("div", "aside"):
        return "beside" if _BESIDE.search(value) else None
    if tag in ("pre", "td", "span"):
        if "kg-bookmark-publisher" in value:
            return "apart"
        return "beside" if _LINE_NUMBERS.search(value) else None
    if "wp-block-file__button" in value:
        return "again"
    return "button" if _BUTTON.search(value) else None
