"""The page of a one-tap answer: a scanner counts nothing, a press does, and it shows nobody."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import transaction
from newsletter.services.campaigns import tapped_answers
from newsletter.services.letters import send as letters
from newsletter.services.runtime import EXTENSION
from newsletter.services.sending import run as sending
from tests.fakes import Clock, Sink, body
from tests.people import add_list, add_reader

TEXT = "---\nsubject: A pause\n---\nBreathe.\n\n[Gut <b>so</b>?](answer: ja / ein wenig / nein)\n"


@pytest.mark.any_database
def test_a_scanner_counts_nothing_and_a_press_does(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock
) -> None:
    with app.app_context():
        env = app.extensions[EXTENSION]
        with transaction() as session:
            blog = add_list(session)
            ana = add_reader(session, blog, "ana@example.com", name="Ana Geheim")
            ana.subscriber.language = "de"
            add_reader(session, blog, "ben@example.com")
        campaign = letters.send_letter(env, parse_letter(TEXT))
        sending.send_due(env)
    paths = re.findall(
        r"https://news\.example\.com(/answer/[\w.-]+)", body(sink.to("ana@example.com")[0])
    )
    assert len(paths) == 3

    def counts() -> list[int]:
        with app.app_context():
            [question] = tapped_answers.read_results(campaign)
            return [count for _, count in question.choices]

    for path in paths:
        page = client.get(path)
        assert client.head(path).status_code == 200
        assert client.options(path).status_code in (200, 405)
        assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-store")
        assert "noindex" in page.headers["X-Robots-Tag"]
        assert page.text.count("<button") == 1
        assert "Gut &lt;b&gt;so&lt;/b&gt;?" in page.text
        assert 'lang="de"' in page.text
        assert "Geheim" not in page.text
        assert "ana@" not in page.text
    assert counts() == [0, 0, 0]
    for path, expected in ((paths[0], [1, 0, 0]), (paths[2], [0, 0, 1]), (paths[2], [0, 0, 1])):
        assert "<button" not in client.post(path).text
        assert counts() == expected
    before = client.get(paths[0]).data
    client.post(paths[1])
    assert client.get(paths[0]).data == before, "nor does it say what was answered"
    assert client.post(paths[1][:-1] + "x").status_code == 404
    assert client.get("/answer/example").status_code == 200
    assert client.post("/answer/example").status_code == 404
    clock.forward(timedelta(days=8))
    for answer in (client.get(paths[0]), client.post(paths[0])):
        assert answer.status_code == 410
        assert "<button" not in answer.text
    assert counts() == [0, 1, 0]
