"""A house whose transactions commit, for lives to be lived in; each begins with empty tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import cache

import pytest
from django.core import mail
from django.db import connection, transaction
from freezegun import freeze_time

from payments import gateway
from payments.protocols.memory import guard
from tests.faults.points import watched
from tests.house import FrozenClock, House, open_house_at_work

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)

HouseMaker = Callable[[], AbstractContextManager[House]]


@pytest.fixture(scope="module")
def _frozen_module() -> Iterator[FrozenClock]:
    with freeze_time(NOW, ignore=["_pytest"]) as clock:
        yield clock


@pytest.fixture
def new_house(
    transactional_db: None, _frozen_module: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[HouseMaker]:
    """Return what opens a house in which nobody has booked yet, as often as a test likes."""

    @contextmanager
    def open_new() -> Iterator[House]:
        empty_tables()
        mail.outbox.clear()
        _frozen_module.move_to(NOW)
        guard._compared_at = None  # a house opens with workers that have just started
        with open_house_at_work(_frozen_module) as house, monkeypatch.context() as patch:
            patch.setattr(gateway, "_build_gateway", lambda path: house.gateway)
            yield house

    with watched():
        yield open_new


def empty_tables() -> None:
    """Forget every booking, payment and job, with the rules off that keep them: a TRUNCATE takes longer."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("; ".join(f"DELETE FROM {name}" for name in house_tables()))


@cache
def house_tables() -> list[str]:
    """Return the tables of bookings, payments and jobs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"
            " AND tablename ~ '^(bookings|payments|procrastinate)_' AND tablename !~ 'migration'"
        )
        return [name for (name,) in cursor.fetchall()]
