"""What the e-mails to guests say."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.core import mail

from bookings.models import Booking
from payments.deferred_jobs import request_email
from payments.models import GuestEmail
from payments.policies import PaymentKind
from payments.protocols.cancellation import settle_cancellation
from payments.protocols.guest_email import _render, send_guest_email
from payments.services import request_cancellation
from tests.factories import (
    BASE_URL,
    balance_of,
    make_confirmed_booking,
    make_deposit_attempt,
    make_hold,
    make_property,
)
from tests.integration.pages import english_words

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def booking() -> Booking:
    home = make_property(name="Casa «Mar & Sol»", town="Tulum")
    return make_confirmed_booking(now=NOW, home=home, check_in=date(2026, 12, 1))


def send(booking: Booking, kind: GuestEmail.Kind, payment=None) -> mail.EmailMessage:
    version = booking.balance_due_at.toordinal() if kind == GuestEmail.Kind.BALANCE_SOON else 0
    request_email(kind=kind, booking=booking, base_url=BASE_URL, now=NOW, payment=payment, version=version)
    email = GuestEmail.objects.get(booking=booking, kind=kind, payment=payment)
    assert send_guest_email(email_id=email.pk, now=NOW) == "sent"
    return mail.outbox[-1]


def test_a_confirmation_tells_the_stay_the_price_and_the_next_charge(booking):
    deposit = booking.payments.get(kind=PaymentKind.DEPOSIT)

    message = send(booking, GuestEmail.Kind.CONFIRMED, deposit)

    assert message.to == [booking.guest_email]
    assert message.subject == f"Reserva confirmada: Casa «Mar & Sol» ({booking.folio})"
    assert "Llegada: martes 1 de diciembre de 2026, 15:00" in message.body
    assert "Total: $5,336.00 MXN (impuestos incluidos)" in message.body
    assert "El jueves 3 de diciembre cobramos el saldo de $3,735.20 MXN" in message.body
    assert BASE_URL + booking.get_absolute_url() in message.body
    assert "&amp;" not in message.body


def test_a_notice_names_the_day_and_the_sum(booking):
    message = send(booking, GuestEmail.Kind.BALANCE_SOON, balance_of(booking))

    assert (
        message.subject == f"El jueves 3 de diciembre cobramos $3,735.20 MXN a tu tarjeta ({booking.folio})"
    )
    assert "El jueves 3 de diciembre cobramos el saldo de tu reserva" in message.body
    assert BASE_URL + booking.get_absolute_url() in message.body


def test_a_receipt_names_what_was_paid(booking):
    message = send(booking, GuestEmail.Kind.RECEIPT, balance_of(booking))

    assert message.subject == f"Recibimos $3,735.20 MXN ({booking.folio})"
    assert "saldo, $3,735.20 MXN. Gracias." in message.body


def test_a_payment_link_leads_to_the_page_that_can_be_paid(booking):
    message = send(booking, GuestEmail.Kind.PAYMENT_LINK, balance_of(booking))

    assert message.subject == f"Falta un pago de $3,735.20 MXN ({booking.folio})"
    assert BASE_URL + booking.get_absolute_url() in message.body


def test_a_cancellation_names_what_comes_back(booking, gateway):
    request_cancellation(booking=booking, base_url=BASE_URL, now=NOW)
    settle_cancellation(booking_id=booking.pk, base_url=BASE_URL, gateway=gateway, now=NOW)

    message = send(booking, GuestEmail.Kind.CANCELLED)

    assert message.subject == f"Reserva cancelada: Casa «Mar & Sol» ({booking.folio})"
    assert "Pagaste: $1,600.80 MXN" in message.body
    assert "Devolvemos a tu tarjeta: $1,600.80 MXN" in message.body
    assert "cargo por cancelación" not in message.body


# A refund that came back has a test of its own, with a refund: test_returned_refunds.
@pytest.mark.parametrize("kind", [kind for kind in GuestEmail.Kind if kind != GuestEmail.Kind.REFUND_FAILED])
def test_no_english_word_is_in_an_email(booking, kind):
    message = send(booking, kind, balance_of(booking))

    words = f"{message.subject} {message.body}".replace(BASE_URL + booking.get_absolute_url(), "")
    assert english_words(words) == set()
    assert "\n\n\n" not in message.body
    assert "{" not in message.body


def test_a_hold_that_never_opened_a_payment_is_told_that_it_was_given_up(gateway):
    hold = make_hold(now=NOW, home=make_property(name="Casa Sol"), check_in=date(2026, 12, 1))
    request_cancellation(booking=hold, base_url=BASE_URL, now=NOW)
    settle_cancellation(booking_id=hold.pk, base_url=BASE_URL, gateway=gateway, now=NOW)

    message = send(hold, GuestEmail.Kind.CANCELLED)

    assert message.subject == f"Reserva cancelada: Casa Sol ({hold.folio})"
    assert "Pagaste" not in message.body
    assert english_words(message.body.replace(BASE_URL + hold.get_absolute_url(), "")) == set()


@pytest.mark.parametrize("kind", [GuestEmail.Kind.CONFIRMED, GuestEmail.Kind.CANCELLED])
@pytest.mark.parametrize("state", ["held", "begun", "confirmed"])
def test_an_email_is_rendered_whatever_a_booking_has_of_money(kind, state):
    booking = (
        make_confirmed_booking(now=NOW, check_in=date(2026, 12, 1))
        if state == "confirmed"
        else make_hold(now=NOW, check_in=date(2026, 12, 1))
    )
    if state == "begun":
        make_deposit_attempt(booking=booking, now=NOW)
    email = GuestEmail(pk=1, booking=Booking.objects.get(pk=booking.pk), kind=kind, base_url=BASE_URL)

    message = _render(email)

    assert booking.folio in message.subject + str(message.body)
