"""The house with real processes: a local Stripe, workers, and bookings due by the real clock."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar
from unittest import mock

import psycopg
import stripe
from django.db import connection
from django.utils import timezone

from bookings.models import Booking
from payments import driver
from payments.models import BookingAccount, PaymentAttempt
from payments.policies import LIVE_STATES, PaymentKind
from payments.protocols import janitor
from payments.services import open_checkout
from payments.stripe_gateway import StripeGateway
from reyes_estancias.local_stripe.control import Control
from reyes_estancias.local_stripe.faults import Fault, FaultKind
from reyes_estancias.local_stripe.statement import Movement, StatementLine
from tests.factories import BASE_URL, make_hold
from tests.invariants import assert_invariants, key_owners
from tests.stripe_transport import TEST_KEY
from tests.workers.postgres import Server
from tests.workers.workers import (
    StartedWorker,
    count_jobs,
    current_database_url,
    end,
    query,
    started_worker,
    wait_for,
)

T = TypeVar("T")

SECRET = "whsec_live_house"
BOOKED_AGO = timedelta(days=10)
ARRIVED_AGO = timedelta(days=4)
PATIENCE_SECONDS = 60.0
WORKER_SETTINGS = "tests.acceptance.charging_settings"


@dataclass(frozen=True, slots=True)
class LiveHouse:
    control: Control
    client: stripe.StripeClient
    gateway: StripeGateway
    log: Path

    def book_due(self, count: int = 1, *, card: str | None = None) -> list[Booking]:
        """Return bookings whose balance fell due two days ago, and whose charge jobs wait."""
        booked_at = timezone.now() - BOOKED_AGO
        self.control.set_clock_offset(seconds=-int(BOOKED_AGO.total_seconds()))
        bookings = [self._book(booked_at) for _ in range(count)]
        self.control.set_clock_offset(seconds=0)
        for booking in bookings if card is not None else []:
            account = BookingAccount.objects.get(booking=booking)
            self.control.change_card(account.stripe_payment_method_id, card=card or "")
        return bookings

    def _book(self, booked_at: datetime) -> Booking:
        booking = make_hold(now=booked_at, check_in=(timezone.now() - ARRIVED_AGO).date(), nights=6)
        open_checkout(booking=booking, base_url=BASE_URL, gateway=self.gateway, now=booked_at)
        attempt = PaymentAttempt.objects.get(payment__booking=booking, state__in=list(LIVE_STATES))
        self.control.complete_session(attempt.stripe_session_id or "")
        driver.refresh(attempt=attempt, intent_id="", gateway=self.gateway, now=booked_at)
        return Booking.objects.get(pk=booking.pk)

    def arm(self, kind: FaultKind, *, path: str, count: int, seconds: float) -> None:
        self.control.arm_fault(Fault(kind, method="POST", path=path, count=count, seconds=seconds))

    def worker(self, *options: str) -> AbstractContextManager[StartedWorker]:
        return started_worker(self.log, "--concurrency", "4", *options, settings_module=WORKER_SETTINGS)

    def balance_lines(self) -> list[StatementLine]:
        """Return the charges of balances that the bank statement shows."""
        owners = key_owners()
        return [
            line
            for line in self.control.statement()
            if line.kind is Movement.CHARGE
            and owners[line.metadata["attempt"]].payment.kind == PaymentKind.BALANCE
        ]

    def finish(self) -> None:
        """Start a worker, let it run what is left, and let the janitor look until nothing is left to ask."""
        with self.worker() as worker:
            wait_until(self._is_at_rest)
            worker.stop()  # in peace: the schedule may just have begun a task
        looks = itertools.count()
        wait_until(lambda: self._has_resolved(timezone.now() + timedelta(minutes=3, hours=7 * next(looks))))

    def _has_resolved(self, now: datetime) -> bool:
        """Let the janitor look at ``now``, and say whether every attempt has ended."""
        janitor.resolve_unfinished(gateway=self.gateway, now=now)
        return not PaymentAttempt.objects.filter(state__in=list(LIVE_STATES)).exists()

    def _is_at_rest(self) -> bool:
        """Tell what waits for its time that it has come, and say whether nothing waits or runs."""
        query(
            "UPDATE procrastinate_jobs SET scheduled_at = now()"
            " WHERE status = 'todo' AND scheduled_at > now() RETURNING id"
        )
        return count_jobs("todo", "doing") == 0

    def assert_charged_once(self, bookings: list[Booking]) -> None:
        charged = sorted((line.amount, line.customer) for line in self.balance_lines())
        accounts = BookingAccount.objects.in_bulk([booking.pk for booking in bookings])
        due = sorted(
            (booking.quote.balance_minor, accounts[booking.pk].stripe_customer_id) for booking in bookings
        )
        assert charged == due, f"charged {charged}, due {due}"
        assert_invariants(client=self.client, statement=self.control.statement())
        assert count_jobs("doing") == 0


def wait_until(read: Callable[[], T]) -> T:
    """Return the first truthy answer, with more patience than a machine under load needs."""
    return wait_for(read, within=PATIENCE_SECONDS)


def kill(worker: StartedWorker) -> None:
    """Kill -9 a worker and every process of it, as when the machine goes away."""
    end(worker)


@contextmanager
def at_home_in(server: Server) -> Iterator[None]:
    """Use a server as this test's database: for this process, and for the workers it starts."""
    with psycopg.connect(server.url) as session:
        info = session.info
        place = {"HOST": info.host, "PORT": str(info.port), "NAME": info.dbname, "USER": info.user}
    connection.close()
    with mock.patch.dict(connection.settings_dict, place):
        yield
        connection.close()


@contextmanager
def row_locked(table: str, id_: int) -> Iterator[None]:
    """Hold a row's lock from outside, so that whoever needs it waits there."""
    with psycopg.connect(current_database_url()) as holder:
        holder.execute(f"SELECT 1 FROM {table} WHERE id = %s FOR UPDATE".encode(), [id_])
        yield
        holder.rollback()


def waiting_for_a_row() -> list[int]:
    """Return the sessions of this database that wait for a row that somebody else has locked."""
    rows = query(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock' AND wait_event IN ('transactionid', 'tuple')"
    )
    return [pid for (pid,) in rows]


def end_sessions(pids: list[int]) -> None:
    """End sessions whose client is gone; a server that waits for a lock would not notice by itself."""
    for pid in pids:
        query("SELECT pg_terminate_backend(%s)", pid)


def states_of_attempts(bookings: list[Booking]) -> list[str]:
    rows = PaymentAttempt.objects.filter(payment__booking__in=bookings, payment__kind=PaymentKind.BALANCE)
    return list(rows.values_list("state", flat=True))


def make_gateway(base_url: str) -> tuple[stripe.StripeClient, StripeGateway]:
    client = stripe.StripeClient(
        TEST_KEY,
        base_addresses={"api": base_url},
        http_client=stripe.RequestsClient(timeout=20),
        max_network_retries=0,
    )
    return client, StripeGateway(client=client, webhook_secrets=[SECRET])
