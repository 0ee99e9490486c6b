"""Create the tables of what mail servers and mailboxes told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from newsletter.migrations.initial.parts import BIG_INTEGER, create_index


def create_tables() -> None:
    _create_sender_states()
    _create_domain_backoffs()
    _create_seen_dkim_keys()
    _create_bounce_receivers()
    _create_seen_mails()
    _create_mailboxes()


def _create_sender_states() -> None:
    op.create_table(
        "sender_states",
        sa.Column("cause", sa.String(length=20), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rate", sa.Float(), nullable=True),
        sa.Column("why", sa.String(length=500), nullable=False),
        sa.Column("server", sa.String(length=300), server_default="", nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("cause", name=op.f("pk_sender_states")),
    )


def _create_domain_backoffs() -> None:
    op.create_table(
        "domain_backoffs",
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("why", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_domain_backoffs")),
    )


def _create_seen_dkim_keys() -> None:
    op.create_table(
        "seen_dkim_keys",
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("selector", sa.String(length=63), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("domain", "selector", name=op.f("pk_seen_dkim_keys")),
    )


def _create_bounce_receivers() -> None:
    op.create_table(
        "bounce_receivers",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("ran_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.String(length=300), server_default="", nullable=False),
        sa.Column("claim", sa.String(length=40), server_default="", nullable=False),
        sa.Column(
            "claimed_until",
            BIG_INTEGER,
            server_default="0",
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_bounce_receivers")),
    )


def _create_seen_mails() -> None:
    op.create_table(
        "seen_mails",
        sa.Column("mailbox", sa.String(length=80), nullable=False),
        sa.Column("uid", sa.String(length=80), nullable=False),
        sa.Column("ours", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("mailbox", "uid", name=op.f("pk_seen_mails")),
    )


def _create_mailboxes() -> None:
    op.create_table(
        "mailboxes",
        sa.Column("mailbox_hash", sa.String(length=64), nullable=False),
        sa.Column("unanswered", sa.Integer(), server_default="0", nullable=False),
        sa.Column("mails", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("mailbox_hash", name=op.f("pk_mailboxes")),
    )
    create_index("mailboxes", "last_at")
