"""Parse the one-tap questions of a letter, and find mistakes with their lines. Pure.

``[Was this helpful?](answer: yes / a little / no)`` on a line of its own is a question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markdown_it.common.utils import unescapeAll
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

from newsletter.errors import InvalidInput
from newsletter.i18n import Text

QUESTIONS_AT_MOST = 10
"""Questions in one letter."""
CHOICES_AT_MOST = 6
QUESTION_AT_MOST = 200
"""Characters of a question in a letter."""
CHOICE_AT_MOST = 60
"""Characters of a choice of a question."""
_LINE = re.compile(r"\[((?:[^\[\]\\]|\\.)*)\]\([ \t]*answer:([^()]*)\)[ \t]*")
_STRAY = "](answer:"
_JINJA = ("{{", "{%", "{#")


@dataclass(frozen=True, slots=True)
class Question:
    """A question in a letter and its choices, as the author wrote them."""

    text: str
    choices: tuple[str, ...]


def read_question(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    """Parse a line that is a question into a token, as a block rule of markdown-it."""
    if state.is_code_block(start):
        return False
    line = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]]
    match = _LINE.fullmatch(line)
    if match is None:
        return False
    if not silent:
        state.line = start + 1
        token = state.push("question", "", 0)
        token.map = [start, start + 1]
        choices = tuple(part.strip() for part in unescapeAll(match[2]).split("/"))
        token.meta = {"question": Question(unescapeAll(match[1]).strip(), choices), "links": ()}
    return True


def find_problem(tokens: Sequence[Token]) -> tuple[int, str] | None:
    """Return the line (from 0) and the reason of the first mistake in a letter's questions."""
    return next(_find_problems(tokens), None)


def require_valid(tokens: Sequence[Token], *, where: str, line: int = 1) -> None:
    """Raise `InvalidInput` under `where` for the first mistake; `line` numbers the first line."""
    if problem := find_problem(tokens):
        raise InvalidInput(
            {where: Text("line %(line)s: %(problem)s", line=line + problem[0], problem=problem[1])}
        )


def find_first_line(tokens: Sequence[Token]) -> int | None:
    """Return the line number, from 0, of the first question, or None if there is none."""
    return next((_find_line(token) for token in tokens if token.type == "question"), None)


def _find_problems(tokens: Sequence[Token]) -> Iterator[tuple[int, str]]:
    count = 0
    for token in tokens:
        if token.type == "question":
            count += 1
            if why := _judge(token.meta["question"], count):
                yield _find_line(token), why
        elif any(map(_is_stray, token.children or ())):
            example = "[Question](answer: yes / no)"
            yield (
                _find_line(token),
                Text("a question stands on a line of its own, as in %(example)s", example=example),
            )


def _judge(question: Question, number: int) -> str:
    """Return the reason why a question is invalid, or ""."""
    written = (question.text, *question.choices)
    if number > QUESTIONS_AT_MOST:
        return Text("a letter has %(most)s questions at most", most=QUESTIONS_AT_MOST)
    if any(sign in words for words in written for sign in _JINJA):
        return Text("a question and its choices are the same for everybody, without {{ … }}")
    if not question.text:
        return Text("the question is empty")
    if len(question.text) > QUESTION_AT_MOST:
        return Text("the question has more than %(most)s characters", most=QUESTION_AT_MOST)
    return _judge_choices(question.choices)


def _judge_choices(choices: tuple[str, ...]) -> str:
    if choices == ("",):
        return Text("the question has no choices; write them behind answer:, with / between them")
    if "" in choices:
        return Text("a choice of the question is empty")
    if len(choices) > CHOICES_AT_MOST:
        return Text(
            "the question has %(choices)s choices; %(most)s at most",
            choices=len(choices),
            most=CHOICES_AT_MOST,
        )
    if len(set(choices)) < len(choices):
        return Text("two choices of the question are the same")
    if max(map(len, choices)) > CHOICE_AT_MOST:
        return Text("a choice has more than %(most)s characters", most=CHOICE_AT_MOST)
    return ""


def _is_stray(child: Token) -> bool:
    if child.type == "link_open":
        return str(child.attrs.get("href", "")).startswith("answer:")
    return child.type == "text" and _STRAY in child.content


def _find_line(token: Token) -> int:
    return token.map[0] if token.map else 0
