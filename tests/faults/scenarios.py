"""The protocols, each lived once from a hold to its end; each returns what must be true of the bank then.

A scenario may be interrupted anywhere: guests ask again, workers are followed by others.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.core.management import call_command
from django.db import connection, transaction

from bookings.models import Booking, BookingStatus, Quote
from payments import services
from payments.date_changes import change_dates, preview_change
from payments.models import Payment, PaymentAttempt, Refund, StripeMemory
from payments.panels.pay_again import pay_again
from payments.policies import AttemptState, ChargeAnswer, PaymentKind, PaymentStatus, RefundState
from procrastinate_tasks.actions.reports import Actor
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import BASE_URL
from tests.faults.life import Life
from tests.house import CONFIRM_INTENT, CREATE_INTENT, CREATE_SESSION, account_of

Verdict = Callable[[], None]
DECLINED = "pm_card_chargeCustomerFail"
AUTHENTICATES = "pm_card_authenticationRequired"


def _refreshed(booking: Booking) -> Booking:
    return Booking.objects.get(pk=booking.pk)


def _pay_page(life: Life, booking: Booking, *, card: str = "pm_card_visa") -> None:
    """Pay what the guest is shown; a page that was made and never shown is paid by nobody."""
    life.insist(lambda: _open(life, booking))
    life.house.pay_page(booking, card=card)
    life.work(minutes=2)


def _open(life: Life, booking: Booking) -> str:
    return services.open_checkout(
        booking=_refreshed(booking), base_url=BASE_URL, gateway=life.house.gateway, now=life.house.now
    )


def _pay_link(life: Life, booking: Booking, *, card: str = "pm_card_visa") -> None:
    """Pay by the link of a balance that the card did not pay, once there is one."""
    payments = Payment.objects.filter(booking=booking, kind=PaymentKind.BALANCE)
    for minutes in (5, 30, 60, 6 * 60, 25 * 60, 25 * 60):
        if not payments.filter(status__in=(PaymentStatus.FAILED, PaymentStatus.REQUIRES_ACTION)).exists():
            life.work(minutes=minutes)
    _pay_page(life, booking, card=card)


def _book(life: Life, **hold: object) -> Booking:
    booking = life.house.hold(**hold)
    _pay_page(life, booking)
    for minutes in (5, 30, 10):
        # Where the look at the page and Stripe's events are lost, the janitor comes when the page expires.
        if _refreshed(booking).status != BookingStatus.CONFIRMED:
            life.work(minutes=minutes)
    booking = _refreshed(booking)
    assert booking.status == BookingStatus.CONFIRMED, booking.status
    return booking


def _let_fall_due(life: Life, booking: Booking) -> None:
    life.house.wait_until(booking.balance_due_at)
    life.work(minutes=1)
    life.work(minutes=2)


def _charged_once(life: Life, booking: Booking) -> None:
    quote = booking.quote
    assert life.house.charges(booking, PaymentKind.DEPOSIT) == [quote.deposit_minor]
    assert life.house.charges(booking) == [quote.balance_minor]
    payment = Payment.objects.get(booking=booking, kind=PaymentKind.BALANCE)
    assert payment.status == PaymentStatus.PAID


def balance(life: Life) -> Verdict:
    """A deposit is paid, and its balance charged to the saved card when it falls due."""
    booking = _book(life)
    _let_fall_due(life, booking)
    return lambda: _charged_once(life, booking)


def decline_then_link(life: Life) -> Verdict:
    """The card refuses the balance; the guest pays by the link."""
    booking = _book(life)
    life.house.change_card(booking, DECLINED)
    _let_fall_due(life, booking)
    _pay_link(life, booking)
    return lambda: _charged_once(life, booking)


def decline_then_funds(life: Life) -> Verdict:
    """The card has no funds at first; a later try of the house takes the balance."""
    booking = _book(life)
    life.house.change_card(booking, "pm_card_chargeDeclinedInsufficientFunds")
    _let_fall_due(life, booking)
    life.work(minutes=5)
    life.house.change_card(booking, "pm_card_visa")
    life.work(minutes=7 * 60)
    return lambda: _charged_once(life, booking)


def authentication(life: Life) -> Verdict:
    """The card asks for its owner; the guest pays by the link."""
    booking = _book(life)
    life.house.change_card(booking, AUTHENTICATES)
    _let_fall_due(life, booking)
    _pay_link(life, booking)
    return lambda: _charged_once(life, booking)


def card_gone(life: Life) -> Verdict:
    """The saved card was removed at Stripe; the guest pays by the link."""
    booking = _book(life)
    life.house.stripe.client.v1.payment_methods.detach(account_of(booking).stripe_payment_method_id)
    _let_fall_due(life, booking)
    _pay_link(life, booking)
    return lambda: _charged_once(life, booking)


def link_is_closed_for_the_card(life: Life) -> Verdict:
    """A page lies open when the next try of the card is due: it is closed, and the card pays."""
    booking = _book(life)
    life.house.change_card(booking, "pm_card_chargeDeclinedInsufficientFunds")
    _let_fall_due(life, booking)
    life.work(minutes=5 * 60 + 45)
    life.insist(lambda: _open(life, booking))
    life.house.change_card(booking, "pm_card_visa")
    life.work(minutes=20)
    return lambda: _charged_once(life, booking)


def unpaid_hold(life: Life) -> Verdict:
    """A guest opens the page and leaves: the nights are free again, and nothing was taken."""
    booking = life.house.hold()
    life.insist(lambda: _open(life, booking))
    for _ in range(3):
        life.work(minutes=20)

    def verdict() -> None:
        assert life.house.lines(booking) == []
        assert _refreshed(booking).status == BookingStatus.EXPIRED

    return verdict


def _cancel(life: Life, booking: Booking) -> None:
    life.insist(
        lambda: (
            services.request_cancellation(booking=_refreshed(booking), base_url=BASE_URL, now=life.house.now),
        )
    )


def cancelled_hold(life: Life) -> Verdict:
    """A hold whose page is open is given up."""
    booking = life.house.hold()
    life.insist(lambda: _open(life, booking))
    _cancel(life, booking)
    life.work(minutes=1)
    return lambda: _nothing_kept(life, booking)


def _nothing_kept(life: Life, booking: Booking) -> None:
    assert life.house.taken(booking) == 0
    assert _refreshed(booking).status == BookingStatus.CANCELLED


def free_cancellation(life: Life) -> Verdict:
    """A stay is cancelled in time: the deposit goes back, once."""
    booking = _book(life, check_in=(life.house.now + timedelta(days=30)).date())
    _cancel(life, booking)
    life.work(minutes=1)

    def verdict() -> None:
        _nothing_kept(life, booking)
        assert life.house.refunds(booking) == [booking.quote.deposit_minor]

    return verdict


def late_cancellation(life: Life) -> Verdict:
    """A stay is cancelled late: its fee is charged, once."""
    booking = _book(life, check_in=(life.house.now + timedelta(days=3)).date())
    _cancel(life, booking)
    life.work(minutes=1)
    life.work(minutes=15)

    def verdict() -> None:
        assert _refreshed(booking).status == BookingStatus.CANCELLED
        fees = Payment.objects.filter(booking=booking, kind=PaymentKind.FEE).exclude(status="void")
        assert life.house.charges(booking, PaymentKind.FEE) == [fee.amount_minor for fee in fees]
        assert [fee.status for fee in fees] == [PaymentStatus.PAID]

    return verdict


def resumed(life: Life) -> Verdict:
    """Nobody knows whether an intent was made: it is looked for before another is."""
    booking = _book(life)
    life.house.wait_until(booking.balance_due_at)
    life.house.arm(FaultKind.RESET_AFTER, path=CREATE_INTENT)
    life.run_jobs()
    life.work(minutes=2)
    return lambda: _charged_once(life, booking)


def cancelled_in_doubt(life: Life) -> Verdict:
    """A guest cancels while nobody knows whether the balance was taken: the house settles what is true."""
    booking = _book(life)
    life.house.wait_until(booking.balance_due_at)
    life.house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    life.run_jobs()
    _cancel(life, booking)
    life.work(minutes=1)

    def verdict() -> None:
        assert _refreshed(booking).status == BookingStatus.CANCELLED
        assert len(life.house.charges(booking)) + len(life.house.charges(booking, PaymentKind.FEE)) == 1

    return verdict


def _change_dates(life: Life, booking: Booking, *, nights: int) -> None:
    """Ask for another length of stay like a guest who has read what it costs, until it is so or held."""

    def change() -> Quote:
        fresh = _refreshed(booking)
        dates = {"check_in": fresh.quote.check_in, "check_out": fresh.quote.check_in + timedelta(days=nights)}
        charge = preview_change(booking=fresh, **dates, now=life.house.now).money.charge_minor
        return change_dates(
            booking=fresh, **dates, base_url=BASE_URL, agreed_charge_minor=charge, now=life.house.now
        )

    life.insist(change)


def shorter_stay(life: Life) -> Verdict:
    """A stay becomes so short that its deposit is more than its price: the rest goes back, once."""
    booking = _book(life, check_in=(life.house.now + timedelta(days=40)).date(), nights=20)
    _change_dates(life, booking, nights=2)
    life.work(minutes=1)
    return lambda: _paid_in_full_or_less(life, booking)


def _paid_in_full_or_less(life: Life, booking: Booking) -> None:
    assert life.house.taken(booking) <= account_of(booking).owed_minor


def longer_stay(life: Life) -> Verdict:
    """A stay becomes longer before its balance is paid: the deposit is topped up, then the dates apply."""
    booking = _book(life)
    _change_dates(life, booking, nights=6)
    _pay_page(life, booking)
    life.work(minutes=5)
    life.work(minutes=40)
    _let_fall_due(life, _refreshed(booking))

    def verdict() -> None:
        assert _refreshed(booking).quote.night_count == 6
        assert life.house.taken(booking) == _refreshed(booking).quote.total_minor
        assert len(life.house.charges(booking, PaymentKind.TOPUP)) == 1

    return verdict


def longer_paid_stay(life: Life) -> Verdict:
    """A stay becomes longer after its balance was paid: the difference is charged to the card, once."""
    booking = _book(life, nights=10)
    _let_fall_due(life, booking)
    _change_dates(life, booking, nights=12)
    for minutes in (1, 5, 15):
        life.work(minutes=minutes)

    def verdict() -> None:
        quote = _refreshed(booking).quote
        assert life.house.taken(booking) == quote.total_minor
        assert len(life.house.charges(booking, PaymentKind.EXTENSION)) == (quote.night_count == 12)

    return verdict


def unpaid_change(life: Life) -> Verdict:
    """A guest asks for a longer stay and never pays for it: the stay is as it was."""
    booking = _book(life)
    _change_dates(life, booking, nights=6)
    life.insist(lambda: _open(life, booking))
    for _ in range(4):
        life.work(minutes=20)
    _let_fall_due(life, booking)
    return lambda: _charged_once(life, booking)


def dispute_lost(life: Life) -> Verdict:
    """A cardholder disputes the deposit and wins: its balance is never charged."""
    booking = _book(life)
    dispute = life.house.control.open_dispute(_intent_of(booking, PaymentKind.DEPOSIT))
    life.work(minutes=5)
    life.work_at_night()
    _let_fall_due(life, booking)
    life.house.control.close_dispute(dispute, status="lost")
    life.work(minutes=5)

    def verdict() -> None:
        assert life.house.charges(booking) == []

    return verdict


def dispute_won(life: Life) -> Verdict:
    """A cardholder disputes the deposit and loses: the balance is charged after all."""
    booking = _book(life)
    dispute = life.house.control.open_dispute(_intent_of(booking, PaymentKind.DEPOSIT))
    life.work(minutes=5)
    life.work_at_night()
    _let_fall_due(life, booking)
    assert life.house.charges(booking) == []
    life.house.control.close_dispute(dispute, status="won")
    life.work(minutes=5)
    life.work_at_night()
    return lambda: _charged_once(life, booking)


def refund_by_hand(life: Life) -> Verdict:
    """Somebody refunds a part in the dashboard; the guest cancels, and gets the rest."""
    booking = _book(life, check_in=(life.house.now + timedelta(days=30)).date())
    life.house.control.refund_by_hand(_intent_of(booking, PaymentKind.DEPOSIT), amount=50_000)
    life.work(minutes=1)
    _cancel(life, booking)
    life.work(minutes=5)
    return lambda: _nothing_kept(life, booking)


def refund_comes_back(life: Life) -> Verdict:
    """A bank sends a refund back days later; staff have it paid again."""
    booking = _book(life, check_in=(life.house.now + timedelta(days=30)).date())
    _cancel(life, booking)
    life.work(minutes=1)
    life.work(minutes=5)
    refund = Refund.objects.get(state=RefundState.SUCCEEDED)
    life.house.control.fail_refund(refund.stripe_refund_id or "")
    life.work(minutes=5)
    life.work_at_night()
    failed = Refund.objects.get(state=RefundState.FAILED)
    life.act(lambda: pay_again(refund_id=failed.pk, actor=Actor(name="Ana")))
    if Refund.objects.get(pk=failed.pk).state == RefundState.FAILED:
        life.insist(lambda: pay_again(refund_id=failed.pk, actor=Actor(name="Ana")))
    life.work(minutes=5)
    return lambda: _nothing_kept(life, booking)


def forgotten(life: Life) -> Verdict:
    """The rows of a charge are lost with the tail of the database: it is found at Stripe, not made again."""
    booking = _book(life)
    life.house.wait_until(booking.balance_due_at)
    with transaction.atomic():
        assert life.house.charge(booking) == ChargeAnswer.SUCCEEDED
        transaction.set_rollback(True)
    _load_again()
    life.work(minutes=1)
    life.insist(lambda: (call_command("rebuild_from_stripe", "--apply", verbosity=0),))
    life.work(minutes=5)
    return lambda: _charged_once(life, booking)


def customer_gone(life: Life) -> Verdict:
    """The customer was deleted at Stripe; the guest pays by the link, as a new one."""
    booking = _book(life)
    life.house.stripe.client.v1.customers.delete(account_of(booking).stripe_customer_id)
    _let_fall_due(life, booking)
    _pay_link(life, booking)
    return lambda: _charged_once(life, booking)


def left_to_the_janitor(life: Life) -> Verdict:
    """Every try of the job gets no answer: the janitor finds out that the money was taken."""
    booking = _book(life)
    life.house.wait_until(booking.balance_due_at)
    life.house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    life.house.arm(FaultKind.UNAVAILABLE, method="GET", path=f"{CREATE_INTENT}/*", count=3)
    for _ in range(5):
        life.run_jobs()
        life.house.wait(seconds=30)
    life.work(minutes=2)
    return lambda: _charged_once(life, booking)


def page_without_an_answer(life: Life) -> Verdict:
    """Nobody heard of the page that was made; the next click leads to it, or to another."""
    booking = life.house.hold()
    life.house.arm(FaultKind.RESET_AFTER, path=CREATE_SESSION)
    life.act(lambda: _open(life, booking))
    life.house.wait(minutes=2)
    _pay_page(life, booking)
    for minutes in (5, 35):
        life.work(minutes=minutes)

    def verdict() -> None:
        assert life.house.charges(booking, PaymentKind.DEPOSIT) == [booking.quote.deposit_minor]

    return verdict


def hold_without_a_page(life: Life) -> Verdict:
    """A guest holds nights and never opens a page, or closes one that could not be made."""
    booking = life.house.hold()
    life.house.arm(FaultKind.RESET_BEFORE, path=CREATE_SESSION, count=2)
    life.act(lambda: _open(life, booking))
    life.house.wait(minutes=2)
    life.act(life.house.run_janitor)
    for _ in range(3):
        life.work(minutes=20)

    def verdict() -> None:
        assert life.house.lines(booking) == []
        assert _refreshed(booking).status == BookingStatus.EXPIRED

    return verdict


def money_takes_days(life: Life) -> Verdict:
    """The link is paid with what takes days, and the money comes."""
    booking = _book(life)
    life.house.change_card(booking, "pm_card_chargeDeclinedLostCard")
    _let_fall_due(life, booking)
    _pay_link(life, booking, card="pm_card_settlesLater")
    for _ in range(3):
        life.work(minutes=25 * 60)
    return lambda: _charged_once(life, booking)


def money_never_comes(life: Life) -> Verdict:
    """The link is paid with what takes days, and the money does not come: another page takes it."""
    booking = _book(life)
    life.house.change_card(booking, "pm_card_chargeDeclinedLostCard")
    _let_fall_due(life, booking)
    _pay_link(life, booking, card="pm_card_neverSettles")
    for _ in range(3):
        life.work(minutes=25 * 60)
    _pay_link(life, booking)
    return lambda: _charged_once(life, booking)


def refund_that_finds_nothing_left(life: Life) -> Verdict:
    """All of the deposit was refunded in the dashboard, and nobody told us before our own refund."""
    booking = _book(life, check_in=(life.house.now + timedelta(days=30)).date())
    life.house.control.refund_by_hand(_intent_of(booking, PaymentKind.DEPOSIT))
    _cancel(life, booking)
    life.run_jobs()
    life.work(minutes=5)
    return lambda: _nothing_kept(life, booking)


def refund_of_disputed_money(life: Life) -> Verdict:
    """The deposit is disputed, and nobody told us before our refund: the bank has it already."""
    booking = _book(life, check_in=(life.house.now + timedelta(days=30)).date())
    life.house.control.open_dispute(_intent_of(booking, PaymentKind.DEPOSIT))
    _cancel(life, booking)
    life.run_jobs()
    life.work(minutes=5)
    life.work_at_night()

    def verdict() -> None:
        assert _refreshed(booking).status == BookingStatus.CANCELLED
        assert life.house.refunds(booking) == []

    return verdict


def _load_again() -> None:
    """Do to the tables what loading a backup does: rows as they were, in new files."""
    known = StripeMemory.objects.get()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE payments_stripememory")
    known.save(force_insert=True)


def _intent_of(booking: Booking, kind: PaymentKind) -> str:
    won = PaymentAttempt.objects.get(
        payment__booking=booking, payment__kind=kind, state=AttemptState.SUCCEEDED
    )
    return won.stripe_intent_id or ""


SCENARIOS: dict[str, Callable[[Life], Verdict]] = {
    scenario.__name__: scenario
    for scenario in (
        balance,
        decline_then_link,
        decline_then_funds,
        authentication,
        card_gone,
        link_is_closed_for_the_card,
        unpaid_hold,
        cancelled_hold,
        free_cancellation,
        late_cancellation,
        resumed,
        cancelled_in_doubt,
        shorter_stay,
        longer_stay,
        longer_paid_stay,
        unpaid_change,
        dispute_lost,
        dispute_won,
        refund_by_hand,
        refund_comes_back,
        forgotten,
        customer_gone,
        left_to_the_janitor,
        page_without_an_answer,
        hold_without_a_page,
        money_takes_days,
        money_never_comes,
        refund_that_finds_nothing_left,
        refund_of_disputed_money,
    )
}
