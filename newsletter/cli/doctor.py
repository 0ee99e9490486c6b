"""`newsletter doctor`: checks the installation and says what to mend."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from newsletter.cli.context import with_environment
from newsletter.cli.output import as_json, json_option, on_terminal, paint, say, table
from newsletter.services import doctor as checks
from newsletter.services.checks import Check
from newsletter.services.environment import Environment

SIGNS = {"good": ("✓", "green"), "warn": ("!", "yellow"), "bad": ("✗", "red"), "unknown": ("?", "cyan")}


@click.command(epilog="Example: newsletter doctor --selector mail")
@click.option(
    "--selector", default="", metavar="NAME", help="What your mail is signed with: NAME._domainkey.your.domain."
)
@click.option(
    "--sample", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="MAIL.eml",
    help="A mail of yours as it arrived, saved with all its headers: shows how it is signed.",
)  # fmt: skip
@json_option
@with_environment
def doctor(env: Environment, selector: str, sample: Path | None, *, json_: bool) -> int:
    """Check the installation and the DNS of your domain; exit 1 if something must be mended.

    Where the mend is a record in the DNS, it prints the line to publish. Asks your own servers and the DNS, and nobody
    else; without a network it says what it could not ask.
    """
    found = checks.examine(env, selector=selector, sample=sample.read_bytes() if sample else None)
    if json_:
        as_json([asdict(row) for row in found])
    elif on_terminal():
        _show(found)
    else:
        hints = [" ".join(part for part in (row.hint, row.record) if part) for row in found]
        rows = [(row.id, row.verdict, row.what, hint) for row, hint in zip(found, hints, strict=True)]
        table(("check", "verdict", "what", "hint"), rows)
    return 1 if any(row.verdict == "bad" for row in found) else 0


def _show(found: list[Check]) -> None:
    for row in found:
        sign, color = SIGNS[row.verdict]
        _folded(f"{paint(sign, color)} {row.id:<14} ", 17, row.what)
        for label, text in (("why", row.why), ("mend", row.hint)):
            if text and row.verdict != "good":
                _folded(f"{'':11}{label:>4}: ", 17, text)
        if row.record:
            say(f"{'':5}publish: {'':3}{row.record}")
    count = Counter(row.verdict for row in found)
    say(f"\n{count['good']} good, {count['warn']} to look at, {count['bad']} to mend, {count['unknown']} not known.")
    if mend := list(dict.fromkeys(row.id for row in found if row.verdict == "bad")):
        say(f"To mend: {', '.join(mend)}.")


def _folded(head: str, indent: int, text: str) -> None:
    import textwrap

    lines = textwrap.wrap(text, 80 - indent, break_long_words=False, break_on_hyphens=False) or [""]
    say(head + lines[0])
    for line in lines[1:]:
        say(" " * indent + line)
