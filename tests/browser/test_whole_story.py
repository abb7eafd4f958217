"""A guest's whole story on what the Procfile runs: searched, held, paid, moved, cancelled, refunded.

No webhook is ever sent: what the site learns of money it asks Stripe for, in jobs that it defers.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from bookings.models import Property
from bookings.money import NO_BREAK, format_pesos
from tests.acceptance.live_house import wait_until
from tests.browser import stage
from tests.browser.chromium import chromium_or_skip, open_chromium
from tests.browser.street import ASKS_THE_OWNER, DECLINED, Guest, Street, served_by_processes
from tests.factories import make_property


@pytest.fixture(scope="module")
def browser(db: None) -> Iterator[Browser]:
    with open_chromium(chromium_or_skip()) as opened:
        yield opened


@pytest.fixture(scope="module")
def _whole_street(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    with served_by_processes(browser, tmp_path_factory.mktemp("street")) as street:
        yield street


@pytest.fixture
def street(_whole_street: Street) -> Iterator[Street]:
    yield _whole_street
    _whole_street.assert_invariants()


@pytest.fixture
def home(_whole_street: Street) -> Property:
    return stage.ask(lambda: make_property(town="Tulum"))


def test_the_whole_story_from_the_search_to_the_refund_on_the_bank_statement(street: Street, home: Property):
    before = street.taken()
    with street.guest() as guest:
        guest.book(home, days=40, nights=3)
        deposit = guest.booking().quote.deposit_minor
        assert street.taken() - before == deposit

        guest.change_dates(nights=6)
        guest.page.wait_for_url("**/c/pay/**")
        assert guest.booking().quote.night_count == 3, "the dates change once it is paid"
        guest.pay()
        guest.wait_for("Tu reserva está confirmada")
        assert guest.booking().quote.night_count == 6
        paid = street.taken() - before
        assert paid == guest.booking().quote.deposit_minor > deposit

        guest.change_dates(nights=4)
        guest.wait_for("Tu estancia ya tiene fechas nuevas")
        assert guest.booking().quote.night_count == 4
        assert street.taken() - before == paid, "what is paid is less than the stay costs still"

        guest.cancel()
        guest.wait_for("Tu reserva está cancelada")
        wait_until(lambda: street.taken() == before)
        refunds = [line.amount for line in street.control.statement() if line.kind == "refund"]
        assert sum(refunds) == paid
        page, statement = guest.see(), guest.read_statement()
        assert all(f"−{format_pesos(amount)}" in page for amount in refunds)
        assert all(format_pesos(amount).replace(NO_BREAK, " ") in statement for amount in refunds)


def test_cards_that_are_refused_first_pay_once(street: Street, home: Property):
    before = street.taken()
    with street.guest() as guest:
        guest.hold(home, days=30)
        guest.go_to_pay()

        guest.give_card(DECLINED)
        assert "El banco rechazó la tarjeta" in guest.page.inner_text("body")
        guest.give_card(ASKS_THE_OWNER)
        guest.page.click("text=Rechazar")
        assert "No se autorizó el pago" in guest.page.inner_text("body")
        assert street.taken() == before
        guest.give_card(ASKS_THE_OWNER)
        guest.page.click("text=Autorizar")

        guest.keep_path()
        guest.wait_for("Tu reserva está confirmada")
        assert street.taken() - before == guest.booking().quote.deposit_minor


@pytest.mark.slow  # beside what the tests of pages hold
def test_of_two_browsers_that_want_the_same_nights_one_gets_them(street: Street, home: Property):
    before = street.taken()
    with street.guest(email="ana@correo.example") as first, street.guest(email="eva@mail.example") as second:
        for guest in (first, second):
            guest.search(home, days=50)
        first.ask_to_hold()
        first.keep_path()

        second.ask_to_hold()

        second.wait_for("Alguien acaba de apartar algunas de estas noches")
        second.page.click(".ideas a >> nth=0")
        second.page.wait_for_selector("#email")
        assert second.page.input_value("#email") == "eva@mail.example"
        second.ask_to_hold()
        second.keep_path()
        for guest in (first, second):
            pay_and_be_confirmed(guest)
        assert first.booking().quote.check_in != second.booking().quote.check_in
        deposits = [guest.booking().quote.deposit_minor for guest in (first, second)]
        assert street.taken() - before == sum(deposits)


def pay_and_be_confirmed(guest: Guest) -> None:
    guest.go_to_pay()
    guest.pay()
    guest.wait_for("Tu reserva está confirmada")
