"""What the guest's page of a booking says: where it stands, its money, what can be done next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bookings import date_changes
from bookings import queries as bookings
from bookings.models import Booking, BookingStatus, DateChange
from bookings.templatetags.lodging import day
from bookings.terms import CancellationTerms, cancellation_terms
from payments import queries
from payments.billing import arrival_that_decides
from payments.ledger.dunning import find_next_try
from payments.models import Payment, PaymentAttempt, Refund
from payments.policies import (
    CHARGE_DISPUTED,
    EMAIL_REFUSED,
    LIVE_STATES,
    AttemptState,
    Channel,
    PaymentKind,
    PaymentStatus,
    RefundState,
)
from payments.services import payable_of


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyLine:
    """A payment or a refund, in the guest's words."""

    label: str
    amount_minor: int
    words: str
    is_done: bool


class StayIs(StrEnum):
    """Where today lies beside a stay."""

    AHEAD = "ahead"
    NOW = "now"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageState:
    """What the script of the page knows: the server's clock, and when to look again.

    Attributes:
        seconds_left: of a hold, by the server's clock.
        look_after: in how many seconds to look again; 0 is never.
    """

    stage: Stage
    seconds_left: int
    look_after: int

    def as_json(self) -> dict[str, object]:
        return {"stage": self.stage, "seconds_left": self.seconds_left, "look_after": self.look_after}


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingPage:
    """A booking as its guest sees it.

    Attributes:
        payable: what the guest can pay now, if anything.
        payable_label, payable_minor: its kind and amount; the deposit's also before its payment exists.
        can_pay: whether a button for it is shown; not while the bank is already at work, nor to a guest who
            comes from having paid.
        balance: the balance that will be charged by itself, if one is to come.
        is_page_open: a payment page was opened and not paid yet, as far as we know.
        asks_stripe: the guest comes from having paid and Stripe has not told us yet: somebody has to look.
        refused_email: the address that the payment page did not take, empty when it takes it.
        next_try: when the card that said no is asked again, if it is and the guest does not pay before.
        state: what its script compares with what the server says later.
        has_come_back: the guest left a payment page without paying.
        can_extend: more time to pay is still to be had.
        can_hold_again: the nights of a hold that is over are free.
        stay_is: whether the stay is ahead, goes on, or has ended.
        is_expected: the guest is to come, or there: where to, and who receives them, is shown.
        terms: what cancelling costs on which day, ``None`` when it cannot be cancelled.
        change: other dates that are held until they are paid for.
    """

    booking: Booking
    stage: Stage
    lines: tuple[MoneyLine, ...]
    payable: Payment | None
    payable_label: str
    payable_minor: int
    can_pay: bool
    balance: Payment | None
    is_page_open: bool
    asks_stripe: bool
    refused_email: str
    next_try: datetime | None
    state: PageState
    has_come_back: bool
    can_extend: bool
    can_hold_again: bool
    stay_is: StayIs
    is_expected: bool
    terms: CancellationTerms | None
    change: DateChange | None
    can_change: bool
    can_cancel: bool


def describe_booking(
    booking: Booking, *, now: datetime, has_paid: bool = False, has_come_back: bool = False
) -> BookingPage:
    """Read everything the guest's page shows.

    Args:
        has_paid: Stripe sent the guest back as one who has paid; its own word for it may come a little later.
        has_come_back: Stripe sent the guest back as one who has not paid.
    """
    money = queries.read_money(booking)
    payments = money.payments
    live = next((attempt for attempt in money.attempts if attempt.state in LIVE_STATES), None)
    payable = payable_of(payments)
    change = date_changes.find_open(booking) if booking.status == BookingStatus.CONFIRMED else None
    stage = stage_of(_facts(booking, live, payable, change, now, has_paid=has_paid))
    is_page_open = live is not None and live.state == AttemptState.OPEN
    is_processing = live is not None and (has_paid or live.state == AttemptState.PROCESSING)
    return BookingPage(
        booking=booking,
        stage=stage,
        lines=tuple(_payment_lines(payments) + _refund_lines(money.refunds)),
        payable=payable,
        payable_label=str(Payment.KINDS[PaymentKind(payable.kind) if payable else PaymentKind.DEPOSIT]),
        payable_minor=payable.amount_minor if payable else booking.quote.deposit_minor,
        can_pay=_waits_for_payment(stage, payable) and not is_processing,
        balance=next((payment for payment in payments if _is_coming(payment)), None),
        is_page_open=is_page_open,
        asks_stripe=is_page_open and has_paid,
        refused_email=_refused_email(booking, live, payable),
        next_try=find_next_try(payable) if payable else None,
        state=_state(booking, live, stage, now),
        has_come_back=has_come_back and not is_processing and _waits_for_payment(stage, payable),
        can_extend=stage == Stage.HELD and booking.hold_extended_at is None and booking.wanted_at is None,
        can_hold_again=stage == Stage.HOLD_OVER and _is_free_again(booking, now),
        stay_is=_stay_is(booking, now),
        is_expected=bookings.is_expected(booking) and now < booking.departure_at,
        terms=_terms(booking, money.paid_minor, now) if queries.can_change(booking) else None,
        change=change,
        can_change=queries.can_change(booking),
        can_cancel=queries.can_cancel(booking) and stage != Stage.HOLD_OVER,
    )


def _facts(
    booking: Booking,
    live: PaymentAttempt | None,
    payable: Payment | None,
    change: DateChange | None,
    now: datetime,
    *,
    has_paid: bool,
) -> StageFacts:
    """Read what decides the stage. A page that is open pays nothing, until somebody says it was paid."""
    is_waiting = live is not None and live.state == AttemptState.OPEN and not has_paid
    is_begun = live is not None and live.channel == Channel.CHECKOUT and live.state == AttemptState.CLAIMED
    return StageFacts(
        status=BookingStatus(booking.status),
        cancel_requested=booking.cancel_requested_at is not None,
        hold_is_over=not booking.checkout_open and booking.hold_expires_at <= now,
        live_channel=Channel(live.channel) if live and not is_waiting and not is_begun else None,
        is_payable=payable is not None,
        is_changing=change is not None,
    )


def _refused_email(booking: Booking, live: PaymentAttempt | None, payable: Payment | None) -> str:
    is_refused = live is None and payable is not None and payable.reason == EMAIL_REFUSED
    return booking.guest_email if is_refused else ""


def _state(booking: Booking, live: PaymentAttempt | None, stage: Stage, now: datetime) -> PageState:
    begun_at = live.created_at if live else booking.cancel_requested_at or booking.created_at
    is_charged = live is not None and live.channel == Channel.OFF_SESSION and stage == Stage.CHANGING
    is_expecting = is_charged or stage in (Stage.PAYING, Stage.CANCELLING)
    look_after = refresh_after(begun_at=begun_at, now=now) if is_expecting else timedelta(0)
    return PageState(
        stage=stage,
        seconds_left=max(int((booking.hold_expires_at - now).total_seconds()), 0),
        look_after=int((PATIENT_REFRESH if stage == Stage.HELD else look_after).total_seconds()),
    )


def _is_free_again(booking: Booking, now: datetime) -> bool:
    quote = booking.quote
    closed = bookings.closed_nights(home=booking.home, first=quote.check_in, last=quote.check_out, now=now)
    return not closed and quote.check_in >= now.astimezone(booking.home.tz).date()


def _stay_is(booking: Booking, now: datetime) -> StayIs:
    if now < booking.arrival_at:
        return StayIs.AHEAD
    return StayIs.NOW if now < booking.departure_at else StayIs.OVER


def _waits_for_payment(stage: Stage, payable: Payment | None) -> bool:
    return stage == Stage.HELD or (
        payable is not None and stage in (Stage.PAYING, Stage.CHANGING, Stage.PAYMENT_NEEDED, Stage.CANCELLED)
    )


def _is_coming(payment: Payment) -> bool:
    return payment.kind == PaymentKind.BALANCE and payment.status == PaymentStatus.PENDING


def _terms(booking: Booking, paid_minor: int, now: datetime) -> CancellationTerms:
    return cancellation_terms(
        check_in=arrival_that_decides(booking, asked_at=now),
        total_minor=booking.quote.total_minor,
        paid_minor=paid_minor,
        today=now.astimezone(booking.home.tz).date(),
    )


def _payment_lines(payments: list[Payment]) -> list[MoneyLine]:
    return [
        MoneyLine(
            label=payment.get_kind_display(),
            amount_minor=payment.amount_minor,
            words=str(_PAYMENT_WORDS[PaymentStatus(payment.status)]),
            is_done=payment.status == PaymentStatus.PAID,
        )
        for payment in payments
    ]


def _refund_lines(refunds: list[Refund]) -> list[MoneyLine]:
    return [
        MoneyLine(
            label=_("refund"),
            amount_minor=-refund.amount_minor,
            words=_words_of(refund),
            is_done=refund.state == RefundState.SUCCEEDED,
        )
        for refund in refunds
    ]


def _words_of(refund: Refund) -> str:
    if refund.state == RefundState.SUCCEEDED:
        words = _("sent to your card on %(day)s; banks take 5 to 10 working days to show it")
        return words % {"day": day(refund.updated_at)}
    if refund.state == RefundState.FAILED and refund.failure == CHARGE_DISPUTED:
        return _("waits for your bank, to whom the charge was disputed")
    return str(_REFUND_WORDS[RefundState(refund.state)])


_PAYMENT_WORDS = {
    PaymentStatus.PENDING: gettext_lazy("to be paid"),
    PaymentStatus.PROCESSING: gettext_lazy("we are charging it now"),
    PaymentStatus.UNKNOWN: gettext_lazy("we are waiting for the bank's answer"),
    PaymentStatus.REQUIRES_ACTION: gettext_lazy("waiting for you"),
    PaymentStatus.FAILED: gettext_lazy("the bank said no"),
    PaymentStatus.PAID: gettext_lazy("paid"),
}

_REFUND_WORDS = {
    RefundState.REQUESTED: gettext_lazy("on its way to your card"),
    RefundState.SUBMITTED: gettext_lazy("on its way to your card"),
    RefundState.FAILED: gettext_lazy("it did not arrive; we will write to you"),
}

# A payment that was begun a moment ago is looked at often, one that lies about seldom.
EAGER_FOR = timedelta(minutes=5)


EAGER_REFRESH = timedelta(seconds=5)


PATIENT_REFRESH = timedelta(seconds=30)


class Stage(StrEnum):
    """The sentence at the top of the guest's page."""

    HELD = "held"
    HOLD_OVER = "hold_over"
    PAYING = "paying"
    CHANGING = "changing"
    PAYMENT_NEEDED = "payment_needed"
    CONFIRMED = "confirmed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFacts:
    """What decides the stage.

    Attributes:
        hold_is_over: the time to pay has run out and no payment page is open.
        live_channel: how money is being taken at this moment, ``None`` when it is not.
        is_payable: the guest can pay something now.
        is_changing: other dates are held until they are paid for.
    """

    status: BookingStatus
    cancel_requested: bool
    hold_is_over: bool
    live_channel: Channel | None
    is_payable: bool
    is_changing: bool = False


def stage_of(facts: StageFacts) -> Stage:
    if facts.status == BookingStatus.EXPIRED:
        return Stage.HOLD_OVER
    if facts.cancel_requested and facts.status != BookingStatus.CANCELLED:
        return Stage.CANCELLING
    if facts.live_channel == Channel.CHECKOUT:
        return Stage.PAYING
    if facts.is_changing:
        return Stage.CHANGING
    if facts.status == BookingStatus.PENDING:
        return Stage.HOLD_OVER if facts.hold_is_over else Stage.HELD
    if facts.status == BookingStatus.CONFIRMED and facts.is_payable:
        return Stage.PAYMENT_NEEDED
    return Stage(facts.status.value)


def refresh_after(*, begun_at: datetime, now: datetime) -> timedelta:
    """Return after how long the page of a payment that is being confirmed looks again."""
    return EAGER_REFRESH if now - begun_at < EAGER_FOR else PATIENT_REFRESH
