"""Two who change one draft at the same moment: one is stored, the other is told, nothing is
mixed.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from newsletter.authoring.images import BYTES_AT_MOST
from newsletter.authoring.letter_fields import LetterFields
from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import transaction
from newsletter.errors import ChangedMeanwhile, InvalidInput, NotFound, Refused
from newsletter.services.campaigns import campaigns
from newsletter.services.letters import drafts, manuscript_pictures, manuscripts
from newsletter.services.letters import send as letters
from newsletter.services.letters.approve import UNDO, approve_letter
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sending import run as sending
from tests.fakes import Clock, Sink
from tests.people import add_list, add_reader
from tests.unit.authoring.test_images import picture

FIELDS = LetterFields(subject="A pause", body="Dear friend, rest for a while.")


@pytest.fixture
def draft(env: Environment) -> int:
    """Make a draft of a list with one subscriber, and another list with one."""
    with transaction() as session:
        add_reader(session, add_list(session), "ana@example.com")
        add_reader(session, add_list(session, "talks"), "cat@example.com")
    manuscripts.start_draft(env, "talks", FIELDS)
    return manuscripts.start_draft(env, "blog", FIELDS)


def test_of_two_saves_at_once_one_is_stored(app: Flask, env: Environment, draft: int) -> None:
    start = threading.Barrier(6)
    outcomes: list[object] = []

    def save(words: str) -> None:
        with app.app_context():
            start.wait()
            try:
                manuscripts.save_draft(draft, replace(FIELDS, body=words), 1)
                outcomes.append(words)
            except ChangedMeanwhile:
                outcomes.append(None)

    threads = [threading.Thread(target=save, args=(f"Words {number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [winner] = [outcome for outcome in outcomes if outcome]
    assert len(outcomes) == 6
    manuscript = manuscripts.get_manuscript(draft)
    assert (manuscript.fields.body, manuscript.revision) == (winner, 2)


def test_undo_and_the_worker_at_the_same_moment(
    app: Flask, env: Environment, draft: int, clock: Clock, sink: Sink
) -> None:
    """Either nobody is mailed and it is a draft, or everybody is and the author is told."""
    for _ in range(4):
        number = manuscripts.start_draft(env, "blog", replace(FIELDS, body=f"Words {env.now}"))
        approve_letter(env, drafts.load_draft(env, number, offline=True), again=True)
        clock.forward(UNDO)
        start = threading.Barrier(2)
        undone: list[bool] = []

        def work() -> None:
            with app.app_context():
                start.wait()  # noqa: B023
                letters.start_due_letters(app.extensions[EXTENSION])

        def undo() -> None:
            with app.app_context():
                start.wait()  # noqa: B023
                try:
                    campaigns.take_back(app.extensions[EXTENSION], number)  # noqa: B023
                    undone.append(True)  # noqa: B023
                except Refused:
                    undone.append(False)  # noqa: B023

        threads = [threading.Thread(target=work), threading.Thread(target=undo)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sink.accepted.clear()
        sending.send_due(env)
        clock.forward(timedelta(hours=1))
        letters.start_due_letters(env)
        sending.send_due(env)
        assert len(sink.accepted) == (0 if undone == [True] else 1)
        assert campaigns.get_campaign(number).status == ("draft" if undone == [True] else "sent")


@pytest.mark.any_database
def test_only_a_letter_that_has_not_started_is_a_manuscript(env: Environment, draft: int) -> None:
    sent = letters.send_letter(env, parse_letter("---\nsubject: Sent\n---\n\nWords"), "blog")
    with pytest.raises(NotFound):
        manuscripts.get_manuscript(sent)
    with pytest.raises(Refused):
        campaigns.take_back(env, sent)
    with pytest.raises(Refused):
        campaigns.take_back(env, draft)
    planned = letters.send_letter(
        env, parse_letter("---\nsubject: Later\n---\n\nWords"), "blog", send_at=env.now + UNDO
    )
    with pytest.raises(Refused):
        manuscripts.save_draft(planned, FIELDS, manuscripts.get_manuscript(planned).revision)
    campaigns.pause(env, planned)
    campaigns.take_back(env, planned)
    assert manuscripts.get_manuscript(planned).is_draft


@pytest.mark.any_database
def test_pictures_have_bounds(
    env: Environment, draft: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInput):
        manuscript_pictures.add_picture(env, draft, b"\xff" * (BYTES_AT_MOST + 1), called="a.jpg")
    monkeypatch.setattr(manuscript_pictures, "PICTURES_AT_MOST", 1)
    photo = picture("PNG", (20, 10))
    first = manuscript_pictures.add_picture(env, draft, photo, called="a" * 500 + ".png")
    assert first == f"![]({'a' * 40}.png)"
    with pytest.raises(Refused):
        manuscript_pictures.add_picture(env, draft, photo, called="b.png")
    approve_letter(env, drafts.load_draft(env, draft, offline=True))
    with pytest.raises(Refused):
        manuscript_pictures.add_picture(env, draft, photo, called="late.png")
