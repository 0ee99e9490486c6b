"""Create every table."""

import secrets
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from newsletter.migrations.initial import (
    authors,
    campaigns,
    events,
    feeds,
    figures,
    installation,
    lists,
    outbox,
    servers,
    subscribers,
)

revision = "0001_initial"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    installation.create_tables()
    servers.create_tables()
    lists.create_tables()
    feeds.create_tables()
    subscribers.create_tables()
    campaigns.create_tables()
    outbox.create_tables()
    events.create_tables()
    authors.create_tables()
    figures.create_tables()
    _protect_append_only_tables()
    _leave_room_on_pages()
    _make_keys()


# --- Kept by hand: what Alembic cannot read from the models. ---

APPEND_ONLY = {
    "consent_events": (
        "id, subscription_id, kind, at, source, form, wording_hash, page, user_agent, message_id, "
        "note"
    ),
    "consent_texts": "hash, text, first_used_at",
    "events": (
        "id, at, kind, actor, reason, list_id, subscription_id, campaign_id, entry_id, "
        "consent_event_id"
    ),
}
"""Columns that no statement may change. `consent_events.ip` is cut to its network after a while."""


def _protect_append_only_tables() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    if not sqlite:
        op.execute(
            "CREATE FUNCTION refuse_update() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
        )
    for table, columns in APPEND_ONLY.items():
        action = (
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            if sqlite
            else "EXECUTE FUNCTION refuse_update()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OF {columns} ON {table} "
            f"FOR EACH ROW {action}"
        )


def _leave_room_on_pages() -> None:
    """Let PostgreSQL write an outcome beside its row, so that no index is touched."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE deliveries SET (fillfactor = 60)")


def _make_keys() -> None:
    """Make the random keys that an installation keeps as long as its database."""
    keys = sa.table("installation_keys", sa.column("name"), sa.column("value"))
    op.bulk_insert(keys, [{"name": "deliveries", "value": secrets.token_hex(32)}])
    lasting = sa.table(
        "lasting_keys",
        sa.column("key"),
        sa.column("created_at", sa.DateTime(timezone=True)),
    )
    op.bulk_insert(lasting, [{"key": secrets.token_hex(32), "created_at": datetime.now(UTC)}])


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
