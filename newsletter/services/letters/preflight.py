"""Check a letter before it is sent: its content, links, sender and recipients."""

from __future__ import annotations

from collections.abc import Iterator
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
from newsletter.i18n import Text
from newsletter.services.audience import merge_data
from newsletter.services.checks import BAD, GOOD, WARN, Check
from newsletter.services.letters import (
    drafts,
    letter_files,
    link_check,
    series,
    stored,
    word_checks,
)
from newsletter.services.letters import send as letters
from newsletter.services.letters.drafts import LetterDraft
from newsletter.services.letters.link_check import Progress
from newsletter.services.runtime import Environment
from newsletter.vocabulary import CampaignStatus

HARD = ("recipients", "fields", "again", "send")
"""Checks that `--anyway` cannot override."""
UNFINISHED = (InvalidInput, TemplateProblem, Refused, NotFound)
"""Errors of a letter that cannot be rendered; `NotFound` for a resource that it names."""
RESERVED = ("test", "example", "invalid", "localhost", "example.com", "example.net", "example.org")
"""Reserved domains for examples and tests (RFC 2606, RFC 6761), which the DNS does not have."""


def check_letter(
    env: Environment,
    draft: LetterDraft,
    *,
    offline: bool = False,
    progress: Progress = lambda done, total: None,
    send_at: datetime | None = None,
    with_fields: bool = True,
) -> list[Check]:
    """Run every check of a letter, the most important first.

    Without `with_fields` they are not filled in for everybody. If `offline`, no other server is
    asked. `progress` is called with how many links have answered.
    With `send_at` it is tried whether the letter could be scheduled, else whether it could start.
    """
    parts: list[word_checks.Part] = [
        _check_recipients,
        _check_address,
        *([_check_fields] if with_fields else []),
        _check_repetition,
        lambda env, draft: _check_rehearsal(env, draft, send_at),
        *word_checks.PARTS,
    ]
    if not offline:
        parts += [lambda env, draft: link_check.request_links(env, draft, progress), _check_sender]
    return [*(check for part in parts for check in part(env, draft)), *_check_notes(draft)]


def check_text(env: Environment, draft: LetterDraft) -> list[Check]:
    """Run the fast checks of a letter's text, independent of the list's size.

    Nobody is looked up or counted, and no other server is asked.
    """
    parts: list[word_checks.Part] = [_check_address, _check_repetition, *word_checks.PARTS]
    return [*(check for part in parts for check in part(env, draft)), *_check_notes(draft)]


def check_stored(env: Environment, campaign_id: int) -> list[Check]:
    """Run `check_text` for a draft; an error that prevents rendering is reported as a check.

    Raises `NotFound` where there is no such campaign.
    """
    stored.read_stored(campaign_id)
    try:
        draft = drafts.load_draft(env, campaign_id, offline=True, counted=False)
    except UNFINISHED as error:
        return [Check("letter", BAD, error.message, error.hint)]
    return check_text(env, draft)


def find_open(checks: list[Check], *, again: bool, later: bool) -> list[Check]:
    """Return the checks that need attention before a letter is sent.

    Sending it `again`, or `later` to whoever there will be, passes over what it means.
    """
    passed = {"again"} if again else set()
    passed |= {"recipients"} if later else set()
    return [check for check in checks if check.verdict != GOOD and check.id not in passed]


def find_refusal(open_checks: list[Check], *, anyway: bool) -> Check | None:
    """Return the check that forbids sending, or None; `anyway` overrides mild ones."""
    bad = [check for check in open_checks if check.verdict == BAD]
    hard = [check for check in bad if check.id in HARD]
    return next(iter(hard or ([] if anyway else bad)), None)


def _check_recipients(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    if draft.is_step:
        return
    segment = draft.prepared.letter.segment
    condition: str = Text(" with %(segment)s", segment=segment) if segment else ""
    recipients = Text(
        "%(count)s subscribers of %(slug)s%(condition)s",
        count=draft.recipients,
        slug=draft.slug,
        condition=condition,
    )
    if draft.recipients == 1:
        recipients = Text(
            "1 subscriber of %(slug)s%(condition)s", slug=draft.slug, condition=condition
        )
    if draft.recipients:
        yield Check("recipients", GOOD, recipients)
    else:
        yield Check("recipients", BAD, recipients, Text("nobody would get it"))


def _check_address(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    if not draft.is_step and not draft.prepared.list.postal_address:
        hint = Text(
            "newsletter list edit %(slug)s --address …; the law of many countries asks for it",
            slug=draft.slug,
        )
        yield Check("address", WARN, Text("the list has no postal address"), hint)


def _check_fields(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    for version in draft.prepared.versions:
        segment = draft.prepared.letter.segment
        problem = merge_data.find_merge_problem(
            env, draft.prepared.list.id, segment, version.personal
        )
        if problem:
            reason = problem.describe(draft.recipients)
            yield Check(
                "fields", BAD, reason, Text("one of them is %(example)s", example=problem.example)
            )
            return
    if draft.prepared.personal:
        yield Check(
            "fields", GOOD, Text("every personal field can be filled in for every subscriber")
        )


def _check_repetition(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    if draft.twin is not None:
        hint = Text(
            "`newsletter campaign edit %(twin)s` changes it; --again sends it once more",
            twin=draft.twin,
        )
        yield Check(
            "again", BAD, Text("this letter is campaign %(twin)s already", twin=draft.twin), hint
        )
    file = Path(draft.file)
    if (
        draft.campaign_id is None
        or draft.status is not CampaignStatus.DRAFT
        or not draft.file
        or not file.is_file()
    ):
        return
    if not _is_same_text(file, draft.prepared.letter):
        hint = Text("newsletter campaign new %(file)s takes it up", file=file)
        yield Check(
            "file",
            WARN,
            Text("%(name)s has changed since this draft was made", name=file.name),
            hint,
        )


def _check_rehearsal(
    env: Environment, draft: LetterDraft, send_at: datetime | None
) -> Iterator[Check]:
    """Rehearse sending in a transaction that is rolled back, and report a refusal."""
    try:
        if draft.is_step:
            series.rehearse_addition(env, draft)
        elif draft.status in (None, CampaignStatus.DRAFT):
            letters.rehearse_dispatch(env, draft, send_at)
    except NewsletterError as error:
        yield Check("send", BAD, error.message, error.hint)


def _is_same_text(file: Path, letter: Letter) -> bool:
    try:
        return parse_letter(letter_files.read_letter_text(file)).text == letter.text
    except NewsletterError:
        return False


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
            "from",
            WARN,
            Text(
                "%(domain)s could not be checked: %(message)s", domain=domain, message=error.message
            ),
            Text("ask again later"),
        )
        return
    if not senders:
        hint = Text(
            'publish TXT %(domain)s "v=spf1 … -all"; `newsletter doctor` says more', domain=domain
        )
        yield Check(
            "from",
            WARN,
            Text("%(domain)s has no SPF record: nobody vouches for your server", domain=domain),
            hint,
        )
    if not policy:
        policy_text = f"v=DMARC1; p=none; rua=mailto:{draft.prepared.list.from_email}"
        hint = Text(
            'publish TXT _dmarc.%(domain)s "%(policy_text)s"',
            domain=domain,
            policy_text=policy_text,
        )
        yield Check(
            "from",
            WARN,
            Text("%(domain)s has no DMARC record: Gmail and Yahoo ask for one", domain=domain),
            hint,
        )
    if senders and policy:
        yield Check(
            "from",
            GOOD,
            Text("%(domain)s has SPF and DMARC; `newsletter doctor` looks closer", domain=domain),
        )


def _is_reserved(domain: str) -> bool:
    """Tell whether a domain is reserved for examples and tests."""
    return any(domain == name or domain.endswith(f".{name}") for name in RESERVED)


def _check_notes(draft: LetterDraft) -> Iterator[Check]:
    for note in draft.prepared.notes:
        yield Check("pictures", WARN, note, Text("it works all the same"))
