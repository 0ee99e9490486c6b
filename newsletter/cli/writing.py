"""Letters on the command line: begin one, look at it, check it, try it, send it. Campaigns and series share this."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from newsletter.addresses import parse_address
from newsletter.cli.context import with_environment
from newsletter.cli.digests import NEUTRAL
from newsletter.cli.output import (
    Decorator,
    as_json,
    ask,
    json_option,
    list_option,
    moment,
    on_terminal,
    say,
    table,
    warn,
    yes_option,
)
from newsletter.cli.watching import send_and_show
from newsletter.errors import InvalidInput, Refused
from newsletter.letter import Letter, parse_letter, with_lines
from newsletter.mail.message import fill
from newsletter.moments import parse_moment
from newsletter.schedule import zone_of
from newsletter.services import campaigns, drafts, letters, lists, preflight, readers, sending, writing
from newsletter.services.checks import Check
from newsletter.services.environment import Environment
from newsletter.services.readers import Known
from newsletter.services.writing import Draft

offline_option: Decorator = click.option("--offline", is_flag=True, help="Ask nobody else's server.")
as_option: Decorator = click.option("--as", "reader", metavar="ADDR", help="As this subscriber would get it.")
at_option: Decorator = click.option("--at", metavar="WHEN", help='When, in the list\'s zone: "tomorrow 9:00".')
which_argument: Decorator = click.argument("which", metavar="FILE.md|ID")
Look = Callable[..., Draft]


def which_of(text: str) -> int | Path:
    """A campaign's number, or a file."""
    return int(text) if text.isdecimal() else Path(text)


def known_reader(env: Environment, draft: Draft, address: str | None) -> Known | None:
    """The subscriber of the letter's list with this address, if one is given."""
    return readers.find(address, draft.slug) if address else None


# ── looking at it ──────────────────────────────────────────────────────────────────────────────────


def looking(command: Callable[..., None]) -> Callable[..., None]:
    """The options of everything that shows a letter."""
    path = click.Path(path_type=Path, dir_okay=False)
    for option in (
        click.option("--eml", type=path, help="Write the whole message to this file."),
        click.option("--text", type=path, help="Write the text part to this file."),
        click.option("--html", type=path, help="Write the HTML part to this file."),
        click.option(
            "--web/--no-web", default=None, help="Open it in the browser (on a terminal: unless told not to)."
        ),
        as_option,
    ):
        command = option(command)
    return command


def present(
    env: Environment, draft: Draft, *, reader: str | None, web: bool | None, html: Path | None, text: Path | None,
    eml: Path | None,
) -> None:  # fmt: skip
    """Shows a letter: its text, and on request files of its parts or the browser."""
    content = drafts.filled(env, draft.prepared.versions[0], known_reader(env, draft, reader))
    page, plain = fill(content.html, NEUTRAL), fill(content.text, NEUTRAL)
    if text:
        _write(text, plain)
    else:
        say(f"Subject: {content.subject}")
        if draft.prepared.letter.subject_b:
            say(f"Subject B: {drafts.filled(env, draft.prepared.versions[1], None).subject}")
        say(f"\n{plain}")
    if html:
        _write(html, page)
    if eml:
        eml.write_bytes(sending.example(env, draft.slug, content, to=reader or "reader@example.org")[1])
        say(f"The message is in {eml}.")
    if web or (web is None and on_terminal() and not (html or text or eml)):
        _open(env, draft, page)
    for note in draft.prepared.notes:
        warn(note)


def _write(file: Path, content: str) -> None:
    file.write_text(content, "utf-8")
    say(f"It is in {file}.")


def _open(env: Environment, draft: Draft, page: str) -> None:
    file = env.settings.folder / ".preview.html"
    file.write_text(drafts.standalone(env, page, draft.slug, draft.prepared.fresh), "utf-8")
    file.chmod(0o600)
    say(f"The web view is in {file}.")
    if sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        click.launch(str(file))


@click.command(epilog="Example: newsletter campaign preview letter.md --html letter.html")
@which_argument
@list_option
@looking
@with_environment
def preview(env: Environment, which: str, slug: str | None, **shown: object) -> None:
    """Show a letter as it would arrive."""
    chosen = which_of(which)
    if isinstance(chosen, int) and campaigns.show(chosen).started_at is not None:
        content = campaigns.content(chosen)  # what was mailed, whatever templates say today
        say(f"Subject: {content.subject}\n")
        say(fill(content.text, NEUTRAL))
        if isinstance(html := shown.get("html"), Path):
            _write(html, fill(content.html, NEUTRAL))
        return
    present(env, writing.look(env, chosen, slug), **shown)  # type: ignore[arg-type]


# ── checking and trying it ─────────────────────────────────────────────────────────────────────────


def report_checks(found: list[Check], *, json_: bool = False) -> int:
    """Prints a preflight. Returns the exit code: 1 where something must be mended first."""
    if json_:
        as_json([asdict(check) for check in found])
    else:
        rows = [(check.verdict, check.id, check.what, "" if check.verdict == "good" else check.hint) for check in found]
        table(("", "check", "what", "what to do"), rows)
    return 1 if any(check.verdict == "bad" for check in found) else 0


@click.command(name="preflight", epilog="Example: newsletter campaign preflight letter.md --offline")
@which_argument
@list_option
@offline_option
@json_option
@with_environment
def preflight_(env: Environment, which: str, slug: str | None, *, offline: bool, json_: bool) -> int:
    """Look a letter over before it goes: links, pictures, size, subject, personal fields, sender."""
    draft = writing.look(env, which_of(which), slug, offline=offline)
    return report_checks(preflight.examine(env, draft, offline=offline), json_=json_)


def try_out(env: Environment, draft: Draft, to: str, reader: str | None) -> int:
    """Mails a letter to one address, marked [Test]; both versions, where it has two subjects."""
    address, code = parse_address(to, field="--to").email, 0
    for version in draft.prepared.versions:
        content = drafts.filled(env, version, known_reader(env, draft, reader))
        drafts.store(env, draft.prepared.fresh)
        outcome = sending.send_test(env, draft.slug, content, to=address)
        say(f"“[Test] {content.subject}” to {address}: {outcome.result}: {outcome.reply.code} {outcome.reply.text}")
        code = code or int(outcome.result != "accepted")
    return code


@click.command(epilog="Example: newsletter campaign test letter.md --to me@example.org")
@which_argument
@click.option("--to", required=True, metavar="ADDR", help="Who gets it; nobody else does.")
@as_option
@list_option
@with_environment
def test(env: Environment, which: str, to: str, reader: str | None, slug: str | None) -> int:
    """Mail a letter to one address, marked [Test]."""
    return try_out(env, writing.look(env, which_of(which), slug), to, reader)


# ── making and changing it ─────────────────────────────────────────────────────────────────────────


@click.command(epilog="Example: newsletter campaign new letter.md")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@list_option
@json_option
@with_environment
def new(env: Environment, file: Path, slug: str | None, *, json_: bool) -> None:
    """Make a draft of a Markdown file; where there is no such file, begin one.

    Called again for the same file, it brings the draft up to date.
    """
    if not file.exists():
        writing.begin_file(file)
        if json_:
            return as_json({"file": str(file), "id": None})
        return say(f"{file} is begun. Write your letter there, then: newsletter campaign new {file}")
    campaign_id, draft = writing.new(env, file, slug)
    if json_:
        return as_json(campaigns.as_json(campaigns.show(campaign_id)))
    say(f"Campaign {campaign_id} is a draft: “{draft.prepared.letter.subject}”, for {draft.recipients} readers now.")
    return say(f"Next: newsletter campaign preview {campaign_id}, preflight {campaign_id}, send {campaign_id}")


@click.command(epilog="Example: newsletter campaign edit 3 --segment '\"berlin\" in tags'")
@click.argument("campaign_id", type=int)
@click.option(
    "--file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Take its text from this file."
)
@click.option("--subject", help="Another subject.")
@click.option("--preheader", help="Another preheader.")
@click.option("--segment", help="Who of the list gets it; empty for everybody.")
@at_option
@with_environment
def edit(env: Environment, campaign_id: int, file: Path | None, at: str | None, **lines: str | None) -> None:
    """Change a draft, or a scheduled letter that has not started; without options, in your editor."""
    text, _ = writing.text_of(campaign_id)
    when = _when(env, campaigns.show(campaign_id).list, at) if at else None
    changed = edited(text, file, lines, ask_editor=not at)
    writing.edit(env, campaign_id, changed, file=str(file.resolve()) if file else "", at=when)
    shown = campaigns.show(campaign_id)
    later = f", goes out {moment(shown.scheduled_at, shown.timezone)}" if shown.scheduled_at else ""
    say(f"Campaign {campaign_id} is {shown.status}{later}: “{shown.subject}”")


def edited(text: str, file: Path | None, lines: dict[str, str | None], *, ask_editor: bool) -> Letter:
    """A letter's new text: a file's, or the old one with other lines in its front matter, or what an editor returns."""
    if file is not None:
        return writing.read_file(file)
    changes = {key: value for key, value in lines.items() if value is not None}
    if changes or not ask_editor:
        return parse_letter(with_lines(text, changes))
    if not on_terminal():
        raise click.UsageError("say what to change: --file, --subject, --preheader or --segment")
    returned = click.edit(text, extension=".md")
    if returned is None:
        raise Refused("nothing was changed")
    return parse_letter(returned)


# ── sending it ─────────────────────────────────────────────────────────────────────────────────────


@click.command(epilog='Example: newsletter campaign send letter.md --at "tomorrow 9:00"')
@which_argument
@list_option
@at_option
@click.option("--segment", metavar="EXPR", help="Who of the list gets it, like '\"berlin\" in tags'.")
@click.option("--again", is_flag=True, help="Send a letter that this list has had already.")
@click.option("--anyway", is_flag=True, help="Send though the preflight found something bad.")
@click.option("--detach", is_flag=True, help="Queue only; a worker sends.")
@offline_option
@yes_option
@with_environment
def send(
    env: Environment, which: str, slug: str | None, at: str | None, segment: str | None,
    *, again: bool, anyway: bool, detach: bool, offline: bool, yes: bool,
) -> int:  # fmt: skip
    """Mail a letter, once: shows what, to whom, how many and when, and asks."""
    draft = _to_send(env, which, slug, segment, offline=offline)
    when = _when(env, draft.slug, at) if at else None
    _show_plan(env, draft, when)
    _clear(preflight.examine(env, draft, offline=offline), again=again, anyway=anyway, when=when)
    later = f" on {moment(when, lists.show(draft.slug).timezone)}" if when else " now"
    ask(f"Mail {draft.recipients} people{later}?", yes=yes)
    campaign_id = letters.dispatch(env, draft, at=when, again=again)
    if when or detach:
        say(f"Campaign {campaign_id} is {'scheduled' if when else 'queued'}; a worker sends it.")
        return 0
    return send_and_show(env, [campaign_id])


def _to_send(env: Environment, which: str, slug: str | None, segment: str | None, *, offline: bool) -> Draft:
    chosen = which_of(which)
    if isinstance(chosen, int) and (shown := campaigns.show(chosen)).status != "draft":
        raise Refused(f"campaign {chosen} is {shown.status} already", hint="a letter is sent once")
    draft = writing.look(env, chosen, slug, offline=offline)
    return writing.narrowed(env, draft, segment) if segment is not None else draft


def _show_plan(env: Environment, draft: Draft, when: datetime | None) -> None:
    letter, shown = draft.prepared.letter, lists.show(draft.slug)
    say(
        f"What: “{letter.subject}”"
        + (f" or “{letter.subject_b}”, tried on {letter.share} %" if letter.subject_b else "")
    )
    say(f"From: {shown.from_name} <{shown.from_email}>")
    whom = f", those with {letter.segment}" if letter.segment else ""
    say(f"To:   {draft.recipients} active subscribers of {draft.slug}{whom}")
    say(f"When: {moment(when, shown.timezone) if when else 'now'}")


def _clear(found: list[Check], *, again: bool, anyway: bool, when: datetime | None) -> None:
    """Says what the preflight found. Ends the command where that forbids to send."""
    passed = {"again"} if again else set()
    passed |= {"recipients"} if when else set()
    for check in found:
        if check.verdict != "good" and check.id not in passed:
            say(
                f"{'Stop' if check.verdict == 'bad' else 'Note'}: {check.what}"
                + (f" ({check.hint})" if check.hint else "")
            )
    bad = [check for check in found if check.verdict == "bad" and check.id not in passed]
    hard = [check for check in bad if check.id in ("recipients", "fields", "again")]
    if hard or (bad and not anyway):
        first = (hard or bad)[0]
        raise Refused(first.what, hint=first.hint + ("" if hard else "; or say --anyway"))


def _when(env: Environment, slug: str, text: str) -> datetime:
    shown = lists.show(slug)
    try:
        return parse_moment(text, zone=zone_of(shown.timezone), now=env.now, hour=shown.hour)
    except InvalidInput as error:
        raise click.BadParameter(error.fields["at"], param_hint="--at") from None
