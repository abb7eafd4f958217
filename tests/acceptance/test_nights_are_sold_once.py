"""A night is never sold twice, however many ask for it at the same moment."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from threading import Barrier

import pytest
from django.db import connection

from bookings.exceptions import StayUnavailable
from bookings.models import NightBlock, Property
from tests.factories import make_hold, make_property

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
GUESTS = 64


def hold(home: Property, check_in: date, start: Barrier) -> str:
    try:
        start.wait(timeout=60)
        make_hold(now=NOW, home=home, check_in=check_in, nights=4)
    except StayUnavailable:
        return "told kindly"
    finally:
        connection.close()
    return "held"


@pytest.mark.django_db(transaction=True)
def test_of_64_guests_who_want_the_same_nights_one_gets_them_and_the_others_are_told_kindly():
    home, start = make_property(), Barrier(GUESTS)

    with ThreadPoolExecutor(GUESTS) as guests:
        asked = [guests.submit(hold, home, date(2026, 12, 1), start) for _ in range(GUESTS)]
        answers = Counter(answer.result(timeout=60) for answer in asked)

    assert answers == {"held": 1, "told kindly": GUESTS - 1}


@pytest.mark.django_db(transaction=True)
def test_of_64_guests_who_want_overlapping_nights_no_two_share_one_and_none_meets_a_deadlock():
    home, start = make_property(), Barrier(GUESTS)

    with ThreadPoolExecutor(GUESTS) as guests:
        asked = [
            guests.submit(hold, home, date(2026, 12, 1) + timedelta(days=number % 16), start)
            for number in range(GUESTS)
        ]
        answers = [answer.result(timeout=60) for answer in asked]

    nights = [
        night.lower + timedelta(days=offset)
        for night in NightBlock.objects.filter(active=True).values_list("nights", flat=True)
        for offset in range(4)
    ]
    assert answers.count("held") == NightBlock.objects.count() >= 1
    assert len(nights) == len(set(nights))
