"""Open every page of the authors' on a large installation, and measure the CPU time of each."""

from __future__ import annotations

import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, literal, select, text
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from bench import world
from newsletter import outbox
from newsletter.access_vocabulary import AuthorRole
from newsletter.db.session import db, transaction
from newsletter.models import (
    Campaign,
    ConsentEvent,
    DailyFigure,
    Edition,
    Entry,
    Event,
    Feed,
    Subscription,
)
from newsletter.services.authors import authors, log_in
from newsletter.services.runtime import EXTENSION, Environment, utcnow
from newsletter.statistics_vocabulary import Figure
from newsletter.vocabulary import (
    Actor,
    CampaignKind,
    CampaignStatus,
    ConsentKind,
    EntryStatus,
    EventKind,
    EvidenceSource,
    MailKind,
)

CAMPAIGNS = 2_000
UNFOLDED = 4
"""Campaigns whose deliveries are still there; those of the others are folded."""
ENTRIES = 20_000
FEEDS = 5
DAYS = 1_000
"""Days that have figures."""
TURNS = 3
"""So many times is each page opened; the least CPU time counts."""
OF_A_KIND = 2
"""Pages that are opened of those that differ only in a number or a value of a parameter."""
ADDRESS = "ana@example.com"
STARTS = (
    "/author/",
    "/author/subscribers?q=subscriber4",
    "/author/subscribers?q=Subscriber+4",
    "/author/subscribers?q=nobody",
)
_LINK = re.compile(r'(?:href|src|action|data-[\w-]+|hx-get)="(/author/[^"]*)"')


class PageCost(NamedTuple):
    """A page: its path with its parameters, its milliseconds of CPU, and its bytes."""

    path: str
    milliseconds: float
    size: int


def measure_pages(subscribers: int) -> Iterator[PageCost]:
    """Yield every page that an owner of one list with so many subscribers can open."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        app = world.make_app(folder, f"sqlite:///{folder}/newsletter.db")
        with app.app_context():
            _fill(subscribers)
            db.session.remove()
        yield from _walk(app, _log_in(app))
        with app.app_context():
            db.engine.dispose()


def _fill(subscribers: int) -> None:
    now = utcnow()
    list_id = world.add_subscribers(subscribers)
    world.add_feeds(list_id, FEEDS)
    with transaction() as session:
        _add_history(session, list_id, now)
        _add_entries(session, list_id, now)
        _add_figures(session, list_id, now)
        _add_draft(session, list_id, now)
    for number in range(CAMPAIGNS):
        with transaction() as session:
            _add_campaign(session, list_id, number, subscribers, now)
    with transaction() as session:
        session.execute(text("ANALYZE"))


def _add_history(session: Session, list_id: int, now: datetime) -> None:
    """Give every subscription its evidence and its events, and let a tenth of them be over."""
    session.execute(
        text(
            "UPDATE subscriptions SET status = CASE id % 10 WHEN 0 THEN 'unsubscribed'"
            " ELSE status END, confirmed_at = created_at"
        )
    )
    everybody = select(
        Subscription.id,
        literal(ConsentKind.CONFIRMED.value),
        literal(EvidenceSource.FORM.value),
        Subscription.created_at,
        literal(""),
        literal(""),
        literal(""),
        literal(""),
    )
    columns = ["subscription_id", "kind", "source", "at", "page", "ip", "user_agent", "note"]
    session.execute(insert(ConsentEvent).from_select(columns, everybody))
    for kind in (EventKind.SUBSCRIPTION_REQUESTED, EventKind.SUBSCRIPTION_CONFIRMED):
        events = select(
            Subscription.created_at,
            literal(kind.value),
            literal(Actor.SUBSCRIBER.value),
            literal(""),
            literal(list_id),
            Subscription.id,
        )
        columns = ["at", "kind", "actor", "reason", "list_id", "subscription_id"]
        session.execute(insert(Event).from_select(columns, events))


def _add_entries(session: Session, list_id: int, now: datetime) -> None:
    feeds = session.scalars(select(Feed.id)).all()
    states = [EntryStatus.SENT] * 17 + [EntryStatus.SKIPPED, EntryStatus.HELD, EntryStatus.READY]
    session.execute(
        insert(Entry),
        [
            {
                "feed_id": feeds[number % FEEDS],
                "list_id": list_id,
                "identity": f"post-{number}",
                "link": f"https://blog.example.com/{number}/",
                "title": f"Going slowly, part {number}",
                "published_at": now - timedelta(hours=ENTRIES - number),
                "found_at": now - timedelta(hours=ENTRIES - number),
                "content_html": f"<p>{world.SENTENCE * 10}</p>",
                "categories": ["slow"],
                "fate": states[number % len(states)],
                "seq": number + 1,
            }
            for number in range(ENTRIES)
        ],
    )


def _add_figures(session: Session, list_id: int, now: datetime) -> None:
    figures = (Figure.ASKED, Figure.CONFIRMED, Figure.JOINED, Figure.LEFT, Figure.REASON)
    session.execute(
        insert(DailyFigure),
        [
            {
                "list_id": list_id,
                "campaign_id": 0,
                "day": (now - timedelta(days=days)).strftime("%Y-%m-%d"),
                "figure": figure,
                "name": name,
                "count": 1 + days % 50,
            }
            for days in range(DAYS)
            for figure in figures
            for name in ("page", "form")
        ],
    )


def _add_draft(session: Session, list_id: int, now: datetime) -> None:
    session.add(
        Campaign(
            list_id=list_id,
            kind=CampaignKind.LETTER,
            status=CampaignStatus.DRAFT,
            subject="A draft",
            seed="0" * 32,
            created_at=now,
            segment='cadence == "weekly" and joined >= 2020-01-01',
            source=f"---\nlist: slow\nsubject: A draft\n---\n{world.SENTENCE * 100}\n",
        )
    )


def _add_campaign(
    session: Session, list_id: int, number: int, subscribers: int, now: datetime
) -> None:
    at = now - timedelta(hours=12 * (CAMPAIGNS - number))
    campaign = Campaign(
        list_id=list_id,
        kind=CampaignKind.LETTER,
        status=CampaignStatus.SENT,
        subject=f"Letter {number}",
        seed=f"{number:032}",
        created_at=at,
        started_at=at,
        finished_at=at,
        archive_name=f"letter-{number}",
        source=f"---\nsubject: Letter {number}\n---\n" + world.SENTENCE * 20,
    )
    session.add(campaign)
    session.flush()
    session.add(
        Edition(
            campaign_id=campaign.id,
            subject=campaign.subject,
            text=world.plain(),
            html=world.html(),
        )
    )
    if number >= CAMPAIGNS - UNFOLDED:
        recipients = select(Subscription.id, Subscription.cursor)
        outbox.freeze(session, campaign, recipients, mail=MailKind.LETTER, now=at)
        session.execute(
            text(
                "UPDATE deliveries SET status = CASE WHEN id % 200 = 0 THEN 'failed' ELSE 'sent'"
                " END, code = CASE WHEN id % 200 = 0 THEN 550 ELSE 250 END, finished_at = :at,"
                " text = '2.0.0 Ok' WHERE campaign_id = :campaign"
            ),
            {"campaign": campaign.id, "at": at.replace(tzinfo=None).isoformat(" ")},
        )
        campaign.leased_id = campaign.last_id
    campaign.final_totals = {
        "recipients": subscribers,
        "sent": subscribers - subscribers // 200,
        "failed": subscribers // 200,
        "cancelled": 0,
        "waiting": 0,
        "in_doubt": 0,
        "doubted": 0,
    }


def _log_in(app: Flask) -> FlaskClient:
    env: Environment = app.extensions[EXTENSION]
    with app.app_context():
        authors.add_author(env, ADDRESS, role=AuthorRole.OWNER)
        path = log_in.make_link(env, ADDRESS).removeprefix(env.settings.base_url)
    client = app.test_client()
    page = client.get(path, base_url=env.settings.base_url).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None, page
    answer = client.post(path, base_url=env.settings.base_url, data={"csrf_token": token[1]})
    assert answer.status_code == 303, answer.text
    return client


def _walk(app: Flask, client: FlaskClient) -> Iterator[PageCost]:
    """Follow every link from page to page; of pages of one kind a few are enough."""
    base = app.extensions[EXTENSION].settings.base_url
    kind_of = _make_sorter(app)
    waiting = list(STARTS)
    opened: set[str] = set()
    count: dict[object, int] = defaultdict(int)
    while waiting:
        path = waiting.pop(0)
        kind = kind_of(path)
        if path in opened or kind is None or count[kind] >= OF_A_KIND:
            continue
        opened.add(path)
        count[kind] += 1
        times = []
        for _ in range(TURNS):
            began = time.process_time()
            response = client.get(path, base_url=base)
            body = response.get_data()
            times.append(time.process_time() - began)
        if response.status_code == 200:
            yield PageCost(path, min(times) * 1000, len(body))
        if response.mimetype == "text/html":
            page = body.decode()
            waiting += [link.replace("&amp;", "&").split("#")[0] for link in _LINK.findall(page)]


def _make_sorter(app: Flask) -> Callable[[str], object]:
    """Return a function that tells of which kind a page is; None where nothing is shown."""
    adapter = app.url_map.bind("news.example.com")

    def sort(path: str) -> object:
        parts = urlsplit(path)
        try:
            endpoint, _ = adapter.match(parts.path, method="GET")
        except HTTPException:
            return None
        return endpoint, tuple(sorted(key for key, _ in parse_qsl(parts.query)))

    return sort
