"""Changes with `If-Match` that race for the same state: one wins, and none is lost."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event, select, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from newsletter.access_vocabulary import TokenScope
from newsletter.db.session import db, reading
from newsletter.models import ApiToken, IdempotencyKey
from newsletter.services import api_tokens, idempotency
from newsletter.services.runtime import Environment
from newsletter.services.subscribers import admin, privacy
from tests.fakes import Clock
from tests.waiting import PATIENCE
from tests.web.test_api import ROOT, Program, add_letter, blog, ids

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


ERASE = [privacy.erase_address, admin.remove_subscriber]


@pytest.mark.parametrize("end", ERASE)
def test_an_answer_is_not_kept_where_its_subscriber_is_deleted_meanwhile(
    blog: Flask, env: Environment, token: str, end: Callable[[Environment, str], object]
) -> None:
    """It was read before, and would be written after."""
    program = Program(blog, token)
    search = {"email": "a@example.com"}
    answer_before = program("POST", "/subscribers/search", search)
    [token_id] = ids(ApiToken)
    path = f"{ROOT}/subscribers/search?"
    body = json.dumps(search).encode()
    request_hash = idempotency.hash_request(token, "POST", path, body)
    claims = {name: idempotency.begin(env, token_id, name, request_hash) for name in ("k", "empty")}
    end(env, "a@example.com")
    for name, answer in (("k", answer_before.text), ("empty", "")):
        claim = claims[name]
        assert isinstance(claim, idempotency.Claim)
        idempotency.finish(claim, idempotency.StoredAnswer(200, {}, answer))
    with reading() as session:
        rows = {row.key: row for row in session.scalars(select(IdempotencyKey))}
        assert (rows["k"].body, rows["k"].request_hash) == (None, "")
    again = program("POST", "/subscribers/search", search, Idempotency_Key="k")
    assert again.status_code == 409
    assert "not kept" in again.json["detail"]
    empty = program("POST", "/subscribers/search", search, Idempotency_Key="empty")
    assert empty.headers["Idempotency-Replayed"] == "true"
    other = program("POST", "/subscribers/search", {"email": "b@example.com"}, Idempotency_Key="n")
    assert other.status_code == 200


@pytest.mark.parametrize("end", ERASE)
def test_a_request_that_begins_during_a_deletion_waits_for_it(
    blog: Flask,
    env: Environment,
    token: str,
    database_kind: str,
    end: Callable[[Environment, str], object],
) -> None:
    if database_kind != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    search = {"email": "a@example.com"}
    answers: list[TestResponse] = []

    def ask() -> None:
        answers.append(
            Program(blog, token)("POST", "/subscribers/search", search, Idempotency_Key="k")
        )

    asking = threading.Thread(target=ask)

    def begin_meanwhile(session: Session) -> None:
        if asking.ident is None and session.info.get("writes"):
            asking.start()
            _wait_until_ended_or_blocked(asking)

    event.listen(db.session(), "before_commit", begin_meanwhile)
    end(env, "a@example.com")
    asking.join()
    assert [answer.status_code for answer in answers] == [404]
    with reading() as session:
        assert "a@example.com" not in str(session.scalars(select(IdempotencyKey.body)).all())


def _wait_until_ended_or_blocked(thread: threading.Thread) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    for _ in range(int(PATIENCE * 100)):
        with db.engine.connect() as connection:
            if not thread.is_alive() or connection.scalar(waiting):
                return
        thread.join(0.01)
    raise AssertionError("the request neither ended nor waits")


@pytest.mark.parametrize("typed", ['"a..b"@example.org', "ann@BÜCHER.example", "Ann@Example.org"])
def test_no_kept_answer_names_who_was_erased(blog: Flask, env: Environment, typed: str) -> None:
    """However the address was written: in quotes, or in letters of another alphabet."""
    token = api_tokens.add_token(env, "shop", TokenScope.WRITE, ["blog"])
    body = {"list": "blog", "email": typed}
    program = Program(blog, token)
    assert program("POST", "/subscribers", body, Idempotency_Key="k").status_code == 202
    other = {"list": "blog", "email": "b@example.org"}
    assert program("POST", "/subscribers", other, Idempotency_Key="other").status_code == 202
    privacy.erase_address(env, typed)
    with reading() as session:
        assert session.scalars(select(IdempotencyKey.key)).all() == ["other"]


def test_no_kept_request_can_be_guessed_from_the_database(
    blog: Flask, env: Environment, token: str
) -> None:
    """An address cannot be tried: the same request has another hash with another token."""
    search = {"email": "a@example.com"}
    programs = [
        Program(blog, token),
        Program(blog, api_tokens.add_token(env, "second", TokenScope.WRITE)),
    ]
    for program in programs:
        assert (
            program("POST", "/subscribers/search", search, Idempotency_Key="k").status_code == 200
        )
    with reading() as session:
        hashes = set(session.scalars(select(IdempotencyKey.request_hash)))
    assert len(hashes) == 2
    text = f"POST {ROOT}/subscribers/search?\n" + json.dumps(search)
    assert hashlib.sha256(text.encode()).hexdigest() not in hashes


def test_a_request_that_ends_late_leaves_the_next_ones_key_alone(
    blog: Flask, env: Environment, token: str, clock: Clock
) -> None:
    program = Program(blog, token)
    program("GET", "/lists")
    [token_id] = ids(ApiToken)
    late = idempotency.begin(env, token_id, "k", "of the first")
    clock.forward(timedelta(minutes=6))
    second = idempotency.begin(env, token_id, "k", "of the second")
    assert isinstance(late, idempotency.Claim)
    assert isinstance(second, idempotency.Claim)
    idempotency.finish(late, idempotency.StoredAnswer(200, {}, "first"))
    idempotency.abandon(late)
    with pytest.raises(idempotency.StillRunning):
        idempotency.begin(env, token_id, "k", "of the second")
    idempotency.finish(second, idempotency.StoredAnswer(201, {}, "second"))
    answer = idempotency.begin(env, token_id, "k", "of the second")
    assert answer == idempotency.StoredAnswer(201, {}, "second")


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
