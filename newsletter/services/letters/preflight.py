"""Check a letter before it is sent: what would fail, what would look bad, whom it would reach."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from newsletter.authoring.letter_file import Letter, parse_letter
from newsletter.dns import dmarc, spf
from newsletter.dns.resolver import CouldNotAsk
from newsletter.errors import (
    InvalidInput,
    NewsletterError,
    NotFound,
    Refused,
    TemplateProblem,
)
from newsletter.mail.render import HTML_BUDGET
from newsletter.mail.slots import SLOT_PATTERN
from newsletter.services.audience import merge_data
from newsletter.services.checks import Check
from newsletter.services.letters import drafts, letter_files, link_check, rendering, series, stored
from newsletter.services.letters import send as letters
from newsletter.services.letters.drafts import LetterDraft
from newsletter.services.letters.link_check import Progress
from newsletter.services.runtime import Environment

CUT_AT = 102 * 1024
"""Bytes of HTML that Gmail shows; it hides the rest, with the link to unsubscribe."""
FEW_WORDS = 20
"""Words below which a letter with pictures looks to filters like pictures alone."""
SUBJECT_AT_MOST = 70
"""Characters of a subject; desktop inboxes show no more."""
_LOUD = re.compile(
    r"\b(act now|buy now|click here|cash|casino|earn money|free money|guaranteed?|limited time|"
    r"lottery|no obligation|risk[- ]free|urgent|winner|100 ?%)(?!\w)",
    re.I,
)
HARD = ("recipients", "fields", "again", "send")
"""Checks that `--anyway` does not pass over."""
UNFINISHED = (InvalidInput, TemplateProblem, Refused, NotFound)
"""What is raised for a letter that cannot be rendered; `NotFound` for a resource that it names."""
Part = Callable[[Environment, LetterDraft], Iterator[Check]]
RESERVED = ("test", "example", "invalid", "localhost", "example.com", "example.net", "example.org")
"""Domains for examples and tests (RFC 2606, RFC 6761), which no DNS knows."""


def check_letter(
    env: Environment,
    draft: LetterDraft,
    *,
    offline: bool = False,
    progress: Progress = lambda done, total: None,
    send_at: datetime | None = None,
    with_fields: bool = True,
) -> list[Check]:
    """Run every check of a letter, in the order in which they matter.

    Without `with_fields` they are not filled in for everybody. If `offline`, no other server is
    asked. `progress` is called with how many links have answered.
    With `send_at` it is tried whether the letter could be scheduled, else whether it could start.
    """
    parts: list[Part] = [
        _check_recipients,
        _check_address,
        *([_check_fields] if with_fields else []),
        _check_repetition,
        lambda env, draft: _check_rehearsal(env, draft, send_at),
        *_OF_TEXT,
    ]
    if not offline:
        parts += [lambda env, draft: link_check.request_links(env, draft, progress), _check_sender]
    return [*(check for part in parts for check in part(env, draft)), *_check_notes(draft)]


def check_text(env: Environment, draft: LetterDraft) -> list[Check]:
    """Run the checks of what is written, which take milliseconds on the largest list.

    Nobody is looked up or counted, and no other server is asked.
    """
    parts: list[Part] = [_check_address, _check_repetition, *_OF_TEXT]
    return [*(check for part in parts for check in part(env, draft)), *_check_notes(draft)]


def check_stored(env: Environment, campaign_id: int) -> list[Check]:
    """Run `check_text` for a draft that may be unfinished: why it cannot be rendered is a check.

    Raises `NotFound` where there is no such campaign.
    """
    stored.read_stored(campaign_id)
    try:
        draft = drafts.load_draft(env, campaign_id, offline=True, counted=False)
    except UNFINISHED as error:
        return [Check("letter", "bad", error.message, error.hint)]
    return check_text(env, draft)


def find_open(checks: list[Check], *, again: bool, later: bool) -> list[Check]:
    """Return what is to be looked at before a letter is sent.

    Sending it `again`, or `later` to whoever there will be, passes over what it means.
    """
    passed = {"again"} if again else set()
    passed |= {"recipients"} if later else set()
    return [check for check in checks if check.verdict != "good" and check.id not in passed]


def find_refusal(open_checks: list[Check], *, anyway: bool) -> Check | None:
    """Return the check that forbids to send; the mild ones are passed over with `anyway`."""
    bad = [check for check in open_checks if check.verdict == "bad"]
    hard = [check for check in bad if check.id in HARD]
    return next(iter(hard or ([] if anyway else bad)), None)


def _check_recipients(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    if draft.status == "series":
        return
    segment = draft.prepared.letter.segment
    plural = "" if draft.recipients == 1 else "s"
    condition = f" with {segment}" if segment else ""
    recipients = f"{draft.recipients} subscriber{plural} of {draft.slug}{condition}"
    if draft.recipients:
        yield Check("recipients", "good", recipients)
    else:
        yield Check("recipients", "bad", recipients, "nobody would get it")


def _check_address(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    if draft.status != "series" and not draft.prepared.list.postal_address:
        hint = (
            f"newsletter list edit {draft.slug} --address …; the law of many countries asks for it"
        )
        yield Check("address", "warn", "the list has no postal address", hint)


def _check_fields(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    for version in draft.prepared.versions:
        segment = draft.prepared.letter.segment
        problem = merge_data.find_merge_problem(
            env, draft.prepared.list.id, segment, version.personal
        )
        if problem:
            count = f"{problem.count} of {draft.recipients} subscribers"
            reason = f"{count} cannot get it: {problem.why}"
            yield Check("fields", "bad", reason, f"one of them is {problem.example}")
            return
    if draft.prepared.personal:
        yield Check("fields", "good", "every personal field can be filled in for every subscriber")


def _check_repetition(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    if draft.twin is not None:
        hint = f"`newsletter campaign edit {draft.twin}` changes it; --again sends it once more"
        yield Check("again", "bad", f"this letter is campaign {draft.twin} already", hint)
    file = Path(draft.file)
    if draft.campaign_id is None or draft.status != "draft" or not draft.file or not file.is_file():
        return
    if not _is_same_text(file, draft.prepared.letter):
        hint = f"newsletter campaign new {file} takes it up"
        yield Check("file", "warn", f"{file.name} has changed since this draft was made", hint)


def _check_rehearsal(
    env: Environment, draft: LetterDraft, send_at: datetime | None
) -> Iterator[Check]:
    """Run the sending itself and roll it back; report what it would refuse."""
    try:
        if draft.status == "series":
            series.rehearse_addition(env, draft)
        elif draft.status in ("file", "draft"):
            letters.rehearse_dispatch(env, draft, send_at)
    except NewsletterError as error:
        yield Check("send", "bad", error.message, error.hint)


def _is_same_text(file: Path, letter: Letter) -> bool:
    try:
        return parse_letter(letter_files.read_letter_text(file)).text == letter.text
    except NewsletterError:
        return False


def _check_subject(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    letter = draft.prepared.letter
    problems = [problem for subject in draft.subjects for problem in _judge_subject(subject)]
    for problem in dict.fromkeys(problems):
        yield Check("subject", "warn", problem, "spam filters and people dislike it")
    if not letter.preheader:
        hint = "a line `preheader: …` says what inboxes show behind the subject"
        yield Check("preheader", "warn", "there is no preheader", hint)
    if not problems:
        yield Check("subject", "good", " or ".join(f"“{subject}”" for subject in draft.subjects))


def _judge_subject(subject: str) -> Iterator[str]:
    """Yield what makes a subject look like spam."""
    letters = [character for character in subject if character.isalpha()]
    if len(letters) > 5 and sum(character.isupper() for character in letters) > 0.7 * len(letters):
        yield "the subject is in capitals"
    if subject.count("!") > 1 or re.search(r"[$€£]{2}", subject):
        yield "the subject shouts (!!, $$)"
    if match := _LOUD.search(subject):
        yield f"the subject says “{match[0]}”"
    if re.match(r"(re|fwd?|aw|wg)\s*:", subject, re.I):
        yield "the subject pretends to be an answer"
    if len(subject) > SUBJECT_AT_MOST:
        yield f"the subject has {len(subject)} characters; a telephone shows about 40"


def _check_text(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    words = len(
        re.findall(r"\w{2,}", re.sub(r"\[[^\]]*\]|https?://\S+", "", _get_body(env, draft)))
    )
    if not words:
        yield Check(
            "text",
            "bad",
            "the letter has no text",
            "pictures alone are spam to filters and nothing to the blind",
        )
    elif words < FEW_WORDS and draft.prepared.shown_pictures:
        yield Check(
            "text", "warn", f"{words} words beside pictures", "say in words what the pictures say"
        )


def _get_body(env: Environment, draft: LetterDraft) -> str:
    """Return the letter's own text, without the footer that every mail has."""
    text = rendering.fill_version(env, draft.prepared.versions[0], None).text
    return SLOT_PATTERN.sub("", text.rpartition("\n--\n")[0] or text)


def _check_questions(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    """Say what a letter asks; a mistake in a question stops the rendering, with its line."""
    letter = draft.prepared.letter
    count = len(draft.prepared.questions)
    if count:
        how = "by name, as their page says" if letter.named else "without names"
        questions = f"{count} one-tap question{'' if count == 1 else 's'}, answered {how}"
        yield Check("questions", "good", questions)
    elif letter.named:
        hint = "write [Question](answer: yes / no) on a line of its own, or take it out"
        yield Check("questions", "warn", "`answers: named`, and no question", hint)


def _check_size(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    size = max(len(version.content.html.encode()) for version in draft.prepared.versions)
    weight = f"{size / 1024:.0f} KB of HTML"
    if size >= CUT_AT:
        yield Check(
            "size",
            "bad",
            weight,
            "Gmail cuts it off at 102 KB, and the link to unsubscribe with it: shorten it",
        )
    elif size > HTML_BUDGET:
        yield Check("size", "warn", weight, "close to the 102 KB at which Gmail cuts a mail off")
    else:
        yield Check("size", "good", f"{weight}; Gmail cuts at 102")


def _check_sender(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    """Check that the domain in From has SPF and DMARC records; `doctor` checks the rest."""
    domain = draft.prepared.list.from_email.rpartition("@")[2]
    if _is_reserved(domain):
        return
    try:
        policy = dmarc.examine(domain, env.resolver).record
        senders = spf.examine(domain, env.resolver).record
    except CouldNotAsk as error:
        yield Check(
            "from", "warn", f"{domain} could not be checked: {error.message}", "ask again later"
        )
        return
    if not senders:
        hint = f'publish TXT {domain} "v=spf1 … -all"; `newsletter doctor` says more'
        yield Check(
            "from", "warn", f"{domain} has no SPF record: nobody vouches for your server", hint
        )
    if not policy:
        policy_text = f"v=DMARC1; p=none; rua=mailto:{draft.prepared.list.from_email}"
        hint = f'publish TXT _dmarc.{domain} "{policy_text}"'
        yield Check(
            "from", "warn", f"{domain} has no DMARC record: Gmail and Yahoo ask for one", hint
        )
    if senders and policy:
        yield Check("from", "good", f"{domain} has SPF and DMARC; `newsletter doctor` looks closer")


def _is_reserved(domain: str) -> bool:
    """Tell whether a domain is reserved for examples and tests, so that no DNS knows it."""
    return any(domain == name or domain.endswith(f".{name}") for name in RESERVED)


_OF_TEXT: tuple[Part, ...] = (
    _check_subject,
    _check_text,
    _check_questions,
    _check_size,
    link_check.check_pictures,
    link_check.check_links,
    link_check.check_leftovers,
)
"""The checks of what is written."""


def _check_notes(draft: LetterDraft) -> Iterator[Check]:
    for note in draft.prepared.notes:
        yield Check("pictures", "warn", note, "it works all the same")
