"""Create, list and revoke API tokens, and authenticate the programs that send them."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from newsletter.access_vocabulary import TokenScope
from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput, NotFound, Refused, TooMany
from newsletter.html.text import to_plain_line
from newsletter.models import ApiToken, MailingList
from newsletter.services import counters, request_limits
from newsletter.services.lookup import get_list
from newsletter.services.runtime import Environment

LIFETIME = timedelta(days=365)
USED_EVERY = timedelta(minutes=1)
"""The shortest time between two updates of a token's last use."""
REQUESTS_PER_MINUTE = 600
"""Requests of one token; an import of thousands takes the file instead."""
FAILURES_PER_MINUTE = 30
"""Requests with a wrong token from one network."""
MINUTE = 60
_TOKEN = re.compile(r"nlt_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token as its author sees it; `lists` is None where it is for all of them."""

    name: str
    scope: TokenScope
    lists: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Caller:
    """The program that makes a request; `lists` is None where its token is for all of them."""

    token_id: int
    name: str
    scope: TokenScope
    lists: frozenset[str] | None

    @property
    def is_limited(self) -> bool:
        """Tell whether the token is for some lists only."""
        return self.lists is not None

    def sees(self, slug: str) -> bool:
        """Tell whether the token is for this list."""
        return self.lists is None or slug in self.lists


@dataclass(frozen=True, slots=True)
class RequestAllowance:
    """The requests that a token has left until `reset` seconds from now.

    `remaining` is negative where there were too many.
    """

    limit: int
    remaining: int
    reset: int


def add_token(
    env: Environment,
    name: str,
    scope: TokenScope,
    slugs: Sequence[str] = (),
    *,
    expires: bool = True,
) -> str:
    """Make a token and return it; it cannot be shown again.

    Raises `InvalidInput`, `NotFound` (no such list), `Refused` (the name is taken).
    """
    title = to_plain_line(name, limit=200)
    if not title or len(title) > 60:
        raise InvalidInput({"name": "give the program a name of 60 characters at most"})
    if scope is TokenScope.PUBLISH and len(set(slugs)) != 1:
        raise InvalidInput({"list": "a token that publishes is for one list: --list SLUG"})
    token = f"nlt_{secrets.token_urlsafe(32)}"
    with transaction() as session:
        if session.scalar(select(ApiToken.id).where(ApiToken.name == title)) is not None:
            raise Refused(
                f"there is a token {title} already", hint=f"newsletter token revoke {title!r}"
            )
        ids = sorted({get_list(session, slug).id for slug in slugs}) if slugs else None
        session.add(
            ApiToken(
                name=title,
                token_hash=_hash(token),
                scope=scope,
                list_ids=ids,
                created_at=env.now,
                expires_at=env.now + LIFETIME if expires else None,
            )
        )
    return token


def list_tokens() -> list[TokenView]:
    """List the tokens by name."""
    with reading() as session:
        slugs = _read_slugs(session)
        rows = session.scalars(select(ApiToken).order_by(ApiToken.name))
        return [_describe(row, slugs) for row in rows]


def revoke_token(name: str) -> None:
    """Revoke a token: requests with it are refused from now on.

    Raises `NotFound`.
    """
    with transaction() as session:
        row = session.scalar(select(ApiToken).where(ApiToken.name == name.strip()))
        if row is None:
            raise NotFound(f"there is no token {name}", hint="see `newsletter token ls`")
        session.delete(row)


def identify_caller(
    env: Environment, token: str, ip: str
) -> tuple[Caller, RequestAllowance] | None:
    """Return the owner of a token and its remaining requests, None if the token is not valid.

    Counts the request; one above its ceiling is refused without writing anything, for a flood must
    not slow what is being sent. Raises `TooMany` for a network that tries many wrong tokens.
    """
    now = int(env.now.timestamp())
    left = MINUTE - now % MINUTE
    with reading() as session:
        row = _find(env, session, token)
        name = f"api/token/{row.id}" if row else f"api/net/{request_limits.name_networks(ip)[1]}"
        most = REQUESTS_PER_MINUTE if row else FAILURES_PER_MINUTE
        count = counters.count_since(session, [name], since=now - now % MINUTE)[name] + 1
        caller = _describe_caller(session, row) if row else None
    if count <= most:
        with transaction() as session:
            count = counters.increment(session, name, now=now, seconds=MINUTE)
            if caller is not None:
                _note_use(session, caller.token_id, env.now)
    if caller is not None:
        return caller, RequestAllowance(most, max(-1, most - count), left)
    if count > most:
        raise TooMany("too many requests with a wrong token", retry_after=left)
    return None


def may_write(env: Environment, token: str) -> bool:
    """Tell whether a token is valid and has the scope `write`, without counting a request."""
    with reading() as session:
        row = _find(env, session, token)
        return row is not None and row.scope.covers(TokenScope.WRITE)


def _note_use(session: Session, token_id: int, now: datetime) -> None:
    not_lately = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at <= now - USED_EVERY)
    session.execute(
        update(ApiToken).where(ApiToken.id == token_id, not_lately).values(last_used_at=now)
    )


def _describe_caller(session: Session, row: ApiToken) -> Caller:
    if row.list_ids is None:
        return Caller(row.id, row.name, row.scope, None)
    slugs = _read_slugs(session)
    return Caller(row.id, row.name, row.scope, frozenset(_name_lists(row.list_ids, slugs)))


def _find(env: Environment, session: Session, token: str) -> ApiToken | None:
    """Return the row of a token that is valid now."""
    if not _TOKEN.fullmatch(token):
        return None
    row: ApiToken | None = session.scalar(
        select(ApiToken).where(ApiToken.token_hash == _hash(token))
    )
    expired = row is not None and row.expires_at is not None and row.expires_at <= env.now
    return None if expired else row


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _read_slugs(session: Session) -> dict[int, str]:
    rows = session.execute(select(MailingList.id, MailingList.slug))
    return {row.id: row.slug for row in rows}


def _name_lists(list_ids: Sequence[int], slugs: dict[int, str]) -> tuple[str, ...]:
    return tuple(slugs[list_id] for list_id in list_ids if list_id in slugs)


def _describe(row: ApiToken, slugs: dict[int, str]) -> TokenView:
    return TokenView(
        row.name,
        row.scope,
        None if row.list_ids is None else _name_lists(row.list_ids, slugs),
        row.created_at,
        row.expires_at,
        row.last_used_at,
    )
