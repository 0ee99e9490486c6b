"""Create the tables of mailing lists: their forms, topics and the introductions of digests."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from newsletter.migrations.initial.parts import allow_only, refer


def create_tables() -> None:
    _create_mailing_lists()
    _create_form_fields()
    _create_digest_intros()
    _create_topics()


def _create_mailing_lists() -> None:
    op.create_table(
        "mailing_lists",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=60), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("site_url", sa.String(length=2000), nullable=False),
        *_make_sender_columns(),
        sa.Column("language", sa.String(length=20), nullable=False),
        sa.Column("timezone", sa.String(length=60), nullable=False),
        *_make_schedule_columns(),
        *_make_theme_columns(),
        *_make_digest_columns(),
        *_make_review_columns(),
        sa.Column("consent_text", sa.Text(), nullable=False),
        sa.Column("entry_seq", sa.Integer(), nullable=False),
        sa.Column("flood_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *_make_list_checks(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailing_lists")),
        sa.UniqueConstraint("slug", name=op.f("uq_mailing_lists_slug")),
        sqlite_autoincrement=True,
    )


def _make_sender_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("from_name", sa.String(length=200), nullable=False),
        sa.Column("from_email", sa.String(length=254), nullable=False),
        sa.Column("reply_to", sa.String(length=254), nullable=False),
        sa.Column("postal_address", sa.String(length=500), nullable=False),
    ]


def _make_schedule_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("cadences", sa.JSON(), nullable=False),
        sa.Column("default_cadence", sa.String(length=10), nullable=False),
        sa.Column("send_hour", sa.Integer(), nullable=False),
        sa.Column("send_weekday", sa.Integer(), nullable=False),
        sa.Column("send_monthday", sa.Integer(), nullable=False),
        sa.Column("schedule_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("grace_minutes", sa.Integer(), server_default="10", nullable=False),
    ]


def _make_theme_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("theme_color", sa.String(length=7), nullable=False),
        sa.Column("theme_font", sa.String(length=20), server_default="", nullable=False),
        sa.Column("theme_radius", sa.Integer(), server_default="10", nullable=False),
        sa.Column("logo_url", sa.String(length=2000), nullable=False),
    ]


def _make_digest_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("digest_min_entries", sa.Integer(), server_default="1", nullable=False),
        sa.Column("digest_max_wait", sa.Integer(), server_default="14", nullable=False),
        sa.Column("digest_show", sa.String(length=10), server_default="auto", nullable=False),
        sa.Column("digest_order", sa.String(length=10), server_default="newest", nullable=False),
        sa.Column("digest_indexed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("digest_sections", sa.String(length=10), server_default="none", nullable=False),
        sa.Column("section_order", sa.JSON(), server_default="[]", nullable=False),
    ]


def _make_review_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("review_minutes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("review_instant", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("weekly_note", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("noted_week", sa.String(length=10), server_default="", nullable=False),
        sa.Column("review_waits", sa.Boolean(), server_default=sa.false(), nullable=False),
    ]


def _make_list_checks() -> list[sa.CheckConstraint]:
    return [
        allow_only("mailing_lists", "default_cadence", "instant, daily, weekly, monthly"),
        allow_only("mailing_lists", "digest_show", "auto, excerpt, full"),
        allow_only("mailing_lists", "digest_order", "newest, oldest"),
        allow_only("mailing_lists", "digest_sections", "none, feed, topic"),
        sa.CheckConstraint("send_hour BETWEEN 0 AND 23", name=op.f("ck_mailing_lists_send_hour")),
        sa.CheckConstraint(
            "send_monthday BETWEEN 1 AND 31", name=op.f("ck_mailing_lists_send_monthday")
        ),
        sa.CheckConstraint(
            "send_weekday BETWEEN 0 AND 6", name=op.f("ck_mailing_lists_send_weekday")
        ),
    ]


def _create_form_fields() -> None:
    op.create_table(
        "form_fields",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        allow_only("form_fields", "kind", "text, choice, checkbox, consent"),
        refer("form_fields", "list_id", "mailing_lists.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_form_fields")),
        sa.UniqueConstraint("list_id", "name", name=op.f("uq_form_fields_list_id_name")),
    )


def _create_digest_intros() -> None:
    op.create_table(
        "digest_intros",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("cadence", sa.String(length=10), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        refer("digest_intros", "list_id", "mailing_lists.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_digest_intros")),
        sa.UniqueConstraint("list_id", "cadence", name=op.f("uq_digest_intros_list_id_cadence")),
        sqlite_autoincrement=True,
    )


def _create_topics() -> None:
    op.create_table(
        "topics",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        refer("topics", "list_id", "mailing_lists.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_topics")),
        sa.UniqueConstraint("list_id", "name", name=op.f("uq_topics_list_id_name")),
        sqlite_autoincrement=True,
    )
