"""What all pages share: language, security headers, errors, assets."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import pytest
from django.contrib.staticfiles import finders
from django.db import OperationalError
from django.template.loader import render_to_string
from django.test import Client
from django.utils import formats, timesince, translation

from reyes_estancias.wsgi import application
from tests.factories import make_property
from tests.integration.pages import english_words, read

REPOSITORY = Path(__file__).parents[2]
# An e-mail has no stylesheet but its own; no page includes one.
TEMPLATES = sorted(path for path in REPOSITORY.glob("*/templates/**/*.html") if path.parent.name != "email")

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("accepted", ["en-US,en;q=0.9", "fr", "", "zh;q=x"])
def test_the_site_speaks_spanish_whatever_the_browser_prefers(client, accepted):
    response = client.get("/", headers={"accept-language": accepted})

    assert "Casas para descansar en México" in read(response)
    assert response["Content-Language"] == "es-mx"


def test_a_choice_of_language_is_kept_and_returns_to_the_same_page(client):
    make_property(slug="casa")
    chosen = client.post("/idioma/", {"language": "en", "next": "/casas/casa/?guests=3"})

    assert chosen["Location"] == "/casas/casa/?guests=3"
    assert "Your stay" in read(client.get("/casas/casa/"))
    client.post("/idioma/", {"language": "es-mx", "next": "/"})
    assert "Tu estancia" in read(client.get("/casas/casa/"))


@pytest.mark.parametrize("cookie", ["xx", "en-gb-oed", "../../etc", "es"])
def test_a_cookie_with_another_language_changes_nothing(client, cookie):
    client.cookies["django_language"] = cookie

    assert "Casas para descansar en México" in read(client.get("/"))


@pytest.mark.parametrize("claimed", ["rot13", "zlib", "utf-16", "nothing"])
def test_an_address_is_utf_8_whatever_encoding_is_claimed(claimed):
    environ: dict[str, object] = {
        "QUERY_STRING": "q=%C3%B1",
        "CONTENT_TYPE": f"text/plain; charset={claimed}",
    }
    setup_testing_defaults(environ)
    environ["PATH_INFO"] = "/salud/vivo"
    told: list[str] = []

    application(environ, lambda status, headers: told.append(status))  # type: ignore[arg-type]

    assert told == ["200 OK"]


def test_choosing_a_language_never_leads_to_another_site(client):
    response = client.post("/idioma/", {"language": "en", "next": "https://elsewhere.example/"})

    assert response["Location"] == "/"


def test_a_language_does_not_leak_into_the_next_request(client):
    client.post("/idioma/", {"language": "en", "next": "/"})
    client.get("/")

    assert "Casas para descansar" in read(Client().get("/"))


def test_django_speaks_mexican_spanish_with_days_and_months_in_lower_case():
    start = datetime(2026, 1, 1, tzinfo=UTC)

    with translation.override("es-mx"):
        written = formats.date_format(date(2026, 12, 4), r"l j \d\e F")
        since = timesince.timesince(start, start + timedelta(days=3, hours=2))

    assert written == "viernes 4 de diciembre"
    assert since.replace("\xa0", " ") == "3 días, 2 horas"


@pytest.mark.parametrize("path", ["/", "/nada/", "/admin/login/", "/webhooks/stripe/"])
def test_every_answer_carries_a_strict_content_security_policy(client, path):
    directives = dict(
        directive.strip().split(" ", 1)
        for directive in client.get(path)["Content-Security-Policy"].split(";")
    )

    assert directives["default-src"] == "'self'"
    assert directives["frame-ancestors"] == "'none'"
    assert directives["base-uri"] == "'none'"
    assert "unsafe" not in str(directives)


def test_a_form_may_lead_to_the_payment_page(client, settings):
    policy = client.get("/")["Content-Security-Policy"]

    assert f"form-action 'self' {settings.STRIPE_API_BASE}" in policy


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_inline_script_or_style_or_anothers_asset(path):
    source = path.read_text()

    # A script of ours is a file of its own; an SVG has to name its vocabulary.
    inline = r"<script(?![^>]*\ssrc=\"{% static)|<style|\sstyle=|\son\w+=|javascript:|https?://(?!www\.w3\.org/2000/svg)"
    assert not re.search(inline, source)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_file_that_a_template_names_exists(path):
    names = re.findall(r"{% static '([^']+)' %}", path.read_text())

    assert [name for name in names if finders.find(name) is None] == []


def test_an_address_that_does_not_exist_is_answered_in_spanish(client):
    response = client.get("/nada/")

    assert response.status_code == 404
    assert "Esta página no existe" in read(response)
    assert english_words(read(response)) == set()


def test_a_form_that_was_open_too_long_says_so():
    make_property(slug="casa")

    response = Client(enforce_csrf_checks=True).post("/casas/casa/", {})

    assert response.status_code == 403
    assert "El formulario estuvo abierto demasiado tiempo" in read(response)


def test_a_fault_of_ours_is_answered_in_spanish(client, monkeypatch):
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("bookings.quotes.list_homes", fail)
    client.raise_request_exception = False

    response = client.get("/")

    assert response.status_code == 500
    assert "Algo falló de nuestro lado" in read(response)


@pytest.mark.parametrize(
    ("given", "is_told"),
    [("0b8b9f2c-aaaa-4c", True), ("x" * 65, False), ("<b>no</b>-12345", False), ("", False)],
)
def test_every_page_of_an_error_tells_the_number_that_the_log_has(client, monkeypatch, given, is_told):
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError

    client.raise_request_exception = False
    headers = {"x-request-id": given}
    missing = client.get("/nada/", headers=headers)
    unread = client.get("/", headers={**headers, "host": "example.org"})
    monkeypatch.setattr("bookings.quotes.list_homes", fail)
    failed = client.get("/", headers=headers)

    assert [answer.status_code for answer in (missing, unread, failed)] == [404, 400, 500]
    for answer in (missing, unread, failed):
        assert (f"menciona este folio: {given}" in read(answer)) == is_told
        assert ("folio" in read(answer)) == is_told


@pytest.mark.parametrize(("fault", "code"), [(OperationalError("away"), 503), (RuntimeError("ours"), 500)])
def test_the_page_of_a_fault_says_the_status_it_has(
    client: Client, monkeypatch: pytest.MonkeyPatch, fault: Exception, code: int
):
    client.raise_request_exception = False

    def fail(*args: object, **kwargs: object) -> None:
        raise fault

    monkeypatch.setattr("bookings.quotes.list_homes", fail)

    answer = client.get("/")

    assert answer.status_code == code
    assert f'error-code" aria-hidden="true">{code}<' in answer.content.decode()


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("400.html", "No pudimos leer esa solicitud"),
        ("403.html", "No puedes ver esta página"),
        ("500.html", "Algo falló de nuestro lado"),
    ],
)
def test_error_pages_need_no_request(template, words):
    with translation.override("es-mx"):
        assert words in render_to_string(template)
