"""The frozen names of the tasks that are deferred from below ``tasks.py``; a test holds both together."""

from __future__ import annotations

# The queue of everything that moves money: pausing it stops every charge, also of jobs that run already.
QUEUE = "payments"

CHARGE_BALANCE = "payments.tasks.charge_balance_for_booking"
CHARGE_PAYMENT = "payments.tasks.charge_payment"
SETTLE_CANCELLATION = "payments.tasks.settle_cancellation"
REFUND_PAYMENT = "payments.tasks.refund_payment"
APPLY_STRIPE_EVENT = "payments.tasks.apply_stripe_event"
SEND_GUEST_EMAIL = "payments.tasks.send_guest_email"

DEFERRED_BY_NAME = (
    CHARGE_BALANCE,
    CHARGE_PAYMENT,
    SETTLE_CANCELLATION,
    REFUND_PAYMENT,
    APPLY_STRIPE_EVENT,
    SEND_GUEST_EMAIL,
)
