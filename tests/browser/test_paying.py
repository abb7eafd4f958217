"""A guest holds nights, is refused an address, pays, comes back: in a browser, at both widths."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import override_settings
from django.utils import timezone
from playwright.sync_api import Browser

from bookings.models import Booking, Property
from payments import gateway, guest_access
from payments.exceptions import PayerEmailRefused
from payments.ledger import outcomes
from payments.models import AccessLink
from payments.services import open_checkout
from procrastinate_tasks.models import Job
from tests.browser import stage
from tests.browser.chromium import Look, Visit, visit
from tests.browser.conftest import Office
from tests.browser.test_every_page import violations
from tests.factories import BASE_URL, make_confirmed_booking, make_hold, make_intent, make_property
from tests.gateways import FakeGateway

LOOKS = (Look(width=375, height=812), Look(width=1280))
# Guests come by telephone first; the wide screen is left to the long run.
every_look = pytest.mark.parametrize(
    "look", [LOOKS[0], pytest.param(LOOKS[1], marks=pytest.mark.slow)], ids=str
)


@pytest.fixture
def provider() -> Iterator[FakeGateway]:
    with override_settings(PAYMENTS_GATEWAY="tests.gateways.FakeGateway", FORM_LIMITS={}):
        fake = gateway.get_gateway()
        assert isinstance(fake, FakeGateway)
        yield fake
        fake.fault = None


@contextmanager
def guest(browser: Browser, office: Office, look: Look) -> Iterator[Visit]:
    with visit(browser, office.base_url, look) as visitor:
        yield visitor
        assert visitor.complaints == []


def see(visitor: Visit, name: str, look: Look, tmp_path: Path) -> None:
    """Keep a picture of the page, which fits its screen and which anybody can use."""
    directory = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    visitor.page.screenshot(path=directory / f"{name}-{look.width}.png", full_page=True)
    assert not visitor.scrolls_sideways()
    assert violations(visitor.page) == []


def hold(visitor: Visit, home: Property, *, days: int) -> str:
    """Hold three nights by the form, and return the path of the booking's page."""
    arrival = timezone.localdate() + timedelta(days=days)
    visitor.go(f"/casas/{home.slug}/?check_in={arrival}&check_out={arrival + timedelta(days=3)}&guests=2")
    visitor.page.fill("#name", "Lucía Pérez")
    visitor.page.check("#accepts")
    visitor.page.fill("#email", f"lucia{days}@correo.example")
    visitor.page.click("text=Apartar estas fechas")
    visitor.page.wait_for_url("**/reserva/**")
    return visitor.page.url.removeprefix(visitor.base_url).partition("#")[0]


def count_looks() -> int:
    return Job.objects.filter(queueing_lock__startswith="look-now:").count()


def open_page(path: str, provider: FakeGateway) -> None:
    booking = Booking.objects.get(public_id=Booking.read_access_token(path.split("/")[2])[0])
    open_checkout(booking=booking, base_url=BASE_URL, gateway=provider, now=timezone.now())  # type: ignore[arg-type]


@every_look
def test_a_guest_finds_the_way_back_and_never_loses_sight_of_the_clock(
    browser: Browser, office: Office, provider: FakeGateway, tmp_path: Path, look: Look
):
    home = stage.ask(make_property)
    with guest(browser, office, look) as visitor:
        page = hold(visitor, home, days=100 + look.width // 100)
        provider.fault = PayerEmailRefused(operation="create session", detail="email_invalid")
        visitor.page.click("text=Pagar anticipo")
        assert "Apartado para ti hasta las" in visitor.page.inner_text("main")
        see(visitor, "address-refused", look, tmp_path)

        provider.fault = None
        visitor.page.fill("#email", "nueva@correo.example")
        visitor.page.click("text=Corregir el correo")
        assert "Pagar anticipo" in visitor.page.inner_text("main")
        before, page = page, visitor.page.url.removeprefix(visitor.base_url)
        stage.ask(lambda: open_page(page, provider))
        visitor.go(page)
        see(visitor, "page-open", look, tmp_path)
        visitor.go(f"{before}?sin-pagar=1")  # which leads on: the link is another one since
        see(visitor, "not-completed", look, tmp_path)
        visitor.page.click("text=Necesito más tiempo")
        assert "Tus fechas quedan apartadas hasta las" in visitor.page.inner_text("main")
        visitor.go("/")
        see(visitor, "own-hold-home", look, tmp_path)
        visitor.go(f"/casas/{home.slug}/")
        see(visitor, "own-hold-property", look, tmp_path)
        visitor.page.click("text=Sigue con tu reserva")
        assert visitor.page.url == visitor.base_url + page


@every_look
def test_coming_back_from_paying_has_stripe_asked_without_a_click(
    browser: Browser, office: Office, provider: FakeGateway, tmp_path: Path, look: Look
):
    home = stage.ask(make_property)
    with guest(browser, office, look) as visitor:
        page = hold(visitor, home, days=200 + look.width // 100)
        stage.ask(lambda: open_page(page, provider))
        before = stage.ask(count_looks)

        with visitor.page.expect_response(lambda answer: answer.request.method == "POST"):
            visitor.go(f"{page}?pagado=1")

        assert "Confirmando tu pago…" in visitor.page.inner_text("main")
        assert stage.ask(count_looks) == before + 1
        see(visitor, "returned", look, tmp_path)


def test_the_clock_runs_is_announced_twice_and_ends_on_the_page(
    browser: Browser, office: Office, provider: FakeGateway
):
    page = stage.ask(lambda: make_hold(now=timezone.now())).get_absolute_url()
    with guest(browser, office, LOOKS[0]) as visitor:
        visitor.go(page)
        clock, news = visitor.page.locator("#clock span"), visitor.page.locator("#clock-news")
        assert re.fullmatch("(30:00|29:5[0-9])", clock.inner_text())
        visitor.page.clock.install()
        visitor.page.route("**/estado/", lambda route: route.abort())  # The server's clock stands still here.
        visitor.page.reload()

        visitor.page.clock.run_for("24:50")
        assert news.inner_text() == ""
        visitor.page.clock.run_for("00:20")
        assert news.inner_text() == "Te quedan cinco minutos para pagar el anticipo."
        visitor.page.clock.run_for("04:10")
        assert news.inner_text() == "Te queda un minuto para pagar el anticipo."
        visitor.page.clock.run_for("01:00")
        assert clock.inner_text() == "0:00"
        visitor.complaints.clear()  # Of the server that did not answer.


def test_a_page_that_waits_shows_the_news_by_itself(browser: Browser, office: Office, provider: FakeGateway):
    page = stage.ask(lambda: make_hold(now=timezone.now())).get_absolute_url()
    with guest(browser, office, LOOKS[0]) as visitor:
        stage.ask(lambda: open_page(page, provider))
        visitor.page.clock.install()
        visitor.go(f"{page}?pagado=1")
        assert "Confirmando tu pago…" in visitor.page.inner_text("main")

        stage.ask(lambda: confirm(page))
        with visitor.page.expect_navigation():
            visitor.page.clock.run_for("00:06")

        assert "Tu reserva está confirmada" in visitor.page.inner_text("main")


@every_look
def test_what_a_guest_agrees_to_can_be_read_before(
    browser: Browser, office: Office, tmp_path: Path, look: Look
):
    home = stage.ask(make_property)
    arrival = timezone.localdate() + timedelta(days=30)
    dates = f"check_in={arrival}&check_out={arrival + timedelta(days=3)}&guests=2"
    with guest(browser, office, look) as visitor:
        for name in ("terminos", "privacidad", "cookies"):
            visitor.go(f"/{name}/")
            see(visitor, name, look, tmp_path)
        visitor.go(f"/casas/{home.slug}/?{dates}")
        see(visitor, "consent", look, tmp_path)
        visitor.page.fill("#name", "Lucía Pérez")
        visitor.page.fill("#email", "lucia@correo.example")
        visitor.page.click("text=Apartar estas fechas")
        assert "Léelos y marca la casilla" in visitor.page.inner_text("main")
        see(visitor, "consent-missing", look, tmp_path)


def test_without_scripts_the_page_of_a_hold_says_what_is_so(browser: Browser, office: Office):
    page = stage.ask(lambda: make_hold(now=timezone.now())).get_absolute_url()
    with guest(browser, office, Look(width=375, has_scripts=False)) as visitor:
        visitor.go(page)

        text = visitor.page.inner_text("main")
        assert "Apartado para ti hasta las" in text
        assert "cuando se mostró esta página" in text
        assert not visitor.page.locator("#clock").is_visible()
        visitor.page.click("text=Necesito más tiempo")
        assert "Tus fechas quedan apartadas hasta las" in visitor.page.inner_text("main")


@every_look
def test_a_guest_without_an_account_sees_all_their_bookings(
    browser: Browser, office: Office, provider: FakeGateway, tmp_path: Path, look: Look
):
    email = f"ana{look.width}@correo.example"
    token = stage.ask(lambda: furnish_and_ask(email))
    with guest(browser, office, look) as visitor:
        visitor.go("/mis-reservas/")
        visitor.page.fill("#email", email)
        visitor.page.click("text=Envíame el enlace")
        assert "Si hay reservas con ese correo" in visitor.page.inner_text("main")
        see(visitor, "my-bookings-asked", look, tmp_path)
        visitor.go(f"/mis-reservas/entrar/{token}/")
        see(visitor, "my-bookings-link", look, tmp_path)
        visitor.page.click("text=Ver mis reservas")
        assert "Confirmada. El" in visitor.page.inner_text("main")
        see(visitor, "my-bookings", look, tmp_path)
        visitor.page.click("text=Salir")
        assert "Casa de la Luna" not in visitor.page.inner_text("main")


def furnish_and_ask(email: str) -> str:
    """Book two stays of an address, ask for its link, and return the token of it."""
    now = timezone.now()
    home = make_property(name="Casa de la Luna", town="Valle de Bravo")
    make_confirmed_booking(now=now, home=home, email=email)
    make_hold(now=now, email=email)
    make_hold(now=now - timedelta(hours=3), email=email)
    guest_access.request_link(email=email, language="es-mx", base_url=BASE_URL, now=now)
    return AccessLink.objects.filter(email=email).latest("pk").token


def confirm(path: str) -> None:
    """Say in Stripe's place that the deposit was paid."""
    booking = Booking.objects.get(public_id=Booking.read_access_token(path.split("/")[2])[0])
    attempt = booking.payments.get().attempts.get()
    outcomes.record_intent(attempt_id=attempt.pk, intent=make_intent(attempt), now=timezone.now())
