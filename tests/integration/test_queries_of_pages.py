"""Every page of the admin asks the database a dozen times at most, whatever is on it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from benchmarks.pages import MOST_QUERIES, addresses, open_page
from procrastinate_tasks.monitoring import rollup
from tests.factories import make_confirmed_booking, make_property

# A booking's own page tells its whole story; tests/integration/payments/test_booking_pages.py bounds it.
STORY = "/admin/bookings/booking/"

pytestmark = pytest.mark.django_db


def test_no_page_of_the_admin_takes_more_than_twelve_queries():
    now = datetime(2026, 11, 2, 18, tzinfo=UTC)
    make_confirmed_booking(now=now, home=make_property(), check_in=date(2026, 12, 1))
    call_command("seed_jobs", "--force", count=200, locks=20, days=2, stdout=Nowhere(), stderr=Nowhere())
    while rollup.run_once().has_more:
        pass
    client = Client()
    client.force_login(User.objects.create_superuser("rosa"))

    costs = [open_page(client, address) for address in addresses()]

    assert len(costs) > 40
    short = [cost for cost in costs if not (cost.address.startswith(STORY) and "change" in cost.address)]
    assert {cost.address: cost.queries for cost in short if cost.queries > MOST_QUERIES} == {}
    assert {cost.address: cost.status for cost in costs if cost.status >= 500} == {}


class Nowhere:
    def write(self, text: str) -> int:
        return len(text)
