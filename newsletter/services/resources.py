"""Store files for subscribers, who open them with signed links valid for 30 days.

A file's bytes lie in ``resources/`` beside the settings, under their own SHA-256; several machines
share that folder.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
import shutil
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput, LinkInvalid, NotFound, Refused
from newsletter.files import clean_name, open_private
from newsletter.html.text import to_plain_line
from newsletter.i18n import Text
from newsletter.link_purposes import LinkPurpose
from newsletter.models import Resource
from newsletter.services.link_holders import open_subscription
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import is_suppressed
from newsletter.vocabulary import SubscriptionStatus

FOLDER = "resources"
UNKNOWN_TYPE = "application/octet-stream"
MEDIA_SIGNS = (
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"\xff\xd8\xff"),
    (0, b"GIF8"),
    (0, b"RIFF"),
    (4, b"ftyp"),
    (0, b"\x1aE\xdf\xa3"),
    (0, b"OggS"),
    (0, b"ID3"),
    (0, b"\xff\xfb"),
    (0, b"\xff\xf3"),
    (0, b"\xff\xf2"),
    (0, b"\xff\xf1"),
    (0, b"\xff\xf9"),
    (0, b"fLaC"),
)
"""Magic bytes of media types that browsers show, with their offsets."""
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class ResourceView:
    """A resource as its author sees it; `size` in bytes."""

    name: str
    title: str
    filename: str
    content_type: str
    size: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ResourceFile:
    """A file to be served: path, media type, name and list."""

    path: Path
    filename: str
    content_type: str
    digest: str
    created_at: datetime
    name: str
    list_id: int


def add_upload(
    env: Environment,
    source: IO[bytes],
    filename: str,
    *,
    title: str = "",
    name: str = "",
    replace: bool = False,
) -> ResourceView:
    """Add an uploaded file under a cleaned name.

    Raises `Refused`, `InvalidInput` under ``name``.
    """
    with TemporaryDirectory(prefix="newsletter-") as folder:
        file = Path(folder) / clean_name(filename[-100:], otherwise="file")
        with open_private(file, "wb") as out:
            shutil.copyfileobj(source, out)
        return add_resource(env, file, title=title, name=name, replace=replace)


def add_resource(
    env: Environment, file: Path, *, title: str = "", name: str = "", replace: bool = False
) -> ResourceView:
    """Add a copy of `file`, named as it is by default.

    With `replace` it takes the place of the one with that name: links to it open the new file.
    Raises `Refused`, `InvalidInput` under ``name``.
    """
    name = name or _name(file.stem)
    if not NAME.fullmatch(name):
        raise InvalidInput({"name": Text("use small letters, digits and hyphens")})
    try:
        digest, size = _store_file(env, file)
    except OSError as error:
        raise Refused(
            Text(
                "%(file)s cannot be read or copied: %(reason)s",
                file=file,
                reason=error.strerror or error,
            )
        ) from None
    with transaction() as session:
        row: Resource | None = session.scalar(select(Resource).where(Resource.name == name))
        if row is not None and not replace:
            raise Refused(
                Text("there is a resource %(name)s already", name=name),
                hint=Text("replace it, or choose another name"),
            )
        before = row.digest if row else digest
        if row is None:
            row = Resource(name=name, title=name)
            session.add(row)
        row.title = to_plain_line(title, limit=200) or row.title
        row.filename = to_plain_line(file.name, limit=200)
        row.content_type = find_type(file)
        row.size = size
        row.digest = digest
        row.created_at = env.now
        session.flush()
        view = _view(row)
        alone = not session.scalar(select(exists().where(Resource.digest == before)))
    if alone:
        (env.settings.folder / FOLDER / before).unlink(missing_ok=True)
    return view


def find_type(file: Path) -> str:
    """Return the media type of a file by its name, corrected by its content.

    A file of another content is saved by browsers and never shown, whatever it is called.
    """
    kind = mimetypes.guess_type(file.name)[0] or UNKNOWN_TYPE
    if not kind.startswith(("image/", "audio/", "video/")):
        return kind
    with file.open("rb") as source:
        head = source.read(16)
    return kind if any(head[at:].startswith(sign) for at, sign in MEDIA_SIGNS) else UNKNOWN_TYPE


def _name(stem: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:60].strip("-")


def _store_file(env: Environment, file: Path) -> tuple[str, int]:
    """Copy the bytes to the file's final path atomically."""
    folder = env.settings.folder / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    with file.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    target = folder / digest
    if not target.exists():
        partial = folder / f"{digest}.partial"
        shutil.copyfile(file, partial)
        partial.chmod(0o600)
        partial.replace(target)
    return digest, target.stat().st_size


def list_resources() -> list[ResourceView]:
    """List the resources by name."""
    with reading() as session:
        return [_view(row) for row in session.scalars(select(Resource).order_by(Resource.name))]


def remove_resource(env: Environment, name: str) -> None:
    """Remove a resource, so that links to it stop working.

    Raises `NotFound`.
    """
    with transaction() as session:
        row = _find(session, name)
        shared = exists().where(Resource.digest == row.digest, Resource.id != row.id)
        alone = not session.scalar(select(shared))
        digest = row.digest
        session.delete(row)
    if alone:
        (env.settings.folder / FOLDER / digest).unlink(missing_ok=True)


def read_names() -> frozenset[str]:
    """Read the names of all resources.

    Not to be called inside a transaction.
    """
    with reading() as session:
        return frozenset(session.scalars(select(Resource.name)))


def require_resources(requested: Iterable[str]) -> None:
    """Raise `NotFound` unless every name in `requested` is a resource's."""
    for name in sorted(set(requested) - read_names()) if requested else ():
        raise _explain_missing(name)


def make_linker(known: Collection[str], address: Callable[[str], str]) -> Callable[[str], str]:
    """Return the function that templates and letters call as ``resource("guide")``.

    `known` are the names that exist, read beforehand: a template never reads the database, whatever
    transaction it is rendered in. `address` builds the link of whoever the mail is for. The
    function raises `LookupError`, which stops the template with its line, for a name that is not
    known.
    """

    def resource(name: object) -> str:
        if str(name) not in known:
            raise LookupError(str(_explain_missing(str(name))))
        return address(str(name))

    return resource


def open_resource(env: Environment, token: str) -> ResourceFile:
    """Return the file of a subscriber's signed link.

    Raises `LinkError`; `NotFound` where it was removed; `Refused` where the subscription has ended.
    """
    with reading() as session:
        subscription, name = open_subscription(env, session, LinkPurpose.RESOURCE, token)
        row = _find(session, name)
        if is_suppressed(env, session, subscription.subscriber.email_key):
            raise LinkInvalid
        if subscription.status != SubscriptionStatus.ACTIVE:
            raise Refused(Text("this file is for subscribers"))
        path = env.settings.folder / FOLDER / row.digest
        if not path.is_file():
            raise NotFound(f"the bytes of resource {name} are gone from {path}")
        return ResourceFile(
            path,
            row.filename,
            row.content_type,
            row.digest,
            row.created_at,
            row.name,
            subscription.list_id,
        )


def _find(session: Session, name: str) -> Resource:
    resource: Resource | None = session.scalar(select(Resource).where(Resource.name == name))
    if resource is None:
        raise _explain_missing(name)
    return resource


def _explain_missing(name: str) -> NotFound:
    problem = Text("there is no resource %(name)s", name=name)
    return NotFound(problem, hint=Text("see `newsletter resource ls`"))


def _view(row: Resource) -> ResourceView:
    return ResourceView(
        row.name, row.title, row.filename, row.content_type, row.size, row.created_at
    )
