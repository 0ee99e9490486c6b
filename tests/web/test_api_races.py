"""Changes with `If-Match` that race for the same state: one wins, and none is lost."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from newsletter.access_vocabulary import TokenScope
from newsletter.db.session import db
from newsletter.services import api_tokens
from newsletter.services.runtime import Environment
from tests.web.test_api import Program, add_letter, blog

__all__ = ["blog"]
AT_ONCE = 8


def race(app: Flask, token: str, ask: Callable[[Program, int], TestResponse]) -> list[TestResponse]:
    """Let several programs ask at the same moment."""
    answers: list[TestResponse] = []
    start = threading.Barrier(AT_ONCE)

    def run(number: int) -> None:
        program = Program(app, token)
        start.wait()
        answers.append(ask(program, number))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.fixture
def token(blog: Flask, env: Environment) -> str:
    return api_tokens.add_token(env, "racer", TokenScope.SEND)


@pytest.mark.parametrize("what", ["subscriber", "list", "letter"])
def test_of_several_changes_of_one_state_one_is_made(blog: Flask, token: str, what: str) -> None:
    program = Program(blog, token)
    data = program("POST", "/subscribers/search", {"email": "a@example.com"}).json
    path, change = {
        "subscriber": (f"/subscribers/{data['id']}", "name"),
        "list": ("/lists/blog", "title"),
        "letter": (f"/letters/{add_letter(program)}", "subject"),
    }[what]
    tag = program("GET", path).headers["ETag"]
    answers = race(
        blog,
        token,
        lambda racer, number: racer("PATCH", path, {change: f"Racer {number}"}, If_Match=tag),
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: AT_ONCE - 1}
    [won] = [answer.json[change] for answer in answers if answer.status_code == 200]
    assert program("GET", path).json[change] == won


def test_changes_of_several_parts_of_a_letter_are_all_kept(blog: Flask, token: str) -> None:
    program = Program(blog, token)
    path = f"/letters/{add_letter(program)}"
    parts = {"subject": "Slowly", "preheader": "Now", "segment": '"a" in tags'}
    changes = [{name: text} for name, text in parts.items()]
    answers = race(
        blog,
        token,
        lambda racer, number: racer("PATCH", path, changes[number % len(changes)]),
    )
    assert {answer.status_code for answer in answers} == {200}
    letter = program("GET", path).json
    assert {name: letter[name] for name in parts} == parts
    assert letter["markdown"].strip() == "Read this."


def test_two_answers_of_a_subscriber_are_both_kept(blog: Flask, token: str) -> None:
    program = Program(blog, token)
    data = program("POST", "/subscribers/search", {"email": "b@example.com"}).json
    path = f"/subscribers/{data['id']}"
    answers = race(
        blog,
        token,
        lambda racer, number: racer("PATCH", path, {"add_tags": [f"t{number}"]}),
    )
    assert {answer.status_code for answer in answers} == {200}
    assert program("GET", path).json["tags"] == [f"t{number}" for number in range(AT_ONCE)]
    db.session.remove()
