"""Print the results of checks on a terminal, for `doctor` and preflights."""

from __future__ import annotations

import textwrap
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from newsletter.cli.output import paint, say, say_raw
from newsletter.setup_vocabulary import CheckVerdict

if TYPE_CHECKING:
    from newsletter.services.checks import Check

SIGNS = {
    CheckVerdict.GOOD: ("✓", "green"),
    CheckVerdict.WARN: ("!", "yellow"),
    CheckVerdict.BAD: ("✗", "red"),
    CheckVerdict.UNKNOWN: ("?", "cyan"),
}


def show_checks(checks: list[Check], *, summed_up: bool = True) -> None:
    """Print every check, and the number of each result.

    Neighbouring checks with the same reason and hint print these once.
    """
    for _, rows in groupby(
        checks, key=lambda row: (row.id, row.verdict, row.why, row.hint, row.record)
    ):
        _print_group(list(rows))
    if summed_up:
        _sum_up(checks)


def _print_group(rows: list[Check]) -> None:
    for row in rows:
        sign, color = SIGNS[row.verdict]
        _say_wrapped(f"{paint(sign, color)} {row.id:<14} ", 17, row.what)
    row = rows[-1]
    for label, text in (("why", row.why), ("mend", row.hint)):
        if text and row.verdict != CheckVerdict.GOOD:
            _say_wrapped(f"{'':11}{label:>4}: ", 17, text)
    if row.record:
        say_raw(f"{'':5}publish: {'':3}{row.record}")


def _sum_up(checks: list[Check]) -> None:
    count = Counter(row.verdict for row in checks)
    parts = [
        f"{count[CheckVerdict.GOOD]} good",
        f"{count[CheckVerdict.WARN]} to look at",
        f"{count[CheckVerdict.BAD]} to mend",
    ]
    if count[CheckVerdict.UNKNOWN]:
        parts.append(f"{count[CheckVerdict.UNKNOWN]} not known")
    say(f"\n{', '.join(parts)}.")
    if mend := list(dict.fromkeys(row.id for row in checks if row.verdict == CheckVerdict.BAD)):
        say(f"To mend: {', '.join(mend)}.")


def _say_wrapped(head: str, indent: int, text: str) -> None:
    lines = textwrap.wrap(text, 80 - indent, break_long_words=False, break_on_hyphens=False) or [""]
    say(head + lines[0])
    for line in lines[1:]:
        say(" " * indent + line)
