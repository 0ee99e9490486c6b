"""The rows of files of this program, by what is known here of their addresses already."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter.db.session import db, reading, transaction
from newsletter.import_formats.own_columns import OUR_COLUMNS
from newsletter.models import Event, MailingList, Subscriber, Subscription, Suppression
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import hash_address
from newsletter.services.transfer.hash_keys import fingerprint_keys
from newsletter.services.transfer.import_report import ImportResult
from newsletter.services.transfer.import_subscribers import FOREIGN_HASH, import_file
from newsletter.vocabulary import EventKind
from tests.fakes import START
from tests.people import add_list, add_reader

KEY = "ann@example.com"
HASH = "f" * 64
SINCE = "2026-01-02T03:04:05+00:00"


@pytest.fixture(autouse=True)
def lists(env: Environment) -> None:
    """Add two lists, with a subscriber of one whom no file names."""
    with transaction() as session:
        add_list(session, "other")
        add_reader(session, add_list(session), "bob@example.com")


def load(env: Environment, folder: Path, *rows: dict[str, str], **options: object) -> ImportResult:
    file = folder / "ours.csv"
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, OUR_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return import_file(env, file, **options)  # type: ignore[arg-type]


def read_standing() -> tuple[list[str], list[tuple[str | None, str]]]:
    """Return the subscriptions of the address, and what is suppressed."""
    db.session.rollback()
    query = (
        select(Subscription.status, MailingList.slug)
        .join(Subscription.subscriber)
        .join(Subscription.mailing_list)
        .where(Subscriber.email_key == KEY)
    )
    standing = [f"{row.slug} {row.status}" for row in db.session.execute(query)]
    suppressed = [(row.email_key, row.reason) for row in db.session.scalars(select(Suppression))]
    return standing, suppressed


def suppress(env: Environment, *, erased: bool = False) -> None:
    with transaction() as session:
        session.add(
            Suppression(
                email_hash=hash_address(env, KEY)[0],
                email_key=None if erased else KEY,
                reason="erased" if erased else "manual",
                created_at=START,
            )
        )


@pytest.mark.parametrize(
    ("row", "new", "standing", "suppressed"),
    [
        ({"suppressed": "complaint"}, 1, [], [(KEY, "complaint")]),
        ({"suppressed": "complaint", "subscriber_since": SINCE}, 1, [], [(KEY, "complaint")]),
        ({"subscriber_since": SINCE}, 1, [], []),
        ({"list": "blog", "status": "active"}, 1, ["blog active"], []),
        (
            {"list": "blog", "status": "unsubscribed", "suppressed": "bounce"},
            1,
            ["blog unsubscribed"],
            [(KEY, "bounce")],
        ),
    ],
)
def test_a_row_is_stored_once(
    env: Environment,
    tmp_path: Path,
    row: dict[str, str],
    new: int,
    standing: list[str],
    suppressed: list[tuple[str, str]],
) -> None:
    done = load(env, tmp_path, {"email": KEY} | row)
    assert (done.new, done.rejected) == (new, 0)
    assert read_standing() == (standing, suppressed)
    assert (done.suppressed, done.active) == (
        int(bool(suppressed)),
        int(standing == ["blog active"]),
    )
    assert done.unsubscribed == int(not suppressed and not standing)
    stored = db.session.scalars(select(Subscriber.email_key)).all()
    is_subscriber = bool(standing) or "subscriber_since" in row
    assert sorted(stored) == [KEY, "bob@example.com"][not is_subscriber :]
    again = load(env, tmp_path, {"email": KEY} | row)
    assert (again.new, again.duplicate) == (0, 1)
    assert read_standing() == (standing, suppressed)


@pytest.mark.parametrize("erased", [False, True])
@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize("own_word", ["", "bounce"])
def test_an_address_that_is_suppressed_here_comes_with_its_own_record_alone(
    env: Environment, tmp_path: Path, erased: bool, is_known: bool, own_word: str
) -> None:
    suppress(env, erased=erased)
    if is_known:
        with transaction() as session:
            blog = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
            add_reader(session, blog, KEY, status="pending")
    row = {"email": KEY, "list": "blog", "status": "active", "suppressed": own_word}
    done = load(env, tmp_path, row)
    is_record = bool(own_word) and not is_known and not erased
    assert (done.new, done.duplicate) == (int(is_record), int(not is_record))
    assert done.suppressed == 1
    standing, suppressed = read_standing()
    before = ["blog pending"] if is_known else []
    assert standing == (["blog active"] if is_record else before)
    assert suppressed == [(None, "erased") if erased else (KEY, "manual")]


@pytest.mark.parametrize("is_ours", [False, True])
def test_a_hash_that_cannot_be_recognised_here_is_said(
    env: Environment, tmp_path: Path, is_ours: bool
) -> None:
    with reading() as session:
        keys = " ".join(fingerprint_keys(session)) if is_ours else "abc"
    row = {"suppressed": "erased", "suppressed_hash": HASH, "suppressed_key": keys}
    done = load(env, tmp_path, row)
    assert (done.new, done.suppressed) == (1, 1)
    assert bool(done.problems) is not is_ours
    assert all(str(FOREIGN_HASH) in problem for problem in done.problems)
    again = load(env, tmp_path, row, {"email": "", "list": "blog", "status": "active"})
    assert (again.duplicate, again.rejected) == (1, 1)


@pytest.mark.parametrize(
    ("row", "is_stored"),
    [
        ({"suppressed": "complaint"}, True),
        ({"list": "blog", "status": "active"}, False),
    ],
)
def test_an_address_of_a_function_is_suppressed_and_joins_no_list(
    env: Environment, tmp_path: Path, row: dict[str, str], is_stored: bool
) -> None:
    done = load(env, tmp_path, {"email": "abuse@example.com"} | row)
    assert (done.new, done.rejected) == (int(is_stored), int(not is_stored))
    assert [key for key, _ in read_standing()[1]] == ["abuse@example.com"] * is_stored


def test_topics_are_missed_where_a_subscription_is_new(env: Environment, tmp_path: Path) -> None:
    row = {"email": KEY, "list": "blog", "status": "active", "topics": "Tea"}
    assert len(load(env, tmp_path, row).problems) == 1
    assert load(env, tmp_path, row).problems == []


def test_the_end_of_an_import_is_told_to_the_lists_of_its_rows(
    env: Environment, tmp_path: Path
) -> None:
    load(env, tmp_path, {"email": KEY, "list": "blog", "status": "active"})
    db.session.rollback()
    finished = select(MailingList.slug).join(Event, Event.list_id == MailingList.id)
    kinds = db.session.scalars(finished.where(Event.kind == EventKind.IMPORT_FINISHED))
    assert list(kinds) == ["blog"]
