"""What the page of a property says: its calendar, and the answer to the stay a guest asks for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime

from django.utils.translation import gettext as _

from bookings import policies, queries, quotes
from bookings.availability import (
    Month,
    Nights,
    Stay,
    month_calendar,
    nearest_free_stays,
    next_month,
    previous_month,
)
from bookings.exceptions import StayRefused, StayUnavailable
from bookings.models import NightBlock, Property
from bookings.policies import HORIZON
from bookings.terms import CancellationTerms, cancellation_terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A stay that can be held now: what it costs, when it is paid, what cancelling it costs."""

    price: policies.Price
    terms: CancellationTerms
    balance_due_at: datetime


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a stay cannot be held, and the stays nearest to it that can."""

    words: str
    others: tuple[Stay, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyPage:
    """A property with two months of its calendar.

    Attributes:
        offer, refusal: one of them is set when a stay was asked for.
        earlier, later: the first days of the months to page to, ``None`` at either end.
    """

    home: Property
    stay: Stay | None
    offer: Offer | None
    refusal: Refusal | None
    months: tuple[Month, Month]
    earlier: date | None
    later: date | None


def read_closed(*, home: Property, now: datetime) -> dict[date, str]:
    """Return the nights that the calendar shows as closed, or that a stay may meet."""
    today = now.astimezone(home.tz).date()
    return queries.why_closed(home=home, first=previous_month(today), last=today + 2 * HORIZON, now=now)


def describe_property(
    *,
    home: Property,
    closed: Mapping[date, str],
    stay: Stay | None,
    month: str,
    now: datetime,
    refused: StayRefused | None = None,
) -> PropertyPage:
    """Answer a guest who looks at a property.

    Args:
        closed: the nights that cannot be held, with what closes each.
        month: the month to show, ``2026-12``; anything else shows the stay's, or this one.
        refused: what became of an attempt to hold the stay a moment ago.
    """
    today = now.astimezone(home.tz).date()
    nights = Nights(
        today=today,
        closed=closed,
        shut={night for night, kind in closed.items() if kind == NightBlock.Kind.MANUAL},
        fewest=home.min_nights,
    )
    offer, refusal = _answer(home, stay, closed, today, refused)
    first = _first_month(month, stay, today)
    second = next_month(first)
    chosen = stay if offer is not None else None  # Nights that cannot be had are nobody's stay.
    return PropertyPage(
        home=home,
        stay=stay,
        offer=offer,
        refusal=refusal,
        months=(
            month_calendar(first=first, nights=nights, stay=chosen),
            month_calendar(first=second, nights=nights, stay=chosen),
        ),
        earlier=previous_month(first) if first > today else None,
        later=second if second <= today + HORIZON else None,
    )


def _answer(
    home: Property, stay: Stay | None, closed: Collection[date], today: date, refused: StayRefused | None
) -> tuple[Offer | None, Refusal | None]:
    if stay is None:
        return None, None
    try:
        if refused is not None:
            raise refused
        price = quotes.price_offer(home=home, stay=stay, closed=closed, today=today)
    except StayUnavailable as taken:
        words = str(taken) if refused else _("Some of these nights are already taken.")
        return None, Refusal(words, tuple(nearest_free_stays(wanted=stay, closed=closed, today=today)))
    except StayRefused as rule:
        return None, Refusal(str(rule))
    return _make_offer(home, stay, price, today), None


def _make_offer(home: Property, stay: Stay, price: policies.Price, today: date) -> Offer:
    instants = policies.stay_instants(check_in=stay.check_in, check_out=stay.check_out, timezone=home.tz)
    terms = cancellation_terms(
        check_in=stay.check_in, total_minor=price.total_minor, paid_minor=price.deposit_minor, today=today
    )
    return Offer(price=price, terms=terms, balance_due_at=instants.balance_due_at)


def _first_month(month: str, stay: Stay | None, today: date) -> date:
    """Return the first day of the month to show, never a past one nor one beyond the horizon."""
    wanted = stay.check_in if stay else today
    with suppress(ValueError):  # A month that is none shows the usual one.
        wanted = date.fromisoformat(f"{month}-01")
    return min(max(wanted, today), today + HORIZON).replace(day=1)
