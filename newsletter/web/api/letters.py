"""Letters: create them from Markdown, look at them, test, schedule and send them."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response

from newsletter.access_vocabulary import TokenScope
from newsletter.authoring.front_matter import join_letter, split_letter
from newsletter.authoring.letter_file import Letter, parse_letter, replace_lines
from newsletter.errors import InvalidInput, NotFound
from newsletter.services.campaigns import campaigns
from newsletter.services.letters import drafts, newcomers, own_facts, preflight, rendering, stored
from newsletter.services.letters import send as dispatch
from newsletter.services.letters.stored import StoredLetter
from newsletter.services.runtime import environment
from newsletter.services.sending import requested_tests
from newsletter.web.api import letter_models
from newsletter.web.api.answers import change, no_content, send, send_editable
from newsletter.web.api.campaigns import describe_campaign
from newsletter.web.api.operations import current_caller, operation, require_list

blueprint = Blueprint("api_letters", __name__)

ID = "<int(max=2147483647):letter_id>"


@operation(
    blueprint,
    "POST",
    "/letters",
    scope=TokenScope.WRITE,
    answer=letter_models.ApiLetter,
    status=201,
)
def create_letter(json: letter_models.NewLetter) -> Response:
    """Make a draft of a letter from Markdown."""
    head = {"subject": json.subject, "preheader": json.preheader, "segment": json.segment}
    text = join_letter({key: value for key, value in head.items() if value}, json.markdown)
    slug = require_list(json.list)
    letter = _parse(text)
    _require_own_facts(letter)
    letter_id = drafts.add_draft(environment(), letter, slug)
    return send_editable(_find(letter_id), 201, location=f"/letters/{letter_id}")


@operation(
    blueprint, "GET", f"/letters/{ID}", scope=TokenScope.READ, answer=letter_models.ApiLetter
)
def get_letter(letter_id: int) -> Response:
    """Show a letter with its Markdown."""
    return send_editable(_find(letter_id))


@operation(
    blueprint,
    "PATCH",
    f"/letters/{ID}",
    scope=TokenScope.WRITE,
    answer=letter_models.ApiLetter,
    refuses=(412,),
)
def edit_letter(letter_id: int, json: letter_models.LetterChange) -> Response:
    """Change a draft, or a scheduled letter that has not started."""

    def write(letter: StoredLetter) -> None:
        changed = _parse(_change_text(letter.text, json))
        _require_own_facts(changed)
        drafts.edit_draft(environment(), letter_id, changed, expected=letter, offline=True)

    change(lambda: _read(letter_id), write)
    return send_editable(_find(letter_id))


def _parse(text: str) -> Letter:
    """Parse a letter; line numbers in errors are those of its Markdown.

    Raises `InvalidInput`.
    """
    return replace(parse_letter(text), line=1)


def _require_own_facts(letter: Letter) -> None:
    """Refuse a letter of a list-limited token that uses data shared by all lists."""
    if current_caller().is_limited:
        own_facts.require_own_facts(letter.segment, (letter.text,), own_facts.HIDDEN_FROM_TOKENS)


def _change_text(text: str, json: letter_models.LetterChange) -> str:
    """Return the stored text of a letter with changes."""
    lines = json.model_dump(exclude_unset=True, exclude={"markdown"})
    text = replace_lines(text, {key: value or "" for key, value in lines.items()})
    if json.markdown is None:
        return text
    head, _, _ = split_letter(text)
    return f"---\n{head}\n---\n{json.markdown}"


@operation(
    blueprint,
    "GET",
    f"/letters/{ID}/preview",
    scope=TokenScope.READ,
    answer=letter_models.ApiPreview,
)
def preview_letter(letter_id: int) -> Response:
    """Show a letter as it would be mailed, without anything personal."""
    _find(letter_id)
    env = environment()
    draft = drafts.load_draft(env, letter_id, offline=True)
    content = rendering.fill_version(env, draft.prepared.versions[0], None)
    return send(
        letter_models.ApiPreview(
            subject=content.subject,
            text=campaigns.hide_slots(content.text),
            html=campaigns.hide_slots(content.html),
        )
    )


@operation(
    blueprint,
    "GET",
    f"/letters/{ID}/preflight",
    scope=TokenScope.WRITE,
    answer=letter_models.Checks,
)
def check_letter(letter_id: int) -> Response:
    """Check a letter before it is sent; nobody else's server is asked."""
    _find(letter_id)
    env = environment()
    draft = drafts.load_draft(env, letter_id, offline=True)
    checks = preflight.check_letter(env, draft, offline=True)
    return send(
        letter_models.Checks(
            data=[letter_models.ApiCheck.model_validate(check) for check in checks]
        )
    )


@operation(blueprint, "POST", f"/letters/{ID}/test", scope=TokenScope.SEND, status=204)
def test_letter(letter_id: int, json: letter_models.TestRequest) -> Response:
    """Have a letter mailed to one address, marked [Test]."""
    _find(letter_id)
    requested_tests.request_test(environment(), letter_id, json.to)
    return no_content()


@operation(
    blueprint,
    "POST",
    f"/letters/{ID}/schedule",
    scope=TokenScope.SEND,
    answer=letter_models.ApiCampaign,
)
def schedule_letter(letter_id: int, json: letter_models.ScheduleRequest) -> Response:
    """Send a letter at a moment."""
    _find(letter_id)
    env = environment()
    if json.at <= env.now:
        raise InvalidInput({"at": "is in the past"})
    draft = drafts.load_draft(env, letter_id, offline=True)
    return send(describe_campaign(dispatch.dispatch_letter(env, draft, send_at=json.at)))


@operation(
    blueprint,
    "POST",
    f"/letters/{ID}/send",
    scope=TokenScope.SEND,
    answer=letter_models.ApiCampaign,
)
def send_letter(letter_id: int, json: letter_models.SendRequest) -> Response:
    """Send a letter now: it is queued, and a worker mails it."""
    _find(letter_id)
    env = environment()
    if json.to_new:
        draft = newcomers.load_draft_to_new(env, letter_id, offline=True)
    else:
        draft = drafts.load_draft(env, letter_id, offline=True)
    campaign_id = dispatch.dispatch_letter(env, draft, again=json.again or json.to_new)
    return send(describe_campaign(campaign_id))


def _find(letter_id: int) -> letter_models.ApiLetter:
    """Return a letter of a list that the caller's token is for.

    Raises `NotFound`, also for a campaign that is no letter.
    """
    return _read(letter_id)[1]


def _read(letter_id: int) -> tuple[StoredLetter, letter_models.ApiLetter]:
    """Return a stored letter, and its description for the caller."""
    row = stored.read_stored(letter_id)
    if not current_caller().sees(row.list):
        raise NotFound(f"there is no letter {letter_id}")
    letter = parse_letter(row.text)
    return row, letter_models.ApiLetter(
        id=row.id,
        list=row.list,
        status=row.status,
        subject=letter.subject,
        preheader=letter.preheader,
        segment=letter.segment,
        markdown=letter.markdown,
        recipients=stored.count_recipients(environment(), letter_id, letter.segment),
        scheduled_at=row.scheduled_at,
    )
