"""Simulate two years of weekly mail to one list, and compare month 24 with month 15.

Messages are not sent: each week's rows are frozen by the program, given their outcomes by one
statement, and folded by the worker's clean-up when they are old enough.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import case, insert, literal, select, text, update

from bench import world
from newsletter import outbox
from newsletter.access_vocabulary import AuthorRole
from newsletter.app import create_app
from newsletter.db.session import checkpoint, db, reading, transaction
from newsletter.models import (
    Campaign,
    ConsentEvent,
    Delivery,
    Edition,
    FoldedDelivery,
    Subscriber,
    Subscription,
)
from newsletter.services.authors import authors, today
from newsletter.services.campaigns import browse, campaigns, explain_delivery, report, state
from newsletter.services.operations import cleanup, status
from newsletter.services.runtime import EXTENSION, Environment, utcnow
from newsletter.services.subscribers import admin, history
from newsletter.services.subscribers import browse as browse_subscribers
from newsletter.tokens import new_handle
from newsletter.vocabulary import Actor, CampaignKind, DeliveryStatus, MailKind, SubscriptionStatus

WEEK = timedelta(days=7)
WEEKS = {"month 15": 65, "month 24": 104}
LEAVE = 0.0025
"""So many of the list leave in a week, and as many come."""
FAILED = 200
"""One in so many messages fails."""
SINGLE = (MailKind.CONFIRM, *5 * [MailKind.SERIES])
"""Mails that each who comes gets, besides the weekly letter."""
ACCEPTED = "2.0.0 Ok: queued as 4bZ1Xq0Y2cz1k9"
TURNS = 15


class Years:
    """An installation whose clock goes from week to week."""

    def __init__(self, folder: Path, url: str, subscribers: int) -> None:
        self.now = utcnow()
        self.subscribers = subscribers
        self.weeks = 0
        self.folder = folder
        first = world.make_app(folder, url)
        self.app = create_app(first.extensions[EXTENSION].settings, clock=lambda: self.now)
        self.env: Environment = self.app.extensions[EXTENSION]
        self.campaign = 0
        with self.app.app_context():
            self.list_id = world.add_subscribers(subscribers)
            self.author = authors.add_author(self.env, "ana@example.com", role=AuthorRole.OWNER)
            db.session.remove()

    def pass_week(self) -> None:
        """Mail the list, let some leave and others come, and clean up."""
        with self.app.app_context():
            self._mail()
            self._change_subscribers()
            self.now += WEEK
            cleanup.clean_up(self.env)
            db.session.remove()
            if db.engine.dialect.name == "postgresql":
                self._vacuum()
        self.weeks += 1

    def _vacuum(self) -> None:
        """Do what autovacuum has a week for."""
        engine = db.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for table in (Delivery, FoldedDelivery, Subscription):
                connection.execute(text(f"VACUUM ANALYZE {table.__tablename__}"))

    def _mail(self) -> None:
        with transaction() as session:
            campaign = state.add_campaign(
                session,
                list_id=self.list_id,
                kind=CampaignKind.LETTER,
                now=self.now,
                subject=f"Letter of week {self.weeks}",
            )
            session.add(
                Edition(
                    campaign_id=campaign.id,
                    subject=campaign.subject,
                    text="A letter. " * 250,
                    html=world.SENTENCE * 200,
                )
            )
            state.start(session, campaign, self.now, Actor.AUTHOR)
            active = select(Subscription.id, literal(0)).where(
                Subscription.list_id == self.list_id,
                Subscription.status == SubscriptionStatus.ACTIVE,
            )
            outbox.freeze(session, campaign, active, mail=MailKind.LETTER, now=self.now)
            self.campaign = campaign.id
        with transaction() as session:
            campaign = session.get_one(Campaign, self.campaign)
            failed = Delivery.id % FAILED == 0
            session.execute(
                update(Delivery)
                .where(Delivery.id.between(campaign.first_id, campaign.last_id))
                .values(
                    status=case(
                        (failed, DeliveryStatus.FAILED.value), else_=DeliveryStatus.SENT.value
                    ),
                    code=case((failed, 550), else_=250),
                    text=case(
                        (failed, "5.1.1 no such user"),
                        else_=ACCEPTED,
                    ),
                    finished_at=self.now,
                ),
                execution_options={"synchronize_session": False},
            )
            campaign.leased_id = campaign.last_id
            state.finish(session, campaign, self.now)

    def _change_subscribers(self) -> None:
        count = max(1, round(self.subscribers * LEAVE))
        with transaction() as session:
            oldest = (
                select(Subscription.id)
                .where(Subscription.status == SubscriptionStatus.ACTIVE)
                .order_by(Subscription.id)
                .limit(count)
            )
            session.execute(
                update(Subscription)
                .where(Subscription.id.in_(oldest.scalar_subquery()))
                .values(status=SubscriptionStatus.UNSUBSCRIBED, unsubscribed_at=self.now),
                execution_options={"synchronize_session": False},
            )
            rows: list[dict[str, Any]] = []
            for number in range(count):
                email = f"w{self.weeks}n{number}@example.net"
                rows.append(
                    {
                        "handle": new_handle(),
                        "email": email,
                        "email_key": email,
                        "created_at": self.now,
                    }
                )
            ids = session.scalars(insert(Subscriber).returning(Subscriber.id), rows).all()
            subscriptions = session.scalars(
                insert(Subscription).returning(Subscription.id),
                [
                    {
                        "handle": new_handle(),
                        "list_id": self.list_id,
                        "subscriber_id": id_,
                        "status": SubscriptionStatus.ACTIVE,
                        "cadence": "weekly",
                        "created_at": self.now,
                        "confirmed_at": self.now,
                    }
                    for id_ in ids
                ],
            ).all()
            session.execute(
                insert(Delivery),
                [
                    {
                        "subscription_id": id_,
                        "mail": mail,
                        "status": DeliveryStatus.SENT,
                        "created_at": self.now,
                        "finished_at": self.now,
                        "code": 250,
                        "text": ACCEPTED,
                    }
                    for id_ in subscriptions
                    for mail in SINGLE
                ],
            )
            session.execute(
                insert(ConsentEvent),
                [
                    {"subscription_id": id_, "kind": "confirmed", "source": "form", "at": self.now}
                    for id_ in subscriptions
                ],
            )

    def measure(self) -> dict[str, float]:
        """Return the size in MB, the rows of deliveries and the milliseconds of each look."""
        with self.app.app_context():
            address = self._oldest_active()
            looks: dict[str, Callable[[], object]] = {
                "status": lambda: status.read_status(self.env),
                "explain, this week's letter": lambda: self._explain(self.campaign, address),
                "explain, the oldest letter": lambda: self._explain(1, address),
                "campaign report": lambda: report.report_campaign(self.env, self.campaign),
                "campaign ls, 20": lambda: campaigns.list_campaigns(limit=20),
                "history of a subscriber": lambda: history.get_history(self.env, address),
                "subscriber ls, 1,000": lambda: list(
                    islice(admin.iterate_subscribers(admin.SubscriberFilter(slug="slow")), 1_000)
                ),
                "author's page: today": lambda: today.read_today(self.env, self.author),
                "author's page: campaigns": lambda: browse.list_page(list(self.author.lists)),
                "author's page: search": lambda: browse_subscribers.search(
                    list(self.author.lists), "subscriber5", limited=False, after=""
                ),
            }
            figures = {"size, MB": self._measure_size() / 1e6}
            for name, look in looks.items():
                figures[name] = least_ms(look)
            db.session.remove()
        return figures

    def _explain(self, campaign_id: int, address: str) -> object:
        return explain_delivery.explain_delivery(self.env, campaign_id, address)

    def _oldest_active(self) -> str:
        with reading() as session:
            query = select(Subscriber.email).join(Subscription).order_by(Subscription.id.desc())
            newest = query.where(Subscriber.email.like("subscriber%")).limit(1)
            return session.scalars(newest).one()

    def _measure_size(self) -> int:
        if db.engine.dialect.name == "postgresql":
            with reading() as session:
                return int(session.scalar(text("SELECT pg_database_size(current_database())")) or 0)
        checkpoint()
        return sum(file.stat().st_size for file in self.folder.glob("newsletter.db*"))


def least_ms(look: Callable[[], object]) -> float:
    """Return the least of several turns, in milliseconds of this process's CPU."""
    times = []
    for _ in range(TURNS):
        began = time.process_time()
        look()
        db.session.rollback()
        times.append(time.process_time() - began)
    return min(times) * 1000


def simulate(subscribers: int, url: str = "") -> dict[str, dict[str, float]]:
    """Return the figures of both months."""
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        years = Years(folder, url or f"sqlite:///{folder}/newsletter.db", subscribers)
        for month, weeks in WEEKS.items():
            while years.weeks < weeks:
                years.pass_week()
            figures[month] = years.measure()
        with years.app.app_context():
            db.engine.dispose()
    return figures


def print_years(subscribers: int, url: str = "") -> None:
    """Print both months beside each other."""
    began: datetime = utcnow()
    figures = simulate(subscribers, url)
    first, last = figures.values()
    where = "PostgreSQL" if url else "SQLite"
    print(f"\n{subscribers:,} subscribers, a letter a week, {where}\n")
    print("| | month 15 | month 24 | |\n|---|---:|---:|---:|")
    for name, value in first.items():
        print(f"| {name} | {value:,.1f} | {last[name]:,.1f} | {last[name] / value:.2f} × |")
    print(f"\n{(utcnow() - began).total_seconds():.0f} s for 104 weeks")
