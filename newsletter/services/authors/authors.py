"""Add, list and revoke authors with their roles and lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter.access_vocabulary import AuthorRole
from newsletter.addresses import parse_address
from newsletter.db.session import reading, transaction
from newsletter.errors import NotFound
from newsletter.models import Author, AuthorList, AuthorPasskey, AuthorSession, MailingList
from newsletter.services.lookup import get_list
from newsletter.services.runtime import Environment


@dataclass(frozen=True, slots=True)
class AuthorView:
    """An author with their role and lists.

    `lists` maps the ids of the lists that they may see to their slugs; `limited` authors see no
    others, whatever lists are added.
    """

    id: int
    email: str
    role: AuthorRole
    limited: bool
    lists: dict[int, str]
    created_at: datetime

    def may(self, role: AuthorRole, *, everywhere: bool = False) -> bool:
        """Tell whether an author has the rights of `role`; with `everywhere`, on every list."""
        return self.role.includes(role) and not (everywhere and self.limited)


def add_author(
    env: Environment, address: str, *, role: AuthorRole, slugs: Sequence[str] = ()
) -> AuthorView:
    """Add an author, or change the role and lists of an existing one.

    `slugs` limits them to these lists; without any they see every list. Raises `InvalidInput`,
    `NotFound` (no such list).
    """
    typed = parse_address(address)
    with transaction() as session:
        list_ids = [get_list(session, slug).id for slug in slugs]
        author = session.scalar(select(Author).where(Author.email_key == typed.key))
        if author is None:
            author = Author(email_key=typed.key, created_at=env.now)
            session.add(author)
        author.email = typed.email
        author.role = role
        author.limited = bool(list_ids)
        author.revoked_at = None
        session.flush()
        session.execute(delete(AuthorList).where(AuthorList.author_id == author.id))
        for list_id in dict.fromkeys(list_ids):
            session.add(AuthorList(author_id=author.id, list_id=list_id))
        session.flush()
        return describe_author(session, author)


def list_authors() -> list[AuthorView]:
    """List the authors by address."""
    with reading() as session:
        query = select(Author).where(Author.revoked_at.is_(None)).order_by(Author.email_key)
        return [describe_author(session, author) for author in session.scalars(query)]


def revoke_author(env: Environment, address: str) -> AuthorView:
    """End an author's access at once, in every browser and by every passkey.

    What they did stays in the record. Raises `InvalidInput`, `NotFound`.
    """
    with transaction() as session:
        author = get_author(session, address)
        author.revoked_at = env.now
        for held in (AuthorSession, AuthorPasskey):
            session.execute(delete(held).where(held.author_id == author.id))
        return describe_author(session, author)


def get_author(session: Session, address: str) -> Author:
    """Return the author with an address who has not been revoked.

    Raises `InvalidInput`, `NotFound`.
    """
    author = find_author(session, parse_address(address).key)
    if author is None:
        raise NotFound("there is no author with this address", hint="see `newsletter author ls`")
    return author


def find_author(session: Session, email_key: str) -> Author | None:
    """Return the author with an address who has not been revoked, or None."""
    query = select(Author).where(Author.email_key == email_key, Author.revoked_at.is_(None))
    author: Author | None = session.scalar(query)
    return author


def describe_author(session: Session, author: Author) -> AuthorView:
    """Describe an author with the lists that they may see."""
    query = select(MailingList.id, MailingList.slug).order_by(MailingList.id)
    if author.limited:
        query = query.join(AuthorList, AuthorList.list_id == MailingList.id)
        query = query.where(AuthorList.author_id == author.id)
    lists = {row.id: row.slug for row in session.execute(query)}
    return AuthorView(
        author.id, author.email, author.role, author.limited, lists, author.created_at
    )
