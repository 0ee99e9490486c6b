"""Create the tables of feeds and their entries."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from newsletter.migrations.initial.parts import (
    allow_only,
    create_index,
    refer,
)


def create_tables() -> None:
    _create_feeds()
    _create_hub_subscriptions()
    _create_topic_sources()
    _create_entries()


def _create_feeds() -> None:
    op.create_table(
        "feeds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("site_url", sa.String(length=2000), nullable=False),
        sa.Column("title", sa.String(length=500), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        *_make_polling_columns(),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        *_make_filter_columns(),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        allow_only("feeds", "status", "active, paused, gone"),
        refer("feeds", "list_id", "mailing_lists.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feeds")),
        sa.UniqueConstraint("list_id", "url", name=op.f("uq_feeds_list_id_url")),
        sqlite_autoincrement=True,
    )
    create_index("feeds", "next_poll_at")


def _make_polling_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("etag", sa.String(length=500), nullable=True),
        sa.Column("last_modified", sa.String(length=100), nullable=True),
        sa.Column("next_poll_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unconditional_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(length=500), nullable=False),
        sa.Column("moved_to", sa.String(length=2000), nullable=False),
        sa.Column("moved_seen", sa.Integer(), nullable=False),
        sa.Column("body_digest", sa.String(length=64), server_default="", nullable=False),
    ]


def _make_filter_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("leaves_out", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("only_categories", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("not_categories", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("not_title", sa.String(length=200), server_default="", nullable=False),
        sa.Column("page_pictures", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("entries_at_once", sa.Integer(), server_default="0", nullable=False),
    ]


def _create_hub_subscriptions() -> None:
    op.create_table(
        "hub_subscriptions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("handle", sa.String(length=20), nullable=False),
        sa.Column("hub", sa.String(length=2000), nullable=False),
        sa.Column("topic", sa.String(length=2000), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("ask_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pushed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        refer("hub_subscriptions", "feed_id", "feeds.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hub_subscriptions")),
        sa.UniqueConstraint("feed_id", name=op.f("uq_hub_subscriptions_feed_id")),
        sa.UniqueConstraint("handle", name=op.f("uq_hub_subscriptions_handle")),
        sqlite_autoincrement=True,
    )
    create_index("hub_subscriptions", "ask_at")


def _create_topic_sources() -> None:
    op.create_table(
        "topic_sources",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("topic_id", sa.Integer(), nullable=False),
        sa.Column("category", sa.String(length=100), nullable=True),
        sa.Column("feed_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(category IS NULL) <> (feed_id IS NULL)", name=op.f("ck_topic_sources_one_of_two")
        ),
        refer("topic_sources", "feed_id", "feeds.id"),
        refer("topic_sources", "topic_id", "topics.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_topic_sources")),
        sqlite_autoincrement=True,
    )
    create_index("topic_sources", "topic_id")


def _create_entries() -> None:
    op.create_table(
        "entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("identity", sa.String(length=500), nullable=False),
        *_make_content_columns(),
        *_make_fate_columns(),
        sa.Column("shown_in_id", sa.Integer(), nullable=True),
        sa.Column("own_title", sa.String(length=500), server_default="", nullable=False),
        sa.Column("own_excerpt", sa.Text(), server_default="", nullable=False),
        allow_only("entries", "fate", "new, held, ready, skipped, sent"),
        refer("entries", "feed_id", "feeds.id"),
        refer("entries", "list_id", "mailing_lists.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entries")),
        sa.UniqueConstraint("feed_id", "identity", name=op.f("uq_entries_feed_id_identity")),
        sqlite_autoincrement=True,
    )
    create_index("entries", "feed_id", "link_key")
    create_index("entries", "list_id", "seq")
    create_index("entries", "list_id", "fate")
    create_index("entries", "send_asked_at", where="send_asked_at IS NOT NULL")


def _make_content_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("link_key", sa.String(length=2000), nullable=False),
        sa.Column("link", sa.String(length=2000), nullable=False),
        sa.Column("title", sa.String(length=500), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("summary_html", sa.Text(), nullable=False),
        sa.Column("content_html", sa.Text(), nullable=False),
        sa.Column("image", sa.String(length=2000), nullable=False),
        sa.Column("image_alt", sa.String(length=500), nullable=False),
        sa.Column("categories", sa.JSON(), nullable=False),
        sa.Column("video_id", sa.String(length=40), nullable=False),
        sa.Column("audio", sa.String(length=2000), server_default="", nullable=False),
        sa.Column("audio_seconds", sa.Integer(), server_default="0", nullable=False),
    ]


def _make_fate_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("fate", sa.String(length=10), nullable=False),
        sa.Column("why", sa.String(length=300), nullable=False),
        sa.Column("send_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seq", sa.Integer(), nullable=True),
        sa.Column("first_seq", sa.Integer(), nullable=True),
        sa.Column("matures_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("by_hand", sa.Boolean(), server_default=sa.false(), nullable=False),
    ]
