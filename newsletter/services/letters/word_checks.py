"""Check the text of a letter for its preflight: subject, size, questions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from newsletter.i18n import Text
from newsletter.mail.render import HTML_BUDGET
from newsletter.mail.slots import SLOT_PATTERN
from newsletter.services.checks import BAD, GOOD, WARN, Check
from newsletter.services.letters import link_check, rendering
from newsletter.services.letters.drafts import LetterDraft
from newsletter.services.runtime import Environment

CUT_AT = 102 * 1024
"""Bytes of HTML that Gmail shows; it hides the rest, including the unsubscribe link."""
FEW_WORDS = 20
"""Words below which spam filters rate a letter with pictures as pictures alone."""
SUBJECT_AT_MOST = 70
"""Characters of a subject; desktop inboxes show no more."""
_LOUD = re.compile(
    r"\b(act now|buy now|click here|cash|casino|earn money|free money|guaranteed?|limited time|"
    r"lottery|no obligation|risk[- ]free|urgent|winner|100 ?%)(?!\w)",
    re.I,
)
Part = Callable[[Environment, LetterDraft], Iterator[Check]]


def _check_subject(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    letter = draft.prepared.letter
    problems = [problem for subject in draft.subjects for problem in _judge_subject(subject)]
    for problem in dict.fromkeys(problems):
        yield Check("subject", WARN, problem, Text("spam filters and people dislike it"))
    if not letter.preheader:
        hint = Text("inboxes show it behind the subject")
        yield Check("preheader", WARN, Text("there is no preheader"), hint)
    if not problems:
        yield Check("subject", GOOD, " or ".join(f"“{subject}”" for subject in draft.subjects))


def _judge_subject(subject: str) -> Iterator[str]:
    """Yield the problems that make a subject look like spam."""
    letters = [character for character in subject if character.isalpha()]
    if len(letters) > 5 and sum(character.isupper() for character in letters) > 0.7 * len(letters):
        yield Text("the subject is in capitals")
    if subject.count("!") > 1 or re.search(r"[$€£]{2}", subject):
        yield Text("the subject shouts (!!, $$)")
    if match := _LOUD.search(subject):
        yield Text("the subject says “%(match)s”", match=match[0])
    if re.match(r"(re|fwd?|aw|wg)\s*:", subject, re.I):
        yield Text("the subject pretends to be an answer")
    if len(subject) > SUBJECT_AT_MOST:
        yield Text(
            "the subject has %(subject)s characters; a telephone shows about 40",
            subject=len(subject),
        )


def _check_text(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    words = len(
        re.findall(r"\w{2,}", re.sub(r"\[[^\[\]]*\]|https?://\S+", "", _get_body(env, draft)))
    )
    if not words:
        yield Check(
            "text",
            BAD,
            Text("the letter has no text"),
            Text("pictures alone are spam to filters and nothing to the blind"),
        )
    elif words < FEW_WORDS and draft.prepared.shown_pictures:
        yield Check(
            "text",
            WARN,
            Text("%(words)s words beside pictures", words=words),
            Text("say in words what the pictures say"),
        )


def _get_body(env: Environment, draft: LetterDraft) -> str:
    """Return the letter's own text, without the footer."""
    text = rendering.fill_version(env, draft.prepared.versions[0], None).text
    return SLOT_PATTERN.sub("", text.rpartition("\n--\n")[0] or text)


def _check_questions(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    """Yield a check that lists the letter's questions; mistakes in them are errors of rendering."""
    letter = draft.prepared.letter
    count = len(draft.prepared.questions)
    if count:
        how = Text("by name, as their page says") if letter.named else Text("without names")
        questions = Text("1 one-tap question, answered %(how)s", how=how)
        if count > 1:
            questions = Text("%(count)s one-tap questions, answered %(how)s", count=count, how=how)
        yield Check("questions", GOOD, questions)
    elif letter.named:
        hint = Text("write [Question](answer: yes / no) on a line of its own, or take it out")
        yield Check("questions", WARN, Text("`answers: named`, and no question"), hint)


def _check_size(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    size = max(len(version.content.html.encode()) for version in draft.prepared.versions)
    weight = Text("%(size)s KB of HTML", size=f"{size / 1024:.0f}")
    if size >= CUT_AT:
        yield Check(
            "size",
            BAD,
            weight,
            Text("Gmail cuts it off at 102 KB, and the link to unsubscribe with it: shorten it"),
        )
    elif size > HTML_BUDGET:
        yield Check(
            "size", WARN, weight, Text("close to the 102 KB at which Gmail cuts a mail off")
        )
    else:
        yield Check("size", GOOD, Text("%(weight)s; Gmail cuts at 102", weight=weight))


PARTS: tuple[Part, ...] = (
    _check_subject,
    _check_text,
    _check_questions,
    _check_size,
    link_check.check_pictures,
    link_check.check_links,
    link_check.check_leftovers,
)
"""The checks of a letter's text."""
