"""Nobody holds everything: unpaid holds are capped by visitor, by home and by e-mail address."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection

from bookings import services
from bookings.exceptions import StayUnavailable, TooManyHolds
from bookings.models import Booking, Property
from bookings.policies import EMAIL_CAP, VISITOR_AT_HOME_CAP, VISITOR_CAP
from bookings.services import Guest
from tests.factories import make_confirmed_booking, make_property

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
FIRST = date(2026, 12, 1)

pytestmark = pytest.mark.django_db


def hold(
    home: Property,
    *,
    visitor: str = "v1",
    email: str | None = None,
    day: int = 0,
    nights: int = 2,
    now: datetime = NOW,
) -> Booking:
    check_in = FIRST + timedelta(days=day)
    return services.hold_stay(
        home=home,
        check_in=check_in,
        check_out=check_in + timedelta(days=nights),
        guests=2,
        guest=Guest(name="Ana", email=email or f"guest{Booking.objects.count()}@correo.example"),
        now=now,
        held_by=visitor,
    )


def hold_until_refused(homes: list[Property], **how: object) -> int:
    made = 0
    for home in homes:
        try:
            hold(home, **how)  # type: ignore[arg-type]
        except TooManyHolds:
            return made
        made += 1
    return made


def test_one_visitor_cannot_close_every_home_for_a_year():
    homes = [make_property() for _ in range(9)]

    assert hold_until_refused(homes, nights=365) == 1


def test_one_visitor_cannot_hold_a_few_nights_everywhere():
    homes = [make_property() for _ in range(9)]

    assert hold_until_refused(homes) == VISITOR_CAP.at_once
    assert hold(homes[8], visitor="v2")


def test_made_up_visitors_do_not_help_one_address_of_an_inbox():
    homes = [make_property() for _ in range(9)]
    for home in homes[: EMAIL_CAP.at_once]:
        hold(home, visitor=f"v{home.pk}", email="Ana@correo.example")

    with pytest.raises(TooManyHolds):
        hold(homes[8], visitor="another", email="ana@CORREO.example")


def test_the_same_home_is_not_held_again_and_again_all_day():
    home = make_property()
    now = NOW
    for _ in range(VISITOR_AT_HOME_CAP.a_day):
        hold(home, now=now)
        now += timedelta(minutes=31)

    with pytest.raises(TooManyHolds, match="mañana"):
        hold(home, now=now)
    assert hold(home, now=NOW + timedelta(days=1, minutes=1))


def test_a_long_stay_alone_is_nobodys_business():
    assert hold(make_property(), nights=300)


def test_stays_that_were_paid_count_for_nothing():
    home = make_property()
    for month in range(6):
        booking = make_confirmed_booking(now=NOW, home=home, check_in=FIRST + timedelta(days=30 * month))
        Booking.objects.filter(pk=booking.pk).update(held_by="v1")

    assert hold(home, day=10, email="lucia@correo.example")


def test_the_office_is_not_counted():
    homes = [make_property() for _ in range(9)]

    assert hold_until_refused(homes, visitor="", email="oficina@correo.example") == len(homes)


@pytest.mark.django_db(transaction=True)
def test_forms_sent_at_once_are_counted_one_after_the_other():
    homes = [make_property() for _ in range(12)]

    def try_to_hold(home: Property) -> bool:
        try:
            hold(home, email=f"guest{home.pk}@correo.example")
        except (TooManyHolds, StayUnavailable):
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(try_to_hold, homes))

    assert sum(made) == VISITOR_CAP.at_once
