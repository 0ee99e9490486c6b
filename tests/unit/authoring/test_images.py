"""Photos made fit for mail."""

from __future__ import annotations

import base64
import io
import resource

import pytest
from PIL import Image, ImageCms

from newsletter.authoring.images import MOVING_AT_MOST, SHARP, fit_for_mail
from newsletter.errors import InvalidInput


def picture(
    kind: str = "JPEG", size: tuple[int, int] = (2000, 1000), mode: str = "RGB", **more: object
) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, (120, 90, 60, 128)[: len(mode)]).save(out, kind, **more)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_an_animated_webp_is_still_and_says_so() -> None:
    frames = [Image.new("RGB", (40, 30), color) for color in ("red", "green", "blue")]
    moving = io.BytesIO()
    still = io.BytesIO()
    frames[0].save(moving, "WEBP", save_all=True, append_images=frames[1:], duration=100)
    frames[0].save(still, "WEBP")
    assert fit_for_mail(moving.getvalue(), called="x").stilled
    assert not fit_for_mail(still.getvalue(), called="x").stilled


def test_an_animation_that_everybody_would_load_is_refused() -> None:
    noise = [Image.effect_noise((900, 700), 200).convert("P") for _ in range(8)]
    large = io.BytesIO()
    small = io.BytesIO()
    noise[0].save(large, "GIF", save_all=True, append_images=noise[1:])
    noise[0].resize((90, 70)).save(
        small, "GIF", save_all=True, append_images=[noise[1].resize((90, 70))]
    )
    assert large.tell() > MOVING_AT_MOST
    with pytest.raises(InvalidInput, match="more than 3 MB"):
        fit_for_mail(large.getvalue(), called="party.gif")
    assert fit_for_mail(small.getvalue(), called="party.gif").data == small.getvalue()


def test_a_photo_is_made_smaller_and_keeps_no_secrets() -> None:
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    exif[0x0112] = 6  # lies on its side
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)  # where it was taken
    result = fit_for_mail(picture(exif=exif), called="tree.jpg")
    small = opened(result.data)
    assert (small.width, small.height) == (1000, 2000), "the right way up"
    assert not small.getexif()
    assert b"A camera" not in result.data
    assert result.media_type == "image/jpeg"
    assert (result.width, result.name[-4:]) == (536, ".jpg")
    wide = fit_for_mail(picture(size=(4000, 500)), called="wide.jpg")
    assert opened(wide.data).width == SHARP
    assert fit_for_mail(picture(), called="a").name == fit_for_mail(picture(), called="b").name


def test_what_mail_programs_do_not_show_becomes_what_they_do() -> None:
    assert fit_for_mail(picture("WEBP"), called="x").media_type == "image/jpeg"
    see_through = fit_for_mail(picture("PNG", (40, 40), "RGBA"), called="x")
    assert (see_through.media_type, see_through.width) == ("image/png", 40)
    assert opened(see_through.data).mode == "RGBA"
    frames = [Image.new("RGB", (30, 30), (0, 0, 100 * number)) for number in range(3)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    assert fit_for_mail(out.getvalue(), called="x").data == out.getvalue(), "an animation stays one"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        b"<svg onload='alert(1)'/>",
        picture()[:500],
        picture("TIFF"),
        b"GIF89a" + b"\xff" * 20,
        picture("PNG", (9000, 9000), "L"),
        picture("PNG", (6000, 6000), "1"),
        picture("JPEG", (9000, 9000), "L"),
    ],
    ids=["empty", "text", "svg", "cut", "tiff", "gif", "bomb", "drawn", "photo"],
)
def test_what_is_no_picture_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="tree"):
        fit_for_mail(data, called="tree")


def test_colours_are_those_of_a_screen() -> None:
    """CMYK, 16 bits and profiles of cameras end as what every mail program shows."""
    printed = opened(fit_for_mail(picture("JPEG", (40, 40), "CMYK"), called="x").data)
    assert (printed.mode, printed.format) == ("RGB", "JPEG")
    deep = io.BytesIO()
    Image.new("I;16", (4, 4), 32768).save(deep, "PNG")
    assert opened(fit_for_mail(deep.getvalue(), called="x").data).getpixel((0, 0)) == (
        128,
        128,
        128,
    )
    linear = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (b"nonsense", linear):
        assert (
            fit_for_mail(picture(size=(40, 40), icc_profile=profile), called="x").media_type
            == "image/jpeg"
        )


def test_a_large_photo_is_opened_small() -> None:
    """48 million pixels, as telephones take them, need no memory of their own."""
    photo = picture(size=(8000, 6000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert opened(fit_for_mail(photo, called="x").data).size == (SHARP, 804)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000, "KB"


def test_exif_of_impossible_types_is_no_picture() -> None:
    """A WEBP whose place was written as text where a fraction belongs, which Pillow trips over."""
    broken = base64.b64decode(
        "UklGRrIAAABXRUJQVlA4WAoAAAAIAAAAAwAAAwAAVlA4IDAAAADQAQCdASoEAAQAAUAmJaACdLoB+AADsAD+8ut/"
        "/NgVzXPv9//S4P0uD9Lg/9KQAABFWElGXAAAAE1NACoAAAAIAAIBEgADAAAAAQAGAACIJQAEAAAAAQAAACYAAAAA"
        "AAIAAQACAAAAAk4AAAAAAgABAAAAAwAAAEQAAAAAAAAAAQAAAAEAAAACAAAAAQAAAAMAAAAB"
    )
    with pytest.raises(InvalidInput, match="cannot be read as a picture"):
        fit_for_mail(broken, called="x")
