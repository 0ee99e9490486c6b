"""The announcement of commits beside the end of their connections: no database."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import create_engine

from newsletter.db import notices
from tests.waiting import PATIENCE


def test_connections_are_not_closed_while_an_announcement_uses_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began = threading.Event()
    may_end = threading.Event()
    ended: list[str] = []

    def tell(*_: object) -> list[object]:
        if threading.current_thread() is not threading.main_thread():
            began.set()
            assert may_end.wait(PATIENCE)
            ended.append("told")
        return []

    monkeypatch.setattr(notices, "run_alone", tell)
    monkeypatch.setattr(notices, "APART_SECONDS", 0.05)
    engine = create_engine("sqlite://")
    announcer = notices.CommitAnnouncer(engine)
    for _ in range(2):
        announcer.announce()
    assert began.wait(PATIENCE)
    assert not announcer.is_pending(), "a commit from now on needs another one"

    def close() -> None:
        announcer.cancel()
        ended.append("closed")

    closing = threading.Thread(target=close)
    closing.start()
    closing.join(0.2)
    may_end.set()
    closing.join(PATIENCE)
    assert ended == ["told", "closed"]
    engine.dispose()
