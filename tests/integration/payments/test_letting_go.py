"""Money that the house lets go: debts that nothing collects, refunds that failed, sums too small."""

from __future__ import annotations

from datetime import timedelta
from typing import Never

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from bookings import policies as house_rules
from bookings.models import Booking, Quote
from bookings.services import complete_departed
from payments import billing
from payments.exceptions import BookingBusy, DebtChanged, RefundNotOwed
from payments.ledger import changes, debts, locking, refunds
from payments.models import BookingAccount, Refund
from payments.policies import PaymentKind, RefundState
from payments.services import request_cancellation
from tests.factories import BASE_URL, make_confirmed_booking
from tests.gateways import FakeGateway
from tests.integration.pages import read
from tests.integration.payments.test_invariants import DUE, NOW, cancel, deposit_of, paid_stay
from tests.integration.payments.test_invariants import broken as broken_invariants

pytestmark = pytest.mark.django_db


def staff(client: Client, *permissions: str) -> Client:
    user = User.objects.create_user("rosa", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


def due_of(booking: Booking) -> int:
    return BookingAccount.objects.get(booking=booking).due_minor


def refunded_elsewhere(amount_minor: int = 5_000, *, refund_key: str = "") -> Booking:
    booking = paid_stay()
    deposit = deposit_of(booking)
    answer = FakeGateway().create_refund(
        intent_id=str(deposit.stripe_intent_id), amount_minor=amount_minor, refund_key=refund_key
    )
    refunds.book_refund(attempt_id=deposit.pk, answer=answer, now=DUE)
    return booking


def failed_refund() -> Refund:
    booking = cancel(make_confirmed_booking(now=NOW, check_in=(NOW + timedelta(days=30)).date()), now=NOW)
    refund = Refund.objects.get(attempt__payment__booking=booking)
    return refunds.record_refusal(refund_id=refund.pk, failure="account_closed", now=NOW)


def test_a_debt_that_a_refund_elsewhere_left_is_waived_once_by_who_may(client: Client):
    booking = refunded_elsewhere()
    address = f"/admin/bookings/booking/{booking.pk}/"
    staff(client, "view_booking", "view_payment", "waive_debt")
    assert f"{address}waive-debt/" in client.get(f"{address}change/").content.decode()

    assert client.post(f"{address}waive-debt/", {"debt_minor": "5000"}).status_code == 302

    assert due_of(booking) == 0
    assert "$50.00" in LogEntry.objects.get().change_message
    assert f"{address}waive-debt/" not in client.get(f"{address}change/").content.decode()
    with pytest.raises(DebtChanged):
        debts.waive_debt(booking_id=booking.pk, debt_minor=5_000, now=DUE)
    assert broken_invariants(DUE) == {}


@pytest.mark.parametrize("seen", ["4999", "5001", "0", "-5000", "", "1" * 30, "NaN"])
def test_nobody_waives_another_sum_than_the_one_they_have_read(client: Client, seen: str):
    booking = refunded_elsewhere()
    page = f"/admin/bookings/booking/{booking.pk}/"
    staff(client, "view_booking", "view_payment", "waive_debt")
    assert 'name="debt_minor" value="5000"' in client.get(f"{page}change/").content.decode()

    answer = client.post(f"{page}waive-debt/", {"debt_minor": seen}, follow=True)

    assert due_of(booking) == 5_000
    assert "ya no es la que mostraba" in read(answer)
    assert not LogEntry.objects.exists()


OF_STAFF = (
    "bookings/booking/{booking}/waive-debt/",
    "bookings/booking/{booking}/address/",
    "payments/refund/{refund}/give-up/",
    "payments/refund/{refund}/pay-again/",
)


@pytest.mark.parametrize("path", OF_STAFF)
def test_two_of_the_staff_at_one_booking_are_told_to_try_again(client, monkeypatch, path: str):
    booking, refund = refunded_elsewhere(), failed_refund()
    staff(
        client,
        "view_booking",
        "view_refund",
        "change_booking",
        "waive_debt",
        "give_up_refund",
        "retry_money_job",
    )

    def be_busy(booking_id: int) -> Never:
        raise BookingBusy(booking_id=booking_id)

    monkeypatch.setattr(locking, "locked_booking", be_busy)
    form = {"debt_minor": "5000", "email": "otra@correo.example"}
    answer = client.post("/admin/" + path.format(booking=booking.pk, refund=refund.pk), form, follow=True)

    refund.refresh_from_db()
    assert "La reserva está ocupada en este momento" in read(answer)
    assert (due_of(booking), refund.state) == (5_000, RefundState.FAILED)
    assert not LogEntry.objects.exists()


def test_a_debt_that_nothing_collects_is_on_the_list_of_debts_until_it_is_waived(client: Client):
    """Also when the stay is over; what a payment still collects is not."""
    booking, other = refunded_elsewhere(), refunded_elsewhere(7_000, refund_key="another")
    billed = make_confirmed_booking(now=NOW)
    staff(client, "view_debt", "view_payment", "view_booking")

    assert listed(client) == [(other.pk, 7_000), (booking.pk, 5_000)]
    owing = client.get("/admin/bookings/booking/?money=due").context["cl"].result_list
    assert {each.pk for each in owing} == {booking.pk, other.pk, billed.pk}

    debts.waive_debt(booking_id=booking.pk, debt_minor=5_000, now=DUE)
    complete_departed(now=other.departure_at + timedelta(days=1))
    assert listed(client) == [(other.pk, 7_000)]


def test_a_cancellation_that_is_being_settled_owes_what_nobody_knows_yet(client: Client):
    booking = refunded_elsewhere()
    request_cancellation(booking=booking, base_url=BASE_URL, now=DUE)
    staff(client, "view_debt")

    assert listed(client) == []
    with pytest.raises(DebtChanged):
        debts.waive_debt(booking_id=booking.pk, debt_minor=5_000, now=DUE)


def listed(client: Client) -> list[tuple[int, int]]:
    """Return the bookings below the list of debts, and what each owes; the page names them all."""
    answer = client.get("/admin/payments/debt/")
    found = [(account.booking_id, account.uncollected_minor) for account in answer.context["uncollected"]]
    page = answer.content.decode()
    assert all(
        f"/bookings/booking/{pk}/change/" in page and f"${minor / 100:,.2f}" in page for pk, minor in found
    )
    return found


@pytest.mark.parametrize(
    "path", ["bookings/booking/{booking}/waive-debt/", "payments/refund/{refund}/give-up/"]
)
def test_who_may_not_let_money_go_does_not(client: Client, path: str):
    booking, refund = refunded_elsewhere(), failed_refund()
    staff(client, "view_booking", "view_payment", "view_refund", "retry_money_job")

    answer = client.post("/admin/" + path.format(booking=booking.pk, refund=refund.pk))

    refund.refresh_from_db()
    assert answer.status_code == 403
    assert (due_of(booking), refund.state) == (5_000, RefundState.FAILED)


def test_a_debt_that_a_payment_still_collects_is_not_waived():
    booking = make_confirmed_booking(now=NOW)

    with pytest.raises(DebtChanged):
        debts.waive_debt(booking_id=booking.pk, debt_minor=booking.quote.balance_minor, now=NOW)

    assert due_of(booking) == booking.quote.balance_minor


def test_a_refund_that_failed_is_given_up_and_owed_no_more(client: Client):
    refund = failed_refund()
    staff(client, "view_refund", "give_up_refund")
    page = f"/admin/payments/refund/{refund.pk}/"
    assert f"{page}give-up/" in client.get(f"{page}change/").content.decode()

    client.post(f"{page}give-up/")

    refund.refresh_from_db()
    account = BookingAccount.objects.get(booking=refund.attempt.payment.booking)
    assert refund.state == RefundState.VOID
    assert (account.refunding_minor, account.due_minor) == (0, 0)
    assert account.owed_minor == refund.amount_minor
    assert LogEntry.objects.count() == 1
    with pytest.raises(RefundNotOwed):
        refunds.give_up_refund(refund_id=refund.pk, now=NOW)
    assert broken_invariants(NOW) == {}


@pytest.mark.parametrize("short", [1, house_rules.LEAST_CHARGE_MINOR - 1])
def test_a_fee_that_no_card_can_pay_is_waived(short: int):
    booking = make_confirmed_booking(now=NOW, check_in=(NOW + timedelta(days=3)).date())
    kept = billing.cancellation_cost(booking, paid_minor=0, asked_at=NOW).kept_minor

    def fee_of(missing: int) -> int:
        return billing.cancellation_cost(booking, paid_minor=kept - missing, asked_at=NOW).fee_minor

    assert fee_of(short) == 0
    assert fee_of(house_rules.LEAST_CHARGE_MINOR) == house_rules.LEAST_CHARGE_MINOR


def test_a_rest_that_no_card_can_pay_is_waived_when_the_dates_change():
    booking = make_confirmed_booking(now=NOW, nights=4)
    old = booking.quote
    paid = old.deposit_minor
    cheaper = Quote.objects.get(pk=old.pk)
    cheaper.pk, cheaper.lodging_minor, cheaper.cleaning_minor, cheaper.tax_minor = None, paid + 999, 0, 0
    cheaper.total_minor = cheaper.deposit_minor = paid + 999
    cheaper.save(force_insert=True)
    booking.quote = cheaper

    with locking.locked_booking(booking.pk):
        billing.bill_quote(booking=booking, quote=cheaper, now=NOW)
        changes.reprice(booking=booking, old_quote=old, kept_minor=0, now=NOW)

    assert due_of(booking) == 0
    assert not booking.payments.filter(kind=PaymentKind.BALANCE).exclude(status="void").exists()
