"""Series: each letter once, in order, until the reader leaves; a change restarts nobody; killed, it
ends the same.
"""

from __future__ import annotations

import functools
import itertools
import operator
import random
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import db, transaction
from newsletter.errors import NotFound, Refused
from newsletter.models import (
    Delivery,
    MailingList,
    SeriesLetter,
    SeriesLetterSent,
    Subscription,
    Tag,
)
from newsletter.schedule import SeriesStep, find_next_of_series
from newsletter.services import tags
from newsletter.services.consent import Evidence
from newsletter.services.letters import preflight, series, series_progress
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import privacy, subscriptions
from newsletter.vocabulary import EvidenceSource
from tests.fakes import START, Clock, Sink, body
from tests.people import add_list, add_reader

DAY = timedelta(days=1)


def write(
    folder: Path, name: str, text: str = "Hello {{ subscriber.name or 'you' }}, read on."
) -> Path:
    file = folder / f"{name}.md"
    file.write_text(f"---\nsubject: {name}\n---\n{text}\n")
    return file


@pytest.fixture
def steps(env: Environment, tmp_path: Path) -> dict[str, int]:
    """Make a list with a welcome letter and two that follow it; return their numbers by name."""
    with transaction() as session:
        add_list(session)
    return {
        name: series.add_letter(env, write(tmp_path, name), after * DAY).id
        for name, after in (("hello", 0), ("boundaries", 3), ("pauses", 7))
    }


def sign_up(env: Environment, email: str = "ana@example.com") -> Subscription:
    """Somebody asks and confirms, as the pages would."""
    with transaction() as session:
        mailing_list = session.scalars(select(MailingList)).one()
        reader = add_reader(session, mailing_list, email, name="Ana", status="pending", now=env.now)
        token = env.tokens.sign("confirm", f"{reader.handle}.{reader.round}", env.now)
    subscriptions.confirm(env, token, Evidence(EvidenceSource.FORM))
    return reader


def days(env: Environment, clock: Clock, sink: Sink, count: int) -> list[list[str]]:
    """Lets so many days pass; the subjects of what came on each."""
    subjects = []
    for _ in range(count):
        before = len(sink.accepted)
        series_progress.advance_due(env)
        sending.send_due(env)
        subjects.append([str(message["Subject"]) for message in sink.messages[before:]])
        clock.forward(DAY)
    return subjects


def test_a_new_reader_gets_each_letter_once_and_in_order(
    env: Environment, steps: dict[str, int], clock: Clock, sink: Sink
) -> None:
    sign_up(env)
    assert days(env, clock, sink, 12) == [
        ["hello"],
        [],
        [],
        ["boundaries"],
        [],
        [],
        [],
        ["pauses"],
        [],
        [],
        [],
        [],
    ]
    assert "Hello Ana, read on." in body(sink.messages[0])
    assert "List-Unsubscribe" in sink.messages[0]
    assert [row.subscribers for row in series.list_letters()] == [1, 1, 1]
    assert db.session.scalar(select(Subscription.series_due_at)) is None, (
        "nobody is looked at again in vain"
    )


def test_without_a_welcome_letter_the_built_in_one_goes_out(
    env: Environment, tmp_path: Path, clock: Clock, sink: Sink
) -> None:
    with transaction() as session:
        add_list(session)
    series.add_letter(env, write(tmp_path, "later"), 2 * DAY)
    sign_up(env)
    assert days(env, clock, sink, 4) == [["Welcome to Slow Letters"], [], ["later"], []]


def test_it_stops_when_the_reader_leaves(
    env: Environment, steps: dict[str, int], clock: Clock, sink: Sink
) -> None:
    reader = sign_up(env)
    days(env, clock, sink, 2)
    subscriptions.unsubscribe(
        env, env.tokens.sign("unsubscribe", reader.handle, env.now), Evidence(EvidenceSource.FORM)
    )
    assert days(env, clock, sink, 9) == [["You have left Slow Letters"], *[[]] * 8]


def test_who_leaves_while_a_letter_waits_does_not_get_it(
    env: Environment, steps: dict[str, int], clock: Clock, sink: Sink
) -> None:
    reader = sign_up(env)
    subscriptions.unsubscribe(
        env, env.tokens.sign("unsubscribe", reader.handle, env.now), Evidence(EvidenceSource.FORM)
    )
    assert days(env, clock, sink, 1) == [["You have left Slow Letters"]]
    assert (
        db.session.scalar(select(Delivery.status).where(Delivery.mail == "series")) == "cancelled"
    )


def test_who_takes_it_back_goes_on_where_it_stopped(
    env: Environment, steps: dict[str, int], clock: Clock, sink: Sink
) -> None:
    reader = sign_up(env)
    days(env, clock, sink, 1)
    token = env.tokens.sign("unsubscribe", reader.handle, env.now)
    subscriptions.unsubscribe(env, token, Evidence(EvidenceSource.FORM))
    assert days(env, clock, sink, 1) == [["You have left Slow Letters"]]
    subscriptions.undo_unsubscribe(env, token, Evidence(EvidenceSource.FORM))
    assert functools.reduce(operator.iadd, days(env, clock, sink, 9), []) == [
        "boundaries",
        "pauses",
    ]


def test_who_comes_back_later_gets_none_again(
    env: Environment, steps: dict[str, int], clock: Clock, sink: Sink
) -> None:
    reader = sign_up(env)
    days(env, clock, sink, 5)
    subscriptions.unsubscribe(
        env, env.tokens.sign("unsubscribe", reader.handle, env.now), Evidence(EvidenceSource.FORM)
    )
    days(env, clock, sink, 30)
    with transaction() as session:
        row = session.get_one(Subscription, reader.id)
        row.status = "pending"
        row.round = row.round + 1
        token = env.tokens.sign("confirm", f"{row.handle}.{row.round}", env.now)
    subscriptions.confirm(env, token, Evidence(EvidenceSource.FORM))
    assert functools.reduce(operator.iadd, days(env, clock, sink, 12), []) == [
        "Welcome to Slow Letters",
        "pauses",
    ]


def test_a_changed_series_restarts_nobody(
    env: Environment, steps: dict[str, int], clock: Clock, sink: Sink, tmp_path: Path
) -> None:
    sign_up(env)
    days(env, clock, sink, 20)
    series.add_letter(env, write(tmp_path, "in between"), 5 * DAY)
    series.add_letter(env, write(tmp_path, "once past"), 15 * DAY)
    series.add_letter(env, write(tmp_path, "still ahead"), 25 * DAY)
    series.edit_letter(
        env, steps["hello"], letter=parse_letter("---\nsubject: hello again\n---\nNew words.\n")
    )
    series.edit_letter(env, steps["boundaries"], after=22 * DAY)
    series.remove_letter(env, steps["pauses"])
    assert functools.reduce(operator.iadd, days(env, clock, sink, 20), []) == ["still ahead"]
    sign_up(env, "ben@example.com")
    assert functools.reduce(operator.iadd, days(env, clock, sink, 40), []) == [
        "hello again",
        "in between",
        "once past",
        "boundaries",
        "still ahead",
    ]


def test_a_letter_that_moved_comes_once(
    env: Environment, steps: dict[str, int], clock: Clock, sink: Sink
) -> None:
    sign_up(env)
    days(env, clock, sink, 2)
    series.edit_letter(env, steps["pauses"], after=1 * DAY)
    assert functools.reduce(operator.iadd, days(env, clock, sink, 12), []) == [
        "pauses",
        "boundaries",
    ]
    assert sum(series_progress.advance_due(env) for _ in range(3)) == 0


def test_a_worker_that_was_away_catches_up_one_by_one(
    env: Environment, steps: dict[str, int], clock: Clock, sink: Sink
) -> None:
    sign_up(env)
    sending.send_due(env)
    clock.forward(30 * DAY)
    assert days(env, clock, sink, 6) == [["boundaries"], [], [], [], ["pauses"], []]


def test_a_letter_waits_for_the_one_before_it(
    env: Environment, steps: dict[str, int], clock: Clock, sink: Sink
) -> None:
    sign_up(env)
    clock.forward(3 * DAY)
    assert series_progress.advance_due(env) == 0, "the welcome letter has not gone yet"
    sending.send_due(env)
    clock.forward(timedelta(minutes=11))
    assert series_progress.advance_due(env) == 1
    sending.send_due(env)
    assert [str(message["Subject"]) for message in sink.messages] == ["hello", "boundaries"]


def test_a_break_is_kept(env: Environment, steps: dict[str, int], clock: Clock, sink: Sink) -> None:
    reader = sign_up(env)
    days(env, clock, sink, 1)
    with transaction() as session:
        session.get_one(Subscription, reader.id).paused_until = env.now + 9 * DAY
    assert functools.reduce(operator.iadd, days(env, clock, sink, 9), []) == []
    assert functools.reduce(operator.iadd, days(env, clock, sink, 9), []) == [
        "boundaries",
        "pauses",
    ]


def test_imported_readers_and_those_of_old_get_no_series(
    env: Environment, steps: dict[str, int], clock: Clock, sink: Sink
) -> None:
    with transaction() as session:
        add_reader(session, session.scalars(select(MailingList)).one(), "old@example.com")
    assert functools.reduce(operator.iadd, days(env, clock, sink, 10), []) == []


def test_many_readers_are_taken_in_batches(
    env: Environment, steps: dict[str, int], clock: Clock, sink: Sink
) -> None:
    with transaction() as session:
        mailing_list = session.scalars(select(MailingList)).one()
        for number in range(series_progress.BATCH + 5):
            row = add_reader(session, mailing_list, f"r{number}@example.com")
            row.series_at = row.series_due_at = env.now
    assert series_progress.advance_due(env) == series_progress.BATCH + 5
    assert series_progress.advance_due(env) == 0
    assert (
        db.session.scalar(select(func.count()).select_from(SeriesLetterSent))
        == series_progress.BATCH + 5
    )


def test_what_cannot_be_a_series(env: Environment, steps: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(Refused, match="a welcome letter already"):
        series.add_letter(env, write(tmp_path, "second"), 0 * DAY)
    with pytest.raises(Refused, match="this letter already"):
        series.add_letter(env, tmp_path / "boundaries.md", 9 * DAY)
    (tmp_path / "x.md").write_text('---\nsubject: x\nsegment: name != ""\n---\nx\n')
    with pytest.raises(Refused, match="every new subscriber"):
        series.add_letter(env, tmp_path / "x.md", DAY)
    series.remove_letter(env, steps["hello"])
    with pytest.raises(NotFound):
        series.get_letter(steps["hello"])
    assert series.add_letter(env, tmp_path / "hello.md", 0 * DAY).id not in steps.values()


def test_a_letter_taken_out_while_it_waits_is_not_sent(
    env: Environment, steps: dict[str, int], clock: Clock, sink: Sink
) -> None:
    sign_up(env)
    series.remove_letter(env, steps["hello"])
    assert days(env, clock, sink, 1) == [[]]
    assert db.session.scalar(select(Delivery.status)) == "failed"


def test_a_letter_of_a_series_is_looked_over_as_any_other(
    env: Environment, steps: dict[str, int]
) -> None:
    result = preflight.check_letter(env, series.load_letter(env, steps["boundaries"]), offline=True)
    assert {check.id for check in result} >= {"fields", "subject", "size"}
    assert not [check for check in result if check.verdict == "bad"]


# ── the decider
# ────────────────────────────────────────────────────────────────────────────────────


def step(id_: int, after: int, since: int = -100, *, removed: bool = False) -> SeriesStep:
    return SeriesStep(id_, after * DAY, START + since * DAY, removed=removed)


@pytest.mark.parametrize(
    ("steps", "days_received", "expected"),
    [
        ([], {}, None),
        ([step(1, 0)], {}, (1, 0)),
        ([step(2, 3), step(1, 0)], {}, (1, 0)),
        ([step(1, 0), step(2, 3)], {1: 0}, (2, 3)),
        ([step(1, 0), step(2, 3)], {1: 4}, (2, 7)),
        ([step(1, 0), step(2, 3)], {2: 3}, None),
        ([step(1, 0, removed=True), step(2, 3)], {}, (2, 3)),
        ([step(1, 3, since=4)], {}, None),
        ([step(1, 3, since=3)], {}, (1, 3)),
        ([step(1, 0, removed=True), step(2, 3)], {1: 5}, (2, 8)),
        ([step(5, 3), step(4, 3)], {4: 3}, (5, 3)),
    ],
)
def test_which_letter_is_next(
    steps: list[SeriesStep], days_received: dict[int, int], expected: tuple[int, int] | None
) -> None:
    had = {id_: START + day * DAY for id_, day in days_received.items()}
    result = find_next_of_series(steps, begun=START, received=had)
    assert result == ((expected[0], START + expected[1] * DAY) if expected else None)


def test_the_schema_keeps_it_to_once(env: Environment, steps: dict[str, int], clock: Clock) -> None:
    from newsletter.errors import Conflict

    reader = sign_up(env)
    with pytest.raises(Conflict), transaction() as session:
        session.add(SeriesLetterSent(subscription_id=reader.id, step_id=steps["hello"], at=env.now))
    assert isinstance(db.session.scalars(select(SeriesLetter.created_at)).first(), datetime)


def test_whoever_is_forgotten_leaves_no_trace_here(
    env: Environment, steps: dict[str, int], clock: Clock, sink: Sink
) -> None:
    reader = sign_up(env)
    days(env, clock, sink, 1)
    with transaction() as session:
        tags.add_tags(session, reader.subscriber_id, ["berlin"])
    result = privacy.export_data(env, env.tokens.sign("export", reader.handle, env.now))
    assert result["tags"] == ["berlin"]
    assert [row["subject"] for row in result["subscriptions"][0]["letters_of_the_series"]] == [
        "hello"
    ]
    privacy.erase_address(env, "ana@example.com")
    assert db.session.scalars(select(Tag)).all() == []
    assert db.session.scalars(select(SeriesLetterSent)).all() == []
    assert days(env, clock, sink, 9) == [[]] * 9


class LifeOfSeries:
    """Two lists whose author changes the series at random, and whose readers come, rest, leave and
    take it back.
    """

    def __init__(self, env: Environment, folder: Path, dice: random.Random) -> None:
        self.env = env
        self.folder = folder
        self.dice = dice
        self.names = itertools.count()
        self.lists_of_steps: dict[int, str] = {}
        self.people: dict[str, tuple[int, str, str]] = {}

    def add(self) -> None:
        slug = self.dice.choice(["blog", "other"])
        name = f"letter {next(self.names)}"
        after = self.dice.randint(1, 20) if slug in self.lists_of_steps.values() else 0
        step = series.add_letter(self.env, write(self.folder, name), after * DAY, slug)
        self.lists_of_steps[step.id] = slug

    def move(self) -> None:
        step = self.dice.choice(list(self.lists_of_steps))
        series.edit_letter(self.env, step, after=self.dice.randint(1, 20) * DAY)

    def rewrite(self) -> None:
        step = self.dice.choice(list(self.lists_of_steps))
        subject = next(letter.subject for letter in series.list_letters() if letter.id == step)
        text = f"---\nsubject: {subject}\n---\nOther words {next(self.names)}.\n"
        series.edit_letter(self.env, step, letter=parse_letter(text))

    def remove(self) -> None:
        if len(self.lists_of_steps) > 2:
            step = self.dice.choice(list(self.lists_of_steps))
            series.remove_letter(self.env, step)
            del self.lists_of_steps[step]

    def join(self) -> None:
        slug = self.dice.choice(["blog", "other"])
        email = f"r{next(self.names)}@example.com"
        now = self.env.now
        with transaction() as session:
            mailing_list = session.scalars(
                select(MailingList).where(MailingList.slug == slug)
            ).one()
            reader = add_reader(session, mailing_list, email, status="pending", now=now)
            token = self.env.tokens.sign("confirm", f"{reader.handle}.{reader.round}", now)
            self.people[email] = (reader.id, reader.handle, slug)
        subscriptions.confirm(self.env, token, Evidence(EvidenceSource.FORM))

    def rest(self) -> None:
        with transaction() as session:
            reader = session.get_one(Subscription, self.dice.choice(list(self.people.values()))[0])
            reader.paused_until = self.env.now + self.dice.randint(1, 9) * DAY

    def leave_or_return(self) -> None:
        _, handle, _ = self.dice.choice(list(self.people.values()))
        token = self.env.tokens.sign("unsubscribe", handle, self.env.now)
        self.dice.choice([subscriptions.unsubscribe, subscriptions.undo_unsubscribe])(
            self.env, token, Evidence(EvidenceSource.FORM)
        )

    def change(self) -> None:
        """Do one of these at random."""
        author = (self.add, self.move, self.rewrite, self.remove)
        self.dice.choice([*author, self.join, self.join, self.rest, self.leave_or_return])()

    def list_resting(self) -> set[str]:
        """Return who is to get no letter now."""
        with transaction() as session:
            return {
                email
                for email, (id_, _, _) in self.people.items()
                if (row := session.get_one(Subscription, id_)).status != "active"
                or (row.paused_until and row.paused_until > self.env.now)
            }


@pytest.mark.parametrize("seed", [1])
def test_whatever_is_changed_nobody_gets_a_letter_twice_or_unasked(
    env: Environment, clock: Clock, sink: Sink, tmp_path: Path, seed: int
) -> None:
    with transaction() as session:
        for slug in ("blog", "other"):
            add_list(session, slug)
    life = LifeOfSeries(env, tmp_path, random.Random(seed))
    life.join()
    life.add()
    for _ in range(25):
        life.change()
        before = len(sink.accepted)
        resting = life.list_resting()
        series_progress.advance_due(env)
        sending.send_due(env)
        new_mails = [(str(m["To"]), str(m["Subject"])) for m in sink.messages[before:]]
        assert not [
            to for to, subject in new_mails if subject.startswith("letter ") and to in resting
        ]
        clock.forward(DAY)
    letters = Counter((str(m["To"]), str(m["Subject"])) for m in sink.messages)
    counts = [count for (_, subject), count in letters.items() if subject.startswith("letter ")]
    assert max(counts) == 1
    assert len(counts) > 2, "it was not about nothing"
    of_list = {step.subject: step.list for step in series.list_letters()}
    assert not [
        to
        for to, subject in letters
        if subject in of_list and of_list[subject] != life.people[to][2]
    ]
