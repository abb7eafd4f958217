"""Staff upload photos to the web process that the Procfile runs: what is one is kept, the rest is told."""

from __future__ import annotations

import io
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from django.contrib.auth.models import Permission, User
from PIL import Image

from bookings.models import Property, PropertyPhoto
from tests.acceptance.test_slow_clients import serving, static  # noqa: F401 - a fixture
from tests.browser import stage
from tests.factories import make_property
from tests.integration.bookings.test_photos import png_of
from tests.pictures import draw, encode, noise, with_a_place

ADD = "/admin/bookings/propertyphoto/add/"
HOST = "127.0.0.1"
MEGABYTE = 1024 * 1024


def refused() -> dict[str, tuple[bytes, str]]:
    """Return files that are no photo, each with words of the answer."""
    unreadable = "No podemos leer este archivo como foto"
    return {
        "a bomb": (png_of(20_000, 20_000), unreadable),
        "too many pixels": (png_of(7_000, 7_000), "25 megap"),
        "a web page": (b"<!doctype html><script>alert(1)</script>", unreadable),
        "another format": (encode(draw(1200, 800), "GIF"), unreadable),
        "nothing": (b"", "vac"),
        "8 MB and a little": (encode(draw(1200, 800)) + b"\0" * (8 * MEGABYTE), "8 MB"),
    }


@dataclass(frozen=True, slots=True)
class Desk:
    """The browser of somebody who may add photos; what it knows of https comes from the router."""

    port: int
    session: str

    def headers(self, **more: str) -> dict[str, str]:
        return {
            "Host": HOST,
            "X-Forwarded-Proto": "https",
            "Referer": f"https://{HOST}{ADD}",
            "Cookie": f"sessionid={self.session}",
            **more,
        }

    def upload(self, home: Property, data: bytes) -> requests.Response:
        page = requests.get(self.url(ADD), headers=self.headers(), timeout=30)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert page.status_code == 200 and token is not None
        cookie = f"sessionid={self.session}; csrftoken={page.cookies['csrftoken']}"
        fields = {
            "csrfmiddlewaretoken": token[1],
            "home": home.pk,
            "alt": "La terraza y el lago",
            "position": 0,
        }
        return requests.post(
            self.url(ADD),
            data=fields,
            files={"file": ("foto.jpg", data, "image/jpeg")},
            headers=self.headers(Cookie=cookie),
            allow_redirects=False,
            timeout=60,
        )

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@pytest.fixture
def desk(transactional_db: None, static: Path, tmp_path: Path) -> Iterator[Desk]:  # noqa: F811 - the fixture
    user = User.objects.create_user("luz", is_staff=True)
    wanted = ("add_propertyphoto", "view_propertyphoto", "view_property")
    user.user_permissions.add(*Permission.objects.filter(codename__in=wanted))
    with serving(static=static, log=tmp_path / "web.log") as port:
        yield Desk(port, stage.sign_in(user))


@pytest.mark.slow  # the same without a server: tests/integration/bookings/test_photos.py
def test_a_photo_of_a_camera_is_stood_upright_and_forgets_where_it_was_taken(desk: Desk):
    home = make_property()
    detailed = Image.blend(draw(3600, 2700), noise(3600, 2700), 0.4)
    file = with_a_place(detailed, orientation=6)
    assert len(file) > 3 * MEGABYTE

    answer = desk.upload(home, file)

    assert answer.status_code == 302, re.findall("errorlist.*", answer.text)
    photo = home.photos.get()
    served = requests.get(desk.url(photo.address(960)), headers=desk.headers(), timeout=30)
    picture = Image.open(io.BytesIO(served.content))
    assert (served.headers["Content-Type"], picture.format) == ("image/webp", "WEBP")
    assert picture.height > picture.width
    assert not picture.getexif()
    assert b"script" not in served.content and b"GPS" not in served.content


def test_what_is_no_photo_is_told_on_the_form_and_nothing_is_kept(desk: Desk):
    home = make_property()

    for name, (data, words) in refused().items():
        answer = desk.upload(home, data)
        assert answer.status_code == 200, name
        assert words in answer.text, name
    assert not PropertyPhoto.objects.exists()


def test_what_is_too_large_or_too_slow_is_ended_by_its_head_and_its_deadline(desk: Desk):
    assert b" 413 " in answer_to(desk, ADD, length=20 * MEGABYTE)
    assert b" 413 " in answer_to(desk, "/admin/bookings/property/add/", length=MEGABYTE)
    assert b" 408 " in answer_to(desk, ADD, length=5 * MEGABYTE, sent=MEGABYTE)


def answer_to(desk: Desk, path: str, *, length: int, sent: int = 0) -> bytes:
    """Return how the answer to a body begins of which no more is sent than this."""
    head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {length}\r\n\r\n"
    with closing(socket.create_connection(("127.0.0.1", desk.port), timeout=60)) as client:
        client.sendall(head.encode() + b"x" * sent)
        return client.recv(1000)
