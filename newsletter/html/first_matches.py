"""Replace only the first matches of a pattern, so that hostile text takes bounded time. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice

FOUND_AT_MOST = 100
"""Maximum number of matches in one post that are replaced."""


def replace_first(
    html: str, pattern: re.Pattern[str], write: Callable[[str, re.Match[str]], str]
) -> str:
    """Return `html` with the first matches of a pattern replaced, and the rest unchanged."""
    parts: list[str] = []
    position = 0
    for match in islice(pattern.finditer(html), FOUND_AT_MOST):
        parts += [html[position : match.start()], write(html, match)]
        position = match.end()
    return "".join([*parts, html[position:]])
