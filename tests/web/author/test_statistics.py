"""The page of numbers: plots with a table behind each, of the author's own lists alone."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import select

from newsletter.db.session import transaction
from newsletter.models import CampaignFigures, MailingList
from newsletter.services import figures
from newsletter.services.figures import Counted, name_minutes
from newsletter.services.runtime import EXTENSION
from newsletter.statistics_vocabulary import Figure
from tests.figures import fold_all
from tests.web.author.conftest import Browse
from tests.web.author.test_pages import Blog, blog

__all__ = ["blog"]
SCRIPT = "<script>alert(1)</script>"


def count(app: Flask, campaign: int = 0) -> None:
    with app.app_context():
        env = app.extensions[EXTENSION]
        with transaction() as session:
            ids = dict(session.execute(select(MailingList.slug, MailingList.id)).all())
            figures.note(
                session,
                [
                    Counted(ids["blog"], Figure.JOINED, env.now, "confirmed", 7),
                    Counted(ids["blog"], Figure.LEFT, env.now, "one-click", 2),
                    Counted(ids["blog"], Figure.REASON, env.now, "often", 1),
                    Counted(ids["blog"], Figure.ASKED_PAGE, env.now, f"ana.example/{SCRIPT}", 4),
                    Counted(ids["talks"], Figure.JOINED, env.now, "confirmed", 4321),
                    Counted(ids["blog"], Figure.LEFT, env.now, "link", 3, campaign or 999),
                    Counted(
                        ids["blog"], Figure.DEFERRED, env.now, name_minutes(env.now), 5, campaign
                    ),
                ],
            )
        fold_all()


def test_numbers_are_plots_with_a_table(blog: Blog, browse: Browse) -> None:
    count(blog.app)
    owner = browse("owner")
    page = owner.get("/author/statistics").text
    assert page.count("<svg") >= 2 and 'class="joined"' in page and 'class="left"' in page
    assert "7 joined, 2 left." in page, "said in words for screen readers"
    assert "<details>" in page and SCRIPT not in page and "ana.example/&lt;script&gt;" in page
    assert "style=" not in page, "the policy allows no styles in a page"
    assert "4,321" not in page
    assert "4,321" in owner.get("/author/statistics?list=talks&days=all").text
    assert owner.get("/author/statistics?list=nowhere&days=x").status_code == 200


def test_an_author_sees_their_own_lists_alone(blog: Blog, browse: Browse) -> None:
    count(blog.app)
    page = browse("editor", "blog").get("/author/statistics?list=talks").text
    assert "4,321" not in page and "7 joined" in page


def test_a_campaign_has_its_first_hours(blog: Blog, browse: Browse) -> None:
    count(blog.app, blog.campaign)
    with blog.app.app_context(), transaction() as session:
        now = blog.env.now
        numbers = {
            "minutes": [[name_minutes(now), 40, 2]],
            "domains": [["big.example", 40, 5, 2]],
            "codes": [[550, 2]],
        }
        session.merge(CampaignFigures(campaign_id=blog.campaign, counted_at=now, figures=numbers))
    owner = browse("owner")
    page = owner.get(f"/author/campaigns/{blog.campaign}").text
    assert "40 accepted, 5 refused for now, 2 refused for good." in page
    assert 'class="deferred"' in page and "big.example" in page
    other = owner.get(f"/author/campaigns/{blog.other_campaign}").text
    assert "big.example" not in other
