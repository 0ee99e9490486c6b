"""Return the subscription or subscriber of a signed link, as its purpose's scope allows.

The only place that opens a handle.
"""

from __future__ import annotations

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from newsletter.errors import LinkInvalid
from newsletter.link_purposes import LinkPurpose, LinkScope
from newsletter.models import RetiredHandle, Subscriber, Subscription
from newsletter.services.runtime import Environment


def open_subscription(
    env: Environment, session: Session, purpose: LinkPurpose, token: str, *, lock: bool = False
) -> tuple[Subscription, str]:
    """Return the subscription of a link, and the rest of its payload.

    A handle that was retired by a change of address opens nothing (`find_retired`). Raises
    `LinkError`.
    """
    if purpose.scope is not LinkScope.SUBSCRIPTION:
        raise ValueError(f"a link to {purpose} is about more than a subscription")
    return _open(env, session, purpose, token, lock=lock)


def open_subscriber(
    env: Environment, session: Session, purpose: LinkPurpose, token: str, *, lock: bool = False
) -> tuple[Subscriber, Subscription, str]:
    """Return the subscriber of a link, its subscription, and the rest of its payload.

    The link was mailed on request, through that subscription. Raises `LinkError`.
    """
    if purpose.scope is not LinkScope.SUBSCRIBER:
        raise ValueError(f"a link to {purpose} is about a subscription only")
    subscription, rest = _open(env, session, purpose, token, lock=lock)
    return subscription.subscriber, subscription, rest


def find_retired(
    env: Environment, session: Session, purpose: LinkPurpose, token: str, *, lock: bool = False
) -> tuple[Subscription, str] | None:
    """Return the subscription of a link that was mailed to its subscriber's earlier address.

    With the rest of its payload; None for every other link. Raises `LinkError` where the token
    itself opens nothing.
    """
    handle, _, rest = env.tokens.open(purpose, token, env.now).partition(".")
    query = select(Subscription).join(RetiredHandle).where(RetiredHandle.handle == handle)
    subscription = _find_first(session, query, lock=lock)
    return (subscription, rest) if subscription else None


def _open(
    env: Environment, session: Session, purpose: LinkPurpose, token: str, *, lock: bool
) -> tuple[Subscription, str]:
    handle, _, rest = env.tokens.open(purpose, token, env.now).partition(".")
    subscription = _find_first(
        session, select(Subscription).where(Subscription.handle == handle), lock=lock
    )
    if subscription is None:
        raise LinkInvalid
    return subscription, rest


def _find_first(
    session: Session, query: Select[Subscription], *, lock: bool
) -> Subscription | None:
    """Run a query for a subscription.

    With `lock`, its subscriber is locked first, as a sign-up does: otherwise two requests might
    wait for each other.
    """
    if lock:
        subscriber = query.with_only_columns(Subscription.subscriber_id).scalar_subquery()
        session.execute(select(Subscriber.id).where(Subscriber.id == subscriber).with_for_update())
        session.expire_all()  # what was read before may have changed while this waited
        query = query.with_for_update(of=Subscription)
    subscription: Subscription | None = session.scalar(query)
    return subscription
