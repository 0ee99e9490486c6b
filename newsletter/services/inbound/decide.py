"""Decide the effect of a bounce event. Pure.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import assert_never

from newsletter.bounce_vocabulary import BounceClass, BounceEffect, BounceProof

SOFT_AT_MOST = 5
"""Consecutive soft bounces after which an address is suppressed, once `SOFT_FOR` has passed."""

SOFT_FOR = timedelta(days=14)
"""Least age of the first of these soft bounces: a mailbox may be full over a holiday."""

REPORTS_WITHIN = timedelta(days=5)
"""A message is a success when no report came for it within this time: servers try for up to five
days (RFC 5321 section 4.5.4.1).
"""

FIRST_OF_RUN = 200
"""First messages of a run, among which the share of dead addresses is measured."""

FIRST_AT_LEAST = 50
"""Messages that must have been sent before that share is significant."""

DEAD_SHARE = 0.2
"""Share of dead addresses above which a run is paused."""


@dataclass(frozen=True, slots=True)
class Incident:
    """A bounce event as it was reported.

    `current`: it is about the address that the subscriber has now; `asks_to_leave`: a reply asks to
    end the subscription.
    """

    bounce_class: BounceClass
    proof: BounceProof
    dead_domain: bool = False
    current: bool = True
    asks_to_leave: bool = False


@dataclass(frozen=True, slots=True)
class AddressHistory:
    """The earlier bounces of an address.

    `domain_days`: earlier days on which its domain was unknown; `soft_row`: when each soft bounce
    of the present row happened, the event included.
    """

    domain_days: frozenset[date] = frozenset()
    soft_row: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """A message to an address that left the outbox.

    `soft_at`: when it bounced softly; `sent`: a server took it.
    """

    at: datetime
    sent: bool
    soft_at: datetime | None = None


def decide(incident: Incident, history: AddressHistory, now: datetime) -> BounceEffect:
    """Decide the effect of an incident.

    Nothing follows unless the event is proved and about the present address. What somebody could
    have written who got the mail forwarded does as much as its links: it ends one subscription.
    """
    if not incident.proof.valid:
        return BounceEffect.ADVISORY
    match incident.bounce_class:
        case BounceClass.UNSUBSCRIBE:
            return BounceEffect.UNSUBSCRIBED
        case BounceClass.HARD | BounceClass.SOFT | BounceClass.COMPLAINT if not incident.current:
            return BounceEffect.NOTED
        case BounceClass.HARD | BounceClass.COMPLAINT if not incident.proof.secret:
            return BounceEffect.NOTED if incident.dead_domain else BounceEffect.UNSUBSCRIBED
        case BounceClass.SOFT if not incident.proof.secret:
            return BounceEffect.NOTED
        case BounceClass.COMPLAINT:
            return BounceEffect.SUPPRESSED
        case BounceClass.HARD:
            alone = incident.dead_domain and not history.domain_days - {now.date()}
            return BounceEffect.COUNTED if alone else BounceEffect.SUPPRESSED
        case BounceClass.SOFT:
            return (
                BounceEffect.SUPPRESSED if is_too_often(history.soft_row) else BounceEffect.COUNTED
            )
        case BounceClass.POLICY | BounceClass.CONTENT | BounceClass.SENDER:
            return BounceEffect.NOTED
        case BounceClass.REPLY if incident.asks_to_leave:
            return BounceEffect.PROPOSED
        case BounceClass.REPLY | BounceClass.AUTO_REPLY | BounceClass.IGNORE:
            return BounceEffect.NOTED
        case _:
            assert_never(incident.bounce_class)


def is_too_often(row: Iterable[datetime]) -> bool:
    """Tell whether an address counts as dead after these soft bounces."""
    moments = sorted(row)
    return len(moments) >= SOFT_AT_MOST and moments[-1] - moments[0] >= SOFT_FOR


def find_soft_row(attempts: Iterable[Attempt], now: datetime) -> tuple[datetime, ...]:
    """Return the soft bounces since the last success among an address' attempts, newest first."""
    row: list[datetime] = []
    for attempt in attempts:
        if attempt.soft_at is not None:
            row.append(attempt.soft_at)
        elif attempt.sent and now - attempt.at >= REPORTS_WITHIN:
            break
    return tuple(row)


def is_harmful_run(sent: int, dead: int) -> bool:
    """Tell whether a run must pause because too many of its first messages hit dead addresses."""
    return sent >= FIRST_AT_LEAST and dead > DEAD_SHARE * sent
