"""What staff upload becomes photos of ours: decoded, turned upright, made small, and written anew as WebP.

Nothing of the file itself is kept or served: whatever else it holds (a place, a script, a second format) ends
here. Its size in pixels is read before any is decoded.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from threading import Lock

from django.db import transaction
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from bookings.exceptions import PhotoRefused
from bookings.models import PhotoVariant, PropertyPhoto
from bookings.models.photos import LEAST_WIDTH, MOST_BYTES

MOST_FILE_BYTES = 8 * 1024 * 1024
MOST_PIXELS = 25_000_000
MOST_SIDE = 10_000
MOST_FOR_A_HOME = 20

# A progressive JPEG is decoded once for each scan; cameras write ten or so.
_MOST_SCANS = 100
_START_OF_SCAN = b"\xff\xda"
_FORMATS = ("JPEG", "PNG", "WEBP")
# A telephone's JPEG with a second picture behind the first, such as its depth or its brightness, is an MPO.
_JPEG = ("JPEG", "MPO")
_QUALITIES = (80, 68, 56, 44, 32, 20, 8)
# A large picture takes 100 MB while it is decoded: one at a time.
_ONE_AT_A_TIME = Lock()


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture that can be shown: its size, and its bytes by width."""

    width: int
    height: int
    variants: dict[int, bytes]


def read_photo(data: bytes) -> Photo:
    """Make a photo of a file.

    Raises:
        PhotoRefused: why it is none.
    """
    if len(data) > MOST_FILE_BYTES:
        raise PhotoRefused(_("The file is larger than 8 MB. Choose a smaller one."))
    with _ONE_AT_A_TIME:
        picture = _decode(data)
        widths = [width for width in MOST_BYTES if width <= picture.width]
        return Photo(*picture.size, {width: _write(picture, width) for width in widths})


@transaction.atomic
def store_photo(photo: PropertyPhoto, picture: Photo) -> None:
    """Write a new photo with its variants, or none of it."""
    photo.width, photo.height = picture.width, picture.height
    photo.save()
    PhotoVariant.objects.bulk_create(
        PhotoVariant(photo=photo, width=width, webp=webp) for width, webp in picture.variants.items()
    )


def _decode(data: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _check_header(image, data)
            if image.format in _JPEG:
                image.draft("RGB", (max(MOST_BYTES), max(MOST_BYTES)))
            upright = ImageOps.exif_transpose(image)
            picture = _on_white(upright)
    except PhotoRefused:
        raise
    except Exception as error:  # Decoders of hostile files raise anything.
        raise PhotoRefused(_("This is no photo that we can read. Use JPEG, PNG or WebP.")) from error
    return picture


def _check_header(image: Image.Image, data: bytes) -> None:
    """Refuse what would take too much to decode, by what the head of the file says."""
    width, height = image.size
    if width * height > MOST_PIXELS or max(width, height) > MOST_SIDE:
        raise PhotoRefused(_("The picture has more than 25 megapixels. Make it smaller and try again."))
    if getattr(image, "is_animated", False) and image.format not in _JPEG:
        raise PhotoRefused(_("The picture moves. Use one that stands still."))
    if image.format in _JPEG and data.count(_START_OF_SCAN) > _MOST_SCANS:
        raise PhotoRefused(_("This is no photo that we can read. Use JPEG, PNG or WebP."))
    if min(width, height) < LEAST_WIDTH // 2 or max(width, height) < LEAST_WIDTH:
        raise PhotoRefused(_too_small())


def _too_small() -> str:
    return _("The picture is less than 960 pixels wide. Choose a larger one.")


def _on_white(image: Image.Image) -> Image.Image:
    """Return the pixels alone, without anything that came with them."""
    if image.width < LEAST_WIDTH:
        raise PhotoRefused(_too_small())
    if "A" in image.getbands() or "transparency" in image.info:
        layers = image.convert("RGBA")
        paper = Image.new("RGBA", layers.size, "white")
        return Image.alpha_composite(paper, layers).convert("RGB")
    return _in_eight_bits(image).convert("RGB")


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """Return greys of sixteen bits as eight: Pillow would take all but the darkest for white."""
    if not image.mode.startswith("I"):
        return image
    return image.convert("I").point(lambda grey: grey * (1 / 256)).convert("L")


def _write(picture: Image.Image, width: int) -> bytes:
    """Return a variant, as fine as fits into its bytes."""
    height = max(round(picture.height * width / picture.width), 1)
    small = picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    for quality in _QUALITIES:
        file = io.BytesIO()
        small.save(file, "WEBP", quality=quality, method=4, exif=b"", icc_profile=b"", xmp=b"")
        if file.tell() <= MOST_BYTES[width]:
            return file.getvalue()
    raise PhotoRefused(_("The picture has too much detail to be made small. Choose another one."))
