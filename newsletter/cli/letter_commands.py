"""Commands for letters: create, edit and send them."""

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
    ask,
    format_moment,
    is_terminal,
    json_option,
    list_option,
    print_json,
    say,
    warn,
    write_count,
    yes_option,
)
from newsletter.cli.progress import send_and_show
from newsletter.errors import ChangedMeanwhile, InvalidInput, Refused
from newsletter.schedule import get_zone
from newsletter.services.campaigns import campaigns
from newsletter.services.letters import drafts, letter_files, newcomers, preflight
from newsletter.services.letters import send as letters
from newsletter.services.lists import lists
from newsletter.setup_vocabulary import CheckVerdict
from newsletter.vocabulary import CampaignStatus

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
    """Make a draft from a Markdown file; if there is no such file, begin one.

    For the same file again, the draft is brought up to date.
    """
    if not file.exists():
        letter_files.write_starter(file)
        if json_:
            return print_json({"file": str(file), "id": None})
        return say(
            f"{file} is created. Write your letter there, then: newsletter campaign new {file}"
        )
    campaign_id, draft = drafts.create_draft(env, file, slug)
    if json_:
        return print_json(campaigns.to_json(campaigns.get_campaign(campaign_id)))
    say(
        f"Campaign {campaign_id} is a draft: “{draft.subjects[0]}”, for {_count_people(draft)} now."
    )
    return say(
        f"Next: newsletter campaign preview {campaign_id}, preflight {campaign_id}, "
        f"send {campaign_id}"
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
@click.option("--segment", help="Which subscribers of the list get it; empty for all.")
@letters_cli.at_option
@with_environment
def edit(
    env: Environment,
    which: str,
    slug: str | None,
    file: Path | None,
    moment_text: str | None,
    **lines: str | None,
) -> None:
    """Change a draft or a scheduled letter; without options, in your editor.

    The file that a draft was made from is changed too, unless it differs from the draft.
    """
    campaign_id = letters_cli.get_campaign_id(which, slug, to_change=True)
    draft = drafts.get_text(campaign_id)
    when = (
        _parse_moment(env, campaigns.get_campaign(campaign_id).list, moment_text)
        if moment_text
        else None
    )
    changed = read_changes(draft.text, file, lines, ask_editor=not moment_text, folder=draft.folder)
    try:
        drafts.edit_draft(
            env,
            campaign_id,
            changed,
            file=str(file.resolve()) if file else "",
            send_at=when,
            expected=draft.stored,
        )
    except ChangedMeanwhile as error:
        raise _keep_text(error, campaign_id, changed.text) from None
    row = campaigns.get_campaign(campaign_id)
    later = (
        f", goes out {format_moment(row.scheduled_at, row.timezone)}" if row.scheduled_at else ""
    )
    say(f"Campaign {campaign_id} is {row.status}{later}: “{row.subject}”")
    if file is None and changed.text != draft.text:
        _to_file(draft.file, draft.text, changed.text)


def _keep_text(error: ChangedMeanwhile, campaign_id: int, text: str) -> ChangedMeanwhile:
    """Save a refused text to a file; return the error with a hint how to use the file."""
    file = letter_files.write_beside(Path(f"campaign-{campaign_id}.md"), text)
    return ChangedMeanwhile(
        error.message,
        hint=f"your text is in {file}; to put it in place of the other: "
        f"newsletter campaign edit {campaign_id} --file {file}",
    )


def _to_file(made_of: str, before: str, after: str) -> None:
    written = letter_files.update_file(made_of, before, after)
    if written:
        say(f"{made_of} is changed too.")
    elif written is False:
        warn(f"{made_of} has changed since the draft was made from it; it is left as it is")


def read_changes(
    text: str,
    file: Path | None,
    lines: dict[str, str | None],
    *,
    ask_editor: bool,
    folder: Path | None = None,
) -> letter_file.Letter:
    """Return the changed letter, read from a file, options or an editor."""
    if file is not None:
        return letter_files.read_letter(file)
    changes = {key: value for key, value in lines.items() if value is not None}
    if changes or not ask_editor:
        return letter_file.parse_letter(
            letter_file.replace_lines(text, changes) if changes else text, folder=folder
        )
    if not is_terminal():
        raise click.UsageError("choose what to change: --file, --subject, --preheader or --segment")
    returned = click.edit(text, extension=".md")
    if returned is None:
        raise Refused("the letter was not changed", hint="save the file in the editor")
    return letter_file.parse_letter(returned, folder=folder)


def _count_people(draft: LetterDraft) -> str:
    return write_count(draft.recipients, "subscriber")


def _describe_first_recipients(draft: LetterDraft) -> str:
    """Describe whom `send` mails first; with two subjects, the trial group."""
    letter = draft.prepared.letter
    if not letter.subject_b:
        return _count_people(draft)
    first = letters.count_trial(draft.recipients, letter.share)
    return f"{first:,} of {_count_people(draft)} two subjects"


# ── sending it
# ─────────────────────────────────────────────────────────────────────────────────────


@click.command(epilog='Example: newsletter campaign send letter.md --at "tomorrow 9:00"')
@letters_cli.which_argument
@list_option
@letters_cli.at_option
@click.option(
    "--segment", metavar="EXPR", help="Which subscribers get it, such as '\"berlin\" in tags'."
)
@click.option("--again", is_flag=True, help="Send a letter that this list was sent already.")
@click.option(
    "--to-new", is_flag=True, help="Send a letter that was sent to those who have not had it."
)
@click.option("--anyway", is_flag=True, help="Send although the preflight found something bad.")
@click.option("--now", is_flag=True, help="Send at once, as without --at: with no time to undo.")
@click.option("--detach", is_flag=True, help="Queue only; a worker sends.")
@letters_cli.offline_option
@yes_option
@with_environment
def send(
    env: Environment,
    which: str,
    slug: str | None,
    moment_text: str | None,
    segment: str | None,
    *,
    again: bool,
    to_new: bool,
    anyway: bool,
    now: bool,
    detach: bool,
    offline: bool,
    yes: bool,
) -> int:
    """Send a letter once: print what, to whom and when, and ask.

    With --to-new, a letter that was sent goes to those who have joined since, or got nothing.
    Waits until every message has its result; with --detach, only queues them. Exit code 1 if the
    server cannot be used or the campaign pauses itself.
    """
    if now and moment_text:
        raise click.UsageError("--now and --at exclude each other")
    if to_new:
        draft = newcomers.load_draft_to_new(
            env, letters_cli.parse_reference(which), slug, segment=segment, offline=offline
        )
        again = True
    else:
        draft = _to_send(env, which, slug, segment, offline=offline)
    when = _parse_moment(env, draft.slug, moment_text) if moment_text else None
    _show_plan(env, draft, when)
    _require_clear(
        letters_cli.examine_letter(env, draft, offline=offline),
        again=again,
        anyway=anyway,
        when=when,
    )
    later = f" on {format_moment(when, lists.show(draft.slug).timezone)}" if when else " now"
    ask(f"Mail {_describe_first_recipients(draft)}{later}?", yes=yes)
    campaign_id = letters.dispatch_letter(env, draft, send_at=when, again=again)
    if when or detach:
        say(f"Campaign {campaign_id} is {'scheduled' if when else 'queued'}; a worker sends it.")
        return 0
    return send_and_show(env, [campaign_id])


def _to_send(
    env: Environment, which: str, slug: str | None, segment: str | None, *, offline: bool
) -> LetterDraft:
    chosen = letters_cli.parse_reference(which)
    if (
        isinstance(chosen, int)
        and (row := campaigns.get_campaign(chosen)).status != CampaignStatus.DRAFT
    ):
        raise Refused(f"campaign {chosen} is {row.status} already", hint="a letter is sent once")
    draft = drafts.load_draft(env, chosen, slug, offline=offline)
    return drafts.narrow_to_segment(env, draft, segment) if segment is not None else draft


def _show_plan(env: Environment, draft: LetterDraft, when: datetime | None) -> None:
    letter = draft.prepared.letter
    mailing_list = lists.show(draft.slug)
    say(
        "What: "
        + " or ".join(f"“{subject}”" for subject in draft.subjects)
        + (f", tried on {letter.share} %" if letter.subject_b else "")
    )
    say(f"From: {mailing_list.from_name} <{mailing_list.from_email}>")
    segment = f", those with {letter.segment}" if letter.segment else ""
    say(f"To:   {write_count(draft.recipients, 'active subscriber')} of {draft.slug}{segment}")
    say(f"When: {format_moment(when, mailing_list.timezone) if when else 'now'}")


def _require_clear(
    checks: list[Check], *, again: bool, anyway: bool, when: datetime | None
) -> None:
    """Print the problems that the preflight found; raise `Refused` if they forbid sending."""
    open_checks = preflight.find_open(checks, again=again, later=when is not None)
    if is_terminal():
        show_checks(open_checks, summed_up=False)
    else:
        for check in open_checks:
            word = "Stop" if check.verdict == CheckVerdict.BAD else "Note"
            say(f"{word}: {check.what}" + (f" ({check.hint})" if check.hint else ""))
    if refusal := preflight.find_refusal(open_checks, anyway=anyway):
        mild = refusal.id not in preflight.HARD
        raise Refused(refusal.what, hint=refusal.hint + ("; or use --anyway" if mild else ""))


def _parse_moment(env: Environment, slug: str, text: str) -> datetime:
    mailing_list = lists.show(slug)
    zone = get_zone(mailing_list.timezone)
    try:
        return dates.parse_moment(text, zone=zone, now=env.now, hour=mailing_list.hour)
    except InvalidInput as error:
        raise click.BadParameter(error.fields["at"], param_hint="--at") from None
