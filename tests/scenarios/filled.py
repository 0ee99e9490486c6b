"""A database with 100,000 subscribers, filled by a few INSERT ... SELECT statements."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Connection, Table, create_engine, inspect, text

from newsletter.db.session import Base

SUBSCRIBERS = 100_000
"""Subscribers of the filled database: an accidental walk over them is seen in a plan."""
ON_THE_LIST = 80_000
"""Subscriptions of the list `blog`; the other subscribers are on `other`."""
FEW = 2_500
"""Recipients of the letter that a clean-up folds."""
START = "2026-10-01 08:00:00"
OLD = "2025-05-01 08:00:00"
LARGE = (
    "subscribers",
    "subscriptions",
    "deliveries",
    "folded_deliveries",
    "consent_events",
    "subscriber_tags",
)
"""The tables that grow with the number of subscribers."""

_NUMBERS = (
    "WITH RECURSIVE numbers(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE "
    "n < {last})"
)


def fill(url: str) -> None:
    """Fill an empty database that has the schema."""
    engine = create_engine(url)
    with engine.begin() as connection:
        _add_lists(connection)
        _add_feeds(connection)
        _add_people(connection)
        _add_mail(connection)
        _add_old_mail(connection)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "postgresql":
            for table in Base.metadata.sorted_tables:
                _set_sequence(connection, table)
            connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


def _add_people(connection: Connection) -> None:
    _repeat(
        connection,
        "subscribers",
        SUBSCRIBERS,
        id="n",
        handle="'s' || n",
        email="'reader' || n || '@example' || (n % 500) || '.org'",
        email_key="'reader' || n || '@example' || (n % 500) || '.org'",
        name="'Name'",
        language="CASE WHEN n % 10 = 0 THEN 'de' ELSE '' END",
        created_at=f"'{START}'",
    )
    _repeat(
        connection,
        "subscriptions",
        SUBSCRIBERS,
        id="n",
        handle="'p' || n",
        list_id=f"CASE WHEN n <= {ON_THE_LIST} THEN 1 ELSE 2 END",
        subscriber_id="n",
        status="CASE WHEN n % 20 = 0 THEN 'unsubscribed' WHEN n % 50 = 1 THEN 'pending' ELSE "
        "'active' END",
        cadence="CASE WHEN n % 3 = 0 THEN 'instant' ELSE 'weekly' END",
        round="1",
        cursor="200",
        joined_seq="0",
        created_at=f"'{START}'",
        confirmed_at=f"'{START}'",
    )
    _add_what_people_have(connection)


def _add_what_people_have(connection: Connection) -> None:
    """Add tags, suppressions and consent events."""
    _repeat(
        connection,
        "subscriber_tags",
        200,
        subscriber_id="n * 100 + 7",
        tag="'vip'",
    )
    _repeat(
        connection,
        "subscriber_tags",
        30_000,
        subscriber_id="n * 3",
        tag="'member'",
    )
    _repeat(
        connection,
        "suppressions",
        1_000,
        id="n",
        email_hash="'hash' || n",
        email_key="'reader' || (n * 61) || '@example' || ((n * 61) % 500) || '.org'",
        reason="'bounce'",
        note="''",
        created_at=f"'{START}'",
    )
    _repeat(
        connection,
        "consent_events",
        SUBSCRIBERS,
        id="n",
        subscription_id="n",
        kind="'confirmed'",
        source="'form'",
        at=f"'{START}'",
    )


def _add_lists(connection: Connection) -> None:
    _repeat(
        connection,
        "mailing_lists",
        2,
        id="n",
        slug="CASE n WHEN 1 THEN 'blog' ELSE 'other' END",
        title="'Slow Letters'",
        from_name="'Ana Coach'",
        from_email="'ana@news.example.com'",
        cadences="""'["instant", "daily", "weekly", "monthly"]'""",
        default_cadence="'weekly'",
        language="'en'",
        timezone="'UTC'",
        send_hour="8",
        send_monthday="1",
        entry_seq="200",
        schedule_since=f"'{START}'",
        created_at=f"'{START}'",
        digest_show="'auto'",
        digest_order="'newest'",
        digest_sections="'none'",
        postal_address="'1 Main Street'",
    )


def _add_feeds(connection: Connection) -> None:
    _repeat(
        connection,
        "feeds",
        2,
        id="n",
        list_id="n",
        url="'https://blog.example.com/feed/' || n",
        status="'active'",
        title="'Blog'",
        next_poll_at="'2027-01-01 08:00:00'",
        read_at=f"'{START}'",
        created_at=f"'{START}'",
    )
    _repeat(
        connection,
        "entries",
        200,
        id="n",
        feed_id="1",
        list_id="1",
        identity="'https://blog.example.com/' || n",
        link="'https://blog.example.com/' || n",
        link_key="'//blog.example.com/' || n",
        title="'Post ' || n",
        fate="'sent'",
        seq="n",
        categories="'[]'",
        found_at=f"'{START}'",
        published_at=f"'{START}'",
    )


def _add_mail(connection: Connection) -> None:
    """Write two letters that were mailed to the whole list."""
    _repeat(
        connection,
        "campaigns",
        2,
        id="n",
        handle="'c' || n",
        list_id="1",
        kind="'letter'",
        status="'sent'",
        subject="'Letter ' || n",
        recipients=str(ON_THE_LIST),
        first_id=f"(n - 1) * {ON_THE_LIST} + 1",
        last_id=f"n * {ON_THE_LIST}",
        leased_id=f"n * {ON_THE_LIST}",
        created_at=f"'{START}'",
        started_at=f"'{START}'",
        finished_at=f"'{START}'",
    )
    _repeat(
        connection,
        "deliveries",
        2 * ON_THE_LIST,
        id="n",
        campaign_id=f"(n - 1) / {ON_THE_LIST} + 1",
        subscription_id=f"(n - 1) % {ON_THE_LIST} + 1",
        mail="'letter'",
        cursor="0",
        status="CASE WHEN n % 1000 = 0 THEN 'failed' ELSE 'sent' END",
        created_at=f"'{START}'",
        finished_at=f"'{START}'",
    )


def _add_old_mail(connection: Connection) -> None:
    """Write a letter that is folded, and one that is old enough for it and went to few."""
    _repeat(
        connection,
        "campaigns",
        2,
        id="n + 2",
        handle="'old' || n",
        list_id="1",
        kind="'letter'",
        status="'sent'",
        subject="'Old letter ' || n",
        recipients=f"CASE n WHEN 1 THEN {ON_THE_LIST} ELSE {FEW} END",
        final_totals=f"""'{{"recipients": {FEW}, "sent": {FEW}}}'""",
        folded="CASE n WHEN 1 THEN 'all' ELSE 'nothing' END",
        first_id=f"CASE n WHEN 1 THEN 0 ELSE {2 * ON_THE_LIST + 1} END",
        last_id=f"CASE n WHEN 1 THEN 0 ELSE {2 * ON_THE_LIST + FEW} END",
        leased_id=f"CASE n WHEN 1 THEN 0 ELSE {2 * ON_THE_LIST + FEW} END",
        created_at=f"'{OLD}'",
        started_at=f"'{OLD}'",
        finished_at=f"'{OLD}'",
    )
    _repeat(
        connection,
        "folded_deliveries",
        ON_THE_LIST // 2,
        subscription_id="n * 2",
        block="0",
        cursor="0",
        status="'sent'",
        campaigns="8",
    )
    _repeat(
        connection,
        "deliveries",
        FEW,
        id=f"n + {2 * ON_THE_LIST}",
        campaign_id="4",
        subscription_id="n",
        mail="'letter'",
        cursor="0",
        status="'sent'",
        created_at=f"'{OLD}'",
        finished_at=f"'{OLD}'",
    )


def _repeat(connection: Connection, table_name: str, count: int, /, **expressions: str) -> None:
    """Insert `count` rows of SQL expressions over `n`; other columns get an empty value."""
    table = Base.metadata.tables[table_name]
    assert not set(expressions) - set(table.columns.keys()), table_name
    cells = {
        column.name: expressions.get(column.name) or _empty(column)
        for column in table.columns
        if column.name in expressions or (not column.nullable and column.server_default is None)
    }
    if connection.dialect.name == "postgresql":
        columns = inspect(connection).get_columns(table_name)
        types = {column["name"]: str(column["type"]) for column in columns}
        cells = {key: f"CAST({value} AS {types[key]})" for key, value in cells.items()}
    connection.execute(
        text(
            f"INSERT INTO {table_name} ({', '.join(cells)}) "
            + _NUMBERS.format(first=1, last=count)
            + f" SELECT {', '.join(cells.values())} FROM numbers"
        )
    )


def _empty(column: Column[Any]) -> str:
    kind = str(column.type).upper()
    if "CHAR" in kind or "TEXT" in kind or "ENUM" in kind:
        return "''"
    if "JSON" in kind:
        return "'{}'"
    if "BOOL" in kind:
        return "'0'"
    return "0"


def _set_sequence(connection: Connection, table: Table) -> None:
    keys = list(table.primary_key.columns)
    if len(keys) == 1 and "INT" in str(keys[0].type).upper():
        column = keys[0].name
        connection.execute(
            text(
                f"SELECT setval(pg_get_serial_sequence('{table.name}', '{column}'), "
                f"(SELECT COALESCE(MAX({column}), 0) + 1 FROM {table.name})) "
                f"WHERE pg_get_serial_sequence('{table.name}', '{column}') IS NOT NULL"
            )
        )
