"""Who owes what, and what comes next: a list for staff whose number is the dashboard's, and an alert."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from bookings.models import Booking
from payments import tasks
from payments.attention import CONCERNS
from payments.exceptions import ObjectMissing
from payments.gateway import Intent, IntentRequest
from payments.panels.money_today import read_money_panel
from payments.policies import PaymentKind, PaymentStatus
from payments.services import request_cancellation
from payments.stripe_gateway import StripeGateway
from procrastinate_tasks.models import AuditEntry
from tests.factories import BASE_URL, balance_of
from tests.house import House
from tests.integration.pages import read
from tests.integration.payments.test_monitoring import sentences_of

LIST = "/admin/payments/debt/"
NO_FUNDS = "pm_card_chargeDeclinedInsufficientFunds"
LOST = "pm_card_chargeDeclinedLostCard"


def office() -> Client:
    """Return the browser of somebody who has just logged in."""
    client = Client()
    user, _ = User.objects.get_or_create(username="rosa", is_staff=True, is_superuser=True)
    client.force_login(user)
    return client


def refuse(house: House, card: str = NO_FUNDS) -> Booking:
    booking = house.book_due(card=card)
    house.run_jobs()
    return booking


def owed(client: Client, query: str = "") -> list[int]:
    return [debt.pk for debt in client.get(LIST + query).context["cl"].result_list]


def figure() -> str:
    (found,) = [each for each in read_money_panel().figures if each.url == LIST]
    return found.value


def test_the_number_on_the_dashboard_is_that_of_the_list(house: House):
    house.book()
    paid = house.book_due()
    house.run_jobs()
    refused, lost = refuse(house), refuse(house, LOST)
    cancelled = house.book()
    house.wait_until(cancelled.arrival_at)
    house.change_card(cancelled, NO_FUNDS)
    request_cancellation(booking=cancelled, base_url=BASE_URL, now=house.now)
    house.run_jobs()
    debts = [balance_of(refused), balance_of(lost), cancelled.payments.get(kind=PaymentKind.FEE)]

    assert sorted(owed(office())) == sorted(debt.pk for debt in debts)
    assert balance_of(paid).pk not in owed(office())
    sum_minor = sum(debt.amount_minor for debt in debts)
    assert figure() == f"3 · ${sum_minor / 100:,.2f}\u00a0MXN"


def test_the_list_says_what_comes_next(house: House):
    refuse(house)
    page = read(office().get(LIST))
    assert "se vuelve a intentar con la tarjeta el" in page
    assert "intento 2" in page
    assert "insufficient_funds" in page

    refuse(house, LOST)
    assert "nada por sí solo: el huésped tiene el enlace" in read(office().get(LIST))


def test_a_disputed_debt_says_that_nothing_comes(house: House):
    booking = refuse(house)
    deposit = booking.payments.get(kind=PaymentKind.DEPOSIT).attempts.get(state="succeeded")
    house.control.open_dispute(deposit.stripe_intent_id or "")
    house.deliver_events()

    assert "nada mientras un cobro de la reserva esté en disputa" in read(office().get(LIST))


@pytest.mark.parametrize("card", [NO_FUNDS, LOST])
def test_a_single_overdue_balance_alarms_by_its_age_until_it_is_paid(house: House, card: str):
    booking = refuse(house, card)
    house.wait(hours=23)
    assert sentences_of("balances_overdue", house.now) == []
    house.wait(hours=1)

    (sentence,) = sentences_of("balances_overdue", house.now)

    assert sentence.startswith("1 pago, $")
    assert sentence.endswith("está vencido y sin pagar.")
    (concern,) = [each for each in CONCERNS if each.name == "balances_overdue"]
    assert owed(office(), concern.address.removeprefix(LIST)) == [balance_of(booking).pk]
    house.open_page(booking)
    house.pay_page(booking)
    house.deliver_events()
    assert sentences_of("balances_overdue", house.now) == []
    assert owed(office()) == []


def test_a_balance_that_nothing_charges_is_on_the_list_and_alarms_too(house: House):
    booking = house.book_due()
    house.wait(days=2)

    assert owed(office()) == [balance_of(booking).pk]
    assert len(sentences_of("balances_overdue", house.now)) == 1
    assert tasks.scan_and_charge_balances() == "enqueued=0", "its job waits, and no worker is there"


def test_only_those_who_may_see_debts_see_the_list(house: House):
    refuse(house)
    user = User.objects.create_user("luis", password="x", is_staff=True)
    client = Client()
    client.force_login(user)
    assert client.get(LIST).status_code == 403

    user.user_permissions.add(Permission.objects.get(codename="view_debt"))

    assert len(owed(client)) == 1
    assert client.post(f"{LIST}add/", {}).status_code == 403


def test_a_debt_has_the_page_of_its_payment(house: House):
    booking = refuse(house)

    page = office().get(f"{LIST}{balance_of(booking).pk}/change/")

    assert page.status_code == 200


# --- Asked again by hand -----------------------------------------------------------------------------------


def ask_again(bookings: list[Booking], client: Client | None = None) -> int:
    chosen = [balance_of(booking).pk for booking in bookings]
    answer = (client or office()).post(LIST, {"action": "charge_again", "_selected_action": chosen})
    return answer.status_code


def refuse_as_another_account(gateway: StripeGateway, request: IntentRequest) -> Intent:
    raise ObjectMissing(operation="create intent", detail="no such card", param="payment_method")


def test_staff_have_the_cards_asked_again_that_another_account_did_not_know(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    booking = house.book_due()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(StripeGateway, "create_intent", refuse_as_another_account)
        house.run_jobs()
    assert balance_of(booking).status == PaymentStatus.FAILED
    assert tasks.scan_and_charge_balances() == "enqueued=0"

    assert ask_again([booking]) == 302
    house.run_jobs()

    assert balance_of(booking).status == PaymentStatus.PAID
    assert house.charges(booking) == [booking.quote.balance_minor]
    assert AuditEntry.objects.filter(actor="rosa", action="retry", outcome="applied").count() == 1


def test_a_guest_s_open_page_is_closed_before_the_card_is_asked_again(house: House):
    booking = refuse(house)
    house.open_page(booking)
    house.change_card(booking, "pm_card_visa")

    ask_again([booking])
    house.run_jobs()

    assert house.charges(booking) == [booking.quote.balance_minor]


def test_what_a_bank_forbade_is_left_and_keeps_no_other(house: House):
    lost, refused = refuse(house, LOST), refuse(house)
    house.change_card(refused, "pm_card_visa")

    ask_again([lost, refused])
    house.run_jobs()

    assert balance_of(lost).attempts.count() == 1
    assert balance_of(refused).status == PaymentStatus.PAID


def test_whoever_may_not_retry_charges_has_no_such_action(house: House):
    booking = refuse(house)
    client = Client()
    user = User.objects.create(username="luis", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_debt"))
    client.force_login(user)

    ask_again([booking], client)

    assert house.run_jobs().succeeded == 0
    assert balance_of(booking).attempts.count() == 1
