"""The rows of an export, page by page, and the file that they are written to."""

from __future__ import annotations

import csv
import io
import os
import stat
from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter.db.session import transaction
from newsletter.errors import NewsletterError, NotFound
from newsletter.models import ConsentEvent, Subscriber, Suppression, Tag
from newsletter.services.consent import store_wording
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import hash_address
from newsletter.services.transfer import export_subscribers
from newsletter.services.transfer.export_subscribers import export_to_file, export_to_text
from newsletter.vocabulary import SubscriptionStatus
from tests.fakes import START
from tests.people import add_list, add_reader


@pytest.fixture(autouse=True)
def people(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add three of each kind, two to a page: on a list, on none, suppressed without either."""
    monkeypatch.setattr(export_subscribers, "PAGE", 2)
    with transaction() as session:
        other = add_list(session, "other")
        add_reader(session, other, "bob@example.com", status="pending")
        blog = add_list(session)
        for number in range(3):
            reader = add_reader(session, blog, f"on{number}@example.com")
            session.add(
                Subscriber(
                    handle=f"h{number}",
                    email=f"off{number}@example.com",
                    email_key=f"off{number}@example.com",
                    name="",
                    created_at=START,
                )
            )
        reader.answers = {"b": "ü", "a": "1"}
        for wording in ("", "I agree"):
            session.add(
                ConsentEvent(
                    subscription_id=reader.id,
                    kind="confirmed",
                    at=START,
                    source="form",
                    note=wording or "first",
                    wording_hash=store_wording(session, wording, START) if wording else None,
                )
            )
        keys = ["on0@example.com", "off1@example.com", *(f"x{n}@example.com" for n in range(3))]
        for key in [*keys, "erased@example.com"]:
            session.add(
                Suppression(
                    email_hash=hash_address(env, key)[0],
                    email_key=None if key.startswith("erased") else key,
                    reason="bounce",
                    created_at=START,
                )
            )
        session.flush()
        off = session.scalars(select(Subscriber.id).where(Subscriber.email_key.like("off%")))
        session.add_all(Tag(subscriber_id=row, tag=f"t{row}") for row in off)


def read_rows(**options: object) -> list[dict[str, str]]:
    out = io.StringIO()
    count = export_to_text(out, **options)  # type: ignore[arg-type]
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert count == len(rows)
    return rows


def test_everybody_is_in_an_export_once(env: Environment) -> None:
    rows = read_rows()
    assert [(row["email"], row["list"], row["suppressed"]) for row in rows] == [
        *((f"x{n}@example.com", "", "bounce") for n in range(3)),
        ("", "", "bounce"),
        *((f"off{n}@example.com", "", "bounce" if n == 1 else "") for n in range(3)),
        ("bob@example.com", "other", ""),
        *((f"on{n}@example.com", "blog", "" if n else "bounce") for n in range(3)),
    ]
    hashes = [row["suppressed_hash"] for row in rows if row["suppressed_hash"]]
    assert hashes == [hash_address(env, "erased@example.com")[0]]
    assert [bool(row["suppressed_key"]) for row in rows] == [not row["email"] for row in rows]
    assert len({row["tags"] for row in rows if row["tags"]}) == 3
    pieces = b"".join(export_subscribers.iterate_pieces()).decode()
    assert list(csv.DictReader(io.StringIO(pieces))) == rows


def test_an_export_of_a_list_or_status_has_its_subscriptions_alone() -> None:
    assert [row["email"] for row in read_rows(slug="other")] == ["bob@example.com"]
    pending = read_rows(status=SubscriptionStatus.PENDING)
    assert [row["email"] for row in pending] == ["bob@example.com"]
    assert len(read_rows(slug="blog")) == 3
    assert read_rows(slug="blog", status=SubscriptionStatus.PENDING) == []


def test_answers_and_the_latest_consent_stand_with_their_subscription() -> None:
    rows = {row["email"]: row for row in read_rows(slug="blog")}
    row = rows["on2@example.com"]
    assert row["answers"] == '{"a": "1", "b": "ü"}'
    assert (row["consent_source"], row["consent_note"]) == ("form", "I agree")
    assert row["consent_events"].count("I agree") == 2
    assert (rows["on1@example.com"]["answers"], rows["on1@example.com"]["consent_source"]) == (
        "",
        "",
    )


@pytest.mark.parametrize("names", [1, 2])
def test_a_file_is_replaced_under_each_of_its_names(tmp_path: Path, names: int) -> None:
    file = tmp_path / "out.csv"
    file.write_text("before")
    twin = tmp_path / "twin.csv"
    if names == 2:
        os.link(file, twin)
    (tmp_path / "out.csv.part").write_text("left by a run that was killed")
    file.chmod(0o644)
    before = file.stat()
    assert export_to_file(file, slug="blog") == 3
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (file.stat().st_ino == before.st_ino) is (names == 2)
    assert len(file.read_text().splitlines()) == 4
    assert sorted(path.name for path in tmp_path.glob("*.csv*")) == sorted(
        ["out.csv", "twin.csv"][:names]
    )
    if names == 2:
        assert twin.read_text() == file.read_text()


def test_a_file_that_cannot_be_written_is_unchanged(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.symlink_to("/dev/full")  # a fault would replace this link, and not the device
    with pytest.raises(NewsletterError) as caught:
        export_to_file(tmp_path / "nowhere" / "out.csv")
    assert caught.value.hint == "nothing was changed"
    with pytest.raises(NewsletterError) as caught:
        export_to_file(full)
    assert caught.value.hint == "what was written until then is not whole"
    assert not export_subscribers.is_ordinary(Path("/dev/new"))
    assert export_subscribers.is_ordinary(tmp_path / "new.csv")


def test_a_link_is_followed_and_a_failed_export_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    link = tmp_path / "link.csv"
    link.symlink_to(file)
    assert export_to_file(link, slug="other") == 1
    before = file.read_text()
    assert link.is_symlink()
    with pytest.raises(NotFound):
        export_to_file(link, slug="nothing")
    folder = tmp_path / "folder"
    folder.mkdir()
    for wrong in (folder, file / "out.csv"):
        with pytest.raises(NewsletterError) as caught:
            export_to_file(wrong)
        assert caught.value.hint == "nothing was changed"
    assert file.read_text() == before
    names = {path.name for path in tmp_path.iterdir()}
    assert {name for name in names if "part" in name} == set()


def test_a_pipe_is_no_file_that_can_be_replaced(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    file.touch()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    paths = (file, tmp_path, pipe, Path("/proc/self/x"), Path("/device/x"))
    assert [export_subscribers.is_ordinary(path) for path in paths] == [
        True,
        True,
        False,
        False,
        True,
    ]
