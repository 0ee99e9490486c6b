"""Letters on the command line: begin one, change it, send it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.authoring import dates, letter_file
from newsletter.cli import letters as letters_cli
from newsletter.cli.check_report import show_checks
from newsletter.cli.context import with_environment
from newsletter.cli.output import (
    as_json,
    ask,
    json_option,
    list_option,
    moment,
    on_terminal,
    say,
    warn,
    yes_option,
)
from newsletter.cli.progress import send_and_show
from newsletter.errors import InvalidInput, Refused
from newsletter.schedule import zone_of
from newsletter.services.campaigns import campaigns
from newsletter.services.letters import drafts
from newsletter.services.letters import send as letters
from newsletter.services.lists import lists

if TYPE_CHECKING:
    from newsletter.services.checks import Check
    from newsletter.services.letters.drafts import LetterDraft
    from newsletter.services.runtime import Environment

# ── making and changing it
# ─────────────────────────────────────────────────────────────────────────


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
        drafts.write_starter(file)
        if json_:
            return as_json({"file": str(file), "id": None})
        return say(
            f"{file} is begun. Write your letter there, then: newsletter campaign new {file}"
        )
    campaign_id, draft = drafts.create_draft(env, file, slug)
    if json_:
        return as_json(campaigns.to_json(campaigns.get_campaign(campaign_id)))
    say(f"Campaign {campaign_id} is a draft: “{draft.subjects[0]}”, for {_people(draft)} now.")
    return say(
        f"Next: newsletter campaign preview {campaign_id}, preflight {campaign_id}, send {campaign_id}"
    )


@click.command(epilog="Example: newsletter campaign edit 3 --segment '\"berlin\" in tags'")
@letters_cli.which_argument
@list_option
@click.option(
    "--file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Take its text from this file.",
)
@click.option("--subject", help="Another subject.")
@click.option("--preheader", help="Another preheader.")
@click.option("--segment", help="Who of the list gets it; empty for everybody.")
@letters_cli.at_option
@with_environment
def edit(
    env: Environment,
    which: str,
    slug: str | None,
    file: Path | None,
    at: str | None,
    **lines: str | None,
) -> None:
    """Change a draft, or a scheduled letter that has not started; without options, in your editor.

    The file a draft was made of is changed with it, unless it has changed meanwhile.
    """
    campaign_id = letters_cli.number_of(which, slug, to_change=True)
    text, made_of = drafts.get_text(campaign_id)
    when = _when(env, campaigns.get_campaign(campaign_id).list, at) if at else None
    changed = edited(text, file, lines, ask_editor=not at, made_of=made_of)
    drafts.edit_draft(env, campaign_id, changed, file=str(file.resolve()) if file else "", at=when)
    shown = campaigns.get_campaign(campaign_id)
    later = f", goes out {moment(shown.scheduled_at, shown.timezone)}" if shown.scheduled_at else ""
    say(f"Campaign {campaign_id} is {shown.status}{later}: “{shown.subject}”")
    if file is None and changed.text != text:
        _to_file(made_of, text, changed.text)


def _to_file(made_of: str, before: str, after: str) -> None:
    written = drafts.update_file(made_of, before, after)
    if written:
        say(f"{made_of} says so now, too.")
    elif written is False:
        warn(f"{made_of} has changed since the draft was made of it, and was left as it is")


def edited(
    text: str,
    file: Path | None,
    lines: dict[str, str | None],
    *,
    ask_editor: bool,
    made_of: str = "",
) -> letter_file.Letter:
    """A letter's new text: a file's, or the old one with other lines in its front matter, or what
    an editor returns.
    """
    if file is not None:
        return drafts.read_letter(file)
    changes = {key: value for key, value in lines.items() if value is not None}
    folder = Path(made_of).parent if made_of else None
    if changes or not ask_editor:
        return letter_file.parse_letter(
            letter_file.replace_lines(text, changes) if changes else text, folder=folder
        )
    if not on_terminal():
        raise click.UsageError("say what to change: --file, --subject, --preheader or --segment")
    returned = click.edit(text, extension=".md")
    if returned is None:
        raise Refused("nothing was changed")
    return letter_file.parse_letter(returned, folder=folder)


def _people(draft: LetterDraft) -> str:
    return "1 person" if draft.recipients == 1 else f"{draft.recipients} people"


# ── sending it
# ─────────────────────────────────────────────────────────────────────────────────────


@click.command(epilog='Example: newsletter campaign send letter.md --at "tomorrow 9:00"')
@letters_cli.which_argument
@list_option
@letters_cli.at_option
@click.option(
    "--segment", metavar="EXPR", help="Who of the list gets it, like '\"berlin\" in tags'."
)
@click.option("--again", is_flag=True, help="Send a letter that this list has had already.")
@click.option("--anyway", is_flag=True, help="Send though the preflight found something bad.")
@click.option("--detach", is_flag=True, help="Queue only; a worker sends.")
@letters_cli.offline_option
@yes_option
@with_environment
def send(
    env: Environment,
    which: str,
    slug: str | None,
    at: str | None,
    segment: str | None,
    *,
    again: bool,
    anyway: bool,
    detach: bool,
    offline: bool,
    yes: bool,
) -> int:
    """Mail a letter, once: shows what, to whom, how many and when, and asks."""
    draft = _to_send(env, which, slug, segment, offline=offline)
    when = _when(env, draft.slug, at) if at else None
    _show_plan(env, draft, when)
    _clear(letters_cli.examined(env, draft, offline=offline), again=again, anyway=anyway, when=when)
    later = f" on {moment(when, lists.show(draft.slug).timezone)}" if when else " now"
    ask(f"Mail {_people(draft)}{later}?", yes=yes)
    campaign_id = letters.dispatch_letter(env, draft, at=when, again=again)
    if when or detach:
        say(f"Campaign {campaign_id} is {'scheduled' if when else 'queued'}; a worker sends it.")
        return 0
    return send_and_show(env, [campaign_id])


def _to_send(
    env: Environment, which: str, slug: str | None, segment: str | None, *, offline: bool
) -> LetterDraft:
    chosen = letters_cli.which_of(which)
    if isinstance(chosen, int) and (shown := campaigns.get_campaign(chosen)).status != "draft":
        raise Refused(f"campaign {chosen} is {shown.status} already", hint="a letter is sent once")
    draft = drafts.load_draft(env, chosen, slug, offline=offline)
    return drafts.narrow_to_segment(env, draft, segment) if segment is not None else draft


def _show_plan(env: Environment, draft: LetterDraft, when: datetime | None) -> None:
    letter, shown = draft.prepared.letter, lists.show(draft.slug)
    say(
        "What: "
        + " or ".join(f"“{subject}”" for subject in draft.subjects)
        + (f", tried on {letter.share} %" if letter.subject_b else "")
    )
    say(f"From: {shown.from_name} <{shown.from_email}>")
    whom = f", those with {letter.segment}" if letter.segment else ""
    many = "" if draft.recipients == 1 else "s"
    say(f"To:   {draft.recipients} active subscriber{many} of {draft.slug}{whom}")
    say(f"When: {moment(when, shown.timezone) if when else 'now'}")


def _clear(found: list[Check], *, again: bool, anyway: bool, when: datetime | None) -> None:
    """Say what the preflight found.

    Ends the command where that forbids to send.
    """
    passed = {"again"} if again else set()
    passed |= {"recipients"} if when else set()
    said = [check for check in found if check.verdict != "good" and check.id not in passed]
    if on_terminal():
        show_checks(said, summed_up=False)
    else:
        for check in said:
            word = "Stop" if check.verdict == "bad" else "Note"
            say(f"{word}: {check.what}" + (f" ({check.hint})" if check.hint else ""))
    bad = [check for check in said if check.verdict == "bad"]
    hard = [check for check in bad if check.id in ("recipients", "fields", "again", "send")]
    if hard or (bad and not anyway):
        first = (hard or bad)[0]
        raise Refused(first.what, hint=first.hint + ("" if hard else "; or say --anyway"))


def _when(env: Environment, slug: str, text: str) -> datetime:
    shown = lists.show(slug)
    try:
        return dates.parse_moment(text, zone=zone_of(shown.timezone), now=env.now, hour=shown.hour)
    except InvalidInput as error:
        raise click.BadParameter(error.fields["at"], param_hint="--at") from None
