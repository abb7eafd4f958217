"""Nights that staff close by hand, for works or for themselves: kept from guests by the same constraint."""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction
from django.db.models import QuerySet

from bookings.exceptions import NightsRefused
from bookings.models import NightBlock, Property, nights_between
from bookings.policies import NightsProblem
from bookings.rows import queue_for_property, refusing_overlap
from bookings.services import expire_holds

_BY_HAND = "opened again by hand"


def close_nights(*, home: Property, first: date, until: date, note: str, now: datetime) -> NightBlock:
    """Keep nights of a property from everybody, from ``first`` until the departure on ``until``.

    Raises:
        NightsRefused: there is no night between the two dates.
        StayUnavailable: somebody has one of them.
    """
    if until <= first:
        raise NightsRefused(
            problem=NightsProblem.REVERSED, min_nights=home.min_nights, max_nights=home.max_nights
        )
    with transaction.atomic():
        queue_for_property(home.pk)
        expire_holds(now=now, home=home)
        with refusing_overlap():
            return NightBlock.objects.create(
                home=home,
                nights=nights_between(first, until),
                kind=NightBlock.Kind.MANUAL,
                note=note,
                created_at=now,
            )


def open_nights(*, blocks: QuerySet[NightBlock], now: datetime) -> int:
    """Let nights that were closed by hand be booked again. Returns how many closures ended."""
    standing = blocks.filter(kind=NightBlock.Kind.MANUAL, active=True)
    return standing.update(active=False, released_at=now, release_proof=_BY_HAND)
