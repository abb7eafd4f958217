"""A refund that comes back: the guest and staff are told, and it is paid again by a button, once."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.core import mail

from bookings.models import Booking
from bookings.money import format_pesos
from payments.exceptions import RefundDisputed, RefundNotOwed, RequestRejected
from payments.ledger import refunds
from payments.models import Dispute, GuestEmail, Refund
from payments.panels.pay_again import pay_again
from payments.panels.unfinished import tell_unfinished
from payments.policies import RefundState
from payments.services import request_cancellation
from payments.stripe_gateway import StripeGateway
from procrastinate_tasks.actions.reports import Actor
from procrastinate_tasks.models import AuditEntry
from procrastinate_tasks.monitoring.alerts.rules import all_rules
from procrastinate_tasks.monitoring.snapshot import take_snapshot
from tests.factories import BASE_URL
from tests.house import House, account_of
from tests.integration.pages import english_words

ROSA = Actor(name="rosa", user_id=None)


def returned_refund(house: House, *, then: str = "pm_card_visa") -> tuple[Booking, Refund]:
    """Return a cancelled booking and its refund, which came back; the card is like ``then`` from now on."""
    booking = house.book(card="pm_card_refundFail")
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    house.run_jobs()
    house.wait(days=3)
    house.control.settle_refunds()
    house.deliver_events()
    refund = Refund.objects.get()
    assert refund.state == RefundState.FAILED
    house.change_card(booking, then)
    return booking, refund


def findings(rule_name: str) -> list[str]:
    (rule,) = (each for each in all_rules() if each.name == rule_name)
    return [finding.words for finding in rule.find(take_snapshot())]


def member(*permissions: str) -> User:
    user = User.objects.create_user("eva", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    return user


def test_the_guest_is_told_once_however_often_stripe_says_so(house: House):
    booking, refund = returned_refund(house)
    event = next(event for event in house.events() if event["type"] == "refund.failed")
    house.post_event(event | {"id": "evt_again"})
    house.run_jobs()

    (message,) = [each for each in mail.outbox if "regresó" in each.subject]
    assert message.to == [booking.guest_email]
    assert "Te reembolsamos $1,600.80\u00a0MXN" in message.body
    words = f"{message.subject} {message.body}".replace(BASE_URL + booking.get_absolute_url(), "")
    assert english_words(words) == set()
    assert GuestEmail.objects.get(kind="refund_failed").refund == refund


def test_staff_are_told_by_an_alert_and_on_the_dashboard_until_it_is_paid(house: House):
    _, refund = returned_refund(house)
    owed = format_pesos(refund.amount_minor)
    sentence = f"1 reembolso de {owed} falló y se le sigue debiendo a su huésped."

    assert findings("refunds_failed") == [sentence]
    (notice,) = tell_unfinished().notices
    assert (notice.sentence, notice.is_urgent) == (sentence, True)

    pay_again(refund_id=refund.pk, actor=ROSA)

    assert findings("refunds_failed") == []
    assert tell_unfinished().notices == ()
    house.run_jobs()


def test_it_is_paid_again_by_another_refund_under_another_key(house: House):
    booking, refund = returned_refund(house)

    again = pay_again(refund_id=refund.pk, actor=ROSA)
    house.run_jobs()

    again.refresh_from_db()
    refund.refresh_from_db()
    assert (again.state, refund.state) == (RefundState.SUCCEEDED, RefundState.VOID)
    assert (again.replaces, again.amount_minor) == (refund, refund.amount_minor)
    assert again.key != refund.key
    assert house.taken(booking) == 0
    assert account_of(booking).refunding_minor == 0
    with pytest.raises(RefundNotOwed):
        pay_again(refund_id=refund.pk, actor=ROSA)
    with pytest.raises(RefundNotOwed):
        pay_again(refund_id=again.pk, actor=ROSA)


def test_who_wanted_it_is_written_down(house: House):
    _, refund = returned_refund(house)

    again = pay_again(refund_id=refund.pk, actor=ROSA)

    entry = AuditEntry.objects.get(actor="rosa")
    assert entry.detail == {"refund_id": again.pk, "instead_of": refund.pk}
    house.run_jobs()


def test_one_that_comes_back_again_is_told_again(house: House):
    _, refund = returned_refund(house, then="pm_card_refundFail")
    again = pay_again(refund_id=refund.pk, actor=ROSA)
    house.run_jobs()
    house.wait(days=3)
    house.control.settle_refunds()

    house.deliver_events()

    again.refresh_from_db()
    assert again.state == RefundState.FAILED
    assert len([each for each in mail.outbox if "regresó" in each.subject]) == 2


def test_one_that_stripe_refuses_for_good_is_a_persons_and_not_requested_for_ever(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    """The guest is not told: nothing of theirs has come back."""
    booking = house.book()
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)

    def refuse(*args: object, **options: object) -> None:
        raise RequestRejected(operation="create refund", detail="the card's bank takes no refunds")

    with monkeypatch.context() as patched:
        patched.setattr(StripeGateway, "create_refund", refuse)
        assert house.run_jobs().failed == 0

    refund = Refund.objects.get()
    assert refund.state == RefundState.FAILED
    assert not GuestEmail.objects.filter(kind="refund_failed").exists()
    assert len(findings("refunds_failed")) == 1
    pay_again(refund_id=refund.pk, actor=ROSA)
    house.run_jobs()
    assert house.taken(booking) == 0


def test_disputed_money_is_paid_again_by_nobody(house: House):
    _, refund = returned_refund(house)
    house.control.open_dispute(refund.attempt.stripe_intent_id or "")
    house.deliver_events()

    with pytest.raises(RefundDisputed):
        refunds.replace_refund(refund_id=refund.pk)

    assert findings("refunds_failed") == [], "it waits for the bank"
    assert len(findings("disputes_to_answer")) == 1
    assert "Se aceptan pruebas hasta el" in findings("disputes_to_answer")[0]
    house.control.submit_evidence(Dispute.objects.get().stripe_dispute_id)
    house.deliver_events()
    assert findings("disputes_to_answer") == []


def test_the_button_is_for_those_who_may_retry_money(house: House, client):
    booking, refund = returned_refund(house)
    page = f"/admin/payments/refund/{refund.pk}/change/"
    button = f"/admin/payments/refund/{refund.pk}/pay-again/"
    client.force_login(member("view_refund"))
    assert button not in client.get(page).content.decode()
    assert client.post(button).status_code == 403
    assert client.get(button).status_code == 405
    User.objects.get(username="eva").delete()

    client.force_login(member("view_refund", "retry_job", "retry_money_job"))
    assert button in client.get(page).content.decode()
    answer = client.post(button, follow=True)

    assert "1 reembolso se vuelve a pagar" in answer.content.decode()
    house.run_jobs()
    assert house.taken(booking) == 0
    assert "no se debe" in client.post(button, follow=True).content.decode()


def test_the_list_pays_again_what_failed_and_passes_over_the_rest(house: House, client):
    booking, refund = returned_refund(house)
    client.force_login(User.objects.create_superuser("rosa"))
    chosen = {"action": "pay_again", "_selected_action": [str(refund.pk)]}

    client.post("/admin/payments/refund/", chosen)
    house.run_jobs()
    client.post("/admin/payments/refund/", chosen)

    assert house.taken(booking) == 0
    assert Refund.objects.count() == 2


def test_staff_see_a_dispute_with_its_date_on_the_page_of_the_booking_and_on_its_own(house: House, client):
    booking = house.book()
    house.control.open_dispute(booking.payments.get(kind="deposit").attempts.get().stripe_intent_id or "")
    house.deliver_events()
    client.force_login(User.objects.create_superuser("rosa"))

    file = client.get(f"/admin/bookings/booking/{booking.pk}/change/").content.decode()
    row = Dispute.objects.get()
    page = client.get(f"/admin/payments/dispute/{row.pk}/change/").content.decode()
    listed = client.get("/admin/payments/dispute/", {"q": booking.folio}).content.decode()

    for html in (file, page, listed):
        assert "espera nuestras pruebas" in html
        assert "11 nov" in html.lower()
    assert "Retenido en disputas" in file
    assert "Vence el plazo de pruebas" in file
