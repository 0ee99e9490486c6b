"""Test what follows from a bounce event: a table of decisions, without a database."""

from __future__ import annotations

from datetime import timedelta

import pytest

from newsletter.bounce_vocabulary import BounceClass, BounceEffect, BounceProof
from newsletter.services.inbound.decide import (
    AddressHistory,
    Attempt,
    Incident,
    decide,
    find_soft_row,
    is_harmful_run,
)
from tests.fakes import START

DAY = timedelta(days=1)
VERP = BounceProof.VERP


@pytest.mark.parametrize("proof", [BounceProof.ADDRESS, BounceProof.NONE])
@pytest.mark.parametrize("bounce_class", list(BounceClass))
def test_nothing_follows_from_what_is_not_proved(
    bounce_class: BounceClass, proof: BounceProof
) -> None:
    assert decide(Incident(bounce_class, proof), AddressHistory(), START) is BounceEffect.ADVISORY


@pytest.mark.parametrize("proof", [proof for proof in BounceProof if proof.secret])
@pytest.mark.parametrize(
    ("bounce_class", "effect"),
    [
        (BounceClass.HARD, BounceEffect.SUPPRESSED),
        (BounceClass.COMPLAINT, BounceEffect.SUPPRESSED),
        (BounceClass.UNSUBSCRIBE, BounceEffect.UNSUBSCRIBED),
        (BounceClass.SOFT, BounceEffect.COUNTED),
        (BounceClass.POLICY, BounceEffect.NOTED),
        (BounceClass.CONTENT, BounceEffect.NOTED),
        (BounceClass.SENDER, BounceEffect.NOTED),
        (BounceClass.REPLY, BounceEffect.NOTED),
        (BounceClass.AUTO_REPLY, BounceEffect.NOTED),
        (BounceClass.IGNORE, BounceEffect.NOTED),
    ],
)
def test_a_proved_event_has_the_effect_of_its_class(
    bounce_class: BounceClass, effect: BounceEffect, proof: BounceProof
) -> None:
    assert decide(Incident(bounce_class, proof), AddressHistory(), START) is effect


@pytest.mark.parametrize("bounce_class", list(BounceClass))
def test_what_a_forwarded_mail_shows_suppresses_nobody(bounce_class: BounceClass) -> None:
    row = tuple(START + day * DAY for day in range(0, 40, 2))
    history = AddressHistory(frozenset({START.date() - DAY}), soft_row=row)
    for dead_domain in (False, True):
        incident = Incident(bounce_class, BounceProof.MESSAGE_ID, dead_domain)
        assert decide(incident, history, START) in (BounceEffect.NOTED, BounceEffect.UNSUBSCRIBED)


def test_an_unknown_domain_counts_on_two_different_days() -> None:
    incident = Incident(BounceClass.HARD, VERP, dead_domain=True)
    same_day = AddressHistory(frozenset({START.date()}))
    assert decide(incident, AddressHistory(), START) is BounceEffect.COUNTED
    assert decide(incident, same_day, START) is BounceEffect.COUNTED
    assert decide(incident, same_day, START + DAY) is BounceEffect.SUPPRESSED


@pytest.mark.parametrize(
    "bounce_class", [BounceClass.HARD, BounceClass.SOFT, BounceClass.COMPLAINT]
)
def test_an_address_that_was_left_is_not_the_subscribers(bounce_class: BounceClass) -> None:
    incident = Incident(bounce_class, VERP, current=False)
    assert decide(incident, AddressHistory(), START) is BounceEffect.NOTED


@pytest.mark.parametrize(
    ("days", "suppressed"),
    [
        ((0, 1, 2, 3, 14), True),
        ((0, 1, 2, 3, 13), False),  # too soon
        ((0, 7, 14, 28), False),  # too few
        ((0, 7, 14, 21, 28), True),
    ],
)
def test_soft_bounces_count_five_in_a_row_over_a_fortnight(
    days: tuple[int, ...], suppressed: bool
) -> None:
    row = tuple(START + day * DAY for day in days)
    effect = decide(Incident(BounceClass.SOFT, VERP), AddressHistory(soft_row=row), START)
    assert effect is (BounceEffect.SUPPRESSED if suppressed else BounceEffect.COUNTED)


def test_a_success_ends_the_row_and_a_fresh_message_is_none_yet() -> None:
    now = START + 30 * DAY
    soft = [
        Attempt(START + day * DAY, sent=True, soft_at=START + day * DAY) for day in (29, 20, 10)
    ]
    unheard = Attempt(now - DAY, sent=True)
    success = Attempt(START + 5 * DAY, sent=True)
    before = Attempt(START, sent=True, soft_at=START)
    refused = Attempt(START + 15 * DAY, sent=False)  # for a policy: neither a bounce nor a success
    attempts = [unheard, soft[0], soft[1], refused, soft[2], success, before]
    assert len(find_soft_row(attempts, now)) == 3


@pytest.mark.parametrize(
    ("sent", "dead", "harmful"),
    [(200, 41, True), (200, 40, False), (49, 49, False), (50, 11, True), (100, 20, False)],
)
def test_a_run_is_harmful_with_more_than_a_fifth_dead(sent: int, dead: int, harmful: bool) -> None:
    assert is_harmful_run(sent, dead) is harmful
