"""Update the rows that an import's batch corrects, in a few statements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import Table, bindparam, update
from sqlalchemy.orm import Session

from newsletter.models import Subscriber, Subscription

_subscribers = cast(Table, Subscriber.__table__)
_subscriptions = cast(Table, Subscription.__table__)


def update_subscribers(session: Session, corrected: Mapping[int, dict[str, Any]]) -> None:
    """Update names and languages of subscribers, by id."""
    for names in (["name"], ["language"], ["language", "name"]):
        rows = [
            {"row": id_, **{f"new_{name}": values[name] for name in names}}
            for id_, values in sorted(corrected.items())
            if sorted(values) == names
        ]
        statement = update(_subscribers).where(_subscribers.c.id == bindparam("row"))
        if rows:
            new: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
            session.connection().execute(statement.values(**new), rows)


def update_subscriptions(session: Session, changed: Mapping[int, dict[str, Any]]) -> None:
    """Update changed columns of subscriptions, by id.

    `seq` is where its list stands now: one that becomes active is owed what comes from now on.
    """
    statement = update(_subscriptions).where(_subscriptions.c.id == bindparam("row"))
    for id_, changes in sorted(changed.items()):
        values = dict(changes)
        seq = values.pop("seq", 0)
        cursor = {"cursor": seq, "joined_seq": seq} if values.get("status") == "active" else {}
        session.connection().execute(statement.values(**values, **cursor), {"row": id_})
