"""Photos of homes: what is taken for one, what is kept of it, and how guests get it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image, ImageStat

from bookings import photo_files
from bookings.exceptions import PhotoRefused
from bookings.models import PhotoVariant, Property, PropertyPhoto
from bookings.models.photos import MOST_BYTES
from bookings.photo_files import read_photo, store_photo
from tests.factories import make_property
from tests.pictures import draw, encode, noise, with_a_place

pytestmark = pytest.mark.django_db
LIST = "/admin/bookings/propertyphoto/"
ADD = f"{LIST}add/"


def add_photo(home: Property, *, seed: int = 1, position: int = 0, width: int = 1700) -> PropertyPhoto:
    photo = PropertyPhoto(home=home, alt=f"La terraza {seed}", position=position)
    store_photo(photo, read_photo(encode(draw(width, 1100, seed=seed))))
    return photo


def upload(client: Client, home: Property, data: bytes, *, alt: str = "La terraza y el lago"):
    file = SimpleUploadedFile("foto.jpg", data, content_type="image/jpeg")
    return client.post(ADD, {"home": home.pk, "file": file, "alt": alt, "position": 0})


def png_of(width: int, height: int) -> bytes:
    """Return a PNG that says how large it is, and holds next to nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body


def test_a_photo_is_made_small_written_anew_and_told_of_nothing_but_its_pixels(admin_client: Client):
    home = make_property()

    response = upload(admin_client, home, with_a_place(draw(2000, 1200), orientation=6))

    assert response.status_code == 302
    photo = home.photos.get()
    variants = {each.width: bytes(each.webp) for each in photo.variants.all()}
    assert list(variants) == list(MOST_BYTES)[:2]  # stood upright it is 1200 wide
    for width, webp in variants.items():
        picture = Image.open(io.BytesIO(webp))
        assert picture.format == "WEBP" and picture.width == width and picture.height > picture.width
        assert len(webp) <= MOST_BYTES[width]
        assert not picture.getexif() and b"script" not in webp and b"EXIF" not in webp


HOSTILE: dict[str, Callable[[], bytes]] = {  # made by the test that sends it, not by whoever reads this file
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "html": lambda: b"<!doctype html><script>alert(1)</script>",
    "nothing": lambda: b"x",
    "gif": lambda: encode(draw(1200, 800), "GIF"),
    "tiff": lambda: encode(draw(1200, 800), "TIFF"),
    "half a file": lambda: encode(draw(1200, 800))[:9000],
    "head of a jpeg": lambda: b"\xff\xd8\xff\xe0" + b"A" * 5000,
    "50 megapixels": lambda: png_of(10_000, 5_000),
    "a line": lambda: png_of(20_000, 960),
    "too small": lambda: encode(draw(900, 900)),
    "a strip": lambda: encode(draw(2000, 100)),
    "small when upright": lambda: with_a_place(draw(1600, 900), orientation=6),
    "many scans": lambda: encode(draw(1200, 800)) + b"\xff\xda" * 200,
    "moving": lambda: encode(draw(1200, 800), "WEBP", save_all=True, append_images=[draw(1200, 800, seed=2)]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_photo_is_refused_on_the_page_and_nothing_is_kept(admin_client: Client, name: str):
    response = upload(admin_client, make_property(), HOSTILE[name]())

    assert response.status_code == 200
    assert response.context["adminform"].form.errors["file"]
    assert not PropertyPhoto.objects.exists() and not PhotoVariant.objects.exists()


def test_a_bomb_is_refused_by_its_head_before_its_pixels_are_made(monkeypatch: pytest.MonkeyPatch):
    def never(*args: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(photo_files, "_on_white", never)

    with pytest.raises(PhotoRefused, match="25"):
        read_photo(png_of(10_000, 5_000))


def test_a_second_format_behind_a_picture_ends_with_the_upload():
    polyglot = encode(draw(1700, 1100)) + b"<script>alert(1)</script>PK\x03\x04"

    assert not any(b"script" in webp for webp in read_photo(polyglot).variants.values())


def test_a_file_is_read_no_further_than_it_may_be_long(admin_client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(photo_files, "MOST_FILE_BYTES", 1000)

    assert upload(admin_client, make_property(), encode(draw())).context["adminform"].form.errors["file"]


def test_a_telephones_picture_with_another_behind_it_is_a_photo():
    """What is behind is its depth or its brightness; Pillow calls it a picture that moves."""
    with_depth = encode(draw(1700, 1100), "MPO", save_all=True, append_images=[draw(400, 300)])

    assert read_photo(with_depth).width == 1700


@pytest.mark.parametrize("mode", ["L", "P", "LA", "CMYK", "I;16"])
def test_a_photo_is_as_bright_as_its_file_however_that_writes_its_colours(mode: str):
    picture = draw(960, 700).convert("L")
    written = picture.convert("I").point(lambda grey: grey * 256) if mode == "I;16" else picture
    file = encode(written.convert(mode), "JPEG" if mode == "CMYK" else "PNG")

    photo = Image.open(io.BytesIO(read_photo(file).variants[960])).convert("L")

    assert abs(ImageStat.Stat(photo).mean[0] - ImageStat.Stat(picture).mean[0]) < 4


def test_what_nothing_compresses_still_fits_or_is_refused():
    try:
        variants = read_photo(encode(noise(1600, 1200), "PNG")).variants
    except PhotoRefused:
        return
    assert all(len(webp) <= MOST_BYTES[width] for width, webp in variants.items())


def test_the_database_takes_no_large_variant():
    photo = add_photo(make_property())

    with pytest.raises(IntegrityError, match="variant_is_small"), transaction.atomic():
        photo.variants.filter(width=960).update(webp=b"x" * (200 * 1024))


def test_a_photo_is_kept_by_every_cache_and_asked_for_by_its_tag(admin_client: Client):
    client, photo = admin_client, add_photo(make_property())

    response = client.get(photo.address(480))
    again = client.get(photo.address(480), headers={"If-None-Match": response["ETag"]})

    assert response["Content-Type"] == "image/webp"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert f"max-age={int(timedelta(days=365).total_seconds())}" in response["Cache-Control"]
    assert {"public", "immutable"} <= set(response["Cache-Control"].split(", "))
    assert "Cookie" not in response.get("Vary", "") and not response.cookies
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(photo.address(1234)).status_code == 404


def test_the_page_shows_photos_in_order_with_words_and_the_drawing_without_any(client: Client):
    home = make_property()
    path = f"/casas/{home.slug}/"
    assert "homes/" in client.get(path).content.decode()
    for seed, position in enumerate((3, 1, 2, 4, 5, 6)):
        add_photo(home, seed=seed, position=position)

    page = client.get(path).content.decode()

    assert page.index("La terraza 1") < page.index("La terraza 2") < page.index("La terraza 0")
    assert page.count('loading="lazy"') == 5 and "Ver las 6 fotos" in page
    assert "1600w" in page and ".svg" not in page.split("<main")[1].split("property-about")[0]
    assert home.photos.all()[0].address(480) in client.get("/").content.decode()


def test_no_page_with_photos_is_over_300_kb():
    first_seen = MOST_BYTES[1600] + 4 * MOST_BYTES[480]

    assert first_seen <= 224 * 1024  # which leaves 76 KB for the page, its style and its script


def test_homes_are_listed_with_as_many_queries_however_many_have_photos(
    client: Client, django_assert_num_queries
):
    homes = [make_property() for _ in range(3)]
    with CaptureQueriesContext(connection) as before:
        client.get("/")
    for home in homes:
        add_photo(home)

    with django_assert_num_queries(len(before)):
        client.get("/")


def test_each_field_for_the_order_says_whose_it_is_and_keeps_what_is_typed(admin_client: Client):
    home = make_property()
    first, second = add_photo(home, seed=1), add_photo(home, seed=2, position=1)
    fields = {
        "form-TOTAL_FORMS": 2,
        "form-INITIAL_FORMS": 2,
        "form-0-id": first.pk,
        "form-0-position": 7,
        "form-1-id": second.pk,
        "form-1-position": 3,
        "_save": "1",
    }

    page = admin_client.get(LIST).content.decode()
    saved = admin_client.post(LIST, fields)

    for photo in (first, second):
        assert page.count(f'aria-label="Orden de la foto: {photo.alt}"') == 1
    assert "_helptext" not in page
    assert saved.status_code == 302
    assert list(home.photos.values_list("pk", "position")) == [(second.pk, 3), (first.pk, 7)]


def test_who_may_not_add_photos_is_refused(client: Client, django_user_model):
    client.force_login(django_user_model.objects.create_user("ana", is_staff=True))

    assert upload(client, make_property(), encode(draw())).status_code == 403


def test_another_lead_photo_and_other_words_are_seen_at_once(client: Client):
    home = make_property()
    first = add_photo(home, seed=1, position=5)
    pages = ("/", f"/casas/{home.slug}/")
    before = [client.get(page).content.decode() for page in pages]
    assert all(first.address(480) in page or first.srcset in page for page in before)

    PropertyPhoto.objects.filter(pk=first.pk).update(alt="La alberca de noche")
    assert "La alberca de noche" in client.get(pages[1]).content.decode()

    lead = add_photo(home, seed=2, position=1)
    assert lead.address(480) in client.get("/").content.decode()
    assert first.address(480) not in client.get("/").content.decode()
    assert lead.srcset in client.get(pages[1]).content.decode()
