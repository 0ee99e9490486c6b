"""Processes really killed while they add up what was noted: every note counts once."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from newsletter.db.session import reading, transaction
from newsletter.models import DailyFigure, FigureNote
from newsletter.services import figures
from newsletter.services.figures import Counted
from newsletter.statistics_vocabulary import Figure
from tests.fakes import Clock
from tests.people import add_list
from tests.processes import finish, program_environment, start_program
from tests.waiting import PATIENCE

pytestmark = pytest.mark.processes

NOTES = 18_000
"""Several steps for each worker."""
KILLS = 3


def waiting() -> int:
    with reading() as session:
        return session.scalar(select(func.count()).select_from(FigureNote)) or 0


def test_killed_workers_count_each_note_once(app: Flask, clock: Clock, tmp_path: Path) -> None:
    with app.app_context():
        with transaction() as session:
            ids = [add_list(session, slug, created_at=clock.now).id for slug in ("blog", "other")]
        dice = random.Random(7)
        for _ in range(KILLS):
            with transaction() as session:
                rows = (
                    Counted(ids[number % 2], Figure.VIEWED, clock.now, str(number))
                    for number in range(NOTES // KILLS)
                )
                figures.note(session, rows)
            worker = start_program(tmp_path, program_environment(app), "worker", "--once")
            try:
                before = waiting()
                until = time.monotonic() + PATIENCE
                while waiting() == before and time.monotonic() < until:
                    time.sleep(0.002)
                time.sleep(dice.random() * 0.02)
            finally:
                worker.kill()
                finish(worker)
        finish(start_program(tmp_path, program_environment(app), "worker", "--once"))
        assert waiting() == 0
        with reading() as session:
            counts = dict(
                session.execute(
                    select(DailyFigure.list_id, func.sum(DailyFigure.count))
                    .where(DailyFigure.figure == Figure.VIEWED)
                    .group_by(DailyFigure.list_id)
                ).all()
            )
        assert counts == dict.fromkeys(ids, NOTES // 2)
