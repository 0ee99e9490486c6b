"""Create the tables of authors, their log-ins and the files they upload."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from newsletter.migrations.initial.parts import BIG_INTEGER, allow_only, create_index, refer


def create_tables() -> None:
    _create_authors()
    _create_author_lists()
    _create_author_logins()
    _create_author_sessions()
    _create_author_passkeys()
    _create_author_acts()
    _create_import_files()


def _create_authors() -> None:
    op.create_table(
        "authors",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("handle", sa.String(length=20), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("email_key", sa.String(length=320), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("limited", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        allow_only("authors", "role", "viewer, editor, owner"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authors")),
        sa.UniqueConstraint("email_key", name=op.f("uq_authors_email_key")),
        sa.UniqueConstraint("handle", name=op.f("uq_authors_handle")),
        sqlite_autoincrement=True,
    )


def _create_author_lists() -> None:
    op.create_table(
        "author_lists",
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        refer("author_lists", "author_id", "authors.id"),
        refer("author_lists", "list_id", "mailing_lists.id"),
        sa.PrimaryKeyConstraint("author_id", "list_id", name=op.f("pk_author_lists")),
    )
    create_index("author_lists", "list_id")


def _create_author_logins() -> None:
    op.create_table(
        "author_logins",
        sa.Column("id", BIG_INTEGER, nullable=False),
        sa.Column("handle", sa.String(length=20), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("browser", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=300), server_default="", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        refer("author_logins", "author_id", "authors.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_author_logins")),
        sa.UniqueConstraint("handle", name=op.f("uq_author_logins_handle")),
        sqlite_autoincrement=True,
    )
    create_index("author_logins", "author_id")
    create_index("author_logins", "browser")
    create_index("author_logins", "expires_at")


def _create_author_sessions() -> None:
    op.create_table(
        "author_sessions",
        sa.Column("id", BIG_INTEGER, nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        refer("author_sessions", "author_id", "authors.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_author_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_author_sessions_token_hash")),
        sqlite_autoincrement=True,
    )
    for column in ("author_id", "expires_at", "previous_hash"):
        create_index("author_sessions", column)


def _create_author_passkeys() -> None:
    op.create_table(
        "author_passkeys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("credential_id", sa.String(length=1400), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        refer("author_passkeys", "author_id", "authors.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_author_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_author_passkeys_credential_id")),
        sqlite_autoincrement=True,
    )
    create_index("author_passkeys", "author_id")


def _create_author_acts() -> None:
    op.create_table(
        "author_acts",
        sa.Column("id", BIG_INTEGER, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("act", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=80), server_default="", nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        allow_only("author_acts", "outcome", "begun, done, refused"),
        refer("author_acts", "author_id", "authors.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_author_acts")),
        sqlite_autoincrement=True,
    )
    create_index("author_acts", "at")
    create_index("author_acts", "author_id")


def _create_import_files() -> None:
    op.create_table(
        "import_files",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("handle", sa.String(length=20), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(length=120), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("slug", sa.String(length=60), nullable=False),
        *_make_import_columns(),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        allow_only(
            "import_files", "state", "uploaded, checked, approved, done, refused, discarded"
        ),
        refer("import_files", "author_id", "authors.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_files")),
        sa.UniqueConstraint("handle", name=op.f("uq_import_files_handle")),
        sqlite_autoincrement=True,
    )
    create_index("import_files", "author_id")


def _make_import_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.Column("because", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
    ]
