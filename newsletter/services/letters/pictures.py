"""Collect, resize, store and load the pictures of letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter.authoring.images import BYTES_AT_MOST, MailPicture, fit_for_mail
from newsletter.authoring.letter_file import Letter
from newsletter.authoring.markdown import PlacedPicture, find_pictures
from newsletter.db.session import reading, transaction
from newsletter.errors import FeedError, InvalidInput, NotFound
from newsletter.html.video_embeds import get_picture_url
from newsletter.i18n import Text
from newsletter.models import Picture
from newsletter.services.mail_context import ListContext
from newsletter.services.runtime import Environment

VIDEO = "video:"
"""Prefix of the key of a video's still picture (`authoring.markdown.get_video_key`)."""


@dataclass(slots=True)
class GatheredPictures:
    """The pictures of a letter, and its URL in the archive ("" if it has none).

    `placed` says where each is served, by its address as written; `fresh` are not stored yet;
    `names` are the names under which they are stored; `notes` say what went less than well.
    """

    web_url: str
    placed: dict[str, PlacedPicture] = field(default_factory=dict)
    fresh: list[MailPicture] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def gather_pictures(
    env: Environment,
    mailing_list: ListContext,
    letter: Letter,
    stored: Mapping[str, str],
    *,
    offline: bool,
    web_url: str,
) -> GatheredPictures:
    """Resize every picture of a letter for mail; use those in `stored` where a file is missing."""
    gathered = GatheredPictures(web_url)
    for written in find_pictures(letter.markdown):
        if written.startswith(VIDEO):
            fitted = stored.get(written) or _find_still(
                env, written.removeprefix(VIDEO), gathered, offline=offline
            )
        elif _is_beside_letter(written):
            fitted = _open_local(letter, written) or stored.get(written)
            if fitted is None:
                raise InvalidInput(
                    {letter.where(written): Text("there is no such picture beside the letter")}
                )
        else:
            continue
        if isinstance(fitted, MailPicture) and fitted.stilled:
            problem = f"{letter.where(written)} is animated and is mailed as a still picture"
            gathered.notes.append(f"{problem}; save it as a GIF to keep it moving")
        if fitted is not None:
            _place(env, mailing_list, gathered, written, fitted)
    return gathered


def _is_beside_letter(written: str) -> bool:
    """Tell whether a picture's file is in the letter's folder."""
    parts = urlsplit(written)
    return bool(written) and not (
        parts.scheme or parts.netloc or written.startswith(("/", "#", "?"))
    )


def _open_local(letter: Letter, written: str) -> MailPicture | None:
    """Return a picture from the letter's folder, or None if it does not exist.

    A file outside the folder is not opened, whatever leads there: a letter written by somebody
    else must not carry the author's own files to everybody.
    """
    if letter.folder is None:
        return None
    called = letter.where(written)
    try:
        folder = letter.folder.resolve()
        file = (folder / unquote(written)).resolve()
        if not file.is_relative_to(folder):
            raise InvalidInput(
                {
                    called: Text(
                        "lies outside the letter's folder; put it into %(folder)s", folder=folder
                    )
                }
            )
        if file.exists() and not file.is_file():
            raise InvalidInput({called: Text("is not a file")})
        if not file.exists():
            return None
        with file.open("rb") as opened:
            return fit_for_mail(opened.read(BYTES_AT_MOST + 1), called=called)
    except (OSError, ValueError, RuntimeError) as error:
        raise InvalidInput(
            {
                called: Text(
                    "cannot be read: %(error)s", error=getattr(error, "strerror", None) or error
                )
            }
        ) from None


def _find_still(
    env: Environment, video: str, gathered: GatheredPictures, *, offline: bool
) -> MailPicture | None:
    """Fetch a video's still picture, so that opening the mail requests nothing from its host."""
    if offline:
        hint = "`newsletter campaign edit` fetches it"
        gathered.notes.append(f"the video {video} is shown without its picture; {hint}")
        return None
    try:
        return fit_for_mail(env.fetch(get_picture_url(video)).body, called=video)
    except (FeedError, InvalidInput) as error:
        gathered.notes.append(f"the video {video} is shown without its picture: {error}")
        return None


def _place(
    env: Environment,
    mailing_list: ListContext,
    gathered: GatheredPictures,
    written: str,
    fitted: MailPicture | str,
) -> None:
    if isinstance(fitted, MailPicture):
        gathered.fresh.append(fitted)
        name = fitted.name
        width = fitted.width
    else:
        name = fitted
        width = _load_width(fitted)
    gathered.names[written] = name
    gathered.placed[written] = PlacedPicture(env.links.picture(mailing_list.slug, name), width)


def _load_width(name: str) -> int:
    with reading() as session:
        return session.scalar(select(Picture.width).where(Picture.name == name)) or 0


def save_pictures(session: Session, env: Environment, pictures: Sequence[MailPicture]) -> None:
    """Store pictures in the caller's transaction, each content once.

    One that is stored already counts as stored now: see `unused_pictures`.
    """
    by_name = {picture.name: picture for picture in pictures}
    stored = set(session.scalars(select(Picture.name).where(Picture.name.in_(by_name))))
    if stored:
        session.execute(update(Picture).where(Picture.name.in_(stored)).values(created_at=env.now))
    session.add_all(
        Picture(
            name=picture.name,
            media_type=picture.media_type,
            width=picture.width,
            data=picture.data,
            created_at=env.now,
        )
        for name, picture in by_name.items()
        if name not in stored
    )
    session.flush()


def store_pictures(env: Environment, pictures: Sequence[MailPicture]) -> None:
    """Store pictures in a transaction of their own, for test mails and previews."""
    if pictures:
        with transaction() as session:
            save_pictures(session, env, pictures)


def get_picture(name: str) -> MailPicture:
    """Return a stored picture.

    Raises `NotFound`.
    """
    with reading() as session:
        picture = session.get(Picture, name)
        if picture is None:
            raise NotFound("no such picture")
        return MailPicture(picture.name, picture.media_type, picture.width, picture.data)
