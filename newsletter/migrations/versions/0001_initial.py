"""Create every table."""

import secrets
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0001_initial"
down_revision = None
branch_labels = None
depends_on = None

FIGURES = (
    "'asked', 'asked_page', 'confirmed', 'confirmed_page', 'joined', 'left', 'unconfirmed', 'reason', 'slower', 'faster', 'suppressed', 'deferred', 'viewed', 'fetched', 'feed_readers', 'cadence', 'language', 'never_mailed'"
)


def upgrade() -> None:
    _create_bounce_receivers()
    _create_consent_texts()
    _create_counters()
    _create_domain_backoffs()
    _create_installation()
    _create_installation_keys()
    _create_lasting_keys()
    _create_mailboxes()
    _create_mailing_lists()
    _create_pictures()
    _create_resources()
    _create_seen_dkim_keys()
    _create_seen_mails()
    _create_sender_states()
    _create_subscribers()
    _create_suppressions()
    _create_workers()
    _create_address_changes()
    _create_campaigns()
    _create_digest_intros()
    _create_feeds()
    _create_form_fields()
    _create_series_letters()
    _create_subscriber_tags()
    _create_subscriptions()
    _create_topics()
    _create_bounce_events()
    _create_consent_events()
    _create_deliveries()
    _create_folded_deliveries()
    _create_digest_periods()
    _create_digest_reviews()
    _create_editions()
    _create_hub_subscriptions()
    _create_entries()
    _create_leases()
    _create_retired_handles()
    _create_series_letters_sent()
    _create_subscription_requests()
    _create_topic_sources()
    _create_campaign_entries()
    _create_events()
    _create_authors()
    _create_author_lists()
    _create_author_logins()
    _create_author_sessions()
    _create_author_passkeys()
    _create_author_acts()
    _create_import_files()
    _create_forwarded_replies()
    _create_api_tokens()
    _create_webhooks()
    _create_idempotency_keys()
    _create_webhook_messages()
    _create_requested_tests()
    _create_figure_notes()
    _create_daily_figures()
    _create_campaign_figures()
    _create_tapped_answers()
    _create_tapped_totals()
    _protect_append_only_tables()
    _leave_room_on_pages()
    _make_keys()


def _create_bounce_receivers() -> None:
    op.create_table(
        "bounce_receivers",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("ran_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.String(length=300), server_default="", nullable=False),
        sa.Column("claim", sa.String(length=40), server_default="", nullable=False),
        sa.Column(
            "claimed_until",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            server_default="0",
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_bounce_receivers")),
    )


def _create_consent_texts() -> None:
    op.create_table(
        "consent_texts",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_consent_texts")),
    )


def _create_counters() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", "starts_at", name=op.f("pk_counters")),
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


def _create_installation() -> None:
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key_fingerprint", sa.String(length=32), server_default="", nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("held_because", sa.String(length=500), server_default="", nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_single_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )


def _create_installation_keys() -> None:
    op.create_table(
        "installation_keys",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_installation_keys")),
    )


def _create_lasting_keys() -> None:
    op.create_table(
        "lasting_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lasting_keys")),
        sa.UniqueConstraint("key", name=op.f("uq_lasting_keys_key")),
        sqlite_autoincrement=True,
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
    op.create_index(op.f("ix_mailboxes_last_at"), "mailboxes", ["last_at"], unique=False)


def _create_mailing_lists() -> None:
    op.create_table(
        "mailing_lists",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=60), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("site_url", sa.String(length=2000), nullable=False),
        sa.Column("from_name", sa.String(length=200), nullable=False),
        sa.Column("from_email", sa.String(length=254), nullable=False),
        sa.Column("reply_to", sa.String(length=254), nullable=False),
        sa.Column("postal_address", sa.String(length=500), nullable=False),
        sa.Column("language", sa.String(length=20), nullable=False),
        sa.Column("timezone", sa.String(length=60), nullable=False),
        sa.Column("cadences", sa.JSON(), nullable=False),
        sa.Column("default_cadence", sa.String(length=10), nullable=False),
        sa.Column("send_hour", sa.Integer(), nullable=False),
        sa.Column("send_weekday", sa.Integer(), nullable=False),
        sa.Column("send_monthday", sa.Integer(), nullable=False),
        sa.Column("schedule_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("grace_minutes", sa.Integer(), server_default="10", nullable=False),
        sa.Column("theme_color", sa.String(length=7), nullable=False),
        sa.Column("theme_font", sa.String(length=20), server_default="", nullable=False),
        sa.Column("theme_radius", sa.Integer(), server_default="10", nullable=False),
        sa.Column("logo_url", sa.String(length=2000), nullable=False),
        sa.Column("digest_min_entries", sa.Integer(), server_default="1", nullable=False),
        sa.Column("digest_max_wait", sa.Integer(), server_default="14", nullable=False),
        sa.Column("digest_show", sa.String(length=10), server_default="auto", nullable=False),
        sa.Column("digest_order", sa.String(length=10), server_default="newest", nullable=False),
        sa.Column("digest_indexed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("digest_sections", sa.String(length=10), server_default="none", nullable=False),
        sa.Column("section_order", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("review_minutes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("review_instant", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("weekly_note", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("noted_week", sa.String(length=10), server_default="", nullable=False),
        sa.Column("review_waits", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("consent_text", sa.Text(), nullable=False),
        sa.Column("entry_seq", sa.Integer(), nullable=False),
        sa.Column("flood_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "default_cadence IN ('instant', 'daily', 'weekly', 'monthly')",
            name=op.f("ck_mailing_lists_default_cadence"),
        ),
        sa.CheckConstraint(
            "digest_show IN ('auto', 'excerpt', 'full')", name=op.f("ck_mailing_lists_digest_show")
        ),
        sa.CheckConstraint(
            "digest_order IN ('newest', 'oldest')", name=op.f("ck_mailing_lists_digest_order")
        ),
        sa.CheckConstraint(
            "digest_sections IN ('none', 'feed', 'topic')",
            name=op.f("ck_mailing_lists_digest_sections"),
        ),
        sa.CheckConstraint("send_hour BETWEEN 0 AND 23", name=op.f("ck_mailing_lists_send_hour")),
        sa.CheckConstraint(
            "send_monthday BETWEEN 1 AND 31", name=op.f("ck_mailing_lists_send_monthday")
        ),
        sa.CheckConstraint(
            "send_weekday BETWEEN 0 AND 6", name=op.f("ck_mailing_lists_send_weekday")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailing_lists")),
        sa.UniqueConstraint("slug", name=op.f("uq_mailing_lists_slug")),
        sqlite_autoincrement=True,
    )


def _create_pictures() -> None:
    op.create_table(
        "pictures",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("media_type", sa.String(length=20), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pictures")),
    )


def _create_resources() -> None:
    op.create_table(
        "resources",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("filename", sa.String(length=200), nullable=False),
        sa.Column("content_type", sa.String(length=100), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resources")),
        sa.UniqueConstraint("name", name=op.f("uq_resources_name")),
    )


def _create_seen_dkim_keys() -> None:
    op.create_table(
        "seen_dkim_keys",
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("selector", sa.String(length=63), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("domain", "selector", name=op.f("pk_seen_dkim_keys")),
    )


def _create_seen_mails() -> None:
    op.create_table(
        "seen_mails",
        sa.Column("mailbox", sa.String(length=80), nullable=False),
        sa.Column("uid", sa.String(length=80), nullable=False),
        sa.Column("ours", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("mailbox", "uid", name=op.f("pk_seen_mails")),
    )


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


def _create_subscribers() -> None:
    op.create_table(
        "subscribers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("handle", sa.String(length=20), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("email_key", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("language", sa.String(length=20), nullable=False),
        sa.Column("new_email", sa.String(length=254), nullable=True),
        sa.Column("new_email_key", sa.String(length=254), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscribers")),
        sa.UniqueConstraint("email_key", name=op.f("uq_subscribers_email_key")),
        sa.UniqueConstraint("handle", name=op.f("uq_subscribers_handle")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_subscribers_name",
        "subscribers",
        ["name"],
        unique=False,
        postgresql_ops={"name": "varchar_pattern_ops"},
    )


def _create_suppressions() -> None:
    op.create_table(
        "suppressions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email_hash", sa.String(length=64), nullable=False),
        sa.Column("email_key", sa.String(length=254), nullable=True),
        sa.Column("reason", sa.String(length=12), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "reason IN ('complaint', 'bounce', 'manual', 'erased')",
            name=op.f("ck_suppressions_reason"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
        sa.UniqueConstraint("email_hash", name=op.f("uq_suppressions_email_hash")),
    )
    op.create_index("ix_suppressions_email_key", "suppressions", ["email_key"], unique=False)


def _create_workers() -> None:
    op.create_table(
        "workers",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("ticked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )
    op.create_index(op.f("ix_workers_ticked_at"), "workers", ["ticked_at"], unique=False)


def _create_address_changes() -> None:
    op.create_table(
        "address_changes",
        sa.Column("handle", sa.String(length=20), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("old_email", sa.String(length=254), nullable=False),
        sa.Column("old_email_key", sa.String(length=254), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["mailing_lists.id"],
            name=op.f("fk_address_changes_list_id_mailing_lists"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_address_changes_subscriber_id_subscribers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("handle", name=op.f("pk_address_changes")),
    )
    op.create_index(
        op.f("ix_address_changes_changed_at"), "address_changes", ["changed_at"], unique=False
    )
    op.create_index(
        op.f("ix_address_changes_subscriber_id"), "address_changes", ["subscriber_id"], unique=False
    )


def _create_campaigns() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("handle", sa.String(length=20), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=500), nullable=False),
        sa.Column("preheader", sa.String(length=500), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("file", sa.String(length=1000), server_default="", nullable=False),
        sa.Column("pictures", sa.JSON(), nullable=True),
        sa.Column("segment", sa.String(length=1000), server_default="", nullable=False),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column("filed_revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column("subject_b", sa.String(length=500), server_default="", nullable=False),
        sa.Column("share", sa.Integer(), server_default="0", nullable=False),
        sa.Column("questions", sa.JSON(), nullable=True),
        sa.Column("answers_named", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("picked", sa.String(length=1), server_default="", nullable=False),
        sa.Column("archive_name", sa.String(length=80), nullable=True),
        sa.Column("seed", sa.String(length=32), nullable=False),
        sa.Column("repeats", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("recipients", sa.Integer(), nullable=False),
        sa.Column("final_totals", sa.JSON(), nullable=True),
        sa.Column("folded", sa.String(length=8), server_default="nothing", nullable=False),
        sa.Column("folded_totals", sa.JSON(), nullable=True),
        sa.Column("erased", sa.Integer(), server_default="0", nullable=False),
        sa.Column("first_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "leased_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('digest', 'letter', 'permission')", name=op.f("ck_campaigns_kind")
        ),
        sa.CheckConstraint(
            "status IN ('draft', 'scheduled', 'sending', 'paused', 'sent', 'cancelled')",
            name=op.f("ck_campaigns_status"),
        ),
        sa.CheckConstraint(
            "folded IN ('nothing', 'sent', 'all')", name=op.f("ck_campaigns_folded")
        ),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["mailing_lists.id"],
            name=op.f("fk_campaigns_list_id_mailing_lists"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("handle", name=op.f("uq_campaigns_handle")),
        sa.UniqueConstraint(
            "list_id", "archive_name", name=op.f("uq_campaigns_list_id_archive_name")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_campaigns_list_id"), "campaigns", ["list_id"], unique=False)
    op.create_index(op.f("ix_campaigns_status"), "campaigns", ["status"], unique=False)


def _create_digest_intros() -> None:
    op.create_table(
        "digest_intros",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("cadence", sa.String(length=10), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["mailing_lists.id"],
            name=op.f("fk_digest_intros_list_id_mailing_lists"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_digest_intros")),
        sa.UniqueConstraint("list_id", "cadence", name=op.f("uq_digest_intros_list_id_cadence")),
        sqlite_autoincrement=True,
    )


def _create_feeds() -> None:
    op.create_table(
        "feeds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("site_url", sa.String(length=2000), nullable=False),
        sa.Column("title", sa.String(length=500), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
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
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leaves_out", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("only_categories", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("not_categories", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("not_title", sa.String(length=200), server_default="", nullable=False),
        sa.Column("page_pictures", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("entries_at_once", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('active', 'paused', 'gone')", name=op.f("ck_feeds_status")),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["mailing_lists.id"],
            name=op.f("fk_feeds_list_id_mailing_lists"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feeds")),
        sa.UniqueConstraint("list_id", "url", name=op.f("uq_feeds_list_id_url")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_feeds_next_poll_at"), "feeds", ["next_poll_at"], unique=False)


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
        sa.CheckConstraint(
            "kind IN ('text', 'choice', 'checkbox', 'consent')", name=op.f("ck_form_fields_kind")
        ),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["mailing_lists.id"],
            name=op.f("fk_form_fields_list_id_mailing_lists"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_form_fields")),
        sa.UniqueConstraint("list_id", "name", name=op.f("uq_form_fields_list_id_name")),
    )


def _create_series_letters() -> None:
    op.create_table(
        "series_letters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("after_seconds", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=500), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("file", sa.String(length=1000), nullable=False),
        sa.Column("pictures", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["mailing_lists.id"],
            name=op.f("fk_series_letters_list_id_mailing_lists"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series_letters")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_series_letters_list_id"), "series_letters", ["list_id"], unique=False)


def _create_subscriber_tags() -> None:
    op.create_table(
        "subscriber_tags",
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("tag", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_subscriber_tags_subscriber_id_subscribers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "tag", name=op.f("pk_subscriber_tags")),
    )
    op.create_index("ix_subscriber_tags_tag", "subscriber_tags", ["tag"], unique=False)


def _create_subscriptions() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("handle", sa.String(length=20), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("cadence", sa.String(length=10), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.Integer(), nullable=False),
        sa.Column("joined_seq", sa.Integer(), server_default="0", nullable=False),
        sa.Column("topics", sa.String(length=500), server_default="", nullable=False),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmation_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answers", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unsubscribed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("series_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("series_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "cadence IN ('instant', 'daily', 'weekly', 'monthly')",
            name=op.f("ck_subscriptions_cadence"),
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'active', 'unsubscribed')", name=op.f("ck_subscriptions_status")
        ),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["mailing_lists.id"],
            name=op.f("fk_subscriptions_list_id_mailing_lists"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_subscriptions_subscriber_id_subscribers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("handle", name=op.f("uq_subscriptions_handle")),
        sa.UniqueConstraint(
            "list_id", "subscriber_id", name=op.f("uq_subscriptions_list_id_subscriber_id")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_subscriptions_cadence_cursor",
        "subscriptions",
        ["list_id", "status", "cadence", "cursor"],
        unique=False,
    )
    op.create_index(
        "ix_subscriptions_series_due_at",
        "subscriptions",
        ["series_due_at"],
        unique=False,
        postgresql_where=sa.text("series_due_at IS NOT NULL"),
        sqlite_where=sa.text("series_due_at IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_subscriptions_subscriber_id"), "subscriptions", ["subscriber_id"], unique=False
    )


def _create_topics() -> None:
    op.create_table(
        "topics",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["mailing_lists.id"],
            name=op.f("fk_topics_list_id_mailing_lists"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_topics")),
        sa.UniqueConstraint("list_id", "name", name=op.f("uq_topics_list_id_name")),
        sqlite_autoincrement=True,
    )


def _create_bounce_events() -> None:
    op.create_table(
        "bounce_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("bounce_class", sa.String(length=12), nullable=False),
        sa.Column("proof", sa.String(length=12), nullable=False),
        sa.Column("effect", sa.String(length=12), nullable=False),
        sa.Column("recipient", sa.String(length=320), server_default="", nullable=False),
        sa.Column("status", sa.String(length=20), server_default="", nullable=False),
        sa.Column("reason", sa.String(length=300), server_default="", nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=True),
        sa.Column("subscription_id", sa.Integer(), nullable=True),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column(
            "delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "bounce_class IN ('hard', 'soft', 'policy', 'content', 'sender', 'complaint', 'unsubscribe', 'reply', 'auto-reply', 'ignore')",
            name=op.f("ck_bounce_events_bounce_class"),
        ),
        sa.CheckConstraint(
            "effect IN ('suppressed', 'unsubscribed', 'proposed', 'counted', 'noted', 'advisory', 'unknown')",
            name=op.f("ck_bounce_events_effect"),
        ),
        sa.CheckConstraint(
            "proof IN ('smtp', 'verp', 'envid', 'token', 'hook', 'message-id', 'address', 'none')",
            name=op.f("ck_bounce_events_proof"),
        ),
        sa.CheckConstraint(
            "source IN ('smtp', 'pipe', 'mailbox', 'listener', 'ses', 'postmark', 'sendgrid', 'mailgun', 'brevo', 'mailjet', 'resend')",
            name=op.f("ck_bounce_events_source"),
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name=op.f("fk_bounce_events_campaign_id_campaigns"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_bounce_events_subscriber_id_subscribers"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_bounce_events_subscription_id_subscriptions"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bounce_events")),
        sa.UniqueConstraint("key", name=op.f("uq_bounce_events_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_bounce_events_at"), "bounce_events", ["at"], unique=False)
    op.create_index(
        op.f("ix_bounce_events_campaign_id"), "bounce_events", ["campaign_id"], unique=False
    )
    op.create_index(
        op.f("ix_bounce_events_subscriber_id"), "bounce_events", ["subscriber_id"], unique=False
    )
    op.create_index(
        op.f("ix_bounce_events_subscription_id"), "bounce_events", ["subscription_id"], unique=False
    )


def _create_consent_events() -> None:
    op.create_table(
        "consent_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("form", sa.String(length=40), server_default="", nullable=False),
        sa.Column("wording_hash", sa.String(length=64), nullable=True),
        sa.Column("page", sa.String(length=500), nullable=False),
        sa.Column("ip", sa.String(length=50), nullable=False),
        sa.Column("user_agent", sa.String(length=300), nullable=False),
        sa.Column("message_id", sa.String(length=300), server_default="", nullable=False),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.CheckConstraint(
            "kind IN ('requested', 'agreed', 'asked', 'confirmed', 'reaffirmed', 'lapsed', 'unsubscribed', 'resubscribed', 'changed', 'moved', 'added', 'imported', 'reason', 'released')",
            name=op.f("ck_consent_events_kind"),
        ),
        sa.CheckConstraint(
            "source IN ('form', 'json', 'link', 'one-click', 'preferences', 'mail', 'author', 'import', 'confirmation', 'permission', 'restore')",
            name=op.f("ck_consent_events_source"),
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_consent_events_subscription_id_subscriptions"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["wording_hash"],
            ["consent_texts.hash"],
            name=op.f("fk_consent_events_wording_hash_consent_texts"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_consent_events_subscription_id"),
        "consent_events",
        ["subscription_id"],
        unique=False,
    )


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscription_id", sa.Integer(), nullable=True),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("mail", sa.String(length=16), nullable=False),
        sa.Column("cursor", sa.Integer(), server_default="0", nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("doubts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lost_replies", sa.Integer(), server_default="0", nullable=False),
        sa.Column("crashes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("context", sa.JSON(), nullable=True),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("text", sa.String(length=500), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "mail IN ('confirm', 'already', 'welcome', 'goodbye', 'link', 'story', 'export', 'erase', 'resource', 'address', 'moved', 'notice', 'digest', 'letter', 'permission', 'series', 'log_in', 'passkey', 'browser', 'review', 'weekly')",
            name=op.f("ck_deliveries_mail"),
        ),
        sa.CheckConstraint(
            "status IN ('queued', 'sent', 'failed', 'cancelled', 'in_doubt')",
            name=op.f("ck_deliveries_status"),
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name=op.f("fk_deliveries_campaign_id_campaigns"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_deliveries_subscription_id_subscriptions"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "subscription_id", "campaign_id", name=op.f("uq_deliveries_subscription_id_campaign_id")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_deliveries_due_at",
        "deliveries",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
        sqlite_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_deliveries_held",
        "deliveries",
        ["id"],
        unique=False,
        postgresql_where=sa.text(
            "mail IN ('confirm', 'address') AND due_at IS NULL AND status = 'queued'"
        ),
        sqlite_where=sa.text(
            "mail IN ('confirm', 'address') AND due_at IS NULL AND status = 'queued'"
        ),
    )
    passing = (
        "campaign_id IS NULL AND mail IN ('notice', 'series', 'log_in', 'passkey', 'browser', 'weekly', 'review')"
        " AND finished_at IS NOT NULL"
    )
    op.create_index(
        "ix_deliveries_passing",
        "deliveries",
        ["finished_at"],
        unique=False,
        postgresql_where=sa.text(passing),
        sqlite_where=sa.text(passing),
    )
    op.create_index(
        "ix_deliveries_lease_id",
        "deliveries",
        ["lease_id"],
        unique=False,
        postgresql_where=sa.text("lease_id IS NOT NULL"),
        sqlite_where=sa.text("lease_id IS NOT NULL"),
    )


def _create_folded_deliveries() -> None:
    op.create_table(
        "folded_deliveries",
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        sa.Column("block", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("campaigns", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "status IN ('queued', 'sent', 'failed', 'cancelled', 'in_doubt')",
            name=op.f("ck_folded_deliveries_status"),
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_folded_deliveries_subscription_id_subscriptions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "subscription_id", "block", "cursor", "status", name=op.f("pk_folded_deliveries")
        ),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 50},
    )


def _create_digest_periods() -> None:
    op.create_table(
        "digest_periods",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("cadence", sa.String(length=10), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("why", sa.String(length=300), nullable=False),
        sa.Column("composed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name=op.f("fk_digest_periods_campaign_id_campaigns"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["mailing_lists.id"],
            name=op.f("fk_digest_periods_list_id_mailing_lists"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_digest_periods")),
        sa.UniqueConstraint(
            "list_id", "cadence", "key", name=op.f("uq_digest_periods_list_id_cadence_key")
        ),
        sqlite_autoincrement=True,
    )


def _create_digest_reviews() -> None:
    op.create_table(
        "digest_reviews",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("handle", sa.String(length=20), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("cadence", sa.String(length=10), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("go_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("entries", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("left_out", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("through", sa.Integer(), server_default="0", nullable=False),
        sa.Column("recipients", sa.Integer(), server_default="0", nullable=False),
        sa.Column("mails", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("waits", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["mailing_lists.id"],
            name=op.f("fk_digest_reviews_list_id_mailing_lists"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_digest_reviews")),
        sa.UniqueConstraint("handle", name=op.f("uq_digest_reviews_handle")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_digest_reviews_open",
        "digest_reviews",
        ["list_id", "cadence"],
        unique=True,
        postgresql_where=sa.text("settled_at IS NULL"),
        sqlite_where=sa.text("settled_at IS NULL"),
    )
    op.create_index(
        op.f("ix_digest_reviews_list_id"), "digest_reviews", ["list_id"], unique=False
    )


def _create_editions() -> None:
    op.create_table(
        "editions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(length=20), server_default="", nullable=False),
        sa.Column("entries", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("subject", sa.String(length=500), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name=op.f("fk_editions_campaign_id_campaigns"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_editions")),
        sa.UniqueConstraint(
            "campaign_id",
            "cursor",
            "language",
            name=op.f("uq_editions_campaign_id_cursor_language"),
        ),
        sqlite_autoincrement=True,
    )


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
        sa.ForeignKeyConstraint(
            ["feed_id"],
            ["feeds.id"],
            name=op.f("fk_hub_subscriptions_feed_id_feeds"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hub_subscriptions")),
        sa.UniqueConstraint("feed_id", name=op.f("uq_hub_subscriptions_feed_id")),
        sa.UniqueConstraint("handle", name=op.f("uq_hub_subscriptions_handle")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_hub_subscriptions_ask_at"), "hub_subscriptions", ["ask_at"], unique=False
    )


def _create_entries() -> None:
    op.create_table(
        "entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("identity", sa.String(length=500), nullable=False),
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
        sa.Column("fate", sa.String(length=10), nullable=False),
        sa.Column("why", sa.String(length=300), nullable=False),
        sa.Column("send_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seq", sa.Integer(), nullable=True),
        sa.Column("first_seq", sa.Integer(), nullable=True),
        sa.Column("matures_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("by_hand", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("shown_in_id", sa.Integer(), nullable=True),
        sa.Column("own_title", sa.String(length=500), server_default="", nullable=False),
        sa.Column("own_excerpt", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "fate IN ('new', 'held', 'ready', 'skipped', 'sent')", name=op.f("ck_entries_fate")
        ),
        sa.ForeignKeyConstraint(
            ["feed_id"], ["feeds.id"], name=op.f("fk_entries_feed_id_feeds"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["mailing_lists.id"],
            name=op.f("fk_entries_list_id_mailing_lists"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entries")),
        sa.UniqueConstraint("feed_id", "identity", name=op.f("uq_entries_feed_id_identity")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_entries_feed_id_link_key", "entries", ["feed_id", "link_key"], unique=False)
    op.create_index("ix_entries_list_id_seq", "entries", ["list_id", "seq"], unique=False)
    op.create_index("ix_entries_list_id_fate", "entries", ["list_id", "fate"], unique=False)
    op.create_index(
        "ix_entries_send_asked_at",
        "entries",
        ["send_asked_at"],
        unique=False,
        postgresql_where=sa.text("send_asked_at IS NOT NULL"),
        sqlite_where=sa.text("send_asked_at IS NOT NULL"),
    )


def _create_leases() -> None:
    op.create_table(
        "leases",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("first_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "through_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("alone", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("worker", sa.String(length=200), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name=op.f("fk_leases_campaign_id_campaigns"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leases")),
        sqlite_autoincrement=True,
    )


def _create_retired_handles() -> None:
    op.create_table(
        "retired_handles",
        sa.Column("handle", sa.String(length=20), nullable=False),
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_retired_handles_subscription_id_subscriptions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("handle", name=op.f("pk_retired_handles")),
    )
    op.create_index(
        op.f("ix_retired_handles_subscription_id"),
        "retired_handles",
        ["subscription_id"],
        unique=False,
    )


def _create_series_letters_sent() -> None:
    op.create_table(
        "series_letters_sent",
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        sa.Column("step_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["step_id"],
            ["series_letters.id"],
            name=op.f("fk_series_letters_sent_step_id_series_letters"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_series_letters_sent_subscription_id_subscriptions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscription_id", "step_id", name=op.f("pk_series_letters_sent")),
    )


def _create_subscription_requests() -> None:
    op.create_table(
        "subscription_requests",
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("cadence", sa.String(length=10), nullable=False),
        sa.Column("topics", sa.String(length=500), server_default="", nullable=False),
        sa.Column("name", sa.String(length=200), server_default="", nullable=False),
        sa.Column("language", sa.String(length=20), server_default="", nullable=False),
        sa.Column("answers", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("agreed", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("wording_hash", sa.String(length=64), nullable=True),
        sa.Column(
            "delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("message_id", sa.String(length=300), server_default="", nullable=False),
        sa.Column("network", sa.String(length=50), server_default="", nullable=False),
        sa.Column("proven", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_subscription_requests_subscription_id_subscriptions"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["wording_hash"],
            ["consent_texts.hash"],
            name=op.f("fk_subscription_requests_wording_hash_consent_texts"),
        ),
        sa.PrimaryKeyConstraint("subscription_id", "number", name=op.f("pk_subscription_requests")),
    )
    op.create_index(
        op.f("ix_subscription_requests_created_at"),
        "subscription_requests",
        ["created_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_subscription_requests_delivery_id"),
        "subscription_requests",
        ["delivery_id"],
        unique=False,
    )


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
        sa.ForeignKeyConstraint(
            ["feed_id"],
            ["feeds.id"],
            name=op.f("fk_topic_sources_feed_id_feeds"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["topic_id"],
            ["topics.id"],
            name=op.f("fk_topic_sources_topic_id_topics"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_topic_sources")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_topic_sources_topic_id"), "topic_sources", ["topic_id"], unique=False)


def _create_campaign_entries() -> None:
    op.create_table(
        "campaign_entries",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name=op.f("fk_campaign_entries_campaign_id_campaigns"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["entries.id"],
            name=op.f("fk_campaign_entries_entry_id_entries"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("campaign_id", "entry_id", name=op.f("pk_campaign_entries")),
    )


def _create_forwarded_replies() -> None:
    op.create_table(
        "forwarded_replies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column(
            "delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("writer", sa.String(length=320), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("mailbox", sa.String(length=80), server_default="", nullable=False),
        sa.Column("uid", sa.String(length=80), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["bounce_events.id"],
            name=op.f("fk_forwarded_replies_event_id_bounce_events"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_forwarded_replies_subscriber_id_subscribers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forwarded_replies")),
        sa.UniqueConstraint("event_id", name=op.f("uq_forwarded_replies_event_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("forwarded_replies", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_forwarded_replies_subscriber_id"), ["subscriber_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_forwarded_replies_mailbox"), ["mailbox"], unique=False)


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("subscription_id", sa.Integer(), nullable=True),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("entry_id", sa.Integer(), nullable=True),
        sa.Column("consent_event_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "actor IN ('subscriber', 'author', 'import', 'bounce', 'system')",
            name=op.f("ck_events_actor"),
        ),
        sa.CheckConstraint(
            "kind IN ('subscription.requested', 'subscription.confirmed', 'subscription.changed', 'subscription.ended', 'campaign.scheduled', 'campaign.unscheduled', 'campaign.started', 'campaign.paused', 'campaign.resumed', 'campaign.cancelled', 'campaign.finished', 'entry.found', 'entry.held', 'entry.ready', 'entry.skipped', 'entry.sent', 'delivery.failed', 'delivery.bounced', 'delivery.complained', 'import.finished')",
            name=op.f("ck_events_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name=op.f("fk_events_campaign_id_campaigns"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["consent_event_id"],
            ["consent_events.id"],
            name=op.f("fk_events_consent_event_id_consent_events"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["entries.id"],
            name=op.f("fk_events_entry_id_entries"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["mailing_lists.id"],
            name=op.f("fk_events_list_id_mailing_lists"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_events_subscription_id_subscriptions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_events_at"), "events", ["at"], unique=False)
    op.create_index("ix_events_campaign_id", "events", ["campaign_id"], unique=False)
    op.create_index("ix_events_entry_id", "events", ["entry_id"], unique=False)
    op.create_index(op.f("ix_events_list_id"), "events", ["list_id"], unique=False)
    op.create_index("ix_events_subscription_id", "events", ["subscription_id"], unique=False)


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
        sa.CheckConstraint("role IN ('viewer', 'editor', 'owner')", name=op.f("ck_authors_role")),
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
        sa.ForeignKeyConstraint(
            ["author_id"],
            ["authors.id"],
            name=op.f("fk_author_lists_author_id_authors"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["mailing_lists.id"],
            name=op.f("fk_author_lists_list_id_mailing_lists"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("author_id", "list_id", name=op.f("pk_author_lists")),
    )
    op.create_index(op.f("ix_author_lists_list_id"), "author_lists", ["list_id"], unique=False)


def _create_author_logins() -> None:
    op.create_table(
        "author_logins",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("handle", sa.String(length=20), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("browser", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=300), server_default="", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["author_id"],
            ["authors.id"],
            name=op.f("fk_author_logins_author_id_authors"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_author_logins")),
        sa.UniqueConstraint("handle", name=op.f("uq_author_logins_handle")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_author_logins_author_id"), "author_logins", ["author_id"], unique=False)
    op.create_index(op.f("ix_author_logins_browser"), "author_logins", ["browser"], unique=False)
    op.create_index(
        op.f("ix_author_logins_expires_at"), "author_logins", ["expires_at"], unique=False
    )


def _create_author_sessions() -> None:
    op.create_table(
        "author_sessions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"],
            ["authors.id"],
            name=op.f("fk_author_sessions_author_id_authors"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_author_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_author_sessions_token_hash")),
        sqlite_autoincrement=True,
    )
    for column in ("author_id", "expires_at", "previous_hash"):
        name = op.f(f"ix_author_sessions_{column}")
        op.create_index(name, "author_sessions", [column], unique=False)


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
        sa.ForeignKeyConstraint(
            ["author_id"],
            ["authors.id"],
            name=op.f("fk_author_passkeys_author_id_authors"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_author_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_author_passkeys_credential_id")),
        sqlite_autoincrement=True,
    )
    name = op.f("ix_author_passkeys_author_id")
    op.create_index(name, "author_passkeys", ["author_id"], unique=False)


def _create_author_acts() -> None:
    op.create_table(
        "author_acts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("act", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=80), server_default="", nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('begun', 'done', 'refused')", name=op.f("ck_author_acts_outcome")
        ),
        sa.ForeignKeyConstraint(
            ["author_id"],
            ["authors.id"],
            name=op.f("fk_author_acts_author_id_authors"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_author_acts")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_author_acts_at"), "author_acts", ["at"], unique=False)
    op.create_index(op.f("ix_author_acts_author_id"), "author_acts", ["author_id"], unique=False)


def _create_import_files() -> None:
    op.create_table(
        "import_files",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("handle", sa.String(length=20), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(length=120), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("slug", sa.String(length=60), nullable=False),
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.Column("because", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('uploaded', 'checked', 'approved', 'done', 'refused', 'discarded')",
            name=op.f("ck_import_files_state"),
        ),
        sa.ForeignKeyConstraint(
            ["author_id"],
            ["authors.id"],
            name=op.f("fk_import_files_author_id_authors"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_files")),
        sa.UniqueConstraint("handle", name=op.f("uq_import_files_handle")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_import_files_author_id"), "import_files", ["author_id"], unique=False)


def _create_api_tokens() -> None:
    op.create_table('api_tokens',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=60), nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('scope', sa.String(length=10), nullable=False),
    sa.Column('list_ids', sa.JSON(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("scope IN ('read', 'write', 'send', 'publish')", name=op.f('ck_api_tokens_scope')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_tokens')),
    sa.UniqueConstraint('name', name=op.f('uq_api_tokens_name')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_api_tokens_token_hash')),
    sqlite_autoincrement=True
    )


def _create_webhooks() -> None:
    op.create_table('webhooks',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('url', sa.String(length=2000), nullable=False),
    sa.Column('secret', sa.String(length=60), nullable=False),
    sa.Column('events', sa.JSON(), nullable=False),
    sa.Column('list_ids', sa.JSON(), nullable=True),
    sa.Column('with_address', sa.Boolean(), nullable=False),
    sa.Column('failures', sa.Integer(), server_default='0', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('paused_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('paused_because', sa.String(length=300), server_default='', nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhooks')),
    sqlite_autoincrement=True
    )


def _create_idempotency_keys() -> None:
    op.create_table('idempotency_keys',
    sa.Column('token_id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=255), nullable=False),
    sa.Column('request_hash', sa.String(length=64), nullable=False),
    sa.Column('status', sa.Integer(), nullable=True),
    sa.Column('headers', sa.JSON(), nullable=True),
    sa.Column('body', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['token_id'], ['api_tokens.id'], name=op.f('fk_idempotency_keys_token_id_api_tokens'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('token_id', 'key', name=op.f('pk_idempotency_keys'))
    )
    op.create_index(op.f('ix_idempotency_keys_created_at'), 'idempotency_keys', ['created_at'], unique=False)


def _create_webhook_messages() -> None:
    op.create_table('webhook_messages',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('webhook_id', sa.Integer(), nullable=False),
    sa.Column('handle', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('subject', sa.String(length=40), nullable=False),
    sa.Column('subscriber_id', sa.Integer(), nullable=True),
    sa.Column('payload', sa.Text(), nullable=False),
    sa.Column('status', sa.String(length=10), nullable=False),
    sa.Column('attempts', sa.Integer(), server_default='0', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('held_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('first_tried_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('code', sa.Integer(), nullable=True),
    sa.Column('text', sa.String(length=300), server_default='', nullable=False),
    sa.CheckConstraint("status IN ('queued', 'sent')", name=op.f('ck_webhook_messages_status')),
    sa.ForeignKeyConstraint(['webhook_id'], ['webhooks.id'], name=op.f('fk_webhook_messages_webhook_id_webhooks'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhook_messages')),
    sqlite_autoincrement=True
    )
    op.create_index(op.f('ix_webhook_messages_created_at'), 'webhook_messages', ['created_at'], unique=False)
    op.create_index('ix_webhook_messages_queued', 'webhook_messages', ['webhook_id', 'subject', 'id'], unique=False, postgresql_where=sa.text("status = 'queued'"), sqlite_where=sa.text("status = 'queued'"))
    op.create_index(op.f('ix_webhook_messages_webhook_id'), 'webhook_messages', ['webhook_id'], unique=False)


def _create_requested_tests() -> None:
    op.create_table('requested_tests',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('campaign_id', sa.Integer(), nullable=False),
    sa.Column('email', sa.String(length=254), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaigns.id'], name=op.f('fk_requested_tests_campaign_id_campaigns'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_requested_tests')),
    sqlite_autoincrement=True
    )


def _create_figure_notes() -> None:
    op.create_table(
        "figure_notes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), server_default="0", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("figure", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=120), server_default="", nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            f"figure IN ({FIGURES})",
            name=op.f("ck_figure_notes_figure"),
        ),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["mailing_lists.id"],
            name=op.f("fk_figure_notes_list_id_mailing_lists"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_figure_notes")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_figure_notes_list_id"), "figure_notes", ["list_id"], unique=False)


def _create_daily_figures() -> None:
    op.create_table(
        "daily_figures",
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("figure", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            f"figure IN ({FIGURES})",
            name=op.f("ck_daily_figures_figure"),
        ),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["mailing_lists.id"],
            name=op.f("fk_daily_figures_list_id_mailing_lists"),
            ondelete="CASCADE",
        ),
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
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name=op.f("fk_campaign_figures_campaign_id_campaigns"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_campaign_figures")),
    )


def _create_tapped_answers() -> None:
    op.create_table(
        "tapped_answers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("question", sa.Integer(), nullable=False),
        sa.Column("choice", sa.Integer(), nullable=False),
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("forget_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name=op.f("fk_tapped_answers_campaign_id_campaigns"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_tapped_answers_subscription_id_subscriptions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tapped_answers")),
        sa.UniqueConstraint(
            "subscription_id",
            "campaign_id",
            "question",
            name=op.f("uq_tapped_answers_subscription_id_campaign_id_question"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_tapped_answers_choice",
        "tapped_answers",
        ["campaign_id", "question", "choice"],
        unique=False,
    )
    op.create_index(
        op.f("ix_tapped_answers_forget_at"), "tapped_answers", ["forget_at"], unique=False
    )


def _create_tapped_totals() -> None:
    op.create_table(
        "tapped_totals",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("question", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("choice", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name=op.f("fk_tapped_totals_campaign_id_campaigns"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "campaign_id", "question", "choice", name=op.f("pk_tapped_totals")
        ),
    )


# --- Kept by hand: what Alembic cannot read from the models. ---

APPEND_ONLY = {
    "consent_events": (
        "id, subscription_id, kind, at, source, form, wording_hash, page, user_agent, message_id, note"
    ),
    "consent_texts": "hash, text, first_used_at",
    "events": (
        "id, at, kind, actor, reason, list_id, subscription_id, campaign_id, entry_id, consent_event_id"
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
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OF {columns} ON {table} FOR EACH ROW {action}"
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
