"""Create the tables of statistics and of answers given with one tap."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from newsletter.migrations.initial.parts import BIG_INTEGER, allow_only, create_index, refer

FIGURES = (
    "asked, asked_page, confirmed, confirmed_page, joined, left, unconfirmed, reason, slower, "
    "faster, suppressed, deferred, viewed, fetched, feed_readers, cadence, language, "
    "never_mailed"
)
"""What is counted by day, as `statistics_vocabulary.Figure` names it."""


def create_tables() -> None:
    _create_figure_notes()
    _create_daily_figures()
    _create_campaign_figures()
    _create_tapped_answers()
    _create_tapped_totals()


def _create_figure_notes() -> None:
    op.create_table(
        "figure_notes",
        sa.Column("id", BIG_INTEGER, nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), server_default="0", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("figure", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=120), server_default="", nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        allow_only("figure_notes", "figure", FIGURES),
        refer("figure_notes", "list_id", "mailing_lists.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_figure_notes")),
        sqlite_autoincrement=True,
    )
    create_index("figure_notes", "list_id")


def _create_daily_figures() -> None:
    op.create_table(
        "daily_figures",
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("figure", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        allow_only("daily_figures", "figure", FIGURES),
        refer("daily_figures", "list_id", "mailing_lists.id"),
        sa.PrimaryKeyConstraint(
            "list_id", "campaign_id", "day", "figure", "name", name=op.f("pk_daily_figures")
        ),
    )


def _create_campaign_figures() -> None:
    op.create_table(
        "campaign_figures",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        refer("campaign_figures", "campaign_id", "campaigns.id"),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_campaign_figures")),
    )


def _create_tapped_answers() -> None:
    op.create_table(
        "tapped_answers",
        sa.Column("id", BIG_INTEGER, nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("question", sa.Integer(), nullable=False),
        sa.Column("choice", sa.Integer(), nullable=False),
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("forget_at", sa.DateTime(timezone=True), nullable=True),
        refer("tapped_answers", "campaign_id", "campaigns.id"),
        refer("tapped_answers", "subscription_id", "subscriptions.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tapped_answers")),
        sa.UniqueConstraint(
            "subscription_id",
            "campaign_id",
            "question",
            name=op.f("uq_tapped_answers_subscription_id_campaign_id_question"),
        ),
        sqlite_autoincrement=True,
    )
    create_index(
        "tapped_answers", "campaign_id", "question", "choice", name="ix_tapped_answers_choice"
    )
    create_index("tapped_answers", "forget_at")


def _create_tapped_totals() -> None:
    op.create_table(
        "tapped_totals",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("question", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("choice", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        refer("tapped_totals", "campaign_id", "campaigns.id"),
        sa.PrimaryKeyConstraint("campaign_id", "question", "choice", name=op.f("pk_tapped_totals")),
    )
