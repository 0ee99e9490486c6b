"""Ceilings and the learnt pace at their bounds: the last message that goes, the first to wait."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from newsletter.db.session import transaction
from newsletter.models import Counter, Delivery, SenderState
from newsletter.services.runtime import Environment
from newsletter.services.sender_state import PACE
from newsletter.services.sending import throttle
from newsletter.services.sending.throttle import (
    AT_ONCE,
    CLIMB_BY,
    FASTEST,
    SLOWEST,
    Throttle,
    Turn,
    Window,
    _make_second_window,
)
from newsletter.setting_types import Ceiling
from newsletter.settings import Settings
from tests.fakes import Clock
from tests.people import add_list

pytestmark = pytest.mark.any_database
SECOND = timedelta(seconds=1)
MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    smtp = settings.smtp.model_copy(update=getattr(request, "param", {}))
    return settings.model_copy(update={"smtp": smtp})


def count(name: str) -> int:
    with transaction() as session:
        query = select(func.sum(Counter.count)).where(Counter.name == name)
        return session.scalar(query) or 0


def take(pace: Throttle, domain: str = "a.example", *, single: bool = False) -> Turn:
    return pace.take(single=single, domain=domain)


@pytest.mark.parametrize(
    ("rate", "length", "most"), [(4, 1000, 4), (2.5, 1000, 2), (1, 1000, 1), (0.5, 2000, 1)]
)
def test_a_pace_is_so_many_in_a_second_or_one_in_several(
    rate: float, length: int, most: int
) -> None:
    assert _make_second_window("pace/second", rate) == Window("pace/second", length, most)
    assert Window("x", 10, 1).bucket == 1
    assert Window("x", 2_000, 1).bucket == 100


@pytest.mark.parametrize("settings", [{"max_per_hour": 2}], indirect=True)
def test_an_hour_is_free_again_a_twentieth_after_it(env: Environment, clock: Clock) -> None:
    pace = Throttle(env)
    assert [take(pace), take(pace)] == [AT_ONCE, AT_ONCE]
    full = timedelta(minutes=63)
    assert take(pace) == Turn(wait=full.total_seconds())
    assert pace.wait() == full.total_seconds()
    assert pace.find_fullest() == (3780.0, "smtp.max_per_hour (2) is reached")
    assert count("pace/hour") == 2, "what waits is not counted"
    clock.forward(full - MILLISECOND)
    assert take(pace) == Turn(wait=0.01), "never less than a hundredth of a second"
    clock.forward(MILLISECOND)
    assert pace.wait() == 0.0
    assert pace.find_fullest()[0] == 0.0
    assert take(pace) == AT_ONCE


@pytest.mark.parametrize("settings", [{"max_per_hour": 1}], indirect=True)
def test_the_only_message_of_an_hour_goes_at_once(env: Environment) -> None:
    pace = Throttle(env)
    assert pace.wait() == 0.0
    assert take(pace) == AT_ONCE
    assert take(pace).wait > 0


@pytest.mark.parametrize("settings", [{"max_per_domain": {"*": Ceiling(1, 60)}}], indirect=True)
def test_a_long_domain_is_counted_by_what_a_name_can_hold(env: Environment) -> None:
    pace = Throttle(env)
    assert take(pace, f"{'a' * 200}.example") == AT_ONCE
    assert take(pace, f"{'a' * 200}.example") == Turn(later=63.0)
    assert take(pace, "other.example") == AT_ONCE
    with transaction() as session:
        names = session.scalars(select(Counter.name).where(Counter.name.like("%aaa"))).all()
    assert [len(name) for name in names] == [120]


@pytest.mark.parametrize("settings", [{"max_per_day": 1}], indirect=True)
def test_a_single_mail_is_counted_and_never_waits(env: Environment, clock: Clock) -> None:
    pace = Throttle(env)
    assert [take(pace, single=True) for _ in range(3)] == [AT_ONCE] * 3
    assert count("pace/day") == 3
    part = 86_400 / 20
    assert take(pace).wait == 86_400 + part - clock.now.timestamp() % part


def test_without_ceilings_nothing_waits_and_nothing_is_counted(env: Environment) -> None:
    pace = Throttle(env)
    assert (take(pace), pace.wait(), pace.find_fullest()) == (AT_ONCE, 0.0, (0.0, ""))
    with transaction() as session:
        assert session.scalar(select(func.count()).select_from(Counter)) == 0


@pytest.mark.parametrize(
    "settings",
    [{"max_per_domain": {"slow.example": Ceiling(2, 60), "*": Ceiling(3, 60)}}],
    indirect=True,
)
def test_messages_of_a_full_domain_queue_up_behind_each_other(env: Environment) -> None:
    pace = Throttle(env)
    assert [take(pace, "slow.example") for _ in range(2)] == [AT_ONCE] * 2
    laters = [take(pace, "slow.example") for _ in range(3)]
    assert laters == [Turn(later=63.0), Turn(later=93.0), Turn(later=123.0)]
    assert [take(pace, "other.example") for _ in range(3)] == [AT_ONCE] * 3
    assert take(pace, "other.example") == Turn(later=63.0)
    assert take(pace, "third.example") == AT_ONCE, "each domain has its own"
    assert take(pace, "slow.example", single=True) == AT_ONCE


@pytest.mark.parametrize("settings", [{"warmup": 5}], indirect=True)
def test_a_new_sender_doubles_each_day_since_the_first_message(
    env: Environment, clock: Clock
) -> None:
    def ceiling() -> int:
        [window] = Throttle(env).windows
        return window.most

    assert ceiling() == 5
    clock.forward(timedelta(days=9))
    assert ceiling() == 5, "nothing was sent yet"
    pace = Throttle(env)
    take(pace)
    take(pace)
    assert count("warmup") == 1, "the first message alone"
    clock.forward(timedelta(days=1) - MILLISECOND)
    assert ceiling() == 5
    clock.forward(MILLISECOND)
    assert ceiling() == 10
    clock.forward(timedelta(days=2))
    assert ceiling() == 40


@pytest.mark.parametrize(
    ("ages", "rate"),
    [
        ([], 0.5),  # nothing was taken: one a second is assumed
        ([2, 2, 2, 2], 1.0),
        ([5] * 20, 2.0),
        ([10] * 20, 1.0),
        ([11] * 20, 0.5),  # too long ago
        ([11, 5, 0, 0, 0], 0.4),
        ([0] * 6, 3.0),  # in less than a second
    ],
)
def test_the_first_pace_is_half_of_what_the_server_took(
    env: Environment, clock: Clock, ages: list[int], rate: float
) -> None:
    pace = Throttle(env)
    begun = clock.now
    clock.forward(timedelta(minutes=1))
    for age in ages:
        pace.note_taken(clock.now - age * SECOND)
    assert pace.rate is None
    assert pace.note_refused("mx:25", "too fast", list_id=None)
    assert pace.rate == pytest.approx(rate)
    assert clock.now > begun
    assert Throttle(env).rate == pytest.approx(rate), "every worker knows it"


def learn(rate: float, clock: Clock) -> None:
    with transaction() as session:
        session.add(
            SenderState(
                cause=PACE,
                until=clock.now,
                seconds=0,
                why="",
                server="",
                since=clock.now,
                rate=rate,
            )
        )


def test_refusals_within_two_seconds_halve_the_pace_once(env: Environment, clock: Clock) -> None:
    learn(8.0, clock)
    pace = Throttle(env)
    clock.forward(2 * SECOND - MILLISECOND)
    assert pace.note_refused("mx:25", "too fast", list_id=None)
    assert pace.rate == 8.0
    clock.forward(MILLISECOND)
    assert pace.note_refused("mx:25", "too fast", list_id=None)
    assert pace.rate == 4.0


def test_the_slowest_pace_cannot_be_any_slower(env: Environment, clock: Clock) -> None:
    learn(0.15, clock)
    pace = Throttle(env)
    clock.forward(2 * SECOND)
    assert pace.note_refused("mx:25", "too fast", list_id=None)
    assert pace.rate == SLOWEST == 0.1
    clock.forward(2 * SECOND)
    assert not pace.note_refused("mx:25", "too fast", list_id=None)
    assert Throttle(env).rate == SLOWEST


def test_a_pace_climbs_each_ten_seconds_in_which_it_held_mail_up(
    env: Environment, clock: Clock
) -> None:
    learn(1.0, clock)
    pace = Throttle(env)
    clock.forward(10 * SECOND)
    pace.note_taken(clock.now)
    assert pace.rate == 1.0, "nothing waited yet"
    pace = Throttle(env)
    take(pace)
    assert take(pace).wait > 0
    clock.forward(10 * SECOND - MILLISECOND)
    pace.note_taken(clock.now)
    assert pace.rate == 1.0
    clock.forward(MILLISECOND)
    pace.note_taken(clock.now)
    assert pace.rate == pytest.approx(1.05)
    clock.forward(60 * SECOND)
    pace.note_taken(clock.now)
    assert pace.rate == pytest.approx(1.05), "nothing waited since"
    assert Throttle(env).rate == pytest.approx(1.05)


def test_a_pace_that_has_climbed_high_enough_is_forgotten(env: Environment, clock: Clock) -> None:
    learn(FASTEST / 1.04, clock)
    pace = Throttle(env)
    for _ in range(200):
        take(pace)
    clock.forward(10 * SECOND)
    pace.note_taken(clock.now)
    assert pace.rate is None
    assert Throttle(env).rate is None
    with transaction() as session:
        assert session.get(SenderState, PACE) is None


def test_a_pace_that_is_as_fast_as_it_may_be_is_kept(
    env: Environment, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "FASTEST", 2.0 * CLIMB_BY)
    learn(2.0, clock)
    pace = Throttle(env)
    while not take(pace).wait:
        pass
    clock.forward(10 * SECOND)
    pace.note_taken(clock.now)
    assert pace.rate == Throttle(env).rate == 2.0 * CLIMB_BY


def test_the_author_of_the_list_is_told_once_that_mail_is_slowed(
    env: Environment, clock: Clock
) -> None:
    with transaction() as session:
        add_list(session, "quiet", from_email="quiet@example.com")
        blog = add_list(session, "blog", from_email="ana@example.com").id
    pace = Throttle(env)

    def refuse(list_id: int | None) -> list[str]:
        clock.forward(3 * SECOND)
        assert pace.note_refused("mx:25", "too fast", list_id=list_id)
        with transaction() as session:
            rows = session.scalars(select(Delivery.context))
            return [str(context["to"]) for context in rows if context]

    assert refuse(None) == [], "a mail of no list"
    assert refuse(blog) == ["ana@example.com"]
    assert refuse(blog) == ["ana@example.com"]
