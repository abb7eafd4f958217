"""Balances: cards that pay, refuse or are gone, answers that nobody reads."""

from __future__ import annotations

from collections.abc import Callable

from django.core.management import call_command
from django.db import connection, transaction

from payments.models import StripeMemory
from payments.policies import ChargeAnswer
from reyes_estancias.local_stripe.faults import FaultKind
from tests.faults.guests import (
    AUTHENTICATES,
    DECLINED,
    Verdict,
    assert_charged_once,
    book,
    let_fall_due,
    open_page,
    pay_link,
)
from tests.faults.life import Life
from tests.house import CONFIRM_INTENT, CREATE_INTENT, account_of


def balance(life: Life) -> Verdict:
    """A deposit is paid, and its balance charged to the saved card when it falls due."""
    booking = book(life)
    let_fall_due(life, booking)
    return lambda: assert_charged_once(life, booking)


def decline_then_link(life: Life) -> Verdict:
    """The card refuses the balance; the guest pays by the link."""
    booking = book(life)
    life.house.change_card(booking, DECLINED)
    let_fall_due(life, booking)
    pay_link(life, booking)
    return lambda: assert_charged_once(life, booking)


def decline_then_funds(life: Life) -> Verdict:
    """The card has no funds at first; a later try of the house takes the balance."""
    booking = book(life)
    life.house.change_card(booking, "pm_card_chargeDeclinedInsufficientFunds")
    let_fall_due(life, booking)
    life.work(minutes=5)
    life.house.change_card(booking, "pm_card_visa")
    life.work(minutes=7 * 60)
    return lambda: assert_charged_once(life, booking)


def authentication(life: Life) -> Verdict:
    """The card asks for its owner; the guest pays by the link."""
    booking = book(life)
    life.house.change_card(booking, AUTHENTICATES)
    let_fall_due(life, booking)
    pay_link(life, booking)
    return lambda: assert_charged_once(life, booking)


def card_gone(life: Life) -> Verdict:
    """The saved card was removed at Stripe; the guest pays by the link."""
    booking = book(life)
    life.house.stripe.client.v1.payment_methods.detach(account_of(booking).stripe_payment_method_id)
    let_fall_due(life, booking)
    pay_link(life, booking)
    return lambda: assert_charged_once(life, booking)


def customer_gone(life: Life) -> Verdict:
    """The customer was deleted at Stripe; the guest pays by the link, as a new one."""
    booking = book(life)
    life.house.stripe.client.v1.customers.delete(account_of(booking).stripe_customer_id)
    let_fall_due(life, booking)
    pay_link(life, booking)
    return lambda: assert_charged_once(life, booking)


def link_is_closed_for_the_card(life: Life) -> Verdict:
    """A page lies open when the next try of the card is due: it is closed, and the card pays."""
    booking = book(life)
    life.house.change_card(booking, "pm_card_chargeDeclinedInsufficientFunds")
    let_fall_due(life, booking)
    life.work(minutes=5 * 60 + 45)
    life.insist(lambda: open_page(life, booking))
    life.house.change_card(booking, "pm_card_visa")
    life.work(minutes=20)
    return lambda: assert_charged_once(life, booking)


def resumed(life: Life) -> Verdict:
    """Nobody knows whether an intent was made: it is looked for before another is."""
    booking = book(life)
    life.house.wait_until(booking.balance_due_at)
    life.house.arm(FaultKind.RESET_AFTER, path=CREATE_INTENT)
    life.run_jobs()
    life.work(minutes=2)
    return lambda: assert_charged_once(life, booking)


def left_to_the_janitor(life: Life) -> Verdict:
    """Every try of the job gets no answer: the janitor finds out that the money was taken."""
    booking = book(life)
    life.house.wait_until(booking.balance_due_at)
    life.house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    life.house.arm(FaultKind.UNAVAILABLE, method="GET", path=f"{CREATE_INTENT}/*", count=3)
    for _ in range(5):
        life.run_jobs()
        life.house.wait(seconds=30)
    life.work(minutes=2)
    return lambda: assert_charged_once(life, booking)


def forgotten(life: Life) -> Verdict:
    """The rows of a charge are lost with the tail of the database: it is found at Stripe, not made again."""
    booking = book(life)
    life.house.wait_until(booking.balance_due_at)
    with transaction.atomic():
        assert life.house.charge(booking) == ChargeAnswer.SUCCEEDED
        transaction.set_rollback(True)
    _load_again()
    life.work(minutes=1)
    life.insist(lambda: (call_command("rebuild_from_stripe", "--apply", verbosity=0),))
    life.work(minutes=5)
    return lambda: assert_charged_once(life, booking)


def money_takes_days(life: Life) -> Verdict:
    """The link is paid with what takes days, and the money comes."""
    booking = book(life)
    life.house.change_card(booking, "pm_card_chargeDeclinedLostCard")
    let_fall_due(life, booking)
    pay_link(life, booking, card="pm_card_settlesLater")
    for _ in range(3):
        life.work(minutes=25 * 60)
    return lambda: assert_charged_once(life, booking)


def money_never_comes(life: Life) -> Verdict:
    """The link is paid with what takes days, and the money does not come: another page takes it."""
    booking = book(life)
    life.house.change_card(booking, "pm_card_chargeDeclinedLostCard")
    let_fall_due(life, booking)
    pay_link(life, booking, card="pm_card_neverSettles")
    for _ in range(3):
        life.work(minutes=25 * 60)
    pay_link(life, booking)
    return lambda: assert_charged_once(life, booking)


def _load_again() -> None:
    """Do to the tables what loading a backup does: rows as they were, in new files."""
    known = StripeMemory.objects.get()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE payments_stripememory")
    known.save(force_insert=True)


SCENARIOS: tuple[Callable[[Life], Verdict], ...] = (
    balance,
    decline_then_link,
    decline_then_funds,
    authentication,
    card_gone,
    customer_gone,
    link_is_closed_for_the_card,
    resumed,
    left_to_the_janitor,
    forgotten,
    money_takes_days,
    money_never_comes,
)
