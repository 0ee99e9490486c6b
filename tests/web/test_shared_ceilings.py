"""Ceilings hold when many visitors come at the same moment, and no visitor waits for another."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter.captcha import Solved
from newsletter.db.session import db, transaction
from newsletter.errors import TooMany
from newsletter.models import Counter as CounterRow
from newsletter.models import Subscriber
from newsletter.services import request_limits
from newsletter.services.request_limits import ELSEWHERE, Visit
from newsletter.services.runtime import EXTENSION, Environment
from tests.fakes import START
from tests.people import add_list
from tests.waiting import PATIENCE

URL = "/blog/subscribe"
AT_MOST = 10


@pytest.fixture(autouse=True)
def lists(app: Flask) -> None:
    with app.app_context(), transaction() as session:
        add_list(session)
        add_list(session, "talks", title="Long Talks")


def set_ceilings(app: Flask, **ceilings: int) -> Environment:
    env = app.extensions[EXTENSION]
    high = dict.fromkeys(("per_ip", "per_network", "per_domain", "per_list", "overall"), 10**6)
    signup = env.settings.signup.model_copy(update={**high, **ceilings})
    changed = replace(env, settings=env.settings.model_copy(update={"signup": signup}))
    app.extensions[EXTENSION] = changed
    return changed


def read_counts(app: Flask) -> dict[str, int]:
    with app.app_context():
        rows = db.session.execute(select(CounterRow.name, CounterRow.count))
        return {row.name: row.count for row in rows}


@pytest.mark.parametrize("ceiling", ["per_ip", "per_network", "per_domain", "per_list", "overall"])
def test_a_ceiling_holds_however_many_come_at_once(app: Flask, ceiling: str) -> None:
    set_ceilings(app, **{ceiling: AT_MOST})
    start = threading.Barrier(6)

    def sign_up(number: int) -> int:
        if number < 6:
            start.wait(PATIENCE)
        one = ceiling in ("per_ip", "per_network")
        visitor = {"REMOTE_ADDR": "192.0.2.7" if one else f"10.0.{number}.1"}
        data = {"email": f"visitor{number}@example.com"}
        return app.test_client().post(URL, data=data, environ_base=visitor).status_code

    with ThreadPoolExecutor(6) as pool:
        codes = Counter(pool.map(sign_up, range(3 * AT_MOST)))
    assert codes == {303: AT_MOST, 429: 2 * AT_MOST}
    with app.app_context():
        assert len(db.session.scalars(select(Subscriber)).all()) == AT_MOST
    counts = read_counts(app)
    assert counts["signup/overall"] == AT_MOST, "who is refused is counted nowhere"
    elsewhere = {"REMOTE_ADDR": "203.0.113.9"}
    other = app.test_client().post(
        "/talks/subscribe", data={"email": "ana@else.example"}, environ_base=elsewhere
    )
    assert other.status_code == (429 if ceiling == "overall" else 303)


def test_a_refused_visitor_keeps_the_solution_of_a_puzzle(app: Flask) -> None:
    env = set_ceilings(app, per_ip=1)
    factor = env.settings.signup.proven_factor
    spent = [Solved(f"spent{number}", START) for number in range(factor)]
    unspent = Solved("kept", START)
    with app.app_context():
        for solved in spent:
            with transaction() as session:
                assert request_limits.count_request(
                    env, session, Visit(ELSEWHERE, "192.0.2.7", "ana@example.com", solved)
                )
        with pytest.raises(TooMany), transaction() as session:
            request_limits.count_request(
                env, session, Visit(ELSEWHERE, "192.0.2.7", "ana@example.com", unspent)
            )
        with transaction() as session:
            assert request_limits.count_request(
                env, session, Visit(ELSEWHERE, "203.0.113.9", "bob@example.com", unspent)
            )
    assert read_counts(app)["proven/ip/192.0.2.7"] == factor


def test_no_visitor_waits_until_another_is_stored(app: Flask, database_kind: str) -> None:
    """SQLite has one writer at a time in any case."""
    if database_kind != "postgresql":
        return
    env = set_ceilings(app)
    answered = threading.Event()
    counted = threading.Event()

    def take_long() -> bool:
        with app.app_context(), transaction() as session:
            visit = Visit(ELSEWHERE, "192.0.2.7", "slow@example.com")
            request_limits.count_request(env, session, visit)
            counted.set()
            return answered.wait(PATIENCE)

    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(take_long)
        assert counted.wait(PATIENCE)
        visitor = {"REMOTE_ADDR": "192.0.2.7"}  # the same place, domain and counters
        data = {"email": "ana@example.com"}
        quick = pool.submit(
            lambda: app.test_client().post(URL, data=data, environ_base=visitor).status_code
        )
        try:
            assert quick.result(timeout=PATIENCE / 2) == 303
        finally:
            answered.set()
        assert slow.result(timeout=PATIENCE)
    assert read_counts(app)["signup/overall"] == 2


def test_what_is_counted_lasts_for_the_hour(app: Flask, client: FlaskClient) -> None:
    set_ceilings(app, per_ip=1)
    visitor = {"REMOTE_ADDR": "192.0.2.7"}
    codes = [
        client.post(URL, data={"email": f"v{n}@example.com"}, environ_base=visitor).status_code
        for n in range(3)
    ]
    assert codes == [303, 429, 429]
    env = app.extensions[EXTENSION]
    later = replace(env, clock=lambda: START + timedelta(hours=1))
    app.extensions[EXTENSION] = later
    again = client.post(URL, data={"email": "v4@example.com"}, environ_base=visitor)
    assert again.status_code == 303
