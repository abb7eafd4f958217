"""What an e-mail tells, written down with its cause: later changes of the booking do not change the words.

An e-mail may wait for days for a mail server. What it says is true of the instant it was asked for; whether
it still holds is asked again before it is sent (``protocols/guest_email.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import Count

from bookings import queries
from bookings.models import Booking, Quote
from payments.models import BookingAccount, Dunning, Payment, Refund
from payments.policies import PaymentKind, PaymentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailFacts:
    """A booking, its money and one event of it, at one instant; amounts in centavos.

    Attributes:
        payment_kind, amount_minor: what the e-mail is about, of a payment or a refund.
        balance_minor: what will be charged at ``balance_due_at``; nothing when it is paid or not to come.
        paid_minor, back_minor, fee_minor: what was paid, goes back and is still owed after cancelling.
        next_try_at: when a card that said no is asked again.
        old_arrival_at, old_departure_at, old_total_minor: what a change of dates replaced.
        address, map_url, host_name, host_phone, instructions: of an arrival alone: how to get in.
        changes: how many changes of dates there were, for calendars that replace an entry by a newer one.
    """

    name: str = ""
    home: str = ""
    town: str = ""
    timezone: str = "America/Mexico_City"
    folio: str = ""
    guests: int = 0
    nights: int = 0
    arrival_at: datetime | None = None
    departure_at: datetime | None = None
    hold_expires_at: datetime | None = None
    balance_due_at: datetime | None = None
    rate_minor: int = 0
    lodging_minor: int = 0
    discount_minor: int = 0
    cleaning_minor: int = 0
    tax_bps: int = 0
    tax_minor: int = 0
    lodging_tax_bps: int = 0
    lodging_tax_minor: int = 0
    total_minor: int = 0
    deposit_minor: int = 0
    balance_minor: int = 0
    payment_kind: str = ""
    amount_minor: int = 0
    paid_minor: int = 0
    back_minor: int = 0
    fee_minor: int = 0
    next_try_at: datetime | None = None
    old_arrival_at: datetime | None = None
    old_departure_at: datetime | None = None
    old_total_minor: int = 0
    changes: int = 0
    address: str = ""
    map_url: str = ""
    host_name: str = ""
    host_phone: str = ""
    instructions: str = ""

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def as_json(self) -> dict[str, object]:
        """Return what a column of JSON holds."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> EmailFacts:
        """Read what this or another release has stored: what is unknown is left, what is absent is empty."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: _read(name, value) for name, value in stored.items() if name in known})  # type: ignore[arg-type]


def take_facts(
    *,
    booking: Booking,
    payment: Payment | None = None,
    refund: Refund | None = None,
    replaced: Quote | None = None,
    for_arrival: bool = False,
) -> EmailFacts:
    """Take the facts of a booking as they are now; of a balance that is still to come, its sum.

    Args:
        replaced: the quote that a change of dates has just replaced.
        for_arrival: keys and codes are told too, which no other e-mail may carry.
    """
    quote, home = booking.quote, booking.home
    accounts = BookingAccount.objects.annotate(changes=Count("booking__changes"))
    account = accounts.filter(booking=booking).first()
    facts = EmailFacts(
        name=booking.guest_name,
        home=home.name,
        town=home.town,
        timezone=home.timezone,
        folio=booking.folio,
        guests=quote.guests,
        nights=quote.night_count,
        arrival_at=booking.arrival_at,
        departure_at=booking.departure_at,
        hold_expires_at=booking.hold_expires_at,
        balance_due_at=booking.balance_due_at,
        rate_minor=quote.nightly_rate_minor,
        lodging_minor=quote.lodging_minor,
        discount_minor=quote.discount_minor,
        cleaning_minor=quote.cleaning_minor,
        tax_bps=quote.tax_bps,
        tax_minor=quote.tax_minor,
        lodging_tax_bps=quote.lodging_tax_bps,
        lodging_tax_minor=quote.lodging_tax_minor,
        total_minor=quote.total_minor,
        deposit_minor=quote.deposit_minor,
        balance_minor=_coming_balance(booking),
        payment_kind=payment.kind if payment else "",
        amount_minor=refund.amount_minor if refund else payment.amount_minor if payment else 0,
        paid_minor=account.captured_minor if account else 0,
        back_minor=account.refunding_minor + account.refunded_minor if account else 0,
        fee_minor=max(account.due_minor, 0) if account else 0,
        next_try_at=_next_try(payment),
        old_arrival_at=_instant(booking, replaced, is_arrival=True),
        old_departure_at=_instant(booking, replaced, is_arrival=False),
        old_total_minor=replaced.total_minor if replaced else 0,
        changes=account.changes if account else 0,
    )
    return _with_way_in(facts, booking) if for_arrival else facts


def _with_way_in(facts: EmailFacts, booking: Booking) -> EmailFacts:
    home = booking.home
    return replace(
        facts,
        address=home.address,
        map_url=home.map_url,
        host_name=home.host_name,
        host_phone=home.host_phone,
        instructions=queries.arrival_instructions(booking),
    )


def _coming_balance(booking: Booking) -> int:
    balance = booking.payments.filter(kind=PaymentKind.BALANCE).exclude(status=PaymentStatus.VOID).first()
    return balance.amount_minor if balance is not None and balance.status != PaymentStatus.PAID else 0


def _next_try(payment: Payment | None) -> datetime | None:
    if payment is None:
        return None
    return Dunning.objects.filter(payment=payment).values_list("next_at", flat=True).first()


def _instant(booking: Booking, quote: Quote | None, *, is_arrival: bool) -> datetime | None:
    """Return when a stay of another quote began or ended: the hour of the house on its day."""
    if quote is None:
        return None
    local = (booking.arrival_at if is_arrival else booking.departure_at).astimezone(booking.home.tz)
    return datetime.combine(quote.check_in if is_arrival else quote.check_out, local.time(), booking.home.tz)


def _read(name: str, value: object) -> object:
    return datetime.fromisoformat(value) if name.endswith("_at") and isinstance(value, str) else value
