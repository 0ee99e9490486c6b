"""The numbers of a list and of its campaigns come from totals, and are of that list alone."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import update

from newsletter.db.session import transaction
from newsletter.models import Campaign, Delivery
from newsletter.services import figures
from newsletter.services.figures import Counted
from newsletter.services.runtime import Environment
from newsletter.services.statistics import messages, read
from newsletter.services.statistics.day_spans import divide_days
from newsletter.services.statistics.types import Source
from newsletter.statistics_vocabulary import Figure
from tests.figures import fold_all
from tests.people import add_list, add_reader
from tests.services.sending.test_run import make_campaign


def count(*rows: Counted) -> None:
    with transaction() as session:
        figures.note(session, rows)
    fold_all()


def test_growth_is_counted_back_from_today(env: Environment) -> None:
    with transaction() as session:
        blog = add_list(session)
        other = add_list(session, "other")
        for number in range(4):
            add_reader(session, blog, f"{number}@example.com")
        add_reader(session, blog, "waits@example.com", status="pending")
        add_reader(session, other, "else@example.com")
        ids = blog.id, other.id
    yesterday = env.now - timedelta(days=1)
    count(
        Counted(ids[0], Figure.JOINED, yesterday, "confirmed", 3),
        Counted(ids[0], Figure.JOINED, env.now, "imported"),
        Counted(ids[0], Figure.LEFT, env.now, "link", 2),
        Counted(ids[0], Figure.LEFT, env.now - timedelta(days=50), "link", 9),
        Counted(ids[1], Figure.JOINED, env.now, "confirmed", 7),
    )
    blog_row, other_row = read.read_lists(env, ids)
    assert [row.active for row in blog_row.growth][-3:] == [2, 5, 4]
    assert (blog_row.joined, blog_row.left) == ((("confirmed", 3), ("imported", 1)), (("link", 2),))
    assert (blog_row.active, blog_row.pending, len(blog_row.growth)) == (4, 1, 30)
    assert (other_row.active, other_row.joined) == (1, (("confirmed", 7),))
    [longer] = read.read_lists(env, ids[:1], since=date(2000, 1, 1))
    assert longer.first == (env.now - timedelta(days=50)).date(), "the first day that was counted"
    assert dict(longer.left) == {"link": 11}


def test_sources_have_the_part_that_confirmed(env: Environment) -> None:
    with transaction() as session:
        list_id = add_list(session).id
        other_id = add_list(session, "other").id
    count(
        Counted(list_id, Figure.ASKED, env.now, "script", 8),
        Counted(list_id, Figure.CONFIRMED, env.now, "script", 6),
        Counted(list_id, Figure.CONFIRMED, env.now, "iframe", 1),
        Counted(other_id, Figure.ASKED, env.now, "script", 90),
        *(Counted(list_id, Figure.ASKED_PAGE, env.now, f"p{n:02}", 20 - n) for n in range(15)),
    )
    [row] = read.read_lists(env, [list_id])
    assert row.forms == (Source("script", 8, 6), Source("iframe", 0, 1))
    assert [source.rate for source in row.forms] == [0.75, None]
    assert len(row.pages) == 13
    assert row.pages[-1] == Source("…", 8 + 7 + 6, 0)


def settle(env: Environment, campaign_id: int) -> datetime:
    """Settle a campaign of ten recipients: six accepted, two of them late, and four refused."""
    started = env.now - timedelta(hours=1)
    with transaction() as session:
        first = session.get_one(Campaign, campaign_id).first_id
        campaign = update(Campaign).where(Campaign.id == campaign_id)
        session.execute(campaign.values(started_at=started, status="sent", finished_at=env.now))
        for number in range(10):
            late = number in (4, 5)
            row = update(Delivery).where(Delivery.id == first + number)
            session.execute(
                row.values(
                    status="sent" if number < 6 else "failed",
                    code=250 if number < 6 else 550,
                    attempts=int(late),
                    finished_at=started + timedelta(minutes=25 if late else 3),
                )
            )
    return started


@pytest.mark.parametrize("step", [3, 20_000])
def test_messages_are_counted_by_time_domain_and_code(
    env: Environment, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr(messages, "DELIVERIES_AT_ONCE", step)
    campaign_id = make_campaign(10, names="reader{}@big.example")
    started = settle(env, campaign_id)
    with transaction() as session:
        list_id = session.get_one(Campaign, campaign_id).list_id
    deferred_at = started + timedelta(minutes=3)
    name = figures.name_minutes(deferred_at)
    count(
        Counted(list_id, Figure.DEFERRED, deferred_at, name, 2, campaign_id),
        Counted(list_id, Figure.DEFERRED, deferred_at, name, 5, campaign_id + 1),
        Counted(list_id, Figure.LEFT, env.now, "link", 3, campaign_id),
        Counted(list_id, Figure.VIEWED, env.now, "", 4, campaign_id),
        Counted(list_id, Figure.VIEWED, env.now, "", 40, campaign_id + 1),
    )
    messages.count_due(env)
    numbers, reactions = read.read_messages(campaign_id)
    assert [(row.minute, row.accepted, row.deferred, row.refused) for row in numbers.minutes] == [
        (0, 4, 2, 4),
        (20, 2, 0, 0),
    ]
    assert [(row.domain, row.accepted, row.deferred, row.refused) for row in numbers.domains] == [
        ("big.example", 6, 2, 4)
    ]
    assert [(row.code, row.count) for row in numbers.codes] == [(550, 4)]
    assert (reactions.unsubscribed, reactions.views, numbers.deferred) == (3, 4, 2)


def test_a_small_domain_is_not_told_apart(env: Environment) -> None:
    campaign_id = make_campaign(10, names="reader@small{}.example")
    settle(env, campaign_id)
    messages.count_messages(env, campaign_id)
    numbers, _ = read.read_messages(campaign_id)
    assert [(row.domain, row.accepted) for row in numbers.domains] == [(figures.OTHERS, 6)]


def test_a_finished_campaign_is_counted_no_more(env: Environment) -> None:
    campaign_id = make_campaign(2)
    finished = env.now - timedelta(days=1)
    with transaction() as session:
        session.execute(
            update(Campaign).values(status="sent", started_at=finished, finished_at=finished)
        )
    messages.count_due(env)
    counted_at = read.read_messages(campaign_id)[0].counted_at
    assert counted_at == env.now
    env.clock.forward(timedelta(hours=1))  # type: ignore[attr-defined]
    messages.count_due(env)
    assert read.read_messages(campaign_id)[0].counted_at == counted_at


@pytest.mark.parametrize(
    ("days", "columns", "longest"),
    [(1, 1, 1), (62, 62, 1), (63, 10, 7), (434, 63, 7), (800, 27, 31)],
)
def test_a_plot_has_room_for_its_columns(days: int, columns: int, longest: int) -> None:
    last = date(2026, 11, 29)
    spans = divide_days(last - timedelta(days=days - 1), last)
    lengths = [(span.last - span.first).days + 1 for span in spans]
    assert sum(lengths) == days
    assert (len(spans) <= columns + 1, max(lengths)) == (True, longest)
