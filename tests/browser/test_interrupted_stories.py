"""What comes between a guest and their stay: time that runs out, a tab that closes, a Stripe that is away.

The clock is the tests' own, and no webhook is ever sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bookings.models import BookingStatus, Property
from tests.browser import stage
from tests.browser.chromium import chromium_or_skip, open_chromium
from tests.browser.street import ACCEPTED, Guest, Street, served_here
from tests.factories import make_property


@pytest.fixture(scope="module")
def _whole_street(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    chromium_or_skip()
    with (
        stage.open_site() as base_url,
        open_chromium(chromium_or_skip()) as browser,
        served_here(browser, base_url, tmp_path_factory.mktemp("stripe")) as street,
    ):
        yield street


@pytest.fixture
def street(_whole_street: Street) -> Iterator[Street]:
    yield _whole_street
    _whole_street.control.clear_faults()
    _whole_street.run_jobs()
    _whole_street.assert_invariants()


@pytest.fixture
def home(_whole_street: Street) -> Property:
    return stage.ask(lambda: make_property(town="Tulum"))


def test_a_hold_that_ends_while_its_payment_page_is_open_takes_no_money(street: Street, home: Property):
    before = street.taken()
    with street.guest() as guest, street.guest(email="eva@mail.example") as another:
        guest.hold(home, days=60)
        guest.go_to_pay()
        for _ in range(4):
            street.wait(minutes=10)

        guest.give_card(ACCEPTED)

        assert "Este enlace ya venció" in guest.page.inner_text("body")
        guest.page.click("text=Volver")
        guest.wait_for("El apartado venció")
        assert "No se cobró nada" in guest.words()
        assert street.taken() == before
        another.book(home, days=60)
        assert "siguen libres" not in guest.see()


@pytest.mark.slow  # beside what the tests of pages and jobs hold, as are those below
def test_a_payment_page_that_does_not_open_leaves_the_hold_and_its_clock(street: Street, home: Property):
    before = street.taken()
    with street.guest() as guest:
        guest.hold(home, days=65)
        with street.stripe_down():
            guest.page.click("text=/^Pagar anticipo/")
            guest.wait_for("Apartado para ti hasta las")
            assert "en un minuto" in guest.words()
        assert "Apartado para ti hasta las" in guest.see()

        guest.go_to_pay()
        guest.pay()

        guest.wait_for("Tu reserva está confirmada")
        assert street.taken() - before == guest.booking().quote.deposit_minor


def close_after_the_hold(guest: Guest) -> None:
    """The tab is closed, and the browser leads back from the first page."""
    guest.new_tab()
    guest.see("/")
    guest.page.click("text=Sigue con tu reserva")


def close_on_the_banks_page(guest: Guest) -> None:
    guest.go_to_pay()
    guest.new_tab()
    assert "Apartado para ti hasta las" in guest.see()


@pytest.mark.slow
@pytest.mark.parametrize("close", [close_after_the_hold, close_on_the_banks_page])
def test_who_closes_the_tab_before_paying_goes_on_where_they_were(
    street: Street, home: Property, close: Callable[[Guest], None]
):
    before = street.taken()
    with street.guest() as guest:
        guest.hold(home, days=70)

        close(guest)

        guest.go_to_pay()
        guest.pay()
        guest.wait_for("Tu reserva está confirmada")
        assert street.taken() - before == guest.booking().quote.deposit_minor


@pytest.mark.slow
def test_who_closes_the_tab_after_paying_is_confirmed_without_coming_back(street: Street, home: Property):
    with street.guest() as guest:
        guest.hold(home, days=80)
        guest.go_to_pay()
        guest.page.route("**/reserva/**", lambda route: route.abort())
        guest.give_card(ACCEPTED)
        guest.page.wait_for_load_state()
        guest.new_tab()
        assert guest.booking().status == BookingStatus.PENDING

        street.wait(minutes=1)

        assert guest.booking().status == BookingStatus.CONFIRMED
        assert "Tu reserva está confirmada" in guest.see()


@pytest.mark.slow
def test_who_closes_the_tab_on_the_page_for_dearer_dates_keeps_the_dates_they_have(
    street: Street, home: Property
):
    with street.guest() as guest:
        guest.book(home, days=90)
        before = street.taken()
        guest.change_dates(nights=6)
        guest.page.wait_for_url("**/c/pay/**")

        guest.new_tab()
        assert "Tus fechas nuevas están apartadas hasta las" in guest.see()
        for _ in range(5):
            street.wait(minutes=10)

        assert "Tu reserva está confirmada" in guest.see()
        assert guest.booking().quote.night_count == 3
        assert street.taken() == before


@pytest.mark.slow
def test_who_closes_the_tab_after_cancelling_gets_the_money_back(street: Street, home: Property):
    before = street.taken()
    with street.guest() as guest:
        guest.book(home, days=100)
        guest.cancel()

        guest.new_tab()
        street.run_jobs()

        assert "Tu reserva está cancelada" in guest.see()
        assert street.taken() == before


@pytest.mark.slow
def test_two_minutes_without_stripe_after_each_step_cost_the_guest_nothing_but_time(
    street: Street, home: Property
):
    before = street.taken()
    with street.guest() as guest:
        guest.hold(home, days=110)
        guest.go_to_pay()
        with street.stripe_down():
            guest.pay()
            guest.wait_for("Confirmando tu pago")
        come_back(street)
        assert "Tu reserva está confirmada" in guest.see()

        with street.stripe_down():
            guest.change_dates(nights=5)
            guest.wait_for("Tus fechas nuevas están apartadas hasta las")
            assert guest.booking().quote.night_count == 3
        guest.see()
        guest.page.click("text=/^Pagar/")
        guest.page.wait_for_url("**/c/pay/**")
        with street.stripe_down():
            guest.pay()
        come_back(street)
        assert "Tu reserva está confirmada" in guest.see()
        assert guest.booking().quote.night_count == 5
        paid = street.taken() - before
        assert paid == guest.booking().quote.deposit_minor

        with street.stripe_down():
            guest.cancel()
            guest.wait_for("va en camino a tu tarjeta")
            assert street.taken() - before == paid
        come_back(street)
        assert "enviada a tu tarjeta el" in guest.see()
        assert street.taken() == before


def come_back(street: Street) -> None:
    """Let what was put off be tried again."""
    for _ in range(3):
        street.wait(minutes=2)
