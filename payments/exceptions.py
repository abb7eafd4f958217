"""What can go wrong with money.

PaymentError
├── TransientFault              the task may simply run again
│   ├── GatewayBusy             Stripe did not act: too many requests, the same key in flight
│   ├── OutcomeUnknown          Stripe may or may not have acted; ask it before anything else
│   │   └── AnswerUnreadable    it answered in a form that we do not know
│   ├── GatewayRefused          Stripe refuses our key; the queue is paused until somebody mends it
│   ├── ChargingPaused          somebody has paused the queue of payments
│   ├── MemoryLost              Stripe knows of money that this database does not; it has to be rebuilt
│   ├── OtherAccount            our key is for another Stripe account than our customers are
│   ├── ClocksDisagree          this machine's clock and the database's are too far apart to charge by
│   ├── NewerRelease            a newer release has begun the attempt: it is left to it
│   ├── BookingBusy             somebody else holds the booking's row
│   ├── ComparisonUnfinished    not everything could be compared with Stripe
│   └── SettlementWaits         money of the booking is still under way
├── CardDeclined                a definite no, with the bank's reason
├── StateConflict               Stripe's object is not in the state the request needs; read it again
│   └── ChargeDisputed          a bank has taken the money of a charge back, or may: it is not refunded
├── ObjectMissing               Stripe knows no such customer, card or intent
├── RequestRejected             Stripe rejects the request before doing anything: our bug, or too late
│   └── PayerEmailRefused       it takes no such e-mail address; the guest corrects it
├── KeyReused                   our bug: another request under an idempotency key that was used
├── NoProgress                  an attempt goes round in circles
├── ContradictoryEvidence       Stripe says something that what it said before excludes
├── InvalidSignature            a webhook that Stripe did not sign
├── PaymentRefused              a guest or member of staff asks for what cannot be done
"""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext as _


class PaymentError(Exception):
    """Base of everything that goes wrong with money."""


class TransientFault(PaymentError):
    """A fault that passes: the task is tried again."""


class _GatewayFault(PaymentError):
    def __init__(self, *, operation: str, detail: str, request_id: str | None = None) -> None:
        self.operation, self.detail, self.request_id = operation, detail, request_id
        super().__init__(f"{operation}: {detail} (request {request_id or 'without id'})")


class GatewayBusy(_GatewayFault, TransientFault):
    """Stripe asked us to come back later and did nothing."""


class OutcomeUnknown(_GatewayFault, TransientFault):
    """No answer, or one that does not tell: Stripe may have acted."""


class AnswerUnreadable(OutcomeUnknown):
    """Stripe answered, and something in its answer is not of the form we know."""


class StateConflict(_GatewayFault):
    """The object at Stripe is in another state than the request needs."""


class ChargeDisputed(StateConflict):
    """The cardholder disputes the charge: Stripe does not refund it."""


class ObjectMissing(_GatewayFault):
    """Stripe has no such object; ``param`` names the parameter that pointed to it."""

    def __init__(self, *, operation: str, detail: str, param: str, request_id: str | None = None) -> None:
        self.param = param
        super().__init__(operation=operation, detail=detail, request_id=request_id)


class UnknownKind(PaymentError):
    """An event names an object of a kind that we do not ask Stripe for."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"objects of the kind {kind[:40]!r} are not read")


class GatewayRefused(_GatewayFault, TransientFault):
    """Stripe does not accept our key; check STRIPE_SECRET_KEY. Nothing was charged and nothing has failed."""


class RequestRejected(_GatewayFault):
    """Stripe rejects the request itself, and did nothing."""


class PayerEmailRefused(RequestRejected):
    """Stripe takes no such e-mail address, whatever ours says of it."""


class KeyReused(_GatewayFault):
    """A key came with another request than the first time; it is never retried under a fresh key."""


class CardDeclined(PaymentError):
    """The bank, or Stripe for it, said no."""

    def __init__(self, *, code: str, advice: str = "") -> None:
        self.code, self.advice = code, advice
        super().__init__(f"the card was declined: {code}")


class ChargingPaused(TransientFault):
    """Charges were stopped while this one ran; it goes on once its queue is resumed."""

    def __init__(self, *, queue: str) -> None:
        self.queue = queue
        super().__init__(f"the queue {queue} is paused: nothing is charged until somebody resumes it")


class MemoryLost(TransientFault):
    """Nothing is charged by rows that are not the whole description."""

    def __init__(self) -> None:
        super().__init__(
            "Stripe knows of money of ours that this database does not; "
            "nothing is charged until manage.py rebuild_from_stripe has been run"
        )


class OtherAccount(TransientFault):
    """Our customers are unknown where our key leads: nothing is charged, and nothing has failed."""

    def __init__(self, *, expected: str, found: str) -> None:
        self.expected, self.found = expected, found
        super().__init__(
            f"STRIPE_SECRET_KEY is for the Stripe account {found}, our customers are of "
            f"{expected or 'another one'}; "
            "correct the key, restart, then resume the queue"
        )


class ClocksDisagree(TransientFault):
    """Nothing is charged by a clock that may be wrong."""

    def __init__(self, *, skew: timedelta) -> None:
        self.skew = skew
        super().__init__(
            f"this machine's clock is {skew.total_seconds():+.0f} s from the database's; "
            "nothing is charged until they agree: check the time synchronisation of both"
        )


class NewerRelease(TransientFault):
    """An attempt is driven by a protocol that this release does not know, as after a rollback."""

    def __init__(self, *, attempt_id: int, version: int) -> None:
        self.attempt_id, self.version = attempt_id, version
        super().__init__(
            f"attempt {attempt_id} is of version {version} of the charge protocol; "
            "a newer release has begun it, so it is left to a worker of that release"
        )


class BookingBusy(TransientFault):
    """The row of the booking stayed locked for longer than a charge waits."""

    def __init__(self, *, booking_id: int) -> None:
        self.booking_id = booking_id
        super().__init__(f"booking {booking_id} is locked by another transaction; the task is tried again")


class EventsBeingRead(TransientFault):
    """Another process reads Stripe's list of events at this moment."""

    def __init__(self) -> None:
        super().__init__("another process is reading Stripe's list of events: wait until it has ended")


class SettlementWaits(TransientFault):
    """A cancelled booking cannot be settled while an attempt may still take money."""

    def __init__(self, *, booking_id: int) -> None:
        self.booking_id = booking_id
        super().__init__(f"booking {booking_id} still has money under way; its settlement is tried again")


class ComparisonUnfinished(TransientFault):
    """Some of what Stripe has could not be compared: it is compared again with all the rest."""

    def __init__(self, *, postponed: int) -> None:
        self.postponed = postponed
        super().__init__(f"{postponed} objects could not be compared with Stripe; the log names each")


class NoProgress(PaymentError):
    """Step after step, nothing comes of it; the janitor tries again later, and then calls for a person."""

    def __init__(self, *, subject: str, steps: int) -> None:
        self.subject, self.steps = subject, steps
        super().__init__(f"{subject} is where it was after {steps} steps")


class ContradictoryEvidence(PaymentError):
    """Stripe contradicts a proof it gave before; a person has to look."""

    def __init__(self, *, subject: str, stored: str, said: str) -> None:
        self.subject, self.stored, self.said = subject, stored, said
        super().__init__(
            f"{subject} is {stored} here, but Stripe now says {said}; compare both before touching it"
        )


class InvalidSignature(PaymentError):
    """A webhook without a valid signature: not from Stripe, too old, or signed with another secret."""


class PaymentRefused(PaymentError):
    """What a guest or member of staff asks for cannot be done now; the message says what can."""


class NothingToPay(PaymentRefused):
    """The payment is paid or void."""

    def __init__(self) -> None:
        super().__init__(_("There is nothing to pay. Reload the page to see the state of your booking."))


class DebtChanged(PaymentRefused):
    """Another sum is owed than the one that somebody wants to let go."""

    def __init__(self) -> None:
        super().__init__(_("The debt is not what this page showed any more. Look at it again."))


class PaymentUnderWay(PaymentRefused):
    """The saved card is being charged at this moment."""

    def __init__(self) -> None:
        super().__init__(_("A payment for this booking is under way. Try again in a minute."))


class CollectionLocked(PaymentRefused):
    """Something at Stripe has to be explained by staff before this is paid: it may be paid already."""

    def __init__(self) -> None:
        super().__init__(
            _("We are checking a payment of this booking. You do not need to pay now; write to us.")
        )


class RefundNotOwed(PaymentRefused):
    """The refund has not failed, or was paid by another one."""

    def __init__(self) -> None:
        super().__init__(_("This refund is not owed: it has not failed, or was paid by another one."))


class RefundDisputed(PaymentRefused):
    """Stripe refunds no charge whose money a bank has taken."""

    def __init__(self) -> None:
        super().__init__(
            _("The charge is disputed: a bank has its money. It can be refunded once the dispute is won.")
        )


class ChangeNeedsPayment(PaymentRefused):
    """Something else is to be paid for the new dates than was agreed, or nothing can be paid now."""

    def __init__(self) -> None:
        super().__init__(
            _("The price of these dates cannot be settled here now. Look again, or write to us.")
        )
