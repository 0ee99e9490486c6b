"""`/metrics` answers to its token alone, and sees what pages and workers in other processes did."""

from __future__ import annotations

import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from newsletter import outbox
from newsletter.app import create_app
from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import db, reading, transaction
from newsletter.mail.smtp.types import Outcome, Reply
from newsletter.services.campaigns import campaigns
from newsletter.services.letters import send as letters
from newsletter.services.operations import cleanup, metrics
from newsletter.services.runtime import EXTENSION
from newsletter.services.sending import run as sending
from newsletter.services.tally import classify_domain
from newsletter.settings import Settings
from newsletter.vocabulary import QueueState
from newsletter.worker import WorkerProcess
from tests.fakes import Clock, FakeDns, FakeFetch, Sink
from tests.people import add_list, add_reader
from tests.programs import find_program

TOKEN = "metrics-token-0123456789"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ROOT = Path(__file__).parent.parent.parent
LETTER = "---\nsubject: Going slowly\n---\n\nA letter.\n"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    token = Settings.model_validate(
        {"secret_key": settings.secret_key, "metrics": {"token": TOKEN}}
    ).metrics
    return settings.model_copy(update={"metrics": token})


def values(client: FlaskClient) -> dict[str, float]:
    """Return every sample by its name and labels."""
    answer = client.get("/metrics", headers=BEARER)
    assert answer.status_code == 200
    return {
        sample.name
        + "".join(f",{value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.mark.any_database
@pytest.mark.parametrize(
    "header", ["", TOKEN, "Bearer", "Bearer x", f"bearer {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"]
)
def test_without_the_token_there_is_no_such_page(client: FlaskClient, header: str) -> None:
    refused = client.get("/metrics", headers={"Authorization": header.encode().decode("latin-1")})
    missing = client.get("/no-such/page/at-all")
    assert (refused.status_code, refused.data) == (404, missing.data)


@pytest.mark.any_database
def test_without_a_setting_there_is_no_such_page(settings: Settings, clock: Clock) -> None:
    app = create_app(
        settings.model_copy(update={"metrics": Settings.model_fields["metrics"].default}),
        clock=clock,
    )
    assert app.test_client().get("/metrics", headers=BEARER).status_code == 404


def test_what_workers_and_pages_did_is_seen_together(
    app: Flask, settings: Settings, clock: Clock, sink: Sink
) -> None:
    env = app.extensions[EXTENSION]
    with app.app_context():
        with transaction() as session:
            mailing_list = add_list(session)
            add_list(session, "other")
            for email in ("a@gmail.com", "b@hotmail.com", "c@small.example", "d@gmail.com"):
                add_reader(session, mailing_list, email)
        letters.send_letter(env, parse_letter(LETTER), "blog")
        sending.send_due(env)
        metrics.write_tally(env)
        db.session.remove()
    pages = create_app(
        settings, transport=lambda: sink, fetch=FakeFetch(), clock=clock, resolver=FakeDns()
    )
    client = pages.test_client()
    client.post("/blog/subscribe", data={"email": "new@example.com"})
    client.post("/blog/subscribe", data={"email": "nothing"})
    result = values(client)
    assert result["newsletter_messages_total,google,sent"] == 2
    assert result["newsletter_messages_total,microsoft,sent"] == 1
    assert result["newsletter_messages_total,other,sent"] == 1
    assert result["newsletter_smtp_seconds_count"] == 4
    assert result["newsletter_signups_total,received"] == 1
    assert result["newsletter_signups_total,invalid"] == 1
    assert {result[f"newsletter_queue_messages,{state}"] for state in ("due", "campaign")} == {0}
    assert result["newsletter_queue_messages,held"] == 1, "the confirmation is at the gate"
    assert result["newsletter_database_bytes"] > 10_000
    assert result["newsletter_worker_age_seconds"] == float("inf")
    with app.app_context():
        WorkerProcess(app).tick()
        cleanup.clean_up(env)
        db.session.remove()
    assert values(client) == result, "the database is asked every ten seconds at most"
    later_app = create_app(settings, clock=clock)
    later = later_app.test_client()
    assert values(later)["newsletter_worker_age_seconds"] == 0
    assert values(later)["newsletter_messages_total,google,sent"] == 2, "upkeep keeps them"
    for other in (pages, later_app):
        with other.app_context():
            db.session.remove()
            db.engine.dispose()


def test_the_queue_is_told_by_state_and_age(
    app: Flask, client: FlaskClient, clock: Clock, sink: Sink
) -> None:
    env = app.extensions[EXTENSION]
    refused = Reply(451, "4.3.0", "later")
    sink.script = lambda outgoing: (
        Outcome(outgoing.id, "refused", "RCPT", refused, "sink")
        if outgoing.recipient.startswith("b")
        else None
    )
    with app.app_context():
        with transaction() as session:
            for slug in ("blog", "other", "third"):
                mailing_list = add_list(session, slug)
                for name in ("a", "b", "c"):
                    add_reader(session, mailing_list, f"{name}{slug}@example.com")
        letters.send_letter(env, parse_letter(LETTER), "blog")
        sending.send_due(env)
        campaigns.pause(env, letters.send_letter(env, parse_letter(LETTER), "other"))
        clock.forward(timedelta(seconds=10))
        letters.send_letter(env, parse_letter(LETTER), "third")
        clock.forward(timedelta(seconds=10))
        db.session.remove()
    result = values(client)
    counts = {state: result[f"newsletter_queue_messages,{state}"] for state in QueueState}
    assert counts == {"due": 0, "later": 1, "leased": 0, "held": 0, "campaign": 3, "paused": 3}
    ages = {state: result[f"newsletter_queue_oldest_seconds,{state}"] for state in QueueState}
    assert (ages["later"], ages["campaign"], ages["paused"]) == (20, 10, 20)
    clock.forward(timedelta(hours=1))
    with app.app_context(), reading() as session:
        assert outbox.read_depths(session, clock.now)[QueueState.DUE].messages == 1


@pytest.mark.any_database
def test_metrics_name_no_subscriber(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transaction() as session:
        add_reader(session, add_list(session, "secret-list"), "ana@tiny.example", name="Ana")
    text = client.get("/metrics", headers=BEARER).text
    assert not re.search("ana|tiny|secret-list", text)
    assert classify_domain("tiny.example") == "other"


def test_numbers_that_cannot_be_written_are_kept(app: Flask) -> None:
    env = app.extensions[EXTENSION]
    env.tally.count("polls", "new", by=3)
    env.tally.put_back(env.tally.take())
    assert env.tally.take() == {"polls/new": 3}


def test_the_dashboard_and_the_alerts_name_metrics_that_exist(
    app: Flask, client: FlaskClient
) -> None:
    names = {name.partition(",")[0] for name in values(client)}
    names |= {f"newsletter_{name}_total" for name in metrics.COUNTERS}
    for file in ("dashboard.json", "alerts.yml"):
        used = set(re.findall(r"newsletter_\w+", (ROOT / "monitoring" / file).read_text()))
        assert used
        assert used - names == set(), file


@pytest.mark.prometheus
def test_prometheus_takes_the_alerts() -> None:
    promtool = find_program("promtool", "prometheus")
    done = subprocess.run(
        [promtool, "check", "rules", ROOT / "monitoring" / "alerts.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
