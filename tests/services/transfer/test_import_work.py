"""Workers read and import uploaded files, each once at a time, and give up what ends them."""

from __future__ import annotations

import io
import logging
import os
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter.access_vocabulary import AuthorRole, ImportState
from newsletter.db.session import reading, transaction
from newsletter.errors import DatabaseError, InvalidInput, NotFound, Refused
from newsletter.models import Author, ImportFile, MailingList, Subscriber, Subscription
from newsletter.services.authors import authors
from newsletter.services.runtime import Environment
from newsletter.services.transfer import import_files, import_work
from newsletter.services.transfer.import_files import ImportChoices
from newsletter.services.transfer.import_report import ImportResult
from tests.fakes import START, Clock
from tests.people import add_list, add_reader

PEOPLE = b"email,name\nana@example.com,Ana\nbob@example.com,Bob\n"
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
BLOG = ImportChoices("blog")


@pytest.fixture(autouse=True)
def author_id(env: Environment) -> int:
    """Add an author, and two lists of which one has a subscriber."""
    with transaction() as session:
        add_list(session)
        add_reader(session, add_list(session, "other"), "zoe@example.com")
    authors.add_author(env, "eva@example.com", role=AuthorRole.OWNER)
    with reading() as session:
        return session.scalars(select(Author.id)).one()


@pytest.fixture
def keep(env: Environment, author_id: int) -> Callable[..., int]:
    def do(content: bytes = PEOPLE, choices: ImportChoices = BLOG, name: str = "people.csv") -> int:
        return import_files.keep_file(env, author_id, io.BytesIO(content), name, choices)

    return do


def read_row(import_id: int) -> ImportFile:
    with reading() as session:
        row = session.get_one(ImportFile, import_id)
        session.expunge(row)
        return row


def change(import_id: int, **values: object) -> None:
    with transaction() as session:
        row = session.get_one(ImportFile, import_id)
        for name, value in values.items():
            setattr(row, name, value)


def list_subscribers(slug: str = "blog") -> set[str]:
    with reading() as session:
        query = select(Subscriber.email).join(Subscription).join(MailingList)
        return set(session.scalars(query.where(MailingList.slug == slug)))


def list_kept(env: Environment) -> list[Path]:
    return sorted((env.settings.folder / "imports").glob("*/*"))


def test_a_file_is_read_then_imported_and_its_bytes_are_deleted(
    env: Environment, clock: Clock, keep: Callable[..., int]
) -> None:
    first = keep()
    other = keep(b"email\ncat@example.com\n", ImportChoices("other"))
    clock.forward(SECOND)
    import_work.work_on_files(env)
    for number, rows in ((first, 2), (other, 1)):
        view = import_files.get_file(number)
        assert (view.state, view.share, view.problem, view.waits) == (
            ImportState.CHECKED,
            1.0,
            "",
            False,
        )
        assert (view.result.rows, view.created_at, view.changed_at) == (rows, START, env.now)
        assert (read_row(number).tries, read_row(number).leased_until) == (1, None)
    assert list_subscribers() == set()
    import_files.approve(env, first)
    assert (read_row(first).tries, read_row(first).share) == (0, 0.0)
    assert import_files.get_file(first).waits
    assert import_files.get_file(first).result.rows == 2, "what its author has seen"
    import_work.work_on_files(env)
    assert import_files.get_file(first).state is ImportState.DONE
    assert list_subscribers() == {"ana@example.com", "bob@example.com"}
    assert list_subscribers("other") == {"zoe@example.com"}
    assert [file.parent.name for file in list_kept(env)] == [read_row(other).handle]


@pytest.mark.parametrize(
    ("leased", "is_read"), [(None, True), (-SECOND, True), (timedelta(), False), (SECOND, False)]
)
def test_a_file_that_another_worker_has_is_left_to_it(
    env: Environment, keep: Callable[..., int], leased: timedelta | None, is_read: bool
) -> None:
    number = keep()
    other = keep()
    if leased is not None:
        change(number, leased_until=START + leased)
    import_work.work_on_files(env)
    assert (read_row(number).state == "checked") is is_read
    assert read_row(number).tries == is_read
    assert read_row(other).state == "checked"


@pytest.mark.parametrize(
    ("tries", "state", "problem"),
    [(2, "checked", ""), (3, "refused", "a worker could not finish it, three times")],
)
def test_a_file_is_begun_three_times_at_most(
    env: Environment, keep: Callable[..., int], tries: int, state: str, problem: str
) -> None:
    number = keep()
    change(number, tries=tries)
    other = keep()
    import_work.work_on_files(env)
    row = read_row(number)
    assert (row.state, row.problem, row.leased_until) == (state, problem, None)
    assert (row.result != {}) is (state == "checked")
    assert read_row(other).state == "checked"


def test_a_worker_that_ends_gives_its_file_back_and_begins_no_other(
    env: Environment, keep: Callable[..., int]
) -> None:
    first = keep()
    other = keep()
    change(first, tries=1)
    answers = iter([False, True, True])
    import_work.work_on_files(env, stop=lambda: next(answers))
    row = read_row(first)
    assert (row.state, row.tries, row.leased_until) == ("uploaded", 1, None)
    assert row.result["rows"] == 2
    assert (read_row(other).tries, read_row(other).result) == (0, {})
    import_work.work_on_files(env, stop=lambda: True)
    assert read_row(first).tries == 1


def test_a_file_that_is_discarded_while_it_is_read_stays_discarded(
    env: Environment, keep: Callable[..., int]
) -> None:
    number = keep()

    def discard() -> bool:
        if read_row(number).result:
            import_files.discard(env, number)
        return False

    import_work.work_on_files(env, stop=discard)
    row = read_row(number)
    assert (row.state, row.result) == ("discarded", {})
    assert list_kept(env) == []


@pytest.mark.parametrize("is_our_fault", [False, True])
def test_a_database_that_cannot_be_written_costs_no_try(
    env: Environment, keep: Callable[..., int], is_our_fault: bool
) -> None:
    number = keep()

    def fail() -> bool:
        if not read_row(number).result:
            return False
        raise LookupError if is_our_fault else DatabaseError("the disk is full", hint="delete")

    if is_our_fault:
        import_work.work_on_files(env, stop=fail)
    else:
        with pytest.raises(DatabaseError):
            import_work.work_on_files(env, stop=fail)
    row = read_row(number)
    assert (row.state, row.tries) == (("refused", 1) if is_our_fault else ("uploaded", 0))
    assert row.problem == (str(import_work.FAILED) if is_our_fault else "")
    assert row.leased_until is None


def test_while_a_file_is_read_its_lease_is_renewed(
    env: Environment, clock: Clock, keep: Callable[..., int]
) -> None:
    number = keep()
    leases = []

    def stop() -> bool:
        row = read_row(number)
        leases.append((row.leased_until, row.share > 0))
        clock.forward(timedelta(minutes=1))
        return False

    import_work.work_on_files(env, stop=stop)
    minutes = import_work.LEASE + timedelta(minutes=1)
    assert leases == [(None, False), (START + minutes, True)]


def test_a_claim_lasts_for_its_lease_and_ends_with_the_wait_of_the_file(
    env: Environment, clock: Clock, keep: Callable[..., int]
) -> None:
    number = keep()
    other = keep()
    assert import_work._claim(env, number)
    assert read_row(number).leased_until == START + import_work.LEASE
    assert not import_work._claim(env, number)
    assert read_row(other).leased_until is None
    clock.forward(import_work.LEASE + SECOND)
    view = import_files.get_file(number)
    change(number, state="checked")
    assert not import_work._claim(env, number)
    assert not import_work._report(env, view, ImportResult(rows=7))
    assert (read_row(number).tries, read_row(number).result) == (1, {})


def test_a_file_is_read_as_its_author_says_or_refused_with_the_reason(
    env: Environment, keep: Callable[..., int], caplog: pytest.LogCaptureFixture
) -> None:
    columns = b"Email Address,First Name\nana@example.com,Ana\n"
    numbers = [
        keep(b"\x00" * 2000),
        keep(columns, ImportChoices("blog", platform="mailchimp")),
        keep(columns, ImportChoices("blog")),
    ]
    with caplog.at_level(logging.INFO, logger="newsletter.imports"):
        import_work.work_on_files(env)
        assert "is imported" not in caplog.text
        import_files.approve(env, numbers[1])
        import_work.work_on_files(env)
    assert caplog.text.count("a subscriber file is imported") == 1
    refused, mailchimp, plain = map(import_files.get_file, numbers)
    assert (refused.state, refused.result.rows) == (ImportState.REFUSED, 0)
    assert refused.problem
    assert (mailchimp.state, mailchimp.result.platform) == (ImportState.DONE, "mailchimp")
    assert (plain.state, plain.result.rows) == (ImportState.CHECKED, 1)
    assert plain.result.platform != "mailchimp"


def test_a_file_whose_bytes_are_gone_is_left_alone(
    env: Environment, keep: Callable[..., int]
) -> None:
    number = keep()
    other = keep()
    for _ in range(2):
        import_files.delete_bytes(env, number)
    import_work.work_on_files(env)
    assert (read_row(number).state, read_row(number).tries) == ("uploaded", 0)
    assert read_row(other).state == "checked"


@pytest.mark.parametrize(
    ("choices", "error"),
    [
        (ImportChoices("nothing"), NotFound),
        (ImportChoices("blog", platform="nobody"), InvalidInput),
        (ImportChoices("blog", columns={"blocked": "perhaps"}), InvalidInput),
    ],
)
def test_a_file_is_kept_with_words_that_can_be_used(
    env: Environment, keep: Callable[..., int], choices: ImportChoices, error: type[Exception]
) -> None:
    with pytest.raises(error):
        keep(PEOPLE, choices)
    assert list_kept(env) == []
    columns = {"Blocked by " + "x" * 300: "ignore"}
    usable = ImportChoices("", "mailchimp", columns, " a\nlist " + "x" * 600)
    view = import_files.get_file(keep(PEOPLE, usable, "../" + "x" * 90 + ".csv"))
    assert (view.choices.slug, view.choices.platform) == ("", "mailchimp")
    [(name, word)] = view.choices.columns.items()
    assert (len(name), word) == (200, "ignore")
    assert view.choices.because.startswith("a list xxx")
    assert len(view.choices.because) == 500
    assert (view.size, len(view.filename)) == (len(PEOPLE), 80)
    assert [file.name for file in list_kept(env)] == [view.filename]


def test_a_file_has_its_size_at_most_and_is_read_by_its_owner_alone(
    env: Environment, keep: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_files, "BYTES_AT_MOST", 2 << 20)
    largest = b"x" * (2 << 20)
    assert import_files.get_file(keep(largest)).size == 2 << 20
    with pytest.raises(Refused, match="more than 2 MB"):
        keep(largest + b"x")
    [file] = list_kept(env)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent, file.parents[1])]
    assert modes == [0o600, 0o700, 0o700]


def test_an_empty_file_and_one_too_many_are_refused(
    env: Environment, keep: Callable[..., int]
) -> None:
    with pytest.raises(InvalidInput):
        keep(b"")
    assert list_kept(env) == []
    numbers = [keep() for _ in range(import_files.WAITING_AT_MOST)]
    with pytest.raises(Refused, match="too many"):
        keep()
    assert [view.id for view in import_files.list_newest()] == numbers[::-1]
    for number, state in zip(
        numbers, ("uploaded", "approved", "checked", "refused", "done"), strict=True
    ):
        change(number, state=state)
    last = keep()
    assert len(list_kept(env)) == 6
    change(numbers[1], state="discarded")
    more = [keep() for _ in range(1)]
    change(more[0], state="done")
    for _ in range(6):
        change(keep(), state="done")
    newest = [view.id for view in import_files.list_newest()]
    assert len(newest) == 10
    assert newest[0] > last > newest[-1] > numbers[2]


@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        ("uploaded", {"discard"}),
        ("checked", {"check", "approve", "discard"}),
        ("refused", {"check", "discard"}),
        ("approved", {"discard"}),
        ("done", set()),
        ("discarded", set()),
    ],
)
def test_what_may_be_decided_depends_on_the_state(
    env: Environment, clock: Clock, keep: Callable[..., int], state: str, allowed: set[str]
) -> None:
    other = keep()
    numbers = {name: keep() for name in ("check", "approve", "discard")}
    clock.forward(SECOND)
    for name, number in numbers.items():
        change(number, state=state, tries=2, share=0.5, problem="x", result={"rows": 7})
        act = {
            "check": lambda number: import_files.check_again(env, number, ImportChoices("other")),
            "approve": lambda number: import_files.approve(env, number),
            "discard": lambda number: import_files.discard(env, number),
        }[name]
        if name not in allowed:
            with pytest.raises(Refused, match=state):
                act(number)
            assert read_row(number).state == state
            continue
        act(number)
        row = read_row(number)
        after = {"check": "uploaded", "approve": "approved", "discard": "discarded"}[name]
        assert (row.state, row.tries, row.share, row.problem) == (after, 0, 0.0, "")
        assert (row.changed_at, row.result) == (
            START + SECOND,
            {"rows": 7} if name == "approve" else {},
        )
        assert row.slug == ("other" if name == "check" else "blog")
    folders = {file.parent.name for file in list_kept(env)}
    discarded = {read_row(numbers["discard"]).handle} if "discard" in allowed else set()
    handles = {read_row(number).handle for number in (other, *numbers.values())}
    assert folders == handles - discarded


@pytest.mark.parametrize(
    ("state", "age", "after"),
    [
        ("checked", DAY, "checked"),
        ("checked", DAY + SECOND, "discarded"),
        ("refused", DAY + SECOND, "discarded"),
        ("uploaded", DAY + SECOND, "discarded"),
        ("approved", DAY + SECOND, "approved"),
        ("done", 30 * DAY, "done"),
        ("done", 30 * DAY + SECOND, None),
        ("discarded", 30 * DAY + SECOND, None),
    ],
)
def test_what_nobody_decides_on_is_discarded_and_counts_are_forgotten(
    env: Environment,
    clock: Clock,
    keep: Callable[..., int],
    state: str,
    age: timedelta,
    after: str | None,
) -> None:
    number = keep()
    change(number, state=state)
    clock.forward(age)
    other = keep()
    import_files.delete_old_files(env)
    with reading() as session:
        states = {row.id: row.state for row in session.scalars(select(ImportFile))}
    assert states == {other: "uploaded"} | ({number: after} if after else {})
    if after == "discarded":
        assert read_row(number).changed_at == env.now


def test_bytes_without_a_row_are_deleted_after_a_day(
    env: Environment, clock: Clock, keep: Callable[..., int]
) -> None:
    """A file that is being uploaded has no row yet."""
    change(keep(), state="approved")
    lost = env.settings.folder / "imports" / "lost"
    lost.mkdir()
    (lost / "people.csv").write_bytes(PEOPLE)
    os.utime(lost, (START.timestamp(),) * 2)
    clock.forward(DAY)
    import_files.delete_old_files(env)
    assert len(list_kept(env)) == 2
    clock.forward(SECOND)
    import_files.delete_old_files(env)
    assert len(list_kept(env)) == 1
    assert not lost.exists()


def test_a_file_that_is_not_there_is_said_to_be_missing(
    env: Environment, keep: Callable[..., int]
) -> None:
    missing = keep() + 1
    for act in (import_files.approve, import_files.discard, import_files.delete_bytes):
        with pytest.raises(NotFound):
            act(env, missing)
    with pytest.raises(NotFound):
        import_files.get_file(missing)
