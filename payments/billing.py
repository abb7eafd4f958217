"""What a booking owes: its account, the lines of its quote, its obligations; and what cancelling it costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import cache

from bookings import policies as house
from bookings.models import Booking, BookingChangeLog, BookingStatus, DateChange, Quote
from bookings.plain_sql import columns_of, models_of, read_rows
from payments.models import Account, BookingAccount, LedgerTransfer, Payment
from payments.policies import PaymentKind

_CHANGED = """
SELECT {change}, {old_quote}
FROM bookings_bookingchangelog change JOIN bookings_quote old_quote ON old_quote.id = change.old_quote_id
WHERE change.booking_id = %s ORDER BY change.applied_at DESC
"""


def open_account(*, booking: Booking, now: datetime) -> BookingAccount:
    """Bill the quote of a booking, unless that was done. Call it with the booking locked."""
    account = BookingAccount.objects.filter(booking=booking).first()
    if account is None:
        account = BookingAccount.objects.create(booking=booking)
        bill_quote(booking=booking, quote=booking.quote, now=now)
    return account


def bill_quote(*, booking: Booking, quote: Quote, now: datetime) -> None:
    """Make a guest owe the total of a quote."""
    LedgerTransfer.objects.bulk_create(
        _transfer(
            booking=booking,
            source=("quote", f"{quote.pk}:{line}"),
            debit=Account.RECEIVABLE,
            credit=income,
            amount_minor=amount,
            now=now,
        )
        for line, income, amount in _lines(quote)
    )


def credit_quote(*, booking: Booking, quote: Quote, now: datetime) -> None:
    """Take back what ``bill_quote`` billed."""
    LedgerTransfer.objects.bulk_create(
        _transfer(
            booking=booking,
            source=("quote_credit", f"{quote.pk}:{line}"),
            debit=income,
            credit=Account.RECEIVABLE,
            amount_minor=amount,
            now=now,
        )
        for line, income, amount in _lines(quote)
    )


def bill_nights_given_up(*, booking: Booking, quote: Quote, amount_minor: int, now: datetime) -> None:
    """Make a guest owe what the house keeps of nights that the stay lost when it took this quote."""
    if amount_minor:
        _transfer(
            booking=booking,
            source=("nights_given_up", str(quote.pk)),
            debit=Account.RECEIVABLE,
            credit=Account.CANCELLATION,
            amount_minor=amount_minor,
            now=now,
        ).save()


def bill_change(*, booking: Booking, change: DateChange, now: datetime) -> None:
    """Make a guest owe what is to be paid before other dates apply; until then the stay is as it was."""
    _transfer(
        booking=booking,
        source=("date_change", str(change.pk)),
        debit=Account.RECEIVABLE,
        credit=Account.LODGING,
        amount_minor=change.charge_minor,
        now=now,
    ).save()


def credit_change(*, booking: Booking, change: DateChange, now: datetime) -> None:
    """Take back what ``bill_change`` billed: the dates apply with a quote of their own, or not at all."""
    _transfer(
        booking=booking,
        source=("date_change_credit", str(change.pk)),
        debit=Account.LODGING,
        credit=Account.RECEIVABLE,
        amount_minor=change.charge_minor,
        now=now,
    ).save()


def bill_cancellation(*, booking: Booking, amount_minor: int, now: datetime) -> None:
    """Make a guest owe what the house keeps of a cancelled stay."""
    _transfer(
        booking=booking,
        source=("cancellation", str(booking.pk)),
        debit=Account.RECEIVABLE,
        credit=Account.CANCELLATION,
        amount_minor=amount_minor,
        now=now,
    ).save()


def post_capture(*, payment: Payment, intent_id: str, now: datetime) -> None:
    """Post money that Stripe took for a payment; posting the same intent twice is refused."""
    _transfer(
        booking=payment.booking,
        source=("payment_intent", intent_id),
        debit=Account.STRIPE,
        credit=Account.RECEIVABLE,
        amount_minor=payment.amount_minor,
        now=now,
    ).save()


def post_refund(*, booking: Booking, refund_id: str, amount_minor: int, now: datetime) -> None:
    """Post money that Stripe paid back; posting the same refund twice is refused."""
    _transfer(
        booking=booking,
        source=("refund", refund_id),
        debit=Account.RECEIVABLE,
        credit=Account.STRIPE,
        amount_minor=amount_minor,
        now=now,
    ).save()


def post_refund_failure(*, booking: Booking, refund_id: str, amount_minor: int, now: datetime) -> None:
    """Post a refund that was paid and came back: the money is the house's, and owed to the guest again."""
    _transfer(
        booking=booking,
        source=("refund_failure", refund_id),
        debit=Account.STRIPE,
        credit=Account.RECEIVABLE,
        amount_minor=amount_minor,
        now=now,
    ).save()


def post_dispute(*, booking: Booking, source_id: str, amount_minor: int, now: datetime) -> None:
    """Post money that a dispute took from what Stripe holds, or (negative) gave back."""
    sides = (Account.DISPUTES, Account.STRIPE) if amount_minor > 0 else (Account.STRIPE, Account.DISPUTES)
    _transfer(
        booking=booking,
        source=("dispute", source_id),
        debit=sides[0],
        credit=sides[1],
        amount_minor=abs(amount_minor),
        now=now,
    ).save()


def post_dispute_loss(*, booking: Booking, source_id: str, amount_minor: int, now: datetime) -> None:
    """Post money of a dispute that was lost, or (negative) is not lost after all."""
    losses = (Account.DISPUTE_LOSSES, Account.DISPUTES)
    debit, credit = losses if amount_minor > 0 else reversed(losses)
    _transfer(
        booking=booking,
        source=("dispute_loss", source_id),
        debit=debit,
        credit=credit,
        amount_minor=abs(amount_minor),
        now=now,
    ).save()


def waive(*, booking: Booking, amount_minor: int, now: datetime) -> None:
    """Make a guest owe less: what the house lets go comes off what it has earned."""
    is_cancelled = booking.status == BookingStatus.CANCELLED
    waivers = booking.transfers.filter(source_type="waiver").count()
    _transfer(
        booking=booking,
        source=("waiver", f"{booking.pk}:{waivers + 1}"),
        debit=Account.CANCELLATION if is_cancelled else Account.LODGING,
        credit=Account.RECEIVABLE,
        amount_minor=amount_minor,
        now=now,
    ).save()


def keep_refund(*, booking: Booking, refund_pk: int, amount_minor: int, now: datetime) -> None:
    """Bill what was to be paid back and is not any more: the guest has it by another way, or never will."""
    _transfer(
        booking=booking,
        source=("refund_given_up", str(refund_pk)),
        debit=Account.RECEIVABLE,
        credit=Account.CANCELLATION,
        amount_minor=amount_minor,
        now=now,
    ).save()


def open_obligation(*, booking: Booking, kind: PaymentKind, amount_minor: int, now: datetime) -> Payment:
    """Write down a sum to be paid for a booking, numbered after those of its kind."""
    return Payment.objects.create(
        booking=booking,
        kind=kind,
        seq=booking.payments.filter(kind=kind).count() + 1,
        amount_minor=amount_minor,
        currency=booking.quote.currency,
        created_at=now,
    )


def _lines(quote: Quote) -> list[tuple[str, Account, int]]:
    lines = [
        ("lodging", Account.LODGING, quote.lodging_minor - quote.discount_minor),
        ("cleaning", Account.CLEANING, quote.cleaning_minor),
        ("tax", Account.TAX, quote.tax_minor),
    ]
    return [line for line in lines if line[2]]


def _transfer(
    *,
    booking: Booking,
    source: tuple[str, str],
    debit: Account,
    credit: Account,
    amount_minor: int,
    now: datetime,
) -> LedgerTransfer:
    return LedgerTransfer(
        booking=booking,
        source_type=source[0],
        source_id=source[1],
        debit=debit,
        credit=credit,
        amount_minor=amount_minor,
        currency=booking.quote.currency,
        posted_at=now,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationCost:
    """What a guest pays in all when cancelling, and what moves for it, in centavos."""

    paid_minor: int
    kept_minor: int

    @property
    def refund_minor(self) -> int:
        return max(self.paid_minor - self.kept_minor, 0)

    @property
    def fee_minor(self) -> int:
        return max(self.kept_minor - self.paid_minor, 0)


def arrival_that_decides(booking: Booking, *, asked_at: datetime) -> date:
    """Return the arrival the rule counts from, for a guest who asks to cancel at ``asked_at``."""
    return _arrival_that_decides(booking, _changes(booking), asked_at)


def share_kept(booking: Booking, *, asked_at: datetime) -> int:
    """Return the share of the total that cancelling costs on the local date on which it is asked for."""
    return _share_kept(booking, _changes(booking), asked_at)


def kept_of_nights_given_up(booking: Booking) -> int:
    """Return what was kept of nights that earlier changes gave up: no cancellation brings it back."""
    return sum(change.kept_minor for change in _changes(booking))


def cancellation_cost(booking: Booking, *, paid_minor: int, asked_at: datetime) -> CancellationCost:
    """Return what cancelling costs on the local date on which it is asked for; a hold costs nothing."""
    if booking.status == BookingStatus.PENDING:
        return CancellationCost(paid_minor=paid_minor, kept_minor=0)
    changes = _changes(booking)
    kept_before = sum(change.kept_minor for change in changes)
    kept = kept_before + house.amount_kept_on_cancellation(
        total_minor=booking.quote.total_minor,
        paid_minor=max(paid_minor - kept_before, 0),
        share_bps=_share_kept(booking, changes, asked_at),
    )
    if 0 < kept - paid_minor < house.LEAST_CHARGE_MINOR:
        kept = paid_minor  # No card can be charged so little: it is waived, and nobody is sent a link.
    return CancellationCost(paid_minor=paid_minor, kept_minor=kept)


def _changes(booking: Booking) -> list[BookingChangeLog]:
    changes = []
    for row in read_rows(_changed(), (booking.pk,)):
        change, change.old_quote = models_of(row, BookingChangeLog, Quote)
        changes.append(change)
    return changes


@cache
def _changed() -> str:
    return _CHANGED.format(
        change=columns_of(BookingChangeLog, "change"), old_quote=columns_of(Quote, "old_quote")
    )


def _arrival_that_decides(booking: Booking, changes: list[BookingChangeLog], asked_at: datetime) -> date:
    recent = [change for change in changes if change.applied_at >= asked_at - house.CHANGE_MEMORY]
    return house.arrival_that_decides(
        check_in=booking.quote.check_in, recent_check_ins=[change.old_quote.check_in for change in recent]
    )


def _share_kept(booking: Booking, changes: list[BookingChangeLog], asked_at: datetime) -> int:
    return house.cancellation_share_bps(
        check_in=_arrival_that_decides(booking, changes, asked_at),
        today=asked_at.astimezone(booking.home.tz).date(),
    )
