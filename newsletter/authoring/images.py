"""Resize and convert pictures for mail. Pure: bytes in, bytes out.

The result is upright, no wider than a high-density screen displays it, in a format that every mail
program supports, and without metadata of the camera (above all, the place where it was taken).
"""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from newsletter.authoring.markdown_parser import COLUMN_WIDTH
from newsletter.errors import InvalidInput
from newsletter.i18n import Text

if TYPE_CHECKING:
    from PIL.Image import Image

BYTES_AT_MOST = 30_000_000
"""Bytes of a picture file; photos of current cameras are smaller."""
MOVING_AT_MOST = 3_000_000
"""Bytes of an animated GIF, which is mailed as it is: every subscriber loads all of it."""
PIXELS_AT_MOST = 60_000_000
"""Pixels of a JPEG, which is decoded at a reduced size."""
DRAWN_AT_MOST = 25_000_000
"""Pixels of a picture other than a JPEG, which is decoded in its full size and takes memory for
it."""
SHARP = 2 * COLUMN_WIDTH
"""Pixels: twice the width of a letter's column, for screens with two pixels a point."""
_TYPES = {"JPEG": ("jpg", "image/jpeg"), "PNG": ("png", "image/png"), "GIF": ("gif", "image/gif")}


@dataclass(frozen=True, slots=True)
class MailPicture:
    """A picture in its final size and format for a mail.

    `name` is derived from its content; `width` is its displayed width in pixels.
    """

    name: str
    media_type: str
    width: int
    data: bytes
    stilled: bool = False
    """True if the picture was animated and only its first frame is left."""


def fit_for_mail(data: bytes, *, called: str) -> MailPicture:
    """Return the picture in `data` converted for mail.

    Raises `InvalidInput` (naming it as `called`) if it is no picture that a mail can show.
    """
    # Imported late: it costs start-up time that most commands do not need.
    from PIL import Image, UnidentifiedImageError

    if len(data) > BYTES_AT_MOST:
        raise InvalidInput(
            {called: Text("is larger than %(bytes)s MB", bytes=BYTES_AT_MOST // 1000000)}
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures, and of what a camera got wrong
            with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "GIF", "WEBP")) as opened:
                at_most = PIXELS_AT_MOST if opened.format == "JPEG" else DRAWN_AT_MOST
                if opened.width * opened.height > at_most:
                    raise InvalidInput(
                        {
                            called: Text(
                                "has %(width)s × %(height)s pixels; make it smaller",
                                width=opened.width,
                                height=opened.height,
                            )
                        }
                    )
                if opened.format == "GIF" and getattr(opened, "is_animated", False):
                    _require_small(data, called)
                    return _name_picture("GIF", data, opened.width)
                is_animated = opened.format != "JPEG" and bool(
                    getattr(opened, "is_animated", False)
                )
                pixels, kind = _shrink(opened)
    except UnidentifiedImageError:
        raise InvalidInput(
            {called: Text("is no picture that mail programs show; use JPEG, PNG or GIF")}
        ) from None
    except InvalidInput:
        raise
    except Exception:
        raise InvalidInput({called: Text("cannot be read as a picture")}) from None
    return replace(_name_picture(kind, *pixels), stilled=is_animated)


def _require_small(data: bytes, called: str) -> None:
    if len(data) > MOVING_AT_MOST:
        most = MOVING_AT_MOST // 1_000_000
        raise InvalidInput(
            {
                called: Text(
                    "is an animation of more than %(most)s MB; make it smaller, or a video",
                    most=most,
                )
            }
        )


def _shrink(opened: Image) -> tuple[tuple[bytes, int], str]:
    """Return a picture's pixels without metadata, at most `SHARP` wide, with width and format.

    The format is JPEG, or PNG for pixels that may be transparent or are a drawing.
    """
    from PIL import ImageOps
    from PIL.Image import Resampling

    opened.draft(None, (SHARP, SHARP))  # a JPEG's pixels, only as many as needed
    upright = ImageOps.exif_transpose(opened)
    clear = "A" in upright.getbands() or "transparency" in upright.info
    drawn = opened.format in ("PNG", "GIF") or clear
    plain = _convert_colours(upright, "RGBA" if clear else "RGB")
    if plain.width > SHARP:
        plain = plain.resize(
            (SHARP, max(1, round(plain.height * SHARP / plain.width))), Resampling.LANCZOS
        )
    format_ = "PNG" if drawn else "JPEG"
    return (_encode(plain, format_), plain.width), format_


def _encode(pixels: Image, format_: str) -> bytes:
    out = io.BytesIO()
    if format_ == "PNG":
        pixels.save(out, "PNG", optimize=True)
    else:
        pixels.save(out, "JPEG", quality=84, optimize=True, progressive=True)
    return out.getvalue()


def _convert_colours(image: Image, mode: str) -> Image:
    """Return `image` converted to the colours of a screen (sRGB).

    Its colour profile, which is lost with the metadata, is applied first; 16 bits a pixel become 8.
    """
    from PIL import ImageCms

    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "RGBA", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            screen = ImageCms.createProfile("sRGB")
            output_mode = "RGBA" if image.mode == "RGBA" else "RGB"
            image = (
                ImageCms.profileToProfile(image, source, screen, outputMode=output_mode) or image
            )
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass  # an unreadable profile counts as none
    return image.convert(mode)


def _name_picture(kind: str, data: bytes, width: int) -> MailPicture:
    ending, media_type = _TYPES[kind]
    name = f"{hashlib.sha256(data).hexdigest()[:32]}.{ending}"
    # A picture that is wider than the column was made for sharp screens: it fills the column.
    return MailPicture(name, media_type, min(width, COLUMN_WIDTH), data)
