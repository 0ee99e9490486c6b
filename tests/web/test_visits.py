"""Views of the archive and fetched files are counted without a trace of who it was."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter.db.session import db
from newsletter.models import Campaign, DailyFigure
from newsletter.services.figures import NAMES_A_DAY, Counted
from newsletter.services.runtime import EXTENSION
from newsletter.services.sightings import AT_MOST, Sightings, write_sightings
from newsletter.statistics_vocabulary import Figure
from newsletter.web.visits import is_robot
from tests.fakes import START
from tests.figures import fold_all
from tests.web.test_archive import sending

__all__ = ["sending"]
PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
ROBOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "facebookexternalhit/1.1",
    "curl/8.5.0",
    "python-requests/2.32",
    "",
)


def counted(app: Flask) -> dict[tuple[int, str, str], int]:
    with app.app_context():
        write_sightings(app.extensions[EXTENSION].sightings)
        fold_all()
        rows = db.session.scalars(select(DailyFigure)).all()
        return {(row.campaign_id, row.figure.value, row.name): row.count for row in rows}


def test_views_are_counted_by_campaign_and_robots_are_not(
    app: Flask, client: FlaskClient, sending: str
) -> None:
    with app.app_context():
        query = select(Campaign.id, Campaign.archive_name).where(Campaign.handle == sending)
        campaign_id, name = db.session.execute(query).one()
    path = f"/blog/archive/{name}"
    for agent in (PERSON, PERSON, *ROBOTS):
        answer = client.get(path, headers={"User-Agent": agent})
        assert answer.status_code == 200 and "Set-Cookie" not in answer.headers
    client.head(path, headers={"User-Agent": PERSON})
    client.get("/blog/archive/nothing", headers={"User-Agent": PERSON})
    client.get(f"/blog/archive/{sending}", headers={"User-Agent": PERSON})  # leads to the page
    for readers in (12, 14):
        agent = f"Feedly/1.0 (+http://feedly.com; {readers} subscribers; like FeedFetcher)"
        client.get("/blog/archive/feed.xml", headers={"User-Agent": agent})
    assert counted(app) == {
        (campaign_id, "viewed", ""): 2,
        (0, "viewed", ""): 2,
        (0, "feed_readers", "Feedly"): 14,
    }
    assert counted(app)[campaign_id, "viewed", ""] == 2, "nothing is written twice"


def test_fetchers_that_somebody_makes_up_stay_few(
    app: Flask, client: FlaskClient, sending: str
) -> None:
    """Anybody can name as many as they like, minute after minute."""
    for name in range(2 * NAMES_A_DAY + 20):
        agent = f"Fetcher{name}/1.0 ({name} subscribers)"
        client.get("/blog/archive/feed.xml", headers={"User-Agent": agent})
        if name == NAMES_A_DAY + 9:
            counted(app)
    names = [name for _, figure, name in counted(app) if figure == "feed_readers"]
    assert len(names) == NAMES_A_DAY
    assert "Fetcher0" in names


@pytest.mark.parametrize("agent", ROBOTS)
def test_a_robot_is_known_by_its_name(agent: str) -> None:
    assert is_robot(agent)
    assert not is_robot(PERSON)


def test_memory_is_bounded() -> None:
    sightings = Sightings()
    for number in range(AT_MOST + 50):
        sightings.count(Counted(1, Figure.VIEWED, START, campaign_id=number))
    sightings.count(Counted(1, Figure.VIEWED, START, campaign_id=0))
    rows = sightings.take()
    assert len(rows) == AT_MOST
    assert rows[0].count == 2
    assert sightings.take() == []
