"""A dry run of an import says exactly what the import comes to, whatever the rows repeat."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from newsletter.db.session import transaction
from newsletter.models import Subscriber, Suppression
from newsletter.services import suppressions
from newsletter.services.lists import topics
from newsletter.services.runtime import Environment
from newsletter.services.subscribers import admin, privacy
from newsletter.services.transfer import import_subscribers
from newsletter.services.transfer.import_subscribers import import_file
from tests.people import add_list

FILES = int(os.environ.get("DRY_RUN_FILES", "40"))
ADDRESSES = ("a@example.com", "A@Example.com", "b@example.com", "left@example.com", "no address")
ADDRESSES += ("never@example.com", "erased@example.com", "known@example.com")
COLUMNS = {
    "email": st.sampled_from(ADDRESSES),
    "list": st.sampled_from(["blog", "talks", "nowhere", ""]),
    "status": st.sampled_from(
        ["active", "pending", "unsubscribed", "bounced", "complained", "odd", "", "suppressed"]
    ),
    "name": st.sampled_from(["", "Ann", "x" * 300, "Zoë\u202e"]),
    "language": st.sampled_from(["", "de", "fr-CA", "xx"]),
    "cadence": st.sampled_from(["", "weekly", "monthly", "hourly"]),
    "tags": st.sampled_from(["", "berlin", "Berlin; yoga", "y" * 300]),
    "confirmed_at": st.sampled_from(["", "2021-02-04", "2021-02-04T10:00:00+02:00", "never"]),
    "unsubscribed_at": st.sampled_from(["", "2022-01-01"]),
    "topics": st.sampled_from(["", "Yoga", "None such"]),
}
files = st.sets(st.sampled_from(sorted(set(COLUMNS) - {"email"})), min_size=1).flatmap(
    lambda names: st.lists(
        st.fixed_dictionaries({"email": COLUMNS["email"], **{n: COLUMNS[n] for n in names}}),
        min_size=1,
        max_size=9,
    )
)


@pytest.fixture
def lists(env: Environment) -> Environment:
    with transaction() as session:
        add_list(session)
        add_list(session, "talks")
    topics.add("blog", "Yoga")
    return env


@settings(max_examples=FILES, suppress_health_check=list(HealthCheck), deadline=None)
@given(files, st.sampled_from(["", "a card"]), st.sampled_from([None, "blog"]))
def test_a_dry_run_gives_the_sums_of_the_import(
    lists: Environment,
    tmp_path: Path,
    rows: list[dict[str, str]],
    because: str,
    slug: str | None,
) -> None:
    """Batches of two rows: a later one knows what earlier ones would have changed."""
    forget_everybody()
    meet(lists)
    file = tmp_path / "people.csv"
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    file.write_text(out.getvalue(), encoding="utf-8")
    slug = None if "list" in rows[0] else slug or "blog"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_subscribers, "BATCH", 2)
        planned = import_file(lists, file, slug=slug, because=because, dry_run=True)
        again = import_file(lists, file, slug=slug, because=because, dry_run=True)
        done = import_file(lists, file, slug=slug, because=because)
    assert asdict(planned) == asdict(again), "it changed nothing"
    assert asdict(planned) == asdict(done)


def forget_everybody() -> None:
    with transaction() as session:
        session.execute(delete(Subscriber))
        session.execute(delete(Suppression))


def meet(env: Environment) -> None:
    """Let the database know somebody already: active, gone, suppressed and erased."""
    for name in ("known", "left", "erased"):
        added = admin.Addition(f"{name}@example.com", "blog", name="Known", because="asked")
        admin.add_subscriber(env, added)
    admin.unsubscribe(env, "left@example.com", "blog")
    suppressions.suppress(env, "never@example.com")
    privacy.erase_address(env, "erased@example.com")
