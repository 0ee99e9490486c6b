"""Hold all mail of an installation, and pause every open campaign."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.db.session import transaction
from newsletter.errors import Refused
from newsletter.services import installation
from newsletter.services.campaigns import state
from newsletter.services.campaigns.state import PauseCause
from newsletter.services.installation import RELEASE, Hold
from newsletter.services.runtime import Environment


def hold_all_mail(session: Session, because: str, now: datetime) -> int:
    """Hold all mail and pause every open campaign, in the caller's transaction.

    Returns how many campaigns were paused.
    """
    installation.hold_mail(session, because, now)
    return state.pause_unfinished(session, because, PauseCause.HOLD, now)


def hold_installation(env: Environment, because: str) -> Hold:
    """Hold all mail and pause every open campaign, in a transaction of its own.

    Raises `Refused` where it is held already.
    """
    with transaction() as session:
        if installation.is_held(session):
            raise Refused("mail is held already", hint=f"`{RELEASE}` lets it leave")
        hold_all_mail(session, because, env.now)
    hold = installation.find_hold()
    assert hold is not None
    return hold
