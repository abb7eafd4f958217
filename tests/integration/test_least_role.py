"""The role that the guide gives the web and worker processes: enough for all they do, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.db import ProgrammingError, connection, transaction

from payments.policies import PaymentStatus
from payments.services import request_cancellation
from tests.factories import BASE_URL, balance_of
from tests.house import House
from tests.integration.payments.conftest import _frozen_module, house  # noqa: F401 - fixtures

GUIDE = Path(settings.BASE_DIR) / "docs" / "guia-de-produccion.md"


def statements() -> list[str]:
    """Return what the guide has the administrator say, with this database's owner in the place of its."""
    (block,) = re.findall(r"```sql\n(CREATE ROLE reyes_app.*?)```", GUIDE.read_text(), flags=re.DOTALL)
    return [line.replace("FOR ROLE reyes ", "FOR ROLE CURRENT_USER ") for line in block.strip().splitlines()]


@contextmanager
def least_role() -> Iterator[None]:
    """Be the role of the guide for a while, in this transaction."""
    with connection.cursor() as cursor:
        for statement in statements():
            cursor.execute(statement)
        cursor.execute("SET LOCAL ROLE reyes_app")
        yield
        cursor.execute("RESET ROLE")


def test_the_role_of_the_guide_books_charges_and_refunds(house: House):  # noqa: F811 - the fixture
    with least_role():
        paid = house.book_due()
        house.run_jobs()
        cancelled = house.book()
        request_cancellation(booking=cancelled, base_url=BASE_URL, now=house.now)
        house.run_jobs()

        assert balance_of(paid).status == PaymentStatus.PAID
        assert house.taken(cancelled) == 0


@pytest.mark.parametrize(
    "statement", ["TRUNCATE bookings_booking CASCADE", "ALTER TABLE payments_payment DISABLE TRIGGER USER"]
)
def test_the_role_of_the_guide_cannot_switch_a_guard_off(house: House, statement: str):  # noqa: F811
    with least_role(), pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
