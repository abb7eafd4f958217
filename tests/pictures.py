"""Pictures for tests, as cameras and attackers make them."""

from __future__ import annotations

import io
import random

from PIL import Image, ImageFilter


def draw(width: int = 2000, height: int = 1500, *, seed: int = 1) -> Image.Image:
    """Return a picture with some detail everywhere, the same one for the same seed."""
    noise = random.Random(seed).randbytes(40 * 30 * 3)  # noqa: S311 - no secret
    clouds = Image.frombytes("RGB", (40, 30), noise).resize((width, height), Image.Resampling.BICUBIC)
    return clouds.filter(ImageFilter.GaussianBlur(2))


def noise(width: int, height: int) -> Image.Image:
    """Return what nothing compresses."""
    return Image.frombytes("RGB", (width, height), random.Random(3).randbytes(width * height * 3))  # noqa: S311


def encode(picture: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def with_a_place(picture: Image.Image, *, orientation: int = 1) -> bytes:
    """Return a JPEG that tells where, and how the camera was held."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "<script>alert(1)</script>"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (20.0, 12.0, 34.5)
    return encode(picture, exif=exif.tobytes())
