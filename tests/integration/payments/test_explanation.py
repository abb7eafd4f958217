"""Was I charged twice, and why this amount: the answer, and the rows it rests on."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import translation

from bookings.money import format_pesos
from payments.models import LedgerTransfer, PaymentAttempt, Refund
from payments.panels.explanation import explain
from payments.policies import RefundState
from tests.factories import make_confirmed_booking
from tests.integration.payments.test_invariants import (
    NOW,
    asked_back,
    break_i2,
    deposit_of,
    paid_stay,
    unguarded,
)

pytestmark = pytest.mark.django_db


def told(booking):
    with translation.override("en"):
        return explain(booking, now=NOW, with_jobs=True)


def test_a_stay_that_was_paid_once_is_told_with_its_price():
    booking = paid_stay()
    quote = booking.quote

    answer = told(booking)

    assert answer.sentence.startswith(
        f"No, nothing was charged twice: {format_pesos(quote.total_minor)} in 2 charges"
    )
    assert f"3 nights {format_pesos(quote.lodging_minor)}" in answer.sentence
    assert answer.sentence.endswith("$0.00\u00a0MXN was given back and $0.00\u00a0MXN is still due.")
    assert [money.kept_minor for money in answer.intents] == [quote.deposit_minor, quote.balance_minor]
    filled = {section.name for section in answer.sections if section.lines}
    assert filled >= {"quote", "payments", "attempts", "ledger", "emails", "jobs"}


def test_a_payment_that_was_charged_twice_is_named():
    break_i2()
    second = PaymentAttempt.objects.get(stripe_intent_id="pi_second")
    booking = second.payment.booking
    with unguarded():
        first = LedgerTransfer.objects.filter(booking=booking, source_type="payment_intent").latest("pk")
        first.pk, first.source_id = None, "pi_second"
        first.save(force_insert=True)

    answer = told(booking)

    assert answer.twice == ("balance 1",)
    assert answer.sentence.startswith("Yes, charged twice: balance 1; ")
    assert answer.sums.due_minor == -second.amount_minor


def test_what_went_back_is_told_by_its_intent():
    refund = asked_back()
    with unguarded():
        Refund.objects.filter(pk=refund.pk).update(state=RefundState.SUCCEEDED, stripe_refund_id="re_1")
        LedgerTransfer.objects.create(
            booking=refund.attempt.payment.booking,
            source_type="refund",
            source_id="re_1",
            debit="receivable",
            credit="stripe",
            amount_minor=refund.amount_minor,
            currency="mxn",
            posted_at=NOW,
        )

    answer = told(refund.attempt.payment.booking)

    deposit = next(each for each in answer.intents if each.intent_id == refund.attempt.stripe_intent_id)
    assert (deposit.returned_minor, deposit.kept_minor) == (
        refund.amount_minor,
        refund.attempt.amount_minor - refund.amount_minor,
    )
    assert answer.sums.due_minor == refund.amount_minor


def test_the_command_finds_a_booking_by_any_reference_and_answers_in_both_languages():
    booking = paid_stay()

    for reference in (str(booking.pk), booking.folio, str(booking.public_id)):
        written = StringIO()
        call_command("explain_booking", reference, "--json", stdout=written)
        found = json.loads(written.getvalue())
        assert found["booking"] == booking.pk
        assert found["sentence"]["es-mx"].startswith("No, nada se cobró dos veces")
        assert found["sentence"]["en"].startswith("No, nothing was charged twice")
        assert found["sums"]["charged_minor"] == booking.quote.total_minor

    written = StringIO()
    call_command("explain_booking", booking.folio, stdout=written)
    assert str(deposit_of(booking).stripe_intent_id) in written.getvalue()
    with pytest.raises(CommandError):
        call_command("explain_booking", "RE-00000000")


def test_the_page_is_reached_from_the_booking_by_whoever_sees_its_money(client: Client):
    booking = make_confirmed_booking(now=NOW)
    user = User.objects.create_user("luis", is_staff=True)
    client.force_login(user)
    address = f"/admin/bookings/booking/{booking.pk}/explain/"
    assert client.get(address).status_code == 403
    views = ("view_booking", "view_payment")
    user.user_permissions.set(Permission.objects.filter(codename__in=views))

    page = client.get(address)

    assert "No, nada se cobró dos veces" in page.content.decode()
    assert address in client.get(f"/admin/bookings/booking/{booking.pk}/change/").content.decode()
    assert 'aria-labelledby="jobs"' not in page.content.decode(), "jobs are for who sees jobs"
    assert client.get("/admin/bookings/booking/999999/explain/").status_code == 404
