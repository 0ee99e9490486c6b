"""Importing and exporting subscribers, on both databases: who becomes what, and that doing it again
changes nothing.
"""

from __future__ import annotations

import csv
import io
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from newsletter.db.session import db, reading, transaction
from newsletter.errors import DatabaseError, Refused
from newsletter.models import (
    ConsentEvent,
    Delivery,
    MailingList,
    Subscriber,
    Subscription,
    Suppression,
)
from newsletter.services import suppressions, tags
from newsletter.services.consent import Evidence, note_consent
from newsletter.services.lists import lists, topics
from newsletter.services.lookup import get_list
from newsletter.services.operations import status
from newsletter.services.runtime import Environment
from newsletter.services.subscribers import admin as subscribers
from newsletter.services.subscribers import history, privacy
from newsletter.services.transfer import export_subscribers, import_subscribers
from newsletter.services.transfer.import_known import KnownSubscription
from newsletter.services.transfer.import_report import ImportResult
from newsletter.services.transfer.import_rules import decide
from newsletter.services.transfer.import_subscribers import import_file
from newsletter.vocabulary import EvidenceSource, SubscriptionStatus, SuppressionReason
from tests.fakes import START
from tests.people import add_list, add_reader
from tests.platforms import FILES

ACTIVE = SubscriptionStatus.ACTIVE
PENDING = SubscriptionStatus.PENDING
UNSUBSCRIBED = SubscriptionStatus.UNSUBSCRIBED


@pytest.fixture(autouse=True)
def blog(env: Environment) -> None:
    with transaction() as session:
        add_list(session)


def load(
    env: Environment, tmp_path: Path, content: str, name: str = "x.csv", **options: object
) -> ImportResult:
    (tmp_path / name).write_text(content)
    return import_file(env, tmp_path / name, **({"slug": "blog"} | options))  # type: ignore[arg-type]


def standing() -> dict[str, str]:
    db.session.rollback()
    query = select(Subscriber.email, Subscription.status).join(Subscription)
    return {str(row[0]): str(row[1]) for row in db.session.execute(query)}


def balanced(done: ImportResult) -> bool:
    return (
        done.rows == done.new + done.updated + done.duplicate + done.rejected
        and done.rows == done.active + done.inactive + done.rejected
        and done.inactive == done.pending + done.unsubscribed + done.suppressed
    )


BECOMES = {
    "yes": "active",
    "silent": "active",
    "pending": "pending",
    "unknown": "pending",
    "no": "unsubscribed",
    "bounced": "unsubscribed",
    "blocked": "unsubscribed",
    "complained": "unsubscribed",
}


@pytest.mark.parametrize(
    ("name", "content", "platform", "words"), FILES, ids=[file[0] for file in FILES]
)
def test_c01_c02_c06_every_platform_and_again(
    env: Environment, tmp_path: Path, name: str, content: str, platform: str, words: dict[str, str]
) -> None:
    planned = load(env, tmp_path, content, name, because="by hand", dry_run=True)
    assert standing() == {}
    done = load(env, tmp_path, content, name, because="by hand")
    assert asdict(planned) == asdict(done)
    assert (done.platform, done.new, balanced(done)) == (platform, len(words), True)
    assert standing() == {email: BECOMES[word] for email, word in words.items()}
    assert done.active == sum(BECOMES[word] == "active" for word in words.values())
    before = exporting_text()
    again = load(env, tmp_path, content, name, because="by hand")
    assert (again.new, again.updated, again.duplicate, again.active) == (
        0,
        0,
        len(words),
        done.active,
    )
    assert exporting_text() == before
    assert db.session.scalar(select(func.count(Delivery.id))) == 0


def exporting_text() -> str:
    out = io.StringIO()
    export_subscribers.export_to_text(out)
    return out.getvalue()


def test_c07_without_a_word_only_those_who_are_said_to_have_agreed_are_active(
    env: Environment, tmp_path: Path
) -> None:
    done = load(env, tmp_path, "email,subscribed_at\na@example.com,2021-02-04\nb@example.com,\n")
    assert standing() == {"a@example.com": "active", "b@example.com": "pending"}
    assert (done.silent, done.active, done.pending) == (1, 1, 1)
    later = load(env, tmp_path, "email\nb@example.com\n", because="asked her")
    assert (later.updated, standing()["b@example.com"]) == (1, "active")


def test_tags_come_along_beside_those_she_has(env: Environment, tmp_path: Path) -> None:
    content = 'email,tags\na@example.com,"Berlin; Yoga"\nb@example.com,\n'
    assert load(env, tmp_path, content, because="x").new == 2
    more = "email,tags\na@example.com,yoga|Vip\nA@example.com,vip\nb@example.com,\n"
    planned = load(env, tmp_path, more, because="x", dry_run=True)
    done = load(env, tmp_path, more, because="x")
    assert asdict(planned) == asdict(done)
    assert (done.updated, done.duplicate) == (1, 2)
    assert '"berlin, vip, yoga"' in exporting_text()
    assert load(env, tmp_path, more, because="x").duplicate == 3


def test_c03_who_is_suppressed_here_stays_so(env: Environment, tmp_path: Path) -> None:
    suppressions.suppress(env, "never@example.com")
    done = load(env, tmp_path, "email\nNever@example.com\n", because="x")
    assert (done.suppressed, done.duplicate, standing()) == (1, 1, {})
    assert balanced(done)


def test_who_bounced_or_complained_elsewhere_is_never_mailed_here(
    env: Environment, tmp_path: Path
) -> None:
    load(
        env,
        tmp_path,
        "email,status\na@example.com,cleaned\nb@example.com,complained\n"
        "c@example.com,unsubscribed\n",
    )
    assert {row.email: row.reason for row in suppressions.list_suppressions()} == {
        "a@example.com": "bounce",
        "b@example.com": "complaint",
    }


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_strictest_row_of_an_address_wins_in_any_order(
    env: Environment, tmp_path: Path, order: tuple[int, int]
) -> None:
    rows = ["A@example.com,subscribed", "a@EXAMPLE.com,unsubscribed"]
    done = load(
        env, tmp_path, "email,status\n" + "\n".join(rows[at] for at in order) + "\n", because="x"
    )
    assert standing() == {"A@example.com" if order[0] == 0 else "a@example.com": "unsubscribed"}
    assert (done.rows, done.new, balanced(done)) == (2, 1, True)


def test_a_persons_own_later_yes_stands_above_a_file(env: Environment, tmp_path: Path) -> None:
    with transaction() as session:
        from newsletter.services.lookup import get_list

        mine = get_list(session, "blog")
        reader = add_reader(session, mine, "own@example.com")
        note_consent(
            session,
            reader.id,
            "confirmed",
            Evidence(EvidenceSource.FORM),
            START - timedelta(days=30),
        )
        add_reader(session, mine, "theirs@example.com")
    load(
        env,
        tmp_path,
        "email,unsubscribed at\nown@example.com,2020-01-01\ntheirs@example.com,2020-01-01\n",
    )
    assert standing() == {"own@example.com": "active", "theirs@example.com": "unsubscribed"}
    load(env, tmp_path, "email,unsubscribed at\nown@example.com,2026-11-20\n")
    assert standing()["own@example.com"] == "unsubscribed"
    load(env, tmp_path, "email,status\nown@example.com,subscribed\n", because="x")
    assert standing()["own@example.com"] == "unsubscribed"


def test_whoever_asked_anew_after_leaving_must_confirm_it_herself() -> None:
    assert decide(KnownSubscription(PENDING, left=True), ACTIVE) is PENDING
    assert decide(KnownSubscription(PENDING), ACTIVE) is ACTIVE
    assert decide(KnownSubscription(ACTIVE), PENDING) is ACTIVE
    assert decide(KnownSubscription(ACTIVE), UNSUBSCRIBED) is UNSUBSCRIBED
    assert decide(KnownSubscription(ACTIVE), UNSUBSCRIBED, left_after_all=False) is ACTIVE


def test_evidence_goes_with_her(env: Environment, tmp_path: Path) -> None:
    load(env, tmp_path, FILES[0][1], "subscribed.csv", because="moved from Mailchimp")
    story = history.get_history(env, "a@example.com")
    assert "confirmed 2018-02-12 10:55 UTC" in story.events[0].what
    assert "moved from Mailchimp" in story.events[0].what
    event = db.session.scalars(select(ConsentEvent)).first()
    assert event is not None
    assert (event.kind, event.source, event.ip) == ("imported", "import", "1.2.3.5")
    row = db.session.scalars(select(Subscription)).first()
    assert row is not None
    assert row.confirmed_at is not None
    assert row.confirmed_at.year == 2018
    db.session.rollback()


def test_c05_totals_balance_over_many_batches(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_subscribers, "BATCH", 1000)
    rows = []
    for number in range(3500):
        rows.append("broken" if number % 1000 == 7 else f"r{number}@example.com")
    rows += [f"R{number}@Example.com" for number in range(0, 3500, 500)]
    progress: list[int] = []
    content = "email\n" + "\n".join(rows) + "\n"
    planned = load(env, tmp_path, content, because="x", dry_run=True)
    done = load(env, tmp_path, content, because="x", progress=lambda now: progress.append(now.rows))
    assert asdict(planned) == asdict(done)
    assert (done.rows, done.new, done.duplicate, done.rejected) == (3507, 3496, 7, 4)
    assert balanced(done)
    assert progress == [1000, 2000, 3000, 3507]
    assert len(standing()) == 3496


def test_c04_what_is_wrong_is_said_by_line(env: Environment, tmp_path: Path) -> None:
    rows = '"a@example.com\nnonsense,active\n,active\nb@example.com,odd\ni\0i@example.com,active\n'
    done = load(env, tmp_path, f"email,status\n{rows}", because="x")
    assert [problem.split(":")[0] for problem in done.problems] == [
        f"line {number}" for number in range(2, 7)
    ]
    assert "never closed" in done.problems[0]
    assert "kept as pending" in done.problems[3]
    assert standing() == {"b@example.com": "pending"}


def test_c06_two_imports_at_once(app: Flask, env: Environment, tmp_path: Path) -> None:
    """On PostgreSQL each finds people the other has just written, and does its batch again."""
    db.session.rollback()
    file = tmp_path / "x.csv"
    file.write_text("email\n" + "".join(f"r{number}@example.com\n" for number in range(3000)))
    start = threading.Barrier(2)

    def work(_: int) -> ImportResult:
        with app.app_context():
            start.wait()
            try:
                return import_file(env, file, slug="blog", because="x")
            finally:
                db.session.remove()

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(work, range(2)))
    assert [balanced(report) for report in done] == [True, True]
    assert sum(report.new for report in done) == 3000
    assert len(standing()) == 3000
    assert db.session.scalar(select(func.count(ConsentEvent.id))) == 3000


def test_c08_our_own_export_comes_back_unchanged(env: Environment, tmp_path: Path) -> None:
    load(
        env,
        tmp_path,
        "email,name,status,subscribed_at\n"
        '+plus@example.com,"=HYPERLINK(""x"")",subscribed,2021-02-04\n'
        '-minus@example.com,\'@quoted,unsubscribed,\nb@example.com,Zoë; "Z",bounced,\n'
        "p@example.com,,,\n",
    )
    load(env, tmp_path, 'email,tags\n+plus@example.com,"berlin,=vip"\n')
    file = tmp_path / "out.csv"
    assert export_subscribers.export_to_file(file) == 4
    first = file.read_text()
    assert '\n\'+plus@example.com,"\'=HYPERLINK(""x"")",' in first
    assert "\n'-minus@example.com,'@quoted," in first
    assert file.stat().st_mode & 0o077 == 0
    assert import_file(env, file, slug="blog").duplicate == 4
    assert exporting_text() == first
    with transaction() as session:
        for row in session.scalars(select(Subscriber)):
            session.delete(row)
        for gone in session.scalars(select(Suppression)):
            session.delete(gone)
    done = import_file(env, file, slug=None)
    assert (done.platform, done.new, balanced(done)) == ("newsletter", 4, True)
    assert exporting_text() == first
    assert [row.reason for row in suppressions.list_suppressions()] == ["bounce"]


def test_c08_what_a_reader_chose_and_answered_goes_along(env: Environment, tmp_path: Path) -> None:
    for name in ("Yoga", "Walks; slow", "=Sums"):
        topics.add("blog", name)
    with transaction() as session:
        mine = get_list(session, "blog")
        her = add_reader(session, mine, "a@example.com", cadence="monthly")
        her.subscriber.language = "ro"
        her.paused_until = START + timedelta(days=90)
        her.answers = {"city": "Iași", "size": 3, "agrees": True}
        topics.choose_topics(session, her, ["walks; slow", "=Sums"])
        add_reader(session, mine, "b@example.com")
    file = tmp_path / "out.csv"
    export_subscribers.export_to_file(file)
    first = file.read_text()
    assert import_file(env, file, slug="blog").duplicate == 2
    topics.remove("blog", "=Sums")
    topics.add("blog", "=Sums")  # with another number, as elsewhere
    with transaction() as session:
        for row in session.scalars(select(Subscriber)):
            session.delete(row)
    assert import_file(env, file, slug=None).new == 2
    assert without_evidence(exporting_text()) == without_evidence(first)
    topics.remove("blog", "Yoga")
    with transaction() as session:
        for row in session.scalars(select(Subscriber)):
            session.delete(row)
    file.write_text(first.replace("Walks; slow", "Walks; gone"))
    done = import_file(env, file, slug=None)
    assert (done.new, done.problems) == (2, ["line 2: blog has no topic Walks; gone"])


def without_evidence(text: str) -> list[dict[str, str]]:
    rows = list(csv.DictReader(io.StringIO(text)))
    return [
        {name: cell for name, cell in row.items() if not name.startswith("consent_")}
        for row in rows
    ]


def test_c04_whatever_stands_in_a_file_that_looks_like_ours(
    env: Environment, tmp_path: Path
) -> None:
    header = (
        "email,list,status,cadence,name,language,consent_source,consent_note,consent_ip,tags,"
        "topics,answers,created_at\n"
    )
    long = "x" * 5000
    hostile = '{""a\\u0000"": ""b\\u0000"", ""c"": [1], ""d"": null, ""e"": true, ""f"": 1e999}'
    rows = [
        f"a@example.com,blog,active,hourly,{long},{long},{long},{long},{long},{long},{long},"
        f'"{hostile}",never',
        'b@example.com,blog,active,weekly,a\0b,d\0e,im\0port,n\0te,1\0,t\0g,top\0ic,"[1]",'
        "2024-01-01",
        "c@example.com,blog,active,weekly,,,,,,,,nonsense,",
        f'd@example.com,blog,active,weekly,,,,,,,,"{"[" * 20_000}",',
    ]
    done = load(env, tmp_path, header + "\n".join(rows) + "\n", slug=None)
    assert (done.platform, done.active, done.rejected, balanced(done)) == ("newsletter", 4, 0, True)
    answers = dict(
        row
        for row in db.session.execute(
            select(Subscriber.email, Subscription.answers).join(Subscription)
        )
    )
    assert answers["a@example.com"] == {"a": "b", "e": True}
    assert answers["b@example.com"] == answers["c@example.com"] == answers["d@example.com"] == {}
    db.session.rollback()
    assert load(env, tmp_path, header + "\n".join(rows) + "\n", slug=None).duplicate == 4


def test_a_list_that_is_not_there_is_said(env: Environment, tmp_path: Path) -> None:
    load(env, tmp_path, "email\na@example.com\n", because="x")
    content = exporting_text().replace(",blog,", ",other,")
    done = load(env, tmp_path, content, slug=None)
    assert (done.rejected, done.problems) == (1, ["line 2: there is no list 'other'"])
    result = load(env, tmp_path, content)
    assert (result.rejected, result.problems) == (
        1,
        ["line 2: it is of the list 'other', and --list reads blog alone"],
    )
    assert len(standing()) == 1


def test_c09_a_file_that_cannot_be_written_leaves_nothing_half(
    env: Environment, tmp_path: Path
) -> None:
    from newsletter.errors import NewsletterError

    with pytest.raises(NewsletterError, match="cannot be written"):
        export_subscribers.export_to_file(tmp_path / "missing" / "out.csv")
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(NewsletterError, match="cannot be written"):
        export_subscribers.export_to_file(tmp_path / "out.csv")
    assert not list(tmp_path.glob("*.part"))


def test_c09_an_export_that_is_stopped_leaves_what_was_there(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(env, tmp_path, "email\na@example.com\n", because="x")
    export_subscribers.export_to_file(tmp_path / "out.csv")
    before = (tmp_path / "out.csv").read_text()

    def stopped(*_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(export_subscribers, "_read_page", stopped)
    with pytest.raises(KeyboardInterrupt):
        export_subscribers.export_to_file(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == before
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.any_database
def test_d02_a_full_disk_in_the_middle_says_how_to_go_on(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_subscribers, "BATCH", 1000)
    content = "email\n" + "".join(f"r{number}@example.com\n" for number in range(5000))
    pages = db.session.connection().exec_driver_sql("PRAGMA page_count").scalar_one()
    db.session.connection().exec_driver_sql(f"PRAGMA max_page_count={pages + 150}")
    with pytest.raises(DatabaseError, match=r"full.*000 rows were read.*goes on from there"):
        load(env, tmp_path, content, because="x")
    count = len(standing())
    assert 0 < count < 5000
    db.session.connection().exec_driver_sql("PRAGMA max_page_count=1000000")
    again = load(env, tmp_path, content, because="x")
    assert (again.duplicate, again.new) == (count, 5000 - count)


@pytest.mark.any_database
def test_a_dry_run_that_fails_does_not_promise_to_go_on(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise DatabaseError("the database cannot be read: the disk, or its quota, refuses")

    monkeypatch.setattr(import_subscribers, "_import_batch", fail)
    with pytest.raises(DatabaseError, match="a dry run changes nothing"):
        load(env, tmp_path, "email\na@example.com\n", dry_run=True)


def test_who_left_elsewhere_did_not_leave_here(env: Environment, tmp_path: Path) -> None:
    load(env, tmp_path, "email,status\nhere@a.example,subscribed\n", because="asked")
    load(
        env,
        tmp_path,
        "email,status\nx@a.example,unsubscribed\ny@a.example,complained\nz@a.example,bounced\n",
    )
    suppressions.suppress(env, "here@a.example", reason=SuppressionReason.BOUNCE)
    subscribers.unsubscribe(env, "here@a.example", "blog")
    result = status.read_status(env)
    assert result.lists[0].unsubscribed == 4
    assert (result.lists[0].growth.left, result.bounces, result.complaints) == (1, 1, 0), (
        "they alone were a subscriber here"
    )


def test_h5_more_cells_than_the_header_are_said_with_the_line(
    env: Environment, tmp_path: Path
) -> None:
    done = load(
        env,
        tmp_path,
        "email,name,unsubscribed\na@example.com,Coach, Ana,,x\nb@example.com,B,\n",
        because="x",
    )
    assert done.problems == [
        "line 2: it has 2 more cells than the header; they were not read; kept as pending"
    ]
    assert standing() == {"a@example.com": "pending", "b@example.com": "active"}
    done = load(env, tmp_path, "email,name\nc@example.com,Cy,more\n", because="x")
    assert done.problems == ["line 2: it has 1 more cells than the header; they were not read"]


def test_b35_an_opt_out_that_is_not_understood_stops_the_import_before_anything_changes(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_subscribers, "BATCH", 10)
    rows = [f"r{number}@example.com,FALSE" for number in range(50)] + ["last@example.com,perhaps"]
    content = "email,HasOptedOutOfEmail\n" + "\n".join(rows) + "\n"
    with pytest.raises(Refused, match="line 52: 'perhaps' in the column 'HasOptedOutOfEmail'"):
        load(env, tmp_path, content, because="x")
    assert standing() == {}
    done = load(env, tmp_path, content, because="x", choices={"hasoptedoutofemail": "opt-out"})
    assert (done.active, done.unsubscribed, standing()["last@example.com"]) == (
        50,
        1,
        "unsubscribed",
    )
    assert done.columns == {"email": "address", "HasOptedOutOfEmail": "opt-out"}


def test_b35_whoever_is_here_already_leaves_by_such_a_column(
    env: Environment, tmp_path: Path
) -> None:
    load(env, tmp_path, "email\na@example.com\nb@example.com\n", because="x")
    load(env, tmp_path, "email,EMAIL_BLACKLISTED\na@example.com,true\n", because="x")
    assert standing() == {"a@example.com": "unsubscribed", "b@example.com": "active"}
    assert [(row.email, row.reason) for row in suppressions.list_suppressions()] == [
        ("a@example.com", "manual")
    ]
    again = load(env, tmp_path, "email,EMAIL_BLACKLISTED\na@example.com,false\n", because="x")
    assert (again.suppressed, standing()["a@example.com"]) == (1, "unsubscribed")


def test_whoever_was_erased_here_does_not_come_back_in_a_file_of_ours(
    env: Environment, tmp_path: Path
) -> None:
    load(
        env,
        tmp_path,
        "email,status\na@example.com,bounced\nb@example.com,subscribed\n",
        because="x",
    )
    content = exporting_text()
    privacy.erase_address(env, "a@example.com")
    done = load(env, tmp_path, content, slug=None)
    assert (done.new, done.suppressed) == (0, 1)
    assert standing() == {"b@example.com": "active"}


def test_u5_nobody_joins_a_list_that_the_file_does_not_name(
    env: Environment, tmp_path: Path
) -> None:
    with transaction() as session:
        add_list(session, "news")
    load(env, tmp_path, "email\na@example.com\nb@example.com\n", because="x")
    load(env, tmp_path, "email\nb@example.com\nc@example.com\n", because="x", slug="news")
    content = exporting_text()
    forget_all()
    done = load(env, tmp_path, content, slug="news")
    assert (done.new, done.rejected) == (2, 2)
    assert done.problems[0] == "line 2: it is of the list 'blog', and --list reads news alone"
    assert on_lists() == {("b@example.com", "news"), ("c@example.com", "news")}
    assert load(env, tmp_path, content, slug=None).new == 2
    assert on_lists() == {
        ("a@example.com", "blog"),
        ("b@example.com", "blog"),
        ("b@example.com", "news"),
        ("c@example.com", "news"),
    }
    with pytest.raises(Refused, match="which list"):
        load(env, tmp_path, "email\nd@example.com\n", because="x", slug=None)


def test_u5_a_plain_table_may_name_lists_too(env: Environment, tmp_path: Path) -> None:
    with transaction() as session:
        add_list(session, "news")
    content = (
        "email,list\na@example.com,news\nb@example.com,blog\nc@example.com,other\nd@example.com,\n"
    )
    done = load(env, tmp_path, content, because="x", slug=None)
    assert on_lists() == {("a@example.com", "news"), ("b@example.com", "blog")}
    assert done.problems == [
        "line 4: there is no list 'other'",
        "line 5: it names no list, and --list does not either",
    ]
    done = load(env, tmp_path, content, because="x", slug="blog")
    assert (done.new, done.duplicate, done.rejected) == (2, 1, 1)


def on_lists() -> set[tuple[str, str]]:
    db.session.rollback()
    query = (
        select(Subscriber.email, MailingList.slug)
        .join(Subscription.subscriber)
        .join(Subscription.mailing_list)
    )
    return {(str(row[0]), str(row[1])) for row in db.session.execute(query)}


def forget_all() -> None:
    with transaction() as session:
        for row in session.scalars(select(Subscriber)):
            session.delete(row)
        for gone in session.scalars(select(Suppression)):
            session.delete(gone)


def test_a_row_that_repeats_an_earlier_one_corrects_nothing(
    env: Environment, tmp_path: Path
) -> None:
    content = "email,language\nb@example.com,fr\na@example.com,de\na@example.com,de\n"
    done = load(env, tmp_path, content, because="x")
    assert (done.new, done.updated, done.duplicate) == (2, 0, 1)


def test_u5_language_and_cadence_of_somebody_known(env: Environment, tmp_path: Path) -> None:
    """A file gives what is missing and corrects what another file gave; what subscribers chose
    themselves stays.
    """
    load(
        env,
        tmp_path,
        "email,cadence\na@example.com,weekly\nown@example.com,weekly\nc@example.com,weekly\n",
        because="x",
    )
    with transaction() as session:
        result = session.scalars(
            select(Subscription).join(Subscriber).where(Subscriber.email == "own@example.com")
        ).one()
        result.subscriber.language = "fr"
        note_consent(
            session,
            result.id,
            "changed",
            Evidence(EvidenceSource.LINK, note="daily → weekly"),
            START,
        )
    content = (
        "email,cadence,language\na@example.com,monthly,de-AT\nown@example.com,monthly,de\n"
        "c@example.com,hourly,xx\n"
    )
    planned = load(env, tmp_path, content, because="x", dry_run=True)
    done = load(env, tmp_path, content, because="x")
    assert asdict(planned) == asdict(done)
    assert (done.updated, done.duplicate) == (1, 2)
    assert done.problems == [
        "line 4: the cadence 'hourly' is unknown; use one of instant, daily, weekly, monthly"
    ]
    rows = db.session.execute(
        select(Subscriber.email, Subscriber.language, Subscription.cadence).join(Subscription)
    )
    assert {tuple(row) for row in rows} == {
        ("a@example.com", "de", "monthly"),
        ("own@example.com", "fr", "weekly"),
        ("c@example.com", "", "weekly"),
    }
    db.session.rollback()
    assert load(env, tmp_path, content, because="x").duplicate == 3


def test_a_name_that_is_added_is_that_persons_alone(env: Environment, tmp_path: Path) -> None:
    """Kills the change that would give one name, language or status to everybody in the
    database.
    """
    load(env, tmp_path, "email,name,language\nz@example.com,Zoë,ro\n", because="x")
    load(
        env, tmp_path, "email,status\n" + "".join(f"r{at}@example.com,pending\n" for at in range(4))
    )
    load(
        env,
        tmp_path,
        "email,name,language\nr1@example.com,One,\nr2@example.com,,de\nr3@example.com,Three,fr\n",
    )
    load(
        env,
        tmp_path,
        "email,status,cadence\nr1@example.com,subscribed,daily\nr2@example.com,unsubscribed,\n",
    )
    query = select(
        Subscriber.email,
        Subscriber.name,
        Subscriber.language,
        Subscription.status,
        Subscription.cadence,
    )
    assert {tuple(row) for row in db.session.execute(query.join(Subscription))} == {
        ("z@example.com", "Zoë", "ro", "active", "weekly"),
        ("r0@example.com", "", "", "pending", "weekly"),
        ("r1@example.com", "One", "", "active", "daily"),
        ("r2@example.com", "", "de", "unsubscribed", "weekly"),
        ("r3@example.com", "Three", "fr", "pending", "weekly"),
    }
    db.session.rollback()


def test_tags_and_suppressions_of_an_import_are_that_persons_alone(
    env: Environment, tmp_path: Path
) -> None:
    load(env, tmp_path, "email,tags\na@example.com,x\nb@example.com,\n", because="x")
    load(env, tmp_path, "email,tags,bounced\nb@example.com,y,\nc@example.com,,true\n", because="x")
    with reading() as session:
        ids = {row.email: row.id for row in session.scalars(select(Subscriber))}
        assert tags.read_tags(session, list(ids.values())) == {
            ids["a@example.com"]: ("x",),
            ids["b@example.com"]: ("y",),
        }
    assert [row.email for row in suppressions.list_suppressions()] == ["c@example.com"]
    assert standing() == {
        "a@example.com": "active",
        "b@example.com": "active",
        "c@example.com": "unsubscribed",
    }


def test_who_left_elsewhere_makes_no_growth_here(env: Environment, tmp_path: Path) -> None:
    mailchimp = "Email Address,MEMBER_RATING,OPTIN_TIME,CONFIRM_TIME,UNSUB_TIME,UNSUB_REASON\n"
    rows = [
        "a@a.example,2,2020-02-12 10:54:27,2020-02-12 10:54:27,,NORMAL",
        "b@a.example,2,2026-11-20,2026-11-20,2026-11-22,",
    ]
    load(env, tmp_path, mailchimp + "\n".join(rows) + "\n", "unsubscribed.csv")
    load(env, tmp_path, "email\nhere@a.example\ngone@a.example\n", because="x")
    assert standing()["a@a.example"] == standing()["b@a.example"] == "unsubscribed"
    assert status.read_status(env).lists[0].growth.left == 0
    load(env, tmp_path, "email,status\ngone@a.example,unsubscribed\n")
    result = status.read_status(env).lists[0]
    assert (result.growth.left, sum(result.growth.joined)) == (1, 2), (
        "this one was active here until today"
    )


def test_suppressed_subscribers_are_not_counted_as_active(env: Environment, tmp_path: Path) -> None:
    load(env, tmp_path, "email\na@a.example\nb@a.example\nc@a.example\n", because="x")
    with transaction() as session:
        add_list(session, "news")
    load(env, tmp_path, "email\na@a.example\n", because="x", slug="news")
    suppressions.suppress(env, "a@a.example")
    suppressions.suppress(env, "elsewhere@a.example")
    counts = {row.list: (row.active, row.suppressed) for row in status.read_status(env).lists}
    assert counts == {"blog": (2, 1), "news": (0, 1)}
    assert {row.slug: row.active for row in lists.list_lists()} == {"blog": 2, "news": 0}


def test_x1_anything_but_an_ordinary_file_is_written_through(
    env: Environment, tmp_path: Path
) -> None:
    load(env, tmp_path, "email\na@example.com\n", because="x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.csv").symlink_to("folder/target.csv")
    for _ in range(2):
        assert export_subscribers.export_to_file(tmp_path / "link.csv") == 1
        assert (tmp_path / "link.csv").is_symlink()
        assert (tmp_path / "folder/target.csv").read_text() == exporting_text()
    os.link(tmp_path / "folder/target.csv", tmp_path / "twin.csv")
    load(env, tmp_path, "email\nb@example.com\n", because="x")
    export_subscribers.export_to_file(tmp_path / "twin.csv")
    assert (tmp_path / "folder/target.csv").read_text() == exporting_text()
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as pool:
        received = pool.submit((tmp_path / "pipe").read_text)
        assert export_subscribers.export_to_file(tmp_path / "pipe") == 2
        assert received.result() == exporting_text()
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    reader, terminal = os.openpty()  # nothing can take the place of a terminal, as of /dev/null
    device = Path(os.ttyname(terminal))
    assert export_subscribers.export_to_file(device) == 2
    assert stat.S_ISCHR(device.stat().st_mode)
    assert os.read(reader, 10_000).decode().replace("\r\n", "\n") == exporting_text()
    os.close(reader)
    os.close(terminal)
    assert not list(tmp_path.rglob("*.part"))


def test_a_pipe_is_read_though_an_import_looks_twice(env: Environment, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    content = 'email,name\na@example.com,"x \\" y"\nb@example.com,Bob\n'
    writer = threading.Thread(target=(tmp_path / "pipe.csv").write_text, args=(content,))
    writer.start()
    assert import_file(env, tmp_path / "pipe.csv", slug="blog", because="x").new == 2
    writer.join()


def test_whoever_becomes_active_by_an_import_is_owed_what_comes_from_now_on(
    env: Environment, tmp_path: Path
) -> None:
    load(env, tmp_path, "email\nwaits@example.com\n")
    load(env, tmp_path, "email\nreads@example.com\n", because="asked")
    with transaction() as session:
        session.scalars(select(MailingList).where(MailingList.slug == "blog")).one().entry_seq = 7
    people = "email,cadence\nwaits@example.com,monthly\nreads@example.com,monthly\n"
    load(env, tmp_path, people, because="asked")
    db.session.rollback()
    query = select(Subscriber.email, Subscription.status, Subscription.cursor).join(Subscription)
    rows = {row.email: (row.status, row.cursor) for row in db.session.execute(query)}
    assert rows == {"waits@example.com": ("active", 7), "reads@example.com": ("active", 0)}
