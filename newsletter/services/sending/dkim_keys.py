"""Create, list and remove DKIM keys, and record those that the DNS publishes.

A key signs for a domain once it is named in `dkim.selectors` and `doctor` has seen its record.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqlalchemy import select

from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput, NotFound, Refused
from newsletter.files import open_private
from newsletter.mail.dkim.keys import (
    PrivateKey,
    fingerprint_key,
    get_kind,
    load_key,
    make_key,
    write_record,
)
from newsletter.mail.dkim.signer import Signer
from newsletter.models import MailingList, SeenDkimKey
from newsletter.services.runtime import Environment
from newsletter.setting_types import is_selector
from newsletter.setup_vocabulary import KeyKind

FOLDER = "dkim"
"""The folder of key files, beside the settings file."""

SIZE_AT_MOST = 64 * 1024
"""Bytes of a key file that are read; a key has fewer than two thousand."""

log = logging.getLogger("newsletter.dkim")


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A DKIM key; `signs` is True if the settings select it.

    `records` publish it for each domain that a list is sent from; `seen_for` are the domains whose
    record `doctor` has seen.
    """

    selector: str
    kind: KeyKind
    file: Path
    signs: bool
    records: tuple[str, ...]
    seen_for: tuple[str, ...]


def create_key(env: Environment, selector: str, *, kind: KeyKind = KeyKind.RSA) -> DkimKey:
    """Create a key and its file, which only its owner can read.

    Raises `InvalidInput`, and `Refused` where the selector has a key.
    """
    if not is_selector(selector):
        raise InvalidInput({"selector": "write up to 63 of a-z, 0-9 and -, like s1"})
    file = find_file(env, selector)
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        with open_private(file, "xb") as out:
            out.write(make_key(kind))
    except FileExistsError:
        hint = "choose another selector: receivers may still check mail by the old key"
        raise Refused(f"{selector} has a key: {file}", hint=hint) from None
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror}") from None
    return get_key(env, selector)


def list_keys(env: Environment) -> list[DkimKey]:
    """List the readable keys, by selector."""
    return [_describe(env, selector, key) for selector, key in _read_keys(env)]


def get_key(env: Environment, selector: str) -> DkimKey:
    """Return a key by its selector.

    Raises `NotFound`.
    """
    key = read_key(env, selector) if is_selector(selector) else None
    if key is None:
        raise NotFound(f"there is no DKIM key {selector}", hint="see `newsletter dkim ls`")
    return _describe(env, selector, key)


def remove_key(env: Environment, selector: str) -> None:
    """Delete a key for good.

    Raises `NotFound`, and `Refused` while the settings name it.
    """
    if selector in env.settings.dkim.selectors:
        raise Refused(
            f"the DKIM key {selector} signs mail", hint="remove it from dkim.selectors first"
        )
    file = find_file(env, selector)
    if not is_selector(selector) or not file.exists():
        raise NotFound(f"there is no DKIM key {selector}", hint="see `newsletter dkim ls`")
    file.unlink()
    with transaction() as session:
        for row in session.scalars(select(SeenDkimKey).where(SeenDkimKey.selector == selector)):
            session.delete(row)


def find_file(env: Environment, selector: str) -> Path:
    """Return the path of the key file of a selector."""
    return env.settings.folder / FOLDER / f"{selector}.pem"


def read_key(env: Environment, selector: str) -> PrivateKey | None:
    """Read a key; None if there is none or its file cannot be used."""
    file = find_file(env, selector)
    try:
        return _load(file, file.stat().st_mtime_ns)
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=16)
def _load(file: Path, changed: int) -> PrivateKey:
    """Load a key file, cached until it changes: checking an RSA key takes 40 ms."""
    with file.open("rb") as opened:
        return load_key(opened.read(SIZE_AT_MOST))


def _read_keys(env: Environment) -> Iterator[tuple[str, PrivateKey]]:
    for file in sorted((env.settings.folder / FOLDER).glob("*.pem")):
        key = read_key(env, file.stem) if is_selector(file.stem) else None
        if key is not None:
            yield file.stem, key


def _describe(env: Environment, selector: str, key: PrivateKey) -> DkimKey:
    with reading() as session:
        addresses = session.scalars(select(MailingList.from_email).order_by(MailingList.id)).all()
        published = session.scalars(
            select(SeenDkimKey.domain)
            .where(
                SeenDkimKey.selector == selector, SeenDkimKey.fingerprint == fingerprint_key(key)
            )
            .order_by(SeenDkimKey.domain)
        ).all()
    domains = dict.fromkeys(address.rpartition("@")[2] for address in addresses)
    return DkimKey(
        selector,
        get_kind(key),
        find_file(env, selector),
        selector in env.settings.dkim.selectors,
        tuple(write_record(key, selector, domain) for domain in domains),
        tuple(published),
    )


def note_seen(domain: str, selector: str, key: PrivateKey) -> None:
    """Record that the DNS publishes a key for a domain."""
    with transaction() as session:
        row = session.get(SeenDkimKey, (domain, selector))
        if row is None:
            row = SeenDkimKey(domain=domain, selector=selector)
            session.add(row)
        row.fingerprint = fingerprint_key(key)


def find_signers(env: Environment) -> dict[str, tuple[Signer, ...]]:
    """Return the keys that sign for each domain, in the order of the settings."""
    signers: dict[str, tuple[Signer, ...]] = {}
    for selector in env.settings.dkim.selectors:
        key = read_key(env, selector)
        if key is None:
            log.error("the DKIM key %s cannot be read: mail is not signed with it", selector)
            continue
        published = select(SeenDkimKey.domain).where(
            SeenDkimKey.selector == selector, SeenDkimKey.fingerprint == fingerprint_key(key)
        )
        with reading() as session:
            domains = session.scalars(published).all()
        for domain in domains:
            signers[domain] = (*signers.get(domain, ()), Signer(domain, selector, key))
    return signers
