"""A domain rests that refuses us in a row while others take our mail, and no other domain does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.db.session import reading
from newsletter.mail.smtp.classify import Cause, Verdict, VerdictKind
from newsletter.models import DomainBackoff
from newsletter.services.domain_rest import REST_FIRST
from newsletter.services.runtime import Environment
from newsletter.services.sending.domain_backoff import DomainBackoffs
from tests.fakes import Clock
from tests.services.sending.test_run import make_campaign

REFUSED = Verdict(VerdictKind.US, "no", cause=Cause.REPUTATION)
TAKEN = Verdict(VerdictKind.SENT, "ok")
DEAD = Verdict(VerdictKind.RECIPIENT, "unknown")


class Mails:
    """The lessons of one run about domains, told in a word for each message."""

    def __init__(self, env: Environment, campaign_id: int) -> None:
        self.rests = DomainBackoffs(env)
        self.campaign_id = campaign_id

    def refuse(self, domain: str, times: int = 1, verdict: Verdict = REFUSED) -> None:
        for _ in range(times):
            self.rests.record(domain, verdict, verdict.why, campaign_id=self.campaign_id)

    def take(self, domain: str, times: int = 1) -> None:
        self.refuse(domain, times, TAKEN)

    def rests_now(self, domain: str) -> bool:
        return self.rests.find_until(domain) is not None


@pytest.fixture
def mails(env: Environment) -> Mails:
    return Mails(env, make_campaign(1))


def test_the_third_refusal_in_a_row_makes_a_domain_rest(mails: Mails) -> None:
    mails.take("fine.example", 9)
    mails.refuse("strict.example", 2)
    mails.refuse("strict.example", 5, DEAD)
    assert not mails.rests_now("strict.example")
    mails.take("strict.example")
    mails.refuse("strict.example", 2)
    assert not mails.rests_now("strict.example"), "it had taken one"
    mails.refuse("other.example")
    mails.refuse("strict.example")
    assert mails.rests_now("strict.example")
    assert not mails.rests_now("other.example")
    assert not mails.rests_now("fine.example")


def test_each_rest_needs_three_refusals_of_its_own(mails: Mails, clock: Clock) -> None:
    mails.take("fine.example", 9)
    mails.refuse("strict.example", 3)
    clock.forward(REST_FIRST)
    mails.refuse("strict.example", 2)
    assert not mails.rests_now("strict.example")
    mails.refuse("strict.example")
    assert mails.rests_now("strict.example")


@pytest.mark.parametrize(
    ("accepted", "refused", "rests"), [(0, 0, False), (1, 1, True), (3, 4, False), (1, 4, False)]
)
def test_at_least_half_of_what_others_got_must_be_taken(
    mails: Mails, accepted: int, refused: int, rests: bool
) -> None:
    for number in range(refused):
        mails.refuse(f"d{number}.example")
    mails.take("fine.example", accepted)
    mails.take("strict.example", 20)
    mails.refuse("strict.example", 3)
    assert mails.rests_now("strict.example") is rests


def test_what_was_long_ago_says_nothing(mails: Mails) -> None:
    mails.take("fine.example", 20)
    for number in range(50):
        mails.refuse(f"d{number}.example")
    mails.refuse("strict.example", 3)
    assert not mails.rests_now("strict.example")


def test_a_rest_is_known_to_other_workers_and_ends(
    env: Environment, mails: Mails, clock: Clock
) -> None:
    mails.take("fine.example", 9)
    for domain in ("strict.example", "other.example"):
        mails.refuse(domain, 3)
    later = DomainBackoffs(env)
    until = later.find_until("strict.example")
    assert until == env.now + REST_FIRST
    assert later.find_until("fine.example") is None
    clock.forward(REST_FIRST - timedelta(seconds=1))
    assert later.find_until("strict.example") == until
    clock.forward(timedelta(seconds=1))
    assert later.find_until("strict.example") is None


def test_a_domain_that_takes_mail_again_is_forgotten_alone(env: Environment, mails: Mails) -> None:
    mails.take("fine.example", 9)
    for domain in ("strict.example", "other.example"):
        mails.refuse(domain, 3)
    mails.take("strict.example")
    assert not mails.rests_now("strict.example")
    assert mails.rests_now("other.example")
    with reading() as session:
        assert session.scalars(select(DomainBackoff.domain)).all() == ["other.example"]
    assert DomainBackoffs(env).find_until("other.example") is not None
