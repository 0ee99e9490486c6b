"""Helpers of letter commands: preview, preflight and test mail, for campaigns and series."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.addresses import parse_address
from newsletter.cli.check_report import show_checks
from newsletter.cli.context import with_environment
from newsletter.cli.digests import NEUTRAL
from newsletter.cli.output import (
    Decorator,
    complete_campaigns,
    draw_bar,
    is_terminal,
    json_option,
    list_option,
    print_json,
    print_table,
    say,
    warn,
)
from newsletter.files import write_private
from newsletter.mail import slots
from newsletter.mail.smtp.types import Result
from newsletter.services.audience import merge_data
from newsletter.services.campaigns import campaigns, identify
from newsletter.services.letters import drafts, pictures, preflight, rendering
from newsletter.services.sending import trial
from newsletter.setup_vocabulary import CheckVerdict

if TYPE_CHECKING:
    from newsletter.services.audience.merge_data import Recipient
    from newsletter.services.checks import Check
    from newsletter.services.letters.drafts import LetterDraft
    from newsletter.services.runtime import Environment

offline_option: Decorator = click.option(
    "--offline", is_flag=True, help="Do not contact other servers."
)
as_option: Decorator = click.option(
    "--as", "address", metavar="ADDR", help="As this subscriber would get it."
)
at_option: Decorator = click.option(
    "--at", "moment_text", metavar="WHEN", help='When, in the list\'s zone: "tomorrow 9:00".'
)
which_argument: Decorator = click.argument(
    "which", metavar="FILE.md|ID", shell_complete=complete_campaigns
)
SLOW = 1.0
"""Seconds of checking links after which a progress bar is drawn."""


def parse_reference(text: str) -> int | Path:
    """Return the id of a campaign, or the path of a file, as typed."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else Path(text)


def get_campaign_id(text: str, slug: str | None = None, *, to_change: bool = False) -> int:
    """Return the id of a campaign, given by id or by the file it was made from."""
    return identify.get_campaign_id(parse_reference(text), slug, to_change=to_change)


def find_recipient(env: Environment, draft: LetterDraft, address: str | None) -> Recipient | None:
    """Return the list's subscriber with this address, or None if no address is given."""
    return merge_data.get_recipient(address, draft.slug) if address else None


# ── previewing it
# ──────────────────────────────────────────────────────────────────────────────────


def add_preview_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of commands that preview a letter."""
    path = click.Path(path_type=Path, dir_okay=False)
    for option in (
        click.option("--eml", type=path, help="Write the whole message to this file."),
        click.option("--text", type=path, help="Write the text part to this file."),
        click.option("--html", type=path, help="Write the HTML part to this file."),
        click.option(
            "--web/--no-web",
            default=None,
            help="Open it in the browser (on a terminal: unless told not to).",
        ),
        as_option,
    ):
        command = option(command)
    return command


def present(
    env: Environment,
    draft: LetterDraft,
    *,
    address: str | None,
    web: bool | None,
    html: Path | None,
    text: Path | None,
    eml: Path | None,
) -> None:
    """Show a letter: print its text, write requested files, or open a browser."""
    content = rendering.fill_version(
        env, draft.prepared.versions[0], find_recipient(env, draft, address)
    )
    page = slots.fill(content.html, NEUTRAL)
    plain = slots.fill(content.text, NEUTRAL)
    if html or eml:
        pictures.store_pictures(env, draft.prepared.fresh)
    if text:
        _write(text, plain)
    else:
        say(f"Subject: {content.subject}")
        for other in draft.subjects[1:]:
            say(f"Subject B: {other}")
        say(f"\n{plain}")
    if html:
        _write(html, page)
    if eml:
        write_private(
            eml,
            trial.build_example(env, draft.slug, content, to=address or "subscriber@example.org")[
                1
            ],
        )
        say(f"The message is in {eml}.")
    if web or (web is None and is_terminal() and not (html or text or eml)):
        _open(env, draft, page)
    for note in draft.prepared.notes:
        warn(note)


def _write(file: Path, content: str) -> None:
    write_private(file, content)
    say(f"{file} is written.")


def _open(env: Environment, draft: LetterDraft, page: str) -> None:
    file = env.settings.folder / ".preview.html"
    write_private(file, rendering.inline_pictures(env, page, draft.prepared))
    say(f"The web view is in {file}.")
    if (
        sys.platform in ("darwin", "win32")
        or os.environ.get("DISPLAY")
        or os.environ.get("WAYLAND_DISPLAY")
    ):
        click.launch(str(file))


@click.command(epilog="Example: newsletter campaign preview letter.md --html letter.html")
@which_argument
@list_option
@add_preview_options
@with_environment
def preview(env: Environment, which: str, slug: str | None, **options: object) -> None:
    """Show a letter as it would arrive."""
    chosen = parse_reference(which)
    if isinstance(chosen, int) and campaigns.get_campaign(chosen).started_at is not None:
        content = campaigns.get_content(chosen)  # what was mailed, whatever templates say today
        say(f"Subject: {content.subject}\n")
        say(slots.fill(content.text, NEUTRAL))
        if isinstance(html := options.get("html"), Path):
            _write(html, slots.fill(content.html, NEUTRAL))
        return
    present(env, drafts.load_draft(env, chosen, slug), **options)  # type: ignore[arg-type]


# ── checking and testing it
# ─────────────────────────────────────────────────────────────────────────


def examine_letter(
    env: Environment, draft: LetterDraft, *, offline: bool, silent: bool = False
) -> list[Check]:
    """Run the preflight of a letter; on a terminal, slow link checks show a progress bar."""
    began = time.monotonic()
    drawn = False

    def show(done: int, total: int) -> None:
        nonlocal drawn
        drawn = drawn or (
            is_terminal() and not silent and done < total and time.monotonic() - began > SLOW
        )
        if drawn:
            draw_bar(done / total, f"{done} of {total} links checked")

    return preflight.check_letter(env, draft, offline=offline, progress=show)


def report_checks(checks: list[Check], *, json_: bool = False) -> int:
    """Print the results of a preflight.

    Returns the exit code: 1 where something must be mended first.
    """
    if json_:
        print_json([asdict(check) for check in checks])
    elif is_terminal():
        show_checks(checks)
    else:
        rows = [
            (
                check.verdict,
                check.id,
                check.what,
                "" if check.verdict == CheckVerdict.GOOD else check.hint,
            )
            for check in checks
        ]
        print_table(("", "check", "what", "what to do"), rows)
    return 1 if any(check.verdict == CheckVerdict.BAD for check in checks) else 0


@click.command(
    name="preflight", epilog="Example: newsletter campaign preflight letter.md --offline"
)
@which_argument
@list_option
@offline_option
@json_option
@with_environment
def preflight_(
    env: Environment, which: str, slug: str | None, *, offline: bool, json_: bool
) -> int:
    """Check a letter before it is sent: links, pictures, size, subject, fields, sender."""
    draft = drafts.load_draft(env, parse_reference(which), slug, offline=offline)
    return report_checks(examine_letter(env, draft, offline=offline, silent=json_), json_=json_)


def send_test(env: Environment, draft: LetterDraft, to: str, recipient: str | None) -> int:
    """Mail a letter to one address, marked [Test]; both versions if it has two subjects."""
    address = parse_address(to, field="--to").email
    code = 0
    for version in draft.prepared.versions:
        content = rendering.fill_version(env, version, find_recipient(env, draft, recipient))
        pictures.store_pictures(env, draft.prepared.fresh)
        outcome = trial.send_test(env, draft.slug, content, to=address)
        say(
            f"“[Test] {content.subject}” to {address}: {outcome.result}: "
            f"{outcome.reply.code} {outcome.reply.text}"
        )
        code = code or int(outcome.result != Result.ACCEPTED)
    return code


@click.command(epilog="Example: newsletter campaign test letter.md --to me@example.org")
@which_argument
@click.option("--to", required=True, metavar="ADDR", help="The only address that gets it.")
@as_option
@list_option
@with_environment
def test(env: Environment, which: str, to: str, address: str | None, slug: str | None) -> int:
    """Mail a letter to one address, marked [Test]."""
    return send_test(env, drafts.load_draft(env, parse_reference(which), slug), to, address)
