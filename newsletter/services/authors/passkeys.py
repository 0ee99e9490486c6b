"""Manage the passkeys of authors, and log authors in with them.

A passkey is a key pair on a device that asks its owner for a fingerprint, a face or a PIN each
time, and names its author itself, so that nothing is asked about an address.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.errors import Conflict, InvalidInput, NotFound, Refused
from newsletter.i18n import Text
from newsletter.models import Author, AuthorPasskey
from newsletter.services import counters
from newsletter.services.authors import account_mail
from newsletter.services.authors.passkey_check import (
    LIFETIME,
    AnsweredChallenge,
    PasskeyRefused,
    get_relying_party,
    make_challenge,
    open_challenge,
    verify,
    verify_new,
)
from newsletter.services.authors.sessions import NewSession, start_session
from newsletter.services.runtime import Environment

AT_MOST = 20
"""The most passkeys that one author may have."""
NAME_AT_MOST = 60


@dataclass(frozen=True, slots=True)
class PasskeyView:
    """A passkey of an author; `used_at` is None until it was used."""

    id: int
    name: str
    created_at: datetime
    used_at: datetime | None


def make_log_in_options(env: Environment, *, browser: str) -> dict[str, Any]:
    """Return the WebAuthn options for a log-in: any passkey of this site is accepted.

    Nothing tells whether an author has any. Raises `Refused` where passkeys cannot be used.
    """
    from webauthn import generate_authentication_options
    from webauthn.helpers.structs import UserVerificationRequirement

    options = generate_authentication_options(
        rp_id=get_relying_party(env).id,
        challenge=make_challenge(env, f"log-in {browser}"),
        timeout=int(LIFETIME.total_seconds() * 1000),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _to_json(options)


def make_new_options(env: Environment, author_id: int, *, browser: str) -> dict[str, Any]:
    """Return the WebAuthn options to create a passkey on a device that has none yet.

    Raises `Refused` where passkeys cannot be used, or the author has as many as one may have.
    """
    from webauthn import generate_registration_options
    from webauthn.helpers import base64url_to_bytes
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialDescriptor,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    party = get_relying_party(env)
    with reading() as session:
        author = session.get_one(Author, author_id)
        known = _list_credentials(session, author_id)
        options = generate_registration_options(
            rp_id=party.id,
            rp_name=party.id,
            user_id=author.handle.encode(),
            user_name=author.email,
            challenge=make_challenge(env, f"add {browser}"),
            timeout=int(LIFETIME.total_seconds() * 1000),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[
                PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in known
            ],
        )
    return _to_json(options)


def add_passkey(
    env: Environment, author_id: int, answer: str, name: str, *, browser: str, language: str = ""
) -> PasskeyView:
    """Store the passkey that a device has created for an author, and notify them by mail.

    `answer` is the browser's, as JSON (`RegistrationResponseJSON`). Raises `PasskeyRefused`,
    `Refused`, `InvalidInput` for a name that is empty or too long.
    """
    from webauthn.helpers import bytes_to_base64url

    party = get_relying_party(env)
    name = _check_name(name)
    challenge = open_challenge(env, answer, f"add {browser}")
    verified = verify_new(answer, challenge.value, party)
    try:
        with transaction() as session:
            _use_up(session, challenge)
            _list_credentials(session, author_id)
            row = AuthorPasskey(
                author_id=author_id,
                credential_id=bytes_to_base64url(verified.credential_id),
                public_key=verified.credential_public_key,
                sign_count=verified.sign_count,
                name=name,
                created_at=env.now,
            )
            session.add(row)
            session.flush()
            account_mail.queue_passkey_notice(
                env, session, author_id, added=True, language=language
            )
            return _view(row)
    except Conflict as conflict:
        if conflict.constraint != "uq_author_passkeys_credential_id":
            raise
        raise PasskeyRefused("the passkey is known already") from None


def log_in(
    env: Environment, answer: str, *, browser: str, session_id: int | None, language: str = ""
) -> NewSession:
    """Log in the author of a passkey, and end their earlier session in this browser.

    `answer` is the browser's, as JSON (`AuthenticationResponseJSON`). Nothing is written before it
    is known to be right. Raises `PasskeyRefused`.
    """
    party = get_relying_party(env)
    challenge = open_challenge(env, answer, f"log-in {browser}")
    query = (
        select(AuthorPasskey, Author)
        .join(Author, Author.id == AuthorPasskey.author_id)
        .where(AuthorPasskey.credential_id == challenge.answered_by, Author.revoked_at.is_(None))
    )
    with reading() as session:
        stored = session.execute(query).first()
        if stored is None:
            raise PasskeyRefused("the passkey is not known")
        known = stored[0].sign_count
        count = verify(answer, challenge.value, party, *stored)
    with transaction() as session:
        _use_up(session, challenge)
        row = session.execute(query.with_for_update()).first()
        if row is None or row[0].sign_count != known:
            raise PasskeyRefused("the passkey was removed, or used by another at once")
        passkey, author = row
        passkey.sign_count = count
        passkey.used_at = env.now
        by = f"passkey {passkey.id}"
        return start_session(env, session, author, replaces=session_id, by=by, language=language)


def list_passkeys(author_id: int) -> list[PasskeyView]:
    """List the passkeys of an author, oldest first."""
    query = (
        select(AuthorPasskey).where(AuthorPasskey.author_id == author_id).order_by(AuthorPasskey.id)
    )
    with reading() as session:
        return [_view(row) for row in session.scalars(query)]


def has_passkeys(author_id: int) -> bool:
    """Tell whether an author has a passkey."""
    query = select(AuthorPasskey.id).where(AuthorPasskey.author_id == author_id).limit(1)
    with reading() as session:
        return session.scalar(query) is not None


def rename_passkey(author_id: int, passkey_id: int, name: str) -> None:
    """Rename one of an author's passkeys.

    Raises `NotFound`, `InvalidInput`.
    """
    name = _check_name(name)
    with transaction() as session:
        _get_passkey(session, author_id, passkey_id).name = name


def remove_passkey(
    env: Environment, author_id: int, passkey_id: int, *, language: str = ""
) -> None:
    """Delete one of an author's passkeys, and notify them by mail; their sessions stay open.

    Raises `NotFound`.
    """
    with transaction() as session:
        session.delete(_get_passkey(session, author_id, passkey_id))
        account_mail.queue_passkey_notice(env, session, author_id, added=False, language=language)


def _get_passkey(session: Session, author_id: int, passkey_id: int) -> AuthorPasskey:
    query = select(AuthorPasskey).where(
        AuthorPasskey.id == passkey_id, AuthorPasskey.author_id == author_id
    )
    row: AuthorPasskey | None = session.scalar(query)
    if row is None:
        raise NotFound("there is no such passkey")
    return row


def _list_credentials(session: Session, author_id: int) -> list[str]:
    query = select(AuthorPasskey.credential_id).where(AuthorPasskey.author_id == author_id)
    known = list(session.scalars(query))
    if len(known) >= AT_MOST:
        raise Refused(
            Text("you have %(at_most)s passkeys already", at_most=AT_MOST),
            hint=Text("remove one first"),
        )
    return known


def _check_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > NAME_AT_MOST or not name.isprintable():
        text = Text(
            "Please give the passkey a name of at most %(most)d characters.", most=NAME_AT_MOST
        )
        raise InvalidInput({"name": text})
    return name


def _use_up(session: Session, challenge: AnsweredChallenge) -> None:
    """Mark a challenge as used. Raises `PasskeyRefused` if it was used before."""
    at = int(challenge.made_at.timestamp())
    name = f"passkey/{challenge.name}"
    if counters.increment(session, name, now=at, seconds=counters.HOUR) > 1:
        raise PasskeyRefused("the challenge was answered before")


def _to_json(options: Any) -> dict[str, Any]:
    """Serialize options as JSON for browsers (`PublicKeyCredentialRequestOptionsJSON`)."""
    from webauthn import options_to_json

    written: dict[str, Any] = json.loads(options_to_json(options))
    return written


def _view(row: AuthorPasskey) -> PasskeyView:
    return PasskeyView(row.id, row.name, row.created_at, row.used_at)
